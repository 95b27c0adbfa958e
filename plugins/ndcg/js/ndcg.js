// nDCG@k with linear gains, on the judged columns.

import { defineScorer } from "../../../sdk-wit/js/rematch-scorer/index.js";

export default defineScorer({
  name: "ndcg",
  version: "1.0.0",
  summary: "nDCG@k (Järvelin and Kekäläinen 2002): gain = grade, discount 1 / log2(rank + 1).",
  needs: ["judged"],
  metrics: [{ name: "ndcg", summary: "Undefined where no item has a positive grade.", low: 0, high: 1 }],
  paramsSchema: {
    type: "object",
    properties: { k: { type: "integer", minimum: 1, default: 10 } },
    additionalProperties: false,
  },
  reusable: true,

  *scoreBatch({ columns: { judged, ideal }, length }, { k }) {
    const discounts = [];
    const discount = (rank) => {
      while (discounts.length < rank) discounts.push(1 / Math.log2(discounts.length + 2));
      return discounts[rank - 1];
    };
    for (let session = 0; session < length; session += 1) {
      let gained = 0;
      for (let row = judged.offsets[session]; row < judged.offsets[session + 1] && judged.ranks[row] <= k; row += 1) {
        if (judged.grades[row] > 0) gained += judged.grades[row] * discount(judged.ranks[row]);
      }
      let possible = 0;
      const first = ideal.offsets[session];
      const best = Math.min(ideal.offsets[session + 1], first + k);
      for (let row = first; row < best; row += 1) possible += ideal.gains[row] * discount(row - first + 1);
      // Rounding must not lift a perfect ranking above 1.
      yield possible > 0 && possible < Infinity ? Math.min(gained / possible, 1) : null;
    }
  },
});
