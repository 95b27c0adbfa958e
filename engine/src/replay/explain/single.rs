//! A retriever that is asked once.

use crate::benchmark::stages::{StageKind, StagePlan};
use crate::benchmark::{Arrival, PipelinePlan};

/// Returns the retriever as one search needs it: without requests that warm servers up, and without a schedule.
#[must_use]
pub fn for_one_search(plan: &PipelinePlan) -> PipelinePlan {
    let mut plan = plan.clone();
    calm(&mut plan.stages);
    plan
}

fn calm(stages: &mut [StagePlan]) {
    for stage in stages {
        if let StageKind::Fuse(fuse) = &mut stage.does {
            fuse.branches.iter_mut().for_each(|branch| calm(&mut branch.stages));
        }
        if let Some(policy) = stage.does.policy_mut() {
            policy.warm_up = 0;
            policy.arrival = Arrival::Closed;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::benchmark::{Plan, SpecSource};

    #[test]
    fn one_search_warms_nothing_up_whatever_the_stage_is_in() {
        let http = "{ kind = \"http\", url = \"http://h\", ids = \"$[*]\" }";
        let text = format!(
            "name = \"x\"\nbaseline = \"a\"\ncandidates = [\"b\"]\nsessions.path = \"s.jsonl\"\n\
             [[retriever]]\nid = \"a\"\nwarm-up = 50\nrate = 2.0\narrival = \"open\"\n\
             stages = [{{ kind = \"fuse\", branches = [{{ stages = [{http}] }}, {{ stages = [{http}] }}] }}]\n\
             [[retriever]]\nid = \"b\"\nwarm-up = 50\nstages = [{http}]\n"
        );
        let plan = Plan::resolve(&SpecSource::of(Path::new("bench.toml"), &text, &[]).unwrap()).unwrap();
        for pipeline in &plan.pipelines {
            let calm = for_one_search(pipeline);
            let policy = |plan: &PipelinePlan| plan.stages[0].does.policy().unwrap().clone();
            assert_eq!((policy(pipeline).warm_up, policy(&calm).warm_up), (50, 0));
            assert_eq!((policy(&calm).arrival, policy(&calm).rate), (Arrival::Closed, policy(pipeline).rate));
        }
    }
}
