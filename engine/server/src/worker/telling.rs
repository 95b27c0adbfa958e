//! What the server is told of a search while it is made: each stage as it ends.

use std::ops::ControlFlow;

use rematch_engine::replay::explain::{ExplainedHit, StageExplanation, Step};

use super::narrow::{Left, Narrowed};
use super::{FoundHit, Message, Outlet, SearchedStage};

/// Hits of a stage that are told.
const HITS: usize = 100;

/// Bytes of their identifiers.
const HIT_BYTES: usize = 16 << 10;

/// Hears the steps of a search, and says what is certain: what a source found is not, as long as it may be asked for more.
pub(super) struct Telling<'a> {
    outlet: &'a Outlet,
    stages: usize,
    hidden: Option<usize>,
    left: Vec<Left>,
    held: Vec<Message>,
    /// Stages whose beginning was said.
    begun: usize,
}

impl<'a> Telling<'a> {
    /// Returns one who speaks of so many stages; the one at `hidden` is part of the one before.
    pub(super) fn of(outlet: &'a Outlet, stages: usize, hidden: Option<usize>) -> Self {
        Self { outlet, stages, hidden, left: Vec::new(), held: Vec::new(), begun: 0 }
    }

    /// Begins anew: what was not said is forgotten.
    pub(super) fn begin(&mut self) {
        self.left.clear();
        self.held.clear();
    }

    /// Says what is still held back: the search is over.
    pub(super) fn finish(&mut self) {
        self.say();
    }

    /// Hears of a step. Breaks where too little has passed the gates of `narrowed`, and it is to be asked for more.
    pub(super) fn hear(&mut self, step: &Step<'_>, narrowed: Option<&Narrowed>) -> ControlFlow<()> {
        match step {
            Step::Begins { position, .. } if self.hidden == Some(*position) => {}
            Step::Begins { position, name, kind } => {
                let shown = self.shown(*position);
                // The first one begins once, however often it is asked.
                if shown >= self.begun {
                    let (name, kind) = ((*name).to_owned(), (*kind).to_owned());
                    self.held.push(Message::StageBegan { position: shown, stages: self.stages, name, kind });
                }
                let is_open = narrowed.is_some_and(|narrowed| (1..=narrowed.decides_at()).contains(position));
                if !is_open {
                    self.say();
                }
            }
            Step::Ended { position, stage } => return self.ended(*position, stage, narrowed),
        }
        ControlFlow::Continue(())
    }

    fn ended(&mut self, position: usize, stage: &StageExplanation, narrowed: Option<&Narrowed>) -> ControlFlow<()> {
        let is_hidden = self.hidden == Some(position);
        match self.held.last_mut() {
            Some(Message::StageEnded { stage: before, hits, .. }) if is_hidden => {
                before.go_on(stage);
                *hits = first_hits(stage);
            }
            _ => {
                let (position, stages) = (self.shown(position), self.stages);
                let (hits, stage) = (first_hits(stage), SearchedStage::of(stage));
                self.held.push(Message::StageEnded { position, stages, stage, hits });
            }
        }
        self.left.push(Left::of(stage));
        let is_open = narrowed.is_some_and(|narrowed| position <= narrowed.decides_at());
        if let Some(narrowed) = narrowed.filter(|narrowed| position == narrowed.decides_at())
            && narrowed.is_short(&self.left)
        {
            return ControlFlow::Break(());
        }
        let is_decided = narrowed.is_none_or(|narrowed| position >= narrowed.decides_at());
        // A failure may be one of asking for too much, and the next stage may be part of this one.
        let is_certain = is_decided && !(is_open && stage.problem.is_some());
        if is_certain && self.hidden != Some(position + 1) {
            self.say();
        }
        ControlFlow::Continue(())
    }

    /// Says what was held back.
    fn say(&mut self) {
        for message in self.held.drain(..) {
            if let Message::StageBegan { position, .. } = &message {
                self.begun = self.begun.max(position + 1);
            }
            self.outlet.say(&message);
        }
    }

    fn shown(&self, position: usize) -> usize {
        position - usize::from(self.hidden.is_some_and(|hidden| hidden < position))
    }
}

fn first_hits(stage: &StageExplanation) -> Vec<FoundHit> {
    let mut bytes = 0;
    let fits = |hit: &&ExplainedHit| {
        bytes += hit.item_id.len();
        bytes <= HIT_BYTES
    };
    let hits = stage.left.iter().take(HITS).take_while(fits);
    hits.map(|hit| FoundHit { item_id: hit.item_id.clone(), score: hit.score, collection: None }).collect()
}
