//! Damaged and lying inputs: what a reader makes of them is the original rows or an error that says where, never other rows.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, NullArray, RecordBatch, StringArray, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
use datafusion::parquet::file::properties::WriterProperties;

use super::dirt::DirtKind;
use super::fixture::{Fixture, arrow_file, arrow_stream, files, gzip, parquet, read_all};
use super::{LoadError, SessionBatches, check_session_ids};
use crate::benchmark::spec::{SessionsPath, TrecSpec, UbiSpec};
use crate::rows::{sessions_from_batch, sessions_to_batch};
use crate::session::{Interaction, Judgment, Session, ShownItem};

const FLIPS: u64 = 1000;

fn sessions(count: usize) -> Vec<Session> {
    let session = |number: usize| Session {
        session_id: format!("s{number:04}"),
        timestamp: Some(1_767_225_600_000 + number as i64),
        query: Some(format!("red lamp {number}")),
        query_vector: (number.is_multiple_of(3)).then(|| vec![0.5, number as f32]),
        taxonomy: vec!["home/lamps".into()],
        shown: vec![ShownItem { item_id: format!("i{number}"), score: Some(number as f64), propensity: None }],
        interactions: vec![Interaction {
            item_id: format!("i{number}"),
            kind: "click".into(),
            position: Some(1),
            timestamp: None,
            value: Some(0.25),
        }],
        judgments: vec![Judgment { item_id: format!("i{number}"), grade: (number % 5) as f32 - 1.0 }],
        ..Session::default()
    };
    (0..count).map(session).collect()
}

/// Parquet of several row groups, compressed so that a changed page does not decode by accident.
fn grouped_parquet(batch: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(16))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("written");
    writer.close().expect("closed");
    bytes
}

/// Numbers that are the same in every run (Steele and others' SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}

/// Returns the content with one bit changed, and where.
fn flipped(content: &[u8], numbers: &mut Numbers) -> (Vec<u8>, usize) {
    let bit = usize::try_from(numbers.next() % (content.len() as u64 * 8)).expect("a place");
    let mut changed = content.to_vec();
    changed[bit / 8] ^= 1 << (bit % 8);
    (changed, bit / 8)
}

