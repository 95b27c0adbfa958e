//! Arrow IPC files and streams, whose lengths are checked against the file before the decoder takes memory for them.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::convert::fb_to_schema;
use datafusion::arrow::ipc::{Block, RecordBatch, root_as_footer, root_as_message};

use super::tables::Failure;
use crate::storage::Blob;

const FILE_MAGIC: &[u8] = b"ARROW1";
/// Stands before every message since Arrow 0.15.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// A schema of 10,000 columns takes about 2 MB.
const MAX_METADATA_BYTES: u64 = 64 << 20;
/// The most that one compressed buffer may say to hold.
const MAX_BUFFER_BYTES: i64 = 1 << 31;

/// Checks every message of an Arrow file and returns its schema.
pub(super) fn check_file(blob: &Blob) -> Result<SchemaRef, Failure> {
    let footer = footer(blob)?;
    let footer = root_as_footer(&footer).map_err(|error| format!("the footer cannot be read: {error}"))?;
    let blocks = footer.dictionaries().into_iter().flatten().chain(footer.recordBatches().into_iter().flatten());
    let mut listed = 0;
    for block in blocks {
        check_block(blob, block)?;
        listed += 1;
    }
    let there = messages_of(blob)?;
    if listed != there {
        return Err(format!("the footer lists {listed} batches, the file holds {there}").into());
    }
    let schema = footer.schema().ok_or("the footer has no schema")?;
    Ok(Arc::new(fb_to_schema(schema)))
}

/// The magic bytes of a file are padded to one of these: writers align to 8 or to 64 bytes.
const FIRST_MESSAGE: [u64; 4] = [8, 16, 32, 64];

/// Counts the messages of a file behind its schema. A footer that does not list one would lose its rows.
fn messages_of(blob: &Blob) -> Result<usize, Failure> {
    let starts = |offset: &u64| read(blob, *offset, 4).is_ok_and(|bytes| bytes == CONTINUATION);
    let mut offset = FIRST_MESSAGE.into_iter().find(starts).ok_or("the file does not start with a message")?;
    let mut messages = 0_usize;
    while let Some(message) = Message::read(blob, offset)? {
        messages += 1;
        offset = message.body + message.body_bytes;
    }
    Ok(messages.saturating_sub(1))
}

fn footer(blob: &Blob) -> Result<Vec<u8>, Failure> {
    let cut = || Failure::from("the file has no footer, so it is cut off");
    let end = blob.length().checked_sub(10).ok_or_else(cut)?;
    let tail = read(blob, end, 10)?;
    let (length, magic) = tail.split_first_chunk::<4>().ok_or_else(cut)?;
    if magic != FILE_MAGIC {
        return Err(cut());
    }
    let length = u64::try_from(i32::from_le_bytes(*length)).unwrap_or(u64::MAX);
    let start = end.checked_sub(length).ok_or_else(|| format!("the footer says that it is {length} bytes long"))?;
    read(blob, start, length)
}

fn check_block(blob: &Blob, block: &Block) -> Result<(), Failure> {
    let number = |value: i64| u64::try_from(value).map_err(|_| format!("the footer holds the length {value}"));
    let (offset, metadata) = (number(block.offset())?, number(i64::from(block.metaDataLength()))?);
    let message = Message::read(blob, offset)?.ok_or("the footer points to the end of the stream")?;
    if message.body_bytes != number(block.bodyLength())? || message.body != offset.saturating_add(metadata) {
        return Err("the footer contradicts a message".into());
    }
    if !message.is_batch {
        return Err(format!("the message at byte {offset} is no batch, as the footer says").into());
    }
    Ok(())
}

/// Checks every message of an Arrow stream, the end marker included, and returns its schema. (The decoder takes a stream
/// that is cut between two messages for a whole one.)
pub(super) fn check_stream(blob: &Blob) -> Result<SchemaRef, Failure> {
    let mut offset = 0;
    let mut schema = None;
    while let Some(message) = Message::read(blob, offset)? {
        if schema.is_none() {
            let header = root_as_message(&message.metadata).map_err(|error| error.to_string())?;
            let found = header.header_as_schema().ok_or("the stream does not start with a schema")?;
            schema = Some(Arc::new(fb_to_schema(found)));
        } else if !message.is_batch {
            return Err(format!("the message at byte {offset} is no batch").into());
        }
        offset = message.body + message.body_bytes;
    }
    if offset + 8 != blob.length() {
        return Err("there is something behind the end marker of the stream".into());
    }
    schema.ok_or_else(|| "the stream is empty".into())
}

