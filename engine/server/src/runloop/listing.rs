//! Pages: the newest first, each beginning after an identifier that the client names.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, params_from_iter};
use url::form_urlencoded;

use crate::App;
use crate::database::QueryError;
use crate::platform::error::ApiError;

/// Items of a page where the client does not say.
const DEFAULT_LIMIT: usize = 20;

/// Items of a page at most.
const MAX_LIMIT: usize = 5000;

/// The query parameters that every list has.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what the extractor below reads")]
pub(super) struct Paging {
    /// Items of the page; 20 where it is not given.
    #[param(minimum = 1, maximum = 5000)]
    limit: Option<u32>,
    /// The identifier of the last item of the page before.
    starting_after: Option<String>,
    /// Whether all items are counted; they are, unless this is `false`.
    include_total_count: Option<bool>,
}

/// What a list is asked for.
#[derive(Debug)]
pub(super) struct Listing {
    limit: usize,
    starting_after: Option<String>,
    counted: bool,
    values: BTreeMap<String, Vec<String>>,
}

impl<S: Send + Sync> FromRequestParts<S> for Listing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(parts.uri.query().unwrap_or_default())
    }
}

impl Listing {
    fn of(query: &str) -> Result<Self, ApiError> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            // Lists come as `state=a,b`, as `state=a&state=b` and as `state[]=a`.
            let name = name.strip_suffix("[]").unwrap_or(&name).to_owned();
            // No name is empty; a number must not be.
            if !value.is_empty() || ["limit", "include_total_count"].contains(&name.as_str()) {
                values.entry(name).or_default().push(value.into_owned());
            }
        }
        let last = |name: &str| values.get(name).and_then(|given| given.last()).map(String::as_str);
        let limit = match last("limit") {
            None => DEFAULT_LIMIT,
            Some(text) => {
                let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                limit.ok_or_else(|| wrong("limit", text, &format!("a whole number from 1 to {MAX_LIMIT}")))?
            }
        };
        let counted = match last("include_total_count") {
            None | Some("true") => true,
            Some("false") => false,
            Some(text) => return Err(wrong("include_total_count", text, "`true` or `false`")),
        };
        let starting_after = last("starting_after").map(ToOwned::to_owned);
        Ok(Self { limit, starting_after, counted, values })
    }

    /// Returns the value of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }

    /// Returns the values of a parameter that may have several.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let given = self.values.get(name).into_iter().flatten();
        given.flat_map(|values| values.split(',')).filter(|value| !value.is_empty()).collect()
    }
}

fn wrong(name: &str, found: &str, expected: &str) -> ApiError {
    ApiError::invalid(&["query", name], "type_error", format!("`{name}` is `{found}`; expected {expected}"))
}

/// Which rows of a table are meant.
#[derive(Debug)]
pub(super) struct Rows {
    from: &'static str,
    conditions: String,
    values: Vec<Sql>,
}

impl Rows {
    /// Returns all of an organisation in that table or view.
    pub(super) fn of(from: &'static str, organisation: &str) -> Self {
        Self { from, conditions: "organisation = ?".to_owned(), values: vec![Sql::Text(organisation.to_owned())] }
    }

    /// Keeps those for which a condition holds.
    #[must_use]
    pub(super) fn only(mut self, condition: &str) -> Self {
        self.conditions.push_str(" AND ");
        self.conditions.push_str(condition);
        self
    }

    /// Keeps those for which a condition on a value holds, where there is a value.
    #[must_use]
    pub(super) fn with(mut self, condition: &str, value: Option<&str>) -> Self {
        let Some(value) = value else { return self };
        let places = condition.matches('?').count();
        self.values.extend(std::iter::repeat_n(Sql::Text(value.to_owned()), places));
        self.only(condition)
    }

    /// Keeps those whose column has one of the values, where there are any.
    #[must_use]
    pub(super) fn among(mut self, column: &str, values: &[&str]) -> Self {
        if values.is_empty() {
            return self;
        }
        self.values.extend(values.iter().map(|value| Sql::Text((*value).to_owned())));
        let places = vec!["?"; values.len()].join(", ");
        self.only(&format!("{column} IN ({places})"))
    }

    /// Keeps those that have the name, and those whose identifier or name contains what is searched.
    #[must_use]
    pub(super) fn named(self, listing: &Listing) -> Self {
        self.with("name = ?", listing.text("name"))
            .with("(instr(id, ?) > 0 OR instr(lower(coalesce(name, '')), lower(?)) > 0)", listing.text("search"))
    }

    fn count(&self, connection: &Connection, after: Option<&str>) -> Result<u64, QueryError> {
        let mut values = self.values.clone();
        let mut sql = format!("SELECT count(*) FROM {} WHERE {}", self.from, self.conditions);
        if let Some(after) = after {
            sql.push_str(" AND id < ?");
            values.push(Sql::Text(after.to_owned()));
        }
        Ok(connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get(0))?)
    }
}

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) has_more: bool,
    /// All items, on whatever page.
    pub(super) total_count: Option<u64>,
    /// Items after this page.
    pub(super) remaining_count: Option<u64>,
}

/// Reads a page. `columns` begins with `id`; `of` reads the rest of a row, and more where a row is not all.
///
/// # Errors
///
/// Returns an error when the database fails.
pub(super) async fn page<T: Send + 'static>(
    app: &App,
    rows: Rows,
    columns: &'static str,
    listing: &Listing,
    of: fn(&Connection, &Row<'_>) -> Result<T, QueryError>,
) -> Result<Page<T>, ApiError> {
    let (limit, after, counted) = (listing.limit, listing.starting_after.clone(), listing.counted);
    app.database()
        .read(move |connection| {
            let mut values = rows.values.clone();
            let mut sql = format!("SELECT {columns} FROM {} WHERE {}", rows.from, rows.conditions);
            if let Some(after) = after {
                sql.push_str(" AND id < ?");
                values.push(Sql::Text(after));
            }
            // One more than is shown: whether there is more.
            sql.push_str(&format!(" ORDER BY id DESC LIMIT {}", limit + 1));
            let mut statement = connection.prepare_cached(&sql)?;
            let mut found = statement.query(params_from_iter(values))?;
            let (mut items, mut last, mut has_more) = (Vec::new(), None, false);
            while let Some(row) = found.next()? {
                if items.len() == limit {
                    has_more = true;
                    break;
                }
                last = Some(row.get::<_, String>(0)?);
                items.push(of(connection, row)?);
            }
            let total_count = counted.then(|| rows.count(connection, None)).transpose()?;
            let remaining_count = match (counted, has_more, &last) {
                (false, ..) => None,
                (true, true, Some(last)) => Some(rows.count(connection, Some(last))?),
                _ => Some(0),
            };
            Ok(Page { items, has_more, total_count, remaining_count })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_every_way_that_clients_write_them() {
        let listing = Listing::of("state=a,b&state=c&benchmark_id[]=x&limit=5000&name=").unwrap();
        assert_eq!(listing.list("state"), ["a", "b", "c"]);
        assert_eq!(listing.list("benchmark_id"), ["x"]);
        assert_eq!((listing.limit, listing.text("name")), (5000, None));
    }

    #[test]
    fn limits_beyond_what_is_allowed_are_refused_and_not_cut() {
        for query in ["limit=0", "limit=-1", "limit=5001", "limit=x", "limit=", "include_total_count=1"] {
            assert!(Listing::of(query).is_err(), "{query}");
        }
    }
}
