"""From what a function returns to what the host gets."""

import unittest
from itertools import pairwise
from typing import Any, ClassVar

from rematch_scorer import DeclarationError, Metric, ParamsError, Score, ScoreError, batch_scorer, log, scorer
from rematch_scorer.scoring import describe
from rematch_scorer.testing import Result, run, sessions
from wit_world.exports import guest

THREE = sessions([{"query": "a"}, {"query": "b"}, {"query": "c"}])
METRICS = [Metric("m", low=0, high=1), Metric("n")]


def by_query(answers, **declaration):
    """Returns a scorer that answers each query with a value, or raises it."""

    def answer(session, params):
        value = answers[session.query]
        if isinstance(value, Exception):
            raise value
        return value

    return scorer(**{"name": "probe", "needs": ["queries"], "metrics": METRICS, **declaration})(answer)


class Scores(unittest.TestCase):
    def test_numbers_scores_and_none_keep_their_places(self) -> None:
        answers = {"a": 1, "b": None, "c": Score(0.25, {"n": -3.5}, output="naïve")}
        results = run(by_query(answers), THREE).results
        self.assertEqual(results[0], Result(1.0, {"n": None}, "", None))
        self.assertEqual(results[1], Result(None, {"n": None}, "", None))
        self.assertEqual(results[2], Result(0.25, {"n": -3.5}, "naïve", None))

    def test_one_bad_session_leaves_its_neighbours_alone(self) -> None:
        bad = {
            "metric `m` is nan": float("nan"),
            "metric `m` is inf": float("inf"),
            "below its lowest legal value 0": -0.5,
            "above its highest legal value 1": 2,
            "is a `str`": "0.5",
            "too large": 10**400,
            "the sub-score `o`, declared are `n`": Score(0.5, {"o": 1.0}),
            "metric `n` is nan": Score(0.5, {"n": float("nan")}),
            "no price": ScoreError("no price"),
            "ZeroDivisionError: oh (test_scoring.py:": ZeroDivisionError("oh"),
        }
        for message, answer in bad.items():
            with self.subTest(message):
                results = run(by_query({"a": 0.5, "b": answer, "c": 1.0}), THREE).results
                self.assertIn(message, results[1].error or "")
                self.assertEqual([results[0].value, results[1].value, results[2].value], [0.5, None, 1.0])

    def test_values_of_a_run_with_errors_are_not_read_by_accident(self) -> None:
        with self.assertRaisesRegex(AssertionError, "session 1 cannot be scored: no price"):
            _ = run(by_query({"a": 1, "b": ScoreError("no price"), "c": 1}), THREE).values

    def test_a_score_that_depends_on_other_sessions_is_found(self) -> None:
        seen = []

        @scorer(name="counter", needs=[], metrics=[Metric("m")])
        def count(session, params):
            seen.append(session)
            return len(seen)

        with self.assertRaisesRegex(AssertionError, "must not depend on other sessions"):
            run(count, THREE)

    def test_a_batch_function_returns_one_score_per_session(self) -> None:
        @batch_scorer(name="batch", needs=["hits"], metrics=METRICS)
        def sizes(batch, params):
            offsets = batch.columns.hits.offsets
            return [Score(float(end > start), {"n": end - start}) for start, end in pairwise(offsets)]

        samples = sessions([{"hits": ["a", "b"]}, {}])
        self.assertEqual([result.sub_scores["n"] for result in run(sizes, samples).results], [2, 0])

        @batch_scorer(name="short", needs=[], metrics=METRICS)
        def short(batch, params):
            yield 1.0

        with self.assertRaisesRegex(ScoreError, "returned 1 scores for 2 sessions"):
            run(short, samples)

    def test_messages_are_collected(self) -> None:
        @scorer(name="chatty", needs=["queries"], metrics=[Metric("m")])
        def chat(session, params):
            log.debug(session.query)
            log.warn("!")
            return 0

        logs = run(chat, THREE).logs
        self.assertEqual(logs[:2], [("debug", "a"), ("warn", "!")])
        self.assertEqual(len(logs), 6)

    def test_a_run_is_summed_up_by_the_scorer_itself(self) -> None:
        ratio = by_query({"a": Score(1, {"n": 2.0}), "b": None, "c": Score(0, {"n": 6.0})})

        @ratio.aggregate
        def total(metrics, params):
            self.assertEqual(metrics, {"m": [1.0, None, 0.0], "n": [2.0, None, 6.0]})
            return sum(value for value in metrics["n"] if value is not None)

        self.assertEqual(run(ratio, THREE).run_score, 8.0)
        ratio.aggregate(lambda metrics, params: float("nan"))
        with self.assertRaisesRegex(ScoreError, "the score of the run is nan"):
            run(ratio, THREE)


