//! Tables made from choices: rows that are known, written in one of the many ways in which they can be written.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::arrow::ipc::writer::{FileWriter, StreamWriter};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use rematch_engine::session::{Interaction, Judgment, Session, ShownItem};

use crate::input::Choices;

/// Most sessions in a table.
const MOST_SESSIONS: usize = 6;

/// Returns sessions whose ids are all different and whose numbers are all legal.
pub(crate) fn sessions(choices: &mut Choices<'_>) -> Vec<Session> {
    let count = choices.below(MOST_SESSIONS + 1);
    (0..count).map(|number| session(choices, number)).collect()
}

fn session(choices: &mut Choices<'_>, number: usize) -> Session {
    Session {
        session_id: format!("{}{number}", choices.text()),
        visit_id: choices.maybe(Choices::text),
        user_id: choices.maybe(Choices::text),
        timestamp: choices.maybe(Choices::time),
        retriever_id: choices.maybe(Choices::text),
        query: choices.maybe(Choices::text),
        query_vector: choices.maybe(|choices| choices.few(3, |choices| f32::from(choices.byte()) / 4.0)),
        inputs: choices.maybe(Choices::text),
        taxonomy: choices.few(2, Choices::text),
        shown: choices.few(3, |choices| ShownItem {
            item_id: choices.text(),
            score: choices.maybe(Choices::finite),
            propensity: choices.maybe(|choices| (f64::from(choices.byte()) + 1.0) / 256.0),
        }),
        interactions: choices.few(3, |choices| Interaction {
            item_id: choices.text(),
            kind: choices.text(),
            position: choices.maybe(|choices| u32::from(choices.byte())),
            timestamp: choices.maybe(Choices::time),
            value: choices.maybe(Choices::finite),
        }),
        judgments: choices
            .few(3, |choices| Judgment { item_id: choices.text(), grade: f32::from(choices.byte()) - 2.0 }),
        expected: choices.maybe(Choices::text),
    }
}

/// Gives some columns another type that loses nothing, puts them in another order, leaves out what is null, and adds one
/// that nobody knows.
pub(crate) fn disguised(batch: &RecordBatch, choices: &mut Choices<'_>) -> RecordBatch {
    let mut columns: Vec<(Field, ArrayRef)> = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if !columns.is_empty() && field.is_nullable() && array.null_count() == array.len() && choices.yes() {
            continue;
        }
        let array = match other_type(array.data_type(), choices) {
            Some(other) if choices.yes() => cast(array, &other).expect("a wider type"),
            _ => Arc::clone(array),
        };
        let nullable = field.is_nullable() || choices.yes();
        columns.push((Field::new(field.name(), array.data_type().clone(), nullable), array));
    }
    if choices.yes() {
        let numbers: Int64Array = (0..batch.num_rows() as i64).collect();
        columns.push((Field::new("unknown", DataType::Int64, false), Arc::new(numbers)));
    }
    let first = choices.below(columns.len());
    columns.rotate_left(first);
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch")
}

fn other_type(data_type: &DataType, choices: &mut Choices<'_>) -> Option<DataType> {
    let dictionary = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Some(match data_type {
        DataType::Utf8 => choices.pick(&[DataType::LargeUtf8, DataType::Utf8View, dictionary()].each_ref()).clone(),
        DataType::Float64 => return None,
        DataType::Timestamp(_, zone) => {
            let unit = choices.pick(&[TimeUnit::Microsecond, TimeUnit::Nanosecond, TimeUnit::Millisecond]);
            DataType::Timestamp(unit, zone.clone().filter(|_| choices.yes()))
        }
        DataType::List(element) => DataType::LargeList(Arc::clone(element)),
        _ => return None,
    })
}

/// Writes a table as Parquet.
pub(crate) fn parquet(batch: &RecordBatch, choices: &mut Choices<'_>) -> Vec<u8> {
    let compressions = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW];
    let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    let statistics = [EnabledStatistics::None, EnabledStatistics::Chunk, EnabledStatistics::Page];
    let properties = WriterProperties::builder()
        .set_compression(choices.pick(&compressions))
        .set_writer_version(choices.pick(&versions))
        .set_statistics_enabled(choices.pick(&statistics))
        .set_dictionary_enabled(choices.yes())
        .set_data_page_row_count_limit(1 + choices.below(4))
        .set_write_batch_size(1 + choices.below(4))
        .set_max_row_group_row_count(Some(1 + choices.below(5)))
        .set_offset_index_disabled(choices.yes())
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("written");
    writer.close().expect("closed");
    bytes
}

/// Writes a table as an Arrow file or stream, in one batch or in two.
pub(crate) fn arrow(batch: &RecordBatch, choices: &mut Choices<'_>) -> Vec<u8> {
    let first = choices.below(batch.num_rows() + 1);
    let pieces = [batch.slice(0, first), batch.slice(first, batch.num_rows() - first)];
    let mut bytes = Vec::new();
    if choices.yes() {
        let mut writer = StreamWriter::try_new(&mut bytes, batch.schema_ref()).expect("a writer");
        pieces.iter().for_each(|piece| writer.write(piece).expect("written"));
        writer.finish().expect("finished");
    } else {
        let mut writer = FileWriter::try_new(&mut bytes, batch.schema_ref()).expect("a writer");
        pieces.iter().for_each(|piece| writer.write(piece).expect("written"));
        writer.finish().expect("finished");
    }
    bytes
}
