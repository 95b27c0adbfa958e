//! The HTTP API, against the built binary: each test starts a server of its own on a free port of this machine.

mod running;
mod shop;
mod slow_engine;

mod durability;
mod evaluations;
mod hostile;
mod jobs;
mod limits;
mod mixpeek;
mod native;
mod outbound;
mod platform;
mod runloop;
mod tenants;
mod worker;
