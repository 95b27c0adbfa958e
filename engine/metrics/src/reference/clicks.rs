//! Inverse propensities on rows that can be checked by hand.

use std::num::NonZeroUsize;

use super::{assert_close, number, numbers, shared_json};
use crate::exposure::{ExaminationCurve, OffPolicySums};

#[test]
fn weighted_estimates_equal_the_reference_formulas() {
    let Some(reference) = shared_json("reference/ref_clicks.json") else { return };
    let expected = &reference["ips"];
    let mut sums = OffPolicySums::default();
    for row in expected["rows(reward,p_log,p_target)"].as_array().unwrap() {
        let row = numbers(row);
        sums.add(row[0], row[2] / row[1]).unwrap();
    }
    let sums = sums.unclipped();
    assert_close(sums.ips().unwrap().mean, number(&expected["ips"]), 1e-12, "ips");
    assert_close(sums.snips().unwrap().mean, number(&expected["snips"]), 1e-12, "snips");
    assert_close(sums.effective_sample_size().unwrap(), number(&expected["ess"]), 1e-12, "ess");
}

#[test]
fn clicks_weighted_by_the_default_curve_give_the_reference_dcg() {
    let Some(reference) = shared_json("reference/ref_clicks.json") else { return };
    let expected = &reference["ipw_dcg"];
    let logged = &expected["logged(rank,click)"];
    let curve = ExaminationCurve::default();
    for (list, dcg) in [("base", "dcg_base"), ("cand", "dcg_cand")] {
        let items = expected[list].as_array().unwrap();
        let gain = |item: &str| {
            let click = numbers(logged.get(item)?);
            Some(click[1] / curve.at(NonZeroUsize::new(click[0] as usize).unwrap()))
        };
        let discounted = items
            .iter()
            .enumerate()
            .map(|(at, item)| gain(item.as_str().unwrap()).unwrap_or(0.0) / (at as f64 + 2.0).log2());
        assert_close(discounted.sum(), number(&expected[dcg]), 1e-12, dcg);
    }
}
