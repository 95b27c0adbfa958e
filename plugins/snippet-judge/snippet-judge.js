// A judge of what a user reads in the list of results: does the title of each hit say what was searched?

import { defineScorer } from "../../sdk-wit/js/rematch-scorer/index.js";

/** Words that say nothing about an item. */
const STOP_WORDS = new Set("a an and at by for from in into is my of on or the to with without".split(" "));

/** Grades of a hit by what its title has of the query's terms. */
const VERDICTS = { all: 1, some: 0.5, none: 0 };

/**
 * Returns the terms of a text, each once: lower case, without accents, regular plurals as singulars, no stop words.
 *
 * @param {string} text
 * @returns {Set<string>}
 */
export function terms(text) {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Set(words.filter((word) => !STOP_WORDS.has(word)).map(singular));
}

/** @param {string} word */
function singular(word) {
  return word.length > 3 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
}

/**
 * Returns the verdict on a title, and the terms that it lacks.
 *
 * @param {Set<string>} wanted at least one term
 * @param {string} title
 */
export function judge(wanted, title) {
  const there = terms(title);
  const missing = [...wanted].filter((term) => !there.has(term));
  const verdict = missing.length === 0 ? "all" : missing.length < wanted.size ? "some" : "none";
  return { verdict, missing };
}

export default defineScorer({
  name: "snippet-judge",
  version: "1.0.0",
  summary: "The discounted mean verdict on the titles of the first k hits: all of the query's terms, some, or none.",
  needs: ["hits", "queries", "item-fields", "item-ids"],
  metrics: [
    { name: "verdict", summary: "Undefined where the query has no terms or nothing was returned.", low: 0, high: 1 },
    { name: "all_terms", summary: "The share of the first k hits whose title has every term.", low: 0, high: 1 },
  ],
  paramsSchema: {
    type: "object",
    properties: {
      k: { type: "integer", minimum: 1, maximum: 100, default: 5 },
      field: { type: "string", default: "title" },
      some: { type: "number", minimum: 0, maximum: 1, default: VERDICTS.some },
    },
    additionalProperties: false,
  },
  reusable: true,

  score(session, { k, field, some }) {
    const wanted = terms(session.query);
    const hits = session.hits.slice(0, k);
    if (wanted.size === 0 || hits.length === 0) return null;
    const failed = [];
    let sum = 0;
    let weights = 0;
    for (const { rank, item } of hits) {
      const { verdict, missing } = judge(wanted, session.itemField(field, item));
      const weight = 1 / Math.log2(rank + 1);
      sum += weight * (verdict === "some" ? some : VERDICTS[verdict]);
      weights += weight;
      if (missing.length > 0) failed.push(`${rank} ${session.itemId(item)} lacks ${missing.join(", ")}`);
    }
    return {
      // Rounding must not lift a perfect ranking above 1.
      value: Math.min(sum / weights, 1),
      subScores: { all_terms: (hits.length - failed.length) / hits.length },
      output: failed.join("; "),
    };
  },
});
