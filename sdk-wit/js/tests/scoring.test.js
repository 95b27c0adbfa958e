// From what a function returns to what the host gets.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DeclarationError, ParamsError, ScoreError, defineScorer, log } from "../rematch-scorer/index.js";
import { run, sessions } from "../rematch-scorer/testing.js";

const THREE = sessions([{ query: "a" }, { query: "b" }, { query: "c" }]);
const METRICS = [{ name: "m", low: 0, high: 1 }, { name: "n" }];

/** Returns a scorer that answers each query with a value, or throws it. */
function byQuery(answers, definition = {}) {
  const score = (session) => {
    const answer = answers[session.query];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return defineScorer({ name: "probe", needs: ["queries"], metrics: METRICS, score, ...definition });
}

test("numbers, scores and null keep their places", () => {
  const { results } = run(byQuery({ a: 1, b: null, c: { value: 0.25, subScores: { n: -3.5 }, output: "naïve 🍮" } }), THREE);
  assert.deepEqual(results, [
    { value: 1, subScores: { n: null }, output: "", error: null },
    { value: null, subScores: { n: null }, output: "", error: null },
    { value: 0.25, subScores: { n: -3.5 }, output: "naïve 🍮", error: null },
  ]);
});

test("one bad session leaves its neighbours alone", () => {
  const bad = [
    ["metric `m` is NaN", NaN],
    ["metric `m` is Infinity", Infinity],
    ["below its lowest legal value 0", -0.5],
    ["above its highest legal value 1", 2],
    ["is of type string", "0.5"],
    ["is of type undefined", undefined],
    ["is of type undefined", {}],
    ["the sub-score `o`, declared are `n`", { value: 0.5, subScores: { o: 1 } }],
    ["metric `n` is NaN", { value: 0.5, subScores: { n: NaN } }],
    ["no price", new ScoreError("no price")],
    ["TypeError: oh (scoring.test.js:", new TypeError("oh")],
  ];
  for (const [message, answer] of bad) {
    const { results } = run(byQuery({ a: 0.5, b: answer, c: 1 }), THREE);
    assert.ok(results[1].error?.includes(message), `${message}: ${results[1].error}`);
    assert.deepEqual(results.map(({ value }) => value), [0.5, null, 1]);
  }
});

test("values of a run with errors are not read by accident", () => {
  const result = run(byQuery({ a: 1, b: new ScoreError("no price"), c: 1 }), THREE);
  assert.throws(() => result.values, /session 1 cannot be scored: no price/);
});

test("a score that depends on other sessions is found", () => {
  let seen = 0;
  const counter = defineScorer({ name: "counter", needs: [], metrics: [{ name: "m" }], score: () => (seen += 1) });
  assert.throws(() => run(counter, THREE), /must not depend on other sessions/);
});

test("a batch function returns one score per session", () => {
  const samples = sessions([{ hits: ["a", "b"] }, {}]);
  const sizes = defineScorer({
    name: "sizes",
    needs: ["hits"],
    metrics: [{ name: "hits" }],
    scoreBatch: ({ columns: { hits }, length }) =>
      Array.from({ length }, (_, index) => hits.offsets[index + 1] - hits.offsets[index]),
  });
  assert.deepEqual(run(sizes, samples).values, [2, 0]);
  const short = defineScorer({ name: "short", needs: [], metrics: METRICS, scoreBatch: () => [1] });
  assert.throws(() => run(short, samples), /internal: the scorer returned 1 scores for 2 sessions/);
});

test("messages are collected", () => {
  const chatty = byQuery({}, {
    score(session) {
      log.debug(session.query);
      log.warn("!");
      return 0;
    },
  });
  const { logs } = run(chatty, THREE);
  assert.deepEqual(logs.slice(0, 2), [
    { level: "debug", message: "a" },
    { level: "warn", message: "!" },
  ]);
  assert.equal(logs.length, 6);
});

test("a run is summed up by the scorer itself", () => {
  const answers = { a: { value: 1, subScores: { n: 2 } }, b: null, c: { value: 0, subScores: { n: 6 } } };
  const ratio = byQuery(answers, {
    aggregate(metrics) {
      assert.deepEqual(metrics, { m: [1, null, 0], n: [2, null, 6] });
      return metrics.n.reduce((sum, value) => sum + (value ?? 0), 0);
    },
  });
  assert.equal(run(ratio, THREE).runScore, 8);
  assert.throws(() => run(byQuery(answers, { aggregate: () => NaN }), THREE), /the score of the run is NaN/);
  assert.equal(byQuery(answers).aggregation, undefined);
});

test("the description has what was declared", () => {
  const description = byQuery({}, {
    needs: ["hit-scores", "interaction-details"],
    version: "1.2.0",
    paramsSchema: { type: "object" },
  }).guest.describe();
  assert.deepEqual(description, {
    name: "probe",
    version: "1.2.0",
    summary: "",
    paramsSchema: '{"type":"object"}',
    needs: { hitScores: true, hits: true, interactionDetails: true, interactions: true },
    metrics: [
      { name: "m", summary: "", higherIsBetter: true, low: 0, high: 1 },
      { name: "n", summary: "", higherIsBetter: true, low: null, high: null },
    ],
    reusable: false,
  });
});

test("a declaration that cannot be is refused", () => {
  const bad = [
    [/unknown need `hit`/, { needs: ["hit"] }],
    [/at least one metric/, { metrics: [] }],
    [/two metrics/, { metrics: [{ name: "m" }, { name: "m" }] }],
    [/1 to 64 letters/, { metrics: [{ name: "a b" }] }],
    [/which is none/, { metrics: [{ name: "m", low: 2, high: 1 }] }],
    [/must not be empty/, { name: "" }],
    [/either `score` or `scoreBatch`/, { scoreBatch: () => [] }],
  ];
  for (const [message, definition] of bad) {
    assert.throws(() => byQuery({}, definition), (error) => error instanceof DeclarationError && message.test(error.message));
  }
});

const SCHEMA = {
  type: "object",
  properties: {
    k: { type: "integer", minimum: 1, maximum: 100, default: 10 },
    mode: { enum: ["all", "some"] },
    weights: { type: "array", items: { type: "number", exclusiveMinimum: 0 } },
    flag: { type: ["boolean", "null"] },
  },
  additionalProperties: false,
};

/** Returns the parameters that a scorer with a schema gets for a text. */
function read(text, schema = SCHEMA) {
  let seen;
  const empty = sessions([]).batch(new Set(), []);
  byQuery({}, { paramsSchema: schema, prepare: (params) => void (seen = params) }).guest.score(empty, text);
  return seen;
}

test("legal parameters come with defaults", () => {
  assert.deepEqual(read("{}"), { k: 10 });
  assert.deepEqual(read('{"k": 3.0, "mode": "all", "flag": null}'), { k: 3, mode: "all", flag: null });
});

test("illegal parameters say what was found and expected", () => {
  const bad = [
    ["{", "the parameters are not JSON"],
    ["[]", "must be an object, found `[]`"],
    ['{"k": 0}', "parameter `k` must be at least `1`, found `0`"],
    ['{"k": 101}', "at most `100`"],
    ['{"k": 1.5}', "must be of type integer, found `1.5`"],
    ['{"k": true}', "must be of type integer, found `true`"],
    ['{"mode": "none"}', 'must be one of `"all"`, `"some"`, found `"none"`'],
    ['{"weights": [1, 0]}', "parameter `weights[1]` must be above `0`"],
    ['{"flag": 1}', "must be of type boolean or null"],
    ['{"key": 1}', "unknown parameter `key`, expected `k`, `mode`, `weights`, `flag`"],
  ];
  for (const [text, message] of bad) {
    assert.throws(() => read(text), (failure) => failure.tag === "invalid-params" && failure.val.includes(message), text);
  }
  assert.throws(() => read("{}", { ...SCHEMA, required: ["mode"] }), { tag: "invalid-params", val: "parameter `mode` is missing" });
});

test("`prepare` may refuse and replace", () => {
  const scorer = defineScorer({
    name: "probe",
    needs: [],
    metrics: [{ name: "m" }],
    prepare({ a = 0, b = 0 }) {
      if (a > b) throw new ParamsError("`a` must not be above `b`");
      if (b > 9) throw new RangeError("`b` is out of range");
      return a * 2;
    },
    score: (session, doubled) => doubled,
  });
  assert.deepEqual(run(scorer, THREE, { a: 2, b: 3 }).values, [4, 4, 4]);
  assert.throws(() => run(scorer, THREE, { a: 4, b: 3 }), /invalid-params: `a` must not be above `b`/);
  assert.throws(() => run(scorer, THREE, { b: 10 }), /invalid-params: `b` is out of range/);
});
