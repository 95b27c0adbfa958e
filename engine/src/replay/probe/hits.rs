//! Which list of an answer are the hits, and what in it are ids and scores?

use std::cmp::Reverse;
use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use super::path::Path;

/// Where the hits of an answer seem to stand, and what is found there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HitPaths {
    /// JSONPath of the ids.
    pub ids: String,
    /// JSONPath of the scores; `None` where no member looks like one.
    pub scores: Option<String>,
    /// Whether the scores grow down the list, as distances do.
    pub lower_is_better: bool,
    /// The ids found, in the answer's order.
    pub found_ids: Vec<String>,
    /// The scores found, as many as ids; empty where there are none.
    pub found_scores: Vec<f64>,
}

/// Steps down from the root that are looked at.
const DEEPEST: usize = 12;
/// Steps down from a hit to its id or score.
const DEEPEST_MEMBER: usize = 3;

/// Returns the list that most looks like hits: its elements have distinct ids, and scores if possible. `None` where no
/// list has an id that tells its elements apart, as in an empty answer.
#[must_use]
pub fn propose_hits(answer: &Value) -> Option<HitPaths> {
    let mut candidates = Vec::new();
    collect(answer, &Path::default(), None, &mut candidates);
    // The first of the best, in document order.
    candidates.into_iter().min_by_key(Candidate::rank).map(Candidate::into_paths)
}

/// A list that could be the hits.
struct Candidate {
    ids: Column,
    scores: Option<Column>,
}

/// One value per hit.
struct Column {
    path: Path,
    name: String,
    /// 0 is the surest name.
    rank: u8,
    values: Vec<Value>,
}

impl Candidate {
    fn rank(&self) -> (bool, u8, u8, Reverse<usize>, usize) {
        let score_rank = self.scores.as_ref().map_or(u8::MAX, |scores| scores.rank);
        let count = self.ids.values.len();
        (self.scores.is_none(), self.ids.rank, score_rank, Reverse(count), self.ids.path.depth())
    }

    fn into_paths(self) -> HitPaths {
        let found_scores: Vec<f64> = self.scores.iter().flat_map(|column| &column.values).filter_map(number).collect();
        let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        HitPaths {
            ids: self.ids.path.to_string(),
            lower_is_better: self.scores.as_ref().is_some_and(|column| grows(&column.name, &found_scores)),
            scores: self.scores.map(|column| column.path.to_string()),
            found_ids: self.ids.values.iter().map(text).collect(),
            found_scores,
        }
    }
}

fn collect(value: &Value, path: &Path, columns: Option<&Value>, candidates: &mut Vec<Candidate>) {
    if path.depth() > DEEPEST {
        return;
    }
    match value {
        Value::Array(elements) => {
            candidates.extend(in_list(elements, path, columns));
            // A list of one is often an envelope.
            if let [only] = elements.as_slice() {
                collect(only, &path.index(0), None, candidates);
            }
        }
        Value::Object(members) => {
            candidates.extend(in_parallel_lists(members, path));
            for (name, member) in members {
                collect(member, &path.member(name), members.get("columns"), candidates);
            }
        }
        _ => {}
    }
}

fn in_list(elements: &[Value], path: &Path, columns: Option<&Value>) -> Option<Candidate> {
    match elements.first()? {
        Value::Object(_) => in_objects(elements, path),
        Value::Array(_) => in_rows(elements, path, columns),
        _ => {
            let ids = Column {
                path: path.each(),
                name: String::new(),
                // The only thing that a list of texts can say.
                rank: UNNAMED + 1,
                values: elements.to_vec(),
            };
            ids.tells_apart().then_some(Candidate { ids, scores: None })
        }
    }
}

/// A list of objects: `[{"id": "a", "score": 1.5}, ...]`.
fn in_objects(elements: &[Value], path: &Path) -> Option<Candidate> {
    let mut names = Vec::new();
    scalar_members(elements.first()?, &mut Vec::new(), &mut names);
    let columns: Vec<Column> = names.iter().filter_map(|names| column(elements, path, names)).collect();
    best(columns)
}

fn scalar_members(value: &Value, names: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Value::Object(members) = value else { return };
    for (name, member) in members {
        names.push(name.clone());
        match member {
            Value::Object(_) if names.len() < DEEPEST_MEMBER => scalar_members(member, names, found),
            Value::Object(_) | Value::Array(_) => {}
            _ => found.push(names.clone()),
        }
        names.pop();
    }
}

fn column(elements: &[Value], path: &Path, names: &[String]) -> Option<Column> {
    let value = |element: &Value| names.iter().try_fold(element, |value, name| value.get(name)).cloned();
    let values: Option<Vec<Value>> = elements.iter().map(value).collect();
    let name = names.last()?.clone();
    Some(Column { path: path.each().members(names), name, rank: UNNAMED, values: values? })
}

