//! Workers, told their task directly: what they may touch, and how they end when they take too much.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::rematch::binary;
use crate::sample;
use crate::workbench::Workbench;

const GIB: u64 = 1 << 30;

/// The limits of a job where an operator sets none.
fn limits() -> Value {
    json!({ "memory_bytes": 4 * GIB, "cpu_seconds": 3600, "file_bytes": 64 * GIB, "open_files": 1024, "processes": 16384 })
}

/// A worker's last words, and how it ended.
#[derive(Debug)]
pub(super) struct Ended {
    status: ExitStatus,
    messages: Vec<Value>,
    stderr: String,
}

impl Ended {
    fn last(&self) -> &Value {
        self.messages.last().unwrap_or(&Value::Null)
    }

    #[track_caller]
    fn done(&self) -> &Value {
        assert!(self.last()["done"].is_object(), "{self:?}");
        &self.last()["done"]
    }

    #[track_caller]
    fn failed(&self) -> (&str, &str) {
        let failed = &self.last()["failed"];
        assert!(failed.is_object(), "{self:?}");
        (failed["code"].as_str().unwrap(), failed["message"].as_str().unwrap())
    }
}

/// Has a worker do an order in the organisation's folder `root`.
fn work(root: &Path, order: &Value, change: impl FnOnce(&mut Value)) -> Ended {
    let mut task = json!({
        "order": order,
        "root": root,
        "outbound_allow": [],
        "limits": limits(),
        "server": std::process::id(),
    });
    change(&mut task);
    // Nobody else reaches a folder of ours but through one that all may go through.
    let temporary = tempfile::Builder::new().prefix("rematch-test-").tempdir().unwrap();
    let mut child = Command::new(binary())
        .arg("worker")
        .env_clear()
        .env("TMPDIR", temporary.path())
        .env("REMATCH_TEST_SECRET", "hunter2")
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Ended { status: output.status, messages, stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// The order to run `bench.toml` of that folder.
fn run(bench: &Workbench) -> Value {
    json!({ "run": { "benchmark": bench.path("bench.toml"), "overrides": [], "out": bench.path("out"), "retry_errors": false } })
}

fn root(bench: &Workbench) -> PathBuf {
    bench.path("")
}

fn work_on(bench: &Workbench, change: impl FnOnce(&mut Value)) -> Ended {
    work(&root(bench), &run(bench), change)
}

fn shop() -> Workbench {
    sample::shop(&sample::sessions(60))
}

/// Writes `count` times the same bytes, compressed: a gigabyte takes a megabyte.
fn bomb(bench: &Workbench, name: &str, head: &str, piece: &[u8], count: usize) {
    let mut encoder = GzEncoder::new(std::fs::File::create(bench.path(name)).unwrap(), Compression::fast());
    encoder.write_all(head.as_bytes()).unwrap();
    for _ in 0..count {
        encoder.write_all(piece).unwrap();
    }
    encoder.finish().unwrap();
}

fn reading(bench: &Workbench, sessions: &str) {
    bench.write("bench.toml", sample::BENCHMARK.replace("sessions.jsonl", sessions));
}

#[test]
fn an_ordinary_run_fits_into_the_limits_of_a_job_and_into_much_less() {
    for memory_bytes in [4 * GIB, GIB / 2] {
        let bench = shop();
        let ended = work_on(&bench, |task| task["limits"]["memory_bytes"] = json!(memory_bytes));
        assert_eq!(ended.done()["state"], "completed", "{memory_bytes}");
        assert!(ended.status.success());
        assert!(ended.messages.iter().any(|message| message["phase"] == "replaying"), "{ended:?}");
        assert!(bench.path("out/report.json").exists());
    }
}

/// The pool reserves terabytes of address space and touches next to nothing; the compiler is a process of its own.
#[test]
fn a_component_is_compiled_and_run_within_the_limits_of_a_job() {
    let bench = shop();
    bench.write("first-rank.wasm", crate::scorers::component());
    let scorer = "[[scorer]]\nname = \"first\"\nplugin = \"first-rank.wasm\"\n";
    bench.write("bench.toml", format!("{}{scorer}", sample::BENCHMARK));
    for memory_bytes in [4 * GIB, GIB / 2] {
        let _ = std::fs::remove_dir_all(bench.path("out"));
        let ended = work_on(&bench, |task| task["limits"]["memory_bytes"] = json!(memory_bytes));
        assert_eq!(ended.done()["state"], "completed", "{ended:?}");
    }
    assert!(bench.path("cache/code").is_dir(), "compiled once for the organisation");
}

#[test]
fn a_file_that_asks_for_all_memory_ends_one_process_with_the_reason() {
    let bench = shop();
    bomb(&bench, "sessions.jsonl.gz", "{\"session_id\":\"", &[b'a'; 1 << 20], 1024);
    reading(&bench, "sessions.jsonl.gz");
    let ended = work_on(&bench, |task| task["limits"]["memory_bytes"] = json!(GIB / 4));
    assert!(!ended.status.success() && ended.messages.iter().all(|message| message["done"].is_null()), "{ended:?}");
    assert!(ended.stderr.contains("memory allocation of") || ended.last()["failed"].is_object(), "{ended:?}");
}

#[test]
fn processor_time_ends_a_process_and_a_file_that_grows_too_large_ends_its_run() {
    const SIGXCPU: i32 = 24;
    let bench = shop();
    bomb(&bench, "sessions.jsonl.gz", "", &[b'\n'; 1 << 20], 16 << 10);
    reading(&bench, "sessions.jsonl.gz");
    let _ = binary();
    let begun = Instant::now();
    let ended = work_on(&bench, |task| task["limits"]["cpu_seconds"] = json!(1));
    assert_eq!(ended.status.signal(), Some(SIGXCPU), "{ended:?}");
    assert!(begun.elapsed().as_secs() < 120, "{:?}", begun.elapsed());
    let bench = shop();
    let ended = work_on(&bench, |task| task["limits"]["file_bytes"] = json!(2000));
    let (code, message) = ended.failed();
    assert!(code == "run_failed" && message.contains("a file may not be that big"), "{ended:?}");
}

#[test]
fn files_outside_of_the_organisations_folder_are_refused_however_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.jsonl");
    std::fs::write(&other, sample::jsonl(&sample::sessions(20))).unwrap();
    let bench = shop();
    symlink(&other, bench.path("link.jsonl")).unwrap();
    symlink(folder.path(), bench.path("folder")).unwrap();
    let up = format!("../{}/other.jsonl", folder.path().file_name().unwrap().to_str().unwrap());
    let all = ["link.jsonl", "folder/other.jsonl", "folder/*.jsonl", &up, other.to_str().unwrap(), "/etc/passwd"];
    for path in all {
        reading(&bench, path);
        let ended = work_on(&bench, |_| ());
        let (code, message) = ended.failed();
        assert_eq!(code, "invalid_benchmark", "{path}: {message}");
        assert!(message.contains("leads out of the folder") && !message.contains("session"), "{path}: {message}");
    }
    reading(&bench, &format!("file://{}", other.display()));
    assert_eq!(work_on(&bench, |_| ()).failed().0, "invalid_benchmark");
    // Neither is the benchmark itself one of others.
    let elsewhere = shop();
    let ended = work(&root(&bench), &run(&elsewhere), |_| ());
    assert!(!elsewhere.path("out").exists(), "{ended:?}");
    assert_eq!(ended.failed().0, "invalid_benchmark");
    // Nor is anything written elsewhere.
    let mut order = run(&shop());
    let bench = shop();
    order["run"]["benchmark"] = json!(bench.path("bench.toml"));
    order["run"]["out"] = json!(folder.path().join("out"));
    let ended = work(&root(&bench), &order, |_| ());
    assert!(ended.last()["failed"].is_object() && !folder.path().join("out").exists(), "{ended:?}");
}

#[test]
fn a_worker_knows_no_secrets_and_does_nothing_for_a_server_that_is_gone() {
    let bench = shop();
    let http = "stages = [{ kind = \"http\", url = \"https://search.example/\", ids = \"$[*]\", auth = { bearer-env = \"REMATCH_TEST_SECRET\" } }]";
    let shown = "stages = [{ kind = \"shown\" }]";
    bench.write("bench.toml", sample::BENCHMARK.replace(shown, http));
    let ended = work_on(&bench, |_| ());
    let (_, message) = ended.failed();
    assert!(message.contains("cannot be asked") && !format!("{ended:?}").contains("hunter2"), "{ended:?}");
    let bench = shop();
    let ended = work_on(&bench, |task| task["server"] = json!(1_999_999_999));
    assert!(ended.failed().1.contains("gone") && !bench.path("out").exists(), "{ended:?}");
}

/// A server that counts its connections.
fn listener() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            seen.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let body = r#"{"hits": [{"id": "red-lamp"}]}"#;
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (port, count)
}

