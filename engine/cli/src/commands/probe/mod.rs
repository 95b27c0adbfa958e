//! `rematch probe`.

mod text;
mod tree;

use anyhow::{Context as _, anyhow};
use rematch_engine::benchmark::stages::http::{AuthSpec, HttpSpec, Preset};
use rematch_engine::replay::probe::{ProbeError, probe as ask};
use rematch_engine::session::Session;

use super::{print, print_json};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::retriever_arguments::ProbeArguments;

/// Asks an endpoint and says how to read its answer.
pub(crate) fn probe(arguments: &ProbeArguments) -> Result<Exit, Failure> {
    let spec = spec(arguments)?;
    let session = Session {
        session_id: "probe".to_owned(),
        query: Some(arguments.query.clone()),
        inputs: arguments.session.inputs.as_ref().map(ToString::to_string),
        query_vector: arguments.session.vector.as_ref().map(|vector| vector.0.clone()),
        ..Session::default()
    };
    let secrets = environment::secrets();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let probed = runtime.block_on(ask(&spec, &session, arguments.depth.get(), &secrets)).map_err(failure)?;
    if arguments.json {
        print_json(&probed)?;
    } else {
        print(&text::render(&probed))?;
    }
    let is_read = probed.stage.is_some() && probed.unread.is_none() && (200..300).contains(&probed.status);
    Ok(if is_read { Exit::Done } else { Exit::Incomplete })
}

fn failure(error: ProbeError) -> Failure {
    match error {
        ProbeError::Stage(diagnostic) => Failure::new(Exit::Usage, diagnostic),
        ProbeError::Ask { source } => Failure::new(Exit::Incomplete, source),
        other => Failure::new(Exit::Usage, other),
    }
}

fn spec(arguments: &ProbeArguments) -> Result<HttpSpec, Failure> {
    let mut text = serde_json::json!({ "url": arguments.url });
    if let Some(parameters) = &arguments.parameters {
        text["parameters"] = parameters.clone();
    }
    let spec: HttpSpec = serde_json::from_value(text)?;
    Ok(HttpSpec {
        preset: preset(arguments)?,
        method: arguments.method.clone(),
        headers: arguments.headers.iter().cloned().collect(),
        auth: auth(arguments),
        body: arguments.body.as_deref().map(body).transpose()?,
        content_type: arguments.content_type.clone(),
        ..spec
    })
}

fn preset(arguments: &ProbeArguments) -> Result<Preset, Failure> {
    let Some(name) = &arguments.preset else { return Ok(Preset::default()) };
    let preset = serde_json::from_value(name.as_str().into());
    preset.map_err(|error| Failure::new(Exit::Usage, anyhow!("`--preset {name}`: {error}")))
}

fn auth(arguments: &ProbeArguments) -> Option<AuthSpec> {
    let spec = AuthSpec {
        bearer_env: arguments.bearer_env.clone(),
        basic_user: arguments.basic_user.clone(),
        basic_password_env: arguments.basic_password_env.clone(),
        header: arguments.auth_header.clone(),
        query: arguments.auth_query.clone(),
        value_env: arguments.value_env.clone(),
        ..AuthSpec::default()
    };
    (spec != AuthSpec::default()).then_some(spec)
}

/// The body as given, or from a file.
fn body(text: &str) -> Result<String, Failure> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.to_owned()) };
    let content = std::fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"));
    content.map_err(|error| Failure::new(Exit::Input, error))
}
