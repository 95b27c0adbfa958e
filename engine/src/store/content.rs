//! The hash of a content, by which runs, pipelines and plugins are known.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::storage::{Blob, sha256_of_fetched};

/// Returns the SHA-256 of the content of a file, or of the object whose URL the path spells, lower-case hex.
///
/// # Errors
///
/// Returns an error when it cannot be read.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    if let Some(sha256) = sha256_of_fetched(path) {
        return Ok(sha256);
    }
    let mut sha = Sha256::new();
    pass_over(path, |bytes| sha.update(bytes))?;
    Ok(hex(&sha.finalize()))
}

/// Returns the BLAKE3 hash of the content of a file, or of the object whose URL the path spells, lower-case hex. It takes a quarter
/// of the time of SHA-256, which is for what people may compare with other programs.
///
/// # Errors
///
/// Returns an error when it cannot be read.
pub fn blake3_of_file(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    pass_over(path, |bytes| {
        hasher.update(bytes);
    })?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Hands all bytes of a file on, in pieces.
fn pass_over(path: &Path, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, Blob::open(path)?.reader(0));
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        take(bytes);
        let read = bytes.len();
        reader.consume(read);
    }
}

/// Returns the SHA-256 of bytes, lower-case hex.
#[must_use]
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns bytes as lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
