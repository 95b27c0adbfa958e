//! Published and independently computed numbers on real collections.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::retrievers::bm25::{Bm25Retriever, Bm25Settings, CorpusIndex};
use super::{Pipeline, Replayer, Workspace};
use crate::benchmark::spec::{CombineFields, Missing};
use crate::benchmark::stages::{Bm25Plan, RecordedPlan, StageKind, StagePlan};
use crate::benchmark::{CorpusPlan, PipelinePlan};
use crate::benchmark::{HitOrder, RecordedColumns};
use crate::session::{Ranking, Session};

/// Grades by query and item.
type Judgments = HashMap<String, HashMap<String, f64>>;

/// Returns the folder of shared data, or `None` with a note where it is not set.
pub(super) fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("REMATCH_SHARED").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: REMATCH_SHARED is not set");
    }
    folder.map(|folder| folder.join("data"))
}

fn qrels(path: &Path) -> Judgments {
    let mut judgments = Judgments::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        judgments.entry(columns[0].into()).or_default().insert(columns[2].into(), columns[3].parse().unwrap());
    }
    judgments
}

fn corpus(name: &str, path: PathBuf, id: &str) -> CorpusPlan {
    CorpusPlan { name: name.into(), path, id: id.into() }
}

fn bm25(id: &str, corpus: &CorpusPlan, fields: &[&str], combine_fields: CombineFields) -> PipelinePlan {
    let fields: BTreeMap<String, f64> = fields.iter().map(|field| ((*field).to_owned(), 1.0)).collect();
    let plan = Bm25Plan { corpus: corpus.clone(), fields, k1: 0.9, b: 0.4, combine_fields };
    let stage = deep(StageKind::Bm25(plan));
    PipelinePlan {
        id: id.into(),
        name: id.into(),
        stages: vec![stage],
        concurrency: NonZeroUsize::new(4).unwrap(),
        cache: false,
    }
}

/// A stage that is asked for as many hits as any test wants.
fn deep(does: StageKind) -> StagePlan {
    StagePlan { depth: NonZeroUsize::new(1000).unwrap(), ..StagePlan::of(does) }
}

fn session((id, query): (String, String)) -> Session {
    Session { session_id: id, query: Some(query), ..Session::default() }
}

fn replay(pipeline: &Pipeline, sessions: &Arc<[Session]>, depth: usize) -> Vec<Ranking> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let replayer = Replayer::new(Arc::new(pipeline.clone()));
    runtime.block_on(replayer.replay(sessions.clone(), depth)).unwrap().to_rankings().unwrap()
}

/// Means over the rankings' queries.
#[derive(Debug)]
struct Means {
    ndcg_10: f64,
    average_precision: f64,
    recall: f64,
}

fn means(rankings: &[Ranking], judgments: &Judgments) -> Means {
    let mut sums = Means { ndcg_10: 0.0, average_precision: 0.0, recall: 0.0 };
    for ranking in rankings {
        assert!(!ranking.failed(), "{ranking:?}");
        let grades = &judgments[&ranking.session_id];
        let gains: Vec<f64> =
            ranking.hits.iter().map(|hit| grades.get(&hit.item_id).copied().unwrap_or(0.0).max(0.0)).collect();
        let mut ideal: Vec<f64> = grades.values().copied().filter(|grade| *grade > 0.0).collect();
        ideal.sort_by(|left, right| right.total_cmp(left));
        let dcg = |gains: &[f64]| -> f64 {
            gains.iter().take(10).enumerate().map(|(index, gain)| gain / (index as f64 + 2.0).log2()).sum()
        };
        sums.ndcg_10 += dcg(&gains) / dcg(&ideal);
        let mut found = 0.0;
        for (index, _) in gains.iter().enumerate().filter(|(_, gain)| **gain > 0.0) {
            found += 1.0;
            sums.average_precision += found / (index as f64 + 1.0) / ideal.len() as f64;
        }
        sums.recall += found / ideal.len() as f64;
    }
    let count = rankings.len() as f64;
    Means {
        ndcg_10: sums.ndcg_10 / count,
        average_precision: sums.average_precision / count,
        recall: sums.recall / count,
    }
}

fn assert_near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected} ± {tolerance}");
}

#[test]
fn scifact_agrees_with_the_published_lucene_baseline() {
    let Some(data) = shared() else { return };
    let folder = data.join("scifact");
    let judgments = qrels(&folder.join("qrels.test.txt"));
    let topics = std::fs::read_to_string(folder.join("topics.test.tsv")).unwrap();
    let topics = topics.lines().map(|line| line.split_once('\t').unwrap());
    let sessions: Arc<[Session]> = topics.map(|(id, query)| session((id.into(), query.into()))).collect();
    assert_eq!(sessions.len(), 300);
    let corpus = corpus("scifact", folder.join("corpus.jsonl.gz"), "_id");
    let fields = ["title", "text"];
    let plans =
        [bm25("bm25f", &corpus, &fields, CombineFields::Bm25f), bm25("sum", &corpus, &fields, CombineFields::Sum)];
    let pipelines = Pipeline::build(&plans, &Workspace::default()).unwrap();

    let bm25f = means(&replay(&pipelines[0], &sessions, 1000), &judgments);
    eprintln!("scifact bm25f {bm25f:?}");
    assert_near(bm25f.ndcg_10, 0.6789, 0.004, "nDCG@10, Anserini's flat index");
    assert_near(bm25f.recall, 0.9767, 0.004, "R@1000, Anserini's flat index");
    let sum = means(&replay(&pipelines[1], &sessions, 1000), &judgments);
    eprintln!("scifact sum {sum:?}");
    assert!((0.62..0.69).contains(&sum.ndcg_10), "{sum:?}");
}

