//! `rematch merge`.

use crate::arguments::MergeArguments;
use crate::exit::{Exit, Failure};
use crate::worker::Worker;

/// Makes one run of its shards and prints its verdict.
pub(crate) fn merge(arguments: &MergeArguments) -> Result<Exit, Failure> {
    let mut worker = Worker::new(&arguments.work)?;
    let surroundings = worker.surroundings(arguments.out.clone(), None, true)?;
    worker.finish(rematch_engine::run::merge(&arguments.shards, surroundings))
}
