//! The Parquet artefacts: the parts joined into `rankings` and `scenario_scores`, and the comparison's numbers as rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};

use super::Report;
use crate::benchmark::Plan;
use crate::benchmark::spec::OutputFormat;
use crate::compare::outcome::{AlignmentMetrics, MetricComparison, NodeComparison, PipelineComparison};
use crate::schema;
use crate::store::{Asking, RunDirectory, StoreError, TableCopy, UnnamedTable, layout};

/// The tables that say what the parts say, under way. Parts are copied chunk by chunk, those of one chunk side by side, as they
/// come: whoever does units has them copied meanwhile. Rows are listed retriever by retriever.
#[derive(Debug)]
pub struct PartTables {
    run: RunDirectory,
    /// None where the plan wants no tables.
    tables: Vec<TableCopy>,
    pipelines: usize,
    chunks: usize,
    /// Parts that are copied.
    copied: usize,
    /// Parts that are there and not yet copied, by the order in which they are.
    there: BTreeSet<usize>,
    /// Asks for the hits of the parts that come next; none where they are read again when the tables are written.
    asking: Option<Asking>,
}

/// Parts of which the hits are asked for, next to be copied.
const ASKED: usize = 16;

impl PartTables {
    /// Begins the tables of a run whose report will speak of these measures, by all chunks of its sample that are replayed.
    ///
    /// # Errors
    ///
    /// Returns an error when the sample cannot be read, or a table cannot be written.
    pub fn begin<'a>(
        plan: &Plan,
        measures: impl Iterator<Item = &'a str>,
        run: &RunDirectory,
    ) -> Result<Self, StoreError> {
        let columns: Vec<String> =
            measures.filter(|name| *name != schema::column::SCENARIO_SCORE).map(str::to_owned).collect();
        let (mut tables, mut chunks) = (Vec::new(), 0);
        if plan.formats.contains(&OutputFormat::Parquet) {
            chunks = run.sample()?.groups();
            tables.push(run.begin_copy(layout::RANKINGS, &schema::RANKINGS)?);
            tables.push(run.begin_copy(layout::SCENARIO_SCORES, &schema::scores(&columns))?);
        }
        let reads_hits = plan.formats.contains(&OutputFormat::JudgeNext);
        let asking = (!tables.is_empty() && !reads_hits).then(|| run.ask_for_hits());
        let (run, pipelines) = (run.clone(), plan.pipelines.len());
        let tables = Self { run, tables, pipelines, chunks, copied: 0, there: BTreeSet::new(), asking };
        (0..ASKED).for_each(|part| tables.ask(part));
        Ok(tables)
    }

    /// Asks for the hits of a part, so that they need not be read to be copied.
    fn ask(&self, part: usize) {
        if let Some(asking) = self.asking.as_ref().filter(|_| part < self.chunks * self.pipelines) {
            asking.ask(layout::part(part % self.pipelines, part / self.pipelines));
        }
    }

    /// Notes that a part is there, to be copied when its turn comes.
    pub fn note(&mut self, pipeline: usize, chunk: usize) {
        self.there.insert(chunk * self.pipelines + pipeline);
    }

    /// Copies the next part, where it is there, and returns whether it was.
    ///
    /// # Errors
    ///
    /// Returns an error when the part cannot be read, or a table cannot be written.
    pub fn copy_next(&mut self) -> Result<bool, StoreError> {
        let is_there = !self.tables.is_empty() && self.there.remove(&self.copied);
        if is_there {
            self.copy()?;
        }
        Ok(is_there)
    }

    fn copy(&mut self) -> Result<(), StoreError> {
        let (chunk, pipeline) = (self.copied / self.pipelines, self.copied % self.pipelines);
        let place = pipeline * self.chunks + chunk;
        let part = self.run.copy_part(layout::part(pipeline, chunk), place, &mut self.tables)?;
        if self.asking.is_some() {
            // Nine tenths of a part, which nobody asks for any more: parts to come find memory that is warm.
            part.forget(schema::column::HITS);
        }
        self.ask(self.copied + ASKED);
        self.copied += 1;
        Ok(())
    }

    /// Copies the parts that are left, all of which are there by now, and ends the tables. It needs no comparison, and can be done
    /// beside it: the disk is waited for meanwhile.
    ///
    /// # Errors
    ///
    /// Returns an error when a part cannot be read, or a table cannot be written.
    pub fn finish(mut self) -> Result<CopiedTables, StoreError> {
        while !self.tables.is_empty() && self.copied < self.chunks * self.pipelines {
            self.copy()?;
        }
        let tables = self.tables.into_iter().map(TableCopy::finish).collect::<Result<Vec<_>, _>>()?;
        tables.iter().try_for_each(UnnamedTable::sync)?;
        Ok(CopiedTables(tables))
    }
}

