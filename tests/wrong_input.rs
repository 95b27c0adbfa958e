//! What is wrong is said with its place and its fix, and by the exit code; a failure is never a score.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;

use crate::rematch::{rematch, workspace};
use crate::sample;
use crate::workbench::{Workbench, text};

fn shop() -> Workbench {
    sample::shop(&sample::sessions(60))
}

/// Replaces a text that stands in the benchmark file.
fn replace(bench: &Workbench, old: &str, new: &str) {
    let text = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    assert!(text.contains(old), "`{old}` is not in the benchmark");
    bench.write("bench.toml", text.replace(old, new));
}

/// Adds lines at the end of the benchmark file.
fn append(bench: &Workbench, lines: &str) {
    replace(bench, sample::BENCHMARK, &format!("{}{lines}", sample::BENCHMARK));
}

/// Returns `:line:` of the first line of the benchmark file that holds `text`.
fn line_of(bench: &Workbench, name: &str, text: &str) -> String {
    let content = std::fs::read_to_string(bench.path(name)).expect("the benchmark");
    let index = content.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("`{text}` is not there"));
    format!("{name}:{}:", index + 1)
}

/// Writes sessions as Parquet with these columns, and lets the benchmark read them.
fn parquet(bench: &Workbench, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = std::fs::File::create(bench.path("sessions.parquet")).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    replace(bench, "sessions.jsonl", "sessions.parquet");
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

// The benchmark file.

/// A change of the benchmark file that makes it wrong, where the mistake is, and what is said of it.
struct Mistake {
    old: &'static str,
    new: &'static str,
    /// A text on the line that is pointed at.
    at: &'static str,
    says: &'static [&'static str],
}

const MISTAKES: [Mistake; 14] = [
    Mistake {
        old: "depth = 20",
        new: "depth = 20\nmetrics.primary = \"nCDG@10\"",
        at: "nCDG@10",
        says: &["unknown metric `nCDG@10`", "did you mean `nDCG", "known metrics are", "Bpref"],
    },
    Mistake { old: "depth = 20", new: "depth = 20\nmetrics.k = [5, 0]", at: "metrics.k", says: &["`0`", "at least 1"] },
    Mistake {
        old: "depth = 20",
        new: "depth = 20\nmetrics.extra = [\"P@0\"]",
        at: "P@0",
        says: &["cutoff must be at least 1", "`0`"],
    },
    Mistake { old: "depth = 20", new: "depth = 0", at: "depth = 0", says: &["`0`", "at least 1"] },
    Mistake {
        old: "depth = 20",
        new: "depth = 5\nmetrics.k = [5, 10]",
        at: "metrics.k",
        says: &["`nDCG@10` looks deeper than the 5 hits that are kept", "raise `depth`"],
    },
    Mistake {
        old: "candidates = [\"search\"]",
        new: "candidates = [\"serach\"]",
        at: "serach",
        says: &["unknown retriever `serach`", "expected one of `shown`, `search`", "did you mean `search`?"],
    },
    Mistake {
        old: "baseline = \"shown\"",
        new: "baseline = \"prod\"",
        at: "baseline = ",
        says: &["unknown retriever `prod`", "`shown`, `search`"],
    },
    Mistake {
        old: "candidates = [\"search\"]",
        new: "candidates = [\"search\", \"shown\"]",
        at: "candidates",
        says: &["the baseline `shown` is among the candidates", "take it off the list"],
    },
    Mistake {
        old: "candidates = [\"search\"]",
        new: "candidates = []",
        at: "candidates",
        says: &["no candidate is given"],
    },
    Mistake {
        old: "baseline = ",
        new: "basline = ",
        at: "basline",
        says: &["unknown key `basline`", "did you mean `baseline`?"],
    },
    Mistake {
        old: "path = \"sessions.jsonl\"",
        new: "path = \"sessions.jsonl\"\nfilter = { min_interactions = 1 }",
        at: "min_interactions",
        says: &["unknown key `min_interactions`", "did you mean `min-interactions`?"],
    },
    Mistake {
        old: "corpus = \"products\"",
        new: "corpus = \"product\"",
        at: "\"product\"",
        says: &["unknown corpus `product`", "did you mean `products`?"],
    },
    Mistake {
        old: "path = \"sessions.jsonl\"",
        new: "path = \"sessions.jsonl\"\nfilter = { where = \"pirce > 3\" }",
        at: "pirce",
        says: &["not a predicate over the session columns", "pirce"],
    },
    Mistake {
        old: "path = \"sessions.jsonl\"",
        new: "path = \"sessions.jsonl\"\nfilter = { time-range = { start = \"yesterday\" } }",
        at: "yesterday",
        says: &["invalid time `yesterday`", "2026-01-01T00:00:00Z"],
    },
];

