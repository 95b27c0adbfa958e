//! Taking an input apart: into files of text, or into the choices by which a file is made.

use libfuzzer_sys::arbitrary::Unstructured;

/// Stands between the files of one input, on a line of its own. Seeds stay readable so.
const BETWEEN_FILES: &[u8] = b"\n%%%\n";

/// Returns the files in an input; those that are not there are empty.
pub(crate) fn files<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut rest = data;
    std::array::from_fn(|_| {
        let end = rest.windows(BETWEEN_FILES.len()).position(|window| window == BETWEEN_FILES);
        let (file, others) = match end {
            Some(end) => (&rest[..end + 1], &rest[end + BETWEEN_FILES.len()..]),
            None => (rest, [].as_slice()),
        };
        rest = others;
        file
    })
}

/// Choices, read from an input; where it has ended, every choice is the first.
pub(crate) struct Choices<'a>(Unstructured<'a>);

impl<'a> Choices<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or_default()
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.arbitrary().unwrap_or_default()
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// One in `of`, and not where the input has ended.
    pub(crate) fn rarely(&mut self, of: usize) -> bool {
        self.below(of) == of - 1
    }

    pub(crate) fn yes(&mut self) -> bool {
        self.rarely(2)
    }

    pub(crate) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.yes().then(|| make(self))
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn few<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    /// A short text; some are alike, some are empty, some are no ASCII.
    pub(crate) fn text(&mut self) -> String {
        const TEXTS: [&str; 8] = ["a", "b", "", "s1", "s10", "red lamp", "ä\u{1f4a1}", "\"a|b\",\n"];
        match self.below(16) {
            known @ 0..8 => TEXTS[known].to_owned(),
            _ => self.few(6, |choices| char::from(b' ' + choices.byte() % 95)).into_iter().collect(),
        }
    }

    /// Any number, the awkward ones often.
    pub(crate) fn float(&mut self) -> f64 {
        const NUMBERS: [f64; 12] =
            [0.0, 1.0, -1.0, 0.5, 2.0, -0.0, 1e-12, 1e30, f64::MAX, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE];
        match self.below(16) {
            known @ 0..12 => NUMBERS[known],
            12 => f64::from_bits(self.number()),
            _ => f64::from(self.byte()) / 8.0,
        }
    }

    /// A number that is finite.
    pub(crate) fn finite(&mut self) -> f64 {
        Some(self.float()).filter(|number| number.is_finite()).unwrap_or(3.0)
    }

    pub(crate) fn time(&mut self) -> i64 {
        1_767_225_600_000 + i64::from(self.byte())
    }

    /// Changes some bytes of a file, or cuts it. Returns how many places were changed.
    pub(crate) fn damage(&mut self, content: &mut Vec<u8>) -> usize {
        let mut changes = 0;
        for _ in 0..self.below(4) {
            if content.is_empty() {
                break;
            }
            let random = self.number();
            // Footers tell where everything lies: half of the changes are near the end.
            let near_end = if random.is_multiple_of(2) { content.len() } else { content.len().min(256) };
            let place = content.len() - 1 - (random >> 8) as usize % near_end;
            changes += 1;
            match self.below(8) {
                0 => content.truncate(place),
                1 => content[place] = self.byte(),
                2 => content[place] = content[place].wrapping_add(1),
                3 => content[place] = content[place].wrapping_sub(1),
                4 => content[place] = 0xff,
                _ => content[place] ^= 1 << self.below(8),
            }
        }
        changes
    }
}
