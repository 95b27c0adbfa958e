//! Levels of a list column: which entries begin a list, and which lists are empty. An empty list is an entry, too.

/// Returns the number of entries of lists, given by their offsets.
pub(super) fn entries(offsets: &[i32]) -> usize {
    lengths(offsets).map(|length| length.max(1)).sum()
}

/// Returns the repetition levels of lists: 0 where a list begins, 1 where it goes on; in runs, or bit by bit where that is less.
pub(super) fn repetition_levels(offsets: &[i32]) -> Vec<u8> {
    let mut runs = Runs::default();
    for length in lengths(offsets) {
        runs.push(0, 1);
        runs.push(1, length.saturating_sub(1));
    }
    let runs = runs.finish();
    let entries = entries(offsets);
    if runs.len() <= entries / 8 { runs } else { packed(offsets, entries) }
}

/// Returns the definition levels of lists whose elements all have the level `element`.
pub(super) fn definition_levels(offsets: &[i32], empty: u8, element: u8) -> Vec<u8> {
    let mut runs = Runs::default();
    for length in lengths(offsets) {
        if length == 0 { runs.push(empty, 1) } else { runs.push(element, length) }
    }
    runs.finish()
}

fn lengths(offsets: &[i32]) -> impl Iterator<Item = usize> {
    let pairs = offsets.iter().zip(offsets.iter().skip(1));
    pairs.map(|(start, end)| usize::try_from(end - start).unwrap_or(0))
}

/// The repetition levels, a bit for each entry, in groups of eight.
fn packed(offsets: &[i32], entries: usize) -> Vec<u8> {
    let groups = entries.div_ceil(8);
    let mut bytes = Vec::with_capacity(groups + 5);
    put_number(((groups as u64) << 1) | 1, &mut bytes);
    let bits_from = bytes.len();
    bytes.resize(bits_from + groups, u8::MAX);
    let mut entry = 0;
    for length in lengths(offsets) {
        if let Some(byte) = bytes.get_mut(bits_from + entry / 8) {
            *byte &= !(1 << (entry % 8));
        }
        entry += length.max(1);
    }
    bytes
}

/// Levels of at most 8 bits in runs of equal ones, after the hybrid encoding of Parquet.
#[derive(Default)]
struct Runs {
    bytes: Vec<u8>,
    level: u8,
    count: usize,
}

impl Runs {
    fn push(&mut self, level: u8, count: usize) {
        if level != self.level && count > 0 {
            self.end();
            self.level = level;
        }
        self.count += count;
    }

    fn end(&mut self) {
        if self.count > 0 {
            put_number((self.count as u64) << 1, &mut self.bytes);
            self.bytes.push(self.level);
            self.count = 0;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.end();
        self.bytes
    }
}

/// Adds a number in as many groups of seven bits as it needs (ULEB128).
pub(super) fn put_number(number: u64, bytes: &mut Vec<u8>) {
    let mut rest = number;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}
