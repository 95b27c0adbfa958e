//! A run survives whatever ends its process: what is done is kept, nothing is counted twice, and the report has the bytes
//! that it would have had.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::rematch::{call, command, rematch};
use crate::reproducible::assert_same_run;
use crate::sample;
use crate::workbench::{Workbench, json, rankings_in};

/// Processes killed where nothing else is said; `REMATCH_KILLS` is another number.
const KILLS: u64 = 25;

/// Sessions of the recorded benchmark: several work units for each of two retrievers.
const SESSIONS: usize = 5000;

/// Two recorded runs, one in the order of the sessions and one that must be sorted, so that nothing depends on a clock.
fn recorded() -> Workbench {
    let bench = Workbench::new(
        r#"
name = "two-runs"
baseline = "old"
candidates = ["new"]
depth = 10
[sessions]
path = { trec = { qrels = "qrels" } }
[[retriever]]
id = "old"
stages = [{ kind = "recorded", path = "old.run" }]
[[retriever]]
id = "new"
stages = [{ kind = "recorded", path = "new.run" }]
"#,
    );
    let id = |session: usize| format!("q{session:05}");
    let judgments = |session: usize| {
        let grade =
            |item: usize| format!("{} 0 d{:05} {}\n", id(session), (session * 31 + item * 7) % 900, 1 + item % 2);
        (0..3).map(grade).collect::<String>()
    };
    bench.write("qrels", (0..SESSIONS).map(judgments).collect::<String>());
    let ranking = |session: usize, step: usize| {
        let hit = |rank: usize| {
            let item = (session * 31 + rank * step) % 900;
            format!("{} Q0 d{item:05} {} {} r\n", id(session), rank + 1, 100 - rank)
        };
        (0..10).map(hit).collect::<String>()
    };
    bench.write("old.run", (0..SESSIONS).map(|session| ranking(session, 7)).collect::<String>());
    bench.write("new.run", (0..SESSIONS).rev().map(|session| ranking(session, 14)).collect::<String>());
    bench
}

/// The same numbers on every machine: steps of a full-period generator (Knuth, MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}

fn start(bench: &Workbench, run: &Path) -> Child {
    let mut start = command();
    start.arg("run").arg(bench.path("bench.toml")).arg("--out").arg(run).arg("--quiet");
    start.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs")
}

/// Everything that a finished run of recorded rankings holds, but for the time at which it was finished.
fn contents(run: &Path) -> Vec<(String, Vec<u8>)> {
    let completed = json(&run.join("report.json"))["observed"]["completed_at"].as_str().expect("a time").to_owned();
    let names = [
        "manifest.json",
        "selection.json",
        "sessions.parquet",
        "rankings.parquet",
        "scenario_scores.parquet",
        "comparisons.parquet",
        "taxonomy.parquet",
    ];
    let mut contents: Vec<(String, Vec<u8>)> =
        names.iter().map(|name| ((*name).to_owned(), std::fs::read(run.join(name)).expect(name))).collect();
    for name in ["report.json", "report.html"] {
        let text = std::fs::read_to_string(run.join(name)).expect(name);
        contents.push((name.to_owned(), text.replace(&completed, "then").into_bytes()));
    }
    contents
}

#[track_caller]
fn assert_same_bytes(expected: &[(String, Vec<u8>)], run: &Path) {
    for ((name, expected), (_, found)) in expected.iter().zip(contents(run)) {
        assert!(*expected == found, "{name} differs in {}", run.display());
    }
}

