//! Metadata, in one SQLite file.
//!
//! One thread writes. It takes what has come in meanwhile into one transaction, so that a hundred clients share one wait for
//! the disk, and answers only when the transaction is on it: what was acknowledged survives a kill and a power cut. Readers
//! have connections of their own and wait for nobody.

mod lock;
mod writer;

pub use lock::{Lock, lock, make_folder};

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use tokio::sync::Semaphore;

use crate::platform::error::ApiError;
use writer::Writer;

/// The schema, in the order in which it grew.
const MIGRATIONS: [&str; 5] = [
    include_str!("migrations/01_platform.sql"),
    include_str!("migrations/02_catalog.sql"),
    include_str!("migrations/03_retrievers.sql"),
    include_str!("migrations/04_scenarios.sql"),
    include_str!("migrations/05_limits.sql"),
];

/// The database.
#[derive(Clone)]
pub struct Database {
    readers: Arc<Readers>,
    writer: Arc<Writer>,
}

struct Readers {
    path: std::path::PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// One permit per connection.
    slots: Arc<Semaphore>,
}

/// Connections that read at once; whoever comes then waits for one.
const READERS: usize = 16;

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Another server works with it.
    #[error("another server works with the data in `{path}`; end it, or name another folder by `--data`")]
    Busy {
        /// The folder.
        path: String,
    },
    /// It cannot be told whether another server works with it.
    #[error("cannot use the data directory `{path}`: {source}; `--data` names another")]
    Lock {
        /// The folder.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// SQLite says so.
    #[error("cannot open the database `{path}`: {source}")]
    Open {
        /// The file.
        path: String,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The schema cannot be brought up to date.
    #[error("cannot bring the database `{path}` up to date: {source}")]
    Migrate {
        /// The file.
        path: String,
        /// What went wrong.
        source: rusqlite_migration::Error,
    },
}

impl Database {
    /// Opens the file, makes it where it is not there, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// Returns an error when the file is no database, cannot be written, or is of a newer version.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let failed = |source| DatabaseError::Open { path: path.display().to_string(), source };
        let mut connection = Connection::open(path).map_err(failed)?;
        configure(&connection).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        Migrations::new(MIGRATIONS.iter().map(|sql| M::up(sql)).collect())
            .to_latest(&mut connection)
            .map_err(|source| DatabaseError::Migrate { path: path.display().to_string(), source })?;
        let slots = Arc::new(Semaphore::new(READERS));
        let readers = Readers { path: path.to_owned(), idle: Mutex::default(), slots };
        Ok(Self { readers: Arc::new(readers), writer: Arc::new(Writer::start(connection)) })
    }

    /// Reads, on a thread that may block.
    ///
    /// # Errors
    ///
    /// Returns what `read` returns; errors of SQLite become 500.
    pub async fn read<T, F>(&self, read: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, QueryError> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        let slot = Arc::clone(&readers.slots).acquire_owned().await.map_err(ApiError::internal)?;
        let found = tokio::task::spawn_blocking(move || {
            // Held by the work and not by the caller, who may be gone before it ends.
            let _slot = slot;
            let connection = readers.take()?;
            let found = read(&connection);
            readers.give_back(connection);
            found
        });
        Ok(found.await.map_err(ApiError::internal)??)
    }

    /// Reads on this thread, which waits meanwhile: for what must be known before a server starts.
    ///
    /// # Errors
    ///
    /// Returns an error when SQLite fails.
    pub(crate) fn read_now<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let connection = self.readers.take()?;
        let found = read(&connection);
        self.readers.give_back(connection);
        found
    }

    /// Writes, all or nothing, and returns when it is on the disk.
    ///
    /// # Errors
    ///
    /// Returns what `write` returns, and nothing is written then; errors of SQLite become 500.
    pub async fn write<T, F>(&self, write: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, QueryError> + Send + 'static,
    {
        Ok(self.writer.write(write).await?)
    }
}

impl Readers {
    fn take(&self) -> rusqlite::Result<Connection> {
        if let Some(connection) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        configure(&connection)?;
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Why a query ended without an answer.
#[derive(Debug)]
pub enum QueryError {
    /// SQLite failed.
    Sqlite(rusqlite::Error),
    /// The request is refused, by what the query found.
    Refused(Box<ApiError>),
}

impl From<rusqlite::Error> for QueryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<ApiError> for QueryError {
    fn from(error: ApiError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Sqlite(error) => Self::internal(error),
            QueryError::Refused(error) => *error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn readers_see_what_was_acknowledged_and_the_file_stays_sound() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("a.db")).unwrap();
        for number in 0..50_i64 {
            let write = move |connection: &Connection| {
                let sql = "INSERT INTO organisations (id, created_at) VALUES (?1, 0)";
                Ok(connection.execute(sql, [number.to_string()])?)
            };
            database.write(write).await.unwrap();
            let count = |connection: &Connection| {
                Ok(connection.query_row("SELECT count(*) FROM organisations", [], |row| row.get::<_, i64>(0))?)
            };
            assert_eq!(database.read(count).await.unwrap(), number + 1);
        }
        let check = |connection: &Connection| {
            Ok(connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?)
        };
        assert_eq!(database.read(check).await.unwrap(), "ok");
        assert!(database.readers.idle.lock().unwrap().len() <= READERS);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_readers_than_connections_wait_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("a.db")).unwrap();
        let all = (0..100).map(|_| {
            let database = database.clone();
            let slow = |connection: &Connection| {
                std::thread::sleep(std::time::Duration::from_millis(5));
                Ok(connection.query_row("SELECT 1", [], |row| row.get::<_, i64>(0))?)
            };
            tokio::spawn(async move { database.read(slow).await.unwrap() })
        });
        let read = futures::future::join_all(all).await;
        assert!(read.into_iter().all(|read| read.unwrap() == 1));
        assert!(database.readers.idle.lock().unwrap().len() <= READERS);
    }

    #[tokio::test]
    async fn a_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("a.db")).unwrap();
        let write = |connection: &Connection| Ok(connection.execute("DELETE FROM organisations", [])?);
        assert!(database.read(write).await.is_err());
    }
}
