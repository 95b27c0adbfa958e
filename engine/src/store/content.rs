//! The hash of a content, by which runs, pipelines and plugins are known.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of a file's content, lower-case hex.
///
/// # Errors
///
/// Returns an error when the file cannot be read.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
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
