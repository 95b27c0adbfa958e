//! Names of metrics, right and wrong.

use super::*;
use proptest::prelude::*;

fn canonical(name: &str) -> String {
    name.parse::<Metric>().unwrap().to_string()
}

fn refusal(name: &str) -> String {
    name.parse::<Metric>().unwrap_err().to_string()
}

#[test]
fn names_of_ir_measures_are_read_and_printed_canonically() {
    for name in [
        "nDCG@10",
        "nDCG",
        "nDCG(dcg='exp-log2')@5",
        "nDCG(dcg='log2')",
        "R@20",
        "R(rel=2)@5",
        "P@5",
        "RR",
        "RR@10",
        "AP",
        "AP(rel=2)",
        "AP(rel=2)@100",
        "Success@1",
        "RBP(p=0.8)",
        "RBP(p=0.5,max_rel=2)",
        "RBP(p=0.9,rel=2)@10",
        "ERR@5",
        "ERR(max_rel=3)",
        "Judged@10",
        "Judged",
        "Bpref",
        "Bpref(rel=2)",
        "R(rel=0.5)@3",
        "IPrec@0.1",
        "IPrec(rel=2)@0",
        "11pt_avg",
        "SetP(relative=True)",
        "SetF(rel=2,beta=0.5)",
        "P(relative=True)@5",
        "Rprec(mult=0.2)",
        "nDCG_rel",
        "Rndcg",
    ] {
        assert_eq!(canonical(name), name);
    }
}

#[test]
fn synonyms_letter_case_and_blanks_do_not_matter() {
    for (written, expected) in [
        ("ndcg@10", "nDCG@10"),
        ("Recall@20", "R@20"),
        ("precision@5", "P@5"),
        ("MRR", "RR"),
        ("map", "AP"),
        ("BPref", "Bpref"),
        (" nDCG ( dcg = \"exp-log2\" ) @ 5 ", "nDCG(dcg='exp-log2')@5"),
        ("nDCG(cutoff=7)", "nDCG@7"),
        ("RBP", "RBP(p=0.8)"),
        ("RBP(rel=2, p=0.5)@3", "RBP(p=0.5,rel=2)@3"),
        ("ERR(max_rel=4)@5", "ERR@5"),
        ("P()@5", "P@5"),
        ("IPrec(recall=0.25)", "IPrec@0.25"),
        ("setf(beta=1)", "SetF"),
        ("nDCG(judged_only=true, dcg=exp-log2)@5", "nDCG(dcg='exp-log2',judged_only=True)@5"),
        ("R(judged_only=False)@5", "R@5"),
        ("infap", "infAP"),
        ("numrelret", "NumRelRet"),
        ("NumRelRet(rel=2)", "NumRet(rel=2)"),
        ("RPrec(judged_only=True,rel=2)", "Rprec(rel=2,judged_only=True)"),
        ("AP(rel=1)", "AP(rel=1)"),
    ] {
        assert_eq!(canonical(written), expected);
    }
}

#[test]
fn unknown_names_get_a_suggestion_and_the_list() {
    let error = refusal("nDGC@10");
    assert!(
        error.starts_with("unknown metric `nDGC@10`, did you mean `nDCG`?; known metrics are `nDCG`, `R`,"),
        "{error}"
    );
    assert!(refusal("sucess@1").contains("did you mean `Success`?"));
    assert!(refusal("xyz").starts_with("unknown metric `xyz`; known metrics"));
}

#[test]
fn cutoffs_start_at_one() {
    assert_eq!(refusal("nDCG@0"), "cutoff must be at least 1 and a whole number, found `0` in metric `nDCG@0`");
    for name in ["P@", "P@-1", "P@2.5", "P@ten", "P@99999999999999999999999"] {
        assert!(refusal(name).starts_with("cutoff must be at least 1"), "{name}");
    }
    assert_eq!(refusal("P"), "metric `P` needs a cutoff, for example `P@10`");
}

#[test]
fn parameters_are_checked() {
    assert_eq!(refusal("Judged(rel=2)@5"), "metric `Judged(rel=2)@5` has no parameter `rel`; it takes a cutoff");
    assert!(refusal("Bpref@5").contains("has no parameter `cutoff`; it takes `rel`"));
    assert!(refusal("RBP(p=1)").contains("must be a number above 0 and below 1, found `1`"));
    assert!(refusal("AP(rel=0)").contains("must be a finite number above 0, found `0`"));
    assert!(refusal("AP(rel=NaN)").contains("found `NaN`"));
    assert!(refusal("nDCG(dcg='exp')").contains("must be 'log2' or 'exp-log2', found `exp`"));
    assert!(refusal("P(judged_only=1)@5").contains("must be True or False, found `1`"));
    assert!(refusal("Bpref(judged_only=True)").contains("has no parameter `judged_only`"));
    assert!(refusal("RBP(rel=1,max_rel=2)").contains("exclude each other"));
}

