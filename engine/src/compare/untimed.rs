//! Why is the latency of a retriever not known? Whoever says so (the summary, a gate) says it in these words.

use std::fmt;

use super::outcome::StageSummary;

/// Why no answer of a retriever was timed. It prints as what follows `no latency of ...` in brackets, and is short: the summary has few
/// lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untimed {
    /// They were kept from an earlier run.
    Kept,
    /// They came many at once.
    Batched,
    /// All of them took more than one attempt.
    Retried,
    /// Nothing was asked for them.
    LookedUp,
    /// None came from a first attempt, for several reasons.
    NotAtFirst,
}

impl Untimed {
    /// Tells it by what the retriever's stages did.
    #[must_use]
    pub fn of(stages: &[StageSummary]) -> Self {
        let any = |count: fn(&StageSummary) -> u64| stages.iter().any(|stage| count(stage) > 0);
        if any(|stage| stage.cached) {
            Self::Kept
        } else if any(|stage| stage.batched) {
            Self::Batched
        } else if any(|stage| stage.retried) {
            Self::Retried
        } else if !any(|stage| stage.attempts) {
            Self::LookedUp
        } else {
            Self::NotAtFirst
        }
    }
}

impl fmt::Display for Untimed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kept => "answers came from the cache; `--no-cache` times them anew",
            Self::Batched => "answers came many at once, without times of their own",
            Self::Retried => "every answer took several attempts; only first ones are timed",
            Self::LookedUp => "answers were looked up, not asked for",
            Self::NotAtFirst => "no answer came from a first attempt of this run",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_stages_did_says_why_nothing_was_timed() {
        let of = |stage: StageSummary| Untimed::of(&[StageSummary::default(), stage]);
        let asked = || StageSummary { attempts: 9, ..StageSummary::default() };
        assert_eq!(of(StageSummary::default()), Untimed::LookedUp);
        assert_eq!(of(asked()), Untimed::NotAtFirst);
        assert_eq!(of(StageSummary { retried: 4, ..asked() }), Untimed::Retried);
        assert_eq!(of(StageSummary { batched: 9, ..asked() }), Untimed::Batched);
        assert_eq!(of(StageSummary { cached: 9, ..asked() }), Untimed::Kept);
        assert!(Untimed::Kept.to_string().contains("`--no-cache`"));
    }
}
