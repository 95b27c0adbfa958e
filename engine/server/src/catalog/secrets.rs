//! Secrets: what retrievers need to get in elsewhere. They come in and go to workers, and never come out.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use rusqlite::{OptionalExtension, params};

use super::Kept;
use crate::App;
use crate::database::Database;
use crate::organisations::key_file;
use crate::platform::error::ApiError;
use crate::platform::page::now_ms;

/// Bytes of a secret: a token, a password, a URL with one.
const MOST_BYTES: usize = 16 << 10;

/// Secrets of an organisation: all of them are handed to each of its workers that asks retrievers.
const MOST_SECRETS: usize = 100;

/// A secret as it may be shown: everything but itself.
#[derive(Debug, Clone)]
pub struct SecretRecord {
    /// Its name, by which a benchmark refers to it.
    pub name: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it was last given, milliseconds since 1970.
    pub updated_at: i64,
}

/// The key under which secrets lie in the database.
#[derive(Clone)]
pub struct Vault(Arc<RandomizedNonceKey>);

impl Vault {
    /// Opens it; the key lies in that file, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// Returns an error when the file cannot be read or made, or is gone although there are secrets.
    pub fn open(database: &Database, key: &Path) -> io::Result<Self> {
        let key = key_file::open(key, database, "secrets")?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(io::Error::other)?;
        Ok(Self(Arc::new(key)))
    }

    /// Encrypts a secret. It opens again under the same name of the same organisation only.
    fn seal(&self, place: &str, secret: &str) -> Result<Vec<u8>, ApiError> {
        let mut sealed = secret.as_bytes().to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(place), &mut sealed).map_err(ApiError::internal)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    fn open_one(&self, place: &str, sealed: &[u8]) -> Result<String, ApiError> {
        let broken = || ApiError::internal("a secret in the database cannot be decrypted: it, or its key, was changed");
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
        let mut rest = rest.to_vec();
        let opened = self.0.open_in_place(Nonce::from(nonce), Aad::from(place), &mut rest).map_err(|_| broken())?;
        String::from_utf8(opened.to_vec()).map_err(|_| broken())
    }
}

fn place(organisation: &str, name: &str) -> String {
    format!("{organisation}/{name}")
}

/// Checks that a name could be that of an environment variable, which is how benchmarks refer to secrets.
fn check_name(name: &str) -> Result<(), ApiError> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if first && rest && name.len() <= 128 {
        return Ok(());
    }
    // What stands here by mistake may be the secret itself.
    let message = "expected the name of an environment variable: 1 to 128 letters, digits and `_`, no digit in front";
    Err(ApiError::invalid(&["secret"], "pattern", message))
}

/// Keeps a secret, new or changed. Runs that go on are handed the one that there was when their process began.
///
/// # Errors
///
/// Returns 422 for what is no name, an empty secret, one that is too long, and one too many.
pub async fn put(app: &App, organisation: &str, name: &str, secret: &str) -> Result<(SecretRecord, Kept), ApiError> {
    check_name(name)?;
    let wrong = |kind, message: String| ApiError::invalid(&["body", "value"], kind, message);
    if secret.trim().is_empty() {
        return Err(wrong("length", "expected a secret, and found nothing but spaces".to_owned()));
    }
    if secret.len() > MOST_BYTES || secret.contains('\0') {
        return Err(wrong("length", format!("expected at most {MOST_BYTES} bytes without a zero among them")));
    }
    let sealed = app.vault().seal(&place(organisation, name), secret)?;
    let (owner, name) = (organisation.to_owned(), name.to_owned());
    app.database()
        .write(move |connection| {
            let sql = "SELECT created_at FROM secrets WHERE organisation = ?1 AND name = ?2";
            let known = connection.prepare_cached(sql)?.query_row(params![owner, name], |row| row.get(0)).optional()?;
            let sql = "SELECT count(*) FROM secrets WHERE organisation = ?1";
            let count: usize = connection.prepare_cached(sql)?.query_row([&owner], |row| row.get(0))?;
            if known.is_none() && count >= MOST_SECRETS {
                let message = format!("there are {count} secrets, as many as may be; remove one");
                return Err(ApiError::invalid(&["secret"], "too_many", message).into());
            }
            let now = now_ms();
            let sql = "INSERT INTO secrets (organisation, name, sealed, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4) \
                       ON CONFLICT (organisation, name) DO UPDATE SET sealed = excluded.sealed, \
                       updated_at = excluded.updated_at";
            connection.prepare_cached(sql)?.execute(params![owner, name, sealed, now])?;
            let kept = if known.is_some() { Kept::Unchanged } else { Kept::Created };
            Ok((SecretRecord { name, created_at: known.unwrap_or(now), updated_at: now }, kept))
        })
        .await
}

