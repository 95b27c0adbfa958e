//! Properties that hold for every metric.

use super::*;
use crate::preset::Preset;
use crate::ranking::SparseGrades;
use proptest::prelude::*;

const NAMES: [&str; 38] = [
    "nDCG",
    "nDCG@3",
    "nDCG(dcg='exp-log2')@3",
    "R@3",
    "R(rel=2)@3",
    "P@3",
    "Success@2",
    "RR",
    "RR@2",
    "AP",
    "AP@3",
    "ERR@4",
    "RBP(p=0.7)",
    "RBP(p=0.5,max_rel=3)",
    "Judged@3",
    "Bpref",
    "Rprec",
    "infAP",
    "nDCG(judged_only=True)@3",
    "P(judged_only=True)@2",
    "AP(rel=2,judged_only=True)",
    "RR(judged_only=True)",
    "ERR(judged_only=True)@3",
    "IPrec@0",
    "IPrec@0.5",
    "11pt_avg",
    "SetP",
    "SetP(relative=True)",
    "SetR",
    "SetF",
    "SetF(rel=2,beta=2)",
    "SetAP",
    "P(relative=True)@3",
    "Rprec(mult=0.5)",
    "G",
    "binG",
    "nDCG_rel",
    "Rndcg",
];

/// Those whose values are numbers of items.
const COUNTS: [&str; 5] = ["NumRet", "NumRet(rel=1)", "NumRel", "NumRel(rel=2)", "NumNonRel"];

/// A session: grades of its items, and a ranking of some of them and of unjudged ones.
fn session() -> impl Strategy<Value = (Vec<Option<f64>>, Vec<f64>)> {
    (prop::collection::vec(-1_i32..5, 0..12), prop::collection::vec(any::<bool>(), 12), 0_usize..6).prop_flat_map(
        |(grades, returned, unjudged)| {
            let judged: Vec<f64> = grades.into_iter().map(f64::from).collect();
            let mut ranked: Vec<Option<f64>> =
                judged.iter().zip(returned).filter(|(_, returned)| *returned).map(|(&grade, _)| Some(grade)).collect();
            ranked.extend(std::iter::repeat_n(None, unjudged));
            (Just(ranked).prop_shuffle(), Just(judged))
        },
    )
}

