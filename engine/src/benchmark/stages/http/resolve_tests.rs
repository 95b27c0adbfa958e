//! Mistakes in `http` stages and in how their servers are asked, each at its place; and what a stage becomes.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::benchmark::stages::StageKind;
use crate::benchmark::stages::http::{AuthPlan, HttpPlan, ScoreDirection, TimingPlan, TimingUnit, UserPlan};
use crate::benchmark::{Arrival, ByteSize, Diagnostic, Plan, PolicyPlan, SpecSource, TimeSpan};

fn resolve(stage: &str, keys: &str) -> Result<Plan, Diagnostic> {
    let text = format!(
        "name = \"n\"\nbaseline = \"shown\"\ncandidates = [\"prod\"]\nseed = 7\nsessions.path = \"s.jsonl\"\n\
         [[retriever]]\nid = \"shown\"\nstages = [{{ kind = \"shown\" }}]\n\
         [[retriever]]\nid = \"prod\"\n{keys}\n[[retriever.stages]]\nkind = \"http\"\n{stage}\n"
    );
    Plan::resolve(&SpecSource::of(Path::new("/bench/bench.toml"), &text, &[]).unwrap())
}

fn http(plan: &Plan) -> &HttpPlan {
    let StageKind::Http(plan) = &plan.pipelines[1].stages[0].does else { panic!("an http stage") };
    plan
}

const PLAIN: &str = "url = \"http://localhost:9200/search\"\nids = \"$.hits[*].id\"";

#[test]
fn a_plain_stage_gets_every_default() {
    let plan = resolve(PLAIN, "").unwrap();
    let http = http(&plan);
    assert_eq!((http.method.as_str(), http.url.as_str()), ("GET", "http://localhost:9200/search"));
    assert_eq!((http.content_type.as_str(), http.body.as_deref()), ("application/json", None));
    assert_eq!((&http.auth, http.scores.as_deref()), (&AuthPlan::None, None));
    assert_eq!(http.policy, PolicyPlan { seed: 7, ..PolicyPlan::default() });
}

#[test]
fn what_is_written_is_in_the_plan() {
    let stage = r#"
        url = "https://search.example/{{ parameters.index }}/_search?q={{ query }}"
        method = "post"
        headers = { X-Tenant = "shop" }
        auth = { basic-user = "elastic", basic-password-env = "ES_PASSWORD" }
        body = '{"size": {{ depth }}, "query": {{ query | tojson }}}'
        ids = "$.hits.hits[*]._id"
        scores = "$.hits.hits[*]._score"
        score-direction = "lower"
        error = "$.error.reason"
        timings = { took = { path = "$.took", unit = "ms" } }
        parameters = { index = "products", }
        certificate-authority = "ca.pem"
    "#;
    let keys = r#"
        concurrency = 16
        rate = 50.5
        arrival = "open"
        connect-timeout = "500ms"
        read-timeout = "1s"
        timeout = "1m"
        retries = 3
        retry-backoff = "10ms"
        retry-backoff-cap = "1s"
        retry-after-cap = "1m 30s"
        retry-budget = 0.05
        max-body = "1MiB"
        breaker = 5
        redirects = 2
        warm-up = 8
    "#;
    let plan = resolve(stage, keys).unwrap();
    let http = http(&plan);
    assert_eq!((http.method.as_str(), &http.headers["x-tenant"]), ("POST", &"shop".to_owned()));
    let auth = AuthPlan::Basic { user: UserPlan::Name("elastic".into()), password_env: "ES_PASSWORD".into() };
    assert_eq!((&http.auth, http.score_direction), (&auth, ScoreDirection::Lower));
    assert_eq!(http.timings["took"], TimingPlan { path: "$.took".into(), unit: TimingUnit::Milliseconds });
    assert_eq!(http.parameters["index"], json!("products"));
    assert_eq!(http.certificate_authority.as_deref(), Some(Path::new("/bench/ca.pem")));
    let span = |milliseconds| TimeSpan(Duration::from_millis(milliseconds));
    let policy = PolicyPlan {
        rate: Some(50.5),
        arrival: Arrival::Open,
        connect_timeout: span(500),
        read_timeout: span(1000),
        timeout: span(60_000),
        retries: 3,
        retry_backoff: span(10),
        retry_backoff_cap: span(1000),
        retry_after_cap: span(90_000),
        retry_budget: 0.05,
        max_body: ByteSize(1 << 20),
        breaker: 5,
        redirects: 2,
        warm_up: 8,
        concurrency: None,
        seed: 7,
    };
    assert_eq!(http.policy, policy);
    assert_eq!(plan.pipelines[1].concurrency.get(), 16);
    let text = serde_json::to_string(&plan).unwrap();
    let again: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(again.pipelines, plan.pipelines, "a plan survives its file");
}

