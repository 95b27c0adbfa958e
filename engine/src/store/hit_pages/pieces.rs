//! Pages one after the other without a copy of them.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use bytes::{Buf as _, Bytes};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::reader::{ChunkReader, Length};

/// Bytes that follow each other, in the pieces that they came in.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Pieces {
    pieces: Vec<Bytes>,
    length: u64,
}

impl Pieces {
    /// Returns the pieces with their places in a file, where they stand from `place` on.
    pub(in crate::store) fn from(self, place: u64) -> impl Iterator<Item = (u64, Bytes)> {
        let mut end = place;
        self.pieces.into_iter().map(move |piece| {
            let start = end;
            end += piece.len() as u64;
            (start, piece)
        })
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.length += piece.len() as u64;
        self.pieces.push(piece);
    }
}

impl Length for Pieces {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Pieces {
    type T = PiecesReader;

    fn get_read(&self, start: u64) -> Result<PiecesReader, ParquetError> {
        let (mut skipped, mut rest) = (usize::try_from(start)?, VecDeque::with_capacity(self.pieces.len()));
        for piece in &self.pieces {
            let here = skipped.min(piece.len());
            skipped -= here;
            rest.push_back(piece.slice(here..));
        }
        match skipped {
            0 => Ok(PiecesReader { rest }),
            _ => Err(ParquetError::EOF(format!("byte {start} lies outside of its column"))),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = Vec::with_capacity(length.min(usize::try_from(self.length).unwrap_or(usize::MAX)));
        self.get_read(start)?.take(length as u64).read_to_end(&mut bytes)?;
        match bytes.len() == length {
            true => Ok(bytes.into()),
            false => Err(ParquetError::EOF(format!("{length} bytes from byte {start} on lie outside of their column"))),
        }
    }
}

/// Reads pieces one after the other.
pub(in crate::store) struct PiecesReader {
    rest: VecDeque<Bytes>,
}

impl Read for PiecesReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.front().is_some_and(Bytes::is_empty) {
            self.rest.pop_front();
        }
        self.rest.front_mut().map_or(Ok(0), |piece| piece.reader().read(buffer))
    }
}

/// Keeps the first bytes of what is written. The library's page writer makes the header of a page, which is shorter, and what
/// follows it is at hand.
#[derive(Debug, Default)]
pub(super) struct Head {
    kept: Vec<u8>,
    written: usize,
}

impl Head {
    const MOST_BYTES: usize = 1 << 10;

    /// Returns what stands before the last `bytes` that were written.
    pub(super) fn before(mut self, bytes: usize) -> Vec<u8> {
        self.kept.truncate(self.written.saturating_sub(bytes));
        self.kept
    }
}

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = Self::MOST_BYTES.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.written += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_read_like_one_from_any_place_on() {
        let whole: Vec<u8> = (0..40).collect();
        let mut pieces = Pieces::default();
        for range in [0..3, 3..3, 3..20, 20..40] {
            pieces.push(Bytes::copy_from_slice(&whole[range]));
        }
        assert_eq!(pieces.len(), 40);
        for start in 0..=40 {
            let mut rest = Vec::new();
            pieces.get_read(start as u64).expect("a reader").read_to_end(&mut rest).expect("read");
            assert_eq!(rest, whole[start..]);
            for length in 0..=40 - start {
                assert_eq!(pieces.get_bytes(start as u64, length).expect("bytes"), whole[start..start + length]);
            }
            assert!(pieces.get_bytes(start as u64, 41 - start).is_err());
        }
        assert!(pieces.get_read(41).is_err());
    }

    #[test]
    fn a_head_is_what_stands_before_the_last_bytes_however_they_are_written() {
        for written in 1..7 {
            let mut head = Head::default();
            let bytes = [&b"header"[..], &vec![7; 5000]].concat();
            bytes.chunks(written).for_each(|piece| head.write_all(piece).expect("written"));
            assert_eq!(head.before(5000), b"header");
        }
    }
}
