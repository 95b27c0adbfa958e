//! Why a transform cannot be built.

use crate::load::LoadError;

/// Why a transform cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// The corpus cannot be read.
    #[error("corpus `{corpus}` cannot be read")]
    Corpus {
        /// Its name.
        corpus: String,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// The expression means nothing over the corpus, or its value cannot be used.
    #[error("`{key} = \"{expression}\"` cannot be used over corpus `{corpus}`: {reason}")]
    Expression {
        /// The key of the stage.
        key: &'static str,
        /// What was written.
        expression: String,
        /// The corpus's name.
        corpus: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
}
