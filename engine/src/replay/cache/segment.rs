//! One file of answers: written once, complete or absent, and read by place.
//!
//! The answers' bytes come first, one behind the other; then an index with a row per answer (key, offset, length,
//! checksum); then the number of rows, a checksum of index and number, and a mark. All numbers are little-endian.

use std::io::{self, Write as _};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::key::Key;
use crate::storage::{Blob, PendingFile};

/// How the names of these files end.
pub(super) const ENDING: &str = ".rankings";

const MARK: &[u8; 8] = b"rankings";
const CHECKSUM: usize = 8;
const ROW: usize = size_of::<Key>() + 8 + 4 + CHECKSUM;
const TAIL: usize = 8 + CHECKSUM + MARK.len();

/// Where an answer stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    offset: u64,
    length: u32,
    checksum: [u8; CHECKSUM],
}

/// Writes a file of answers. The name follows from the content, so that equal ones are one file. Returns its bytes.
pub(super) fn write(folder: &Path, answers: &[(Key, Vec<u8>)]) -> io::Result<u64> {
    let mut index = Vec::with_capacity(answers.len() * ROW + TAIL);
    let mut offset = 0_u64;
    for (key, bytes) in answers {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        index.extend_from_slice(key);
        index.extend_from_slice(&offset.to_le_bytes());
        index.extend_from_slice(&length.to_le_bytes());
        index.extend_from_slice(&checksum(&[key, bytes]));
        offset += u64::from(length);
    }
    index.extend_from_slice(&(answers.len() as u64).to_le_bytes());
    let sum = checksum(&[&index]);
    index.extend_from_slice(&sum);
    index.extend_from_slice(MARK);
    let name: String = Sha256::digest(&index).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let file = PendingFile::create(&folder.join(format!("{name}{ENDING}")))?;
    let mut writer = file.writer();
    answers.iter().try_for_each(|(_, bytes)| writer.write_all(bytes))?;
    writer.write_all(&index)?;
    let written = file.written();
    file.publish()?;
    Ok(written)
}

/// Returns the keys of a file and the places of their answers; `None` where the file is not what was written.
pub(super) fn index(file: &Blob) -> Option<Vec<(Key, Place)>> {
    let before_tail = file.length().checked_sub(TAIL as u64)?;
    let tail = file.bytes(before_tail, TAIL).ok()?;
    let (count, rest) = tail.split_first_chunk::<8>()?;
    let (sum, mark) = rest.split_first_chunk::<CHECKSUM>()?;
    if mark != MARK {
        return None;
    }
    let rows_bytes = usize::try_from(u64::from_le_bytes(*count)).ok()?.checked_mul(ROW)?;
    let before_rows = before_tail.checked_sub(rows_bytes as u64)?;
    let rows = file.bytes(before_rows, rows_bytes).ok()?;
    if checksum(&[&rows, count]) != *sum {
        return None;
    }
    rows.chunks_exact(ROW).map(row).collect()
}

fn row(bytes: &[u8]) -> Option<(Key, Place)> {
    let (key, rest) = bytes.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let checksum = *rest.first_chunk()?;
    Some((*key, Place { offset: u64::from_le_bytes(*offset), length: u32::from_le_bytes(*length), checksum }))
}

/// Returns the bytes at a place; `None` where they are not what was written.
pub(super) fn read(file: &Blob, key: &Key, place: &Place) -> Option<Vec<u8>> {
    let bytes = file.bytes(place.offset, usize::try_from(place.length).ok()?).ok()?;
    (checksum(&[key, &bytes]) == place.checksum).then(|| bytes.to_vec())
}

/// The first bytes of a SHA-256 over all parts: against accidents, not against people.
fn checksum(parts: &[&[u8]]) -> [u8; CHECKSUM] {
    let mut sha = Sha256::new();
    parts.iter().for_each(|part| sha.update(part));
    let digest: Key = sha.finalize().into();
    let mut sum = [0; CHECKSUM];
    sum.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    sum
}
