"""What a session shows of its columns."""

import unittest

from rematch_scorer import Hit, Interaction, JudgedHit, Metric, Need, Scorer, ShownItem, scorer
from rematch_scorer.declaration import SessionFunction
from rematch_scorer.testing import run, sessions

EVERYTHING: list[Need] = [
    "judged", "relevance", "hits", "hit-scores", "shown", "interactions", "interaction-details", "session-ids", "times",
    "queries", "query-vectors", "inputs", "expected", "taxonomy", "item-ids", "item-fields",
]  # fmt: skip

SAMPLES = sessions(
    [
        {},
        {
            "id": "café",
            "query": "crème brûlée 🍮",
            "query_vector": [0.5, -1.0],
            "time_ms": 1_700_000_000_000,
            "inputs": {"locale": "fr"},
            "expected": ["b"],
            "taxonomy": ["food/dessert", "food"],
            "hits": [("a", 2.5), "b", ("c", 0.0)],
            "relevance": {"c": 1, "b": 3, "z": 2, "a": -1},
            "shown": ["b", {"item": "a", "score": 1.5, "propensity": 0.25}],
            "interactions": [
                {"item": "b", "kind": "click", "position": 1, "time_ms": 5},
                {"item": "z", "kind": "purchase", "value": 9.5},
            ],
        },
    ],
    items={"a": {"title": "Émile", "tags": ["x", "y"], "price": 2.5}, "b": {"title": "Bé", "stock": True}},
)


def scorer_of(function: SessionFunction, needs: list[Need] | None = None) -> Scorer:
    """Returns a scorer that reads everything."""
    return scorer(name="probe", needs=EVERYTHING if needs is None else needs, metrics=[Metric("m")])(function)


class SessionViews(unittest.TestCase):
    def test_every_column_comes_out_as_it_went_in(self) -> None:
        seen = []

        def look(session, params):
            ids = [session.item_id(hit.item) for hit in session.hits]
            seen.append(
                {
                    "texts": (session.id, session.query, session.taxonomy, ids),
                    "numbers": (session.query_vector, session.time_ms, session.ideal),
                    "json": (session.inputs, session.expected),
                    "hits": [(hit.rank, hit.score) for hit in session.hits],
                    "judged": session.judged,
                    "relevance": {session.item_id(item): grade for item, grade in session.relevance.items()},
                    "shown": [(session.item_id(shown.item), *shown[2:]) for shown in session.shown],
                    "acts": [(session.item_id(act.item), *act[1:]) for act in session.interactions],
                    "titles": [session.item_field("title", hit.item) for hit in session.hits],
                    "tags": [session.item_field("tags", hit.item) for hit in session.hits],
                    "price": [session.item_field("price", hit.item) for hit in session.hits],
                    "stock": [session.item_field("stock", hit.item) for hit in session.hits],
                }
            )
            return 1.0

        self.assertEqual(run(scorer_of(look), SAMPLES).values, [1.0, 1.0])
        self.assertEqual(seen[0]["texts"], ("s0", "", [], []))
        self.assertEqual(seen[0]["numbers"], ([], None, []))
        self.assertEqual(seen[0]["json"], (None, None))
        self.assertEqual(
            seen[1],
            {
                "texts": ("café", "crème brûlée 🍮", ["food/dessert", "food"], ["a", "b", "c"]),
                "numbers": ([0.5, -1.0], 1_700_000_000_000, [3.0, 2.0, 1.0]),
                "json": ({"locale": "fr"}, ["b"]),
                "hits": [(1, 2.5), (2, None), (3, 0.0)],
                "judged": [JudgedHit(1, -1.0), JudgedHit(2, 3.0), JudgedHit(3, 1.0)],
                "relevance": {"a": -1.0, "b": 3.0, "c": 1.0, "z": 2.0},
                "shown": [("b", None, None), ("a", 1.5, 0.25)],
                "acts": [("b", "click", 1, 5, None), ("z", "purchase", None, None, 9.5)],
                "titles": ["Émile", "Bé", ""],
                "tags": ["x y", "", ""],
                "price": ["2.5", "", ""],
                "stock": ["", "true", ""],
            },
        )

    def test_details_that_were_not_asked_for_are_none(self) -> None:
        def look(session, params):
            self.assertTrue(all(isinstance(hit, Hit) and hit.score is None for hit in session.hits))
            self.assertTrue(all(isinstance(shown, ShownItem) for shown in session.shown))
            for act in session.interactions:
                self.assertIsInstance(act, Interaction)
                self.assertEqual(act[2:], (None, None, None))
            return 0.0

        self.assertEqual(run(scorer_of(look, ["hits", "shown", "interactions"]), SAMPLES).values, [0.0, 0.0])

    def test_a_column_that_was_not_asked_for_says_which_need_is_missing(self) -> None:
        views = {
            "judged": lambda session: session.judged,
            "relevance": lambda session: session.relevance,
            "hits": lambda session: session.hits,
            "shown": lambda session: session.shown,
            "interactions": lambda session: session.interactions,
            "session-ids": lambda session: session.id,
            "times": lambda session: session.time_ms,
            "queries": lambda session: session.query,
            "query-vectors": lambda session: session.query_vector,
            "inputs": lambda session: session.inputs,
            "expected": lambda session: session.expected,
            "taxonomy": lambda session: session.taxonomy,
            "item-ids": lambda session: session.item_id(0),
            "item-fields": lambda session: session.item_field("title", 0),
        }
        for need, view in views.items():
            with self.subTest(need):
                result = run(scorer_of(lambda session, params, view=view: view(session), []), SAMPLES).results[1]
                self.assertIn(f"add `{need}` to `needs`", result.error or "")

    def test_an_unknown_item_field_names_those_that_the_benchmark_gives(self) -> None:
        result = run(scorer_of(lambda session, params: session.item_field("colour", 0)), SAMPLES).results[1]
        self.assertIn("item field `colour`, the benchmark gives `title`, `tags`, `price`, `stock`", result.error or "")