proptest! {
    #[test]
    fn values_lie_between_zero_and_one((ranked, judged) in session()) {
        let grades = RankedGrades { ranked: &ranked, judged: &judged };
        for name in NAMES {
            let value = name.parse::<Metric>().unwrap().evaluate(&grades, GainFunction::Linear);
            prop_assert!(value.is_none_or(|value| (0.0..=1.0 + 1e-12).contains(&value)), "{} {:?}", name, value);
        }
    }

    #[test]
    fn grades_that_are_kept_sparsely_have_the_same_bits(sessions in prop::collection::vec(session(), 1..4), depth in 0_usize..20) {
        let presets = [Preset::Strict, Preset::TrecEval, Preset::Ranx, Preset::Elasticsearch, Preset::OpenSearch, Preset::Quepid];
        for gain in [GainFunction::Linear, GainFunction::Exponential] {
            let mut sparse = SparseGrades::new(gain);
            for (ranked, judged) in &sessions {
                let grades = RankedGrades { ranked, judged };
                sparse.set(ranked.iter().copied(), judged.iter().copied());
                prop_assert_eq!(sparse.graded(depth), ranked.iter().take(depth).flatten().count());
                for name in NAMES.into_iter().chain(COUNTS) {
                    let metric: Metric = name.parse().unwrap();
                    for preset in presets {
                        let values = [preset.evaluate(&metric, &grades, gain), preset.evaluate_sparse(&metric, &mut sparse)];
                        let [dense, sparse] = values.map(|value| value.map(f64::to_bits));
                        prop_assert_eq!(dense, sparse, "{} {:?} {:?}", name, preset, gain);
                    }
                }
                prop_assert_eq!(sparse.rank_by_rank(), grades);
            }
        }
    }

    #[test]
    fn contributions_add_up_to_the_value((ranked, judged) in session()) {
        let grades = RankedGrades { ranked: &ranked, judged: &judged };
        for name in NAMES.into_iter().chain(COUNTS) {
            for gain in [GainFunction::Linear, GainFunction::Exponential] {
                let metric: Metric = name.parse().unwrap();
                let (value, explanation) = (metric.evaluate(&grades, gain), metric.explain(&grades, gain));
                prop_assert_eq!(value, explanation.as_ref().map(|explanation| explanation.value));
                let Some(explanation) = explanation else { continue };
                let total = explanation.ranks.iter().map(|rank| rank.contribution).sum::<f64>() + explanation.unranked;
                prop_assert!((total - explanation.value).abs() < 1e-12, "{} {} {:?}", name, total, explanation);
                for (index, rank) in explanation.ranks.iter().enumerate() {
                    prop_assert_eq!((rank.rank, rank.grade), (index + 1, ranked[index]));
                    prop_assert_eq!(rank.contribution, rank.gain * rank.weight / explanation.normaliser);
                }
            }
        }
    }

    #[test]
    fn condensed_metrics_are_those_of_the_ranking_without_unjudged_items((ranked, judged) in session()) {
        let left: Vec<Option<f64>> = ranked.iter().copied().filter(|grade| grade.is_some_and(|grade| grade >= 0.0)).collect();
        for (condensed, plain) in [
            ("nDCG(judged_only=True)@3", "nDCG@3"),
            ("R(judged_only=True)@3", "R@3"),
            ("Success(judged_only=True)@1", "Success@1"),
            ("Rprec(judged_only=True)", "Rprec"),
            ("RBP(p=0.5,judged_only=True)", "RBP(p=0.5)"),
        ] {
            let value = |name: &str, ranked| {
                name.parse::<Metric>().unwrap().evaluate(&RankedGrades { ranked, judged: &judged }, GainFunction::Linear)
            };
            prop_assert_eq!(value(condensed, &ranked), value(plain, &left), "{}", condensed);
        }
    }

    #[test]
    fn the_order_of_the_judged_grades_does_not_matter((ranked, judged) in session()) {
        let reversed: Vec<f64> = judged.iter().rev().copied().collect();
        for name in NAMES {
            let metric: Metric = name.parse().unwrap();
            let value = |judged| metric.evaluate(&RankedGrades { ranked: &ranked, judged }, GainFunction::Exponential);
            prop_assert_eq!(value(&judged), value(&reversed), "{}", name);
        }
    }

    #[test]
    fn moving_a_better_item_up_never_lowers_a_graded_metric((ranked, judged) in session(), at in 0_usize..16) {
        prop_assume!(at + 1 < ranked.len());
        let mut better = ranked.clone();
        if better[at].unwrap_or(0.0) < better[at + 1].unwrap_or(0.0) {
            better.swap(at, at + 1);
        }
        for name in ["nDCG", "nDCG@3", "nDCG(dcg='exp-log2')@3", "RR", "AP", "P@3", "ERR@4", "RBP(p=0.5,max_rel=4)", "Bpref"] {
            let metric: Metric = name.parse().unwrap();
            let value = |ranked| metric.evaluate(&RankedGrades { ranked, judged: &judged }, GainFunction::Linear);
            let (before, after) = (value(&ranked), value(&better));
            prop_assert_eq!(before.is_some(), after.is_some());
            prop_assert!(before.unwrap_or(0.0) <= after.unwrap_or(0.0) + 1e-12, "{} {:?} {:?}", name, before, after);
        }
    }

    #[test]
    fn metrics_agree_with_their_textbook_forms((ranked, judged) in session(), k in 1_usize..8) {
        let grades = RankedGrades { ranked: &ranked, judged: &judged };
        let relevant = judged.iter().filter(|&&grade| grade > 0.0).count() as f64;
        prop_assume!(relevant > 0.0);
        let hits: Vec<f64> =
            ranked.iter().map(|grade| f64::from(u8::from(grade.is_some_and(|grade| grade > 0.0)))).collect();
        let found = |depth: usize| hits.iter().take(depth).sum::<f64>();
        let average = (0..hits.len()).map(|index| hits[index] * found(index + 1) / (index + 1) as f64).sum::<f64>() / relevant;
        let biased = (0..hits.len()).map(|index| hits[index] * 0.2 * 0.8_f64.powi(index as i32)).sum::<f64>();
        let expected = [
            (format!("R@{k}"), found(k) / relevant),
            (format!("P@{k}"), found(k) / k as f64),
            (format!("Success@{k}"), found(k).min(1.0)),
            ("RR".to_owned(), (0..hits.len()).find(|&index| hits[index] > 0.0).map_or(0.0, |index| 1.0 / (index + 1) as f64)),
            ("AP".to_owned(), average),
            ("RBP".to_owned(), biased),
        ];
        for (name, expected) in expected {
            let value = name.parse::<Metric>().unwrap().evaluate(&grades, GainFunction::Linear).unwrap();
            prop_assert!((value - expected).abs() < 1e-12, "{} {} {}", name, value, expected);
        }
    }
}

