//! From a core module to a component, without any other tool.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::imports::{AGGREGATION, GUEST, Provision, RERANKING, RETRIEVING};
use super::inspect::{InspectError, Inspection, Kind, inspect};

/// The interface between Rematch and scoring components, as text.
pub const WIT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk-wit/wit/scoring.wit"));

/// The module by which core modules import WASI.
pub(crate) const PREVIEW1: &str = "wasi_snapshot_preview1";

/// What stands in for it: `preview1.wat`, assembled.
pub(crate) const PREVIEW1_STAND_IN: &[u8] = include_bytes!("preview1.wasm");

/// Why a core module cannot be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The input is not a core module.
    #[error("the input is {found}, expected a core WebAssembly module")]
    NotACoreModule {
        /// What it is.
        found: &'static str,
    },
    /// The input breaks off, or is otherwise broken.
    #[error(transparent)]
    Broken(InspectError),
    /// Functions or the memory are missing.
    #[error(
        "the module does not export {missing}; a scorer exports the functions of `rematch:scoring/guest@0.1.0` (a stage \
         those of `rematch:scoring/retrieving@0.1.0` or `rematch:scoring/reranking@0.1.0`), its memory and its allocator, \
         as the bindings generated from the WIT do"
    )]
    MissingExports {
        /// Their names, each in backticks.
        missing: String,
    },
    /// Imports are left that nobody provides.
    #[error(
        "the module imports {refused}; a plugin may import nothing but `rematch:scoring/log@0.1.0` and \
         `wasi_snapshot_preview1`"
    )]
    Imports {
        /// Their names, each in backticks.
        refused: String,
    },
    /// The WIT text that is built in cannot be read.
    #[error("the built-in WIT cannot be read: {reason}")]
    Wit {
        /// Why.
        reason: String,
    },
    /// The module does not implement the world: an export or an import has another type.
    #[error("the module does not implement the world `{world}`: {reason}")]
    Encode {
        /// The world.
        world: &'static str,
        /// What does not fit.
        reason: String,
    },
}

/// Packs a core module that implements the world `scorer`, `aggregating-scorer`, `retriever` or `reranker` into a
/// component.
///
/// The module exports the functions of its interface by names such as `rematch:scoring/guest@0.1.0#describe`,
/// `cabi_realloc` and `memory`, as the bindings generated from the WIT do; what it exports says which world it is. With
/// `rematch:scoring/aggregation@0.1.0#aggregate`, a scorer sums up runs itself. What it imports of
/// `wasi_snapshot_preview1` is linked with stand-ins without effect, so that the component imports no WASI. The same module
/// gives the same bytes.
///
/// # Errors
///
/// Returns an error when `core` is not a core module, or does not implement the world.
pub fn pack(core: &[u8]) -> Result<Vec<u8>, PackError> {
    let inspection = inspect(core).map_err(|error| match error {
        InspectError::NotWebAssembly => PackError::NotACoreModule { found: "not WebAssembly" },
        broken => PackError::Broken(broken),
    })?;
    if inspection.kind == Kind::Component {
        return Err(PackError::NotACoreModule { found: "a component already" });
    }
    let world = check(&inspection)?;
    let mut module = core.to_vec();
    embed(&mut module, world)?;
    let not_encoded = |error| PackError::Encode { world, reason: format!("{error:#}") };
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).map_err(not_encoded)?;
    if inspection.imports.iter().any(|import| import.provision == Provision::InertWasi) {
        encoder = encoder.adapter(PREVIEW1, PREVIEW1_STAND_IN).map_err(not_encoded)?;
    }
    encoder.encode().map_err(not_encoded)
}

/// Returns the world of a module. Names what is missing and what is too much, before the encoder stumbles over it in
/// words of its own.
fn check(inspection: &Inspection) -> Result<&'static str, PackError> {
    let exports = |interface: &str, function: &str| inspection.exports.contains(&format!("{interface}#{function}"));
    let (world, interface, functions): (_, _, &[&str]) = if exports(RERANKING, "rerank") {
        ("reranker", RERANKING, &["describe", "rerank"])
    } else if exports(RETRIEVING, "retrieve") {
        ("retriever", RETRIEVING, &["describe", "open", "retrieve"])
    } else if exports(AGGREGATION, "aggregate") {
        ("aggregating-scorer", GUEST, &["describe", "score"])
    } else {
        ("scorer", GUEST, &["describe", "score"])
    };
    let functions = functions.iter().map(|function| format!("{interface}#{function}"));
    let needed: Vec<String> = functions.chain(["cabi_realloc".into(), "memory".into()]).collect();
    let missing = in_backticks(needed.iter().filter(|export| !inspection.exports.contains(*export)));
    if !missing.is_empty() {
        return Err(PackError::MissingExports { missing });
    }
    let refused = inspection.imports.iter().filter(|import| import.provision == Provision::Refused);
    let refused = in_backticks(refused.map(|import| &import.name));
    if refused.is_empty() { Ok(world) } else { Err(PackError::Imports { refused }) }
}

fn in_backticks<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn embed(module: &mut Vec<u8>, world: &str) -> Result<(), PackError> {
    let unreadable = |error| PackError::Wit { reason: format!("{error:#}") };
    let mut resolve = Resolve::default();
    let package = resolve.push_str("scoring.wit", WIT).map_err(unreadable)?;
    let world = resolve.select_world(&[package], Some(world)).map_err(unreadable)?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).map_err(unreadable)
}
