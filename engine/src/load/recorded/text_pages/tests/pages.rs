//! Pages as the library's writer makes none: lists that go on in the next page, and pages that lie.

use datafusion::parquet::basic::PageType;
use datafusion::parquet::column::page::{CompressedPage, Page, PageWriter as _};
use datafusion::parquet::column::writer::ColumnCloseResult;
use datafusion::parquet::data_type::{ByteArray, ByteArrayType};
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use datafusion::parquet::file::properties::EnabledStatistics;
use datafusion::parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use datafusion::parquet::schema::parser::parse_message_type;

use super::*;

const SCHEMA: &str = "message schema {
    OPTIONAL BYTE_ARRAY session_id (UTF8);
    OPTIONAL GROUP hits (LIST) { REPEATED GROUP list { OPTIONAL BYTE_ARRAY element (UTF8); } }
}";

/// A list's entry: its repetition and definition level, and the id of those that have one.
type Entry = (u8, u8, Option<String>);

fn entries(lists: &Lists) -> Vec<Entry> {
    let mut entries = Vec::new();
    for list in lists {
        match list {
            None => entries.push((0, 0, None)),
            Some(ids) if ids.is_empty() => entries.push((0, 1, None)),
            Some(ids) => entries.extend(ids.iter().enumerate().map(|(place, id)| {
                let level = if id.is_some() { 3 } else { 2 };
                (u8::from(place > 0), level, id.clone())
            })),
        }
    }
    entries
}

