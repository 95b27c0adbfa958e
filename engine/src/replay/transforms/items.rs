//! One value for every item of a corpus, by a SQL expression over its columns.

use std::collections::BTreeSet;

use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, Volatility};
use datafusion::prelude::{SessionContext, ident};

use super::TransformError;
use crate::benchmark::CorpusPlan;
use crate::load::LoadError;
use crate::load::documents::TypedCorpus;

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
    /// Hands over the ids of items and their values, batch by batch: booleans, 64-bit floats or UTF-8, by `kind`.
    pub(super) fn answer(
        &self,
        kind: Kind,
        mut take: impl FnMut(&StringArray, &ArrayRef) -> Result<(), String>,
    ) -> Result<(), TransformError> {
        let unread = |source| TransformError::Corpus { corpus: self.corpus.name.clone(), source };
        let corpus = TypedCorpus::open(self.corpus).map_err(unread)?;
        let (context, columns) = (SessionContext::new(), corpus.schema().as_ref().clone());
        let columns = DFSchema::try_from(columns).map_err(|error| self.refuse(&error.strip_backtrace()))?;
        let expression = self.expression(kind, &context, &columns)?;
        let names: BTreeSet<String> = expression.column_refs().iter().map(|column| column.name.clone()).collect();
        let read = corpus.read(&names, |ids, batch| {
            // Planned over the batch's own columns, which are fewer; the type of a value is the same in every batch.
            let failed = |error: DataFusionError| Failure::Told(self.refuse(&error.strip_backtrace()));
            let columns = DFSchema::try_from(batch.schema().as_ref().clone()).map_err(failed)?;
            let physical = context.create_physical_expr(expression.clone(), &columns).map_err(failed)?;
            let values = physical.evaluate(batch).and_then(|values| values.into_array(batch.num_rows()));
            let values = self.typed(kind, &values.map_err(failed)?).map_err(Failure::Told)?;
            take(ids, &values).map_err(|reason| Failure::Told(self.refuse(&reason)))
        });
        read.map_err(|failure| match failure {
            Failure::Load(error) => unread(error),
            Failure::Told(error) => error,
        })
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

    fn refuse(&self, reason: &str) -> TransformError {
        TransformError::Expression {
            key: self.key,
            expression: self.text.to_owned(),
            corpus: self.corpus.name.clone(),
            reason: reason.to_owned(),
        }
    }
}
