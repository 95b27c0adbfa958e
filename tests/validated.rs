//! What a run cannot read is found before it begins: `rematch validate` and `rematch plan` say what `rematch run` would say, with its
//! exit code, and find no fault with what runs.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float32Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Float32Type;
use datafusion::parquet::arrow::ArrowWriter;

use crate::rematch::rematch;
use crate::sample;
use crate::workbench::Workbench;

/// The small shop with its retriever `search` made of other stages, over products in another format.
fn shop(products: &str, stages: &str) -> Workbench {
    let bench = sample::shop(&sample::sessions(12));
    let benchmark = sample::BENCHMARK.replace("products.jsonl", products).replace(
        "stages = [{ kind = \"bm25\", corpus = \"products\", fields = { title = 1.0 } }]",
        &format!("stages = [{stages}]"),
    );
    bench.write("bench.toml", benchmark);
    bench
}

/// The small shop over other sessions.
fn sessions(path: &str) -> Workbench {
    let bench = sample::shop(&sample::sessions(12));
    bench.write("bench.toml", sample::BENCHMARK.replace("path = \"sessions.jsonl\"", path));
    bench
}

fn parquet(bench: &Workbench, name: &str, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = std::fs::File::create(bench.path(name)).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

/// Products with prices and vectors.
fn write_parquet(bench: &Workbench, name: &str) {
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["p00", "p01"]));
    let titles: ArrayRef = Arc::new(StringArray::from(vec!["red lamp", "green lamp"]));
    let prices: ArrayRef = Arc::new(Float32Array::from(vec![1.5, 2.0]));
    let vectors = [Some(vec![Some(1.0), Some(0.0)]), Some(vec![Some(0.0), Some(1.0)])];
    let vectors: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(vectors));
    parquet(bench, name, vec![("item_id", ids), ("title", titles), ("price", prices), ("vector", vectors)]);
}

