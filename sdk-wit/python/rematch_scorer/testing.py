"""Runs a scorer on sample sessions in ordinary Python, through the code that the component runs.

from rematch_scorer.testing import run, sessions

samples = sessions(
    [{"id": "s1", "query": "desk lamp", "hits": ["a", "b"], "relevance": {"a": 2}}],
    items={"a": {"title": "Desk lamp"}, "b": {"title": "Floor lamp"}},
)
assert run(score, samples, {"k": 10}).values == [1.0]
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from wit_world.exports import guest
from wit_world.imports import log as wit_log

from . import scoring
from .batch import TextColumn
from .declaration import Scorer

_KEYS = {
    "id",
    "query",
    "query_vector",
    "time_ms",
    "inputs",
    "expected",
    "taxonomy",
    "hits",
    "relevance",
    "shown",
    "interactions",
}


@dataclass(frozen=True)
class Sessions:
    """Sample sessions; ``sessions`` makes them."""

    rows: Sequence[Mapping[str, Any]]
    items: Mapping[str, Mapping[str, Any]]

    def batch(self, needs: frozenset[str], indices: Iterable[int]) -> guest.Batch:
        """Returns some of the sessions as the host would send them to a scorer with these needs."""
        return _BatchBuilder([self.rows[index] for index in indices], self.items, needs).build()


@dataclass(frozen=True)
class Result:
    """What a scorer made of one session."""

    value: float | None
    """The score; ``None`` where it is undefined or an error."""
    sub_scores: dict[str, float | None]
    """The other metrics by name."""
    output: str
    """The text that goes with the score."""
    error: str | None
    """Why the session cannot be scored; ``None`` where it was."""


@dataclass(frozen=True)
class Run:
    """What a scorer made of all sessions."""

    results: list[Result]
    """One result per session, in their order."""
    run_score: float | None
    """What the scorer's ``aggregate`` returned; ``None`` without one."""
    logs: list[tuple[str, str]] = field(default_factory=list)
    """Messages as (level, message)."""

    @property
    def values(self) -> list[float | None]:
        """The score of each session, ``None`` where it is undefined.

        Raises:
            AssertionError: A session has an error.
        """
        for index, result in enumerate(self.results):
            assert result.error is None, f"session {index} cannot be scored: {result.error}"
        return [result.value for result in self.results]


def sessions(rows: Iterable[Mapping[str, Any]], items: Mapping[str, Mapping[str, Any]] | None = None) -> Sessions:
    """Returns sample sessions for ``run``.

    Args:
        rows: A dict for each session. All keys may be left out: ``id``, ``query``, ``query_vector``, ``time_ms``,
            ``inputs`` and ``expected`` (anything that JSON knows), ``taxonomy`` (paths), ``hits`` (item ids or (item id,
            score), best first), ``relevance`` ({item id: grade}), ``shown`` (item ids or dicts with ``item``, ``score``,
            ``propensity``), ``interactions`` (dicts with ``item``, ``kind``, ``position``, ``time_ms``, ``value``).
        items: The corpus: the fields of each item by item id.

    Raises:
        ValueError: A session has an unknown key.
    """
    listed = list(rows)
    for index, row in enumerate(listed):
        for key in row:
            if key not in _KEYS:
                raise ValueError(f"session {index} has the unknown key `{key}`, expected {', '.join(sorted(_KEYS))}")
    return Sessions(listed, items or {})


def run(scorer: Scorer, samples: Sessions, params: Mapping[str, Any] | None = None) -> Run:
    """Returns what a scorer makes of sessions.

    Like the host it first calls with an empty batch to check the parameters. It then scores the sessions together, each
    alone, and in reverse order, which must give the same.

    Raises:
        ParamsError: The parameters are wrong.
        AssertionError: A score depends on the other sessions of the batch.
    """
    text = json.dumps(params or {})
    everything = range(len(samples.rows))
    logs: list[tuple[str, str]] = []
    with _collected(logs):
        scoring.score(scorer, samples.batch(scorer.needs, []), text)
        together = _scored(scorer, samples, everything, text)
    with _collected([]):
        alone = [result for index in everything for result in _scored(scorer, samples, [index], text)]
        backwards = _scored(scorer, samples, reversed(everything), text)[::-1]
    for index in everything:
        assert together[index] == alone[index] == backwards[index], (
            f"session {index} gets {together[index]} in the batch, {alone[index]} alone and {backwards[index]} in a batch "
            "in reverse order: a score must not depend on other sessions"
        )
    return Run(together, _run_score(scorer, together, text), logs)


