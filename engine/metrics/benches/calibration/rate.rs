//! How often something happened, and how often it was to happen.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use crate::world::World;

/// How often something happened in repeated comparisons.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    world: &'static str,
    searches: u64,
    what: String,
    hits: u64,
    of: u64,
    promised: Option<RangeInclusive<f64>>,
    note: String,
}

impl Rate {
    pub(crate) fn new(world: &World, what: &str, hits: u64, of: u64) -> Self {
        let (searches, what) = (world.searches, what.to_owned());
        Self { world: world.name, searches, what, hits, of, promised: None, note: String::new() }
    }

    /// States what the rate must be, shares of 1.
    pub(crate) fn promised(self, range: RangeInclusive<f64>) -> Self {
        Self { promised: Some(range), ..self }
    }

    /// Adds what else is to be told.
    pub(crate) fn note(self, note: String) -> Self {
        Self { note, ..self }
    }

    fn share(&self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// The standard error of the simulation.
    fn error(&self) -> f64 {
        // At least one hit more or less than none or all.
        (self.share() * (1.0 - self.share()) / self.of as f64).sqrt().max(1.0 / self.of as f64)
    }

    /// Returns whether the rate lies in what is promised, or outside by no more than chance: three standard errors of the
    /// simulation. Nothing is promised of what is shown as wrong.
    pub(crate) fn is_as_promised(&self) -> bool {
        let Some(range) = &self.promised else { return true };
        let error = 3.0 * self.error();
        (range.start() - error..=range.end() + error).contains(&self.share())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { world, searches, what, hits, of, promised, .. } = self;
        write!(formatter, "{what} ({world}, {searches} searches per visit): {hits} of {of}, promised {promised:?}")
    }
}

/// Returns the rates as a table.
pub(crate) fn markdown(rates: &[Rate]) -> String {
    let mut text =
        "| deltas | searches per visit | what | rate | ± 1 s.e. | promised | |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for rate in rates {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let promised = match &rate.promised {
            None => "nothing: shown as wrong".to_owned(),
            Some(range) if *range.start() == 0.0 => format!("at most {}", percent(*range.end())),
            Some(range) if *range.end() == 1.0 => format!("at least {}", percent(*range.start())),
            Some(range) => format!("{} to {}", percent(*range.start()), percent(*range.end())),
        };
        let (share, error) = (percent(rate.share()), percent(rate.error()));
        let Rate { world, searches, what, note, .. } = rate;
        text += &format!("| {world} | {searches} | {what} | {share} | {error} | {promised} | {note} |\n");
    }
    text
}

/// Returns per outcome how many of the comparisons, numbered from 0, have it. The same on any number of threads.
pub(crate) fn counted<const OUTCOMES: usize>(
    comparisons: u64,
    outcomes: impl Fn(u64) -> [u64; OUTCOMES] + Sync,
) -> [u64; OUTCOMES] {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let mut counts = [0; OUTCOMES];
    let part = |thread: u64| {
        let mut counts = [0; OUTCOMES];
        for seed in (thread..comparisons).step_by(usize::try_from(threads).unwrap_or(1)) {
            counts.iter_mut().zip(outcomes(seed)).for_each(|(count, more)| *count += more);
        }
        counts
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        for found in workers.into_iter().flat_map(|worker| worker.join()) {
            counts.iter_mut().zip(found).for_each(|(count, more)| *count += more);
        }
    });
    counts
}
