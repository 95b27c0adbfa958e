//! Against real servers, where they are installed: full text of PostgreSQL, and pgvector where the environment variable
//! `REMATCH_PGVECTOR` names the folder of the programs of a PostgreSQL that has it.

mod server;

use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use server::Server;

use super::{PostgresError, PostgresRetriever};
use crate::benchmark::stages::{PostgresPlan, PostgresServer, SslMode};
use crate::benchmark::{PolicyPlan, TimeSpan};
use crate::outbound::Outbound;
use crate::replay::remote::{Policy, Secrets, no_secrets};
use crate::replay::{Retriever, contract};
use crate::session::Session;

const DOCUMENTS: &str = "
    CREATE TABLE docs (id bigint PRIMARY KEY, body text, ts tsvector, price numeric, tags text[]);
    INSERT INTO docs SELECT n, t, to_tsvector('english', t), n, ARRAY['t' || n % 2]
      FROM unnest(ARRAY['red shoes, red shoe', 'blue shoe', 'red hat', 'nothing', 'red shoe']) WITH ORDINALITY AS x(t, n);
    CREATE ROLE secured LOGIN PASSWORD 'hunter2-secret';
    CREATE TABLE hidden (id text);
    GRANT SELECT ON docs TO secured";

const FULL_TEXT: &str = "SELECT id::text, ts_rank_cd(ts, q) FROM docs, websearch_to_tsquery('english', $query) q
    WHERE ts @@ q /* not $this */ ORDER BY 2 DESC, id::text LIMIT $depth";

fn plan(url: &str, query: &str) -> PostgresPlan {
    let policy = PolicyPlan { retries: 0, ..PolicyPlan::default() };
    PostgresPlan {
        server: PostgresServer::Url(url.to_owned()),
        password_env: None,
        sslmode: None,
        certificate_authority: None,
        query: query.to_owned(),
        policy,
    }
}

fn build(plan: &PostgresPlan, secrets: &Secrets) -> Result<PostgresRetriever, PostgresError> {
    let concurrency = NonZeroUsize::new(2).unwrap();
    PostgresRetriever::build(
        plan,
        Arc::new(Policy::new(&plan.policy, concurrency)),
        concurrency,
        secrets,
        &Outbound::default(),
    )
}

