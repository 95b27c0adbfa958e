//! Files and components that mean ill, brought to the server: each is kept or refused, and the server goes on as before.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::ipc::writer::{FileWriter, StreamWriter};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use rematch_engine::rows::sessions_to_batch;
use serde_json::json;

use super::running::{Answer, Server, until};
use crate::sample;
use crate::scorers::{component, component_with};

/// Numbers that are the same in every run (Steele and others' SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow_file(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn arrow_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A line of two gigabytes in two megabytes: members of gzip stand one after another.
fn bomb() -> Vec<u8> {
    let member = gzip(&vec![b'a'; 64 << 20]);
    let mut bomb = gzip(b"{\"session_id\":\"");
    (0..32).for_each(|_| bomb.extend_from_slice(&member));
    bomb
}

/// Tables that are cut, that have a bit flipped, and that lie about lengths.
fn damaged_tables() -> Vec<(String, Vec<u8>)> {
    let batch = sessions_to_batch(&sample::sessions(12)).unwrap();
    let tables = [("parquet", parquet(&batch)), ("arrow", arrow_file(&batch)), ("arrows", arrow_stream(&batch))];
    let mut numbers = Numbers(7);
    let mut files = Vec::new();
    for (ending, content) in tables {
        let mut add = |what: String, content: Vec<u8>| files.push((format!("{what}.{ending}"), content));
        for number in 0..16 {
            let length = content.len() * number / 16;
            add(format!("cut-{length}"), content[..length].to_vec());
        }
        for number in 0..24 {
            let mut flipped = content.clone();
            flipped[numbers.below(content.len())] ^= 1 << numbers.below(8);
            add(format!("flip-{number}"), flipped);
        }
        for (number, lie) in
            [i64::MAX, -1, 1 << 40, i64::from(i32::MAX), 1 << 31].into_iter().cycle().take(40).enumerate()
        {
            let mut lying = content.clone();
            let place = numbers.below(content.len() / 8 - 1) * 8;
            lying[place..place + 8].copy_from_slice(&lie.to_le_bytes());
            add(format!("lie-{number}"), lying);
        }
        // The length of the footer stands before the last magic bytes.
        for (number, lie) in [0_u32, 1, 0x7fff_ffff, 0xffff_ffff].into_iter().enumerate() {
            let mut lying = content.clone();
            let end = content.len() - if ending == "parquet" { 8 } else { 10 };
            lying[end..end + 4].copy_from_slice(&lie.to_le_bytes());
            add(format!("footer-{number}"), lying);
        }
    }
    files
}

