"""Tests of {{name}}: `PYTHONPATH=sdk python3 -m unittest`, or `pytest`."""

import unittest

from rematch_scorer import ParamsError
from rematch_scorer.testing import run, sessions
from scorer import score

SAMPLES = sessions(
    [
        {"id": "second", "hits": ["a", "b", "c"], "relevance": {"b": 2, "c": 1}},
        {"id": "missed", "hits": ["a"], "relevance": {"z": 3}},
        {"id": "nothing to find", "hits": ["a"], "relevance": {"a": 0}},
    ]
)


class Scores(unittest.TestCase):
    def test_the_first_relevant_hit_decides(self) -> None:
        self.assertEqual(run(score, SAMPLES).values, [0.5, 0.0, None])

    def test_sub_scores_and_texts_go_with_it(self) -> None:
        first = run(score, SAMPLES).results[0]
        self.assertEqual(first.sub_scores, {"relevant_hits": 2})
        self.assertEqual(first.output, "first relevant hit at rank 2")

    def test_parameters_change_what_counts(self) -> None:
        self.assertEqual(run(score, SAMPLES, {"k": 1}).values, [0.0, 0.0, None])
        self.assertEqual(run(score, SAMPLES, {"grade": 3}).values, [None, 0.0, None])

    def test_wrong_parameters_are_refused(self) -> None:
        with self.assertRaises(ParamsError):
            run(score, SAMPLES, {"k": 0})


if __name__ == "__main__":
    unittest.main()
