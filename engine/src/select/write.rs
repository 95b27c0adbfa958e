//! Writes the sample in the order of its ids, or batch after batch, each in the order of its ids.

use std::path::Path;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::logical_expr::Expr;
use datafusion::prelude::col;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::SelectError;
use super::batches::{Batches, runs};
use super::engine::Engine;
use super::filter::{self, Predicate};
use super::source::{Input, all_columns};
use crate::schema::{self, column};
use crate::store::{StoreError, TableWriter};

/// Batches that wait for the thread that writes.
const WRITE_BEHIND: usize = 2;

/// The sessions that are to be written.
pub(super) struct Sample<'a> {
    pub(super) engine: &'a Engine,
    pub(super) input: &'a Input,
    pub(super) filters: &'a [Predicate],
    /// Which of those that pass the filters; all for `None`.
    pub(super) drawn: Option<Expr>,
    /// The batches that they are dealt into, each a chunk of its own.
    pub(super) batches: Option<Batches>,
}

/// Rows of a chunk of a sample that is dealt: it ends where its batch does, and no user is that busy.
const MOST_ROWS: usize = 1 << 20;

impl Sample<'_> {
    /// Writes the table and returns the number of its rows.
    pub(super) async fn write(self, path: &Path, sessions_per_chunk: usize) -> Result<u64, SelectError> {
        let ascending = self.input.ascending && self.batches.is_none();
        let context = if ascending { self.engine.ordered()? } else { self.engine.parallel()? };
        let table = self.input.scan(&context, &all_columns())?;
        let mut table = filter::apply(table, self.filters)?;
        if let Some(drawn) = self.drawn {
            table = table.filter(drawn)?;
        }
        if !ascending {
            let by_batch = self.batches.map(|batches| batches.expression().sort(true, false));
            table = table.sort(by_batch.into_iter().chain([col(column::SESSION_ID).sort(true, false)]).collect())?;
        }
        let failed = |error| self.input.failed(self.engine, error);
        let mut stream = table.execute_stream().await.map_err(failed)?;
        // Decoding and encoding cost about the same, so each has its own thread.
        let (sender, receiver) = mpsc::channel(WRITE_BEHIND);
        let path = path.to_owned();
        let rows_per_group = if self.batches.is_some() { MOST_ROWS } else { sessions_per_chunk };
        let writing = tokio::task::spawn_blocking(move || write_all(&path, rows_per_group, receiver));
        let mut order = Order::default();
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(failed)?;
            let batch = RecordBatch::try_new(schema::SESSIONS.clone(), batch.columns().to_vec())?;
            let parts = match self.batches {
                Some(batches) => order.split(batches, &batch)?,
                None => {
                    order.check(&batch)?;
                    vec![Part::Rows(batch)]
                }
            };
            for part in parts {
                if sender.send(part).await.is_err() {
                    break;
                }
            }
        }
        // Only what ends with this is published: an error above leaves nothing behind.
        let _ = sender.send(Part::End).await;
        drop(sender);
        writing.await?
    }
}

enum Part {
    Rows(RecordBatch),
    EndOfChunk,
    End,
}

fn write_all(path: &Path, sessions_per_chunk: usize, mut receiver: mpsc::Receiver<Part>) -> Result<u64, SelectError> {
    let mut writer = TableWriter::create(path, schema::SESSIONS.clone(), sessions_per_chunk)?;
    let mut rows = 0;
    while let Some(part) = receiver.blocking_recv() {
        match part {
            Part::Rows(batch) => {
                rows += batch.num_rows() as u64;
                writer.write(&batch)?;
            }
            Part::EndOfChunk => writer.end_group()?,
            Part::End => {
                writer.finish()?;
                return Ok(rows);
            }
        }
    }
    // The receiver of this is gone with whoever stopped sending.
    Err(StoreError::Io { path: path.to_owned(), source: std::io::ErrorKind::Interrupted.into() }.into())
}

/// The id that came last: every chunk is later joined to rankings by the order of its ids, so nothing unsorted is written.
#[derive(Default)]
struct Order {
    last: String,
    batch: Option<i64>,
}

impl Order {
    /// Splits rows where a batch ends; ids start anew there.
    fn split(&mut self, batches: Batches, rows: &RecordBatch) -> Result<Vec<Part>, SelectError> {
        let Some(numbers) = batches.of_rows(rows) else { return Ok(Vec::new()) };
        let mut parts = Vec::new();
        for (number, range) in runs(&numbers) {
            if self.batch.is_some_and(|last| last != number) {
                parts.push(Part::EndOfChunk);
                self.last.clear();
            }
            self.batch = Some(number);
            let rows = rows.slice(range.start, range.len());
            self.check(&rows)?;
            parts.push(Part::Rows(rows));
        }
        Ok(parts)
    }

    fn check(&mut self, batch: &RecordBatch) -> Result<(), SelectError> {
        let ids = batch.column_by_name(column::SESSION_ID).and_then(|array| array.as_string_opt::<i32>());
        let Some(ids) = ids.filter(|ids| !ids.is_empty()) else { return Ok(()) };
        let mut last = self.last.as_str();
        for row in 0..ids.len() {
            let id = ids.value(row);
            if last >= id {
                return Err(SelectError::Order { after: last.to_owned(), before: id.to_owned() });
            }
            last = id;
        }
        let last = last.to_owned();
        self.last = last;
        Ok(())
    }
}
