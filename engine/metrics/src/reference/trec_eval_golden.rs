//! trec_eval's own test: the file that its `quicktest` compares with.

use super::{assert_close, shared, trec};
use crate::ranking::rank_biased_precision_residual;
use crate::{GainFunction, Proportion, RankedGrades};

/// Returns our name of a measure of trec_eval, `None` for one that we do not have.
fn metric_name(measure: &str) -> Option<String> {
    let plain = [
        ("map", "AP"),
        ("bpref", "Bpref"),
        ("recip_rank", "RR"),
        ("ndcg", "nDCG"),
        ("rbp", "RBP(p=0.9)"),
        ("Rprec", "Rprec"),
        ("infAP", "infAP"),
        ("num_ret", "NumRet"),
        ("num_rel", "NumRel"),
        ("num_rel_ret", "NumRelRet"),
        ("set_recall", "SetR"),
        ("set_P", "SetP"),
        ("set_relative_P", "SetP(relative=True)"),
        ("set_map", "SetAP"),
        ("set_F", "SetF"),
        ("11pt_avg", "11pt_avg"),
        ("utility", "Utility"),
        ("G", "G"),
        ("binG", "binG"),
        ("ndcg_rel", "nDCG_rel"),
        ("Rndcg", "Rndcg"),
        ("num_nonrel_judged_ret", "NumNonRel"),
        ("gm_map", "gm_map"),
        ("gm_bpref", "gm_bpref"),
    ];
    if let Some((_, name)) = plain.iter().find(|(theirs, _)| *theirs == measure) {
        return Some((*name).to_owned());
    }
    if let Some(level) = measure.strip_prefix("iprec_at_recall_") {
        return Some(format!("IPrec@{level}"));
    }
    if let Some(multiple) = measure.strip_prefix("Rprec_mult_") {
        return Some(format!("Rprec(mult={multiple})"));
    }
    if let Some(cutoff) = measure.strip_prefix("relative_P_") {
        return Some(format!("P(relative=True)@{cutoff}"));
    }
    let cut = [("P_", "P"), ("recall_", "R"), ("ndcg_cut_", "nDCG"), ("map_cut_", "AP"), ("success_", "Success")];
    cut.iter().find_map(|(prefix, name)| {
        let cutoff: usize = measure.strip_prefix(prefix)?.parse().ok()?;
        Some(format!("{name}@{cutoff}"))
    })
}

#[test]
fn values_equal_the_printed_ones() {
    let Some(path) = shared("data/trec-eval-golden/out.test.aq") else { return };
    let qrels = trec::qrels(&shared("data/trec-eval-golden/qrels.test").unwrap());
    let run = trec::run(&shared("data/trec-eval-golden/results.test").unwrap());
    let mut compared = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(metric), Ok(expected)) = (metric_name(fields[0]), fields[2].parse::<f64>()) else { continue };
        let of = |query: &str| trec::evaluate(&metric, GainFunction::Linear, &qrels, &run, query);
        // Counts are added up over the queries, everything else is averaged.
        let divisor = if metric.starts_with("Num") { 1.0 } else { 3.0 };
        let found =
            if fields[1] == "all" { crate::sum::sum(["301", "302", "303"].map(of)) / divisor } else { of(fields[1]) };
        let found = if metric.starts_with("gm_") { found.exp() } else { found };
        assert_close(found, expected, 5.0001e-5, line);
        compared += 1;
    }
    // The two geometric means are printed of all queries together only.
    assert_eq!(compared, 4 * (4 + 1 + 6 + 9 + 9 + 9 + 9 + 3 + 11 + 11 + 10 + 9) + 2);
}

/// The residual and the unjudged share, which are no metrics of their own here.
#[test]
fn what_nobody_judged_equals_the_printed_values() {
    let Some(path) = shared("data/trec-eval-golden/out.test.aq") else { return };
    let qrels = trec::qrels(&shared("data/trec-eval-golden/qrels.test").unwrap());
    let run = trec::run(&shared("data/trec-eval-golden/results.test").unwrap());
    let mut compared = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let cutoff = fields[0].strip_prefix("unj_").map(|cutoff| cutoff.parse::<usize>().unwrap());
        if fields[1] == "all" || (fields[0] != "rbp_resid" && cutoff.is_none()) {
            continue;
        }
        let grades = &qrels[fields[1]];
        let ranked: Vec<Option<f64>> = run[fields[1]].iter().map(|item| grades.get(item).copied()).collect();
        let found = match cutoff {
            Some(cutoff) => ranked.iter().take(cutoff).filter(|grade| grade.is_none()).count() as f64 / cutoff as f64,
            None => {
                let grades = RankedGrades { ranked: &ranked, judged: &[] };
                rank_biased_precision_residual(&grades, Proportion::new(0.9).unwrap(), None)
            }
        };
        assert_close(found, fields[2].parse().unwrap(), 5.0001e-5, line);
        compared += 1;
    }
    assert_eq!(compared, 3 * (1 + 3));
}