fn session(query: &str, inputs: &str) -> Session {
    let query_vector = Some(vec![1.0, 0.0, 0.25]);
    let (query, inputs) = (Some(query.to_owned()), Some(inputs.to_owned()));
    Session { session_id: "s".into(), query, inputs, query_vector, taxonomy: vec!["t1".into()], ..Session::default() }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// The hits as `id score`, or the error as `kind: message`.
async fn ask(retriever: &PostgresRetriever, session: &Session, depth: usize) -> String {
    match retriever.retrieve(session, depth).await {
        Ok(answer) => {
            let hit = |hit: &crate::session::Hit| {
                format!("{} {}", hit.item_id, hit.score.map_or("-".into(), |score| (score as f32).to_string()))
            };
            answer.hits.iter().map(hit).collect::<Vec<_>>().join(", ")
        }
        Err(error) => format!("{}: {}", error.kind.as_str(), error.message),
    }
}

fn asked(plan: &PostgresPlan, session: &Session) -> String {
    let retriever = build(plan, &no_secrets()).unwrap();
    block_on(ask(&retriever, session, 9))
}

fn installed(what: &str) -> Option<PathBuf> {
    let found = Server::installed();
    if found.is_none() {
        skipped(&format!("no PostgreSQL is installed, {what} is not tested"));
    }
    found
}

fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn full_text_and_failures_of_a_real_server() {
    let Some(programs) = installed("full text") else { return };
    let server = Server::start(&programs, "", |_| ());
    server.run(DOCUMENTS);
    full_text(&server);
    parameters(&server);
    failures(&server);
    passwords(&server);
    deadlines(&server);
}

fn full_text(server: &Server) {
    let retriever = build(&plan(&server.url(), FULL_TEXT), &no_secrets()).unwrap();
    block_on(async {
        assert_eq!(ask(&retriever, &session("red shoe", "{}"), 9).await, "1 0.3, 5 0.1");
        assert_eq!(ask(&retriever, &session("red shoe", "{}"), 1).await, "1 0.3");
        assert_eq!(ask(&retriever, &session("x' OR 1=1 --", "{}"), 9).await, "");
        let without = Session { query: None, ..session("", "{}") };
        assert!(ask(&retriever, &without, 9).await.starts_with("no_query: "));
        contract::check(&retriever, &[session("red", "{}"), session("shoe", "{}"), without]).await.unwrap();
        let answer = retriever.retrieve(&session("red", "{}"), 2).await.unwrap();
        assert!(answer.attempts == 1 && answer.latency.is_some_and(|latency| latency > Duration::ZERO));
    });
}

fn parameters(server: &Server) {
    let one = |query: &str, inputs: &str| asked(&plan(&server.url(), query), &session("red", inputs));
    let typed = "SELECT id, price::float8 AS score FROM docs WHERE price < $inputs_most AND tags && $taxonomy::text[]
        AND id = ANY($inputs_ids::bigint[]) AND $inputs_yes::bool ORDER BY price DESC LIMIT $depth";
    assert_eq!(one(typed, r#"{"most": 4.5, "ids": [1, 2, 3, 5], "yes": true}"#), "3 3, 1 1");
    assert_eq!(one(typed, r#"{"most": 4.5, "ids": [], "yes": true}"#), "");
    assert_eq!(one(typed, r#"{"most": null, "ids": [1], "yes": true}"#), "");
    let json = "SELECT $inputs::jsonb ->> 'a', ($inputs_b::jsonb -> 0)::int AS score, $session_id::text";
    assert_eq!(one(json, r#"{"a": "x", "b": [7, "y"]}"#), "x 7");
    let floats = "SELECT array_length($vector::float4[], 1), ($vector::float8[])[3] AS score";
    assert_eq!(one(floats, "{}"), "3 0.25");
    assert_eq!(one("SELECT 'it''s $query' || $$ $depth $$ || $query", "{}"), "it's $query $depth red -");
    let wrong = one("SELECT id FROM docs WHERE id = $inputs_id ORDER BY id", r#"{"id": "one"}"#);
    assert_eq!(wrong, "sql: invalid input syntax for type bigint: \"one\" (SQLSTATE 22P02)");
    let many = "SELECT n FROM generate_series(1, 1000000) n";
    assert_eq!(one(many, "{}"), (1..=9).map(|n| format!("{n} -")).collect::<Vec<_>>().join(", "));
}

fn failures(server: &Server) {
    let one = |query: &str| asked(&plan(&server.url(), query), &session("red", "{}"));
    assert_eq!(one("SELEC 1"), "sql: syntax error at or near \"SELEC\" (SQLSTATE 42601)");
    assert_eq!(one("SELECT id FROM nope"), "sql: relation \"nope\" does not exist (SQLSTATE 42P01)");
    assert_eq!(
        one("SELECT 1; SELECT 2"),
        "sql: cannot insert multiple commands into a prepared statement (SQLSTATE 42601)"
    );
    let read_only = one("INSERT INTO docs VALUES (9) RETURNING id");
    assert_eq!(read_only, "sql: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)");
    assert!(
        one("SELECT now()").starts_with("sql: the first column `now` has type timestamptz"),
        "{}",
        one("SELECT now()")
    );
    assert!(one("SELECT id, price FROM docs ORDER BY 2 DESC").contains("the score `price` has type numeric"));
    assert_eq!(one("SELECT NULL::text"), "sql: the item id of row 1 is null");
    assert_eq!(one("SELECT 1 FROM docs"), "sql: item `1` is in row 2 for the second time");
    assert!(one("SELECT id, id AS score FROM docs ORDER BY id").starts_with("sql: score 2 in row 2 follows 1, and"));
    let small = PostgresPlan {
        policy: PolicyPlan { max_body: crate::benchmark::ByteSize(1000), ..plan("", "").policy },
        ..plan(&server.url(), "SELECT repeat('x', 2000)")
    };
    assert_eq!(asked(&small, &session("", "{}")), "body: the rows take more than the 1000 bytes of `max-body`");

    let elsewhere = |url: &str| asked(&plan(url, "SELECT 1"), &session("", "{}"));
    assert!(elsewhere("postgres://postgres@127.0.0.1:1/x").starts_with("connect: no connection: "));
    assert!(elsewhere("postgres://postgres@no.such.host.invalid/x").starts_with("dns: the host's name does not"));
    let url = format!("postgres://postgres@127.0.0.1:{}/nope", server.port);
    assert_eq!(elsewhere(&url), "sql: database \"nope\" does not exist (SQLSTATE 3D000)");
    let encrypted = PostgresPlan { sslmode: Some(SslMode::Require), ..plan(&server.url(), "SELECT 1") };
    let told = asked(&encrypted, &session("", "{}"));
    assert!(told.starts_with("tls: no encrypted connection: ") && told.contains("`sslmode`"), "{told}");
}

fn passwords(server: &Server) {
    let url = format!("postgres://secured@127.0.0.1:{}/postgres", server.port);
    let secrets: Secrets = Arc::new(|variable| match variable {
        "RIGHT" => Some("hunter2-secret".to_owned()),
        "WRONG" => Some("wrong-hunter2-secret".to_owned()),
        _ => None,
    });
    let one = |variable: Option<&str>, query: &str| {
        let plan = PostgresPlan { password_env: variable.map(str::to_owned), ..plan(&url, query) };
        let retriever = build(&plan, &secrets).unwrap();
        block_on(ask(&retriever, &session("", "{}"), 9))
    };
    assert_eq!(one(Some("RIGHT"), "SELECT id FROM docs ORDER BY id LIMIT 1"), "1 -");
    let wrong = one(Some("WRONG"), "SELECT 1");
    assert_eq!(wrong, "unauthorised: password authentication failed for user \"secured\" (SQLSTATE 28P01)");
    assert!(
        one(None, "SELECT 1").starts_with("unauthorised: the server wants credentials"),
        "{}",
        one(None, "SELECT 1")
    );
    let denied = one(Some("RIGHT"), "SELECT id FROM hidden");
    assert_eq!(denied, "unauthorised: permission denied for table hidden (SQLSTATE 42501)");
    let repeated = one(Some("RIGHT"), "SELECT 'hunter2-secret'::int");
    assert!(repeated.contains("[redacted]") && !repeated.contains("hunter2"), "{repeated}");

    // The whole URL from the environment.
    let whole = url.replace("secured@", "secured:hunter2-secret@");
    let secrets: Secrets = Arc::new(move |_| Some(whole.clone()));
    let plan = PostgresPlan { server: PostgresServer::Env("DATABASE_URL".into()), ..plan("", "SELECT id FROM nope") };
    let retriever = build(&plan, &secrets).unwrap();
    assert!(!format!("{retriever:?} {plan:?}").contains("hunter2"));
    assert!(block_on(ask(&retriever, &session("", "{}"), 1)).starts_with("sql: relation \"nope\""));
}

fn deadlines(server: &Server) {
    let policy = PolicyPlan { timeout: TimeSpan(Duration::from_secs(8)), ..plan("", "").policy };
    let slow = "SELECT 1 FROM (SELECT pg_sleep($inputs_seconds::float8)) x";
    let retriever = build(&PostgresPlan { policy, ..plan(&server.url(), slow) }, &no_secrets()).unwrap();
    block_on(async {
        let started = std::time::Instant::now();
        let told = ask(&retriever, &session("", r#"{"seconds": 600}"#), 9).await;
        assert!(told.starts_with("timeout: "), "{told}");
        assert!(started.elapsed() < Duration::from_secs(60));
        // The next session gets a connection that nobody waits for.
        assert_eq!(ask(&retriever, &session("", r#"{"seconds": 0}"#), 9).await, "1 -");
    });
}

#[test]
fn certificates_are_verified() {
    let Some(programs) = installed("encryption") else { return };
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (authority.cert.pem(), authority.signing_key.serialize_pem());
    let install = |data: &Path| {
        std::fs::write(data.join("server.crt"), &certificate).unwrap();
        let path = data.join("server.key");
        std::fs::write(&path, &key).unwrap();
        // A key of root's may be read by a group, one of the server's own user by nobody else.
        let owner = std::fs::metadata(data).map(|data| std::os::unix::fs::MetadataExt::uid(&data)).unwrap();
        std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    };
    let server = Server::start(&programs, "ssl = on\n", install);
    let folder = tempfile::TempDir::new().unwrap();
    let trusted = folder.path().join("authority.pem");
    std::fs::write(&trusted, &certificate).unwrap();
    let query = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let one = |host: &str, authority: Option<&Path>, sslmode| {
        let url = format!("postgres://postgres@{host}:{}/postgres?hostaddr=127.0.0.1", server.port);
        let certificate_authority = authority.map(Path::to_owned);
        asked(&PostgresPlan { certificate_authority, sslmode, ..plan(&url, query) }, &session("", "{}"))
    };
    assert_eq!(one("localhost", Some(&trusted), Some(SslMode::Require)), "true -");
    assert_eq!(one("localhost", Some(&trusted), None), "true -", "preferred");
    assert_eq!(one("localhost", None, Some(SslMode::Disable)), "false -");
    for (host, authority) in [("localhost", None), ("elsewhere.invalid", Some(trusted.as_path()))] {
        let told = one(host, authority, None);
        assert!(told.starts_with("tls: no encrypted connection: ") && told.contains("certificate"), "{host}: {told}");
    }
}

#[test]
fn pgvector_ranks_by_nearness() {
    let Some(programs) = std::env::var_os("REMATCH_PGVECTOR").map(PathBuf::from) else {
        return skipped("REMATCH_PGVECTOR does not name the programs of a PostgreSQL with pgvector");
    };
    let server = Server::start(&programs, "", |_| ());
    server.run(
        "CREATE EXTENSION vector; CREATE TABLE items (id text PRIMARY KEY, embedding vector(3));
         INSERT INTO items VALUES ('a', '[0,1,0]'), ('b', '[1,0,0.25]'), ('c', '[1,0,0]'), ('d', '[-1,0,0]');
         CREATE INDEX ON items USING hnsw (embedding vector_cosine_ops)",
    );
    let query = "SELECT id, 1 - (embedding <=> $vector::vector) AS score FROM items
        ORDER BY embedding <=> $vector::vector, id LIMIT $depth";
    let retriever = build(&plan(&server.url(), query), &no_secrets()).unwrap();
    let answer = block_on(retriever.retrieve(&session("", "{}"), 3)).unwrap();
    let ids: Vec<&str> = answer.hits.iter().map(|hit| hit.item_id.as_str()).collect();
    assert_eq!(ids, ["b", "c", "a"]);
    assert!((answer.hits[0].score.unwrap() - 1.0).abs() < 1e-6);
    let other = Session { query_vector: Some(vec![1.0]), ..session("", "{}") };
    let told = block_on(ask(&retriever, &other, 3));
    assert_eq!(told, "sql: different vector dimensions 3 and 1 (SQLSTATE 22000)");
    block_on(contract::check(&retriever, &[session("", "{}"), other])).unwrap();
}

#[test]
fn what_is_missing_is_told_without_secrets() {
    let secrets: Secrets = Arc::new(|variable| (variable == "URL").then(|| "mysql://root:hunter2@host".to_owned()));
    let error = |plan: PostgresPlan| build(&plan, &secrets).unwrap_err().to_string();
    let env = |variable: &str| PostgresServer::Env(variable.to_owned());
    let unread = error(PostgresPlan { server: env("URL"), ..plan("", "SELECT 1") });
    assert_eq!(
        unread,
        "the environment variable `URL` holds no Postgres URL, expected one such as `postgres://host/database`"
    );
    assert!(error(PostgresPlan { server: env("NONE"), ..plan("", "SELECT 1") }).contains("`NONE`"));
    let password = PostgresPlan { password_env: Some("NONE".into()), ..plan("postgres://host/db", "SELECT 1") };
    assert!(error(password).contains("`NONE`"));
    let authority =
        PostgresPlan { certificate_authority: Some("/none.pem".into()), ..plan("postgres://host/db", "SELECT 1") };
    assert!(error(authority).starts_with("`/none.pem`: not a PEM file of certificates"));
}
