//! Ids as pages hold them: a length before each, or places in a dictionary.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{RunArray, StringArray};
use datafusion::arrow::buffer::{Buffer, OffsetBuffer};
use datafusion::arrow::datatypes::Int32Type;
use datafusion::parquet::basic::Encoding;

use super::Unknown;
use super::hybrid::Hybrid;
use super::runs::{self, RUN};

/// Bytes that are copied at once: ids are seldom longer, and copying a number of bytes that is known takes no call.
const COPIED: usize = 16;
/// Places in a dictionary that are looked up at once.
const LOOKED_UP: usize = 256;

/// Ids one after the other. That they are text is checked in the end, for all at once.
pub(super) struct Ids {
    /// How many are of one length before the first that is not, and that length: where these end needs not be written down.
    alike: usize,
    length: usize,
    /// Where each id ends, after a 0; nothing as long as all are alike.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    /// Ids that room is made for once their ends are written down.
    expected: usize,
}

impl Ids {
    /// Has room for about so many ids, of so many bytes together.
    pub(super) fn with_capacity(ids: usize, bytes: usize) -> Self {
        Self { alike: 0, length: 0, offsets: Vec::new(), bytes: Vec::with_capacity(bytes + COPIED), expected: ids }
    }

    /// Returns how many ids there are, and of how many bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.offsets.len().checked_sub(1).unwrap_or(self.alike), self.bytes.len())
    }

    /// Returns the ids.
    ///
    /// # Errors
    ///
    /// Returns an error where one is not text.
    pub(super) fn finish(self) -> Result<StringArray, Unknown> {
        let offsets = match self.offsets.is_empty() {
            true => OffsetBuffer::from_repeated_length(self.length, self.alike),
            false => OffsetBuffer::new(self.offsets.into()),
        };
        StringArray::try_new(offsets, Buffer::from_vec(self.bytes), None).map_err(|_| Unknown)
    }

    /// Adds ids with their lengths before them, and returns how many bytes of `data` they take. `bytes` is about what they need.
    fn add_plain(&mut self, data: &[u8], ids: usize, bytes: usize) -> Result<usize, Unknown> {
        // Of a length that lies, no more is taken than is there.
        let fitting = i32::try_from(self.bytes.len() + data.len()).is_ok();
        if ids > data.len() / size_of::<u32>() || !fitting {
            return Err(Unknown);
        }
        self.bytes.reserve(bytes.min(data.len()) + COPIED);
        let (alike, mut rest) = self.add_alike(data, ids)?;
        if alike == ids {
            return Ok(data.len() - rest.len());
        }
        self.write_ends_down();
        let first = self.offsets.len();
        self.offsets.resize(first + ids - alike, 0);
        for ends in self.offsets.get_mut(first..).unwrap_or_default().chunks_mut(RUN) {
            if let Some(length) = runs::add(rest, ends.len(), &mut self.bytes) {
                let start = self.bytes.len() - RUN * length;
                ends.iter_mut().zip(1..).for_each(|(end, ids)| *end = (start + ids * length) as i32);
                rest = rest.get(RUN * (size_of::<u32>() + length)..).ok_or(Unknown)?;
                continue;
            }
            for end in ends {
                rest = push_plain(&mut self.bytes, rest)?;
                *end = self.bytes.len() as i32;
            }
        }
        Ok(data.len() - rest.len())
    }

    /// Adds the next ids, up to the first that is not of the length that all have so far. Returns how many were added, and the
    /// rest of `data`.
    fn add_alike<'a>(&mut self, data: &'a [u8], ids: usize) -> Result<(usize, &'a [u8]), Unknown> {
        let (mut added, mut rest) = (0, data);
        if !self.offsets.is_empty() {
            return Ok((added, rest));
        }
        while added < ids {
            let length = rest.first_chunk().map(|length| u32::from_le_bytes(*length) as usize).ok_or(Unknown)?;
            if self.alike == 0 {
                self.length = length;
            }
            if length != self.length {
                break;
            }
            let here = if runs::add(rest, (ids - added).min(RUN), &mut self.bytes).is_some() {
                rest = rest.get(RUN * (size_of::<u32>() + length)..).ok_or(Unknown)?;
                RUN
            } else {
                rest = push_plain(&mut self.bytes, rest)?;
                1
            };
            self.alike += here;
            added += here;
        }
        Ok((added, rest))
    }

    /// Writes down where ids end that are alike: the next one is not.
    fn write_ends_down(&mut self) {
        if self.offsets.is_empty() {
            self.offsets.reserve(self.expected.max(self.alike) + 1);
            self.offsets.extend((0..=self.alike).map(|ids| (ids * self.length) as i32));
        }
    }

    fn add_from(&mut self, dictionary: &Dictionary, places: &[u32]) -> Result<(), Unknown> {
        self.write_ends_down();
        let first = self.offsets.len();
        self.offsets.resize(first + places.len(), 0);
        for (end, place) in self.offsets.get_mut(first..).unwrap_or_default().iter_mut().zip(places) {
            let place = *place as usize;
            let Some(&[from, to]) = dictionary.offsets.get(place..).and_then(<[_]>::first_chunk) else {
                return Err(Unknown);
            };
            let (from, to) = (from as usize, to as usize);
            push(&mut self.bytes, dictionary.bytes.get(from..).unwrap_or_default(), to - from)?;
            *end = self.bytes.len() as i32;
        }
        // Beyond this, the last ends are wrong.
        i32::try_from(self.bytes.len()).map(|_| ()).map_err(|_| Unknown)
    }
}

