// {{name}}: how soon a user who reads from the top meets the first relevant hit.

import { defineScorer } from "./sdk/rematch-scorer/index.js";

export default defineScorer({
  name: "{{name}}",
  version: "0.1.0",
  summary: "1 / rank of the first hit whose grade is at least `grade`, 0 where the first `k` hits have none.",
  needs: ["judged"],
  metrics: [
    { name: "first_hit", summary: "Undefined where no item of the session is relevant.", low: 0, high: 1 },
    { name: "relevant_hits", summary: "How many of the first k hits are relevant.", low: 0 },
  ],
  paramsSchema: {
    type: "object",
    properties: {
      k: { type: "integer", minimum: 1, default: 10, description: "How far the user reads." },
      grade: { type: "number", default: 1, description: "The lowest grade that is relevant." },
    },
    additionalProperties: false,
  },
  reusable: true,

  // Returns the score of one session, `null` where it is undefined.
  score(session, { k, grade }) {
    if (!session.ideal.some((gain) => gain >= grade)) return null;
    const relevant = session.judged.filter((hit) => hit.rank <= k && hit.grade >= grade);
    if (relevant.length === 0) return { value: 0, subScores: { relevant_hits: 0 }, output: "nothing relevant" };
    const { rank } = relevant[0];
    return {
      value: 1 / rank,
      subScores: { relevant_hits: relevant.length },
      output: `first relevant hit at rank ${rank}`,
    };
  },
});
