//! Whom may this process connect to? For a server that asks hosts which strangers name.
//!
//! An [`Outbound`] lets everything through, as a command of one's own does, or the public internet and what an operator
//! [allows](Allowed) besides. A name is resolved when a connection is opened, every address that it has is checked, and one of
//! the checked addresses is connected to: a name that leads elsewhere a moment later gains nothing. It travels as its rules, so
//! that a machine that does part of a run holds to them too.
//!
//! Not for: what may be asked of a host, or limits of time and size, which [`crate::replay::remote`] has.

mod allowed;
mod error;
mod policy;
mod ports;
mod ranges;
mod resolver;
#[cfg(test)]
mod tests;

pub use allowed::{Allowed, AllowedError};
pub use error::OutboundError;
pub use policy::Outbound;
pub(crate) use resolver::{PortResolver, refusal_behind};
