//! A registry of components: a folder or an http(s) URL with an `index.json` and the files that it names.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rematch_engine::benchmark::{Limits, PluginReference};
use rematch_engine::store::sha256_of_bytes;
use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};
use crate::terminal::visible_within;

/// The index of a registry.
pub(super) const INDEX: &str = "index.json";

/// The layout of the index that this program reads and writes.
const SCHEMA_VERSION: u32 = 1;

/// Most bytes of an index.
const MAX_INDEX: u64 = 16 << 20;

/// Most redirects of one request.
const MAX_REDIRECTS: usize = 5;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(300);

/// What a registry has.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Index {
    schema_version: u32,
    /// In order of name and version.
    pub(super) plugins: Vec<Entry>,
}

/// A version of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) version: Version,
    /// Name of its file, beside the index.
    pub(super) file: String,
    pub(super) sha256: String,
    pub(super) bytes: u64,
    /// What it is for; may be empty.
    #[serde(default)]
    pub(super) summary: String,
}

impl Default for Index {
    fn default() -> Self {
        Self { schema_version: SCHEMA_VERSION, plugins: Vec::new() }
    }
}

impl Index {
    /// Reads an index.
    pub(super) fn parse(content: &[u8]) -> anyhow::Result<Self> {
        let index: Self = serde_json::from_slice(content).context("its index is not what an index looks like")?;
        if index.schema_version != SCHEMA_VERSION {
            bail!(
                "its index has schema version {}, this program knows version {SCHEMA_VERSION}; a newer one may know it",
                index.schema_version
            );
        }
        Ok(index)
    }

    /// Returns the entry that `wanted` means: `NAME@VERSION`, or `NAME` for the latest release, or for the latest
    /// candidate where nothing is released.
    ///
    /// # Errors
    ///
    /// Returns an error that says what there is.
    pub(super) fn find(&self, wanted: &str) -> anyhow::Result<&Entry> {
        let (name, version) = match wanted.split_once('@') {
            Some((name, version)) => (name, Some(PluginReference::checked_version(version)?)),
            None => (wanted, None),
        };
        PluginReference::checked_name(name)?;
        let mut versions: Vec<&Entry> = self.plugins.iter().filter(|entry| entry.name == name).collect();
        versions.sort_by(|left, right| left.version.cmp(&right.version));
        let found = match &version {
            Some(version) => versions.iter().find(|entry| entry.version == *version),
            None => versions.iter().rfind(|entry| entry.version.pre.is_empty()).or_else(|| versions.last()),
        };
        if let Some(entry) = found {
            return Ok(entry);
        }
        if versions.is_empty() {
            let names: std::collections::BTreeSet<&str> =
                self.plugins.iter().map(|entry| entry.name.as_str()).collect();
            let some: Vec<String> =
                names.iter().take(10).map(|name| format!("`{}`", visible_within(name, 64))).collect();
            bail!(
                "it has no component `{name}`; it has {}",
                if some.is_empty() { "none".to_owned() } else { some.join(", ") }
            );
        }
        let some: Vec<String> = versions.iter().rev().take(10).map(|entry| entry.version.to_string()).collect();
        bail!("it has no version of `{name}` like `{wanted}`; it has {}", some.join(", "));
    }
}

/// Where a registry is.
#[derive(Debug)]
pub(super) enum Registry {
    Folder(PathBuf),
    Http { base: Url, client: Client },
}

impl Registry {
    /// Returns the registry at `place`, or at what `$REMATCH_REGISTRY` says.
    ///
    /// # Errors
    ///
    /// Returns an error where neither says one, or it is a URL of a kind that is not fetched.
    pub(super) fn at(place: Option<&str>) -> Result<Self, Failure> {
        let usage = |error| Failure::new(Exit::Usage, error);
        let place = match place {
            Some(place) => place.to_owned(),
            None => std::env::var("REMATCH_REGISTRY").ok().filter(|place| !place.is_empty()).ok_or_else(|| {
                usage(anyhow!("no registry is named; `--registry` or the variable `REMATCH_REGISTRY` names one"))
            })?,
        };
        if !place.contains("://") {
            return Ok(Self::Folder(PathBuf::from(place)));
        }
        let mut base = Url::parse(&place).with_context(|| format!("`{place}` is not a URL")).map_err(usage)?;
        if !["http", "https"].contains(&base.scheme()) {
            return Err(usage(anyhow!("`{place}` is not an http or https URL; a folder is given as a path")));
        }
        // Names are resolved within the folder that the URL names, with or without a slash at its end.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let client = client().context("no request can be made").map_err(usage)?;
        Ok(Self::Http { base, client })
    }

