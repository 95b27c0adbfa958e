//! Scenarios: a search, what is known to be good for it, and how an answer is scored.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Texts;

/// What is searched.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::InputContext)]
pub struct InputContext {
    /// The query.
    pub problem_statement: String,
    /// Any JSON. Of an object, these fields are read as those of a session: `inputs`, `judgments`, `interactions`, `shown`,
    /// `taxonomy`, `expected`, `query_vector`, `user_id`, `visit_id`, `timestamp`, `retriever_id`; and besides `hits`, a
    /// ranking, and `files`, texts by path for scorers that are programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_context: Option<Value>,
}

/// Changes of what is searched.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::InputContextChange)]
pub struct InputContextChange {
    /// The query.
    #[serde(default)]
    pub problem_statement: Option<String>,
    /// Any JSON, in place of what there was.
    #[serde(default)]
    pub additional_context: Option<Value>,
}

/// How an answer is scored.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ScoringContract)]
pub struct ScoringContract {
    /// The scoring functions; at least one.
    pub scoring_function_parameters: Vec<ScoringFunction>,
}

/// Changes of how an answer is scored.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ScoringContractChange)]
pub struct ScoringContractChange {
    /// The scoring functions, in place of those there were.
    #[serde(default)]
    pub scoring_function_parameters: Option<Vec<ScoringFunction>>,
}

/// A scoring function and its weight.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ScoringFunction)]
pub struct ScoringFunction {
    /// Its name: letters, digits, `-` and `_`, once in a contract.
    pub name: String,
    /// Its share in the score, above 0. The score is the weighted mean, so that weights need not add up to 1.
    pub weight: f64,
    /// What scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<Scorer>,
    /// A script in place of a scorer, as the first clients wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bash_script: Option<String>,
}

/// What scores.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::Scorer)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Scorer {
    /// A registered component, a built-in metric, or a registered script.
    CustomScorer {
        /// A component's `name` or `name@version`; `metric:nDCG@10`; or the type of a registered scorer.
        custom_scorer_type: String,
        /// Any JSON: the component's parameters, the script's context.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scorer_params: Option<Value>,
    },
    /// A script that prints `score=` and a number from 0 to 1.
    BashScriptScorer {
        /// The script.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bash_script: Option<String>,
    },
    /// A command that passes, 1, when it exits with 0.
    CommandScorer {
        /// The command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<String>,
    },
    /// A script that prints a number from 0 to 1 last.
    PythonScriptScorer {
        /// The script.
        python_script: String,
        /// Which Python it wants; it gets the one that is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        python_version_constraint: Option<String>,
        /// Packages that it wants; there is no network to fetch them, so they are refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requirements_contents: Option<String>,
    },
    /// Tests that pass, 1, when their command exits with 0.
    TestBasedScorer {
        /// The command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test_command: Option<String>,
        /// Files for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test_files: Option<Vec<TestFile>>,
    },
    /// A pattern that `ast-grep` finds, 1, or does not.
    AstGrepScorer {
        /// The pattern.
        pattern: String,
        /// Where it is looked for.
        search_directory: String,
        /// The language.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lang: Option<String>,
    },
}

/// A file for a test.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::TestFile)]
pub struct TestFile {
    /// Where it goes, below the working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_contents: Option<String>,
}

/// Where a scenario would run. It is kept and shown; nothing is launched, as a search needs no machine of its own.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ScenarioEnvironment)]
pub struct ScenarioEnvironment {
    /// A blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint_id: Option<String>,
    /// A snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<String>,
    /// A prebuilt image, as the first clients named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prebuilt_id: Option<String>,
    /// The working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// Parameters of the launch; `keep_alive_time_seconds` ends a run that nobody scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_parameters: Option<Value>,
}

/// What a scenario validates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ValidationType)]
#[serde(rename_all = "UPPERCASE")]
pub enum ValidationType {
    /// Nothing was said.
    Unspecified,
    /// The reference output must pass.
    Forward,
    /// The reference output must fail.
    Reverse,
    /// It is scored.
    Evaluation,
}

