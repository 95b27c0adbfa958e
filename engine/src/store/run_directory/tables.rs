//! The tables of a run directory.

use std::path::Path;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;

use super::{RunDirectory, SESSIONS_PER_CHUNK};
use crate::storage::Put;
use crate::store::{Asking, EncodedPart, StoreError, TableCopy, TableReader, TableWriter, UnnamedTable, layout};

impl RunDirectory {
    /// Writes a table from batches. What has the name is replaced.
    ///
    /// # Errors
    ///
    /// Returns an error when a batch is one, or when the table cannot be written.
    pub fn write_table(
        &self,
        name: impl AsRef<Path>,
        schema: SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
    ) -> Result<(), StoreError> {
        let mut writer = TableWriter::create(&self.path(name), schema, SESSIONS_PER_CHUNK)?;
        for batch in batches {
            writer.write(&batch?)?;
        }
        self.publish(writer.finish_unnamed()?)
    }

    /// Writes a table of which every batch is a row group. What has the name is replaced.
    ///
    /// # Errors
    ///
    /// Returns an error when a batch is one, or when the table cannot be written.
    pub fn write_groups(
        &self,
        name: impl AsRef<Path>,
        schema: SchemaRef,
        groups: impl Iterator<Item = Result<RecordBatch, StoreError>>,
    ) -> Result<(), StoreError> {
        let mut writer = TableWriter::create(&self.path(name), schema, usize::MAX)?;
        for group in groups {
            writer.write(&group?)?;
            writer.end_group()?;
        }
        self.publish(writer.finish_unnamed()?)
    }

    /// Writes the part of a work unit. A part that is there stays as it is: what was read of it must not change.
    ///
    /// # Errors
    ///
    /// Returns an error when the part cannot be written.
    pub fn write_part(&self, name: impl AsRef<Path>, batch: &RecordBatch) -> Result<(), StoreError> {
        self.publish_part(self.encode_part(name, batch)?)
    }

    /// Encodes the part of a work unit. Nothing is written before [`Self::publish_part`].
    ///
    /// # Errors
    ///
    /// Returns an error when a file for it cannot be made, or the rows cannot be encoded.
    pub fn encode_part(&self, name: impl AsRef<Path>, batch: &RecordBatch) -> Result<EncodedPart, StoreError> {
        EncodedPart::of(name.as_ref(), &self.path(&name), batch)
    }

    /// Writes the part of a work unit. A part that is there stays as it is.
    ///
    /// # Errors
    ///
    /// Returns an error when the part cannot be written.
    pub fn publish_part(&self, part: EncodedPart) -> Result<(), StoreError> {
        let name = part.name().to_owned();
        if !self.hits_at_hand.are_asked(&name) {
            return self.publish_as(part.write()?, Put::Once).map(|_| ());
        }
        let (part, hits) = part.write_and_keep()?;
        if self.publish_as(part, Put::Once)? {
            self.hits_at_hand.keep(&name, hits);
        }
        Ok(())
    }

    /// Asks for the hits of parts that will soon be written by this process and copied by [`Self::copy_part`].
    #[must_use]
    pub fn ask_for_hits(&self) -> Asking {
        Asking::begin(&self.hits_at_hand)
    }

    /// Writes the part of a work unit in place of the one that is there.
    ///
    /// # Errors
    ///
    /// Returns an error when the part cannot be written; the old one is then untouched.
    pub fn replace_part(&self, name: impl AsRef<Path>, batch: &RecordBatch) -> Result<(), StoreError> {
        // What is kept of the old one must not be taken for the new one.
        let _ = self.hits_at_hand.take(name.as_ref());
        self.publish(self.encode_part(name, batch)?.write()?)
    }

    /// Gives a table its name. What has the name is replaced.
    ///
    /// # Errors
    ///
    /// Returns an error when the table cannot be published.
    pub fn publish(&self, table: UnnamedTable) -> Result<(), StoreError> {
        self.publish_as(table, Put::Replace).map(|_| ())
    }

    fn publish_as(&self, table: UnnamedTable, put: Put) -> Result<bool, StoreError> {
        self.check_lock()?;
        self.or_lost(table.publish(put))
    }

    /// Begins a table of `schema` that takes the rows of parts ([`Self::copy_part`]).
    ///
    /// # Errors
    ///
    /// Returns an error when the table cannot be written.
    pub fn begin_copy(&self, name: impl AsRef<Path>, schema: &SchemaRef) -> Result<TableCopy, StoreError> {
        TableCopy::begin(&self.path(name), schema)
    }

    /// Copies the rows of a part into tables under way ([`TableCopy`]), where they have the place `place` among those of other
    /// parts, and returns the part.
    ///
    /// # Errors
    ///
    /// Returns an error when the part cannot be read or lacks a column, or when a table cannot be written.
    pub fn copy_part(
        &self,
        part: impl AsRef<Path>,
        place: usize,
        tables: &mut [TableCopy],
    ) -> Result<TableReader, StoreError> {
        // The lease is looked at with every part on the way to the end, where the tables get their names.
        self.check_lock()?;
        let hits = self.hits_at_hand.take(part.as_ref());
        let part = self.table(part)?;
        let part = hits.into_iter().fold(part, TableReader::with);
        tables.iter_mut().try_for_each(|table| table.add(place, &part))?;
        Ok(part)
    }

    /// Opens a table.
    ///
    /// # Errors
    ///
    /// Returns an error when it is missing or damaged.
    pub fn table(&self, name: impl AsRef<Path>) -> Result<TableReader, StoreError> {
        TableReader::open(&self.path(name))
    }

    /// Opens the sample, as far as it was replayed: whole, but in a run that stopped when it was decided.
    ///
    /// # Errors
    ///
    /// Returns an error when it is missing or damaged.
    pub fn sample(&self) -> Result<TableReader, StoreError> {
        let sample = self.table(layout::SESSIONS)?;
        if !self.holds(layout::STOPPED)? {
            return Ok(sample);
        }
        let chunks: usize = self.read_json(layout::STOPPED)?;
        Ok(sample.first_groups(chunks))
    }

    /// Reads all rows of a table.
    ///
    /// # Errors
    ///
    /// Returns an error when the table is missing, damaged, or not of the rows' schema.
    pub fn rows<T>(
        &self,
        name: impl AsRef<Path>,
        from_batch: impl Fn(&RecordBatch) -> Result<Vec<T>, ArrowError>,
    ) -> Result<Vec<T>, StoreError> {
        let table = self.table(&name)?;
        let mut rows = Vec::new();
        for group in 0..table.groups() {
            let batch = table.group(group)?;
            rows.extend(from_batch(&batch).map_err(|error| StoreError::table(&self.path(&name), error))?);
        }
        Ok(rows)
    }
}
