//! Do all files of a plan lie in one folder? For a server, whose users name files and share a machine.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::plan::{Plan, ScorerSource};
use super::spec::SessionsPath;
use super::stages::{StagePlan, Used};
use crate::storage::Location;

/// How deep a folder that is read as a whole is searched for links that lead out of it.
const LEVELS: usize = 4;

/// A path that leads out of the folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` leads out of the folder that may be read and written; name an uploaded file")]
pub struct OutsideError {
    path: String,
}

impl Plan {
    /// Returns every path and URL that a run of the plan reads, globs as they are written.
    #[must_use]
    pub fn inputs(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = match &self.sessions {
            SessionsPath::Files(files) => files.iter().map(PathBuf::from).collect(),
            SessionsPath::Ubi(ubi) => [&ubi.queries, &ubi.events].map(PathBuf::from).into(),
            SessionsPath::Trec(trec) => trec.topics.iter().chain([&trec.qrels]).map(PathBuf::from).collect(),
            SessionsPath::Beir(folder) => vec![PathBuf::from(folder)],
        };
        for pipeline in &self.pipelines {
            paths.extend(pipeline.stages.iter().flat_map(used));
        }
        for scorer in &self.scorers {
            if let ScorerSource::Plugin(plugin) = &scorer.source {
                paths.push(plugin.path.clone());
                paths.extend(plugin.items.iter().map(|items| items.corpus.path.clone()));
            }
        }
        let lists = self.lists.iter().filter_map(|lists| lists.items.as_ref());
        paths.extend(lists.map(|items| items.corpus.path.clone()));
        paths.extend(self.borrowed.iter().flat_map(|borrowed| &borrowed.runs).map(|run| run.path.clone()));
        if !self.acknowledgements.as_os_str().is_empty() {
            paths.push(self.acknowledgements.clone());
        }
        paths
    }

    /// Checks that every path of the plan lies in `root`, whatever links and dots it goes through. URLs of object stores are
    /// not judged here: [`crate::storage::connect_within`] is for them.
    ///
    /// # Errors
    ///
    /// Returns the first path that leads out of it.
    pub fn check_below(&self, root: &Path) -> Result<(), OutsideError> {
        self.inputs().iter().try_for_each(|path| check_below(path, root))?;
        check_place_below(&self.output_dir, root, 0)
    }
}

/// Checks that a path, or all that a glob names, lies in `root`, and, of a folder, what is in it.
///
/// # Errors
///
/// Returns an error where it does not, or where that cannot be told.
pub fn check_below(path: &Path, root: &Path) -> Result<(), OutsideError> {
    check_place_below(path, root, LEVELS)
}

/// Looks so many levels into a folder.
fn check_place_below(path: &Path, root: &Path, levels: usize) -> Result<(), OutsideError> {
    let outside = || OutsideError { path: path.display().to_string() };
    let location = Location::of(path).map_err(|_| outside())?;
    let Some(local) = location.local() else { return Ok(()) };
    let root = root.canonicalize().map_err(|_| outside())?;
    let is_below = is_below(local, &root, levels).unwrap_or(false);
    if is_below { Ok(()) } else { Err(outside()) }
}

