//! The filters of the benchmark file as predicates of DataFusion.

use std::collections::BTreeSet;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::functions_nested::expr_fn::array_length;
use datafusion::logical_expr::{Expr, Volatility, cast, lit, when};
use datafusion::prelude::{SessionContext, col};

use super::engine::Engine;
use super::functions::{any_kind, under_node};
use super::source::Input;
use super::{FilterCount, SelectError, Selection};
use crate::benchmark::spec::{FilterSpec, Instant};
use crate::schema::{self, column};

/// The key of the filter by retriever.
pub(super) const RETRIEVER_IDS: &str = "retriever-ids";

/// Retrievers that are named where none of the input's is asked for.
const RETRIEVERS_NAMED: usize = 5;

/// A filter: its key in the benchmark file and its predicate.
pub(super) struct Predicate {
    key: &'static str,
    expression: Expr,
}

/// Returns the predicates of `filter`, in the order of the benchmark file's keys.
pub(super) fn predicates(filter: &FilterSpec) -> Result<Vec<Predicate>, SelectError> {
    let mut all = Vec::new();
    let mut add = |key, expression| all.push(Predicate { key, expression });
    if !filter.retriever_ids.is_empty() {
        let ids = filter.retriever_ids.iter().map(|id| lit(id.as_str())).collect();
        add(RETRIEVER_IDS, col(column::RETRIEVER_ID).in_list(ids, false));
    }
    if !filter.taxonomy_nodes.is_empty() {
        add("taxonomy-nodes", under_node(&filter.taxonomy_nodes).call(vec![col(column::TAXONOMY)]));
    }
    if let Some(range) = &filter.time_range {
        let instant = |instant: Instant| {
            lit(ScalarValue::TimestampMillisecond(Some(instant.0.as_millisecond()), Some("UTC".into())))
        };
        let start = range.start.map(|start| col(column::TIMESTAMP).gt_eq(instant(start)));
        let end = range.end.map(|end| col(column::TIMESTAMP).lt_eq(instant(end)));
        if let Some(expression) = [start, end].into_iter().flatten().reduce(Expr::and) {
            add("time-range", expression);
        }
    }
    if let Some(minimum) = filter.min_interactions {
        let length = cast(array_length(col(column::INTERACTIONS)), DataType::UInt64);
        add("min-interactions", coalesce(vec![length, lit(0_u64)]).gt_eq(lit(minimum)));
    }
    if !filter.interaction_types.is_empty() {
        add("interaction-types", any_kind(&filter.interaction_types).call(vec![col(column::INTERACTIONS)]));
    }
    if let Some(predicate) = &filter.predicate {
        add("where", parse_predicate(predicate)?);
    }
    Ok(all)
}

/// Checks the free predicate without reading anything.
///
/// # Errors
///
/// Returns an error when it is not valid SQL over the session columns, is not true or false, or is not repeatable.
pub fn check_predicate(predicate: &str) -> Result<(), SelectError> {
    parse_predicate(predicate).map(|_| ())
}

fn parse_predicate(predicate: &str) -> Result<Expr, SelectError> {
    let refuse = |reason: String| SelectError::Predicate { reason };
    let engine = |error: datafusion::error::DataFusionError| refuse(error.strip_backtrace());
    let columns = DFSchema::try_from(schema::SESSIONS.as_ref().clone())?;
    let context = SessionContext::new();
    let expression = context.parse_sql_expr(predicate, &columns).map_err(engine)?;
    let changing = expression.exists(|node| {
        Ok(matches!(node, Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable))
    });
    let of_many = expression.exists(|node| {
        let (aggregate, window) = (matches!(node, Expr::AggregateFunction(_)), matches!(node, Expr::WindowFunction(_)));
        Ok(aggregate || window || matches!(node, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)))
    });
    if of_many? {
        return Err(refuse(
            "it must speak of one session: aggregates, windows and subqueries are not possible".to_owned(),
        ));
    }
    if changing? {
        return Err(refuse("it calls a function whose value changes from run to run".to_owned()));
    }
    let empty = context.read_batch(datafusion::arrow::array::RecordBatch::new_empty(schema::SESSIONS.clone()))?;
    empty.filter(expression.clone()).map_err(engine)?;
    Ok(expression)
}

