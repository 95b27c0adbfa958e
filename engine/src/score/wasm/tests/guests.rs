//! Guests written in WAT, and the cases that they score.
//!
//! The well-behaved guest gives each session the number of its hits. A hostile one does the same, except for sessions
//! with exactly three hits; so its neighbours show what is left of a batch when one session goes wrong.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use super::super::{HostSettings, PluginHost, WasmScorer, pack};
use crate::benchmark::spec::{Combine, Compatibility};
use crate::benchmark::{Limits, PluginPlan, RelevancePlan};
use crate::score::{Case, Relevance, ScoreError, ScoreOutcome, Scorer};
use crate::session::{Hit, Ranking, ScoreState, Session};

/// A guest with holes to fill. Every hole has a harmless filling.
#[derive(Clone)]
pub(super) struct Guest {
    /// Imports.
    pub(super) imports: &'static str,
    /// Module-level definitions.
    pub(super) definitions: &'static str,
    /// What happens at a session with three hits; `$value` is its score so far.
    pub(super) at_three_hits: &'static str,
    /// What happens once all sessions are scored; the result record is at 1024.
    pub(super) at_end: &'static str,
    /// What happens in `describe`; the description record is at 64.
    pub(super) at_describe: &'static str,
    /// What happens when memory is asked for; `$at` is the answer.
    pub(super) at_allocate: &'static str,
    /// The memory's size, in pages.
    pub(super) memory: &'static str,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            imports: "",
            definitions: "",
            at_three_hits: "",
            at_end: "",
            at_describe: "",
            at_allocate: "",
            memory: "2",
        }
    }
}

/// Offsets follow from the canonical ABI: the arguments are one pointer to the batch's fields in order, each list a
/// pointer and a length. `len` is at 0 and the offsets of `hits` at 68. The description has its four texts at 64, what
/// it needs at 96, its metrics at 100 (56 bytes each, from 264) and whether it may be reused at 108. The result has its
/// discriminant at 1024 and the fields of `scores` from 1028.
const TEMPLATE: &str = r#"
(module
  IMPORTS
  (memory (export "memory") MEMORY)
  (global $free (mut i32) (i32.const 8192))
  (global $flag (mut i32) (i32.const 0))
  (data (i32.const 128) "guest1.0hitsmore")
  (data (i32.const 64)
    "\80\00\00\00\05\00\00\00" "\85\00\00\00\03\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00"
    "\04\00\00\00" "\08\01\00\00\01\00\00\00")
  (data (i32.const 264) "\88\00\00\00\04\00\00\00" "\00\00\00\00\00\00\00\00" "\01")
  (data (i32.const 320) "\8c\00\00\00\04\00\00\00" "\00\00\00\00\00\00\00\00" "\01")
  DEFINITIONS
  (func $allocate (export "cabi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (loop $grow
        (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
        unreachable))
    AT_ALLOCATE
    (local.get $at))
  (func $describe (export "rematch:scoring/guest@0.1.0#describe") (result i32)
    AT_DESCRIBE
    (i32.const 64))
  (func $score (export "rematch:scoring/guest@0.1.0#score") (param $batch i32) (result i32)
    (local $len i32) (local $i i32) (local $offsets i32) (local $hits i32) (local $values i32) (local $value f64)
    (local.set $len (i32.load (local.get $batch)))
    (local.set $offsets (i32.load offset=68 (local.get $batch)))
    (local.set $values
      (call $allocate (i32.const 0) (i32.const 0) (i32.const 8) (i32.mul (local.get $len) (i32.const 16))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
        (local.set $hits (i32.sub
          (i32.load offset=4 (i32.add (local.get $offsets) (i32.mul (local.get $i) (i32.const 4))))
          (i32.load (i32.add (local.get $offsets) (i32.mul (local.get $i) (i32.const 4))))))
        (local.set $value (f64.convert_i32_u (local.get $hits)))
        (if (i32.eq (local.get $hits) (i32.const 3)) (then
          (global.set $flag (i32.const 1))
          AT_THREE_HITS))
        (f64.store (i32.add (local.get $values) (i32.mul (local.get $i) (i32.const 8))) (local.get $value))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.store (i32.const 1028) (local.get $values))
    (i32.store (i32.const 1032) (local.get $len))
    AT_END
    (i32.const 1024))
)"#;

impl Guest {
    /// Returns the guest as a core module.
    pub(super) fn core(&self) -> Vec<u8> {
        let text = TEMPLATE
            .replace("IMPORTS", self.imports)
            .replace("MEMORY", self.memory)
            .replace("DEFINITIONS", self.definitions)
            .replace("AT_DESCRIBE", self.at_describe)
            .replace("AT_ALLOCATE", self.at_allocate)
            .replace("AT_THREE_HITS", self.at_three_hits)
            .replace("AT_END", self.at_end);
        wat::parse_str(&text).unwrap()
    }

    /// Returns the guest as a loaded scorer.
    pub(super) fn load(&self) -> Result<WasmScorer, ScoreError> {
        self.load_with(Limits::default())
    }

    /// Returns the guest as a scorer loaded with `limits`.
    pub(super) fn load_with(&self, limits: Limits) -> Result<WasmScorer, ScoreError> {
        load_bytes(&pack(&self.core()).unwrap(), limits)
    }
}

/// Loads the component `bytes` from a file.
pub(super) fn load_bytes(bytes: &[u8], limits: Limits) -> Result<WasmScorer, ScoreError> {
    load_planned(bytes, host(), |plan| plan.limits = limits)
}

/// Loads the component `bytes` into `host` from a file, with what `change` makes of the default plan.
pub(super) fn load_planned(
    bytes: &[u8],
    host: &Arc<PluginHost>,
    change: impl FnOnce(&mut PluginPlan),
) -> Result<WasmScorer, ScoreError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("guest.wasm");
    std::fs::write(&path, bytes).unwrap();
    let mut plan = PluginPlan::of(path);
    change(&mut plan);
    WasmScorer::load("test", &plan, host)
}

