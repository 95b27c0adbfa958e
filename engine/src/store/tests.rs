use std::fs;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryArray, Float64Builder, Int64Array, ListArray, RecordBatch, StringArray, StringBuilder,
    StructBuilder,
};
use datafusion::arrow::array::{ListBuilder, new_null_array};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use datafusion::parquet::column::writer::ColumnCloseResult;
use datafusion::parquet::file::metadata::ParquetMetaDataReader;
use datafusion::parquet::file::writer::SerializedFileWriter;

use super::*;
use crate::schema::{self, column};
use crate::storage::Location;

/// Returns a manifest whose run id is `run_id`.
pub(super) fn manifest(run_id: &str) -> Manifest {
    Manifest {
        layout_version: 2,
        engine_version: "0.0.0".into(),
        run_id: run_id.into(),
        name: "test".into(),
        seed: 1,
        plan: serde_json::json!({}),
        inputs: Vec::new(),
    }
}

fn hits(sessions: usize, per_session: usize, salt: usize) -> ListArray {
    let fields = schema::hit_fields();
    let children =
        StructBuilder::new(fields.clone(), vec![Box::new(StringBuilder::new()), Box::new(Float64Builder::new())]);
    let mut list = ListBuilder::new(children);
    for session in 0..sessions {
        for rank in 0..per_session {
            // A multiplicative hash: ids as they come in a run, neither sorted nor repeated in a row.
            let id = (session * per_session + rank + salt).wrapping_mul(2_654_435_761) % 1_000_000;
            let hit = list.values();
            hit.field_builder::<StringBuilder>(0).unwrap().append_value(format!("d{id:07}"));
            hit.field_builder::<Float64Builder>(1).unwrap().append_value(1.0 / (rank + salt + 1) as f64);
            hit.append(true);
        }
        list.append(session % 7 != 3);
    }
    list.finish()
}

/// Returns rows as a work unit writes them.
pub(super) fn part(sessions: usize, per_session: usize, salt: usize) -> RecordBatch {
    let schema = schema::part(&["nDCG@10".into(), "AP".into()]);
    let ids: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..sessions).map(|row| format!("s{salt:03}-{row:06}"))));
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            column::SESSION_ID => Arc::clone(&ids),
            column::RETRIEVER_ID => Arc::new(StringArray::from_iter_values((0..sessions).map(|_| "prod"))),
            column::HITS => Arc::new(hits(sessions, per_session, salt)),
            column::LATENCY_NS => {
                Arc::new(Int64Array::from_iter((0..sessions).map(|row| (row % 5 > 0).then_some(row as i64))))
            }
            column::HIT_COUNT => {
                Arc::new(datafusion::arrow::array::UInt32Array::from_iter_values((0..sessions).map(|row| row as u32)))
            }
            column::TOP_ITEMS => Arc::new(BinaryArray::from_iter_values((0..sessions).map(|row| row.to_le_bytes()))),
            _ => new_null_array(field.data_type(), sessions),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn new_run(root: &Path) -> RunDirectory {
    RunDirectory::open(root, &manifest("a")).unwrap().0
}

/// Opens a run whose lock was given back: between fork and exec, a process that another test starts holds it too.
fn unlocked<T>(open: impl Fn() -> Result<T, StoreError>) -> T {
    for _ in 0..3000 {
        match open() {
            Err(StoreError::Locked { .. }) => std::thread::sleep(std::time::Duration::from_millis(20)),
            opened => return opened.unwrap(),
        }
    }
    panic!("the lock was not given back");
}

fn read_all(path: &Path) -> RecordBatch {
    let table = TableReader::open(path).unwrap();
    let groups: Vec<RecordBatch> = (0..table.groups()).map(|group| table.group(group).unwrap()).collect();
    datafusion::arrow::compute::concat_batches(table.schema(), &groups).unwrap()
}

