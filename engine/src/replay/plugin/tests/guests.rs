//! Guests written in WAT: a re-ranker that turns each list round, and a retriever that returns the first items of the corpus.
//!
//! A hostile one does the same, except for one session: the one with three hits, or with a query of three letters. So its
//! neighbours show what is left of a batch when one session goes wrong.

use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use super::super::{PluginError, PluginReranker, PluginRetriever};
use crate::benchmark::{CorpusPlan, ItemsPlan, PluginPlan};
use crate::sandbox::{HostSettings, PluginHost, pack};
use crate::session::{Hit, Session};

/// A guest with holes to fill. Every hole has a harmless filling.
#[derive(Clone, Copy, Default)]
pub(super) struct Guest {
    /// Imports.
    pub(super) imports: &'static str,
    /// Module-level definitions.
    pub(super) definitions: &'static str,
    /// What happens at the session that goes wrong; its rows of the answer are `$start .. $end`.
    pub(super) at_culprit: &'static str,
    /// What happens once all is answered; the result record is at 1024, `$flag` says whether the culprit was there.
    pub(super) at_end: &'static str,
    /// What happens in `describe`; the description record is at 64.
    pub(super) at_describe: &'static str,
    /// What happens in `open`; its result record is at 2048.
    pub(super) at_open: &'static str,
}

/// Offsets follow from the canonical ABI: a call has one pointer to its arguments in order, each list a pointer and a
/// length. `sessions` takes 108 bytes (its `len` at 0, the offsets of `queries` at 36), and is followed by the hits
/// (offsets at 108, items at 116) or by the depth. The description has its four texts at 64, what it needs at 96 and
/// whether it may be reused at 98. The result has its discriminant at 1024 and the fields of `answers` from 1028: offsets,
/// items, scores, errors.
const FRAME: &str = r#"
(module
  IMPORTS
  (memory (export "memory") 2)
  (global $free (mut i32) (i32.const 8192))
  (global $flag (mut i32) (i32.const 0))
  (global $corpus (mut i32) (i32.const 0))
  (data (i32.const 128) "guest1.0oops")
  (data (i32.const 64)
    "\80\00\00\00\05\00\00\00" "\85\00\00\00\03\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00"
    "NEEDS\00\01")
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
    (local.get $at))
  (func $new (param $size i32) (result i32)
    (call $allocate (i32.const 0) (i32.const 0) (i32.const 8) (local.get $size)))
  (func $describe (export "rematch:scoring/INTERFACE@0.1.0#describe") (result i32)
    AT_DESCRIBE
    (i32.const 64))
  FUNCTIONS
)"#;

const RERANK: &str = r#"
  (func $rerank (export "rematch:scoring/reranking@0.1.0#rerank") (param $args i32) (result i32)
    (local $len i32) (local $i i32) (local $at i32) (local $offsets i32) (local $given i32) (local $total i32)
    (local $items i32) (local $scores i32) (local $start i32) (local $end i32)
    (local.set $len (i32.load (local.get $args)))
    (local.set $offsets (i32.load offset=108 (local.get $args)))
    (local.set $given (i32.load offset=116 (local.get $args)))
    (local.set $total (i32.load offset=120 (local.get $args)))
    (local.set $items (call $new (i32.mul (local.get $total) (i32.const 4))))
    (local.set $scores (call $new (i32.mul (local.get $total) (i32.const 8))))
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (local.get $offsets))
    (i32.store (i32.const 1032) (i32.add (local.get $len) (i32.const 1)))
    (i32.store (i32.const 1036) (local.get $items))
    (i32.store (i32.const 1040) (local.get $total))
    (i32.store (i32.const 1044) (local.get $scores))
    (i32.store (i32.const 1048) (i32.const 0))
    (i32.store (i32.const 1056) (i32.const 0))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
        (local.set $start
          (i32.load (i32.add (local.get $offsets) (i32.mul (local.get $i) (i32.const 4)))))
        (local.set $end
          (i32.load offset=4 (i32.add (local.get $offsets) (i32.mul (local.get $i) (i32.const 4)))))
        (local.set $at (local.get $start))
        (block $turned
          (loop $turn
            (br_if $turned (i32.ge_u (local.get $at) (local.get $end)))
            (i32.store (i32.add (local.get $items) (i32.mul (local.get $at) (i32.const 4)))
              (i32.load (i32.add (local.get $given) (i32.mul (i32.const 4)
                (i32.sub (i32.sub (i32.add (local.get $start) (local.get $end)) (local.get $at)) (i32.const 1))))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $turn)))
        (if (i32.eq (i32.sub (local.get $end) (local.get $start)) (i32.const 3)) (then
          (global.set $flag (i32.const 1))
          AT_CULPRIT))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    AT_END
    (i32.const 1024))
"#;

