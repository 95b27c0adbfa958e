//! Tokens in the database.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{OptionalExtension, Row, params};
use serde::{Serialize, Serializer};
use sha2::Sha256;

use super::key_file;
use super::recent::Recent;
use super::text::{Checksum, TokenText, parse};
use super::{Principal, Role};
use crate::database::{Database, QueryError};
use crate::platform::error::ApiError;
use crate::platform::identifier::new_id;
use crate::platform::page::{now_ms, rfc3339};

/// How long a token is taken as valid without a look into the database. Another process may revoke it, and that is to hold
/// within a second.
const TRUSTED_FOR: Duration = Duration::from_millis(400);

/// Characters of a token's name.
const LONGEST_NAME: usize = 200;

/// Tokens of an organisation that are valid at once.
const MOST_TOKENS: u32 = 10_000;

/// The tokens of all organisations.
#[derive(Clone)]
pub struct Tokens {
    database: Database,
    key: Arc<[u8; 32]>,
    /// Who was found by the hash of a token, and until when it is valid.
    found: Arc<Recent<[u8; 32], Holder>>,
    /// Whether a token held, by its identifier.
    held: Arc<Recent<String, bool>>,
    /// Hashes of the tokens whose checksum anybody can make: no others of that form are worth a look.
    plain: Arc<HashSet<[u8; 32]>>,
}

/// Who holds a token, and until when: milliseconds since 1970.
type Holder = (Principal, Option<i64>);

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
    /// Milliseconds since 1970; written as the API writes times.
    #[serde(serialize_with = "as_text")]
    pub created_at: i64,
    /// From when on it is void.
    #[serde(serialize_with = "as_text_or_null")]
    pub expires_at: Option<i64>,
    /// Since when it is void.
    #[serde(serialize_with = "as_text_or_null")]
    pub revoked_at: Option<i64>,
}

fn as_text<S: Serializer>(time: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}

fn as_text_or_null<S: Serializer>(time: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(rfc3339).serialize(serializer)
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
    /// Returns an error when the file cannot be read or made, or has another length than a key; and when it is not there
    /// although there are tokens, which a new key would void for good.
    pub fn open(database: Database, key: &Path) -> io::Result<Self> {
        let found = Arc::new(Recent::new(TRUSTED_FOR));
        let key = key_file::open(key, &database, "tokens")?;
        let plain = database.read_now(|connection| {
            let mut statement =
                connection.prepare("SELECT hash FROM tokens WHERE checksum = 'plain' AND revoked_at IS NULL")?;
            statement.query_map([], |row| row.get(0))?.collect()
        });
        let plain = Arc::new(plain.map_err(io::Error::other)?);
        Ok(Self { database, key: Arc::new(key), found, held: Arc::new(Recent::new(TRUSTED_FOR)), plain })
    }

    /// Makes a token; the organisation is made where it is new.
    ///
    /// # Errors
    ///
    /// Returns an error when the organisation's name is no name, the token's name is too long, the organisation has too many
    /// tokens, or the database fails.
    pub async fn create(
        &self,
        organisation: &str,
        name: &str,
        role: Role,
        expires_at: Option<i64>,
    ) -> Result<IssuedToken, ApiError> {
        check_organisation(organisation)?;
        check_name(name)?;
        let text = TokenText::generate(role, &self.key).map_err(ApiError::internal)?;
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
                let valid: u32 = connection
                    .prepare_cached(
                        "SELECT count(*) FROM tokens WHERE organisation = ?1 AND revoked_at IS NULL \
                         AND (expires_at IS NULL OR expires_at > ?2)",
                    )?
                    .query_row(params![row.organisation, row.created_at], |row| row.get(0))?;
                if valid >= MOST_TOKENS {
                    let message = format!("{valid} tokens of this organisation are valid, as many as may; revoke some");
                    return Err(ApiError::bad_request(message).into());
                }
                connection
                    .prepare_cached("INSERT OR IGNORE INTO organisations (id, created_at) VALUES (?1, ?2)")?
                    .execute(params![row.organisation, row.created_at])?;
                connection
                    .prepare_cached(
                        "INSERT INTO tokens (id, organisation, name, role, hash, created_at, expires_at, checksum) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'keyed')",
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

    /// Returns the tokens of an organisation after that one, oldest first, at most so many.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn page(&self, organisation: &str, after: &str, limit: u32) -> Result<Vec<TokenRecord>, ApiError> {
        let (organisation, after) = (organisation.to_owned(), after.to_owned());
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, organisation, name, role, created_at, expires_at, revoked_at FROM tokens \
                     WHERE organisation = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                )?;
                let rows = statement.query_map(params![organisation, after, limit], record)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Returns when an organisation got its first token, milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn organisation_since(&self, organisation: &str) -> Result<i64, ApiError> {
        let organisation = organisation.to_owned();
        self.database
            .read(move |connection| {
                let sql = "SELECT created_at FROM organisations WHERE id = ?1";
                Ok(connection.prepare_cached(sql)?.query_row([organisation], |row| row.get(0))?)
            })
            .await
    }

    /// Returns whether there is any token that is valid now.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn any(&self) -> Result<bool, ApiError> {
        self.database
            .read(move |connection| {
                let sql = "SELECT 1 FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)";
                Ok(connection.prepare_cached(sql)?.exists([now_ms()])?)
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
            .await?;
        self.found.clear();
        self.held.clear();
        Ok(())
    }

    /// Returns who holds that token, where it is valid now; of one that is revoked by another process, up to half a second
    /// later. A text that no server made under this key costs two hashes, any other at most one look into the database.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn look_up(&self, text: &str) -> Result<Option<Principal>, ApiError> {
        let Some((text, checksum)) = parse(text, &self.key) else { return Ok(None) };
        let (hash, begun) = (self.hash(&text), Instant::now());
        if checksum == Checksum::Plain && !self.plain.contains(&hash) {
            return Ok(None);
        }
        if let Some((principal, expires_at)) = self.found.get(&hash) {
            return Ok(expires_at.is_none_or(|end| end > now_ms()).then_some(principal));
        }
        let found = self
            .database
            .read(move |connection| {
                let sql = "SELECT id, organisation, role, expires_at FROM tokens \
                           WHERE hash = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)";
                let found = connection
                    .prepare_cached(sql)?
                    .query_row(params![hash, now_ms()], |row| {
                        let role: String = row.get(2)?;
                        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, role, row.get(3)?))
                    })
                    .optional()?;
                Ok::<_, QueryError>(found)
            })
            .await?;
        let known = found.and_then(|(token, organisation, role, expires_at)| {
            Some((Principal { organisation, token, role: role.parse().ok()? }, expires_at))
        });
        if let Some(known) = &known {
            self.found.put(hash, begun, known.clone());
        }
        Ok(known.map(|(principal, _)| principal))
    }

    /// Returns whether a token that was valid is so still; of one that was revoked by another process, up to half a second
    /// later.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub async fn holds(&self, principal: &Principal) -> Result<bool, ApiError> {
        if let Some(held) = self.held.get(&principal.token) {
            return Ok(held);
        }
        let (id, begun) = (principal.token.clone(), Instant::now());
        let holds = self
            .database
            .read(move |connection| {
                let sql = "SELECT 1 FROM tokens \
                           WHERE id = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)";
                Ok(connection.prepare_cached(sql)?.exists(params![id, now_ms()])?)
            })
            .await?;
        self.held.put(principal.token.clone(), begun, holds);
        Ok(holds)
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

