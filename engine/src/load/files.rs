//! Opening inputs: globs, gzip by its magic bytes, lines with their numbers.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::LoadError;
use crate::storage;

/// Returns the files that a path, a glob, a URL or a glob over URLs names, sorted; objects are fetched into local files.
///
/// # Errors
///
/// Returns [`LoadError::NoMatch`] when there is none and [`LoadError::Io`] when an object cannot be fetched.
pub fn expand(pattern: &str) -> Result<Vec<PathBuf>, LoadError> {
    let no_match = || LoadError::NoMatch { pattern: pattern.to_owned() };
    let fetched = storage::fetch_all(pattern).map_err(|source| LoadError::Io { path: pattern.into(), source })?;
    if let Some(fetched) = fetched {
        return if fetched.is_empty() { Err(no_match()) } else { Ok(fetched) };
    }
    if Path::new(pattern).is_file() {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let mut paths: Vec<PathBuf> = glob::glob(pattern).map_err(|_| no_match())?.filter_map(Result::ok).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    if paths.is_empty() { Err(no_match()) } else { Ok(paths) }
}

/// Opens a text file for buffered reading, decompressing gzip (recognised by its first bytes, not by its name).
///
/// # Errors
///
/// Returns [`LoadError::Io`] when the file cannot be opened or read.
pub(super) fn open_text(path: &Path) -> Result<Box<dyn BufRead + Send>, LoadError> {
    let io = |source| LoadError::Io { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
    let gzip = reader.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
    if gzip {
        return Ok(Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(reader))));
    }
    Ok(Box::new(reader))
}

/// Returns the file name without a trailing `.gz`, in lower case: what format detection looks at.
pub(super) fn plain_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    name.strip_suffix(".gz").map_or(name.clone(), str::to_owned)
}

/// Returns whether the file starts with `magic`.
pub(super) fn starts_with(path: &Path, magic: &[u8]) -> Result<bool, LoadError> {
    let io = |source| LoadError::Io { path: path.to_owned(), source };
    let mut head = Vec::new();
    File::open(path).map_err(io)?.take(magic.len() as u64).read_to_end(&mut head).map_err(io)?;
    Ok(head == magic)
}

/// The lines of a text file with their 1-based numbers; a byte-order mark and line ends are taken off.
pub(super) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when the file cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        Ok(Self { path: path.to_owned(), reader: open_text(path)?, number: 0, buffer: Vec::new() })
    }

    /// Returns the next line with its number, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when reading fails (a truncated gzip file, say) and [`LoadError::Row`] for text that is
    /// not UTF-8.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &str)>, LoadError> {
        self.buffer.clear();
        let read = self.reader.read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|source| LoadError::Io { path: self.path.clone(), source })?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let line = std::str::from_utf8(&self.buffer).map_err(|_| LoadError::Row {
            path: self.path.clone(),
            row: self.number,
            reason: "not UTF-8 text".into(),
        })?;
        let line = if self.number == 1 { line.trim_start_matches('\u{feff}') } else { line };
        Ok(Some((self.number, line.trim_end_matches(['\n', '\r']))))
    }
}
