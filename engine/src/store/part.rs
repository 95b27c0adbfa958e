//! Parts on their way to the disk, and what is at hand of them meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;

use super::hit_pages::Pieces;
use super::table::Encoded;
use super::{StoreError, TableWriter, UnnamedTable};
use crate::storage::{BLOCK_BYTES, BytesAtHand};

/// The part of a work unit, encoded; nothing of it is written yet. It is one row group, however many sessions a chunk has.
#[must_use = "it is not written"]
pub struct EncodedPart {
    name: PathBuf,
    writer: TableWriter,
    columns: Vec<Encoded>,
}

impl EncodedPart {
    /// Encodes a part that will be published under `name` at `path`.
    pub(super) fn of(name: &Path, path: &Path, rows: &RecordBatch) -> Result<Self, StoreError> {
        let writer = TableWriter::create_for(path, rows)?;
        // A part without rows has no row group.
        let columns = if rows.num_rows() > 0 { writer.encode(rows)? } else { Vec::new() };
        Ok(Self { name: name.to_owned(), writer, columns })
    }

    /// Returns the part's name in the run directory.
    pub(super) fn name(&self) -> &Path {
        &self.name
    }

    /// Writes the part, and leaves it without its name.
    pub(super) fn write(mut self) -> Result<UnnamedTable, StoreError> {
        self.append()?;
        self.writer.finish_unnamed()
    }

    /// Writes the part as [`Self::write`] does, its hits past the system's cache, and returns these, too: they are nine tenths of
    /// it, and who is to copy them need not read them.
    pub(super) fn write_and_keep(mut self) -> Result<(UnnamedTable, BytesAtHand), StoreError> {
        let hits = |column: &Encoded| matches!(column, Encoded::Hits(_));
        let before = self.columns.iter().take_while(|column| !hits(column)).map(Encoded::length).sum();
        let length = self.columns.iter().filter(|column| hits(column)).map(Encoded::length).sum();
        // Few bytes are not worth waiting for the disk twice.
        if length >= BLOCK_BYTES as u64 {
            self.writer.past_the_cache(before, length)?;
        }
        let kept: Vec<Option<Pieces>> = self.columns.iter().map(Encoded::hits).collect();
        self.append()?;
        let mut at_hand = BytesAtHand::new();
        for (place, pieces) in self.writer.places().zip(kept) {
            at_hand.extend(pieces.into_iter().flat_map(|pieces| pieces.from(place)));
        }
        Ok((self.writer.finish_unnamed()?, at_hand))
    }

    fn append(&mut self) -> Result<(), StoreError> {
        // A part without rows has no row group.
        if self.columns.is_empty() { Ok(()) } else { self.writer.append(std::mem::take(&mut self.columns)) }
    }
}

/// Hits of parts that were written a moment ago, kept for whoever copies them into the tables. What nobody asked for, or what there
/// is no room for, is read again.
#[derive(Debug, Default)]
pub(super) struct HitsAtHand {
    /// The parts that were asked for, with their hits.
    parts: Mutex<BTreeMap<PathBuf, Option<Arc<BytesAtHand>>>>,
}

/// Most bytes that are kept before no more are taken; parts that are on their way come on top.
const MOST_KEPT: usize = 32 << 20;

impl HitsAtHand {
    /// Asks for the hits of a part.
    fn ask(&self, part: PathBuf) {
        self.parts().entry(part).or_default();
    }

    /// Returns whether somebody asked for the hits of a part, and there is room for them.
    pub(super) fn are_asked(&self, part: &Path) -> bool {
        let parts = self.parts();
        let kept = parts.values().flatten().flat_map(|hits| hits.values()).map(Bytes::len).sum::<usize>();
        parts.contains_key(part) && kept < MOST_KEPT
    }

    /// Keeps the hits of a part, where they are asked for still.
    pub(super) fn keep(&self, part: &Path, hits: BytesAtHand) {
        if let Some(kept) = self.parts().get_mut(part) {
            *kept = Some(Arc::new(hits));
        }
    }

