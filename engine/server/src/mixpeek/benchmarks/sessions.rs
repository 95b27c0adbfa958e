//! Sessions, made of interactions and executions.
//!
//! A session is one search of a session of the client's: the interactions that share `session_id` (or, without one,
//! `execution_id`). Where these are about several searches, each becomes a session of its own within one visit, because a
//! session has one query. Its query is what the execution was asked, or the interactions' `query_snapshot`; what was shown is
//! what the execution returned.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use rematch_engine::session::{Interaction, Session, ShownItem};
use rusqlite::{Connection, Row, params};
use serde_json::{Map, Value};

use crate::App;
use crate::database::QueryError;
use crate::mixpeek::executions::model::FoundDocument;
use crate::mixpeek::inputs::search_inputs;
use crate::mixpeek::interactions::model::SearchInteraction;
use crate::platform::error::ApiError;

/// Interactions that belong to no session.
pub const WITHOUT_SESSION: &str = "interaction_without_session_and_execution";

/// Interactions of a session with several searches that do not say which of them they are about.
pub const WITHOUT_SEARCH: &str = "interaction_of_no_search";

/// Interactions of sessions that say nothing of what was asked, so that no retriever could be asked again.
pub const WITHOUT_QUERY: &str = "interaction_without_query";

/// Sessions with fewer interactions than are wanted.
pub const TOO_FEW_INTERACTIONS: &str = "session_filter.min-interactions";

/// Sessions whose search was filtered: what the user saw is not what the retriever finds.
pub const FILTERED: &str = "execution_with_filters";

/// Sessions that are about a later page of a search, whose ranks do not begin at 1.
pub const LATER_PAGE: &str = "execution_of_a_later_page";

/// Which sessions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The least number of interactions; one of several types counts once.
    pub min_interactions: u32,
    /// Whether a session must say what was asked.
    pub needs_query: bool,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Built {
    /// Sessions.
    pub sessions: u64,
    /// What is in none, by reason: interactions where the reason's name begins with `interaction_`, or else sessions.
    pub left_out: BTreeMap<String, u64>,
}

/// Writes the sessions of a namespace, one JSON object per line, ordered by what they are grouped by.
///
/// # Errors
///
/// Returns an error when the database or the file fails.
pub async fn build(
    app: &App,
    organisation: &str,
    namespace: &str,
    path: &Path,
    wanted: Wanted,
) -> Result<Built, ApiError> {
    let (organisation, namespace, path) = (organisation.to_owned(), namespace.to_owned(), path.to_owned());
    app.database()
        .read(move |connection| {
            let mut file = BufWriter::new(File::create(&path).map_err(ApiError::internal)?);
            let built = write(connection, [&organisation, &namespace], wanted, &mut file)?;
            file.into_inner().map_err(ApiError::internal)?.sync_all().map_err(ApiError::internal)?;
            Ok(built)
        })
        .await
}

/// A row: an interaction, and the execution that it names, where that is known.
struct Act {
    key: String,
    session: Option<String>,
    body: SearchInteraction,
    occurred_at: i64,
    execution: Option<Execution>,
}

#[derive(Clone)]
struct Execution {
    inputs: Map<String, Value>,
    documents: Vec<FoundDocument>,
    created_at: i64,
    is_filtered: bool,
    /// Documents before the first one that was returned.
    offset: u64,
}

fn write(
    connection: &Connection,
    [organisation, namespace]: [&str; 2],
    wanted: Wanted,
    out: &mut impl Write,
) -> Result<Built, QueryError> {
    let mut built = Built::default();
    let sql = "SELECT count(*) FROM interactions WHERE organisation = ?1 AND namespace = ?2 \
               AND coalesce(session, execution) IS NULL";
    let lost: u64 = connection.prepare_cached(sql)?.query_row([organisation, namespace], |row| row.get(0))?;
    count(&mut built, WITHOUT_SESSION, lost);
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(i.session, i.execution), i.session, i.body, i.occurred_at, e.inputs, e.documents, e.created_at, \
         e.filters IS NOT NULL, e.page_offset \
         FROM interactions AS i LEFT JOIN executions AS e \
         ON e.id = i.execution AND e.organisation = i.organisation AND e.namespace = i.namespace \
         WHERE i.organisation = ?1 AND i.namespace = ?2 AND coalesce(i.session, i.execution) IS NOT NULL \
         ORDER BY coalesce(i.session, i.execution), i.execution, i.id",
    )?;
    let mut rows = statement.query(params![organisation, namespace])?;
    let mut group: Vec<Act> = Vec::new();
    while let Some(row) = rows.next()? {
        let act = act(row)?;
        if group.first().is_some_and(|first| first.key != act.key) {
            write_group(std::mem::take(&mut group), wanted, out, &mut built)?;
        }
        group.push(act);
    }
    write_group(group, wanted, out, &mut built)?;
    Ok(built)
}

