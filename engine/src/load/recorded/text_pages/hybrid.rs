//! Small numbers in runs of equal ones and in packed bits: how Parquet writes levels and the places in a dictionary.

use bytes::Bytes;

use super::Unknown;

/// Bits that are sound in what [`bits`] returns, wherever it starts.
const SOUND_BITS: usize = 56;
/// Numbers in a group of packed bits.
const GROUP: usize = 8;

/// Numbers of at most 32 bits. Nothing is read before it is asked for, so that a count that lies costs nothing.
pub(super) struct Hybrid {
    data: Bytes,
    /// Where the next run starts.
    place: usize,
    width: usize,
    /// A 1 as often as it fits.
    ones: u64,
    run: Run,
}

/// What is left of a run.
#[derive(Clone, Copy)]
enum Run {
    Equal {
        number: u32,
        count: usize,
    },
    /// Packed bits from `bit` on.
    Packed {
        bit: usize,
        count: usize,
    },
}

impl Hybrid {
    /// Reads numbers of `width` bits, at most 32.
    pub(super) fn new(data: Bytes, width: u8) -> Result<Self, Unknown> {
        let ones = match width {
            0 => 0,
            1..=32 => (u64::MAX >> (64 % width)) / ((1 << width) - 1),
            _ => return Err(Unknown),
        };
        Ok(Self { data, place: 0, width: usize::from(width), ones, run: Run::Equal { number: 0, count: 0 } })
    }

    /// Returns the next number and how often it comes at least, but for `limit` times at most. It is not passed.
    ///
    /// # Errors
    ///
    /// Returns an error where there is none, or none that is of any use.
    #[inline]
    pub(super) fn equal(&mut self, limit: usize) -> Result<(u32, usize), Unknown> {
        match self.run()? {
            Run::Equal { number, count } => Ok((number, count.min(limit))),
            Run::Packed { bit, count } => {
                let word = bits(&self.data, bit);
                let number = word & self.mask();
                let equal = (word ^ (number * self.ones)).trailing_zeros() as usize;
                let equal = equal.min(SOUND_BITS).checked_div(self.width).unwrap_or(count).max(1);
                Ok((number as u32, equal.min(count).min(limit)))
            }
        }
    }

    /// Passes numbers of the run at hand, at most as many as [`Self::equal`] told.
    #[inline]
    pub(super) fn pass(&mut self, numbers: usize) {
        match &mut self.run {
            Run::Equal { count, .. } => *count = count.saturating_sub(numbers),
            Run::Packed { bit, count } => {
                *bit += numbers * self.width;
                *count = count.saturating_sub(numbers);
            }
        }
    }

    /// Fills `numbers`.
    pub(super) fn read(&mut self, numbers: &mut [u32]) -> Result<(), Unknown> {
        let mut rest = numbers;
        while !rest.is_empty() {
            let (Run::Equal { count, .. } | Run::Packed { count, .. }) = self.run()?;
            let (filled, after) = rest.split_at_mut(count.min(rest.len()));
            match self.run {
                Run::Equal { number, .. } => filled.fill(number),
                Run::Packed { bit, .. } => {
                    let (mask, data) = (self.mask(), self.data.as_ref());
                    let places = (bit..).step_by(self.width.max(1));
                    for (number, place) in filled.iter_mut().zip(places) {
                        *number = (bits(data, place) & mask) as u32;
                    }
                }
            }
            self.pass(filled.len());
            rest = after;
        }
        Ok(())
    }

    /// Passes numbers unseen.
    pub(super) fn skip(&mut self, numbers: usize) -> Result<(), Unknown> {
        let mut left = numbers;
        while left > 0 {
            let (Run::Equal { count, .. } | Run::Packed { count, .. }) = self.run()?;
            let here = count.min(left);
            self.pass(here);
            left -= here;
        }
        Ok(())
    }

    fn mask(&self) -> u64 {
        (1 << self.width) - 1
    }

    /// Returns what is left of the run at hand, or the next one. It is not empty.
    #[inline]
    fn run(&mut self) -> Result<Run, Unknown> {
        if let Run::Equal { count: 0, .. } | Run::Packed { count: 0, .. } = self.run {
            self.run = self.next_run()?;
        }
        Ok(self.run)
    }

    fn next_run(&mut self) -> Result<Run, Unknown> {
        let header = self.number_of_seven_bits_each()?;
        let count = usize::try_from(header >> 1).map_err(|_| Unknown)?;
        let left = self.data.len().saturating_sub(self.place);
        let run = if header & 1 == 1 {
            // Some writers leave out the bytes of the last group that nobody needs.
            let bytes = count.checked_mul(self.width).ok_or(Unknown)?.min(left);
            let bit = self.place * 8;
            self.place += bytes;
            let there = (bytes * 8).checked_div(self.width).unwrap_or(usize::MAX);
            Run::Packed { bit, count: count.checked_mul(GROUP).ok_or(Unknown)?.min(there) }
        } else {
            let bytes = self.width.div_ceil(8);
            if bytes > left {
                return Err(Unknown);
            }
            let number = bits(&self.data, self.place * 8) & ((1_u64 << (bytes * 8)) - 1);
            self.place += bytes;
            Run::Equal { number: u32::try_from(number).map_err(|_| Unknown)?, count }
        };
        match run {
            Run::Equal { count: 0, .. } | Run::Packed { count: 0, .. } => Err(Unknown),
            run => Ok(run),
        }
    }

