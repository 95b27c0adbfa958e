//! Items and sessions from their pages against the general reader: sound files give the same, damaged ones the same or an error.

mod other_writers;
mod pages;

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Float64Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, Encoding, ZstdLevel};
use datafusion::parquet::file::properties::{WriterProperties, WriterVersion};
use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::super::columns::Columns;
use super::super::table::{Table, TableBlocks};
use crate::load::LoadError;
use crate::load::recorded::RecordedSettings;
use crate::storage::Blob;

/// A run of a block, as plain data: both readers end blocks of lists where it suits them.
#[derive(Debug, PartialEq)]
struct Run {
    row: u64,
    id: String,
    items: StringArray,
}

/// The runs from a row on, up to the end or an error, and the error.
type Read = (Vec<Run>, Option<LoadError>);

fn table(path: &Path, block_rows: Option<usize>) -> Result<Arc<Table>, LoadError> {
    let blob = Blob::open(path).unwrap();
    let table = Table::open(path, blob, |schema| Columns::of(path, schema, &RecordedSettings::default()))?;
    Ok(Arc::new(match block_rows {
        Some(rows) => table.with_block_rows(rows),
        None => table,
    }))
}

fn read(table: &Arc<Table>, from: u64) -> Read {
    let mut blocks = TableBlocks::from_row(Arc::clone(table), from);
    let mut runs = Vec::new();
    loop {
        let position = blocks.position();
        match blocks.next_block() {
            Ok(Some(block)) => {
                assert!(position < blocks.position(), "a block has rows");
                runs.extend(block.bounds.iter().enumerate().map(|(run, hits)| Run {
                    row: block.row(run, hits.start),
                    id: block.ids.value(run).to_owned(),
                    items: block.items.slice(hits.start, hits.len()),
                }));
            }
            Ok(None) => return (runs, None),
            Err(error) => return (runs, Some(error)),
        }
    }
}

/// Returns the rows at which blocks begin, from a row on.
fn begins(path: &Path, block_rows: Option<usize>, from: u64) -> Vec<u64> {
    let mut blocks = TableBlocks::from_row(table(path, block_rows).unwrap(), from);
    let mut begins = Vec::new();
    loop {
        begins.push(blocks.position());
        if blocks.next_block().unwrap().is_none() {
            begins.pop();
            return begins;
        }
    }
}

/// Reads a file by both readers, and returns what was read from pages and by the general reader, and whether the pages of items
/// were known.
fn by_both(path: &Path, block_rows: Option<usize>, from: u64) -> Result<(Read, Read, bool), LoadError> {
    let of_pages = table(path, block_rows)?;
    let general = table(path, block_rows)?;
    general.leave_text_pages();
    let from_pages = read(&of_pages, from);
    let columns: Vec<usize> = (0..4).collect();
    let known =
        of_pages.text_pages(0, 0, &columns).is_ok_and(|pages| pages.iter().any(|pages| pages.name() != "session_id"));
    Ok((from_pages, read(&general, from), known))
}

/// Asserts that both readers read the same, and returns whether the pages were known.
#[track_caller]
fn agree(bytes: &[u8], block_rows: usize, from: u64) -> bool {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("table.parquet");
    std::fs::write(&path, bytes).unwrap();
    let ((from_pages, fault), (general, general_fault), known) = by_both(&path, Some(block_rows), from).unwrap();
    assert!(fault.is_none() && general_fault.is_none(), "{fault:?} {general_fault:?}");
    assert_eq!(from_pages, general);
    let scanned = [false, true].map(|leaves_pages| {
        let table = table(&path, Some(block_rows)).unwrap();
        if leaves_pages {
            table.leave_text_pages();
        }
        let index = table.scan().unwrap();
        (format!("{index:?}"), table.knows_text_pages())
    });
    assert_eq!(scanned[0].0, scanned[1].0);
    assert!(scanned[0].1, "sessions are known in every test");
    known
}

#[derive(Debug, Clone, Copy)]
enum Text {
    Small,
    Large,
    View,
}

/// How a file is written.
#[derive(Debug, Clone)]
struct Layout {
    nested: bool,
    text: Text,
    list_nullable: bool,
    item_nullable: bool,
    second_version: bool,
    /// The largest dictionary page, where there is a dictionary: items go on without it.
    dictionary_bytes: Option<usize>,
    page_rows: usize,
    page_bytes: usize,
    group_rows: usize,
    compression: Compression,
}

