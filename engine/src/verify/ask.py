"""Reads question.json and the files that it names, and prints what pytrec_eval and ir_measures make of them: lines of the
metric's place, the session's number and the value. Exits with 3 where pytrec_eval is missing."""

import importlib.metadata
import json
import sys

try:
    import pytrec_eval
except ImportError:
    sys.exit(3)


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def read(name, column):
    found = {}
    with open(name, encoding="utf-8") as lines:
        for line in lines:
            fields = line.split()
            found.setdefault(fields[0], {})[fields[2]] = column(fields)
    return found


def cut(run, depth):
    if depth is None:
        return run
    best = {}
    for session, hits in run.items():
        best[session] = dict(sorted(hits.items(), key=lambda hit: -hit[1])[:depth])
    return best


def by_pytrec_eval(job, judgments, run):
    names = {name for _, name in job["measures"]}
    evaluator = pytrec_eval.RelevanceEvaluator(judgments, names, judged_docs_only_flag=job["judged_only"])
    for session, values in evaluator.evaluate(run).items():
        for place, name in job["measures"]:
            print(place, session, repr(float(values[name])), sep="\t")


def by_ir_measures(job, judgments, run):
    for place, name in job["measures"]:
        try:
            import ir_measures

            values = list(ir_measures.iter_calc([ir_measures.parse_measure(name)], judgments, run))
        except Exception as error:
            print("skipped", place, " ".join(str(error).split()), sep="\t")
            continue
        for value in values:
            print(place, value.query_id, repr(float(value.value)), sep="\t")


def main():
    with open("question.json", encoding="utf-8") as file:
        question = json.load(file)
    used = f"pytrec_eval {version('pytrec-eval-terrier')}"
    if any(job["by"] == "ir_measures" for job in question["jobs"]):
        used += f", ir_measures {version('ir_measures')}"
    print("version", used, sep="\t")
    run = read(question["run"], lambda fields: float(fields[4]))
    for job in question["jobs"]:
        judgments = read(job["judgments"], lambda fields: int(fields[3]))
        judged = {session: hits for session, hits in cut(run, job["depth"]).items() if session in judgments}
        if job["by"] == "pytrec_eval":
            by_pytrec_eval(job, judgments, judged)
        else:
            by_ir_measures(job, judgments, judged)


main()
