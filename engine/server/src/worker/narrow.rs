//! A retriever narrowed to some documents: a gate stands behind every source, inside of `fuse` stages too, and each source
//! is asked for more, again and again, until as many pass as it was to find, or it has no more.

use std::num::NonZeroUsize;

use rematch_engine::benchmark::PipelinePlan;
use rematch_engine::benchmark::stages::{OnStageError, StageKind, StagePlan, TruncatePlan};
use rematch_engine::replay::explain::StageExplanation;

/// The name of the gate among the stages.
const GATE: &str = "filters";

/// Documents that a source is first asked for.
const FIRST: usize = 1000;

/// By what it is asked for more each further time.
const FURTHER: usize = 16;

/// Documents that a source on this machine is asked for at most.
const MOST: usize = 1_000_000;

/// Documents that another server is asked for at most: many refuse to go deeper.
const MOST_OF_A_SERVER: usize = 10_000;

/// How many hits left a stage.
#[derive(Debug, Clone, Default)]
pub(super) struct Left {
    count: usize,
    branches: Vec<Vec<Left>>,
}

impl Left {
    pub(super) fn of(stage: &StageExplanation) -> Self {
        let branch = |stages: &Vec<StageExplanation>| stages.iter().map(Self::of).collect();
        Self { count: stage.left.len(), branches: stage.branches.iter().map(branch).collect() }
    }
}

/// A retriever with gates.
pub(super) struct Narrowed {
    /// As it is asked this time.
    pub(super) plan: PipelinePlan,
    original: PipelinePlan,
    gate: StageKind,
    depth: usize,
}

impl Narrowed {
    pub(super) fn new(original: PipelinePlan, gate: StageKind) -> Self {
        let mut narrowed = Self { plan: original.clone(), original, gate, depth: FIRST };
        narrowed.ask_for(FIRST);
        narrowed
    }

    fn ask_for(&mut self, depth: usize) {
        self.depth = depth;
        self.plan = self.original.clone();
        narrow(&mut self.plan.stages, &self.gate, depth);
    }

    /// Asks for more than the last time.
    pub(super) fn ask_for_more(&mut self) {
        self.ask_for(self.depth.saturating_mul(FURTHER));
    }

    /// Asks for as much as the time before.
    pub(super) fn ask_for_less(&mut self) {
        self.ask_for((self.depth / FURTHER).max(FIRST));
    }

    /// Returns the place of the stage after which it can be told whether too little has passed.
    pub(super) fn decides_at(&self) -> usize {
        usize::from(!self.is_fused())
    }

    /// Returns the place of a stage that is there for our purposes only.
    pub(super) fn hidden(&self) -> Option<usize> {
        (!self.is_fused()).then_some(2)
    }

    fn is_fused(&self) -> bool {
        self.original.stages.first().is_some_and(|source| matches!(source.does, StageKind::Fuse(_)))
    }

    /// Returns whether too little has passed, and asking for more may help.
    pub(super) fn is_short(&self, told: &[Left]) -> bool {
        short(&self.plan.stages, told).into_iter().any(|source| source.depth.get() < most(source))
    }

    /// Returns the sources of which too little has passed, and that were asked for as much as they may be.
    pub(super) fn exhausted(&self, told: &[Left]) -> Vec<(String, usize)> {
        let short = short(&self.plan.stages, told).into_iter();
        short.map(|source| (source.name.clone(), source.depth.get())).collect()
    }
}

fn narrow(stages: &mut Vec<StagePlan>, gate: &StageKind, depth: usize) {
    let Some(source) = stages.first_mut() else { return };
    if let StageKind::Fuse(fuse) = &mut source.does {
        return fuse.branches.iter_mut().for_each(|branch| narrow(&mut branch.stages, gate, depth));
    }
    if let StageKind::Vector(vector) = &mut source.does {
        // A graph of neighbours is searched for a few of them; whoever asks for many looks at all.
        vector.ann = None;
    }
    let wanted = source.depth;
    source.depth = NonZeroUsize::new(depth.min(most(source))).map_or(wanted, |depth| depth.max(wanted));
    let of = |name: String, does: StageKind| StagePlan { name, on_error: OnStageError::Fail, depth: wanted, does };
    // Nobody else has that name: names are unique in a list.
    let is_taken = |name: &str| stages.iter().any(|stage| stage.name == name);
    let name =
        std::iter::successors(Some(GATE.to_owned()), |name| Some(format!("{name}'"))).find(|name| !is_taken(name));
    let name = name.unwrap_or_default();
    let cut = of(format!("{name}: cut"), StageKind::Truncate(TruncatePlan { k: wanted }));
    stages.insert(1, of(name, gate.clone()));
    stages.insert(2, cut);
}

