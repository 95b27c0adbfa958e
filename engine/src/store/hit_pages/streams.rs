//! `BYTE_STREAM_SPLIT`: the first byte of each number, then the second of each, and so on.

use std::array;

/// Numbers that are turned at once: as many as each has bytes.
const TURNED: usize = size_of::<f64>();

/// Adds numbers to a page. Eight of them are eight words of eight bytes, a square that is turned by exchanging its halves, quarters
/// and eighths, as in Warren, Hacker's Delight, 7-3; taking one byte of each number at a time costs four times as much.
pub(super) fn put(numbers: &[f64], page: &mut Vec<u8>) {
    let start = page.len();
    page.resize(start + size_of_val(numbers), 0);
    let Some(streams) = page.get_mut(start..).filter(|_| !numbers.is_empty()) else { return };
    let mut streams = streams.chunks_exact_mut(numbers.len());
    let mut streams: [&mut [u8]; TURNED] = array::from_fn(|_| streams.next().unwrap_or_default());
    let (squares, rest) = numbers.as_chunks::<TURNED>();
    for (square, place) in squares.iter().zip((0..).step_by(TURNED)) {
        for (stream, bytes) in streams.iter_mut().zip(turned(square.map(f64::to_bits))) {
            if let Some(to) = stream.get_mut(place..place + TURNED) {
                to.copy_from_slice(&bytes.to_le_bytes());
            }
        }
    }
    for (number, place) in rest.iter().zip(squares.len() * TURNED..) {
        for (stream, byte) in streams.iter_mut().zip(number.to_le_bytes()) {
            if let Some(to) = stream.get_mut(place) {
                *to = byte;
            }
        }
    }
}

/// Returns the words whose byte `i` of word `j` is byte `j` of word `i`.
fn turned(words: [u64; TURNED]) -> [u64; TURNED] {
    let [a, b, c, d, e, f, g, h] = words;
    let ([a, e], [b, f], [c, g], [d, h]) = (by_32(a, e), by_32(b, f), by_32(c, g), by_32(d, h));
    let ([a, c], [b, d], [e, g], [f, h]) = (by_16(a, c), by_16(b, d), by_16(e, g), by_16(f, h));
    let ([a, b], [c, d], [e, f], [g, h]) = (by_8(a, b), by_8(c, d), by_8(e, f), by_8(g, h));
    [a, b, c, d, e, f, g, h]
}

fn by_32(one: u64, other: u64) -> [u64; 2] {
    exchanged(one, other, 32, 0x0000_0000_ffff_ffff)
}

fn by_16(one: u64, other: u64) -> [u64; 2] {
    exchanged(one, other, 16, 0x0000_ffff_0000_ffff)
}

fn by_8(one: u64, other: u64) -> [u64; 2] {
    exchanged(one, other, 8, 0x00ff_00ff_00ff_00ff)
}

/// Exchanges the upper bits of the one, `shift` above those of the mask, with those of the mask of the other.
fn exchanged(one: u64, other: u64, shift: u32, mask: u64) -> [u64; 2] {
    let differing = ((one >> shift) ^ other) & mask;
    [one ^ (differing << shift), other ^ differing]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_stand_as_the_definition_says(
            numbers in prop::collection::vec(any::<f64>(), 0..70),
            before in prop::collection::vec(any::<u8>(), 0..5),
        ) {
            let mut page = before.clone();
            put(&numbers, &mut page);
            let bytes = (0..TURNED).flat_map(|byte| numbers.iter().map(move |number| number.to_le_bytes()[byte]));
            prop_assert_eq!(page, before.into_iter().chain(bytes).collect::<Vec<u8>>());
        }
    }
}