fn check_name(name: &str) -> Result<(), ApiError> {
    let length = name.chars().count();
    if length <= LONGEST_NAME && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("expected a name of at most {LONGEST_NAME} characters without control characters");
    Err(ApiError::invalid(&["body", "name"], "length", message))
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_token_of_the_first_servers_holds_and_none_of_that_form_is_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("a.db")).unwrap();
        let key = folder.path().join("token.key");
        let tokens = Tokens::open(database.clone(), &key).unwrap();
        let issued = tokens.create("acme", "", Role::Ci, None).await.unwrap();
        let (old, unknown) = (TokenText::generate_plain(Role::Ci), TokenText::generate_plain(Role::Ci));
        // As a server of before the keyed checksum left it.
        let (hash, id) = (tokens.hash(&old), issued.record.id.clone());
        let sql = "UPDATE tokens SET hash = ?1, checksum = 'plain' WHERE id = ?2";
        database.write(move |connection| Ok(connection.execute(sql, params![hash, id])?)).await.unwrap();
        let tokens = Tokens::open(database.clone(), &key).unwrap();
        assert_eq!(tokens.look_up(old.reveal()).await.unwrap().unwrap().organisation, "acme");
        // Nothing is asked of a database that is gone.
        let drop_table =
            |connection: &rusqlite::Connection| Ok(connection.execute("ALTER TABLE tokens RENAME TO gone", [])?);
        database.write(drop_table).await.unwrap();
        assert!(tokens.look_up(unknown.reveal()).await.unwrap().is_none());
        let stranger = TokenText::generate(Role::Ci, &[9; 32]).unwrap();
        assert!(tokens.look_up(stranger.reveal()).await.unwrap().is_none());
        let known = TokenText::generate(Role::Ci, &tokens.key).unwrap();
        assert!(tokens.look_up(known.reveal()).await.is_err(), "one that this key made is looked for");
    }

    #[tokio::test]
    async fn a_key_that_is_lost_is_not_replaced_while_there_are_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("a.db")).unwrap();
        let key = folder.path().join("token.key");
        Tokens::open(database.clone(), &key).unwrap();
        fs::remove_file(&key).unwrap();
        let tokens = Tokens::open(database.clone(), &key).unwrap();
        let issued = tokens.create("acme", "", Role::Ci, None).await.unwrap();
        let elsewhere = folder.path().join("backup.key");
        fs::rename(&key, &elsewhere).unwrap();
        let refused = Tokens::open(database.clone(), &key).err().unwrap().to_string();
        assert!(refused.contains("token.key") && refused.contains("backup") && !key.exists(), "{refused}");
        fs::rename(&elsewhere, &key).unwrap();
        let tokens = Tokens::open(database, &key).unwrap();
        assert!(tokens.look_up(issued.text.reveal()).await.unwrap().is_some());
    }
}
