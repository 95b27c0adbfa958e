//! How true the measured latencies are, and how much the replay gets out of a server.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::HttpRetriever;
use super::faults::asking::{plan, policy};
use super::faults::server::{Connection, FaultServer, good};
use crate::benchmark::PolicyPlan;
use crate::benchmark::stages::http::HttpPlan;
use crate::outbound::Outbound;
use crate::replay::remote::{Policy, no_secrets};
use crate::replay::{Pipeline, Replayer, Retriever};
use crate::session::Session;

fn built(plan: &HttpPlan, concurrency: NonZeroUsize) -> HttpRetriever {
    let policy = Arc::new(Policy::new(&plan.policy, concurrency));
    HttpRetriever::build(plan, policy, &no_secrets(), &Outbound::default()).unwrap()
}

fn session(number: usize) -> Session {
    Session { session_id: format!("{number:05}"), query: Some("red shoes".into()), ..Session::default() }
}

/// Starts a server on a thread of its own that waits `delay` between a request and its answer, exactly, and returns how long
/// it really took each time.
fn known_delay(delay: Duration) -> (std::net::SocketAddr, std::sync::mpsc::Receiver<Duration>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (took, taken) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let answer = good();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut buffer = [0; 4096];
            while let Ok(1..) = stream.read(&mut buffer) {
                let start = Instant::now();
                std::thread::sleep(delay);
                let measured = start.elapsed();
                if stream.write_all(&answer).is_err() || took.send(measured).is_err() {
                    break;
                }
            }
        }
    });
    (address, taken)
}

/// Returns the median of the measured latencies minus the median of the true delays, microseconds.
async fn bias(delay: Duration, requests: usize) -> f64 {
    let (address, taken) = known_delay(delay);
    let retriever = built(&plan(&format!("http://{address}/search")), NonZeroUsize::MIN);
    let mut measured = Vec::with_capacity(requests);
    for _ in 0..requests {
        measured.push(retriever.retrieve(&session(0), 10).await.unwrap().latency.unwrap());
    }
    let mut truth: Vec<Duration> = taken.try_iter().collect();
    measured.sort();
    truth.sort();
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    micros(measured[requests / 2]) - micros(truth[truth.len() / 2])
}

#[tokio::test]
async fn measured_latencies_are_those_of_the_server() {
    let bias = bias(Duration::from_millis(5), 40).await;
    assert!((0.0..5000.0).contains(&bias), "{bias} us");
}

/// `cargo test --workspace --lib -- --ignored --nocapture bias_at_the_median`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a quiet machine"]
async fn bias_at_the_median_is_at_most_200_microseconds() {
    for milliseconds in [1, 5, 20] {
        let bias = bias(Duration::from_millis(milliseconds), 400).await;
        println!("delay {milliseconds} ms: bias at p50 {bias:.0} us");
        assert!(bias <= 200.0);
    }
}

/// Prints how many requests per second the replay sends, and what `wrk` gets from the same server with as many connections:
/// `tests/bench_http.sh`. `REMATCH_BENCH_HTTP` holds what `wrk` needs: its path.
#[test]
#[ignore = "a benchmark"]
fn throughput_beside_wrk() {
    let wrk = std::env::var("REMATCH_BENCH_HTTP").unwrap_or_else(|_| "wrk".to_owned());
    for (delay, connections) in [(0, 16), (1, 16), (2, 16), (5, 16), (5, 64), (20, 64)] {
        let address = delayed_server(Duration::from_millis(delay));
        let url = format!("http://{address}/search");
        let by_wrk = wrk_rate(&wrk, &url, connections);
        let by_replay = replay_rate(&url, connections);
        let ratio = by_replay / by_wrk;
        println!(
            "{delay:>2} ms, {connections:>2} connections: wrk {by_wrk:>8.0}/s, replay {by_replay:>8.0}/s, ratio {ratio:.2}"
        );
    }
}

/// Starts a server on a runtime of its own, whose answers take at least `delay`.
fn delayed_server(delay: Duration) -> std::net::SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let server = FaultServer::start(move |mut connection: Connection| {
                Box::pin(async move {
                    while connection.read_request().await {
                        if !delay.is_zero() {
                            tokio::time::sleep(delay).await;
                        }
                        connection.write(&good()).await;
                    }
                })
            })
            .await;
            tell.send(server.address).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().unwrap()
}

fn wrk_rate(wrk: &str, url: &str, connections: usize) -> f64 {
    let arguments = ["-t1", &format!("-c{connections}"), "-d4s", url];
    let output = std::process::Command::new(wrk).args(arguments).output().expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
    rate.unwrap_or_else(|| panic!("wrk says {text}"))
}

/// Replays chunks two at a time, as a run does on two cores.
fn replay_rate(url: &str, connections: usize) -> f64 {
    const CHUNK: usize = 2000;
    let concurrency = NonZeroUsize::new(connections).unwrap();
    let plan = HttpPlan { policy: PolicyPlan { warm_up: 64, ..policy() }, ..plan(url) };
    let id = || "prod".to_owned();
    let (depth, retriever) = (NonZeroUsize::new(10).unwrap(), Arc::new(built(&plan, concurrency)));
    let replayer = Replayer::new(Arc::new(Pipeline::from_retriever(id(), id(), id(), concurrency, depth, retriever)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let chunks = async |start: Instant| {
        let mut requests = 0;
        while start.elapsed() < Duration::from_secs(4) {
            let answers = replayer.replay((0..CHUNK).map(session).collect(), 10).await.unwrap();
            assert!(answers.to_rankings().unwrap().iter().all(|ranking| !ranking.failed()));
            requests += CHUNK;
        }
        requests
    };
    let start = Instant::now();
    let (one, other) = runtime.block_on(async { tokio::join!(chunks(start), chunks(start)) });
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let requests = (one + other) as f64;
    requests / start.elapsed().as_secs_f64()
}
