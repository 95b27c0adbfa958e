//! What is refused before any session is scored, and with which words.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::{WasmScorer, pack};
use super::guests::{Guest, Rows, host, in_full, load_bytes, plan};
use crate::benchmark::{Limits, PluginPlan};
use crate::score::{ScoreError, Scorer};
use crate::store::sha256_of_bytes;

fn refusal(guest: &Guest) -> String {
    refusal_with(guest, Limits::default())
}

fn refusal_with(guest: &Guest, limits: Limits) -> String {
    reason(guest.load_with(limits).unwrap_err())
}

fn refusal_of_text(text: &str) -> String {
    reason(load_bytes(&wat::parse_str(text).unwrap(), Limits::default()).unwrap_err())
}

fn reason(error: ScoreError) -> String {
    match error {
        ScoreError::Load { reason, .. } | ScoreError::Failed { reason, .. } => reason,
        error => in_full(&error),
    }
}

fn describing(code: &'static str) -> Guest {
    Guest { at_describe: code, ..Guest::default() }
}

#[test]
fn a_component_describes_itself() {
    let scorer = Guest::default().load().unwrap();
    let description = scorer.description();
    assert_eq!((description.name.as_str(), description.version.as_str()), ("guest", "1.0"));
    assert_eq!(description.needs, ["hits"]);
    assert_eq!(description.metrics.len(), 1);
    assert_eq!((description.metrics[0].name.as_str(), description.metrics[0].higher_is_better), ("hits", true));
    assert_eq!(description.sha256, sha256_of_bytes(&pack(&Guest::default().core()).unwrap()));
}

#[test]
fn a_missing_file_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("nowhere.wasm");
    let error = WasmScorer::load("revenue", &plan(&path, Limits::default()), host()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read plugin `{}` of scorer `revenue`", path.display()));
    assert!(matches!(error, ScoreError::Read { .. }));
}

#[test]
fn another_sha256_than_the_pinned_one_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("guest.wasm");
    let bytes = pack(&Guest::default().core()).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let pinned = |sha256: String| PluginPlan { sha256: Some(sha256), ..plan(&path, Limits::default()) };
    WasmScorer::load("pinned", &pinned(sha256_of_bytes(&bytes)), host()).unwrap();
    let wrong = "0".repeat(64);
    let error = reason(WasmScorer::load("pinned", &pinned(wrong.clone()), host()).unwrap_err());
    let expected =
        format!("its SHA-256 is `{}`, expected `{wrong}`; check the file, or mend `sha256`", sha256_of_bytes(&bytes));
    assert_eq!(error, expected);
}

#[test]
fn what_is_not_a_component_is_refused_with_what_it_is() {
    for bytes in [&b""[..], b"\0as", b"PK\x03\x04", b"(component)"] {
        let error = reason(load_bytes(bytes, Limits::default()).unwrap_err());
        assert_eq!(error, "it is not a WebAssembly component");
    }
    let error = reason(load_bytes(&Guest::default().core(), Limits::default()).unwrap_err());
    assert_eq!(error, "it is a core module, expected a component; pack it with `rematch plugin pack`");
    let mut cut = pack(&Guest::default().core()).unwrap();
    cut.truncate(cut.len() / 2);
    let error = reason(load_bytes(&cut, Limits::default()).unwrap_err());
    assert!(error.starts_with("it does not compile: "), "{error}");
}

#[test]
fn a_file_above_the_size_limit_is_refused_unread() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("huge.wasm");
    let file = std::fs::File::create(&path).unwrap();
    for size in [Limits::default().component_bytes + 1, 100 << 20, 1 << 40] {
        file.set_len(size).unwrap();
        let error = reason(WasmScorer::load("huge", &plan(&path, Limits::default()), host()).unwrap_err());
        assert_eq!(error, "it is larger than the limit of 33554432 bytes");
    }
    let limits = Limits { component_bytes: 100, ..Limits::default() };
    let error = reason(load_bytes(&pack(&Guest::default().core()).unwrap(), limits).unwrap_err());
    assert_eq!(error, "it is larger than the limit of 100 bytes");
}

