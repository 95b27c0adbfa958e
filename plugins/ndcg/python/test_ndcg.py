"""Tests of nDCG: `PYTHONPATH=../../../sdk-wit/python python3 -m unittest`."""

import math
import random
import unittest

from ndcg import score
from rematch_scorer import ParamsError
from rematch_scorer.testing import run, sessions


def by_definition(hits, relevance, k):
    """Returns nDCG as its definition reads."""

    def discounted(grades):
        return math.fsum(max(grade, 0) / math.log2(rank + 1) for rank, grade in enumerate(grades[:k], 1))

    ideal = discounted(sorted((max(grade, 0) for grade in relevance.values()), reverse=True))
    return discounted([relevance.get(hit, 0) for hit in hits]) / ideal if ideal > 0 else None


class Ndcg(unittest.TestCase):
    def test_values_are_those_of_the_definition(self) -> None:
        dice = random.Random(3)
        rows = []
        for _ in range(300):
            items = [f"i{number}" for number in range(dice.randrange(1, 40))]
            judged = dice.sample(items, dice.randrange(len(items) + 1))
            relevance = {item: dice.choice([-1, 0, 0.5, 1, 2, 5]) for item in judged}
            rows.append({"hits": dice.sample(items, dice.randrange(len(items) + 1)), "relevance": relevance})
        for k in (1, 3, 10, 1000):
            values = run(score, sessions(rows), {"k": k}).values
            for row, value in zip(rows, values, strict=True):
                expected = by_definition(row["hits"], row["relevance"], k)
                if expected is None:
                    self.assertIsNone(value)
                else:
                    self.assertAlmostEqual(value, expected, delta=1e-14)

    def test_edges(self) -> None:
        samples = sessions(
            [
                {"hits": ["a", "b"], "relevance": {"a": 2, "b": 1}},
                {"hits": [], "relevance": {"a": 1}},
                {"hits": ["a"], "relevance": {"a": -1, "b": 0}},
                {"hits": ["a"]},
                {"hits": ["a"], "relevance": {"a": 1e308, "b": 1e308, "c": 1e308}},
            ]
        )
        self.assertEqual(run(score, samples).values, [1.0, 0.0, None, None, None])

    def test_k_must_be_a_whole_number_of_ranks(self) -> None:
        for k in (0, -1, 1.5, "10", None):
            with self.assertRaises(ParamsError):
                run(score, sessions([]), {"k": k})


if __name__ == "__main__":
    unittest.main()
