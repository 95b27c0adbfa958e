//! A compiled component, and one call of it in a fresh sandbox.

use wasmtime::Store;
use wasmtime::component::{Component, Linker};

use super::bindings::exports::rematch::scoring::guest;
use super::bindings::{Scorer, ScorerPre};
use super::engine::Sandbox;
use super::limits::{self, SandboxLimiter};
use crate::benchmark::Limits;

/// The interface that a component must export.
const INTERFACE: &str = "rematch:scoring/guest@0.1.0";

/// A component, compiled and linked with nothing.
pub(super) struct Guest {
    component: ScorerPre<SandboxLimiter>,
    limits: Limits,
    sandbox: Sandbox,
}

/// What a guest answered to a batch, and what it cost.
pub(super) struct Reply {
    /// The scores, or why the guest gave none.
    pub(super) scores: Result<guest::Scores, guest::Failure>,
    /// Fuel spent, instantiation included.
    pub(super) fuel: u64,
}

impl Guest {
    /// Compiles `bytes`; the error says in words why they are not a scoring component.
    pub(super) fn compile(bytes: &[u8], limits: Limits) -> Result<Self, String> {
        let sandbox = Sandbox::new().map_err(|error| format!("the sandbox cannot be set up: {error:#}"))?;
        let engine = sandbox.engine();
        let component =
            Component::from_binary(engine, bytes).map_err(|error| format!("it does not compile: {error:#}"))?;
        check_interface(&component, engine)?;
        let linked = Linker::new(engine).instantiate_pre(&component).and_then(ScorerPre::new);
        let component = linked.map_err(|error| format!("it does not fit the world `scorer`: {error:#}"))?;
        Ok(Self { component, limits, sandbox })
    }

    /// Asks the component what it is.
    pub(super) fn describe(&self) -> Result<guest::Description, String> {
        let (description, _) = self.call(0, |scorer, store| scorer.rematch_scoring_guest().call_describe(store))?;
        Ok(description)
    }

    /// Has a batch scored; the error says in words which limit was reached or how the guest failed.
    pub(super) fn score(&self, batch: guest::Batch<'_>, params: &str) -> Result<Reply, String> {
        let sessions = u64::from(batch.len);
        let (scores, fuel) =
            self.call(sessions, |scorer, store| scorer.rematch_scoring_guest().call_score(store, batch, params))?;
        Ok(Reply { scores, fuel })
    }

    /// Returns the fuel that a batch of that many sessions may spend.
    pub(super) fn fuel(&self, sessions: u64) -> u64 {
        self.limits.fuel_base.saturating_add(self.limits.fuel_per_session.saturating_mul(sessions))
    }

    fn call<R>(
        &self,
        sessions: u64,
        call: impl FnOnce(&Scorer, &mut Store<SandboxLimiter>) -> Result<R, wasmtime::Error>,
    ) -> Result<(R, u64), String> {
        let fuel = self.fuel(sessions);
        let mut store =
            self.sandbox.store(&self.limits, fuel).map_err(|error| format!("no sandbox for the call: {error:#}"))?;
        let result = self.component.instantiate(&mut store).and_then(|scorer| call(&scorer, &mut store));
        match result {
            Ok(value) => Ok((value, fuel.saturating_sub(store.get_fuel().unwrap_or(0)))),
            Err(error) => Err(limits::explain(&error, &self.limits, fuel, store.data())),
        }
    }
}

/// Refuses every import by name, and a component without the interface.
fn check_interface(component: &Component, engine: &wasmtime::Engine) -> Result<(), String> {
    let component_type = component.component_type();
    let imports: Vec<String> = component_type.imports(engine).map(|(name, _)| format!("`{name}`")).collect();
    if !imports.is_empty() {
        return Err(format!("it imports {}, but a scorer may import nothing", imports.join(", ")));
    }
    let exports: Vec<&str> = component_type.exports(engine).map(|(name, _)| name).collect();
    if exports.contains(&INTERFACE) {
        return Ok(());
    }
    let found = if exports.is_empty() { "nothing".to_owned() } else { format!("`{}`", exports.join("`, `")) };
    Err(format!("it exports {found}, expected `{INTERFACE}`"))
}
