"""{{name}}: how soon a user who reads from the top meets the first relevant hit."""

from typing import Any

from rematch_scorer import Metric, Score, Session, scorer


@scorer(
    name="{{name}}",
    version="0.1.0",
    summary="1 / rank of the first hit whose grade is at least `grade`, 0 where the first `k` hits have none.",
    needs=["judged"],
    metrics=[
        Metric("first_hit", "Undefined where no item of the session is relevant.", low=0, high=1),
        Metric("relevant_hits", "How many of the first k hits are relevant.", low=0),
    ],
    params_schema={
        "type": "object",
        "properties": {
            "k": {"type": "integer", "minimum": 1, "default": 10, "description": "How far the user reads."},
            "grade": {"type": "number", "default": 1, "description": "The lowest grade that is relevant."},
        },
        "additionalProperties": False,
    },
    reusable=True,
)
def score(session: Session, params: dict[str, Any]) -> Score | None:
    """Returns the score of one session, `None` where it is undefined."""
    if not any(gain >= params["grade"] for gain in session.ideal):
        return None
    ranks = [hit.rank for hit in session.judged if hit.rank <= params["k"] and hit.grade >= params["grade"]]
    if not ranks:
        return Score(0.0, {"relevant_hits": 0}, output="nothing relevant")
    return Score(1 / ranks[0], {"relevant_hits": len(ranks)}, output=f"first relevant hit at rank {ranks[0]}")
