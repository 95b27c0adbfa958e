//! `rematch verify`: a run's metrics, computed anew by somebody else's program.

use std::path::{Path, PathBuf};

use crate::rematch::{Outcome, rematch};
use crate::sample;
use crate::workbench::Workbench;

fn finished(metrics: &str) -> Workbench {
    let bench = sample::shop(&sample::sessions(30));
    bench.write("bench.toml", sample::BENCHMARK.replace("[corpus.products]", &format!("{metrics}\n[corpus.products]")));
    bench.run_with(&["--quiet"]).exits(0);
    bench
}

fn verify(bench: &Workbench, arguments: &[&str]) -> Outcome {
    let run = bench.path("out");
    let mut all: Vec<PathBuf> = vec!["verify".into(), run];
    all.extend(arguments.iter().map(PathBuf::from));
    rematch(all)
}

/// Has a value of each kind of gains for the first session, and nothing else to say.
#[cfg(unix)]
const STAND_IN: &str = "#!/bin/sh\necho 'ndcg_cut_5 0 0.1234'\necho 'recall_5 0 0.1234'\n";

/// A run that writes its report alone has all that is needed.
#[cfg(unix)]
#[test]
fn a_run_without_tables_is_verified_as_any_other() {
    let bench = finished("");
    let stand_in = program(&bench, STAND_IN);
    let stand_in = stand_in.to_str().expect("UTF-8");
    let of_tables = verify(&bench, &["--trec-eval", stand_in]).exits(1).stdout;
    std::fs::remove_dir_all(bench.path("out")).expect("removed");
    bench.run_with(&["--quiet", "--set", "output.formats=[\"json\"]"]).exits(0);
    assert!(!bench.path("out/rankings.parquet").exists());
    assert_eq!(verify(&bench, &["--trec-eval", stand_in]).exits(1).stdout, of_tables);
}

/// A program of that text, in the bench's folder.
#[cfg(unix)]
fn program(bench: &Workbench, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = bench.write("program", text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("allowed");
    path
}

#[cfg(unix)]
#[test]
fn what_a_program_says_otherwise_is_listed_with_both_values() {
    let bench = finished("");
    let stand_in = program(&bench, STAND_IN);
    let stand_in = stand_in.to_str().expect("UTF-8");
    let told = verify(&bench, &["--trec-eval", stand_in]).exits(1).stdout;
    assert!(told.contains("differ by more than 5.0e-5") && told.contains("0.1234"), "{told}");

    let told = verify(&bench, &["--trec-eval", stand_in, "--json"]).exits(1).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let differences = told["differences"].as_array().expect("a list");
    let found = |metric: &str| differences.iter().find(|one| one["metric"] == metric && one["session_id"] == "s0000");
    assert_eq!(found("nDCG@5").expect("listed")["other"], 0.1234);
    assert_eq!(found("nDCG@10").expect("listed")["other"], 0.0);
    assert_eq!(told["sessions"], 60);
}

#[cfg(unix)]
#[test]
fn a_python_without_the_modules_is_told_how_to_get_them() {
    let bench = finished("");
    let python = program(&bench, "#!/bin/sh\nexit 3\n");
    verify(&bench, &["--python", python.to_str().expect("UTF-8")]).exits(2).complains(&[
        "has no module `pytrec_eval`",
        "-m pip install ir_measures",
        "`--trec-eval`",
    ]);
}

#[cfg(unix)]
#[test]
fn a_program_that_fails_is_quoted() {
    let bench = finished("");
    let broken = program(&bench, "#!/bin/sh\necho 'trec_eval: cannot go on' >&2\nexit 1\n");
    verify(&bench, &["--trec-eval", broken.to_str().expect("UTF-8")]).exits(2).complains(&["trec_eval: cannot go on"]);
    let broken = program(&bench, "#!/bin/sh\necho 'recip_rank 0 much'\n");
    verify(&bench, &["--trec-eval", broken.to_str().expect("UTF-8")]).exits(2).complains(&["recip_rank 0 much"]);
}

/// Zeros for silence would be thousands of differences, and none is there.
#[cfg(unix)]
#[test]
fn a_program_that_says_nothing_has_computed_nothing() {
    let bench = finished("");
    let silent = program(&bench, "#!/bin/sh\nexit 0\n");
    let partly = "#!/bin/sh\necho 'ndcg_cut_5 0 0.1234'\n";
    verify(&bench, &["--trec-eval", silent.to_str().expect("UTF-8")])
        .exits(2)
        .complains(&["said nothing of `ndcg_cut_", "expected a metric, a session and a number"]);
    let partly = program(&bench, partly);
    verify(&bench, &["--trec-eval", partly.to_str().expect("UTF-8")]).exits(2).complains(&["said nothing of `"]);
}

#[cfg(unix)]
#[test]
fn a_program_that_is_none_is_no_bug_of_rematch() {
    let bench = finished("");
    for text in ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nexit 0\n"] {
        let other = program(&bench, text);
        for flag in ["--trec-eval", "--python"] {
            let told = verify(&bench, &[flag, other.to_str().expect("UTF-8")]).exits(2).stderr;
            assert!(!told.contains("bug in rematch"), "{told}");
        }
    }
}