/// Texts, archives and nonsense.
fn odd_files() -> Vec<(String, Vec<u8>)> {
    let mut numbers = Numbers(11);
    let noise: Vec<u8> = (0..100_000).map(|_| numbers.next() as u8).collect();
    let session = |id: &str| format!("{{\"session_id\":\"{id}\",\"query\":\"q\"}}\n");
    let deep =
        |open: &str, close: &str| format!("{{\"session_id\":{}1{}}}", open.repeat(100_000), close.repeat(100_000));
    let columns: Vec<String> = (0..20_000).map(|number| format!("c{number}")).collect();
    let mut cut = gzip(session("a").repeat(1000).as_bytes());
    cut.truncate(cut.len() / 2);
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("empty.jsonl", Vec::new()),
        ("empty.parquet", Vec::new()),
        ("noise.jsonl", noise.clone()),
        ("noise.parquet", noise.clone()),
        ("noise.csv", noise.clone()),
        ("noise.arrow", [b"ARROW1\0\0", &noise[..], b"ARROW1"].concat()),
        ("magic.parquet", b"PAR1PAR1".to_vec()),
        ("magic.arrow", b"ARROW1\0\0ARROW1".to_vec()),
        ("deep-lists.jsonl", deep("[", "]").into_bytes()),
        ("deep-objects.jsonl", deep("{\"a\":", "}").into_bytes()),
        ("long-line.jsonl", [b"{\"session_id\":\"".as_slice(), &vec![b'a'; 20 << 20]].concat()),
        ("not-utf8.jsonl", b"{\"session_id\":\"\xff\xfe\"}\n".to_vec()),
        ("nul.jsonl", session("a\\u0000b").into_bytes()),
        ("bare-nul.jsonl", b"{\"session_id\":\"a\0b\"}\n".to_vec()),
        ("twice.jsonl", session("same").repeat(2).into_bytes()),
        ("numbers.jsonl", b"{\"session_id\":1e999,\"timestamp\":9999999999999999999999}\n".to_vec()),
        ("nan.jsonl", b"{\"session_id\":\"a\",\"judgments\":[{\"item_id\":\"i\",\"grade\":NaN}]}\n".to_vec()),
        ("wide.csv", format!("{}\n{}\n", columns.join(","), ",".repeat(19_999)).into_bytes()),
        ("quotes.csv", format!("session_id,query\n\"{}", "a\n".repeat(100_000)).into_bytes()),
        ("cut.jsonl.gz", cut),
        ("noise.jsonl.gz", [b"\x1f\x8b\x08".as_slice(), &noise].concat()),
        ("zip.jsonl", [b"PK\x03\x04".as_slice(), &noise].concat()),
        ("run.trec", format!("q Q0 d {} 1.0 t\n", "9".repeat(1000)).into_bytes()),
        ("topics.xml", b"<topics><topic number='1'><query>&a;&a;</query>".to_vec()),
        (
            "laughs.xml",
            b"<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><topics><topic>&b;</topic></topics>"
                .to_vec(),
        ),
        ("escape.jsonl", session("\\u001b[2J\\u202e</script>").into_bytes()),
    ];
    files.into_iter().map(|(name, content)| (name.to_owned(), content)).collect()
}

/// Components that nobody should be able to register, or that register and then score badly.
fn hostile_components() -> Vec<(String, Vec<u8>)> {
    let good = component();
    let mut components: Vec<(String, Vec<u8>)> = vec![
        ("empty".into(), Vec::new()),
        ("no-wasm".into(), b"MZ\x90\0this is no component".to_vec()),
        ("a-module".into(), wat::parse_str("(module)").unwrap()),
        ("no-exports".into(), wat::parse_str("(component)").unwrap()),
        ("cut".into(), good[..good.len() / 2].to_vec()),
        ("huge".into(), vec![0; 12 << 20]),
    ];
    let with = |definitions: &str, at_describe: &str| component_with(definitions, at_describe, "");
    let spin = "(loop $on (br $on))";
    let described = [
        ("spins", with("", spin)),
        ("traps", with("", "unreachable")),
        ("recurses", with("(func $deeper (call $deeper) (call $deeper))", "(call $deeper)")),
        (
            "eats-memory",
            with("", "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable"),
        ),
        (
            "eats-tables",
            with("(table $bomb 1 funcref)", "(drop (table.grow $bomb (ref.null func) (i32.const 100000000)))"),
        ),
        ("starts-spinning", with("(func $s (loop $on (br $on))) (start $s)", "")),
        ("lies-about-a-name", with("", "(i32.store (i32.const 68) (i32.const -1))")),
        ("points-nowhere", with("", "(i32.store (i32.const 64) (i32.const -16))")),
        ("has-no-utf8", with("", "(i32.store8 (i32.const 128) (i32.const 255))")),
        ("has-many-metrics", with("", "(i32.store (i32.const 104) (i32.const 100000000))")),
        ("returns-nowhere", with("", "(return (i32.const -4))")),
    ];
    components.extend(described.map(|(name, bytes)| (name.to_owned(), bytes)));
    // Compiled slowly, or into more memory than a compiler may take.
    let locals = format!("(func {} (nop))", "(local i64)".repeat(49_000));
    let nested = format!("(func {} nop {})", "block ".repeat(20_000), "end ".repeat(20_000));
    let branches = format!("(func (param i32) (block (br_table {} (local.get 0))))", "0 ".repeat(60_000));
    let functions = "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))".repeat(60_000);
    for (name, definitions) in
        [("locals", locals), ("nested", nested), ("branches", branches), ("functions", functions)]
    {
        components.push((name.to_owned(), with(&definitions, "")));
    }
    for wanted in
        ["wasi:sockets/tcp@0.2.0", "wasi:filesystem/types@0.2.0", "wasi:http/outgoing-handler@0.2.0", "evil:host/run"]
    {
        let text = format!("(component (import \"{wanted}\" (instance)))");
        components
            .push((format!("imports-{}", wanted.split([':', '/']).nth(1).unwrap()), wat::parse_str(text).unwrap()));
    }
    let mut numbers = Numbers(13);
    for number in 0..40 {
        let mut flipped = good.clone();
        (0..4).for_each(|_| flipped[numbers.below(good.len())] ^= 1 << numbers.below(8));
        components.push((format!("flipped-{number}"), flipped));
    }
    components
}

