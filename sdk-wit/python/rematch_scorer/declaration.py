"""What a scorer says of itself."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from .params import ParamsError, read_params

if TYPE_CHECKING:
    from .batch import BatchView
    from .session import Session

Need: TypeAlias = Literal[
    "judged",
    "relevance",
    "hits",
    "hit-scores",
    "shown",
    "interactions",
    "interaction-details",
    "session-ids",
    "times",
    "queries",
    "query-vectors",
    "inputs",
    "expected",
    "taxonomy",
    "item-ids",
    "item-fields",
]
"""A group of columns that a scorer reads. The host sends what is asked for and nothing else."""

_NEEDS: tuple[str, ...] = get_args(Need)
_IMPLIED = {"hit-scores": "hits", "interaction-details": "interactions"}
_METRIC_NAME = re.compile(r"[A-Za-z0-9\-_.@()=]{1,64}")


class DeclarationError(ValueError):
    """A scorer says something of itself that cannot be."""


class ScoreError(Exception):
    """This session cannot be scored, though it should: the report counts it as an error, not as a low score.

    Where a score is merely undefined (there is nothing to find), return ``None`` instead.
    """


@dataclass(frozen=True)
class Metric:
    """One number that a scorer gives to a session."""

    name: str
    """For example ``revenue``: letters, digits and any of ``-_.@()=``, at most 64 of them."""
    summary: str = ""
    """What it means and when it is undefined, in a sentence."""
    low: float | None = None
    """The smallest legal value; ``None`` where there is no bound."""
    high: float | None = None
    """The largest legal value; ``None`` where there is no bound."""
    higher_is_better: bool = True
    """Whether a higher value is a better one."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a session, with what belongs to it."""

    value: float | None
    """The first metric of the declaration; ``None`` where it is undefined."""
    sub_scores: Mapping[str, float | None] = field(default_factory=dict)
    """The other metrics by name; those that are left out are undefined."""
    output: str = ""
    """A text that explains the score; it goes into the report."""


Scored: TypeAlias = Score | float | None
"""What a scoring function returns for a session."""
SessionFunction: TypeAlias = Callable[["Session", Any], Scored]
BatchFunction: TypeAlias = Callable[["BatchView", Any], Iterable[Scored]]
Aggregate: TypeAlias = Callable[[dict[str, list[float | None]], Any], float | None]


