//! Looks a session up, and has the metric explain itself.

use std::num::NonZeroUsize;
use std::path::Path;

use datafusion::arrow::error::ArrowError;
use rematch_metrics::preset::Preset;
use rematch_metrics::{Explanation, GainFunction, Metric, RankedGrades};

use super::lookup::find;
use super::{ArmBreakdown, Breakdown, BreakdownError, RankBreakdown};
use crate::benchmark::{Plan, ScorerPlan, ScorerSource};
use crate::rows::{Answers, sessions_from_batch};
use crate::schema::{RANKINGS, column};
use crate::score::Relevance;
use crate::session::Session;
use crate::store::{Opened, RunDirectory, layout};

/// What is to be explained.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The session.
    pub session_id: String,
    /// The metric's name; `None` for the one that decides the run.
    pub metric: Option<String>,
    /// The retrievers beside the baseline; all where none is named.
    pub retrievers: Vec<String>,
}

/// Takes a metric's value apart, rank by rank, for a session of a finished run and its retrievers. A metric that the run did not
/// compute is explained too.
///
/// # Errors
///
/// Returns an error when the run cannot be read or is not finished, has no such session or retriever, kept fewer hits than the
/// metric looks at, or follows the conventions of a program whose values do not explain themselves; and when what is to be explained
/// comes from a component or is the scenario score.
pub fn breakdown(run: &Path, asked: &Asked) -> Result<Breakdown, BreakdownError> {
    let (run, _, opened) = RunDirectory::view(run)?;
    if opened != Opened::Finished {
        return Err(BreakdownError::Unfinished { path: run.root().to_owned() });
    }
    let plan: Plan = run.read_json(layout::PLAN)?;
    let preset = Preset::from(plan.relevance.compatibility);
    if !matches!(preset, Preset::Strict | Preset::TrecEval) {
        return Err(BreakdownError::OtherConventions { program: preset.program() });
    }
    let metric = metric_of(&plan, asked)?;
    if metric.cutoff().is_some_and(|cutoff| cutoff > plan.depth) {
        return Err(BreakdownError::Depth { metric: metric.to_string(), kept: plan.depth.get() });
    }
    let arms = arms(&plan, &asked.retrievers)?;
    let sample = run.sample()?;
    let (chunk, row) = find(&sample, &asked.session_id)?;
    let sessions = sessions_from_batch(&sample.group(chunk)?);
    let sessions = sessions.map_err(|error| BreakdownError::table(sample.path(), error))?;
    let unknown = || BreakdownError::Session { session: asked.session_id.clone(), near: Vec::new() };
    let session = sessions.get(row).ok_or_else(unknown)?;
    let relevance = Relevance::of(session, &plan.relevance);
    let explain =
        Explain { metric, gain: plan.relevance.gain, zero: preset.undefined_is_zero(), relevance: &relevance };
    let mut retrievers = Vec::new();
    for arm in arms {
        let id = plan.pipelines.get(arm).map(|pipeline| pipeline.id.as_str()).unwrap_or_default();
        retrievers.push(of_arm(&run, &plan, (arm, id), (chunk, row), session, &explain)?);
    }
    let convention = preset.convention(&metric, plan.relevance.gain);
    Ok(Breakdown {
        session_id: session.session_id.clone(),
        query: session.query.clone(),
        metric: metric.to_string(),
        gain: convention.gain,
        discount: convention.discount,
        normaliser: convention.normaliser,
        grades_from: if session.judgments.is_empty() { "interactions" } else { "judgments" },
        retrievers,
        ideal: explain.ideal(),
    })
}

