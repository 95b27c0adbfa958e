//! `rematch plugin`: from an empty folder to a component in a benchmark, without a compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::plugin_server::Server;
use crate::rematch::{Outcome, call, command, rematch, workspace};
use crate::sample;
use crate::workbench::Workbench;

const LANGUAGES: [&str; 4] = ["rust", "python", "js", "c"];

fn half_life() -> PathBuf {
    workspace().join("plugins/half-life-utility/half-life-utility.wasm")
}

/// Calls `rematch plugin`.
fn plugin<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Outcome {
    rematch(std::iter::once("plugin").chain(arguments))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

/// Asserts that what was printed fits a terminal and holds nothing that a terminal acts on.
#[track_caller]
fn fits(printed: &str) {
    for line in printed.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
    let harmful = |letter: char| letter != '\n' && (letter.is_control() || ('\u{202a}'..='\u{202e}').contains(&letter));
    assert!(!printed.contains(harmful), "{printed:?}");
}

// New projects and missing toolchains.

#[test]
fn a_new_project_has_a_readme_a_test_and_its_sdk_and_says_what_is_next() {
    for language in LANGUAGES {
        let bench = Workbench::empty();
        let folder = bench.path("my-scorer");
        let arguments = ["new", "--lang", language, "my-scorer", "--dir", text(&folder)];
        let said = plugin(arguments).exits(0).stdout;
        for next in ["&& ", "rematch plugin build ", "rematch plugin test "] {
            assert!(said.contains(next), "{said}");
        }
        for file in ["README.md", "rematch-plugin.toml", "sdk/wit/scoring.wit"] {
            assert!(folder.join(file).is_file(), "{language}: no {file}");
        }
        let again = plugin(arguments).exits(2);
        again.complains(&["is there already and not empty", "`--dir` names another folder"]);
    }
}

#[test]
fn a_name_that_cannot_be_a_crate_or_a_module_is_refused_with_what_is_legal() {
    let bench = Workbench::empty();
    let folder = bench.path("x");
    for name in ["My-Scorer", "my_scorer", "9lives", "match", "../evil", ""] {
        let refused = plugin(["new", "--lang", "c", name, "--dir", text(&folder)]).exits(2);
        refused.complains(&["cannot be the name of a plugin"]);
    }
    assert!(!folder.exists());
}

#[test]
fn a_missing_toolchain_is_named_with_what_to_do() {
    for (language, says) in [
        ("rust", ["`cargo` is not on PATH", "https://rustup.rs", "rustup target add wasm32-unknown-unknown"]),
        ("c", ["no toolchain for c", "rematch plugin setup c", "ziglang==0.17.0"]),
        ("python", ["no toolchain for python", "rematch plugin setup python", "componentize-py==0.25.1"]),
        ("js", ["no toolchain for js", "`node` is not on PATH", "rematch plugin setup js"]),
    ] {
        let bench = Workbench::empty();
        let project = bench.path("my-scorer");
        plugin(["new", "--lang", language, "my-scorer", "--dir", text(&project)]).exits(0);
        let mut build = command();
        build.env("PATH", bench.path("nothing")).env("REMATCH_TOOLCHAINS", bench.path("none"));
        call(build.args(["plugin", "build", text(&project)])).exits(2).complains(&says);
    }
}

#[test]
fn a_folder_that_is_no_project_or_a_wrong_project_is_said_so() {
    let bench = Workbench::empty();
    let folder = bench.path("");
    plugin(["build", text(&folder)]).exits(3).complains(&["rematch-plugin.toml", "rematch plugin new"]);
    bench.write("rematch-plugin.toml", "name = \"x\"\nlanguage = \"cobol\"\n");
    plugin(["build", text(&folder)]).exits(2).complains(&["rematch-plugin.toml:2:12", "cobol", "rust"]);
    bench.write("rematch-plugin.toml", "name = \"x\"\nlanguage = \"c\"\n");
    plugin(["build", text(&folder)]).exits(3).complains(&["no main file", "scorer.c", "source = "]);
    plugin(["test", text(&folder)]).exits(3).complains(&["x.wasm` is not there", "rematch plugin build"]);
}

#[test]
fn setup_leaves_a_folder_alone_that_it_did_not_make() {
    let bench = Workbench::empty();
    bench.write("c/thesis.txt", "years of work");
    let refused = plugin(["setup", "c", "--dir", text(&bench.path(""))]).exits(2);
    assert!(refused.stdout.contains("MB to download"), "{}", refused.stdout);
    refused.complains(&["not made by `rematch plugin setup`", "--dir"]);
    assert!(bench.path("c/thesis.txt").is_file());
}

// What a component is, and whether it keeps the contract.

#[test]
fn inspect_says_what_a_component_is_and_may_use() {
    let said = plugin(["inspect", text(&half_life())]).exits(0).stdout;
    for words in [
        "a component",
        "sha256",
        "imports  nothing",
        "rematch:scoring/guest@0.1.0",
        "half-life-utility 0.1.0",
        "0 to 1, higher is better",
        "reads judged",
        "half_life",
        "fuel-per-session",
        "10000000",
        "256 MiB",
    ] {
        assert!(said.contains(words), "`{words}` is missing in:\n{said}");
    }
    fits(said.split_once('\n').expect("lines").1);
    let found = json(&plugin(["inspect", text(&half_life()), "--json"]).exits(0));
    assert_eq!(found["inspection"]["kind"], "component");
    assert_eq!(found["description"]["sha256"], found["inspection"]["sha256"]);
    assert_eq!(found["limits"]["memory_bytes"], 256 << 20);
    let unrun = json(&plugin(["inspect", text(&half_life()), "--json", "--no-run"]).exits(0));
    assert!(unrun["description"].is_null() && unrun["inspection"] == found["inspection"]);
}

#[test]
fn inspect_knows_a_core_module_and_refuses_what_is_no_webassembly() {
    let bench = Workbench::empty();
    let core = bench.write("core.wasm", wat::parse_str(guest(TRAP)).expect("a module"));
    let said = plugin(["inspect", text(&core)]).exits(0).stdout;
    assert!(said.contains("a core module") && said.contains("rematch plugin pack"), "{said}");
    let garbage = bench.write("garbage.wasm", "not WebAssembly");
    plugin(["inspect", text(&garbage)]).exits(3).complains(&["garbage.wasm", "not WebAssembly"]);
    plugin(["inspect", text(&bench.path("nowhere.wasm"))]).exits(3).complains(&["cannot read", "nowhere.wasm"]);
}

#[test]
fn test_passes_a_sound_component_and_says_what_it_costs() {
    let said = plugin(["test", text(&half_life())]).exits(0).stdout;
    for words in [
        "14 sample sessions",
        "relevant-not-found",
        "unknown",
        "ok      contract",
        "same bits shuffled",
        "same bits in batches of 7",
        "on 4 threads",
        "fuel of a session alone, most",
        "256.0 MiB",
        "from the cache",
        "all 8 checks pass",
    ] {
        assert!(said.contains(words), "`{words}` is missing in:\n{said}");
    }
    fits(&said);
    let found = json(&plugin(["test", text(&half_life()), "--json", "--params", "{\"half_life\": 10}"]).exits(0));
    assert_eq!((found["passed"].clone(), found["schema_version"].clone()), (true.into(), 1.into()));
    assert!(found["cost"]["fuel_per_session"].as_f64().expect("fuel") > 0.0);
    let graded = found["sessions"].as_array().expect("sessions").iter().find(|row| row["session_id"] == "graded");
    assert!(graded.expect("the sample")["score"].as_f64().expect("a score") > 0.0);
}

#[test]
fn test_scores_the_shown_lists_of_a_file_of_sessions() {
    let sessions = workspace().join("data/shop/sessions.parquet");
    let component = half_life();
    let arguments = ["test", text(&component), "--sessions", text(&sessions), "--limit", "30"];
    let said = plugin(arguments).exits(0).stdout;
    assert!(said.contains("and 5 more"), "{said}");
    let found = json(&plugin(arguments.into_iter().chain(["--json"])).exits(0));
    assert_eq!(found["sessions"].as_array().expect("sessions").len(), 30);
    let nowhere = plugin(["test", text(&half_life()), "--sessions", "nowhere.parquet"]).exits(3);
    nowhere.complains(&["nowhere.parquet"]);
}

#[test]
fn wrong_parameters_are_told_from_refused_ones() {
    plugin(["test", text(&half_life()), "--params", "5"]).exits(2).complains(&["`--params 5`", "expected an object"]);
    let refused = plugin(["test", text(&half_life()), "--params", "{\"half_life\": 0}"]).exits(6);
    refused.complains(&["half_life", "`--params JSON` gives them"]);
}

#[test]
fn a_score_that_depends_on_the_place_in_the_batch_fails_the_test() {
    let bench = Workbench::empty();
    let component = pack(&bench, PLACE);
    let outcome = plugin(["test", text(&component)]);
    assert_eq!(outcome.code, 6, "{}{}", outcome.stdout, outcome.stderr);
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("session `"), "{said}");
    assert!(said.contains("depend") || said.contains("FAILED"), "{said}");
}

