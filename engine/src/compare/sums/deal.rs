//! Sessions dealt out by user or visit: the columns of a range of chunks, written anew with a row group for each bucket.

use std::collections::BTreeMap;
use std::path::PathBuf;

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};

use super::{Dealt, Round, piece};
use crate::compare::chunk::{Extent, arm_columns, session_columns};
use crate::compare::cluster_tests::bucket_of;
use crate::compare::clusters::Keys;
use crate::compare::question::Question;
use crate::compare::tables::{OfChunk, Tables};
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Deals the sessions of a range of chunks, and what the arms made of them, into buckets. Rows of a bucket keep their order.
/// Returns the buckets that have sessions, ascending.
pub(super) fn deal<'a>(
    question: &Question<'_>,
    extent: Extent,
    run: &RunDirectory,
    range: usize,
    chunks: impl Iterator<Item = OfChunk<'a>>,
    buckets: u64,
) -> Result<Vec<u64>, StoreError> {
    let by = question.plan.statistics.cluster_by;
    let mut of_sessions = session_columns(question, extent);
    of_sessions.extend(Keys::COLUMNS);
    let of_arms = arm_columns(question, extent, false, question.clicks.is_some());
    let mut sessions = Vec::new();
    let mut arms: Vec<Vec<RecordBatch>> = vec![Vec::new(); question.arms];
    let mut rows: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    let mut next = 0_u32;
    for tables in chunks {
        let keys = Keys::read(&tables, by)?;
        for row in 0..keys.rows() {
            rows.entry(bucket_of(keys.get(row), buckets)).or_default().push(next);
            next += 1;
        }
        sessions.push(tables.sessions(&of_sessions)?);
        for (arm, batches) in arms.iter_mut().enumerate() {
            batches.push(tables.arm(arm, &of_arms, keys.rows())?);
        }
    }
    let rows_of: Vec<UInt32Array> = rows.values().map(|rows| UInt32Array::from(rows.clone())).collect();
    write(run, layout::dealt_sessions(range), &sessions, &rows_of)?;
    for (arm, batches) in arms.iter().enumerate() {
        write(run, layout::dealt_arm(range, arm), batches, &rows_of)?;
    }
    Ok(rows.into_keys().collect())
}

/// Writes the rows of each bucket as a row group.
fn write(run: &RunDirectory, name: PathBuf, batches: &[RecordBatch], rows: &[UInt32Array]) -> Result<(), StoreError> {
    let Some(first) = batches.first() else { return Ok(()) };
    let failed = |error| StoreError::table(&run.path(&name), error);
    let all = concat_batches(&first.schema(), batches).map_err(failed)?;
    let groups = rows.iter().map(|rows| take_record_batch(&all, rows).map_err(failed));
    run.write_groups(&name, first.schema(), groups)
}

/// The sessions of a range that are of one bucket.
pub(super) struct OfBucketInRange {
    group: usize,
    sessions: TableReader,
    arms: Vec<TableReader>,
}

impl OfBucketInRange {
    /// Opens them; `None` where there are none.
    pub(super) fn open(run: &RunDirectory, range: usize, bucket: u64, arms: usize) -> Result<Option<Self>, StoreError> {
        let Some(dealt) = piece::<Dealt>(run, Round::Deal, range)? else {
            let missing = run.path(layout::sums(Round::Deal.number(), range));
            return Err(StoreError::io(&missing, std::io::ErrorKind::NotFound.into()));
        };
        let Ok(group) = dealt.buckets.binary_search(&bucket) else { return Ok(None) };
        let sessions = run.table(layout::dealt_sessions(range))?;
        let arms = (0..arms).map(|arm| run.table(layout::dealt_arm(range, arm))).collect::<Result<_, _>>()?;
        Ok(Some(Self { group, sessions, arms }))
    }

    fn arm_table(&self, arm: usize) -> Result<&TableReader, StoreError> {
        let missing = || StoreError::table(self.sessions.path(), format!("nothing of arm {arm} lies beside it"));
        self.arms.get(arm).ok_or_else(missing)
    }
}

impl Tables for OfBucketInRange {
    fn sessions(&self, columns: &[&str]) -> Result<RecordBatch, StoreError> {
        self.sessions.group_columns(self.group, columns)
    }

    fn sessions_path(&self) -> PathBuf {
        self.sessions.path().to_owned()
    }

    fn arm(&self, arm: usize, columns: &[&str], rows: usize) -> Result<RecordBatch, StoreError> {
        let table = self.arm_table(arm)?;
        let batch = table.group_columns(self.group, columns)?;
        if batch.num_rows() != rows {
            let reason = format!("row group {} has {} rows, expected {rows}", self.group + 1, batch.num_rows());
            return Err(StoreError::table(table.path(), reason));
        }
        Ok(batch)
    }

    fn arm_path(&self, arm: usize) -> PathBuf {
        self.arm_table(arm).map_or_else(|_| self.sessions_path(), |table| table.path().to_owned())
    }
}