    /// Returns the folder, where it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Http { .. } => None,
        }
    }

    /// Returns where the registry is, in words.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Folder(folder) => folder.display().to_string(),
            Self::Http { base, .. } => base.to_string(),
        }
    }

    /// Reads the index.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be fetched or read.
    pub(super) fn index(&self) -> anyhow::Result<Index> {
        Index::parse(&self.read(INDEX, MAX_INDEX)?)
    }

    /// Reads a component and checks it against its entry.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be fetched, or is not what the index says.
    pub(super) fn component(&self, entry: &Entry) -> anyhow::Result<Vec<u8>> {
        let most = Limits::default().component_bytes;
        if entry.bytes > most {
            bail!("its index says {} bytes, more than the {most} that a component may have", entry.bytes);
        }
        if !is_file_name(&entry.file) {
            bail!("its index names the file `{}`, expected a plain name", visible_within(&entry.file, 200));
        }
        let content = self.read(&entry.file, entry.bytes)?;
        let found = sha256_of_bytes(&content);
        if content.len() as u64 != entry.bytes || found != entry.sha256.to_lowercase() {
            bail!(
                "`{}` is not what its index says: {} bytes with SHA-256 `{found}`, expected {} bytes with `{}`; it was \
                 changed or damaged, so that nothing was written",
                entry.file,
                content.len(),
                entry.bytes,
                visible_within(&entry.sha256, 64)
            );
        }
        Ok(content)
    }

    /// Reads a file of the registry, and an error rather than more than `most` bytes of it.
    fn read(&self, name: &str, most: u64) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                let file = std::fs::File::open(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
                within(file, most, name)
            }
            Self::Http { base, client } => {
                let url = base.join(name).with_context(|| format!("`{name}` is no part of a URL"))?;
                let response = client.get(url.clone()).send().with_context(|| format!("cannot fetch `{url}`"))?;
                let status = response.status();
                if !status.is_success() {
                    bail!("cannot fetch `{url}`: the server answers {status}");
                }
                within(response, most, name)
            }
        }
    }
}

fn within(source: impl Read, most: u64, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    source.take(most.saturating_add(1)).read_to_end(&mut content).with_context(|| format!("cannot read `{name}`"))?;
    if content.len() as u64 > most {
        bail!("`{name}` has more than the {most} bytes expected");
    }
    Ok(content)
}

/// Follows a redirect only to the same scheme: what was asked for by https is not fetched in the open, and no other
/// kind of address is fetched at all.
fn client() -> reqwest::Result<Client> {
    let policy = Policy::custom(|attempt| {
        let scheme = attempt.previous().last().map(|url| url.scheme().to_owned());
        if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error(format!("more than {MAX_REDIRECTS} redirects"))
        } else if scheme.as_deref() == Some(attempt.url().scheme()) {
            attempt.follow()
        } else {
            let message = format!("the server redirects to `{}`, which is another scheme", attempt.url());
            attempt.error(message)
        }
    });
    let agent = concat!("rematch/", env!("CARGO_PKG_VERSION"));
    Client::builder().redirect(policy).connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT).user_agent(agent).build()
}

/// Returns whether a name stays in the folder that it is joined to.
fn is_file_name(name: &str) -> bool {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "-_.@+".contains(letter);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, version: &str) -> Entry {
        let file = format!("{name}@{version}.wasm");
        let (sha256, summary) = (sha256_of_bytes(b"content"), String::new());
        Entry { name: name.to_owned(), version: Version::parse(version).unwrap(), file, sha256, bytes: 7, summary }
    }

    fn index() -> Index {
        let versions = ["1.9.0", "1.10.0", "2.0.0-rc.1"].map(|version| entry("revenue", version));
        Index { plugins: versions.into_iter().chain([entry("draft", "0.1.0-a")]).collect(), ..Index::default() }
    }

    #[test]
    fn a_name_alone_means_the_latest_release() {
        let index = index();
        assert_eq!(index.find("revenue").unwrap().version, Version::new(1, 10, 0));
        assert_eq!(index.find("revenue@1.9.0").unwrap().version, Version::new(1, 9, 0));
        assert_eq!(index.find("draft").unwrap().version.to_string(), "0.1.0-a");
    }

    #[test]
    fn what_there_is_is_said_where_the_wanted_is_not() {
        let error = index().find("revenue@3.0.0").unwrap_err().to_string();
        assert!(error.contains("2.0.0-rc.1, 1.10.0, 1.9.0"), "{error}");
        let error = index().find("relevance").unwrap_err().to_string();
        assert!(error.contains("`draft`, `revenue`"), "{error}");
        assert!(index().find("../revenue").is_err());
        assert!(index().find("revenue@latest").is_err());
    }

    #[test]
    fn a_file_that_is_not_what_the_index_says_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::at(Some(&folder.path().display().to_string())).unwrap();
        let sound = entry("revenue", "1.0.0");
        let put = |content: &[u8]| std::fs::write(folder.path().join(&sound.file), content).unwrap();
        put(b"content");
        assert_eq!(registry.component(&sound).unwrap(), b"content");
        for content in [&b"contenT"[..], b"conten", b"content and more"] {
            put(content);
            assert!(registry.component(&sound).is_err());
        }
        for file in ["../secret", "/etc/passwd", "a/b", "", ".hidden", "a b"] {
            let error = registry.component(&Entry { file: file.to_owned(), ..sound.clone() }).unwrap_err();
            assert!(error.to_string().contains("expected a plain name"), "{file}: {error}");
        }
        let huge = Entry { bytes: u64::MAX, ..sound.clone() };
        assert!(registry.component(&huge).unwrap_err().to_string().contains("more than"));
    }

    #[test]
    fn only_folders_and_http_are_registries() {
        for url in ["ftp://host/x", "file:///etc", "javascript://x"] {
            assert_eq!(Registry::at(Some(url)).unwrap_err().exit(), Exit::Usage, "{url}");
        }
        let registry = Registry::at(Some("http://127.0.0.1:1/plugins")).unwrap();
        assert_eq!(registry.shown(), "http://127.0.0.1:1/plugins/");
    }

    #[test]
    fn an_index_of_another_version_is_refused() {
        let error = Index::parse(br#"{"schema_version": 2, "plugins": []}"#).unwrap_err().to_string();
        assert!(error.contains("schema version 2"), "{error}");
        assert!(Index::parse(b"<html>").is_err());
        assert!(Index::parse(br#"{"schema_version": 1, "plugins": [{"name": "x"}]}"#).is_err());
    }
}