#[test]
fn what_a_hostile_component_says_reaches_no_terminal_as_it_is() {
    let bench = Workbench::empty();
    let component = pack(&bench, TRAP);
    let tested = plugin(["test", text(&component)]).exits(6);
    fits(&tested.stdout);
    for words in ["FAILED  no session is an error", "14 of 14", "\\u{1b}[2J", "it logged"] {
        assert!(tested.stdout.contains(words), "`{words}` is missing in:\n{}", tested.stdout);
    }
    let inspected = plugin(["inspect", text(&component)]).exits(0);
    fits(inspected.stdout.split_once('\n').expect("lines").1);
    assert!(inspected.stdout.contains("\\u{1b}[2J\\n\\u{202e}"), "{}", inspected.stdout);
    let as_json = plugin(["inspect", text(&component), "--json"]).exits(0);
    let summary = json(&as_json)["description"]["summary"].clone();
    assert_eq!(summary, "\u{1b}[2J\n\u{202e}evil\u{9b}");
    assert!(!as_json.stdout.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{:?}", as_json.stdout);
}

#[test]
fn messages_of_a_plugin_go_to_stderr_with_its_name() {
    let bench = sample::shop(&sample::sessions(20));
    pack(&bench, TRAP);
    let scorer = "[[scorer]]\nname = \"evil\"\nplugin = \"guest.wasm\"\n";
    bench.write("bench.toml", format!("{}{scorer}", sample::BENCHMARK));
    let failed = bench.run().exits(6);
    assert!(failed.stderr.contains("plugin evil: warning: \\u{1b}[2J"), "{}", failed.stderr);
    assert!(!failed.stderr.contains('\u{1b}'), "{:?}", failed.stderr);
}

#[test]
fn bench_compares_with_a_native_metric() {
    let component = half_life();
    let arguments = ["bench", text(&component), "--sessions", "200", "--hits", "10"];
    let found = json(&plugin(arguments.into_iter().chain(["--json"])).exits(0));
    assert_eq!(found["sessions"], 200);
    let variants = found["variants"].as_array().expect("variants");
    assert!(variants.len() >= 3, "{found}");
    for variant in variants {
        let (time, ratio) = (&variant["seconds_per_session"], &variant["ratio_to_native"]);
        let expected = time.as_f64().expect("a time") / found["native_seconds_per_session"].as_f64().expect("a time");
        assert!((ratio.as_f64().expect("a ratio") - expected).abs() < 1e-6 * expected, "{variant}");
        assert!(variant["fuel_per_session"].as_f64().expect("fuel") > 0.0);
    }
    fits(&plugin(arguments).exits(0).stdout);
}

#[test]
fn the_compiler_process_reports_in_one_line_and_keeps_to_its_limits() {
    let bench = Workbench::empty();
    let cache = bench.path("cache");
    let compile = |component: &Path, seconds: &str, memory: &str| {
        rematch(["compile-component", text(component), text(&cache), seconds, memory])
    };
    let garbage = bench.write("garbage.wasm", "not WebAssembly");
    let refused = compile(&garbage, "60", "4294967296").exits(1);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    compile(&half_life(), "60", "4294967296").exits(0);
    let starved = compile(&half_life(), "60", "1048576");
    assert_ne!(starved.code, 0, "a megabyte is not enough for a compiler");
}

// Registries.

/// Publishes the example into the folder `registry`.
fn publish(bench: &Workbench, more: &[&str]) -> Outcome {
    let registry = bench.path("registry");
    plugin(["publish", text(&half_life()), "--registry", text(&registry)].into_iter().chain(more.iter().copied()))
}

fn add(bench: &Workbench, registry: &str, wanted: &str) -> Outcome {
    let mut add = command();
    add.current_dir(bench.path("")).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    call(add.args(["plugin", "add", wanted, "--registry", registry, "--benchmark", "bench.toml"]))
}

#[test]
fn a_published_component_is_added_pinned_and_run() {
    let bench = sample::shop(&sample::sessions(20));
    publish(&bench, &[]).exits(0);
    publish(&bench, &["--version", "0.2.0"]).exits(0);
    publish(&bench, &["--version", "0.10.0-rc.1"]).exits(0);
    let again = publish(&bench, &[]).exits(0);
    assert!(again.stdout.contains("is there already"), "{}", again.stdout);
    let registry = text(&bench.path("registry")).to_owned();
    let added = add(&bench, &registry, "half-life-utility").exits(0).stdout;
    assert!(added.contains("plugin = \"half-life-utility@0.2.0\""), "the latest release: {added}");
    assert!(bench.path("components/half-life-utility@0.2.0.wasm").is_file());

    let (_, lines) = added.split_once("\n\n").expect("the lines to add");
    bench.write("bench.toml", format!("{}{lines}", sample::BENCHMARK));
    let report = bench.report();
    assert_eq!(report["results"][0]["scorers"]["half-life-utility"]["error"], 0);

    std::fs::write(bench.path("components/half-life-utility@0.2.0.wasm"), b"something else").expect("written");
    bench.run_into("other", &[]).exits(6).complains(&["SHA-256", "half-life-utility@0.2.0.wasm"]);
    std::fs::remove_file(bench.path("components/half-life-utility@0.2.0.wasm")).expect("removed");
    let missing = bench.run_into("other", &[]).exits(3);
    missing.complains(&["bench.toml:", "no such file", "rematch plugin add half-life-utility@0.2.0"]);
}

#[test]
fn a_component_of_a_registry_must_be_pinned_and_named_in_full() {
    let bench = sample::shop(&sample::sessions(20));
    let scorer = |plugin: &str| format!("{}[[scorer]]\nname = \"x\"\nplugin = \"{plugin}\"\n", sample::BENCHMARK);
    bench.write("bench.toml", scorer("half-life-utility@0.1.0"));
    bench.run().exits(2).complains(&["bench.toml:", "not pinned by `sha256`", "rematch plugin add"]);
    bench.write("bench.toml", scorer("half-life-utility@latest"));
    bench.run().exits(2).complains(&["`latest` is not a version", "1.2.0"]);
}

#[test]
fn a_published_version_never_changes() {
    let bench = Workbench::empty();
    publish(&bench, &[]).exits(0);
    let other = pack(&bench, TRAP);
    let registry = bench.path("registry");
    let index = std::fs::read(registry.join("index.json")).expect("the index");
    let changed = ["--name", "half-life-utility", "--version", "0.1.0"];
    let arguments = ["publish", text(&other), "--registry", text(&registry)].into_iter().chain(changed);
    plugin(arguments).exits(2).complains(&["a published version never changes", "new version"]);
    assert_eq!(std::fs::read(registry.join("index.json")).expect("the index"), index);
    let nameless = plugin(["publish", text(&other), "--registry", text(&registry)]).exits(2);
    nameless.complains(&["is not a version", "`--name` and `--version`"]);
}

#[test]
fn a_changed_file_of_a_registry_is_refused_and_nothing_is_written() {
    let bench = sample::shop(&sample::sessions(5));
    publish(&bench, &[]).exits(0);
    let file = bench.path("registry/half-life-utility@0.1.0.wasm");
    let mut content = std::fs::read(&file).expect("the component");
    *content.last_mut().expect("a byte") ^= 1;
    std::fs::write(&file, content).expect("written");
    let registry = text(&bench.path("registry")).to_owned();
    add(&bench, &registry, "half-life-utility@0.1.0").exits(3).complains(&["is not what its index says", "SHA-256"]);
    assert!(!bench.path("components").exists());
}

#[test]
fn a_registry_behind_http_serves_components_and_cannot_lie() {
    let bench = sample::shop(&sample::sessions(5));
    publish(&bench, &[]).exits(0);
    let server = Server::of_folder(&bench.path("registry"));
    let added = add(&bench, &server.url(""), "half-life-utility@0.1.0").exits(0);
    assert!(added.stdout.contains("sha256 = "), "{}", added.stdout);
    let fetched = std::fs::read(bench.path("components/half-life-utility@0.1.0.wasm")).expect("the component");
    assert!(fetched == std::fs::read(half_life()).expect("the example"));
    add(&bench, &server.url(""), "nobody").exits(3).complains(&["no component `nobody`", "`half-life-utility`"]);
    add(&bench, &server.url("nowhere"), "half-life-utility").exits(3).complains(&["404"]);
    let moved = add(&bench, &server.url("redirect-to-another-scheme"), "half-life-utility").exits(3);
    moved.complains(&["another scheme"]);
    std::fs::write(bench.path("registry/half-life-utility@0.1.0.wasm"), vec![0; 1 << 20]).expect("written");
    add(&bench, &server.url(""), "half-life-utility").exits(3).complains(&["bytes expected"]);
    let closed = add(&bench, "http://127.0.0.1:1/", "half-life-utility").exits(3);
    closed.complains(&["cannot fetch `http://127.0.0.1:1/index.json`"]);
}

#[test]
fn without_a_registry_its_option_and_variable_are_named() {
    let bench = Workbench::new("");
    let mut add = command();
    add.current_dir(bench.path("")).env_remove("REMATCH_REGISTRY").args(["plugin", "add", "revenue"]);
    call(&mut add).exits(2).complains(&["`--registry`", "REMATCH_REGISTRY"]);
    publish(&bench, &[]).exits(0);
    let mut by_variable: Command = command();
    by_variable.current_dir(bench.path("")).env("REMATCH_REGISTRY", bench.path("registry"));
    call(by_variable.args(["plugin", "add", "half-life-utility"])).exits(0);
    assert!(bench.path("components/half-life-utility@0.1.0.wasm").is_file());
}

// Guests.

/// Logs, and traps as soon as there is a session.
const TRAP: &str = "
    (call $log (i32.const 2) (i32.const 512) (i32.const 14))
    (if (i32.load (local.get $batch)) (then unreachable))";

/// Scores a session by its place in the batch.
const PLACE: &str = "
    (local.set $count (i32.load (local.get $batch)))
    (i32.store (i32.const 1028) (i32.const 65536))
    (i32.store (i32.const 1032) (local.get $count))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $place) (local.get $count)))
      (f64.store (i32.add (i32.const 65536) (i32.mul (local.get $place) (i32.const 8)))
        (f64.convert_i32_u (local.get $place)))
      (local.set $place (i32.add (local.get $place) (i32.const 1)))
      (br $next)))";

