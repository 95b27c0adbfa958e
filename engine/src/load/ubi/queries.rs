//! The rows of `ubi_queries`, one kept per `query_id`.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use serde_json::Value;

use super::records::{Records, look, plain_text, timestamp};
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::held::Held;
use crate::load::trec::Share;

/// A row of `ubi_queries`.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) query_id: String,
    pub(super) client_id: Option<String>,
    pub(super) text: Option<String>,
    pub(super) attributes: Option<String>,
    pub(super) served: Vec<String>,
    pub(super) timestamp: Option<i64>,
}

impl Query {
    /// Returns about how much it takes in memory, with its place in the map.
    fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let served: usize = self.served.iter().map(|id| id.len() + 56).sum();
        2 * self.query_id.len() + text(&self.client_id) + text(&self.text) + text(&self.attributes) + served + 480
    }
}

/// The queries in order of first appearance, and where each id stands.
#[derive(Debug, Default)]
pub(super) struct Queries {
    pub(super) rows: Vec<Query>,
    pub(super) positions: HashMap<String, usize>,
}

impl Queries {
    /// Reads the files, keeping rows of an application (all, where it is `None`) and a share of the ids, and noting the
    /// applications met. What has no id is the first share's.
    pub(super) fn read(
        paths: &[PathBuf],
        (application, share): (Option<&str>, Share),
        applications: &mut BTreeSet<String>,
        held: &mut Held,
        dirt: &mut Dirt,
    ) -> Result<Self, LoadError> {
        let mut queries = Self::default();
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
                match query(&record, dirt) {
                    Some(query) => {
                        held.add(path, query.bytes())?;
                        queries.add(query, dirt);
                    }
                    None => dirt.add(DirtKind::QueryWithoutId),
                }
            }
        }
        let empty = queries.rows.iter().filter(|query| query.text.is_none()).count();
        dirt.add_many(DirtKind::EmptyQuery, empty as u64);
        Ok(queries)
    }

    fn add(&mut self, query: Query, dirt: &mut Dirt) {
        let known = self.positions.get(&query.query_id).and_then(|position| self.rows.get_mut(*position));
        let Some(known) = known else {
            self.positions.insert(query.query_id.clone(), self.rows.len());
            self.rows.push(query);
            return;
        };
        dirt.add(DirtKind::DuplicateQueryId);
        if known.text != query.text {
            dirt.add(DirtKind::DuplicateQueryIdOtherText);
        }
        if known.served.is_empty() && !query.served.is_empty() {
            dirt.add(DirtKind::LaterQueryRowKept);
            *known = query;
        }
    }
}

fn query(record: &Value, dirt: &mut Dirt) -> Option<Query> {
    Some(Query {
        query_id: plain_text(record, "query_id")?,
        client_id: plain_text(record, "client_id"),
        text: plain_text(record, "user_query"),
        attributes: look(record, "query_attributes").and_then(attributes),
        served: look(record, "query_response_hit_ids").map(served).unwrap_or_default(),
        timestamp: timestamp(record, dirt),
    })
}

/// Attributes are an object, or JSON text in a table that has no column type for them.
fn attributes(value: &Value) -> Option<String> {
    let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner) if inner.is_null() || is_empty(&inner) => None,
            Ok(_) => Some(text.clone()),
            Err(_) if text.trim().is_empty() => None,
            Err(_) => Some(value.to_string()),
        },
        value if is_empty(value) => None,
        value => Some(value.to_string()),
    }
}

fn served(value: &Value) -> Vec<String> {
    let id = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    value.as_array().into_iter().flatten().filter_map(id).collect()
}
