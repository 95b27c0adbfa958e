//! The documents of a search: which of them pass a filter, and in which collection each stands.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{BufWriter, Write};
use std::path::Path;

use datafusion::arrow::array::RecordBatch;
use rematch_engine::benchmark::CorpusPlan;
use rematch_engine::benchmark::stages::{FilterHitsPlan, StageKind, UnknownHits};
use rematch_engine::load::documents::TypedCorpus;
use rematch_engine::load::{DocumentReader, LoadError};
use serde_json::{Map, Value};

use super::inspect::in_full;
use super::{Failure, Task, json_of};
use crate::filters::{Condition, Predicate, column_of};

/// The kind of failure of filters that make no sense of the documents.
pub(crate) const INVALID_FILTERS: &str = "invalid_filters";

/// The name under which every document's identifier may be asked for.
const DOCUMENT_ID: &str = "document_id";

/// The file of the documents that pass.
const PASSING: &str = "passing.jsonl";

/// The collections of a search. Where a document stands in several, the first one counts.
pub(super) struct Documents(Vec<CorpusPlan>);

/// Documents by their identifiers, with the place of their collection.
pub(super) type Places = HashMap<String, usize>;

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::new("invalid_collection", in_full(&error))
    }
}

impl Documents {
    /// Returns the documents of some sections `corpus`, in the order in which they are given.
    pub(super) fn of(task: &Task, collections: &[(String, Value)]) -> Result<Self, Failure> {
        Ok(Self(collections.iter().map(|collection| plan(task, collection)).collect::<Result<_, Failure>>()?))
    }

    /// As [`Self::of`], without those that may not be read; their names come second.
    pub(super) fn allowed(task: &Task, collections: &[(String, Value)]) -> (Self, Vec<String>) {
        let (mut allowed, mut refused) = (Vec::new(), Vec::new());
        for collection in collections {
            match plan(task, collection) {
                Ok(plan) => allowed.push(plan),
                Err(_) => refused.push(collection.0.clone()),
            }
        }
        (Self(allowed), refused)
    }

    /// Returns the name of the collection at a place.
    pub(super) fn name(&self, place: usize) -> Option<String> {
        Some(self.0.get(place)?.name.clone())
    }

    /// Returns where each of these documents stands, and the names of collections that cannot be read.
    pub(super) fn places(&self, ids: &HashSet<&str>) -> (Places, Vec<String>) {
        let (mut places, mut unread) = (Places::new(), Vec::new());
        for (place, corpus) in self.0.iter().enumerate() {
            if places.len() == ids.len() {
                break;
            }
            if place_all(corpus, place, ids, &mut places).is_err() {
                unread.push(corpus.name.clone());
            }
        }
        (places, unread)
    }

    /// Returns the documents of which a condition holds, in whatever collection: every document is looked at.
    pub(super) fn passing(&self, condition: &Condition) -> Result<Places, Failure> {
        let predicate = Predicate::of(condition).map_err(|error| Failure::new(INVALID_FILTERS, error.message))?;
        let corpora = self.0.iter().map(TypedCorpus::open).collect::<Result<Vec<_>, _>>()?;
        check_fields(&predicate, &corpora)?;
        let mut places = Places::new();
        for (place, (corpus, plan)) in corpora.iter().zip(&self.0).enumerate() {
            let is_column = |name: &str| corpus.schema().column_with_name(name).is_some();
            let columns: BTreeSet<String> = predicate
                .fields()
                .into_iter()
                .filter_map(|field| column_of(field, is_column))
                .filter(|column| *column != plan.id)
                .map(ToOwned::to_owned)
                .collect();
            corpus.read::<Failure>(&columns, |ids, batch| {
                for (id, mut document) in ids.iter().zip(rows(batch)?) {
                    let Some(id) = id else { continue };
                    document.entry(DOCUMENT_ID).or_insert_with(|| Value::from(id));
                    if predicate.holds(&document) {
                        places.entry(id.to_owned()).or_insert(place);
                    }
                }
                Ok(())
            })?;
        }
        Ok(places)
    }
}

/// Returns the plan of a section `corpus` whose files lie in the organisation's folder.
fn plan(task: &Task, (name, section): &(String, Value)) -> Result<CorpusPlan, Failure> {
    let text = |key: &str| section.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let plan = CorpusPlan { name: name.clone(), path: text("path").into(), id: text("id") };
    let checked = rematch_engine::benchmark::check_below(&plan.path, &task.root);
    checked.map_err(|error| Failure::new("invalid_collection", error))?;
    Ok(plan)
}

/// Adds those of these documents that stand in a collection and in none before it.
fn place_all(corpus: &CorpusPlan, place: usize, ids: &HashSet<&str>, places: &mut Places) -> Result<(), Failure> {
    for document in DocumentReader::open(corpus, &[])? {
        let id = document?.id;
        if ids.contains(id.as_str()) {
            places.entry(id).or_insert(place);
        }
        if places.len() == ids.len() {
            break;
        }
    }
    Ok(())
}

/// Returns the stage that lets these documents pass and no others.
pub(super) fn gate(scratch: &Path, passing: &Places) -> Result<StageKind, Failure> {
    let path = scratch.join(PASSING);
    let written = write_passing(&path, passing);
    written.map_err(|error| Failure::new("internal", error))?;
    Ok(StageKind::Filter(FilterHitsPlan {
        corpus: CorpusPlan { name: "documents that pass".to_owned(), path, id: "id".to_owned() },
        predicate: "passes".to_owned(),
        unknown: UnknownHits::Drop,
    }))
}

