//! Why a plugin cannot be run at all.

use std::path::PathBuf;

/// Why plugins, or one of them, cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The sandbox of all plugins cannot be set up.
    #[error("plugins cannot be run: {reason}")]
    Host {
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// The component file cannot be read.
    #[error("cannot read plugin `{path}`", path = path.display())]
    Read {
        /// The component file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The component is not what the benchmark pins, does not compile, or does not fit the world.
    #[error("plugin `{path}` cannot be used: {reason}", path = path.display())]
    Load {
        /// The component file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
}