#[test]
fn every_import_is_refused_by_name() {
    let error = refusal_of_text(r#"(component (import "f" (func)) (import "wasi:cli/environment@0.2.0" (instance)))"#);
    assert_eq!(error, "it imports `f`, but a plugin may import nothing but `rematch:scoring/log@0.1.0`");
}

#[test]
fn a_way_out_of_the_sandbox_is_refused_by_name() {
    for import in [
        "wasi:clocks/wall-clock@0.2.3",
        "wasi:random/random@0.2.3",
        "wasi:filesystem/types@0.2.3",
        "wasi:sockets/tcp@0.2.3",
        "wasi:cli/environment@0.2.3",
        "wasi:http/outgoing-handler@0.2.3",
        "wasi:threads/spawn@0.2.3",
        "rematch:scoring/log@0.2.0",
        "env",
    ] {
        let import_type = if import == "env" { "(func)" } else { "(instance)" };
        let error = refusal_of_text(&format!(r#"(component (import "{import}" {import_type}))"#));
        assert!(error.starts_with(&format!("it imports `{import}`")), "{error}");
        let way_out = ["a plugin may import nothing but `rematch:scoring/log@0.1.0`", "set `wasi = \"inert\"`"];
        assert!(way_out.iter().any(|way_out| error.contains(way_out)), "{error}");
    }
}

#[test]
fn an_endless_describe_meets_the_fuel_limit() {
    let guest = describing("(loop $ever (br $ever))");
    let error = refusal_with(&guest, Limits { fuel_base: 100_000, ..Limits::default() });
    assert_eq!(error, "`describe` failed: fuel limit of 100000 units reached in `describe`");
}

#[test]
fn data_beyond_the_memory_are_refused() {
    let guest = Guest { definitions: r#"(data (i32.const 131070) "beyond")"#, ..Guest::default() };
    let error = refusal(&guest);
    assert!(error.starts_with("`describe` failed: ") && error.contains("out of bounds"), "{error}");
}

#[test]
fn more_memories_tables_or_instances_than_the_limit_are_refused() {
    let memories = Guest { definitions: "(memory 1) (memory 1) (memory 1) (memory 1)", ..Guest::default() };
    assert_eq!(refusal(&memories), "`describe` failed: limit of 4 memory definitions reached (5 asked for)");
    let tables = Guest { definitions: "(table 1 funcref) (table 1 funcref)", ..Guest::default() };
    let error = refusal_with(&tables, Limits { instances: 1, ..Limits::default() });
    assert_eq!(error, "`describe` failed: limit of 1 table definitions reached (2 asked for)");
}

#[test]
fn limits_beyond_the_pool_hold_too() {
    let guest = Guest {
        definitions: "(table $wide 2000000 funcref)",
        at_three_hits: "(drop (table.grow $wide (ref.null func) (i32.const 1000000)))",
        memory: "8192",
        ..Guest::default()
    };
    let limits = Limits { table_elements: 2_000_000, memory_bytes: 3 << 30, instances: 500, ..Limits::default() };
    let outcomes = guest.load_with(limits).unwrap().score(&Rows::with_hits(&[1, 3]).cases()).unwrap();
    assert_eq!(outcomes.iter().map(|outcome| outcome.value).collect::<Vec<_>>(), [Some(1.0), Some(3.0)]);
    let error = refusal_with(&guest, Limits { table_elements: 1_999_999, ..limits });
    assert!(error.contains("table limit of 1999999 elements reached (2000000 asked for)"), "{error}");
}

#[test]
fn a_component_of_another_world_is_refused_with_what_it_exports() {
    let other = r#"(component (instance $empty) (export "rematch:scoring/guest@0.2.0" (instance $empty)))"#;
    let expected = "it exports `rematch:scoring/guest@0.2.0`, expected `rematch:scoring/guest@0.1.0`";
    assert_eq!(refusal_of_text(other), expected);
    assert_eq!(refusal_of_text("(component)"), "it exports nothing, expected `rematch:scoring/guest@0.1.0`");
    let same_name = r#"(component (instance $empty) (export "rematch:scoring/guest@0.1.0" (instance $empty)))"#;
    let error = refusal_of_text(same_name);
    assert!(error.starts_with("it does not fit the world `scorer`: ") && error.contains("describe"), "{error}");
}

#[test]
fn features_whose_results_differ_between_machines_do_not_compile() {
    for (definition, named) in [
        (
            "(func (drop (f32x4.relaxed_madd (v128.const i64x2 0 0) (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
            "relaxed",
        ),
        ("(memory $shared 1 1 shared)", "threads"),
        ("(memory $wide i64 1)", "memory64"),
    ] {
        let text = format!("(component (core module (memory 1) {definition}))");
        let error = refusal_of_text(&text);
        assert!(error.starts_with("it does not compile: ") && error.contains(named), "{error}");
    }
}

#[test]
fn an_endless_start_function_meets_the_fuel_limit() {
    let guest = Guest { definitions: "(func $spin (loop $ever (br $ever))) (start $spin)", ..Guest::default() };
    let error = refusal_with(&guest, Limits { fuel_base: 100_000, ..Limits::default() });
    assert_eq!(error, "`describe` failed: fuel limit of 100000 units reached in `spin`");
}

#[test]
fn an_endless_start_function_with_endless_fuel_meets_the_deadline() {
    let guest = Guest { definitions: "(func $spin (loop $ever (br $ever))) (start $spin)", ..Guest::default() };
    let started = Instant::now();
    let error = refusal_with(&guest, Limits { fuel_base: u64::MAX, deadline_ms: 50, ..Limits::default() });
    assert_eq!(error, "`describe` failed: deadline of 50 ms reached in `spin`");
    assert!(started.elapsed() >= Duration::from_millis(50));
}

#[test]
fn an_endless_score_is_found_at_loading() {
    let guest = Guest { at_end: "(loop $ever (br $ever))", ..Guest::default() };
    let error = refusal_with(&guest, Limits { fuel_base: 100_000, ..Limits::default() });
    assert_eq!(error, "plugin `guest 1.0`: fuel limit of 100000 units reached in `score`");
}

#[test]
fn a_first_memory_or_table_above_the_limit_is_refused() {
    let error = refusal(&Guest { memory: "65536", ..Guest::default() });
    assert!(
        error.starts_with("`describe` failed: memory limit of 268435456 bytes reached (4294967296 asked for)"),
        "{error}"
    );
    let error = refusal(&Guest { definitions: "(table 10000000 funcref)", ..Guest::default() });
    assert!(error.starts_with("`describe` failed: table limit of 100000 elements reached"), "{error}");
}

#[test]
fn refused_parameters_are_found_at_loading() {
    // The text of the failure is at 136: "hits".
    let code = "(i32.store (i32.const 1024) (i32.const 1)) (i32.store (i32.const 1028) (i32.const 0))
                (i32.store (i32.const 1032) (i32.const 136)) (i32.store (i32.const 1036) (i32.const 4))";
    let error = Guest { at_end: code, ..Guest::default() }.load().unwrap_err();
    assert_eq!(error.to_string(), "scorer `test` failed: plugin `guest 1.0`: refused its parameters: hits");
}

#[test]
fn a_description_without_a_name_or_proper_metrics_is_refused() {
    let nameless = "(i32.store (i32.const 68) (i32.const 0))";
    assert_eq!(refusal(&describing(nameless)), "`describe` gives it no name");
    let no_metric = "(i32.store (i32.const 104) (i32.const 0))";
    assert_eq!(refusal(&describing(no_metric)), "`describe` names no metric, expected at least one");
    let twice = "(i32.store (i32.const 104) (i32.const 2)) (i32.store (i32.const 320) (i32.const 136))";
    assert_eq!(refusal(&describing(twice)), "`describe` gives two metrics the name `hits`");
}

#[test]
fn a_description_that_is_not_utf8_is_refused() {
    let error = refusal(&describing("(i32.store8 (i32.const 128) (i32.const 0xff))"));
    assert!(error.starts_with("`describe` failed: ") && error.contains("utf-8"), "{error}");
}
