//! Bytes that are read in ranges.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::reader::{ChunkReader, Length};

use super::calls;
use super::fetch::fetch;
use super::location::Location;
use super::object_error::changed;
use super::remote::{Remote, Version};

/// Bytes read ahead where a reader of a file goes on from a place: Parquet does so for the header of every page, which is a few dozen
/// bytes, and asks for what follows at once.
const READ_AHEAD: usize = 1 << 9;
/// Bytes read ahead of an object: a request costs as much as reading a megabyte.
const OBJECT_READ_AHEAD: u64 = 4 << 20;
/// Pieces of an object that are kept: columns of a table are read in turns.
const KEPT_PIECES: usize = 8;

/// Bytes that can be read in ranges, from any thread: a file that is open, or one version of an object.
#[derive(Debug, Clone)]
pub struct Blob {
    name: Arc<Path>,
    length: u64,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    File(Arc<File>),
    Object(Arc<Object>),
}

/// An object with the pieces of it that were read last.
#[derive(Debug)]
struct Object {
    remote: Remote,
    version: Version,
    pieces: Mutex<VecDeque<(u64, Bytes)>>,
}

/// What this process has opened by [`Blob::open`].
static OPENED: Mutex<Opened> = Mutex::new(Opened { versions: BTreeMap::new(), readings: 0 });

struct Opened {
    /// The version of each object.
    versions: BTreeMap<String, Version>,
    /// Values of [`OneReading`].
    readings: usize,
}

/// The inputs of one run, as they are opened by a process that outlives it: an object has one version from the first to the last of
/// them, and may have another one for the next run. While several runs are opened at once, they see one version.
#[derive(Debug)]
pub struct OneReading(());

impl OneReading {
    /// Begins to open the inputs of a run.
    #[must_use]
    pub fn begin() -> Self {
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.readings == 0 {
            opened.versions.clear();
            super::fetch::look_again();
        }
        opened.readings += 1;
        Self(())
    }
}

impl Drop for OneReading {
    fn drop(&mut self) {
        OPENED.lock().unwrap_or_else(PoisonError::into_inner).readings -= 1;
    }
}

impl Blob {
    /// Opens an input: a file, or the object that a URL names. A process reads one version of an object: what was hashed
    /// is what is read ([`OneReading`]).
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be opened, or is no file, or was changed since this process opened it first.
    pub fn open(path: &Path) -> io::Result<Self> {
        let location = Location::of(path)?;
        let Some(remote) = Remote::at(&location)? else { return Self::open_file(path) };
        let version = remote.head()?;
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let first = opened.versions.entry(location.to_string()).or_insert_with(|| version.clone());
        if *first != version {
            return Err(changed(remote.url()));
        }
        drop(opened);
        if !remote.has_ranges(&version)? {
            return Ok(Self { name: path.into(), ..Self::open_file(&fetch(&location)?)? });
        }
        Ok(Self::of_object(path, remote, version))
    }

    /// Opens what lies at a place now.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be opened, or is no file.
    pub fn at(location: &Location) -> io::Result<Self> {
        let path = location.to_path();
        let Some(remote) = Remote::at(location)? else { return Self::open_file(&path) };
        let version = remote.head()?;
        Ok(Self::of_object(&path, remote, version))
    }

    fn open_file(path: &Path) -> io::Result<Self> {
        let file = calls::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        Ok(Self { name: path.into(), length: metadata.len(), content: Content::File(Arc::new(file)) })
    }

    fn of_object(path: &Path, remote: Remote, version: Version) -> Self {
        let length = version.length;
        let object = Object { remote, version, pieces: Mutex::default() };
        Self { name: path.into(), length, content: Content::Object(Arc::new(object)) }
    }

