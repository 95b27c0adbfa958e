//! Do the statistics keep what they promise? Comparisons of which the truth is known, again and again, and how often each test,
//! interval, power and early stop is wrong.
//!
//! `cargo bench -p rematch-metrics --bench calibration` prints the whole study as Markdown (STATISTICS.md holds its results);
//! `cargo test` runs a small one. Both end with an error where a rate lies outside of what chance allows.
#![expect(clippy::print_stdout, reason = "the study is what this program is for")]

mod rate;
mod stopping;
mod study;
mod world;

use std::process::ExitCode;

use rate::{Rate, markdown};
use world::WORLDS;

/// How much is simulated.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// Comparisons per test.
    comparisons: u64,
    /// Comparisons per bootstrap interval, which takes far longer than a test.
    bootstraps: u64,
    /// Replays that may stop early.
    replays: u64,
    /// Visits per comparison.
    visits: u64,
}

const WHOLE: Size = Size { comparisons: 10_000, bootstraps: 2_000, replays: 1_000, visits: 500 };
const SMALL: Size = Size { comparisons: 300, bootstraps: 60, replays: 60, visits: 250 };

fn main() -> ExitCode {
    let whole = std::env::args().any(|argument| argument == "--bench");
    let size = if whole { WHOLE } else { SMALL };
    let mut all = Vec::new();
    for (title, experiment) in [
        ("False alarms of tests at 0.05, where both sides are equal", study::false_alarms as Experiment),
        ("Coverage of 95 % intervals", study::coverage),
        ("Power at the smallest detectable effect, stated as 80 %", study::power),
        ("Stopping early: looks after every visit", stopping::stopping),
    ] {
        let rates: Vec<Rate> = WORLDS.iter().flat_map(|world| experiment(world, size)).collect();
        if whole {
            println!("### {title}\n\n{}", markdown(&rates));
        }
        all.extend(rates);
    }
    let wrong: Vec<&Rate> = all.iter().filter(|rate| !rate.is_as_promised()).collect();
    for rate in &wrong {
        println!("not as promised: {rate}");
    }
    println!("{} of {} rates are as promised", all.len() - wrong.len(), all.len());
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Experiment = fn(&world::World, Size) -> Vec<Rate>;