#[test]
fn a_stage_says_how_it_is_asked_before_its_retriever_does() {
    let retriever = "timeout = \"5s\"\nretries = 3\nrate = 20.0\nconcurrency = 8";
    let stage = format!("{PLAIN}\npolicy = {{ timeout = \"300ms\", retries = 0, concurrency = 2 }}");
    let plan = resolve(&stage, retriever).unwrap();
    let policy = &http(&plan).policy;
    assert_eq!((policy.timeout, policy.retries), (TimeSpan(Duration::from_millis(300)), 0));
    assert_eq!((policy.rate, policy.breaker), (Some(20.0), PolicyPlan::default().breaker), "retriever, default");
    assert_eq!((policy.concurrency.map(|own| own.get()), plan.pipelines[1].concurrency.get()), (Some(2), 8));
    let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(again.pipelines, plan.pipelines);
    // A stage without a policy is planned as ever, so that no run gets another id.
    assert!(
        !serde_json::to_string(&resolve(PLAIN, retriever).unwrap().pipelines[1].stages)
            .unwrap()
            .contains("concurrency")
    );
}

#[test]
fn a_mistake_in_a_policy_is_told_where_it_was_written() {
    for (policy, retriever, part, line) in [
        ("policy = { retries = 99 }", "retries = 1", "99 is out of range", ":16:"),
        ("policy = { timeout = \"1s\" }", "retries = 99", "99 is out of range", ":11:"),
        ("policy = { arrival = \"open\" }", "", "needs a `rate`", ":16:"),
        ("policy = { tiemout = \"1s\" }", "", "tiemout", ""),
    ] {
        let message = match resolve(&format!("{PLAIN}\n{policy}"), retriever) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{policy} was taken"),
        };
        assert!(message.contains(part) && message.contains(line), "{message}");
    }
}

#[test]
fn credentials_are_named_and_never_written() {
    let cases = [
        ("auth = { bearer-env = \"TOKEN\" }", AuthPlan::Bearer { token_env: "TOKEN".into() }),
        (
            "auth = { basic-user-env = \"U\", basic-password-env = \"P\" }",
            AuthPlan::Basic { user: UserPlan::Env("U".into()), password_env: "P".into() },
        ),
        (
            "auth = { header = \"Authorization\", prefix = \"ApiKey \", value-env = \"K\" }",
            AuthPlan::Header { name: "Authorization".into(), prefix: "ApiKey ".into(), value_env: "K".into() },
        ),
        (
            "auth = { query = \"api_key\", value-env = \"K\" }",
            AuthPlan::Query { name: "api_key".into(), value_env: "K".into() },
        ),
    ];
    for (auth, expected) in cases {
        let plan = resolve(&format!("{PLAIN}\n{auth}"), "").unwrap();
        assert_eq!(http(&plan).auth, expected);
    }
}

