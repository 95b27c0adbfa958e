use std::sync::Arc;

use datafusion::arrow::array::{Array, Float64Array, ListArray, RecordBatch, StringArray, StructArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::parquet::arrow::ArrowSchemaConverter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::arrow::arrow_writer::ArrowWriter;
use proptest::prelude::*;

use super::super::table::TableWriter;
use super::{HITS_PER_PAGE, LISTS_PER_PAGE, encode};
use crate::schema::{column, hit_fields};

/// How many of the hits have a score.
#[derive(Debug, Clone, Copy)]
enum Scores {
    All,
    None,
    Some,
}

/// Lists of these ids as a column of hits.
fn lists(ids: &[Vec<String>], scores: Scores) -> ListArray {
    let flat: Vec<&str> = ids.iter().flatten().map(String::as_str).collect();
    let score = |place: usize| match scores {
        Scores::All => Some(f64::from_bits(place as u64 * 0x0123_4567_89ab)),
        Scores::None => None,
        Scores::Some => (!place.is_multiple_of(3)).then_some(0.5),
    };
    let scores: Float64Array = (0..flat.len()).map(score).collect();
    let elements = StructArray::new(hit_fields(), vec![Arc::new(StringArray::from(flat)), Arc::new(scores)], None);
    let field = Arc::new(Field::new("item", DataType::Struct(hit_fields()), true));
    ListArray::new(field, OffsetBuffer::from_lengths(ids.iter().map(Vec::len)), Arc::new(elements), None)
}

fn batch(lists: ListArray) -> RecordBatch {
    let schema = Schema::new(vec![Field::new(column::HITS, lists.data_type().clone(), true)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(lists)]).unwrap()
}

/// Writes rows with the writer of runs, in row groups of so many lists.
fn written(batch: &RecordBatch, rows_per_group: usize) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hits.parquet");
    let mut writer = TableWriter::create(&path, batch.schema(), rows_per_group).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

/// The slow way: levels for every hit.
fn written_by_the_general_writer(batch: &RecordBatch, rows_per_group: usize) -> Vec<u8> {
    let properties = super::super::table::properties(&batch.schema()).unwrap();
    let properties = properties.set_max_row_group_row_count(Some(rows_per_group)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn read(bytes: Vec<u8>) -> (usize, RecordBatch) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let (groups, schema) = (builder.metadata().num_row_groups(), Arc::clone(builder.schema()));
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    (groups, datafusion::arrow::compute::concat_batches(&schema, &batches).unwrap())
}

fn is_fast(lists: &ListArray) -> bool {
    let batch = batch(lists.clone());
    let parquet = ArrowSchemaConverter::new().convert(&batch.schema()).unwrap();
    encode(batch.column(0), parquet.columns()).unwrap().is_some()
}

#[track_caller]
fn check(lists: ListArray, rows_per_group: usize) {
    let batch = batch(lists);
    let fast = read(written(&batch, rows_per_group));
    assert_eq!(fast, read(written_by_the_general_writer(&batch, rows_per_group)));
    assert_eq!(fast.1, batch);
}

fn ids() -> impl Strategy<Value = Vec<Vec<String>>> {
    let id = prop_oneof![4 => "d[0-9]{7}", 1 => "[a-zä水]{0,3}", 1 => "x{100,300}"];
    prop::collection::vec(prop_oneof![1 => Just(Vec::new()), 4 => prop::collection::vec(id, 0..30)], 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hits_read_like_those_of_the_general_writer(
        ids in ids(),
        scores in prop_oneof![Just(Scores::All), Just(Scores::None), Just(Scores::Some)],
        rows_per_group in 1_usize..80,
        skipped in 0_usize..5,
    ) {
        let lists = lists(&ids, scores);
        let skipped = skipped.min(lists.len() - 1);
        check(lists.slice(skipped, lists.len() - skipped), rows_per_group);
    }
}

#[test]
fn long_lists_and_very_many_short_ones_fill_pages_of_their_own() {
    let id = |hit: usize| format!("d{:0width$}", hit % 1000, width = 1 + hit % 11);
    let long = HITS_PER_PAGE as usize * 2 + 17;
    let of = |lengths: &[usize]| lengths.iter().map(|length| (0..*length).map(id).collect()).collect::<Vec<_>>();
    let long = of(&[3, long, 0, HITS_PER_PAGE as usize, 1]);
    let short = of(&(0..2 * LISTS_PER_PAGE + 5).map(|list| list % 2).collect::<Vec<_>>());
    for (ids, scores) in [(&long, Scores::All), (&long, Scores::None), (&short, Scores::All), (&short, Scores::None)] {
        let lists = lists(ids, scores);
        assert!(is_fast(&lists));
        check(lists, usize::MAX);
    }
}

#[test]
fn lists_with_other_nulls_are_left_to_the_general_writer() {
    let ids = vec![vec!["a".to_owned(), "b".to_owned()], Vec::new(), vec!["c".to_owned()]];
    assert!(!is_fast(&lists(&ids, Scores::Some)));
    let (field, offsets, elements, _) = lists(&ids, Scores::All).into_parts();
    let null_list = NullBuffer::from(vec![true, false, true]);
    let with_null = ListArray::new(field, offsets, elements, Some(null_list));
    assert!(!is_fast(&with_null));
    check(with_null, 2);
    assert!(!is_fast(&lists(&[], Scores::All)));
    check(lists(&[], Scores::All), 2);
}

/// Whether the fast way is taken must depend on the rows alone, or equal rows would give different bytes.
#[test]
fn nulls_beside_the_rows_that_are_written_do_not_show() {
    let ids = ["a", "b", "c", "d"].map(|id| vec![id.to_owned()]);
    let whole = lists(&ids, Scores::Some);
    assert!(!is_fast(&whole) && is_fast(&whole.slice(1, 2)));
    let rows = whole.slice(1, 2);
    let (_, copied) = read(written(&batch(rows.clone()), 9));
    assert!(written(&batch(rows), 9) == written(&copied, 9));
}
