//! What is in a file, and what is dirty? One look at any supported input before a benchmark is built on it.
//!
//! [`inspect`] tells what the file is from its content, reads all of it, and returns counts and [`Finding`]s. A line that
//! a reader would refuse is a finding with its number here where that is possible, so that all of them are seen at once.
//!
//! Not for: repairing anything.

mod columns;
mod detect;
mod dispatch;
mod documents;
mod model;
mod qrels;
mod rankings;
mod run;
mod sessions;
#[cfg(test)]
mod tests;
mod ubi;
mod unknown_items;

pub use dispatch::inspect;
pub use model::{FileFormat, FileKind, Finding, InspectedColumn, Inspection, Severity};
pub use unknown_items::find_unknown_items;