/// The tables that say what the parts say, written and without their names.
#[derive(Debug)]
pub struct CopiedTables(Vec<UnnamedTable>);

/// Writes every table.
pub(super) fn write(report: &Report, parts: CopiedTables, run: &RunDirectory) -> Result<(), StoreError> {
    for table in parts.0 {
        run.publish(table)?;
    }
    let failed = |name: &str| {
        let path = run.path(name);
        move |error| StoreError::table(&path, error)
    };
    let rows = comparisons(report).map_err(failed(layout::COMPARISONS));
    run.write_table(layout::COMPARISONS, schema::COMPARISONS.clone(), std::iter::once(rows))?;
    let rows = taxonomy(report).map_err(failed(layout::TAXONOMY));
    run.write_table(layout::TAXONOMY, schema::TAXONOMY.clone(), std::iter::once(rows))
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn comparisons(report: &Report) -> Result<RecordBatch, datafusion::arrow::error::ArrowError> {
    let baseline = &report.comparison.baseline_retriever_id;
    let mut rows: Vec<(&str, &str, &MetricComparison)> = Vec::new();
    for comparison in &report.comparison.comparisons {
        for metric in &report.run.metrics {
            if let Some(test) = comparison.metrics.get(metric) {
                rows.push((&comparison.candidate_retriever_id, metric, test));
            }
        }
    }
    let number = |value: fn(&MetricComparison) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, _, test)| value(test)).collect::<Float64Array>())
    };
    let some = |value: fn(&MetricComparison) -> Option<u64>| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, _, test)| value(test).map(whole)).collect::<Int64Array>())
    };
    let count = |value: fn(&MetricComparison) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, _, test)| whole(value(test)))))
    };
    let columns = vec![
        texts(rows.iter().map(|_| baseline.as_str())),
        texts(rows.iter().map(|(candidate, _, _)| *candidate)),
        texts(rows.iter().map(|(_, metric, _)| *metric)),
        number(|test| test.baseline_mean),
        number(|test| test.candidate_mean),
        number(|test| test.delta),
        number(|test| test.ci95.map(|interval| interval[0])),
        number(|test| test.ci95.map(|interval| interval[1])),
        number(|test| test.ci95_bootstrap.as_ref().map(|bootstrap| bootstrap.ci95[0])),
        number(|test| test.ci95_bootstrap.as_ref().map(|bootstrap| bootstrap.ci95[1])),
        number(|test| test.relative.map(|relative| relative.change)),
        number(|test| test.relative?.ci95.map(|interval| interval[0])),
        number(|test| test.relative?.ci95.map(|interval| interval[1])),
        number(|test| test.t),
        number(|test| test.df),
        number(|test| test.p),
        number(|test| test.p_adjusted),
        number(|test| test.randomisation.map(|test| test.p_randomisation)),
        number(|test| test.randomisation.map(|test| test.p_max_t)),
        some(|test| test.randomisation.map(|test| test.resamples)),
        number(|test| test.mcnemar?.p),
        number(|test| test.d_z),
        number(|test| test.g_z),
        number(|test| test.detectable_delta),
        some(|test| test.sessions_to_settle),
        count(|test| test.n),
        count(|test| test.clusters),
        count(|test| test.win),
        count(|test| test.tie),
        count(|test| test.loss),
        texts(rows.iter().map(|(_, _, test)| test.cluster_by.as_str())),
        texts(rows.iter().map(|(_, _, test)| test.test.as_str())),
        texts(rows.iter().map(|(_, _, test)| test.correction.as_str())),
    ];
    RecordBatch::try_new(schema::COMPARISONS.clone(), columns)
}

