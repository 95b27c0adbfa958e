//! Lengths of texts, by how each differs from the one before (`DELTA_BINARY_PACKED` of Parquet): texts of one length take 5 bytes
//! in 128.

use super::levels::put_number;

/// Differences per block, and per group of one width in it.
const BLOCK: usize = 128;
const GROUP: usize = 32;

/// Adds the lengths of texts, given by their offsets.
pub(super) fn put(offsets: &[i32], page: &mut Vec<u8>) {
    put_number(BLOCK as u64, page);
    put_number((BLOCK / GROUP) as u64, page);
    put_number(offsets.len().saturating_sub(1) as u64, page);
    let first = offsets.first().zip(offsets.get(1)).map_or(0, |(start, end)| end - start);
    put_number(zigzag(first), page);
    let mut rest = offsets;
    let mut differences = [0; BLOCK];
    while rest.len() > 2 {
        let count = (rest.len() - 2).min(BLOCK);
        if are_of_one_length(rest.get(..count + 2).unwrap_or_default()) {
            page.extend(ONE_LENGTH);
            rest = rest.get(count..).unwrap_or_default();
            continue;
        }
        for (difference, three) in differences.iter_mut().zip(rest.windows(3)) {
            if let &[start, middle, end] = three {
                *difference = (end - middle) - (middle - start);
            }
        }
        put_block(differences.get(..count).unwrap_or_default(), page);
        rest = rest.get(count..).unwrap_or_default();
    }
}

/// A block of texts that are as long as the one before: the least difference and all widths are 0.
const ONE_LENGTH: [u8; 1 + BLOCK / GROUP] = [0; 1 + BLOCK / GROUP];

/// Returns whether texts, given by their offsets, have the same length. Looks at all of them: without a way out the loop is short.
fn are_of_one_length(offsets: &[i32]) -> bool {
    let ends = offsets.get(1..).unwrap_or_default();
    let length = ends.first().zip(offsets.first()).map_or(0, |(end, start)| end - start);
    let differing = offsets.iter().zip(ends).fold(0, |found, (start, end)| found | ((end - start) ^ length));
    differing == 0
}

fn put_block(differences: &[i32], page: &mut Vec<u8>) {
    let least = differences.iter().copied().min().unwrap_or(0);
    put_number(zigzag(least), page);
    let mut groups = [[0; GROUP]; BLOCK / GROUP];
    let mut widths = [0; BLOCK / GROUP];
    for ((group, width), differences) in groups.iter_mut().zip(&mut widths).zip(differences.chunks(GROUP)) {
        let mut all = 0;
        for (above, difference) in group.iter_mut().zip(differences) {
            *above = difference.wrapping_sub(least).cast_unsigned();
            all |= *above;
        }
        *width = u32::BITS - all.leading_zeros();
    }
    page.extend(widths.map(|width| width as u8));
    for (group, width) in groups.iter().zip(widths).filter(|(_, width)| *width > 0) {
        put_group(group, width, page);
    }
}

/// Adds numbers of a width in bits, one directly after the other, lowest bits first.
fn put_group(group: &[u32; GROUP], width: u32, page: &mut Vec<u8>) {
    let (mut word, mut bits) = (0_u64, 0);
    for number in group {
        word |= u64::from(*number) << bits;
        bits += width;
        while bits >= 8 {
            page.push(word as u8);
            word >>= 8;
            bits -= 8;
        }
    }
}

/// Numbers near to 0 become small ones.
fn zigzag(number: i32) -> u64 {
    u64::from(((number << 1) ^ (number >> 31)).cast_unsigned())
}