#[test]
fn a_mistake_in_the_benchmark_file_is_shown_at_its_place_with_its_fix() {
    for mistake in MISTAKES {
        let bench = shop();
        replace(&bench, mistake.old, mistake.new);
        let place = line_of(&bench, "bench.toml", mistake.at);
        for command in ["run", "validate"] {
            let outcome = rematch([command.as_ref(), bench.path("bench.toml").as_os_str()]).exits(2);
            outcome.complains(&[&place]).complains(mistake.says);
        }
    }
}

#[test]
fn a_mistake_in_yaml_is_shown_at_its_place_with_its_fix() {
    let right = "name: yaml\nbaseline: shown\ncandidates: [search]\nsessions:\n  path: sessions.jsonl\nretriever:\n\
                 - id: shown\n  stages: [{ kind: shown }]\n- id: search\n  stages: [{ kind: shown }]\n";
    let cases: [(&str, &str, &str, &[&str]); 4] = [
        ("baseline", "basline", "basline", &["unknown key `basline`", "did you mean `baseline`?"]),
        ("  path:", "  paht:", "paht", &["unknown key `paht`", "did you mean `path`?"]),
        ("[search]", "[serach]", "serach", &["unknown retriever `serach`", "did you mean `search`?"]),
        ("kind: shown", "kind: shwon", "shwon", &["unknown variant `shwon`", "did you mean `shown`?"]),
    ];
    for (old, new, at, says) in cases {
        let bench = shop();
        let path = bench.write("bench.yaml", right.replace(old, new));
        let place = line_of(&bench, "bench.yaml", at);
        rematch(["validate".as_ref(), path.as_os_str()]).exits(2).complains(&[&place]).complains(says);
    }
}

#[test]
fn an_override_that_is_wrong_is_named() {
    let cases: [(&str, &[&str]); 5] = [
        ("nonsense", &["`--set nonsense`", "key.path=value"]),
        ("sessions.sample.count=many", &["sessions.sample.count=many", "many"]),
        ("metrics.k.9=3", &["metrics.k.9=3"]),
        ("sesions.path=x", &["unknown key `sesions`", "did you mean `sessions`?", "--set sesions.path=x"]),
        ("candidates=[\"shown\"]", &["the baseline `shown` is among the candidates", "--set candidates="]),
    ];
    for (given, says) in cases {
        shop().run_with(&["--set", given]).exits(2).complains(says);
    }
}

#[test]
fn a_benchmark_file_that_is_not_there_or_not_toml_is_an_error_of_use() {
    let bench = shop();
    let missing = bench.path("nothing.toml");
    rematch(["run".as_ref(), missing.as_os_str()]).exits(2).complains(&["nothing.toml", "rematch init"]);
    bench.write("bench.toml", "name = \"a\"\nbaseline = = 3\n");
    bench.run().exits(2).complains(&["bench.toml:2:"]);
    rematch(["run"]).exits(2).complains(&["Usage: rematch run"]);
    rematch(["runn"]).exits(2).complains(&["unrecognized subcommand", "run"]);
}

// The inputs.

#[test]
fn a_missing_file_is_shown_where_it_is_named() {
    let cases = [("sessions.jsonl", "path = \"sessions.jsonl\""), ("products.jsonl", "path = \"products.jsonl\"")];
    for (file, line) in cases {
        let bench = shop();
        std::fs::remove_file(bench.path(file)).expect("removed");
        let place = line_of(&bench, "bench.toml", line);
        bench.run().exits(3).complains(&[&place, "no such file", file]);
    }
}

