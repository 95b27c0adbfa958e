"""nDCG@k with linear gains, on the judged columns."""

import math

from rematch_scorer import Metric, batch_scorer


@batch_scorer(
    name="ndcg",
    version="1.0.0",
    summary="nDCG@k (Järvelin and Kekäläinen 2002): gain = grade, discount 1 / log2(rank + 1).",
    needs=["judged"],
    metrics=[Metric("ndcg", "Undefined where no item has a positive grade.", low=0, high=1)],
    params_schema={
        "type": "object",
        "properties": {"k": {"type": "integer", "minimum": 1, "default": 10}},
        "additionalProperties": False,
    },
    reusable=True,
)
def score(batch, params):
    """Yields the nDCG of each session."""
    k = int(params["k"])
    judged, ideal = batch.columns.judged, batch.columns.ideal
    # Judged ranks may go far beyond k; only the first k ever get a discount.
    depth = min(k, max(judged.ranks, default=0) + len(ideal.gains))
    discounts = [1.0 / math.log2(rank + 1.0) for rank in range(1, depth + 1)]
    ranks, grades, gains = judged.ranks, judged.grades, ideal.gains
    row = best = 0
    for row_end, best_end in zip(judged.offsets[1:], ideal.offsets[1:], strict=True):
        gained = 0.0
        for position in range(row, row_end):
            rank = ranks[position]
            if rank > k:
                break
            if grades[position] > 0.0:
                gained += grades[position] * discounts[rank - 1]
        possible = sum(map(float.__mul__, gains[best:best_end], discounts))
        # Rounding must not lift a perfect ranking above 1.
        yield min(gained / possible, 1.0) if 0.0 < possible < math.inf else None
        row, best = row_end, best_end
