//! Interactions in the database.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::model::{InteractionResponse, ListInteractionsRequest, ListInteractionsResponse, SearchInteraction};
use crate::App;
use crate::database::QueryError;
use crate::mixpeek::listing::{Fields, Listing};
use crate::mixpeek::page::ListQuery;
use crate::platform::error::ApiError;
use crate::platform::identifier::new_id;
use crate::platform::page::{now_ms, rfc3339};

/// For how long a repetition is known, milliseconds.
const REPEATED_WITHIN: i64 = 24 * 3600 * 1000;

const COLUMNS: &str = "id, body, occurred_at, received_at";

const FIELDS: Fields = Fields {
    plain: &[
        ("interaction_id", "id"),
        ("feature_id", "feature"),
        ("document_id", "feature"),
        // `click,purchase`
        ("interaction_type", "replace(trim(types, '[]\"'), '\",\"', ',')"),
        ("position", "position"),
        ("session_id", "session"),
        ("user_id", "user"),
        ("execution_id", "execution"),
        ("retriever_id", "retriever"),
        ("document_score", "json_extract(body, '$.document_score')"),
        ("result_set_size", "json_extract(body, '$.result_set_size')"),
        ("feature_uri", "json_extract(body, '$.feature_uri')"),
    ],
    times: &[("timestamp", "received_at"), ("created_at", "received_at"), ("occurred_at", "occurred_at")],
    objects: &[("metadata", "body", "$.metadata"), ("query_snapshot", "body", "$.query_snapshot")],
};

/// What became of an interaction.
#[derive(Debug)]
pub struct Kept {
    /// Its identifier, or that of the one that it repeats.
    pub id: String,
    /// As it is shown.
    pub shown: InteractionResponse,
}

/// Keeps interactions, all of them or none; one that makes no sense is told in its place and does not keep others out.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn put(
    app: &App,
    organisation: &str,
    namespace: &str,
    interactions: Vec<SearchInteraction>,
) -> Result<Vec<Result<Kept, ApiError>>, ApiError> {
    let (organisation, namespace) = (organisation.to_owned(), namespace.to_owned());
    app.database()
        .write(move |connection| {
            let now = now_ms();
            let mut all = Vec::with_capacity(interactions.len());
            for interaction in interactions {
                all.push(match interaction.check(now) {
                    Ok(occurred_at) => {
                        Ok(put_one(connection, [&organisation, &namespace], interaction, (occurred_at, now))?)
                    }
                    Err(error) => Err(error),
                });
            }
            Ok(all)
        })
        .await
}

fn put_one(
    connection: &Connection,
    [organisation, namespace]: [&str; 2],
    mut interaction: SearchInteraction,
    (occurred_at, now): (i64, i64),
) -> Result<Kept, QueryError> {
    let types = interaction.types();
    if let Some(execution) = &interaction.execution_id {
        let sql = "SELECT id FROM interactions WHERE organisation = ?1 AND namespace = ?2 AND execution = ?3 \
                   AND feature = ?4 AND types = ?5 AND received_at > ?6 LIMIT 1";
        let known: Option<String> = connection
            .prepare_cached(sql)?
            .query_row(
                params![organisation, namespace, execution, interaction.feature_id, types, now - REPEATED_WITHIN],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(id) = known {
            return Ok(Kept { id, shown: shown(interaction, None, (occurred_at, now)) });
        }
    }
    let warning = of_execution(connection, [organisation, namespace], &mut interaction)?;
    let id = new_id("int");
    let sql = "INSERT INTO interactions (id, organisation, namespace, feature, types, position, session, user, execution, \
               retriever, body, occurred_at, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    connection.prepare_cached(sql)?.execute(params![
        id,
        organisation,
        namespace,
        interaction.feature_id,
        types,
        interaction.position,
        interaction.session_id,
        interaction.user_id,
        interaction.execution_id,
        interaction.retriever_id,
        serde_json::to_string(&interaction).map_err(ApiError::internal)?,
        occurred_at,
        now
    ])?;
    let mut shown = shown(interaction, Some(id.clone()), (occurred_at, now));
    shown.warning = warning;
    Ok(Kept { id, shown })
}

