//! Where does a draw end? The n-th smallest place of each stratum, found in a fixed amount of memory.
//!
//! Each session has a rank, a number; a draw takes the smallest. Passes over the ranks narrow the range in which a
//! stratum's last session stands, each by a factor of the number of counters that the stratum gets, until so few sessions
//! are left in all ranges that they are kept and sorted.

/// Counters of all strata together: 32 MiB.
const COUNTERS: u64 = 4 << 20;
/// Most counters of one stratum.
const MAX_BUCKETS: u64 = 1 << 16;
/// Sessions that are kept in the end.
const KEPT: u64 = 1 << 17;

/// A session's place in the order of a draw.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// A number that orders all but a few.
    pub(super) rank: u128,
    /// Orders those of one rank.
    pub(super) key: u64,
    /// Orders those of one key.
    pub(super) id: String,
}

/// The last session that a stratum's draw takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Last {
    /// Nothing is drawn.
    Nothing,
    /// Everything up to this rank.
    Rank(u128),
    /// Everything up to this place.
    Place(Place),
}

impl Last {
    /// Returns whether the session of that place is drawn.
    pub(super) fn takes(&self, rank: u128, key: u64, id: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Rank(last) => rank <= *last,
            Self::Place(last) => (rank, key, id) <= (last.rank, last.key, last.id.as_str()),
        }
    }
}

/// The range in which a stratum's last session stands.
#[derive(Debug, Clone)]
struct Range {
    low: u128,
    high: u128,
    /// Sessions in it.
    sessions: u64,
    /// How many of them are drawn.
    drawn: u64,
}

impl Range {
    fn is_open(&self) -> bool {
        self.drawn > 0 && self.drawn < self.sessions
    }

    fn width(&self, buckets: u64) -> u128 {
        (self.high - self.low) / u128::from(buckets) + 1
    }
}

/// The search for the last session of each stratum.
pub(super) struct Search {
    ranges: Vec<Range>,
    pass: Pass,
    counters: u64,
    kept: u64,
}

enum Pass {
    Count { buckets: u64, first: Vec<Option<usize>>, counts: Vec<u64> },
    Keep(Vec<Vec<Place>>),
}

impl Search {
    /// Starts the search; `strata` are the numbers of sessions in each and of those to draw.
    pub(super) fn new(strata: impl Iterator<Item = (u64, u64)>) -> Self {
        Self::within(strata, COUNTERS, KEPT)
    }

    fn within(strata: impl Iterator<Item = (u64, u64)>, counters: u64, kept: u64) -> Self {
        let range = |(sessions, drawn)| Range { low: 0, high: u128::MAX >> 1, sessions, drawn };
        let mut search = Self { ranges: strata.map(range).collect(), pass: Pass::Keep(Vec::new()), counters, kept };
        search.pass = search.next_pass();
        search
    }

    fn next_pass(&self) -> Pass {
        let open = || self.ranges.iter().filter(|range| range.is_open());
        let sessions: u64 = open().map(|range| range.sessions).sum();
        // Sessions of one rank cannot be told apart by counting.
        if sessions <= self.kept || open().all(|range| range.low == range.high) {
            return Pass::Keep(self.ranges.iter().map(|_| Vec::new()).collect());
        }
        let strata = open().count() as u64;
        let buckets = (self.counters / strata.max(1)).clamp(2, MAX_BUCKETS);
        let per_stratum = usize::try_from(buckets).unwrap_or(2);
        let mut next = 0;
        let place = |range: &Range| {
            range.is_open().then(|| {
                next += per_stratum;
                next - per_stratum
            })
        };
        let first: Vec<Option<usize>> = self.ranges.iter().map(place).collect();
        Pass::Count { buckets, first, counts: vec![0; next] }
    }

    /// Returns whether another pass over all sessions is needed.
    pub(super) fn is_open(&self) -> bool {
        self.ranges.iter().any(Range::is_open)
    }

