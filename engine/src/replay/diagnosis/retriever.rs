//! Is one retriever able to answer?

use url::Url;

use super::Check;
use crate::benchmark::PipelinePlan;
use crate::benchmark::stages::http::{AuthPlan, HttpPlan, UserPlan};
use crate::benchmark::stages::{PostgresPlan, PostgresServer, RerankPlan, Reranker, SslMode, StageKind, StagePlan};
use crate::replay::explain::{Explanation, Problem, StageExplanation, explain};
use crate::replay::{Pipeline, RetrieveErrorKind};
use crate::session::{Session, StageState};

/// Where PostgreSQL listens unless it is told otherwise.
const POSTGRES_PORT: u16 = 5432;

/// Somewhere that a stage connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint {
    /// The stage's name.
    stage: String,
    /// Host and port; `None` where they depend on the session.
    address: Option<(String, u16)>,
    /// Whether the connection is encrypted.
    encrypted: bool,
    /// The environment variables that hold its credentials.
    secrets: Vec<String>,
}

/// Looks whether there is a way to every server that a retriever asks, and whether its credentials are there.
///
/// `has_secret` says whether an environment variable is set.
pub async fn reach_servers(plan: &PipelinePlan, has_secret: &(dyn Fn(&str) -> bool + Send + Sync)) -> Vec<Check> {
    let mut checks = Vec::new();
    for endpoint in endpoints(&plan.stages) {
        checks.extend(look_at(&endpoint, has_secret).await);
    }
    checks
}

/// Sends one search through a retriever and looks at each of its stages.
pub async fn try_search(plan: &PipelinePlan, pipeline: &Pipeline, session: Session, depth: usize) -> Vec<Check> {
    match explain(pipeline, session, depth).await {
        Ok(explanation) => {
            let endpoints = endpoints(&plan.stages);
            let mut checks = encryption(&endpoints, &explanation);
            checks.extend(credentials(&endpoints, &explanation));
            checks.extend(search(&explanation));
            checks
        }
        Err(error) => vec![Check::failed("search", error.to_string(), RetrieveErrorKind::Internal.advice())],
    }
}

async fn look_at(endpoint: &Endpoint, has_secret: &(dyn Fn(&str) -> bool + Send + Sync)) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some((host, port)) = &endpoint.address {
        checks.extend(super::reach(host, *port).await);
    }
    for variable in &endpoint.secrets {
        checks.push(match has_secret(variable) {
            true => Check::ok("credentials", format!("`{variable}` is set")),
            false => Check::failed(
                "credentials",
                format!("the environment has no `{variable}`"),
                format!("set it before the call: `export {variable}=...`"),
            ),
        });
    }
    for check in &mut checks {
        check.name = format!("{} {}", endpoint.stage, check.name);
    }
    checks
}

/// What the search says of certificates: it fails with an error of its own where they are not acceptable.
fn encryption(endpoints: &[Endpoint], explanation: &Explanation) -> Vec<Check> {
    let encrypted = endpoints.iter().filter(|endpoint| endpoint.encrypted);
    let checks = encrypted.filter_map(|endpoint| {
        let stage = all_stages(&explanation.stages).into_iter().find(|stage| stage.name == endpoint.stage)?;
        let kind = stage.problem.as_ref().and_then(|problem| RetrieveErrorKind::parse(problem.kind.as_ref()?));
        let name = format!("{} tls", endpoint.stage);
        match kind {
            Some(RetrieveErrorKind::Dns | RetrieveErrorKind::Connect | RetrieveErrorKind::Template) => None,
            Some(kind @ RetrieveErrorKind::Tls) => {
                let message = stage.problem.as_ref().map(|problem| problem.message.clone()).unwrap_or_default();
                Some(Check::failed(name, message, kind.advice()))
            }
            _ => Some(Check::ok(name, "the server's certificate is accepted")),
        }
    });
    checks.collect()
}

/// Credentials that are refused fail the search itself, in the server's words.
fn credentials(endpoints: &[Endpoint], explanation: &Explanation) -> Vec<Check> {
    let stages = all_stages(&explanation.stages);
    let is_answered =
        |endpoint: &&Endpoint| stages.iter().any(|stage| stage.name == endpoint.stage && stage.problem.is_none());
    let guarded = endpoints.iter().filter(|endpoint| !endpoint.secrets.is_empty()).filter(is_answered);
    guarded.map(|endpoint| Check::ok(format!("{} auth", endpoint.stage), "the credentials are accepted")).collect()
}

/// The stages with those inside of them, which run before.
fn all_stages(stages: &[StageExplanation]) -> Vec<&StageExplanation> {
    let mut all = Vec::new();
    for stage in stages {
        for branch in &stage.branches {
            all.extend(all_stages(branch));
        }
        all.push(stage);
    }
    all
}

/// One line per stage.
fn search(explanation: &Explanation) -> Vec<Check> {
    let mut checks = Vec::new();
    for stage in all_stages(&explanation.stages) {
        let name = format!("{} search", stage.name);
        let milliseconds = stage.latency_ns as f64 / 1e6;
        checks.push(match &stage.problem {
            Some(problem) => failed(name, problem, stage.state),
            None if stage.left.is_empty() && stage.branches.is_empty() => Check::warning(
                name,
                format!("no hits in {milliseconds:.1} ms"),
                "ask a query that has hits by `--query`, or look at the answer with `rematch probe`",
            ),
            None => Check::ok(name, format!("{} hits in {milliseconds:.1} ms", stage.left.len())),
        });
    }
    checks
}

