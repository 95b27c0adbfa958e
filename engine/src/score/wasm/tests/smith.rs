//! Components and modules that nobody wrote: thousands of random ones are loaded and called, and the host must neither
//! panic nor hang. `REMATCH_SMITH=20000` sets how many.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use arbitrary::Unstructured;

use super::super::{inspect, pack};
use super::guests::{Guest, Rows, host, load_planned};
use crate::benchmark::Limits;
use crate::benchmark::spec::Wasi;
use crate::score::Scorer;

/// How many there are of each kind where nothing is said.
const FEW: usize = 100;

/// The longest that one of them may take: the deadline of each of its calls, and what a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(60);

fn count() -> usize {
    std::env::var("REMATCH_SMITH").ok().and_then(|count| count.parse().ok()).map_or(FEW, |count: usize| count / 3)
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// What became of the random ones, by how far they came.
#[derive(Debug, Default)]
struct Fates {
    refused: usize,
    loaded: usize,
    sound: usize,
}

/// Loads a component and, where that goes well, scores sessions with it.
fn meet(seed: usize, bytes: &[u8], fates: &mut Fates) {
    let limits = Limits {
        fuel_base: 2_000_000,
        fuel_per_session: 100_000,
        memory_bytes: 16 << 20,
        deadline_ms: 1_000,
        ..Limits::default()
    };
    let started = Instant::now();
    let met = catch_unwind(AssertUnwindSafe(|| {
        // Nothing but the absence of a panic is asked of these two.
        let _ = inspect(bytes);
        let scorer = load_planned(bytes, host(), |plan| {
            plan.limits = limits;
            plan.wasi = Wasi::Inert;
        });
        let Ok(scorer) = scorer else {
            fates.refused += 1;
            return;
        };
        fates.loaded += 1;
        let rows = Rows::with_hits(&[0, 1, 2, 3, 4, 3]);
        if let Ok(outcomes) = scorer.score(&rows.cases()) {
            assert_eq!(outcomes.len(), rows.0.len());
            assert!(outcomes.iter().all(|outcome| outcome.value.is_none_or(f64::is_finite)));
            fates.sound += 1;
        }
    }));
    assert!(met.is_ok(), "the host panicked at the random component {seed}");
    assert!(started.elapsed() < PATIENCE, "the random component {seed} took {:?}", started.elapsed());
}

fn meet_all(kind: &str, make: impl Fn(&mut Random) -> Option<Vec<u8>>) -> Fates {
    let started = Instant::now();
    let mut fates = Fates::default();
    let mut made = 0;
    for seed in 0.. {
        if made == count() {
            break;
        }
        if let Some(bytes) = make(&mut Random((seed as u64).wrapping_mul(0x1234_5678_9abc_def1))) {
            made += 1;
            meet(seed, &bytes, &mut fates);
        }
    }
    eprintln!("{made} {kind} in {:?}: {fates:?}", started.elapsed());
    fates
}

#[test]
fn random_components_are_refused_or_survived() {
    let fates = meet_all("random components", |random| {
        let length = 200 + random.below(4_000);
        let bytes = random.bytes(length);
        let config = wasm_smith::Config { allow_start_export: true, ..wasm_smith::Config::default() };
        let component = wasm_smith::Component::new(config, &mut Unstructured::new(&bytes)).ok()?;
        Some(component.to_bytes())
    });
    assert_eq!(fates.refused, count(), "a random component cannot implement the world");
}

#[test]
fn random_modules_that_look_like_scorers_are_refused_or_survived() {
    let exports = wat::parse_str(
        r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "rematch:scoring/guest@0.1.0#describe") (result i32) unreachable)
            (func (export "rematch:scoring/guest@0.1.0#score") (param i32) (result i32) unreachable))"#,
    )
    .unwrap();
    meet_all("random modules", |random| {
        let length = 200 + random.below(8_000);
        let bytes = random.bytes(length);
        let config = wasm_smith::Config {
            exports: Some(exports.clone()),
            max_imports: 0,
            max_memories: 4,
            max_tables: 8,
            memory64_enabled: false,
            threads_enabled: false,
            relaxed_simd_enabled: false,
            gc_enabled: false,
            exceptions_enabled: false,
            ..wasm_smith::Config::default()
        };
        let module = wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
        pack(&module.to_bytes()).ok()
    });
}

#[test]
fn a_guest_with_random_bytes_changed_is_refused_or_survived() {
    let guest = Guest {
        at_three_hits: "(drop (memory.grow (i32.const 1)))",
        at_describe: "(i32.store8 (i32.const 108) (i32.const 1))",
        ..Guest::default()
    };
    let core = guest.core();
    let packed = pack(&core).unwrap();
    let section = |payload: wasmparser::Payload<'_>| match payload {
        wasmparser::Payload::CodeSectionStart { range, .. } => Some(range),
        wasmparser::Payload::DataSection(data) => Some(data.range()),
        _ => None,
    };
    let code_and_data: Vec<usize> =
        wasmparser::Parser::new(0).parse_all(&core).filter_map(|payload| section(payload.unwrap())).flatten().collect();
    let fates = meet_all("changed guests", |random| {
        // One in eight is changed as a component, anywhere; the others in their code and data, before they are packed.
        let whole = random.below(8) == 0;
        let mut bytes = if whole { packed.clone() } else { core.clone() };
        for _ in 0..1 + random.below(2) {
            let at = if whole { random.below(bytes.len()) } else { code_and_data[random.below(code_and_data.len())] };
            bytes[at] = match random.below(3) {
                0 => random.next() as u8,
                1 => bytes[at] ^ (1 << random.below(8)),
                _ => [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            };
        }
        if whole { Some(bytes) } else { pack(&bytes).ok() }
    });
    assert!(fates.loaded > 0 && fates.sound > 0, "{fates:?}");
}
