//! Writing a file block by block, and what is wanted of it past the system's cache: what is written once, synced and not read again
//! need not go through memory of the system's.
//!
//! What goes through it takes as many bytes of memory as it has, which the system must find and clear, and which push
//! out what other programs read. Where the file system does not know how to do without, a file is written as any other.
//!
//! Not past the cache: what the run reads again.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::calls;
use super::write::PendingWriter;

/// Bytes that the system is handed at once.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;
/// What places in the file and in memory are multiples of, for any disk.
const ALIGNMENT: usize = 4096;

/// Buffers that nobody writes from, so that not every file finds and clears its own.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
/// Most of them.
const MOST_SPARE: usize = 4;

/// Writes a file block by block, the last by [`BlockWriter::finish`].
#[derive(Debug)]
pub(crate) struct BlockWriter {
    /// Where the file lies; `None` where it is in memory, or nowhere yet.
    path: Option<PathBuf>,
    /// The bytes of the file that are written past the cache: whole pieces of it.
    past_the_cache: Range<u64>,
    /// The file, opened for them; `None` where that cannot be.
    direct: Option<File>,
    /// The file as any other, for everything else.
    plain: PendingWriter,
    buffer: Vec<u8>,
    /// Where the block begins in the buffer.
    start: usize,
    filled: usize,
}

impl BlockWriter {
    /// Starts at the beginning of a file that is empty.
    pub(super) fn new(path: Option<PathBuf>, plain: PendingWriter) -> Self {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let buffer = spare.unwrap_or_else(|| vec![0; BLOCK_BYTES + ALIGNMENT]);
        let start = buffer.as_ptr().align_offset(ALIGNMENT);
        // A pointer need not tell how far it is from a multiple.
        let (path, start) = if start < ALIGNMENT { (path, start) } else { (None, 0) };
        Self { path, past_the_cache: 0..0, direct: None, plain, buffer, start, filled: 0 }
    }

    /// Has these bytes of the file written past the cache, as far as that can be; they are yet to come.
    ///
    /// # Errors
    ///
    /// Returns an error when the file cannot be opened again.
    pub(crate) fn past_the_cache(&mut self, bytes: Range<u64>) -> io::Result<()> {
        let piece = ALIGNMENT as u64;
        self.past_the_cache = bytes.start.next_multiple_of(piece)..bytes.end - bytes.end % piece;
        if let (Some(path), None) = (&self.path, &self.direct) {
            self.direct = calls::open_direct(path)?;
        }
        Ok(())
    }

    /// Returns room for the bytes that come next; it is never empty.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start + self.filled..self.start + BLOCK_BYTES).unwrap_or_default()
    }

    /// Takes the first bytes of the room.
    ///
    /// # Errors
    ///
    /// Returns an error when a block is full and cannot be written.
    pub(crate) fn take(&mut self, bytes: usize) -> io::Result<()> {
        self.filled = (self.filled + bytes).min(BLOCK_BYTES);
        if self.filled == BLOCK_BYTES { self.finish() } else { Ok(()) }
    }

    /// Writes what is left.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be written.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let (mut from, end) = (self.start, self.start + self.filled);
        while from < end {
            let (bytes, way) = self.next_write(end - from);
            let bytes = self.buffer.get(from..from + bytes).unwrap_or_default();
            let written = match way {
                Some(direct) => match self.plain.write_by(direct, bytes) {
                    // In memory the bytes do not lie where the disk wants them, or it wants larger pieces.
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                        self.direct = None;
                        continue;
                    }
                    result => result,
                },
                None => self.plain.write(bytes),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => from += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.filled = 0;
        Ok(())
    }

    /// Returns how many of the next `left` bytes are to be written at once, and by which file where it is past the cache.
    fn next_write(&self, left: usize) -> (usize, Option<&File>) {
        let Some(direct) = &self.direct else { return (left, None) };
        let (place, piece) = (self.plain.written(), ALIGNMENT as u64);
        let Range { start, end } = self.past_the_cache;
        let (until, way) = if place < start {
            (start, None)
        } else if place >= end {
            (u64::MAX, None)
        } else if !place.is_multiple_of(piece) {
            // After a write that stopped between two pieces.
            (place.next_multiple_of(piece), None)
        } else {
            (end, Some(direct))
        };
        let bytes = left.min(usize::try_from(until - place).unwrap_or(usize::MAX));
        match way {
            // The end of a file need not be a whole piece.
            Some(_) if bytes < ALIGNMENT => (bytes, None),
            Some(direct) => (bytes - bytes % ALIGNMENT, Some(direct)),
            None => (bytes, None),
        }
    }
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST_SPARE {
            spare.push(std::mem::take(&mut self.buffer));
        }
    }
}