fn failed(name: String, problem: &Problem, state: StageState) -> Check {
    let kind = problem.kind.as_ref().map(|kind| format!("{kind}: ")).unwrap_or_default();
    let found = format!("{kind}{}", problem.message);
    let fix = problem.fix.clone().unwrap_or_else(|| "call `rematch search` with that stage first".to_owned());
    match state {
        StageState::Skipped => Check::warning(name, found, fix),
        _ => Check::failed(name, found, fix),
    }
}

/// Returns what the stages connect to.
fn endpoints(stages: &[StagePlan]) -> Vec<Endpoint> {
    stages
        .iter()
        .flat_map(|stage| match &stage.does {
            StageKind::Fuse(plan) => plan.branches.iter().flat_map(|branch| endpoints(&branch.stages)).collect(),
            StageKind::Http(plan) => vec![of_http(&stage.name, plan)],
            StageKind::Postgres(plan) => vec![of_postgres(&stage.name, plan)],
            StageKind::Rerank(RerankPlan { by: Reranker::Http(plan), .. }) => vec![of_http(&stage.name, plan)],
            _ => Vec::new(),
        })
        .collect()
}

fn of_postgres(stage: &str, plan: &PostgresPlan) -> Endpoint {
    let (url, url_env) = match &plan.server {
        PostgresServer::Url(url) => (url.parse::<Url>().ok(), None),
        PostgresServer::Env(variable) => (None, Some(variable.clone())),
    };
    let address = url.and_then(|url| Some((url.host_str()?.to_owned(), url.port().unwrap_or(POSTGRES_PORT))));
    let secrets = url_env.into_iter().chain(plan.password_env.clone()).collect();
    Endpoint { stage: stage.to_owned(), address, encrypted: plan.sslmode == Some(SslMode::Require), secrets }
}

fn of_http(stage: &str, plan: &HttpPlan) -> Endpoint {
    let fixed = plan.url.split("{{").next().unwrap_or_default();
    // A host that a template makes is another one for each session.
    let is_whole = fixed.len() == plan.url.len() || fixed.splitn(4, '/').count() == 4;
    let url = fixed.parse::<Url>().ok().filter(|_| is_whole);
    let address = url.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    let secrets = match &plan.auth {
        AuthPlan::None => Vec::new(),
        AuthPlan::Bearer { token_env } => vec![token_env.clone()],
        AuthPlan::Basic { user: UserPlan::Env(user_env), password_env } => vec![user_env.clone(), password_env.clone()],
        AuthPlan::Basic { user: UserPlan::Name(_), password_env } => vec![password_env.clone()],
        AuthPlan::Header { value_env, .. } | AuthPlan::Query { value_env, .. } => vec![value_env.clone()],
    };
    Endpoint { stage: stage.to_owned(), address, encrypted: plan.url.starts_with("https:"), secrets }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::benchmark::{Plan, SpecSource};

    /// What the stage connects to.
    fn endpoint(stage: &str) -> Endpoint {
        let text = format!(
            "name = \"x\"\nbaseline = \"a\"\ncandidates = [\"b\"]\n[sessions]\npath = \"none.jsonl\"\n\
             [[retriever]]\nid = \"a\"\nstages = [{stage}]\n\
             [[retriever]]\nid = \"b\"\nstages = [{{ kind = \"shown\" }}]\n"
        );
        let source = SpecSource::of(Path::new("bench.toml"), &text, &[]).expect("a file");
        let plan = Plan::resolve(&source).expect("a plan");
        let endpoints = endpoints(&plan.pipelines.first().expect("a pipeline").stages);
        endpoints.into_iter().next().expect("an endpoint")
    }

    #[test]
    fn hosts_ports_and_secrets_of_stages_are_known() {
        let address = |host: &str, port| Some((host.to_owned(), port));
        let http =
            |url: &str, rest: &str| endpoint(&format!("{{ kind = \"http\", url = \"{url}\", ids = \"$[*]\"{rest} }}"));
        assert_eq!(http("https://a.example/{{ query }}", "").address, address("a.example", 443));
        assert!(http("https://a.example", "").encrypted);
        assert_eq!(http("http://a.example:9200", "").address, address("a.example", 9200));
        assert_eq!(http("http://[::1]:9200/x?q={{ query }}", "").address, address("[::1]", 9200));
        // Another host for each session.
        assert_eq!(http("http://{{ inputs.shop }}.example/", "").address, None);
        assert_eq!(http("http://s-{{ inputs.shop }}", "").address, None);
        let basic = ", auth = { basic-user-env = \"USER_OF\", basic-password-env = \"PASSWORD_OF\" }";
        assert_eq!(http("http://a.example", basic).secrets, ["USER_OF", "PASSWORD_OF"]);
        let header = ", auth = { header = \"X-Key\", value-env = \"KEY_OF\" }";
        assert_eq!(http("http://a.example", header).secrets, ["KEY_OF"]);
        let postgres =
            |rest: &str| endpoint(&format!("{{ kind = \"postgres\", query = \"SELECT id FROM docs\", {rest} }}"));
        assert_eq!(postgres("url = \"postgres://reader@db.example/shop\"").address, address("db.example", 5432));
        assert_eq!(postgres("url-env = \"DATABASE_URL\"").secrets, ["DATABASE_URL"]);
    }
}