#[test]
fn a_copied_table_reads_like_one_that_was_encoded_anew() {
    let folder = tempfile::tempdir().unwrap();
    let run = new_run(folder.path());
    let parts: Vec<RecordBatch> = (0..3).map(|salt| part(100 + salt, 11, salt)).collect();
    for (chunk, part) in parts.iter().enumerate() {
        run.write_part(layout::part(0, chunk), part).unwrap();
    }
    for schema in [schema::RANKINGS.clone(), schema::scores(&["nDCG@10".into(), "AP".into()])] {
        copy_parts(&run, "copied.parquet", &schema, &[0, 1, 2].map(|chunk| layout::part(0, chunk)));
        let projected = parts.iter().map(|part| {
            let columns = schema.fields().iter().map(|field| Arc::clone(part.column_by_name(field.name()).unwrap()));
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap())
        });
        run.write_table("encoded.parquet", Arc::clone(&schema), projected).unwrap();
        let (copied, encoded) = (read_all(&run.path("copied.parquet")), read_all(&run.path("encoded.parquet")));
        assert_eq!(copied.schema(), encoded.schema());
        assert_eq!(copied.schema(), schema);
        assert_eq!(copied, encoded);
        assert_eq!(run.table("copied.parquet").unwrap().groups(), 3);
    }
    let lacking: SchemaRef = Arc::new(Schema::new(schema::SESSIONS.fields().clone()));
    let copy = run.begin_copy("x.parquet", &lacking).unwrap();
    let error = run.copy_part(layout::part(0, 0), 0, &mut [copy]).unwrap_err();
    assert!(format!("{:?}", error).contains("it has no column `visit_id`"), "{error:?}");
    assert!(!run.has("x.parquet"));
}

/// Copies parts into a table, which is then published.
fn copy_parts(run: &RunDirectory, name: &str, schema: &SchemaRef, parts: &[std::path::PathBuf]) {
    let mut copies = vec![run.begin_copy(name, schema).unwrap()];
    for (place, part) in parts.iter().enumerate() {
        run.copy_part(part, place, &mut copies).unwrap();
    }
    run.publish(copies.remove(0).finish().unwrap()).unwrap();
}

/// Copies tables as the library does, column by column.
fn copied_by_the_library(schema: &SchemaRef, parts: &[std::path::PathBuf]) -> Vec<u8> {
    let mut properties = table::properties(schema).unwrap().build();
    add_encoded_arrow_schema_to_metadata(schema, &mut properties);
    let parquet = ArrowSchemaConverter::new().convert(schema).unwrap();
    let mut writer = SerializedFileWriter::new(Vec::new(), parquet.root_schema_ptr(), Arc::new(properties)).unwrap();
    for part in parts {
        let file = fs::File::open(part).unwrap();
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
        for group in metadata.row_groups() {
            let mut copied = writer.next_row_group().unwrap();
            for column in parquet.columns() {
                let chunk = group.columns().iter().find(|chunk| chunk.column_path() == column.path()).unwrap();
                let closed = ColumnCloseResult {
                    bytes_written: chunk.compressed_size() as u64,
                    rows_written: group.num_rows() as u64,
                    metadata: chunk.clone(),
                    bloom_filter: None,
                    column_index: None,
                    offset_index: None,
                };
                copied.append_column(&file, closed).unwrap();
            }
            copied.close().unwrap();
        }
    }
    writer.into_inner().unwrap()
}

#[test]
fn a_copied_table_has_the_bytes_that_the_library_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = new_run(folder.path());
    // The columns of a part stand in another order than those of a table, and the second part has two row groups.
    let part = part(300, 7, 1);
    run.write_part(layout::part(0, 0), &part).unwrap();
    run.write_groups(layout::part(0, 1), part.schema(), [part.slice(0, 100), part.slice(100, 200)].map(Ok).into_iter())
        .unwrap();
    let names = [layout::part(0, 0), layout::part(0, 1)];
    for schema in [schema::RANKINGS.clone(), schema::scores(&["nDCG@10".into(), "AP".into()]), part.schema()] {
        copy_parts(&run, "copied.parquet", &schema, &names);
        let expected = copied_by_the_library(&schema, &names.each_ref().map(|name| run.path(name)));
        assert!(fs::read(run.path("copied.parquet")).unwrap() == expected);
        copy_parts(&run, "none.parquet", &schema, &[]);
        assert!(fs::read(run.path("none.parquet")).unwrap() == copied_by_the_library(&schema, &[]));
    }
}

