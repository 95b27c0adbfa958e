//! Values that other programs' code gives, by hand or from their own outputs.

use proptest::prelude::*;

use super::*;

const ALL: [Preset; 6] =
    [Preset::Strict, Preset::TrecEval, Preset::Ranx, Preset::Elasticsearch, Preset::OpenSearch, Preset::Quepid];

fn value(preset: Preset, metric: &str, ranked: &[Option<f64>], judged: &[f64]) -> Option<f64> {
    let metric: Metric = metric.parse().unwrap();
    preset.check(&metric).unwrap();
    preset.evaluate(&metric, &RankedGrades { ranked, judged }, GainFunction::Linear)
}

#[track_caller]
fn assert_value(preset: Preset, metric: &str, ranked: &[Option<f64>], judged: &[f64], expected: f64) {
    let found = value(preset, metric, ranked, judged).unwrap();
    assert!((found - expected).abs() < 1e-12, "{preset:?} {metric}: {found}, expected {expected}");
}

/// The worked example in the comments of Elasticsearch's own `DiscountedCumulativeGainTests`.
#[test]
fn elasticsearch_equals_its_own_worked_example() {
    let ratings = [3.0, 2.0, 3.0, 0.0, 1.0, 2.0];
    let ranked = ratings.map(Some);
    assert_value(Preset::Elasticsearch, "nDCG@10", &ranked, &ratings, 13.848_263_629_272_981 / 14.595_390_756_454_922);
    // The last two hits are not rated: the ideal still holds one rating per hit.
    let unrated = [Some(3.0), Some(2.0), Some(3.0), None, Some(1.0), None];
    let judged = [3.0, 2.0, 3.0, 1.0];
    assert_value(Preset::Elasticsearch, "nDCG@10", &unrated, &judged, 12.779_642_067_948_913 / 13.347_184_833_073_591);
}

#[test]
fn elasticsearch_holds_no_short_answer_against_a_retriever() {
    assert_value(Preset::Elasticsearch, "nDCG@10", &[Some(3.0)], &[3.0, 3.0, 3.0], 1.0);
    assert_value(Preset::Elasticsearch, "P@10", &[Some(1.0), None], &[1.0], 0.5);
    assert_value(Preset::Elasticsearch, "P(judged_only=True)@2", &[None, Some(1.0), Some(0.0)], &[1.0, 0.0], 1.0);
    assert_value(Preset::Elasticsearch, "R(rel=2)@10", &[Some(2.0)], &[2.0, 1.0, 3.0], 0.5);
    assert_value(Preset::Elasticsearch, "RR@10", &[Some(0.5), Some(1.0)], &[0.5, 1.0], 0.5);
    assert_value(Preset::Elasticsearch, "nDCG@10", &[None], &[0.0], 0.0);
}

/// `ExpectedReciprocalRankTests`: ratings 3, 2, 0, 1 with a maximum of 3.
#[test]
fn elasticsearch_counts_the_ranks_of_unrated_hits_in_err() {
    let expected = 7.0 / 8.0 + (1.0 / 8.0) * (3.0 / 8.0) / 2.0 + (1.0 / 8.0) * (5.0 / 8.0) * (1.0 / 8.0) / 4.0;
    let ranked = [Some(3.0), Some(2.0), Some(0.0), Some(1.0)];
    assert_value(Preset::Elasticsearch, "ERR(max_rel=3)@10", &ranked, &[3.0], expected);
    assert_value(
        Preset::Elasticsearch,
        "ERR(max_rel=3)@10",
        &[Some(3.0), Some(2.0), None, Some(1.0)],
        &[3.0],
        expected,
    );
}

#[test]
fn opensearch_takes_what_is_relevant_from_the_ratings_and_rounds() {
    // Half of the highest is 1.5 and the 90th percentile of the ten is 2: only 2 and 3 are relevant.
    let judged = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0];
    let ranked = [Some(1.0), Some(2.0), None];
    assert_value(Preset::OpenSearch, "P@10", &ranked, &judged, 0.33);
    assert_value(Preset::OpenSearch, "R@10", &ranked, &judged, 0.5);
    assert_value(Preset::OpenSearch, "RR@10", &ranked, &judged, 0.5);
    assert_value(Preset::OpenSearch, "AP@10", &ranked, &judged, 0.25);
    assert_value(Preset::OpenSearch, "Judged@10", &ranked, &judged, 0.67);
    let ideal = 7.0 + 3.0 / 3.0_f64.log2();
    let expected = (1.0 + 3.0 / 3.0_f64.log2()) / (ideal + 0.5);
    assert_value(Preset::OpenSearch, "nDCG@3", &ranked, &judged, (expected * 100.0).round() / 100.0);
    assert_value(Preset::OpenSearch, "P@10", &[], &judged, 0.0);
    assert_value(Preset::OpenSearch, "AP@10", &[Some(0.0)], &[0.0], 0.0);
}

