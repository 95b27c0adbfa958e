//! Tokens in the database.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use sha2::Sha256;

use super::{Principal, Role, TokenText, parse_token};
use crate::database::{Database, QueryError};
use crate::platform::error::ApiError;
use crate::platform::identifier::new_id;
use crate::platform::page::now_ms;

/// The tokens of all organisations.
#[derive(Clone)]
pub struct Tokens {
    database: Database,
    key: Arc<[u8; 32]>,
}

/// A token as it may be shown: everything but its secret.
#[derive(Debug, Clone, Serialize)]
pub struct TokenRecord {
    /// Its identifier.
    pub id: String,
    /// Its organisation.
    pub organisation: String,
    /// What it was called when it was made.
    pub name: String,
    /// What it allows.
    pub role: &'static str,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// From when on it is void.
    pub expires_at: Option<i64>,
    /// Since when it is void.
    pub revoked_at: Option<i64>,
}

/// A token that was made just now; its text can be had never again.
#[derive(Debug)]
pub struct IssuedToken {
    /// What is kept of it.
    pub record: TokenRecord,
    /// The token.
    pub text: TokenText,
}

impl Tokens {
    /// Opens them; the key of the hashes lies in that file, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// Returns an error when the file cannot be read or made, or has another length than a key.
    pub fn open(database: Database, key: &Path) -> io::Result<Self> {
        Ok(Self { database, key: Arc::new(read_or_make_key(key)?) })
    }

    /// Makes a token; the organisation is made where it is new.
    ///
    /// # Errors
    ///
    /// Returns an error when the organisation's name is no name, or the database fails.
    pub async fn create(
        &self,
        organisation: &str,
        name: &str,
        role: Role,
        expires_at: Option<i64>,
    ) -> Result<IssuedToken, ApiError> {
        check_organisation(organisation)?;
        let text = TokenText::generate(role).map_err(ApiError::internal)?;
        let record = TokenRecord {
            id: new_id("tok"),
            organisation: organisation.to_owned(),
            name: name.to_owned(),
            role: role.name(),
            created_at: now_ms(),
            expires_at,
            revoked_at: None,
        };
        let (row, hash) = (record.clone(), self.hash(&text));
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("INSERT OR IGNORE INTO organisations (id, created_at) VALUES (?1, ?2)")?
                    .execute(params![row.organisation, row.created_at])?;
                connection
                    .prepare_cached(
                        "INSERT INTO tokens (id, organisation, name, role, hash, created_at, expires_at) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    )?
                    .execute(params![
                        row.id,
                        row.organisation,
                        row.name,
                        row.role,
                        hash,
                        row.created_at,
                        row.expires_at
                    ])?;
                Ok(())
            })
            .await?;
        Ok(IssuedToken { record, text })
    }

    /// Returns the tokens of an organisation, or of all, oldest first.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn list(&self, organisation: Option<&str>) -> Result<Vec<TokenRecord>, ApiError> {
        let organisation = organisation.map(ToOwned::to_owned);
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, organisation, name, role, created_at, expires_at, revoked_at FROM tokens \
                     WHERE ?1 IS NULL OR organisation = ?1 ORDER BY id",
                )?;
                let rows = statement.query_map([organisation], record)?.collect::<Result<_, _>>()?;
                Ok(rows)
            })
            .await
    }

    /// Revokes a token of that organisation, or of any where `None`. Whoever holds it is refused from now on.
    ///
    /// # Errors
    ///
    /// Returns 404 when there is no such token.
    pub async fn revoke(&self, organisation: Option<&str>, id: &str) -> Result<(), ApiError> {
        let (organisation, id) = (organisation.map(ToOwned::to_owned), id.to_owned());
        self.database
            .write(move |connection| {
                let changed = connection
                    .prepare_cached(
                        "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?3) \
                         WHERE id = ?1 AND (?2 IS NULL OR organisation = ?2)",
                    )?
                    .execute(params![id, organisation, now_ms()])?;
                if changed == 0 { Err(ApiError::not_found("token", &id).into()) } else { Ok(()) }
            })
            .await
    }

    /// Returns who holds that token, where it is valid now.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn look_up(&self, text: &str) -> Result<Option<Principal>, ApiError> {
        let Some(text) = parse_token(text) else { return Ok(None) };
        let hash = self.hash(&text);
        self.database
            .read(move |connection| {
                let found = connection
                    .prepare_cached(
                        "SELECT id, organisation, role FROM tokens \
                         WHERE hash = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)",
                    )?
                    .query_row(params![hash, now_ms()], |row| {
                        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
                    })
                    .optional()?;
                let principal = found.and_then(|(token, organisation, role)| {
                    Some(Principal { organisation, token, role: role.parse().ok()? })
                });
                Ok::<_, QueryError>(principal)
            })
            .await
    }

    /// Returns whether a token that was valid is so still.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn holds(&self, principal: &Principal) -> Result<bool, ApiError> {
        let id = principal.token.clone();
        self.database
            .read(move |connection| {
                let sql = "SELECT 1 FROM tokens WHERE id = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)";
                Ok(connection.prepare_cached(sql)?.exists(params![id, now_ms()])?)
            })
            .await
    }

    /// The keyed hash by which a token is found. Its look-up needs no constant time: who does not know the key cannot
    /// choose hashes.
    fn hash(&self, text: &TokenText) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.key.as_slice()).unwrap_or_else(|_| unreachable!("any length is a key"));
        mac.update(text.reveal().as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    let role: String = row.get(3)?;
    Ok(TokenRecord {
        id: row.get(0)?,
        organisation: row.get(1)?,
        name: row.get(2)?,
        role: role.parse::<Role>().map_or("unknown", Role::name),
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
        revoked_at: row.get(6)?,
    })
}

/// An organisation's name is a folder's name too.
fn check_organisation(name: &str) -> Result<(), ApiError> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if first && rest && name.len() <= 64 {
        return Ok(());
    }
    let message = format!("`{name}` is no organisation's name; expected 1 to 64 letters, digits, `-` and `_`");
    Err(ApiError::invalid(&["organisation"], "pattern", message))
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; 32]> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, format!("`{}` is not a key of 32 bytes", path.display()));
    match fs::read(path) {
        Ok(found) => found.try_into().map_err(|_| wrong()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(io::Error::other)?;
            let folder = path.parent().unwrap_or(Path::new("."));
            // Only its owner may read it; complete or absent; who comes second takes what the first made.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            io::Write::write_all(&mut file, &key)?;
            file.as_file().sync_all()?;
            match file.persist_noclobber(path) {
                Ok(_) => Ok(key),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    fs::read(path)?.try_into().map_err(|_| wrong())
                }
                Err(error) => Err(error.error),
            }
        }
        Err(error) => Err(error),
    }
}