#[test]
fn mistakes_in_the_stage_are_told_at_their_place() {
    let with = |more: &str| format!("{PLAIN}\n{more}");
    let url = |url: &str| format!("ids = \"$[*]\"\nurl = \"{url}\"");
    // The stage's own lines begin at line 14.
    let cases = [
        (url("ftp://h/x"), "15:7", "`ftp://h/x` is not a URL that begins with `http://` or `https://`"),
        (url("{{ inputs.url }}"), "15:7", "is not a URL that begins with"),
        (url("http:///path"), "15:7", "has no host"),
        (url("https://user:hunter2@h/x"), " `retriever[1].stages[0].url`: ", "the URL holds a user or a password"),
        (url("ftp://user:hunter2@h/x"), " `retriever[1].stages[0].url`: ", "begins with `http://`"),
        (url("https:///x?sig=hunter2"), " `retriever[1].stages[0].url`: ", "has no host"),
        (url("https://h/x?api_key=hunter2"), " `retriever[1].stages[0].url`: ", "`api_key` looks like a secret"),
        (url("https://h/{{ quary }}"), "15:7", "unknown variable `quary`, expected one of `query`"),
        (url("https://h/{{ query "), "15:7", "syntax error"),
        (url("https://h/{{ hits }}"), "15:7", "unknown variable `hits`"),
        (url("https://h/{{ taxonomy }}"), "15:7", "lists can be joined"),
        ("url = \"http://h\"".into(), "", "an `http` stage without a preset needs the key `ids`"),
        ("url = \"http://h\"\nids = \"hits[*]\"".into(), "15:7", "`hits[*]` is not a JSONPath: it starts with `$`"),
        (with("scores = \"$.hits[\""), "16:10", "is not a JSONPath"),
        (with("error = \"error\""), "16:9", "is not a JSONPath"),
        (with("timings = { took = { path = \"took\", unit = \"ms\" } }"), "16:29", "is not a JSONPath"),
        (with("timings = { took = { path = \"$.took\", unit = \"h\" } }"), "16:", "unknown variant `h`"),
        (with("timings = { \"a/b\" = { path = \"$.t\", unit = \"ms\" } }"), "16:", "cannot be the name of a timing"),
        (with("method = \"DELETE\""), "16:10", "`DELETE` is not a method to search with"),
        (with("body = '{\"q\": \"{{ query }}\"}'"), "16:8", "it gives no JSON"),
        (with("body = '{\"q\": {{ query | nope }}}'"), "16:8", "filter"),
        (
            with("headers = { Authorization = \"Bearer hunter2\" }"),
            " `retriever[1].stages[0].headers.Authorization`: ",
            "`Authorization` carries a secret",
        ),
        (
            with("headers = { X-Api-Key = \"hunter2\" }"),
            " `retriever[1].stages[0].headers.X-Api-Key`: ",
            "`X-Api-Key` carries a secret",
        ),
        (with("headers = { Accept-Encoding = \"x\", Cookie = \"hunter2\" }"), "", "`Cookie` carries a secret"),
        (
            with("auth = { bearer-env = \"T\" }").replace("localhost", "{{ inputs.shop }}.example"),
            "14:7",
            "the host is a template",
        ),
        (with("headers = { Content-Type = \"text/plain\" }"), "16:28", "the body's media type has a key of its own"),
        (with("headers = { Content-Length = \"7\" }"), "16:30", "is set by what sends the request"),
        (with("headers = { \"a b\" = \"7\" }"), "16:21", "`a b` is not the name of a header"),
        (with("headers = { a = \"7\\n8\" }"), "16:17", "cannot stand in a header"),
        (with("auth = {}"), "16:8", "`auth` does not make sense, expected one of"),
        (with("auth = { bearer-env = \"T\", header = \"X\" }"), "16:8", "`auth` does not make sense"),
        (with("auth = { basic-password-env = \"T\" }"), "16:8", "`auth` needs one user"),
        (
            with("auth = { bearer-env = \"sk-hunter2\" }"),
            " `retriever[1].stages[0].auth.bearer-env`: ",
            "expected the name of an environment variable",
        ),
        (with("auth = { bearer = \"hunter2\" }"), "", "unknown key `bearer`"),
        (with("parameters = { index = \"x\" }"), "16:24", "no template uses `parameters.index`"),
        (with("certificate-authority = \"\""), "16:25", "empty path"),
        (with("colour = \"red\""), "", "a `http` stage takes no key `colour`"),
    ];
    for (stage, place, message) in cases {
        let mistake = resolve(&stage, "").err().unwrap_or_else(|| panic!("no mistake: {stage}"));
        // Where a key is not known, the line is all that can be shown.
        assert!(message.starts_with("unknown key") || !mistake.render(false).contains("hunter2"), "{mistake}");
        let mistake = mistake.to_string();
        assert!(mistake.contains(message), "{stage}\n{mistake}");
        assert!(mistake.starts_with(&format!("/bench/bench.toml:{place}")), "{stage}\n{mistake}");
        assert!(!mistake.contains("hunter2"), "{mistake}");
    }
}

