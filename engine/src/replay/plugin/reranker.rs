//! A component that orders hits anew.

use std::sync::Arc;

use super::PluginError;
use super::answers;
use super::calls::{Call, Caller};
use super::columns::{HitColumns, SessionColumns};
use super::component::{Component, StageDescription, words};
use crate::benchmark::PluginPlan;
use crate::load::ItemFields;
use crate::replay::reranked::with_the_rest;
use crate::replay::{Reads, RetrieveError};
use crate::sandbox::PluginHost;
use crate::sandbox::bindings::stages::exports::rematch::scoring::reranking::Guest;
use crate::sandbox::limits::CallFailure;
use crate::session::{Hit, Session};

/// A session and the hits that a re-ranker gets, best first and no item twice.
#[derive(Debug, Clone, Copy)]
pub struct Handed<'a> {
    /// The session.
    pub session: &'a Session,
    /// Its hits so far.
    pub hits: &'a [Hit],
}

/// A component of the world `reranker`.
pub struct PluginReranker {
    component: Component<Guest>,
    items: Option<ItemFields>,
}

impl std::fmt::Debug for PluginReranker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PluginReranker").field("plugin", &self.component.plugin).finish_non_exhaustive()
    }
}

impl PluginReranker {
    /// Loads the component of the stage `stage` and hands it an empty batch, so that wrong parameters are found here and
    /// not in the middle of a run. The fields of its items are read into memory.
    ///
    /// # Errors
    ///
    /// [`PluginError::Sandbox`] when the file cannot be read, is not what the plan pins, or is no re-ranker;
    /// [`PluginError::Items`] when the corpus of its items cannot be read; [`PluginError::Failed`] when it refuses its
    /// parameters or fails on the empty batch.
    pub fn load(stage: &str, plan: &PluginPlan, host: &Arc<PluginHost>) -> Result<Self, PluginError> {
        let component = Component::<Guest>::load(stage, plan, host)?;
        let wanted = component.description.needs.iter().any(|need| need == "item-fields");
        let items = plan.items.as_ref().filter(|_| wanted).map(ItemFields::load).transpose();
        let items = items.map_err(|source| PluginError::Items { path: plan.path.clone(), source: Box::new(source) })?;
        let reranker = Self { component, items };
        let empty = reranker.call(&[], true);
        empty.result.map_err(|failure| reranker.component.failed(failure.reason))?;
        Ok(reranker)
    }

    /// Returns what the component says of itself.
    #[must_use]
    pub fn description(&self) -> &StageDescription {
        &self.component.description
    }

    /// Returns what of a session the component gets to see.
    #[must_use]
    pub fn reads(&self) -> Reads {
        self.component.reads()
    }

    /// Returns the hits of each row in their new order. Hits that the component does not name follow in their old order,
    /// without scores, since theirs were made by another measure. It works on this thread.
    ///
    /// # Errors
    ///
    /// Each row has an error of its own, of kind `plugin`, or `timeout` where the wall clock ended the call.
    pub fn rerank(&self, rows: &[Handed<'_>]) -> Vec<Result<Vec<Hit>, RetrieveError>> {
        let caller = Caller {
            call: &|rows: &[Handed<'_>], fresh| self.call(rows, fresh),
            fuel_of_one: self.component.guest.fuel(1),
            batch: self.component.batch.get(),
            stopped: &|| self.component.stopped(),
            plugin: &self.component.plugin,
        };
        caller.answer(rows)
    }

    fn call(&self, rows: &[Handed<'_>], fresh: bool) -> Call {
        let component = &self.component;
        let rested = if fresh || !component.keeps() { None } else { component.guest.wake(rows.len()) };
        let fresh = rested.is_none();
        let instance = rested.map_or_else(|| component.guest.instantiate(rows.len()), Ok);
        let mut instance = match instance {
            Ok(instance) => instance,
            Err(failure) => return Call { result: Err(failure), fuel: 0, fresh },
        };
        let result = self.columns(rows).and_then(|(sessions, hits)| {
            let fields = hits.named.lower_fields();
            let reply = instance.call(|guest, store| {
                let items = hits.named.lower(&fields);
                guest.call_rerank(store, sessions.lower(), hits.lower(), items, &component.params)
            })?;
            let reply = reply.map_err(words)?;
            // A number stands for an item of that session only if one of its hits has it.
            let item = |session: usize, number: u32| {
                let bounds = hits.offsets.as_slice().get(session..session.saturating_add(2));
                let bounds = bounds.and_then(|bounds| Some((*bounds.first()?, *bounds.last()?)));
                let (start, end) = bounds?;
                let numbers = hits.items.get(start as usize..end as usize)?;
                let at = numbers.iter().position(|known| *known == number)?;
                rows.get(session)?.hits.get(at).map(|hit| hit.item_id.as_str())
            };
            let answers = answers::answers(&reply, rows.len(), usize::MAX, item)?;
            Ok(rows.iter().zip(answers).map(|(row, answer)| Ok(with_the_rest(row.hits, answer?))).collect())
        });
        component.finish(instance, fresh, result)
    }

    fn columns(&self, rows: &[Handed<'_>]) -> Result<(SessionColumns, HitColumns), CallFailure> {
        let needs = self.component.needs;
        let sessions = SessionColumns::of(rows.iter().map(|row| row.session), needs);
        let hits = HitColumns::of(rows, needs, self.items.as_ref());
        match (sessions, hits) {
            (Ok(sessions), Ok(hits)) => Ok((sessions, hits)),
            (Err(error), _) | (_, Err(error)) => Err(error.to_string().into()),
        }
    }
}
