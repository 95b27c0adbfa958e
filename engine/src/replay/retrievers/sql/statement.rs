//! The query: one repeatable `SELECT` with an order.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::prelude::{SQLOptions, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Query, Statement as SqlStatement, Value,
};

use super::SqlError;
use super::tables::said;
use crate::benchmark::stages::QueryText;
use crate::select::names_no_column;

/// Returns the plan of a query, in which parameters are still to be filled in.
pub(super) async fn plan(context: &SessionContext, query: &str) -> Result<LogicalPlan, SqlError> {
    let refuse = |reason: &str| SqlError::Query { reason: reason.to_owned() };
    let by_engine = |error: DataFusionError| match names_no_column(&error) {
        true => SqlError::Column { reason: said(&error) },
        false => SqlError::Query { reason: said(&error) },
    };
    let state = context.state();
    let dialect = state.config().options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(query, &dialect).map_err(by_engine)?;
    let select = match &mut statement {
        Statement::Statement(statement) => match statement.as_mut() {
            SqlStatement::Query(select) => select,
            _ => return Err(refuse("it is no `SELECT`")),
        },
        _ => return Err(refuse("it is no `SELECT`")),
    };
    complete_order(select)?;
    let plan = state.statement_to_plan(statement).await.map_err(by_engine)?;
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(by_engine)?;
    if has_changing_function(&plan).map_err(by_engine)? {
        return Err(refuse("it calls a function whose value changes from run to run"));
    }
    let known = QueryText::parse(query).map_err(|reason| SqlError::Query { reason })?;
    let known: Vec<String> = known.parameters().iter().map(|parameter| format!("${parameter}")).collect();
    let named = plan.get_parameter_names().map_err(by_engine)?;
    match named.iter().filter(|name| !known.contains(name)).min() {
        Some(unknown) => Err(refuse(&format!("`{unknown}` is no parameter"))),
        None => Ok(plan),
    }
}

/// Adds the first column, which is the item id, to the order: rows that are equal otherwise always come in the same order, and
/// a smaller limit takes the head of what a greater one takes.
fn complete_order(select: &mut Query) -> Result<(), SqlError> {
    match &mut select.order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(expressions), .. }) if !expressions.is_empty() => {
            expressions.push(OrderByExpr {
                expr: SqlExpr::value(Value::Number("1".into(), false)),
                options: OrderByOptions { asc: Some(true), nulls_first: None },
                with_fill: None,
            });
            Ok(())
        }
        _ => Err(SqlError::Query {
            reason: "it has no `ORDER BY` of its own, so that its rows have no order; end it as in `ORDER BY score DESC LIMIT $depth`"
                .to_owned(),
        }),
    }
}

fn has_changing_function(plan: &LogicalPlan) -> datafusion::error::Result<bool> {
    let is_changing = |node: &Expr| {
        Ok(matches!(node, Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable))
    };
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            found |= expression.exists(is_changing)?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}