/// A list of rows: `[["a", 1.5], ...]`, with the names of its columns beside it where the answer gives them.
fn in_rows(elements: &[Value], path: &Path, columns: Option<&Value>) -> Option<Candidate> {
    let width = elements.first()?.as_array()?.len();
    let name = |index: usize| {
        let named = columns.and_then(|columns| columns.get(index));
        let name = named.and_then(|column| column.as_str().or_else(|| column.get("name")?.as_str()));
        name.unwrap_or_default().to_owned()
    };
    let column = |index: usize| {
        let values: Option<Vec<Value>> = elements.iter().map(|row| row.get(index).cloned()).collect();
        Some(Column { path: path.each().index(index), name: name(index), rank: UNNAMED, values: values? })
    };
    best((0..width).filter_map(column).collect())
}

/// Lists side by side: `{"ids": [["a", "b"]], "distances": [[0.1, 0.2]]}`, each perhaps in a list of one.
fn in_parallel_lists(members: &serde_json::Map<String, Value>, path: &Path) -> Option<Candidate> {
    let list = |(name, member): (&String, &Value)| {
        let (values, path) = match member.as_array()?.as_slice() {
            [Value::Array(values)] => (values.clone(), path.member(name).index(0)),
            values => (values.to_vec(), path.member(name)),
        };
        let singular = name.strip_suffix('s').unwrap_or(name).to_owned();
        Some(Column { path: path.each(), name: singular, rank: UNNAMED, values })
    };
    let columns: Vec<Column> = members.iter().filter_map(list).collect();
    let candidate = best(columns)?;
    let scores = candidate.scores.as_ref()?;
    // Only names can say that two lists belong together.
    (candidate.ids.rank < UNNAMED && scores.rank < UNNAMED && scores.values.len() == candidate.ids.values.len())
        .then_some(candidate)
}

/// Returns the columns with the surest names as ids and scores.
fn best(columns: Vec<Column>) -> Option<Candidate> {
    let (mut ids, mut scores): (Option<Column>, Option<Column>) = (None, None);
    let surer = |column: &Column, than: &Option<Column>| {
        than.as_ref().is_none_or(|than| (column.rank, column.path.depth()) < (than.rank, than.path.depth()))
    };
    for mut column in columns {
        if column.values.is_empty() {
            continue;
        }
        if let Some(rank) = score_rank(&column) {
            column.rank = rank;
            if surer(&column, &scores) {
                scores = Some(column);
            }
        } else if column.tells_apart() {
            column.rank = id_rank(&column.name);
            if surer(&column, &ids) {
                ids = Some(column);
            }
        }
    }
    Some(Candidate { ids: ids?, scores })
}

impl Column {
    /// Whether every value is an id, and no two are alike.
    fn tells_apart(&self) -> bool {
        let mut seen = HashSet::new();
        self.values.iter().all(|value| {
            let is_id = value.as_str().is_some_and(|text| !text.is_empty()) || value.is_i64() || value.is_u64();
            is_id && seen.insert(value.to_string())
        })
    }
}

/// The rank of what no name speaks for.
const UNNAMED: u8 = 9;

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

fn id_rank(name: &str) -> u8 {
    match plain(name).as_str() {
        "id" => 0,
        "docid" | "documentid" | "docno" | "itemid" | "productid" | "objectid" | "key" | "sku" | "uuid" | "asin" => 1,
        other if other.ends_with("id") => 2,
        "url" | "uri" | "slug" | "handle" | "name" => 3,
        _ => UNNAMED,
    }
}

/// Returns how surely a column is scores; `None` where it cannot be.
fn score_rank(column: &Column) -> Option<u8> {
    let numbers: Vec<f64> = column.values.iter().filter_map(number).collect();
    if numbers.len() != column.values.len() {
        return None;
    }
    let name = plain(&column.name);
    match name.as_str() {
        "score" | "relevance" | "distance" | "similarity" | "textmatch" | "certainty" | "bm25" => Some(0),
        other if other.contains("score") || other.contains("distance") || other.contains("similarity") => Some(1),
        "rank" | "position" | "index" => None,
        _ if id_rank(&name) < UNNAMED => None,
        // Fractions in order are no counts, prices or years; at least three, as two are always in order.
        _ if numbers.len() >= 3
            && numbers.iter().any(|number| number.fract() != 0.0)
            && direction(&numbers).is_some() =>
        {
            Some(UNNAMED)
        }
        _ => None,
    }
}

/// A number, or a text that is one (Weaviate).
fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number.filter(|number: &f64| number.is_finite())
}

/// Whether smaller is better: what the order says, else what the name does; scores below 0 are those of SQLite's
/// `bm25()`.
fn grows(name: &str, scores: &[f64]) -> bool {
    let by_name = || plain(name).contains("distance") || plain(name) == "dist";
    direction(scores).unwrap_or_else(|| by_name() || scores.first().is_some_and(|score| *score < 0.0))
}