#[test]
fn a_truncated_parquet_file_is_named() {
    let bench = shop();
    let out = bench.path("sessions.parquet");
    rematch(["import".into(), bench.path("sessions.jsonl"), "--out".into(), out.clone()]).exits(0);
    let whole = std::fs::read(&out).expect("Parquet");
    replace(&bench, "sessions.jsonl", "sessions.parquet");
    for kept in [whole.len() - 100, whole.len() / 2, 6] {
        std::fs::write(&out, &whole[..kept]).expect("written");
        bench.run().exits(3).complains(&["sessions.parquet", "damaged or not a Parquet file", "because"]);
        std::fs::remove_dir_all(bench.path("out")).expect("the unfinished run");
    }
    // The footer whole, the data not.
    let mut hollow = whole.clone();
    let middle = whole.len() / 2;
    hollow[4..middle].fill(0xa5);
    std::fs::write(&out, hollow).expect("written");
    bench.run().exits(3).complains(&["sessions.parquet"]);
}

#[test]
fn an_import_overwrites_neither_its_input_nor_what_is_there() {
    let bench = shop();
    let input = bench.path("sessions.jsonl");
    let before = std::fs::read(&input).expect("sessions");
    let import = |arguments: &[&Path]| {
        let all = [Path::new("import")].into_iter().chain(arguments.iter().copied());
        rematch(all.map(Path::as_os_str))
    };
    let glob = bench.path("*.jsonl");
    let out = Path::new("--out");
    for given in [&input, &glob] {
        for force in [None, Some(Path::new("--force"))] {
            let arguments: Vec<&Path> = [given.as_path(), out, &input].into_iter().chain(force).collect();
            import(&arguments).exits(2).complains(&["sessions.jsonl` is read by this import", "`--out`"]);
        }
    }
    #[cfg(unix)]
    {
        let link = bench.path("link.parquet");
        std::os::unix::fs::symlink(&input, &link).expect("a link");
        import(&[&input, out, &link, Path::new("--force")]).exits(2).complains(&["is read by this import"]);
    }
    assert_eq!(std::fs::read(&input).expect("sessions"), before);

    let there = bench.write("there.parquet", "somebody's");
    import(&[&input, out, &there]).exits(2).complains(&["there.parquet` is there already; `--force` overwrites it"]);
    assert_eq!(std::fs::read_to_string(&there).expect("the file"), "somebody's");
    import(&[&input, out, &there, Path::new("--force")]).exits(0);
    assert!(std::fs::read(&there).expect("the file").starts_with(b"PAR1"));

    let nowhere = bench.path("missing/out.parquet");
    let outcome = import(&[&input, out, &nowhere]).exits(2).complains(&["cannot write `", "missing/out.parquet`"]);
    assert!(!outcome.stderr.contains(".rematch-import"), "a name that nobody knows: {}", outcome.stderr);
}

#[test]
fn a_column_of_a_wrong_type_is_named_with_both_types() {
    let bench = shop();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    parquet(&bench, vec![("session_id", texts(&["a", "b"])), ("shown", numbers)]);
    bench.run().exits(3).complains(&["sessions.parquet", "column `shown`", "Int64", "expected List"]);
    let bench = shop();
    parquet(&bench, vec![("session", texts(&["a", "b"]))]);
    bench.run().exits(3).complains(&["sessions.parquet", "no column `session_id`", "`session`"]);
}

#[test]
fn a_repeated_session_id_is_named_with_both_rows() {
    let bench = shop();
    parquet(&bench, vec![("session_id", texts(&["a", "b", "c", "b"])), ("query", texts(&["x", "y", "z", "w"]))]);
    bench.run().exits(3).complains(&["sessions.parquet", "row 4: duplicate session_id `b`, first seen in row 2"]);

    let bench = shop();
    let mut sessions = sample::sessions(5);
    sessions[4].session_id = "s0001".into();
    bench.write("sessions.jsonl", sample::jsonl(&sessions));
    bench.run().exits(3).complains(&["sessions.jsonl", "row 5: duplicate session_id `s0001`, first seen in row 2"]);
}

