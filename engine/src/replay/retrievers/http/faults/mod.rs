//! Everything that can go wrong between here and a server, over real sockets: what kind of failure it is, whether it is
//! tried again (how many requests arrive), and what stands in the ranking (an error, never an empty list).

pub(super) mod asking;
mod body;
mod connect;
mod connection;
mod http2;
mod outbound;
pub(super) mod server;
mod status;
mod time;
mod tls;
