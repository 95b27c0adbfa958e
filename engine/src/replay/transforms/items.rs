//! One value for every item of a corpus, by a SQL expression over its columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, Volatility};
use datafusion::prelude::{SessionContext, ident};

use super::TransformError;
use crate::benchmark::CorpusPlan;
use crate::load::LoadError;
use crate::load::documents::{Known, TypedCorpus};
use crate::select::names_no_column;

/// What is asked of every item.
pub(super) struct Question<'a> {
    pub(super) corpus: &'a CorpusPlan,
    /// The key of the stage, for error texts.
    pub(super) key: &'static str,
    /// The expression, or the name of a column.
    pub(super) text: &'a str,
}

/// The kinds of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// True or false, by an expression.
    Truth,
    /// A number, by an expression.
    Number,
    /// The text of a column.
    Text,
}

/// Carries both kinds of error through the reader of a corpus.
enum Failure {
    Load(LoadError),
    Told(TransformError),
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl Question<'_> {
    /// Checks what a look at the corpus tells of the question: columns that are not there, and types that do not fit where the
    /// types are known.
    pub(super) fn look(&self, kind: Kind) -> Result<(), TransformError> {
        let (corpus, known) = TypedCorpus::look(self.corpus).map_err(|source| self.unread(source))?;
        let (context, columns) = (SessionContext::new(), self.columns(corpus.schema())?);
        match known {
            Known::Types => {
                let expression = self.expression(kind, &context, &columns)?;
                self.values(kind, &context, &expression, &RecordBatch::new_empty(Arc::clone(corpus.schema()))).map(drop)
            }
            Known::Names if kind == Kind::Text => self.expression(kind, &context, &columns).map(drop),
            Known::Names => match context.parse_sql_expr(self.text, &columns) {
                Err(error) if names_no_column(&error) => Err(self.refuse(&error.strip_backtrace())),
                _ => Ok(()),
            },
            Known::Some => Ok(()),
        }
    }

    /// Hands over the ids of items and their values, batch by batch: booleans, 64-bit floats or UTF-8, by `kind`.
    pub(super) fn answer(
        &self,
        kind: Kind,
        mut take: impl FnMut(&StringArray, &ArrayRef) -> Result<(), String>,
    ) -> Result<(), TransformError> {
        let corpus = TypedCorpus::open(self.corpus).map_err(|source| self.unread(source))?;
        let (context, columns) = (SessionContext::new(), self.columns(corpus.schema())?);
        let expression = self.expression(kind, &context, &columns)?;
        let names: BTreeSet<String> = expression.column_refs().iter().map(|column| column.name.clone()).collect();
        let read = corpus.read(&names, |ids, batch| {
            let values = self.values(kind, &context, &expression, batch).map_err(Failure::Told)?;
            take(ids, &values).map_err(|reason| Failure::Told(self.refuse(&reason)))
        });
        read.map_err(|failure| match failure {
            Failure::Load(error) => self.unread(error),
            Failure::Told(error) => error,
        })
    }

    fn columns(&self, schema: &SchemaRef) -> Result<DFSchema, TransformError> {
        DFSchema::try_from(schema.as_ref().clone()).map_err(|error| self.refuse(&error.strip_backtrace()))
    }

    /// Returns the values of a batch, planned over the batch's own columns, which may be fewer; the type of a value is the same in
    /// every batch.
    fn values(
        &self,
        kind: Kind,
        context: &SessionContext,
        expression: &Expr,
        batch: &RecordBatch,
    ) -> Result<ArrayRef, TransformError> {
        let failed = |error: DataFusionError| self.refuse(&error.strip_backtrace());
        let columns = self.columns(&batch.schema())?;
        let physical = context.create_physical_expr(expression.clone(), &columns).map_err(failed)?;
        let values = physical.evaluate(batch).and_then(|values| values.into_array(batch.num_rows()));
        self.typed(kind, &values.map_err(failed)?)
    }

    /// Returns the expression, checked: it speaks of one item, and means the same every time.
    fn expression(&self, kind: Kind, context: &SessionContext, columns: &DFSchema) -> Result<Expr, TransformError> {
        let refuse = |error: DataFusionError| self.refuse(&error.strip_backtrace());
        if kind == Kind::Text {
            let known = columns.fields().iter().any(|field| field.name() == self.text);
            let names: Vec<&str> = columns.fields().iter().map(|field| field.name().as_str()).collect();
            let unknown = || self.refuse(&format!("there is no such column, expected one of `{}`", names.join("`, `")));
            return known.then(|| ident(self.text)).ok_or_else(unknown);
        }
        let expression = context.parse_sql_expr(self.text, columns).map_err(refuse)?;
        let changing = expression.exists(|node| {
            Ok(matches!(node, Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable))
        });
        let of_many = expression.exists(|node| {
            let many = matches!(node, Expr::AggregateFunction(_) | Expr::WindowFunction(_));
            Ok(many || matches!(node, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)))
        });
        if of_many.map_err(refuse)? {
            return Err(self.refuse("it must speak of one item: aggregates, windows and subqueries are not possible"));
        }
        if changing.map_err(refuse)? {
            return Err(self.refuse("it calls a function whose value changes from run to run"));
        }
        Ok(expression)
    }

    fn typed(&self, kind: Kind, values: &ArrayRef) -> Result<ArrayRef, TransformError> {
        let found = values.data_type();
        let (fits, target, expected) = match kind {
            Kind::Truth => (*found == DataType::Boolean, DataType::Boolean, "true or false"),
            Kind::Number => (found.is_numeric(), DataType::Float64, "a number"),
            Kind::Text => (!found.is_nested(), DataType::Utf8, "a column of text, numbers or times"),
        };
        if !fits && *found != DataType::Null {
            return Err(self.refuse(&format!("its value is of type {found}, expected {expected}")));
        }
        cast(values, &target).map_err(|error| self.refuse(&error.to_string()))
    }

    fn unread(&self, source: LoadError) -> TransformError {
        TransformError::Corpus { corpus: self.corpus.name.clone(), source }
    }

    fn refuse(&self, reason: &str) -> TransformError {
        TransformError::Expression {
            key: self.key,
            expression: self.text.to_owned(),
            corpus: self.corpus.name.clone(),
            reason: reason.to_owned(),
        }
    }
}
