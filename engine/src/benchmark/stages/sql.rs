//! The source `sql`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::query_text::QueryText;
use crate::benchmark::CorpusPlan;
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::resolve_retrievers::named_corpus;

/// The keys of an `sql` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SqlSpec {
    /// Names of the corpora that are tables of the query.
    pub corpora: Vec<String>,
    /// One `SELECT` with an `ORDER BY`, in DataFusion's SQL. The first column is the item id; the score is the column `score`, or
    /// else the second column where it is a number. `$query`, `$depth`, `$session_id`, `$taxonomy`, `$vector`, `$inputs` and
    /// `$inputs_<name>` stand for values of the session. Rows that `ORDER BY` leaves equal are in ascending order of the id.
    pub query: String,
}

/// A query over corpora.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SqlPlan {
    /// The tables; each has its name.
    pub corpora: Vec<CorpusPlan>,
    /// The query.
    pub query: String,
}

pub(super) fn resolve(context: &Context<'_>, spec: &SqlSpec, keys: &KeyPath) -> Result<SqlPlan, Diagnostic> {
    if spec.corpora.is_empty() {
        return Err(
            context.mistake(&keys.key("corpora"), "no corpus is given, expected the names of the query's tables")
        );
    }
    let mut corpora: Vec<CorpusPlan> = Vec::with_capacity(spec.corpora.len());
    for (index, name) in spec.corpora.iter().enumerate() {
        let keys = keys.key("corpora").index(index);
        if corpora.iter().any(|known| known.name == *name) {
            return Err(context.mistake(&keys, format!("corpus `{name}` is listed twice")));
        }
        corpora.push(named_corpus(context, name, &keys)?);
    }
    QueryText::parse(&spec.query).map_err(|reason| context.mistake(&keys.key("query"), reason))?;
    Ok(SqlPlan { corpora, query: spec.query.clone() })
}
