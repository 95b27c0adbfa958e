//! The transform `truncate`.

use std::num::NonZeroUsize;

use async_trait::async_trait;

use crate::replay::{Reads, RetrieveError, Retrieved, Transform};
use crate::session::{Hit, Session};

/// Cuts a list off behind its best hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncate {
    /// The number of hits that go on at most.
    pub k: NonZeroUsize,
}

#[async_trait]
impl Transform for Truncate {
    fn kind(&self) -> &'static str {
        "truncate"
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }

    async fn transform(&self, _: &Session, mut hits: Vec<Hit>, _: usize) -> Result<Retrieved, RetrieveError> {
        hits.truncate(self.k.get());
        Ok(hits.into())
    }
}
