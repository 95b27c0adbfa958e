//! Answers that are kept: found again, never by another's key, and never wrong whatever became of the files.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use proptest::prelude::*;
use tempfile::TempDir;

use super::RankingCache;
use super::key::{Key, identity, key};
use super::segment;
use crate::replay::{Pipeline, Reads, Replayer, RetrieveError, RetrieveErrorKind, Retrieved, Retriever};
use crate::session::{Hit, Ranking, Session, StageState};
use crate::storage::Blob;

/// Finds the letters of the query, fails on the query `fail`, and counts how often it was asked.
#[derive(Default)]
struct Letters {
    asked: AtomicUsize,
    reads: Mutex<Option<Reads>>,
}

#[async_trait]
impl Retriever for Letters {
    fn kind(&self) -> &'static str {
        "letters"
    }

    fn reads(&self) -> Reads {
        self.reads.lock().unwrap().unwrap_or(Reads::QUERY)
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let query = session.query.clone().unwrap_or_default();
        if query == "fail" {
            return Err(RetrieveError::new(RetrieveErrorKind::Server, "broken"));
        }
        let hit = |(rank, letter): (usize, char)| Hit {
            item_id: letter.to_string(),
            score: (rank > 0).then_some(0.1 + 0.2 - rank as f64),
        };
        Ok(query.chars().enumerate().map(hit).take(depth).collect::<Vec<_>>().into())
    }
}

/// A retriever whose answers are kept in a folder.
struct Kept {
    letters: Arc<Letters>,
    folder: TempDir,
}

impl Kept {
    fn new() -> Self {
        Self { letters: Arc::default(), folder: TempDir::new().unwrap() }
    }

    fn cache(&self, limit_bytes: u64) -> Arc<RankingCache> {
        Arc::new(RankingCache::open(self.folder.path(), limit_bytes).unwrap())
    }