class Declarations(unittest.TestCase):
    def test_description_has_what_was_declared(self) -> None:
        probe = by_query({}, needs=["hit-scores", "interaction-details"], version="1.2.0", params_schema={"type": "object"})
        description = describe(probe)
        wanted = guest.Columns.HITS | guest.Columns.HIT_SCORES
        wanted |= guest.Columns.INTERACTIONS | guest.Columns.INTERACTION_DETAILS
        self.assertEqual(description.needs, wanted)
        self.assertEqual((description.name, description.version), ("probe", "1.2.0"))
        self.assertEqual(description.params_schema, '{"type": "object"}')
        self.assertEqual(description.metrics[0], guest.Metric("m", "", True, 0.0, 1.0))
        self.assertFalse(description.reusable)

    def test_what_cannot_be_is_refused(self) -> None:
        bad = {
            "unknown need `hit`": {"needs": ["hit"]},
            "at least one metric": {"metrics": []},
            "two metrics": {"metrics": [Metric("m"), Metric("m")]},
            "1 to 64 letters": {"metrics": [Metric("a b")]},
            "which is none": {"metrics": [Metric("m", low=2, high=1)]},
            "must not be empty": {"name": ""},
        }
        for message, declaration in bad.items():
            with self.subTest(message), self.assertRaisesRegex(DeclarationError, message):
                by_query({}, **declaration)


class Params(unittest.TestCase):
    SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {
            "k": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
            "mode": {"enum": ["all", "some"]},
            "weights": {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}},
            "flag": {"type": ["boolean", "null"]},
        },
        "additionalProperties": False,
    }

    def read(self, params, **schema):
        return by_query({}, params_schema={**self.SCHEMA, **schema}).read_params(params)

    def test_legal_parameters_come_with_defaults(self) -> None:
        self.assertEqual(self.read("{}"), {"k": 10})
        self.assertEqual(self.read('{"k": 3.0, "mode": "all", "flag": null}'), {"k": 3, "mode": "all", "flag": None})

    def test_illegal_parameters_say_what_was_found_and_expected(self) -> None:
        bad = {
            "{": "the parameters are not JSON",
            "[]": r"must be an object, found `\[\]`",
            '{"k": 0}': "parameter `k` must be at least `1`, found `0`",
            '{"k": 101}': "at most `100`",
            '{"k": 1.5}': "must be of type integer, found `1.5`",
            '{"k": true}': "must be of type integer, found `true`",
            '{"mode": "none"}': 'must be one of `"all"`, `"some"`, found `"none"`',
            '{"weights": [1, 0]}': r"parameter `weights\[1\]` must be above `0`",
            '{"flag": 1}': "must be of type boolean or null",
            '{"key": 1}': "unknown parameter `key`, expected `k`, `mode`, `weights`, `flag`",
        }
        for text, message in bad.items():
            with self.subTest(text), self.assertRaisesRegex(ParamsError, message):
                self.read(text)
        with self.assertRaisesRegex(ParamsError, "parameter `mode` is missing"):
            self.read("{}", required=["mode"])

    def test_prepare_may_refuse_and_replace(self) -> None:
        probe = scorer(name="probe", needs=[], metrics=[Metric("m")])(lambda session, params: params)

        @probe.prepare
        def prepare(params):
            if params.get("a", 0) > params.get("b", 0):
                raise ValueError("`a` must not be above `b`")
            return params.get("a", 0) * 2

        self.assertEqual(run(probe, THREE, {"a": 2, "b": 3}).values, [4.0, 4.0, 4.0])
        with self.assertRaisesRegex(ParamsError, "`a` must not be above `b`"):
            run(probe, THREE, {"a": 4, "b": 3})
