//! Why an input cannot be read: which file, which row, what was found and what was expected.

use std::path::PathBuf;

/// Why an input cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be opened or read.
    #[error("cannot read `{path}`", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No file matches.
    #[error("no file matches `{pattern}`")]
    NoMatch {
        /// The path or glob.
        pattern: String,
    },
    /// The format cannot be told from the file, or is not one that can be read here.
    #[error("`{path}`: {reason}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// The file is damaged or not of its format (a truncated Parquet file, say).
    #[error("`{path}` is damaged or not a {format} file", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The format that was expected.
        format: &'static str,
        /// What the decoder says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A column has another type than the schema asks for.
    #[error("`{path}`: column `{column}` has type {found}, expected {expected}", path = path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The type in the file.
        found: String,
        /// The type in the schema.
        expected: String,
    },
    /// A required column is not there.
    #[error("`{path}` has no column `{column}`; it has {available}", path = path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The columns that are there.
        available: String,
    },
    /// One row cannot be understood.
    #[error("`{path}`, row {row}: {reason}", path = path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// 1-based line of a text file, 1-based row of a table.
        row: u64,
        /// What was found and what was expected.
        reason: String,
    },
    /// An id that must be unique occurs twice.
    #[error("`{path}`, row {row}: duplicate {what} `{id}`, first seen in row {first}", path = path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// 1-based row of the second occurrence.
        row: u64,
        /// What is duplicated: `session_id`, `item id`.
        what: &'static str,
        /// The id.
        id: String,
        /// 1-based row of the first occurrence.
        first: u64,
    },
    /// There is nothing in it.
    #[error("`{path}` holds no {what}", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What was expected: `sessions`, `documents`.
        what: &'static str,
    },
}