    /// Replays sessions by a pipeline that is new each time, as in a new process; returns how many were asked for.
    fn replay(&self, hash: &str, sessions: &[(&str, &str)], depth: usize) -> (Vec<Ranking>, usize) {
        let before = self.letters.asked.load(Ordering::SeqCst);
        let (one, most) = (NonZeroUsize::MIN, NonZeroUsize::new(100).unwrap());
        let retriever = Arc::clone(&self.letters) as Arc<dyn Retriever>;
        let pipeline = Pipeline::from_retriever("id".into(), "name".into(), hash.into(), one, most, retriever);
        let pipeline = Arc::new(pipeline.kept_in(&self.cache(RankingCache::LIMIT_BYTES)));
        let session = |(id, query): &(&str, &str)| Session {
            session_id: (*id).to_owned(),
            query: Some((*query).to_owned()),
            ..Session::default()
        };
        let sessions: Arc<[Session]> = sessions.iter().map(session).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let answers = runtime.block_on(Replayer::new(pipeline).replay(sessions, depth)).unwrap();
        (answers.to_rankings().unwrap(), self.letters.asked.load(Ordering::SeqCst) - before)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in std::fs::read_dir(self.folder.path()).unwrap() {
            files.extend(std::fs::read_dir(folder.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
        }
        files.sort();
        files
    }
}

/// Returns a ranking without what may differ between a warm and a cold run.
fn comparable(ranking: &Ranking) -> Ranking {
    let mut ranking = Ranking { latency_ns: 0, ..ranking.clone() };
    for stage in &mut ranking.stages {
        (stage.latency_ns, stage.attempts, stage.state) = (0, 0, StageState::Ok);
    }
    ranking
}

const SESSIONS: [(&str, &str); 4] = [("s1", "abc"), ("s2", "xy"), ("s3", ""), ("s4", "abc")];

#[test]
fn a_warm_run_asks_nobody_and_has_the_same_rankings() {
    let kept = Kept::new();
    let (cold, asked) = kept.replay("hash", &SESSIONS, 10);
    assert_eq!(asked, 4, "a run finds nothing of its own");
    let (warm, asked) = kept.replay("hash", &SESSIONS, 10);
    assert_eq!(asked, 0);
    for (warm, cold) in warm.iter().zip(&cold) {
        assert_eq!(comparable(warm), comparable(cold));
        assert_eq!((warm.stages[0].state, warm.stages[0].attempts), (StageState::Cached, 0));
        assert_eq!((cold.stages[0].state, cold.stages[0].attempts), (StageState::Ok, 1));
        assert!(!warm.stages[0].state.is_measured(warm.stages[0].attempts));
        let bits = |ranking: &Ranking| ranking.hits.iter().map(|hit| hit.score.map(f64::to_bits)).collect::<Vec<_>>();
        assert_eq!(bits(warm), bits(cold));
    }
    // Equal searches have one entry, whoever searched; its latency is that of one of them.
    assert_eq!(kept.replay("hash", &[("another", "abc")], 10).1, 0);
}

#[test]
fn what_is_new_is_asked_for_and_kept_too() {
    let kept = Kept::new();
    kept.replay("hash", &SESSIONS[..2], 10);
    let (rankings, asked) = kept.replay("hash", &[("s1", "abc"), ("s5", "new"), ("s2", "xy")], 10);
    assert_eq!(asked, 1);
    let items = |ranking: &Ranking| ranking.hits.iter().map(|hit| hit.item_id.clone()).collect::<String>();
    assert_eq!(rankings.iter().map(items).collect::<Vec<_>>(), ["abc", "new", "xy"]);
    assert_eq!(kept.replay("hash", &[("s5", "new")], 10).1, 0);
}

#[test]
fn another_pipeline_depth_or_session_finds_nothing() {
    let kept = Kept::new();
    kept.replay("hash", &SESSIONS, 10);
    assert_eq!(kept.replay("another", &SESSIONS, 10).1, 4);
    assert_eq!(kept.replay("hash", &SESSIONS, 2).1, 4);
    assert_eq!(kept.replay("hash", &[("s1", "abd")], 10).1, 1);
    *kept.letters.reads.lock().unwrap() = Some(Reads { session_id: true, ..Reads::QUERY });
    assert_eq!(kept.replay("hash", &[("s1", "abc")], 10).1, 1, "now the id is looked at");
    assert_eq!(kept.replay("hash", &[("s1", "abc")], 10).1, 0);
    assert_eq!(kept.replay("hash", &[("s2", "abc")], 10).1, 1);
}

#[test]
fn a_failure_is_not_kept() {
    let kept = Kept::new();
    for _ in 0..2 {
        let (rankings, asked) = kept.replay("hash", &[("s1", "fail"), ("s2", "ok")], 10);
        assert_eq!(rankings[0].error_kind.as_deref(), Some("server"));
        assert!(asked >= 1);
    }
    assert_eq!(kept.replay("hash", &[("s2", "ok")], 10).1, 0);
}

#[test]
fn a_broken_file_is_a_miss_and_never_a_wrong_answer() {
    let kept = Kept::new();
    let (cold, _) = kept.replay("hash", &SESSIONS, 10);
    let [file] = kept.files().try_into().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let flipped = (0..whole.len()).step_by(7).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        bytes
    });
    let cut = (0..whole.len()).step_by(31).map(|length| whole[..length].to_vec());
    for (number, bytes) in flipped.chain(cut).chain([Vec::new(), b"rankings".repeat(9)]).enumerate() {
        for other in kept.files() {
            std::fs::remove_file(other).unwrap();
        }
        std::fs::write(&file, bytes).unwrap();
        let (found, asked) = kept.replay("hash", &SESSIONS, 10);
        assert!(asked > 0, "{number}: every byte counts");
        for (found, cold) in found.iter().zip(&cold) {
            assert_eq!(comparable(found), comparable(cold), "{number}");
        }
        assert_eq!(kept.replay("hash", &SESSIONS, 10).1, 0, "{number}: what was asked again is found beside it");
    }
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let kept = Kept::new();
    for (age, query) in [(30, "old"), (20, "middle"), (10, "young")] {
        kept.replay("hash", &[("s", query)], 10);
        for file in kept.files() {
            let changed = std::fs::metadata(&file).unwrap().modified().unwrap();
            if changed.elapsed().unwrap() < Duration::from_secs(5) {
                let then = SystemTime::now() - Duration::from_secs(age);
                std::fs::File::options().append(true).open(file).unwrap().set_modified(then).unwrap();
            }
        }
    }
    assert_eq!(kept.replay("hash", &[("s", "old")], 10).1, 0);
    let summary = kept.cache(u64::MAX).summary().unwrap();
    assert_eq!((summary.pipelines, summary.files), (1, 3));
    // Room for two: the oldest was used just now.
    let largest = kept.files().iter().map(|file| std::fs::metadata(file).unwrap().len()).max().unwrap();
    kept.cache(summary.bytes - 1);
    assert_eq!(kept.files().len(), 2);
    let asked = ["old", "middle", "young"].map(|query| kept.replay("hash", &[("s", query)], 10).1);
    assert_eq!(asked, [0, 1, 0]);
    let cache = kept.cache(largest - 1);
    assert_eq!(cache.summary().unwrap().files, kept.files().len() as u64);
    cache.clear().unwrap();
    assert_eq!(cache.summary().unwrap(), super::CacheSummary::default());
    assert_eq!(kept.replay("hash", &[("s", "old")], 10).1, 1);
}

