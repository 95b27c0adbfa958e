//! How often is it worth resampling unasked?

use crate::benchmark::statistics::Resamples;
use crate::compare::outcome::Resampled;
use crate::compare::verdict::thousands;

/// Numbers of resamples that are chosen from; p is then a multiple of 1/10,000, 1/2,000 or 1/1,000.
const USUAL: [u64; 3] = [9_999, 1_999, 999];

/// What is resampled.
pub(in crate::compare) struct Kind {
    /// The key of `[statistics]` that sets the number.
    key: &'static str,
    /// What a step is made of.
    steps: &'static str,
    /// Steps that are made unasked.
    most: u64,
}

/// The randomisation test; a step takes about 0.15 ns, so that all take 0.15 s of one core.
pub(in crate::compare) const SIGNS: Kind = Kind { key: "resamples", steps: "pairs", most: 1_000_000_000 };

/// The bootstrap; a step takes about 3 ns, so that all take 0.1 s of one core.
pub(in crate::compare) const DRAWS: Kind = Kind { key: "bootstrap", steps: "clusters", most: 30_000_000 };

/// Chooses the number of resamples, of which each takes `steps`, over all measures, nodes and candidates.
pub(in crate::compare) fn choose(kind: &Kind, asked: Resamples, steps: u64, seed: u64) -> Resampled {
    let key = kind.key;
    let affordable = || USUAL.into_iter().find(|resamples| resamples.saturating_mul(steps) <= kind.most);
    let (resamples, note) = match asked {
        Resamples::Exactly(0) => (0, format!("switched off by `statistics.{key} = 0`")),
        _ if steps == 0 => (0, "there is nothing to resample".to_owned()),
        Resamples::Exactly(resamples) => (resamples, format!("as `statistics.{key}` asks for")),
        Resamples::Automatic => match affordable() {
            Some(resamples) => (resamples, format!("as many as are cheap; `statistics.{key}` sets another number")),
            None => (0, too_dear(kind, steps)),
        },
    };
    Resampled { resamples, seed, note }
}

fn too_dear(kind: &Kind, steps: u64) -> String {
    let Kind { key, steps: what, most } = kind;
    format!(
        "not done unasked: 999 resamples of {} {what} (those of all measures, nodes and candidates) are more than {} steps; ask for \
         them with `statistics.{key} = 999`",
        thousands(steps),
        thousands(*most),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_resamples_as_are_cheap_and_else_the_way_to_ask() {
        let chosen = |steps: u64| choose(&SIGNS, Resamples::Automatic, steps, 7);
        assert_eq!(chosen(100_010).resamples, 9_999);
        assert_eq!(chosen(100_011).resamples, 1_999);
        assert_eq!(chosen(1_001_001).resamples, 999);
        let none = chosen(1_001_002);
        assert_eq!((none.resamples, none.seed), (0, 7));
        assert!(none.note.contains("`statistics.resamples = 999`"), "{}", none.note);
        assert_eq!(chosen(u64::MAX).resamples, 0);
    }

    #[test]
    fn what_is_asked_for_is_done_whatever_it_costs() {
        let chosen = |asked: u64, steps: u64| choose(&DRAWS, Resamples::Exactly(asked), steps, 7);
        assert_eq!(chosen(5_000, u64::MAX).resamples, 5_000);
        assert_eq!(chosen(0, 10).note, "switched off by `statistics.bootstrap = 0`");
        assert_eq!(chosen(5_000, 0).resamples, 0);
    }
}
