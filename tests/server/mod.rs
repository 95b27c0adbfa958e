//! The HTTP API, against the built binary: each test starts a server of its own on a free port of this machine.

mod running;

mod platform;