#[test]
fn a_folder_that_cannot_be_written_costs_nothing_but_time() {
    let kept = Kept::new();
    let cache = kept.cache(0);
    assert!(!cache.takes(1));
    // A file where the pipeline's folder should be.
    std::fs::write(kept.folder.path().join(identity("hash", ["letters"])), "in the way").unwrap();
    for _ in 0..2 {
        assert_eq!(kept.replay("hash", &SESSIONS, 10).1, 4);
    }
}

#[test]
fn many_may_read_and_write_at_once() {
    let kept = Kept::new();
    let queries: Vec<String> = (0..40).map(|number| format!("q{number}")).collect();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (kept, queries) = (&kept, &queries);
            scope.spawn(move || {
                for chunk in queries.chunks(5).cycle().skip(worker).take(16) {
                    let sessions: Vec<(&str, &str)> = chunk.iter().map(|query| ("s", query.as_str())).collect();
                    for (ranking, query) in kept.replay("hash", &sessions, 10).0.iter().zip(chunk) {
                        let found: String = ranking.hits.iter().map(|hit| hit.item_id.as_str()).collect();
                        let mut letters: Vec<char> = Vec::new();
                        query.chars().for_each(|letter| {
                            if !letters.contains(&letter) {
                                letters.push(letter)
                            }
                        });
                        assert_eq!(found, letters.into_iter().collect::<String>());
                    }
                }
            });
        }
    });
    let all: Vec<(&str, &str)> = queries.iter().map(|query| ("s", query.as_str())).collect();
    assert_eq!(kept.replay("hash", &all, 10).1, 0);
}

#[test]
fn fields_do_not_run_into_each_other() {
    let blank = Session::default();
    let of = |change: &dyn Fn(&mut Session)| {
        let mut session = blank.clone();
        change(&mut session);
        key("id", &session, Reads::ALL, 10)
    };
    let keys = [
        of(&|_| ()),
        of(&|session| session.query = Some(String::new())),
        of(&|session| session.query = Some("ab".into())),
        of(&|session| session.inputs = Some("ab".into())),
        of(&|session| (session.query, session.inputs) = (Some("a".into()), Some("b".into()))),
        of(&|session| session.taxonomy = vec!["ab".into()]),
        of(&|session| session.taxonomy = vec!["a".into(), "b".into()]),
        of(&|session| session.taxonomy = vec![String::new(), "ab".into()]),
        of(&|session| session.query_vector = Some(Vec::new())),
        of(&|session| session.query_vector = Some(vec![0.0])),
        of(&|session| session.query_vector = Some(vec![-0.0])),
        of(&|session| session.timestamp = Some(0)),
        of(&|session| session.session_id = "ab".into()),
        key("id", &blank, Reads::NOTHING, 10),
        key("id", &blank, Reads::ALL, 11),
        key("di", &blank, Reads::ALL, 10),
    ];
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(key), "{at}");
    }
    let same = |change: &dyn Fn(&mut Session)| assert_eq!(of(change), keys[0]);
    same(&|session| session.user_id = Some("u".into()));
    same(&|session| session.shown = vec![crate::session::ShownItem::default()]);
    assert_ne!(identity("h", ["ab"]), identity("h", ["a", "b"]));
    assert_ne!(identity("ha", ["b"]), identity("h", ["ab"]));
}

