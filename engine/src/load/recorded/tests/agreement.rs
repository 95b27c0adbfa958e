//! Random files in random order, read by random cursors, against the reader that holds all rankings in memory.

use datafusion::arrow::array::{Float64Array, Int32Array, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::*;
use crate::rows::rankings_to_batch;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    Flat { rank: bool, score: bool },
    Nested,
    Run,
}

/// A row of a file: session, item, rank and score, each from a few values, so that they meet.
type Row = (u8, u8, i32, i8);

#[derive(Debug, Clone)]
struct Case {
    rows: Vec<Row>,
    layout: Layout,
    order: HitOrder,
    /// Whether rows are sorted by session before they are written.
    sorted: bool,
    group_rows: usize,
    /// One ask after the other: places in the list of all sessions, and a depth.
    asks: Vec<(Vec<Pick>, usize)>,
}

fn cases() -> impl Strategy<Value = Case> {
    let layout = prop_oneof![
        (any::<bool>(), any::<bool>()).prop_map(|(rank, score)| Layout::Flat { rank: rank || !score, score }),
        Just(Layout::Nested),
        Just(Layout::Run),
    ];
    let rows = prop::collection::vec((0..24_u8, 0..=255_u8, -2..3_i32, -3..4_i8), 1..160);
    let order = prop_oneof![Just(STRICT), Just(TREC_EVAL), Just(BY_RANK)];
    let asks = prop::collection::vec((prop::collection::vec(any::<Pick>(), 0..20), 0..6_usize), 1..5);
    (rows, layout, order, any::<bool>(), 1..50_usize, asks).prop_map(
        |(rows, layout, order, sorted, group_rows, asks)| Case { rows, layout, order, sorted, group_rows, asks },
    )
}

fn session_id(session: u8) -> String {
    // Longer and shorter ids, so that the order of bytes is not that of numbers.
    format!("s{}", u32::from(session) * 7)
}

fn score(row: &Row) -> f64 {
    // Equal in single precision, but not in double.
    f64::from(row.3) + f64::from(row.2) * 1e-12
}

fn write(case: &Case) -> Vec<u8> {
    let mut rows = case.rows.clone();
    if case.sorted {
        rows.sort_by_key(|row| session_id(row.0));
    }
    match case.layout {
        Layout::Run => {
            let line = |row: &Row| format!("{} Q0 d{} {} {:?} t\n", session_id(row.0), row.1, row.2, score(row));
            rows.iter().map(line).collect::<String>().into_bytes()
        }
        Layout::Flat { rank, score: with_score } => {
            let ids: Vec<String> = rows.iter().map(|row| session_id(row.0)).collect();
            let items: Vec<String> = rows.iter().map(|row| format!("d{}", row.1)).collect();
            let mut columns: Vec<(&str, ArrayRef)> =
                vec![("session_id", Arc::new(StringArray::from(ids))), ("item_id", Arc::new(StringArray::from(items)))];
            if rank {
                columns.push(("rank", Arc::new(rows.iter().map(|row| row.2).collect::<Int32Array>())));
            }
            if with_score {
                columns.push(("score", Arc::new(rows.iter().map(score).collect::<Float64Array>())));
            }
            parquet_in_groups(&RecordBatch::try_from_iter(columns).unwrap(), case.group_rows)
        }
        Layout::Nested => {
            let mut rankings: Vec<Ranking> = Vec::new();
            for row in &rows {
                let id = session_id(row.0);
                let hit = hit(&format!("d{}", row.1), (row.0 % 3 > 0).then(|| score(row)));
                match rankings.iter_mut().find(|ranking| ranking.session_id == id) {
                    Some(ranking) => ranking.hits.push(hit),
                    None => rankings.push(ranking(&id, "r", vec![hit])),
                }
            }
            for ranking in rankings.iter_mut().step_by(5) {
                ranking.hits.clear();
                ranking.error_kind = (ranking.session_id.len() > 2).then(|| "timeout".to_owned());
            }
            let batch = rankings_to_batch(&rankings).unwrap();
            parquet_in_groups(&batch, case.group_rows)
        }
    }
}

fn check(case: &Case) {
    let written = Written::new(write(case));
    let oracle = read(&written.folder.path().join("run"), None, case.order);
    let opened = written.open(&settings(None, case.order));
    let every: Vec<String> = {
        let mut ids: Vec<String> = (0..26).map(session_id).collect();
        ids.sort_unstable();
        ids
    };
    let all: Vec<&str> = every.iter().map(String::as_str).collect();
    let Ok(oracle) = oracle else {
        let refused = opened.and_then(|recording| answers(&mut recording.cursor(), &all, 1));
        assert!(refused.is_err(), "{case:?}");
        return;
    };
    let mut cursor = opened.unwrap().cursor();
    let whole = answers(&mut cursor, &all, usize::MAX).unwrap();
    assert!(all.iter().all(|id| whole.get(*id) == oracle.get(id)), "{case:?}");
    for (picks, depth) in &case.asks {
        let mut ids: Vec<&str> = picks.iter().map(|pick| all[pick.index(all.len())]).collect();
        ids.sort_unstable();
        let some = answers(&mut cursor, &ids, *depth).unwrap();
        for id in ids {
            let mut expected = oracle.get(id).cloned();
            if let Some(ranking) = &mut expected {
                ranking.hits.truncate(*depth);
            }
            assert_eq!(some.get(id), expected.as_ref(), "{id} {case:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn both_readers_agree(case in cases()) {
        check(&case);
    }

    #[test]
    fn both_readers_agree_on_files_without_repeats(mut case in cases()) {
        let mut seen = std::collections::BTreeSet::new();
        case.rows.retain(|row| seen.insert((row.0, row.1)));
        check(&case);
    }
}

#[test]
fn a_table_of_many_blocks_is_read_alike_in_any_order() {
    let rows: i32 = 200_000;
    let ids: Vec<String> = (0..rows).map(|row| format!("q{:06}", row / 7)).collect();
    let items: Vec<String> = (0..rows).map(|row| format!("d{row}")).collect();
    let batch = RecordBatch::try_from_iter(vec![
        ("qid", Arc::new(StringArray::from(ids)) as ArrayRef),
        ("docno", Arc::new(StringArray::from(items))),
        ("rank", Arc::new((0..rows).collect::<Int32Array>())),
    ])
    .unwrap();
    let place = |row: u64| u32::try_from(row * 77_773 % u64::from(rows.unsigned_abs())).unwrap();
    let mixed: UInt32Array = (0..u64::from(rows.unsigned_abs())).map(place).collect();
    let mixed = take_record_batch(&batch, &mixed).unwrap();
    let ids: Vec<String> = (0..rows / 7).step_by(3).map(|session| format!("q{session:06}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let in_order = Written::new(parquet_in_groups(&batch, 90_000));
    let in_order = answers(&mut in_order.open(&settings(None, STRICT)).unwrap().cursor(), &ids, 5).unwrap();
    assert_eq!(in_order.len(), ids.len());
    assert_eq!(items_of(&in_order, "q000003"), ["d21", "d22", "d23", "d24", "d25"]);
    let mixed = Written::new(parquet_in_groups(&mixed, 90_000));
    let mixed = answers(&mut mixed.open(&settings(None, STRICT)).unwrap().cursor(), &ids, 5).unwrap();
    assert_eq!(in_order, mixed);
}

fn items_of(rankings: &BTreeMap<String, RecordedRanking>, session_id: &str) -> Vec<String> {
    items(rankings, session_id)
}
