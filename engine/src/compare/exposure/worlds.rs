//! Worlds in which the truth is known and clicks lie: does the verdict find it?
//!
//! A user looks at rank r with a probability that falls as a power of it (Craswell et al. 2008), or reads down to a click and goes
//! (the cascade of the same), and clicks an item that was looked at with the probability that it is relevant, or by mistake. The
//! log does not tell which: 1 / rank is assumed. Rankers see relevance through noise; the logged one shows ten of thirty items. A candidate
//! with as much noise of its own is no better and no worse, one with less is better.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use rematch_metrics::{GainFunction, Metric, RankedGrades};

use super::click_log::{LoggedItem, LoggedSession};
use super::estimates::{Examination, OfSession, Sums, common_ranks};
use super::{Clustered, Question, Tally, adjust, assess, conclude};
use crate::benchmark::statistics::Correction;
use crate::benchmark::{Plan, SpecSource};
use crate::compare::outcome::{PipelineComparison, VerdictOutcome};
use crate::compare::tally::PairTally;
use crate::compare::verdict;
use crate::score::ScoringContract;
use crate::score::wasm::{HostSettings, PluginHost};

const ITEMS: usize = 30;
const SHOWN: usize = 10;

/// Who showed the lists on which users clicked.
#[derive(Clone, Copy, PartialEq)]
enum Logger {
    Baseline,
    /// A ranker that is none of those compared, and as good as the baseline.
    Third,
}

/// How attention falls with rank.
#[derive(Clone, Copy, PartialEq)]
enum Attention {
    /// 1 / rank^exponent.
    Falling(f64),
    /// Users read on after an item that they do not click, nine of ten times, and never after a click.
    Cascade,
}

struct World {
    logger: Logger,
    attention: Attention,
    /// Whether the benchmark says that the curve is 1 / rank and no other.
    known: bool,
    /// Probability of a click on an item that was looked at and is worth nothing.
    mistakes: f64,
    sessions: u64,
}

/// Uniform numbers in [0, 1) that depend on nothing but their arguments (SplitMix64).
fn uniform(seed: u64, stream: u64, session: u64, item: usize) -> f64 {
    let mut state = seed << 40 ^ stream << 32 ^ session << 8 ^ item as u64;
    for _ in 0..2 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number of the standard normal distribution (Box & Muller 1958).
fn normal(seed: u64, stream: u64, session: u64, item: usize) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(seed, stream, session, item)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(seed, stream + 1, session, item)).cos()
}

fn relevance(seed: u64, session: u64, item: usize) -> f64 {
    let at = |stream| uniform(seed, stream, session, item);
    if at(1) < 0.12 { 0.3 + 0.6 * at(2) } else { 0.05 * at(2) }
}

/// The first items of a ranker that sees relevance through noise of its own.
fn ranking(seed: u64, stream: u64, session: u64, noise: f64) -> Vec<usize> {
    let mut scored: Vec<(f64, usize)> = (0..ITEMS)
        .map(|item| (relevance(seed, session, item) + noise * normal(seed, stream, session, item), item))
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0));
    scored.into_iter().take(SHOWN).map(|(_, item)| item).collect()
}

impl World {
    /// What the comparison says of a candidate with that noise.
    fn compare(&self, question: &Question<'_>, seed: u64, noise: f64) -> PipelineComparison {
        let examination = question.clicks.as_ref().expect("a log of clicks");
        let (mut sums, mut naive) = (Sums::default(), PairTally::default());
        for session in 0..self.sessions {
            let baseline = ranking(seed, 10, session, 0.35);
            let candidate = ranking(seed, 20, session, noise);
            let shown = match self.logger {
                Logger::Baseline => baseline.clone(),
                Logger::Third => ranking(seed, 30, session, 0.35),
            };
            let clicks = self.clicks(seed, session, &shown);
            let items: Vec<LoggedItem> = shown
                .iter()
                .enumerate()
                .map(|(place, item)| LoggedItem {
                    gain: f64::from(u8::from(clicks.contains(item))),
                    rank: NonZeroUsize::new(place + 1),
                    propensity: None,
                })
                .collect();
            let gain = |item: &usize| shown.iter().position(|one| one == item).map(|place| items[place].gain);
            let ndcg = |ranking: &[usize]| {
                let ranked: Vec<Option<f64>> = ranking.iter().map(gain).collect();
                let judged: Vec<f64> = items.iter().map(|item| item.gain).collect();
                let metric: Metric = "nDCG@10".parse().expect("a metric");
                metric.evaluate(&RankedGrades { ranked: &ranked, judged: &judged }, GainFunction::Linear)
            };
            if let (Some(old), Some(new)) = (ndcg(&baseline), ndcg(&candidate)) {
                naive.add(old, new, 1e-9);
            }
            let ranks = [&baseline, &candidate].map(|ranking| {
                let rank =
                    |item: &usize| ranking.iter().position(|hit| hit == item).map_or(0, |place| place as u32 + 1);
                shown.iter().map(rank).collect::<Vec<u32>>()
            });
            let logged = LoggedSession { row: 0, items };
            let keys =
                [&baseline, &candidate].map(|ranking| ranking.iter().map(|item| *item as u64).collect::<Vec<u64>>());
            let among_common = common_ranks(&keys[0], &keys[1]);
            let [ranks, among_common] = [&ranks, &among_common].map(|[old, new]| [old.as_slice(), new.as_slice()]);
            let of_session = OfSession::of(examination, &logged, ranks, among_common);
            sums.record(&of_session, SHOWN, [SHOWN as u32; 2], 1e-9);
        }
        let tally = Tally { exposures: vec![sums], ..Tally::default() };
        let mut comparison = PipelineComparison {
            candidate_retriever_id: "candidate".into(),
            metrics: [("nDCG@10".to_owned(), conclude(&naive, None, "session_id", true))].into(),
            exposure: assess(question, &tally, &Clustered::default(), 1),
            ..PipelineComparison::default()
        };
        adjust(Correction::Holm, 1e-9, std::slice::from_mut(&mut comparison));
        comparison.verdict = verdict::decide(question.plan, "baseline", &comparison);
        comparison
    }

