//! What stands in a file, read without compiling or running any of it.

use wasmparser::{KnownCustom, Parser, Payload};

use super::imports::Provision;
use super::pack::PREVIEW1;
use crate::store::sha256_of_bytes;

/// What kind of WebAssembly a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A component, which can be a scorer as it is.
    Component,
    /// A core module, which [`pack`](super::pack) may turn into a component.
    CoreModule,
}

/// An import, and who provides it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Import {
    /// Its name; `module.name` in a core module.
    pub name: String,
    /// Who provides it.
    pub provision: Provision,
}

/// What stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Inspection {
    /// What kind of WebAssembly it is.
    pub kind: Kind,
    /// Its size, bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// What it imports, in the file's order.
    pub imports: Vec<Import>,
    /// Names of what it exports, in the file's order.
    pub exports: Vec<String>,
    /// What made it and every module in it, as those say: the kind (`language`, `processed-by`, `sdk`), and the name with
    /// the version; sorted, each once.
    pub producers: Vec<(String, String)>,
}

/// Why a file cannot be inspected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The bytes are not WebAssembly at all.
    #[error("the file is not WebAssembly: expected a component or a core module in the binary format")]
    NotWebAssembly,
    /// The bytes begin like WebAssembly and go on otherwise.
    #[error("the file is broken WebAssembly: {reason} (at byte {offset})")]
    Broken {
        /// What is wrong.
        reason: String,
        /// Where.
        offset: usize,
    },
}

impl From<wasmparser::BinaryReaderError> for InspectError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Broken { reason: error.message().to_owned(), offset: error.offset() }
    }
}

/// Reads what stands in a file: its imports, exports and makers. Function bodies are not looked at.
///
/// # Errors
///
/// Returns an error when the bytes are not WebAssembly, or break off.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let kind = if Parser::is_component(bytes) {
        Kind::Component
    } else if Parser::is_core_wasm(bytes) {
        Kind::CoreModule
    } else {
        return Err(InspectError::NotWebAssembly);
    };
    let mut inspection = Inspection {
        kind,
        bytes: bytes.len() as u64,
        sha256: sha256_of_bytes(bytes),
        imports: Vec::new(),
        exports: Vec::new(),
        producers: Vec::new(),
    };
    // Modules and components in the component come as payloads of the same stream, each from its version to its end.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(producers) = section.as_known() {
                    inspection.producers(producers)?;
                }
            }
            payload if depth == 1 => inspection.section(payload)?,
            _ => {}
        }
    }
    inspection.producers.sort();
    inspection.producers.dedup();
    Ok(inspection)
}

impl Inspection {
    fn section(&mut self, payload: Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    let name = import?.name.name.to_owned();
                    self.imports.push(Import { provision: Provision::of(&name), name });
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    self.exports.push(export?.name.name.to_owned());
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    let provision = match import.module {
                        PREVIEW1 => Provision::InertWasi,
                        module => Provision::of(module),
                    };
                    self.imports.push(Import { name: format!("{}.{}", import.module, import.name), provision });
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    self.exports.push(export?.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn producers(&mut self, fields: wasmparser::ProducersSectionReader<'_>) -> Result<(), InspectError> {
        for field in fields {
            let field = field?;
            for value in field.values {
                let value = value?;
                let named = format!("{} {}", value.name, value.version).trim_end().to_owned();
                self.producers.push((field.name.to_owned(), named));
            }
        }
        Ok(())
    }
}
