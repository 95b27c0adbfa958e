//! What goes over the wire, for both generations of clients: a field that only one of them knows is there for both.

mod benchmark;
mod benchmark_run;
mod devbox;
mod job;
mod scenario;
mod scenario_run;
mod scorer;

use std::collections::BTreeMap;

pub use benchmark::{BenchmarkChange, BenchmarkList, BenchmarkView, MembersChange, NewBenchmark};
pub use benchmark_run::{BenchmarkRunList, BenchmarkRunView, FinishedScenario, StartBenchmarkRun, UnofficialStart};
pub use devbox::{DevboxView, StateTransition, WaitForStatus};
pub use job::{
    AgentConfig, BenchmarkJobList, BenchmarkJobView, BenchmarkOutcome, FailureReason, JobAgent, JobSource, JobSpec,
    NewBenchmarkJob, NewJobSpec, OrchestratorConfig, RunInProgress, ScenarioOutcome,
};
pub use scenario::{
    InputContext, NewScenario, ScenarioChange, ScenarioEnvironment, ScenarioList, ScenarioView, Scorer,
    ScoringContract, ScoringFunction, TestFile, ValidationType,
};
pub use scenario_run::{
    RunProfile, ScenarioRunList, ScenarioRunView, ScoringContractResult, ScoringFunctionResult, StartScenarioRun,
};
pub use scorer::{NewScorer, ScorerList, ScorerView, Validated, Validation};

/// Names and values.
pub type Texts = BTreeMap<String, String>;
