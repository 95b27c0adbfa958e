//! Does a candidate keep what was agreed? Conditions that decide the exit code, and failures that are accepted for a while.
//!
//! `evidence` gathers what a gate looks at from what the comparison found, `decide` holds it against the gate's bounds and
//! says why in `words`, `evaluate` does so for every gate of a candidate, in a run or for a report that was
//! stored ([`rejudge`]). `acknowledgement` reads the failures that somebody accepted until a day, `judgement` puts them to the
//! gates of a run. `proposal` finds bounds that a run itself keeps and that noise does not break. `nodes` knows the taxonomy
//! nodes that a gate may name.
//!
//! What a gate by interval says: it is a test of non-inferiority. It passes where the whole 95 % interval of the difference is
//! within the bound (a false pass in at most 2.5 % of runs), fails where the whole interval is beyond it, and is inconclusive
//! otherwise.
//!
//! Where relevance comes from clicks, a measure's own test counts what was never shown as worthless. Then the change on common
//! support is judged, as a share of the baseline's mean; nodes and levels have no such number, and are inconclusive. After an early
//! stop, interval and p of all but what the run was stopped by are inconclusive too: they are of a fixed sample. What is identical
//! in every session loses nothing, whatever else is known.
//!
//! Not for: looking at a clock; whoever judges says which day it is. A report never depends on acknowledgements.

mod acknowledgement;
mod decide;
mod evaluate;
mod evidence;
mod judgement;
mod nodes;
mod proposal;
mod words;

pub use acknowledgement::{Acknowledgement, Acknowledgements};
pub(super) use evaluate::evaluate;
pub use evaluate::{GateError, rejudge};
pub use judgement::{
    Acceptance, FailedRetriever, GateVerdict, JudgedGate, JudgedState, Judgement, SCHEMA_VERSION, json_schema,
};
pub use nodes::check_nodes;
pub use proposal::propose;
