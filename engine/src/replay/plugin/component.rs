//! A component that is a stage: loaded, described, ready to be called.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::calls::Call;
use super::{PluginError, PluginReranker, PluginRetriever};
use crate::benchmark::PluginPlan;
use crate::replay::Reads;
use crate::sandbox::bindings::stages::rematch::scoring::stage_types::{Columns, Description, Failure};
use crate::sandbox::imports::{RERANKING, RETRIEVING};
use crate::sandbox::instance::Instance;
use crate::sandbox::limits::CallFailure;
use crate::sandbox::stage::{StageExports, StageGuest};
use crate::sandbox::{PluginHost, load, naming};

/// What a stage's component says of itself, for listings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageDescription {
    /// The world that it implements: `retriever` or `reranker`.
    pub world: String,
    /// The component's name; never empty.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
    /// What it does; may be empty.
    pub summary: String,
    /// JSON Schema of the parameters; may be empty.
    pub params_schema: String,
    /// Whether an instance may be used for batch after batch.
    pub reusable: bool,
    /// The column groups that it asks for, by their names in the WIT.
    pub needs: Vec<String>,
    /// SHA-256 of the component file, in lower-case hex.
    pub sha256: String,
}

impl StageDescription {
    /// Loads a component of either kind as the benchmark would, and returns what it says of itself; `None` where the names of
    /// its exports say that it is no stage at all.
    ///
    /// # Errors
    ///
    /// As [`PluginRetriever::load`](super::PluginRetriever::load) and [`PluginReranker::load`](super::PluginReranker::load).
    pub fn load(exports: &[String], plan: &PluginPlan, host: &Arc<PluginHost>) -> Result<Option<Self>, PluginError> {
        let is = |interface: &str| exports.iter().any(|export| export == interface);
        let stage = plan.path.file_stem().map(|name| name.to_string_lossy()).unwrap_or_default();
        if is(RERANKING) {
            return PluginReranker::load(&stage, plan, host).map(|stage| Some(stage.description().clone()));
        }
        if is(RETRIEVING) {
            return PluginRetriever::load(&stage, plan, host).map(|stage| Some(stage.description().clone()));
        }
        Ok(None)
    }
}

/// A component of one of the two kinds.
pub(super) struct Component<Exports: StageExports> {
    /// The stage's name, under which messages are shown.
    stage: String,
    /// Name and version, for error texts.
    pub(super) plugin: String,
    pub(super) params: String,
    pub(super) batch: NonZeroUsize,
    pub(super) needs: Columns,
    pub(super) description: StageDescription,
    pub(super) guest: StageGuest<Exports>,
    host: Arc<PluginHost>,
}

impl<Exports: StageExports> Component<Exports> {
    /// Reads, checks and compiles the component of the stage `stage`, and asks it to describe itself.
    pub(super) fn load(stage: &str, plan: &PluginPlan, host: &Arc<PluginHost>) -> Result<Self, PluginError> {
        let file = load::read(plan)?;
        let refused = |reason| PluginError::Sandbox(load::refused(plan, reason));
        let guest = StageGuest::new(&file, plan, host).map_err(refused)?;
        let raw = guest.describe(|log| host.hear(stage, log));
        let raw: Description = raw.map_err(|failure| refused(format!("`describe` failed: {}", failure.reason)))?;
        naming::check(&raw.name, &raw.version).map_err(refused)?;
        let needs = raw.needs;
        if needs.contains(Columns::ITEM_FIELDS) && plan.items.is_none() {
            return Err(refused(
                "it asks for the fields of items, but the benchmark names no corpus; add \
                 `items = { corpus = \"...\", fields = [\"...\"] }` to the stage"
                    .to_owned(),
            ));
        }
        let description = StageDescription {
            world: Exports::WORLD.to_owned(),
            name: raw.name,
            version: raw.version,
            summary: raw.summary,
            params_schema: raw.params_schema,
            reusable: raw.reusable,
            needs: names(needs),
            sha256: file.sha256,
        };
        Ok(Self {
            stage: stage.to_owned(),
            plugin: format!("{} {}", description.name, description.version).trim_end().to_owned(),
            params: plan.params.clone(),
            batch: plan.batch,
            needs,
            description,
            guest,
            host: Arc::clone(host),
        })
    }

    /// Returns what of a session the component gets to see.
    pub(super) fn reads(&self) -> Reads {
        Reads {
            session_id: self.needs.contains(Columns::SESSION_IDS),
            timestamp: self.needs.contains(Columns::TIMES),
            query: self.needs.contains(Columns::QUERIES),
            query_vector: self.needs.contains(Columns::QUERY_VECTORS),
            inputs: self.needs.contains(Columns::INPUTS),
            taxonomy: self.needs.contains(Columns::TAXONOMY),
        }
    }

    /// Returns whether somebody wants the work to end.
    pub(super) fn stopped(&self) -> bool {
        self.host.stop.load(Ordering::Relaxed)
    }

    /// Passes on what was said in the last call.
    pub(super) fn hear(&self, instance: &mut Instance<Exports>) {
        self.host.hear(&self.stage, &instance.take_log());
    }

    /// Keeps an instance for another call where the component allows it and the last call went well, and sums the call up.
    pub(super) fn finish(
        &self,
        mut instance: Instance<Exports>,
        fresh: bool,
        result: Result<Vec<super::answers::Answer>, CallFailure>,
    ) -> Call {
        let fuel = instance.cost().fuel_when_fresh;
        self.hear(&mut instance);
        if result.is_ok() && self.keeps() {
            self.guest.rest(instance);
        }
        Call { result, fuel, fresh }
    }

    /// Returns whether instances serve call after call. With one session a call, none shall see another.
    pub(super) fn keeps(&self) -> bool {
        self.description.reusable && self.batch.get() > 1
    }

    /// Returns the error of a component that failed before any session.
    pub(super) fn failed(&self, reason: String) -> PluginError {
        PluginError::Failed { plugin: self.plugin.clone(), reason }
    }
}

/// Returns the words of a reply that is a failure.
pub(super) fn words(failure: Failure) -> String {
    match failure {
        Failure::InvalidParams(message) => format!("refused its parameters: {message}"),
        Failure::Internal(message) => message,
    }
}

fn names(columns: Columns) -> Vec<String> {
    let names = [
        (Columns::SESSION_IDS, "session-ids"),
        (Columns::TIMES, "times"),
        (Columns::QUERIES, "queries"),
        (Columns::QUERY_VECTORS, "query-vectors"),
        (Columns::INPUTS, "inputs"),
        (Columns::TAXONOMY, "taxonomy"),
        (Columns::HIT_SCORES, "hit-scores"),
        (Columns::ITEM_IDS, "item-ids"),
        (Columns::ITEM_FIELDS, "item-fields"),
    ];
    names.into_iter().filter(|(flag, _)| columns.contains(*flag)).map(|(_, name)| name.to_owned()).collect()
}
