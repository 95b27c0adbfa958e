"""Tests of query-words: `PYTHONPATH=../../sdk-wit/python python3 -m unittest`."""

import math
import unittest

from query_words import content_words, score, similar
from rematch_scorer import ParamsError
from rematch_scorer.testing import run, sessions

TITLES = {
    "both": "Crème Kettle, 1 L",
    "one": "Cordless Kettle",
    "none": "Toaster",
    "light": "Front Bike Light",
}
ITEMS = {item: {"title": title} for item, title in TITLES.items()}


def scored(query, hits, params=None):
    """Returns what the scorer makes of one query."""
    [result] = run(score, sessions([{"query": query, "hits": hits}], ITEMS), params).results
    assert result.error is None, result.error
    return result


class Coverage(unittest.TestCase):
    def test_hits_are_discounted_by_rank(self) -> None:
        result = scored("creme kettles", ["both", "one", "none"], {"k": 3})
        total = 1 + 1 / math.log2(3) + 1 / math.log2(4)
        self.assertAlmostEqual(result.value, (1 + 0.5 / math.log2(3)) / total, places=15)
        self.assertAlmostEqual(result.sub_scores["complete"], 1 / 3, places=15)
        self.assertEqual(result.output, "")

    def test_ranks_that_are_missing_cover_nothing(self) -> None:
        self.assertAlmostEqual(scored("kettle", ["one"], {"k": 2}).value, 1 / (1 + 1 / math.log2(3)), places=15)
        self.assertEqual(scored("kettle", []).value, 0)

    def test_a_perfect_ranking_scores_one(self) -> None:
        self.assertEqual(scored("kettle", ["one"] * 10).value, 1)

    def test_words_that_no_hit_has_are_named(self) -> None:
        self.assertEqual(scored("red kettle for camping", ["one"]).output, "no hit has: red, camping")

    def test_a_query_without_words_is_undefined(self) -> None:
        for query in ["", "the", "!?"]:
            self.assertIsNone(scored(query, ["one"]).value)

    def test_typing_mistakes_are_forgiven_as_far_as_the_benchmark_says(self) -> None:
        self.assertEqual(scored("bike lihgt", ["light"], {"k": 1}).value, 1)
        self.assertEqual(scored("bike lihgt", ["light"], {"k": 1, "similarity": 1}).value, 0.5)

    def test_an_item_without_a_title_has_no_words(self) -> None:
        self.assertEqual(scored("kettle", ["unknown"]).value, 0)

    def test_illegal_parameters_are_refused(self) -> None:
        for params in [{"k": 0}, {"similarity": 0}, {"similarity": 1.5}, {"fields": "title"}]:
            with self.assertRaises(ParamsError):
                scored("kettle", ["one"], params)

    def test_a_field_that_the_benchmark_does_not_give_is_an_error(self) -> None:
        [result] = run(score, sessions([{"query": "kettle", "hits": ["one"]}], ITEMS), {"field": "name"}).results
        self.assertIn("item field `name`, the benchmark gives `title`", result.error)


class Words(unittest.TestCase):
    def test_words_are_folded_and_stop_words_dropped(self) -> None:
        self.assertEqual(content_words("The Crème-Brûlée of the CRÈME, ① STRASSE Straße"), ("creme", "brulee", "1", "strasse"))

    def test_short_words_must_be_equal(self) -> None:
        self.assertEqual(similar("cup", "cap"), 0)
        self.assertEqual(similar("cup", "cup"), 1)
        self.assertEqual(similar("travle", "travel"), 10 / 12)


if __name__ == "__main__":
    unittest.main()
