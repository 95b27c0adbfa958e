//! What a call costs, as ratios: in a reused instance, in a fresh one, from the pool and without it, with and without
//! fuel. Run by hand: `cargo test --workspace --lib -- --ignored --nocapture speed`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use super::super::batch::Columns;
use super::guests::{Rows, relevance};
use crate::benchmark::Limits;
use crate::sandbox::bindings::ScorerPre;
use crate::sandbox::bindings::exports::rematch::scoring::guest::Columns as Needs;
use crate::sandbox::engine;
use crate::sandbox::limits::Sandboxed;
use crate::sandbox::{log, pack};
use crate::session::{Hit, Judgment, Ranking, Session};

const SESSIONS: usize = 1024;
const HITS: usize = 100;
const RELEVANT: usize = 8;

/// The discounted gain of every session, by a scan of its relevant items for each hit: what a plain columnar scorer does.
const SCAN: &str = r#"
(module
  (memory (export "memory") 17)
  (global $free (mut i32) (i32.const 8192))
  (data (i32.const 128) "scan")
  (data (i32.const 64)
    "\80\00\00\00\04\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00"
    "\06\00\00\00" "\08\01\00\00\01\00\00\00")
  (data (i32.const 264) "\80\00\00\00\04\00\00\00" "\00\00\00\00\00\00\00\00" "\01")
  (func $allocate (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "rematch:scoring/guest@0.1.0#describe") (result i32) (i32.const 64))
  (func (export "cabi_post_rematch:scoring/guest@0.1.0#score") (param i32) (global.set $free (i32.const 8192)))
  (func (export "rematch:scoring/guest@0.1.0#score") (param $batch i32) (result i32)
    (local $len i32) (local $i i32) (local $values i32) (local $sum f64) (local $hit i32) (local $hits_end i32)
    (local $first i32) (local $known i32) (local $item i32) (local $known_first i32) (local $known_end i32)
    (local.set $len (i32.load (local.get $batch)))
    (local.set $values
      (call $allocate (i32.const 0) (i32.const 0) (i32.const 8) (i32.mul (local.get $len) (i32.const 8))))
    (block $done
      (loop $session
        (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
        (local.set $first (i32.add (i32.load offset=76 (local.get $batch)) (i32.shl (i32.load
          (i32.add (i32.load offset=68 (local.get $batch)) (i32.shl (local.get $i) (i32.const 2)))) (i32.const 2))))
        (local.set $hits_end (i32.add (i32.load offset=76 (local.get $batch)) (i32.shl (i32.load offset=4
          (i32.add (i32.load offset=68 (local.get $batch)) (i32.shl (local.get $i) (i32.const 2)))) (i32.const 2))))
        (local.set $known_first (i32.load
          (i32.add (i32.load offset=44 (local.get $batch)) (i32.shl (local.get $i) (i32.const 2)))))
        (local.set $known_end (i32.load offset=4
          (i32.add (i32.load offset=44 (local.get $batch)) (i32.shl (local.get $i) (i32.const 2)))))
        (local.set $sum (f64.const 0))
        (local.set $hit (local.get $first))
        (block $scanned
          (loop $next_hit
            (br_if $scanned (i32.ge_u (local.get $hit) (local.get $hits_end)))
            (local.set $item (i32.load (local.get $hit)))
            (local.set $known (local.get $known_first))
            (block $found
              (loop $next_known
                (br_if $found (i32.ge_u (local.get $known) (local.get $known_end)))
                (if (i32.eq (local.get $item) (i32.load
                      (i32.add (i32.load offset=52 (local.get $batch)) (i32.shl (local.get $known) (i32.const 2)))))
                  (then
                    (local.set $sum (f64.add (local.get $sum) (f64.div
                      (f64.load (i32.add (i32.load offset=60 (local.get $batch)) (i32.shl (local.get $known) (i32.const 3))))
                      (f64.convert_i32_u (i32.add (i32.const 2)
                        (i32.shr_u (i32.sub (local.get $hit) (local.get $first)) (i32.const 2)))))))
                    (br $found)))
                (local.set $known (i32.add (local.get $known) (i32.const 1)))
                (br $next_known)))
            (local.set $hit (i32.add (local.get $hit) (i32.const 4)))
            (br $next_hit)))
        (f64.store (i32.add (local.get $values) (i32.shl (local.get $i) (i32.const 3))) (local.get $sum))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $session)))
    (memory.fill (i32.const 1024) (i32.const 0) (i32.const 64))
    (i32.store (i32.const 1028) (local.get $values))
    (i32.store (i32.const 1032) (local.get $len))
    (i32.const 1024)))"#;

