//! Nothing: the crate's tests are the binary `integration`, whose topics are the modules of `main.rs`.