#[test]
fn runs_killed_at_any_time_are_resumed_to_the_same_bytes() {
    let bench = recorded();
    let began = Instant::now();
    bench.run_into("whole", &["--quiet"]).exits(0);
    let mut whole_time = u64::try_from(began.elapsed().as_micros()).expect("short");
    let expected = contents(&bench.path("whole"));
    let kills = std::env::var("REMATCH_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut numbers = Numbers(42);
    let (mut killed, mut runs, mut while_publishing) = (0, 0, 0);
    while killed < kills {
        let run = bench.path(format!("killed-{runs}"));
        runs += 1;
        // A run is killed once, or, one in five, again while it goes on; one in four near its end, where it publishes.
        loop {
            let from = if numbers.below(4) == 0 { whole_time * 3 / 4 } else { 0 };
            let mut child = start(&bench, &run);
            let begun = Instant::now();
            std::thread::sleep(Duration::from_micros(from + numbers.below(whole_time - from)));
            let finished = child.try_wait().expect("a state").is_some();
            if finished {
                // What held up the first run is over: later kills are to hit, too.
                whole_time = whole_time.min(u64::try_from(begun.elapsed().as_micros()).expect("short"));
            }
            child.kill().expect("killed");
            child.wait().expect("ended");
            if !finished {
                killed += 1;
                while_publishing += u64::from(run.join("rankings.parquet").exists());
            }
            if numbers.below(5) > 0 {
                break;
            }
        }
        let mut go_on = command();
        if run.join("plan.json").exists() {
            go_on.arg("resume").arg(&run);
        } else {
            go_on.arg("run").arg(bench.path("bench.toml")).arg("--out").arg(&run);
        }
        call(go_on.arg("--quiet")).exits(0);
        assert_same_bytes(&expected, &run);
        std::fs::remove_dir_all(&run).expect("removed");
    }
    eprintln!("{killed} kills in {runs} runs, {while_publishing} of them while publishing");
}

#[test]
fn shards_merge_to_the_bytes_of_the_whole_run() {
    let bench = recorded();
    bench.run_into("whole", &["--quiet"]).exits(0);
    let expected = contents(&bench.path("whole"));
    for count in [1, 3, 7] {
        let shard = |index: usize| bench.path(format!("shard-{index}-of-{count}"));
        for index in 1..=count {
            let mut run = command();
            run.args(["run", "--quiet", "--shard", &format!("{index}/{count}")]).arg(bench.path("bench.toml"));
            call(run.arg("--out").arg(shard(index))).exits(0);
        }
        let out = bench.path(format!("merged-{count}"));
        let mut merge = command();
        merge.arg("merge").args((1..=count).map(shard)).arg("--out").arg(&out).arg("--quiet");
        call(&mut merge).exits(0);
        assert_same_bytes(&expected, &out);
    }
}

#[test]
fn a_merge_without_all_shards_says_what_is_missing() {
    let bench = recorded();
    let shard = |index: usize| {
        let out = bench.path(format!("shard-{index}"));
        let mut run = command();
        run.args(["run", "--shard", &format!("{index}/3")]).arg(bench.path("bench.toml")).arg("--out").arg(&out);
        let said = call(&mut run).exits(0);
        assert!(said.stdout.contains(&format!("Shard {index} of 3 is done")), "{}", said.stdout);
        out
    };
    let (first, third) = (shard(1), shard(3));
    let mut merge: Vec<PathBuf> = vec!["merge".into(), first.clone(), third];
    rematch(&merge).exits(5).complains(&["work units are missing", "chunks 1-2"]);
    merge.push(shard(2));
    rematch(&merge).exits(0);
    let other = sample::shop(&sample::sessions(30));
    other.run().exits(0);
    let strangers: [PathBuf; 4] = ["merge".into(), first, other.path("out"), "--quiet".into()];
    rematch(strangers).exits(0);
}

#[cfg(unix)]
#[test]
fn a_signal_stops_cleanly_and_says_how_to_go_on() {
    let bench = recorded();
    bench.run_into("whole", &["--quiet"]).exits(0);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let run = bench.path(signal);
        let mut start = command();
        start.arg("run").arg(bench.path("bench.toml")).arg("--out").arg(&run).args(["--threads", "1"]);
        let child = start.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        // The first part says that units are under way.
        let began = Instant::now();
        while std::fs::read_dir(run.join("parts")).map_or(0, Iterator::count) == 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "no part was written");
            std::thread::sleep(Duration::from_millis(1));
        }
        let id = child.id().to_string();
        std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status().expect("kill runs");
        let output = child.wait_with_output().expect("ended");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(0) {
            eprintln!("skipped: the run was faster than the signal");
            continue;
        }
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(&format!("rematch resume {}", run.display())), "{stderr}");
        rematch([Path::new("resume"), &run, Path::new("--quiet")]).exits(0);
        assert_same_run(&bench.path("whole"), &run);
    }
}

/// A run of which one recording lacks sessions, and a complete recording.
fn with_failures() -> Workbench {
    let bench = recorded();
    let whole = std::fs::read_to_string(bench.path("old.run")).expect("the run");
    let lacking: String =
        whole.lines().filter(|line| !line.starts_with("q00007 ")).map(|line| line.to_owned() + "\n").collect();
    bench.write("old.run", lacking);
    bench
}

#[test]
fn retrying_keeps_what_was_there_until_a_session_fares_better() {
    let bench = with_failures();
    bench.run_into("out", &["--quiet"]).exits(0);
    let before = contents(&bench.path("out"));
    let failed = |run: &Path| json(&run.join("report.json"))["results"][0]["failed_sessions"].clone();
    assert_eq!(failed(&bench.path("out")), 1);
    // The recording still lacks the session: the retry changes nothing.
    rematch([Path::new("resume"), &bench.path("out"), Path::new("--retry-errors"), Path::new("--quiet")]).exits(0);
    assert_same_bytes(&before, &bench.path("out"));
    assert!(!bench.path("out/retrying.json").exists());
    assert_eq!(rankings_in(&bench.path("out")).len(), 2 * SESSIONS);
}

