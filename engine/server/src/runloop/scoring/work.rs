//! What a job scores, and the files that the engine reads for it.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rematch_engine::session::Hit;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::native::Program;
use super::ranking::Retriever;
use super::results::Gathered;
use crate::App;
use crate::jobs::Worker;
use crate::platform::error::ApiError;
use crate::runloop::model::{ScoringFunctionResult, Texts};
use crate::worker::{Order, RunToScore, ScoreOrder};

/// Hits that a log shows, and that programs are handed.
const HITS: usize = 100;

/// Scenarios, each answered by each agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::runloop) struct Work {
    pub(in crate::runloop) agents: Vec<AgentWork>,
    pub(in crate::runloop) scenarios: Vec<ScenarioWork>,
    /// Whether nobody completes the runs but the job itself.
    pub(in crate::runloop) completes: bool,
}

/// Who answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::runloop) struct AgentWork {
    /// None where the scenarios bring rankings.
    pub(in crate::runloop) retriever: Option<Retriever>,
    /// The scenario runs, in the order of the scenarios.
    pub(in crate::runloop) runs: Vec<String>,
    pub(in crate::runloop) benchmark_run: Option<String>,
    pub(in crate::runloop) environment: Texts,
    pub(in crate::runloop) seconds: f64,
    pub(in crate::runloop) retries: u32,
    /// By what each further attempt may take longer.
    pub(in crate::runloop) multiplier: f64,
}

/// A scenario, as it was when the job was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::runloop) struct ScenarioWork {
    pub(in crate::runloop) id: String,
    pub(in crate::runloop) session: Value,
    pub(in crate::runloop) hits: Option<Vec<Hit>>,
    pub(in crate::runloop) functions: Vec<Function>,
    /// Files for programs, by path.
    pub(in crate::runloop) files: Vec<(String, String)>,
    /// What programs are told.
    pub(in crate::runloop) context: Value,
    pub(in crate::runloop) seconds: u32,
}

/// A scoring function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::runloop) struct Function {
    pub(in crate::runloop) name: String,
    pub(in crate::runloop) weight: f64,
    pub(in crate::runloop) how: How,
}

/// What a scoring function is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::runloop) enum How {
    /// A built-in metric.
    Metric(String),
    /// A component.
    Component {
        /// Where it lies.
        path: PathBuf,
        /// Its parameters.
        params: Option<Value>,
    },
    /// A program.
    Program(Program),
}

impl Function {
    pub(super) fn is_of_the_engine(&self) -> bool {
        !matches!(self.how, How::Program(_))
    }
}

/// Scenarios that one agent answers and that have the same contract: a run of the engine.
pub(super) struct Group {
    pub(super) agent: usize,
    /// Places in [`Work::scenarios`].
    pub(super) scenarios: Vec<usize>,
    scorers: Vec<Value>,
}

impl Work {
    /// Returns the runs of the engine, always in the same order.
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        for (agent, work) in self.agents.iter().enumerate() {
            let mut by_contract: BTreeMap<String, (Vec<usize>, Vec<Value>)> = BTreeMap::new();
            for (place, scenario) in self.scenarios.iter().enumerate() {
                // Nothing answers: programs score without a ranking.
                if work.retriever.is_none() && scenario.hits.is_none() {
                    continue;
                }
                let scorers = scorers(&scenario.functions);
                let group = by_contract.entry(json!(scorers).to_string()).or_insert_with(|| (Vec::new(), scorers));
                group.0.push(place);
            }
            let of_agent = by_contract.into_values();
            groups.extend(of_agent.map(|(scenarios, scorers)| Group { agent, scenarios, scorers }));
        }
        groups
    }

    /// Writes the files of every run of the engine below a folder, and returns what a worker shall do.
    ///
    /// # Errors
    ///
    /// Returns an error when they cannot be written.
    pub(super) fn write(&self, folder: &Path) -> std::io::Result<ScoreOrder> {
        let groups = self.groups();
        let runs =
            groups.iter().enumerate().map(|(place, group)| self.write_run(&folder.join(format!("run-{place}")), group));
        Ok(ScoreOrder { runs: runs.collect::<std::io::Result<_>>()? })
    }

    fn write_run(&self, folder: &Path, group: &Group) -> std::io::Result<RunToScore> {
        std::fs::create_dir_all(folder)?;
        let agent = self.agents.get(group.agent).ok_or(std::io::ErrorKind::InvalidInput)?;
        let scenarios = || group.scenarios.iter().filter_map(|place| self.scenarios.get(*place));
        let path = |name: &str| folder.join(name);
        lines(&path("sessions.jsonl"), scenarios().map(|scenario| scenario.session.clone()))?;
        let recorded = |scenario: &ScenarioWork| json!({ "session_id": scenario.id, "hits": scenario.hits });
        let recording = match agent.retriever {
            Some(_) => None,
            None => {
                lines(&path("rankings.jsonl"), scenarios().map(recorded))?;
                Some((path("rankings.jsonl"), path("rankings.parquet")))
            }
        };
        // A comparison needs somebody to compare with: one who answers nothing, and costs nothing.
        std::fs::write(path("nobody.trec"), "- Q0 - 1 0 -\n")?;
        std::fs::write(path("benchmark.yaml"), benchmark(folder, agent, &group.scorers).to_string())?;
        let has_programs = scenarios().any(|scenario| scenario.functions.iter().any(|one| !one.is_of_the_engine()));
        Ok(RunToScore {
            benchmark: path("benchmark.yaml"),
            out: path("run"),
            recording,
            sessions: group.scenarios.len(),
            retries: agent.retries,
            seconds: agent.seconds,
            multiplier: agent.multiplier,
            hits: if has_programs || self.scenarios.len() == 1 { HITS } else { 0 },
        })
    }
}

