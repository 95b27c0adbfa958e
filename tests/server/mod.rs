//! The HTTP API, against the built binary: each test starts a server of its own on a free port of this machine.

mod running;
mod shop;
mod slow_engine;

mod durability;
mod evaluations;
mod folders;
mod hostile;
mod http2;
mod jobs;
mod limits;
mod mixpeek;
mod native;
mod observed;
mod on_cluster;
mod outbound;
mod platform;
mod quotas;
mod runloop;
mod secrets;
mod tenants;
mod worker;
