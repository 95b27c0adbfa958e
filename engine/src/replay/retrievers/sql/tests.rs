use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use tempfile::TempDir;

use super::*;
use crate::benchmark::CorpusPlan;
use crate::replay::contract;

const PRODUCTS: &str = "id,title,price,stock\n\
    p1,red shoe,10.5,3\np2,blue shoe,20,0\np3,red hat,5,7\np4,green shoe,20,1\n007,red sock,1,9\n";

fn workspace() -> Workspace {
    Workspace { memory_bytes: 64 << 20, ..Workspace::default() }
}

fn corpus(name: &str, path: PathBuf) -> CorpusPlan {
    CorpusPlan { name: name.into(), path, id: "id".into() }
}

fn build(file: &str, content: &str, query: &str) -> Result<SqlRetriever, SqlError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(file);
    std::fs::write(&path, content).unwrap();
    SqlRetriever::build(&SqlPlan { corpora: vec![corpus("products", path)], query: query.into() }, &workspace())
}

fn refusal(query: &str) -> String {
    build("p.csv", PRODUCTS, query).unwrap_err().to_string()
}

fn session(query: &str, inputs: &str) -> Session {
    Session {
        session_id: "s".into(),
        query: Some(query.into()),
        inputs: Some(inputs.into()),
        taxonomy: vec!["a".into(), "b".into()],
        query_vector: Some(vec![1.0, 2.0]),
        ..Session::default()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The hits as `id score`, or the error as `kind: message`.
fn ask(query: &str, session: &Session, depth: usize) -> String {
    let retriever = build("p.csv", PRODUCTS, query).unwrap();
    match block_on(retriever.retrieve(session, depth)) {
        Ok(answer) => {
            let hit =
                |hit: &Hit| format!("{} {}", hit.item_id, hit.score.map_or("-".into(), |score| score.to_string()));
            answer.hits.iter().map(hit).collect::<Vec<_>>().join(", ")
        }
        Err(error) => format!("{}: {}", error.kind.as_str(), error.message),
    }
}

#[test]
fn a_query_ranks_by_its_order_and_then_by_id() {
    let by_price = "SELECT id, price AS score FROM products ORDER BY score DESC LIMIT $depth";
    assert_eq!(ask(by_price, &session("", "{}"), 4), "p2 20, p4 20, p1 10.5, p3 5");
    assert_eq!(ask(by_price, &session("", "{}"), 1), "p2 20");
    // Without a limit of its own, and with an order by a column that is not selected.
    assert_eq!(ask("SELECT id FROM products ORDER BY price", &session("", "{}"), 2), "007 -, p3 -");
    assert_eq!(ask("SELECT id, price FROM products ORDER BY 2 DESC LIMIT 1", &session("", "{}"), 9), "p2 20");
    let union =
        "SELECT id FROM products WHERE stock > 5 UNION SELECT id FROM products WHERE price > 15 ORDER BY id DESC";
    assert_eq!(ask(union, &session("", "{}"), 9), "p4 -, p3 -, p2 -, 007 -");
}

#[test]
fn parameters_are_values_and_never_text() {
    let like = "SELECT id FROM products WHERE title LIKE '%' || $query || '%' ORDER BY id LIMIT $depth";
    assert_eq!(ask(like, &session("shoe", "{}"), 2), "p1 -, p2 -");
    assert_eq!(ask(like, &session("x' OR '1'='1", "{}"), 2), "");
    let inputs = "SELECT id FROM products WHERE price < $inputs_most AND stock >= $inputs_stock ORDER BY price DESC";
    assert_eq!(ask(inputs, &session("", r#"{"most": 15.5, "stock": 5}"#), 9), "p3 -, 007 -");
    assert_eq!(ask(inputs, &session("", r#"{"most": null, "stock": 5}"#), 9), "", "null compares with nothing");
    let input = "template: the session has no input `most`, which `$inputs_most` of the `sql` query needs";
    assert_eq!(ask(inputs, &session("", "{}"), 9), input);
    let lists = "SELECT id FROM products WHERE array_has($taxonomy, 'b') AND array_has($inputs_ids, id) ORDER BY id";
    assert_eq!(ask(lists, &session("", r#"{"ids": ["p3", "p1"]}"#), 9), "p1 -, p3 -");
    assert_eq!(ask(lists, &session("", r#"{"ids": []}"#), 9), "");
    let all = "SELECT id, array_length($vector) AS score FROM products WHERE $session_id = 's' ORDER BY id LIMIT 1";
    assert_eq!(ask(all, &session("", "{}"), 9), "007 2");
    let no_query = Session { query: None, ..session("", "{}") };
    assert!(ask(like, &no_query, 2).starts_with("no_query: the session has no query text"));
}

#[test]
fn a_query_that_is_not_repeatable_or_not_read_only_is_refused() {
    let error = |query: &str, expected: &str| {
        let found = refusal(query);
        assert!(found.contains(expected), "{query}: {found}");
    };
    error("SELECT id FROM products", "it has no `ORDER BY` of its own");
    error("SELECT id FROM (SELECT id FROM products ORDER BY id)", "it has no `ORDER BY` of its own");
    error("SELECT id FROM products ORDER BY random()", "a function whose value changes");
    error("SELECT id FROM products WHERE id IN (SELECT uuid()) ORDER BY id", "a function whose value changes");
    error("DELETE FROM products", "it is no `SELECT`");
    error("CREATE TABLE t AS SELECT 1", "it is no `SELECT`");
    error("EXPLAIN SELECT id FROM products ORDER BY id", "it is no `SELECT`");
    error("COPY products TO 'x.csv'", "it is no `SELECT`");
    error("SET datafusion.execution.batch_size = 1", "it is no `SELECT`");
    error("SELECT id FROM products ORDER BY id; DROP TABLE products", "a single SQL statement");
    error("SELECT id FROM '/etc/passwd' ORDER BY id", "not found");
    error("SELECT id FROM information_schema.tables ORDER BY id", "not found");
    error("SELECT id, body FROM products ORDER BY id", "body");
    error("SELEC id", "Expected");
    error("SELECT id FROM products WHERE title = $nope ORDER BY id", "`$nope` is no parameter");
    error("SELECT price FROM products ORDER BY price", "first column `price` has type Float64");
    error("SELECT id, title AS score FROM products ORDER BY id", "column `score` has type Utf8");
}

#[test]
fn answers_that_are_no_rankings_fail_the_session() {
    let answer = |query| ask(query, &session("", "{}"), 9);
    let twice = "SELECT 'a' AS id FROM products ORDER BY id";
    assert_eq!(answer(twice), "sql: item `a` is in row 2 for the second time");
    let null = "SELECT NULLIF(id, 'p1') AS id FROM products ORDER BY id NULLS FIRST";
    assert_eq!(answer(null), "sql: the item id of row 1 is null");
    let rising = "SELECT id, price AS score FROM products ORDER BY score";
    assert!(
        answer(rising).starts_with("sql: score 5 in row 2 follows 1, and a score never rises"),
        "{}",
        answer(rising)
    );
    let nan = "SELECT id, CAST('NaN' AS DOUBLE) AS score FROM products ORDER BY id";
    assert_eq!(answer(nan), "sql: the score of row 1 is not a number");
    let broken = "SELECT id, CAST(title AS INT) AS score FROM products ORDER BY id";
    assert!(answer(broken).starts_with("sql: the query failed: "), "{}", answer(broken));
}

#[test]
fn sql_keeps_the_contract() {
    let rows: String = (0..400).map(|number| format!("{{\"id\": {number}, \"price\": {}}}\n", number % 7)).collect();
    let query = "SELECT id, price FROM products WHERE price < $inputs_most ORDER BY price DESC LIMIT $depth";
    let retriever = build("p.jsonl", &rows, query).unwrap();
    let sessions = [session("", r#"{"most": 5}"#), session("", r#"{"most": 0}"#), session("", "{}"), session("", "7")];
    block_on(contract::check(&retriever, &sessions)).unwrap();
}

#[test]
fn several_corpora_are_joined_and_parquet_is_read_in_place() {
    let folder = TempDir::new().unwrap();
    // A name with brackets, which would be a pattern in a path.
    let products = folder.path().join("p [1].table");
    let columns: [(&str, ArrayRef); 2] = [
        ("id", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
        ("price", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(&products).unwrap();
    let mut writer = datafusion::parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let brands = folder.path().join("b.tsv");
    std::fs::write(&brands, "id\tboost\nb\t10\nc\t0.5\n").unwrap();
    let query = r#"SELECT p.id, p.price * "The Brands".boost AS score FROM products p JOIN "The Brands" USING (id) ORDER BY score DESC"#;
    let corpora = vec![corpus("products", products.clone()), corpus("The Brands", brands)];
    let retriever = SqlRetriever::build(&SqlPlan { corpora, query: query.into() }, &workspace()).unwrap();
    let answer = block_on(retriever.retrieve(&session("", "{}"), 9)).unwrap();
    let ids: Vec<&str> = answer.hits.iter().map(|hit| hit.item_id.as_str()).collect();
    assert_eq!((ids, answer.hits[0].score), (vec!["b", "c"], Some(20.0)));

    let other = CorpusPlan { id: "item".into(), ..corpus("products", products) };
    let error = SqlRetriever::build(&SqlPlan { corpora: vec![other], query: query.into() }, &workspace()).unwrap_err();
    assert!(error.to_string().ends_with("has no column `item`; it has `id`, `price`"), "{error}");
}

#[test]
fn building_works_inside_of_a_runtime() {
    let query = "SELECT id FROM products ORDER BY id";
    block_on(async { build("p.csv", PRODUCTS, query).map(drop) }).unwrap();
}
