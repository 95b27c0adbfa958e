//! How near the reader is to the machine's limit. Needs the comparison workload and prints; run by hand.

use std::time::Instant;

use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

/// Returns the CPU seconds and the peak of memory in megabytes of this process.
fn spent() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    (ticks / 100.0, peak.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0)
}

fn timed(what: &str, work: impl FnOnce() -> u64) {
    let (start, (cpu, _)) = (Instant::now(), spent());
    let rows = work();
    let (after, peak) = spent();
    let nanoseconds = (after - cpu) * 1e9 / rows as f64;
    eprintln!(
        "{what}: {rows} rows, wall {:.2?}, CPU {:.2} s = {nanoseconds:.1} ns/row, peak {peak:.0} MB",
        start.elapsed(),
        after - cpu
    );
}

fn decode_only(path: &Path, names: &[&str]) -> u64 {
    let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let places = names.iter().filter_map(|name| builder.schema().index_of(name).ok()).collect::<Vec<_>>();
    let mask = ProjectionMask::roots(builder.parquet_schema(), places);
    let reader = builder.with_projection(mask).build().unwrap();
    reader.map(|batch| batch.unwrap().num_rows() as u64).sum()
}

fn stream(path: &Path, settings: &RecordedSettings, depth: usize) -> u64 {
    let scratch = TempDir::new().unwrap();
    let mut recording = None;
    timed("  index", || {
        let opened = Recording::open(path, settings, scratch.path(), 256 << 20).unwrap();
        let rows = opened.opened.index.rows;
        recording = Some(opened);
        rows
    });
    let mut cursor = recording.unwrap().cursor();
    let ids: Vec<String> = (0..100_000).map(|query| format!("q{query:07}")).collect();
    let mut hits = 0;
    for chunk in ids.chunks(4096) {
        let answers = cursor.answers(&StringArray::from_iter_values(chunk), depth).unwrap();
        assert!(answers.states.iter().all(|state| *state == Recorded::Found));
        hits += answers.hits.values().len() as u64;
    }
    hits
}

#[test]
#[ignore = "needs the comparison workload of 100,000 sessions, named by REMATCH_BENCH_DATA"]
fn reading_all_answers_costs_little_more_than_decoding() {
    let folder = std::env::var_os("REMATCH_BENCH_DATA").unwrap();
    let folder = Path::new(&folder);
    for round in 0..3 {
        eprintln!("round {round}");
        for name in ["base.parquet", "cand.parquet"] {
            let path = folder.join(name);
            timed("decode flat", || decode_only(&path, &["q_id", "doc_id", "rank", "score"]));
            timed("stream flat", || stream(&path, &settings(None, STRICT), 100));
            timed("stream flat, trec_eval, 10 deep", || stream(&path, &settings(None, TREC_EVAL), 10) * 10);
        }
        let path = folder.join("sessions.parquet");
        let mut nested = settings(None, STRICT);
        nested.columns.session_column = Some("q_id".into());
        nested.columns.hits_column = Some("base".into());
        timed("decode nested", || decode_only(&path, &["q_id", "base"]) * 100);
        timed("stream nested", || stream(&path, &nested, 100));
        let path = folder.join("base.run");
        timed("stream text", || stream(&path, &settings(None, STRICT), 100));
    }
}
