//! Hosts that the process does not connect to.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::asking::plan;
use super::server::{FaultServer, answer, good};
use crate::benchmark::stages::http::HttpPlan;
use crate::outbound::Outbound;
use crate::replay::remote::{Policy, no_secrets};
use crate::replay::retrievers::HttpRetriever;
use crate::replay::retrievers::http::HttpReranker;
use crate::replay::{RetrieveError, RetrieveErrorKind, Retriever as _, Transform as _};
use crate::session::{Hit, Session};

fn session() -> Session {
    Session { session_id: "s".into(), query: Some("shoes".into()), ..Session::default() }
}

async fn ask(plan: &HttpPlan, outbound: &Outbound) -> Result<usize, RetrieveError> {
    let policy = Arc::new(Policy::new(&plan.policy, NonZeroUsize::MIN));
    let retriever = HttpRetriever::build(plan, policy, &no_secrets(), outbound).unwrap();
    retriever.retrieve(&session(), 10).await.map(|found| found.hits.len())
}

fn to_this_machine(allowed: &[String]) -> Outbound {
    let allowed = allowed.iter().map(|allowed| allowed.parse().unwrap()).collect();
    Outbound::with_lookup(allowed, |_| Ok(vec![IpAddr::from([127, 0, 0, 1])]))
}

#[tokio::test]
async fn a_host_of_this_machine_is_refused_at_once_and_asked_where_it_is_allowed() {
    let server = FaultServer::answering(good()).await;
    let port = server.address.port();
    for url in [server.url(), format!("http://search.example:{port}/search")] {
        let refused = ask(&plan(&url), &to_this_machine(&[])).await.unwrap_err();
        assert_eq!((refused.kind, refused.attempts), (RetrieveErrorKind::Outbound, 1), "{refused}");
        assert!(refused.message.contains("its operator can allow it"), "{refused}");
        assert_eq!(ask(&plan(&url), &to_this_machine(&[format!("127.0.0.1:{port}")])).await, Ok(2));
    }
    assert_eq!(server.connections(), 2, "nobody connected who was refused");
}

/// The host comes from the session: whatever it says is judged when it is asked.
#[tokio::test]
async fn a_host_out_of_a_template_is_judged_like_any_other() {
    let server = FaultServer::answering(good()).await;
    let plan = plan(&format!("http://{{{{ query | safe }}}}:{}/search", server.address.port()));
    for host in ["127.0.0.1", "0x7f.1", "localhost", "search.example"] {
        let policy = Arc::new(Policy::new(&plan.policy, NonZeroUsize::MIN));
        let retriever = HttpRetriever::build(&plan, policy, &no_secrets(), &to_this_machine(&[])).unwrap();
        let session = Session { query: Some(host.into()), ..session() };
        let refused = retriever.retrieve(&session, 10).await.unwrap_err();
        assert_eq!(refused.kind, RetrieveErrorKind::Outbound, "{host}: {refused}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn redirects_are_not_followed_even_where_the_benchmark_allows_them() {
    for to in ["/again", "http://169.254.169.254/latest/meta-data/"] {
        let server = FaultServer::answering(answer("307 Temporary Redirect", &format!("location: {to}\r\n"), "")).await;
        let mut plan = plan(&server.url());
        plan.policy.redirects = 5;
        let allowed = to_this_machine(&[server.address.to_string()]);
        assert_eq!(ask(&plan, &allowed).await.unwrap_err().kind, RetrieveErrorKind::Redirect);
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn a_re_ranker_is_held_to_the_same_policy() {
    let server = FaultServer::answering(good()).await;
    let plan = plan(&server.url());
    let policy = Arc::new(Policy::new(&plan.policy, NonZeroUsize::MIN));
    let reranker = HttpReranker::build(&plan, policy, &no_secrets(), &to_this_machine(&[])).unwrap();
    let hits = vec![Hit { item_id: "a".into(), score: None }];
    let refused = reranker.transform(&session(), hits, 10).await.unwrap_err();
    assert_eq!((refused.kind, server.connections()), (RetrieveErrorKind::Outbound, 0));
}
