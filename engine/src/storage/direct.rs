//! Writing past the system's cache: what is written once, synced and not read again need not go through memory of the system's.
//!
//! A large file that goes through it takes as many bytes of memory as it has, which the system must find and clear, and which push
//! out what other programs read. Where the file system does not know how to do without, it is written as any other file.
//!
//! Not for: files that are read again by the run.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::calls;
use super::write::PendingWriter;

/// Bytes that the disk is handed at once.
const BLOCK_BYTES: usize = 1 << 20;
/// What places in the file and in memory are multiples of, for any disk.
const ALIGNMENT: usize = 4096;

/// Writes a large file block by block, the last by [`LargeWriter::finish`].
#[derive(Debug)]
pub(crate) struct LargeWriter {
    /// The file, opened to be written past the cache; `None` where that cannot be.
    direct: Option<File>,
    /// The file as any other, for what is no whole number of pieces.
    plain: PendingWriter,
    buffer: Vec<u8>,
    /// Where the block begins in the buffer.
    start: usize,
    filled: usize,
}

impl LargeWriter {
    /// Starts at the beginning of a file that is empty and lies at `path`; in memory, or nowhere yet, where that is `None`.
    pub(super) fn new(path: Option<&Path>, plain: PendingWriter) -> io::Result<Self> {
        let direct = path.map(calls::open_direct).transpose()?.flatten();
        let buffer = vec![0; BLOCK_BYTES + ALIGNMENT];
        let start = buffer.as_ptr().align_offset(ALIGNMENT);
        // A pointer need not tell how far it is from a multiple.
        let (direct, start) = if start < ALIGNMENT { (direct, start) } else { (None, 0) };
        Ok(Self { direct, plain, buffer, start, filled: 0 })
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
        if self.filled == BLOCK_BYTES { self.write_block() } else { Ok(()) }
    }

    /// Writes what is left.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.write_block()
    }

    fn write_block(&mut self) -> io::Result<()> {
        let Self { direct, plain, buffer, start, filled } = self;
        let mut rest = buffer.get(*start..*start + *filled).unwrap_or_default();
        while !rest.is_empty() {
            let whole = rest.len() - rest.len() % ALIGNMENT;
            let written = match direct.as_ref().filter(|_| whole > 0) {
                Some(file) => match plain.write_by(file, rest.get(..whole).unwrap_or_default()) {
                    // After a write that stopped between two pieces, or on a disk of larger ones.
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                        *direct = None;
                        continue;
                    }
                    result => result,
                },
                None => plain.write(rest),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        *filled = 0;
        Ok(())
    }
}

impl Write for LargeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room();
        let taken = room.len().min(bytes.len());
        if let (Some(room), Some(bytes)) = (room.get_mut(..taken), bytes.get(..taken)) {
            room.copy_from_slice(bytes);
        }
        self.take(taken)?;
        Ok(taken)
    }

    /// Does nothing: a block is written when it is full, and the last by [`LargeWriter::finish`].
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

    /// Writes a file in pieces of these sizes, by turns, and returns what is in it.
    fn written(folder: &Path, bytes: usize, pieces: &[usize]) -> Vec<u8> {
        let path = folder.join("large");
        let pending = PendingFile::create(&path).unwrap();
        let mut writer = pending.large_writer().unwrap();
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
            assert!(written(folder.path(), bytes, &[100_000, 1, 4096]) == content(bytes), "{bytes}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

        #[test]
        fn pieces_of_any_size_come_one_after_the_other(
            bytes in 0..3_000_000_usize,
            pieces in prop::collection::vec(1..2_000_000_usize, 1..4),
        ) {
            let folder = tempfile::tempdir().unwrap();
            prop_assert!(written(folder.path(), bytes, &pieces) == content(bytes));
        }
    }

    #[test]
    fn a_file_system_that_keeps_files_in_memory_takes_them_too() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
            eprintln!("skipped: there is no /dev/shm");
            return;
        };
        let bytes = 2 * BLOCK_BYTES + 77;
        assert!(written(folder.path(), bytes, &[300_000]) == content(bytes));
    }

    #[test]
    fn a_block_that_was_cut_short_is_written_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let pending = PendingFile::create(&path).unwrap();
        let mut writer = pending.large_writer().unwrap();
        // As after a write that took no whole number of pieces: the rest does not lie where the disk wants it.
        writer.plain.write_all(b"abc").unwrap();
        writer.write_all(&content(BLOCK_BYTES + 10)).unwrap();
        writer.finish().unwrap();
        pending.publish().unwrap();
        assert!(std::fs::read(path).unwrap() == [b"abc".as_slice(), &content(BLOCK_BYTES + 10)].concat());
    }
}
