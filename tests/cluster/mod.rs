//! Runs on a cluster of a scheduler and executors on this machine. Skipped, loudly, where the binary was built without the
//! feature `cluster`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::live_servers::free_port;
use crate::rematch::{binary, call, command, workspace};
use crate::reproducible::{assert_same_run, assert_same_run_but_requests, timeless};
use crate::s3_server::{S3Server, url};
use crate::sample;
use crate::search_server::SearchServer;
use crate::workbench::{Workbench, count, json, result};

mod network;

/// How long a process may take to come up, or a run to go on.
const PATIENCE: Duration = Duration::from_secs(120);

/// A scheduler and its executors; they end with the value.
pub(crate) struct Cluster {
    pub(crate) folder: TempDir,
    environment: Vec<(&'static str, String)>,
    /// `HOST:PORT`, the same after a restart.
    pub(crate) address: String,
    scheduler: Child,
    executors: Vec<Child>,
}

impl Cluster {
    /// Starts a scheduler and so many executors; `None` where the binary knows no clusters.
    pub(crate) fn start(executors: usize, environment: &[(&'static str, String)]) -> Option<Self> {
        let mut cluster = Self::start_at("127.0.0.1", environment)?;
        (0..executors).for_each(|_| cluster.add_executor());
        Some(cluster)
    }

    /// Starts a scheduler at an address of this machine, without executors.
    pub(crate) fn start_at(host: &str, environment: &[(&'static str, String)]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut scheduler, address) = schedule(folder.path(), &format!("{host}:{}", free_port()));
        let Some(address) = address else {
            let log = std::fs::read_to_string(folder.path().join("scheduler.log")).expect("a log");
            assert!(log.contains("--features cluster"), "{log}");
            scheduler.wait().expect("ended");
            eprintln!("skipped: the binary was built without `--features rematch/cluster`");
            return None;
        };
        let environment = environment.to_vec();
        Some(Self { folder, environment, address, scheduler, executors: Vec::new() })
    }

    fn add_executor(&mut self) {
        self.add_executor_by(command());
    }

    /// Adds an executor that `start`, the binary or what starts it elsewhere, starts.
    fn add_executor_by(&mut self, start: Command) {
        self.add_executor_with(start, &[]);
    }

    /// Adds an executor that does the runs of the server with that data only.
    pub(crate) fn add_executor_of(&mut self, data: &Path) {
        self.add_executor_with(command(), &[OsStr::new("--server-data"), data.as_os_str()]);
    }

    fn add_executor_with(&mut self, mut start: Command, further: &[&OsStr]) {
        let number = self.executors.len();
        let log = std::fs::File::create(self.folder.path().join(format!("executor-{number}.log"))).expect("a log");
        start.args(["executor", "--cores", "1", "--scheduler", &format!("df://{}", self.address)]);
        start
            .args(["--port", &free_port().to_string(), "--work-dir"])
            .arg(self.folder.path().join(format!("work-{number}")))
            .args(further);
        // What an executor fetched is its own, as on a machine of its own.
        start.env("REMATCH_CACHE", self.folder.path().join(format!("cache-{number}")));
        start.envs(self.environment.iter().cloned()).stdout(Stdio::null()).stderr(log);
        self.executors.push(start.spawn().expect("the binary runs"));
    }

    pub(crate) fn kill_scheduler(&mut self) {
        self.scheduler.kill().expect("killed");
        self.scheduler.wait().expect("ended");
    }

    pub(crate) fn restart_scheduler(&mut self) {
        let (scheduler, address) = schedule(self.folder.path(), &self.address);
        assert_eq!(address.as_ref(), Some(&self.address));
        self.scheduler = scheduler;
    }

    /// Returns a call of `rematch run` or `resume` on this cluster.
    fn call(&self, arguments: &[&Path]) -> Command {
        let mut call = command();
        call.args(arguments).args(["--quiet", "--cluster", &format!("df://{}", self.address)]);
        call.envs(self.environment.iter().cloned());
        call
    }

    pub(crate) fn logs(&self) -> String {
        let mut logs = String::new();
        for entry in std::fs::read_dir(self.folder.path()).expect("a folder").flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "log") {
                let text = std::fs::read_to_string(entry.path()).expect("a log");
                logs += &format!("== {}\n{text}", entry.path().display());
            }
        }
        logs
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in std::iter::once(&mut self.scheduler).chain(&mut self.executors) {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}

/// Starts a scheduler and returns its address once it listens; `None` where it ends instead.
fn schedule(folder: &Path, listen: &str) -> (Child, Option<String>) {
    let path = folder.join("scheduler.log");
    let log = std::fs::File::create(&path).expect("a log");
    let mut start = command();
    start.args(["scheduler", "--listen", listen, "--executor-timeout", "10"]);
    let mut scheduler = start.stdout(Stdio::null()).stderr(log).spawn().expect("the binary runs");
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let log = std::fs::read_to_string(&path).expect("a log");
        let told = log.split_once("listening at df://").map(|(_, rest)| rest);
        if let Some((address, _)) = told.and_then(|rest| rest.split_once(['"', '\n', ' '])) {
            return (scheduler, Some(address.to_owned()));
        }
        if scheduler.try_wait().expect("a state").is_some() {
            return (scheduler, None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = scheduler.kill();
    let _ = scheduler.wait();
    panic!("the scheduler does not listen:\n{}", std::fs::read_to_string(&path).expect("a log"));
}

/// A benchmark with an index, recorded lists and a component, of several work units.
fn bench() -> Workbench {
    let bench = sample::shop(&sample::sessions(2500));
    let plugin = workspace().join("plugins/half-life-utility/half-life-utility.wasm");
    let scorers = format!(
        "[[scorer]]\nname = \"utility\"\nplugin = {:?}\nweight = 2\n[[scorer]]\nname = \"relevance\"\nmetric = \"nDCG@10\"\nweight = 1\n",
        plugin.display().to_string()
    );
    bench.write("bench.toml", sample::BENCHMARK.to_owned() + &scorers);
    bench
}

/// A benchmark that takes some seconds, as its server may be asked so often only.
fn slow_bench(server: &SearchServer) -> Workbench {
    asking_bench(server, "rate = 300.0")
}

/// A benchmark whose server is asked under those settings.
fn asking_bench(server: &SearchServer, settings: &str) -> Workbench {
    let bench = sample::shop(&sample::sessions(1500));
    let benchmark = format!(
        r#"
name = "slow"
baseline = "shown"
candidates = ["asked"]
depth = 20
[sessions]
path = "sessions.jsonl"
[[retriever]]
id = "shown"
stages = [{{ kind = "shown" }}]
[[retriever]]
id = "asked"
{settings}
[[retriever.stages]]
kind = "http"
url = "{}"
body = '{{"query": {{{{ query }}}}, "depth": {{{{ depth }}}}}}'
ids = "$.hits[*].id"
scores = "$.hits[*].score"
"#,
        server.url()
    );
    bench.write("bench.toml", benchmark);
    bench
}

/// Does a slow run in one process into `here`, and begins it on the cluster into `there`; it has some of its parts.
fn run_under_way(cluster: &Cluster, stderr: Stdio) -> (Workbench, Child) {
    // It answers until the process of the tests ends.
    let server = SearchServer::over(&sample::products());
    let bench = slow_bench(&server);
    bench.run_into("here", &["--quiet", "--no-cache"]).exits(0);
    let there = bench.path("there");
    let mut start = cluster.call(&[Path::new("run"), &bench.path("bench.toml"), Path::new("--out"), &there]);
    let mut run = start.stderr(stderr).spawn().expect("the binary runs");
    wait_for_parts(&there, 8, &mut run);
    (bench, run)
}

/// Waits until the run has so many parts, or ended.
fn wait_for_parts(run: &Path, parts: usize, process: &mut Child) {
    let began = Instant::now();
    while began.elapsed() < PATIENCE && process.try_wait().expect("a state").is_none() {
        let found = std::fs::read_dir(run.join("parts")).map_or(0, |entries| {
            entries.flatten().filter(|entry| entry.path().extension().is_some_and(|ending| ending == "parquet")).count()
        });
        if found >= parts {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the run ended, or did nothing, before it had {parts} parts");
}

#[test]
fn a_run_on_a_cluster_is_the_run_of_one_process() {
    let Some(cluster) = Cluster::start(2, &[]) else { return };
    let bench = bench();
    bench.run_into("here", &["--quiet"]).exits(0);
    let there = bench.path("there");
    call(&mut cluster.call(&[Path::new("run"), &bench.path("bench.toml"), Path::new("--out"), &there])).exits(0);
    assert_same_run(&bench.path("here"), &there);
    assert!(!there.join("cluster.json").exists(), "what executors needed is removed");
    let again = cluster.call(&[Path::new("resume"), &there]).output().expect("the binary runs");
    assert!(again.status.success(), "a finished run is a no-op on a cluster, too");
}

/// Counts the files at or below a path; the server of the store leaves empty folders.
fn files_below(path: &Path) -> usize {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| files_below(&entry.path())).sum(),
        Err(_) => usize::from(path.exists()),
    }
}

#[test]
fn a_run_in_an_object_store_takes_its_inputs_along() {
    let Some(store) = S3Server::start() else { return };
    let Some(cluster) = Cluster::start(2, &store.environment()) else { return };
    let bench = bench();
    bench.run_into("here", &["--quiet"]).exits(0);
    let run = PathBuf::from(url("runs/there"));
    call(&mut cluster.call(&[Path::new("run"), &bench.path("bench.toml"), Path::new("--out"), &run])).exits(0);
    assert_same_run(&bench.path("here"), &store.path("runs/there"));
    for left in ["inputs", "sums", "cluster.json"] {
        assert_eq!(files_below(&store.path("runs/there").join(left)), 0, "`{left}` is of no use any more");
    }
    // The next night's run lies at the same place, and its inputs are newer: what executors remember of this one is no hindrance.
    std::fs::remove_dir_all(store.path("runs/there")).expect("removed");
    std::thread::sleep(Duration::from_millis(1100));
    call(&mut cluster.call(&[Path::new("run"), &bench.path("bench.toml"), Path::new("--out"), &run])).exits(0);
    assert_same_run(&bench.path("here"), &store.path("runs/there"));
    for executor in 0..2 {
        let cache = cluster.folder.path().join(format!("cache-{executor}/objects"));
        assert!(cache.is_dir(), "executor {executor} fetched its inputs from the store:\n{}", cluster.logs());
    }
}

#[test]
fn an_executor_that_is_killed_loses_nothing() {
    let Some(mut cluster) = Cluster::start(2, &[]) else { return };
    let (bench, mut run) = run_under_way(&cluster, Stdio::inherit());
    cluster.executors[0].kill().expect("killed");
    assert!(run.wait().expect("ended").success(), "{}", cluster.logs());
    assert_same_run_but_requests(&bench.path("here"), &bench.path("there"));
}

#[test]
fn a_scheduler_that_comes_back_gets_what_is_left() {
    let Some(mut cluster) = Cluster::start(1, &[]) else { return };
    let (bench, mut run) = run_under_way(&cluster, Stdio::inherit());
    cluster.kill_scheduler();
    cluster.restart_scheduler();
    assert!(run.wait().expect("ended").success(), "{}", cluster.logs());
    assert_same_run_but_requests(&bench.path("here"), &bench.path("there"));
}

#[test]
fn a_run_that_is_interrupted_on_a_cluster_goes_on_anywhere() {
    let Some(cluster) = Cluster::start(1, &[]) else { return };
    let (bench, run) = run_under_way(&cluster, Stdio::piped());
    let interrupt = Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill");
    assert!(interrupt.success());
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("rematch resume"), "{said}");
    let mut resume = command();
    call(resume.arg("resume").arg(bench.path("there")).args(["--quiet", "--no-cache"])).exits(0);
    assert_same_run_but_requests(&bench.path("here"), &bench.path("there"));
}

#[test]
fn sessions_that_failed_are_tried_again_on_a_cluster() {
    let Some(cluster) = Cluster::start(2, &[]) else { return };
    let server = SearchServer::over(&sample::products());
    let bench = asking_bench(&server, "rate = 300.0\nbreaker = 100000\nretries = 0");
    bench.run_into("here", &["--quiet", "--no-cache"]).exits(0);
    let there = bench.path("there");
    server.break_down(true);
    let mut start = cluster.call(&[Path::new("run"), &bench.path("bench.toml"), Path::new("--out"), &there]);
    let mut run = start.stderr(Stdio::inherit()).spawn().expect("the binary runs");
    wait_for_parts(&there, 8, &mut run);
    server.break_down(false);
    assert!(run.wait().expect("ended").success(), "{}", cluster.logs());
    let failed = |run: &str| count(&result(&json(&bench.path(run).join("report.json")), "asked")["failed_sessions"]);
    assert!(failed("there") > failed("here"), "{} sessions failed", failed("there"));
    call(&mut cluster.call(&[Path::new("resume"), &there, Path::new("--retry-errors")])).exits(0);
    // Sessions that are refused for good keep what was said of them first.
    assert_eq!(failed("there"), failed("here"));
    assert_eq!(timeless(&there)["comparison"], timeless(&bench.path("here"))["comparison"]);
}

#[test]
fn shards_that_a_cluster_did_merge_to_the_run_of_one_process() {
    let Some(cluster) = Cluster::start(2, &[]) else { return };
    let bench = bench();
    bench.run_into("here", &["--quiet"]).exits(0);
    let shards = ["1/3", "2/3", "3/3"].map(|shard| (shard, bench.path(format!("shard-{}", &shard[..1]))));
    for (shard, out) in &shards {
        let mut run = cluster.call(&[Path::new("run"), &bench.path("bench.toml"), Path::new("--out"), out]);
        call(run.args(["--shard", shard])).exits(0);
    }
    let mut merge = command();
    merge.arg("merge").args(shards.iter().map(|(_, out)| out)).arg("--out").arg(bench.path("merged"));
    call(merge.arg("--quiet")).exits(0);
    assert_same_run(&bench.path("here"), &bench.path("merged"));
}

#[test]
fn a_scheduler_that_is_not_there_is_named_with_what_to_do() {
    let Some(mut cluster) = Cluster::start(0, &[]) else { return };
    cluster.kill_scheduler();
    let bench = bench();
    let outcome = call(&mut cluster.call(&[
        Path::new("run"),
        &bench.path("bench.toml"),
        Path::new("--out"),
        &bench.path("there"),
    ]));
    outcome.exits(5).complains(&[&cluster.address, "cannot be reached", "rematch scheduler"]);
}

#[test]
fn a_port_that_is_taken_and_a_scheduler_that_does_not_come_end_a_process_with_what_to_do() {
    let Some(mut cluster) = Cluster::start(0, &[]) else { return };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let address = format!("df://{}", cluster.address);
    call(command().args(["executor", "--port", &port, "--scheduler", &address])).exits(2).complains(&["--port", &port]);
    let listen = format!("127.0.0.1:{port}");
    call(command().args(["scheduler", "--listen", &listen])).exits(2).complains(&["--listen", &listen]);
    cluster.kill_scheduler();
    let mut late = command();
    late.args(["executor", "--port", &free_port().to_string(), "--scheduler", &address, "--connect-timeout", "1"]);
    call(&mut late).exits(5).complains(&[&address, "for 1 s", "rematch scheduler", "--connect-timeout"]);
}

#[test]
fn a_build_without_clusters_says_how_to_make_one() {
    let mut scheduler = Command::new(binary());
    scheduler.args(["scheduler", "--listen", "256.0.0.1:1"]);
    call(&mut scheduler).exits(2).complains(&["invalid value '256.0.0.1:1'"]);
    let bench = bench();
    for (wrong, said) in [("host:1", "df://HOST:PORT"), ("http://host", "df://HOST:PORT")] {
        bench.run_into("there", &["--cluster", wrong]).exits(2).complains(&[said]);
        bench.run_into("there", &["--set", &format!("cluster={wrong}")]).exits(2).complains(&[said]);
    }
}
