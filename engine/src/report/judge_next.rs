//! `judge_next.parquet` and `judge_next.csv`: the unjudged items that could change the verdict most.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::error::ArrowError;

use super::Report;
use crate::benchmark::Plan;
use crate::compare::{JudgeNext, judge_next};
use crate::schema;
use crate::store::{RunDirectory, StoreError, layout};

/// Items of each candidate: a day's work for a judge.
const ITEMS: NonZeroUsize = NonZeroUsize::new(100).unwrap();

/// Writes both files; the CSV, which comes last, says that they are there.
pub(super) fn write(plan: &Plan, report: &Report, run: &RunDirectory) -> Result<(), StoreError> {
    let found = judge_next(plan, run, ITEMS, available_parallelism().unwrap_or(NonZeroUsize::MIN))?;
    let table = rows(plan, report, &found).map_err(|error| StoreError::table(&run.path(layout::JUDGE_NEXT), error));
    run.write_table(layout::JUDGE_NEXT, schema::JUDGE_NEXT.clone(), std::iter::once(table))?;
    let text =
        csv(plan, report, &found).map_err(|error| StoreError::table(&run.path(layout::JUDGE_NEXT_CSV), error))?;
    run.write_bytes(layout::JUDGE_NEXT_CSV, &text)
}

fn candidate_id<'a>(plan: &'a Plan, item: &JudgeNext) -> &'a str {
    plan.pipelines.get(item.candidate).map_or("", |pipeline| pipeline.id.as_str())
}

fn rows(plan: &Plan, report: &Report, found: &[JudgeNext]) -> Result<RecordBatch, ArrowError> {
    let texts = |value: &dyn Fn(&JudgeNext) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(found.iter().map(value)))
    };
    let ranks = |value: fn(&JudgeNext) -> Option<u32>| -> ArrayRef {
        Arc::new(found.iter().map(value).collect::<UInt32Array>())
    };
    let numbers = |value: fn(&JudgeNext) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(found.iter().map(value)))
    };
    let columns = vec![
        texts(&|_| report.comparison.baseline_retriever_id.clone()),
        texts(&|item| candidate_id(plan, item).to_owned()),
        texts(&|_| plan.primary.clone()),
        texts(&|item| item.session_id.clone()),
        Arc::new(found.iter().map(|item| item.query.as_deref()).collect::<StringArray>()),
        texts(&|item| item.item_id.clone()),
        ranks(|item| item.baseline_rank),
        ranks(|item| item.candidate_rank),
        numbers(|item| item.grade),
        numbers(|item| item.session_change),
        numbers(|item| item.mean_change),
    ];
    RecordBatch::try_new(schema::JUDGE_NEXT.clone(), columns)
}

/// The same rows as text; an empty field stands for what is not there.
fn csv(plan: &Plan, report: &Report, found: &[JudgeNext]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(schema::JUDGE_NEXT.fields().iter().map(|field| field.name()))?;
    let rank = |rank: Option<u32>| rank.map(|rank| rank.to_string()).unwrap_or_default();
    for item in found {
        writer.write_record([
            &report.comparison.baseline_retriever_id,
            candidate_id(plan, item),
            &plan.primary,
            &item.session_id,
            item.query.as_deref().unwrap_or_default(),
            &item.item_id,
            &rank(item.baseline_rank),
            &rank(item.candidate_rank),
            &item.grade.to_string(),
            &item.session_change.to_string(),
            &item.mean_change.to_string(),
        ])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
