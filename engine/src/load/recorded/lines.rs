//! Lines of a text and their columns: a run has a line for each hit, so that finding where things end is most of reading one.

use std::ops::Range;

/// Bytes that are looked at together, and how many words of eight they are.
const BLOCK: usize = 64;
const WORDS: usize = BLOCK / size_of::<u64>();

/// Iterates over the lines of a text, each with its end. The last one may lack it.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text).map(|place| place + 1);
    ends.chain([text.len()]).filter_map(move |end| {
        let line = text.get(start..end).filter(|line| !line.is_empty());
        start = end;
        line
    })
}

/// The lines of a text with their first `COLUMNS` columns, which ASCII whitespace separates, all in one pass.
pub(super) struct ColumnLines<'a, const COLUMNS: usize> {
    text: &'a [u8],
    low: LowBytes<'a>,
    /// Where the line at hand ends.
    end: usize,
    columns: [Range<usize>; COLUMNS],
    /// Columns of the line at hand.
    found: usize,
}

impl<'a, const COLUMNS: usize> ColumnLines<'a, COLUMNS> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self { text, low: LowBytes::of(text), end: 0, columns: [const { 0..0 }; COLUMNS], found: 0 }
    }

    /// Goes to the next line, and returns its place; `None` at the end.
    #[inline]
    pub(super) fn next_line(&mut self) -> Option<Range<usize>> {
        if self.end >= self.text.len() {
            return None;
        }
        let line = self.end;
        self.found = 0;
        let mut column = line;
        loop {
            let Some(place) = self.low.next() else {
                self.end_column(column, self.text.len());
                self.end = self.text.len();
                return Some(line..self.end);
            };
            match self.text.get(place) {
                Some(b'\n') => {
                    self.end_column(column, place);
                    self.end = place + 1;
                    return Some(line..self.end);
                }
                Some(byte) if byte.is_ascii_whitespace() => {
                    self.end_column(column, place);
                    column = place + 1;
                }
                // A control character that separates nothing.
                _ => {}
            }
        }
    }

    /// Returns the places of the columns of the line at hand.
    #[inline]
    pub(super) fn columns(&self) -> &[Range<usize>] {
        self.columns.get(..self.found).unwrap_or_default()
    }

    #[inline]
    fn end_column(&mut self, from: usize, to: usize) {
        if from < to
            && let Some(column) = self.columns.get_mut(self.found)
        {
            *column = from..to;
            self.found += 1;
        }
    }
}

/// Iterates over the places of spaces and control characters.
struct LowBytes<'a> {
    rest: &'a [u8],
    /// The place of the block at hand, and its places that were not given out.
    block: usize,
    places: u64,
    next_block: usize,
}

impl<'a> LowBytes<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { rest: text, block: 0, places: 0, next_block: 0 }
    }
}

impl Iterator for LowBytes<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.places == 0 {
            self.block = self.next_block;
            self.next_block += BLOCK;
            match self.rest.split_first_chunk() {
                Some((block, rest)) => {
                    self.places = low_bytes(block);
                    self.rest = rest;
                }
                None if self.rest.is_empty() => return None,
                None => {
                    let mut block = [u8::MAX; BLOCK];
                    block.iter_mut().zip(std::mem::take(&mut self.rest)).for_each(|(to, from)| *to = *from);
                    self.places = low_bytes(&block);
                }
            }
        }
        let place = self.block + self.places.trailing_zeros() as usize;
        self.places &= self.places - 1;
        Some(place)
    }
}

/// Returns a bit for each byte that is a space or below it.
#[inline]
fn low_bytes(block: &[u8; BLOCK]) -> u64 {
    const LOWER: u64 = u64::from_ne_bytes([0x7f; 8]);
    const UPPER: u64 = !LOWER;
    // What has to be added to a visible character for its upper bit to be set.
    const TO_VISIBLE: u64 = u64::from_ne_bytes([0x80 - b'!'; 8]);
    // Has the upper bits of eight bytes meet in the highest byte (Warren, Hacker's Delight, 7-4).
    const GATHER: u64 = 0x0002_0408_1020_4081;
    let (words, _) = block.as_chunks::<8>();
    words.iter().zip((0..WORDS).map(|word| word * 8)).fold(0, |places, (word, shift)| {
        let word = u64::from_le_bytes(*word);
        let low = !(((word & LOWER) + TO_VISIBLE) | word) & UPPER;
        places | (low.wrapping_mul(GATHER) >> 56) << shift
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn low_bytes_are_all_spaces_and_control_characters(block: [[u8; 32]; 2]) {
            let block: [u8; BLOCK] = block.as_flattened().try_into().unwrap();
            let expected = (0..BLOCK).filter(|place| block[*place] <= b' ').fold(0, |places, place| places | 1_u64 << place);
            prop_assert_eq!(low_bytes(&block), expected);
        }

        #[test]
        fn lines_and_columns_are_those_of_the_standard_library(
            text in prop_oneof![
                "[a-zä水0-9.\u{0}\u{1}\u{1f}\u{7f} \t\r\n\u{c}\u{b}]{0,200}",
                "([a-c]{0,20}( [0-9a-c]{0,20}){0,6}\n){0,6}[ab ]{0,5}",
            ],
        ) {
            let expected: Vec<&str> = text.split_inclusive('\n').collect();
            prop_assert!(lines(text.as_bytes()).eq(expected.iter().map(|line| line.as_bytes())));
            let mut found: ColumnLines<4> = ColumnLines::of(text.as_bytes());
            for line in expected {
                let place = found.next_line().expect("a line");
                prop_assert_eq!(&text[place], line);
                let columns: Vec<&str> = found.columns().iter().map(|column| &text[column.clone()]).collect();
                prop_assert_eq!(columns, line.split_ascii_whitespace().take(4).collect::<Vec<_>>());
            }
            prop_assert_eq!(found.next_line(), None);
        }
    }
}