#[test]
fn a_line_that_is_no_session_is_named() {
    let cases: [(&str, &[&str]); 4] = [
        ("{\"session_id\": \"a\", \"qurey\": 1}", &["row 61", "unknown field `qurey`", "query"]),
        ("{\"session_id\": \"a\"", &["row 61", "JSON"]),
        ("{\"session_id\": \"\"}", &["row 61", "session_id"]),
        ("{\"session_id\": \"a\", \"timestamp\": \"noon\"}", &["row 61", "`noon`", "RFC 3339"]),
    ];
    for (line, says) in cases {
        let bench = shop();
        bench.write("sessions.jsonl", sample::jsonl(&sample::sessions(60)) + line + "\n");
        bench.run().exits(3).complains(&["sessions.jsonl"]).complains(says);
    }
}

#[test]
fn an_empty_input_is_named() {
    let bench = shop();
    bench.write("products.jsonl", "");
    bench.run().exits(3).complains(&["retriever `search` cannot be built", "products.jsonl", "holds no documents"]);
    let bench = shop();
    bench.write("sessions.jsonl", "\n");
    bench.run().exits(3).complains(&["sessions.jsonl", "holds no sessions"]);
}

#[test]
fn a_corpus_without_a_searched_column_or_with_repeated_ids_is_refused() {
    let bench = shop();
    replace(&bench, "title = 1.0", "titel = 1.0");
    bench.run().exits(3).complains(&["products.jsonl", "`titel`", "title"]);
    replace(&bench, "titel = 1.0", "title = 1.0");
    bench.run().exits(0);
    let bench = shop();
    bench.write("products.jsonl", sample::products() + "{\"item_id\": \"p00\", \"title\": \"again\"}\n");
    bench.run().exits(3).complains(&["products.jsonl", "row 41", "`p00`", "row 1"]);
}

// What happens on the way.

#[test]
fn nothing_selected_says_which_filter_removed_how_many() {
    let set = ["--set", "sessions.filter.retriever-ids=[\"prod\"]", "--set", "sessions.filter.min-interactions=9"];
    let says = ["no session is left of 60: `retriever-ids` removed 20, then `min-interactions` removed 40"];
    shop().run_with(&set).exits(4).complains(&says);
    let misspelt = ["--set", "sessions.filter.retriever-ids=[\"prd\"]"];
    let says = ["`retriever-ids` removed 60; sessions have retriever ids such as `", "`prod`"];
    shop().run_with(&misspelt).exits(4).complains(&says);
    let other = ["--set", "sessions.filter.min-interactions=9"];
    let outcome = shop().run_with(&other).exits(4);
    assert!(!outcome.stderr.contains("retriever ids"), "nobody asked for a retriever: {}", outcome.stderr);
}

#[test]
fn a_retriever_that_fails_on_every_session_is_never_scored() {
    for (failing, other) in [("new", "old"), ("old", "new")] {
        let bench = sample::recorded(&[(1, 2); 12], |_| None);
        bench.write(&format!("{failing}.run"), "elsewhere Q0 wanted 1 9 tag\n");
        let loud = format!("retriever `{failing}` failed on every session (not_recorded 12)");
        let doctor = format!("`rematch doctor {}` asks it once", bench.path("bench.toml").display());
        let why = ["it is not scored", "its first error, of stage `", &doctor];
        let outcome = bench.run_with(&["--quiet"]).exits(5).complains(&[&loud]).complains(&why);
        assert_eq!(outcome.stdout, "");
        let report = bench.read_report();
        assert_eq!(report["run"]["state"], "failed");
        let result = |id: &str| crate::workbench::result(&report, id);
        assert_eq!(result(failing)["state"], "failed");
        assert_eq!(result(failing)["metrics"], serde_json::Value::Null);
        assert_eq!(result(failing)["scores"], serde_json::json!({}));
        assert_eq!(result(failing)["error_summary"], serde_json::json!({ "not_recorded": 12 }));
        assert_eq!(result(other)["state"], "completed");
        assert_eq!(report["comparison"]["comparisons"], serde_json::json!([]), "nothing is compared with a dead arm");
        // The same command again says the same: a finished run stays as it ended.
        bench.run_with(&["--quiet"]).exits(5).complains(&[&loud]);
    }
}