/// Returns products as CSV; only the last of so many has a price, and the one before it a title.
fn csv(rows: usize) -> String {
    let row = |index: usize| {
        let title = if index + 2 >= rows { "red lamp" } else { "" };
        let price = if index + 1 == rows { "3" } else { "" };
        format!("p{index:02},{title},{price}\n")
    };
    "item_id,title,price\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

/// What a command says of an error.
fn error(said: &str) -> &str {
    said.find("error:").map_or("", |start| &said[start..])
}

/// Asserts that all three commands end with the same words and exit code.
#[track_caller]
fn all_refuse(bench: &Workbench, code: i32, says: &[&str]) {
    let run = bench.run_with(&["--quiet"]).exits(code).complains(says);
    for command in ["validate", "plan"] {
        let found = rematch([command.as_ref(), bench.path("bench.toml").as_os_str()]).exits(code);
        assert_eq!(error(&found.stderr), error(&run.stderr), "{command}");
    }
}

#[track_caller]
fn all_accept(bench: &Workbench) {
    for command in ["validate", "plan"] {
        rematch([command.as_ref(), bench.path("bench.toml").as_os_str()]).exits(0);
    }
    bench.run_with(&["--quiet"]).exits(0);
    // The next one is of other inputs.
    std::fs::remove_dir_all(bench.path("out")).expect("removed");
}

const BM25: &str = "{ kind = \"bm25\", corpus = \"products\", fields = { title = 1.0 } }";

#[test]
fn a_misspelt_column_of_a_corpus_is_found_for_every_stage_that_reads_one() {
    let behind = |transform: &str| format!("{BM25}, {transform}");
    let titel = BM25.replace("title", "titel");
    let fused = format!("{{ kind = \"fuse\", branches = [{{ stages = [{BM25}] }}, {{ stages = [{titel}] }}] }}");
    let sql = |query: &str| format!("{{ kind = \"sql\", corpora = [\"products\"], query = \"{query}\" }}");
    let cases: Vec<(String, i32, &[&str])> = vec![
        (titel, 3, &["retriever `search` cannot be built: corpus `products` cannot be indexed", "`titel`", "`title`"]),
        (fused, 3, &["no column `titel`"]),
        (behind("{ kind = \"filter\", corpus = \"products\", where = \"prize > 1\" }"), 2, &["prize", "price"]),
        (behind("{ kind = \"boost\", corpus = \"products\", by = \"prize\" }"), 2, &["prize", "price"]),
        (
            behind("{ kind = \"dedupe\", corpus = \"products\", field = \"titel\" }"),
            2,
            &["`field = \"titel\"`", "`title`"],
        ),
        (sql("SELECT item_id, prize FROM products ORDER BY prize DESC LIMIT $depth"), 2, &["prize", "price"]),
    ];
    for (stages, code, says) in cases {
        // One row is read through, of many only the first.
        for rows in [1, 1500] {
            let bench = shop("products.csv", &stages);
            bench.write("products.csv", csv(rows));
            all_refuse(&bench, code, says);
        }
        let bench = shop("products.parquet", &stages);
        write_parquet(&bench, "products.parquet");
        all_refuse(&bench, code, says);
    }
}

#[test]
fn vectors_and_the_types_of_columns_are_looked_at() {
    for (stages, code, says) in [
        ("{ kind = \"vector\", corpus = \"products\", column = \"vectors\" }", 3, "no column `vectors`"),
        ("{ kind = \"vector\", corpus = \"products\", column = \"title\" }", 3, "expected a list of floats"),
        (&format!("{BM25}, {{ kind = \"filter\", corpus = \"products\", where = \"price\" }}"), 2, "true or false"),
        (&BM25.replace("corpus =", "name = \"x\", corpus =").replace("title", "vector"), 0, ""),
    ] {
        let bench = shop("products.parquet", stages);
        write_parquet(&bench, "products.parquet");
        if code == 0 { all_accept(&bench) } else { all_refuse(&bench, code, &[says]) }
    }
    let bench = shop("products.parquet", BM25);
    bench.write("products.parquet", "item_id,title\n");
    all_refuse(&bench, 3, &["products.parquet", "damaged or not a Parquet file"]);
}

#[test]
fn a_field_that_only_later_objects_have_is_no_mistake() {
    let product = |index: usize, rest: &str| format!("{{\"item_id\": \"p{index:02}\"{rest}}}\n");
    let early: String = (0..1500).map(|index| product(index, "")).collect();
    let first_title: String = (0..40).map(|index| product(index, "")).collect();
    let late = early.clone() + &product(1500, ", \"title\": \"red lamp\", \"price\": 2");
    // `bm25` refuses a field that none of the first thousand has; a filter takes the columns of all.
    let filter = format!("{BM25}, {{ kind = \"filter\", corpus = \"products\", where = \"price > 1\" }}");
    let bench = shop("products.jsonl", &filter.replace(BM25, "{ kind = \"shown\" }"));
    bench.write("products.jsonl", &late);
    all_accept(&bench);
    let bench = shop("products.jsonl", BM25);
    bench.write("products.jsonl", first_title + &product(40, ", \"title\": \"red lamp\""));
    all_accept(&bench);
    bench.write("products.jsonl", &late);
    all_refuse(&bench, 3, &["products.jsonl", "no column `title`; it has `item_id`"]);
    bench.write("products.jsonl", "{\"id\": \"p00\", \"title\": \"red lamp\"}\n");
    all_refuse(&bench, 3, &["no id column `item_id`"]);
    bench.write("products.jsonl", "");
    all_refuse(&bench, 3, &["holds no documents"]);
}

#[test]
fn a_type_that_only_later_rows_tell_is_no_mistake() {
    let boost = format!("{BM25}, {{ kind = \"boost\", corpus = \"products\", by = \"price * 2\" }}");
    let sql = "{ kind = \"sql\", corpora = [\"products\"], query = \"SELECT item_id, price * 2 AS score FROM products WHERE \
               title LIKE 'r%' ORDER BY score DESC LIMIT $depth\" }";
    for stages in [boost.as_str(), sql] {
        let bench = shop("products.csv", stages);
        bench.write("products.csv", csv(1500));
        all_accept(&bench);
    }
}

#[test]
fn sessions_that_are_no_such_thing_are_found_by_their_first_rows() {
    let none = "path = \"s\"\nformat = \"csv\"";
    let ubi = "path = { ubi = { queries = \"s\", events = \"e\" } }";
    let trec = "path = { trec = { topics = \"s\", qrels = \"e\" } }";
    let cases: [(&str, &str, &str, &[&str]); 8] = [
        (none, "session,query\na,b\n", "", &["no column `session_id`; it has `session`, `query`"]),
        ("path = \"s\"\nformat = \"jsonl\"", "{\"sesion_id\": \"a\"}\n", "", &["row 1", "sesion_id"]),
        ("path = \"s\"\nformat = \"parquet\"", "a,b\n", "", &["damaged or not a Parquet file"]),
        ("path = \"s\"", "what is this\n", "", &["the format cannot be told"]),
        (ubi, "query_id,user_query\n", "", &["not JSON"]),
        (ubi, "{\"query_id\": \"a\"}\n", "[1]\n", &["expected one JSON object per line"]),
        (trec, "1 red lamp\n", "1 0 p00 1\n", &["found no tab"]),
        (trec, "1\tred lamp\n", "1 p00 1\n", &["found 3 fields, expected 4"]),
    ];
    for (path, first, second, says) in cases {
        let bench = sessions(path);
        bench.write("s", first);
        bench.write("e", second);
        all_refuse(&bench, 3, says);
    }
    let bench = sessions("path = \"s.parquet\"");
    parquet(&bench, "s.parquet", vec![("session", Arc::new(StringArray::from(vec!["a"])))]);
    all_refuse(&bench, 3, &["no column `session_id`"]);
    let bench = sessions("path = { beir = \"beir\" }");
    bench.write("beir/queries.jsonl", "{\"id\": \"1\", \"text\": \"red lamp\"}\n");
    bench.write("beir/qrels/test.tsv", "query-id\tcorpus-id\tscore\n1\tp00\t1\n");
    all_refuse(&bench, 3, &["queries.jsonl", "no `_id`"]);
    bench.write("beir/queries.jsonl", "{\"_id\": \"1\", \"text\": \"red lamp\"}\n");
    bench.write("beir/qrels/test.tsv", "query-id\tcorpus-id\tscore\n1\tp00\n");
    all_refuse(&bench, 3, &["test.tsv", "expected 3"]);
}

#[test]
fn recordings_and_the_catalogue_of_lists_are_looked_at() {
    let bench = shop("products.jsonl", "{ kind = \"recorded\", path = \"run.parquet\", hits-column = \"hit\" }");
    write_parquet(&bench, "run.parquet");
    all_refuse(&bench, 3, &["retriever `search` cannot be built", "run.parquet", "no column `hit`"]);
    let bench = shop("products.jsonl", "{ kind = \"recorded\", path = \"run.parquet\" }");
    write_parquet(&bench, "run.parquet");
    all_refuse(&bench, 3, &["not a table of rankings"]);
    let bench = shop("products.jsonl", "{ kind = \"recorded\", path = \"a.run\", retriever-id = \"new\" }");
    bench.write("a.run", "s0000 Q0 p00\n");
    all_refuse(&bench, 3, &["a.run", "row 1", "3 columns, expected 6"]);

    let bench = shop("products.jsonl", BM25);
    let catalogue = "[lists]\nitems = { corpus = \"products\", fields = [\"category\"] }\n";
    let benchmark = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    bench.write("bench.toml", benchmark + catalogue);
    all_refuse(&bench, 3, &["the items of `lists` cannot be read", "no column `category`"]);
}
