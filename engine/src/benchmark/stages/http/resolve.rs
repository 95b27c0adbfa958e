//! From the stage as written to its plan.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{HttpDefaults, HttpPlan, HttpSpec, Preset, TimingPlan, auth, target};
use crate::benchmark::diagnostic::{Diagnostic, KeyPath, did_you_mean};
use crate::benchmark::policy;
use crate::benchmark::resolve::Context;
use crate::benchmark::spec::RetrieverSpec;
use crate::benchmark::stages::http_presets::preset_defaults;
use crate::replay::retrievers::http::{Extraction, HttpError, HttpPart, RequestTemplates};

/// Returns the plan of the stage at `keys`; `hits` where its templates may speak of hits to re-rank.
pub(in crate::benchmark) fn resolve(
    context: &Context<'_>,
    retriever: &RetrieverSpec,
    spec: &HttpSpec,
    hits: bool,
    keys: &KeyPath,
) -> Result<HttpPlan, Diagnostic> {
    let usual = preset_defaults(spec.preset);
    // What may hold secrets comes first, since other mistakes show the line that they are in.
    let headers = target::headers(context, &spec.headers, &usual, &keys.key("headers"))?;
    let url = target::url(context, &spec.url, &usual, spec.auth.is_some(), &keys.key("url"))?;
    let auth = match &spec.auth {
        Some(auth) => auth::resolve(context, auth, &keys.key("auth"))?,
        None => super::AuthPlan::None,
    };
    let body = spec.body.clone().or_else(|| usual.body.map(str::to_owned));
    let plan = HttpPlan {
        preset: spec.preset,
        url,
        method: method(context, spec, &usual, body.is_some(), keys)?,
        headers,
        auth,
        content_type: spec.content_type.as_deref().or(usual.content_type).unwrap_or("application/json").to_owned(),
        body,
        ids: ids(context, spec, &usual, keys)?,
        scores: scores(spec, &usual),
        score_direction: spec.score_direction.unwrap_or(usual.score_direction),
        absent_hits: spec.absent_hits.unwrap_or(usual.absent_hits),
        error: spec.error.clone().or_else(|| usual.error.map(str::to_owned)),
        timings: timings(context, spec, &usual, keys)?,
        parameters: parameters(spec, &usual),
        certificate_authority: match &spec.certificate_authority {
            Some(path) => Some(context.path(&keys.key("certificate-authority"), path)?),
            None => None,
        },
        policy: policy::resolve(context, retriever, spec.policy.as_ref(), keys)?,
    };
    check(context, spec, &usual, &plan, hits, keys)?;
    Ok(plan)
}

fn method(
    context: &Context<'_>,
    spec: &HttpSpec,
    usual: &HttpDefaults,
    has_body: bool,
    keys: &KeyPath,
) -> Result<String, Diagnostic> {
    const METHODS: [&str; 4] = ["GET", "POST", "PUT", "PATCH"];
    let Some(written) = spec.method.as_deref() else {
        return Ok(usual.method.unwrap_or(if has_body { "POST" } else { "GET" }).to_owned());
    };
    let method = written.to_ascii_uppercase();
    if METHODS.contains(&method.as_str()) {
        return Ok(method);
    }
    let message = format!("`{written}` is not a method to search with, expected one of `{}`", METHODS.join("`, `"));
    Err(context.mistake(&keys.key("method"), message))
}

fn ids(context: &Context<'_>, spec: &HttpSpec, usual: &HttpDefaults, keys: &KeyPath) -> Result<String, Diagnostic> {
    let ids = spec.ids.clone().or_else(|| usual.ids.map(str::to_owned));
    ids.ok_or_else(|| {
        let mistake = context.mistake(keys, "an `http` stage without a preset needs the key `ids`");
        mistake.with_help("`ids` is the JSONPath of the item ids in the answer, such as `$.hits[*].id`")
    })
}

/// Empty text stands for no scores.
fn scores(spec: &HttpSpec, usual: &HttpDefaults) -> Option<String> {
    spec.scores.clone().or_else(|| usual.scores.map(str::to_owned)).filter(|path| !path.is_empty())
}

fn timings(
    context: &Context<'_>,
    spec: &HttpSpec,
    usual: &HttpDefaults,
    keys: &KeyPath,
) -> Result<BTreeMap<String, TimingPlan>, Diagnostic> {
    let usual = usual.timings.iter();
    let mut timings: BTreeMap<String, TimingPlan> = usual
        .map(|(name, path, unit)| ((*name).to_owned(), TimingPlan { path: (*path).to_owned(), unit: *unit }))
        .collect();
    for (name, timing) in &spec.timings {
        if name.trim().is_empty() || name.contains('/') {
            let message = format!("`{name}` cannot be the name of a timing: it is empty, or has a `/`");
            return Err(context.mistake(&keys.key("timings").key(name), message));
        }
        timings.insert(name.clone(), TimingPlan { path: timing.path.clone(), unit: timing.unit });
    }
    Ok(timings)
}

fn parameters(spec: &HttpSpec, usual: &HttpDefaults) -> BTreeMap<String, Value> {
    let defaults = usual.parameters.iter().filter_map(|parameter| {
        // That every preset's defaults are JSON is what its tests show.
        Some((parameter.name.to_owned(), serde_json::from_str(parameter.default?).ok()?))
    });
    let mut parameters: BTreeMap<String, Value> = defaults.collect();
    parameters.extend(spec.parameters.clone());
    parameters
}

/// Checks what can be checked before there is an answer: templates, paths and parameters.
fn check(
    context: &Context<'_>,
    spec: &HttpSpec,
    usual: &HttpDefaults,
    plan: &HttpPlan,
    hits: bool,
    keys: &KeyPath,
) -> Result<(), Diagnostic> {
    let mistake = |error: HttpError| {
        let place = error.part.keys().into_iter().fold(keys.clone(), |keys, key| keys.key(key));
        context.mistake(&place, error.message)
    };
    Extraction::compile(plan).map_err(&mistake)?;
    let templates = RequestTemplates::compile(plan, hits).map_err(&mistake)?;
    let given = keys.key("parameters");
    for parameter in usual.parameters {
        if !plan.parameters.contains_key(parameter.name) && templates.uses_parameter(parameter.name) {
            let message = format!(
                "preset `{}` needs `parameters.{}`: {}",
                name(plan.preset),
                parameter.name,
                parameter.description
            );
            return Err(context.mistake(&given, message));
        }
    }
    let known = usual.parameters.iter().map(|parameter| parameter.name);
    for written in spec.parameters.keys() {
        if known.clone().any(|known| known == written) || templates.uses_parameter(written) {
            continue;
        }
        let mistake = context.mistake(&given.key(written), format!("no template uses `parameters.{written}`"));
        return Err(match did_you_mean(written, known) {
            Some(near) => mistake.with_help(format!("did you mean `{near}`?")),
            None => mistake,
        });
    }
    templates.try_out().map_err(|error| match error.part {
        // The preset's body is right; what was put into it is not.
        HttpPart::Body if spec.body.is_none() => context.mistake(&given, error.message),
        _ => mistake(error),
    })
}

fn name(preset: Preset) -> String {
    serde_json::to_value(preset).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
