//! The sources that search data, as written and as resolved.

use std::path::Path;

use super::{AnnPlan, HitOrder, PostgresServer, RecordedColumns, RecordedPlan, SslMode, StageKind, VectorMetric};
use crate::benchmark::{Diagnostic, Plan, SpecSource};

fn resolve(stage: &str) -> Result<StageKind, Diagnostic> {
    resolve_beside("", stage)
}

/// Resolves a stage of a benchmark that has another table.
fn resolve_beside(table: &str, stage: &str) -> Result<StageKind, Diagnostic> {
    let file = format!(
        "name = \"n\"\nbaseline = \"a\"\ncandidates = [\"b\"]\n[sessions]\npath = \"s.parquet\"\n{table}\n\
         [corpus.products]\npath = \"p.parquet\"\nid = \"id\"\n\
         [[retriever]]\nid = \"a\"\nstages = [{stage}]\n[[retriever]]\nid = \"b\"\nstages = [{{ kind = \"shown\" }}]\n"
    );
    let source = SpecSource::of(Path::new("bench.toml"), &file, &[])?;
    Plan::resolve(&source).map(|mut plan| plan.pipelines.remove(0).stages.remove(0).does)
}

fn mistake(stage: &str) -> String {
    resolve(stage).unwrap_err().to_string()
}