/// A message whose parts lie within the file.
struct Message {
    metadata: Vec<u8>,
    body: u64,
    body_bytes: u64,
    /// Whether it is a batch, of rows or of a dictionary.
    is_batch: bool,
}

impl Message {
    /// Reads the message at `offset`; `None` for the end marker.
    fn read(blob: &Blob, offset: u64) -> Result<Option<Self>, Failure> {
        let left = blob.length().checked_sub(offset).filter(|left| *left >= 8);
        let left = left.ok_or("the stream has no end marker, so it is cut off")?;
        let prefix = read(blob, offset, 8)?;
        let Some((continuation, length)) = prefix.split_first_chunk::<4>() else {
            return Err("the stream is cut off".into());
        };
        let length = i32::from_le_bytes(length.try_into()?);
        if *continuation != CONTINUATION {
            return Err(format!("no message at byte {offset}").into());
        }
        if length == 0 {
            return Ok(None);
        }
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        if length > MAX_METADATA_BYTES || length > left - 8 {
            return Err(format!("the message at byte {offset} says {length} bytes of metadata").into());
        }
        let metadata = read(blob, offset + 8, length)?;
        let message = root_as_message(&metadata).map_err(|error| format!("the message at byte {offset}: {error}"))?;
        let (body, said) = (offset + 8 + length, message.bodyLength());
        let body_bytes = u64::try_from(said).ok().filter(|bytes| *bytes <= left - 8 - length);
        let body_bytes = body_bytes.ok_or_else(|| format!("the message at byte {offset} says {said} bytes of data"))?;
        let batch = message.header_as_record_batch();
        let batch = batch.or_else(|| message.header_as_dictionary_batch().and_then(|batch| batch.data()));
        let is_batch = batch.is_some();
        if let Some(batch) = batch {
            let of_first_column = batch.nodes().filter(|nodes| !nodes.is_empty()).map(|nodes| nodes.get(0).length());
            if let Some(rows) = of_first_column.filter(|rows| *rows != batch.length()) {
                let reason = format!("{} rows, of which its first column has {rows}", batch.length());
                return Err(format!("the message at byte {offset} says {reason}").into());
            }
            check_buffers(blob, &batch, body, body_bytes)?;
        }
        Ok(Some(Self { metadata, body, body_bytes, is_batch }))
    }
}

fn check_buffers(blob: &Blob, batch: &RecordBatch<'_>, body: u64, body_bytes: u64) -> Result<(), Failure> {
    let compressed = batch.compression().is_some();
    for buffer in batch.buffers().into_iter().flatten() {
        let (offset, length) = (u64::try_from(buffer.offset()), u64::try_from(buffer.length()));
        let (Ok(offset), Ok(length)) = (offset, length) else {
            return Err("a buffer has a negative place or length".into());
        };
        if offset.checked_add(length).is_none_or(|end| end > body_bytes) {
            return Err(format!("a buffer of {length} bytes lies outside of its message").into());
        }
        if compressed && length >= 8 {
            let prefix = read(blob, body + offset, 8)?;
            let said = i64::from_le_bytes(prefix.as_slice().try_into()?);
            if !(-1..=MAX_BUFFER_BYTES).contains(&said) {
                return Err(format!("a compressed buffer says that it holds {said} bytes").into());
            }
        }
    }
    Ok(())
}

fn read(blob: &Blob, offset: u64, length: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; usize::try_from(length)?];
    blob.reader(offset).read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A blob with a place that reading goes on from.
#[derive(Debug)]
pub(super) struct BlobFile {
    blob: Blob,
    offset: u64,
}

impl BlobFile {
    pub(super) fn new(blob: Blob) -> Self {
        Self { blob, offset: 0 }
    }
}

impl Read for BlobFile {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.blob.read_at(self.offset, buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Seek for BlobFile {
    fn seek(&mut self, place: SeekFrom) -> std::io::Result<u64> {
        let offset = match place {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.blob.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.offset.checked_add_signed(offset),
        };
        self.offset = offset.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidInput))?;
        Ok(self.offset)
    }
}
