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
    let mut reader = BufReader::with_capacity(1 << 16, Blob::open(path)?.reader(0));
    let mut sha = Sha256::new();
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hex(&sha.finalize()));
        }
        sha.update(bytes);
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