class Scorer:
    """A scoring function with its declaration: what ``@scorer`` and ``@batch_scorer`` make of a function.

    Calling it calls the function, so that a test may do so with a session of its own.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        summary: str,
        needs: Iterable[Need],
        metrics: Sequence[Metric],
        params_schema: Mapping[str, Any] | None,
        reusable: bool,
        score_session: SessionFunction | None = None,
        score_batch: BatchFunction | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.summary = summary
        self.needs = _checked_needs(needs)
        self.metrics = _checked_metrics(metrics)
        self.params_schema: dict[str, Any] = dict(params_schema or {})
        self.reusable = reusable
        self.score_session = score_session
        self.score_batch = score_batch
        self.aggregate_run: Aggregate | None = None
        self._prepare: Callable[[dict[str, Any]], Any] | None = None
        if not name:
            raise DeclarationError("the name of a scorer must not be empty")
        json.dumps(self.params_schema)

    def __call__(self, subject: Any, params: Any) -> Any:
        """Calls the function."""
        function = self.score_session or self.score_batch
        assert function is not None
        return function(subject, params)

    def prepare(self, function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        """Makes a function (used as a decorator) turn the checked parameters into what the scoring function gets.

        It is called once per batch. A ``ValueError`` or ``ParamsError`` from it says that the parameters are wrong.
        """
        self._prepare = function
        return function

    def aggregate(self, function: Aggregate) -> Aggregate:
        """Makes a function (used as a decorator) sum up a whole run, where the mean over the sessions is not what is meant.

        It gets the values of every metric by name, one per session and ``None`` where there is none, and the parameters
        as the scoring function gets them. It returns the score of the run or ``None`` where that is undefined.
        """
        self.aggregate_run = function
        return function

    def read_params(self, text: str) -> Any:
        """Returns what the scoring function gets as parameters.

        Raises:
            ParamsError: The schema or the scorer's ``prepare`` refuses them.
        """
        params = read_params(text, self.params_schema)
        if self._prepare is None:
            return params
        try:
            return self._prepare(params)
        except ValueError as error:
            raise ParamsError(str(error)) from error


def scorer(
    *,
    name: str,
    needs: Iterable[Need],
    metrics: Sequence[Metric],
    version: str = "",
    summary: str = "",
    params_schema: Mapping[str, Any] | None = None,
    reusable: bool = False,
) -> Callable[[SessionFunction], Scorer]:
    """Makes a scorer of a function that gets one session and the parameters.

    The function returns a number, a ``Score``, or ``None`` where the score is undefined, and raises ``ScoreError`` where
    the session cannot be scored. Any other exception is an error of that session as well; its neighbours keep their scores.

    Args:
        name: Name of the scorer, for example ``query-words``.
        needs: The groups of columns that the function reads.
        metrics: What the function returns: first the score itself, then the sub-scores.
        version: For example ``1.2.0``.
        summary: What the scorer is for, in a sentence or two.
        params_schema: JSON Schema of the parameters, an object; see ``rematch_scorer.params.read_params`` for what of it
            is checked. A ``default`` of a property stands in where the benchmark does not give it.
        reusable: Whether one instance may score batch after batch: only where the module keeps nothing that could change
            a later score. It spares a fresh start of the interpreter for each batch.

    Raises:
        DeclarationError: The declaration cannot be, for example because two metrics have the same name.
    """

    def declare(function: SessionFunction) -> Scorer:
        return Scorer(
            name=name,
            version=version,
            summary=summary,
            needs=needs,
            metrics=metrics,
            params_schema=params_schema,
            reusable=reusable,
            score_session=function,
        )

    return declare


def batch_scorer(
    *,
    name: str,
    needs: Iterable[Need],
    metrics: Sequence[Metric],
    version: str = "",
    summary: str = "",
    params_schema: Mapping[str, Any] | None = None,
    reusable: bool = False,
) -> Callable[[BatchFunction], Scorer]:
    """Makes a scorer of a function that gets a whole ``BatchView`` and the parameters.

    For simple metrics over many sessions, where building a session for each costs more than the metric: the function
    reads ``batch.columns`` and returns, or yields, one number, ``Score`` or ``None`` per session. An exception fails the
    batch; the host then tries its sessions one by one. The arguments are those of ``scorer``.

    Raises:
        DeclarationError: The declaration cannot be.
    """

    def declare(function: BatchFunction) -> Scorer:
        return Scorer(
            name=name,
            version=version,
            summary=summary,
            needs=needs,
            metrics=metrics,
            params_schema=params_schema,
            reusable=reusable,
            score_batch=function,
        )

    return declare


def _checked_needs(needs: Iterable[str]) -> frozenset[str]:
    found = {needs} if isinstance(needs, str) else set(needs)
    for need in sorted(found):
        if need not in _NEEDS:
            raise DeclarationError(f"unknown need `{need}`, expected some of {', '.join(f'`{name}`' for name in _NEEDS)}")
    return frozenset(found | {_IMPLIED[need] for need in found if need in _IMPLIED})


def _checked_metrics(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    if not metrics:
        raise DeclarationError("a scorer needs at least one metric")
    names = [metric.name for metric in metrics]
    for name in names:
        if not _METRIC_NAME.fullmatch(name):
            raise DeclarationError(f"the name `{name}` of a metric must have 1 to 64 letters, digits and any of `-_.@()=`")
        if names.count(name) > 1:
            raise DeclarationError(f"two metrics have the name `{name}`")
    for metric in metrics:
        bounds = [bound for bound in (metric.low, metric.high) if bound is not None]
        if not all(math.isfinite(bound) for bound in bounds) or bounds != sorted(bounds):
            raise DeclarationError(f"metric `{metric.name}` has the range {metric.low} to {metric.high}, which is none")
    return tuple(metrics)
