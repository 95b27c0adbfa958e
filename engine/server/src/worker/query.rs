//! A query over the tables of a finished run: one `SELECT`, over those tables and nothing else, within limits.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::json::writer::{JsonArray, WriterBuilder};
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::StreamExt;
use rematch_engine::store::layout;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Failure, Task};

/// A query over a finished run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QueryOrder {
    /// The run directory.
    pub run: PathBuf,
    /// One `SELECT`.
    pub sql: String,
    /// Rows of the answer, at most.
    pub limit: usize,
    /// How long it may take.
    pub time: Duration,
}

/// The tables that there are, by the name that a query gives them.
pub(crate) const TABLES: [(&str, &str); 6] = [
    ("sessions", layout::SESSIONS),
    ("rankings", layout::RANKINGS),
    ("scenario_scores", layout::SCENARIO_SCORES),
    ("comparisons", layout::COMPARISONS),
    ("taxonomy", layout::TAXONOMY),
    ("judge_next", layout::JUDGE_NEXT),
];

/// Memory that a query may take before it goes to disk or fails, bytes.
const MEMORY_BYTES: usize = 512 << 20;

/// Bytes of an answer, as JSON.
const ANSWER_BYTES: usize = 16 << 20;

/// Characters of a query.
const QUERY_CHARACTERS: usize = 64 << 10;

pub(super) fn query(task: &Task, order: &QueryOrder) -> Result<Value, Failure> {
    if order.sql.len() > QUERY_CHARACTERS {
        return Err(refused(format!("the query is longer than {QUERY_CHARACTERS} characters")));
    }
    let scratch = tempfile::tempdir().map_err(|error| Failure::new("internal", error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("internal", error))?;
    let memory = MEMORY_BYTES.min(usize::try_from(task.limits.memory_bytes / 2).unwrap_or(MEMORY_BYTES));
    let answer = runtime.block_on(async {
        let answered = tokio::time::timeout(order.time, answer(order, scratch.path(), memory)).await;
        answered.unwrap_or_else(|_| {
            Err(Failure::new("query_timeout", format!("the query took longer than {} s", order.time.as_secs_f64())))
        })
    });
    runtime.shutdown_background();
    answer
}

async fn answer(order: &QueryOrder, scratch: &Path, memory: usize) -> Result<Value, Failure> {
    let context = context(scratch, memory).map_err(failed)?;
    for (table, file) in TABLES {
        let path = order.run.join(file);
        if path.is_file() {
            let options = ParquetReadOptions::default();
            context.register_parquet(table, path.to_string_lossy(), options).await.map_err(failed)?;
        }
    }
    let plan = plan(&context, &order.sql).await?;
    check_names(&plan)?;
    let columns: Vec<Value> = plan
        .schema()
        .fields()
        .iter()
        .map(|field| json!({ "name": field.name(), "type": field.data_type().to_string() }))
        .collect();
    let rows = DataFrame::new(context.state(), plan).limit(0, Some(order.limit.saturating_add(1))).map_err(failed)?;
    let mut stream = rows.execute_stream().await.map_err(failed)?;
    let (mut rows, mut bytes, mut truncated) = (Vec::new(), 0, false);
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(failed)?;
        let room = order.limit.saturating_sub(rows.len());
        truncated |= batch.num_rows() > room;
        let written = json_of(&batch.slice(0, batch.num_rows().min(room))).map_err(failed)?;
        bytes += written.len();
        if bytes > ANSWER_BYTES {
            let message = format!("the answer is larger than {ANSWER_BYTES} bytes; select fewer columns or rows");
            return Err(Failure::new("answer_too_large", message));
        }
        rows.extend(serde_json::from_slice::<Vec<Value>>(&written).map_err(|error| Failure::new("internal", error))?);
        if truncated {
            break;
        }
    }
    Ok(json!({ "columns": columns, "rows": rows, "truncated": truncated, "limit": order.limit }))
}

fn context(scratch: &Path, memory: usize) -> Result<SessionContext, DataFusionError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![scratch.to_owned()])),
        )
        .build_arc()?;
    let config = SessionConfig::new().with_target_partitions(2).with_information_schema(false);
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

/// Returns the plan of one `SELECT`. What else there is in SQL, writes, settings, files by their path, is refused before
/// anything of it is done.
async fn plan(context: &SessionContext, sql: &str) -> Result<LogicalPlan, Failure> {
    let state = context.state();
    let dialect = state.config().options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect).map_err(failed)?;
    match &statement {
        Statement::Statement(statement) if matches!(statement.as_ref(), SqlStatement::Query(_)) => {}
        _ => return Err(refused("the query is no `SELECT`; expected one, over the tables of the run".to_owned())),
    }
    let plan = state.statement_to_plan(statement).await.map_err(failed)?;
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(failed)?;
    Ok(plan)
}

/// Refuses two columns of one name: a row is an object, which has room for one of them.
fn check_names(plan: &LogicalPlan) -> Result<(), Failure> {
    let mut known = HashSet::new();
    match plan.schema().fields().iter().find(|field| !known.insert(field.name())) {
        Some(field) => {
            let name = field.name();
            Err(refused(format!("two columns are called `{name}`; name them with AS: `a.{name} AS other_{name}`")))
        }
        None => Ok(()),
    }
}

/// Returns rows as a JSON array of objects; nulls are written, so that every row has every column.
pub(crate) fn json_of(batch: &RecordBatch) -> Result<Vec<u8>, DataFusionError> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    let written = writer.into_inner();
    // Nothing at all is written of no rows.
    Ok(if written.is_empty() { b"[]".to_vec() } else { written })
}

fn refused(message: String) -> Failure {
    Failure::new("invalid_query", message)
}

fn failed(error: DataFusionError) -> Failure {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => {
            Failure::new("query_memory", "the query needs more memory than it may use; filter or group less at once")
        }
        _ => refused(error.strip_backtrace().lines().collect::<Vec<_>>().join(" ").chars().take(2000).collect()),
    }
}
