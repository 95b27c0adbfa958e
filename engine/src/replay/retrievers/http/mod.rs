//! The `http` retriever: any search endpoint, by a request template and paths into its answer.
//!
//! [`HttpRetriever`] is a source, [`HttpReranker`] a transform; both send the same requests. A failure of any kind becomes
//! an error of its own kind, never an empty ranking.
//!
//! Not for: when and how often to ask, which is [`Policy`](crate::replay::remote::Policy)'s.

mod authorization;
mod classify;
mod client;
mod endpoint;
mod error;
mod exchange;
mod extract;
#[cfg(test)]
mod faults;
mod list_path;
#[cfg(test)]
mod measurements;
mod path;
mod raw;
mod reranker;
mod retriever;
mod server_timing;
mod template;
#[cfg(test)]
mod tests;
mod timings;
mod variables;

pub use error::{HttpError, HttpPart};
pub use extract::Extraction;
pub use path::JsonPath;
pub(crate) use raw::{RawAnswer, ask_once};
pub use reranker::HttpReranker;
pub use retriever::HttpRetriever;
pub use template::RequestTemplates;
