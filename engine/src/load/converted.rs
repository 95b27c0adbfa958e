//! Sessions of any layout, converted for a run alone: in memory while they fit there, else as native Parquet.

use std::path::Path;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::parquet::basic::Compression;

use super::import::{Read, SessionsWriter, read_all, to_batch};
use super::repeats::find_repeated_row;
use super::{ImportSummary, LoadError, SessionReader};
use crate::session::Session;

/// Sessions in the schema [`crate::schema::SESSIONS`], in the order in which they were read, every id of which occurs once.
pub(crate) struct Converted {
    /// What was read.
    pub(crate) summary: ImportSummary,
    /// Whether the ids ascend.
    pub(crate) ascending: bool,
    /// The sessions where they fit into memory; `None` where they are in the file.
    pub(crate) kept: Option<Kept>,
}

/// Converts every session of `reader`. They stay in memory while they take at most `memory_bytes`; more are written to the
/// Parquet file `out`, which appears complete or not at all, compressed by what is fastest to undo.
///
/// # Errors
///
/// Returns the errors of [`super::import()`].
pub(crate) fn convert(mut reader: SessionReader, out: &Path, memory_bytes: usize) -> Result<Converted, LoadError> {
    let mut kept = Kept::default();
    let mut writer: Option<SessionsWriter> = None;
    let read = read_all(&mut reader, out, |batch| {
        if let Some(writer) = &mut writer {
            return writer.write(&batch);
        }
        kept.push(out, batch)?;
        if kept.bytes > memory_bytes {
            let writer = writer.insert(SessionsWriter::create(out, Compression::SNAPPY)?);
            std::mem::take(&mut kept).batches.iter().try_for_each(|batch| writer.write(batch))?;
        }
        Ok(())
    })?;
    let kept = match writer {
        Some(writer) => {
            writer.publish(&reader, &read)?;
            None
        }
        None => {
            read.refuse_repeats(&reader, |sessions| find_repeated_row(&kept.batches, sessions))?;
            Some(kept)
        }
    };
    let Read { summary, ascending } = read;
    Ok(Converted { summary, ascending, kept })
}

/// Sessions in memory. Most columns of most inputs hold nothing at all; all batches share what stands for nothing.
#[derive(Default)]
pub(crate) struct Kept {
    /// The first is the longest.
    pub(crate) batches: Vec<RecordBatch>,
    /// What they take.
    pub(crate) bytes: usize,
    /// As many sessions without anything as the first batch has.
    nothing: Option<RecordBatch>,
}

impl Kept {
    fn push(&mut self, out: &Path, batch: RecordBatch) -> Result<(), LoadError> {
        let rows = batch.num_rows();
        let nothing = match &mut self.nothing {
            Some(nothing) => nothing,
            empty => empty.insert(to_batch(out, &vec![Session::default(); rows])?),
        };
        let columns = batch.columns().iter().zip(nothing.columns());
        let columns: Vec<ArrayRef> = columns
            .map(|(column, nothing)| {
                let nothing = nothing.slice(0, rows.min(nothing.len()));
                if column == &nothing {
                    return nothing;
                }
                self.bytes += column.get_array_memory_size();
                column.clone()
            })
            .collect();
        // The columns are of the batch's types and length.
        self.batches.push(RecordBatch::try_new(batch.schema(), columns).unwrap_or(batch));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::spec::SessionsPath;
    use crate::load::fixture::{Fixture, files, read_all as read_sessions};
    use crate::rows::sessions_from_batch;

    fn converted(fixture: &Fixture, path: &SessionsPath, memory_bytes: usize) -> Result<Converted, LoadError> {
        convert(SessionReader::open(path, None)?, &fixture.folder().join("out.parquet"), memory_bytes)
    }

    fn lines(sessions: usize) -> String {
        let line = |number: usize| {
            let judged = if number.is_multiple_of(3) { ",\"judgments\":[{\"item_id\":\"a\",\"grade\":2}]" } else { "" };
            format!("{{\"session_id\":\"s{number:05}\",\"query\":\"q{number}\"{judged}}}\n")
        };
        (0..sessions).map(line).collect()
    }

    #[test]
    fn sessions_are_the_same_in_memory_and_in_the_file() {
        let fixture = Fixture::new();
        let path = files(&fixture.write("a.jsonl", lines(9000)));
        let expected = read_sessions(&path).0.expect("sessions");
        let out = fixture.folder().join("out.parquet");
        let held = converted(&fixture, &path, usize::MAX).expect("converted");
        let Kept { batches, bytes, .. } = held.kept.expect("batches");
        assert!(held.ascending && bytes > 0 && !out.exists());
        let found: Vec<Session> =
            batches.iter().flat_map(|batch| sessions_from_batch(batch).expect("sessions")).collect();
        assert_eq!(found, expected);
        let unused =
            |batch: &RecordBatch| batch.column_by_name("user_id").expect("a column").to_data().buffers()[0].as_ptr();
        assert_eq!(unused(&batches[0]), unused(&batches[2]), "what holds nothing is shared");
        for memory_bytes in [0, 200_000] {
            let written = converted(&fixture, &path, memory_bytes).expect("converted");
            assert!(written.kept.is_none());
            assert_eq!(written.summary, held.summary);
            assert_eq!(read_sessions(&files(&out)).0.expect("sessions"), expected);
            std::fs::remove_file(&out).expect("removed");
        }
    }

    #[test]
    fn a_repeated_id_names_both_rows_wherever_the_sessions_are() {
        let fixture = Fixture::new();
        let path = files(&fixture.write("a.jsonl", lines(3) + "{\"session_id\":\"s00001\"}\n"));
        for memory_bytes in [0, usize::MAX] {
            let error = converted(&fixture, &path, memory_bytes).err().expect("an error").to_string();
            assert!(error.contains("row 4: duplicate session_id `s00001`, first seen in row 2"), "{error}");
        }
        assert_eq!(std::fs::read_dir(fixture.folder()).expect("a folder").count(), 1);
    }
}
