//! Stages of every temper, most of them hostile.

mod guests;
mod reranking;
mod retrieving;