#[test]
fn broken_names_are_malformed() {
    for name in ["", "@5", "nDCG(dcg='log2'@5", "AP(rel)", "AP(rel=1,rel=2)", "P(cutoff=3)@5", "(rel=2)"] {
        assert!(matches!(name.parse::<Metric>(), Err(MetricError::Malformed { .. })), "{name}");
    }
    assert!("AP)(".parse::<Metric>().is_err());
}

fn any_metric() -> impl Strategy<Value = Metric> {
    let cutoff = || prop::option::of((1_usize..=usize::MAX).prop_map(|k| NonZeroUsize::new(k).unwrap()));
    let positive = || (1e-300_f64..1e300).prop_map(|number| PositiveNumber::new(number).unwrap());
    let relevance = move || prop_oneof![Just(Relevance::AboveZero), positive().prop_map(Relevance::AtLeast)];
    let gain = prop::option::of(prop_oneof![Just(GainFunction::Linear), Just(GainFunction::Exponential)]);
    let rbp_gain = prop_oneof![relevance().prop_map(RbpGain::Binary), positive().prop_map(RbpGain::Graded)];
    let persistence = (1e-9_f64..0.999_999).prop_map(|p| Proportion::new(p).unwrap());
    let required = || (1_usize..=usize::MAX).prop_map(|k| NonZeroUsize::new(k).unwrap());
    let flag = any::<bool>;
    prop_oneof![
        (gain, flag(), cutoff()).prop_map(|(gain, judged_only, cutoff)| Metric::Ndcg { gain, judged_only, cutoff }),
        (relevance(), flag(), required()).prop_map(|(relevance, judged_only, cutoff)| Metric::Recall {
            relevance,
            judged_only,
            cutoff
        }),
        (relevance(), flag(), required()).prop_map(|(relevance, judged_only, cutoff)| Metric::Precision {
            relevance,
            judged_only,
            cutoff
        }),
        (relevance(), flag()).prop_map(|(relevance, judged_only)| Metric::RPrecision { relevance, judged_only }),
        (relevance(), flag(), required()).prop_map(|(relevance, judged_only, cutoff)| Metric::Success {
            relevance,
            judged_only,
            cutoff
        }),
        (relevance(), flag(), cutoff()).prop_map(|(relevance, judged_only, cutoff)| Metric::ReciprocalRank {
            relevance,
            judged_only,
            cutoff
        }),
        (relevance(), flag(), cutoff()).prop_map(|(relevance, judged_only, cutoff)| Metric::AveragePrecision {
            relevance,
            judged_only,
            cutoff
        }),
        (positive(), flag(), cutoff()).prop_map(|(max_grade, judged_only, cutoff)| Metric::Err {
            max_grade,
            judged_only,
            cutoff
        }),
        (persistence, rbp_gain, flag(), cutoff()).prop_map(|(persistence, gain, judged_only, cutoff)| Metric::Rbp {
            persistence,
            gain,
            judged_only,
            cutoff
        }),
        cutoff().prop_map(|cutoff| Metric::Judged { cutoff }),
        relevance().prop_map(|relevance| Metric::Bpref { relevance }),
        relevance().prop_map(|relevance| Metric::InferredAveragePrecision { relevance }),
        prop::option::of(relevance()).prop_map(|relevance| Metric::Returned { relevance }),
        relevance().prop_map(|relevance| Metric::Relevant { relevance }),
    ]
}

proptest! {
    #[test]
    fn printed_names_read_back_as_the_same_metric(metric in any_metric()) {
        prop_assert_eq!(metric.to_string().parse::<Metric>(), Ok(metric));
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,40}") {
        let _ = text.parse::<Metric>();
    }

    #[test]
    fn text_of_the_grammars_letters_never_panics(text in "(nDCG|AP|RBP|P)?[()@=,'a-z0-9. ]{0,20}") {
        if let Ok(metric) = text.parse::<Metric>() {
            prop_assert_eq!(metric.to_string().parse::<Metric>(), Ok(metric));
        }
    }
}
