//! A chunk's judgments and top items, side by side.

use datafusion::arrow::array::{Array as _, BinaryArray, Float64Array, ListArray};
use datafusion::arrow::datatypes::Float32Type;

use crate::benchmark::Plan;
use crate::compare::columns::{Damaged, as_numbers, binaries, field, list, numbers, text_column, texts};
use crate::compare::tables::part;
use crate::compare::touched::structs;
use crate::rows::{item_key, list_range, top_keys};
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// The judged sessions of a chunk.
pub(super) struct JudgedChunk {
    sessions: Vec<JudgedSession>,
    arms: Vec<ArmTops>,
}

/// A session with judgments.
pub(super) struct JudgedSession {
    /// Its row in the chunk.
    pub(super) row: usize,
    /// The grade of every judged item by its key, ascending, each key once.
    pub(super) grades: Vec<(u64, f64)>,
}

struct ArmTops {
    items: BinaryArray,
    failed: Vec<bool>,
    primary: Float64Array,
}

/// Returns the highest grade of a chunk's judgments; `None` where there are none.
pub(super) fn highest_grade(run: &RunDirectory, sample: &TableReader, index: usize) -> Result<Option<f64>, StoreError> {
    let known = sample.group_max(index, column::JUDGMENTS, column::GRADE).filter(|grade| grade.is_finite());
    if let Some(grade) = known {
        return Ok(Some(f64::from(grade)));
    }
    let damaged = |error: Damaged| StoreError::table(&run.path(layout::SESSIONS), error);
    let batch = sample.group_columns(index, &[column::JUDGMENTS])?;
    let highest = || {
        let judgments = list(&batch, column::JUDGMENTS)?;
        let grades = field(structs(judgments, column::JUDGMENTS)?, column::GRADE)?;
        let grades = as_numbers::<Float32Type>(grades, column::GRADE)?;
        let grades = grades.iter().flatten().map(f64::from).filter(|grade| grade.is_finite());
        Ok(grades.reduce(f64::max))
    };
    highest().map_err(damaged)
}

impl JudgedChunk {
    pub(super) fn read(
        plan: &Plan,
        run: &RunDirectory,
        sample: &TableReader,
        index: usize,
    ) -> Result<Self, StoreError> {
        let damaged = |error: Damaged| StoreError::table(&run.path(layout::SESSIONS), error);
        let batch = sample.group_columns(index, &[column::JUDGMENTS])?;
        let sessions = list(&batch, column::JUDGMENTS).and_then(judged_sessions).map_err(damaged)?;
        let wanted = [plan.primary.as_str(), column::ERROR_KIND, column::TOP_ITEMS];
        let mut arms = Vec::with_capacity(plan.pipelines.len());
        // Without judgments there is nothing to look up.
        let read = if sessions.is_empty() { 0 } else { plan.pipelines.len() };
        for arm in 0..read {
            let batch = part(run, arm, index, &wanted, batch.num_rows())?;
            let open = || {
                let errors = text_column(&batch, column::ERROR_KIND)?;
                Ok(ArmTops {
                    items: binaries(&batch, column::TOP_ITEMS)?,
                    failed: (0..errors.len()).map(|row| errors.is_valid(row)).collect(),
                    primary: numbers(&batch, &plan.primary)?,
                })
            };
            arms.push(open().map_err(|error: Damaged| StoreError::table(&run.path(layout::part(arm, index)), error))?);
        }
        Ok(Self { sessions, arms })
    }

    /// Iterates over the judged sessions in which the primary metric is defined for the baseline and the candidate, with the
    /// keys of both top lists.
    pub(super) fn pairs(&self, candidate: usize) -> impl Iterator<Item = (&JudgedSession, [TopKeys<'_>; 2])> {
        let arms = self.arms.first().zip(self.arms.get(candidate));
        arms.into_iter().flat_map(|(baseline, new)| {
            let usable =
                |arm: &ArmTops, row: usize| arm.primary.is_valid(row) && !arm.failed.get(row).copied().unwrap_or(true);
            let sessions = self.sessions.iter();
            let paired = sessions.filter(move |session| [baseline, new].iter().all(|arm| usable(arm, session.row)));
            paired.map(move |session| (session, [baseline, new].map(|arm| TopKeys::of(arm.items.value(session.row)))))
        })
    }
}

/// The keys of one list's top items.
#[derive(Clone, Copy)]
pub(super) struct TopKeys<'a>(&'a [u8]);

impl<'a> TopKeys<'a> {
    /// Returns the keys in a row of the column.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Iterates over the keys, best first.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = u64> + Clone + use<'a> {
        top_keys(self.0)
    }
}

fn judged_sessions(judgments: &ListArray) -> Result<Vec<JudgedSession>, Damaged> {
    let acts = structs(judgments, column::JUDGMENTS)?;
    let items = texts(field(acts, column::ITEM_ID)?, column::ITEM_ID)?;
    let grades = as_numbers::<Float32Type>(field(acts, column::GRADE)?, column::GRADE)?;
    let mut sessions = Vec::new();
    for row in 0..judgments.len() {
        let range = list_range(judgments, row);
        if range.is_empty() {
            continue;
        }
        let graded = range.map(|index| (item_key(items.value(index)), f64::from(grades.value(index))));
        let mut grades: Vec<(u64, f64)> = graded.collect();
        // Of several grades of one item the last counts: stable, and the last comes first.
        grades.reverse();
        grades.sort_by_key(|(key, _)| *key);
        grades.dedup_by_key(|(key, _)| *key);
        sessions.push(JudgedSession { row, grades });
    }
    Ok(sessions)
}

impl JudgedSession {
    /// Returns the grade of an item; `None` for an unjudged one.
    pub(super) fn grade(&self, key: u64) -> Option<f64> {
        let place = self.grades.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.grades.get(place).map(|(_, grade)| *grade)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::sessions_to_batch;
    use crate::schema;
    use crate::session::{Judgment, Session};
    use crate::store::TableWriter;

    #[test]
    fn statistics_say_the_highest_grade_of_a_chunk() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.parquet");
        let session = |id: &str, grades: &[f32]| {
            let judged = grades.iter().map(|grade| Judgment { item_id: "a".into(), grade: *grade });
            Session { session_id: id.into(), judgments: judged.collect(), ..Session::default() }
        };
        let sessions = [session("a", &[1.0, 3.0]), session("b", &[]), session("c", &[]), session("d", &[-2.0])];
        let mut writer = TableWriter::create(&path, schema::SESSIONS.clone(), 1).expect("a table");
        writer.write(&sessions_to_batch(&sessions).expect("a batch")).expect("written");
        writer.finish().expect("finished");
        let sample = TableReader::open(&path).expect("a table");
        let found: Vec<_> = (0..4).map(|group| sample.group_max(group, column::JUDGMENTS, column::GRADE)).collect();
        assert_eq!(found, [Some(3.0), None, None, Some(-2.0)]);
    }
}
