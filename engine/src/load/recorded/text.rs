//! TREC runs: `topic Q0 item rank score tag`, columns separated by spaces or tabs; what follows is ignored, as by trec_eval.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayBuilder as _, StringBuilder};
use datafusion::arrow::array::{Float64Array, Int64Array};

use super::block::{Block, Fault, Ranks, Rows};
use super::chunks::Chunks;
use super::index::{self, Index};
use super::lines::{ColumnLines, lines};
use super::number::parse_score;
use crate::benchmark::HitOrder;
use crate::load::LoadError;
use crate::storage::Blob;

/// Bytes of a file that one thread scans at a time.
const PART_BYTES: u64 = 16 << 20;
/// Bytes that are looked at where nothing is read.
const BYTES_LOOKED_AT: u64 = 1 << 16;
/// Bytes between two entries of the index.
pub(super) const ENTRY_BYTES: u64 = 1 << 20;
/// Columns of a line that mean something.
const COLUMNS: usize = 6;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A TREC run, not compressed.
#[derive(Debug)]
pub(super) struct Text {
    path: PathBuf,
    blob: Blob,
    /// Where the first line starts.
    start: u64,
    /// The tag of the lines that count.
    tag: Option<String>,
    compatibility: HitOrder,
}

impl Text {
    /// Opens a run. Messages call it `path`.
    pub(super) fn open(
        path: &Path,
        blob: Blob,
        tag: Option<String>,
        compatibility: HitOrder,
    ) -> Result<Self, LoadError> {
        let mut head = [0; 3];
        let io = |source| LoadError::Io { path: path.to_owned(), source };
        let read = blob.read_at(0, &mut head).map_err(io)?;
        let marked = head.get(..read) == Some(BYTE_ORDER_MARK);
        let start = if marked { BYTE_ORDER_MARK.len() as u64 } else { 0 };
        Ok(Self { path: path.to_owned(), blob, start, tag, compatibility })
    }

    /// Passes over the topics.
    pub(super) fn scan(&self) -> Result<Index, LoadError> {
        let bytes = self.blob.length().saturating_sub(self.start);
        let parts = usize::try_from(bytes.div_ceil(PART_BYTES)).unwrap_or(usize::MAX);
        let mut index = Index::new();
        index.length = self.start;
        index.append(index::scan_parts(parts, |part| self.scan_part(part as u64))?);
        Ok(index)
    }

    /// Passes over the topics of the first lines.
    pub(super) fn look(&self) -> Result<(), LoadError> {
        self.scan_lines(self.start, (self.start + BYTES_LOOKED_AT).min(self.blob.length())).map(drop)
    }

    fn scan_part(&self, part: u64) -> Result<Index, LoadError> {
        let start = self.start + part * PART_BYTES;
        self.scan_lines(start, (start + PART_BYTES).min(self.blob.length()))
    }

    /// Passes over the topics of the lines that start between two bytes.
    fn scan_lines(&self, start: u64, end: u64) -> Result<Index, LoadError> {
        let io = |source| LoadError::Io { path: self.path.clone(), source };
        let mut chunks = Chunks::new(self.blob.clone(), start);
        if start > self.start {
            // The line that the part starts in is the part's before.
            chunks = Chunks::new(self.blob.clone(), start - 1);
            chunks.skip_line().map_err(io)?;
        }
        let mut index = Index::new();
        let mut topic = Vec::new();
        while chunks.position() < end {
            let Some((mut offset, chunk)) = chunks.next_chunk().map_err(io)? else { break };
            for line in lines(chunk) {
                if offset >= end {
                    break;
                }
                if self.tag.is_some() || !continues(line, &topic) {
                    self.scan_line(line, &mut topic, offset - start, &mut index, start)?;
                }
                index.rows += 1;
                offset += line.len() as u64;
            }
        }
        index.length = end - start;
        Ok(index)
    }

    fn scan_line(
        &self,
        line: &[u8],
        topic: &mut Vec<u8>,
        place: u64,
        index: &mut Index,
        start: u64,
    ) -> Result<(), LoadError> {
        let mut columns = line.split(u8::is_ascii_whitespace).filter(|column| !column.is_empty());
        let Some(first) = columns.next() else { return Ok(()) };
        if let Some(wanted) = &self.tag {
            let Some(tag) = columns.nth(4) else {
                let row = self.row_of(start + place)?;
                return Err(LoadError::Row { path: self.path.clone(), row, reason: too_few_columns(line) });
            };
            if tag != wanted.as_bytes() {
                index.retrievers.insert(String::from_utf8_lossy(tag).into_owned());
                return Ok(());
            }
            if index.retrievers.is_empty() || !index.retrievers.contains(wanted) {
                index.retrievers.insert(wanted.clone());
            }
        }
        let Ok(id) = std::str::from_utf8(first) else {
            let row = self.row_of(start + place)?;
            return Err(LoadError::Row { path: self.path.clone(), row, reason: "not UTF-8 text".into() });
        };
        if first != topic.as_slice() {
            topic.clear();
            topic.extend_from_slice(first);
            index.note(id, place, index.rows, ENTRY_BYTES);
        }
        Ok(())
    }