fn rows() -> Rows {
    let row = |session: usize| {
        let item = |number: usize| format!("item-{}", (session * 37 + number * 11) % 5_000);
        let hits = (0..HITS).map(|rank| Hit { item_id: item(rank), score: None }).collect();
        let judged = |number: usize| Judgment { item_id: item(number * 13), grade: 1.0 + number as f32 };
        let judgments = (0..RELEVANT).map(judged).collect();
        let session = Session { session_id: session.to_string(), judgments, ..Session::default() };
        let relevance = relevance(&session);
        (session, Ranking { hits, ..Ranking::default() }, relevance)
    };
    Rows((0..SESSIONS).map(row).collect())
}

/// Returns the best time of a session in nanoseconds.
fn best(mut batch: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..60 {
        let started = Instant::now();
        (0..5).for_each(|_| batch());
        best = best.min(started.elapsed() / 5);
    }
    best.as_nanos() as f64 / SESSIONS as f64
}

#[test]
#[ignore = "measures for a minute"]
fn the_cost_of_a_session() {
    let rows = rows();
    let cases = rows.cases();
    let columns = Columns::of(&cases, Needs::HITS | Needs::RELEVANCE, None).unwrap();
    let bytes = pack(&wat::parse_str(SCAN).unwrap()).unwrap();
    let configurations = [
        ("plain", engine::config(None).consume_fuel(false).epoch_interruption(false).clone(), true),
        ("epoch", engine::config(None).consume_fuel(false).clone(), true),
        ("fuel", engine::config(None).epoch_interruption(false).clone(), true),
        ("fuel and epoch", engine::config(None), false),
        ("fuel and epoch, pool", engine::config(None).allocation_strategy(engine::pooling(16)).clone(), false),
    ];
    for (name, config, reused_only) in configurations {
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_binary(&engine, &bytes).unwrap();
        let mut linker = Linker::new(&engine);
        log::link(&mut linker).unwrap();
        let scorer = ScorerPre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
        let store = || {
            let mut store = Store::new(&engine, Sandboxed::new(Limits::default()));
            store.limiter(|sandboxed| sandboxed);
            // Fuel and epoch are refused where they are not switched on.
            let _ = store.set_fuel(u64::MAX);
            store.set_epoch_deadline(1_000_000);
            store
        };
        let mut kept = store();
        let instance = scorer.instantiate(&mut kept).unwrap();
        let reused = best(|| {
            let reply = instance.rematch_scoring_guest().call_score(&mut kept, columns.lower(&[]), "{}");
            black_box(reply.unwrap().unwrap());
        });
        eprintln!("{name}: reused {reused:.0} ns");
        if reused_only {
            continue;
        }
        let fresh = best(|| {
            let mut store = store();
            let instance = scorer.instantiate(&mut store).unwrap();
            let reply = instance.rematch_scoring_guest().call_score(&mut store, columns.lower(&[]), "{}");
            black_box(reply.unwrap().unwrap());
        });
        let empty = best(|| _ = black_box(scorer.instantiate(store()).unwrap())) * SESSIONS as f64;
        eprintln!("{name}: fresh {fresh:.0} ns; instantiating alone {empty:.0} ns a batch");
    }
}
