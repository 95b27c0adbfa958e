//! What the system ran out of, and what can be done about it.

use std::error::Error;
use std::io;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Returns what a user can do about an error of the system; `None` where the error says it all.
pub(crate) fn advice(error: &io::Error) -> Option<String> {
    Some(match Errno::from_io_error(error)? {
        Errno::NOSPC => "free some space on its file system".to_owned(),
        Errno::DQUOT => "the user's quota is used up; free some space or have it raised".to_owned(),
        Errno::FBIG => "a file may not be that big here; raise `ulimit -f`, or use another file system".to_owned(),
        Errno::ROFS => "its file system is read-only; choose another `--out`".to_owned(),
        Errno::ACCESS | Errno::PERM => {
            "this user may not; change the permissions, or choose another `--out`".to_owned()
        }
        Errno::IO => "the device failed; see the system's log".to_owned(),
        Errno::NFILE => "the system has no file handle left; close other programs".to_owned(),
        Errno::MFILE => {
            let limit = getrlimit(Resource::Nofile).current;
            let limit = limit.map_or_else(|| "no more".to_owned(), |limit| limit.to_string());
            format!("this process may have {limit} files open; raise `ulimit -n`")
        }
        _ => return None,
    })
}

/// Returns the bytes that this user may still write where `folder` lies; `None` where the system does not say.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    room.f_bavail.checked_mul(room.f_frsize)
}

/// Returns the error of the system that is behind another one.
pub(crate) fn io_error_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // An I/O error may be the wrapping of another library around one of the system.
            return match io.get_ref() {
                Some(inner) if io.raw_os_error().is_none() => io_error_of(inner).or(Some(io)),
                _ => Some(io),
            };
        }
        cause = error.source();
    }
    None
}
