//! A benchmark of a tenant names files and components as they were brought; here the names become places in the
//! organisation's folder. Whatever is no such name is refused, so that no benchmark reads anything else.

use std::path::Path;

use rematch_engine::benchmark::KeyPath;
use rematch_engine::benchmark::spec::{BenchmarkSpec, SessionsPath, StageKindSpec, StageSpec};

use super::Catalogue;
use crate::catalog::{is_file_name, is_name};

/// A name that means nothing here: where it stands, and what is wrong with it.
pub(super) type Wrong = (KeyPath, String);

/// Where names lead.
pub(super) struct Names<'a> {
    pub(super) root: &'a Path,
    pub(super) catalogue: &'a Catalogue,
    /// Whether places in the organisation's folder are names too: in what the server itself wrote.
    pub(super) rooted: bool,
}

/// Puts places into a benchmark.
pub(super) fn place(spec: &mut BenchmarkSpec, names: &Names<'_>) -> Result<(), Wrong> {
    let root = KeyPath::root();
    let path = root.key("sessions").key("path");
    match &mut spec.sessions.path {
        SessionsPath::Files(paths) => {
            for (index, file) in paths.iter_mut().enumerate() {
                names.put_file(file, || path.index(index))?;
            }
        }
        SessionsPath::Ubi(ubi) => {
            names.put_file(&mut ubi.queries, || path.key("ubi").key("queries"))?;
            names.put_file(&mut ubi.events, || path.key("ubi").key("events"))?;
        }
        SessionsPath::Trec(trec) => {
            if let Some(topics) = &mut trec.topics {
                names.put_file(topics, || path.key("trec").key("topics"))?;
            }
            names.put_file(&mut trec.qrels, || path.key("trec").key("qrels"))?;
        }
        SessionsPath::Beir(folder) => match names.folder(folder) {
            Ok(place) => *folder = place,
            Err(message) => return Err((path.key("beir"), message)),
        },
    }
    for (name, corpus) in &mut spec.corpus {
        names.put_file(&mut corpus.path, || root.key("corpus").key(name).key("path"))?;
    }
    for (index, retriever) in spec.retriever.iter_mut().enumerate() {
        place_stages(&mut retriever.stages, &root.key("retriever").index(index).key("stages"), names)?;
    }
    for (index, scorer) in spec.scorer.iter_mut().enumerate() {
        if let Some(plugin) = &mut scorer.plugin {
            names.put_component(plugin, || root.key("scorer").index(index).key("plugin"))?;
        }
    }
    if spec.output.acknowledgements.is_some() {
        let message = "acknowledgements are held against a finished run: `POST /v1/runs/{id}/gates`";
        return Err((root.key("output").key("acknowledgements"), message.to_owned()));
    }
    // The server says where a run lies.
    spec.output.dir = None;
    Ok(())
}

/// Puts places into stages.
pub(super) fn place_stages(stages: &mut [StageSpec], keys: &KeyPath, names: &Names<'_>) -> Result<(), Wrong> {
    for (index, stage) in stages.iter_mut().enumerate() {
        let keys = keys.index(index);
        match &mut stage.kind {
            StageKindSpec::Recorded(recorded) => names.put_file(&mut recorded.path, || keys.key("path"))?,
            StageKindSpec::Plugin(plugin) => names.put_component(&mut plugin.plugin, || keys.key("plugin"))?,
            StageKindSpec::Rerank(rerank) => {
                if let Some(plugin) = &mut rerank.plugin {
                    names.put_component(plugin, || keys.key("plugin"))?;
                }
                if let Some(http) = &rerank.http {
                    no_authority(http.certificate_authority.as_ref(), &keys.key("http"))?;
                }
            }
            StageKindSpec::Http(http) => no_authority(http.certificate_authority.as_ref(), &keys)?,
            StageKindSpec::Postgres(postgres) => no_authority(postgres.certificate_authority.as_ref(), &keys)?,
            StageKindSpec::Fuse(fuse) => {
                for (branch, spec) in fuse.branches.iter_mut().enumerate() {
                    place_stages(&mut spec.stages, &keys.key("branches").index(branch).key("stages"), names)?;
                }
            }
            StageKindSpec::Shown(_)
            | StageKindSpec::Bm25(_)
            | StageKindSpec::Vector(_)
            | StageKindSpec::Sql(_)
            | StageKindSpec::Filter(_)
            | StageKindSpec::Boost(_)
            | StageKindSpec::Dedupe(_)
            | StageKindSpec::Truncate(_) => {}
        }
    }
    Ok(())
}

fn no_authority(authority: Option<&String>, keys: &KeyPath) -> Result<(), Wrong> {
    match authority {
        None => Ok(()),
        Some(_) => {
            let message = "certificate authorities of one's own are not trusted here; leave the key out";
            Err((keys.key("certificate-authority"), message.to_owned()))
        }
    }
}

