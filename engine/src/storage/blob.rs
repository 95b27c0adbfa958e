//! Bytes that are read in ranges.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Bound::{Excluded, Unbounded};
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
    at_hand: Option<Arc<BytesAtHand>>,
}

/// Bytes by the places where they begin.
pub(crate) type BytesAtHand = BTreeMap<u64, Bytes>;

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
        let content = Content::File(Arc::new(file));
        Ok(Self { name: path.into(), length: metadata.len(), content, at_hand: None })
    }

    fn of_object(path: &Path, remote: Remote, version: Version) -> Self {
        let length = version.length;
        let object = Object { remote, version, pieces: Mutex::default() };
        Self { name: path.into(), length, content: Content::Object(Arc::new(object)), at_hand: None }
    }

    /// Returns the same bytes, of which those at hand need not be read.
    pub(crate) fn with(self, at_hand: Arc<BytesAtHand>) -> Self {
        Self { at_hand: Some(at_hand), ..self }
    }

    /// Returns the bytes at hand from `offset` on, as far as they stand in one piece.
    fn at_hand(&self, offset: u64) -> Option<&[u8]> {
        let (start, bytes) = self.at_hand.as_ref()?.range(..=offset).next_back()?;
        bytes.get(usize::try_from(offset - start).ok()?..).filter(|rest| !rest.is_empty())
    }

    /// Returns how many of so many bytes from `offset` on, the first of which is not at hand, are not.
    fn not_at_hand(&self, offset: u64, length: usize) -> usize {
        let later = self.at_hand.iter().flat_map(|pieces| pieces.range((Excluded(offset), Unbounded))).next();
        later.map_or(length, |(start, _)| length.min(usize::try_from(start - offset).unwrap_or(length)))
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
        if let Some(bytes) = self.at_hand(offset) {
            return Ok(copy(bytes, buffer));
        }
        let buffer = buffer.get_mut(..self.not_at_hand(offset, buffer.len())).unwrap_or_default();
        match &self.content {
            Content::File(file) => calls::read_at(file, buffer, offset),
            Content::Object(object) => {
                let wanted = (buffer.len() as u64).min(self.length.saturating_sub(offset));
                Ok(copy(&object.read(offset, wanted)?, buffer))
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

/// Copies the first bytes, as many as there is room for, and returns how many.
fn copy(bytes: &[u8], room: &mut [u8]) -> usize {
    let copied = bytes.len().min(room.len());
    if let (Some(bytes), Some(room)) = (bytes.get(..copied), room.get_mut(..copied)) {
        room.copy_from_slice(bytes);
    }
    copied
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
            Content::Object(object) => match self.blob.at_hand(self.offset) {
                Some(bytes) => copy(bytes, buffer),
                None => {
                    let wanted = self.blob.not_at_hand(self.offset, buffer.len());
                    copy(&object.read_on(self.offset, wanted as u64)?, buffer)
                }
            },
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn bytes_at_hand_are_taken_from_memory_and_all_others_from_the_file(
            pieces in prop::collection::vec((0..40_usize, 0..60_usize), 0..6),
            left in 0..50_usize,
            start in 0..100_usize,
        ) {
            let (mut expected, mut at_hand) = (Vec::new(), BytesAtHand::new());
            for (skipped, length) in pieces {
                expected.resize(expected.len() + skipped, b'f');
                at_hand.insert(expected.len() as u64, vec![b'm'; length].into());
                expected.resize(expected.len() + length, b'm');
            }
            expected.resize(expected.len() + left, b'f');
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), vec![b'f'; expected.len()]).unwrap();
            let blob = Blob::open(file.path()).unwrap().with(Arc::new(at_hand));
            let start = start.min(expected.len());
            let mut read = Vec::new();
            blob.reader(start as u64).read_to_end(&mut read).unwrap();
            prop_assert_eq!(&read, &expected[start..]);
            let bytes = blob.bytes(start as u64, expected.len() - start).unwrap();
            prop_assert_eq!(&bytes, &expected[start..]);
        }
    }
}
