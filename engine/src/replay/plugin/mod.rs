//! Stages that strangers write: components in the [sandbox](crate::sandbox) that answer searches or order hits anew.
//!
//! A component implements the world `retriever` or `reranker` of `sdk-wit/wit/scoring.wit`. It sees of a session what a
//! search engine sees, and nothing of what was shown or what the user did. [`PluginRetriever`] is the source of a pipeline;
//! a transform hands its hits to a [`PluginReranker`].
//!
//! # What a bad answer costs
//!
//! An answer is checked before anybody sees it: a number that is not finite, an item that was not handed over, an item
//! twice fail their session alone. A trap, a limit, or an answer whose columns do not fit together fail the call; each of
//! its sessions is then asked again alone in a fresh instance, so that the culprit is found and its neighbours keep their
//! answers. A call that spends more fuel than one session may is repeated with fewer sessions, so that none lives off
//! another's fuel: a session's answer does not depend on which others it is asked with.
//!
//! # Memory
//!
//! A retriever gets every item of its corpus, the fields named included: once in this process, and once in each instance,
//! where it counts against the limit on memory. Instances of a `reusable` component rest until the next call, so that a
//! corpus is handed over once per thread; any other component gets it with every batch. A re-ranker's fields stay in this
//! process; a call gets those of the items at hand.

mod answers;
mod calls;
mod columns;
mod component;
mod error;
mod reranker;
mod retriever;
#[cfg(test)]
mod tests;

pub use component::StageDescription;
pub use error::PluginError;
pub use reranker::{Handed, PluginReranker};
pub use retriever::PluginRetriever;
