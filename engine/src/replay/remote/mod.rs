//! How servers are asked, whatever they speak: when the next request may go, how long it may take, whether it is tried
//! again, and when to give up for good.
//!
//! [`Policy`] runs the attempts of one request; [`Secrets`] is where credentials come from.
//!
//! Not for: what is sent, or what an answer means.

mod attempt;
mod backoff;
mod breaker;
mod budget;
mod counts;
mod escaped;
mod pace;
mod policy;
mod retry_after;
mod secrets;

pub use attempt::{AttemptError, Done, Retry};
pub use counts::RemoteCounts;
pub use policy::{Answered, Policy};
pub use retry_after::retry_after;
pub use secrets::{Redaction, Secret, SecretError, Secrets, no_secrets};