impl Names<'_> {
    fn put_file(&self, written: &mut String, keys: impl FnOnce() -> KeyPath) -> Result<(), Wrong> {
        match self.file(written) {
            Ok(place) => *written = place,
            Err(message) => return Err((keys(), message)),
        }
        Ok(())
    }

    fn put_component(&self, written: &mut String, keys: impl FnOnce() -> KeyPath) -> Result<(), Wrong> {
        match self.component(written) {
            Ok(place) => *written = place,
            Err(message) => return Err((keys(), message)),
        }
        Ok(())
    }

    /// Returns where a file lies that is written as `NAME` or `files/NAME`, or as the URL of a web server.
    fn file(&self, written: &str) -> Result<String, String> {
        // A URL is asked through the filter of what may be connected to.
        let is_web = written.starts_with("http://") || written.starts_with("https://");
        if is_web || self.is_rooted(written) {
            return Ok(written.to_owned());
        }
        let name = written.strip_prefix("files/").unwrap_or(written);
        if !is_file_name(name) {
            return Err(format!(
                "`{written}` is no file of this organisation; expected `files/NAME`, of one that `PUT /v1/files/NAME` brought, or a URL \
                 of http or https"
            ));
        }
        self.there("files", name).ok_or_else(|| format!("there is no file `{name}`; `PUT /v1/files/{name}` brings it"))
    }

    /// Returns where a folder of files lies that is written as `NAME` or `files/NAME`.
    fn folder(&self, written: &str) -> Result<String, String> {
        if self.is_rooted(written) {
            return Ok(written.to_owned());
        }
        let name = written.strip_prefix("files/").unwrap_or(written).trim_end_matches('/');
        let place = self.root.join("files").join(name);
        let is_there = is_file_name(name) && std::fs::symlink_metadata(&place).is_ok_and(|found| found.is_dir());
        if is_there {
            return Ok(place.to_string_lossy().into_owned());
        }
        Err(format!(
            "there is no folder `{name}` of files; `PUT /v1/files/{name}%2Fqueries.jsonl` brings one that lies in it, and \
             `{name}%2Fqrels%2Ftest.tsv` the judgments"
        ))
    }

    /// Returns where a component lies that is written as `NAME@VERSION`, or as `NAME`, which is the last version.
    fn component(&self, written: &str) -> Result<String, String> {
        if self.is_rooted(written) {
            return Ok(written.to_owned());
        }
        let reference = written.strip_prefix("components/").unwrap_or(written);
        let reference = reference.strip_suffix(".wasm").unwrap_or(reference);
        let (name, version) = match reference.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (reference, self.catalogue.latest.get(reference).map(String::as_str)),
        };
        let unknown = || {
            format!(
                "there is no component `{written}`; expected `NAME@VERSION`, of one that `PUT /v1/components/NAME/VERSION` brought"
            )
        };
        let version = version.ok_or_else(unknown)?;
        if !is_name(name) || !is_name(&version.replace('+', ".")) {
            return Err(unknown());
        }
        self.there("components", &format!("{name}@{version}.wasm")).ok_or_else(unknown)
    }

    /// Only a file itself is one: no folder, and no link to elsewhere.
    fn there(&self, folder: &str, name: &str) -> Option<String> {
        let place = self.root.join(folder).join(name);
        let is_file = std::fs::symlink_metadata(&place).is_ok_and(|found| found.is_file());
        is_file.then(|| place.to_string_lossy().into_owned())
    }

    fn is_rooted(&self, written: &str) -> bool {
        self.rooted && is_inside(Path::new(written), self.root)
    }
}

/// Returns whether a path leads into the folder, by its words alone.
fn is_inside(path: &Path, root: &Path) -> bool {
    use std::path::Component;
    path.starts_with(root) && !path.components().any(|part| part == Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(root: &'a Path, catalogue: &'a Catalogue, rooted: bool) -> Names<'a> {
        Names { root, catalogue, rooted }
    }

    #[test]
    fn only_what_was_brought_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("files/folder")).unwrap();
        std::fs::write(root.join("files/a.csv"), "x").unwrap();
        std::fs::write(root.join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("files/link")).unwrap();
        let catalogue = Catalogue::default();
        let place = root.join("files/a.csv").to_string_lossy().into_owned();
        for rooted in [false, true] {
            let names = names(root, &catalogue, rooted);
            assert_eq!(names.file("files/a.csv").as_ref(), Ok(&place));
            assert_eq!(names.file("a.csv").as_ref(), Ok(&place));
            for hostile in [
                "",
                "/etc/passwd",
                "../secret",
                "files/../secret",
                "files/link",
                "files/folder",
                "files/",
                "files/*.csv",
                "files/./a.csv",
                "file:///etc/passwd",
                "ftp://host/file",
                "s3://bucket/key",
                "files/a.csv\0",
                "b.csv",
                "//a.csv",
                "files//a.csv",
                "FILES/a.csv",
            ] {
                assert!(names.file(hostile).is_err(), "{hostile:?}");
            }
            let escaping = format!("{}/../../x", root.display());
            assert!(names.file(&escaping).is_err());
            let inside = root.join("files/folder").to_string_lossy().into_owned();
            assert_eq!(names.folder("files/folder").as_ref(), Ok(&inside));
            assert_eq!(names.folder("folder/").as_ref(), Ok(&inside));
            for hostile in
                ["", "files", "files/", "/etc", "..", "files/..", "folder/..", "a.csv", "link", "nothing", "/"]
            {
                assert!(names.folder(hostile).is_err(), "{hostile:?}");
            }
            assert_eq!(names.file(&place).is_ok(), rooted, "a place is a name in what the server wrote only");
        }
    }

    #[test]
    fn a_component_is_named_with_its_version_or_means_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("components")).unwrap();
        std::fs::write(root.join("components/a@1.0.0.wasm"), "x").unwrap();
        let latest = [("a".to_owned(), "1.0.0".to_owned())].into();
        let catalogue = Catalogue { latest, ..Catalogue::default() };
        let names = names(root, &catalogue, false);
        let place = Ok(root.join("components/a@1.0.0.wasm").to_string_lossy().into_owned());
        for written in ["a", "a@1.0.0", "components/a@1.0.0.wasm"] {
            assert_eq!(names.component(written), place, "{written}");
        }
        for hostile in ["b", "a@2.0.0", "../a@1.0.0", "a@../x", "/a@1.0.0", "a@", "@1.0.0", ""] {
            assert!(names.component(hostile).is_err(), "{hostile:?}");
        }
    }
}
