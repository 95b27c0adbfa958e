//! From stages on the wire to a retriever's section of a benchmark file.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::model::{RetrieverBody, StageConfig, StageOnError};
use crate::App;
use crate::catalog::{components, corpora, files};
use crate::platform::error::ApiError;

/// The kinds of stages that may be registered.
const KINDS: [&str; 13] = [
    "bm25", "vector", "sql", "http", "recorded", "shown", "fuse", "plugin", "filter", "boost", "rerank", "dedupe",
    "truncate",
];

/// Keys of a stage in a benchmark file that stand elsewhere on the wire.
const ELSEWHERE: [(&str, &str); 3] = [("kind", "config.stage_id"), ("name", "stage_name"), ("on-error", "on_error")];

/// What the names in stages mean.
struct Names<'a> {
    app: &'a App,
    organisation: &'a str,
    corpora: BTreeSet<String>,
    /// The corpora of the retriever.
    identifiers: &'a [String],
}

/// Returns the section of a benchmark file; names that it holds are there.
///
/// # Errors
///
/// Returns 422 for what is no stage, and 404 for a corpus, component or file that there is not.
pub async fn section(
    app: &App,
    organisation: &str,
    (id, name): (&str, &str),
    body: &RetrieverBody,
) -> Result<Value, ApiError> {
    let known = corpora::section(app, organisation).await?;
    let corpora = known.into_iter().map(|(name, _)| name).collect();
    let names = Names { app, organisation, corpora, identifiers: &body.collection_identifiers };
    for identifier in &body.collection_identifiers {
        names.check_corpus(identifier)?;
    }
    if body.stages.is_empty() {
        return Err(ApiError::invalid(&["body", "stages"], "too_short", "a retriever has at least one stage"));
    }
    let mut stages = Vec::with_capacity(body.stages.len());
    for (index, stage) in body.stages.iter().enumerate() {
        let mut written = written(stage, index)?;
        names.resolve(&mut written).await?;
        stages.push(Value::Object(written));
    }
    Ok(json!({ "id": id, "name": name, "stages": stages }))
}

/// Returns the names of the corpora that the stages of a section use.
#[must_use]
pub fn corpora_of(section: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_corpora(section.get("stages"), &mut found);
    found
}

/// Returns whether a retriever's answers depend on what is asked: it does more than look up what is known of a session.
#[must_use]
pub fn needs_query(section: &Value) -> bool {
    let stages = section.get("stages").and_then(Value::as_array).into_iter().flatten();
    stages.into_iter().any(|stage| match stage.get("kind").and_then(Value::as_str) {
        Some("shown" | "recorded" | "filter" | "boost" | "dedupe" | "truncate") => false,
        Some("fuse") => stage.get("branches").and_then(Value::as_array).into_iter().flatten().any(needs_query),
        _ => true,
    })
}

fn collect_corpora(stages: Option<&Value>, found: &mut BTreeSet<String>) {
    for stage in stages.and_then(Value::as_array).into_iter().flatten() {
        let one = stage.get("corpus").into_iter();
        let several = stage.get("corpora").and_then(Value::as_array).into_iter().flatten();
        found.extend(one.chain(several).filter_map(Value::as_str).map(ToOwned::to_owned));
        for branch in stage.get("branches").and_then(Value::as_array).into_iter().flatten() {
            collect_corpora(branch.get("stages"), found);
        }
    }
}

fn written(stage: &StageConfig, index: usize) -> Result<Map<String, Value>, ApiError> {
    let place = index.to_string();
    let wrong =
        |key: &str, message: String| ApiError::invalid(&["body", "stages", &place, key], "value_error", message);
    if stage.stage_name.trim().is_empty() {
        return Err(wrong("stage_name", "the name of the stage is empty".to_owned()));
    }
    let kind = match stage.config.get("stage_id") {
        Some(Value::String(kind)) if KINDS.contains(&kind.as_str()) => kind,
        Some(Value::String(kind)) => {
            let message =
                format!("there are no stages of kind `{kind}`; `stage_id` is one of `{}`", KINDS.join("`, `"));
            return Err(wrong("config", message));
        }
        _ => {
            let message = format!("`config` has no `stage_id`; expected one of `{}`", KINDS.join("`, `"));
            return Err(wrong("config", message));
        }
    };
    let mut written = match stage.config.get("parameters") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(parameters)) => parameters.clone(),
        Some(_) => return Err(wrong("config", "`config.parameters` is no object".to_owned())),
    };
    if let Some((key, place)) = ELSEWHERE.iter().find(|(key, _)| written.contains_key(*key)) {
        return Err(wrong("config", format!("`{key}` is none of the parameters; it stands in `{place}`")));
    }
    written.insert("kind".to_owned(), Value::from(kind.as_str()));
    written.insert("name".to_owned(), Value::from(stage.stage_name.as_str()));
    if let Some(on_error) = stage.on_error {
        let meaning = if on_error == StageOnError::Skip { "skip" } else { "fail" };
        written.insert("on-error".to_owned(), Value::from(meaning));
    }
    Ok(written)
}