#[test]
fn parts_that_come_in_any_order_are_listed_by_their_places_and_read_like_those_that_came_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let run = new_run(folder.path());
    for chunk in 0..4 {
        run.write_part(layout::part(0, chunk), &part(50 + chunk, 9, chunk)).unwrap();
    }
    copy_parts(&run, "in-order.parquet", &schema::RANKINGS, &[0, 1, 2, 3].map(|chunk| layout::part(0, chunk)));
    let mut copies = vec![run.begin_copy("mixed.parquet", &schema::RANKINGS).unwrap()];
    for chunk in [2, 0, 3, 1] {
        let copied = run.copy_part(layout::part(0, chunk), chunk, &mut copies).unwrap();
        // What was let go of is read from the disk.
        copied.forget(schema::column::HITS);
        assert_eq!(copied.group(0).unwrap(), part(50 + chunk, 9, chunk));
    }
    run.publish(copies.remove(0).finish().unwrap()).unwrap();
    assert_eq!(read_all(&run.path("mixed.parquet")), read_all(&run.path("in-order.parquet")));
    let mixed = run.table("mixed.parquet").unwrap();
    let places: Vec<_> = mixed.footer().row_groups().iter().map(|group| group.file_offset()).collect();
    assert!(places[2] < places[0] && places[0] < places[3] && places[3] < places[1], "{places:?}");
    let numbers: Vec<_> = mixed.footer().row_groups().iter().map(|group| group.ordinal()).collect();
    assert_eq!(numbers, [0, 1, 2, 3].map(Some));
}

#[test]
fn the_bytes_of_a_table_do_not_tell_how_its_rows_came_in() {
    let folder = tempfile::tempdir().unwrap();
    let rows = part(2500, 20, 5);
    let write = |name: &str, step: usize| {
        let path = folder.path().join(name);
        let mut writer = TableWriter::create(&path, rows.schema(), SESSIONS_PER_CHUNK).unwrap();
        for start in (0..rows.num_rows()).step_by(step) {
            writer.write(&rows.slice(start, step.min(rows.num_rows() - start))).unwrap();
        }
        writer.finish().unwrap();
        fs::read(path).unwrap()
    };
    let whole = write("whole", 2500);
    assert!(whole == write("small", 7) && whole == write("odd", 1025));
}

#[test]
fn some_columns_of_a_group_are_read_as_they_are_in_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let run = new_run(folder.path());
    let rows = part(50, 3, 0);
    run.write_part(layout::part(0, 0), &rows).unwrap();
    let table = run.table(layout::part(0, 0)).unwrap();
    let some = table.group_columns(0, &[column::HITS, "not there", column::SESSION_ID]).unwrap();
    let names: Vec<&str> = some.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, [column::SESSION_ID, column::HITS]);
    assert_eq!(some.column(1), rows.column_by_name(column::HITS).unwrap());
    assert_eq!(table.group_columns(0, &[]).unwrap().num_rows(), 50);
    assert!(table.group(1).is_err());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let table = table.clone();
            scope.spawn(move || assert_eq!(table.group(0).unwrap().num_rows(), 50));
        }
    });
}

#[test]
fn one_listing_tells_the_parts_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let run = new_run(folder.path());
    assert!(run.parts().unwrap().is_empty());
    for (pipeline, chunk) in [(1, 0), (0, 12), (0, 2)] {
        run.write_part(layout::part(pipeline, chunk), &part(2, 1, 0)).unwrap();
    }
    for other in ["0-000003.parquet", "000-000004.parquet.tmp", ".000-000005.parquet.1-1.tmp", "x-y.parquet"] {
        fs::write(run.path(layout::PARTS).join(other), b"").unwrap();
    }
    assert_eq!(run.parts().unwrap().into_iter().collect::<Vec<_>>(), [(0, 2), (0, 12), (1, 0)]);
}