    /// The items that the user of a session clicks.
    fn clicks(&self, seed: u64, session: u64, shown: &[usize]) -> Vec<usize> {
        let mut clicks = Vec::new();
        for (rank, &item) in (1_u32..).zip(shown) {
            let attractive = self.mistakes + (1.0 - self.mistakes) * relevance(seed, session, item);
            let drawn = uniform(seed, 40, session, item);
            match self.attention {
                Attention::Falling(exponent) if drawn < attractive * f64::from(rank).powf(-exponent) => {
                    clicks.push(item)
                }
                Attention::Cascade if drawn < attractive => {
                    clicks.push(item);
                    break;
                }
                Attention::Cascade if uniform(seed, 50, session, item) < 0.1 => break,
                Attention::Falling(_) | Attention::Cascade => {}
            }
        }
        clicks
    }
}

/// What came out of many worlds.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Outcomes {
    better: u32,
    worse: u32,
    /// The naive numbers, at the same level.
    naive_better: u32,
    naive_worse: u32,
}

fn outcomes(world: &World, seeds: u64, noise: f64) -> Outcomes {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let parts: Vec<Outcomes> = std::thread::scope(|scope| {
        let of = |first: u64| scope.spawn(move || of_seeds(world, (first..seeds).step_by(threads as usize), noise));
        let workers: Vec<_> = (0..threads).map(of).collect();
        workers.into_iter().map(|worker| worker.join().expect("worlds")).collect()
    });
    parts.into_iter().fold(Outcomes::default(), |all, part| Outcomes {
        better: all.better + part.better,
        worse: all.worse + part.worse,
        naive_better: all.naive_better + part.naive_better,
        naive_worse: all.naive_worse + part.naive_worse,
    })
}

fn of_seeds(world: &World, seeds: impl Iterator<Item = u64>, noise: f64) -> Outcomes {
    let known = if world.known { "[exposure]\nexponents = [1.0, 1.0]\n" } else { "" };
    let text = "name = \"n\"\nbaseline = \"baseline\"\ncandidates = [\"candidate\"]\n[sessions]\npath = \"s\"\n\
                [[retriever]]\nid = \"baseline\"\nstages = [{ kind = \"shown\" }]\n\
                [[retriever]]\nid = \"candidate\"\nstages = [{ kind = \"shown\" }]\n";
    let source = SpecSource::of(Path::new("b.toml"), &format!("{text}{known}"), &[]).expect("a source");
    let plan = Plan::resolve(&source).expect("a plan");
    let plugins = Arc::new(PluginHost::new(HostSettings::default()).expect("a host"));
    let contract = ScoringContract::load(&plan, &plugins).expect("a contract");
    let mut question = Question::new(&plan, &contract, 2);
    question.clicks = Some(Examination { sessions: [1, 0], ..Examination::assumed_curve(&plan.exposure) });
    let mut found = Outcomes::default();
    for seed in seeds {
        let comparison = world.compare(&question, seed, noise);
        match comparison.verdict.outcome {
            VerdictOutcome::Better => found.better += 1,
            VerdictOutcome::Worse => found.worse += 1,
            VerdictOutcome::Inconclusive => {}
        }
        let naive = &comparison.metrics["nDCG@10"];
        if naive.p.is_some_and(|p| p < 0.05) {
            let up = naive.delta > Some(0.0);
            found.naive_better += u32::from(up);
            found.naive_worse += u32::from(!up);
        }
    }
    found
}

