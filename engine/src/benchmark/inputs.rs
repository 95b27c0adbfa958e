//! Are the inputs that a plan names there? Checked before anything runs, with the place in the benchmark file.

use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, KeyPath};
use super::parse::SpecSource;
use super::plan::{Plan, ScorerSource};
use super::plugin_reference::PluginReference;
use super::resolve::is_there;
use super::spec::SessionsPath;
use super::stages::{StageKind, StagePlan, Used};
use crate::storage::is_url;

impl Plan {
    /// Checks that every file that the plan names is there.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic for the first file that is missing, at the value that names it.
    pub fn check_inputs(&self, source: &SpecSource) -> Result<(), Diagnostic> {
        let root = KeyPath::root();
        let check = |keys: KeyPath, path: &Path| {
            let message = match is_there(path) {
                Ok(true) => return Ok(()),
                Ok(false) => format!("no such file: `{}`", path.display()),
                Err(error) => format!("cannot read {error}"),
            };
            Err(source.mistake_at(&keys, message))
        };
        let sessions = root.key("sessions").key("path");
        match &self.sessions {
            SessionsPath::Files(paths) => {
                for (index, path) in paths.iter().enumerate() {
                    check(sessions.index(index), Path::new(path))?;
                }
            }
            SessionsPath::Ubi(ubi) => {
                check(sessions.key("ubi").key("queries"), Path::new(&ubi.queries))?;
                check(sessions.key("ubi").key("events"), Path::new(&ubi.events))?;
            }
            SessionsPath::Trec(trec) => {
                if let Some(topics) = &trec.topics {
                    check(sessions.key("trec").key("topics"), Path::new(topics))?;
                }
                check(sessions.key("trec").key("qrels"), Path::new(&trec.qrels))?;
            }
            // What lies below a URL is found by who reads it.
            SessionsPath::Beir(directory) if is_url(directory) => {}
            SessionsPath::Beir(directory) => check(sessions.key("beir"), Path::new(directory))?,
        }
        let spec = source.parse()?;
        for pipeline in &self.pipelines {
            let position = spec.retriever.iter().position(|retriever| retriever.id == pipeline.id).unwrap_or(0);
            let keys = root.key("retriever").index(position).key("stages");
            for (keys, path) in inputs_of(&pipeline.stages, &keys) {
                check(keys, &path)?;
            }
        }
        if spec.output.acknowledgements.is_some() {
            check(root.key("output").key("acknowledgements"), &self.acknowledgements)?;
        }
        if let Some(items) = self.lists.as_ref().and_then(|lists| lists.items.as_ref()) {
            check(root.key("corpus").key(&items.corpus.name).key("path"), &items.corpus.path)?;
        }
        for (index, scorer) in self.scorers.iter().enumerate() {
            if let ScorerSource::Plugin(plugin) = &scorer.source {
                let written = spec.scorer.get(index).and_then(|scorer| scorer.plugin.as_deref()).unwrap_or_default();
                check(root.key("scorer").index(index).key("plugin"), &plugin.path).map_err(|missing| {
                    if PluginReference::is_meant_by(written) {
                        missing.with_help(format!("`rematch plugin add {written} --registry ...` fetches it"))
                    } else {
                        missing
                    }
                })?;
            }
        }
        Ok(())
    }
}

impl Plan {
    /// Returns the environment variables from which retrievers take credentials.
    #[must_use]
    pub fn variables(&self) -> Vec<&str> {
        self.pipelines.iter().flat_map(|pipeline| &pipeline.stages).flat_map(|stage| stage.does.variables()).collect()
    }

    /// Returns every path that work units read: the files of retrievers and scorers, not the sessions, which are in the run
    /// by then.
    pub fn unit_inputs(&mut self) -> Vec<&mut PathBuf> {
        let stages = self.pipelines.iter_mut().flat_map(|pipeline| &mut pipeline.stages);
        let used = stages.flat_map(|stage| stage.does.uses()).map(|used| match used {
            Used::File { path, .. } => path,
            Used::Corpus(corpus) => &mut corpus.path,
        });
        let scorers = self.scorers.iter_mut().filter_map(|scorer| match &mut scorer.source {
            ScorerSource::Plugin(plugin) => Some(plugin.as_mut()),
            ScorerSource::Metric(_) => None,
        });
        let plugins = scorers.flat_map(|plugin| {
            let items = plugin.items.as_mut().map(|items| &mut items.corpus.path);
            std::iter::once(&mut plugin.path).chain(items)
        });
        used.chain(plugins).collect()
    }
}

/// Returns the files that stages read, each with the place in the benchmark file that names it.
fn inputs_of(stages: &[StagePlan], keys: &KeyPath) -> Vec<(KeyPath, PathBuf)> {
    let mut inputs = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        let keys = keys.index(index);
        if let StageKind::Fuse(plan) = &stage.does {
            for (branch, plan) in plan.branches.iter().enumerate() {
                inputs.extend(inputs_of(&plan.stages, &keys.key("branches").index(branch).key("stages")));
            }
            continue;
        }
        inputs.extend(stage.does.clone().uses().into_iter().map(|used| match used {
            Used::File { key, path } => (keys.key(key), path.clone()),
            Used::Corpus(corpus) => (KeyPath::root().key("corpus").key(&corpus.name).key("path"), corpus.path.clone()),
        }));
    }
    inputs
}
