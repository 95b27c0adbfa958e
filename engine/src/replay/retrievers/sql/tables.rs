//! Corpora as tables.

use std::path::Path;
use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use url::Url;

use super::SqlError;
use crate::benchmark::CorpusPlan;
use crate::load::LoadError;
use crate::load::documents::TypedCorpus;

/// Makes a corpus a table of its name.
pub(super) async fn register(context: &SessionContext, corpus: &CorpusPlan) -> Result<(), SqlError> {
    let name = quoted(&corpus.name);
    let typed = TypedCorpus::open(corpus)?;
    match typed.parquet_files() {
        Some(files) => {
            let urls = files.iter().map(|path| url(path)).collect::<Result<Vec<String>, LoadError>>()?;
            // Files are told by their first bytes, so that their names may end in anything.
            let options = ParquetReadOptions { file_extension: "", ..ParquetReadOptions::default() };
            let table = context.read_parquet(urls, options).await?;
            context.register_table(name, table.into_view())?;
        }
        // Text is read once, and stays in memory.
        None => {
            let columns = typed.schema().fields().iter().map(|field| field.name().clone()).collect();
            let mut batches = Vec::new();
            typed.read::<LoadError>(&columns, |_, batch| {
                batches.push(batch.clone());
                Ok(())
            })?;
            context.register_table(name, Arc::new(MemTable::try_new(Arc::clone(typed.schema()), vec![batches])?))?;
        }
    }
    Ok(())
}

/// Returns a table's name such that DataFusion takes it as it is.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a file's URL: in a path, DataFusion would take brackets and stars for patterns.
fn url(path: &Path) -> Result<String, LoadError> {
    let absolute = std::path::absolute(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
    Url::from_file_path(&absolute).map(String::from).map_err(|()| LoadError::Format {
        path: path.to_owned(),
        reason: "its path cannot be written as a URL".to_owned(),
    })
}

/// Returns what DataFusion said, without what is of no use to readers.
pub(super) fn said(error: &DataFusionError) -> String {
    error.strip_backtrace().lines().collect::<Vec<_>>().join(" ")
}
