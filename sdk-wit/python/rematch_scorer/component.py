"""The classes that componentize-py exports; the module that ``rematch_scorer.entry`` writes binds them to a scorer."""

from typing import TYPE_CHECKING

from componentize_py_types import Err
from wit_world.exports import guest

from . import scoring
from .declaration import ScoreError, Scorer
from .params import ParamsError

if TYPE_CHECKING:
    from wit_world.exports.aggregation import Column

_served: Scorer | None = None


def serve(scorer: Scorer) -> None:
    """Makes a scorer the one of this component."""
    global _served
    _served = scorer


def _scorer() -> Scorer:
    assert _served is not None
    return _served


class Guest:
    """The interface ``guest``."""

    def describe(self) -> guest.Description:
        """Returns what the scorer says of itself."""
        return scoring.describe(_scorer())

    def score(self, batch: guest.Batch, params: str) -> guest.Scores:
        """Returns the scores of a batch, or raises ``Err`` with why it has none."""
        try:
            return scoring.score(_scorer(), batch, params)
        except ParamsError as error:
            raise Err(guest.Failure_InvalidParams(str(error))) from None
        except ScoreError as error:
            raise Err(guest.Failure_Internal(str(error))) from None
        except Exception as error:  # without this the host would only see a trap
            raise Err(guest.Failure_Internal(scoring.explain(error))) from None


class Aggregation:
    """The interface ``aggregation``."""

    def aggregate(self, metrics: "list[Column]", params: str) -> float | None:
        """Returns the score of a run, or raises ``Err`` with why it has none."""
        try:
            return scoring.aggregate(_scorer(), [(column.values, column.known) for column in metrics], params)
        except (ParamsError, ScoreError) as error:
            raise Err(str(error)) from None
        except Exception as error:  # without this the host would only see a trap
            raise Err(scoring.explain(error)) from None