/// Ids in runs of equal ones. Neighbours may be equal, too.
pub(super) struct IdRuns {
    ids: Ids,
    /// Where each run ends.
    ends: Vec<i32>,
}

impl Default for IdRuns {
    fn default() -> Self {
        Self { ids: Ids::with_capacity(0, 0), ends: Vec::new() }
    }
}

impl IdRuns {
    /// Begins the run of the id that was added last.
    fn begin(&mut self) {
        self.ends.push(self.ends.last().copied().unwrap_or(0));
    }

    /// Makes the last run longer.
    fn go_on(&mut self, rows: usize) -> Result<(), Unknown> {
        let end = self.ends.last_mut().ok_or(Unknown)?;
        *end = i32::try_from(rows).ok().and_then(|rows| end.checked_add(rows)).ok_or(Unknown)?;
        Ok(())
    }

    /// Returns the runs.
    ///
    /// # Errors
    ///
    /// Returns an error where an id is not text.
    pub(super) fn finish(self) -> Result<RunArray<Int32Type>, Unknown> {
        RunArray::try_new(&self.ends.into(), &self.ids.finish()?).map_err(|_| Unknown)
    }
}

/// Adds the next id, which has its length before it, and returns what follows it.
#[inline]
fn push_plain<'a>(bytes: &mut Vec<u8>, data: &'a [u8]) -> Result<&'a [u8], Unknown> {
    let (length, after) = data.split_first_chunk().ok_or(Unknown)?;
    let length = u32::from_le_bytes(*length) as usize;
    push(bytes, after, length)?;
    after.get(length..).ok_or(Unknown)
}

/// Adds the first `length` bytes of `from`.
#[inline]
fn push(bytes: &mut Vec<u8>, from: &[u8], length: usize) -> Result<(), Unknown> {
    match from.first_chunk::<COPIED>() {
        Some(chunk) if length <= COPIED => {
            let end = bytes.len() + length;
            bytes.extend_from_slice(chunk);
            bytes.truncate(end);
        }
        _ => bytes.extend_from_slice(from.get(..length).ok_or(Unknown)?),
    }
    Ok(())
}

/// The ids of a dictionary page.
pub(super) struct Dictionary {
    offsets: Vec<i32>,
    /// With a few more bytes behind the last id.
    bytes: Vec<u8>,
}

impl Dictionary {
    /// Reads the ids of a page.
    ///
    /// # Errors
    ///
    /// Returns an error where they are not as the page says, or one is not text.
    pub(super) fn read(data: &[u8], ids: u32, encoding: Encoding) -> Result<Self, Unknown> {
        if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY) {
            return Err(Unknown);
        }
        let ids = ids as usize;
        let mut read = Ids::with_capacity(0, 0);
        read.add_plain(data, ids, data.len())?;
        let read = read.finish()?;
        Ok(Self { offsets: read.value_offsets().to_vec(), bytes: [read.value_data(), &[0; COPIED]].concat() })
    }
}

/// The ids of a page that were not taken yet.
pub(super) enum Values {
    Plain { data: Bytes, left: usize },
    Places { places: Hybrid, dictionary: Arc<Dictionary>, left: usize },
}

impl Values {
    /// Opens the ids of a page, of which there are `ids` at most.
    ///
    /// # Errors
    ///
    /// Returns an error for another encoding, or where the dictionary is missing.
    pub(super) fn open(
        encoding: Encoding,
        data: Bytes,
        ids: usize,
        dictionary: Option<&Arc<Dictionary>>,
    ) -> Result<Self, Unknown> {
        match encoding {
            Encoding::PLAIN => Ok(Self::Plain { data, left: ids }),
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => {
                let width = *data.first().ok_or(Unknown)?;
                let dictionary = Arc::clone(dictionary.ok_or(Unknown)?);
                Ok(Self::Places { places: Hybrid::new(data.slice(1..), width)?, dictionary, left: ids })
            }
            _ => Err(Unknown),
        }
    }