#[test]
fn a_program_that_is_not_there_is_a_mistake_of_the_command_line() {
    let bench = finished("");
    verify(&bench, &["--trec-eval", "/nowhere/trec_eval"]).exits(2).complains(&["cannot start `/nowhere/trec_eval`"]);
    verify(&bench, &["--python", "/nowhere/python"]).exits(2).complains(&["cannot start `/nowhere/python`"]);
}

#[test]
fn a_run_by_other_conventions_is_not_verified_by_trec_eval() {
    let bench = finished("[metrics]\ncompatibility = \"quepid\"\n");
    verify(&bench, &[]).exits(2).complains(&["the conventions of `Quepid`"]);
}

#[test]
fn a_folder_without_a_run_is_a_mistake_of_the_command_line() {
    let bench = Workbench::empty();
    std::fs::create_dir(bench.path("out")).expect("a folder");
    verify(&bench, &[]).exits(2).complains(&["holds no run"]);
}

/// The real thing, where `REMATCH_REFERENCE_PYTHON` names a Python that has pytrec_eval and ir_measures.
#[test]
fn pytrec_eval_agrees_to_1e_9() {
    let Some(python) = std::env::var_os("REMATCH_REFERENCE_PYTHON") else {
        eprintln!("skipped: REMATCH_REFERENCE_PYTHON is not set");
        return;
    };
    let python = Path::new(&python).to_str().expect("UTF-8");
    for compatibility in ["strict", "trec-eval"] {
        let bench = finished(&format!(
            "[metrics]\ncompatibility = \"{compatibility}\"\nextra = [\"Bpref\", \"infAP\", \"Judged@5\", \"RR@3\", \
             \"P(rel=2)@5\", \"nDCG(judged_only=True)@5\", \"nDCG(dcg='exp-log2')@5\", \"NumRelRet\", \"NumRel\", \
             \"RBP(p=0.8)@10\", \"Rprec\", \"ERR@5\"]\n"
        ));
        let told = verify(&bench, &["--python", python, "--json"]).exits(0).stdout;
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!((&told["different"], &told["fractions"]), (&0.into(), &0.into()), "{told}");
        assert!(told["compared"].as_u64().expect("a count") > 1000, "{told}");
        assert_eq!(told["skipped"].as_array().map(Vec::len), Some(1), "only ERR: {told}");
    }
}

/// trec_eval's own code behind its command line, where `REMATCH_REFERENCE_PYTHON` names a Python that has pytrec_eval.
#[cfg(unix)]
#[test]
fn trec_eval_agrees_to_the_digits_that_it_prints() {
    let Some(python) = std::env::var_os("REMATCH_REFERENCE_PYTHON") else {
        eprintln!("skipped: REMATCH_REFERENCE_PYTHON is not set");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/trec_eval.py");
    for compatibility in ["strict", "trec-eval"] {
        let bench = finished(&format!(
            "[metrics]\ncompatibility = \"{compatibility}\"\nextra = [\"Bpref\", \"infAP\", \"RR@3\", \"P(rel=2)@5\", \"SetF\", \
             \"nDCG(judged_only=True)@5\", \"NumRelRet\", \"NumRel\", \"Rprec\", \"ERR@5\", \"gm_map\"]\n"
        ));
        let stand_in = format!("#!/bin/sh\nexec '{}' '{}' \"$@\"\n", Path::new(&python).display(), script.display());
        let stand_in = program(&bench, &stand_in);
        let told = verify(&bench, &["--trec-eval", stand_in.to_str().expect("UTF-8"), "--json"]).exits(0).stdout;
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!((&told["different"], &told["fractions"]), (&0.into(), &0.into()), "{told}");
        assert!(told["compared"].as_u64().expect("a count") > 1000, "{told}");
        let skipped: Vec<_> = told["skipped"].as_array().expect("a list").iter().map(|one| &one["metric"]).collect();
        assert!(skipped.iter().any(|metric| **metric == "gm_map"), "{told}");
    }
}
