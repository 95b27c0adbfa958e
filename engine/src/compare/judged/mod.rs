//! How far can judgments carry the verdict? Which share of each top k was graded (`share`), what the rest could change at most
//! (`bounds`, on what a session's unjudged items could do, `what_if`), and what to judge next (`next`).
//!
//! Judgments are joined with the keys of the top items that the parts hold, so that no hit is read, but for the ids of the items to
//! judge next.

mod bounds;
mod next;
mod read;
mod share;
mod what_if;

pub(super) use bounds::{Ask as BoundsAsk, Beside as BoundsBeside, Bounds, Made as MadeBounds, Sums as BoundSums};
pub use next::{JudgeNext, judge_next};
pub(super) use share::ShareTally;