    /// Returns the 1-based number of the line that starts at a byte.
    fn row_of(&self, place: u64) -> Result<u64, LoadError> {
        let mut chunks = Chunks::new(self.blob.clone(), self.start);
        let mut row = 1;
        while let Some((offset, chunk)) =
            chunks.next_chunk().map_err(|source| LoadError::Io { path: self.path.clone(), source })?
        {
            let before = usize::try_from(place.saturating_sub(offset)).unwrap_or(usize::MAX).min(chunk.len());
            row += memchr::memchr_iter(b'\n', chunk.get(..before).unwrap_or(chunk)).count() as u64;
            if before < chunk.len() {
                break;
            }
        }
        Ok(row)
    }
}

/// Returns whether a line is of the same topic as the line before.
fn continues(line: &[u8], topic: &[u8]) -> bool {
    !topic.is_empty() && line.starts_with(topic) && line.get(topic.len()).is_some_and(u8::is_ascii_whitespace)
}

fn too_few_columns(line: &[u8]) -> String {
    let found = line.split(u8::is_ascii_whitespace).filter(|column| !column.is_empty()).count();
    format!("{found} columns, expected 6: `topic Q0 item rank score tag`")
}

/// The blocks of a run from a line on.
pub(super) struct TextBlocks {
    text: Arc<Text>,
    chunks: Chunks,
    /// Lines before the next block.
    lines: u64,
}

impl TextBlocks {
    /// Starts at a line's first byte, so many lines being before it.
    pub(super) fn from_line(text: Arc<Text>, place: u64, lines: u64) -> Self {
        let chunks = Chunks::new(text.blob.clone(), place.max(text.start));
        Self { text, chunks, lines }
    }

    /// Returns the first byte of the next block.
    pub(super) fn position(&self) -> u64 {
        self.chunks.position()
    }

    /// Returns the next block, or `None` at the end.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, LoadError> {
        let io = |source| LoadError::Io { path: self.text.path.clone(), source };
        let Some((_, chunk)) = self.chunks.next_chunk().map_err(io)? else { return Ok(None) };
        let mut parsed = Parsed::new(&self.text, chunk.len());
        match std::str::from_utf8(chunk) {
            Ok(chunk) => {
                let mut lines: ColumnLines<COLUMNS> = ColumnLines::of(chunk.as_bytes());
                while let Some(line) = lines.next_line() {
                    self.lines += 1;
                    parsed.add(chunk, line, lines.columns(), self.lines);
                }
            }
            Err(_) => {
                for line in lines(chunk) {
                    self.lines += 1;
                    match std::str::from_utf8(line) {
                        Ok(text) => {
                            let mut columns: ColumnLines<COLUMNS> = ColumnLines::of(line);
                            columns.next_line();
                            parsed.add(text, 0..text.len(), columns.columns(), self.lines);
                        }
                        Err(_) => parsed.add_not_text(line, self.lines),
                    }
                }
            }
        }
        Ok(Some(parsed.finish()))
    }
}

/// The lines that hits stand in: one after the other but where lines are passed over.
#[derive(Default)]
struct RowNumbers {
    first: u64,
    hits: u64,
    /// All of them, once one does not follow the one before.
    apart: Vec<u64>,
}

impl RowNumbers {
    fn push(&mut self, row: u64) {
        if self.apart.is_empty() {
            if self.hits == 0 {
                self.first = row;
            }
            if row == self.first + self.hits {
                self.hits += 1;
                return;
            }
            self.apart = (self.first..self.first + self.hits).collect();
        }
        self.apart.push(row);
    }

    fn finish(self) -> Rows {
        if self.apart.is_empty() { Rows::From(self.first) } else { Rows::OfHits(self.apart.into()) }
    }
}

/// Hits that were read from lines.
struct Parsed<'a> {
    text: &'a Text,
    topic: String,
    ids: StringBuilder,
    starts: Vec<usize>,
    items: StringBuilder,
    scores: Vec<f64>,
    ranks: Vec<i64>,
    rows: RowNumbers,
    faults: Vec<Fault>,
}