/// Asserts that an error says which file it is, in one line without a trace of a panic.
#[track_caller]
fn assert_named(error: &LoadError, name: &str) {
    let mut text = error.to_string();
    assert!(text.contains(name), "no file: {text}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    assert!(!text.contains("panicked"), "{text}");
}

/// Returns the sessions as the sample reads them: ids first, then batches.
fn native(path: &Path) -> Result<Vec<Session>, LoadError> {
    let paths = [path.to_owned()];
    check_session_ids(&paths)?;
    let columns: Vec<&str> = crate::schema::SESSIONS.fields().iter().map(|field| field.name().as_str()).collect();
    let mut batches = SessionBatches::new(&paths, &columns);
    let mut sessions = Vec::new();
    while let Some(batch) = batches.next_batch()? {
        sessions.extend(sessions_from_batch(&batch).expect("rows"));
    }
    Ok(sessions)
}

/// Asserts that the table is refused with its name, or read as it was written. Returns whether it was read.
#[track_caller]
fn assert_same_or_refused(fixture: &Fixture, name: &str, content: &[u8], original: &[Session], what: &str) -> bool {
    let path = fixture.write(name, content);
    let mut results = vec![read_all(&files(&path)).0];
    if content.starts_with(b"PAR1") {
        results.push(native(&path));
    }
    let mut all = true;
    for result in results {
        match result {
            Ok(found) => assert_eq!(found, original, "{name}, {what}"),
            Err(error) => {
                assert_named(&error, name);
                all = false;
            }
        }
    }
    all
}

#[test]
fn a_table_cut_at_any_byte_is_refused() {
    let fixture = Fixture::new();
    let original = sessions(2);
    let batch = sessions_to_batch(&original).expect("a batch");
    for (name, content) in
        [("a.parquet", grouped_parquet(&batch)), ("a.arrow", arrow_file(&batch)), ("a.arrows", arrow_stream(&batch))]
    {
        for length in 0..content.len() {
            let read = assert_same_or_refused(&fixture, name, &content[..length], &original, "cut");
            assert!(!read, "{name} cut at {length}");
        }
    }
}

#[test]
fn a_flipped_bit_of_a_compressed_table_never_loses_or_adds_a_row() {
    let fixture = Fixture::new();
    let original = sessions(48);
    let content = grouped_parquet(&sessions_to_batch(&original).expect("a batch"));
    let mut numbers = Numbers(7);
    for _ in 0..FLIPS {
        let (changed, place) = flipped(&content, &mut numbers);
        let path = fixture.write("a.parquet", &changed);
        for result in [read_all(&files(&path)).0, native(&path)] {
            match result {
                // Our Parquet library writes no page checksums: a bit of a literal inside of compressed data decodes to
                // another value, which nobody can tell.
                Ok(found) => assert_eq!(found.len(), original.len(), "byte {place}"),
                Err(error) => assert_named(&error, "a.parquet"),
            }
        }
    }
}

#[test]
fn flipped_bits_of_arrow_are_refused_or_change_no_row_count() {
    let fixture = Fixture::new();
    let original = sessions(12);
    let batch = sessions_to_batch(&original).expect("a batch");
    let mut numbers = Numbers(11);
    for (name, content) in [("a.arrow", arrow_file(&batch)), ("a.arrows", arrow_stream(&batch))] {
        for _ in 0..FLIPS {
            let (changed, place) = flipped(&content, &mut numbers);
            // Arrow has no checksums: a flipped bit of a value is another value, which nobody can tell.
            match read_all(&files(&fixture.write(name, &changed))).0 {
                Ok(found) => assert_eq!(found.len(), original.len(), "{name}, byte {place}"),
                Err(error) => assert_named(&error, name),
            }
        }
    }
}

/// Returns the file with its footer's counts changed.
fn with_footer(content: &[u8], change: impl Fn(&mut Vec<i64>, i64) -> i64) -> Vec<u8> {
    let metadata =
        ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::copy_from_slice(content)).expect("metadata");
    let mut groups: Vec<i64> = metadata.row_groups().iter().map(|group| group.num_rows()).collect();
    let rows = change(&mut groups, metadata.file_metadata().num_rows());
    let mut builder = metadata.clone().into_builder();
    let changed: Vec<_> = builder
        .take_row_groups()
        .into_iter()
        .zip(groups)
        .map(|(group, rows)| group.into_builder().set_num_rows(rows).build().expect("a group"))
        .collect();
    let metadata = builder.set_row_groups(changed).build();
    let file = metadata.file_metadata();
    let file = datafusion::parquet::file::metadata::FileMetaData::new(
        file.version(),
        rows,
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        None,
    );
    let metadata = datafusion::parquet::file::metadata::ParquetMetaData::new(file, metadata.row_groups().to_vec());
    let length = u32::from_le_bytes(content[content.len() - 8..content.len() - 4].try_into().expect("4 bytes"));
    let mut lying = content[..content.len() - 8 - length as usize].to_vec();
    ParquetMetaDataWriter::new(&mut lying, &metadata).finish().expect("written");
    lying
}

#[test]
fn a_footer_that_lies_about_rows_is_refused() {
    let fixture = Fixture::new();
    let original = sessions(48);
    let content = grouped_parquet(&sessions_to_batch(&original).expect("a batch"));
    let same = with_footer(&content, |_, rows| rows);
    assert!(assert_same_or_refused(&fixture, "a.parquet", &same, &original, "an honest footer"));
    for (what, lie) in [
        (
            "a shorter group",
            with_footer(&content, |groups, rows| {
                groups[1] -= 1;
                rows - 1
            }),
        ),
        (
            "a longer group",
            with_footer(&content, |groups, rows| {
                groups[1] += 1;
                rows + 1
            }),
        ),
        (
            "a huge group",
            with_footer(&content, |groups, rows| {
                groups[2] = 1 << 40;
                rows
            }),
        ),
        (
            "a negative group",
            with_footer(&content, |groups, rows| {
                groups[0] = -16;
                rows - 32
            }),
        ),
    ] {
        assert!(!assert_same_or_refused(&fixture, "a.parquet", &lie, &original, what), "{what}");
    }
    let end = content.len();
    for length in [0_u32, 1, 8, 1 << 20, u32::MAX, i32::MAX as u32] {
        let mut lie = content.clone();
        lie[end - 8..end - 4].copy_from_slice(&length.to_le_bytes());
        let what = format!("a footer of {length} bytes");
        assert!(!assert_same_or_refused(&fixture, "a.parquet", &lie, &original, &what), "{what}");
    }
}