fn layouts() -> impl Strategy<Value = Layout> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let text = prop_oneof![Just(Text::Small), Just(Text::Large), Just(Text::View)];
    let dictionary = prop_oneof![Just(None), Just(Some(1 << 20)), (1..60_usize).prop_map(Some)];
    let compression = prop_oneof![
        Just(Compression::UNCOMPRESSED),
        Just(Compression::SNAPPY),
        Just(Compression::ZSTD(ZstdLevel::default()))
    ];
    let sizes = (1..30_usize, prop_oneof![1..200_usize, Just(1 << 20)], prop_oneof![1..40_usize, Just(1 << 20)]);
    (flags, text, dictionary, compression, sizes).prop_map(
        |((nested, list_nullable, item_nullable, second_version), text, dictionary_bytes, compression, sizes)| {
            let (page_rows, page_bytes, group_rows) = sizes;
            let file = (page_rows, page_bytes, group_rows, compression, dictionary_bytes);
            layout((nested, list_nullable, item_nullable, second_version), text, file)
        },
    )
}

fn layout(
    (nested, list_nullable, item_nullable, second_version): (bool, bool, bool, bool),
    text: Text,
    (page_rows, page_bytes, group_rows, compression, dictionary_bytes): (
        usize,
        usize,
        usize,
        Compression,
        Option<usize>,
    ),
) -> Layout {
    Layout {
        nested,
        text,
        list_nullable,
        item_nullable,
        second_version,
        dictionary_bytes,
        page_rows,
        page_bytes,
        group_rows,
        compression,
    }
}

/// Lists of ids; a list or an id may be null.
type Lists = Vec<Option<Vec<Option<String>>>>;

fn ids() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0..10_000_000_u32).prop_map(|number| format!("D{number:07}")),
        2 => "[a-c]{0,3}",
        1 => "[aäß€😀]{0,9}",
        1 => "[a-z]{14,40}",
    ]
}

fn lists() -> impl Strategy<Value = Lists> {
    let pool = prop::collection::vec(ids(), 1..24);
    let length = prop_oneof![0..4_usize, 0..40_usize, 90..110_usize];
    let list = length.prop_flat_map(|length| prop::collection::vec(any::<Pick>(), length));
    let lists = prop::collection::vec(prop::option::weighted(0.9, list), 1..50);
    (pool, lists).prop_map(|(pool, lists)| {
        let item = |pick: Pick| Some(pool[pick.index(pool.len())].clone());
        lists.into_iter().map(|list| Some(list?.into_iter().map(item).collect())).collect()
    })
}

fn file(lists: &Lists, layout: &Layout) -> Vec<u8> {
    let text = match layout.text {
        Text::Small => DataType::Utf8,
        Text::Large => DataType::LargeUtf8,
        Text::View => DataType::Utf8View,
    };
    let items: StringArray = lists.iter().flatten().flatten().cloned().collect();
    let items = cast(&items, &text).unwrap();
    let rows_each = if layout.nested { 3 } else { 1 + layout.page_bytes % 120 };
    let ids =
        |rows: usize| Arc::new((0..rows).map(|row| Some(format!("s{:05}", row / rows_each))).collect::<StringArray>());
    let (schema, columns): (_, Vec<ArrayRef>) = if layout.nested {
        let element = Arc::new(Field::new("element", text, layout.item_nullable));
        let lengths = lists.iter().map(|list| list.as_ref().map_or(0, Vec::len));
        let nulls = layout.list_nullable.then(|| lists.iter().map(Option::is_some).collect::<NullBuffer>());
        let lists = ListArray::try_new(element, OffsetBuffer::from_lengths(lengths), items, nulls).unwrap();
        let hits = Field::new("hits", lists.data_type().clone(), layout.list_nullable);
        let schema = Schema::new(vec![Field::new("session_id", DataType::Utf8, true), hits]);
        (schema, vec![ids(lists.len()), Arc::new(lists)])
    } else {
        let schema = Schema::new(vec![
            Field::new("session_id", DataType::Utf8, true),
            Field::new("score", DataType::Float64, true),
            Field::new("item_id", text, layout.item_nullable),
        ]);
        let scores: Float64Array = (0..items.len()).map(|row| row as f64).collect();
        (schema, vec![ids(items.len()), Arc::new(scores), items])
    };
    let mut properties = WriterProperties::builder()
        .set_compression(layout.compression)
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_data_page_row_count_limit(layout.page_rows)
        .set_data_page_size_limit(layout.page_bytes)
        .set_write_batch_size(layout.page_rows.min(7))
        .set_dictionary_enabled(layout.dictionary_bytes.is_some());
    if layout.second_version {
        properties = properties.set_writer_version(WriterVersion::PARQUET_2_0).set_encoding(Encoding::PLAIN);
    }
    if let Some(bytes) = layout.dictionary_bytes {
        properties = properties.set_dictionary_page_size_limit(bytes);
    }
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build())).unwrap();
    // The writer calls itself for each row group of what it is given.
    let group_rows = layout.group_rows.min(batch.num_rows().max(1));
    for row in (0..batch.num_rows()).step_by(group_rows) {
        writer.write(&batch.slice(row, group_rows.min(batch.num_rows() - row))).unwrap();
    }
    writer.close().unwrap();
    bytes
}