/// Returns the metric that is asked for, or that decides the run. The run's own names come first, as in its benchmark: metrics are
/// known by more than one spelling.
fn metric_of(plan: &Plan, asked: &Asked) -> Result<Metric, BreakdownError> {
    let name = asked.metric.as_deref().unwrap_or(&plan.primary).trim();
    let no_metric = |is: String| BreakdownError::NoMetric {
        measure: name.to_owned(),
        decides: asked.metric.is_none(),
        is,
        example: plan.metrics.first().map_or_else(|| "nDCG@10".to_owned(), ToString::to_string),
    };
    let is_of = |scorer: &&ScorerPlan| {
        name.strip_prefix(&scorer.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match plan.scorers.iter().find(is_of).map(|scorer| (scorer.name.as_str(), &scorer.source)) {
        Some((scorer, ScorerSource::Metric(metric))) if scorer == name => Ok(*metric),
        Some((scorer, _)) if scorer == name => Err(no_metric("a scorer".to_owned())),
        Some((scorer, _)) => Err(no_metric(format!("a sub-score of the scorer `{scorer}`"))),
        None if name == column::SCENARIO_SCORE && !plan.scorers.is_empty() => {
            Err(no_metric("the weighted mean of the scorers".to_owned()))
        }
        None => Ok(name.parse()?),
    }
}

/// Returns the places of the baseline and of the retrievers that are named, or of all.
fn arms(plan: &Plan, named: &[String]) -> Result<Vec<usize>, BreakdownError> {
    if named.is_empty() {
        return Ok((0..plan.pipelines.len()).collect());
    }
    let mut places = vec![0];
    for id in named {
        let place = plan.pipelines.iter().position(|pipeline| pipeline.id == *id);
        let known = || plan.pipelines.iter().map(|pipeline| pipeline.id.clone()).collect();
        let place = place.ok_or_else(|| BreakdownError::Retriever { retriever: id.clone(), known: known() })?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

fn of_arm(
    run: &RunDirectory,
    plan: &Plan,
    (arm, id): (usize, &str),
    (chunk, row): (usize, usize),
    session: &Session,
    explain: &Explain<'_>,
) -> Result<ArmBreakdown, BreakdownError> {
    let part = layout::part(arm, chunk);
    let damaged = |error: ArrowError| BreakdownError::table(&run.path(&part), error);
    let names: Vec<&str> = RANKINGS.fields().iter().map(|field| field.name().as_str()).collect();
    let batch = run.table(&part)?.group_columns(0, &names)?;
    if row >= batch.num_rows() {
        let reason = format!("{} rows, expected one for row {row} of the sample's chunk {chunk}", batch.num_rows());
        return Err(damaged(ArrowError::InvalidArgumentError(reason)));
    }
    let answers = Answers::borrowed(&batch.slice(row, 1), id, plan.depth.get()).map_err(damaged)?;
    let rankings = answers.to_rankings().map_err(damaged)?;
    let Some(ranking) = rankings.first().filter(|ranking| ranking.session_id == session.session_id) else {
        let reason = format!("row {row} has another `{}` than the sample", column::SESSION_ID);
        return Err(damaged(ArrowError::InvalidArgumentError(reason)));
    };
    if ranking.failed() {
        let failed = ranking.error_kind.clone();
        return Ok(ArmBreakdown { retriever_id: id.to_owned(), failed, ..ArmBreakdown::default() });
    }
    let items: Vec<&str> = ranking.hits.iter().map(|hit| hit.item_id.as_str()).collect();
    Ok(ArmBreakdown { retriever_id: id.to_owned(), ..explain.ranking(&items) })
}

/// A metric, and what its session is judged by.
struct Explain<'a> {
    metric: Metric,
    gain: GainFunction,
    /// Whether an undefined value is 0.
    zero: bool,
    relevance: &'a Relevance,
}

impl Explain<'_> {
    fn ranking(&self, items: &[&str]) -> ArmBreakdown {
        let ranked: Vec<Option<f64>> = items.iter().map(|item| self.relevance.grade(item)).collect();
        let judged: Vec<f64> = self.relevance.iter().map(|(_, grade)| grade).collect();
        let found = self.metric.explain(&RankedGrades { ranked: &ranked, judged: &judged }, self.gain);
        let Some(Explanation { ranks, unranked, normaliser, value }) = found else {
            let looked_at = self.metric.cutoff().map_or(usize::MAX, NonZeroUsize::get);
            let worthless = (1..).zip(items.iter().zip(&ranked)).take(looked_at);
            let ranks = worthless.map(|(rank, (item, grade))| RankBreakdown {
                rank,
                item_id: (*item).to_owned(),
                grade: *grade,
                ..RankBreakdown::default()
            });
            let value = self.zero.then(|| self.metric.of_nothing());
            return ArmBreakdown { value, ranks: ranks.collect(), ..ArmBreakdown::default() };
        };
        let of_rank = |found: rematch_metrics::RankContribution| RankBreakdown {
            rank: found.rank,
            item_id: items.get(found.rank.saturating_sub(1)).map(|item| (*item).to_owned()).unwrap_or_default(),
            grade: found.grade,
            gain: found.gain,
            discount: found.weight,
            contribution: found.contribution,
        };
        ArmBreakdown {
            value: Some(value),
            divided_by: Some(normaliser),
            unranked,
            ranks: ranks.into_iter().map(of_rank).collect(),
            ..ArmBreakdown::default()
        }
    }

    /// What the best order of the judged items would bring.
    fn ideal(&self) -> ArmBreakdown {
        let mut best: Vec<(&str, f64)> = self.relevance.iter().collect();
        // Stable: items come in ascending order.
        best.sort_by(|left, right| right.1.total_cmp(&left.1));
        let items: Vec<&str> = best.into_iter().map(|(item, _)| item).collect();
        self.ranking(&items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::spec::OnScorerError;
    use crate::benchmark::{PluginPlan, RelevancePlan, SpecSource};
    use crate::session::Judgment;

    fn plan() -> Plan {
        let text = "name = \"n\"\nbaseline = \"old\"\ncandidates = [\"new\"]\n[sessions]\npath = \"s\"\n\
                    [[retriever]]\nid = \"old\"\nstages = [{ kind = \"shown\" }]\n\
                    [[retriever]]\nid = \"new\"\nstages = [{ kind = \"shown\" }]\n";
        Plan::resolve(&SpecSource::of(Path::new("b.toml"), text, &[]).expect("a source")).expect("a plan")
    }

    fn explained(metric: &str, grades: &[(&str, f32)], items: &[&str], plan: &RelevancePlan) -> [ArmBreakdown; 2] {
        let judged = grades.iter().map(|(item, grade)| Judgment { item_id: (*item).to_owned(), grade: *grade });
        let session = Session { judgments: judged.collect(), ..Session::default() };
        let relevance = Relevance::of(&session, plan);
        let metric = metric.parse().expect("a metric");
        let explain = Explain { metric, gain: plan.gain, zero: false, relevance: &relevance };
        [explain.ranking(items), explain.ideal()]
    }

    #[test]
    fn contributions_add_up_to_the_value_and_the_ideal_to_one() {
        let plan = plan();
        let grades = [("a", 3.0), ("b", 1.0), ("c", 0.0)];
        let [found, ideal] = explained("nDCG@2", &grades, &["x", "a", "b"], &plan.relevance);
        assert_eq!(found.ranks.len(), 2);
        let sum: f64 = found.ranks.iter().map(|rank| rank.contribution).sum();
        assert!((sum - found.value.expect("a value")).abs() < 1e-12);
        assert_eq!((found.ranks[0].grade, found.ranks[1].grade), (None, Some(3.0)));
        assert!((ideal.value.expect("a value") - 1.0).abs() < 1e-12);
        let best: Vec<&str> = ideal.ranks.iter().map(|rank| rank.item_id.as_str()).collect();
        assert_eq!(best, ["a", "b"]);
    }

    #[test]
    fn an_undefined_value_still_shows_what_was_returned() {
        let [found, _] = explained("nDCG@2", &[("a", 0.0)], &["x", "a", "b"], &plan().relevance);
        assert_eq!((found.value, found.ranks.len(), found.ranks[1].grade), (None, 2, Some(0.0)));
    }

    #[test]
    fn what_a_component_gives_is_refused_and_the_metric_of_a_scorer_is_explained() {
        let mut plan = plan();
        let asked = |metric: &str| Asked { metric: Some(metric.to_owned()), ..Asked::default() };
        let refused = |plan: &Plan, asked: &Asked| metric_of(plan, asked).unwrap_err().to_string();
        assert!(refused(&plan, &asked("scenario_score")).starts_with("unknown metric"), "the run has no scorers");
        let plugin = PluginPlan::of("utility.wasm".into());
        let on_error = OnScorerError::default();
        let scorer = |name: &str, source| ScorerPlan { name: name.to_owned(), source, weight: 0.5, on_error };
        plan.scorers.push(scorer("utility", ScorerSource::Plugin(Box::new(plugin))));
        plan.scorers.push(scorer("first", ScorerSource::Metric("RR".parse().expect("a metric"))));

        let takes = "; `explain` takes built-in metrics apart, such as `--metric nDCG@5`";
        assert_eq!(refused(&plan, &asked("utility")), format!("`utility` is a scorer{takes}"));
        let sub_score = format!("`utility.depth` is a sub-score of the scorer `utility`{takes}");
        assert_eq!(refused(&plan, &asked("utility.depth")), sub_score);
        let scenario = format!("`scenario_score` is the weighted mean of the scorers{takes}");
        assert_eq!(refused(&plan, &asked("scenario_score")), scenario);
        assert_eq!(metric_of(&plan, &asked("first")).expect("a metric").to_string(), "RR");
        // The metric has the same letters, and another case.
        assert_eq!(metric_of(&plan, &asked("Utility")).expect("a metric").to_string(), "Utility");

        plan.primary = "utility".to_owned();
        let decides = format!("`utility`, which decides the run, is a scorer{takes}");
        assert_eq!(refused(&plan, &Asked::default()), decides);
    }

    #[test]
    fn named_retrievers_stand_beside_the_baseline_once_each_and_unknown_ones_are_refused() {
        let plan = plan();
        assert_eq!(arms(&plan, &[]).expect("all"), [0, 1]);
        assert_eq!(arms(&plan, &["old".into(), "new".into(), "new".into()]).expect("two"), [0, 1]);
        let refused = arms(&plan, &["nwe".into()]).unwrap_err().to_string();
        assert_eq!(refused, "the run has no retriever `nwe`, expected one of `old`, `new`");
        assert_eq!(metric_of(&plan, &Asked::default()).expect("a metric").to_string(), "nDCG@10");
        let asked = Asked { metric: Some("nDGC@10".to_owned()), ..Asked::default() };
        assert!(metric_of(&plan, &asked).unwrap_err().to_string().contains("nDCG"));
    }
}
