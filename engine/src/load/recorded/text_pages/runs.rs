//! Runs of ids of one length, with their lengths before them: ids that are counted up, and keys of most catalogues, are such.
//!
//! Where the distance from one id to the next is known when this is compiled, eight are copied in the time of three.

/// Ids of a run.
pub(super) const RUN: usize = 32;
/// Bytes of a length.
const PREFIX: usize = size_of::<u32>();

/// Adds the next ids where there are [`RUN`] of one length, up to 16 bytes, and returns that; else leaves everything as it is.
pub(super) fn add(data: &[u8], ids: usize, bytes: &mut Vec<u8>) -> Option<usize> {
    let length = u32::from_le_bytes(*data.first_chunk()?) as usize;
    let add = ADDERS.get(length).filter(|_| ids == RUN)?;
    add(data, bytes).then_some(length)
}

type Add = fn(&[u8], &mut Vec<u8>) -> bool;

/// By length.
const ADDERS: [Add; 17] = [
    of_length::<0>,
    of_length::<1>,
    of_length::<2>,
    of_length::<3>,
    of_length::<4>,
    of_length::<5>,
    of_length::<6>,
    of_length::<7>,
    of_length::<8>,
    of_length::<9>,
    of_length::<10>,
    of_length::<11>,
    of_length::<12>,
    of_length::<13>,
    of_length::<14>,
    of_length::<15>,
    of_length::<16>,
];

fn of_length<const LENGTH: usize>(data: &[u8], bytes: &mut Vec<u8>) -> bool {
    let Some(run) = data.get(..RUN * (PREFIX + LENGTH)) else { return false };
    let ids = run.chunks_exact(PREFIX + LENGTH).filter_map(<[u8]>::split_first_chunk::<PREFIX>);
    let differing = ids.clone().fold(0, |found, (length, _)| found | (u32::from_le_bytes(*length) ^ LENGTH as u32));
    if differing != 0 {
        return false;
    }
    let start = bytes.len();
    bytes.resize(start + RUN * LENGTH, 0);
    let places = bytes.get_mut(start..).unwrap_or_default().chunks_exact_mut(LENGTH.max(1));
    for (to, (_, id)) in places.zip(ids) {
        if let (Some(to), Some(id)) = (to.first_chunk_mut::<LENGTH>(), id.first_chunk::<LENGTH>()) {
            *to = *id;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_of_one_length_are_added_and_nothing_else(
            (length, other, odd) in (0_usize..20, 0_usize..20, 0..RUN),
            (ids, missing) in (0..2 * RUN, 0_usize..3),
            before in prop::collection::vec(any::<u8>(), 0..5),
        ) {
            let lengths = (0..ids).map(|id| if id == odd { other } else { length });
            let of_length = |(id, length): (usize, usize)| (0..length).map(move |byte| (id * 31 + byte) as u8).collect();
            let texts: Vec<Vec<u8>> = (0..).zip(lengths).map(of_length).collect();
            let mut page: Vec<u8> = texts.iter().flat_map(|text| [&(text.len() as u32).to_le_bytes()[..], text].concat()).collect();
            page.truncate(page.len().saturating_sub(missing));
            let mut bytes = before.clone();
            let added = add(&page, ids.min(RUN), &mut bytes);
            let whole = texts.iter().take(RUN).map(|text| PREFIX + text.len()).sum::<usize>() <= page.len();
            let alike = ids >= RUN && length <= 16 && texts.iter().take(RUN).all(|text| text.len() == length);
            prop_assert_eq!(added, (alike && whole).then_some(length));
            let expected = if added.is_some() { texts.into_iter().take(RUN).flatten().collect() } else { Vec::new() };
            prop_assert_eq!(bytes, [before, expected].concat());
        }
    }
}
