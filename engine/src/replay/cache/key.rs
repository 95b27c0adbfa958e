//! What identifies an answer.

use sha2::{Digest, Sha256};

use crate::replay::Reads;
use crate::session::Session;

/// Changes whenever keys or entries mean something else.
const VERSION: &[u8] = b"rematch ranking 1";

/// A SHA-256.
pub(super) type Key = [u8; 32];

/// Hashes fields, each with its length before it, so that no two lists of fields are the same bytes.
struct Fields(Sha256);

impl Fields {
    fn new() -> Self {
        let mut fields = Self(Sha256::new());
        fields.add(VERSION);
        fields
    }

    fn add(&mut self, field: &[u8]) {
        self.0.update((field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    /// Adds a field that may be missing, which is not the same as an empty one.
    fn add_optional(&mut self, field: Option<&[u8]>) {
        self.0.update([u8::from(field.is_some())]);
        self.add(field.unwrap_or_default());
    }

    fn finish(self) -> Key {
        self.0.finalize().into()
    }
}

/// Returns what identifies a pipeline, lower-case hex: its hash, the names of its stages, and the version of this program.
pub(super) fn identity<'a>(pipeline_hash: &str, stages: impl IntoIterator<Item = &'a str>) -> String {
    let mut fields = Fields::new();
    fields.add(env!("CARGO_PKG_VERSION").as_bytes());
    fields.add(pipeline_hash.as_bytes());
    stages.into_iter().for_each(|stage| fields.add(stage.as_bytes()));
    fields.finish().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the key of the answer that the pipeline `identity` gives to a session, cut off at `depth`.
pub(super) fn key(identity: &str, session: &Session, reads: Reads, depth: usize) -> Key {
    let mut fields = Fields::new();
    fields.add(identity.as_bytes());
    fields.add(&(depth as u64).to_le_bytes());
    fields.add_optional(reads.session_id.then_some(session.session_id.as_bytes()));
    fields.add_optional(session.query.as_deref().filter(|_| reads.query).map(str::as_bytes));
    fields.add_optional(session.inputs.as_deref().filter(|_| reads.inputs).map(str::as_bytes));
    let vector = session.query_vector.as_ref().filter(|_| reads.query_vector);
    let vector: Option<Vec<u8>> =
        vector.map(|vector| vector.iter().flat_map(|value| value.to_bits().to_le_bytes()).collect());
    fields.add_optional(vector.as_deref());
    let time = session.timestamp.filter(|_| reads.timestamp).map(i64::to_le_bytes);
    fields.add_optional(time.as_ref().map(<[u8; 8]>::as_slice));
    let taxonomy: &[String] = if reads.taxonomy { &session.taxonomy } else { &[] };
    fields.add(&(taxonomy.len() as u64).to_le_bytes());
    taxonomy.iter().for_each(|path| fields.add(path.as_bytes()));
    fields.finish()
}
