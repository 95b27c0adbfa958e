//! Lists out of the database: filtered, sorted, a page at a time.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Row, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::filters::{Bound, to_sql};
use super::page::{Begin, PaginationResponse};
use crate::database::QueryError;
use crate::filters::Condition;
use crate::platform::error::ApiError;

/// By what a list is sorted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = RetrieverApiSort)]
pub struct SortOption {
    /// The field.
    pub field: String,
    /// The direction; ascending where it is not given.
    pub direction: Option<SortDirection>,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RetrieverApiSortDirection)]
pub enum SortDirection {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// The fields by which a table can be filtered and sorted, and their columns.
#[derive(Debug)]
pub struct Fields {
    /// Fields with a column each.
    pub plain: &'static [(&'static str, &'static str)],
    /// Times, milliseconds in the column and text in a filter.
    pub times: &'static [(&'static str, &'static str)],
    /// Objects of which any path is a field, `metadata.device.kind`, and their places in a column of JSON.
    pub objects: &'static [(&'static str, &'static str, &'static str)],
}

impl Fields {
    /// Returns the column of a field, `None` for one that there is not.
    #[must_use]
    pub fn column(&self, field: &str) -> Option<String> {
        let plain = self.plain.iter().chain(self.times).find(|(name, _)| *name == field);
        if let Some((_, column)) = plain {
            return Some((*column).to_owned());
        }
        let (object, path) = field.split_once('.')?;
        let (_, column, place) = self.objects.iter().find(|(name, ..)| *name == object)?;
        let segment =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        path.split('.').all(segment).then(|| format!("json_extract({column}, '{place}.{path}')"))
    }

    /// Returns the names of all fields, for texts.
    #[must_use]
    pub fn names(&self) -> String {
        let plain = self.plain.iter().chain(self.times).map(|(name, _)| format!("`{name}`"));
        plain.chain(self.objects.iter().map(|(name, ..)| format!("`{name}.…`"))).collect::<Vec<_>>().join(", ")
    }
}

/// A list of one table's rows in one namespace.
#[derive(Debug)]
pub struct Listing {
    table: &'static str,
    conditions: Vec<String>,
    values: Vec<SqlValue>,
    order: Option<String>,
}

/// A part of a list.
#[derive(Debug)]
pub struct Listed<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where they stand.
    pub pagination: PaginationResponse,
}

impl Listing {
    /// Returns all rows of a table in a namespace.
    #[must_use]
    pub fn of(table: &'static str, organisation: &str, namespace: &str) -> Self {
        let values = vec![SqlValue::Text(organisation.to_owned()), SqlValue::Text(namespace.to_owned())];
        Self { table, conditions: vec!["organisation = ?1 AND namespace = ?2".to_owned()], values, order: None }
    }

    /// Leaves rows of which `condition`, an expression with `?` for the value, holds; all, where there is no value.
    #[must_use]
    pub fn given(mut self, condition: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.values.push(SqlValue::Text(value.to_owned()));
            self.conditions.push(condition.replace('?', &format!("?{}", self.values.len())));
        }
        self
    }

    /// Leaves rows of which a client's filter holds.
    ///
    /// # Errors
    ///
    /// Returns 422 for what is no filter over these fields.
    pub fn filtered(mut self, filters: Option<&Map<String, Value>>, fields: &'static Fields) -> Result<Self, ApiError> {
        if let Some(filters) = filters {
            let condition = to_sql(&Condition::parse(filters)?, &mut Bound { fields, values: &mut self.values })?;
            self.conditions.push(condition);
        }
        Ok(self)
    }

    /// Sorts by a field, equal ones by age; by age alone where nothing is said.
    ///
    /// # Errors
    ///
    /// Returns 422 for a field that there is not.
    pub fn sorted(mut self, sort: Option<&SortOption>, fields: &'static Fields) -> Result<Self, ApiError> {
        if let Some(sort) = sort {
            let column = fields.column(&sort.field).ok_or_else(|| {
                let message = format!("there is no field `{}`; expected one of {}", sort.field, fields.names());
                ApiError::invalid(&["body", "sort", "field"], "value_error", message)
            })?;
            let direction = if sort.direction == Some(SortDirection::Desc) { "DESC" } else { "ASC" };
            self.order = Some(format!("{column} {direction}, id"));
        }
        Ok(self)
    }

    /// Returns how many rows there are.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub fn count(&self, connection: &Connection) -> Result<u64, QueryError> {
        let sql = format!("SELECT count(*) FROM {} WHERE {}", self.table, self.conditions.join(" AND "));
        Ok(connection.prepare_cached(&sql)?.query_row(params_from_iter(&self.values), |row| row.get(0))?)
    }

    /// Reads a part of the list: `columns` begin with the identifier.
    ///
    /// # Errors
    ///
    /// Returns an error when the database fails.
    pub fn read<T>(
        mut self,
        connection: &Connection,
        columns: &str,
        (begin, size): (&Begin, u32),
        include_total: bool,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Listed<T>, QueryError> {
        let total = include_total.then(|| self.count(connection)).transpose()?;
        let mut offset = 0;
        match begin {
            Begin::Offset(number) => offset = *number,
            Begin::After(id) if self.order.is_none() => self = self.given("id > ?", Some(id)),
            Begin::After(_) => {
                return Err(ApiError::bad_request("the cursor is of a list that is not sorted").into());
            }
        }
        let (table, conditions) = (self.table, self.conditions.join(" AND "));
        let order = self.order.as_deref().unwrap_or("id");
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        // One more than asked for tells whether there is a next page.
        let sql = format!(
            "SELECT {columns} FROM {table} WHERE {conditions} ORDER BY {order} LIMIT {} OFFSET {offset}",
            u64::from(size) + 1
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let rows =
            statement.query_map(params_from_iter(&self.values), |row| Ok((row.get::<_, String>(0)?, read(row)?)))?;
        let mut rows: Vec<(String, T)> = rows.collect::<Result<_, _>>()?;
        let more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let next = more.then(|| match (&self.order, rows.last()) {
            (None, Some((id, _))) => Begin::After(id.clone()),
            _ => Begin::Offset(u64::try_from(offset).unwrap_or_default() + u64::from(size)),
        });
        let pagination = PaginationResponse::new(begin, size, next, total);
        Ok(Listed { entries: rows.into_iter().map(|(_, entry)| entry).collect(), pagination })
    }
}
