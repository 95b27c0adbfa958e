use std::io::Write as _;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, LargeStringArray, ListBuilder,
    RecordBatch, StringArray, StringBuilder, StringViewArray,
};
use datafusion::arrow::datatypes::Int32Type;
use datafusion::parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use super::*;

fn corpus(folder: &TempDir, pattern: &str, id: &str) -> CorpusPlan {
    CorpusPlan { name: "test".into(), path: folder.path().join(pattern), id: id.into() }
}

fn read(corpus: &CorpusPlan, fields: &[&str]) -> Result<Vec<Document>, LoadError> {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    DocumentReader::open(corpus, &fields)?.collect()
}

/// Writes one file and reads it.
fn read_file(name: &str, content: impl AsRef<[u8]>, fields: &[&str]) -> Result<Vec<Document>, LoadError> {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    read(&corpus(&folder, name, "id"), fields)
}

fn document(id: &str, fields: &[&str]) -> Document {
    Document { id: id.into(), fields: fields.iter().map(|field| (*field).to_owned()).collect() }
}

fn gzip(content: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn message(result: Result<Vec<Document>, LoadError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn json_values_become_text_in_the_order_asked() {
    let content = r#"
{"id": 7, "title": "A", "tags": ["x", null, 3, "y"], "price": 1.5, "sold": true, "more": null}

{"title": "é\n", "id": "b"}
"#;
    let documents = read_file("docs.jsonl", content, &["tags", "title", "price", "sold", "more"]).unwrap();
    assert_eq!(documents, [document("7", &["x 3 y", "A", "1.5", "true", ""]), document("b", &["", "é\n", "", "", ""])]);
}

#[test]
fn gzip_is_recognised_whatever_the_name() {
    let content = gzip("{\"id\": \"a\", \"text\": \"b\"}\n");
    for name in ["docs.jsonl.gz", "docs.jsonl", "docs"] {
        assert_eq!(read_file(name, &content, &["text"]).unwrap(), [document("a", &["b"])], "{name}");
    }
    let csv = read_file("docs.csv.gz", gzip("id,text\na,b\n"), &["text"]).unwrap();
    assert_eq!(csv, [document("a", &["b"])]);
    let cut = &content[..content.len() - 9];
    assert!(matches!(read_file("docs.jsonl.gz", cut, &["text"]), Err(LoadError::Io { .. })));
}

#[test]
fn csv_columns_are_found_by_header() {
    let content = "\u{feff}text,id,\"ti,tle\"\n\"a \"\"b\"\"\nc\",1,x\n,2,\n";
    let documents = read_file("docs.csv", content, &["ti,tle", "text"]).unwrap();
    assert_eq!(documents, [document("1", &["x", "a \"b\"\nc"]), document("2", &["", ""])]);
    assert_eq!(read_file("docs.tsv", "id\ttext\n1\ta,b\n", &["text"]).unwrap(), [document("1", &["a,b"])]);
}

#[test]
fn parquet_text_of_any_type_is_read() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("x"), None, Some("y")]);
    lists.append_null();
    let bytes = parquet(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("plain", Arc::new(StringArray::from(vec![Some("a"), None]))),
        ("large", Arc::new(LargeStringArray::from(vec!["b", "c"]))),
        ("view", Arc::new(StringViewArray::from(vec!["d", "e"]))),
        ("dictionary", Arc::new(vec!["f", "f"].into_iter().collect::<DictionaryArray<Int32Type>>())),
        ("list", Arc::new(lists.finish())),
        ("number", Arc::new(Float64Array::from(vec![0.5, 2.0]))),
        ("truth", Arc::new(BooleanArray::from(vec![true, false]))),
    ]);
    let fields = ["list", "plain", "large", "view", "dictionary", "number", "truth"];
    let expected = [
        document("1", &["x y", "a", "b", "d", "f", "0.5", "true"]),
        document("2", &["", "", "c", "e", "f", "2.0", "false"]),
    ];
    for name in ["docs.parquet", "docs.bin"] {
        assert_eq!(read_file(name, &bytes, &fields).unwrap(), expected, "{name}");
    }
}

#[test]
fn a_glob_reads_files_in_order_and_finds_duplicates_across_them() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    write("b.jsonl", "{\"id\": \"2\", \"text\": \"two\"}\n");
    write("a.csv", "id,text\n1,one\n");
    let plan = corpus(&folder, "*", "id");
    assert_eq!(read(&plan, &["text"]).unwrap(), [document("1", &["one"]), document("2", &["two"])]);
    write("c.csv", "id,text\n3,three\n1,again\n");
    let error = message(read(&plan, &["text"]));
    assert!(
        error.contains("c.csv`, row 3: duplicate item id `1`, first seen in") && error.contains("a.csv`, row 2"),
        "{error}"
    );
}

