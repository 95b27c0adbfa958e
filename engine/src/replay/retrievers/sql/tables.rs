//! Corpora as tables.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use url::Url;

use super::SqlError;
use crate::benchmark::CorpusPlan;
use crate::load::LoadError;
use crate::load::documents::{Known, TypedCorpus};

/// Makes a corpus a table of its name.
pub(super) async fn register(context: &SessionContext, corpus: &CorpusPlan) -> Result<(), SqlError> {
    let typed = TypedCorpus::open(corpus)?;
    if let Some(files) = typed.parquet_files() {
        return register_files(context, corpus, &files).await;
    }
    // Text is read once, and stays in memory.
    let columns = typed.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut batches = Vec::new();
    typed.read::<LoadError>(&columns, |_, batch| {
        batches.push(batch.clone());
        Ok(())
    })?;
    register_batches(context, corpus, &typed, batches)
}

/// Makes a corpus a table of its name, of which no row is read; returns what is known of its columns.
pub(super) async fn register_columns(context: &SessionContext, corpus: &CorpusPlan) -> Result<Known, SqlError> {
    let (typed, known) = TypedCorpus::look(corpus)?;
    match typed.parquet_files() {
        Some(files) => register_files(context, corpus, &files).await?,
        None => register_batches(context, corpus, &typed, Vec::new())?,
    }
    Ok(known)
}

async fn register_files(context: &SessionContext, corpus: &CorpusPlan, files: &[PathBuf]) -> Result<(), SqlError> {
    let urls = files.iter().map(|path| url(path)).collect::<Result<Vec<String>, LoadError>>()?;
    // Files are told by their first bytes, so that their names may end in anything.
    let options = ParquetReadOptions { file_extension: "", ..ParquetReadOptions::default() };
    let table = context.read_parquet(urls, options).await?;
    context.register_table(quoted(&corpus.name), table.into_view())?;
    Ok(())
}

fn register_batches(
    context: &SessionContext,
    corpus: &CorpusPlan,
    typed: &TypedCorpus,
    batches: Vec<RecordBatch>,
) -> Result<(), SqlError> {
    let table = MemTable::try_new(Arc::clone(typed.schema()), vec![batches])?;
    context.register_table(quoted(&corpus.name), Arc::new(table))?;
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
