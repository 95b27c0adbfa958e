// Tests of {{name}}: `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { run, sessions } from "./sdk/rematch-scorer/testing.js";
import scorer from "./scorer.js";

const SAMPLES = sessions([
  { id: "second", hits: ["a", "b", "c"], relevance: { b: 2, c: 1 } },
  { id: "missed", hits: ["a"], relevance: { z: 3 } },
  { id: "nothing to find", hits: ["a"], relevance: { a: 0 } },
]);

test("the first relevant hit decides", () => {
  assert.deepEqual(run(scorer, SAMPLES).values, [0.5, 0, null]);
});

test("sub-scores and texts go with it", () => {
  const [first] = run(scorer, SAMPLES).results;
  assert.deepEqual(first.subScores, { relevant_hits: 2 });
  assert.equal(first.output, "first relevant hit at rank 2");
});

test("parameters change what counts", () => {
  assert.deepEqual(run(scorer, SAMPLES, { k: 1 }).values, [0, 0, null]);
  assert.deepEqual(run(scorer, SAMPLES, { grade: 3 }).values, [null, 0, null]);
});

test("wrong parameters are refused", () => {
  assert.throws(() => run(scorer, SAMPLES, { k: 0 }), /parameter `k` must be at least `1`/);
});
