//! No connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};

use super::asking::{asker, asker_with, assert_failed, assert_found, milliseconds, plan, policy};
use super::server::{FaultServer, good};
use crate::benchmark::{PolicyPlan, TimeSpan};
use crate::replay::remote::no_secrets;

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_then_a_failure() {
    let ranking = asker(&plan(&format!("http://{}/search", nobody()))).ask().await;
    assert_failed(&ranking, "connect", 2, "is the server running, and is the URL right?");
}

#[tokio::test]
async fn a_black_hole_ends_at_the_connect_deadline() {
    // A queue that is full drops what comes.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    for _ in 0..8 {
        match tokio::time::timeout(milliseconds(1000), TcpStream::connect(address)).await {
            Ok(connected) => queued.push(connected.unwrap()),
            Err(_) => break,
        }
    }
    if queued.len() == 8 {
        eprintln!("skipped: this system's queues do not fill up");
        return;
    }
    let mut plan = plan(&format!("http://{address}/search"));
    plan.policy = PolicyPlan { connect_timeout: TimeSpan(milliseconds(150)), retries: 0, ..policy() };
    let start = Instant::now();
    let ranking = asker(&plan).ask().await;
    assert_failed(&ranking, "timeout", 1, "no connection within 150ms; a longer `connect-timeout`");
    assert!((milliseconds(150)..milliseconds(60_000)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_failure_of_its_own() {
    let ranking = asker(&plan("http://search.invalid/search")).ask().await;
    assert_failed(&ranking, "dns", 2, "the host's name does not resolve");
}

/// A resolver that follows a script.
struct Script<F>(F, AtomicUsize);

impl<F: Fn(usize) -> Option<Vec<SocketAddr>> + Send + Sync> Resolve for Script<F> {
    fn resolve(&self, _: Name) -> Resolving {
        let answer = (self.0)(self.1.fetch_add(1, Ordering::SeqCst));
        Box::pin(async move {
            match answer {
                Some(addresses) if addresses.is_empty() => {
                    sleep(milliseconds(60_000)).await;
                    Err("too late".into())
                }
                Some(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                None => Err("temporary failure in name resolution".into()),
            }
        })
    }
}

fn script<F>(answer: F) -> Option<Arc<dyn Resolve>>
where
    F: Fn(usize) -> Option<Vec<SocketAddr>> + Send + Sync + 'static,
{
    Some(Arc::new(Script(answer, AtomicUsize::new(0))))
}

#[tokio::test]
async fn name_resolution_that_flaps_is_healed_by_a_retry() {
    let server = FaultServer::answering(good()).await;
    let (address, port) = (server.address, server.address.port());
    let plan = plan(&format!("http://search.example:{port}/search"));
    let flapping = script(move |attempt| (attempt > 0).then(|| vec![address]));
    assert_found(&asker_with(&plan, &no_secrets(), flapping).ask().await, &["a", "b"], 2);
    assert_eq!(server.requests(), 1, "the first attempt found no server");
}

#[tokio::test]
async fn name_resolution_that_stalls_ends_at_the_connect_deadline() {
    let mut plan = plan("http://search.example/search");
    plan.policy = PolicyPlan { connect_timeout: TimeSpan(milliseconds(150)), retries: 0, ..policy() };
    let start = Instant::now();
    let ranking = asker_with(&plan, &no_secrets(), script(|_| Some(Vec::new()))).ask().await;
    assert_failed(&ranking, "timeout", 1, "no connection within 150ms");
    assert!(start.elapsed() < milliseconds(60_000), "{:?}", start.elapsed());
}

#[tokio::test]
async fn servers_on_ipv6_are_reached_by_address_and_by_name() {
    let handle = |mut connection: super::server::Connection| {
        let answer: futures::future::BoxFuture<'static, ()> = Box::pin(async move {
            while connection.read_request().await {
                connection.write(&good()).await;
            }
        });
        answer
    };
    let Ok(server) = FaultServer::start_on("[::1]:0", handle).await else {
        eprintln!("skipped: this system has no IPv6");
        return;
    };
    assert_found(&asker(&plan(&server.url())).ask().await, &["a", "b"], 1);
    // A name with an address where nobody answers, and one where somebody does.
    let (address, port) = (server.address, server.address.port());
    let both = script(move |_| Some(vec![SocketAddr::from(([127, 0, 0, 1], port)), address]));
    let named = plan(&format!("http://search.example:{port}/search"));
    assert_found(&asker_with(&named, &no_secrets(), both).ask().await, &["a", "b"], 1);
}
