//! Where something lies: a path of this machine or a URL, as it was written.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use object_store::path::Path as Key;

/// A place of this machine or in an object store. It prints as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Local(PathBuf),
    Object(ObjectUrl),
}

/// The URL of an object, of a prefix, or a glob over them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ObjectUrl {
    pub(super) scheme: Scheme,
    /// As written: `abfss` and `az` are one scheme.
    written_scheme: String,
    /// The bucket, the container (perhaps `@` its account), or the host.
    pub(super) authority: String,
    /// What follows the authority, without slashes at its ends; not percent-encoded but for HTTP.
    pub(super) key: String,
}

/// The kinds of object stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    S3,
    Google,
    Azure,
    Http,
}

/// The schemes that can be written.
const SCHEMES: [(&str, Scheme); 9] = [
    ("s3", Scheme::S3),
    ("s3a", Scheme::S3),
    ("gs", Scheme::Google),
    ("az", Scheme::Azure),
    ("azure", Scheme::Azure),
    ("abfs", Scheme::Azure),
    ("abfss", Scheme::Azure),
    ("http", Scheme::Http),
    ("https", Scheme::Http),
];

/// Why a text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// The scheme is not known.
    #[error(
        "`{scheme}://` is not a scheme that can be read, expected a path, `file://`, `s3://`, `gs://`, `az://`, \
         `abfss://`, `http://` or `https://`"
    )]
    Scheme {
        /// What was found.
        scheme: String,
    },
    /// There is a name or a password in the URL. It is not repeated: messages end in logs.
    #[error(
        "the URL names a user or a password; take it out, credentials come from the environment \
         (`AWS_ACCESS_KEY_ID` and the like)"
    )]
    Credentials,
    /// There is a query after the path. It is not repeated: signatures are secrets.
    #[error(
        "the URL has a query (`?`); a signed or parameterised URL cannot be read, download the file and give its path"
    )]
    Query,
    /// There is no bucket, container or host.
    #[error("`{url}` names no {expected}")]
    Authority {
        /// What was written.
        url: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The rest of the URL is no key.
    #[error("`{url}` is not a legal URL: {reason}")]
    Key {
        /// What was written.
        url: String,
        /// What is wrong.
        reason: String,
    },
}

impl From<LocationError> for std::io::Error {
    fn from(error: LocationError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}

impl Location {
    /// Returns the place that a path names; a path may be the text of a URL.
    ///
    /// # Errors
    ///
    /// Returns an error for a URL that names no place.
    pub fn of(path: &Path) -> Result<Self, LocationError> {
        match path.to_str() {
            Some(text) if is_url(text) => text.parse(),
            _ => Ok(Self { place: Place::Local(path.to_owned()) }),
        }
    }

    /// Returns the path on this machine; `None` for an object.
    #[must_use]
    pub fn local(&self) -> Option<&Path> {
        match &self.place {
            Place::Local(path) => Some(path),
            Place::Object(_) => None,
        }
    }

    pub(super) fn object(&self) -> Option<&ObjectUrl> {
        match &self.place {
            Place::Local(_) => None,
            Place::Object(url) => Some(url),
        }
    }

    /// Returns the place of `name` below this one.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> Self {
        match &self.place {
            Place::Local(path) => Self { place: Place::Local(path.join(name)) },
            Place::Object(url) => {
                let name = name.as_ref().to_string_lossy();
                let key = if url.key.is_empty() { name.into_owned() } else { format!("{}/{name}", url.key) };
                Self { place: Place::Object(ObjectUrl { key, ..url.clone() }) }
            }
        }
    }

    /// Returns the place as a path; a URL becomes the path of its text, which [`Location::of`] reads.
    #[must_use]
    pub fn to_path(&self) -> PathBuf {
        match &self.place {
            Place::Local(path) => path.clone(),
            Place::Object(url) => PathBuf::from(url.to_string()),
        }
    }
}

