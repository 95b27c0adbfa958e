// Tests of snippet-judge: `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { run, sessions } from "../../sdk-wit/js/rematch-scorer/testing.js";
import scorer, { judge, terms } from "./snippet-judge.js";

const ITEMS = {
  p1: { title: "Crème Kettle, 1 L" },
  p2: { title: "Cordless Kettles" },
  p3: { title: "Toaster" },
};

/** Returns what the scorer makes of one query. */
function scored(query, hits, params) {
  const [result] = run(scorer, sessions([{ query, hits }], ITEMS), params).results;
  assert.equal(result.error, null);
  return result;
}

test("all, some and none are worth 1, one half and 0, discounted by rank", () => {
  const { value, subScores, output } = scored("creme kettle", ["p1", "p2", "p3"]);
  const [second, third] = [1 / Math.log2(3), 1 / Math.log2(4)];
  assert.ok(Math.abs(value - (1 + 0.5 * second) / (1 + second + third)) < 1e-15);
  assert.deepEqual(subScores, { all_terms: 1 / 3 });
  assert.equal(output, "2 p2 lacks creme; 3 p3 lacks creme, kettle");
});

test("only the first k hits are judged, and as many as there are", () => {
  assert.equal(scored("kettle", ["p1", "p3"], { k: 1 }).value, 1);
  assert.equal(scored("kettle", ["p1", "p2"], { k: 100 }).value, 1);
});

test("the worth of a title with some terms can be set", () => {
  assert.equal(scored("creme kettle", ["p2"], { some: 0.25 }).value, 0.25);
});

test("no terms and no hits are undefined", () => {
  assert.equal(scored("", ["p1"]).value, null);
  assert.equal(scored("the !", ["p1"]).value, null);
  assert.equal(scored("kettle", []).value, null);
});

test("an item that does not stand in the corpus has none of the terms", () => {
  assert.equal(scored("kettle", ["p9"]).value, 0);
});

test("illegal parameters are refused", () => {
  for (const params of [{ k: 0 }, { some: 2 }, { half: 0.5 }]) {
    assert.throws(() => scored("kettle", ["p1"], params), /invalid-params/);
  }
});

test("terms are folded, plurals joined, stop words dropped", () => {
  assert.deepEqual([...terms("The Crème-Brûlées of GLASS kettles, kettle; bus 4 ls")], ["creme", "brulee", "glass", "kettle", "bus", "4", "ls"]);
});

test("a judge says what is missing", () => {
  assert.deepEqual(judge(terms("red kettle"), "Kettle"), { verdict: "some", missing: ["red"] });
});