#[test]
fn a_worker_connects_to_this_machine_only_where_the_operator_allows_it() {
    let (port, connections) = listener();
    let shown = "stages = [{ kind = \"shown\" }]";
    let http = format!("stages = [{{ kind = \"http\", url = \"http://127.0.0.1:{port}/s\", ids = \"$.hits[*].id\" }}]");
    for (allowed, expected) in [(false, 0), (true, 60)] {
        let bench = shop();
        bench.write("bench.toml", sample::BENCHMARK.replace(shown, &http));
        let ended = work_on(&bench, |task| {
            if allowed {
                task["outbound_allow"] = json!([format!("127.0.0.1:{port}")]);
            }
        });
        assert!(ended.last()["done"].is_object(), "{ended:?}");
        let report = bench.read_report();
        let baseline = &report["results"][0];
        let refused = baseline["error_summary"]["outbound"].as_u64().unwrap_or(0);
        assert_eq!(refused, if allowed { 0 } else { 60 }, "{baseline}");
        assert!(connections.load(Ordering::SeqCst) >= expected);
        assert!(allowed || connections.load(Ordering::SeqCst) == 0);
    }
    let before = connections.load(Ordering::SeqCst);
    let bench = shop();
    reading(&bench, &format!("http://127.0.0.1:{port}/sessions.jsonl"));
    let ended = work_on(&bench, |_| ());
    assert!(ended.failed().1.contains("--allow-outbound"), "{ended:?}");
    assert_eq!(connections.load(Ordering::SeqCst), before);
}