impl ObjectUrl {
    /// Returns scheme and authority: what one client serves.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.written_scheme, self.authority)
    }

    /// Returns the key as the store knows it.
    pub(super) fn store_key(&self) -> Result<Key, LocationError> {
        let parsed = match self.scheme {
            Scheme::Http => Key::from_url_path(&self.key),
            _ => Key::parse(&self.key),
        };
        parsed.map_err(|error| LocationError::Key { url: self.to_string(), reason: error.to_string() })
    }

    /// Returns the URL of another key of the same store.
    pub(super) fn with_key(&self, key: &Key) -> Self {
        Self { key: key.to_string(), ..self.clone() }
    }

    /// Returns the URL of a prefix of the same store.
    pub(super) fn with_prefix(&self, prefix: &str) -> Self {
        Self { key: prefix.to_owned(), ..self.clone() }
    }

    pub(super) fn into_location(self) -> Location {
        Location { place: Place::Object(self) }
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.written_scheme, self.authority)?;
        if self.key.is_empty() { Ok(()) } else { write!(formatter, "/{}", self.key) }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Local(path) => write!(formatter, "{}", path.display()),
            Place::Object(url) => write!(formatter, "{url}"),
        }
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once("://").filter(|_| is_url(text)) else {
            return Ok(Self { place: Place::Local(PathBuf::from(text)) });
        };
        let lower = scheme.to_ascii_lowercase();
        if lower == "file" {
            return file_url(text, rest);
        }
        let known = SCHEMES.iter().find(|(known, _)| *known == lower);
        let (_, scheme) = known.ok_or_else(|| LocationError::Scheme { scheme: scheme.to_owned() })?;
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        let is_container_of_account =
            *scheme == Scheme::Azure && authority.matches('@').count() == 1 && !authority.contains(':');
        if authority.contains('@') && !is_container_of_account {
            return Err(LocationError::Credentials);
        }
        if rest.contains('?') {
            return Err(LocationError::Query);
        }
        if authority.is_empty() {
            let expected = match scheme {
                Scheme::S3 | Scheme::Google => "bucket",
                Scheme::Azure => "container",
                Scheme::Http => "host",
            };
            return Err(LocationError::Authority { url: text.to_owned(), expected });
        }
        if *scheme == Scheme::Http {
            let legal = url::Url::parse(text).map(|_| ());
            legal.map_err(|error| LocationError::Key { url: text.to_owned(), reason: error.to_string() })?;
        }
        let key = key.trim_matches('/').to_owned();
        let url = ObjectUrl { scheme: *scheme, written_scheme: lower, authority: authority.to_owned(), key };
        url.store_key()?;
        Ok(Self { place: Place::Object(url) })
    }
}

/// Returns the path of a `file://` URL, which names no host but this one.
fn file_url(text: &str, rest: &str) -> Result<Location, LocationError> {
    let illegal = |reason: &str| LocationError::Key { url: text.to_owned(), reason: reason.to_owned() };
    let url = url::Url::parse(text).map_err(|error| illegal(&error.to_string()))?;
    if !rest.starts_with('/') && !rest.starts_with("localhost/") {
        return Err(illegal("a file of this machine is written `file:///folder/file`"));
    }
    let path = url.to_file_path().map_err(|()| illegal("it is no path of this machine"))?;
    Ok(Location { place: Place::Local(path) })
}

/// Returns whether a text is meant as a URL.
#[must_use]
pub fn is_url(text: &str) -> bool {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
    text.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.chars().all(legal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_what_is_printed() {
        for text in [
            "a/b.parquet",
            "/a/b",
            "./x",
            "a:b",
            "s3://bucket",
            "s3://bucket/a b/c%20d.csv",
            "gs://bucket/x/*.parquet",
            "az://box/x",
            "abfss://box@account.dfs.core.windows.net/x",
            "https://host:8080/a/b%20c.trec",
            "http://host",
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!(location.to_string(), text);
            assert_eq!(Location::of(&location.to_path()).unwrap(), location);
            assert_eq!(location.local().is_none(), is_url(text), "{text}");
        }
        let location: Location = "file:///tmp/a%20b".parse().unwrap();
        assert_eq!(location.local(), Some(Path::new("/tmp/a b")));
    }

    #[test]
    fn secrets_are_refused_and_not_repeated() {
        for text in [
            "https://user:SECRET@host/x",
            "s3://key:SECRET@bucket/x",
            "https://host/x?X-Amz-Signature=SECRET",
            "az://box:SECRET@account/x",
            "s3://SECRET@bucket/x",
            "s3://bucket/x?SECRET",
        ] {
            let error = text.parse::<Location>().unwrap_err().to_string();
            assert!(!error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for (text, fragment) in [
            ("ftp://host/x", "`ftp://` is not a scheme"),
            ("s3:///x", "names no bucket"),
            ("https://", "names no host"),
            ("file://host/x", "file:///folder/file"),
            ("s3://bucket/a//b", "not a legal URL"),
            ("s3://bucket/../b", "not a legal URL"),
            ("s3://bucket/a\nb", "not a legal URL"),
            ("http://[::1/x", "not a legal URL"),
        ] {
            let error = text.parse::<Location>().unwrap_err().to_string();
            assert!(error.contains(fragment), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_is_joined_below() {
        let join = |base: &str| base.parse::<Location>().unwrap().join("parts/x").to_string();
        assert_eq!(join("s3://bucket"), "s3://bucket/parts/x");
        assert_eq!(join("s3://bucket/runs/"), "s3://bucket/runs/parts/x");
        assert_eq!(join("runs"), "runs/parts/x");
    }
}
