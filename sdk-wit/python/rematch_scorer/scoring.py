"""From a scorer to what the contract asks for: ``describe``, ``score`` and ``aggregate``."""

import json
import math
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from wit_world.exports import guest

from .batch import BatchView
from .declaration import Score, Scored, ScoreError, Scorer
from .session import Session


def describe(scorer: Scorer) -> guest.Description:
    """Returns what the scorer says of itself."""
    needs = guest.Columns(0)
    for need in scorer.needs:
        needs |= guest.Columns[need.upper().replace("-", "_")]
    metrics = [
        guest.Metric(metric.name, metric.summary, metric.higher_is_better, _bound(metric.low), _bound(metric.high))
        for metric in scorer.metrics
    ]
    schema = json.dumps(scorer.params_schema, ensure_ascii=False) if scorer.params_schema else ""
    return guest.Description(scorer.name, scorer.version, scorer.summary, schema, needs, metrics, scorer.reusable)


def score(scorer: Scorer, columns: guest.Batch, params_text: str) -> guest.Scores:
    """Returns the scores of a batch.

    Raises:
        ParamsError: The parameters are wrong.
    """
    params = scorer.read_params(params_text)
    batch = BatchView(columns, scorer.needs)
    table = _ScoreTable(scorer, len(batch))
    if scorer.score_batch is not None:
        if len(batch) > 0:
            table.set_all(scorer.score_batch(batch, params))
        return table.scores()
    assert scorer.score_session is not None
    for index in range(len(batch)):
        try:
            table.set(index, scorer.score_session(Session(batch, index), params))
        except ScoreError as error:
            table.fail(index, str(error))
        except Exception as error:  # a mistake in one session must not take the scores of its neighbours
            table.fail(index, explain(error))
    return table.scores()


def aggregate(scorer: Scorer, columns: Iterable[tuple[list[float], list[bool]]], params_text: str) -> float | None:
    """Returns the score of a run from values and flags of each metric, in the order of the declaration.

    Raises:
        ParamsError: The parameters are wrong.
        ScoreError: The scorer has no ``aggregate``, or what it returns is no number.
    """
    if scorer.aggregate_run is None:
        raise ScoreError(f"`{scorer.name}` has no `aggregate`")
    runs = {
        metric.name: [value if known else None for value, known in zip(values, flags, strict=True)]
        for metric, (values, flags) in zip(scorer.metrics, columns, strict=True)
    }
    value = scorer.aggregate_run(runs, scorer.read_params(params_text))
    if value is None:
        return None
    problem = _problem("the score of the run", value, None, None)
    if problem:
        raise ScoreError(problem)
    return float(value)


def explain(error: BaseException) -> str:
    """Returns an exception in one line, with the place in the scorer where it was raised."""
    # Not the traceback module: it opens source files, and there are none in a component.
    place = _innermost(error.__traceback__)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{text} ({place})" if place else text


class _ScoreTable:
    """The scores of a batch, metric by metric."""

    def __init__(self, scorer: Scorer, sessions: int) -> None:
        self._scorer = scorer
        self._metrics = scorer.metrics
        self._sub_names = frozenset(metric.name for metric in scorer.metrics[1:])
        # Neither NaN nor infinity lies between any of these.
        self._bounds = [
            (
                -sys.float_info.max if metric.low is None else metric.low,
                sys.float_info.max if metric.high is None else metric.high,
            )
            for metric in scorer.metrics
        ]
        self._sessions = sessions
        self._values = [0.0] * (sessions * len(scorer.metrics))
        self._undefined: list[int] = []
        self._errors: list[guest.SessionError] = []
        self._outputs: dict[int, bytes] = {}

    def set_all(self, scored: Iterable[Scored]) -> None:
        rows = list(scored)
        if len(rows) != self._sessions:
            raise ScoreError(f"the scorer returned {len(rows)} scores for {self._sessions} sessions")
        low, high = self._bounds[0]
        simple = len(self._metrics) == 1
        for index, row in enumerate(rows):
            if simple and type(row) is float and low <= row <= high:
                self._values[index] = row
                continue
            try:
                self.set(index, row)
            except ScoreError as error:
                self.fail(index, str(error))

    def set(self, index: int, scored: Scored) -> None:
        if not isinstance(scored, Score):
            self._put(0, index, scored)
            for metric in range(1, len(self._metrics)):
                self._undefined.append(metric * self._sessions + index)
            return
        for name in scored.sub_scores:
            if name not in self._sub_names:
                known = ", ".join(f"`{metric.name}`" for metric in self._metrics[1:]) or "none"
                raise ScoreError(f"the scorer returned the sub-score `{name}`, declared are {known}")
        self._put(0, index, scored.value)
        for metric in range(1, len(self._metrics)):
            self._put(metric, index, scored.sub_scores.get(self._metrics[metric].name))
        if scored.output:
            # A lone surrogate would not be UTF-8.
            self._outputs[index] = scored.output.encode("utf-8", "replace")

    def fail(self, index: int, message: str) -> None:
        self._errors.append(guest.SessionError(index, message.encode("utf-8", "replace").decode()))
        self._outputs.pop(index, None)

    def scores(self) -> guest.Scores:
        return guest.Scores(self._values, self._undefined, self._errors, self._output_column())

    def _put(self, metric: int, index: int, value: Any) -> None:
        position = metric * self._sessions + index
        if value is None:
            self._undefined.append(position)
            return
        low, high = self._bounds[metric]
        if type(value) is float and low <= value <= high:
            self._values[position] = value
            return
        declared = self._metrics[metric]
        problem = _problem(f"metric `{declared.name}`", value, declared.low, declared.high)
        if problem:
            raise ScoreError(problem)
        self._values[position] = float(value)

    def _output_column(self) -> guest.Texts:
        if not self._outputs:
            return guest.Texts([], b"")
        texts = [self._outputs.get(index, b"") for index in range(self._sessions)]
        offsets = [0]
        for text in texts:
            offsets.append(offsets[-1] + len(text))
        return guest.Texts(offsets, b"".join(texts))


def _problem(what: str, value: Any, low: float | None, high: float | None) -> str | None:
    if not isinstance(value, (int, float)):
        return f"{what} is a `{type(value).__name__}`, expected a number or None"
    try:
        number = float(value)
    except OverflowError:
        return f"{what} is too large for a 64-bit float"
    if not math.isfinite(number):
        return f"{what} is {number}, expected a finite number, or None where it is undefined"
    if low is not None and number < low:
        return f"{what} is {number}, below its lowest legal value {low}"
    if high is not None and number > high:
        return f"{what} is {number}, above its highest legal value {high}"
    return None


def _bound(bound: float | None) -> float | None:
    return None if bound is None else float(bound)


def _innermost(traceback: TracebackType | None) -> str:
    """Returns the deepest frame that is not of this package, else the deepest one."""
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        own = traceback.tb_frame.f_globals.get("__package__") == __package__
        frames.append((own, f"{code.co_filename.rsplit('/', 1)[-1]}:{traceback.tb_lineno} in {code.co_name}"))
        traceback = traceback.tb_next
    theirs = [place for own, place in frames if not own]
    return (theirs or [place for _, place in frames] or [""])[-1]
