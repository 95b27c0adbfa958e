//! Rank similarities on hand-made rankings.

use std::num::NonZeroUsize;

use serde_json::Value;

use super::{assert_close, number, shared_json};
use crate::Proportion;
use crate::rank_similarity::{average_precision_correlation, jaccard, kendall_tau, rank_biased_overlap};

#[test]
fn similarities_equal_the_reference_formulas() {
    let Some(reference) = shared_json("reference/ref_rank.json") else { return };
    for (name, case) in reference.as_object().unwrap() {
        let ranking =
            |key: &str| -> Vec<&str> { case[key].as_array().unwrap().iter().filter_map(Value::as_str).collect() };
        let (a, b) = (ranking("A"), ranking("B"));
        for (key, p) in [("rbo_0.5", 0.5), ("rbo_0.8", 0.8), ("rbo_0.9", 0.9)] {
            let value = rank_biased_overlap(&a, &b, Proportion::new(p).unwrap()).unwrap();
            assert_close(value, number(&case[key]["ext"]), 1e-9, &format!("{name} {key}"));
        }
        let package = rank_biased_overlap(&a, &b, Proportion::new(0.9).unwrap()).unwrap();
        assert_close(package, number(&case["pkg_rbo_ext_0.9"]), 1e-9, name);
        let value = jaccard(&a, &b, NonZeroUsize::new(5).unwrap()).unwrap();
        assert_close(value, number(&case["jaccard@5"]), 1e-9, name);
        if let Some(tau) = case["tau"].as_f64() {
            assert_close(kendall_tau(&a, &b).unwrap(), tau, 1e-9, name);
            assert_close(average_precision_correlation(&a, &b).unwrap(), number(&case["tau_ap"]), 1e-9, name);
        }
    }
}
