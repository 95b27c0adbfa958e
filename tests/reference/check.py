"""Computes random cases anew with ir_measures, pytrec_eval and scipy, and fails on any difference above 1e-9.

check.py FOLDER reads FOLDER/ranking.jsonl and FOLDER/statistics.jsonl, which the tests of rematch-metrics write (see
tests/reference/run). Where a program is known to be different, the exception stands here with its reason, and nowhere else:

- A value that is undefined (null) is compared with 0, which these programs print there.
- Items that come twice: trec_eval refuses the file, so it gets the hit with the best score, which is the one we keep.
- Sessions without a single judgment: trec_eval leaves them out, and one with negative grades only ends pytrec_eval with a
  fault of memory; ours are null (0 for counts of relevant items).
- Empty rankings: the programs do not look at them and print 0 for everything, NumRel too, which is not about the ranking.
- nDCG with exponential gain: only ir_measures' `gains` gives all digits, so 2^g - 1 is spelled out for each grade. Beside it,
  ir_measures may compute the other nDCG with these gains too, as the order of a set will have it; it is asked apart.
- ERR: gdeval, the only program that has it, prints five digits; 5.1e-6 is allowed. It sorts like trec_eval.
- Judged: ir_measures breaks ties by ascending item id, so that our value for it was computed in that order; and so does cwl
  for RBP, as it takes ir_measures' order; rankings with ties are left out for RBP.
- Geometric means: pytrec_eval prints the logarithm of each session, of 1e-5 where it is undefined; ir_measures has none.
- NumRet: asked for beside a metric with judged_only, ir_measures may drop the unjudged items for both; it is asked apart.
- Wilcoxon, exact: scipy's table is for values without ties and zeros; ours is made for such cases only.
- Identical or constant arms: scipy gives NaN or an infinite t; ours is null.
- Bootstrap: BCa counts the resampled means that equal the mean, which numpy's rounding of the mean would break; so scipy is
  given a mean that is rounded once. It has no BCa interval where all resampled means are on one side.
- Power: far out, scipy's noncentral t has NaN for the tail on the other side, which is below 1e-10 there and counts as 0.
"""

import json
import math
import pathlib
import sys
import warnings

import ir_measures
import numpy
import pytrec_eval
from scipy import stats

TOLERANCE = 1e-9
PRINTED = 5.1e-6

# Our name: the name of pytrec_eval, the level of relevance, and whether only judged items count.
PYTREC_EVAL = {
    "nDCG": ("ndcg", 1, False),
    "nDCG@1": ("ndcg_cut_1", 1, False),
    "nDCG@5": ("ndcg_cut_5", 1, False),
    "nDCG@10": ("ndcg_cut_10", 1, False),
    "nDCG(judged_only=True)": ("ndcg", 1, True),
    "nDCG(judged_only=True)@5": ("ndcg_cut_5", 1, True),
    "R@1": ("recall_1", 1, False),
    "R@5": ("recall_5", 1, False),
    "R@10": ("recall_10", 1, False),
    "R(rel=2)@5": ("recall_5", 2, False),
    "R(judged_only=True)@5": ("recall_5", 1, True),
    "R(rel=2,judged_only=True)@5": ("recall_5", 2, True),
    "P@1": ("P_1", 1, False),
    "P@5": ("P_5", 1, False),
    "P@10": ("P_10", 1, False),
    "P(rel=2)@5": ("P_5", 2, False),
    "P(judged_only=True)@5": ("P_5", 1, True),
    "P(rel=3,judged_only=True)@3": ("P_3", 3, True),
    "Success@1": ("success_1", 1, False),
    "Success@5": ("success_5", 1, False),
    "Success(rel=2)@5": ("success_5", 2, False),
    "Success(judged_only=True)@1": ("success_1", 1, True),
    "RR": ("recip_rank", 1, False),
    "RR(rel=2)": ("recip_rank", 2, False),
    "RR(judged_only=True)": ("recip_rank", 1, True),
    "AP": ("map", 1, False),
    "AP@5": ("map_cut_5", 1, False),
    "AP(rel=2)": ("map", 2, False),
    "AP(rel=2)@10": ("map_cut_10", 2, False),
    "AP(judged_only=True)": ("map", 1, True),
    "AP(rel=2,judged_only=True)@5": ("map_cut_5", 2, True),
    "Rprec": ("Rprec", 1, False),
    "Rprec(rel=2)": ("Rprec", 2, False),
    "Rprec(judged_only=True)": ("Rprec", 1, True),
    "Bpref": ("bpref", 1, False),
    "Bpref(rel=2)": ("bpref", 2, False),
    "infAP": ("infAP", 1, False),
    "infAP(rel=2)": ("infAP", 2, False),
    "NumRet": ("num_ret", 1, False),
    "NumRet(rel=1)": ("num_rel_ret", 1, False),
    "NumRet(rel=2)": ("num_rel_ret", 2, False),
    "NumRel": ("num_rel", 1, False),
    "gm_map": ("gm_map", 1, False),
    "gm_bpref": ("gm_bpref", 1, False),
}