impl Write for BlockWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room();
        let taken = room.len().min(bytes.len());
        if let (Some(room), Some(bytes)) = (room.get_mut(..taken), bytes.get(..taken)) {
            room.copy_from_slice(bytes);
        }
        self.take(taken)?;
        Ok(taken)
    }

    /// Does nothing: a block is written when it is full, and the last by [`BlockWriter::finish`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::storage::PendingFile;

    fn content(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|place| (place * 7 + place / 251) as u8).collect()
    }

    /// Writes a file in pieces of these sizes, by turns, with a range of it past the cache, and returns what is in it.
    fn written(folder: &Path, bytes: usize, pieces: &[usize], past_the_cache: Range<u64>) -> Vec<u8> {
        let path = folder.join("large");
        let pending = PendingFile::create(&path).unwrap();
        let mut writer = pending.block_writer();
        writer.past_the_cache(past_the_cache).unwrap();
        let content = content(bytes);
        let (mut rest, mut sizes) = (content.as_slice(), pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            writer.write_all(piece).unwrap();
            rest = more;
        }
        writer.finish().unwrap();
        assert_eq!(pending.written(), bytes as u64);
        pending.publish().unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn a_file_of_any_size_has_the_bytes_that_were_written() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in
            [0, 1, ALIGNMENT - 1, ALIGNMENT, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 5000]
        {
            assert!(written(folder.path(), bytes, &[100_000, 1, 4096], 0..u64::MAX) == content(bytes), "{bytes}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

        #[test]
        fn pieces_of_any_size_come_one_after_the_other_whatever_goes_past_the_cache(
            bytes in 0..3_000_000_usize,
            pieces in prop::collection::vec(1..2_000_000_usize, 1..4),
            start in 0..3_000_000_u64,
            length in 0..3_000_000_u64,
        ) {
            let folder = tempfile::tempdir().unwrap();
            prop_assert!(written(folder.path(), bytes, &pieces, start..start + length) == content(bytes));
        }
    }

    #[test]
    fn what_is_asked_for_goes_past_the_cache_in_whole_pieces_and_everything_else_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let pending = PendingFile::create(&folder.path().join("large")).unwrap();
        let mut writer = pending.block_writer();
        writer.past_the_cache(5000..20_000).unwrap();
        if writer.direct.is_none() {
            eprintln!("skipped: {} is written as any other", folder.path().display());
            return;
        }
        let mut ways = Vec::new();
        while pending.written() < 30_000 {
            let (bytes, direct) = writer.next_write(30_000 - pending.written() as usize);
            ways.push((bytes, direct.is_some()));
            writer.plain.write_all(&content(bytes)).unwrap();
        }
        assert_eq!(ways, [(8192, false), (8192, true), (13_616, false)]);
        writer.plain.write_all(b"abc").unwrap();
        writer.past_the_cache = 0..u64::MAX;
        assert_eq!(writer.next_write(BLOCK_BYTES).0 + 30_003, 8 * ALIGNMENT);
    }

    #[test]
    fn a_file_system_that_keeps_files_in_memory_takes_them_too() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
            eprintln!("skipped: there is no /dev/shm");
            return;
        };
        let bytes = 2 * BLOCK_BYTES + 77;
        assert!(written(folder.path(), bytes, &[300_000], 0..u64::MAX) == content(bytes));
    }

    #[test]
    fn a_block_that_was_cut_short_is_written_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let pending = PendingFile::create(&path).unwrap();
        let mut writer = pending.block_writer();
        writer.past_the_cache(0..u64::MAX).unwrap();
        // As after a write that took no whole number of pieces: the rest does not lie where the disk wants it.
        writer.plain.write_all(b"abc").unwrap();
        writer.write_all(&content(BLOCK_BYTES + 10)).unwrap();
        writer.finish().unwrap();
        pending.publish().unwrap();
        assert!(std::fs::read(path).unwrap() == [b"abc".as_slice(), &content(BLOCK_BYTES + 10)].concat());
    }
}