#[test]
fn quepid_does_not_cut_the_ideal() {
    let judged = [3.0, 3.0, 1.0];
    let ideal = 7.0 + 7.0 / 3.0_f64.log2() + 0.5;
    assert_value(Preset::Quepid, "nDCG@1", &[Some(3.0), Some(3.0)], &judged, 7.0 / ideal);
    assert_value(Preset::Quepid, "P@10", &[Some(1.0), None], &judged, 0.5);
    assert_value(Preset::Quepid, "AP@10", &[None, Some(1.0)], &judged, 0.5 / 3.0);
    assert_value(Preset::Quepid, "ERR@10", &[Some(3.0)], &judged, 7.0 / 8.0);
    assert_value(Preset::Quepid, "P@10", &[], &judged, 0.0);
    assert_eq!(value(Preset::Quepid, "AP@10", &[None], &[0.0]), None);
}

#[test]
fn ranx_counts_from_grade_one_and_leaves_rbp_graded() {
    assert_value(Preset::Ranx, "nDCG@5", &[Some(0.5), Some(2.0)], &[0.5, 2.0], 1.0 / 3.0_f64.log2());
    assert_value(Preset::Ranx, "P@5", &[Some(0.5), Some(2.0)], &[0.5, 2.0], 0.2);
    assert_value(Preset::Ranx, "RBP(p=0.8)", &[Some(3.0), None, Some(1.0)], &[3.0, 1.0], 0.2 * (3.0 + 0.64));
    assert_value(Preset::Ranx, "AP", &[None], &[0.0], 0.0);
}

#[test]
fn what_a_program_does_not_have_is_refused_with_what_it_has() {
    let refusal = |preset: Preset, name: &str| preset.check(&name.parse().unwrap()).unwrap_err().to_string();
    assert_eq!(
        refusal(Preset::Elasticsearch, "AP"),
        "Elasticsearch has no `AP`: it has precision, recall, mean reciprocal rank, DCG and expected reciprocal rank"
    );
    assert!(refusal(Preset::Quepid, "P(rel=2)@5").contains("any rating above 0 is relevant"));
    assert!(refusal(Preset::OpenSearch, "P(rel=2)@5").contains("follows from the ratings"));
    assert!(refusal(Preset::Ranx, "Bpref").contains("not a number"));
    assert!(refusal(Preset::Ranx, "nDCG(judged_only=True)").contains("condense"));
    for preset in [Preset::Elasticsearch, Preset::OpenSearch, Preset::Quepid] {
        assert!(refusal(preset, "nDCG(dcg='log2')@5").contains("2^rating - 1"));
    }
}

#[test]
fn conventions_say_what_differs() {
    let metric: Metric = "P@10".parse().unwrap();
    let of = |preset: Preset| preset.convention(&metric, GainFunction::Linear);
    assert_eq!(of(Preset::Strict).normaliser, "the cutoff");
    assert_eq!(of(Preset::Strict).gain, "1 for a grade above 0");
    assert_eq!(of(Preset::Strict).undefined, "left out and counted: nothing is relevant");
    assert_eq!(of(Preset::Elasticsearch).normaliser, "the cutoff, or the returned items where they are fewer");
    assert_eq!(of(Preset::Ranx).gain, "1 for a grade of 1 or more");
    assert_eq!(of(Preset::TrecEval).undefined, "0");
}

proptest! {
    #[test]
    fn values_of_every_program_are_finite(
        ranked in prop::collection::vec(prop::option::of((-1_i32..4).prop_map(f64::from)), 0..12),
        missing in prop::collection::vec((-1_i32..4).prop_map(f64::from), 0..6),
    ) {
        let judged: Vec<f64> = ranked.iter().flatten().copied().chain(missing).collect();
        let grades = RankedGrades { ranked: &ranked, judged: &judged };
        for name in ["nDCG@5", "P@5", "R@5", "RR@5", "AP@5", "ERR@5", "Judged@5", "RBP(p=0.5)", "Success@1", "Rprec", "NumRelRet"] {
            let metric: Metric = name.parse().unwrap();
            for preset in ALL {
                let value = preset.evaluate(&metric, &grades, GainFunction::Linear);
                prop_assert!(value.is_none_or(f64::is_finite), "{:?} {} {:?}", preset, name, value);
                if preset.check(&metric).is_ok() && preset.undefined_is_zero() && preset != Preset::Quepid {
                    prop_assert!(value.is_some(), "{:?} {}", preset, name);
                }
            }
        }
    }

    /// Where no convention differs, neither do the values: grades of 0 and 1, rankings as long as the cutoff, all judged.
    #[test]
    fn programs_agree_on_what_leaves_no_choice(relevant in prop::collection::vec(any::<bool>(), 5)) {
        prop_assume!(relevant.contains(&true));
        let judged: Vec<f64> = relevant.iter().map(|&relevant| f64::from(u8::from(relevant))).collect();
        let ranked: Vec<Option<f64>> = judged.iter().copied().map(Some).collect();
        let grades = RankedGrades { ranked: &ranked, judged: &judged };
        for name in ["nDCG@5", "P@5", "R@5", "RR@5", "AP@5"] {
            let metric: Metric = name.parse().unwrap();
            let strict = metric.evaluate(&grades, GainFunction::Linear).unwrap();
            for preset in ALL.into_iter().filter(|preset| preset.check(&metric).is_ok()) {
                let tolerance = if preset == Preset::OpenSearch { 0.005 + 1e-9 } else { 1e-12 };
                let value = preset.evaluate(&metric, &grades, GainFunction::Linear).unwrap();
                prop_assert!((value - strict).abs() <= tolerance, "{:?} {} {} {}", preset, name, value, strict);
            }
        }
    }
}