/// A guest whose summary and messages are made for terminals, and whose `score` is `body`.
fn guest(body: &str) -> String {
    format!(
        r#"
(module
  (import "rematch:scoring/log@0.1.0" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 32)
  (data (i32.const 64) "\80\00\00\00\07\00\00\00" "\00\00\00\00\00\00\00\00" "\00\02\00\00\0e\00\00\00"
    "\00\00\00\00\00\00\00\00" "\00\00\00\00" "\08\01\00\00\01\00\00\00")
  (data (i32.const 128) "hostile")
  (data (i32.const 264) "\80\00\00\00\07\00\00\00" "\00\00\00\00\00\00\00\00" "\01")
  (data (i32.const 512) "\1b[2J\n\e2\80\aeevil\c2\9b")
  (global $free (mut i32) (i32.const 131072))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "rematch:scoring/guest@0.1.0#describe") (result i32) (i32.const 64))
  (func (export "rematch:scoring/guest@0.1.0#score") (param $batch i32) (result i32)
    (local $count i32) (local $place i32)
    {body}
    (i32.const 1024)))
"#
    )
}

/// Packs a guest into the component `guest.wasm`.
fn pack(bench: &Workbench, body: &str) -> PathBuf {
    let core = bench.write("guest-core.wasm", wat::parse_str(guest(body)).expect("a module"));
    let component = bench.path("guest.wasm");
    plugin(["pack", text(&core), "--out", text(&component)]).exits(0);
    component
}
