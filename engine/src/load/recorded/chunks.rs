//! Whole lines of a text, a buffer full at a time.

use std::io;

use crate::storage::Blob;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// A longer line is no line of a run: the file is something else.
const MAX_LINE_BYTES: usize = 64 << 20;

/// Reads whole lines from a place on.
#[derive(Debug)]
pub(super) struct Chunks {
    blob: Blob,
    buffer: Vec<u8>,
    /// Where the buffer's first byte stands.
    offset: u64,
    /// Bytes in the buffer.
    filled: usize,
    /// Bytes that were given out.
    given: usize,
}

impl Chunks {
    /// Starts at a byte.
    pub(super) fn new(blob: Blob, offset: u64) -> Self {
        Self { blob, buffer: Vec::new(), offset, filled: 0, given: 0 }
    }

    /// Returns where the next chunk starts.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.given as u64
    }

    /// Passes over the rest of a line.
    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        let Some((_, chunk)) = self.next_chunk()? else { return Ok(()) };
        let line = memchr::memchr(b'\n', chunk).map_or(chunk.len(), |end| end + 1);
        self.given = line;
        Ok(())
    }

    /// Returns the next lines and where they start, or `None` at the end. Only the file's last line may lack its end.
    pub(super) fn next_chunk(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        if self.buffer.is_empty() {
            let rest = self.blob.length().saturating_sub(self.offset);
            self.buffer = vec![0; usize::try_from(rest).unwrap_or(usize::MAX).clamp(1, CHUNK_BYTES)];
        }
        self.buffer.copy_within(self.given..self.filled, 0);
        self.offset += self.given as u64;
        self.filled -= self.given;
        self.given = self.line_ends(0);
        while self.given == 0 {
            if self.filled == self.buffer.len() {
                if self.filled >= MAX_LINE_BYTES {
                    let reason = format!("a line of more than {MAX_LINE_BYTES} bytes");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
                }
                self.buffer.resize(self.filled * 2, 0);
            }
            let from = self.filled;
            let free = self.buffer.get_mut(from..).unwrap_or_default();
            let read = self.blob.read_at(self.offset + from as u64, free)?;
            if read == 0 {
                self.given = self.filled;
                break;
            }
            self.filled += read;
            self.given = self.line_ends(from);
        }
        let chunk = self.buffer.get(..self.given).unwrap_or_default();
        Ok(if chunk.is_empty() { None } else { Some((self.offset, chunk)) })
    }

    /// Returns the number of bytes up to the last end of a line at or after `from`; 0 where there is none.
    fn line_ends(&self, from: usize) -> usize {
        let bytes = self.buffer.get(from..self.filled).unwrap_or_default();
        memchr::memrchr(b'\n', bytes).map_or(0, |end| from + end + 1)
    }
}