#[test]
fn a_missing_field_names_what_is_there() {
    let json = "{\"id\": 1, \"title\": \"a\"}\n{\"id\": 2, \"text\": \"b\"}\n";
    let error = message(read_file("docs.jsonl", json, &["title", "body"]));
    assert!(error.ends_with("has no column `body`; it has `id`, `text`, `title`"), "{error}");
    let error = message(read_file("docs.csv", "id,title\n1,a\n", &["body"]));
    assert!(error.ends_with("has no column `body`; it has `id`, `title`"), "{error}");
    let bytes = parquet(vec![("id", Arc::new(StringArray::from(vec!["a"])))]);
    let error = message(read_file("docs.parquet", bytes, &["body"]));
    assert!(error.ends_with("has no column `body`; it has `id`"), "{error}");
}

#[test]
fn a_missing_json_field_fails_after_a_thousand_documents() {
    let lines: String = (0..5000).map(|id| format!("{{\"id\": {id}}}\n")).collect();
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("docs.jsonl"), lines).unwrap();
    let reader = DocumentReader::open(&corpus(&folder, "docs.jsonl", "id"), &["body".to_owned()]).unwrap();
    assert_eq!(reader.count(), 1000, "999 documents and the error, then the end");
}

#[test]
fn hostile_rows_name_file_and_row() {
    for (name, content, expected) in [
        ("a.jsonl", "{\"id\": 1, \"t\": \"\"}\n{\"t\": \"\"}\n", "row 2: no id column `id`; the row has `t`"),
        ("b.jsonl", "{\"id\": 1.5, \"t\": \"\"}\n", "row 1: id `id` is a fraction, expected text or a whole number"),
        ("c.jsonl", "{\"id\": null, \"t\": \"\"}\n", "row 1: id `id` is null, expected text or a whole number"),
        ("d.jsonl", "{\"id\": \"\", \"t\": \"\"}\n", "row 1: the item id is empty"),
        ("e.jsonl", "[]\n", "row 1: expected one JSON object per line"),
        ("f.jsonl", "{\"id\": 1, \"t\": {\"x\": 1}}\n", "row 1: field `t` holds an object, expected text"),
        ("g.jsonl", "{\"id\": 1, \"t\": [[1]]}\n", "row 1: field `t` holds a list in a list, expected text"),
        ("h.jsonl", "\n{\"id\": 1, \"t\": 1}\n{\"id\": \"1\"}\n", "row 3: duplicate item id `1`, first seen in row 2"),
        ("i.csv", "id,t\n1,a\n2\n", "row 3: found 1 columns, expected 2 as in the header"),
        ("j.csv", "t\n1\n", "has no column `id`; it has `t`"),
        ("k.jsonl", "", "holds no documents"),
        ("l.csv", "id,t\n", "holds no documents"),
        ("m.csv", "", "holds no documents"),
    ] {
        let error = message(read_file(name, content, &["t"]));
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
    let error = message(read_file("n.jsonl", b"{\"id\": 1, \"t\": \"\xff\"}\n", &["t"]));
    assert!(error.contains("row 1: not UTF-8 text"), "{error}");
    let error = message(read_file("o.csv", b"id,t\n1,\xff\n", &["t"]));
    assert!(error.contains("row 2: not UTF-8 text"), "{error}");
}

#[test]
fn hostile_tables_are_refused() {
    let binary = parquet(vec![("id", Arc::new(BinaryArray::from(vec![b"a".as_ref()])))]);
    let error = message(read_file("a.parquet", binary, &[]));
    assert!(error.contains("column `id` has type Binary, expected text or whole numbers"), "{error}");
    let bytes = parquet(vec![
        ("id", Arc::new(StringArray::from(vec![Some("a"), None]))),
        ("t", Arc::new(BinaryArray::from(vec![b"a".as_ref(), b"b"]))),
    ]);
    assert!(matches!(read_file("b.parquet", &bytes, &["t"]), Err(LoadError::ColumnType { .. })));
    let error = message(read_file("c.parquet", &bytes, &[]));
    assert!(error.contains("row 2: the item id is null"), "{error}");
    let damaged = read_file("d.parquet", &bytes[..bytes.len() - 20], &["t"]);
    assert!(matches!(damaged, Err(LoadError::Damaged { format: "Parquet", .. })));
    assert!(matches!(read_file("e.parquet", b"", &[]), Err(LoadError::Damaged { .. })));
    let folder = TempDir::new().unwrap();
    assert!(matches!(read(&corpus(&folder, "*.parquet", "id"), &[]), Err(LoadError::NoMatch { .. })));
}

#[test]
fn a_damaged_table_is_an_error_that_names_it_and_never_a_panic() {
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values((0..40).map(|number| format!("id {number}"))));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
    let content = parquet(vec![("id", ids), ("number", numbers)]);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !crate::load::decoder_panics_are_caught() {
            hook(panic);
        }
    }));
    for place in 0..content.len() {
        let mut damaged = content.clone();
        damaged[place] ^= 1 << (place % 8);
        match read_file("docs.parquet", damaged, &["number"]) {
            // No checksum tells that a value has changed.
            Ok(documents) => assert_eq!(documents.len(), 40, "byte {place}"),
            Err(error) => assert!(error.to_string().contains("docs.parquet"), "byte {place}: {error}"),
        }
    }
    for length in 0..content.len() {
        assert!(read_file("docs.parquet", &content[..length], &["number"]).is_err(), "cut at {length}");
    }
}
