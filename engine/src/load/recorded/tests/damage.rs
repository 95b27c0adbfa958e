//! Damaged files: an error or the right answer, never a panic.

use super::*;
use crate::rows::rankings_to_batch;

fn tables() -> Vec<Vec<u8>> {
    let sessions = ["s1", "s2", "s3", "s4"];
    let hits =
        |first: usize| (0..20).map(|item| hit(&format!("i{}", first + item), Some(20.0 - item as f64))).collect();
    let rankings = sessions.map(|id| ranking(id, "r", hits(id.len())));
    let nested = parquet_in_groups(&rankings_to_batch(&rankings).unwrap(), 2);
    let ids: Vec<&str> = sessions.iter().flat_map(|id| [*id; 20]).collect();
    let items: Vec<String> = (0..80).map(|row| format!("i{row}")).collect();
    let batch = RecordBatch::try_from_iter(vec![
        ("session_id", texts(&ids)),
        ("item_id", Arc::new(StringArray::from(items)) as ArrayRef),
        (
            "score",
            Arc::new((0..80).map(|row| 80.0 - f64::from(row)).collect::<datafusion::arrow::array::Float64Array>()),
        ),
    ])
    .unwrap();
    vec![nested, parquet_in_groups(&batch, 30)]
}

fn try_all(bytes: &[u8]) {
    let _ = read_sessions(bytes, &settings(None, STRICT), &["s1", "s2", "s3", "s4"]);
}

#[test]
fn flipped_bits_never_panic() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !crate::load::decoder_panics_are_caught() {
            hook(panic);
        }
    }));
    for bytes in tables() {
        for place in (0..bytes.len()).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << (place % 8);
            try_all(&damaged);
        }
    }
}

#[test]
fn cut_files_are_refused() {
    for bytes in tables() {
        for length in (4..bytes.len()).step_by(7) {
            let refused = read_sessions(&bytes[..length], &settings(None, STRICT), &["s1", "s2", "s3", "s4"]);
            assert!(refused.is_err(), "cut at {length} of {}", bytes.len());
        }
    }
}