/// Whether numbers grow; `None` where they neither grow nor shrink.
fn direction(numbers: &[f64]) -> Option<bool> {
    let (first, last) = (numbers.first()?, numbers.last()?);
    if first == last {
        return None;
    }
    if numbers.is_sorted() {
        return Some(true);
    }
    numbers.is_sorted_by(|before, after| before >= after).then_some(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(answer: &Value) -> (String, Option<String>, bool) {
        let hits = propose_hits(answer).expect("hits");
        (hits.ids, hits.scores, hits.lower_is_better)
    }

    fn expect(answer: &Value, ids: &str, scores: &str, lower: bool) {
        let scores = (!scores.is_empty()).then(|| scores.to_owned());
        assert_eq!(paths(answer), (ids.to_owned(), scores, lower));
    }

    #[test]
    fn the_shapes_of_known_engines_are_recognised() {
        let elasticsearch = json!({ "took": 5, "_shards": { "total": 1 }, "hits": { "total": { "value": 2 },
            "hits": [
                { "_index": "p", "_id": "1", "_score": 2.0, "_source": { "id": 7 } },
                { "_index": "p", "_id": "2", "_score": 1.0, "_source": { "id": 8 } },
            ] } });
        expect(&elasticsearch, "$.hits.hits[*]._id", "$.hits.hits[*]._score", false);
        let solr = json!({ "response": { "numFound": 2, "docs": [
            { "id": "a", "score": 2.5 }, { "id": "b", "score": 1.5 }] } });
        expect(&solr, "$.response.docs[*].id", "$.response.docs[*].score", false);
        let typesense = json!({ "facet_counts": [], "hits": [
            { "document": { "id": "124", "company": "Stark" }, "highlights": [], "text_match": 130_916 },
            { "document": { "id": "125", "company": "Stork" }, "highlights": [], "text_match": 130_910 }] });
        expect(&typesense, "$.hits[*].document.id", "$.hits[*].text_match", false);
        let weaviate = json!({ "data": { "Get": { "Article": [
            { "_additional": { "id": "u1", "score": "0.5" } },
            { "_additional": { "id": "u2", "score": "0.25" } },
        ] } } });
        expect(&weaviate, "$.data.Get.Article[*]._additional.id", "$.data.Get.Article[*]._additional.score", false);
        let chroma =
            json!({ "ids": [["a", "b"]], "embeddings": null, "distances": [[0.1, 0.8]], "include": ["distances"] });
        expect(&chroma, "$.ids[0][*]", "$.distances[0][*]", true);
        let datasette =
            json!({ "rows": [{ "id": "1", "score": -7.6 }, { "id": "2", "score": -6.8 }], "columns": ["id", "score"] });
        expect(&datasette, "$.rows[*].id", "$.rows[*].score", true);
        let groonga = json!({ "header": { "return_code": 0 }, "body": { "n_hits": 2,
            "columns": [{ "name": "_key", "type": "ShortText" }, { "name": "_score", "type": "Float" }],
            "records": [["a", 8.5], ["b", 2.5]] } });
        expect(&groonga, "$.body.records[*][0]", "$.body.records[*][1]", false);
    }

    #[test]
    fn lists_without_scores_are_hits_too() {
        expect(
            &json!({ "results": [{ "sku": "a", "price": 3 }, { "sku": "b", "price": 9 }] }),
            "$.results[*].sku",
            "",
            false,
        );
        expect(&json!(["a", "b"]), "$[*]", "", false);
        expect(&json!([{ "id": 17 }]), "$[*].id", "", false);
    }

    #[test]
    fn ranks_prices_and_facets_are_no_scores() {
        let answer = json!({
            "facets": [{ "key": "red", "count": 9 }, { "key": "blue", "count": 3 }],
            "items": [
                { "product_id": "x", "rank": 1, "price": 9.5, "my_score": 0.9 },
                { "product_id": "y", "rank": 2, "price": 12.25, "my_score": 0.8 },
            ],
        });
        expect(&answer, "$.items[*].product_id", "$.items[*].my_score", false);
    }

    #[test]
    fn fractions_in_order_are_scores_whatever_their_name() {
        let row = |id: &str, weight: f64| json!({ "id": id, "w": weight, "year": 1990 });
        expect(
            &json!({ "found": [row("a", 0.5), row("b", 0.25), row("c", 0.125)] }),
            "$.found[*].id",
            "$.found[*].w",
            false,
        );
    }

    #[test]
    fn what_has_no_ids_has_no_hits() {
        for answer in [json!({}), json!(null), json!({ "hits": [] }), json!({ "hits": [{ "id": 1 }, { "id": 1 }] })] {
            assert_eq!(propose_hits(&answer), None, "{answer}");
        }
    }

    #[test]
    fn deep_and_odd_answers_end() {
        let mut deep = json!({ "id": "a" });
        for _ in 0..100 {
            deep = json!([deep]);
        }
        assert_eq!(propose_hits(&deep), None);
        expect(&json!({ "the hits": [{ "id": "a" }, { "id": "b", "extra": 1 }] }), "$['the hits'][*].id", "", false);
    }
}
