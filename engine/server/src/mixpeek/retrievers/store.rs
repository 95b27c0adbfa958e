//! Retrievers in the database, by namespace.

use rusqlite::params;

use super::model::ListRetrieversRequest;
use crate::App;
use crate::catalog::retrievers::{self as catalog, RetrieverRecord};
use crate::mixpeek::listing::{Fields, Listed, Listing};
use crate::mixpeek::page::ListQuery;
use crate::platform::error::ApiError;

const FIELDS: Fields = Fields {
    plain: &[
        ("retriever_id", "id"),
        ("retriever_name", "name"),
        ("description", "json_extract(body, '$.description')"),
    ],
    times: &[("created_at", "created_at"), ("updated_at", "updated_at")],
    objects: &[("metadata", "body", "$.metadata")],
};

/// Returns a retriever of a namespace.
///
/// # Errors
///
/// Returns 404 when there is none of that identifier.
pub async fn get(app: &App, organisation: &str, namespace: &str, id: &str) -> Result<RetrieverRecord, ApiError> {
    let found = catalog::get(app, organisation, id).await?;
    found.filter(|found| found.namespace == namespace).ok_or_else(|| ApiError::not_found("retriever", id))
}

/// Removes a retriever; what it answered stays.
///
/// # Errors
///
/// Returns 404 when there is none of that identifier.
pub async fn remove(app: &App, organisation: &str, namespace: &str, id: &str) -> Result<(), ApiError> {
    let (organisation, namespace, id) = (organisation.to_owned(), namespace.to_owned(), id.to_owned());
    app.database()
        .write(move |connection| {
            let sql = "DELETE FROM retrievers WHERE id = ?1 AND organisation = ?2 AND namespace = ?3";
            let removed = connection.prepare_cached(sql)?.execute(params![id, organisation, namespace])?;
            if removed == 0 { Err(ApiError::not_found("retriever", &id).into()) } else { Ok(()) }
        })
        .await
}

/// Returns a page of the retrievers of a namespace.
///
/// # Errors
///
/// Returns 422 for a filter over other fields than there are.
pub async fn list(
    app: &App,
    organisation: &str,
    namespace: &str,
    asked: &ListRetrieversRequest,
    query: &ListQuery,
) -> Result<Listed<RetrieverRecord>, ApiError> {
    let (begin, size) = query.part()?;
    let listing = Listing::of("retrievers", organisation, namespace)
        .given("instr(lower(name), lower(?)) > 0", asked.search.as_deref())
        // Registered through another API, it has no stages as this one writes them.
        .given("json_array_length(body, ?) > 0", Some("$.stages"))
        .filtered(asked.filters.as_ref(), &FIELDS)?
        .sorted(asked.sort.as_ref(), &FIELDS)?;
    let include_total = query.include_total.unwrap_or_default();
    app.database()
        .read(move |connection| {
            listing.read(connection, RetrieverRecord::COLUMNS, (&begin, size), include_total, RetrieverRecord::of)
        })
        .await
}

/// Returns the newest retriever that is published under a name: its own, or its identifier.
///
/// # Errors
///
/// Returns 404 when there is none.
pub async fn published(app: &App, organisation: &str, name: &str) -> Result<RetrieverRecord, ApiError> {
    let (owner, wanted) = (organisation.to_owned(), name.to_owned());
    let found = app
        .database()
        .read(move |connection| {
            let sql = format!(
                "SELECT {} FROM retrievers WHERE organisation = ?1 AND (id = ?2 OR name = ?2) ORDER BY id DESC LIMIT 1",
                RetrieverRecord::COLUMNS
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query_map(params![owner, wanted], RetrieverRecord::of)?;
            Ok(rows.next().transpose()?)
        })
        .await?;
    found.ok_or_else(|| ApiError::not_found("retriever", name))
}