#[test]
fn a_run_is_locked_while_a_handle_of_it_lives_and_leftovers_are_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("run");
    let run = new_run(&root);
    let copy = run.clone();
    drop(run);
    assert!(matches!(RunDirectory::open(&root, &manifest("a")), Err(StoreError::Locked { .. })));
    assert!(matches!(RunDirectory::attach(&root), Err(StoreError::Locked { .. })));
    assert!(matches!(remove_run(&Location::of(&root).unwrap()), Err(StoreError::Locked { .. })));
    assert_eq!(RunDirectory::view(&root).unwrap().2, Opened::Unfinished);
    drop(copy);
    fs::create_dir(root.join(layout::PARTS)).unwrap();
    let leftover = root.join(layout::PARTS).join(".000-000000.parquet.123-4.tmp");
    fs::write(&leftover, b"half").unwrap();
    let (run, found, opened) = unlocked(|| RunDirectory::attach(&root));
    assert_eq!((found.run_id.as_str(), opened), ("a", Opened::Unfinished));
    assert!(!leftover.exists());
    run.write_json(layout::REPORT_JSON, &1).unwrap();
    drop(run);
    assert_eq!(unlocked(|| RunDirectory::open(&root, &manifest("a"))).1, Opened::Finished);
    let another = || match RunDirectory::open(&root, &manifest("b")) {
        Err(StoreError::AnotherRun { .. }) => Ok(()),
        other => other.map(|_| panic!("another run was opened")),
    };
    unlocked(another);
}

#[test]
fn a_run_that_came_to_nothing_makes_room_and_one_with_a_part_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("run");
    let run = new_run(&root);
    for name in [layout::PLAN, layout::SELECTION, layout::SESSIONS] {
        run.write_json(name, &"of the run before").unwrap();
    }
    fs::create_dir(root.join(layout::PARTS)).unwrap();
    drop(run);
    let (run, opened) = unlocked(|| RunDirectory::open(&root, &manifest("b")));
    assert_eq!((opened, run.has(layout::SELECTION), run.has(layout::SESSIONS)), (Opened::New, false, false));
    run.write_part(layout::part(0, 0), &part(2, 1, 0)).unwrap();
    drop(run);
    let is_refused = |root: &Path| {
        unlocked(|| match RunDirectory::open(root, &manifest("c")) {
            Err(StoreError::AnotherRun { .. }) => Ok(()),
            other => other.map(|_| panic!("{} made room", root.display())),
        });
    };
    is_refused(&root);
    assert_eq!(unlocked(|| RunDirectory::open(&root, &manifest("b"))).1, Opened::Unfinished);
    for name in [layout::REPORT_JSON, layout::REQUESTS, "letter.txt"] {
        let root = folder.path().join(name);
        new_run(&root).write_json(name, &1).unwrap();
        is_refused(&root);
    }
}

