//! TREC runs: `topic Q0 item rank score tag`, columns separated by spaces or tabs; what follows is ignored, as by trec_eval.

use std::path::Path;

use super::{Entry, HitOrder, Recording};
use crate::load::LoadError;
use crate::load::files::Lines;

/// Reads a run; blank lines are skipped.
pub(super) fn read(path: &Path, recording: &mut Recording<'_>) -> Result<(), LoadError> {
    let mut lines = Lines::open(path)?;
    while let Some((number, line)) = lines.next_line()? {
        let mut columns = line.split_ascii_whitespace();
        let mut next = || columns.next();
        let six = (next(), next(), next(), next(), next(), next());
        let (Some(topic), Some(_), Some(item), Some(rank), Some(score), Some(tag)) = six else {
            let found = line.split_ascii_whitespace().count();
            if found == 0 {
                continue;
            }
            let reason = format!("{found} columns, expected 6: `topic Q0 item rank score tag`");
            return Err(recording.row_error(number, reason));
        };
        if recording.wants(tag) {
            let invalid = |what, text| recording.row_error(number, format!("{what} `{text}`, expected a number"));
            let score = match recording.order {
                HitOrder::Strict | HitOrder::TrecEval => Some(score.parse().map_err(|_| invalid("score", score))?),
                HitOrder::Rank => None,
            };
            let rank = match recording.order {
                HitOrder::Strict | HitOrder::Rank => rank.parse().map_err(|_| invalid("rank", rank))?,
                HitOrder::TrecEval => 0,
            };
            recording.push(topic, Entry { item_id: item.to_owned(), rank, score, row: number })?;
        }
    }
    Ok(())
}