#[test]
fn a_secret_given_by_an_override_does_not_show() {
    let text = format!(
        "name = \"n\"\nbaseline = \"shown\"\ncandidates = [\"prod\"]\nsessions.path = \"s.jsonl\"\n\
         retriever = [{{ id = \"shown\", stages = [{{ kind = \"shown\" }}] }}, {{ id = \"prod\", stages = [{{ kind = \"http\", {} }}] }}]\n",
        PLAIN.replace('\n', ", ")
    );
    for set in ["url=https://u:hunter2@h/x", "headers.Authorization=hunter2", "auth.bearer-env=sk-hunter2"] {
        let set = format!("retriever.1.stages.0.{set}");
        let mistake = Plan::resolve(&SpecSource::of(Path::new("b.toml"), &text, &[set]).unwrap()).unwrap_err();
        let shown = format!("{mistake} {}", mistake.render(false));
        assert!(shown.contains("retriever[1].stages[0]") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn what_postgres_has_no_use_for_is_refused() {
    let file = |keys: &str, stages: &str| {
        let text = format!(
            "name = \"n\"\nbaseline = \"shown\"\ncandidates = [\"prod\"]\nsessions.path = \"s.jsonl\"\n\
             [[retriever]]\nid = \"shown\"\nstages = [{{ kind = \"shown\" }}]\n\
             [[retriever]]\nid = \"prod\"\n{keys}\nstages = [{stages}]\n"
        );
        Plan::resolve(&SpecSource::of(Path::new("b.toml"), &text, &[]).unwrap())
    };
    let postgres = "{ kind = \"postgres\", url = \"postgres://h/db\", query = \"SELECT id FROM t\" }";
    let http = format!("{{ kind = \"http\", {} }}", PLAIN.replace('\n', ", "));
    for (keys, place) in [("read-timeout = \"1s\"", "b.toml:10:16"), ("redirects = 1", "b.toml:10:13")] {
        let mistake = file(keys, postgres).unwrap_err().to_string();
        assert!(mistake.starts_with(place) && mistake.contains("`prod` asks Postgres only"), "{mistake}");
        let both = format!("{{ kind = \"fuse\", branches = [{{ stages = [{postgres}] }}, {{ stages = [{http}] }}] }}");
        assert!(file(keys, &both).is_ok());
    }
    assert!(file("timeout = \"1s\"", postgres).is_ok());
}

#[test]
fn mistakes_in_the_policy_are_told_at_their_place() {
    let cases = [
        ("rate = 0", "11:8", "a rate of 0 requests per second"),
        ("rate = nan", "11:8", "a rate of NaN"),
        ("arrival = \"open\"", "11:11", "`arrival = \"open\"` needs a `rate`"),
        ("arrival = \"sometimes\"", "11:", "unknown variant `sometimes`"),
        ("timeout = \"0s\"", "11:11", "`0s` is out of range, expected 1ms to `1d`"),
        ("read-timeout = \"2d\"", "11:", "invalid length of time"),
        ("connect-timeout = \"soon\"", "11:19", "invalid length of time `soon`, expected text such as `2s`"),
        ("connect-timeout = 5", "11:19", "expected a string"),
        ("retries = 11", "11:11", "11 is out of range, expected 0 to 10"),
        ("redirects = 21", "11:13", "21 is out of range, expected 0 to 20"),
        ("retry-budget = 1.5", "11:16", "is out of range, expected 0 to 1"),
        ("max-body = \"lots\"", "11:12", "invalid size `lots`, expected text such as `16MiB`"),
        ("max-body = \"0B\"", "11:12", "no answer has 0 bytes"),
    ];
    for (keys, place, message) in cases {
        let mistake = resolve(PLAIN, keys).err().unwrap_or_else(|| panic!("no mistake: {keys}")).to_string();
        assert!(
            mistake.contains(message) && mistake.starts_with(&format!("/bench/bench.toml:{place}")),
            "{keys}\n{mistake}"
        );
    }
    let text = "name = \"n\"\nbaseline = \"a\"\ncandidates = [\"b\"]\nsessions.path = \"s.jsonl\"\n\
        retriever = [{ id = \"a\", stages = [{ kind = \"shown\" }], retries = 3 }, { id = \"b\", stages = [{ kind = \"shown\" }] }]";
    let mistake = Plan::resolve(&SpecSource::of(Path::new("b.toml"), text, &[]).unwrap()).unwrap_err().to_string();
    assert!(mistake.contains("`retries` is for retrievers that ask a server, and no stage of `a` does"), "{mistake}");
}