EXPONENTIAL = {"nDCG(dcg='exp-log2')" + cut: "nDCG(gains={1:1,2:3,3:7,4:15})" + cut for cut in ("", "@5", "@10")}
GEOMETRIC = {"gm_map", "gm_bpref"}
TIES_COME_OTHERWISE = {"RBP(p=0.8,rel=1)", "RBP(p=0.5,rel=2)"}


class Comparison:
    """Counts what was compared, and prints what differs."""

    def __init__(self):
        self.compared = {}
        self.different = 0

    def check(self, what, case, ours, theirs, tolerance=TOLERANCE):
        self.compared[what] = self.compared.get(what, 0) + 1
        same = ours is not None and not math.isnan(theirs) and abs(ours - theirs) <= tolerance
        if not same:
            self.different += 1
            if self.different <= 50:
                print(f"{what}, case {case}: rematch {ours!r}, reference {theirs!r}")


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def best_hits(case):
    best = {}
    for item, score in case["hits"]:
        best[item] = max(score, best.get(item, score))
    return best


def check_ranking(cases, comparison):
    judged = [case for case in cases if any(grade >= 0 for grade in case["grades"].values())]
    for case in cases:
        if all(grade < 0 for grade in case["grades"].values()):
            defined = {name for name, value in case["values"].items() if value is not None}
            expected = {"NumRet", "NumRet(rel=1)", "NumRet(rel=2)", "NumRel"} | (
                {"Judged", "Judged@5", "Judged@10"} if case["hits"] else set()
            )
            if defined != expected:
                comparison.check("without judgments", case["case"], None, 0.0)
    runs = {case["case"]: best_hits(case) for case in judged}
    qrels = {case["case"]: {item: int(grade) for item, grade in case["grades"].items()} for case in judged}
    by_pytrec_eval(judged, runs, qrels, comparison)
    by_ir_measures(judged, runs, qrels, comparison)


def by_pytrec_eval(cases, runs, qrels, comparison):
    for setting in {(level, only) for _, level, only in PYTREC_EVAL.values()}:
        names = {name: theirs for name, (theirs, *rest) in PYTREC_EVAL.items() if tuple(rest) == setting}
        evaluator = pytrec_eval.RelevanceEvaluator(
            qrels, set(names.values()), relevance_level=setting[0], judged_docs_only_flag=setting[1]
        )
        results = evaluator.evaluate(runs)
        for case in cases:
            for name, theirs in names.items():
                if name == "NumRel" and not case["hits"]:
                    continue
                value = case["values"][name]
                if value is None:
                    value = math.log(1e-5) if name in GEOMETRIC else 0.0
                comparison.check(f"pytrec_eval {name}", case["case"], value, results[case["case"]][theirs])


def by_ir_measures(cases, runs, qrels, comparison):
    # A ranking without hits has no line in a file, and ir_measures falls over an empty one.
    filled = {case: hits for case, hits in runs.items() if hits}
    by_case = {case["case"]: case for case in cases}
    seen = 0
    groups = {}
    names = [name for name in cases[0]["values"] if name not in GEOMETRIC]
    for name in names:
        groups.setdefault(("judged_only" in name, name in EXPONENTIAL), []).append(name)
    for group in groups.values():
        measures = {ir_measures.parse_measure(EXPONENTIAL.get(name, name)): name for name in group}
        for metric in ir_measures.iter_calc(list(measures), qrels, filled):
            name, case = measures[metric.measure], by_case[metric.query_id]
            seen += 1
            if not case["hits"] and name == "NumRel":
                continue
            scores = list(runs[metric.query_id].values())
            if name in TIES_COME_OTHERWISE and len(set(scores)) < len(scores):
                continue
            tolerance = PRINTED if name.startswith("ERR") else TOLERANCE
            value = case["values"][name]
            comparison.check(f"ir_measures {name}", metric.query_id, value or 0.0, float(metric.value), tolerance)
    missing = len(names) * len(cases) - seen
    if missing:
        comparison.check("ir_measures", f"{missing} values are missing", None, 0.0)