#[test]
fn a_folder_of_something_else_is_no_run() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(RunDirectory::attach(folder.path()), Err(StoreError::NoRun { .. })));
    assert!(matches!(RunDirectory::view(&folder.path().join("x")), Err(StoreError::NoRun { .. })));
    fs::write(folder.path().join("letter.txt"), b"").unwrap();
    assert!(matches!(RunDirectory::open(folder.path(), &manifest("a")), Err(StoreError::NotARun { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_manifest_that_says_something_else_under_the_same_id_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("run");
    drop(new_run(&root));
    let changed = fs::read_to_string(root.join(layout::MANIFEST)).unwrap().replace("\"seed\": 1", "\"seed\": 2");
    fs::write(root.join(layout::MANIFEST), changed).unwrap();
    let open = || match RunDirectory::open(&root, &manifest("a")) {
        Err(error @ StoreError::ChangedManifest { .. }) => Ok(error.to_string()),
        other => other.map(|_| panic!("a changed manifest was taken for the run's")),
    };
    let said = unlocked(open);
    assert!(said.contains("manifest.json` does not say what this run is made from"), "{said}");
}

#[test]
fn runs_are_found_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::of(folder.path()).unwrap();
    assert!(find_runs(&location).unwrap().is_empty());
    assert!(find_runs(&location.join("not there")).unwrap().is_empty());
    let run = new_run(&folder.path().join("b"));
    run.write_part(layout::part(0, 0), &part(2, 1, 0)).unwrap();
    let scratch = run.scratch().unwrap();
    fs::write(scratch.join("sorted"), b"x").unwrap();
    new_run(&folder.path().join("a")).write_json(layout::REPORT_JSON, &1).unwrap();
    fs::create_dir(folder.path().join("c")).unwrap();
    fs::create_dir(folder.path().join("d")).unwrap();
    let of_another_version = br#"{"layout_version":99,"engine_version":"9.0.0","run_id":"x"}"#;
    fs::write(folder.path().join("d").join(layout::MANIFEST), of_another_version).unwrap();
    // Somebody else's manifest makes no run.
    fs::create_dir(folder.path().join("e")).unwrap();
    fs::write(folder.path().join("e").join(layout::MANIFEST), br#"{"manifest_version":3}"#).unwrap();
    let found = find_runs(&location).unwrap();
    let states: Vec<FoundState> = found.iter().map(|run| run.state).collect();
    assert_eq!(
        states,
        [FoundState::Finished, FoundState::Unfinished { parts_done: 1 }, FoundState::Unfinished { parts_done: 0 }]
    );
    assert_eq!(found[1].manifest.as_ref().map(|manifest| manifest.run_id.as_str()), Some("a"));
    assert!(found[2].manifest.is_none() && found[1].bytes > found[0].bytes);
    run.remove_scratch().unwrap();
    assert!(!scratch.exists());
    drop(run);
    unlocked(|| remove_run(&location.join("b")));
    assert!(!folder.path().join("b").exists());
    for stranger in ["c", "e"] {
        assert!(matches!(remove_run(&location.join(stranger)), Err(StoreError::NoRun { .. })));
    }
}

#[test]
fn a_damaged_table_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = new_run(folder.path());
    run.write_part(layout::part(0, 0), &part(30, 5, 0)).unwrap();
    let path = run.path(layout::part(0, 0));
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = TableReader::open(&path).and_then(|table| table.group(0)).unwrap_err();
        assert!(error.to_string().contains("000-000000.parquet"), "{error}");
    }
    for place in (0..whole.len()).step_by(13) {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        fs::write(&path, &damaged).unwrap();
        // Pages carry no checksum: what is still a table may have another value. It never panics.
        let _ = TableReader::open(&path).and_then(|table| table.group(0));
    }
}

#[test]
fn what_the_system_refuses_is_said_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let pending = PendingFile::create(&path).unwrap();
    std::io::Write::write_all(&mut pending.writer(), b"12345").unwrap();
    let full = || std::io::Error::from_raw_os_error(28);
    let wrapped = datafusion::parquet::errors::ParquetError::External(Box::new(full()));
    for error in [StoreError::write(&path, &pending, 10, full()), StoreError::write(&path, &pending, 10, wrapped)] {
        let said = error.to_string();
        for fragment in
            ["x.parquet`: it needs at least 15 bytes, 5 are written", "are free", "free some space", "resumed"]
        {
            assert!(said.contains(fragment), "{said}");
        }
    }
    for (code, fragment) in [
        (24, "raise `ulimit -n`"),
        (30, "read-only"),
        (27, "`ulimit -f`"),
        (122, "quota"),
        (5, "device"),
        (13, "permissions"),
    ] {
        let said = StoreError::io(&path, std::io::Error::from_raw_os_error(code)).to_string();
        assert!(said.contains(fragment), "{said}");
    }
}
