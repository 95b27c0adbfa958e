/**
 * From a scorer to what the contract asks for: `describe`, `score` and `aggregate`.
 *
 * @module
 */

import { BatchView } from "./batch.js";
import { ParamsError, readParams } from "./params.js";
import { ScoreError } from "./score-error.js";
import { Session } from "./session.js";
import { encode } from "./text.js";

/** @typedef {import("./define.js").Scorer} Scorer */
/** @typedef {import("./types.d.ts").Scored} Scored */

/** The folder of these files, which the place of an error in a scorer is not in. */
const OWN_FRAME = "rematch-scorer/";

/**
 * Returns what the scorer says of itself.
 *
 * @param {Scorer} scorer
 * @returns {import("./types.d.ts").Description}
 */
export function describe(scorer) {
  const { name, version = "", summary = "", paramsSchema, metrics, reusable = false } = scorer.definition;
  const camel = (/** @type {string} */ need) => need.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  return {
    name,
    version,
    summary,
    paramsSchema: paramsSchema ? JSON.stringify(paramsSchema) : "",
    needs: Object.fromEntries([...scorer.needs].map((need) => [camel(need), true])),
    metrics: metrics.map((metric) => ({
      name: metric.name,
      summary: metric.summary ?? "",
      higherIsBetter: metric.higherIsBetter ?? true,
      low: metric.low ?? null,
      high: metric.high ?? null,
    })),
    reusable,
  };
}

/**
 * Returns the scores of a batch.
 *
 * @param {Scorer} scorer
 * @param {import("./types.d.ts").Columns} columns
 * @param {string} paramsText
 * @returns {import("./types.d.ts").Scores}
 * @throws the variant `failure` of the contract
 */
export function score(scorer, columns, paramsText) {
  try {
    const { score: scoreSession, scoreBatch } = scorer.definition;
    const params = prepared(scorer, paramsText);
    const batch = new BatchView(columns, scorer.needs);
    const table = new ScoreTable(scorer.definition.metrics, batch.length);
    if (scoreBatch && batch.length > 0) table.setAll(scoreBatch.call(scorer.definition, batch, params));
    for (let index = 0; scoreSession && index < batch.length; index += 1) {
      table.attempt(index, () => scoreSession.call(scorer.definition, new Session(batch, index), params));
    }
    return table.scores();
  } catch (error) {
    // What a component throws at the host is not an `Error` but the variant itself.
    throw { tag: error instanceof ParamsError ? "invalid-params" : "internal", val: explain(error) };
  }
}

/**
 * Returns the score of a run from a column for each metric, `null` where it is undefined.
 *
 * @param {Scorer} scorer
 * @param {import("./types.d.ts").Optional[]} columns
 * @param {string} paramsText
 * @returns {number | null}
 * @throws why there is none, as a string
 */
export function aggregate(scorer, columns, paramsText) {
  try {
    const { metrics, name, aggregate: sumUp } = scorer.definition;
    if (!sumUp) throw new ScoreError(`\`${name}\` has no \`aggregate\``);
    const runs = Object.fromEntries(
      metrics.map((metric, row) => {
        const { values, known } = columns[row];
        return [metric.name, values.map((value, index) => (known[index] ? value : null))];
      }),
    );
    const value = sumUp.call(scorer.definition, runs, prepared(scorer, paramsText));
    const problem = value === null ? null : problemOf("the score of the run", value, {});
    if (problem) throw new ScoreError(problem);
    return value;
  } catch (error) {
    throw explain(error);
  }
}

/**
 * Returns an error in one line, with the place in the scorer where it was raised unless it is meant for people already.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (error instanceof ScoreError || error instanceof ParamsError) return error.message;
  if (!(error instanceof Error)) return `the scorer threw ${String(error)}`;
  const frames = (error.stack ?? "").split("\n").filter((line) => /:\d+/.test(line) && !line.includes("native"));
  const theirs = frames.find((line) => !line.replaceAll("\\", "/").includes(OWN_FRAME)) ?? frames[0] ?? "";
  const place = /([^/\\()\s]+:\d+)(?::\d+)?\)?$/.exec(theirs.trim());
  return `${error.name}: ${error.message}${place ? ` (${place[1]})` : ""}`;
}

/**
 * @param {Scorer} scorer
 * @param {string} text
 */
