//! One line about the searches that a candidate lost most.

use rematch_engine::compare::outcome::{LargestChanges, PipelineComparison, SessionChange};
use rematch_engine::report::Report;

use crate::terminal::{WIDTH, visible_within};

/// Searches that are named.
const NAMED: usize = 3;
/// Characters of a session's id, and of the metric's name.
const NAME: usize = 24;

/// Returns the line, with the command that takes the first of them apart where there is one and it fits; `None` where
/// nothing was lost.
pub(super) fn lost_most(report: &Report, comparison: &PipelineComparison) -> Option<String> {
    line(&comparison.largest_changes, comparison.exposure.decides, report.run.primary_is_metric())
}

fn line(changes: &LargestChanges, is_naive: bool, explainable: bool) -> Option<String> {
    let first = changes.losses.first()?;
    let label = match is_naive {
        // Clicks decide, and by them no search has a difference of its own.
        true => format!("lost most naive {}", visible_within(&changes.metric, NAME)),
        false => "lost most".to_owned(),
    };
    let of = |named: usize| {
        let named: Vec<String> = changes.losses.iter().take(named).map(change).collect();
        format!("{label}: {}", named.join(", "))
    };
    let command = format!(" (rematch explain RUN --session {})", first.session_id);
    let command = if explainable && is_one_word(&first.session_id) { command } else { String::new() };
    let with_command = (1..=NAMED).rev().map(|named| of(named) + &command);
    let mut lines = with_command.chain((1..=NAMED).rev().map(of));
    lines.find(|line| line.chars().count() <= usize::from(WIDTH))
}

fn change(change: &SessionChange) -> String {
    format!("{} {}", visible_within(&change.session_id, NAME), delta(change.delta))
}

/// Two decimals, where they say something.
fn delta(delta: f64) -> String {
    match delta.abs() {
        0.005..1e6 => format!("{delta:+.2}"),
        _ => format!("{delta:+.0e}"),
    }
}

/// Whether a shell takes the text for one word and nothing else, and `rematch` for no option.
fn is_one_word(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/@+,%".contains(letter);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(losses: &[(&str, f64)]) -> LargestChanges {
        let loss = |(id, delta): &(&str, f64)| SessionChange {
            session_id: (*id).to_owned(),
            query: None,
            baseline: 1.0,
            candidate: 1.0 + delta,
            delta: *delta,
        };
        LargestChanges { metric: "nDCG@10".to_owned(), losses: losses.iter().map(loss).collect(), gains: Vec::new() }
    }

    #[test]
    fn the_first_search_has_its_command_and_as_many_others_as_fit_stand_before_it() {
        let lost = [("s0042", -0.634), ("s0007", -0.5), ("s0311", -0.43), ("s0001", -0.1)];
        let told = line(&changes(&lost), false, true);
        let two = "lost most: s0042 -0.63, s0007 -0.50 (rematch explain RUN --session s0042)";
        assert_eq!(told.as_deref(), Some(two));
        let short = [("q1", -0.634), ("q2", -0.5), ("q3", -0.43), ("q4", -0.1)];
        let three = "lost most: q1 -0.63, q2 -0.50, q3 -0.43 (rematch explain RUN --session q1)";
        assert_eq!(line(&changes(&short), false, true).as_deref(), Some(three));
        let naive = "lost most naive nDCG@10: s0042 -0.63 (rematch explain RUN --session s0042)";
        assert_eq!(line(&changes(&lost), true, true).as_deref(), Some(naive));
        let scorer = "lost most: s0042 -0.63, s0007 -0.50, s0311 -0.43";
        assert_eq!(line(&changes(&lost), false, false).as_deref(), Some(scorer));
        assert_eq!(line(&changes(&[]), false, true), None);
    }

    #[test]
    fn what_strangers_call_a_session_harms_neither_terminal_nor_shell() {
        for id in ["$(reboot)", "a b", "-x", "", "`id`", "é"] {
            let told = line(&changes(&[(id, -0.5)]), false, true).unwrap();
            assert!(!told.contains("explain"), "{told}");
        }
        let long = "x".repeat(1000);
        for (id, shown) in [("\u{1b}[31m\u{202e}", "\\u{1b}[31m\\u{202e} -1.00"), (long.as_str(), "xxx… -1.00")] {
            let told = line(&changes(&[(id, -1.0), (id, -0.5), (id, -0.25)]), true, true).unwrap();
            assert!(told.chars().count() <= usize::from(WIDTH), "{told}");
            assert!(told.contains(shown) && !told.contains("explain"), "{told:?}");
        }
    }

    #[test]
    fn a_difference_is_short_and_never_looks_like_none() {
        let said = [-0.004, -0.005, -12.5, 1e6, -f64::MAX].map(delta);
        assert_eq!(said, ["-4e-3", "-0.01", "-12.50", "+1e6", "-2e308"]);
    }
}
