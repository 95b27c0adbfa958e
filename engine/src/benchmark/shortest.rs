//! How is a path told to people? As short as it can be without leading to another place.

use std::path::{Component, Path, PathBuf};

use crate::storage::is_url;

/// Returns the path without `.`, and without `folder/..` where the folder is there and is no link: a link is followed before
/// the path goes up, so that without it the path would lead elsewhere. URLs stay as they are written.
pub(super) fn shortest(path: &Path) -> PathBuf {
    if is_url(&path.to_string_lossy()) {
        return path.to_owned();
    }
    let mut short = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if ends_with_folder(&short) => {
                short.pop();
            }
            part => short.push(part),
        }
    }
    let leads_nowhere = short.as_os_str().is_empty() && !path.as_os_str().is_empty();
    if leads_nowhere { PathBuf::from(".") } else { short }
}

/// Whether going up from the path leads to the folder that its text names. What looks like a glob may be one.
fn ends_with_folder(path: &Path) -> bool {
    let Some(Component::Normal(name)) = path.components().next_back() else { return false };
    !name.to_string_lossy().contains(['*', '?', '[']) && path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn folders_that_are_there_and_left_again_are_not_told() {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir_all(folder.path().join("data/shop")).unwrap();
        std::fs::create_dir(folder.path().join("[a]")).unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        for (written, expected) in [
            ("data/shop/../../runs", "runs"),
            ("data/shop/../../data/./shop/x.csv", "data/shop/x.csv"),
            ("data/shop/../*.csv", "data/*.csv"),
            ("./runs", "runs"),
            // Opening these fails, or goes on as a glob; they must go on doing so.
            ("nothing/../runs", "nothing/../runs"),
            ("file/../runs", "file/../runs"),
            ("*/../runs", "*/../runs"),
            ("[a]/../runs", "[a]/../runs"),
        ] {
            let short = shortest(&folder.path().join(written));
            assert_eq!(short, folder.path().join(expected), "{written}");
        }
        for (written, expected) in [
            ("", ""),
            (".", "."),
            ("./a", "a"),
            ("../a", "../a"),
            ("src/..", "."),
            ("src/../../a", "../a"),
            ("/..", "/.."),
        ] {
            // The working directory of a unit test is that of its crate.
            assert_eq!(shortest(Path::new(written)), Path::new(expected), "{written}");
        }
        let url = Path::new("s3://bucket/a/./b");
        assert_eq!(shortest(url), url);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_before_the_path_goes_up() {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir_all(folder.path().join("elsewhere/deep")).unwrap();
        std::fs::write(folder.path().join("elsewhere/x"), "meant").unwrap();
        std::os::unix::fs::symlink("elsewhere/deep", folder.path().join("link")).unwrap();
        let through = folder.path().join("link/../x");
        assert_eq!(shortest(&through), through);
        assert_eq!(std::fs::read_to_string(shortest(&through)).unwrap(), "meant");
        // A folder behind a link is none itself.
        std::fs::create_dir(folder.path().join("elsewhere/deep/below")).unwrap();
        let below = folder.path().join("link/below/../../x");
        assert_eq!(shortest(&below), through);
    }
}