fn put(server: &Server, token: &str, path: &str, content: Vec<u8>) -> Answer {
    let headers = [("authorization", &*format!("Bearer {token}"))];
    server.send_bytes("PUT", path, &headers, Some(("application/octet-stream", content)))
}

/// Brings everything, some at a time, and returns how many were kept.
fn bring(server: &Server, token: &str, things: Vec<(String, Vec<u8>)>) -> usize {
    let kept = AtomicUsize::new(0);
    let left = Mutex::new(things);
    let data = server.data().display().to_string();
    let next = || left.lock().unwrap().pop();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((path, content)) = next() {
                    let answer = put(server, token, &path, content);
                    assert!(matches!(answer.status, 200 | 201 | 400 | 413 | 422), "{path}: {answer:?}");
                    assert!(answer.json().is_object() && !answer.body.contains("panicked"), "{path}: {answer:?}");
                    assert!(!answer.body.contains(&data), "{path} tells where data lies: {answer:?}");
                    if answer.status < 300 {
                        kept.fetch_add(1, Ordering::SeqCst);
                    } else {
                        assert!(
                            answer.json()["detail"].as_str().is_some_and(|why| why.len() > 10),
                            "{path}: {answer:?}"
                        );
                    }
                }
            });
        }
    });
    kept.into_inner()
}

/// Memory of a process that is not shared, KiB.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[track_caller]
fn assert_well(server: &Server, token: &str, before_kib: u64) {
    assert_eq!(server.send_bytes("GET", "/healthz", &[], None).status, 200);
    let sessions = sample::jsonl(&sample::sessions(5)).into_bytes();
    assert!(put(server, token, "/v1/files/well.jsonl", sessions).status < 300);
    let grown = resident_kib(server.pid()).saturating_sub(before_kib);
    assert!(grown < 100 << 10, "the server grew by {grown} KiB");
}

#[test]
fn bad_files_are_kept_or_refused_and_the_server_stays_well() {
    let server = Server::start();
    let token = server.token("acme", "ci");
    let files = |files: Vec<(String, Vec<u8>)>| -> Vec<(String, Vec<u8>)> {
        files.into_iter().map(|(name, content)| (format!("/v1/files/{name}"), content)).collect()
    };
    let odd = files(odd_files());
    bring(&server, &token, odd);
    let before = resident_kib(server.pid());
    let tables = files(damaged_tables());
    let count = tables.len();
    let kept = bring(&server, &token, tables);
    assert!(count > 240 && kept < count / 2, "{kept} of {count} were kept");
    assert_well(&server, &token, before);
}