def check_statistics(cases, comparison):
    for case in cases:
        number = case["case"]
        baseline, candidate = numpy.array(case["baseline"]), numpy.array(case["candidate"])
        deltas = candidate - baseline

        def check(what, ours, theirs, number=number):
            comparison.check(f"scipy {what}", number, ours, float(theirs))

        constant = bool(numpy.all(deltas == deltas[0]))
        check_t(case, baseline, candidate, deltas, constant, check)
        check_clusters(case, deltas, check)
        check_wilcoxon(case, baseline, candidate, deltas, check)
        check_counts(case, deltas, check)
        check_adjusted(case, check)
        tau = stats.kendalltau(baseline, candidate).statistic
        if case["kendall"] is None:
            check("tau-b is undefined", 0.0, 0.0 if math.isnan(tau) else 1.0)
        else:
            check("tau-b", case["kendall"], tau)
        for ours, q in zip(case["quantiles"], (0.0, 0.25, 0.5, 0.9, 0.99, 1.0)):
            check("quantile", ours, numpy.quantile(deltas, q))
        if "bootstrap" in case:
            check_dear(case, deltas, constant, check)


def check_t(case, baseline, candidate, deltas, constant, check):
    if case["t"] is None:
        check("t is undefined", 0.0, 0.0 if constant else 1.0)
        return
    test, ours = stats.ttest_rel(candidate, baseline), case["t"]
    # Rounding alone leaves a variance where all deltas are equal; t is then a number without meaning.
    if numpy.std(deltas) < 1e-12:
        return
    # A large t has more digits before the point than 1e-9 leaves behind it.
    check("t", ours["t"] / max(1.0, abs(test.statistic)), test.statistic / max(1.0, abs(test.statistic)))
    check("t, p", ours["p"], test.pvalue)
    check("t, p less", ours["p_less"], stats.ttest_rel(candidate, baseline, alternative="less").pvalue)
    check("t, p greater", ours["p_greater"], stats.ttest_rel(candidate, baseline, alternative="greater").pvalue)
    interval = test.confidence_interval(0.95)
    check("t, low", ours["interval"][0], interval.low)
    check("t, high", ours["interval"][1], interval.high)
    check("d_z", ours["d_z"], numpy.mean(deltas) / numpy.std(deltas, ddof=1))


def check_clusters(case, deltas, check):
    """CR1 by its formula: scipy has no clusters, its t distribution gives p and interval."""
    ours, clusters = case["cluster_robust"], numpy.array(case["clusters"])
    groups = numpy.unique(clusters)
    if ours is None:
        sums = [numpy.sum(deltas[clusters == group] - numpy.mean(deltas)) for group in groups]
        means = [numpy.mean(deltas[clusters == group]) for group in groups]
        flat = len(groups) < 2 or numpy.ptp(means) < 1e-15 or numpy.max(numpy.abs(sums)) < 1e-12
        check("CR1 is undefined", 0.0, 0.0 if flat else 1.0)
        return
    mean = numpy.mean(deltas)
    sums = numpy.array([numpy.sum(deltas[clusters == group] - mean) for group in groups])
    error = math.sqrt(len(groups) / (len(groups) - 1) * numpy.sum(sums**2)) / len(deltas)
    check("CR1, standard error", ours["standard_error"], error)
    if error < 1e-12:
        return
    distribution = stats.t(len(groups) - 1)
    check("CR1, p", ours["p"], 2 * distribution.sf(abs(mean / error)))
    check("CR1, low", ours["interval"][0], mean - distribution.ppf(0.975) * error)
    check("CR1, high", ours["interval"][1], mean + distribution.ppf(0.975) * error)


def check_wilcoxon(case, baseline, candidate, deltas, check):
    ours = case["wilcoxon"]
    if ours["p"] is None:
        nothing = bool(numpy.all(deltas == 0))
        check("Wilcoxon is undefined", 0.0, 0.0 if nothing else 1.0)
        return
    test = stats.wilcoxon(
        candidate,
        baseline,
        zero_method=ours["zero_method"],
        correction=ours["correction"],
        method=ours["method"],
    )
    kind = f"Wilcoxon {ours['zero_method']} {ours['method']}"
    check(f"{kind}, W", ours["statistic"], test.statistic)
    check(f"{kind}, p", ours["p"], test.pvalue)
    if ours["method"] == "approx":
        check(f"{kind}, z", ours["z"], test.zstatistic)


