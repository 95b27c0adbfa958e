// What a session shows of its columns.

import assert from "node:assert/strict";
import { test } from "node:test";

import { defineScorer } from "../rematch-scorer/index.js";
import { run, sessions } from "../rematch-scorer/testing.js";

const EVERYTHING = [
  "judged",
  "relevance",
  "hits",
  "hit-scores",
  "shown",
  "interactions",
  "interaction-details",
  "session-ids",
  "times",
  "queries",
  "query-vectors",
  "inputs",
  "expected",
  "taxonomy",
  "item-ids",
  "item-fields",
];

const SAMPLES = sessions(
  [
    {},
    {
      id: "café",
      query: "crème brûlée 🍮",
      queryVector: [0.5, -1],
      timeMs: 1_700_000_000_000,
      inputs: { locale: "fr" },
      expected: ["b"],
      taxonomy: ["food/dessert", "food"],
      hits: [["a", 2.5], "b", ["c", 0]],
      relevance: { c: 1, b: 3, z: 2, a: -1 },
      shown: ["b", { item: "a", score: 1.5, propensity: 0.25 }],
      interactions: [
        { item: "b", kind: "click", position: 1, timeMs: 5 },
        { item: "z", kind: "purchase", value: 9.5 },
      ],
    },
  ],
  { a: { title: "Émile", tags: ["x", "y"], price: 2.5 }, b: { title: "Bé", stock: true } },
);

const probe = (score, needs = EVERYTHING) => defineScorer({ name: "probe", needs, metrics: [{ name: "m" }], score });

test("every column comes out as it went in", () => {
  const seen = [];
  const scorer = probe((session) => {
    const fields = (name) => session.hits.map(({ item }) => session.itemField(name, item));
    seen.push({
      texts: [session.id, session.query, session.taxonomy, session.hits.map(({ item }) => session.itemId(item))],
      numbers: [session.queryVector, session.timeMs, session.ideal],
      json: [session.inputs, session.expected],
      hits: session.hits.map(({ rank, score }) => [rank, score]),
      judged: session.judged,
      relevance: [...session.relevance].map(([item, grade]) => [session.itemId(item), grade]),
      shown: session.shown.map(({ rank, item, score, propensity }) => [rank, session.itemId(item), score, propensity]),
      acts: session.interactions.map(({ item, ...act }) => ({ id: session.itemId(item), ...act })),
      fields: ["title", "tags", "price", "stock"].map(fields),
    });
    return 1;
  });
  assert.deepEqual(run(scorer, SAMPLES).values, [1, 1]);
  assert.deepEqual(seen[0].texts, ["s0", "", [], []]);
  assert.deepEqual(seen[0].numbers, [[], null, []]);
  assert.deepEqual(seen[0].json, [null, null]);
  assert.deepEqual(seen[1], {
    texts: ["café", "crème brûlée 🍮", ["food/dessert", "food"], ["a", "b", "c"]],
    numbers: [[0.5, -1], 1_700_000_000_000, [3, 2, 1]],
    json: [{ locale: "fr" }, ["b"]],
    hits: [
      [1, 2.5],
      [2, null],
      [3, 0],
    ],
    judged: [
      { rank: 1, grade: -1 },
      { rank: 2, grade: 3 },
      { rank: 3, grade: 1 },
    ],
    relevance: [
      ["a", -1],
      ["b", 3],
      ["c", 1],
      ["z", 2],
    ],
    shown: [
      [1, "b", null, null],
      [2, "a", 1.5, 0.25],
    ],
    acts: [
      { id: "b", kind: "click", position: 1, timeMs: 5, value: null },
      { id: "z", kind: "purchase", position: null, timeMs: null, value: 9.5 },
    ],
    fields: [
      ["Émile", "Bé", ""],
      ["x y", "", ""],
      ["2.5", "", ""],
      ["", "true", ""],
    ],
  });
});

test("details that were not asked for are null", () => {
  const scorer = probe(
    (session) => {
      assert.ok(session.hits.every(({ score }) => score === null));
      for (const { position, timeMs, value } of session.interactions) {
        assert.deepEqual([position, timeMs, value], [null, null, null]);
      }
      return session.interactions.length;
    },
    ["hits", "interactions"],
  );
  assert.deepEqual(run(scorer, SAMPLES).values, [0, 2]);
});

test("a column that was not asked for says which need is missing", () => {
  const views = {
    judged: (session) => session.ideal,
    relevance: (session) => session.relevance,
    hits: (session) => session.hits,
    shown: (session) => session.shown,
    interactions: (session) => session.interactions,
    "session-ids": (session) => session.id,
    times: (session) => session.timeMs,
    queries: (session) => session.query,
    "query-vectors": (session) => session.queryVector,
    inputs: (session) => session.inputs,
    expected: (session) => session.expected,
    taxonomy: (session) => session.taxonomy,
    "item-ids": (session) => session.itemId(0),
    "item-fields": (session) => session.itemField("title", 0),
  };
  for (const [need, view] of Object.entries(views)) {
    const { error } = run(probe(view, []), SAMPLES).results[1];
    assert.ok(error?.includes(`add \`${need}\` to \`needs\``), `${need}: ${error}`);
  }
});

test("an unknown item field names those that the benchmark gives", () => {
  const { error } = run(probe((session) => session.itemField("colour", 0)), SAMPLES).results[1];
  assert.match(error, /item field `colour`, the benchmark gives `title`, `tags`, `price`, `stock`/);
});

test("an item number that is none is an error", () => {
  assert.match(run(probe((session) => session.itemId(99)), SAMPLES).results[1].error, /RangeError: there is no text 99 /);
});