fn benchmark(folder: &Path, agent: &AgentWork, scorers: &[Value]) -> Value {
    let text = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (section, corpora) = match &agent.retriever {
        Some(Retriever { section, corpora }) => (section.clone(), Value::Object(corpora.clone())),
        None => {
            let stages = json!([{ "kind": "recorded", "path": text("rankings.parquet") }]);
            (json!({ "id": "recorded", "stages": stages }), json!({}))
        }
    };
    let baseline = section.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let nobody = if baseline == "nobody" { "nobody-else" } else { "nobody" };
    json!({
        "name": "scenarios",
        "baseline": baseline,
        "candidates": [nobody],
        "sessions": { "path": text("sessions.jsonl") },
        "corpus": corpora,
        "retriever": [section, { "id": nobody, "stages": [{ "kind": "recorded", "path": text("nobody.trec") }] }],
        "scorer": scorers,
        "output": { "dir": text("runs"), "formats": ["json"] },
    })
}

/// Returns the engine's scorers of a contract.
fn scorers(functions: &[Function]) -> Vec<Value> {
    let mut scorers = Vec::new();
    for (place, function) in functions.iter().enumerate().filter(|(_, function)| function.is_of_the_engine()) {
        // Names of metrics and columns are taken in a benchmark file, and names have at most 64 letters.
        let name: String = format!("{place}: {}", function.name).chars().take(64).collect();
        let mut scorer = json!({ "name": name, "weight": function.weight });
        match &function.how {
            How::Metric(metric) => scorer["metric"] = json!(metric),
            How::Component { path, params } => {
                scorer["plugin"] = json!(path);
                // Components that are written in Python or JavaScript import it, and see nothing of the world by it.
                scorer["wasi"] = json!("inert");
                if let Some(params) = params {
                    scorer["params"] = params.clone();
                }
            }
            How::Program(_) => {}
        }
        scorers.push(scorer);
    }
    scorers
}

fn lines(path: &Path, values: impl Iterator<Item = Value>) -> std::io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for value in values {
        writeln!(file, "{value}")?;
    }
    file.flush()
}

/// Scores one scenario while a request waits, and keeps nothing.
///
/// # Errors
///
/// Returns 400 when it takes too long, and an error when nothing can be written.
pub(in crate::runloop) async fn trial(
    app: &App,
    organisation: &str,
    work: Work,
) -> Result<Option<ScoringFunctionResult>, ApiError> {
    let root = app.root_of(organisation).join("jobs");
    std::fs::create_dir_all(&root).map_err(ApiError::internal)?;
    let folder = tempfile::Builder::new().prefix("trial-").tempdir_in(root).map_err(ApiError::internal)?;
    let order = work.write(folder.path()).map_err(ApiError::internal)?;
    let outcome = Worker::of_request(app, organisation).answer(&Order::Score(order)).await?;
    let limit = app.settings().worker.request_time.as_secs_f64();
    let gathered = Gathered::of_outcome(&work, outcome)?;
    let mut findings = gathered.without_programs();
    for asked in gathered.with_programs(app, organisation, None, limit) {
        findings.push(asked.finding().await?);
    }
    let result = findings.into_iter().next().and_then(|finding| finding.result);
    Ok(result.and_then(|result| result.scoring_function_results.into_iter().next()))
}
