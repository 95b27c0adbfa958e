//! The rows of `ubi_events`, grouped by `query_id`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use serde_json::Value;

use super::records::{Records, look, plain_text, timestamp};
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::held::Held;
use crate::load::trec::Share;

/// The kind of an event that says that an item was seen.
pub(in crate::load) const IMPRESSION: &str = "impression";

/// What an event takes in memory besides its texts.
const EVENT_BYTES: usize = 240;

/// A row of `ubi_events` that names an object.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) item_id: String,
    pub(super) ordinal: Ordinal,
    pub(super) visit_id: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) timestamp: Option<i64>,
}

/// A logged position, before its base is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::load) enum Ordinal {
    Missing,
    Invalid,
    At(u32),
}

/// The events of each `query_id`, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) by_query: HashMap<String, Vec<Event>>,
    /// Number of events of each `query_id`, those without an object included.
    counts: HashMap<String, u64>,
    without_id: u64,
}

impl Events {
    /// Reads the files, keeping rows of an application (all, where it is `None`) and a share of the ids, and noting the
    /// applications met. What has no id is the first share's.
    pub(super) fn read(
        paths: &[PathBuf],
        (application, share): (Option<&str>, Share),
        applications: &mut BTreeSet<String>,
        held: &mut Held,
        dirt: &mut Dirt,
    ) -> Result<Self, LoadError> {
        let mut events = Self::default();
        let mut said_before = Dirt::default();
        for path in paths {
            let mut records = Records::open(path)?;
            while let Some((_, record)) =
                records.next_record(if share.number == 0 { &mut *dirt } else { &mut said_before })?
            {
                let found = plain_text(&record, "application");
                if application.is_some() && application != found.as_deref() {
                    applications.extend(found);
                    dirt.add_many(DirtKind::OtherApplication, u64::from(share.number == 0));
                    continue;
                }
                applications.extend(found);
                if !share.holds_or_begins(plain_text(&record, "query_id").as_deref()) {
                    continue;
                }
                held.add(path, events.add(&record, dirt))?;
            }
        }
        dirt.add_many(DirtKind::ClickWithoutImpression, events.clicks_without_impression());
        Ok(events)
    }

    /// Returns how many events have no query row.
    pub(super) fn orphans(&self, queries: &HashMap<String, usize>) -> u64 {
        let orphans = self.counts.iter().filter(|(query_id, _)| !queries.contains_key(*query_id));
        self.without_id + orphans.map(|(_, count)| *count).sum::<u64>()
    }

    /// Adds a row, and returns about how much more is held in memory.
    fn add(&mut self, record: &Value, dirt: &mut Dirt) -> usize {
        let query_id = plain_text(record, "query_id");
        match &query_id {
            Some(query_id) => *self.counts.entry(query_id.clone()).or_default() += 1,
            None => self.without_id += 1,
        }
        let id_bytes = query_id.as_ref().map_or(0, |id| 2 * id.len() + 16);
        let Some(action) = plain_text(record, "action_name") else {
            dirt.add(DirtKind::EventWithoutAction);
            return id_bytes;
        };
        let kind = event_kind(&action);
        if contradicts(plain_text(record, "message_type").as_deref(), &kind) {
            dirt.add(DirtKind::MessageTypeContradictsAction);
        }
        let timestamp = timestamp(record, dirt);
        let Some(item_id) = plain_text(record, "event_attributes.object.object_id") else {
            dirt.add(DirtKind::EventWithoutObject);
            return id_bytes;
        };
        let visit = ["session_id", "event_attributes.session_id", "client_id"];
        let Some(query_id) = query_id else { return id_bytes };
        let event = Event {
            kind,
            item_id,
            ordinal: logged_ordinal(record),
            visit_id: visit.into_iter().find_map(|name| plain_text(record, name)),
            client_id: plain_text(record, "client_id"),
            timestamp,
        };
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let bytes = event.kind.len() + event.item_id.len() + text(&event.visit_id) + text(&event.client_id);
        self.by_query.entry(query_id).or_default().push(event);
        id_bytes + bytes + EVENT_BYTES
    }