/// Returns the host that tests share.
pub(super) fn host() -> &'static Arc<PluginHost> {
    static HOST: OnceLock<Arc<PluginHost>> = OnceLock::new();
    HOST.get_or_init(|| Arc::new(PluginHost::new(HostSettings::default()).unwrap()))
}

/// Returns the plan of a plugin without parameters.
pub(super) fn plan(path: &Path, limits: Limits) -> PluginPlan {
    PluginPlan { limits, ..PluginPlan::of(path.to_owned()) }
}

/// Returns an error with its sources in one line.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Returns a session's gains by its judgments.
pub(super) fn relevance(session: &Session) -> Relevance {
    let plan = RelevancePlan {
        gain: rematch_metrics::GainFunction::Linear,
        combine: Combine::Max,
        weights: std::collections::BTreeMap::default(),
        compatibility: Compatibility::Strict,
    };
    Relevance::of(session, &plan)
}

/// Sessions with their rankings and gains, owned.
#[derive(Default)]
pub(super) struct Rows(pub(super) Vec<(Session, Ranking, Relevance)>);

impl Rows {
    /// Returns one session per number of hits.
    pub(super) fn with_hits(hits: &[usize]) -> Self {
        let row = |(index, hits): (usize, &usize)| {
            let session = Session { session_id: format!("s{index}"), ..Session::default() };
            let hit = |rank| Hit { item_id: format!("d{rank}"), score: None };
            let ranking = Ranking { hits: (0..*hits).map(hit).collect(), ..Ranking::default() };
            (session, ranking, Relevance::default())
        };
        Self(hits.iter().enumerate().map(row).collect())
    }

    pub(super) fn cases(&self) -> Vec<Case<'_>> {
        self.0.iter().map(|(session, ranking, relevance)| Case { session, ranking, relevance }).collect()
    }
}

/// Scores sessions of 0 to 5 hits, asserts that all but the one of three hits have their scores, and returns the text
/// of that one's error.
pub(super) fn culprit(scorer: &WasmScorer) -> String {
    let hits = [0, 1, 2, 3, 4, 5];
    let outcomes = scorer.score(&Rows::with_hits(&hits).cases()).unwrap();
    assert_eq!(outcomes.len(), hits.len());
    for (hits, outcome) in hits.into_iter().zip(&outcomes).filter(|(hits, _)| *hits != 3) {
        assert_eq!(*outcome, ScoreOutcome::complete(hits as f64, String::new()), "a neighbour lost its score");
    }
    assert_eq!((outcomes[3].state, outcomes[3].value), (ScoreState::Error, None));
    outcomes[3].output.clone()
}
