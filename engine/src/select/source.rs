//! A DataFusion table of the input: native Parquet as it lies, anything else converted once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use datafusion::prelude::{ParquetReadOptions, SessionContext, col, lit};

use super::SelectError;
use crate::benchmark::Plan;
use crate::benchmark::spec::{SessionFormat, SessionsPath};
use crate::load::{self, ImportSummary, LoadError, SessionReader};
use crate::schema::{self, column};

/// Opens the plan's sessions. Native Parquet whose columns have the schema's types is scanned in place, with filters
/// pushed down; any other input is first imported to `loaded`.
pub(super) async fn open(
    context: &SessionContext,
    plan: &Plan,
    loaded: &Path,
) -> Result<(DataFrame, Option<ImportSummary>), SelectError> {
    let native = native_files(plan)?;
    let (files, summary) = match native {
        Some(files) => (files, None),
        None => {
            let reader = SessionReader::open(&plan.sessions, plan.session_format)?;
            (vec![loaded.to_owned()], Some(load::import(reader, loaded)?))
        }
    };
    let paths: Vec<String> = files.iter().map(|path| file_url(path)).collect();
    let options = ParquetReadOptions { file_extension: "", ..ParquetReadOptions::default() }.schema(&schema::SESSIONS);
    let table = context.read_parquet(paths, options).await?;
    if summary.is_none() {
        check_unique(table.clone(), &files).await?;
    }
    Ok((table, summary))
}

/// Returns the path as a URL: DataFusion would take `*`, `?` and `[` of a plain path for a glob.
fn file_url(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let text = absolute.to_string_lossy();
    let encoded = text.bytes().map(|byte| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    format!("file://{}", encoded.collect::<String>())
}

/// Returns the input's files if all of them are Parquet whose columns have exactly the schema's types.
fn native_files(plan: &Plan) -> Result<Option<Vec<PathBuf>>, SelectError> {
    let SessionsPath::Files(patterns) = &plan.sessions else { return Ok(None) };
    if plan.session_format.is_some_and(|format| format != SessionFormat::Parquet) {
        return Ok(None);
    }
    let mut files = Vec::new();
    for pattern in patterns {
        for path in load::expand(pattern)? {
            let schema = match load::parquet_schema(&path)? {
                Some(schema) => schema,
                None => return Ok(None),
            };
            // A wrong type is an error with its column's name, whichever way the file is read.
            load::normalise(&RecordBatch::new_empty(Arc::clone(&schema)), &path)?;
            if !exact(&schema) {
                return Ok(None);
            }
            files.push(path);
        }
    }
    Ok(Some(files))
}

fn exact(found: &SchemaRef) -> bool {
    let same = |expected: &Arc<datafusion::arrow::datatypes::Field>| {
        found.field_with_name(expected.name()).map_or(true, |field| field.data_type() == expected.data_type())
    };
    schema::SESSIONS.fields().iter().all(same)
}

/// Refuses an input in which a session id occurs twice.
async fn check_unique(table: DataFrame, files: &[PathBuf]) -> Result<(), SelectError> {
    let occurrences = "occurrences";
    let repeated = table
        .aggregate(vec![col(column::SESSION_ID)], vec![count(lit(1)).alias(occurrences)])?
        .filter(col(occurrences).gt(lit(1)))?
        .sort(vec![col(column::SESSION_ID).sort(true, false)])?
        .limit(0, Some(1))?
        .collect()
        .await
        .map_err(|error| damaged(files, error))?;
    let Some(batch) = repeated.iter().find(|batch| batch.num_rows() > 0) else { return Ok(()) };
    let id = batch.column(0).as_string_opt::<i32>().map(|ids| ids.value(0).to_owned()).unwrap_or_default();
    Err(locate_repeat(files, &id)?.into())
}

fn damaged(files: &[PathBuf], error: datafusion::error::DataFusionError) -> LoadError {
    let path = files.first().cloned().unwrap_or_default();
    LoadError::Damaged { path, format: "Parquet", source: Box::new(error) }
}

/// Finds the rows in which `id` stands.
fn locate_repeat(files: &[PathBuf], id: &str) -> Result<LoadError, LoadError> {
    let mut first = None;
    for path in files {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| LoadError::Damaged {
            path: path.clone(),
            format: "Parquet",
            source,
        };
        let file = File::open(path).map_err(|source| LoadError::Io { path: path.clone(), source })?;
        let metadata = ArrowReaderMetadata::load(&file, Default::default()).map_err(|error| failed(error.into()))?;
        let mask = ProjectionMask::columns(metadata.parquet_schema(), [column::SESSION_ID]);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_projection(mask).build();
        let mut row = 0;
        for batch in reader.map_err(|error| failed(error.into()))? {
            let batch = batch.map_err(|error| failed(error.into()))?;
            let ids = batch.column(0).as_string_opt::<i32>();
            for value in ids.into_iter().flat_map(|ids| (0..ids.len()).map(move |index| ids.value(index))) {
                row += 1;
                match (value == id, first) {
                    (false, _) => {}
                    (true, None) => first = Some(row),
                    (true, Some(first)) => {
                        let (path, what, id) = (path.clone(), column::SESSION_ID, id.to_owned());
                        return Ok(LoadError::Duplicate { path, row, what, id, first });
                    }
                }
            }
        }
    }
    let path = files.first().cloned().unwrap_or_default();
    Ok(LoadError::Duplicate { path, row: 0, what: column::SESSION_ID, id: id.to_owned(), first: first.unwrap_or(0) })
}
