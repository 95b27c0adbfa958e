//! From a core module to a component, without any other tool.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The interface between Rematch and scoring components, as text.
pub const WIT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk-wit/wit/scoring.wit"));

/// Why a core module cannot be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The input does not begin like a core module.
    #[error("the input is {found}, expected a core WebAssembly module")]
    NotACoreModule {
        /// What it is.
        found: &'static str,
    },
    /// The WIT text that is built in cannot be read.
    #[error("the built-in WIT cannot be read: {reason}")]
    Wit {
        /// Why.
        reason: String,
    },
    /// The module does not implement the world: an export is missing or has another type, or an import is left.
    #[error(
        "the module does not implement the world `scorer`: {reason}; it must export the functions of \
         `rematch:scoring/guest@0.1.0` and import nothing"
    )]
    Encode {
        /// What is missing or too much.
        reason: String,
    },
}

/// Packs a core module that implements the world `scorer` into a component.
///
/// The module exports `rematch:scoring/guest@0.1.0#describe`, `rematch:scoring/guest@0.1.0#score`, `cabi_realloc` and
/// `memory`, as the bindings generated from the WIT do. The same module gives the same bytes.
///
/// # Errors
///
/// Returns an error when `core` is not a core module, or does not implement the world.
pub fn pack(core: &[u8]) -> Result<Vec<u8>, PackError> {
    match core.get(..8) {
        Some(b"\0asm\x01\0\0\0") => {}
        Some(b"\0asm\x0d\0\x01\0") => return Err(PackError::NotACoreModule { found: "a component already" }),
        _ => return Err(PackError::NotACoreModule { found: "not WebAssembly" }),
    }
    let mut module = core.to_vec();
    embed_world(&mut module)?;
    let not_encoded = |error| PackError::Encode { reason: format!("{error:#}") };
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).map_err(not_encoded)?;
    encoder.encode().map_err(not_encoded)
}

fn embed_world(module: &mut Vec<u8>) -> Result<(), PackError> {
    let unreadable = |error| PackError::Wit { reason: format!("{error:#}") };
    let mut resolve = Resolve::default();
    let package = resolve.push_str("scoring.wit", WIT).map_err(unreadable)?;
    let world = resolve.select_world(&[package], Some("scorer")).map_err(unreadable)?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).map_err(unreadable)
}