#[test]
fn cranfield_agrees_with_another_bm25() {
    let Some(data) = shared() else { return };
    let folder = data.join("cranfield/normalized");
    let mut judgments = qrels(&folder.join("qrels.txt"));
    for grade in judgments.values_mut().flat_map(HashMap::values_mut) {
        *grade = if *grade > 0.0 { 1.0 } else { 0.0 };
    }
    let queries = std::fs::read_to_string(folder.join("queries.jsonl")).unwrap();
    let text = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap().to_owned();
    let queries = queries.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let sessions: Arc<[Session]> = queries.map(|query| session((text(&query, "id"), text(&query, "text")))).collect();
    let corpus = corpus("cranfield", folder.join("docs.jsonl.gz"), "id");
    let pipelines =
        Pipeline::build(&[bm25("cranfield", &corpus, &["title", "text"], CombineFields::Bm25f)], &Workspace::default())
            .unwrap();
    let means = means(&replay(&pipelines[0], &sessions, 100), &judgments);
    eprintln!("cranfield {means:?}");
    assert_near(means.ndcg_10, 0.367, 0.02, "nDCG@10");
    assert_near(means.average_precision, 0.289, 0.02, "MAP");
    assert_near(means.recall, 0.721, 0.02, "R@100");
}

#[test]
fn shop_search_agrees_with_another_bm25() {
    let Some(data) = shared() else { return };
    let folder = data.join("esci-ubi");
    let mut text = String::new();
    let file = std::fs::File::open(folder.join("esci_judgments.json.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut judgments = Judgments::new();
    for judged in file["judgmentRatings"].as_array().unwrap() {
        let query = judged["query"].as_str().unwrap();
        for rating in judged["ratings"].as_array().unwrap() {
            let gain = match rating["rating"].as_str().unwrap() {
                "100.000" => 3.0,
                "10.000" => 2.0,
                "1.000" => 1.0,
                _ => 0.0,
            };
            let item = rating["docId"].as_str().unwrap().to_owned();
            judgments.entry(query.to_owned()).or_default().insert(item, gain);
        }
    }
    let mut queries: Vec<String> = judgments.keys().cloned().collect();
    queries.sort();
    let sessions: Arc<[Session]> = queries.into_iter().map(|query| session((query.clone(), query))).collect();
    assert_eq!(sessions.len(), 150);
    let corpus = corpus("products", folder.join("products.jsonl.gz"), "_id");
    let fields = ["title", "brand", "color", "bullet_points", "description"];
    let pipelines =
        Pipeline::build(&[bm25("products", &corpus, &fields, CombineFields::Bm25f)], &Workspace::default()).unwrap();
    let means = means(&replay(&pipelines[0], &sessions, 1000), &judgments);
    eprintln!("esci {means:?}");
    assert_near(means.ndcg_10, 0.706, 0.02, "nDCG@10");
}

#[test]
fn official_runs_reproduce_the_leaderboard() {
    let Some(data) = shared() else { return };
    let folder = data.join("trec-covid-round1");
    let judgments = qrels(&folder.join("qrels.txt"));
    let mut topics: Vec<String> = judgments.keys().cloned().collect();
    topics.sort();
    let sessions: Arc<[Session]> = topics.into_iter().map(|id| session((id, String::new()))).collect();
    let mut leaderboard = csv::Reader::from_path(folder.join("leaderboard.csv")).unwrap();
    let header = leaderboard.headers().unwrap().clone();
    let column = |name| header.iter().position(|column| column.eq_ignore_ascii_case(name)).unwrap();
    let (run, ndcg, map) = (column("run"), column("ndcg@10"), column("map"));
    let mut checked = 0;
    for row in leaderboard.records() {
        let row = row.unwrap();
        let path = folder.join("runs").join(format!("{}.gz", &row[run]));
        if !path.exists() {
            continue;
        }
        let (missing, compatibility) = (Missing::Empty, HitOrder::TrecEval);
        let stage = deep(StageKind::Recorded(RecordedPlan {
            path,
            retriever_id: None,
            columns: RecordedColumns::default(),
            missing,
            compatibility,
        }));
        let plan = PipelinePlan {
            id: row[run].into(),
            name: row[run].into(),
            stages: vec![stage],
            concurrency: NonZeroUsize::MIN,
            cache: false,
        };
        let pipelines = Pipeline::build(&[plan], &Workspace::default()).unwrap();
        let means = means(&replay(&pipelines[0], &sessions, 1000), &judgments);
        assert_near(means.ndcg_10, row[ndcg].parse().unwrap(), 0.000_051, &format!("nDCG@10 of {}", &row[run]));
        assert_near(means.average_precision, row[map].parse().unwrap(), 0.000_051, &format!("MAP of {}", &row[run]));
        checked += 1;
    }
    assert_eq!(checked, 27);
}

#[test]
fn stages_with_other_fields_of_one_corpus_search_only_their_own() {
    let Some(data) = shared() else { return };
    let plan = corpus("cranfield", data.join("cranfield/normalized/docs.jsonl.gz"), "id");
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let wide = Arc::new(CorpusIndex::build(&plan, &names(&["author", "title", "text"])).unwrap());
    let narrow = Arc::new(CorpusIndex::build(&plan, &names(&["title"])).unwrap());
    let fields = BTreeMap::from([("title".to_owned(), 2.0)]);
    let settings = Bm25Settings { fields, k1: 1.2, b: 0.75, combine_fields: CombineFields::Bm25f };
    let answer = |index| Bm25Retriever::new(index, &settings).search("boundary layer in supersonic flow", 50).unwrap();
    assert_eq!(answer(wide), answer(narrow));
}
