//! How long a replay takes: from the limits that were set, and from the latencies of an earlier run.

use std::num::NonZeroUsize;

use super::earlier::Earlier;
use super::{DurationForecast, RetrieverForecast, StageRequests};
use crate::benchmark::{Arrival, PipelinePlan, Plan};

/// Returns how long one retriever takes over `sampled` sessions.
pub(super) fn of(
    plan: &Plan,
    pipeline: &PipelinePlan,
    stages: &[StageRequests],
    sampled: u64,
    threads: NonZeroUsize,
    earlier: Option<&Earlier>,
) -> DurationForecast {
    let asked = stages.iter().filter(|stage| stage.shared_with.is_none());
    let requests: u64 = asked.map(|stage| stage.requests + stage.warm_up).sum();
    let policy = pipeline.policy().filter(|_| requests > 0);
    let paced = policy.and_then(|policy| policy.rate).map(|rate| (requests as f64 / rate, rate));
    let in_flight = match policy {
        Some(_) => pipeline.concurrency.get() as f64,
        // Local stages take a core each.
        None => threads.get() as f64,
    };
    let seconds_at_most = policy.map(|policy| {
        let slowest = requests as f64 * policy.timeout.0.as_secs_f64() / in_flight;
        paced.map_or(slowest, |(paced, _)| paced.max(slowest))
    });
    let said = |seconds: Option<f64>, basis: String| DurationForecast { seconds, seconds_at_most, basis };
    if !stages.is_empty() && requests == 0 {
        return said(Some(0.0), "it takes the answers of another retriever".to_owned());
    }
    if let (Some((paced, rate)), Some(Arrival::Open)) = (paced, policy.map(|policy| policy.arrival)) {
        return said(Some(paced), format!("{requests} requests, sent at {rate} per second"));
    }
    let known = earlier.and_then(|earlier| earlier.result(pipeline, plan));
    let measured = known.and_then(|(result, same)| Some((result.latency.mean_ms?, same)));
    match (measured, paced) {
        (Some((mean_ms, same)), paced) => {
            let unlimited = sampled as f64 * mean_ms / 1000.0 / in_flight;
            let (seconds, limit) = match paced {
                Some((paced, rate)) if paced > unlimited => {
                    (paced, format!(", held back to {rate} requests per second"))
                }
                _ => (unlimited, String::new()),
            };
            let changed = if same { "" } else { " with other settings" };
            let basis = format!("{mean_ms:.2} ms per session in the earlier run{changed}, {in_flight} at once{limit}");
            said(Some(seconds), basis)
        }
        (None, Some((paced, rate))) => {
            said(Some(paced), format!("{requests} requests at no more than {rate} per second; it may take longer"))
        }
        (None, None) if known.is_some() => {
            said(None, "not known: the earlier run measured no latency, its answers were kept or looked up".to_owned())
        }
        (None, None) => {
            let no_rate = if policy.is_some() { ", and no `rate`" } else { "" };
            said(None, format!("not known: there is no earlier run with this retriever{no_rate}"))
        }
    }
}

/// Returns how long all retrievers take, one after the other.
pub(super) fn sum(retrievers: &[RetrieverForecast]) -> DurationForecast {
    let unknown: Vec<&str> = retrievers
        .iter()
        .filter(|retriever| retriever.duration.seconds.is_none())
        .map(|retriever| retriever.id.as_str())
        .collect();
    let total =
        |of: fn(&DurationForecast) -> Option<f64>| retrievers.iter().filter_map(|one| of(&one.duration)).sum::<f64>();
    let bounded = retrievers.iter().any(|one| one.duration.seconds_at_most.is_some());
    let seconds_at_most = bounded.then(|| total(|duration| duration.seconds_at_most.or(duration.seconds)));
    match unknown.as_slice() {
        [] => DurationForecast {
            seconds: Some(total(|duration| duration.seconds)),
            seconds_at_most,
            basis: "the retrievers one after the other; different servers are asked side by side in part".to_owned(),
        },
        unknown => DurationForecast {
            seconds: None,
            seconds_at_most,
            basis: format!("nothing tells that of `{}`", unknown.join("`, `")),
        },
    }
}
