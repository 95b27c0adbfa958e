//! What servers would be asked.

use std::num::NonZeroUsize;

use super::earlier::Earlier;
use super::{RetrieverForecast, StageRequests, duration};
use crate::benchmark::stages::{StageKind, StagePlan};
use crate::benchmark::{PipelinePlan, Plan, PolicyPlan};
use crate::replay::begin_alike;

/// Returns what each retriever would do on `sampled` sessions.
pub(super) fn of(
    plan: &Plan,
    sampled: u64,
    threads: NonZeroUsize,
    earlier: Option<&Earlier>,
) -> Vec<RetrieverForecast> {
    let pipelines = plan.pipelines.iter().enumerate();
    let one = |(index, pipeline): (usize, &PipelinePlan)| {
        let before = plan.pipelines.get(..index).unwrap_or_default();
        let mut stages = Vec::new();
        for (place, stage) in pipeline.stages.iter().enumerate() {
            let other = before.iter().find(|other| begin_alike(pipeline, other, place + 1));
            asking(stage, "", &mut |name, stage, policy| {
                let shared_with = other.map(|other| other.id.clone());
                let asks = |count: u64| if shared_with.is_some() { 0 } else { count };
                let (requests, warm_up) = (asks(sampled), asks(u64::from(policy.warm_up)));
                stages.push(StageRequests {
                    stage: name,
                    kind: stage.does.as_str().to_owned(),
                    requests,
                    warm_up,
                    shared_with,
                });
            });
        }
        let counted: u64 = stages.iter().map(|stage| stage.requests).sum();
        let warm_up: u64 = stages.iter().map(|stage| stage.warm_up).sum();
        let policy = pipeline.policy();
        let budget = policy.map_or(0.0, |policy| if policy.retries == 0 { 0.0 } else { policy.retry_budget });
        RetrieverForecast {
            id: pipeline.id.clone(),
            requests: counted + warm_up,
            requests_at_most: counted + warm_up + (counted as f64 * budget).ceil() as u64,
            cache: pipeline.cache,
            concurrency: pipeline.concurrency.get() as u64,
            rate: policy.and_then(|policy| policy.rate),
            arrival: policy.map(|policy| policy.arrival),
            duration: duration::of(plan, pipeline, &stages, sampled, threads, earlier),
            stages,
        }
    };
    pipelines.map(one).collect()
}

/// Tells of the stage, and of those inside of it, that ask a server.
fn asking<'a>(stage: &'a StagePlan, path: &str, tell: &mut dyn FnMut(String, &'a StagePlan, &'a PolicyPlan)) {
    let name = format!("{path}{}", stage.name);
    if let StageKind::Fuse(plan) = &stage.does {
        for (number, branch) in plan.branches.iter().enumerate() {
            let path = format!("{name}/{}/", number + 1);
            branch.stages.iter().for_each(|stage| asking(stage, &path, tell));
        }
    } else if let Some(policy) = stage.does.policy() {
        tell(name, stage, policy);
    }
}