#[test]
fn a_candidate_that_finds_nothing_or_has_ids_of_its_own_is_said_before_it_is_called_worse() {
    let ranks: Vec<(usize, usize)> = (0..30).map(|index| (1 + index % 3, 2)).collect();
    let bench = sample::recorded(&ranks, |_| None);
    let run = std::fs::read_to_string(bench.path("new.run")).expect("the run");
    bench.write("new.run", run.replace("Q0 ", "Q0 catalogue/"));
    let told = bench.run().exits(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("`new` is worse than `old`") && told.contains("do the ids have the same form?"), "{told}");
    let cautions =
        |bench: &Workbench| bench.read_report()["comparison"]["comparisons"][0]["verdict"]["cautions"].clone();
    assert!(text(&cautions(&bench)[0]).contains("no hit of `new` is known"), "{}", cautions(&bench));
    let page = std::fs::read_to_string(bench.path("out/report.html")).expect("the page");
    assert!(page.contains("do the ids have the same form?"), "{page}");
    // One id that somebody knows is enough.
    let bench = sample::recorded(&ranks, |_| None);
    bench.write("new.run", run.replace("Q0 other", "Q0 catalogue/other"));
    bench.run().exits(0);
    assert!(!cautions(&bench).to_string().contains("the same form"), "{}", cautions(&bench));

    let bench = sample::recorded(&ranks, |_| None);
    bench.write("items.jsonl", "{\"item_id\": \"wanted\"}\n");
    replace(
        &bench,
        "path = \"new.run\" }",
        "path = \"new.run\" }, { kind = \"filter\", corpus = \"items\", where = \"false\" }",
    );
    let primary = "metrics.primary = \"RR\"";
    replace(&bench, primary, &format!("{primary}\ncorpus.items = {{ path = \"items.jsonl\", id = \"item_id\" }}"));
    let told = bench.run().exits(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("`new` is worse than `old`"), "{told}");
    assert!(told.contains("`new` answered 30 of 30 sessions with no hit"), "{told}");
    assert!(!told.contains("the same form"), "{told}");
}

#[test]
fn sessions_on_which_a_retriever_fails_drop_out_of_the_pairs_and_are_counted() {
    let bench = sample::recorded(&[(2, 1), (3, 1), (2, 2), (4, 1)], |_| None);
    let run = std::fs::read_to_string(bench.path("new.run")).expect("the run");
    let without: String =
        run.lines().filter(|line| !line.starts_with("q001 ")).map(|line| format!("{line}\n")).collect();
    bench.write("new.run", without);
    let report = bench.report();
    let result = crate::workbench::result(&report, "new");
    assert_eq!((&result["answered_sessions"], &result["failed_sessions"]), (&3.into(), &1.into()));
    assert_eq!(result["error_summary"], serde_json::json!({ "not_recorded": 1 }));
    let comparison = &report["comparison"]["comparisons"][0];
    assert_eq!(comparison["metrics"]["RR"]["n"], 3);
    assert_eq!(comparison["dropped"], serde_json::json!({ "candidate_failed": 1 }));
    // 1 - 1/2, 0, 1 - 1/4: the failed session is no zero.
    let delta = comparison["metrics"]["RR"]["delta"].as_f64().expect("a delta");
    assert!((delta - 1.25 / 3.0).abs() < 1e-12, "{delta}");
}

/// A component that traps on every batch that is not empty.
const HOSTILE: &str = r#"
(module
  (memory (export "memory") 1)
  (data (i32.const 64) "\80\00\00\00\07\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00" "\00\00\00\00" "\08\01\00\00\01\00\00\00")
  (data (i32.const 128) "hostile")
  (data (i32.const 264) "\80\00\00\00\07\00\00\00" "\00\00\00\00\00\00\00\00" "\01")
  (global $free (mut i32) (i32.const 8192))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "rematch:scoring/guest@0.1.0#describe") (result i32) (i32.const 64))
  (func (export "rematch:scoring/guest@0.1.0#score") (param $batch i32) (result i32)
    (if (i32.load (local.get $batch)) (then unreachable))
    (i32.const 1024)))