impl ValidationType {
    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Forward => "FORWARD",
            Self::Reverse => "REVERSE",
            Self::Evaluation => "EVALUATION",
        }
    }
}

/// A scenario to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::NewScenario)]
pub struct NewScenario {
    /// Its name, not empty.
    pub name: String,
    /// What is searched.
    pub input_context: InputContext,
    /// How an answer is scored.
    pub scoring_contract: ScoringContract,
    /// Where it would run.
    #[serde(default)]
    pub environment_parameters: Option<ScenarioEnvironment>,
    /// Whatever the user wishes to keep with it; `retriever_id` names who answers where nobody else says.
    #[serde(default)]
    pub metadata: Option<Texts>,
    /// The right answer; kept, shown, and handed to scorers that are programs.
    #[serde(default)]
    pub reference_output: Option<String>,
    /// Environment variables without which no run begins.
    #[serde(default)]
    pub required_environment_variables: Option<Vec<String>>,
    /// Secrets without which no run begins.
    #[serde(default)]
    pub required_secret_names: Option<Vec<String>>,
    /// How long scoring may take, seconds; 1800 where it is not given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 86400)]
    pub scorer_timeout_sec: Option<u32>,
    /// What it validates.
    #[serde(default)]
    pub validation_type: Option<ValidationType>,
    /// Lists it among the organisation's public ones.
    #[serde(default)]
    pub is_public: Option<bool>,
}

/// Changes of a scenario: what is absent or null stays, what is there replaces.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::ScenarioChange)]
pub struct ScenarioChange {
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
    /// What is searched.
    #[serde(default)]
    pub input_context: Option<InputContextChange>,
    /// How an answer is scored.
    #[serde(default)]
    pub scoring_contract: Option<ScoringContractChange>,
    /// Where it would run.
    #[serde(default)]
    pub environment_parameters: Option<ScenarioEnvironment>,
    /// The metadata.
    #[serde(default)]
    pub metadata: Option<Texts>,
    /// The right answer; an empty text clears it.
    #[serde(default)]
    pub reference_output: Option<String>,
    /// Environment variables without which no run begins.
    #[serde(default)]
    pub required_environment_variables: Option<Vec<String>>,
    /// Secrets without which no run begins.
    #[serde(default)]
    pub required_secret_names: Option<Vec<String>>,
    /// How long scoring may take, seconds.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 86400)]
    pub scorer_timeout_sec: Option<u32>,
    /// What it validates.
    #[serde(default)]
    pub validation_type: Option<ValidationType>,
    /// Whether it is listed among the public ones.
    #[serde(default)]
    pub is_public: Option<bool>,
}

/// A scenario.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::Scenario)]
pub struct ScenarioView {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What is searched.
    pub input_context: InputContext,
    /// How an answer is scored.
    pub scoring_contract: ScoringContract,
    /// Whatever the user keeps with it.
    pub metadata: Texts,
    /// `active` or `archived`.
    pub status: String,
    /// Where it would run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<ScenarioEnvironment>,
    /// Whether it is listed among the public ones.
    pub is_public: bool,
    /// The right answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_output: Option<String>,
    /// Environment variables without which no run begins.
    pub required_environment_variables: Vec<String>,
    /// Secrets without which no run begins.
    pub required_secret_names: Vec<String>,
    /// How long scoring may take, seconds.
    pub scorer_timeout_sec: u32,
    /// What it validates.
    pub validation_type: ValidationType,
}

/// A page of scenarios, the newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = runloop::ScenarioList)]
pub struct ScenarioList {
    /// The scenarios.
    pub scenarios: Vec<ScenarioView>,
    /// Whether there are more after them.
    pub has_more: bool,
    /// All that match, on whatever page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_count: Option<u64>,
    /// Those after this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_count: Option<u64>,
}
