//! A chunk's judgments and top items, side by side.

use std::num::NonZeroUsize;

use datafusion::arrow::array::{Array as _, BinaryArray, Float64Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Float32Type;
use rematch_metrics::top_lists::TopLists;

use crate::benchmark::Plan;
use crate::compare::chunk::Chunk;
use crate::compare::columns::{Damaged, as_numbers, binaries, field, list, numbers, text_column, texts};
use crate::compare::similarity;
use crate::compare::tables::{OfChunk, Tables};
use crate::compare::touched::structs;
use crate::rows::{item_key, list_range, top_keys};
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// The judgments of a chunk, and what the arms made of it.
pub(in crate::compare) struct JudgedChunk {
    grades: Grades,
    arms: Vec<ArmTops>,
}

/// The grades of a chunk's sessions.
struct Grades {
    /// By session the grade of every judged item by its key, ascending, each key once.
    grades: Vec<(u64, f64)>,
    /// Where each session's grades end.
    ends: Vec<usize>,
}

/// A session with judgments.
#[derive(Clone, Copy)]
pub(super) struct JudgedSession<'a> {
    /// The grade of every judged item by its key, ascending, each key once.
    pub(super) grades: &'a [(u64, f64)],
}

struct ArmTops {
    items: BinaryArray,
    errors: StringArray,
    primary: Float64Array,
}

/// Returns the highest grade that the statistics of a chunk's judgments know; `None` where they know none.
pub(super) fn known_grade(sample: &TableReader, index: usize) -> Option<f64> {
    let known = sample.group_max(index, column::JUDGMENTS, column::GRADE).filter(|grade| grade.is_finite());
    known.map(f64::from)
}