#[test]
fn a_file_that_takes_all_memory_is_refused_with_the_reason() {
    let server = Server::start_with(&["--worker-memory", "512MiB"]);
    let token = server.token("acme", "ci");
    let before = resident_kib(server.pid());
    let refused = put(&server, &token, "/v1/files/bomb.jsonl.gz", bomb());
    assert!(matches!(refused.status, 400 | 422), "{refused:?}");
    let why = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(why.contains("more than the 512 MiB of memory that it may take"), "{why}");
    assert_well(&server, &token, before);
}

#[test]
fn hostile_components_are_refused_or_score_nothing_and_the_server_stays_well() {
    let server = Server::start();
    let token = server.token("acme", "ci");
    assert_eq!(put(&server, &token, "/v1/components/good/1.0.0", component()).status, 201);
    let before = resident_kib(server.pid());
    let components = hostile_components();
    let paths = components.into_iter().map(|(name, bytes)| (format!("/v1/components/{name}/1.0.0"), bytes));
    bring(&server, &token, paths.collect());
    for name in
        ["spins", "traps", "recurses", "eats-memory", "huge", "imports-sockets", "a-module", "cut", "points-nowhere"]
    {
        assert_eq!(server.get(&format!("/v1/components/{name}/1.0.0"), &token).status, 404, "{name}");
    }
    assert_well(&server, &token, before);
}

#[test]
fn components_that_describe_themselves_well_and_score_badly_fail_their_run_only() {
    let server = Server::start();
    let token = server.token("acme", "ci");
    let files = [("sessions.jsonl", sample::jsonl(&sample::sessions(20))), ("products.jsonl", sample::products())];
    for (name, content) in files {
        put(&server, &token, &format!("/v1/files/{name}"), content.into_bytes()).expect(201);
    }
    let scored = [
        ("good", ""),
        ("spins", "(loop $on (br $on))"),
        ("traps", "unreachable"),
        ("eats-memory", "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable"),
        ("returns-nowhere", "(return (i32.const -4))"),
        // They bide their time: the first look has fewer sessions.
        ("traps-later", "(if (i32.gt_u (i32.load (local.get $batch)) (i32.const 8)) (then unreachable))"),
        ("spins-later", "(if (i32.gt_u (i32.load (local.get $batch)) (i32.const 8)) (then (loop $on (br $on))))"),
    ];
    let mut refused = 0;
    for (name, at_score) in scored {
        let brought = put(&server, &token, &format!("/v1/components/{name}/1.0.0"), component_with("", "", at_score));
        if brought.status == 422 {
            // Some are found out by the first look already.
            assert!(name != "good" && brought.body.contains("unusable_component"), "{brought:?}");
            refused += 1;
            continue;
        }
        brought.expect(201);
        let benchmark = sample::BENCHMARK
            .replace("sessions.jsonl", "files/sessions.jsonl")
            .replace("products.jsonl", "files/products.jsonl");
        let toml = format!("{benchmark}\n[[scorer]]\nname = \"s\"\nplugin = \"{name}@1.0.0\"\n");
        let posted = server.post("/v1/runs", &token, &json!({ "toml": toml })).expect(201);
        let path = format!("/v1/runs/{}", posted["id"].as_str().unwrap());
        let ended = until("the end of a run", || {
            let run = server.get(&path, &token).expect(200);
            matches!(run["state"].as_str(), Some("completed" | "failed")).then_some(run)
        });
        // A batch that fails is tried in parts, which those that wait for a large one let pass.
        let may_complete = name == "good" || name.ends_with("later");
        assert!(ended["state"] == "failed" || may_complete, "{name}: {ended}");
        assert_eq!(ended["attempts"], 1, "what fails by itself is not tried again: {ended}");
        if ended["state"] == "failed" {
            assert!(name != "good");
            assert!(ended["failure"]["message"].as_str().is_some_and(|why| why.len() > 20), "{ended}");
        }
    }
    assert!(refused < scored.len() - 1, "one at least must be met in a run");
    assert_eq!(server.send_bytes("GET", "/healthz", &[], None).status, 200);
}
