"""The command line of trec_eval, as far as `rematch verify --trec-eval` uses it, over trec_eval's own code in pytrec_eval.

No package registry has trec_eval as a program, nor its sources: the source package of pytrec_eval fetches them from elsewhere when
it is built. What its wheel carries is trec_eval's C code, compiled, so that the values are trec_eval's; the options are read here.

trec_eval.py -q -n [-J] [-M DEPTH] -m MEASURE... JUDGMENTS RUN
"""

import argparse
import struct
import sys

import pytrec_eval


def single(score):
    """The score as trec_eval holds it, in single precision."""
    return struct.unpack("f", struct.pack("f", score))[0]


def cut(hits, depth):
    ranked = sorted(hits, key=lambda item: (single(hits[item]), item), reverse=True)
    return {item: hits[item] for item in ranked[:depth]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-q", action="store_true")
    parser.add_argument("-n", action="store_true")
    parser.add_argument("-J", action="store_true")
    parser.add_argument("-M", type=int)
    parser.add_argument("-m", action="append", default=[])
    parser.add_argument("judgments")
    parser.add_argument("run")
    options = parser.parse_args()
    if not (options.q and options.n):
        sys.exit("trec_eval.py: only `-q -n` is known")
    with open(options.judgments, encoding="utf-8") as lines:
        judgments = pytrec_eval.parse_qrel(lines)
    with open(options.run, encoding="utf-8") as lines:
        run = pytrec_eval.parse_run(lines)
    if options.M is not None:
        run = {session: cut(hits, options.M) for session, hits in run.items()}
    evaluator = pytrec_eval.RelevanceEvaluator(judgments, set(options.m), judged_docs_only_flag=options.J)
    for session, values in sorted(evaluator.evaluate(run).items()):
        for measure, value in values.items():
            printed = f"{value:.0f}" if measure.startswith("num_") else f"{value:.4f}"
            print(f"{measure:<22}\t{session}\t{printed}")


if __name__ == "__main__":
    main()