#[test]
fn every_variable_of_credentials_is_named_wherever_its_stage_stands() {
    let http = r#"{ kind = "http", url = "http://h/s", ids = "$[*]", auth = { basic-user-env = "USER", basic-password-env = "PASSWORD" } }"#;
    let postgres = r#"{ kind = "postgres", url-env = "URL", query = "SELECT 'a' WHERE $query <> ''" }"#;
    let password = r#"{ kind = "postgres", url = "postgres://h/d", password-env = "PG", query = "SELECT 'a' WHERE $query <> ''" }"#;
    let fused = format!(r#"{{ kind = "fuse", branches = [{{ stages = [{http}] }}, {{ stages = [{password}] }}] }}"#);
    for (stage, variables) in [
        (http, vec!["USER", "PASSWORD"]),
        (postgres, vec!["URL"]),
        (password, vec!["PG"]),
        (&fused, vec!["USER", "PASSWORD", "PG"]),
        (r#"{ kind = "shown" }"#, vec![]),
    ] {
        assert_eq!(resolve(stage).unwrap().variables(), variables, "{stage}");
    }
}

#[test]
fn vector_has_defaults_and_bounds() {
    let StageKind::Vector(plan) = resolve(r#"{ kind = "vector", corpus = "products" }"#).unwrap() else {
        panic!("vector")
    };
    assert_eq!((plan.column.as_str(), plan.metric, plan.ann), ("vector", VectorMetric::Cosine, None));
    let ann = |keys: &str| {
        format!(r#"{{ kind = "vector", corpus = "products", metric = "l2", depth = 80, ann = {{ {keys} }} }}"#)
    };
    let StageKind::Vector(plan) = resolve(&ann("connectivity = 32")).unwrap() else { panic!("vector") };
    let expected = AnnPlan {
        connectivity: 32.try_into().unwrap(),
        expansion_search: 80.try_into().unwrap(),
        ..AnnPlan::default()
    };
    assert_eq!((plan.metric, plan.ann), (VectorMetric::L2, Some(expected)));
    assert!(mistake(&ann("expansion-search = 79")).contains("79 candidates cannot make 80 hits"));
    assert!(mistake(&ann("connectivity = 1")).contains("1 is out of range, expected 2 to 256"));
    assert!(mistake(&ann("recall-sample = 2.0")).contains("2 is out of range"));
    assert!(mistake(&ann("ef = 3")).contains("unknown key `ef`"));
    assert!(mistake(r#"{ kind = "vector", corpus = "product" }"#).contains("did you mean `products`?"));
}

#[test]
fn recorded_hits_are_in_the_order_of_their_ranks_on_request() {
    let stage = |keys: &str| format!(r#"{{ kind = "recorded", path = "r.parquet"{keys} }}"#);
    let order = |keys: &str| match resolve(&stage(keys)).unwrap() {
        StageKind::Recorded(plan) => (plan.compatibility, plan.columns),
        other => panic!("{other:?}"),
    };
    assert_eq!(order(""), (HitOrder::Strict, RecordedColumns::default()));
    assert_eq!(order(", order-by = \"score\"").0, HitOrder::Strict);
    let columns = RecordedColumns { rank_column: Some("place".into()), ..RecordedColumns::default() };
    assert_eq!(order(", order-by = \"rank\", rank-column = \"place\""), (HitOrder::Rank, columns));
    let both = mistake(&stage(", order-by = \"rank\", score-column = \"score\""));
    assert!(both.contains("scores are not read where `order-by` is \"rank\""), "{both}");
    assert!(mistake(&stage(", order-by = \"ranks\"")).contains("expected `score` or `rank`"));
    let trec_eval = "[metrics]\ncompatibility = \"trec-eval\"";
    let refused = resolve_beside(trec_eval, &stage(", order-by = \"rank\"")).unwrap_err().to_string();
    assert!(refused.contains("trec_eval orders hits by their scores"), "{refused}");
}

#[test]
fn plans_name_columns_as_they_did_before_there_were_so_many() {
    let stage = r#"{ kind = "recorded", path = "r.parquet", session-column = "q", hits-column = "h" }"#;
    let StageKind::Recorded(plan) = resolve(stage).unwrap() else { panic!("recorded") };
    let written = serde_json::to_value(&plan).unwrap();
    assert_eq!((&written["session-column"], &written["hits-column"]), (&"q".into(), &"h".into()));
    assert!(written.get("item-column").is_none() && written.get("columns").is_none(), "{written}");
    assert_eq!(serde_json::from_value::<RecordedPlan>(written).unwrap(), plan);
}

#[test]
fn sql_names_its_tables_and_parameters() {
    let stage = |corpora: &str, query: &str| format!(r#"{{ kind = "sql", corpora = [{corpora}], query = "{query}" }}"#);
    let StageKind::Sql(plan) = resolve(&stage("\"products\"", "SELECT $query")).unwrap() else { panic!("sql") };
    assert_eq!((plan.corpora.len(), plan.query.as_str()), (1, "SELECT $query"));
    assert!(mistake(&stage("", "SELECT 1")).contains("no corpus is given"));
    assert!(mistake(&stage("\"products\", \"products\"", "SELECT 1")).contains("is listed twice"));
    assert!(mistake(&stage("\"shops\"", "SELECT 1")).contains("unknown corpus `shops`, expected one of `products`"));
    assert!(mistake(&stage("\"products\"", "SELECT $qery")).contains("did you mean `$query`?"));
}

#[test]
fn postgres_wants_one_url_and_no_password_in_it() {
    let stage = |keys: &str| format!(r#"{{ kind = "postgres", query = "SELECT $query", {keys} }}"#);
    let StageKind::Postgres(plan) = resolve(&stage(r#"url = "postgres://u@h/db", sslmode = "require""#)).unwrap()
    else {
        panic!("postgres")
    };
    assert_eq!((plan.server, plan.sslmode), (PostgresServer::Url("postgres://u@h/db".into()), Some(SslMode::Require)));
    let StageKind::Postgres(plan) = resolve(&stage(r#"url-env = "DATABASE_URL""#)).unwrap() else { panic!("postgres") };
    assert_eq!(plan.server, PostgresServer::Env("DATABASE_URL".into()));
    assert!(mistake(r#"{ kind = "postgres", query = "SELECT 1" }"#).contains("needs the key `url` or `url-env`"));
    assert!(mistake(&stage(r#"url = "postgres://h/db", url-env = "A""#)).contains("both `url` and `url-env`"));
    assert!(mistake(&stage(r#"url = "mysql://h/db""#)).contains("not a Postgres URL"));
    assert!(mistake(&stage(r#"url-env = "a b""#)).contains("not the name of an environment variable"));
    for url in ["postgres://u:hunter2@h/db", "postgres://h/db?password=hunter2"] {
        let refused = resolve(&stage(&format!("url = \"{url}\""))).unwrap_err();
        let shown = format!("{refused} {}", refused.render(false));
        assert!(shown.contains("a password stands in the URL") && !shown.contains("hunter2"), "{shown}");
    }
}
