//! Tables in the session schema. The rows are known, the way in which they are written is not, and some files are damaged
//! afterwards.
//!
//! Asserted: an undamaged file is read as it was written; the two ways to read Parquet agree; a byte that is changed never
//! loses or adds a row without a word.

use std::path::Path;

use rematch_engine::benchmark::spec::SessionsPath;
use rematch_engine::load::{LoadError, SessionReader, oracles};
use rematch_engine::rows::sessions_to_batch;
use rematch_engine::session::Session;

use crate::folder::Folder;
use crate::input::Choices;
use crate::make;

pub(super) fn parquet(folder: &Folder, data: &[u8]) {
    let mut choices = Choices::new(data);
    let original = make::sessions(&mut choices);
    let batch = make::disguised(&sessions_to_batch(&original).expect("a batch"), &mut choices);
    let mut content = make::parquet(&batch, &mut choices);
    let changes = choices.damage(&mut content);
    let path = folder.write("sessions.parquet", &content);
    let (streamed, in_batches) = (read(&path), oracles::sessions_in_batches(&path));
    check(&original, changes, &streamed);
    check(&original, changes, &in_batches);
    match (streamed, in_batches) {
        // Only this one looks for repeated ids, which damage may make.
        (Ok(_), Err(LoadError::Duplicate { .. })) => {}
        (streamed, in_batches) => assert_eq!(streamed.ok(), in_batches.ok()),
    }
}

pub(super) fn arrow(folder: &Folder, data: &[u8]) {
    let mut choices = Choices::new(data);
    let original = make::sessions(&mut choices);
    let batch = make::disguised(&sessions_to_batch(&original).expect("a batch"), &mut choices);
    let mut content = make::arrow(&batch, &mut choices);
    let changes = choices.damage(&mut content);
    check(&original, changes, &read(&folder.write("sessions.arrow", &content)));
}

/// Returns every session of a file in the session schema.
pub(super) fn read(path: &Path) -> Result<Vec<Session>, LoadError> {
    SessionReader::open(&SessionsPath::Files(vec![path.display().to_string()]), None)?.collect()
}

fn check(original: &[Session], changes: usize, found: &Result<Vec<Session>, LoadError>) {
    match (changes, found) {
        (0, Ok(found)) => assert_eq!(found, original),
        (0, Err(error)) => panic!("an undamaged file is refused: {error}: {:?}", std::error::Error::source(error)),
        (1, Ok(found)) => assert_eq!(found.len(), original.len()),
        _ => {}
    }
}