impl<'a> Parsed<'a> {
    fn new(text: &'a Text, bytes: usize) -> Self {
        // Shorter lines than this only make the vectors grow.
        let lines = bytes / 24;
        Self {
            text,
            topic: String::new(),
            ids: StringBuilder::new(),
            starts: Vec::new(),
            items: StringBuilder::with_capacity(lines, bytes / 2),
            scores: Vec::with_capacity(lines),
            ranks: Vec::with_capacity(lines),
            rows: RowNumbers::default(),
            faults: Vec::new(),
        }
    }

    /// Adds a line, whose place in the text is known, and the places of its columns.
    #[inline]
    fn add(&mut self, text: &str, line: Range<usize>, columns: &[Range<usize>], row: u64) {
        let bytes = |place: &Range<usize>| text.as_bytes().get(place.clone()).unwrap_or_default();
        let column = |place: &Range<usize>| text.get(place.clone()).unwrap_or_default();
        let [topic, _, item, rank, score, tag] = columns else {
            if let Some(topic) = columns.first() {
                self.start(column(topic));
                self.fault(row, too_few_columns(bytes(&line)));
            }
            return;
        };
        if self.text.tag.as_ref().is_some_and(|wanted| wanted.as_bytes() != bytes(tag)) {
            return;
        }
        if self.starts.is_empty() || self.topic.as_bytes() != bytes(topic) {
            self.start(column(topic));
        }
        if let Err(reason) = self.add_place(column(rank), column(score)) {
            return self.fault(row, reason);
        }
        self.items.append_value(column(item));
        self.rows.push(row);
    }

    /// Adds what a hit's place follows from: its rank, its score or both.
    #[inline]
    fn add_place(&mut self, rank: &str, score: &str) -> Result<(), String> {
        let order = self.text.compatibility;
        let parse = || parse_score(score).ok_or_else(|| format!("score `{score}`, expected a number"));
        let score = order.takes_scores().then(parse).transpose()?;
        let parse = || rank.parse::<i64>().map_err(|_| format!("rank `{rank}`, expected a number"));
        let rank = order.takes_ranks().then(parse).transpose()?;
        if let Some(score) = score.filter(|score| !score.is_finite()) {
            return Err(format!("score `{score}`, expected a finite number"));
        }
        self.scores.extend(score);
        self.ranks.extend(rank);
        Ok(())
    }

    /// Adds a line that is not text; its topic is, or the file would have been refused when it was opened.
    fn add_not_text(&mut self, line: &[u8], row: u64) {
        let mut columns = line.split(u8::is_ascii_whitespace).filter(|column| !column.is_empty());
        let topic = columns.next().and_then(|topic| std::str::from_utf8(topic).ok());
        let tag = columns.nth(4);
        if self.text.tag.as_ref().is_none_or(|wanted| tag == Some(wanted.as_bytes())) {
            self.start(topic.unwrap_or_default());
            self.fault(row, "not UTF-8 text".to_owned());
        }
    }

    fn start(&mut self, topic: &str) {
        if self.starts.is_empty() || self.topic != topic {
            self.topic.clear();
            self.topic.push_str(topic);
            self.ids.append_value(topic);
            self.starts.push(self.items.len());
        }
    }

    fn fault(&mut self, row: u64, reason: String) {
        self.faults.push(Fault { run: self.starts.len().saturating_sub(1), row, reason });
    }

    fn finish(mut self) -> Block {
        let ends = self.starts.iter().skip(1).copied().chain([self.items.len()]);
        let bounds = self.starts.iter().zip(ends).map(|(start, end)| *start..end).collect();
        let order = self.text.compatibility;
        Block {
            ids: self.ids.finish(),
            bounds,
            items: self.items.finish(),
            scores: order.takes_scores().then(|| Float64Array::from(self.scores)),
            ranks: if order.takes_ranks() { Ranks::Read(Int64Array::from(self.ranks)) } else { Ranks::OfOrder },
            rows: self.rows.finish(),
            failures: None,
            latencies: None,
            faults: self.faults,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_whether_or_not_they_follow_each_other() {
        for rows in [vec![], vec![7], vec![3, 4, 5], vec![3, 4, 6, 7], vec![2, 9], vec![1, 2, 3, 5]] {
            let mut numbers = RowNumbers::default();
            rows.iter().for_each(|row| numbers.push(*row));
            let block = Block { rows: numbers.finish(), ..Parsed::new(&text(), 0).finish() };
            let told: Vec<u64> = (0..rows.len()).map(|hit| block.row(0, hit)).collect();
            assert_eq!(told, rows);
        }
    }

    fn text() -> Text {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.run");
        std::fs::write(&path, "").expect("written");
        let blob = Blob::open(&path).expect("a file");
        Text::open(&path, blob, None, HitOrder::Strict).expect("a run")
    }
}
