"""How well the titles of the first hits cover the words of the query, typing mistakes forgiven."""

import math
import re
import unicodedata
from collections.abc import Mapping
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any, NamedTuple

from rematch_scorer import Metric, Score, Session, scorer

STOP_WORDS = frozenset("a an and at by for from in into is my of on or the to with without".split())
"""Words that say nothing about an item."""

SHORTEST_FORGIVEN = 4
"""Letters from which on a word may be misspelt: in a shorter one a single letter makes another word."""


class Params(NamedTuple):
    """What the benchmark says, with one discount per rank."""

    field: str
    similarity: float
    discounts: list[float]


@scorer(
    name="query-words",
    version="1.0.0",
    summary="The discounted share of the query's words that the titles of the first k hits have.",
    needs=["hits", "queries", "item-fields"],
    metrics=[
        Metric("coverage", "Undefined where the query has no words.", low=0, high=1),
        Metric("complete", "The share of the first k ranks whose hit has every word.", low=0, high=1),
    ],
    params_schema={
        "type": "object",
        "properties": {
            "k": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
            "field": {"type": "string", "default": "title"},
            "similarity": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.8},
        },
        "additionalProperties": False,
    },
    reusable=True,
)
def score(session: Session, params: Params) -> Score | None:
    """Returns the coverage of one session."""
    wanted = content_words(session.query)
    if not wanted:
        return None
    covered = 0.0
    complete = 0
    met: set[str] = set()
    for hit, discount in zip(session.hits, params.discounts, strict=False):
        there = content_words(session.item_field(params.field, hit.item))
        found = [word for word in wanted if has(there, word, params.similarity)]
        met.update(found)
        covered += discount * len(found) / len(wanted)
        complete += len(found) == len(wanted)
    missed = [word for word in wanted if word not in met]
    return Score(
        # Rounding must not lift a perfect ranking above 1.
        min(covered / math.fsum(params.discounts), 1.0),
        {"complete": complete / len(params.discounts)},
        output=f"no hit has: {', '.join(missed)}" if missed else "",
    )


@score.prepare
def prepare(params: Mapping[str, Any]) -> Params:
    """Computes the discounts once for all sessions of a batch."""
    discounts = [1.0 / math.log2(rank + 1.0) for rank in range(1, int(params["k"]) + 1)]
    return Params(params["field"], float(params["similarity"]), discounts)


# What is remembered below is the same for every session, so that an instance may be reused.


@lru_cache(maxsize=4096)
def content_words(text: str) -> tuple[str, ...]:
    """Returns the words of a text, each once: without accents, in lower case, no stop words."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return tuple(dict.fromkeys(word for word in re.findall(r"\w+", plain) if word not in STOP_WORDS))


def has(words: tuple[str, ...], wanted: str, similarity: float) -> bool:
    """Returns whether one of the words is the wanted one or similar enough to be a misspelling of it."""
    return wanted in words or any(similar(word, wanted) >= similarity for word in words)


@lru_cache(maxsize=65536)
def similar(word: str, wanted: str) -> float:
    """Returns twice the letters in common blocks over all letters (Ratcliff and Metzener 1988), in [0, 1]."""
    if min(len(word), len(wanted)) < SHORTEST_FORGIVEN:
        return float(word == wanted)
    return SequenceMatcher(None, word, wanted, autojunk=False).ratio()