def _scored(scorer: Scorer, samples: Sessions, indices: Iterable[int], params: str) -> list[Result]:
    chosen = list(indices)
    scores = scoring.score(scorer, samples.batch(scorer.needs, chosen), params)
    size, names = len(chosen), [metric.name for metric in scorer.metrics]
    assert len(scores.values) == size * len(names)
    errors = {error.index: error.message for error in scores.errors}
    undefined = set(scores.undefined)
    outputs = TextColumn(scores.outputs)
    results = []
    for index in range(size):
        known = [
            None if index in errors or position in undefined else scores.values[position]
            for position in range(index, size * len(names), size)
        ]
        output = outputs[index] if len(outputs) else ""
        results.append(Result(known[0], dict(zip(names[1:], known[1:], strict=True)), output, errors.get(index)))
    return results


def _run_score(scorer: Scorer, results: list[Result], params: str) -> float | None:
    if scorer.aggregate_run is None:
        return None
    columns = [[result.value for result in results]]
    columns += [[result.sub_scores[metric.name] for result in results] for metric in scorer.metrics[1:]]
    raw = [([value or 0.0 for value in column], [value is not None for value in column]) for column in columns]
    return scoring.aggregate(scorer, raw, params)


@contextmanager
def _collected(logs: list[tuple[str, str]]) -> Iterator[None]:
    before = wit_log.log
    wit_log.log = lambda level, message: logs.append((level.name.lower(), message))
    try:
        yield
    finally:
        wit_log.log = before