struct NodeRow<'a> {
    node: &'a str,
    retriever: &'a str,
    metric: String,
    mean: Option<f64>,
    sessions: u64,
    test: Option<&'a NodeComparison>,
}

fn taxonomy(report: &Report) -> Result<RecordBatch, datafusion::arrow::error::ArrowError> {
    let mut rows = Vec::new();
    for result in &report.results {
        let comparison =
            report.comparison.comparisons.iter().find(|one| one.candidate_retriever_id == result.retriever_id);
        for (node, metrics) in &result.taxonomy_deltas {
            for (metric, mean) in node_means(metrics, &report.run.primary_metric) {
                let test = comparison.and_then(|comparison| node_test(comparison, &metric, report, node));
                rows.push(NodeRow {
                    node,
                    retriever: &result.retriever_id,
                    metric,
                    mean,
                    sessions: metrics.sessions,
                    test,
                });
            }
        }
    }
    let number = |value: fn(&NodeComparison) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.test.and_then(value)).collect::<Float64Array>())
    };
    let count = |value: fn(&NodeComparison) -> u64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.test.map(|test| whole(value(test)))).collect::<Int64Array>())
    };
    let columns: Vec<ArrayRef> = vec![
        texts(rows.iter().map(|row| row.node)),
        texts(rows.iter().map(|row| row.retriever)),
        texts(rows.iter().map(|row| row.metric.as_str())),
        Arc::new(rows.iter().map(|row| row.mean).collect::<Float64Array>()),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| whole(row.sessions)))),
        number(|test| test.delta),
        number(|test| test.ci95.map(|interval| interval[0])),
        number(|test| test.ci95.map(|interval| interval[1])),
        number(|test| test.p),
        number(|test| test.p_adjusted),
        number(|test| test.randomisation.map(|test| test.p_randomisation)),
        number(|test| test.randomisation.map(|test| test.p_max_t)),
        number(|test| test.share),
        number(|test| test.contribution),
        count(|test| test.clusters),
        count(|test| test.win),
        count(|test| test.tie),
        count(|test| test.loss),
        Arc::new(rows.iter().map(|row| row.test.map(|test| test.test.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.test.map(|test| test.outcome.as_str())).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema::TAXONOMY.clone(), columns)
}

/// The test of one measure at one node, where there is one.
fn node_test<'a>(
    comparison: &'a PipelineComparison,
    metric: &str,
    report: &Report,
    node: &str,
) -> Option<&'a NodeComparison> {
    let nodes = match metric == report.run.primary_metric {
        true => Some(&comparison.taxonomy),
        false => comparison.scorer_taxonomy.get(metric).or_else(|| comparison.metric_taxonomy.get(metric)),
    };
    nodes?.get(node)
}

fn node_means(metrics: &AlignmentMetrics, primary: &str) -> Vec<(String, Option<f64>)> {
    let ndcg = metrics.ndcg_at_k.iter().map(|(cutoff, mean)| (format!("nDCG@{cutoff}"), *mean));
    let recall = metrics.recall_at_k.iter().map(|(cutoff, mean)| (format!("R@{cutoff}"), *mean));
    let scorers = metrics.scorers.iter().map(|(scorer, mean)| (scorer.clone(), *mean));
    let mut means: Vec<(String, Option<f64>)> = ndcg.chain(recall).chain(scorers).collect();
    if !means.iter().any(|(metric, _)| metric == primary) {
        means.push((primary.to_owned(), metrics.primary_mean));
    }
    means
}
