//! Every call of the file system that storage and runs make, by name: the one place where a failure can be armed.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::LazyLock;

use super::failpoint::{self, Failure};
#[cfg(test)]
use super::recording::{self, Change};

/// Most bytes that a file of this process may have (`ulimit -f`).
static LARGEST_FILE: LazyLock<u64> =
    LazyLock::new(|| rustix::process::getrlimit(rustix::process::Resource::Fsize).current.unwrap_or(u64::MAX));

/// A call of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// A folder, with those above it, is made.
    CreateFolder,
    /// A file is made, or emptied.
    Create,
    /// A file is opened for reading.
    Open,
    /// A file is locked for this process.
    Lock,
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// The bytes of a file are made durable.
    Sync,
    /// The names in a folder are made durable.
    SyncFolder,
    /// A file gets its name.
    Rename,
    /// A file is removed.
    Remove,
    /// An empty folder is removed.
    RemoveFolder,
    /// A folder is listed.
    List,
    /// Size and kind of a file are asked for.
    Inspect,
}

impl Call {
    /// Every call, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::CreateFolder,
        Self::Create,
        Self::Open,
        Self::Lock,
        Self::Read,
        Self::Write,
        Self::Sync,
        Self::SyncFolder,
        Self::Rename,
        Self::Remove,
        Self::RemoveFolder,
        Self::List,
        Self::Inspect,
    ];

    /// Returns the call's name in a failpoint.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateFolder => "create-folder",
            Self::Create => "create",
            Self::Open => "open",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::SyncFolder => "sync-folder",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::RemoveFolder => "remove-folder",
            Self::List => "list",
            Self::Inspect => "inspect",
        }
    }
}

/// Makes a call, unless a failure is armed for it.
fn call<T>(call: Call, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match failpoint::reached(call) {
        None => act(),
        Some(Failure::Crash) => {
            let _done = act();
            failpoint::crash()
        }
        Some(Failure::Error | Failure::Short) => Err(armed_error()),
    }
}

fn armed_error() -> io::Error {
    rustix::io::Errno::IO.into()
}

pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    call(Call::CreateFolder, || fs::create_dir_all(path))?;
    #[cfg(test)]
    recording::note(path, || Change::CreateFolder(path.to_owned()));
    Ok(())
}

/// Makes a folder and those above it, so that their names outlive a power failure.
pub(crate) fn create_folder_durably(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    create_folder(path)?;
    for made in missing {
        let above = made.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_folder(above)?;
    }
    Ok(())
}

pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = call(Call::Create, || File::create(path))?;
    #[cfg(test)]
    recording::created(path, &file);
    Ok(file)
}

pub(crate) fn open(path: &Path) -> io::Result<File> {
    call(Call::Open, || File::open(path))
}

/// Opens a file to be written past the cache; `None` where the file system, or the system, does not know that.
pub(crate) fn open_direct(path: &Path) -> io::Result<Option<File>> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flag = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        let opened = call(Call::Open, || File::options().write(true).custom_flags(flag).open(path));
        match opened {
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(None),
            opened => opened.map(Some),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        Ok(None)
    }
}

/// Locks a file for this process; `false` where another has it.
pub(crate) fn lock(file: &File) -> io::Result<bool> {
    call(Call::Lock, || match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    })
}

/// Reads from a place; 0 only at the end or for an empty buffer.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let read = |buffer: &mut [u8]| loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    };
    match failpoint::reached(Call::Read) {
        None => read(buffer),
        Some(Failure::Error) => Err(armed_error()),
        Some(Failure::Short) => {
            let half = buffer.len().div_ceil(2);
            read(buffer.get_mut(..half).unwrap_or_default())
        }
        Some(Failure::Crash) => {
            let _done = read(buffer);
            failpoint::crash()
        }
    }
}

