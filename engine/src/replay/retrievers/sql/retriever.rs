//! Answers sessions with the rows of a query.

use std::collections::HashMap;

use async_trait::async_trait;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::super::query_values::{QueryValue, query_values, reads};
use super::hits::HitColumns;
use super::tables::said;
use super::{statement, tables};
use crate::benchmark::stages::{Parameter, QueryText, SqlPlan};
use crate::load::LoadError;
use crate::load::documents::Known;
use crate::replay::{Reads, RetrieveError, RetrieveErrorKind, Retrieved, Retriever, Workspace};
use crate::select::{Engine, SelectError};
use crate::session::{Hit, Session};

/// The stage's kind.
const KIND: &str = "sql";

/// Why a query cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// A corpus cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The query cannot be asked over the corpora.
    #[error("the query cannot be asked: {reason}")]
    Query {
        /// What is wrong with it.
        reason: String,
    },
    /// The query names a column that the corpora do not have.
    #[error("the query cannot be asked: {reason}")]
    Column {
        /// Which one, and which there are.
        reason: String,
    },
    /// DataFusion cannot be set up.
    #[error(transparent)]
    Engine(#[from] SelectError),
    /// DataFusion failed.
    #[error("the corpora cannot be made tables")]
    Tables(#[from] DataFusionError),
    /// The thread that sets everything up died.
    #[error("the thread that sets up the query died")]
    Worker(#[source] std::io::Error),
}

/// Ranks items by a query over corpora.
///
/// The query is parsed and its names are looked up once; the values of each session are put in as values, never as text.
/// Everything is one partition, and ties are in ascending order of the item id, so that the same session gets the same answer
/// in any run. A null id, an id twice, or a score that rises fails the session with `sql`.
///
/// Parquet is read for each query, CSV and JSON lines are held in memory. What a query sorts or groups takes at most the memory
/// of the workspace and spills to a folder of it.
pub struct SqlRetriever {
    context: SessionContext,
    plan: LogicalPlan,
    parameters: Vec<Parameter>,
    columns: HitColumns,
    /// Its folder to spill to lives as long as this.
    engine: Engine,
}

impl std::fmt::Debug for SqlRetriever {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SqlRetriever").field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

impl SqlRetriever {
    /// Reads the corpora and the query. It takes a thread of its own while it lasts.
    ///
    /// # Errors
    ///
    /// Returns an error when a corpus cannot be read, or the query is not one repeatable `SELECT` with an `ORDER BY` over
    /// columns that exist.
    pub fn build(plan: &SqlPlan, workspace: &Workspace) -> Result<Self, SqlError> {
        apart(|| Self::open(plan, workspace))
    }

    /// Looks at the query and at the corpora, which are not read through. It takes a thread of its own while it lasts.
    ///
    /// # Errors
    ///
    /// Returns an error that [`SqlRetriever::build`] returns too.
    pub fn look(plan: &SqlPlan, workspace: &Workspace) -> Result<(), SqlError> {
        apart(|| Self::look_at(plan, workspace))
    }

    async fn look_at(plan: &SqlPlan, workspace: &Workspace) -> Result<(), SqlError> {
        let context = Engine::new(&workspace.scratch, workspace.memory_bytes)?.ordered()?;
        let mut known = Known::Types;
        for corpus in &plan.corpora {
            known = known.min(tables::register_columns(&context, corpus).await?);
        }
        if known == Known::Some {
            return Ok(());
        }
        match statement::plan(&context, &plan.query).await {
            Ok(logical) if known == Known::Types => HitColumns::of(logical.schema().as_arrow()).map(drop),
            // With other types, all else may be different.
            Err(error) if known == Known::Types || matches!(error, SqlError::Column { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    async fn open(plan: &SqlPlan, workspace: &Workspace) -> Result<Self, SqlError> {
        let engine = Engine::new(&workspace.scratch, workspace.memory_bytes)?;
        let context = engine.ordered()?;
        for corpus in &plan.corpora {
            tables::register(&context, corpus).await?;
        }
        let logical = statement::plan(&context, &plan.query).await?;
        let columns = HitColumns::of(logical.schema().as_arrow())?;
        let text = QueryText::parse(&plan.query).map_err(|reason| SqlError::Query { reason })?;
        Ok(Self { context, plan: logical, parameters: text.parameters().to_vec(), columns, engine })
    }

    async fn rows(&self, session: &Session, depth: usize) -> Result<Vec<Hit>, RetrieveError> {
        let values = query_values(KIND, &self.parameters, session, depth)?;
        let names = self.parameters.iter().map(ToString::to_string);
        let values: HashMap<String, ScalarValue> = names.zip(values.into_iter().map(scalar)).collect();
        let failed = |error: DataFusionError| self.failed(&error);
        let plan = self.plan.clone().with_param_values(values).map_err(failed)?;
        let rows = DataFrame::new(self.context.state(), plan).limit(0, Some(depth)).map_err(failed)?;
        let batches = rows.collect().await.map_err(failed)?;
        self.columns.hits(&batches)
    }

    fn failed(&self, error: &DataFusionError) -> RetrieveError {
        let message = match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => format!(
                "the query needs more than the {} MiB of memory that it may use; raise the limit with `--memory-limit`",
                self.engine.memory_bytes() >> 20
            ),
            _ => format!("the query failed: {}", said(error)),
        };
        RetrieveError::new(RetrieveErrorKind::Sql, message)
    }
}

/// Waits for what sets up a query, in a runtime of its own: this is called from inside of others and from outside.
fn apart<T, F>(begin: impl FnOnce() -> F + Send) -> Result<T, SqlError>
where
    T: Send,
    F: Future<Output = Result<T, SqlError>>,
{
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(SqlError::Worker)?;
        runtime.block_on(begin())
    };
    std::thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|_| Err(SqlError::Worker(std::io::Error::other("it panicked"))))
}

#[async_trait]
impl Retriever for SqlRetriever {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn reads(&self) -> Reads {
        reads(&self.parameters)
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
        self.rows(session, depth).await.map(Retrieved::from)
    }
}

fn scalar(value: QueryValue) -> ScalarValue {
    let list = |values: Vec<ScalarValue>, element| ScalarValue::List(ScalarValue::new_list_nullable(&values, &element));
    match value {
        QueryValue::Null => ScalarValue::Null,
        QueryValue::Text(text) => ScalarValue::Utf8(Some(text)),
        QueryValue::Integer(number) => ScalarValue::Int64(Some(number)),
        QueryValue::Float(number) => ScalarValue::Float64(Some(number)),
        QueryValue::Boolean(truth) => ScalarValue::Boolean(Some(truth)),
        QueryValue::Texts(texts) => {
            list(texts.into_iter().map(|text| ScalarValue::Utf8(Some(text))).collect(), DataType::Utf8)
        }
        QueryValue::Numbers(numbers) => {
            list(numbers.into_iter().map(|number| ScalarValue::Float64(Some(number))).collect(), DataType::Float64)
        }
        QueryValue::Vector(vector) => {
            list(vector.into_iter().map(|element| ScalarValue::Float32(Some(element))).collect(), DataType::Float32)
        }
        QueryValue::Json(json) => ScalarValue::Utf8(Some(json.to_string())),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