    /// Reads a number of at most 32 bits, the lowest seven first, of which each byte but the last has its highest bit set.
    fn number_of_seven_bits_each(&mut self) -> Result<u64, Unknown> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = *self.data.get(self.place).ok_or(Unknown)?;
            self.place += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Unknown)
    }
}

/// Returns the bits from a place on, of which [`SOUND_BITS`] are those of the data, or 0 behind its end.
#[inline]
fn bits(data: &[u8], bit: usize) -> u64 {
    let rest = data.get(bit / 8..).unwrap_or_default();
    let word = match rest.first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    word >> (bit % 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs numbers into groups.
    fn packed(numbers: &[u32], width: usize) -> Vec<u8> {
        let groups = numbers.len().div_ceil(GROUP);
        let mut bytes = vec![u8::try_from(groups << 1 | 1).unwrap()];
        let mut bits = numbers.iter().flat_map(|number| (0..width).map(move |bit| (number >> bit & 1) as u8));
        bytes.extend((0..groups * width).map(|_| (0..8).fold(0, |byte, bit| byte | bits.next().unwrap_or(0) << bit)));
        bytes
    }

    #[test]
    fn runs_and_packed_bits_of_any_width_are_read() {
        for width in 1..=32_u8 {
            let mask = u32::MAX >> (32 - width);
            let numbers: Vec<u32> = (0..48_u32).map(|number| (number / 3).wrapping_mul(0x9e37_79b9) & mask).collect();
            let mut bytes = packed(&numbers, usize::from(width));
            bytes.push(5 << 1);
            bytes.extend(mask.to_le_bytes().iter().take(usize::from(width).div_ceil(8)));
            bytes.extend(packed(&numbers[..8], usize::from(width)));
            let expected = [&numbers[..], &[mask; 5], &numbers[..8]].concat();
            let mut read = vec![0; expected.len()];
            Hybrid::new(bytes.clone().into(), width).unwrap().read(&mut read).unwrap();
            assert_eq!(read, expected, "{width} bits");
            let mut by_run = Vec::new();
            let mut hybrid = Hybrid::new(bytes.clone().into(), width).unwrap();
            while by_run.len() < expected.len() {
                let (number, count) = hybrid.equal(expected.len() - by_run.len()).unwrap();
                assert!(count > 0);
                by_run.extend(std::iter::repeat_n(number, count));
                hybrid.pass(count);
            }
            assert_eq!(by_run, expected, "{width} bits");
            assert!(hybrid.equal(1).is_err(), "there is nothing behind the end");
            let mut hybrid = Hybrid::new(bytes.into(), width).unwrap();
            hybrid.skip(47).unwrap();
            let mut read = [0; 9];
            hybrid.read(&mut read).unwrap();
            assert_eq!(read, expected[47..56], "{width} bits");
        }
    }

    #[test]
    fn equal_numbers_are_told_together() {
        let mut ones = Hybrid::new(packed(&[1; 128], 1).into(), 1).unwrap();
        assert_eq!(ones.equal(1000).unwrap(), (1, SOUND_BITS));
        let mut threes = Hybrid::new(packed(&[3; 128], 2).into(), 2).unwrap();
        assert_eq!(threes.equal(1000).unwrap(), (3, SOUND_BITS / 2));
        assert_eq!(threes.equal(5).unwrap(), (3, 5));
    }

    #[test]
    fn no_bits_are_all_zero() {
        let mut hybrid = Hybrid::new(vec![3, 8].into(), 0).unwrap();
        let mut read = [7; 12];
        hybrid.read(&mut read).unwrap();
        assert_eq!(read, [0; 12]);
        assert!(hybrid.equal(1).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let first = |bytes: &[u8], width| Hybrid::new(bytes.to_vec().into(), width)?.equal(9);
        assert!(first(&[], 1).is_err());
        assert!(first(&[0], 1).is_err(), "a run of nothing");
        assert!(first(&[3], 1).is_err(), "a group of no bytes");
        assert!(first(&[0x80], 1).is_err(), "half a count");
        assert!(first(&[0xff, 0xff, 0xff, 0xff, 0xff, 1], 1).is_err(), "a count beyond 32 bits");
        assert!(first(&[8], 9).is_err(), "a run without its number");
        assert!(first(&[8, 1], 9).is_err(), "half a number");
        assert!(first(&[8, 1], 33).is_err());
    }

    #[test]
    fn a_last_group_may_be_cut() {
        let mut bytes = packed(&[1, 2, 3, 0, 1, 2, 3, 0], 2);
        bytes.truncate(2);
        let mut hybrid = Hybrid::new(bytes.into(), 2).unwrap();
        let mut read = [0; 4];
        hybrid.read(&mut read).unwrap();
        assert_eq!(read, [1, 2, 3, 0]);
        assert!(hybrid.equal(1).is_err());
    }
}
