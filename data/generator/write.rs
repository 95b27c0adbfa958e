//! The files.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use rematch_engine::rows::sessions_to_batch;
use rematch_engine::session::Session;

use super::assortment::Assortment;
use super::products::{Product, products};
use super::searches::sessions;

/// Why the sample data could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The vocabulary is not valid.
    #[error("`assortment.toml` is not valid")]
    Assortment(#[from] toml::de::Error),
    /// The vocabulary names a type of product that it does not describe.
    #[error("`assortment.toml` names the type `{slug}`, which it does not describe")]
    UnknownType {
        /// The name.
        slug: String,
    },
    /// A file or folder could not be written.
    #[error("cannot write to `{}`", path.display())]
    Write {
        /// The file or folder.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A product could not be written as JSON.
    #[error("cannot write the products as JSON")]
    Json(#[from] serde_json::Error),
    /// The sessions do not fit their schema.
    #[error("cannot make a table of the sessions")]
    Arrow(#[from] ArrowError),
    /// The sessions could not be written as Parquet.
    #[error("cannot write the sessions as Parquet")]
    Parquet(#[from] ParquetError),
}

/// Writes `products.jsonl` and `sessions.parquet` into the folder `out`, which is made when it is missing.
///
/// # Errors
///
/// Returns an error when a file cannot be written, or the vocabulary contradicts itself.
pub fn generate(out: &Path) -> Result<(), GenerateError> {
    let assortment = Assortment::read()?;
    let products = products(&assortment)?;
    let sessions = sessions(&assortment, &products)?;
    fs::create_dir_all(out).map_err(|source| GenerateError::Write { path: out.to_owned(), source })?;
    write_products(&out.join("products.jsonl"), &products)?;
    write_sessions(&out.join("sessions.parquet"), &sessions)
}

fn write_products(path: &Path, products: &[Product]) -> Result<(), GenerateError> {
    let failed = |source| GenerateError::Write { path: path.to_owned(), source };
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    for product in products {
        let line = serde_json::to_string(product)?;
        writeln!(file, "{line}").map_err(failed)?;
    }
    file.flush().map_err(failed)
}

fn write_sessions(path: &Path, sessions: &[Session]) -> Result<(), GenerateError> {
    let file = File::create(path).map_err(|source| GenerateError::Write { path: path.to_owned(), source })?;
    let batch = sessions_to_batch(sessions)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}
