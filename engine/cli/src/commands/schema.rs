//! `rematch schema`.

use super::print_json;
use crate::arguments::{SchemaArguments, SchemaName};
use crate::exit::{Exit, Failure};

/// Prints a JSON Schema.
pub(crate) fn schema(arguments: &SchemaArguments) -> Result<Exit, Failure> {
    match arguments.name {
        SchemaName::Benchmark => print_json(&rematch_engine::benchmark::json_schema())?,
        SchemaName::Gate => print_json(&rematch_engine::compare::gates::json_schema())?,
        SchemaName::Plan => print_json(&rematch_engine::forecast::json_schema())?,
        SchemaName::Report => print_json(&rematch_engine::report::json_schema())?,
    }
    Ok(Exit::Done)
}
