//! A key that lies in a file of its own beside the database, so that neither alone tells a secret.

use std::fs;
use std::io;
use std::path::Path;

use crate::database::Database;

/// Opens the key in a file, which is made where it is not there. `table` is what is lost without it.
///
/// # Errors
///
/// Returns an error when the file cannot be read or made, or has another length than a key; and when it is not there although
/// the table has rows, which a new key would void for good.
pub(crate) fn open(path: &Path, database: &Database, table: &'static str) -> io::Result<[u8; 32]> {
    match read(path)? {
        Some(key) => Ok(key),
        None => make(path, database, table),
    }
}

/// Returns the key in a file; `None` where there is no file.
fn read(path: &Path) -> io::Result<Option<[u8; 32]>> {
    let wrong =
        |_| io::Error::new(io::ErrorKind::InvalidData, format!("`{}` is not a key of 32 bytes", path.display()));
    match fs::read(path) {
        Ok(found) => found.try_into().map(Some).map_err(wrong),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a key where there is none, for the first row.
fn make(path: &Path, database: &Database, table: &'static str) -> io::Result<[u8; 32]> {
    let lost = || lost(path, table);
    let has_rows = database.read_now(|connection| connection.prepare(&format!("SELECT 1 FROM {table}"))?.exists([]));
    if has_rows.map_err(io::Error::other)? {
        // Who came first may have made the key, and a row by it, just now.
        return read(path)?.ok_or_else(lost);
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Only its owner may read it; complete or absent; who comes second takes what the first made.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, &key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            // Its name must outlast a power cut as the rows do that are made by it.
            fs::File::open(folder)?.sync_all()?;
            Ok(key)
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => read(path)?.ok_or_else(lost),
        Err(error) => Err(error.error),
    }
}

fn lost(path: &Path, table: &str) -> io::Error {
    let message = format!(
        "there are {table}, and their key `{}` is gone: bring it back from a backup, or delete the rows of `{table}` in the \
         database and make new ones",
        path.display()
    );
    io::Error::new(io::ErrorKind::NotFound, message)
}