/// Returns how many rows a file has.
fn rows(lists: &Lists, layout: &Layout) -> usize {
    if layout.nested { lists.len() } else { lists.iter().flatten().flatten().count() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn sound_files_are_read_alike_from_every_row(lists in lists(), layout in layouts(), block_rows in 1..40_usize) {
        let bytes = file(&lists, &layout);
        let rows = rows(&lists, &layout);
        prop_assume!(rows > 0);
        for from in (0..rows).step_by(1 + rows / 6) {
            prop_assert!(agree(&bytes, block_rows, from as u64), "the pages are known");
        }
    }

    #[test]
    fn null_items_are_left_to_the_general_reader(lists in lists(), layout in layouts(), pick: Pick, block_rows in 1..40_usize) {
        let layout = Layout { item_nullable: true, ..layout };
        let mut lists = lists;
        let mut places = lists.iter_mut().flatten().flatten().collect::<Vec<_>>();
        prop_assume!(!places.is_empty());
        let place = pick.index(places.len());
        *places[place] = None;
        let bytes = file(&lists, &layout);
        prop_assert!(!agree(&bytes, block_rows, 0), "a page is not known");
    }
}

/// Reads a damaged file by both readers, from its start on: the general reader skips rows of a page that says it has more levels
/// than it has for ever.
fn check_damaged(path: &Path, bytes: &[u8], what: &dyn std::fmt::Display) {
    std::fs::write(path, bytes).unwrap();
    let Ok(((from_pages, fault), (general, general_fault), _)) = by_both(path, Some(9), 0) else { return };
    match (fault, general_fault) {
        (None, None) => assert_eq!(from_pages, general, "{what}"),
        (Some(_), Some(_)) | (None, Some(_)) => {
            assert!(from_pages.iter().zip(&general).all(|(one, other)| one == other), "{what}");
        }
        (Some(fault), None) => panic!("{what}: {fault}, where the general reader finds no fault"),
    }
}

fn small_files() -> Vec<Vec<u8>> {
    let list = |row: usize| (0..row % 5 * 4).map(|item| Some(format!("D{:04}é", row * item % 31))).collect();
    let lists: Lists = (0..24).map(|row| (row % 7 > 0).then(|| list(row))).collect();
    let mut files = Vec::new();
    for nested in [true, false] {
        for second_version in [true, false] {
            for dictionary_bytes in [None, Some(40)] {
                let sizes = (5, 200, 20, Compression::UNCOMPRESSED, dictionary_bytes);
                files.push(file(&lists, &layout((nested, true, true, second_version), Text::Small, sizes)));
            }
        }
    }
    files
}

fn without_messages_of_decoders() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !crate::load::decoder_panics_are_caught() {
                hook(panic);
            }
        }));
    });
}

/// Damages small files at every so many bytes, each time anew, and asserts that both readers give the same or an error.
fn check_damaged_files(step: usize, damage: impl Fn(&mut [u8], usize)) {
    without_messages_of_decoders();
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("table.parquet");
    for (number, bytes) in small_files().into_iter().enumerate() {
        for place in (4 + number % step..bytes.len()).step_by(step) {
            let mut damaged = bytes.clone();
            damage(&mut damaged, place);
            check_damaged(&path, &damaged, &format!("file {number}, byte {place}"));
        }
    }
}

#[test]
fn flipped_bits_give_what_the_general_reader_gives_or_an_error() {
    check_damaged_files(5, |bytes, place| bytes[place] ^= 1 << (place / 5 % 8));
}