function prepared(scorer, text) {
  const params = readParams(text, scorer.definition.paramsSchema ?? {});
  if (!scorer.definition.prepare) return params;
  try {
    return scorer.definition.prepare(params);
  } catch (error) {
    if (error instanceof RangeError) throw new ParamsError(error.message);
    throw error;
  }
}

/** The scores of a batch, metric by metric. */
class ScoreTable {
  /** @type {number[]} */
  #undefined = [];
  /** @type {{ index: number, message: string }[]} */
  #errors = [];
  /** @type {Map<number, string>} */
  #outputs = new Map();

  /**
   * @param {readonly import("./types.d.ts").Metric[]} metrics
   * @param {number} sessions
   */
  constructor(metrics, sessions) {
    this.metrics = metrics;
    this.sessions = sessions;
    this.values = new Array(sessions * metrics.length).fill(0);
  }

  /** @param {Iterable<Scored>} scored */
  setAll(scored) {
    const rows = [...scored];
    if (rows.length !== this.sessions) {
      throw new ScoreError(`the scorer returned ${rows.length} scores for ${this.sessions} sessions`);
    }
    const { low = -Number.MAX_VALUE, high = Number.MAX_VALUE } = this.metrics[0];
    const simple = this.metrics.length === 1;
    for (let index = 0; index < rows.length; index += 1) {
      const row = rows[index];
      // Neither NaN nor infinity lies between any bounds.
      if (simple && typeof row === "number" && low <= row && row <= high) this.values[index] = row;
      else this.attempt(index, () => row);
    }
  }

  /**
   * Takes the score of a session. A mistake in it must not take the scores of its neighbours.
   *
   * @param {number} index
   * @param {() => Scored} scored
   */
  attempt(index, scored) {
    try {
      this.#set(index, scored());
    } catch (error) {
      this.#errors.push({ index, message: explain(error) });
      this.#outputs.delete(index);
    }
  }

  /** @returns {import("./types.d.ts").Scores} */
  scores() {
    return { values: this.values, undefined: this.#undefined, errors: this.#errors, outputs: this.#outputColumn() };
  }

  /**
   * @param {number} index
   * @param {Scored} scored
   */
  #set(index, scored) {
    if (scored === null || typeof scored !== "object") {
      this.#put(0, index, scored);
      for (let metric = 1; metric < this.metrics.length; metric += 1) this.#put(metric, index, null);
      return;
    }
    const { value, subScores = {}, output = "" } = scored;
    for (const name of Object.keys(subScores)) {
      if (!this.metrics.slice(1).some((metric) => metric.name === name)) {
        const known = this.metrics.slice(1).map((metric) => `\`${metric.name}\``).join(", ") || "none";
        throw new ScoreError(`the scorer returned the sub-score \`${name}\`, declared are ${known}`);
      }
    }
    this.#put(0, index, value);
    for (let metric = 1; metric < this.metrics.length; metric += 1) {
      this.#put(metric, index, subScores[this.metrics[metric].name] ?? null);
    }
    if (output !== "") this.#outputs.set(index, String(output));
  }

  /**
   * @param {number} metric
   * @param {number} index
   * @param {unknown} value
   */
  #put(metric, index, value) {
    const position = metric * this.sessions + index;
    if (value === null) {
      this.#undefined.push(position);
      return;
    }
    const problem = problemOf(`metric \`${this.metrics[metric].name}\``, value, this.metrics[metric]);
    if (problem) throw new ScoreError(problem);
    this.values[position] = value;
  }

  #outputColumn() {
    /** @type {number[]} */
    const offsets = [];
    /** @type {number[]} */
    const bytes = [];
    if (this.#outputs.size > 0) {
      offsets.push(0);
      for (let index = 0; index < this.sessions; index += 1) {
        encode(this.#outputs.get(index) ?? "", bytes);
        offsets.push(bytes.length);
      }
    }
    return { offsets, bytes: Uint8Array.from(bytes) };
  }
}

/**
 * @param {string} what
 * @param {unknown} value
 * @param {{ low?: number, high?: number }} range
 * @returns {string | null}
 */
function problemOf(what, value, { low = -Infinity, high = Infinity }) {
  if (typeof value !== "number") return `${what} is of type ${typeof value}, expected a number or null`;
  if (!Number.isFinite(value)) return `${what} is ${value}, expected a finite number, or null where it is undefined`;
  if (value < low) return `${what} is ${value}, below its lowest legal value ${low}`;
  if (value > high) return `${what} is ${value}, above its highest legal value ${high}`;
  return null;
}