/// What a look-up costs beside asking BM25 again: 20,000 documents of 80 words, queries of three, 100 hits.
#[test]
#[ignore = "measures, and says what it found"]
fn a_look_up_beside_bm25() {
    use crate::benchmark::spec::CombineFields;
    use crate::benchmark::stages::{Bm25Plan, StageKind, StagePlan};
    use crate::benchmark::{CorpusPlan, PipelinePlan};
    use crate::replay::Workspace;

    const SESSIONS: usize = 1000;
    let mut state = 1_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Zipf's law, near enough: the logarithm of the rank is even.
        let even = (state >> 11) as f64 / (1_u64 << 53) as f64;
        format!("w{}", (20_000_f64.powf(even)) as u64)
    };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("docs.jsonl");
    let lines: Vec<String> = (0..20_000)
        .map(|number| {
            let text: Vec<String> = (0..80).map(|_| word()).collect();
            format!("{{\"id\": \"document-{number}\", \"text\": \"{}\"}}", text.join(" "))
        })
        .collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let sessions: Arc<[Session]> = (0..SESSIONS)
        .map(|number| Session {
            session_id: number.to_string(),
            query: Some(format!("{} {} {}", word(), word(), word())),
            ..Session::default()
        })
        .collect();
    let corpus = CorpusPlan { name: "docs".into(), path, id: "id".into() };
    let fields = BTreeMap::from([("text".to_owned(), 1.0)]);
    let bm25 = Bm25Plan { corpus, fields, k1: 1.2, b: 0.75, combine_fields: CombineFields::Bm25f };
    let plan = PipelinePlan {
        id: "bm25".into(),
        name: "bm25".into(),
        stages: vec![StagePlan::of(StageKind::Bm25(bm25))],
        concurrency: NonZeroUsize::MIN,
        cache: true,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let time = |rankings: Option<Arc<RankingCache>>| {
        let workspace = Workspace { rankings, ..Workspace::default() };
        let pipeline = Arc::new(Pipeline::build(std::slice::from_ref(&plan), &workspace).unwrap().remove(0));
        let start = std::time::Instant::now();
        runtime.block_on(Replayer::new(pipeline).replay(Arc::clone(&sessions), 100)).unwrap();
        start.elapsed().as_secs_f64() * 1e6 / SESSIONS as f64
    };
    let cache = || Some(Arc::new(RankingCache::open(&folder.path().join("cache"), u64::MAX).unwrap()));
    let bytes = |cache: Option<Arc<RankingCache>>| cache.unwrap().summary().unwrap().bytes / SESSIONS as u64;
    let (asked, kept, found) = (time(None), time(cache()), time(cache()));
    eprintln!("asked {asked:.0} us a session, asked and kept {kept:.0}, found {found:.0}, {} bytes", bytes(cache()));
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(
        answers in proptest::collection::btree_map(any::<Key>(), proptest::collection::vec(any::<u8>(), 0..200), 0..40),
    ) {
        let folder = TempDir::new().unwrap();
        let answers: Vec<(Key, Vec<u8>)> = answers.into_iter().collect();
        segment::write(folder.path(), &answers).unwrap();
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let file = Blob::open(&path).unwrap();
        let places: BTreeMap<Key, _> = segment::index(&file).unwrap().into_iter().collect();
        prop_assert_eq!(places.len(), answers.len());
        for (key, bytes) in &answers {
            prop_assert_eq!(segment::read(&file, key, &places[key]), Some(bytes.clone()));
        }
    }

    #[test]
    fn equal_sessions_have_equal_keys_and_others_do_not(
        one in proptest::option::of("[ab]{0,3}"), other in proptest::option::of("[ab]{0,3}"),
        inputs in proptest::option::of("[ab]{0,3}"), paths in proptest::collection::vec("[ab]{0,2}", 0..3),
        others in proptest::collection::vec("[ab]{0,2}", 0..3),
    ) {
        let session = |query: &Option<String>, taxonomy: &[String]| Session {
            query: query.clone(), inputs: inputs.clone(), taxonomy: taxonomy.to_vec(), ..Session::default()
        };
        let (left, right) = (session(&one, &paths), session(&other, &others));
        let keys = [&left, &right].map(|session| key("id", session, Reads::ALL, 10));
        prop_assert_eq!(keys[0] == keys[1], left == right);
    }
}