/// Returns the columns that the predicates look at.
pub(super) fn columns(predicates: &[Predicate]) -> BTreeSet<String> {
    let of_one = |predicate: &Predicate| -> Vec<String> {
        predicate.expression.column_refs().into_iter().map(|column| column.name.clone()).collect()
    };
    predicates.iter().flat_map(of_one).collect()
}

/// Returns the sessions that pass every filter.
pub(super) fn apply(table: DataFrame, predicates: &[Predicate]) -> Result<DataFrame, SelectError> {
    match predicates.iter().map(|predicate| predicate.expression.clone()).reduce(Expr::and) {
        Some(all) => Ok(table.filter(all)?),
        None => Ok(table),
    }
}

/// Returns how many sessions each filter leaves of what the ones before it left, counted in one pass.
async fn count_left(engine: &Engine, input: &Input, predicates: &[Predicate]) -> Result<Vec<u64>, SelectError> {
    if predicates.is_empty() {
        return Ok(Vec::new());
    }
    let mut aggregates = Vec::new();
    let mut so_far: Option<Expr> = None;
    for (index, predicate) in predicates.iter().enumerate() {
        let passes = match so_far.take() {
            Some(before) => before.and(predicate.expression.clone()),
            None => predicate.expression.clone(),
        };
        aggregates.push(sum(when(passes.clone(), lit(1_i64)).otherwise(lit(0_i64))?).alias(format!("left_{index}")));
        so_far = Some(passes);
    }
    let table = input.scan(&engine.parallel()?, &columns(predicates))?;
    let counted = table.aggregate(vec![], aggregates)?.collect().await;
    let mut counts = vec![0; predicates.len()];
    for batch in counted.map_err(|error| input.failed(engine, error))?.iter().filter(|batch| batch.num_rows() > 0) {
        for (count, array) in counts.iter_mut().zip(batch.columns()) {
            let values = array.as_primitive_opt::<Int64Type>();
            *count = values.filter(|values| values.is_valid(0)).map_or(0, |values| values.value(0).unsigned_abs());
        }
    }
    Ok(counts)
}

/// Returns some retrievers of the sessions, in the order of their ids.
pub(super) async fn retrievers(engine: &Engine, input: &Input) -> Result<Vec<String>, SelectError> {
    let column = || col(column::RETRIEVER_ID);
    let columns = BTreeSet::from([column::RETRIEVER_ID.to_owned()]);
    let ids = input.scan(&engine.parallel()?, &columns)?.filter(column().is_not_null())?;
    let ids = ids.aggregate(vec![column()], vec![])?.sort(vec![column().sort(true, false)])?;
    let found = ids.limit(0, Some(RETRIEVERS_NAMED))?.collect().await.map_err(|error| input.failed(engine, error))?;
    let mut names = Vec::new();
    for batch in found {
        let ids = datafusion::arrow::compute::cast(batch.column(0), &DataType::Utf8)?;
        names.extend(ids.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(names)
}

/// Returns how many sessions were loaded, what each filter removed, and how many are eligible.
pub(super) async fn tally(engine: &Engine, input: &Input, predicates: &[Predicate]) -> Result<Selection, SelectError> {
    let mut eligible = input.sessions;
    let mut filters = Vec::new();
    for (left, predicate) in count_left(engine, input, predicates).await?.into_iter().zip(predicates) {
        let removed = eligible.saturating_sub(left);
        filters.push(FilterCount { filter: predicate.key.to_owned(), removed });
        eligible = left;
    }
    Ok(Selection { loaded: input.sessions, filters, eligible, ..Selection::default() })
}
