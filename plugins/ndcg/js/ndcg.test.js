// Tests of nDCG: `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { run, sessions } from "../../../sdk-wit/js/rematch-scorer/testing.js";
import scorer from "./ndcg.js";

/** Returns nDCG as its definition reads. */
function byDefinition({ hits, relevance }, k) {
  const discounted = (grades) =>
    grades.slice(0, k).reduce((sum, grade, index) => sum + Math.max(grade, 0) / Math.log2(index + 2), 0);
  const ideal = discounted(Object.values(relevance).sort((one, other) => other - one));
  return ideal > 0 ? discounted(hits.map((hit) => relevance[hit] ?? 0)) / ideal : null;
}

/** Returns a generator of numbers in [0, 1) that always are the same (mulberry32). */
function dice(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("values are those of the definition", () => {
  const random = dice(3);
  const grades = [-1, 0, 0.5, 1, 2, 5];
  const rows = Array.from({ length: 300 }, () => {
    const items = Array.from({ length: Math.ceil(random() * 40) }, (_, index) => `i${index}`);
    const judged = items.filter(() => random() < 0.5);
    const relevance = Object.fromEntries(judged.map((item) => [item, grades[Math.floor(random() * grades.length)]]));
    return { hits: items.filter(() => random() < 0.7).sort(() => random() - 0.5), relevance };
  });
  for (const k of [1, 3, 10, 1000]) {
    const { values } = run(scorer, sessions(rows), { k });
    rows.forEach((row, index) => {
      const expected = byDefinition(row, k);
      if (expected === null) assert.equal(values[index], null);
      else assert.ok(Math.abs(values[index] - expected) < 1e-14, `${values[index]} is not ${expected}`);
    });
  }
});

test("edges", () => {
  const samples = sessions([
    { hits: ["a", "b"], relevance: { a: 2, b: 1 } },
    { hits: [], relevance: { a: 1 } },
    { hits: ["a"], relevance: { a: -1, b: 0 } },
    { hits: ["a"] },
    { hits: ["a"], relevance: { a: 1e308, b: 1e308, c: 1e308 } },
  ]);
  assert.deepEqual(run(scorer, samples).values, [1, 0, null, null, null]);
});

test("k must be a whole number of ranks", () => {
  for (const k of [0, -1, 1.5, "10", null]) {
    assert.throws(() => run(scorer, sessions([]), { k }), /invalid-params/);
  }
});