/// Returns the highest grade of a chunk's judgments; `None` where there are none.
pub(super) fn highest_grade(run: &RunDirectory, sample: &TableReader, index: usize) -> Result<Option<f64>, StoreError> {
    if let Some(grade) = known_grade(sample, index) {
        return Ok(Some(grade));
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

/// Returns whether a chunk has judgments of sessions that an arm answered: without, there is nothing to look up.
pub(in crate::compare) fn is_judged(chunk: &Chunk) -> bool {
    let judged = chunk.arms.iter().filter_map(|arm| arm.top_judged.as_ref());
    judged.into_iter().any(|judged| judged.null_count() < judged.len())
}

impl JudgedChunk {
    /// Reads the judgments of a chunk, and what they are joined with.
    pub(super) fn read(
        plan: &Plan,
        run: &RunDirectory,
        sample: &TableReader,
        index: usize,
    ) -> Result<Self, StoreError> {
        let tables = OfChunk { run, sample, chunk: index };
        let grades = Grades::read(&tables, None)?;
        let wanted = [plan.primary.as_str(), column::ERROR_KIND, column::TOP_ITEMS];
        let mut arms = Vec::with_capacity(plan.pipelines.len());
        // Without judgments there is nothing to look up.
        let read = if grades.grades.is_empty() { 0 } else { plan.pipelines.len() };
        for arm in 0..read {
            let batch = tables.arm(arm, &wanted, grades.ends.len())?;
            arms.push(ArmTops::of(plan, &batch).map_err(|error| StoreError::table(&tables.arm_path(arm), error))?);
        }
        Ok(Self { grades, arms })
    }

    /// Reads the judgments of a chunk that is read whole.
    pub(in crate::compare) fn beside(plan: &Plan, tables: &impl Tables, chunk: &Chunk) -> Result<Self, StoreError> {
        let damaged = |arm: usize, error: Damaged| StoreError::table(&tables.arm_path(arm), error);
        let arms = chunk.arms.iter().enumerate();
        let arms = arms.map(|(index, arm)| ArmTops::of(plan, &arm.batch).map_err(|error| damaged(index, error)));
        Ok(Self { arms: arms.collect::<Result<_, _>>()?, grades: Grades::read(tables, chunk.judgments.as_ref())? })
    }

    /// Returns the session in a row, if it has judgments and the primary metric is defined for the baseline and the candidate.
    pub(super) fn session(&self, candidate: usize, row: usize) -> Option<JudgedSession<'_>> {
        let grades = Some(self.grades.of_session(row)).filter(|grades| !grades.is_empty())?;
        let is_usable = |arm: &ArmTops| arm.primary.is_valid(row) && arm.errors.is_null(row);
        let is_pair = [self.arms.first()?, self.arms.get(candidate)?].into_iter().all(is_usable);
        is_pair.then_some(JudgedSession { grades })
    }

    /// Calls `visit` with the row of every such session, the session, and both top lists down to the cutoff.
    pub(super) fn each_pair(
        &self,
        candidate: usize,
        cutoff: NonZeroUsize,
        mut visit: impl FnMut(usize, JudgedSession<'_>, &TopLists),
    ) {
        let Some((baseline, new)) = self.arms.first().zip(self.arms.get(candidate)) else { return };
        let mut lists = similarity::top_lists();
        for row in 0..self.grades.ends.len() {
            if let Some(session) = self.session(candidate, row) {
                let tops = [baseline, new].map(|arm| top_keys(arm.items.value(row)).take(cutoff.get()));
                let [baseline, new] = tops;
                lists.compare(baseline, new);
                visit(row, session, &lists);
            }
        }
    }
}

impl ArmTops {
    fn of(plan: &Plan, batch: &RecordBatch) -> Result<Self, Damaged> {
        Ok(Self {
            items: binaries(batch, column::TOP_ITEMS)?,
            errors: text_column(batch, column::ERROR_KIND)?.clone(),
            primary: numbers(batch, &plan.primary)?,
        })
    }
}

impl Grades {
    /// Takes up the judgments of sessions; those that are `known` need not be read.
    fn read(tables: &impl Tables, known: Option<&ListArray>) -> Result<Self, StoreError> {
        let grades = match known {
            Some(known) => Self::of(known),
            None => list(&tables.sessions(&[column::JUDGMENTS])?, column::JUDGMENTS).and_then(Self::of),
        };
        grades.map_err(|error| StoreError::table(&tables.sessions_path(), error))
    }

    fn of(judgments: &ListArray) -> Result<Self, Damaged> {
        let acts = structs(judgments, column::JUDGMENTS)?;
        let items = texts(field(acts, column::ITEM_ID)?, column::ITEM_ID)?;
        let values = as_numbers::<Float32Type>(field(acts, column::GRADE)?, column::GRADE)?;
        let mut grades: Vec<(u64, f64)> = Vec::with_capacity(items.len());
        let mut ends = Vec::with_capacity(judgments.len());
        for row in 0..judgments.len() {
            let start = grades.len();
            // Of several grades of one item the last counts: it comes first, and the order is stable.
            let judged = list_range(judgments, row).rev();
            grades.extend(judged.map(|index| (item_key(items.value(index)), f64::from(values.value(index)))));
            let of_session = grades.get_mut(start..).unwrap_or_default();
            of_session.sort_by_key(|(key, _)| *key);
            let kept = start + keep_first_of_each(of_session);
            grades.truncate(kept);
            ends.push(kept);
        }
        Ok(Self { grades, ends })
    }

    /// The grades of the session in a row; none where it has none.
    fn of_session(&self, row: usize) -> &[(u64, f64)] {
        let end = |row: Option<usize>| row.and_then(|row| self.ends.get(row)).copied();
        let start = end(row.checked_sub(1)).unwrap_or(0);
        end(Some(row)).and_then(|end| self.grades.get(start..end)).unwrap_or_default()
    }
}

/// Moves the first of each run of equal keys to the front, in their order. Returns how many there are.
fn keep_first_of_each(grades: &mut [(u64, f64)]) -> usize {
    let mut kept = 0;
    for index in 0..grades.len() {
        let is_new = index == 0 || grades[index].0 != grades[kept - 1].0;
        if is_new {
            grades[kept] = grades[index];
            kept += 1;
        }
    }
    kept
}

/// Judgments of a session that are looked through from the first on: for so few that takes less time than halving them.
const FEW: usize = 8;

impl JudgedSession<'_> {
    /// Returns the grade of an item; `None` for an unjudged one.
    pub(super) fn grade(&self, key: u64) -> Option<f64> {
        if self.grades.len() <= FEW {
            return self.grades.iter().find(|(judged, _)| *judged == key).map(|(_, grade)| *grade);
        }
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
    fn of_several_grades_of_an_item_the_last_counts_and_sessions_keep_to_themselves() {
        let sessions = [
            vec![("b", 1.0), ("a", 2.0), ("b", 3.0), ("b", 0.0), ("c", 1.0)],
            vec![],
            vec![("a", 4.0), ("a", -1.0)],
            (0..30).map(|item| (["d", "e", "f", "g", "h", "i", "j", "k", "l", "m"][item % 10], item as f32)).collect(),
        ];
        let session = |(row, judged): (usize, &Vec<(&str, f32)>)| {
            let judged = judged.iter().map(|(item, grade)| Judgment { item_id: (*item).into(), grade: *grade });
            Session { session_id: row.to_string(), judgments: judged.collect(), ..Session::default() }
        };
        let batch = sessions_to_batch(&sessions.iter().enumerate().map(session).collect::<Vec<_>>()).expect("a batch");
        let grades = Grades::of(list(&batch, column::JUDGMENTS).expect("judgments")).expect("grades");
        for (row, judged) in sessions.iter().enumerate() {
            let found = JudgedSession { grades: grades.of_session(row) };
            let last: std::collections::BTreeMap<u64, f64> =
                judged.iter().map(|(item, grade)| (item_key(item), f64::from(*grade))).collect();
            assert_eq!(found.grades, last.iter().map(|(key, grade)| (*key, *grade)).collect::<Vec<_>>());
            for item in ["a", "b", "c", "d", "k", "x"].map(item_key) {
                assert_eq!(found.grade(item), last.get(&item).copied());
            }
        }
        assert!(grades.of_session(sessions.len()).is_empty());
    }

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
