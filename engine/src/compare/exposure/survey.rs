//! How likely were users to look at a rank? What the log says of it, before any arm is compared.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use datafusion::arrow::array::Array;
use rematch_metrics::exposure::{ExaminationCurve, HarvestedCurve, RankPair, harvest};

use super::click_log::{COLUMNS, ClickLog};
use super::estimates::{Examination, exponents};
use crate::benchmark::exposure::{CLIP, CLIP_LOGGED};
use crate::benchmark::{ExposurePlan, Plan, Propensity};
use crate::compare::columns::{Damaged, field, list, text_column, texts};
use crate::compare::fold::in_order;
use crate::compare::outcome::PropensitySource;
use crate::compare::touched::structs;
use crate::rows::list_range;
use crate::schema::column;
use crate::score::relevance::weight;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Impressions that are looked at together: about 256 MB of counts.
const IMPRESSIONS_AT_ONCE: u64 = 1 << 22;

/// Ranks below this one are not fitted.
const DEEPEST: usize = 100;

/// A curve is fitted only where theta of every rank of the top is known within a factor of 2, which is two standard errors.
const MOST_LOG_ERROR: f64 = 0.35;

/// Reads the log: `None` where relevance never comes from clicks, else how likely users were to look.
pub(in crate::compare) fn survey(
    plan: &Plan,
    run: &RunDirectory,
    sample: &TableReader,
    threads: NonZeroUsize,
) -> Result<Option<Examination>, StoreError> {
    let path = run.path(layout::SESSIONS);
    let damaged = |error: Damaged| StoreError::table(&path, error);
    let mut clicked = 0;
    let count = |chunk: usize| clicked_in(plan, sample, chunk).map_err(damaged);
    in_order(sample.groups(), threads, count, |_, found| {
        clicked += found;
        Ok::<_, StoreError>(())
    })?;
    if clicked == 0 {
        return Ok(None);
    }
    let mut facts = Facts::default();
    in_order(
        sample.groups(),
        threads,
        |chunk| Facts::read(sample, chunk).map_err(damaged),
        |_, found| {
            facts.merge(&found);
            Ok::<_, StoreError>(())
        },
    )?;
    let sessions = [clicked, facts.judged];
    let assumed = || Examination { sessions, ..Examination::assumed_curve(&plan.exposure) };
    let logged = || {
        let clip = plan.exposure.clip.unwrap_or(CLIP_LOGGED);
        Examination { source: PropensitySource::Logged, clip, ..assumed() }
    };
    let fitted = || -> Result<Option<Examination>, StoreError> {
        let pairs = harvested_pairs(plan, sample, threads, facts.impressions).map_err(damaged)?;
        Ok(fit(plan, &pairs, facts.longest))
    };
    Ok(Some(match plan.exposure.propensity {
        Propensity::Assumed => assumed(),
        Propensity::Logged => logged(),
        Propensity::Auto if facts.propensities => logged(),
        Propensity::Auto | Propensity::Fitted => match fitted()? {
            Some(fitted) => Examination { sessions, ..fitted },
            None => assumed(),
        },
    }))
}

impl Examination {
    /// Returns the assumed curve, of a log of which nothing else is known.
    pub(super) fn assumed_curve(plan: &ExposurePlan) -> Self {
        let curve = ExaminationCurve::power_law(plan.exponent).unwrap_or_default();
        Self {
            source: PropensitySource::Assumed,
            curve,
            exponents: exponents(plan.exponents),
            clip: plan.clip.unwrap_or(CLIP),
            interventions: 0,
            sessions: [0; 2],
        }
    }
}

/// The curve that the pairs determine, if they determine it well enough.
fn fit(plan: &Plan, pairs: &[RankPair], longest: usize) -> Option<Examination> {
    let found: HarvestedCurve = harvest(pairs).ok()?;
    let depth = NonZeroUsize::new(plan.support_depth().min(longest))?;
    let all_known = (2..=depth.get()).filter_map(NonZeroUsize::new).all(|rank| found.curve.is_estimated_at(rank));
    let certain = found.largest_log_standard_error(depth).is_some_and(|error| error <= MOST_LOG_ERROR);
    (all_known && certain).then(|| Examination {
        source: PropensitySource::Fitted,
        curve: found.curve,
        exponents: exponents(plan.exposure.exponents),
        clip: plan.exposure.clip.unwrap_or(CLIP),
        interventions: found.pairs.iter().map(|pair| pair.items).sum(),
        sessions: [0; 2],
    })
}

/// Returns the number of a chunk's sessions that nobody judged and that have an act of positive weight.
fn clicked_in(plan: &Plan, sample: &TableReader, chunk: usize) -> Result<u64, Damaged> {
    let sessions = sample.group_columns(chunk, &[column::INTERACTIONS])?;
    let acts = list(&sessions, column::INTERACTIONS)?;
    if acts.values().is_empty() {
        return Ok(0);
    }
    let kinds = field(structs(acts, column::INTERACTIONS)?, column::KIND)?;
    let kinds = texts(kinds, column::KIND)?;
    let graded = sample.group_columns(chunk, &[column::JUDGMENTS])?;
    let judgments = list(&graded, column::JUDGMENTS)?;
    let clicked = |row: &usize| {
        list_range(judgments, *row).is_empty()
            && list_range(acts, *row).any(|act| weight(&plan.relevance, kinds.value(act)) > 0.0)
    };
    Ok((0..sessions.num_rows()).filter(clicked).count() as u64)
}

/// What a log with clicks holds.
#[derive(Default)]
struct Facts {
    /// Sessions that a judge graded.
    judged: u64,
    /// Whether a shown item has a propensity.
    propensities: bool,
    impressions: u64,
    /// Items of the longest list that was shown.
    longest: usize,
}