/// Lets go of what the system's cache holds of these bytes, where it can be told so. It is advice: nothing hangs on it.
pub(crate) fn forget(file: &File, offset: u64, length: u64) {
    #[cfg(target_os = "linux")]
    if let Some(length) = std::num::NonZeroU64::new(length) {
        let _ = rustix::fs::fadvise(file, offset, Some(length), rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, length);
}

/// Writes bytes, all or some of them, to a file that has `written` bytes.
pub(crate) fn write(file: &File, bytes: &[u8], written: u64) -> io::Result<usize> {
    match failpoint::reached(Call::Write) {
        // The system would kill the process (`SIGXFSZ`), which could then not say why.
        None if written.saturating_add(bytes.len() as u64) > *LARGEST_FILE => Err(rustix::io::Errno::FBIG.into()),
        None => {
            let more = file.write_at(bytes, written)?;
            #[cfg(test)]
            recording::changed(file, |number| Change::Write(number, bytes[..more].to_vec()));
            Ok(more)
        }
        Some(Failure::Error) => Err(armed_error()),
        Some(Failure::Short) => {
            file.write_all_at(bytes.get(..bytes.len() / 2).unwrap_or_default(), written)?;
            Err(armed_error())
        }
        Some(Failure::Crash) => {
            let _done = file.write_at(bytes, written);
            failpoint::crash()
        }
    }
}

pub(crate) fn sync(file: &File) -> io::Result<()> {
    call(Call::Sync, || file.sync_all())?;
    #[cfg(test)]
    recording::changed(file, Change::Sync);
    Ok(())
}

pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    call(Call::SyncFolder, || File::open(path)?.sync_all())?;
    #[cfg(test)]
    recording::note(path, || Change::SyncFolder(path.to_owned()));
    Ok(())
}

pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    call(Call::Rename, || fs::rename(from, to))?;
    #[cfg(test)]
    recording::note(to, || Change::Rename(from.to_owned(), to.to_owned()));
    Ok(())
}

/// Gives a file a name that nothing has yet; returns `false`, and leaves everything as it is, where something has it.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<bool> {
    let renamed = call(Call::Rename, || link_and_remove(from, to))?;
    #[cfg(test)]
    if renamed {
        recording::note(to, || Change::Rename(from.to_owned(), to.to_owned()));
    }
    Ok(renamed)
}

/// A link is made by all or nobody, on network file systems too, which know no renaming under a condition.
fn link_and_remove(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => {
            // Best effort: a leftover is removed when the run goes on.
            let _ = fs::remove_file(from);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // A file system without links: who looks first wins, but for a moment.
        Err(_) if fs::exists(to)? => Ok(false),
        Err(_) => fs::rename(from, to).map(|()| true),
    }
}

pub(crate) fn remove(path: &Path) -> io::Result<()> {
    call(Call::Remove, || fs::remove_file(path))?;
    #[cfg(test)]
    recording::note(path, || Change::Remove(path.to_owned()));
    Ok(())
}

pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    call(Call::RemoveFolder, || fs::remove_dir(path))?;
    #[cfg(test)]
    recording::note(path, || Change::Remove(path.to_owned()));
    Ok(())
}

/// Removes a folder and everything below it.
pub(crate) fn remove_folder_with_content(folder: &Path) -> io::Result<()> {
    for (name, is_folder) in list(folder)? {
        let entry = folder.join(name);
        if is_folder { remove_folder_with_content(&entry)? } else { remove(&entry)? }
    }
    remove_folder(folder)
}

pub(crate) fn inspect(path: &Path) -> io::Result<Metadata> {
    call(Call::Inspect, || fs::metadata(path))
}

/// Returns the names in a folder, sorted, with whether each is a folder.
pub(crate) fn list(path: &Path) -> io::Result<Vec<(std::ffi::OsString, bool)>> {
    call(Call::List, || {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name(), entry.file_type()?.is_dir()))
        };
        let mut entries: Vec<_> = fs::read_dir(path)?.map(entry).collect::<io::Result<_>>()?;
        entries.sort();
        Ok(entries)
    })
}