    /// Returns where the bytes lie, for messages: a path or the text of a URL.
    #[must_use]
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads bytes from `offset` into `buffer` and returns how many; 0 only at the end or for an empty buffer.
    ///
    /// # Errors
    ///
    /// Returns an error when reading fails.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.content {
            Content::File(file) => calls::read_at(file, buffer, offset),
            Content::Object(object) => {
                let wanted = (buffer.len() as u64).min(self.length.saturating_sub(offset));
                let bytes = object.read(offset, wanted)?;
                let copied = buffer.get_mut(..bytes.len()).unwrap_or_default();
                copied.copy_from_slice(&bytes);
                Ok(copied.len())
            }
        }
    }

    /// Reads `length` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// Returns an error when reading fails, or when there are fewer.
    pub fn bytes(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.check(offset, length as u64)?;
        match &self.content {
            Content::Object(object) => object.read(offset, length as u64),
            Content::File(_) => {
                let mut bytes = vec![0; length];
                self.reader(offset).read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }

    /// Lets go of what the system's cache holds of these bytes.
    pub(crate) fn forget(&self, offset: u64, length: u64) {
        if let Content::File(file) = &self.content {
            calls::forget(file, offset, length);
        }
    }

    /// A damaged footer may ask for any length; memory is taken only for what is there.
    ///
    /// # Errors
    ///
    /// Returns an error when there are fewer bytes than `length` from `offset` on.
    pub fn check(&self, offset: u64, length: u64) -> io::Result<()> {
        let there = self.length.saturating_sub(offset);
        if length > there {
            let message = format!("{length} bytes from byte {offset} on, of {} in the file", self.length);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        Ok(())
    }

    /// Returns a reader that goes on from `offset`.
    #[must_use]
    pub fn reader(&self, offset: u64) -> BlobReader {
        BlobReader { blob: self.clone(), offset }
    }
}

impl Object {
    /// Returns bytes that were read ahead, or reads just these.
    fn read(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        match self.kept(offset, length).filter(|kept| kept.len() as u64 == length) {
            Some(kept) => Ok(kept),
            None => self.remote.range(&self.version, offset..offset + length),
        }
    }

    /// Returns some of the bytes from `offset` on, at most `length`, reading ahead where they are not there.
    fn read_on(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        let rest = self.version.length.saturating_sub(offset);
        let wanted = length.min(rest);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        if let Some(kept) = self.kept(offset, wanted) {
            return Ok(kept);
        }
        let piece = self.remote.range(&self.version, offset..offset + rest.min(OBJECT_READ_AHEAD))?;
        let first = piece.slice(..piece.len().min(wanted as usize));
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if pieces.len() == KEPT_PIECES {
            pieces.pop_front();
        }
        pieces.push_back((offset, piece));
        Ok(first)
    }

    /// Returns the bytes from `offset` on that are kept, at most `length`; `None` where there are none.
    fn kept(&self, offset: u64, length: u64) -> Option<Bytes> {
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.iter().rev().find_map(|(start, piece)| {
            let begin = usize::try_from(offset.checked_sub(*start)?).ok().filter(|begin| *begin < piece.len())?;
            let end = piece.len().min(begin.saturating_add(usize::try_from(length).ok()?));
            Some(piece.slice(begin..end))
        })
    }
}

/// Reads a [`Blob`] on from a place.
#[derive(Debug)]
pub struct BlobReader {
    blob: Blob,
    offset: u64,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &self.blob.content {
            Content::File(_) => self.blob.read_at(self.offset, buffer)?,
            Content::Object(object) => {
                let bytes = object.read_on(self.offset, buffer.len() as u64)?;
                buffer.get_mut(..bytes.len()).unwrap_or_default().copy_from_slice(&bytes);
                bytes.len()
            }
        };
        self.offset += read as u64;
        Ok(read)
    }
}

impl Length for Blob {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Blob {
    type T = BufReader<BlobReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(READ_AHEAD, self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.bytes(start, length).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ParquetError::EOF(error.to_string()),
            _ => error.into(),
        })
    }
}