impl Names<'_> {
    fn check_corpus(&self, name: &str) -> Result<(), ApiError> {
        if self.corpora.contains(name) { Ok(()) } else { Err(ApiError::not_found("collection", name)) }
    }

    /// Puts paths where names stand. A name is all that a tenant may write: a path would lead out of its folder.
    async fn resolve(&self, stage: &mut Map<String, Value>) -> Result<(), ApiError> {
        let kind = stage.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !KINDS.contains(&kind.as_str()) {
            let message = format!("there are no stages of kind `{kind}`; expected one of `{}`", KINDS.join("`, `"));
            return Err(ApiError::invalid(&["body", "stages"], "value_error", message));
        }
        match kind.as_str() {
            "bm25" | "vector" | "filter" | "boost" | "dedupe" => self.name_corpus(stage)?,
            "sql" => self.name_corpora(stage)?,
            "recorded" => self.put_file(stage, "path").await?,
            "http" => self.put_file(stage, "certificate-authority").await?,
            "plugin" | "rerank" => {
                self.put_component(stage).await?;
                if let Some(Value::Object(endpoint)) = stage.get_mut("http") {
                    self.put_file(endpoint, "certificate-authority").await?;
                }
            }
            "fuse" => self.resolve_branches(stage).await?,
            _ => {}
        }
        Ok(())
    }

    async fn resolve_branches(&self, stage: &mut Map<String, Value>) -> Result<(), ApiError> {
        let Some(Value::Array(branches)) = stage.get_mut("branches") else { return Ok(()) };
        for branch in branches {
            let Some(Value::Array(stages)) = branch.get_mut("stages") else { continue };
            for stage in stages {
                if let Value::Object(stage) = stage {
                    Box::pin(self.resolve(stage)).await?;
                }
            }
        }
        Ok(())
    }

    fn name_corpus(&self, stage: &mut Map<String, Value>) -> Result<(), ApiError> {
        if let (None, [only]) = (stage.get("corpus"), self.identifiers) {
            stage.insert("corpus".to_owned(), Value::from(only.as_str()));
        }
        stage.get("corpus").and_then(Value::as_str).map_or(Ok(()), |name| self.check_corpus(name))
    }

    fn name_corpora(&self, stage: &mut Map<String, Value>) -> Result<(), ApiError> {
        if stage.get("corpora").is_none() && !self.identifiers.is_empty() {
            stage.insert("corpora".to_owned(), json!(self.identifiers));
        }
        let names = stage.get("corpora").and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).try_for_each(|name| self.check_corpus(name))
    }

    async fn put_file(&self, stage: &mut Map<String, Value>, key: &str) -> Result<(), ApiError> {
        if let Some(value) = stage.get_mut(key)
            && let Some(name) = value.as_str()
        {
            let path = files::path(self.app, self.organisation, name).await?;
            *value = Value::from(path.to_string_lossy());
        }
        Ok(())
    }

    async fn put_component(&self, stage: &mut Map<String, Value>) -> Result<(), ApiError> {
        if let Some(value) = stage.get_mut("plugin")
            && let Some(reference) = value.as_str()
        {
            let path = components::path(self.app, self.organisation, reference).await?;
            *value = Value::from(path.to_string_lossy());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(config: Value) -> StageConfig {
        serde_json::from_value(json!({ "stage_name": "first", "config": config, "on_error": "skip" })).unwrap()
    }

    #[test]
    fn a_stage_takes_its_kind_its_name_and_its_parameters_along() {
        let config = json!({ "stage_id": "bm25", "parameters": { "corpus": "products", "fields": { "title": 1.0 } } });
        let expected = json!({
            "kind": "bm25", "name": "first", "on-error": "skip", "corpus": "products", "fields": { "title": 1.0 },
        });
        assert_eq!(Value::Object(written(&stage(config), 0).unwrap()), expected);
    }

    #[test]
    fn what_is_no_stage_is_refused_with_what_would_be_one() {
        let refusal = |config| written(&stage(config), 2).unwrap_err();
        let unknown = refusal(json!({ "stage_id": "feature_search" }));
        assert!(unknown.message.contains("`feature_search`; `stage_id` is one of `bm25`"), "{}", unknown.message);
        assert_eq!(unknown.fields[0].location, ["body", "stages", "2", "config"]);
        assert!(refusal(json!({ "parameters": {} })).message.contains("no `stage_id`"));
        assert!(refusal(json!({ "stage_id": "shown", "parameters": [] })).message.contains("no object"));
        let smuggled =
            refusal(json!({ "stage_id": "shown", "parameters": { "kind": "recorded", "path": "/etc/passwd" } }));
        assert!(smuggled.message.contains("`config.stage_id`"), "{}", smuggled.message);
    }

    #[test]
    fn only_a_look_up_needs_no_query() {
        let needs = |stages: Value| needs_query(&json!({ "stages": stages }));
        assert!(!needs(json!([{ "kind": "shown" }, { "kind": "truncate", "to": 5 }])));
        assert!(needs(json!([{ "kind": "shown" }, { "kind": "rerank" }])));
        let fused = |kind: &str| json!([{ "kind": "fuse", "branches": [{ "stages": [{ "kind": "recorded" }] }, { "stages": [{ "kind": kind }] }] }]);
        assert!(!needs(fused("shown")));
        assert!(needs(fused("bm25")));
    }

    #[test]
    fn corpora_are_found_in_branches_too() {
        let section = json!({ "stages": [{ "kind": "fuse", "branches": [
            { "stages": [{ "kind": "bm25", "corpus": "a" }] }, { "stages": [{ "kind": "sql", "corpora": ["b", "a"] }] },
        ] }, { "kind": "filter", "corpus": "c" }] });
        assert_eq!(corpora_of(&section).into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
