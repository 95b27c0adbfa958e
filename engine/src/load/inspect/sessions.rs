//! Sessions in the session schema.

use std::collections::{HashMap, HashSet, VecDeque};

use super::documents::table_columns;
use super::model::{Check, DUPLICATE_ID, Findings, InspectedColumn, Inspection};
use crate::load::native::{TableReader, table_format};
use crate::load::ubi::{IMPRESSION, is_click};
use crate::load::{LoadError, SessionReader};
use crate::session::Session;

const ITEM_NOT_SHOWN: Check =
    Check::warning("item_not_shown", "interactions with an item that the shown list does not hold");
const CLICK_WITHOUT_IMPRESSION: Check = Check::warning(
    "click_without_impression",
    "clicks on an item without an impression, in sessions that log impressions",
);
const POSITION_BASE_ZERO: Check =
    Check::warning("position_base_zero", "positions that fit the shown list only when counted from 0");
const POSITION_BASE_MIXED: Check = Check::warning(
    "position_base_mixed",
    "positions counted from 0 in a file that also counts from 1; the positions of this file cannot be trusted",
);
const POSITION_CONTRADICTS_SHOWN: Check =
    Check::warning("position_contradicts_shown", "positions that do not fit the shown list");
const SHOWN_TWICE: Check = Check::warning("shown_twice", "items that the shown list of a session holds twice");
const NOTHING_TO_JUDGE_BY: Check =
    Check::warning("nothing_to_judge_by", "sessions without interactions, judgments and expected outcome");

pub(super) fn inspect(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    let path = inspection.path.clone();
    inspection.columns = match table_format(&path)? {
        Some(format) => table_columns(&TableReader::open(&path, format)?),
        None => Vec::new(),
    };
    let mut reader = SessionReader::of_files(VecDeque::from([path]), None);
    let mut seen = Seen::default();
    while let Some(session) = reader.next() {
        let session = session?;
        inspection.rows += 1;
        seen.note(&session, reader.row(), inspection, findings);
    }
    findings.add_dirt(reader.dirt());
    seen.finish(findings);
    if inspection.columns.is_empty() {
        let columns = crate::schema::SESSIONS.fields().iter();
        inspection.columns = columns
            .map(|field| InspectedColumn {
                name: field.name().clone(),
                data_type: field.data_type().to_string(),
                missing: None,
            })
            .collect();
    }
    Ok(())
}

#[derive(Default)]
struct Seen {
    ids: HashSet<String>,
    one_based: u64,
    zero_based: u64,
    zero_based_example: String,
}

impl Seen {
    fn note(&mut self, session: &Session, row: u64, inspection: &mut Inspection, findings: &mut Findings) {
        let id = &session.session_id;
        if !self.ids.insert(id.clone()) {
            findings.add(&DUPLICATE_ID, || format!("row {row}: `{id}`"));
        }
        for (name, count) in [
            ("interactions", session.interactions.len()),
            ("judgments", session.judgments.len()),
            ("sessions with shown items", usize::from(!session.shown.is_empty())),
            ("sessions with interactions", usize::from(!session.interactions.is_empty())),
            ("sessions with judgments", usize::from(!session.judgments.is_empty())),
            ("sessions with expected outcome", usize::from(session.expected.is_some())),
        ] {
            *inspection.counts.entry(name.into()).or_default() += count as u64;
        }
        if session.interactions.is_empty() && session.judgments.is_empty() && session.expected.is_none() {
            findings.add(&NOTHING_TO_JUDGE_BY, || format!("row {row}: `{id}`"));
        }
        for act in &session.interactions {
            *inspection.interactions.entry(act.kind.clone()).or_default() += 1;
        }
        self.note_clicks(session, findings);
        self.note_shown(session, findings);
    }

    fn note_clicks(&self, session: &Session, findings: &mut Findings) {
        let impressions = session.interactions.iter().filter(|act| act.kind == IMPRESSION);
        let seen: HashSet<&str> = impressions.map(|act| act.item_id.as_str()).collect();
        if seen.is_empty() {
            return;
        }
        for act in session.interactions.iter().filter(|act| is_click(&act.kind) && !seen.contains(act.item_id.as_str()))
        {
            findings
                .add(&CLICK_WITHOUT_IMPRESSION, || format!("`{}` in session `{}`", act.item_id, session.session_id));
        }
    }

    fn note_shown(&mut self, session: &Session, findings: &mut Findings) {
        if session.shown.is_empty() {
            return;
        }
        let mut ranks: HashMap<&str, u64> = HashMap::new();
        for (item, rank) in session.shown.iter().zip(1..) {
            if ranks.contains_key(item.item_id.as_str()) {
                findings.add(&SHOWN_TWICE, || format!("`{}` in session `{}`", item.item_id, session.session_id));
            } else {
                ranks.insert(&item.item_id, rank);
            }
        }
        for act in &session.interactions {
            let example = || format!("`{}` in session `{}`", act.item_id, session.session_id);
            match (ranks.get(act.item_id.as_str()), act.position.map(u64::from)) {
                (None, _) => findings.add(&ITEM_NOT_SHOWN, example),
                (Some(_), None) => {}
                (Some(rank), Some(position)) if position == *rank => self.one_based += 1,
                (Some(rank), Some(position)) if position + 1 == *rank => {
                    self.zero_based += 1;
                    if self.zero_based == 1 {
                        self.zero_based_example = example();
                    }
                }
                (Some(_), Some(_)) => findings.add(&POSITION_CONTRADICTS_SHOWN, example),
            }
        }
    }

    fn finish(self, findings: &mut Findings) {
        let check = if self.one_based > 0 { &POSITION_BASE_MIXED } else { &POSITION_BASE_ZERO };
        findings.add_many(check, self.zero_based, || self.zero_based_example);
    }
}