    /// Adds the next ids.
    ///
    /// # Errors
    ///
    /// Returns an error where there are not as many, or they are of more than 2 GB.
    pub(super) fn read(&mut self, ids: usize, into: &mut Ids) -> Result<(), Unknown> {
        self.take(ids)?;
        match self {
            Self::Plain { data, left } => {
                let bytes = data.len().saturating_mul(ids) / (*left + ids).max(1);
                let bytes = bytes.saturating_sub(ids.saturating_mul(size_of::<u32>()));
                let taken = into.add_plain(data, ids, bytes)?;
                *data = data.slice(taken..);
            }
            Self::Places { places, dictionary, .. } => {
                let mut looked_up = [0; LOOKED_UP];
                let mut missing = ids;
                while missing > 0 {
                    let some = looked_up.get_mut(..missing.min(LOOKED_UP)).unwrap_or_default();
                    places.read(some)?;
                    into.add_from(dictionary, some)?;
                    missing -= some.len();
                }
            }
        }
        Ok(())
    }

    /// Adds the next ids as runs.
    ///
    /// # Errors
    ///
    /// Returns an error where there are not as many.
    pub(super) fn read_runs(&mut self, ids: usize, into: &mut IdRuns) -> Result<(), Unknown> {
        self.take(ids)?;
        match self {
            Self::Plain { data, .. } => {
                let (mut rest, mut last) = (data.as_ref(), None);
                for _ in 0..ids {
                    let (length, after) = rest.split_first_chunk().ok_or(Unknown)?;
                    let length = u32::from_le_bytes(*length) as usize;
                    let (id, after) = after.split_at_checked(length).ok_or(Unknown)?;
                    if last != Some(id) {
                        into.ids.add_plain(rest, 1, length)?;
                        into.begin();
                    }
                    into.go_on(1)?;
                    (rest, last) = (after, Some(id));
                }
                let taken = data.len() - rest.len();
                *data = data.slice(taken..);
            }
            Self::Places { places, dictionary, .. } => {
                let (mut missing, mut last) = (ids, None);
                while missing > 0 {
                    let (place, rows) = places.equal(missing)?;
                    places.pass(rows);
                    if last != Some(place) {
                        into.ids.add_from(dictionary, &[place])?;
                        into.begin();
                    }
                    into.go_on(rows)?;
                    (missing, last) = (missing - rows, Some(place));
                }
            }
        }
        Ok(())
    }

    /// Passes the next ids.
    ///
    /// # Errors
    ///
    /// Returns an error where there are not as many.
    pub(super) fn skip(&mut self, ids: usize) -> Result<(), Unknown> {
        self.take(ids)?;
        match self {
            Self::Plain { data, .. } => {
                let mut rest = data.as_ref();
                for _ in 0..ids {
                    let (length, after) = rest.split_first_chunk().ok_or(Unknown)?;
                    rest = after.get(u32::from_le_bytes(*length) as usize..).ok_or(Unknown)?;
                }
                let taken = data.len() - rest.len();
                *data = data.slice(taken..);
            }
            Self::Places { places, .. } => places.skip(ids)?,
        }
        Ok(())
    }

    fn take(&mut self, ids: usize) -> Result<(), Unknown> {
        let (Self::Plain { left, .. } | Self::Places { left, .. }) = self;
        *left = left.checked_sub(ids).ok_or(Unknown)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(ids: &[String]) -> Vec<u8> {
        ids.iter().flat_map(|id| [&(id.len() as u32).to_le_bytes()[..], id.as_bytes()].concat()).collect()
    }

    proptest! {
        #[test]
        fn ids_are_those_that_were_added_however_long_they_are_alike(
            pages in prop::collection::vec(prop::collection::vec((0..20_usize, 1..70_usize), 0..4), 1..4),
            alike in any::<bool>(),
        ) {
            let mut ids = Ids::with_capacity(3, 3);
            let mut expected = Vec::new();
            for runs in pages {
                let of_run = |(length, count): (usize, usize)| {
                    let length = if alike { 7 } else { length };
                    (0..count).map(move |number| format!("{number:020}")[20 - length..].to_owned())
                };
                let page: Vec<String> = runs.into_iter().flat_map(of_run).collect();
                let data = plain(&page);
                prop_assert_eq!(ids.add_plain(&data, page.len(), data.len()).expect("ids"), data.len());
                expected.extend(page);
                prop_assert_eq!(ids.size(), (expected.len(), expected.iter().map(String::len).sum()));
            }
            prop_assert_eq!(ids.finish().expect("text"), StringArray::from(expected));
        }
    }
}