    /// Notes one session of the pass under way.
    pub(super) fn note(&mut self, stratum: usize, rank: u128, key: u64, id: &str) {
        let Some(range) = self.ranges.get(stratum).filter(|range| range.is_open()) else { return };
        if !(range.low..=range.high).contains(&rank) {
            return;
        }
        match &mut self.pass {
            Pass::Count { buckets, first, counts } => {
                let bucket = usize::try_from((rank - range.low) / range.width(*buckets)).unwrap_or(usize::MAX);
                let first = first.get(stratum).copied().flatten();
                if let Some(count) = first.and_then(|first| counts.get_mut(first + bucket)) {
                    *count += 1;
                }
            }
            Pass::Keep(places) => {
                if let Some(places) = places.get_mut(stratum) {
                    places.push(Place { rank, key, id: id.to_owned() });
                }
            }
        }
    }

    /// Ends a pass. Returns the last session of each stratum where no other pass is needed.
    pub(super) fn end_pass(&mut self) -> Option<Vec<Last>> {
        match &mut self.pass {
            Pass::Keep(places) => {
                let places = std::mem::take(places);
                return Some(self.ranges.iter().zip(places).map(|(range, places)| last_of(range, places)).collect());
            }
            Pass::Count { buckets, first, counts } => {
                for (range, first) in self.ranges.iter_mut().zip(first) {
                    let Some(first) = *first else { continue };
                    let length = usize::try_from(*buckets).unwrap_or(0);
                    narrow(range, *buckets, counts.get(first..first + length).unwrap_or_default());
                }
            }
        }
        self.pass = self.next_pass();
        if self.is_open() { None } else { self.end_pass() }
    }
}

fn last_of(range: &Range, mut places: Vec<Place>) -> Last {
    if range.drawn == 0 {
        // What lies below the range is drawn.
        return range.low.checked_sub(1).map_or(Last::Nothing, Last::Rank);
    }
    if !range.is_open() {
        return Last::Rank(range.high);
    }
    places.sort_unstable();
    let index = usize::try_from(range.drawn - 1).unwrap_or(usize::MAX);
    places.into_iter().nth(index).map_or(Last::Rank(range.high), Last::Place)
}

/// Narrows the range to the bucket in which the last session stands.
fn narrow(range: &mut Range, buckets: u64, counts: &[u64]) {
    let width = range.width(buckets);
    let mut before = 0;
    for (count, bucket) in counts.iter().zip(0_u128..) {
        if before + count >= range.drawn {
            range.low += bucket * width;
            range.high = range.high.min(range.low.saturating_add(width - 1));
            range.drawn -= before;
            range.sessions = *count;
            return;
        }
        before += count;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn searched(ranks: &[(usize, u128)], drawn: &[u64], counters: u64, kept: u64) -> Vec<Last> {
        let sessions = |stratum| ranks.iter().filter(|(of, _)| *of == stratum).count() as u64;
        let strata = drawn.iter().enumerate().map(|(stratum, drawn)| (sessions(stratum), *drawn));
        let mut search = Search::within(strata, counters, kept);
        loop {
            for (number, (stratum, rank)) in ranks.iter().enumerate() {
                search.note(*stratum, *rank, 0, &format!("s{number:03}"));
            }
            if let Some(last) = search.end_pass() {
                return last;
            }
        }
    }

    proptest! {
        #[test]
        fn the_smallest_of_each_stratum_are_drawn(
            ranks in prop::collection::vec((0..4_usize, prop_oneof![0..5_u128, 0..u128::MAX >> 1, Just((u128::MAX >> 1) - 1)]), 0..60),
            wanted in prop::array::uniform4(0..20_u64),
            counters in 0..64_u64,
            kept in 0..8_u64,
        ) {
            let of = |stratum: usize| ranks.iter().enumerate().filter(move |(_, (of, _))| *of == stratum);
            let drawn: Vec<u64> = wanted.iter().enumerate().map(|(stratum, wanted)| (*wanted).min(of(stratum).count() as u64)).collect();
            let last = searched(&ranks, &drawn, counters, kept);
            for stratum in 0..4 {
                let mut places: Vec<(u128, String)> = of(stratum).map(|(number, (_, rank))| (*rank, format!("s{number:03}"))).collect();
                places.sort();
                let taken: Vec<bool> = places.iter().map(|(rank, id)| last[stratum].takes(*rank, 0, id)).collect();
                let expected: Vec<bool> = (0..places.len()).map(|index| (index as u64) < drawn[stratum]).collect();
                prop_assert_eq!(taken, expected);
            }
        }
    }
}
