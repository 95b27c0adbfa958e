//! `rematch plugin new`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use include_dir::{Dir, File, include_dir};

use super::print;
use super::project::check_name;
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::{Language, NewArguments};

/// The SDKs with their templates. Only the templates, and what their lists name, are ever written.
static SDKS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk-wit");

/// Writes a new project.
pub(super) fn new(arguments: &NewArguments) -> Result<Exit, Failure> {
    let NewArguments { name, language, .. } = arguments;
    check_name(name).map_err(|reason| Failure::new(Exit::Usage, anyhow!("{reason}")))?;
    let folder = arguments.directory.clone().unwrap_or_else(|| PathBuf::from(name));
    if folder.exists() && !is_empty_folder(&folder) {
        let error = anyhow!("`{}` is there already and not empty; `--dir` names another folder", folder.display());
        return Err(Failure::new(Exit::Usage, error));
    }
    write_project(name, *language, &folder).map_err(|error| Failure::new(Exit::Usage, error))?;
    let shown = folder.display();
    print(&format!(
        "wrote {shown}, a scorer in {}; next:\n  (cd {shown} && {})\n  rematch plugin build {shown}\n  rematch plugin \
         test {shown}\n",
        language.name(),
        native_test(*language)
    ))?;
    Ok(Exit::Done)
}

fn is_empty_folder(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Returns the command that runs a project's own test, without WebAssembly.
fn native_test(language: Language) -> &'static str {
    match language {
        Language::Rust => "cargo test",
        Language::Python => "PYTHONPATH=sdk python3 -m unittest",
        Language::Js => "node --test",
        Language::C => "./test.sh",
    }
}

/// Writes the template, the files of the SDK that it needs, and the WIT.
fn write_project(name: &str, language: Language, folder: &Path) -> anyhow::Result<()> {
    for (path, content) in project_files(name, language)? {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
        fs::write(&path, &content).with_context(|| format!("cannot write `{}`", path.display()))?;
        make_executable(&path, &content)?;
    }
    Ok(())
}

/// A script keeps its right to be run, which a file in a program does not have.
fn make_executable(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    #[cfg(unix)]
    if content.starts_with(b"#!") {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = (path, content);
    Ok(())
}

/// Returns every file of a new project with its path.
fn project_files(name: &str, language: Language) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let language = language.name();
    let sdk = SDKS.get_dir(language).with_context(|| format!("the SDK for {language} is not built in"))?;
    let template = sdk.get_dir(format!("{language}/template"));
    let template = template.with_context(|| format!("the template for {language} is not built in"))?;
    let filled = |text: &str| text.replace("{{name}}", name).replace("{{module}}", &name.replace('-', "_"));
    let mut files = Vec::new();
    for file in files_of(template) {
        let path = file.path().strip_prefix(template.path())?.to_string_lossy().into_owned();
        let path = path.replace("__name__", name).replace("__module__", &name.replace('-', "_"));
        let content = match file.contents_utf8() {
            Some(text) => filled(text).into_bytes(),
            None => file.contents().to_vec(),
        };
        files.push((PathBuf::from(path), content));
    }
    for path in listed(sdk)? {
        let file = sdk.get_file(format!("{language}/{path}"));
        let file = file.with_context(|| format!("`{path}` of the SDK for {language} is not built in"))?;
        files.push((Path::new("sdk").join(path), file.contents().to_vec()));
    }
    let wit = rematch_engine::score::wasm::WIT;
    files.push((PathBuf::from("sdk/wit/scoring.wit"), wit.as_bytes().to_vec()));
    Ok(files)
}

/// Returns the files of the SDK that a project carries, as their list names them.
fn listed<'a>(sdk: &'a Dir<'a>) -> anyhow::Result<Vec<&'a str>> {
    let list = sdk.get_file(sdk.path().join("template.files")).and_then(File::contents_utf8);
    let list = list.with_context(|| format!("the list `{}/template.files` is not built in", sdk.path().display()))?;
    let lines = list.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines.filter(|line| !line.is_empty()).collect())
}

fn files_of<'a>(folder: &'a Dir<'a>) -> Vec<&'a File<'a>> {
    let mut files: Vec<&File<'_>> = folder.files().collect();
    files.extend(folder.dirs().flat_map(files_of));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANGUAGES: [Language; 4] = [Language::Rust, Language::Python, Language::Js, Language::C];

    #[test]
    fn every_language_has_a_project_with_a_readme_and_its_sdk() {
        for language in LANGUAGES {
            let files = project_files("my-scorer", language).unwrap();
            let text = |wanted: &str| {
                let (_, content) = files.iter().find(|(path, _)| path == Path::new(wanted)).unwrap_or_else(|| {
                    panic!(
                        "{language:?} has no `{wanted}`: {:?}",
                        files.iter().map(|(path, _)| path).collect::<Vec<_>>()
                    )
                });
                String::from_utf8(content.clone()).unwrap()
            };
            assert!(text("rematch-plugin.toml").contains("my-scorer"));
            assert!(text("README.md").contains("my-scorer"));
            assert_eq!(text("sdk/wit/scoring.wit"), rematch_engine::score::wasm::WIT);
            for (path, content) in &files {
                let template = !path.starts_with("sdk");
                let content = String::from_utf8_lossy(content);
                assert!(!template || !content.contains("{{name}}") && !content.contains("{{module}}"), "{path:?}");
                assert!(!path.to_string_lossy().contains("__name__"), "{path:?}");
            }
        }
    }

    #[test]
    fn nothing_big_is_built_in() {
        let bytes: usize = files_of(&SDKS).iter().map(|file| file.contents().len()).sum();
        assert!(bytes < 4 << 20, "{bytes} bytes of sdk-wit are in the program; is there something generated in it?");
    }
}