#[test]
fn a_damaged_page_is_named_by_row_group_and_column() {
    let fixture = Fixture::new();
    let content = grouped_parquet(&sessions_to_batch(&sessions(48)).expect("a batch"));
    let metadata =
        ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::copy_from_slice(&content)).expect("metadata");
    let query = metadata.row_group(1).columns().iter().find(|column| column.column_path().string() == "query");
    let (start, length) = query.expect("a column").byte_range();
    let mut damaged = content;
    damaged[start as usize..(start + length) as usize].fill(0xff);
    let error = native(&fixture.write("a.parquet", damaged)).expect_err("an error");
    let text = format!("{error}: {}", std::error::Error::source(&error).expect("a source"));
    assert!(text.contains("row group 2 (rows 17 to 32), column `query`"), "{text}");
}

#[test]
fn ten_thousand_columns_are_read_as_the_few_that_matter() {
    let fixture = Fixture::new();
    let mut fields = vec![Field::new("session_id", DataType::Utf8, false)];
    fields.extend((0..10_000).map(|number| Field::new(format!("column_{number}"), DataType::Int64, true)));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["s1"]))];
    columns.extend((0..10_000).map(|_| new_null_array(&DataType::Int64, 1)));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch");
    for (name, content) in
        [("a.parquet", parquet(&batch)), ("a.arrow", arrow_file(&batch)), ("a.arrows", arrow_stream(&batch))]
    {
        let (read, dirt) = read_all(&files(&fixture.write(name, content)));
        assert_eq!(read.expect(name).len(), 1);
        assert_eq!(dirt.count(super::DirtKind::IgnoredColumn), 10_000);
    }
    let header: String = (0..10_000).map(|number| format!(",column_{number}")).collect();
    let csv = fixture.write("a.csv", format!("session_id{header}\ns1{}\n", ",".repeat(10_000)));
    assert_eq!(read_all(&files(&csv)).0.expect("sessions").len(), 1);
}

#[test]
fn values_that_no_session_may_have_are_named_by_row() {
    let fixture = Fixture::new();
    let mut bad = sessions(40);
    bad[33].judgments[0].grade = f32::NAN;
    let path = fixture.write("a.parquet", parquet(&sessions_to_batch(&bad).expect("a batch")));
    let message = native(&path).expect_err("an error").to_string();
    assert!(message.contains("row 34: `judgments.grade` is NaN"), "{message}");
    bad[33].judgments[0].grade = -2.0;
    bad[39].session_id = bad[5].session_id.clone();
    let path = fixture.write("a.parquet", parquet(&sessions_to_batch(&bad).expect("a batch")));
    let message = native(&path).expect_err("an error").to_string();
    assert!(message.contains("row 40: duplicate session_id `s0005`, first seen in row 6"), "{message}");
    let ids: ArrayRef = Arc::new(NullArray::new(3));
    let nulls = RecordBatch::try_from_iter_with_nullable([("session_id", ids, true)]).expect("a batch");
    let message = read_all(&files(&fixture.write("a.arrow", arrow_file(&nulls)))).0.expect_err("an error").to_string();
    assert!(message.contains("row 1: `session_id` is null"), "{message}");
}

fn trec(qrels: &Path) -> SessionsPath {
    SessionsPath::Trec(TrecSpec { topics: None, qrels: qrels.display().to_string() })
}

fn flat(topics: ArrayRef, documents: ArrayRef, grades: ArrayRef) -> RecordBatch {
    let columns = [("q_id", topics, true), ("doc_id", documents, true), ("score", grades, true)];
    RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn flat_judgments_are_read_like_lines() {
    let fixture = Fixture::new();
    let lines = fixture.write("qrels", "1 0 a 2\n1 0 b -1\n2 0 a 0\n");
    let expected = read_all(&trec(&lines)).0.expect("sessions");
    let documents = texts(&["a", "b", "a"]);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2]));
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![2, -1, 0]));
    let fractions: ArrayRef = Arc::new(Float64Array::from(vec![2.0, -1.0, 0.0]));
    for batch in
        [flat(numbers, Arc::clone(&documents), whole), flat(texts(&["1", "1", "2"]), Arc::clone(&documents), fractions)]
    {
        for content in [parquet(&batch), arrow_file(&batch), arrow_stream(&batch)] {
            let (found, dirt) = read_all(&trec(&fixture.write("qrels.data", content)));
            assert_eq!(found.expect("sessions"), expected);
            assert_eq!(dirt.count(super::DirtKind::NegativeGrade), 1);
        }
    }
}