    fn clicks_without_impression(&self) -> u64 {
        let of_query = |events: &Vec<Event>| {
            let shown: HashSet<&str> =
                events.iter().filter(|event| event.kind == IMPRESSION).map(|event| event.item_id.as_str()).collect();
            events.iter().filter(|event| is_click(&event.kind) && !shown.contains(event.item_id.as_str())).count()
                as u64
        };
        self.by_query.values().map(of_query).sum()
    }
}

/// Returns the interaction kind of an `action_name`: lower case, spaces and hyphens as underscores.
pub(in crate::load) fn event_kind(action: &str) -> String {
    action.trim().to_lowercase().replace([' ', '-'], "_")
}

/// Returns whether the kind is a click on an item: `click`, `item_click`, `product_click`, ...
pub(in crate::load) fn is_click(kind: &str) -> bool {
    kind == "click" || kind.ends_with("_click")
}

/// Returns whether a `message_type` of the UBI specification says something else than the action. Types that say nothing
/// about the action (`INFO`, `WARN`, ...) never do.
pub(in crate::load) fn contradicts(message_type: Option<&str>, kind: &str) -> bool {
    let is_look = kind == IMPRESSION || kind.contains("view");
    match message_type.map(str::to_uppercase).as_deref() {
        Some("IMPRESSION") => !is_look,
        Some("CLICK_THROUGH" | "CLICK") => is_look || kind.contains("search") || kind == "purchase",
        Some("CONVERSION" | "PURCHASE") => is_look || is_click(kind) || kind.contains("search"),
        Some("QUERY") => is_look || is_click(kind) || kind == "purchase" || kind == "add_to_cart",
        _ => false,
    }
}

/// Returns the position that an event logs.
pub(in crate::load) fn logged_ordinal(record: &Value) -> Ordinal {
    ordinal(look(record, "event_attributes.position.ordinal"))
}

fn ordinal(value: Option<&Value>) -> Ordinal {
    let number = match value {
        None => return Ordinal::Missing,
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    match number {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        Some(number) if number.fract() == 0.0 && (0.0..f64::from(u32::MAX)).contains(&number) => {
            Ordinal::At(number as u32)
        }
        _ => Ordinal::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn action_names_become_kinds() {
        for (action, kind) in [
            ("Add To-Cart", "add_to_cart"),
            ("CLICK", "click"),
            ("item_click", "item_click"),
            (" purchase ", "purchase"),
        ] {
            assert_eq!(event_kind(action), kind);
        }
    }

    #[test]
    fn ordinals_are_whole_numbers_from_zero() {
        for (value, expected) in [
            (json!(3), Ordinal::At(3)),
            (json!(3.0), Ordinal::At(3)),
            (json!("3"), Ordinal::At(3)),
            (json!(0), Ordinal::At(0)),
            (json!(-1), Ordinal::Invalid),
            (json!(1.5), Ordinal::Invalid),
            (json!("third"), Ordinal::Invalid),
            (json!(1e300), Ordinal::Invalid),
            (json!([]), Ordinal::Invalid),
        ] {
            assert_eq!(ordinal(Some(&value)), expected, "{value}");
        }
        assert_eq!(ordinal(None), Ordinal::Missing);
    }

    #[test]
    fn message_types_that_contradict_the_action_are_told() {
        assert!(contradicts(Some("IMPRESSION"), "click"));
        assert!(!contradicts(Some("IMPRESSION"), "impression"));
        assert!(!contradicts(Some("CLICK_THROUGH"), "click"));
        assert!(!contradicts(Some("CONVERSION"), "add_to_cart"));
        assert!(contradicts(Some("CONVERSION"), "impression"));
        assert!(!contradicts(Some("INFO"), "item_click"));
        assert!(!contradicts(None, "click"));
    }
}