#[test]
fn a_search_is_held_to_the_same_list() {
    let (port, connections) = listener();
    let folder = tempfile::tempdir().unwrap();
    let stage = json!({ "kind": "http", "url": format!("http://127.0.0.1:{port}/s"), "ids": "$.hits[*].id" });
    let order = json!({ "search": {
        "retriever": { "id": "r", "stages": [stage] },
        "corpora": {},
        "collections": [],
        "search": { "query": "lamp", "query_vector": null, "inputs": null },
        "depth": 5,
    } });
    let refused = work(folder.path(), &order, |_| ());
    assert_eq!(
        (&refused.done()["failure"][0], connections.load(Ordering::SeqCst)),
        (&json!("outbound"), 0),
        "{refused:?}"
    );
    let allowed = json!([format!("127.0.0.1:{port}")]);
    let found = work(folder.path(), &order, |task| task["outbound_allow"] = allowed);
    assert_eq!(found.done()["hits"][0]["item_id"], "red-lamp", "{found:?}");
}

/// How long it takes until a worker that has nothing to do has said so.
#[test]
fn a_worker_starts_fast() {
    let bench = shop();
    let order = json!({ "run": { "benchmark": bench.path("none.toml"), "overrides": [], "out": bench.path("out"), "retry_errors": false } });
    let (mut fastest, all) = (u128::MAX, Instant::now());
    while fastest >= 500 && all.elapsed().as_secs() < 60 {
        let begun = Instant::now();
        assert_eq!(work(&root(&bench), &order, |_| ()).failed().0, "invalid_benchmark");
        fastest = fastest.min(begun.elapsed().as_millis());
    }
    eprintln!("a worker starts and ends in {fastest} ms");
    assert!(fastest < 500, "{fastest} ms");
}

/// A tenant's program, run in a worker.
mod program {
    use super::*;

    fn scorer(program: &[&str], files: &[(&str, &str)], timeout_seconds: u64) -> Value {
        json!({ "native_scorer": {
            "program": program,
            "files": files,
            "environment": { "SCORE": "0.5" },
            "timeout_seconds": timeout_seconds,
        } })
    }

    #[test]
    fn it_connects_to_no_socket_of_the_file_system() {
        let script = "import socket\ntry:\n  socket.socket(socket.AF_UNIX)\n  print('open')\nexcept PermissionError:\n  \
                      socket.socketpair()\n  print('refused')\n";
        let folder = tempfile::tempdir().unwrap();
        let Some(done) = outcome(folder.path(), &scorer(&["python3", "-c", script], &[], 120)) else { return };
        if done["exit_code"] == 127 {
            eprintln!("skipped: there is no python3");
            return;
        }
        assert_eq!(done["stdout"], "refused\n", "{done}");
    }

    /// Runs it; `None` where this machine cannot run such programs, which is said.
    fn outcome(root: &Path, order: &Value) -> Option<Value> {
        let ended = work(root, order, |_| ());
        if ended.last()["failed"]["code"] == "unsupported" {
            eprintln!("skipped: {}", ended.failed().1);
            return None;
        }
        Some(ended.done().clone())
    }

