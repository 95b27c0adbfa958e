//! One server at a time: a second one over the same data would take the first one's running jobs for its own.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::DatabaseError;

/// Held as long as a server works with the data. The system takes it back from a process that dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the data in a folder for this process; the folder is made where it is not there.
///
/// # Errors
///
/// Returns an error when another server works with it, or when that cannot be told.
pub fn lock(folder: &Path) -> Result<Lock, DatabaseError> {
    let path = || folder.display().to_string();
    let failed = |source| DatabaseError::Lock { path: path(), source };
    make_folder(folder).map_err(failed)?;
    let file = File::create(folder.join(".lock")).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock { _file: file }),
        Err(Errno::AGAIN) => Err(DatabaseError::Busy { path: path() }),
        Err(error) => Err(failed(error.into())),
    }
}

/// Makes a folder of data where it is not there, for its owner alone whatever the umask says: keys, tokens' hashes and what
/// tenants brought lie in it. One that is there stays as its owner made it.
///
/// # Errors
///
/// Returns an error when it cannot be made, or something else has its name.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_folder_of_data_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/data");
        let _lock = lock(&data).unwrap();
        assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        make_folder(&data).unwrap();
        assert!(make_folder(&data.join(".lock")).is_err());
    }

    #[test]
    fn the_second_server_is_told_and_the_next_one_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(matches!(lock(folder.path()), Err(DatabaseError::Busy { .. })));
        drop(first);
        lock(folder.path()).unwrap();
    }
}