const RETRIEVE: &str = r#"
  (func $open (export "rematch:scoring/retrieving@0.1.0#open")
    (param $items i32) (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    AT_OPEN
    (global.set $corpus (local.get $items))
    (i32.const 2048))
  (func $retrieve (export "rematch:scoring/retrieving@0.1.0#retrieve") (param $args i32) (result i32)
    (local $len i32) (local $i i32) (local $at i32) (local $queries i32) (local $depth i32)
    (local $offsets i32) (local $items i32) (local $scores i32) (local $start i32) (local $end i32)
    (local.set $len (i32.load (local.get $args)))
    (local.set $queries (i32.load offset=36 (local.get $args)))
    (local.set $depth (i32.load offset=108 (local.get $args)))
    (if (i32.gt_u (local.get $depth) (global.get $corpus)) (then (local.set $depth (global.get $corpus))))
    (local.set $offsets (call $new (i32.mul (i32.add (local.get $len) (i32.const 1)) (i32.const 4))))
    (local.set $items (call $new (i32.mul (i32.mul (local.get $len) (local.get $depth)) (i32.const 4))))
    (local.set $scores (call $new (i32.mul (i32.mul (local.get $len) (local.get $depth)) (i32.const 8))))
    (i32.store (local.get $offsets) (i32.const 0))
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (local.get $offsets))
    (i32.store (i32.const 1032) (i32.add (local.get $len) (i32.const 1)))
    (i32.store (i32.const 1036) (local.get $items))
    (i32.store (i32.const 1040) (i32.mul (local.get $len) (local.get $depth)))
    (i32.store (i32.const 1044) (local.get $scores))
    (i32.store (i32.const 1048) (i32.const 0))
    (i32.store (i32.const 1056) (i32.const 0))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
        (local.set $start (local.get $end))
        (local.set $end (i32.add (local.get $start) (local.get $depth)))
        (i32.store offset=4 (i32.add (local.get $offsets) (i32.mul (local.get $i) (i32.const 4))) (local.get $end))
        (local.set $at (local.get $start))
        (block $filled
          (loop $fill
            (br_if $filled (i32.ge_u (local.get $at) (local.get $end)))
            (i32.store (i32.add (local.get $items) (i32.mul (local.get $at) (i32.const 4)))
              (i32.sub (local.get $at) (local.get $start)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $fill)))
        (if (i32.eq (i32.const 3) (i32.sub
            (i32.load offset=4 (i32.add (local.get $queries) (i32.mul (local.get $i) (i32.const 4))))
            (i32.load (i32.add (local.get $queries) (i32.mul (local.get $i) (i32.const 4)))))) (then
          (global.set $flag (i32.const 1))
          AT_CULPRIT))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    AT_END
    (i32.const 1024))
"#;

impl Guest {
    fn core(&self, interface: &str, needs: &str, functions: &str) -> Vec<u8> {
        let text = FRAME
            .replace("FUNCTIONS", functions)
            .replace("INTERFACE", interface)
            .replace("NEEDS", needs)
            .replace("IMPORTS", self.imports)
            .replace("DEFINITIONS", self.definitions)
            .replace("AT_DESCRIBE", self.at_describe)
            .replace("AT_OPEN", self.at_open)
            .replace("AT_CULPRIT", self.at_culprit)
            .replace("AT_END", self.at_end);
        wat::parse_str(&text).unwrap()
    }

    /// Returns the re-ranker as a component.
    pub(super) fn reranker_bytes(&self) -> Vec<u8> {
        pack(&self.core("reranking", "\\00", RERANK)).unwrap()
    }

    /// Returns the retriever, which asks for queries, as a component.
    pub(super) fn retriever_bytes(&self) -> Vec<u8> {
        pack(&self.core("retrieving", "\\04", RETRIEVE)).unwrap()
    }

    /// Loads the re-ranker.
    pub(super) fn reranker(&self) -> PluginReranker {
        load(&self.reranker_bytes(), |_| {}, PluginReranker::load).unwrap()
    }

    /// Loads the retriever over the items `d0` to `d4`.
    pub(super) fn retriever(&self) -> PluginRetriever {
        load(&self.retriever_bytes(), |_| {}, PluginRetriever::load).unwrap()
    }
}

/// Loads a component from a file, with what `change` makes of the default plan over a corpus of `d0` to `d4`.
pub(super) fn load<T>(
    bytes: &[u8],
    change: impl FnOnce(&mut PluginPlan),
    load: impl FnOnce(&str, &PluginPlan, &Arc<PluginHost>) -> Result<T, PluginError>,
) -> Result<T, PluginError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("guest.wasm");
    std::fs::write(&path, bytes).unwrap();
    let corpus = folder.path().join("items.jsonl");
    let lines: Vec<String> = (0..5).map(|item| format!(r#"{{"id": "d{item}", "price": {item}}}"#)).collect();
    std::fs::write(&corpus, lines.join("\n")).unwrap();
    let mut plan = PluginPlan::of(path);
    let corpus = CorpusPlan { name: "items".into(), path: corpus, id: "id".into() };
    plan.items = Some(ItemsPlan { corpus, fields: vec!["price".into()] });
    change(&mut plan);
    load("test", &plan, host())
}

/// Returns the host that tests share.
pub(super) fn host() -> &'static Arc<PluginHost> {
    static HOST: OnceLock<Arc<PluginHost>> = OnceLock::new();
    HOST.get_or_init(|| Arc::new(PluginHost::new(HostSettings::default()).unwrap()))
}

/// Returns the hits `d0` to `d{count - 1}`.
pub(super) fn hits(count: usize) -> Vec<Hit> {
    (0..count).map(|item| Hit { item_id: format!("d{item}"), score: None }).collect()
}

/// Returns the session `id` with that query.
pub(super) fn session(id: &str, query: &str) -> Session {
    Session { session_id: id.to_owned(), query: Some(query.to_owned()), ..Session::default() }
}

/// Returns the items of hits.
pub(super) fn items(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.item_id.as_str()).collect()
}