fn act(row: &Row<'_>) -> Result<Act, QueryError> {
    let body: String = row.get(2)?;
    let (inputs, documents): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
    let execution = match (inputs, documents) {
        (Some(inputs), Some(documents)) => Some(Execution {
            inputs: serde_json::from_str(&inputs).map_err(ApiError::internal)?,
            documents: serde_json::from_str(&documents).map_err(ApiError::internal)?,
            created_at: row.get(6)?,
            is_filtered: row.get(7)?,
            offset: row.get(8)?,
        }),
        _ => None,
    };
    let body = serde_json::from_str(&body).map_err(ApiError::internal)?;
    Ok(Act { key: row.get(0)?, session: row.get(1)?, body, occurred_at: row.get(3)?, execution })
}

fn count(built: &mut Built, reason: &str, found: u64) {
    if found > 0 {
        *built.left_out.entry(reason.to_owned()).or_default() += found;
    }
}

fn write_group(group: Vec<Act>, wanted: Wanted, out: &mut impl Write, built: &mut Built) -> Result<(), QueryError> {
    let Some(key) = group.first().map(|first| first.key.clone()) else { return Ok(()) };
    let mut searches: Vec<(String, Vec<Act>)> = Vec::new();
    let mut unsaid = Vec::new();
    for act in group {
        let Some(search) = search_of(&act.body) else {
            unsaid.push(act);
            continue;
        };
        match searches.iter_mut().find(|(known, _)| *known == search) {
            Some((_, acts)) => acts.push(act),
            None => searches.push((search, vec![act])),
        }
    }
    match searches.as_mut_slice() {
        [] => searches.push((String::new(), unsaid)),
        [(_, acts)] => acts.extend(unsaid),
        _ => count(built, WITHOUT_SEARCH, unsaid.len() as u64),
    }
    let is_only = searches.len() == 1;
    for (search, acts) in searches {
        let id = if is_only { key.clone() } else { format!("{key}#{search}") };
        let interactions = acts.len() as u64;
        if let Some(reason) = otherwise_searched(&acts) {
            count(built, reason, 1);
            continue;
        }
        let session = session(id, acts);
        if wanted.needs_query && asks_nothing(&session) {
            count(built, WITHOUT_QUERY, interactions);
            continue;
        }
        if interactions < u64::from(wanted.min_interactions) {
            count(built, TOO_FEW_INTERACTIONS, 1);
            continue;
        }
        serde_json::to_writer(&mut *out, &session).map_err(ApiError::internal)?;
        out.write_all(b"\n").map_err(ApiError::internal)?;
        built.sessions += 1;
    }
    Ok(())
}

/// Returns why what was shown in these interactions is not what the retriever finds first.
fn otherwise_searched(acts: &[Act]) -> Option<&'static str> {
    let mut executions = acts.iter().filter_map(|act| act.execution.as_ref());
    if executions.clone().any(|execution| execution.is_filtered) {
        Some(FILTERED)
    } else if executions.any(|execution| execution.offset > 0) {
        Some(LATER_PAGE)
    } else {
        None
    }
}

fn asks_nothing(session: &Session) -> bool {
    session.query.is_none() && session.query_vector.is_none() && session.inputs.is_none()
}

/// Returns what tells one search of a session from another: its execution, or what was asked.
fn search_of(body: &SearchInteraction) -> Option<String> {
    let asked = || body.query_snapshot.as_ref().map(|asked| Value::Object(asked.clone()).to_string());
    body.execution_id.clone().or_else(asked)
}