#[test]
fn a_run_whose_inputs_have_changed_is_not_resumed() {
    let bench = recorded();
    bench.run_into("out", &["--quiet"]).exits(0);
    std::fs::remove_file(bench.path("out/report.json")).expect("removed");
    let changed = std::fs::read_to_string(bench.path("new.run")).expect("the run").replace("d00001", "d00002");
    bench.write("new.run", changed);
    rematch([Path::new("resume"), &bench.path("out")]).exits(2).complains(&["holds run", "choose another"]);
}

#[test]
fn a_run_is_resumed_from_any_folder_and_a_shard_as_a_shard() {
    let bench = recorded();
    let mut run = command();
    run.current_dir(bench.path("")).args(["run", "bench.toml", "--out", "out", "--quiet", "--shard", "2/3"]);
    call(&mut run).exits(0);
    let parts = || std::fs::read_dir(bench.path("out/parts")).expect("parts").count();
    let of_shard = parts();
    std::fs::remove_file(bench.path("out/parts/001-000002.parquet")).expect("removed");
    let mut resume = command();
    resume.current_dir("/").arg("resume").arg(bench.path("out")).args(["--quiet", "--shard", "2/3"]);
    call(&mut resume).exits(0);
    assert_eq!(parts(), of_shard);
    assert!(!bench.path("out/report.json").exists());
}

#[test]
fn two_processes_do_not_work_in_one_run() {
    let bench = recorded();
    let run = bench.path("out");
    let mut first = start(&bench, &run);
    let began = Instant::now();
    while !run.join("manifest.json").exists() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = bench.run_into("out", &["--quiet"]);
    let still_running = first.try_wait().expect("a state").is_none();
    first.kill().expect("killed");
    first.wait().expect("ended");
    if still_running {
        second.exits(2).complains(&["another process works in"]);
    } else {
        eprintln!("skipped: the first run was finished before the second began");
    }
    // The lock of a process that was killed is nobody's.
    bench.run_into("out", &["--quiet"]).exits(0);
}

/// Runs the benchmark on a disk of `kilobytes`, then, with room enough, goes on. Returns what the first run said, or `None`
/// where this machine lets nobody make a disk.
fn on_a_small_disk(bench: &Workbench, kilobytes: u64) -> Option<(i32, String)> {
    let disk = bench.path("disk");
    std::fs::create_dir_all(&disk).expect("a folder");
    let script = r#"
        mount -t tmpfs -o size="$3k" none "$2" || exit 77
        "$1" run "$4" --out "$2/run" --quiet 2> "$5"; first=$?
        mount -o remount,size=256m "$2" || exit 77
        "$1" run "$4" --out "$2/run" --quiet || exit 78
        cp -r "$2/run" "$6" && exit "$first"
    "#;
    let binary = command().get_program().to_owned();
    let mut shell = std::process::Command::new("unshare");
    shell.args(["-rm", "sh", "-c", script, "sh"]).arg(binary).arg(&disk).arg(kilobytes.to_string());
    shell.arg(bench.path("bench.toml")).arg(bench.path("said")).arg(bench.path(format!("disk-{kilobytes}")));
    let code = shell.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?.code()?;
    assert_ne!(code, 78, "the run does not go on after a disk of {kilobytes} kB was full");
    (code != 77 && code != 1).then(|| (code, std::fs::read_to_string(bench.path("said")).expect("what it said")))
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_the_run_goes_on_when_there_is_room() {
    let bench = recorded();
    bench.run_into("whole", &["--quiet"]).exits(0);
    let expected = contents(&bench.path("whole"));
    let mut full = 0;
    // From too small for the sample to too small for the last artefact.
    for kilobytes in [40, 200, 600, 1000, 1400, 1800, 2400, 3200, 6000] {
        let Some((code, said)) = on_a_small_disk(&bench, kilobytes) else {
            eprintln!("skipped: this machine lets nobody make a disk");
            return;
        };
        if code != 0 {
            full += 1;
            assert_eq!(code, 5, "{kilobytes} kB: {said}");
            assert!(said.contains("bytes") && said.contains("No space left"), "{kilobytes} kB: {said}");
        }
        assert_same_bytes(&expected, &bench.path(format!("disk-{kilobytes}")));
    }
    assert!(full >= 3, "only {full} disks were full");
    eprintln!("{full} disks were full");
}