/// Noise of an equal, a better and a worse candidate; the true DCG@10 of the better one is 10 % above the baseline's.
const EQUAL: f64 = 0.35;
const BETTER: f64 = 0.28;
const WORSE: f64 = 0.42;

/// Checks what is promised of many worlds; of few, within three standard errors.
fn check(world: &World, seeds: u64) -> [Outcomes; 3] {
    let found = [EQUAL, BETTER, WORSE].map(|noise| outcomes(world, seeds, noise));
    let [equal, better, worse] = &found;
    let slack = |of: f64| if seeds < 200 { 3.0 * (0.05 * 0.95 * of).sqrt() } else { 0.0 };
    let wrong_at_most = |wrong: u32, of: f64| f64::from(wrong) <= 0.05 * of + slack(of);
    assert!(
        wrong_at_most(equal.better + equal.worse, seeds as f64),
        "an equal candidate is called otherwise: {equal:?}"
    );
    let right = |right: u32, wrong: u32| wrong_at_most(wrong, f64::from(right + wrong));
    assert!(right(better.better, better.worse), "{better:?}");
    assert!(right(worse.worse, worse.better), "{worse:?}");
    found
}

#[test]
fn in_a_log_of_the_baselines_own_lists_the_verdict_is_right_where_naive_numbers_condemn_every_candidate() {
    let attention = Attention::Falling(1.0);
    let world = World { logger: Logger::Baseline, attention, known: true, mistakes: 0.0, sessions: 2000 };
    let [equal, better, worse] = check(&world, 40);
    assert!(better.better > 0 && worse.worse > 0, "nothing is decided: {better:?}, {worse:?}");
    assert_eq!((equal.naive_worse, better.naive_worse), (40, 40), "the naive numbers lie in this world");
}

#[test]
fn in_a_log_of_a_third_rankers_lists_with_clicks_by_mistake_the_verdict_is_right() {
    let attention = Attention::Falling(1.0);
    check(&World { logger: Logger::Third, attention, known: true, mistakes: 0.05, sessions: 1000 }, 24);
}

#[test]
fn where_attention_falls_otherwise_than_assumed_an_equal_candidate_is_called_nothing_else() {
    for attention in [Attention::Falling(0.5), Attention::Falling(2.0), Attention::Cascade] {
        for logger in [Logger::Baseline, Logger::Third] {
            check(&World { logger, attention, known: false, mistakes: 0.0, sessions: 1000 }, 16);
        }
    }
}

#[test]
fn a_curve_that_is_wrongly_said_to_be_known_decides_wrongly_which_is_why_it_is_not_taken_for_known() {
    let attention = Attention::Falling(0.5);
    let believed = World { logger: Logger::Baseline, attention, known: true, mistakes: 0.0, sessions: 1000 };
    assert!(outcomes(&believed, 8, EQUAL).better >= 6, "the worlds of the other tests are no trap");
}

/// The table of STATISTICS.md: `cargo test --workspace --lib -- --ignored --nocapture simulated_worlds`.
#[test]
#[ignore = "a study of a quarter of an hour; its numbers stand in STATISTICS.md"]
fn simulated_worlds() {
    println!(
        "| attention | logged by | candidate | better | worse | naive: better | naive: worse |\n|---|---|---|---|---|---|---|"
    );
    let falling = |exponent| Attention::Falling(exponent);
    let worlds = [
        ("1 / rank, and the benchmark says so", falling(1.0), true, 0.0),
        ("1 / rank, said; 5 % of clicks by mistake", falling(1.0), true, 0.05),
        ("1 / rank", falling(1.0), false, 0.0),
        ("1 / rank; 5 % of clicks by mistake", falling(1.0), false, 0.05),
        ("flatter, 1 / rank^0.5", falling(0.5), false, 0.0),
        ("none: every rank alike", falling(0.0), false, 0.0),
        ("steeper, 1 / rank^2", falling(2.0), false, 0.0),
        ("cascade", Attention::Cascade, false, 0.0),
    ];
    for (name, attention, known, mistakes) in worlds {
        for (logger, logged_by) in [(Logger::Baseline, "the baseline"), (Logger::Third, "a third ranker")] {
            let found = check(&World { logger, attention, known, mistakes, sessions: 2000 }, 200);
            for (candidate, found) in ["equal", "better", "worse"].iter().zip(&found) {
                let share = |count: u32| format!("{:.1} %", f64::from(count) / 2.0);
                let Outcomes { better, worse, naive_better, naive_worse } = *found;
                println!(
                    "| {name} | {logged_by} | {candidate} | {} | {} | {} | {} |",
                    share(better),
                    share(worse),
                    share(naive_better),
                    share(naive_worse)
                );
            }
        }
    }
}