/// Writes levels: as runs and packed bits by turns, as `mixed` says.
fn hybrid(levels: &[u8], width: usize, mixed: &[bool]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let number = |number: usize, bytes: &mut Vec<u8>| {
        let mut number = number;
        while number >= 0x80 {
            bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    };
    let mut rest = levels;
    let mut turns = mixed.iter().cycle();
    while let Some(first) = rest.first() {
        if *turns.next().unwrap() {
            let equal = rest.iter().take_while(|level| *level == first).count();
            number(equal << 1, &mut bytes);
            bytes.push(*first);
            rest = &rest[equal..];
        } else {
            let groups = rest.len().div_ceil(8).min(3);
            number(groups << 1 | 1, &mut bytes);
            let (packed, after) = rest.split_at(rest.len().min(groups * 8));
            let mut bits = packed.iter().flat_map(|level| (0..width).map(move |bit| level >> bit & 1));
            bytes.extend(
                (0..groups * width).map(|_| (0..8).fold(0, |byte, bit| byte | bits.next().unwrap_or(0) << bit)),
            );
            rest = after;
        }
    }
    bytes
}

/// How a page differs from what it should be.
#[derive(Debug, Clone, Copy)]
enum Lie {
    None,
    Encoding(Encoding),
    LevelEncoding,
    MoreValues(u32),
    FewerBytes(usize),
}

fn page(entries: &[Entry], mixed: &[bool], second_version: bool, lie: Lie) -> Page {
    let levels = |of: fn(&Entry) -> u8, width| hybrid(&entries.iter().map(of).collect::<Vec<_>>(), width, mixed);
    let (repetitions, definitions) = (levels(|entry| entry.0, 1), levels(|entry| entry.1, 2));
    let mut bytes = Vec::new();
    for levels in [&repetitions, &definitions] {
        if !second_version {
            bytes.extend(u32::try_from(levels.len()).unwrap().to_le_bytes());
        }
        bytes.extend(levels);
    }
    for id in entries.iter().filter_map(|entry| entry.2.as_ref()) {
        bytes.extend(u32::try_from(id.len()).unwrap().to_le_bytes());
        bytes.extend(id.as_bytes());
    }
    let mut num_values = u32::try_from(entries.len()).unwrap();
    let (mut encoding, mut level_encoding) = (Encoding::PLAIN, Encoding::RLE);
    match lie {
        Lie::None => {}
        Lie::Encoding(other) => encoding = other,
        Lie::LevelEncoding => level_encoding = Encoding::PLAIN,
        Lie::MoreValues(more) => num_values += more,
        Lie::FewerBytes(fewer) => bytes.truncate(bytes.len().saturating_sub(fewer)),
    }
    let buf = bytes.into();
    if second_version {
        let (num_rows, num_nulls) = (|| entries.iter(), |entry: &&Entry| entry.2.is_none());
        return Page::DataPageV2 {
            buf,
            num_values,
            encoding,
            num_nulls: num_rows().filter(num_nulls).count() as u32,
            num_rows: num_rows().filter(|entry| entry.0 == 0).count() as u32,
            def_levels_byte_len: definitions.len() as u32,
            rep_levels_byte_len: repetitions.len() as u32,
            is_compressed: false,
            statistics: None,
        };
    }
    Page::DataPage {
        buf,
        num_values,
        encoding,
        def_level_encoding: level_encoding,
        rep_level_encoding: level_encoding,
        statistics: None,
    }
}

fn file_of(pages: Vec<Page>, rows: usize) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    // The column that is put in as bytes has no index, so that none may have one.
    let properties = WriterProperties::builder().set_offset_index_disabled(true);
    let properties = properties.set_statistics_enabled(EnabledStatistics::None).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let leaf = writer.schema_descr().column(1);
    let mut group = writer.next_row_group().unwrap();
    let mut sessions = group.next_column().unwrap().unwrap();
    let ids: Vec<ByteArray> = (0..rows).map(|row| ByteArray::from(format!("s{row}").into_bytes())).collect();
    sessions.typed::<ByteArrayType>().write_batch(&ids, Some(&vec![1; rows]), None).unwrap();
    sessions.close().unwrap();
    let mut sink = TrackedWrite::new(Vec::new());
    let (mut uncompressed, mut entries) = (0, 0);
    for page in pages {
        entries += i64::from(page.num_values());
        let size = page.buffer().len();
        let written = SerializedPageWriter::new(&mut sink).write_page(CompressedPage::new(page, size)).unwrap();
        uncompressed += written.uncompressed_size;
    }
    let bytes = bytes::Bytes::from(sink.into_inner().unwrap());
    let encoding = Encoding::PLAIN;
    let metadata = ColumnChunkMetaData::builder(leaf)
        .set_encodings(vec![Encoding::RLE, encoding])
        .set_page_encoding_stats(vec![PageEncodingStats { page_type: PageType::DATA_PAGE, encoding, count: 1 }])
        .set_total_compressed_size(bytes.len() as i64)
        .set_total_uncompressed_size(uncompressed as i64)
        .set_num_values(entries)
        .set_data_page_offset(0)
        .build()
        .unwrap();
    let closed = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: rows as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    group.append_column(&bytes, closed).unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// Cuts entries into pages, anywhere or only where a list begins.
fn cut(entries: &[Entry], lengths: &[usize], anywhere: bool) -> Vec<Vec<Entry>> {
    let mut pages = vec![Vec::new()];
    let mut lengths = lengths.iter().cycle();
    let mut length = *lengths.next().unwrap();
    for entry in entries {
        let page = pages.last_mut().unwrap();
        if page.len() >= length && (anywhere || entry.0 == 0) {
            length = *lengths.next().unwrap();
            pages.push(vec![entry.clone()]);
        } else {
            page.push(entry.clone());
        }
    }
    pages
}

/// Asserts that both readers read the same from several of the rows on, and returns whether the pages were known each time.
fn agree_from_many_rows(bytes: &[u8], rows: usize, block_rows: usize) -> bool {
    (0..rows).step_by(1 + rows / 8).all(|from| agree(bytes, block_rows, from as u64))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn lists_go_on_in_the_next_page(
        lists in lists(),
        lengths in prop::collection::vec(1..90_usize, 1..6),
        mixed in prop::collection::vec(any::<bool>(), 1..5),
        block_rows in 1..30_usize,
    ) {
        let pages = cut(&entries(&lists), &lengths, true);
        let pages = pages.iter().map(|entries| page(entries, &mixed, false, Lie::None)).collect();
        let bytes = file_of(pages, lists.len());
        prop_assert!(agree_from_many_rows(&bytes, lists.len(), block_rows), "the pages are known");
    }

    #[test]
    fn pages_of_both_versions_may_follow_each_other(
        lists in lists(),
        lengths in prop::collection::vec(1..90_usize, 1..6),
        mixed in prop::collection::vec(any::<bool>(), 1..5),
        versions in prop::collection::vec(any::<bool>(), 1..5),
        block_rows in 1..30_usize,
    ) {
        let pages = cut(&entries(&lists), &lengths, false);
        let pages = pages.iter().zip(versions.iter().cycle());
        let pages = pages.map(|(entries, second)| page(entries, &mixed, *second, Lie::None)).collect();
        let bytes = file_of(pages, lists.len());
        prop_assert!(agree_from_many_rows(&bytes, lists.len(), block_rows), "the pages are known");
    }

    #[test]
    fn pages_that_lie_give_what_the_general_reader_gives_or_an_error(
        lists in lists(),
        lengths in prop::collection::vec(1..90_usize, 1..6),
        mixed in prop::collection::vec(any::<bool>(), 1..5),
        second_version: bool,
        anywhere: bool,
        liar: Pick,
        lie in prop_oneof![
            Just(Lie::None),
            prop_oneof![
                Just(Encoding::DELTA_BYTE_ARRAY),
                Just(Encoding::DELTA_LENGTH_BYTE_ARRAY),
                Just(Encoding::RLE_DICTIONARY),
                Just(Encoding::BYTE_STREAM_SPLIT),
            ].prop_map(Lie::Encoding),
            Just(Lie::LevelEncoding),
            prop_oneof![1..20_u32, 60_000..70_000_u32].prop_map(Lie::MoreValues),
            (1..40_usize).prop_map(Lie::FewerBytes),
        ],
        missing_rows in 0..3_usize,
    ) {
        without_messages_of_decoders();
        let pages = cut(&entries(&lists), &lengths, anywhere);
        let liar = liar.index(pages.len());
        let pages = pages.iter().enumerate();
        let pages = pages.map(|(number, entries)| {
            page(entries, &mixed, second_version, if number == liar { lie } else { Lie::None })
        });
        let bytes = file_of(pages.collect(), lists.len().saturating_sub(missing_rows).max(1));
        let folder = tempfile::TempDir::new().unwrap();
        check_damaged(&folder.path().join("table.parquet"), &bytes, &"lies");
    }
}

#[test]
fn an_encoding_that_the_footer_does_not_tell_of_is_read_all_the_same() {
    let lists: Lists = (0..40).map(|row| Some(vec![Some(format!("D{row}")); 3])).collect();
    let entries = entries(&lists);
    let first = page(&entries[..60], &[true], false, Lie::None);
    // The lengths of 20 lists of 3 ids as `DELTA_LENGTH_BYTE_ARRAY` has them: all equal.
    let mut second = page(&entries[60..], &[true], false, Lie::Encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY));
    if let Page::DataPage { buf, .. } = &mut second {
        let plain = page(&entries[60..], &[true], false, Lie::FewerBytes(60 * 7));
        let mut bytes = plain.buffer().to_vec();
        // Blocks of 128 in 4 parts, 60 lengths, the first is 3, and the others differ from it by 0 in 0 bits.
        bytes.extend([0x80, 1, 4, 60, 6, 0, 0, 0, 0, 0]);
        bytes.extend(entries[60..].iter().flat_map(|entry| entry.2.as_ref().unwrap().bytes()));
        *buf = bytes.into();
    }
    let bytes = file_of(vec![first, second], 40);
    assert!(!agree(&bytes, 7, 0), "the second page is not known");
    assert!(!agree(&bytes, 7, 25), "the second page is not known");
}

/// The library looks for ever for the levels that such a page lacks where rows before it are skipped.
#[test]
fn a_page_that_lacks_levels_is_refused_wherever_reading_begins() {
    without_messages_of_decoders();
    let lists: Lists = (0..40).map(|row| Some(vec![Some(format!("D{row}")); 3])).collect();
    let entries = entries(&lists);
    let lie = Lie::MoreValues(60_000);
    let pages = [(&entries[..60], Lie::None), (&entries[60..90], lie), (&entries[90..], Lie::None)];
    let bytes = file_of(pages.map(|(entries, lie)| page(entries, &[true], false, lie)).into(), 40);
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("table.parquet");
    std::fs::write(&path, bytes).unwrap();
    for from in [0, 3, 19, 25, 35] {
        let (_, fault) = read(&table(&path, Some(7)).unwrap(), from);
        assert!(fault.is_some(), "from row {from}");
    }
}
