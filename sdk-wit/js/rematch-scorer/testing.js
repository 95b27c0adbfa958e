/**
 * Runs a scorer on sample sessions in Node, through the code that the component runs.
 *
 * ```js
 * const samples = sessions(
 *   [{ id: "s1", query: "desk lamp", hits: ["a", "b"], relevance: { a: 2 } }],
 *   { a: { title: "Desk lamp" }, b: { title: "Floor lamp" } },
 * );
 * assert.deepEqual(run(scorer, samples, { k: 10 }).values, [1]);
 * ```
 *
 * @module
 */

import { TextColumn } from "./batch.js";
import { connect } from "./log.js";
import { SampleBatch } from "./sample-batch.js";

/** @typedef {import("./types.d.ts").SampleSession} SampleSession */
/** @typedef {import("./types.d.ts").Corpus} Corpus */

const KEYS = [
  "id",
  "query",
  "queryVector",
  "timeMs",
  "inputs",
  "expected",
  "taxonomy",
  "hits",
  "relevance",
  "shown",
  "interactions",
];

/** Sample sessions; `sessions` makes them. */
export class Sessions {
  /**
   * @param {SampleSession[]} rows
   * @param {Corpus} items
   */
  constructor(rows, items) {
    this.rows = rows;
    this.items = items;
  }

  /**
   * Returns some of the sessions as the host would send them to a scorer with these needs.
   *
   * @param {ReadonlySet<string>} needs
   * @param {number[]} indices
   */
  batch(needs, indices) {
    const rows = indices.map((index) => this.rows[index]);
    return new SampleBatch(rows, this.items, needs).columns();
  }
}

/**
 * Returns sample sessions for `run`.
 *
 * @param {SampleSession[]} rows An object for each session; every key may be left out.
 * @param {Corpus} [items] The corpus: the fields of each item by item id.
 * @throws {TypeError} A session has an unknown key.
 */
export function sessions(rows, items = {}) {
  rows.forEach((row, index) => {
    for (const key of Object.keys(row)) {
      if (!KEYS.includes(key)) {
        throw new TypeError(`session ${index} has the unknown key \`${key}\`, expected ${KEYS.join(", ")}`);
      }
    }
  });
  return new Sessions(rows, items);
}

/**
 * What a scorer made of one session. `value` is `null` where the score is undefined or an error; `error` says why the
 * session cannot be scored and is `null` where it was.
 *
 * @typedef {{ value: number | null, subScores: Record<string, number | null>, output: string, error: string | null }} Result
 */

/** What a scorer made of all sessions. */
export class Run {
  /**
   * @param {Result[]} results
   * @param {number | null} runScore
   * @param {{ level: string, message: string }[]} logs
   */
  constructor(results, runScore, logs) {
    /** One result per session, in their order. */
    this.results = results;
    /** What the scorer's `aggregate` returned; `null` without one. */
    this.runScore = runScore;
    /** Messages. */
    this.logs = logs;
  }

  /**
   * The score of each session, `null` where it is undefined. Throws where a session has an error.
   * @returns {(number | null)[]}
   */
  get values() {
    return this.results.map(({ value, error }, index) => {
      if (error !== null) throw new Error(`session ${index} cannot be scored: ${error}`);
      return value;
    });
  }
}

/**
 * Returns what a scorer makes of sessions.
 *
 * Like the host it first calls with an empty batch to check the parameters. It then scores the sessions together, each
 * alone, and in reverse order, which must give the same.
 *
 * @param {import("./define.js").Scorer} scorer
 * @param {Sessions} samples
 * @param {Record<string, any>} [params]
 * @returns {Run}
 * @throws {Error} The parameters are wrong, the batch cannot be scored, or a score depends on the other sessions.
 */
export function run(scorer, samples, params = {}) {
  const text = JSON.stringify(params);
  const everything = samples.rows.map((_, index) => index);
  /** @type {{ level: string, message: string }[]} */
  const logs = [];
  const together = collecting(logs, () => {
    called(() => scorer.guest.score(samples.batch(scorer.needs, []), text));
    return scored(scorer, samples, everything, text);
  });
  const [alone, backwards] = collecting([], () => [
    everything.flatMap((index) => scored(scorer, samples, [index], text)),
    scored(scorer, samples, everything.toReversed(), text).toReversed(),
  ]);
  for (const index of everything) {
    const [first, second, third] = [together, alone, backwards].map((results) => JSON.stringify(results[index]));
    if (first !== second || first !== third) {
      throw new Error(
        `session ${index} gets ${first} in the batch, ${second} alone and ${third} in a batch in reverse order: ` +
          "a score must not depend on other sessions",
      );
    }
  }
  return new Run(together, runScore(scorer, together, text), logs);
}

/**
 * @param {import("./define.js").Scorer} scorer
 * @param {Sessions} samples
 * @param {number[]} indices
 * @param {string} params
 * @returns {Result[]}
 */
function scored(scorer, samples, indices, params) {
  const scores = called(() => scorer.guest.score(samples.batch(scorer.needs, indices), params));
  const [main, ...others] = scorer.definition.metrics.map(({ name }) => name);
  const errors = new Map(scores.errors.map(({ index, message }) => [index, message]));
  const missing = new Set(scores.undefined);
  const outputs = new TextColumn(scores.outputs);
  const valueOf = (/** @type {number} */ metric, /** @type {number} */ index) => {
    const position = metric * indices.length + index;
    return errors.has(index) || missing.has(position) ? null : scores.values[position];
  };
  return indices.map((_, index) => ({
    value: valueOf(0, index),
    subScores: Object.fromEntries(others.map((name, other) => [name, valueOf(other + 1, index)])),
    output: outputs.length > 0 ? outputs.at(index) : "",
    error: errors.get(index) ?? null,
  }));
}

/**
 * @param {import("./define.js").Scorer} scorer
 * @param {Result[]} results
 * @param {string} params
 */
function runScore(scorer, results, params) {
  const aggregation = scorer.aggregation;
  if (!aggregation) return null;
  const columns = scorer.definition.metrics.map(({ name }, metric) => {
    const values = results.map(({ value, subScores }) => (metric === 0 ? value : subScores[name]));
    return { values: values.map((value) => value ?? 0), known: values.map((value) => value !== null) };
  });
  return called(() => aggregation.aggregate(columns, params));
}

/**
 * Makes an `Error` of what a component throws at the host.
 *
 * @template T
 * @param {() => T} call
 * @returns {T}
 */
function called(call) {
  try {
    return call();
  } catch (error) {
    const failure = /** @type {any} */ (error);
    if (failure?.tag) throw new Error(`${failure.tag}: ${failure.val}`);
    throw typeof failure === "string" ? new Error(failure) : failure;
  }
}

/**
 * @template T
 * @param {{ level: string, message: string }[]} logs
 * @param {() => T} work
 * @returns {T}
 */
function collecting(logs, work) {
  const before = connect((level, message) => logs.push({ level, message }));
  try {
    return work();
  } finally {
    connect(before);
  }
}
