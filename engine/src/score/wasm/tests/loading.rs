//! What is refused before any session is scored, and with which words.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::load::sha256_hex;
use super::super::{MAX_COMPONENT_BYTES, WasmScorer, pack};
use super::guests::{Guest, in_full, load_bytes, plan};
use crate::benchmark::{Limits, PluginPlan};
use crate::score::ScoreError;

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
    assert_eq!(
        (description.metrics.as_slice(), description.needs.as_slice()),
        (&["hits".to_owned()][..], &["hits".to_owned()][..])
    );
    assert_eq!(description.sha256, sha256_hex(&pack(&Guest::default().core()).unwrap()));
}

#[test]
fn a_missing_file_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("nowhere.wasm");
    let error = WasmScorer::load("revenue", &plan(&path, Limits::default())).unwrap_err();
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
    WasmScorer::load("pinned", &pinned(sha256_hex(&bytes))).unwrap();
    let wrong = "0".repeat(64);
    let error = reason(WasmScorer::load("pinned", &pinned(wrong.clone())).unwrap_err());
    let expected =
        format!("its SHA-256 is `{}`, expected `{wrong}`; check the file, or mend `sha256`", sha256_hex(&bytes));
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
    file.set_len(MAX_COMPONENT_BYTES + 1).unwrap();
    let error = reason(WasmScorer::load("huge", &plan(&path, Limits::default())).unwrap_err());
    assert_eq!(error, "it is larger than the limit of 33554432 bytes");
}

#[test]
fn every_import_is_refused_by_name() {
    let error = refusal_of_text(r#"(component (import "f" (func)) (import "wasi:cli/environment@0.2.0" (instance)))"#);
    assert_eq!(error, "it imports `f`, `wasi:cli/environment@0.2.0`, but a scorer may import nothing");
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
    let twice = "(i32.store (i32.const 104) (i32.const 2)) (i32.store (i32.const 272) (i32.const 136))";
    assert_eq!(
        refusal(&describing(twice)),
        r#"`describe` names the metrics ["hits", "hits"], expected different, non-empty names"#
    );
}

#[test]
fn a_description_that_is_not_utf8_is_refused() {
    let error = refusal(&describing("(i32.store8 (i32.const 128) (i32.const 0xff))"));
    assert!(error.starts_with("`describe` failed: ") && error.contains("utf-8"), "{error}");
}
