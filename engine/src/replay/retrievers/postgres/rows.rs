//! Rows as hits.

use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Column, Row, Statement};

use super::super::hit_rows::HitRows;
use crate::schema::column;

/// Which columns of the rows make a hit; the item id is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowColumns {
    id: IdType,
    score: Option<(usize, ScoreType)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdType {
    Text,
    Int2,
    Int4,
    Int8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScoreType {
    Float4,
    Float8,
    Int2,
    Int4,
    Int8,
}

impl RowColumns {
    /// Finds the columns in what a statement returns.
    pub(super) fn of(statement: &Statement) -> Result<Self, String> {
        let columns = statement.columns();
        let first = columns.first().ok_or("the query returns no rows; expected a `SELECT`")?;
        let id = id_type(first.type_()).ok_or_else(|| {
            let (name, found) = (first.name(), first.type_());
            format!("the first column `{name}` has type {found}, expected the item id: text or whole numbers; `{name}::text` is text")
        })?;
        let named = columns.iter().position(|column| column.name() == column::SCORE);
        let second = || columns.get(1).filter(|column| is_number(column.type_())).map(|_| 1);
        let Some(place) = named.or_else(second) else { return Ok(Self { id, score: None }) };
        let score = columns.get(place).map(score_type).transpose()?;
        Ok(Self { id, score: score.map(|score| (place, score)) })
    }

    /// Adds a row to the hits.
    pub(super) fn push(self, row: &Row, hits: &mut HitRows) -> Result<(), String> {
        let id: Option<String> = match self.id {
            IdType::Text => value::<&str>(row, 0)?.map(str::to_owned),
            IdType::Int2 => value::<i16>(row, 0)?.map(|id| id.to_string()),
            IdType::Int4 => value::<i32>(row, 0)?.map(|id| id.to_string()),
            IdType::Int8 => value::<i64>(row, 0)?.map(|id| id.to_string()),
        };
        let score = match self.score {
            None => None,
            Some((place, ScoreType::Float4)) => value::<f32>(row, place)?.map(f64::from),
            Some((place, ScoreType::Float8)) => value::<f64>(row, place)?,
            Some((place, ScoreType::Int2)) => value::<i16>(row, place)?.map(f64::from),
            Some((place, ScoreType::Int4)) => value::<i32>(row, place)?.map(f64::from),
            Some((place, ScoreType::Int8)) => value::<i64>(row, place)?.map(|score| score as f64),
        };
        hits.push(id.as_deref(), score)
    }
}

fn value<'a, T: FromSql<'a>>(row: &'a Row, place: usize) -> Result<Option<T>, String> {
    row.try_get(place).map_err(|error| error.to_string())
}

fn id_type(found: &Type) -> Option<IdType> {
    Some(match *found {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => IdType::Text,
        Type::INT2 => IdType::Int2,
        Type::INT4 => IdType::Int4,
        Type::INT8 => IdType::Int8,
        _ => return None,
    })
}

fn is_number(found: &Type) -> bool {
    matches!(*found, Type::FLOAT4 | Type::FLOAT8 | Type::INT2 | Type::INT4 | Type::INT8 | Type::NUMERIC)
}

fn score_type(column: &Column) -> Result<ScoreType, String> {
    Ok(match *column.type_() {
        Type::FLOAT4 => ScoreType::Float4,
        Type::FLOAT8 => ScoreType::Float8,
        Type::INT2 => ScoreType::Int2,
        Type::INT4 => ScoreType::Int4,
        Type::INT8 => ScoreType::Int8,
        _ => {
            let (name, found) = (column.name(), column.type_());
            return Err(format!(
                "the score `{name}` has type {found}, expected a float or whole number; `::float8` makes it one"
            ));
        }
    })
}
