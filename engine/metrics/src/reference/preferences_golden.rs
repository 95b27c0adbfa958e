//! What trec_eval prints of preference judgments and of several judges: its own expected outputs.

use std::collections::BTreeMap;
use std::path::Path;

use super::{assert_close, shared};
use crate::preference::{Preference, PreferenceCounts, PreferenceMeasure, averaged_over_groups};
use crate::{GainFunction, Metric, RankedGrades};

/// The lines of a file as their words, but for comments.
fn words(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<String>>());
    lines.filter(|words| !words.is_empty()).collect()
}

/// Items by query. Here trec_eval breaks ties by ascending item, elsewhere by descending.
fn rankings(path: &Path, ascending: bool) -> BTreeMap<String, Vec<String>> {
    let mut scored: BTreeMap<String, Vec<(f32, String)>> = BTreeMap::new();
    for line in words(path) {
        scored.entry(line[0].clone()).or_default().push((line[4].parse().unwrap(), line[2].clone()));
    }
    let ranked = |mut hits: Vec<(f32, String)>| {
        hits.sort_by(|a, b| {
            let by_item = if ascending { a.1.cmp(&b.1) } else { b.1.cmp(&a.1) };
            b.0.total_cmp(&a.0).then(by_item)
        });
        hits.into_iter().map(|(_, item)| item).collect()
    };
    scored.into_iter().map(|(query, hits)| (query, ranked(hits))).collect()
}

/// Compares every printed measure; `columns` are group, sub-group, item and level of a line of judgments.
fn compare(expected: &str, judgments: &str, run: &str, columns: [Option<usize>; 4]) -> usize {
    let Some(expected) = shared(&format!("data/trec-eval-golden/{expected}")) else { return 0 };
    let lines = words(&shared(&format!("data/trec-eval-golden/{judgments}")).unwrap());
    let rankings = rankings(&shared(&format!("data/trec-eval-golden/{run}")).unwrap(), true);
    let mut counts: BTreeMap<&str, PreferenceCounts> = BTreeMap::new();
    for (query, ranking) in &rankings {
        let of_query: Vec<Preference<'_>> = lines
            .iter()
            .filter(|line| line[0] == *query)
            .map(|line| Preference {
                group: columns[0].map_or("", |column| &line[column]),
                sub_group: columns[1].map_or("", |column| &line[column]),
                item: columns[2].map_or("", |column| &line[column]),
                level: columns[3].map_or(0.0, |column| line[column].parse().unwrap()),
            })
            .collect();
        let ranking: Vec<&str> = ranking.iter().map(String::as_str).collect();
        counts.insert(query, PreferenceCounts::of(&ranking, &of_query).unwrap());
    }
    let printed = words(&expected);
    let queries: Vec<&str> =
        counts.keys().copied().filter(|query| printed.iter().any(|line| line[1] == *query)).collect();
    let mut compared = 0;
    for line in &printed {
        let Ok(measure) = line[0].parse::<PreferenceMeasure>() else { continue };
        let of = |query: &str| measure.evaluate(&counts[query]).unwrap_or(0.0);
        let found = match line[1].as_str() {
            "all" => {
                let divisor = if line[0].starts_with("prefs_num") { 1.0 } else { queries.len() as f64 };
                crate::sum::sum(queries.iter().map(|query| of(query))) / divisor
            }
            query => of(query),
        };
        assert_close(found, line[2].parse().unwrap(), 5.0001e-5, &line.join(" "));
        compared += 1;
    }
    compared
}

#[test]
fn measures_of_preferences_equal_the_printed_ones() {
    let columns = [Some(1), Some(2), Some(3), Some(4)];
    let compared = compare("out.test.prefs", "prefs.test", "prefs.results.test", columns);
    assert!(compared == 0 || compared == 25 * 14, "{compared}");
}

#[test]
fn measures_of_preferences_among_grades_equal_the_printed_ones() {
    let columns = [Some(1), None, Some(2), Some(3)];
    let compared = compare("out.test.qrels_prefs", "qrels.test", "results.test", columns);
    assert!(compared == 0 || compared == 4 * 14, "{compared}");
}

#[test]
fn measures_averaged_over_judges_equal_the_printed_ones() {
    let Some(expected) = shared("data/trec-eval-golden/out.test.qrels_jg") else { return };
    let lines = words(&shared("data/trec-eval-golden/qrels.123").unwrap());
    let rankings = rankings(&shared("data/trec-eval-golden/results.test").unwrap(), false);
    let mut judges: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, f64>>> = BTreeMap::new();
    for line in &lines {
        let of_judge = judges.entry(&line[0]).or_default().entry(&line[1]).or_default();
        of_judge.insert(&line[2], line[3].parse().unwrap());
    }
    let value = |metric: &Metric, query: &str| {
        let of_query = &judges[query];
        let graded: Vec<(Vec<Option<f64>>, Vec<f64>)> = of_query
            .values()
            .map(|grades| {
                let ranked = rankings[query].iter().map(|item| grades.get(item.as_str()).copied()).collect();
                (ranked, grades.values().copied().collect())
            })
            .collect();
        let groups: Vec<RankedGrades<'_>> =
            graded.iter().map(|(ranked, judged)| RankedGrades { ranked, judged }).collect();
        averaged_over_groups(metric, &groups, GainFunction::Linear).unwrap()
    };
    let mut compared = 0;
    for line in words(&expected) {
        let name = match (line[0].as_str(), line[0].strip_prefix("P_avgjg_")) {
            (_, Some(cutoff)) => format!("P@{cutoff}"),
            ("map_avgjg", _) => "AP".to_owned(),
            (name, _) => match name.strip_prefix("Rprec_mult_avgjg_") {
                Some(multiple) => format!("Rprec(mult={multiple})"),
                None => continue,
            },
        };
        let metric: Metric = name.parse().unwrap();
        let found = match line[1].as_str() {
            "all" => crate::sum::sum(judges.keys().map(|query| value(&metric, query))) / judges.len() as f64,
            query => value(&metric, query),
        };
        assert_close(found, line[2].parse().unwrap(), 5.0001e-5, &line.join(" "));
        compared += 1;
    }
    assert_eq!(compared, 4 * 20);
}