/// Returns what a source may be asked for.
fn most(source: &StagePlan) -> usize {
    match source.does {
        StageKind::Http(_) | StageKind::Postgres(_) | StageKind::Plugin(_) => MOST_OF_A_SERVER,
        _ => MOST,
    }
}

/// Returns the sources of which fewer passed than were wanted, although they found as many as they were asked for.
fn short<'a>(plan: &'a [StagePlan], told: &[Left]) -> Vec<&'a StagePlan> {
    let (Some(source), Some(found)) = (plan.first(), told.first()) else { return Vec::new() };
    if let StageKind::Fuse(fuse) = &source.does {
        let branches = fuse.branches.iter().zip(&found.branches);
        return branches.flat_map(|(branch, told)| short(&branch.stages, told)).collect();
    }
    let Some(passed) = told.get(1) else { return Vec::new() };
    let wanted = plan.get(1).map_or(0, |gate| gate.depth.get());
    if found.count >= source.depth.get() && passed.count < wanted { vec![source] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rematch_engine::benchmark::{Plan, SpecSource};
    use serde_json::{Value, json};

    use super::*;

    fn narrowed(stages: Value) -> Narrowed {
        let text = json!({
            "name": "n", "baseline": "a", "candidates": ["b"], "depth": 20, "sessions": { "path": "s.jsonl" },
            "corpus": { "c": { "path": "c.jsonl", "id": "id" } },
            "retriever": [{ "id": "a", "stages": stages }, { "id": "b", "stages": [{ "kind": "shown" }] }],
        });
        let source = SpecSource::of(Path::new("/f/b.yaml"), &text.to_string(), &[]).unwrap();
        Narrowed::new(Plan::resolve(&source).unwrap().pipelines.remove(0), StageKind::Shown)
    }

    fn told(count: usize) -> Left {
        Left { count, branches: Vec::new() }
    }

    fn depths(narrowed: &Narrowed) -> Vec<usize> {
        narrowed.plan.stages.iter().map(|stage| stage.depth.get()).collect()
    }

    const WORDS: &str = r#"{ "kind": "bm25", "corpus": "c", "fields": { "t": 1.0 } }"#;

    fn words() -> Value {
        serde_json::from_str(WORDS).unwrap()
    }

    #[test]
    fn a_source_is_asked_for_more_until_enough_pass_or_it_has_no_more() {
        let mut one = narrowed(json!([words(), { "kind": "truncate", "k": 5 }]));
        assert_eq!(depths(&one)[..3], [1000, 20, 20]);
        assert_eq!((one.decides_at(), one.hidden()), (1, Some(2)));
        assert!(one.is_short(&[told(1000), told(19)]));
        assert!(!one.is_short(&[told(1000), told(20)]) && !one.is_short(&[told(999), told(0)]));
        one.ask_for_more();
        assert_eq!(depths(&one)[0], 16_000);
        one.ask_for_less();
        assert_eq!(depths(&one)[0], 1000);
        (0..3).for_each(|_| one.ask_for_more());
        assert_eq!(depths(&one)[0], MOST);
        assert!(!one.is_short(&[told(MOST), told(0)]));
        assert_eq!(one.exhausted(&[told(MOST), told(0)]), [("bm25".to_owned(), MOST)]);
        assert!(one.exhausted(&[told(MOST - 1), told(0)]).is_empty());
    }

    #[test]
    fn a_gate_stands_in_every_branch_and_a_server_is_asked_for_less() {
        let http = json!({ "kind": "http", "url": "http://h", "ids": "$[*]" });
        let branches = json!([{ "stages": [words()] }, { "stages": [http] }]);
        let mut fused = narrowed(json!([{ "kind": "fuse", "branches": branches }]));
        assert_eq!((fused.decides_at(), fused.hidden()), (0, None));
        let both = |left: [usize; 4]| {
            let branch = |found, passed| vec![told(found), told(passed)];
            vec![Left { branches: vec![branch(left[0], left[1]), branch(left[2], left[3])], ..told(0) }]
        };
        assert!(fused.is_short(&both([10, 0, 1000, 5])) && !fused.is_short(&both([10, 0, 1000, 20])));
        fused.ask_for_more();
        assert!(!fused.is_short(&both([10, 0, MOST_OF_A_SERVER, 5])));
        assert_eq!(fused.exhausted(&both([10, 0, MOST_OF_A_SERVER, 5])), [("http".to_owned(), MOST_OF_A_SERVER)]);
    }
}