"#;

#[test]
fn a_component_that_fails_on_every_session_fails_the_run() {
    let bench = shop();
    let core = bench.write("hostile-core.wasm", wat::parse_str(HOSTILE).expect("a module"));
    rematch(["plugin".into(), "pack".into(), core, "--out".into(), bench.path("hostile.wasm")]).exits(0);
    append(&bench, "[[scorer]]\nname = \"evil\"\nplugin = \"hostile.wasm\"\n");
    let says = ["scorer `evil` failed on every session", "(60)", "plugin `hostile`", "unreachable"];
    bench.run().exits(6).complains(&says);
    assert!(!bench.path("out/report.json").exists(), "a run without its scores has no report");
}

#[test]
fn a_component_that_is_none_or_not_the_pinned_one_is_refused() {
    let bench = shop();
    bench.write("text.wasm", "not a component");
    append(&bench, "[[scorer]]\nname = \"utility\"\nplugin = \"text.wasm\"\n");
    bench.run().exits(6).complains(&["scorer `utility`", "text.wasm", "cannot be used"]);

    let bench = shop();
    let plugin = workspace().join("plugins/half-life-utility/half-life-utility.wasm");
    let digest = "0".repeat(64);
    append(&bench, &format!("[[scorer]]\nname = \"utility\"\nplugin = {plugin:?}\nsha256 = \"{digest}\"\n"));
    bench.run().exits(6).complains(&["scorer `utility`", &digest]);

    let bench = shop();
    append(&bench, "[[scorer]]\nname = \"utility\"\nplugin = \"nowhere.wasm\"\n");
    bench.run().exits(3).complains(&["bench.toml:", "no such file", "nowhere.wasm"]);
}

#[test]
fn gates_decide_the_exit_code() {
    let worse: Vec<(usize, usize)> = (0..20).map(|index| (1, 2 + index % 3)).collect();
    let even: Vec<(usize, usize)> = (0..20).map(|index| if index % 2 == 0 { (1, 2) } else { (2, 1) }).collect();
    let better: Vec<(usize, usize)> = worse.iter().map(|(old, new)| (*new, *old)).collect();
    let cases = [
        (&worse, "warn", 10, "failed"),
        (&worse, "pass", 10, "failed"),
        (&even, "fail", 11, "inconclusive"),
        (&even, "warn", 0, "warned"),
        (&even, "pass", 0, "passed"),
        (&better, "fail", 0, "passed"),
    ];
    for (ranks, on_inconclusive, code, state) in cases {
        let bench = sample::recorded(ranks, |_| None);
        let text = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
        let text = format!(
            "{text}\n[[gate]]\nmetric = \"RR\"\nmax-regression = 0.01\non-inconclusive = \"{on_inconclusive}\"\n"
        );
        bench.write("bench.toml", text);
        bench.run_with(&["--quiet"]).exits(code);
        let gate = bench.read_report()["comparison"]["comparisons"][0]["gates"][0].clone();
        assert_eq!(gate["state"], state, "{gate}");
        // A finished run keeps its exit code.
        bench.run_with(&["--quiet"]).exits(code);
    }
}

#[test]
fn a_directory_that_holds_something_else_is_left_alone() {
    let bench = shop();
    bench.run().exits(0);
    let before = std::fs::read(bench.path("out/report.json")).expect("the report");
    bench.run_with(&["--set", "seed=7"]).exits(2).complains(&["out", "holds run", "choose another `--out`"]);
    assert_eq!(std::fs::read(bench.path("out/report.json")).expect("the report"), before);
    bench.write("mine/notes.txt", "do not lose me");
    bench.run_into("mine", &[]).exits(2).complains(&[
        "mine",
        "is not empty and holds no run",
        "choose another `--out`",
    ]);
    assert_eq!(std::fs::read_dir(bench.path("mine")).expect("the folder").count(), 1);
}