#[test]
fn a_gain_in_the_name_beats_the_benchmarks() {
    let grades = RankedGrades { ranked: &[Some(1.0), Some(3.0)], judged: &[1.0, 3.0] };
    let value = |name: &str, gain| name.parse::<Metric>().unwrap().evaluate(&grades, gain);
    assert_eq!(value("nDCG", GainFunction::Exponential), value("nDCG(dcg='exp-log2')", GainFunction::Linear));
    assert_ne!(value("nDCG", GainFunction::Exponential), value("nDCG(dcg='log2')", GainFunction::Exponential));
}

#[test]
fn a_condensed_metric_shows_what_it_leaves_out() {
    let grades = RankedGrades { ranked: &[None, Some(1.0), None, Some(0.0), Some(2.0)], judged: &[1.0, 0.0, 2.0] };
    let explanation =
        "P(judged_only=True)@2".parse::<Metric>().unwrap().explain(&grades, GainFunction::Linear).unwrap();
    assert_eq!(explanation.value, 0.5);
    let weights: Vec<f64> = explanation.ranks.iter().map(|rank| rank.weight).collect();
    assert_eq!(weights, [0.0, 1.0, 0.0, 1.0]);
    let found = explanation.ranks[1];
    assert_eq!((found.rank, found.grade, found.gain, found.contribution), (2, Some(1.0), 1.0, 0.5));
}

#[test]
fn an_explanation_has_the_gains_and_discounts_of_the_metric() {
    let grades = RankedGrades { ranked: &[Some(1.0), None, Some(3.0)], judged: &[3.0, 1.0, 0.0] };
    let explanation = "nDCG@2".parse::<Metric>().unwrap().explain(&grades, GainFunction::Linear).unwrap();
    assert_eq!(explanation.ranks.len(), 2);
    assert_eq!((explanation.ranks[0].gain, explanation.ranks[0].weight), (1.0, 1.0));
    assert_eq!(explanation.ranks[1].grade, None);
    assert_eq!(explanation.normaliser, 3.0 + 1.0 / 3.0_f64.log2());
    let none = RankedGrades { ranked: &[None], judged: &[] };
    assert_eq!("nDCG@2".parse::<Metric>().unwrap().explain(&none, GainFunction::Linear), None);
}

#[test]
fn relevant_items_that_were_not_returned_come_from_no_rank() {
    let grades = RankedGrades { ranked: &[Some(1.0), None], judged: &[3.0, 1.0, 0.0] };
    let explanation = "NumRel".parse::<Metric>().unwrap().explain(&grades, GainFunction::Linear).unwrap();
    assert_eq!((explanation.value, explanation.unranked), (2.0, 1.0));
}