fn write_passing(path: &Path, passing: &Places) -> std::io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for id in passing.keys() {
        writeln!(file, "{}", serde_json::json!({ "id": id, "passes": true }))?;
    }
    if passing.is_empty() {
        // A corpus has one document at least.
        writeln!(file, "{{\"id\": \"-\", \"passes\": false}}")?;
    }
    file.flush()
}

/// A field that no collection has is a mistake; one that some have not is null there.
fn check_fields(predicate: &Predicate, corpora: &[TypedCorpus]) -> Result<(), Failure> {
    let mut known: BTreeSet<&str> =
        corpora.iter().flat_map(|corpus| corpus.schema().fields()).map(|field| field.name().as_str()).collect();
    known.insert(DOCUMENT_ID);
    for field in predicate.fields() {
        if column_of(field, |name| known.contains(name)).is_none() {
            let names: Vec<&str> = known.iter().copied().collect();
            let message = format!(
                "no document of these collections has a field `{field}`; expected one of `{}`",
                names.join("`, `")
            );
            return Err(Failure::new(INVALID_FILTERS, message));
        }
    }
    Ok(())
}

fn rows(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, Failure> {
    let written = json_of(batch).map_err(|error| Failure::new("invalid_collection", error.strip_backtrace()))?;
    serde_json::from_slice(&written).map_err(|error| Failure::new("internal", error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn documents(folder: &Path, files: &[(&str, &str)]) -> Documents {
        let plan = |(name, content): &(&str, &str)| {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap();
            CorpusPlan { name: (*name).to_owned(), path, id: "id".to_owned() }
        };
        Documents(files.iter().map(plan).collect())
    }

    fn passing(documents: &Documents, filters: Value) -> Result<Vec<(String, usize)>, String> {
        let condition = Condition::parse(filters.as_object().unwrap()).unwrap();
        let found = documents.passing(&condition).map_err(|failure| failure.message)?;
        let mut found: Vec<(String, usize)> = found.into_iter().collect();
        found.sort();
        Ok(found)
    }

    const LAMPS: &str =
        "{\"id\": 7, \"price\": 5, \"at\": {\"lat\": 52.5, \"lon\": 13.4}}\n{\"id\": \"b\", \"price\": 50}\n";
    const BAGS: &str = "id,price,brand\nc,7,Acme\nb,1,Other\n";

    #[test]
    fn every_collection_is_looked_at_and_what_one_does_not_have_is_null_there() {
        let folder = tempfile::tempdir().unwrap();
        let documents = documents(folder.path(), &[("lamps.jsonl", LAMPS), ("bags.csv", BAGS)]);
        let found = |filters| passing(&documents, filters).unwrap();
        let cheap = json!({ "field": "price", "operator": "lt", "value": 10 });
        // The `b` of the lamps is dear, that of the bags is not.
        let expected = [("7", 0), ("b", 1), ("c", 1)].map(|(id, place)| (id.to_owned(), place));
        assert_eq!(found(cheap), expected);
        assert_eq!(found(json!({ "field": "brand", "value": "acme" })), [("c".to_owned(), 1)]);
        assert_eq!(found(json!({ "field": "document_id", "value": "7" })), [("7".to_owned(), 0)]);
        let near = json!({ "center": { "lat": 52.5, "lon": 13.4 }, "radius": 10 });
        assert_eq!(found(json!({ "field": "at", "operator": "geo_radius", "value": near })), [("7".to_owned(), 0)]);
        assert_eq!(found(json!({ "field": "at.lat", "operator": "gt", "value": 50 })), [("7".to_owned(), 0)]);
        let told = passing(&documents, json!({ "field": "colour", "value": 1 })).unwrap_err();
        assert!(told.contains("`colour`; expected one of `at`, `brand`, `document_id`, `id`, `price`"), "{told}");
    }

    #[test]
    fn hits_are_found_in_the_first_collection_that_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let documents = documents(folder.path(), &[("lamps.jsonl", LAMPS), ("bags.csv", BAGS)]);
        let (places, unread) = documents.places(&["b", "c", "nobody"].into());
        assert!(unread.is_empty());
        assert_eq!((places.get("b"), places.get("c"), places.len()), (Some(&0), Some(&1), 2));
        assert_eq!(documents.name(1).as_deref(), Some("bags.csv"));
    }

    #[test]
    fn hits_are_found_where_another_collection_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let documents = documents(folder.path(), &[("lamps.jsonl", LAMPS), ("bags.csv", BAGS)]);
        std::fs::remove_file(folder.path().join("lamps.jsonl")).unwrap();
        let (places, unread) = documents.places(&["7", "c"].into());
        assert_eq!((places.get("c"), places.len()), (Some(&1), 1));
        assert_eq!(unread, ["lamps.jsonl"]);
    }

    #[test]
    fn a_gate_is_there_even_where_nothing_passes() {
        let folder = tempfile::tempdir().unwrap();
        gate(folder.path(), &Places::new()).unwrap();
        assert!(std::fs::read_to_string(folder.path().join(PASSING)).unwrap().contains("false"));
    }
}
