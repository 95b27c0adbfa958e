//! `rematch resume`.

use crate::arguments::ResumeArguments;
use crate::exit::{Exit, Failure};
use crate::worker::Worker;

/// Goes on with a run and prints its verdict.
pub(crate) fn resume(arguments: &ResumeArguments) -> Result<Exit, Failure> {
    let mut worker = Worker::new(&arguments.work)?;
    let surroundings = worker.surroundings(None, arguments.shard, true)?;
    worker.finish(rematch_engine::run::resume(&arguments.directory, surroundings))
}
