//! The tops of each arm, summed up: what they cover, how diverse they are, and how little known.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use datafusion::arrow::array::Array as _;
use rematch_metrics::recommendation::{CatalogueCoverage, intra_list_diversity, label_distance, novelty};

use super::catalogue::Catalogue;
use super::visits::{VisitScores, Votes};
use crate::benchmark::{ListsPlan, Plan};
use crate::compare::CompareError;
use crate::compare::columns::{Damaged, binaries, text_column};
use crate::compare::fold::in_order;
use crate::compare::outcome::{BeyondAccuracy, CoverageSummary, MetricSummary, NoveltySummary};
use crate::compare::question::Question;
use crate::compare::tables::part;
use crate::compare::tally::{MeanTally, merge_each};
use crate::load::LoadError;
use crate::rows::top_keys;
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// What the lists of every arm are good for beyond relevance; nothing where the benchmark does not ask.
#[derive(Default)]
pub(in crate::compare) struct Beyond {
    arms: Vec<BeyondAccuracy>,
}

/// One arm's answered sessions, summed up.
#[derive(Default)]
struct ArmLists {
    sessions: u64,
    shown: CatalogueCoverage<u64>,
    diversity: MeanTally,
    novelty: MeanTally,
    /// Hits of which nobody is known to know.
    news: u64,
}

/// One arm's answers to a chunk: the keys of each top, `None` where it failed.
pub(super) struct Tops {
    pub(super) rows: Vec<Option<Vec<u64>>>,
}

impl Beyond {
    /// Looks at the catalogue, where a plan asks for it.
    pub(in crate::compare) fn look(plan: &Plan) -> Result<(), CompareError> {
        plan.lists.as_ref().map_or(Ok(()), |lists| Catalogue::look(lists).map_err(unread))
    }

    /// Reads the catalogue and the top items of a run, where its plan asks for it.
    pub(in crate::compare) fn read(
        question: &Question<'_>,
        run: &RunDirectory,
        sample: &TableReader,
        threads: NonZeroUsize,
    ) -> Result<Self, CompareError> {
        let Some(plan) = &question.plan.lists else { return Ok(Self::default()) };
        let catalogue = Catalogue::read(plan).map_err(unread)?;
        let votes = Votes::read(plan, run, sample, threads)?;
        let mut visits = VisitScores::new(question.arms);
        let mut arms: Vec<ArmLists> = Vec::new();
        let read = |index: usize| {
            let rows = usize::try_from(sample.group_rows(index)).unwrap_or(usize::MAX);
            let arms = 0..question.arms;
            let tops: Vec<Tops> =
                arms.map(|arm| Tops::read(run, arm, index, rows, plan.k)).collect::<Result<_, _>>()?;
            let sums: Vec<ArmLists> = tops.iter().map(|tops| ArmLists::of(tops, catalogue.as_ref())).collect();
            let scores = votes.scores(&tops, run, sample, index)?;
            Ok::<_, CompareError>((sums, scores))
        };
        in_order(sample.groups(), threads, read, |_, (sums, scores)| {
            merge_each(&mut arms, sums, ArmLists::merge);
            visits.add(scores);
            Ok(())
        })?;
        let summary = |(arm, lists): (usize, &ArmLists)| BeyondAccuracy {
            paul_score: votes.summarise(&visits, arm),
            ..lists.summarise(plan, catalogue.as_ref())
        };
        Ok(Self { arms: arms.iter().enumerate().map(summary).collect() })
    }

    /// Returns what was found of an arm; `None` where nobody asked.
    pub(in crate::compare) fn of(&self, arm: usize) -> Option<BeyondAccuracy> {
        self.arms.get(arm).cloned()
    }
}

impl Tops {
    fn read(run: &RunDirectory, arm: usize, chunk: usize, rows: usize, k: NonZeroUsize) -> Result<Self, StoreError> {
        let batch = part(run, arm, chunk, &[column::ERROR_KIND, column::TOP_ITEMS], rows)?;
        let open = || {
            let (errors, items) = (text_column(&batch, column::ERROR_KIND)?, binaries(&batch, column::TOP_ITEMS)?);
            let top = |row: usize| errors.is_null(row).then(|| top_keys(items.value(row)).take(k.get()).collect());
            Ok(Self { rows: (0..batch.num_rows()).map(top).collect() })
        };
        open().map_err(|error: Damaged| StoreError::table(&run.path(layout::part(arm, chunk)), error))
    }
}

impl ArmLists {
    fn of(tops: &Tops, catalogue: Option<&Catalogue>) -> Self {
        let mut found = Self::default();
        let nothing = BTreeSet::new();
        for top in tops.rows.iter().flatten() {
            found.sessions += 1;
            found.shown.add(top.iter().copied(), NonZeroUsize::MAX);
            let Some(catalogue) = catalogue else { continue };
            let items: Vec<_> = top.iter().map(|key| catalogue.get(*key)).collect();
            if catalogue.labelled {
                let labels: Vec<&BTreeSet<u64>> =
                    items.iter().map(|item| item.map_or(&nothing, |item| &item.labels)).collect();
                let distance = |one: &&BTreeSet<u64>, other: &&BTreeSet<u64>| match one.is_empty() || other.is_empty() {
                    true => None,
                    false => label_distance(one, other),
                };
                found.diversity.add(intra_list_diversity(&labels, distance));
            }
            if let Some(people) = catalogue.people {
                let known = novelty(items.iter().map(|item| item.map_or(0, |item| item.known_by)), people);
                found.novelty.add(known.mean);
                found.news += known.unknown as u64;
            }
        }
        found
    }

    fn merge(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.shown.merge(other.shown);
        self.diversity.merge(other.diversity);
        self.novelty.merge(other.novelty);
        self.news += other.news;
    }

    fn summarise(&self, plan: &ListsPlan, catalogue: Option<&Catalogue>) -> BeyondAccuracy {
        let summary =
            |mean: &MeanTally| MetricSummary { mean: mean.mean(), n: mean.n, undefined: self.sessions - mean.n };
        let items = catalogue.and_then(|catalogue| NonZeroUsize::new(catalogue.len()));
        BeyondAccuracy {
            k: plan.k.get() as u64,
            sessions: self.sessions,
            coverage: CoverageSummary {
                shown: self.shown.shown() as u64,
                catalogue: catalogue.map(|catalogue| catalogue.len() as u64),
                share: items.and_then(|items| self.shown.share(items)),
            },
            diversity: catalogue.filter(|catalogue| catalogue.labelled).map(|_| summary(&self.diversity)),
            novelty: catalogue.and_then(|catalogue| catalogue.people).map(|people| NoveltySummary {
                bits: summary(&self.novelty),
                people,
                unknown_hits: self.news,
            }),
            paul_score: None,
        }
    }
}

fn unread(error: LoadError) -> CompareError {
    CompareError::Items(Box::new(error))
}
