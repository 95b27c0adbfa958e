//! A body on its way to the disk.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::StatusCode;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use super::ledger::Entry;
use super::storage::{beside, exceeded, stored};
use crate::App;
use crate::platform::body;
use crate::platform::error::ApiError;

/// Bytes of an upload between two looks at what the organisation keeps.
const LOOK_EVERY: u64 = 8 << 20;

/// A body that was received in full and is on the disk, in a folder of its own that goes when this is dropped.
#[derive(Debug)]
pub struct Upload {
    folder: TempDir,
    name: String,
    /// As long as it has no row of its own: it goes within the write of that row, before anybody can read it.
    _on_its_way: Entry,
    /// Its size, bytes.
    pub bytes: u64,
    /// The SHA-256 of its content, in lower-case hexadecimal digits.
    pub sha256: String,
}

impl Upload {
    /// Receives a body as a file of that name, of at most `limit` bytes. It counts as kept as it arrives.
    ///
    /// # Errors
    ///
    /// Returns 413 for a larger body and for more than the organisation may keep, 408 for one that stops coming and 400 for one that breaks off.
    pub async fn receive(app: &App, organisation: &str, name: &str, body: Body, limit: u64) -> Result<Self, ApiError> {
        let folder = uploads(&app.root_of(organisation));
        tokio::fs::create_dir_all(&folder).await.map_err(ApiError::internal)?;
        let folder = tempfile::tempdir_in(&folder).map_err(ApiError::internal)?;
        // How it ends says what is in it; in which folder it will lie does not.
        let name = name.rsplit('/').next().unwrap_or(name);
        let mut file = tokio::fs::File::create(folder.path().join(name)).await.map_err(ApiError::internal)?;
        let (mut bytes, mut hash) = (0_u64, Sha256::new());
        let mut body = body::Upload::limited(body, limit);
        let mut on_its_way = app.ledger().open(organisation);
        let (most, mut kept, mut next_look) = (app.settings().storage_bytes, 0, 0);
        while let Some(chunk) = body.next().await? {
            on_its_way.add(chunk.len());
            if bytes >= next_look {
                // Others end meanwhile, and are then no longer on their way.
                kept = stored(app, organisation).await?.saturating_add(beside(app, organisation).await?);
                next_look = bytes.saturating_add(LOOK_EVERY);
            }
            let more = app.ledger().on_their_way(organisation);
            if kept.saturating_add(more) > most {
                // Whoever sends the rest slowly does not keep what came.
                drop(file);
                drop(folder);
                drop(on_its_way);
                body.drain().await;
                return Err(exceeded(kept, more, most));
            }
            bytes = bytes.saturating_add(chunk.len() as u64);
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(full)?;
        }
        file.flush().await.map_err(full)?;
        file.sync_all().await.map_err(full)?;
        let sha256 = hexadecimal(&hash.finalize());
        Ok(Self { folder, name: name.to_owned(), _on_its_way: on_its_way, bytes, sha256 })
    }

    /// Returns where it lies.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// Gives it its place, durably; what lies there is replaced.
    pub(super) fn publish(&self, place: &Path) -> std::io::Result<()> {
        let folder = place.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        std::fs::rename(self.path(), place)?;
        std::fs::File::open(folder)?.sync_all()
    }
}

/// Returns the folder of what is on its way, in that root.
pub(super) fn uploads(root: &Path) -> PathBuf {
    root.join("uploads")
}

fn full(error: std::io::Error) -> ApiError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        tracing::error!("no room is left for uploads");
        let message = "the server has no room left for this; remove files or runs, or ask its operator for more";
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "storage_full", message);
    }
    ApiError::internal(error)
}

/// Returns bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
