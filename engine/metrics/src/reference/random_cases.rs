//! Random cases with our values, for `tests/reference/check.py`, which computes them anew with other people's programs.
//!
//! Nothing is written unless `REMATCH_RANDOM_CASES` names a folder; `REMATCH_RANDOM_CASES_SEED` changes the draw.

mod ranking;
mod statistics;

use std::io::Write;
use std::path::PathBuf;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

/// Cases of each kind.
const CASES: usize = 10_000;

#[test]
fn random_cases_are_written_where_asked_for() {
    let Some(folder) = std::env::var_os("REMATCH_RANDOM_CASES").map(PathBuf::from) else {
        eprintln!("skipped: REMATCH_RANDOM_CASES is not set");
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    let ranking = (0..).zip(drawn(ranking::inputs())).map(|(index, input)| ranking::case(index, &input));
    write(folder.join("ranking.jsonl"), ranking);
    let statistics = (0..).zip(drawn(statistics::inputs())).map(|(index, input)| statistics::case(index, &input));
    write(folder.join("statistics.jsonl"), statistics);
}

fn drawn<S: Strategy>(strategy: S) -> impl Iterator<Item = S::Value> {
    let seed: u64 = std::env::var("REMATCH_RANDOM_CASES_SEED").map_or(20_261_121, |seed| seed.parse().unwrap());
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    (0..CASES).map(move |_| strategy.new_tree(&mut runner).unwrap().current())
}

fn write(path: PathBuf, cases: impl Iterator<Item = Value>) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for case in cases {
        writeln!(file, "{case}").unwrap();
    }
    file.flush().unwrap();
}