fn session(session_id: String, mut acts: Vec<Act>) -> Session {
    acts.sort_by_key(|act| act.occurred_at);
    let execution = acts.iter().find_map(|act| act.execution.clone());
    let snapshot = || acts.iter().find_map(|act| act.body.query_snapshot.clone());
    let inputs = execution.as_ref().map(|execution| execution.inputs.clone()).or_else(snapshot).unwrap_or_default();
    let asked = search_inputs(&inputs);
    let first = acts.first().map(|act| act.occurred_at);
    let shown = execution.iter().flat_map(|execution| &execution.documents);
    let times = execution.iter().map(|execution| execution.created_at).chain(first);
    Session {
        session_id,
        visit_id: acts.iter().find_map(|act| act.session.clone()),
        user_id: acts.iter().find_map(|act| act.body.user_id.clone()),
        timestamp: times.min(),
        retriever_id: acts.iter().find_map(|act| act.body.retriever_id.clone()),
        query: asked.query,
        query_vector: asked.query_vector,
        inputs: asked.inputs,
        taxonomy: taxonomy(&acts),
        shown: shown
            .map(|document| ShownItem {
                item_id: document.document_id.clone(),
                score: document.score,
                propensity: None,
            })
            .collect(),
        interactions: acts.iter().flat_map(interactions).collect(),
        ..Session::default()
    }
}

fn interactions(act: &Act) -> Vec<Interaction> {
    let value = act.body.metadata.as_ref().and_then(|metadata| metadata.get("value")).and_then(Value::as_f64);
    let interaction = |kind| Interaction {
        item_id: act.body.feature_id.clone(),
        kind,
        // On the wire positions count from 0.
        position: act.body.position.checked_add(1),
        timestamp: Some(act.occurred_at),
        value,
    };
    let kinds = act.body.interaction_type.iter();
    let names = kinds.filter_map(|kind| Some(serde_json::to_value(kind).ok()?.as_str()?.to_owned()));
    names.map(interaction).collect()
}

