"""Scoring functions for Rematch in Python.

A scoring function looks at what a retriever returned for one recorded search and gives it a number. It is a function
and a declaration of what the function is and reads:

    from rematch_scorer import Metric, scorer

    @scorer(name="first-hit", version="1.0.0", needs=["judged"], metrics=[Metric("found", low=0, high=1)])
    def score(session, params):
        if not session.ideal:
            return None  # undefined: there is nothing to find
        return 1.0 if any(hit.rank == 1 and hit.grade > 0 for hit in session.judged) else 0.0

``rematch_scorer.testing`` runs it on sample sessions in ordinary Python; ``rematch plugin build`` makes a WebAssembly
component of it, in which there is no clock, no randomness, no file and no network.
"""

from . import log
from .batch import BatchView, TextColumn
from .declaration import DeclarationError, Metric, Need, Score, ScoreError, Scorer, batch_scorer, scorer
from .params import ParamsError
from .session import Hit, Interaction, JudgedHit, Session, ShownItem

__all__ = [
    "BatchView",
    "DeclarationError",
    "Hit",
    "Interaction",
    "JudgedHit",
    "Metric",
    "Need",
    "ParamsError",
    "Score",
    "ScoreError",
    "Scorer",
    "Session",
    "ShownItem",
    "TextColumn",
    "batch_scorer",
    "log",
    "scorer",
]
