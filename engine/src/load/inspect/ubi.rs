//! The two files of OpenSearch User Behavior Insights, each for itself.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::columns::JsonColumns;
use super::model::{Check, EMPTY_TEXT, Findings, Inspection};
use crate::load::LoadError;
use crate::load::dirt::Dirt;
use crate::load::instant::InstantShape;
use crate::load::ubi::{
    IMPRESSION, Ordinal, Records, contradicts, event_kind, is_click, logged_ordinal, look, plain_text, ubi_instant,
};

const SEVERAL_APPLICATIONS: Check = Check::warning(
    "several_applications",
    "applications beyond the first; they must not be mixed, choose one with `application`",
);
const TIMESTAMP_SHAPES: Check = Check::note("timestamp_shapes", "ways to write times beyond the first");
const UNPARSABLE_TIMESTAMP: Check = Check::warning("unparsable_timestamp", "times that cannot be read");
const TIMESTAMP_WITHOUT_ZONE: Check =
    Check::warning("timestamp_without_zone", "times without a zone; they are taken as UTC");
const DUPLICATE_QUERY_ID: Check =
    Check::warning("duplicate_query_id", "rows that repeat a `query_id`; one row of each id is kept");
const MISSING_QUERY_ID: Check = Check::warning("missing_query_id", "rows without a `query_id`; they are left out");
const NO_SERVED_ITEMS: Check =
    Check::note("no_served_items", "queries that list no served items; what was shown is taken from the impressions");
const EVENT_WITHOUT_OBJECT: Check =
    Check::note("event_without_object", "events that name no object; they are not interactions");
const EVENT_WITHOUT_ACTION: Check = Check::warning("event_without_action", "events without an `action_name`");
const CLICK_WITHOUT_IMPRESSION: Check =
    Check::warning("click_without_impression", "clicks on an item that has no impression under the same `query_id`");
const MESSAGE_TYPE: Check = Check::warning(
    "message_type_contradicts_action",
    "events whose `message_type` says something else than their `action_name`, which is believed",
);
const POSITION_ZERO: Check = Check::warning(
    "position_zero",
    "positions of 0: the application counts from 0, or from 0 and from 1; the served lists decide when it is read",
);
const POSITION_INVALID: Check = Check::warning("position_invalid", "positions that are no whole number of 0 or more");

pub(super) fn inspect_queries(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    let mut ids = HashSet::new();
    let mut served = Vec::new();
    each_record(inspection, findings, |record, row, findings| {
        let has_served =
            look(record, "query_response_hit_ids").and_then(Value::as_array).is_some_and(|ids| !ids.is_empty());
        served.push(has_served);
        if plain_text(record, "user_query").is_none() {
            findings.add(&EMPTY_TEXT, || format!("row {row}"));
        }
        match plain_text(record, "query_id") {
            None => findings.add(&MISSING_QUERY_ID, || format!("row {row}")),
            Some(id) => {
                if ids.contains(&id) {
                    findings.add(&DUPLICATE_QUERY_ID, || format!("row {row}: `{id}`"));
                }
                ids.insert(id);
            }
        }
    })?;
    let without = served.iter().filter(|served| !**served).count() as u64;
    findings.add_many(&NO_SERVED_ITEMS, without, || format!("{without} of {} rows", served.len()));
    inspection.counts.insert("queries".into(), ids.len() as u64);
    Ok(())
}

pub(super) fn inspect_events(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut impressions: HashSet<(String, String)> = HashSet::new();
    let mut clicks: Vec<(String, String)> = Vec::new();
    each_record(inspection, findings, |record, row, findings| {
        let query_id = plain_text(record, "query_id");
        if query_id.is_none() {
            findings.add(&MISSING_QUERY_ID, || format!("row {row}"));
        }
        let Some(action) = plain_text(record, "action_name") else {
            findings.add(&EVENT_WITHOUT_ACTION, || format!("row {row}"));
            return;
        };
        let kind = event_kind(&action);
        *kinds.entry(kind.clone()).or_default() += 1;
        let message_type = plain_text(record, "message_type");
        if contradicts(message_type.as_deref(), &kind) {
            findings.add(&MESSAGE_TYPE, || format!("row {row}: {} for {action}", message_type.unwrap_or_default()));
        }
        let application = || plain_text(record, "application").unwrap_or_else(|| "none".into());
        match logged_ordinal(record) {
            Ordinal::At(0) => findings.add(&POSITION_ZERO, || format!("row {row}: application `{}`", application())),
            Ordinal::Invalid => {
                findings.add(&POSITION_INVALID, || format!("row {row}: application `{}`", application()))
            }
            Ordinal::At(_) | Ordinal::Missing => {}
        }
        let Some(object) = plain_text(record, "event_attributes.object.object_id") else {
            findings.add(&EVENT_WITHOUT_OBJECT, || format!("row {row}: {action}"));
            return;
        };
        let Some(query_id) = query_id else { return };
        if kind == IMPRESSION {
            impressions.insert((query_id, object));
        } else if is_click(&kind) {
            clicks.push((query_id, object));
        }
    })?;
    for click in clicks.iter().filter(|click| !impressions.contains(*click)) {
        findings.add(&CLICK_WITHOUT_IMPRESSION, || format!("`{}` under query `{}`", click.1, click.0));
    }
    inspection.interactions = kinds;
    Ok(())
}

/// Reads all rows, counting what both files share.
fn each_record(
    inspection: &mut Inspection,
    findings: &mut Findings,
    mut note: impl FnMut(&Value, u64, &mut Findings),
) -> Result<(), LoadError> {
    let mut columns = JsonColumns::default();
    let mut shapes: BTreeMap<InstantShape, u64> = BTreeMap::new();
    let mut dirt = Dirt::default();
    let mut records = Records::open(&inspection.path)?;
    while let Some((row, record)) = records.next_record(&mut dirt)? {
        inspection.rows += 1;
        columns.note(&record);
        if let Some(application) = plain_text(&record, "application") {
            *inspection.applications.entry(application).or_default() += 1;
        }
        match ubi_instant(&record, "timestamp") {
            Ok(Some((_, shape))) => *shapes.entry(shape).or_default() += 1,
            Ok(None) => {}
            Err(()) => findings.add(&UNPARSABLE_TIMESTAMP, || {
                format!("row {row}: {}", look(&record, "timestamp").unwrap_or(&Value::Null))
            }),
        }
        note(&record, row, findings);
    }
    inspection.columns = columns.finish();
    findings.add_dirt(&dirt);
    let names: Vec<&str> = inspection.applications.keys().map(String::as_str).collect();
    findings.add_many(&SEVERAL_APPLICATIONS, names.len().saturating_sub(1) as u64, || names.join(", "));
    let without_zone = shapes.get(&InstantShape::NoZone).copied().unwrap_or_default();
    findings.add_many(&TIMESTAMP_WITHOUT_ZONE, without_zone, || InstantShape::NoZone.example().into());
    let listed: Vec<String> = shapes.iter().map(|(shape, count)| format!("{count} as `{}`", shape.example())).collect();
    findings.add_many(&TIMESTAMP_SHAPES, shapes.len().saturating_sub(1) as u64, || listed.join(", "));
    Ok(())
}