    fn shell(script: &str, timeout_seconds: u64) -> Option<Value> {
        let folder = tempfile::tempdir().unwrap();
        outcome(folder.path(), &scorer(&["bash", "score.sh"], &[("score.sh", script)], timeout_seconds))
    }

    #[test]
    fn a_program_sees_its_files_and_variables_and_its_words_come_back() {
        let script = "echo $SCORE; cat in/context.json; echo warn >&2; pwd > out.txt; ls; ls \"$HOME\"; env | cut -d= -f1 | sort | xargs; exit 3";
        let folder = tempfile::tempdir().unwrap();
        let files = [("score.sh", script), ("in/context.json", "{\"x\": 1}\n")];
        let Some(ended) = outcome(folder.path(), &scorer(&["bash", "score.sh"], &files, 120)) else { return };
        assert_eq!((&ended["exit_code"], &ended["timed_out"]), (&json!(3), &json!(false)), "{ended}");
        assert_eq!(ended["stderr"], "warn\n");
        let said = ended["stdout"].as_str().unwrap();
        assert!(said.starts_with("0.5\n{\"x\": 1}\nin\nout.txt\nscore.sh\nin\nout.txt\nscore.sh\n"), "{said}");
        assert!(said.contains("HOME LANG") && !said.contains("REMATCH"), "{said}");
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing is left in the organisation's folder"
        );
        let Some(direct) = shell("exit 0", 120) else { return };
        assert_eq!(direct["exit_code"], 0);
        let order = scorer(&["./score.sh"], &[("score.sh", "#!/bin/sh\necho run\n")], 120);
        assert_eq!(outcome(folder.path(), &order).unwrap()["stdout"], "run\n");
        let missing = outcome(folder.path(), &scorer(&["no-such-program"], &[], 120)).unwrap();
        assert_eq!(missing["exit_code"], 127, "{missing}");
    }

    #[test]
    fn a_python_program_finds_its_own_modules() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            (
                "score.py",
                "import helper, tempfile, os\nprint(helper.score())\nopen('x', 'w').write('y')\ntempfile.mkdtemp()\nos.listdir(os.getcwd())\n",
            ),
            ("helper.py", "def score():\n    return 0.25\n"),
        ];
        let Some(ended) = outcome(folder.path(), &scorer(&["python3", "score.py"], &files, 120)) else { return };
        if ended["exit_code"] == 127 {
            eprintln!("skipped: there is no python3");
            return;
        }
        assert_eq!((&ended["exit_code"], &ended["stdout"]), (&json!(0), &json!("0.25\n")), "{ended}");
    }

    #[test]
    fn a_program_has_no_network() {
        let (port, connections) = listener();
        let script = format!(
            "exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached; exec 3<>/dev/tcp/1.1.1.1/53 && echo reached; \
             exec 3<>/dev/udp/1.1.1.1/53 && echo x >&3 && echo reached; getent hosts example.com && echo reached; echo end"
        );
        let Some(ended) = shell(&script, 120) else { return };
        assert_eq!(ended["stdout"], "end\n", "{ended}");
        assert_eq!(connections.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_program_reads_and_writes_nothing_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let (root, other) = (folder.path().join("one"), folder.path().join("other"));
        for place in [&root, &other] {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join("secret"), "hunter2").unwrap();
        }
        // Readable by all, so that only the confinement is in the way.
        Command::new("chmod").args(["-R", "a+rX"]).arg(folder.path()).status().unwrap();
        let script = format!(
            "cat {root}/secret; cat {other}/secret; ls {root}; cat /etc/passwd; cat /etc/shadow; ls /home /root /tmp /proc; \
             echo x > {other}/written; echo x > /tmp/rematch-written; echo x > /dev/shm/rematch-written; \
             cat ../../*/secret; ln -s {other}/secret link && cat link; cat /proc/1/environ; echo end",
            root = root.display(),
            other = other.display()
        );
        let Some(ended) = outcome(&root, &scorer(&["bash", "s.sh"], &[("s.sh", &script)], 120)) else { return };
        assert_eq!(ended["stdout"], "end\n", "{ended}");
        assert!(!ended["stderr"].as_str().unwrap().contains("hunter2"), "{ended}");
        assert!(!other.join("written").exists() && !Path::new("/tmp/rematch-written").exists());
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed_with_all_that_it_started() {
        // The first test that needs it makes it, which takes its time.
        let _ = binary();
        let begun = Instant::now();
        let script =
            "setsid sleep 98761 & (trap '' TERM HUP INT; sleep 98761) & nohup sleep 98761 & echo on; sleep 98761";
        let Some(ended) = shell(script, 10) else { return };
        assert_eq!((&ended["exit_code"], &ended["timed_out"]), (&Value::Null, &json!(true)), "{ended}");
        assert_eq!(ended["stdout"], "on\n");
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
        assert_nobody_runs("98761");
    }

    #[test]
    fn a_program_that_ends_leaves_nobody_behind() {
        let Some(ended) = shell("setsid sleep 98762 >/dev/null 2>&1 & sleep 0.2; echo end", 120) else { return };
        assert_eq!((&ended["exit_code"], &ended["stdout"]), (&json!(0), &json!("end\n")), "{ended}");
        assert_nobody_runs("98762");
    }

    /// Waits until no process has that word among its arguments.
    #[track_caller]
    fn assert_nobody_runs(word: &str) {
        let runs = || {
            std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
            })
        };
        // The first test that needs it makes it, which takes its time.
        let _ = binary();
        let begun = Instant::now();
        while runs() {
            assert!(begun.elapsed().as_secs() < 60, "{word} still runs");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    #[test]
    fn a_bomb_of_processes_is_bounded_and_ends_with_its_time() {
        let _ = binary();
        let begun = Instant::now();
        let script = "bomb() { bomb 98763 | bomb 98763 & }; bomb; i=0; while [ $i -lt 400 ]; do sleep 98763 & i=$((i+1)); done; wait";
        let Some(ended) = shell(script, 15) else { return };
        assert!(ended["stderr"].as_str().unwrap().contains("fork"), "it was refused processes: {ended}");
        assert!(begun.elapsed().as_secs() < 90, "{:?}", begun.elapsed());
        assert_nobody_runs("98763");
    }

    #[test]
    fn endless_words_are_cut_and_large_files_and_memory_refused() {
        let words = "(yes out | head -c 1000000) & yes err | head -c 1000000 >&2; sleep 98764";
        let Some(ended) = shell(words, 10) else { return };
        for stream in ["stdout", "stderr"] {
            assert_eq!(ended[stream].as_str().unwrap().len(), 64 << 10, "{stream}");
        }
        assert_eq!(ended["timed_out"], true);
        let ended =
            shell("head -c 200000000 /dev/zero > big; ls -l big | cut -d' ' -f5; echo $((64<<20))", 120).unwrap();
        let said = ended["stdout"].as_str().unwrap();
        let sizes: Vec<&str> = said.lines().collect();
        assert!(sizes.len() == 2 && sizes[0] == sizes[1], "{ended}");
        let ended = shell("x=$(head -c 3000000000 /dev/zero | tr '\\0' a); echo ${#x}", 120).unwrap();
        assert!(!ended["stdout"].as_str().unwrap().contains("3000000000"), "{ended}");
    }

    #[test]
    fn names_that_lead_out_and_programs_that_are_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../x", "/etc/cron.d/x", "a/../../x", "", "."] {
            let ended = work(folder.path(), &scorer(&["true"], &[(name, "x")], 5), |_| ());
            assert_eq!(ended.failed().0, "invalid_scorer", "{name}");
        }
        for program in [&[][..], &[""], &["A=b"], &["-S"], &["sh\0"]] {
            let ended = work(folder.path(), &scorer(program, &[], 5), |_| ());
            assert_eq!(ended.failed().0, "invalid_scorer", "{program:?}");
        }
        let mut order = scorer(&["true"], &[], 5);
        order["native_scorer"]["environment"] = json!({ "A B": "c" });
        assert_eq!(work(folder.path(), &order, |_| ()).failed().0, "invalid_scorer");
    }

    /// What is set for the program is not set for whoever cuts its network.
    #[test]
    fn variables_of_the_program_mean_nothing_to_its_keepers() {
        let folder = tempfile::tempdir().unwrap();
        let mut order = scorer(&["bash", "-c", "echo $PATH $LD_PRELOAD"], &[], 120);
        order["native_scorer"]["environment"] = json!({ "LD_PRELOAD": "none.so", "PATH": "/usr/bin:/bin:/x" });
        let Some(ended) = outcome(folder.path(), &order) else { return };
        assert!(ended["stdout"].as_str().unwrap().ends_with("/usr/bin:/bin:/x none.so\n"), "{ended}");
    }
}