/// Takes from the execution what the client did not say, and returns what may be amiss.
fn of_execution(
    connection: &Connection,
    [organisation, namespace]: [&str; 2],
    interaction: &mut SearchInteraction,
) -> Result<Option<String>, QueryError> {
    let Some(execution) = &interaction.execution_id else {
        let is_lost = interaction.session_id.is_none();
        let warning = "without `session_id` and `execution_id` the interaction is of no session that can be replayed";
        return Ok(is_lost.then(|| warning.to_owned()));
    };
    let sql = "SELECT retriever FROM executions WHERE id = ?1 AND organisation = ?2 AND namespace = ?3";
    let retriever: Option<String> = connection
        .prepare_cached(sql)?
        .query_row(params![execution, organisation, namespace], |row| row.get(0))
        .optional()?;
    match retriever {
        Some(retriever) => {
            interaction.retriever_id.get_or_insert(retriever);
            Ok(None)
        }
        None if interaction.query_snapshot.is_none() => {
            let warning =
                format!("no execution `{execution}` is known here; without `query_snapshot` nothing tells the query");
            Ok(Some(warning))
        }
        None => Ok(None),
    }
}

fn shown(
    interaction: SearchInteraction,
    id: Option<String>,
    (occurred_at, received_at): (i64, i64),
) -> InteractionResponse {
    InteractionResponse::of(interaction, id, rfc3339(occurred_at), rfc3339(received_at))
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<InteractionResponse> {
    let body: String = row.get(1)?;
    let interaction = serde_json::from_str(&body)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error.into()))?;
    Ok(shown(interaction, Some(row.get(0)?), (row.get(2)?, row.get(3)?)))
}

/// Returns an interaction.
///
/// # Errors
///
/// Returns 404 when there is none of that identifier.
pub async fn get(app: &App, organisation: &str, namespace: &str, id: &str) -> Result<InteractionResponse, ApiError> {
    let keys = [id, organisation, namespace].map(ToOwned::to_owned);
    let sql = format!("SELECT {COLUMNS} FROM interactions WHERE id = ?1 AND organisation = ?2 AND namespace = ?3");
    let found = app
        .database()
        .read(move |connection| Ok(connection.prepare_cached(&sql)?.query_row(keys, of_row).optional()?))
        .await?;
    found.ok_or_else(|| ApiError::not_found("interaction", id))
}

/// Removes an interaction.
///
/// # Errors
///
/// Returns 404 when there is none of that identifier.
pub async fn remove(app: &App, organisation: &str, namespace: &str, id: &str) -> Result<(), ApiError> {
    let keys = [id, organisation, namespace].map(ToOwned::to_owned);
    let sql = "DELETE FROM interactions WHERE id = ?1 AND organisation = ?2 AND namespace = ?3";
    let removed = app.database().write(move |connection| Ok(connection.prepare_cached(sql)?.execute(keys)?)).await?;
    if removed == 0 { Err(ApiError::not_found("interaction", id)) } else { Ok(()) }
}

/// Returns a page of the interactions of a namespace.
///
/// # Errors
///
/// Returns 422 for a filter over other fields than there are.
pub async fn list(
    app: &App,
    organisation: &str,
    namespace: &str,
    asked: &ListInteractionsRequest,
    query: &ListQuery,
) -> Result<ListInteractionsResponse, ApiError> {
    let (begin, size) = query.part()?;
    let listing = Listing::of("interactions", organisation, namespace)
        .given("execution = ?", asked.execution_id.as_deref())
        .given("retriever = ?", asked.retriever_id.as_deref())
        .given("session = ?", asked.session_id.as_deref())
        .given("user = ?", asked.user_id.as_deref())
        .given("feature = ?", asked.feature_id.as_deref())
        .given("EXISTS (SELECT 1 FROM json_each(types) WHERE value = ?)", asked.interaction_type.as_deref())
        .filtered(asked.filters.as_ref(), &FIELDS)?
        .sorted(asked.sort.as_ref(), &FIELDS)?;
    let include_total = query.include_total.unwrap_or_default();
    let listed = app
        .database()
        .read(move |connection| listing.read(connection, COLUMNS, (&begin, size), include_total, of_row))
        .await?;
    Ok(ListInteractionsResponse {
        results: listed.entries.clone(),
        items: listed.entries,
        pagination: listed.pagination,
    })
}
