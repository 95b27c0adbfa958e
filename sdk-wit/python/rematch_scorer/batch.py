"""A batch of sessions as the host sends it, and the texts in it."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from .declaration import ScoreError

if TYPE_CHECKING:
    from wit_world.exports.guest import Batch, Texts

    from .session import Session


class TextColumn(Sequence[str]):
    """A column of texts, each decoded when it is first read."""

    __slots__ = ("_bytes", "_decoded", "_offsets")

    def __init__(self, column: "Texts") -> None:
        self._offsets = column.offsets
        self._bytes = column.bytes
        self._decoded: list[str | None] = [None] * max(len(column.offsets) - 1, 0)

    def __len__(self) -> int:
        return len(self._decoded)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        text = self._decoded[index]
        if text is None:
            position = index if index >= 0 else len(self) + index
            text = self._bytes[self._offsets[position] : self._offsets[position + 1]].decode()
            self._decoded[position] = text
        return text


class BatchView:
    """Sessions with one retriever's answer each.

    ``columns`` has the columns as the host sends them, for functions that want speed: lists of numbers, documented in
    ``scoring.wit`` and in ``wit_world/exports/guest.py``. Session i of a group with offsets has the rows
    ``offsets[i]`` to ``offsets[i + 1]``.
    """

    def __init__(self, columns: "Batch", needs: frozenset[str]) -> None:
        self.columns = columns
        self._needs = needs

    def __len__(self) -> int:
        """Returns the number of sessions; may be 0."""
        return self.columns.len

    def __iter__(self) -> Iterator["Session"]:
        """Yields a view of each session."""
        from .session import Session

        for index in range(self.columns.len):
            yield Session(self, index)

    def require(self, need: str, what: str) -> None:
        """Does nothing where the scorer asked for a group of columns.

        Raises:
            ScoreError: It did not, and therefore has no ``what``.
        """
        if need not in self._needs:
            raise ScoreError(f"`{what}` comes with the columns `{need}`: add `{need}` to `needs` of the scorer")

    def has(self, need: str) -> bool:
        """Returns whether the scorer asked for a group of columns."""
        return need in self._needs

    @cached_property
    def session_ids(self) -> TextColumn:
        """Ids of the sessions."""
        self.require("session-ids", "session_ids")
        return TextColumn(self.columns.session_ids)

    @cached_property
    def queries(self) -> TextColumn:
        """Query texts; empty where a session has none."""
        self.require("queries", "queries")
        return TextColumn(self.columns.queries)

    @cached_property
    def inputs(self) -> TextColumn:
        """Further inputs of the searches, as JSON text; empty where a session has none."""
        self.require("inputs", "inputs")
        return TextColumn(self.columns.inputs)

    @cached_property
    def expected(self) -> TextColumn:
        """Labelled outcomes, as JSON text; empty where a session has none."""
        self.require("expected", "expected")
        return TextColumn(self.columns.expected)

    @cached_property
    def taxonomy_paths(self) -> TextColumn:
        """Taxonomy paths of all sessions; ``columns.taxonomy.offsets`` says whose they are."""
        self.require("taxonomy", "taxonomy_paths")
        return TextColumn(self.columns.taxonomy.paths)

    @cached_property
    def kind_names(self) -> TextColumn:
        """The kinds of interactions that occur in this batch."""
        self.require("interactions", "kind_names")
        return TextColumn(self.columns.interactions.kind_names)

    @cached_property
    def item_ids(self) -> TextColumn:
        """The id of every item number in this batch."""
        self.require("item-ids", "item_ids")
        return TextColumn(self.columns.item_ids)

    @cached_property
    def item_fields(self) -> dict[str, TextColumn]:
        """Fields of every item number in this batch, by name."""
        self.require("item-fields", "item_fields")
        return {field.name: TextColumn(field.values) for field in self.columns.item_fields}

    def item_field(self, name: str) -> TextColumn:
        """Returns one field of every item number in this batch.

        Raises:
            ScoreError: The benchmark does not give this field.
        """
        try:
            return self.item_fields[name]
        except KeyError:
            given = ", ".join(f"`{given}`" for given in self.item_fields) or "none"
            raise ScoreError(
                f"the scorer reads the item field `{name}`, the benchmark gives {given}: "
                f"add it to `items.fields` of the scorer in the benchmark file"
            ) from None
