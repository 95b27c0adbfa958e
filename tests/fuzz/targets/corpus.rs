//! The documents of a corpus: JSON lines, CSV, TSV, Parquet, with the columns that the benchmark names.
//!
//! Asserted: what is read once is read again; no id is empty or occurs twice; a table gives the rows that were written.

use std::path::Path;

use datafusion::arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Int64Type;
use rematch_engine::benchmark::CorpusPlan;
use rematch_engine::load::documents::{Document, DocumentReader};
use rematch_engine::load::{LoadError, inspect};
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::folder::{Folder, gzip};
use crate::input::{Choices, files};
use crate::make;

/// The first line of an input says what the file is, and which columns are read.
pub(super) fn corpus(folder: &Folder, data: &[u8]) {
    let [settings, content] = files(data);
    let settings = String::from_utf8_lossy(settings);
    let mut settings = settings.split_whitespace();
    let name = settings.next().unwrap_or_default();
    let columns: Vec<String> = settings.map(str::to_owned).take(4).collect();
    let columns = if columns.is_empty() { ["item_id", "title"].map(str::to_owned).to_vec() } else { columns };
    match name {
        "parquet" => table(folder, content),
        "jsonl" | "csv" | "tsv" => {
            let path = folder.write(&format!("corpus.{name}"), content);
            let found = read(&path, &columns);
            let again = read(&folder.write(&format!("corpus.{name}.gz"), &gzip(content)), &columns);
            match (&found, &again) {
                (Ok(found), Ok(again)) => assert_eq!(found, again),
                (Err(_), Err(_)) => {}
                _ => assert!(content.starts_with(&[0x1f, 0x8b]), "{found:?}, compressed {again:?}"),
            }
            let _ = inspect(&path);
        }
        _ => {}
    }
}

fn table(folder: &Folder, data: &[u8]) {
    let mut choices = Choices::new(data);
    let rows = choices.few(6, |choices| {
        (choices.text(), choices.maybe(Choices::text), choices.number() as i64, choices.few(3, Choices::byte))
    });
    let ids: ArrayRef = match choices.yes() {
        true => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
        false => Arc::new(StringArray::from_iter_values(
            rows.iter().enumerate().map(|(number, row)| format!("{}{number}", row.0)),
        )),
    };
    let titles: ArrayRef = Arc::new(rows.iter().map(|row| row.1.as_deref()).collect::<StringArray>());
    let numbers = rows.iter().map(|row| Some(row.3.iter().map(|number| Some(i64::from(*number)))));
    let numbers: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(numbers));
    let columns = [("item_id", ids, false), ("title", titles, true), ("numbers", numbers, true)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("a batch");
    let mut content = make::parquet(&batch, &mut choices);
    let is_damaged = choices.damage(&mut content) > 0;
    let path = folder.write("corpus.parquet", &content);
    let found = read(&path, &["item_id", "title", "numbers"].map(str::to_owned));
    let _ = inspect(&path);
    if !is_damaged && let Ok(found) = found {
        let titles: Vec<&str> = rows.iter().map(|row| row.1.as_deref().unwrap_or_default()).collect();
        assert_eq!(found.iter().map(|document| document.fields[0].as_str()).collect::<Vec<_>>(), titles);
    }
}

fn read(path: &Path, columns: &[String]) -> Result<Vec<Document>, LoadError> {
    let (id, fields) = columns.split_first().expect("a column");
    let corpus = CorpusPlan { name: "corpus".into(), path: path.to_owned(), id: id.clone() };
    let documents: Vec<Document> = DocumentReader::open(&corpus, fields)?.collect::<Result<_, _>>()?;
    let ids: BTreeSet<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    assert!(ids.len() == documents.len() && !ids.contains(""), "ids are unique and not empty");
    assert!(documents.iter().all(|document| document.fields.len() == fields.len()));
    Ok(documents)
}