#[test]
fn flat_judgments_that_cannot_be_used_name_column_and_row() {
    let fixture = Fixture::new();
    let message = |batch: &RecordBatch| {
        let error = read_all(&trec(&fixture.write("q.parquet", parquet(batch)))).0.expect_err("an error");
        assert_named(&error, "q.parquet");
        error.to_string()
    };
    let grades = |values: Vec<Option<f64>>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    for (grade, part) in [
        (Some(f64::NAN), "row 2: `score` is NaN"),
        (Some(f64::INFINITY), "row 2: `score` is inf"),
        (Some(1e300), "row 2: `score` is 1"),
        (None, "row 2: `score` is null"),
    ] {
        let found = message(&flat(texts(&["1", "1"]), texts(&["a", "b"]), grades(vec![Some(1.0), grade])));
        assert!(found.contains(part), "{found}");
    }
    let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("1"), None]));
    let found = message(&flat(ids, texts(&["a", "b"]), grades(vec![Some(1.0); 2])));
    assert!(found.contains("row 2: `q_id` is null"), "{found}");
    let found = message(&flat(texts(&["1"]), texts(&["a"]), texts(&["good"])));
    assert!(found.contains("column `score` has type Utf8, expected a number"), "{found}");
    let columns = [("topic", texts(&["1"]), true), ("doc_id", texts(&["a"]), true)];
    let found = message(&RecordBatch::try_from_iter_with_nullable(columns).expect("a batch"));
    assert!(found.contains("no column `q_id` or `query_id`"), "{found}");
}

#[test]
fn damaged_flat_judgments_are_refused_or_the_same() {
    let fixture = Fixture::new();
    let topics: Vec<String> = (0..60).map(|number| format!("topic {}", number / 3)).collect();
    let documents: Vec<String> = (0..60).map(|number| format!("document {number}")).collect();
    let text = |values: &[String]| -> ArrayRef { Arc::new(StringArray::from_iter_values(values)) };
    let grades: ArrayRef = Arc::new(Int64Array::from_iter_values(0..60));
    let content = grouped_parquet(&flat(text(&topics), text(&documents), grades));
    let original = read_all(&trec(&fixture.write("q.parquet", &content))).0.expect("sessions");
    // A file without a byte is one without judgments, of any format.
    for length in 1..content.len() {
        let error = read_all(&trec(&fixture.write("q.parquet", &content[..length]))).0.expect_err("an error");
        assert_named(&error, "q.parquet");
    }
    let mut numbers = Numbers(5);
    let judged = |sessions: &[Session]| sessions.iter().map(|session| session.judgments.len()).sum::<usize>();
    for _ in 0..FLIPS {
        let (changed, place) = flipped(&content, &mut numbers);
        match read_all(&trec(&fixture.write("q.parquet", changed))).0 {
            // Without checksums, a flipped bit inside of a text is another text; two judgments of one document are one.
            Ok(found) => assert!(judged(&found) + 2 >= judged(&original), "byte {place}"),
            Err(error) => assert_named(&error, "q.parquet"),
        }
    }
}

#[test]
fn text_cut_or_flipped_anywhere_gives_whole_rows_or_an_error() {
    let fixture = Fixture::new();
    let jsonl: String =
        sessions(3).iter().map(|session| serde_json::to_string(session).expect("JSON") + "\n").collect();
    let csv = "session_id,query,item_id,kind,grade\ns1,lamp,a,click,\ns1,,b,,2\ns2,\"cup, red\",a,,-1\n".to_owned();
    let mut numbers = Numbers(3);
    for (name, text) in [("a.jsonl", jsonl), ("a.csv", csv)] {
        for content in [text.clone().into_bytes(), gzip(&text)] {
            let damaged = (0..content.len()).map(|length| content[..length].to_vec());
            let changed: Vec<Vec<u8>> = (0..FLIPS / 4).map(|_| flipped(&content, &mut numbers).0).collect();
            for bytes in damaged.chain(changed) {
                if let Err(error) = read_all(&files(&fixture.write(name, bytes))).0 {
                    assert_named(&error, name);
                }
            }
        }
    }
    let error = read_all(&trec(&fixture.write("qrels", b"1 0 a 1\n1 0 \xff 1\n"))).0.expect_err("an error");
    assert!(error.to_string().contains("row 2: not UTF-8"), "{error}");
    let error = read_all(&trec(&fixture.write("qrels", "1 0 a 1\n1 0 b NaN\n"))).0.expect_err("an error");
    assert!(error.to_string().contains("row 2: grade `NaN`"), "{error}");
}