def check_counts(case, deltas, check):
    wins, losses = int(numpy.sum(deltas > 0)), int(numpy.sum(deltas < 0))
    if case["sign"] is None:
        check("sign test is undefined", 0.0, float(wins + losses))
    else:
        check("sign test", case["sign"], stats.binomtest(wins, wins + losses).pvalue)
    only_baseline, only_candidate = case["discordant"]
    if case["mcnemar"] is None:
        check("McNemar is undefined", 0.0, float(only_baseline + only_candidate))
    else:
        check("McNemar", case["mcnemar"], stats.binomtest(only_baseline, only_baseline + only_candidate).pvalue)


def check_adjusted(case, check):
    p, ours = numpy.array(case["p_values"]), case["adjusted"]
    order, count = numpy.argsort(p, kind="stable"), len(p)
    # Scipy has neither Holm nor Bonferroni; both are one line.
    holm = numpy.empty(count)
    holm[order] = numpy.minimum(1.0, numpy.maximum.accumulate((count - numpy.arange(count)) * p[order]))
    expected = {
        "bonferroni": numpy.minimum(1.0, p * count),
        "holm": holm,
        "bh": stats.false_discovery_control(p, method="bh"),
        "by": stats.false_discovery_control(p, method="by"),
    }
    for name, values in expected.items():
        for found, value in zip(ours[name], values, strict=True):
            check(name, found, value)


class Resampled:
    """The resampled means that scipy is to make its interval of."""

    def __init__(self, means):
        self.bootstrap_distribution = numpy.array(means)


def exact_mean(values, axis):
    return numpy.apply_along_axis(lambda row: math.fsum(row) / len(row), axis, values)


def check_dear(case, deltas, constant, check):
    few = deltas[:9]
    if case["randomisation"] is None:
        check("randomisation is undefined", 0.0, 0.0 if len(few) < 2 or numpy.all(few == few[0]) else 1.0)
    else:
        test = stats.permutation_test(
            (few, numpy.zeros_like(few)),
            lambda x, y, axis: numpy.mean(x - y, axis=axis),
            permutation_type="samples",
            n_resamples=numpy.inf,
            vectorized=True,
        )
        check("randomisation, exact", case["randomisation"], test.pvalue)
    for method in ("percentile", "basic", "BCa"):
        ours = case["bootstrap"][method]
        if ours is None:
            check("bootstrap is undefined", 0.0, 0.0 if constant else 1.0)
            continue
        found = stats.bootstrap(
            (deltas,), exact_mean, n_resamples=0, method=method, bootstrap_result=Resampled(case["bootstrap"]["means"])
        )
        if method == "BCa" and math.isnan(found.confidence_interval.low):
            continue
        check(f"bootstrap {method}, low", ours[0], found.confidence_interval.low)
        check(f"bootstrap {method}, high", ours[1], found.confidence_interval.high)
        check(f"bootstrap {method}, standard error", ours[2], found.standard_error)
    check_power(case, check)


def check_power(case, check):
    sessions = case["power"]["sessions"]
    critical = stats.t.ppf(0.975, sessions - 1)

    def power(effect):
        shifted = stats.nct(sessions - 1, effect * math.sqrt(sessions))
        return shifted.sf(critical) + numpy.nan_to_num(shifted.cdf(-critical))

    for ours, effect in zip(case["power"]["power"], (0.1, 0.5, 1.0)):
        check("power", ours, power(effect))
    check("power of the detectable effect", 0.8, power(case["power"]["detectable"]))


def main():
    folder = pathlib.Path(sys.argv[1])
    warnings.filterwarnings("ignore")
    comparison = Comparison()
    ranking = read(folder / "ranking.jsonl")
    statistics = read(folder / "statistics.jsonl")
    check_ranking(ranking, comparison)
    check_statistics(statistics, comparison)
    total = sum(comparison.compared.values())
    print(f"{len(ranking)} rankings, {len(statistics)} comparisons: {total} values, {comparison.different} differ")
    if len(ranking) < 10_000 or len(statistics) < 10_000 or comparison.different:
        sys.exit(1)


if __name__ == "__main__":
    main()
