//! Is there a way to a host, and does something listen there?

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::Check;
use crate::replay::RetrieveErrorKind;

/// Longer than any healthy network takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Resolves a host's name and connects to each of its addresses; the checks end with the first one that fails.
pub async fn reach(host: &str, port: u16) -> Vec<Check> {
    // IPv6 addresses stand in brackets in URLs.
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let start = Instant::now();
    let resolved = timeout(PATIENCE, lookup_host((plain, port))).await;
    let addresses: Vec<SocketAddr> = match resolved {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return vec![unresolved(plain, &error.to_string())],
        Err(_) => return vec![unresolved(plain, "no answer within 5 s")],
    };
    if addresses.is_empty() {
        return vec![unresolved(plain, "no address")];
    }
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let found = format!("{plain} is {} ({})", shown.join(", "), milliseconds(start.elapsed()));
    vec![Check::ok("dns", found), connect(&addresses).await]
}

fn unresolved(host: &str, reason: &str) -> Check {
    Check::failed("dns", format!("`{host}` does not resolve: {reason}"), RetrieveErrorKind::Dns.advice())
}

/// One address that answers is enough.
async fn connect(addresses: &[SocketAddr]) -> Check {
    let mut refusals = Vec::new();
    for address in addresses {
        let start = Instant::now();
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                return Check::ok("tcp", format!("{address} accepts connections ({})", milliseconds(start.elapsed())));
            }
            Ok(Err(error)) => refusals.push(format!("{address}: {error}")),
            Err(_) => refusals.push(format!("{address}: no answer within 5 s")),
        }
    }
    let fix = match refusals.iter().any(|refusal| refusal.ends_with("no answer within 5 s")) {
        true => "look whether a firewall drops the packets, or correct host and port of the stage",
        false => RetrieveErrorKind::Connect.advice(),
    };
    Check::failed("tcp", refusals.join("; "), fix)
}

fn milliseconds(elapsed: Duration) -> String {
    format!("{:.1} ms", elapsed.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::super::CheckState;
    use super::*;

    fn states(checks: &[Check]) -> Vec<(&str, CheckState)> {
        checks.iter().map(|check| (check.name.as_str(), check.state)).collect()
    }

    #[tokio::test]
    async fn a_host_that_listens_is_reached() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert_eq!(states(&reach("127.0.0.1", port).await), [("dns", CheckState::Ok), ("tcp", CheckState::Ok)]);
        drop(listener);
        let checks = reach("127.0.0.1", port).await;
        assert_eq!(states(&checks), [("dns", CheckState::Ok), ("tcp", CheckState::Failed)]);
        let fix = checks.get(1).and_then(|check| check.fix.clone()).expect("a fix");
        assert!(fix.contains("start the server"), "{fix}");
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_stops_at_its_resolution() {
        // Reserved: nobody can have it.
        let checks = reach("search.invalid", 80).await;
        assert_eq!(states(&checks), [("dns", CheckState::Failed)]);
    }
}