    /// Hands the hits of a part over, which are then neither kept nor asked for.
    pub(super) fn take(&self, part: &Path) -> Option<Arc<BytesAtHand>> {
        self.parts().remove(part).flatten()
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Option<Arc<BytesAtHand>>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for the hits of parts, for as long as it lives.
#[derive(Debug)]
pub struct Asking(Arc<HitsAtHand>);

impl Asking {
    /// Begins to ask.
    pub(super) fn begin(hits: &Arc<HitsAtHand>) -> Self {
        Self(Arc::clone(hits))
    }

    /// Asks for the hits of a part that will be copied soon, and is not there yet.
    pub fn ask(&self, part: PathBuf) {
        self.0.ask(part);
    }
}

impl Drop for Asking {
    /// Lets go of what nobody will take.
    fn drop(&mut self) {
        self.0.parts().clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::schema::{self, column};
    use crate::store::tests::{manifest, part};
    use crate::store::{RunDirectory, layout};

    /// Rows with a megabyte of hits and more, none of them null.
    fn rows(salt: usize) -> RecordBatch {
        part(3, 60_000, salt)
    }

    fn run(folder: &Path) -> RunDirectory {
        RunDirectory::open(folder, &manifest("a")).unwrap().0
    }

    /// Copies a part into the table of rankings, and returns the bytes of it.
    fn copied(run: &RunDirectory, part: &Path) -> Vec<u8> {
        let mut tables = [run.begin_copy(layout::RANKINGS, &schema::RANKINGS).unwrap()];
        run.copy_part(part, 0, &mut tables).unwrap();
        let [table] = tables;
        run.publish(table.finish().unwrap()).unwrap();
        fs::read(run.path(layout::RANKINGS)).unwrap()
    }

    /// Has a part hold no hits any more, whatever its footer says.
    fn wipe_hits(run: &RunDirectory, part: &Path) {
        let table = run.table(part).unwrap();
        let mut bytes = fs::read(run.path(part)).unwrap();
        for chunk in table.footer().row_groups()[0].columns() {
            if chunk.column_path().parts()[0] == column::HITS {
                let (start, length) = chunk.byte_range();
                bytes[start as usize..(start + length) as usize].fill(0);
            }
        }
        fs::write(run.path(part), bytes).unwrap();
    }

    #[test]
    fn hits_that_were_asked_for_are_copied_once_from_memory_and_the_part_is_the_same() {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [plain, asked] = [&folders[0], &folders[1]].map(|folder| run(folder.path()));
        let name = layout::part(0, 0);
        let asking = asked.ask_for_hits();
        asking.ask(name.clone());
        for run in [&plain, &asked] {
            run.write_part(&name, &rows(1)).unwrap();
        }
        assert!(fs::read(plain.path(&name)).unwrap() == fs::read(asked.path(&name)).unwrap());
        let expected = copied(&plain, &name);
        wipe_hits(&asked, &name);
        assert!(copied(&asked, &name) == expected);
        assert!(copied(&asked, &name) != expected, "they are handed over once");
    }

    #[test]
    fn of_a_part_that_was_there_or_is_replaced_nothing_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path());
        let name = layout::part(0, 0);
        run.write_part(&name, &rows(1)).unwrap();
        let first = copied(&run, &name);
        let asking = run.ask_for_hits();
        asking.ask(name.clone());
        run.write_part(&name, &rows(2)).unwrap();
        assert!(copied(&run, &name) == first);
        fs::remove_file(run.path(&name)).unwrap();
        asking.ask(name.clone());
        run.write_part(&name, &rows(2)).unwrap();
        run.replace_part(&name, &rows(1)).unwrap();
        assert!(copied(&run, &name) == first);
    }

    #[test]
    fn hits_are_kept_while_there_is_room_and_somebody_asks() {
        let hits = Arc::new(HitsAtHand::default());
        let [one, two] = [0, 1].map(|chunk| layout::part(0, chunk));
        let kept = |bytes: usize| BytesAtHand::from([(4, Bytes::from(vec![0; bytes]))]);
        hits.keep(&one, kept(1));
        assert!(!hits.are_asked(&one) && hits.take(&one).is_none(), "nobody asks yet");
        let asking = Asking::begin(&hits);
        [&one, &two].into_iter().for_each(|part| asking.ask(part.clone()));
        assert!(hits.are_asked(&one));
        hits.keep(&one, kept(MOST_KEPT));
        assert!(!hits.are_asked(&two), "there is no room");
        assert!(hits.take(&one).is_some());
        assert!(hits.are_asked(&two) && !hits.are_asked(&one));
        hits.keep(&two, kept(1));
        drop(asking);
        assert!(hits.take(&two).is_none(), "nobody asks any more");
    }
}