fn is_below(path: &Path, root: &Path, levels: usize) -> io::Result<bool> {
    let path = std::path::absolute(path)?;
    let (before, after) = split_at_glob(&path);
    if !true_path(&before)?.starts_with(root) {
        return Ok(false);
    }
    if after.is_empty() {
        return stays_inside(&before, root, levels);
    }
    if after.iter().any(|part| part == "..") {
        return Ok(false);
    }
    // A name may hold what looks like a glob and be a file of its own.
    let literally = path.symlink_metadata().is_ok().then_some(path.clone());
    let found = glob::glob(&path.to_string_lossy()).map_err(io::Error::other)?.filter_map(Result::ok);
    for path in found.chain(literally) {
        if !path.canonicalize()?.starts_with(root) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether everything in a folder that is read as a whole lies in `root` too.
fn stays_inside(path: &Path, root: &Path, levels: usize) -> io::Result<bool> {
    if levels == 0 || !path.is_dir() {
        return Ok(true);
    }
    for entry in path.read_dir()? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_symlink() && !true_path(&entry.path())?.starts_with(root) {
            return Ok(false);
        }
        if kind.is_dir() && !stays_inside(&entry.path(), root, levels - 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns a path without links and dots. Of one that is not there yet, the part that is; what follows may not go up.
fn true_path(path: &Path) -> io::Result<PathBuf> {
    let mut missing: Vec<OsString> = Vec::new();
    let mut present = path;
    loop {
        match present.canonicalize() {
            Ok(found) => return Ok(missing.iter().rev().fold(found, |path, name| path.join(name))),
            // A link that leads nowhere would be followed by whoever writes there.
            Err(error) if present.symlink_metadata().is_ok() => return Err(error),
            Err(_) => {}
        }
        let (Some(parent), Some(name)) = (present.parent(), present.file_name()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path that goes up from what is not there"));
        };
        missing.push(name.to_owned());
        present = parent;
    }
}

/// Splits a path before its first part with a sign of a glob.
fn split_at_glob(path: &Path) -> (PathBuf, Vec<OsString>) {
    let is_glob = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let before: PathBuf = path.components().take_while(|part| !is_glob(part)).collect();
    let after = path.components().skip_while(|part| !is_glob(part));
    (before, after.map(|part| part.as_os_str().to_owned()).collect())
}

/// Returns the files that a stage reads, and those of stages inside of it.
fn used(stage: &StagePlan) -> Vec<PathBuf> {
    let mut does = stage.does.clone();
    let path = |used: Used<'_>| match used {
        Used::File { path, .. } => path.clone(),
        Used::Corpus(corpus) => corpus.path.clone(),
    };
    does.uses().into_iter().map(path).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::benchmark::SpecSource;

    /// `root/{files/a.csv, out -> elsewhere, loop -> loop, gone -> nowhere}`, and `secret` beside it.
    fn folders() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("files/deep")).unwrap();
        std::fs::create_dir_all(root.join("inner/deep")).unwrap();
        std::fs::create_dir_all(folder.path().join("root-of-another")).unwrap();
        std::fs::write(root.join("files/a.csv"), "").unwrap();
        std::fs::write(root.join("files/[1].csv"), "").unwrap();
        std::fs::write(folder.path().join("secret"), "").unwrap();
        symlink(folder.path(), root.join("out")).unwrap();
        symlink(folder.path().join("secret"), root.join("files/deep/secret.csv")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink(folder.path().join("nowhere"), root.join("gone")).unwrap();
        symlink("a.csv", root.join("files/inner.csv")).unwrap();
        (folder, root)
    }

    #[test]
    fn what_lies_inside_may_be_named_and_what_leads_out_may_not() {
        let (folder, root) = folders();
        let check = |path: &str| check_below(&root.join(path), &root).is_ok();
        for path in [
            "files/a.csv",
            "files/inner.csv",
            "files/*.csv",
            "files/[1].csv",
            "files/../files/a.csv",
            "new/run",
            "inner",
            "files/none-*.csv",
            "files/[0-9].csv",
        ] {
            assert!(check(path), "{path}");
        }
        for path in [
            "../secret",
            "files/../../secret",
            "out/secret",
            "out/root-of-another",
            "files/deep/secret.csv",
            "files",
            "files/deep/*.csv",
            "files/*/secret.csv",
            "*/../../secret",
            "../*",
            "../root-of-another/x",
            "loop",
            "gone",
            "gone/x",
            "new/../../secret",
            "out/*",
            "/etc/passwd",
            "/proc/self/environ",
            "/",
        ] {
            assert!(!check(path), "{path}");
        }
        let file = |path: &Path| PathBuf::from(format!("file://{}", path.display()));
        assert!(check_below(&file(&root.join("files/a.csv")), &root).is_ok());
        assert!(check_below(&file(&folder.path().join("secret")), &root).is_err());
        assert!(check_below(Path::new("file:///etc/passwd"), &root).is_err());
        assert!(check_below(Path::new("https://host/x.csv"), &root).is_ok(), "of the outbound policy");
        assert!(check_below(Path::new("gopher://host/x"), &root).is_err());
        let error = check_below(&root.join("../secret"), &root).unwrap_err().to_string();
        assert!(error.contains("name an uploaded file"), "{error}");
    }

    #[test]
    fn every_place_of_a_benchmark_that_names_a_file_is_looked_at() {
        let (_folder, root) = folders();
        let benchmark = |sessions: &str, corpus: &str, run: &str, plugin: &str, output: &str, authority: &str| {
            let text = format!(
                r#"
                name = "b"
                baseline = "a"
                candidates = ["b", "c"]
                [sessions]
                path = "{sessions}"
                [corpus.c]
                path = "{corpus}"
                id = "id"
                [[retriever]]
                id = "a"
                stages = [{{ kind = "bm25", corpus = "c", fields = {{ t = 1.0 }} }}, {{ kind = "rerank", plugin = "{plugin}" }}]
                [[retriever]]
                id = "b"
                stages = [{{ kind = "fuse", branches = [{{ stages = [{{ kind = "recorded", path = "{run}" }}] }}, {{ stages = [{{ kind = "shown" }}] }}] }}]
                [[retriever]]
                id = "c"
                stages = [{{ kind = "http", url = "http://h/s", ids = "$[*]", certificate-authority = "{authority}" }}]
                [[scorer]]
                name = "s"
                plugin = "{plugin}"
                [output]
                dir = "{output}"
                "#
            );
            let path = root.join("bench.toml");
            std::fs::write(&path, text).unwrap();
            Plan::resolve(&SpecSource::read(&path, &[]).unwrap()).unwrap().check_below(&root)
        };
        let inside = ["files/a.csv", "files/a.csv", "files/a.run", "files/a.wasm", "runs", "files/a.pem"];
        let [sessions, corpus, run, plugin, output, authority] = inside;
        assert_eq!(benchmark(sessions, corpus, run, plugin, output, authority), Ok(()));
        for place in 0..inside.len() {
            let mut paths = inside;
            paths[place] = "../secret.wasm";
            let [sessions, corpus, run, plugin, output, authority] = paths;
            assert!(benchmark(sessions, corpus, run, plugin, output, authority).is_err(), "{place}");
        }
    }
}