class _BatchBuilder:
    """Turns dicts into columns; item numbers are in order of first appearance."""

    def __init__(self, rows: list[Mapping[str, Any]], items: Mapping[str, Mapping[str, Any]], needs: frozenset[str]) -> None:
        self._rows = rows
        self._corpus = items
        self._needs = needs
        self._numbers: dict[str, int] = {}

    def build(self) -> guest.Batch:
        rows = self._rows
        hits = [[_hit(hit) for hit in row.get("hits", ())] for row in rows]
        judged, ideal, relevance = self._judged(hits), self._ideal(), self._relevance()
        ranking, shown, interactions = self._hits(hits), self._shown(), self._interactions()
        # Last, when every item has its number.
        item_ids, item_fields = self._texts("item-ids", self._numbers), self._item_fields()
        times = [row.get("time_ms") for row in rows] if "times" in self._needs else []
        vectors = [row.get("query_vector") or [] for row in rows]
        return guest.Batch(
            len=len(rows),
            judged=judged,
            ideal=ideal,
            relevance=relevance,
            hits=ranking,
            shown=shown,
            interactions=interactions,
            session_ids=self._texts("session-ids", [row.get("id", f"s{index}") for index, row in enumerate(rows)]),
            times=guest.OptionalTimes([time or 0 for time in times], [time is not None for time in times]),
            queries=self._texts("queries", [row.get("query") or "" for row in rows]),
            query_vectors=guest.Vectors(
                *self._columns("query-vectors", [[(value,) for value in row] for row in vectors], 1)
            ),
            inputs=self._texts("inputs", [_json(row.get("inputs")) for row in rows]),
            expected=self._texts("expected", [_json(row.get("expected")) for row in rows]),
            taxonomy=self._taxonomy(),
            item_ids=item_ids,
            item_fields=item_fields,
        )

    def _number(self, item: str) -> int:
        return self._numbers.setdefault(item, len(self._numbers))

    def _columns(self, need: str, rows: list[list[tuple[Any, ...]]], width: int) -> list[list[Any]]:
        """Returns offsets and ``width`` columns, all empty where they are not needed."""
        if need not in self._needs:
            return [[] for _ in range(width + 1)]
        offsets = [0]
        for row in rows:
            offsets.append(offsets[-1] + len(row))
        return [offsets, *([cell[column] for row in rows for cell in row] for column in range(width))]

    def _texts(self, need: str, texts: Iterable[str]) -> guest.Texts:
        return _text_column(texts) if need in self._needs else guest.Texts([], b"")

    def _judged(self, hits: list[list[tuple[str, float | None]]]) -> guest.JudgedHits:
        judged = []
        for row, ranking in zip(self._rows, hits, strict=True):
            grades = row.get("relevance", {})
            judged.append([(rank, float(grades[item])) for rank, (item, _) in enumerate(ranking, 1) if item in grades])
        return guest.JudgedHits(*self._columns("judged", judged, 2))

    def _ideal(self) -> guest.IdealGains:
        grades = [sorted(row.get("relevance", {}).values(), reverse=True) for row in self._rows]
        return guest.IdealGains(*self._columns("judged", [[(float(g),) for g in row if g > 0] for row in grades], 1))

    def _relevance(self) -> guest.RelevanceRows:
        rows = [
            [(self._number(item), float(grade)) for item, grade in sorted(row.get("relevance", {}).items())]
            for row in self._rows
        ]
        return guest.RelevanceRows(*self._columns("relevance", rows, 2))

    def _hits(self, hits: list[list[tuple[str, float | None]]]) -> guest.HitRows:
        rows = [[(self._number(item), score) for item, score in ranking] for ranking in hits]
        offsets, items, scores = self._columns("hits", rows, 2)
        return guest.HitRows(offsets, items, _numbers(scores if "hit-scores" in self._needs else []))

    def _shown(self) -> guest.ShownRows:
        rows = []
        for row in self._rows:
            listed = [{"item": shown} if isinstance(shown, str) else shown for shown in row.get("shown", ())]
            rows.append([(self._number(it["item"]), it.get("score"), it.get("propensity")) for it in listed])
        offsets, items, scores, propensities = self._columns("shown", rows, 3)
        return guest.ShownRows(offsets, items, _numbers(scores), _numbers(propensities))

    def _interactions(self) -> guest.InteractionRows:
        kinds: dict[str, int] = {}
        rows = [
            [
                (
                    self._number(act["item"]),
                    kinds.setdefault(act.get("kind", "click"), len(kinds)),
                    act.get("position") or 0,
                    act.get("time_ms"),
                    act.get("value"),
                )
                for act in row.get("interactions", ())
            ]
            for row in self._rows
        ]
        offsets, items, kind_rows, positions, times, values = self._columns("interactions", rows, 5)
        if "interaction-details" not in self._needs:
            positions, times, values = [], [], []
        known_times = guest.OptionalTimes([time or 0 for time in times], [time is not None for time in times])
        names = self._texts("interactions", kinds)
        return guest.InteractionRows(offsets, items, kind_rows, names, positions, known_times, _numbers(values))

    def _taxonomy(self) -> guest.TaxonomyRows:
        rows = [[(path,) for path in row.get("taxonomy", ())] for row in self._rows]
        offsets, paths = self._columns("taxonomy", rows, 1)
        return guest.TaxonomyRows(offsets, self._texts("taxonomy", paths))

    def _item_fields(self) -> list[guest.ItemField]:
        if "item-fields" not in self._needs:
            return []
        names = dict.fromkeys(name for fields in self._corpus.values() for name in fields)
        return [
            guest.ItemField(name, _text_column(_field(self._corpus.get(item, {}).get(name)) for item in self._numbers))
            for name in names
        ]


def _hit(hit: Any) -> tuple[str, float | None]:
    return (hit, None) if isinstance(hit, str) else (hit[0], hit[1])


def _numbers(values: list[float | None]) -> guest.OptionalNumbers:
    return guest.OptionalNumbers([float(value or 0.0) for value in values], [value is not None for value in values])


def _text_column(texts: Iterable[str]) -> guest.Texts:
    offsets, encoded = [0], []
    for text in texts:
        encoded.append(text.encode())
        offsets.append(offsets[-1] + len(encoded[-1]))
    return guest.Texts(offsets, b"".join(encoded))


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _field(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_field, value))
    return value if isinstance(value, str) else _json(value)
