"""One session, made out of the columns as far as it is read."""

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wit_world.exports.guest import OptionalNumbers

    from .batch import BatchView


class Hit(NamedTuple):
    """An item that the retriever returned."""

    rank: int
    """1-based rank."""
    item: int
    """Item number; see ``Session.item_id`` and ``Session.item_field``."""
    score: float | None
    """The retriever's score; ``None`` where it gives none, and without the need ``hit-scores``."""


class JudgedHit(NamedTuple):
    """An item that the retriever returned and whose worth is known."""

    rank: int
    """1-based rank."""
    grade: float
    """The judge's grade or the weight of what the user did; negative means judged and not relevant."""


class ShownItem(NamedTuple):
    """An item of the list that the user saw."""

    rank: int
    """1-based rank."""
    item: int
    """Item number."""
    score: float | None
    """The score that the logged retriever gave; ``None`` where it is not known."""
    propensity: float | None
    """The probability, in (0, 1], that the item was shown at this rank; ``None`` where it is not known."""


class Interaction(NamedTuple):
    """Something that the user did."""

    item: int
    """Item number."""
    kind: str
    """For example ``click`` or ``purchase``."""
    position: int | None
    """1-based position at which the item was shown; ``None`` where it is not known, as the next two, and without the
    need ``interaction-details``."""
    time_ms: int | None
    """When it was done, in milliseconds since the Unix epoch, UTC."""
    value: float | None
    """A number that goes with the kind: seconds of a dwell, price of a purchase."""


class Session:
    """One search and what one retriever returned for it.

    Every property is made when it is first read, and needs the group of columns that its description names. Items are
    numbers, equal for equal items within one batch; nothing else may be read from them, least of all their order.
    """

    def __init__(self, batch: "BatchView", index: int) -> None:
        self.batch = batch
        """The batch, whose ``columns`` are the fastest way to the data."""
        self.index = index
        """The session's index in the batch."""

    @property
    def id(self) -> str:
        """Id of the session (need ``session-ids``)."""
        return self.batch.session_ids[self.index]

    @property
    def query(self) -> str:
        """Query text, empty where there is none (need ``queries``)."""
        return self.batch.queries[self.index]

    @property
    def query_vector(self) -> list[float]:
        """Query vector, empty where there is none (need ``query-vectors``)."""
        self.batch.require("query-vectors", "session.query_vector")
        vectors = self.batch.columns.query_vectors
        return vectors.values[vectors.offsets[self.index] : vectors.offsets[self.index + 1]]

    @property
    def time_ms(self) -> int | None:
        """When the session took place, in milliseconds since the Unix epoch, UTC (need ``times``)."""
        self.batch.require("times", "session.time_ms")
        times = self.batch.columns.times
        return times.values[self.index] if times.known[self.index] else None

    @cached_property
    def inputs(self) -> Any:
        """Further inputs of the search, from JSON; ``None`` where there are none (need ``inputs``)."""
        return _parsed(self.batch.inputs[self.index])

    @cached_property
    def expected(self) -> Any:
        """Labelled outcome, from JSON; ``None`` where there is none (need ``expected``)."""
        return _parsed(self.batch.expected[self.index])

    @cached_property
    def taxonomy(self) -> list[str]:
        """Taxonomy paths such as ``home/kitchen``, the primary one first (need ``taxonomy``)."""
        paths = self.batch.taxonomy_paths
        offsets = self.batch.columns.taxonomy.offsets
        return paths[offsets[self.index] : offsets[self.index + 1]]

    @cached_property
    def hits(self) -> list[Hit]:
        """The ranking, best hit first; may be empty (need ``hits``)."""
        self.batch.require("hits", "session.hits")
        columns = self.batch.columns.hits
        start, end = columns.offsets[self.index], columns.offsets[self.index + 1]
        items = columns.items[start:end]
        scores = _numbers(columns.scores, start, end, self.batch.has("hit-scores"))
        return [Hit(rank, item, score) for rank, (item, score) in enumerate(zip(items, scores, strict=True), 1)]

    @cached_property
    def judged(self) -> list[JudgedHit]:
        """The hits whose worth is known, by rank (need ``judged``)."""
        self.batch.require("judged", "session.judged")
        columns = self.batch.columns.judged
        start, end = columns.offsets[self.index], columns.offsets[self.index + 1]
        return [JudgedHit(*row) for row in zip(columns.ranks[start:end], columns.grades[start:end], strict=True)]

    @cached_property
    def ideal(self) -> list[float]:
        """The positive grades of all items, returned or not, largest first; empty where there is nothing to find (need
        ``judged``)."""
        self.batch.require("judged", "session.ideal")
        columns = self.batch.columns.ideal
        return columns.gains[columns.offsets[self.index] : columns.offsets[self.index + 1]]

    @cached_property
    def relevance(self) -> dict[int, float]:
        """The grade of every item of known worth, returned or not, by item number (need ``relevance``)."""
        self.batch.require("relevance", "session.relevance")
        columns = self.batch.columns.relevance
        start, end = columns.offsets[self.index], columns.offsets[self.index + 1]
        return dict(zip(columns.items[start:end], columns.grades[start:end], strict=True))

    @cached_property
    def shown(self) -> list[ShownItem]:
        """The list that the user saw, from the top (need ``shown``)."""
        self.batch.require("shown", "session.shown")
        columns = self.batch.columns.shown
        start, end = columns.offsets[self.index], columns.offsets[self.index + 1]
        items = columns.items[start:end]
        scores = _numbers(columns.scores, start, end, True)
        propensities = _numbers(columns.propensities, start, end, True)
        rows = zip(items, scores, propensities, strict=True)
        return [ShownItem(rank, *row) for rank, row in enumerate(rows, 1)]

    @cached_property
    def interactions(self) -> list[Interaction]:
        """What the user did, in recorded order (need ``interactions``)."""
        self.batch.require("interactions", "session.interactions")
        columns = self.batch.columns.interactions
        names = self.batch.kind_names
        rows = range(columns.offsets[self.index], columns.offsets[self.index + 1])
        if not self.batch.has("interaction-details"):
            return [Interaction(columns.items[row], names[columns.kinds[row]], None, None, None) for row in rows]
        return [
            Interaction(
                columns.items[row],
                names[columns.kinds[row]],
                columns.positions[row] or None,
                columns.times.values[row] if columns.times.known[row] else None,
                columns.values.values[row] if columns.values.known[row] else None,
            )
            for row in rows
        ]

    def item_id(self, item: int) -> str:
        """Returns the id of an item (need ``item-ids``)."""
        return self.batch.item_ids[item]

    def item_field(self, name: str, item: int) -> str:
        """Returns what the corpus has in a field of an item (need ``item-fields``).

        Numbers and booleans are as written in the corpus, lists joined by spaces. Empty where the item has no such field
        or does not stand in the corpus.

        Raises:
            ScoreError: The benchmark does not give this field.
        """
        return self.batch.item_field(name)[item]


def _parsed(text: str) -> Any:
    return json.loads(text) if text else None


def _numbers(column: "OptionalNumbers", start: int, end: int, there: bool) -> list[float | None]:
    if not there:
        return [None] * (end - start)
    rows = zip(column.values[start:end], column.known[start:end], strict=True)
    return [value if known else None for value, known in rows]