#[test]
fn overwritten_bytes_give_what_the_general_reader_gives_or_an_error() {
    check_damaged_files(7, |bytes, place| {
        let length = 1 + place % 4;
        bytes.iter_mut().skip(place).take(length).for_each(|byte| *byte = if place % 2 == 0 { 0xff } else { 0 });
    });
}

#[test]
fn text_that_is_none_is_refused_as_by_the_general_reader() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("table.parquet");
    for (number, bytes) in small_files().into_iter().enumerate() {
        // The two bytes of the `é` of an id.
        let place = (0..bytes.len()).find(|place| bytes[*place..].starts_with("0é".as_bytes())).unwrap() + 1;
        for (first, second) in [(0xc3, b'x'), (0xff, 0xa9)] {
            let mut damaged = bytes.clone();
            damaged[place..place + 2].copy_from_slice(&[first, second]);
            std::fs::write(&path, damaged).unwrap();
            let ((_, fault), (_, general_fault), _) = by_both(&path, Some(9), 0).unwrap();
            let text = |fault: Option<LoadError>| {
                let fault = fault.unwrap();
                format!("{fault}: {}", std::error::Error::source(&fault).unwrap())
            };
            let (fault, general_fault) = (text(fault), text(general_fault));
            assert_eq!(fault, general_fault, "file {number}");
            assert!(fault.contains("table.parquet") && fault.contains("UTF"), "{fault}");
        }
    }
}

#[test]
fn many_rows_are_read_in_blocks_of_their_size() {
    let lists: Lists = (0..3000_u64)
        .map(|row| Some((0..100).map(|item| Some(format!("D{:07}", row * 7919 * item % 1_000_003))).collect()))
        .collect();
    for (nested, dictionary_bytes) in [(true, None), (true, Some(1 << 16)), (false, Some(1 << 16)), (false, None)] {
        let sizes = (20_000, 1 << 16, 100_000, Compression::ZSTD(ZstdLevel::default()), dictionary_bytes);
        let bytes = file(&lists, &layout((nested, true, true, false), Text::Large, sizes));
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("table.parquet");
        std::fs::write(&path, bytes).unwrap();
        for from in [0, 1234] {
            let ((from_pages, fault), (general, _), known) = by_both(&path, None, from).unwrap();
            assert!(fault.is_none() && known);
            // Lists from the first row on are as many as a chunk holds.
            let is_whole = nested && from == 0;
            let blocks = begins(&path, None, from).len();
            assert_eq!((blocks == 1, blocks > 2), (is_whole, !is_whole), "{blocks} blocks");
            assert_eq!(from_pages, general);
        }
    }
}

#[test]
fn blocks_of_lists_end_where_chunks_do_wherever_row_groups_end() {
    let lists: Lists = (0..50).map(|row| Some(vec![Some(format!("D{row:07}")), Some("x".to_owned())])).collect();
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("table.parquet");
    for (nested, expected) in [(true, [0, 16, 20, 32, 40, 48].as_slice()), (false, &[0, 16, 20, 36, 40, 56])] {
        let sizes = (7, 1 << 10, 20, Compression::UNCOMPRESSED, None);
        let bytes = file(&lists, &layout((nested, true, true, false), Text::Small, sizes));
        std::fs::write(&path, &bytes).unwrap();
        let found = begins(&path, Some(16), 0);
        assert_eq!(found[..expected.len()], *expected, "nested: {nested}");
        assert!(agree(&bytes, 16, 0), "the pages are known");
    }
}

#[test]
fn other_encodings_and_types_are_left_to_the_general_reader() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("table.parquet");
    let items: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let numbers: ArrayRef = Arc::new(datafusion::arrow::array::Int64Array::from(vec![1, 2, 3]));
    for (items, encoding) in
        [(&items, Encoding::DELTA_BYTE_ARRAY), (&items, Encoding::DELTA_LENGTH_BYTE_ARRAY), (&numbers, Encoding::PLAIN)]
    {
        let columns = [("session_id", &numbers), ("item_id", items), ("score", &numbers)];
        let columns = columns.map(|(name, column)| (name, Arc::clone(column)));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder().set_dictionary_enabled(false).set_encoding(Encoding::PLAIN);
        let properties = properties.set_column_encoding("item_id".into(), encoding).build();
        let mut writer =
            ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let ((from_pages, fault), (general, _), known) = by_both(&path, None, 0).unwrap();
        assert!(fault.is_none() && !known, "{encoding}");
        assert_eq!((begins(&path, None, 0), from_pages), (vec![0], general));
    }
}