#[test]
fn damaged_behaviour_logs_are_errors_that_name_the_file() {
    let fixture = Fixture::new();
    let queries = "{\"query_id\":\"q1\",\"user_query\":\"lamp\",\"query_response_hit_ids\":[\"a\"]}\n";
    let event =
        "{\"query_id\":\"q1\",\"action_name\":\"click\",\"event_attributes\":{\"object\":{\"object_id\":\"a\"}}}\n";
    let queries_path = fixture.write("queries.ndjson", queries);
    let mut numbers = Numbers(9);
    let cut = (0..event.len()).map(|length| event.as_bytes()[..length].to_vec());
    let changed: Vec<Vec<u8>> = (0..FLIPS).map(|_| flipped(event.as_bytes(), &mut numbers).0).collect();
    for bytes in cut.chain(changed) {
        let events = fixture.write("events.ndjson", bytes).display().to_string();
        let spec = UbiSpec { queries: queries_path.display().to_string(), events, application: None };
        match read_all(&SessionsPath::Ubi(spec)).0 {
            Ok(found) => assert_eq!(found.len(), 1),
            // A log of several applications is refused by the name of its queries.
            Err(error) => assert_named(&error, ".ndjson"),
        }
    }
}

#[test]
fn grouping_in_memory_keeps_its_limit() {
    let fixture = Fixture::new();
    let rows: String = (0..2000).map(|number| format!("s{number},lamp\n")).collect();
    let path = files(&fixture.write("a.csv", format!("session_id,query\n{rows}")));
    let read = |memory| super::SessionReader::open_within(&path, None, memory).expect("a reader").next();
    assert!(read(64 << 20).expect("a session").is_ok());
    // A session of its own that is larger than the limit.
    let acts: String = (0..2000).map(|number| format!("s,item{number},click\n")).collect();
    let path = files(&fixture.write("b.csv", format!("session_id,item_id,kind\n{acts}")));
    let error = match super::SessionReader::open_within(&path, None, 64 << 10).map(|mut reader| reader.next()) {
        Ok(found) => found.expect("a result").expect_err("an error"),
        Err(error) => error,
    };
    let text = error.to_string();
    assert!(matches!(error, LoadError::Memory { .. }) && text.contains("--memory-limit"), "{text}");
}

#[test]
fn a_csv_file_beyond_the_limit_is_read_in_shares_to_the_same_sessions_and_dirt() {
    let fixture = Fixture::new();
    let row = |number: usize| {
        let (session, grade) = (number * 7919 % 3000, if number.is_multiple_of(5) { "2" } else { "" });
        format!("s{session},query {session},item{number},click,{grade},x\n")
    };
    let rows: String = (0..9000).map(row).collect();
    let path =
        files(&fixture.write("a.csv", format!("session_id,query,item_id,kind,grade,colour\n{rows}s1,other,,,,\n")));
    let read = |memory| {
        let mut reader = super::SessionReader::open_within(&path, None, memory).expect("a reader");
        let mut sessions: Vec<_> = reader.by_ref().map(|session| session.expect("a session")).collect();
        sessions.sort_by(|one, other| one.session_id.cmp(&other.session_id));
        (sessions, reader.dirt().clone())
    };
    let whole = read(64 << 20);
    assert_eq!((whole.0.len(), whole.1.count(DirtKind::IgnoredColumn)), (3000, 1));
    assert_eq!(whole.1.count(DirtKind::ConflictingSessionValue), 1);
    for memory in [1 << 20, 200 << 10] {
        assert!(read(memory) == whole, "{memory} bytes");
    }
}

#[test]
fn arrow_that_lies_about_lengths_takes_no_memory() {
    let fixture = Fixture::new();
    let batch = sessions_to_batch(&sessions(3)).expect("a batch");
    for (name, content) in [("a.arrow", arrow_file(&batch)), ("a.arrows", arrow_stream(&batch))] {
        // Wherever eight bytes may be a length, they become an absurd one.
        for place in (0..content.len().saturating_sub(8)).step_by(8) {
            for length in [i64::MAX, 1 << 44, -1] {
                let mut lie = content.clone();
                lie[place..place + 8].copy_from_slice(&length.to_le_bytes());
                match read_all(&files(&fixture.write(name, lie))).0 {
                    Ok(found) => assert_eq!(found.len(), 3, "{name}, byte {place}"),
                    Err(error) => assert_named(&error, name),
                }
            }
        }
    }
    assert!(batch.column(0).as_string_opt::<i32>().is_some());
}
