//! A file of rankings, whatever its format, as blocks of whole sessions.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::Array;

use super::block::Block;
use super::columns::Shape;
use super::index::{Entry, Index};
use super::table::{Table, TableBlocks};
use super::text::{ENTRY_BYTES, Text, TextBlocks};
use crate::load::LoadError;

/// A file of rankings.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Table(Arc<Table>),
    Text(Arc<Text>),
}

impl Source {
    /// Passes over the session ids.
    pub(super) fn scan(&self) -> Result<Index, LoadError> {
        match self {
            Self::Table(table) => table.scan(),
            Self::Text(text) => text.scan(),
        }
    }

    /// Returns whether a session has one row.
    pub(super) fn is_nested(&self) -> bool {
        matches!(self, Self::Table(table) if matches!(table.columns().shape, Shape::Nested { .. }))
    }

    /// Returns the name of what holds an item, for messages.
    pub(super) fn item_name(&self) -> &str {
        match self {
            Self::Table(table) => table.columns().item_name(),
            Self::Text(_) => "item",
        }
    }

    /// Returns how far ahead, in the unit of [`Entry::place`], a place must be for starting there to be cheaper than
    /// reading on.
    fn worthwhile(&self) -> u64 {
        match self {
            Self::Table(table) => table.block_rows() / 4,
            Self::Text(_) => ENTRY_BYTES / 4,
        }
    }

    /// Returns the file's blocks from a place on.
    pub(super) fn blocks(&self, place: u64, row: u64) -> Blocks {
        match self {
            Self::Table(table) => Blocks::Table(TableBlocks::from_row(Arc::clone(table), place)),
            Self::Text(text) => Blocks::Text(TextBlocks::from_line(Arc::clone(text), place, row)),
        }
    }
}

/// The blocks of a file from a place on. A session may be cut by the end of a block.
pub(super) enum Blocks {
    Table(TableBlocks),
    Text(TextBlocks),
}

impl Blocks {
    /// Returns the blocks with ranks that are read when they are needed, where the file allows it.
    fn leaving_ranks(self) -> Self {
        match self {
            Self::Table(blocks) => Self::Table(blocks.leaving_ranks()),
            text @ Self::Text(_) => text,
        }
    }

    /// Returns the next block, or `None` at the end.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, LoadError> {
        match self {
            Self::Table(blocks) => blocks.next_block(),
            Self::Text(blocks) => blocks.next_block(),
        }
    }

    fn position(&self) -> u64 {
        match self {
            Self::Table(blocks) => blocks.position(),
            Self::Text(blocks) => blocks.position(),
        }
    }
}

/// Blocks in which every session is whole.
pub(super) struct WholeSessions {
    blocks: Blocks,
    /// The last session so far, in pieces: the next block may go on with it.
    unfinished: Vec<Block>,
    ready: VecDeque<Block>,
    nested: bool,
    worthwhile: u64,
}

impl WholeSessions {
    /// Starts at a session.
    pub(super) fn from_entry(source: &Source, entry: &Entry) -> Self {
        Self {
            blocks: source.blocks(entry.place, entry.row).leaving_ranks(),
            unfinished: Vec::new(),
            ready: VecDeque::new(),
            nested: source.is_nested(),
            worthwhile: source.worthwhile(),
        }
    }

    /// Returns whether starting again at the entry is cheaper than reading on to it.
    pub(super) fn is_far_from(&self, entry: &Entry) -> bool {
        entry.place > self.blocks.position().saturating_add(self.worthwhile)
    }

    /// Returns the next block with at least one session, or `None` at the end.
    pub(super) fn next_block(&mut self, path: &Path) -> Result<Option<Block>, LoadError> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                return Ok(Some(block));
            }
            match self.blocks.next_block()? {
                Some(block) if block.bounds.is_empty() => {}
                Some(block) if self.nested => return Ok(Some(block)),
                Some(block) => self.add(path, block)?,
                None => return self.finish_session(path),
            }
        }
    }

    fn add(&mut self, path: &Path, block: Block) -> Result<(), LoadError> {
        let mut rest = Some(block);
        let goes_on = self.unfinished.first().zip(rest.as_ref()).is_some_and(|(unfinished, block)| {
            unfinished.last_id() == (!block.ids.is_empty()).then(|| block.ids.value(0))
        });
        if goes_on && let Some(block) = rest.take() {
            let (first, others) = block.split_first();
            self.unfinished.extend(first);
            rest = others;
        }
        let Some(block) = rest else { return Ok(()) };
        let session = self.finish_session(path)?;
        self.ready.extend(session);
        let (whole, last) = block.split_last();
        self.ready.extend(whole);
        self.unfinished.extend(last);
        Ok(())
    }

    fn finish_session(&mut self, path: &Path) -> Result<Option<Block>, LoadError> {
        Block::join(path, std::mem::take(&mut self.unfinished))
    }
}
