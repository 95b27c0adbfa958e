//! Why a component cannot be a stage.

use std::path::PathBuf;

use crate::load::LoadError;
use crate::sandbox::SandboxError;

/// Why a component cannot be used as a stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// The file cannot be read, or is not such a component.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The corpus of its items cannot be read.
    #[error("the items of plugin `{path}` cannot be read", path = path.display())]
    Items {
        /// The component file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<LoadError>,
    },
    /// The component refused its parameters, or failed before any session.
    #[error("plugin `{plugin}` failed: {reason}")]
    Failed {
        /// Its name and version.
        plugin: String,
        /// What it said, or which limit it hit.
        reason: String,
    },
}
