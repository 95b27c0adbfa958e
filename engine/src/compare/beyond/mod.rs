//! What else are lists good for? Coverage of the catalogue, diversity, novelty, and the votes of visits: only where the benchmark's
//! table `lists` asks for it, because the parts are read again and the catalogue is held in memory (`catalogue`). `lists` sums
//! up the tops, `visits` the votes.

mod catalogue;
mod lists;
mod visits;

pub(super) use lists::Beyond;