/// Returns secrets by name, after that one, without themselves.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn list(
    app: &App,
    organisation: &str,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<SecretRecord>, ApiError> {
    let owner = organisation.to_owned();
    app.database()
        .read(move |connection| {
            let sql = "SELECT name, created_at, updated_at FROM secrets \
                       WHERE organisation = ?1 AND (?2 IS NULL OR name > ?2) ORDER BY name LIMIT ?3";
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![owner, after, limit], |row| {
                Ok(SecretRecord { name: row.get(0)?, created_at: row.get(1)?, updated_at: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
}

/// Removes a secret.
///
/// # Errors
///
/// Returns 404 when there is no such secret.
pub async fn remove(app: &App, organisation: &str, name: &str) -> Result<(), ApiError> {
    let (owner, asked) = (organisation.to_owned(), name.to_owned());
    app.database()
        .write(move |connection| {
            let sql = "DELETE FROM secrets WHERE organisation = ?1 AND name = ?2";
            match connection.prepare_cached(sql)?.execute(params![owner, asked])? {
                0 => Err(ApiError::not_found("secret", &asked).into()),
                _ => Ok(()),
            }
        })
        .await
}

/// Returns all secrets of an organisation, for one of its workers.
///
/// # Errors
///
/// Returns an error when one cannot be decrypted, or the database fails.
pub(crate) async fn all(app: &App, organisation: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let owner = organisation.to_owned();
    let sealed: Vec<(String, Vec<u8>)> = app
        .database()
        .read(move |connection| {
            let sql = "SELECT name, sealed FROM secrets WHERE organisation = ?1 ORDER BY name";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await?;
    let open = |(name, sealed): (String, Vec<u8>)| {
        let secret = app.vault().open_one(&place(organisation, &name), &sealed)?;
        Ok((name, secret))
    };
    sealed.into_iter().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn app() -> (App, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let app = App::open(Settings::new(folder.path().join("data"), "rematch".into())).unwrap();
        (app, folder)
    }

    #[tokio::test]
    async fn a_secret_comes_back_for_workers_and_its_row_does_not_tell_it() {
        let (app, _folder) = app();
        assert_eq!(put(&app, "acme", "TOKEN", "open sesame").await.unwrap().1, Kept::Created);
        assert_eq!(put(&app, "acme", "TOKEN", "open sesame").await.unwrap().1, Kept::Unchanged);
        assert_eq!(all(&app, "acme").await.unwrap(), BTreeMap::from([("TOKEN".to_owned(), "open sesame".to_owned())]));
        assert!(all(&app, "other").await.unwrap().is_empty());
        let row = |connection: &rusqlite::Connection| {
            Ok(connection.query_row("SELECT sealed FROM secrets", [], |row| row.get::<_, Vec<u8>>(0))?)
        };
        let sealed = app.database().read(row).await.unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"sesame"));
        // The same bytes in another's row, under another name, or changed, open nothing.
        let vault = app.vault();
        assert!(vault.open_one("acme/TOKEN", &sealed).is_ok());
        assert!(vault.open_one("other/TOKEN", &sealed).is_err() && vault.open_one("acme/OTHER", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(vault.open_one("acme/TOKEN", &changed).is_err());
        }
        assert!(vault.open_one("acme/TOKEN", &sealed[..5]).is_err());
        remove(&app, "acme", "TOKEN").await.unwrap();
        assert!(remove(&app, "acme", "TOKEN").await.is_err() && all(&app, "acme").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_no_name_or_no_secret_is_refused_and_not_repeated() {
        let (app, _folder) = app();
        for name in ["", "1A", "A B", "A-B", "hunter2!", &"x".repeat(129)] {
            let refused = put(&app, "acme", name, "s").await.unwrap_err();
            assert_eq!(refused.code, "validation_error");
            assert!(name.is_empty() || !refused.message.contains(name));
        }
        for secret in ["", " ", &"x".repeat(MOST_BYTES + 1), "a\0b"] {
            assert!(put(&app, "acme", "A", secret).await.is_err());
        }
        for number in 0..MOST_SECRETS {
            put(&app, "acme", &format!("S{number}"), "s").await.unwrap();
        }
        assert!(put(&app, "acme", "ONE_MORE", "s").await.is_err());
        put(&app, "acme", "S0", "another").await.unwrap();
    }
}
