//! The calls of the host, in Rust's types: the code between the generated bindings and a scorer. [`crate::testing`] comes
//! in here too.

use std::marker::PhantomData;

use crate::bindings::exports::rematch::scoring::{aggregation, guest};
use crate::{Aggregate, Batch, Column, Description, Params, Scorer, Scores};

/// What is exported: the generated traits, answered by a scorer.
#[doc(hidden)]
pub struct Component<S>(PhantomData<S>);

impl<S: Scorer> guest::Guest for Component<S> {
    fn describe() -> Description {
        crate::log::report_panics();
        S::describe()
    }

    fn score(batch: Batch, params: String) -> Result<guest::Scores, guest::Failure> {
        crate::log::report_panics();
        score::<S>(&batch, &params)
    }
}

impl<S: Aggregate> aggregation::Guest for Component<S> {
    fn aggregate(metrics: Vec<Column>, params: String) -> Result<Option<f64>, String> {
        crate::log::report_panics();
        aggregate::<S>(&metrics, &params)
    }
}

/// Scores a batch.
pub(crate) fn score<S: Scorer>(batch: &Batch, params: &str) -> Result<guest::Scores, guest::Failure> {
    let scorer = configured::<S>(params).map_err(guest::Failure::InvalidParams)?;
    let mut scores = Scores::new(&S::describe().metrics, batch.len as usize);
    scorer.score_batch(batch, &mut scores).map_err(guest::Failure::Internal)?;
    Ok(scores.into_columns())
}

/// Sums up a run.
pub(crate) fn aggregate<S: Aggregate>(metrics: &[Column], params: &str) -> Result<Option<f64>, String> {
    configured::<S>(params)?.aggregate(metrics)
}

/// Returns the scorer with these parameters.
pub(crate) fn configured<S: Scorer>(params: &str) -> Result<S, String> {
    let params = Params::parse(params)?;
    let scorer = S::new(&params)?;
    params.refuse_unknown()?;
    Ok(scorer)
}