impl Facts {
    fn read(sample: &TableReader, chunk: usize) -> Result<Self, Damaged> {
        let sessions = sample.group_columns(chunk, &[column::SHOWN, column::JUDGMENTS])?;
        let (shown, judgments) = (list(&sessions, column::SHOWN)?, list(&sessions, column::JUDGMENTS)?);
        let rows = || 0..sessions.num_rows();
        let propensities = field(structs(shown, column::SHOWN)?, column::PROPENSITY)?;
        Ok(Self {
            judged: rows().filter(|row| !list_range(judgments, *row).is_empty()).count() as u64,
            propensities: propensities.null_count() < propensities.len(),
            impressions: shown.values().len() as u64,
            longest: rows().map(|row| list_range(shown, row).len()).max().unwrap_or(0),
        })
    }

    fn merge(&mut self, other: &Self) {
        self.judged += other.judged;
        self.propensities |= other.propensities;
        self.impressions += other.impressions;
        self.longest = self.longest.max(other.longest);
    }
}

/// Impressions and clicks of one item for one query, by rank.
type ByRank = Vec<(usize, u32, u32)>;

/// Returns what the log says of the (query, item)s that it showed at two ranks. They are told apart by two hashes of 64 bits each,
/// and dealt into buckets by the query's, so that memory stays bounded.
fn harvested_pairs(
    plan: &Plan,
    sample: &TableReader,
    threads: NonZeroUsize,
    impressions: u64,
) -> Result<Vec<RankPair>, Damaged> {
    let buckets = impressions.div_ceil(IMPRESSIONS_AT_ONCE).max(1);
    let mut pairs: BTreeMap<(usize, usize), RankPair> = BTreeMap::new();
    for bucket in 0..buckets {
        let mut shown: HashMap<(u64, u64), ByRank> = HashMap::new();
        let read = |chunk: usize| impressions_of(plan, sample, chunk, |query| query % buckets == bucket);
        in_order(sample.groups(), threads, read, |_, found| {
            for Impression { query, item, rank, clicked } in found {
                let ranks = shown.entry((query, item)).or_default();
                match ranks.iter_mut().find(|(known, ..)| *known == rank) {
                    Some((_, impressions, clicks)) => {
                        *impressions += 1;
                        *clicks += u32::from(clicked);
                    }
                    None => ranks.push((rank, 1, u32::from(clicked))),
                }
            }
            Ok::<_, Damaged>(())
        })?;
        // In a fixed order, so that the sums are the same on every machine.
        let mut several: Vec<((u64, u64), ByRank)> = shown.into_iter().filter(|(_, ranks)| ranks.len() > 1).collect();
        several.sort_unstable_by_key(|(key, _)| *key);
        for (_, mut ranks) in several {
            ranks.sort_unstable();
            add_pairs(&ranks, &mut pairs);
        }
    }
    Ok(pairs.into_values().collect())
}

/// Adds the pairs of ranks of one (query, item), as [`RankPair`] says.
fn add_pairs(ranks: &ByRank, pairs: &mut BTreeMap<(usize, usize), RankPair>) {
    let all: f64 = ranks.iter().map(|(_, impressions, _)| f64::from(*impressions)).sum();
    for (place, (rank, shown, clicks)) in ranks.iter().enumerate() {
        for (other, shown_there, clicks_there) in ranks.iter().skip(place + 1) {
            let (Some(at), Some(at_other)) = (NonZeroUsize::new(*rank), NonZeroUsize::new(*other)) else { continue };
            let [shown, clicks, shown_there, clicks_there] =
                [shown, clicks, shown_there, clicks_there].map(|count| f64::from(*count));
            let pair = pairs.entry((*rank, *other)).or_insert(RankPair {
                rank: at,
                other: at_other,
                items: 0,
                weight: 0.0,
                clicks_at_rank: 0.0,
                clicks_at_other: 0.0,
            });
            pair.items += 1;
            pair.weight += shown * shown_there / all;
            pair.clicks_at_rank += shown_there * clicks / all;
            pair.clicks_at_other += shown * clicks_there / all;
        }
    }
}

/// An item that was shown for a query.
struct Impression {
    query: u64,
    item: u64,
    rank: usize,
    clicked: bool,
}

/// Returns what was shown in a chunk for the queries that are `wanted`, in sessions that nobody judged.
fn impressions_of(
    plan: &Plan,
    sample: &TableReader,
    chunk: usize,
    wanted: impl Fn(u64) -> bool,
) -> Result<Vec<Impression>, Damaged> {
    let [shown, interactions, judgments] = COLUMNS;
    let sessions = sample.group_columns(chunk, &[column::QUERY, shown, interactions, judgments])?;
    let queries = text_column(&sessions, column::QUERY)?;
    let log = ClickLog::of(&sessions)?;
    let mut found = Vec::new();
    for row in (0..log.rows()).filter(|row| queries.is_valid(*row) && !queries.value(*row).trim().is_empty()) {
        let query = hash(queries.value(row));
        if !wanted(query) {
            continue;
        }
        // What the log does not show, but an act tells of, is known only because it was clicked.
        for draft in log.items(row, &plan.relevance).into_iter().filter(|draft| draft.shown) {
            let Some(rank) = draft.item.rank.map(NonZeroUsize::get).filter(|rank| *rank <= DEEPEST) else { continue };
            found.push(Impression { query, item: hash(draft.id), rank, clicked: draft.item.gain > 0.0 });
        }
    }
    Ok(found)
}

/// FNV-1a with the finaliser of SplitMix64: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    crate::compare::clusters::Key::Visit(text).hash()
}
