//! Builds the sources that search data: vectors, tables and databases.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::{CorpusKey, Resources, key, sql_error, vector_error};
use super::{ReplayError, Workspace};
use crate::benchmark::PipelinePlan;
use crate::benchmark::stages::{PostgresPlan, SqlPlan, StagePlan, VectorPlan};
use crate::replay::Retriever;
use crate::replay::retrievers::vector::{VectorError, VectorTable};
use crate::replay::retrievers::{PostgresRetriever, SqlRetriever, VectorRetriever};

/// Vectors by corpus and column.
pub(super) type VectorTables = BTreeMap<(CorpusKey, String), Arc<VectorTable>>;

impl Resources<'_> {
    /// Builds a `vector` source of the retriever `plan`; pipelines over one column share its vectors.
    pub(super) fn vector(
        &mut self,
        plan: &PipelinePlan,
        vector: &VectorPlan,
    ) -> Result<Arc<dyn Retriever>, ReplayError> {
        let error = |source: VectorError| vector_error(plan, vector, source);
        let key = (key(&vector.corpus), vector.column.clone());
        let table = match self.tables.get(&key) {
            Some(table) => Arc::clone(table),
            None => {
                let table = VectorTable::read(&vector.corpus, &vector.column).map_err(|source| error(source.into()))?;
                let table = Arc::new(table);
                self.tables.insert(key, Arc::clone(&table));
                table
            }
        };
        Ok(Arc::new(VectorRetriever::build(vector, table).map_err(error)?))
    }

    /// Builds an `sql` source of the retriever `plan`.
    pub(super) fn sql(
        &self,
        plan: &PipelinePlan,
        stage: &StagePlan,
        sql: &SqlPlan,
    ) -> Result<Arc<dyn Retriever>, ReplayError> {
        let retriever = SqlRetriever::build(sql, self.workspace);
        Ok(Arc::new(retriever.map_err(|source| sql_error(plan, stage, source))?))
    }

    /// Builds a `postgres` source of the retriever `plan`.
    pub(super) fn postgres(
        &mut self,
        plan: &PipelinePlan,
        stage: &StagePlan,
        postgres: &PostgresPlan,
    ) -> Result<Arc<dyn Retriever>, ReplayError> {
        let policy = self.policy(plan, stage, &postgres.policy);
        let Workspace { secrets, outbound, .. } = self.workspace;
        let retriever = PostgresRetriever::build(postgres, policy, plan.concurrency, secrets, outbound);
        Ok(Arc::new(retriever.map_err(|source| ReplayError::Postgres {
            retriever: plan.id.clone(),
            stage: stage.name.clone(),
            source: Box::new(source),
        })?))
    }
}