fn taxonomy(acts: &[Act]) -> Vec<String> {
    let mut nodes: Vec<String> = Vec::new();
    let metadata = acts.iter().filter_map(|act| act.body.metadata.as_ref());
    let given = metadata.flat_map(|metadata| [metadata.get("taxonomy_node_ids"), metadata.get("taxonomy")]).flatten();
    for value in given {
        let several = value.as_array().into_iter().flatten();
        for node in std::iter::once(value).chain(several).filter_map(Value::as_str) {
            if !node.is_empty() && !nodes.iter().any(|known| known == node) {
                nodes.push(node.to_owned());
            }
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn act_of(session: Option<&str>, body: Value, occurred_at: i64, execution: Option<Execution>) -> Act {
        let mut whole = json!({ "feature_id": "p1", "interaction_type": ["click"], "position": 0 });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let body: SearchInteraction = serde_json::from_value(whole).unwrap();
        let key = session.or(body.execution_id.as_deref()).unwrap().to_owned();
        Act { key, session: session.map(ToOwned::to_owned), body, occurred_at, execution }
    }

    fn written(group: Vec<Act>) -> (Vec<Session>, Built) {
        written_of(group, Wanted { min_interactions: 1, needs_query: false })
    }

    fn written_of(group: Vec<Act>, wanted: Wanted) -> (Vec<Session>, Built) {
        let (mut out, mut built) = (Vec::new(), Built::default());
        write_group(group, wanted, &mut out, &mut built).unwrap();
        let text = String::from_utf8(out).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), built)
    }

    #[test]
    fn a_session_has_what_its_execution_was_asked_and_returned() {
        let inputs = json!({ "query": "desk lamp", "language": "en" }).as_object().unwrap().clone();
        let documents = vec![FoundDocument { document_id: "p9".into(), score: Some(2.0), collection_id: None }];
        let execution = Execution { inputs, documents, created_at: 50, is_filtered: false, offset: 0 };
        let more = json!({
            "interaction_type": ["click", "purchase"], "position": 3, "user_id": "u", "execution_id": "e1",
            "retriever_id": "r1", "metadata": { "taxonomy_node_ids": ["home/light"], "taxonomy": "home", "value": 9.5 },
        });
        let (sessions, built) = written(vec![act_of(Some("s1"), more, 60, Some(execution))]);
        let [session] = sessions.as_slice() else { panic!("{sessions:?}") };
        assert_eq!((session.session_id.as_str(), session.visit_id.as_deref()), ("s1", Some("s1")));
        assert_eq!((session.timestamp, session.query.as_deref()), (Some(50), Some("desk lamp")));
        assert_eq!(session.shown[0].item_id, "p9");
        assert_eq!(session.taxonomy, ["home/light", "home"]);
        let kinds: Vec<_> =
            session.interactions.iter().map(|act| (act.kind.as_str(), act.position, act.value)).collect();
        assert_eq!(kinds, [("click", Some(4), Some(9.5)), ("purchase", Some(4), Some(9.5))]);
        assert_eq!(built, Built { sessions: 1, left_out: BTreeMap::new() });
    }

    #[test]
    fn several_searches_of_a_session_are_sessions_of_one_visit() {
        let about =
            |execution: &str, query: &str| json!({ "execution_id": execution, "query_snapshot": { "query": query } });
        let (sessions, built) = written(vec![
            act_of(Some("s"), about("e1", "lamp"), 1, None),
            act_of(Some("s"), about("e2", "desk"), 2, None),
            act_of(Some("s"), json!({}), 3, None),
        ]);
        let told: Vec<_> =
            sessions.iter().map(|session| (session.session_id.as_str(), session.query.as_deref())).collect();
        assert_eq!(told, [("s#e1", Some("lamp")), ("s#e2", Some("desk"))]);
        assert!(sessions.iter().all(|session| session.visit_id.as_deref() == Some("s")));
        assert_eq!(built.left_out[WITHOUT_SEARCH], 1);
    }

    #[test]
    fn a_session_that_says_not_what_was_asked_is_for_look_ups_only() {
        let group = || vec![act_of(Some("s"), json!({}), 1, None), act_of(Some("s"), json!({}), 2, None)];
        assert_eq!(written(group()).0.len(), 1);
        let (sessions, built) = written_of(group(), Wanted { min_interactions: 1, needs_query: true });
        assert!(sessions.is_empty());
        assert_eq!(built, Built { sessions: 0, left_out: [(WITHOUT_QUERY.to_owned(), 2)].into() });
        for asked in [json!({ "query": "lamp" }), json!({ "vector": [0.5] }), json!({ "category": 7 })] {
            let act = act_of(Some("s"), json!({ "query_snapshot": asked }), 1, None);
            assert_eq!(
                written_of(vec![act], Wanted { min_interactions: 1, needs_query: true }).1.sessions,
                1,
                "{asked}"
            );
        }
    }

    #[test]
    fn an_interaction_of_several_types_counts_once() {
        let both = json!({ "interaction_type": ["click", "purchase"] });
        let wanted = Wanted { min_interactions: 2, needs_query: false };
        let (sessions, built) = written_of(vec![act_of(Some("s"), both.clone(), 1, None)], wanted);
        assert!(sessions.is_empty());
        assert_eq!(built.left_out, [(TOO_FEW_INTERACTIONS.to_owned(), 1)].into());
        let two = vec![act_of(Some("s"), both, 1, None), act_of(Some("s"), json!({}), 2, None)];
        assert_eq!(written_of(two, wanted).0[0].interactions.len(), 3);
    }

    #[test]
    fn a_filtered_search_and_a_later_page_are_left_out_by_reason() {
        let search = |is_filtered, offset| {
            let inputs = json!({ "query": "lamp" }).as_object().unwrap().clone();
            let execution = Execution { inputs, documents: vec![], created_at: 1, is_filtered, offset };
            let acts = vec![act_of(Some("s"), json!({ "execution_id": "e" }), 2, Some(execution))];
            let (sessions, built) = written(acts);
            (sessions.len(), built.left_out.into_keys().collect::<Vec<_>>())
        };
        assert_eq!(search(false, 0), (1, vec![]));
        assert_eq!(search(true, 10), (0, vec![FILTERED.to_owned()]));
        assert_eq!(search(false, 10), (0, vec![LATER_PAGE.to_owned()]));
    }

    #[test]
    fn an_interaction_that_names_no_search_is_about_the_only_one() {
        let about = json!({ "query_snapshot": { "text": "lamp" } });
        let (sessions, built) = written(vec![act_of(Some("s"), json!({}), 1, None), act_of(Some("s"), about, 2, None)]);
        assert_eq!((sessions.len(), sessions[0].interactions.len()), (1, 2));
        assert_eq!(sessions[0].query.as_deref(), Some("lamp"));
        assert!(built.left_out.is_empty());
        let (alone, _) = written(vec![act_of(None, json!({ "execution_id": "e" }), 1, None)]);
        assert_eq!((alone[0].session_id.as_str(), alone[0].visit_id.as_deref()), ("e", None));
    }
}
