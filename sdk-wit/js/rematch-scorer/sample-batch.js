/**
 * Turns plain objects into the columns that the host would send.
 *
 * @module
 */

import { textColumn } from "./text.js";

/** @typedef {import("./types.d.ts").SampleSession} SampleSession */

/** A batch in the making; item numbers are in order of first appearance. */
export class SampleBatch {
  #rows;
  #items;
  #needs;
  /** @type {Map<string, number>} */
  #numbers = new Map();

  /**
   * @param {SampleSession[]} rows
   * @param {import("./types.d.ts").Corpus} items
   * @param {ReadonlySet<string>} needs
   */
  constructor(rows, items, needs) {
    this.#rows = rows;
    this.#items = items;
    this.#needs = needs;
  }

  /** @returns {import("./types.d.ts").Columns} */
  columns() {
    const rows = this.#rows;
    const [judgedOffsets, ranks, grades] = this.#table("judged", rows.map(judged), 2);
    const [idealOffsets, gains] = this.#table("judged", rows.map(ideal), 1);
    const [vectorOffsets, components] = this.#table("query-vectors", rows.map((row) => singles(row.queryVector)), 1);
    const [pathOffsets, paths] = this.#table("taxonomy", rows.map((row) => singles(row.taxonomy)), 1);
    return {
      len: rows.length,
      judged: { offsets: judgedOffsets, ranks, grades },
      ideal: { offsets: idealOffsets, gains },
      relevance: this.#relevance(),
      hits: this.#hits(),
      shown: this.#shown(),
      interactions: this.#interactions(),
      sessionIds: this.#texts("session-ids", rows.map((row, index) => row.id ?? `s${index}`)),
      times: optional(this.#needs.has("times") ? rows.map((row) => row.timeMs ?? null) : []),
      queries: this.#texts("queries", rows.map((row) => row.query ?? "")),
      queryVectors: { offsets: vectorOffsets, values: components },
      inputs: this.#texts("inputs", rows.map((row) => json(row.inputs))),
      expected: this.#texts("expected", rows.map((row) => json(row.expected))),
      taxonomy: { offsets: pathOffsets, paths: this.#texts("taxonomy", paths) },
      // Last, when every item has its number.
      itemIds: this.#texts("item-ids", this.#numbers.keys()),
      itemFields: this.#itemFields(),
    };
  }

  /** @param {string} item */
  #number(item) {
    let number = this.#numbers.get(item);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(item, number);
    }
    return number;
  }

  /**
   * Returns offsets and `width` columns, all empty where they are not needed.
   *
   * @param {string} need
   * @param {any[][][]} rows
   * @param {number} width
   * @returns {any[][]}
   */
  #table(need, rows, width) {
    /** @type {any[][]} */
    const table = Array.from({ length: width + 1 }, () => []);
    if (!this.#needs.has(need)) return table;
    table[0].push(0);
    for (const cells of rows) {
      for (const cell of cells) cell.forEach((value, column) => table[column + 1].push(value));
      table[0].push(table[1].length);
    }
    return table;
  }

  /**
   * @param {string} need
   * @param {Iterable<string>} texts
   */
  #texts(need, texts) {
    return this.#needs.has(need) ? textColumn(texts) : { offsets: [], bytes: new Uint8Array(0) };
  }

  #relevance() {
    const rows = this.#rows.map((row) =>
      Object.entries(row.relevance ?? {})
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([item, grade]) => [this.#number(item), grade]),
    );
    const [offsets, items, grades] = this.#table("relevance", rows, 2);
    return { offsets, items, grades };
  }

  #hits() {
    const rows = this.#rows.map((row) =>
      (row.hits ?? []).map((hit) => (typeof hit === "string" ? [this.#number(hit), null] : [this.#number(hit[0]), hit[1]])),
    );
    const [offsets, items, scores] = this.#table("hits", rows, 2);
    return { offsets, items, scores: optional(this.#needs.has("hit-scores") ? scores : []) };
  }

  #shown() {
    const rows = this.#rows.map((row) =>
      (row.shown ?? []).map((shown) => {
        const { item, score = null, propensity = null } = typeof shown === "string" ? { item: shown } : shown;
        return [this.#number(item), score, propensity];
      }),
    );
    const [offsets, items, scores, propensities] = this.#table("shown", rows, 3);
    return { offsets, items, scores: optional(scores), propensities: optional(propensities) };
  }

  #interactions() {
    /** @type {string[]} */
    const names = [];
    const kindOf = (/** @type {string} */ kind) => {
      if (!names.includes(kind)) names.push(kind);
      return names.indexOf(kind);
    };
    const rows = this.#rows.map((row) =>
      (row.interactions ?? []).map(({ item, kind = "click", position = 0, timeMs = null, value = null }) => [
        this.#number(item),
        kindOf(kind),
        position ?? 0,
        timeMs,
        value,
      ]),
    );
    const [offsets, items, kinds, positions, times, values] = this.#table("interactions", rows, 5);
    const detailed = this.#needs.has("interaction-details");
    return {
      offsets,
      items,
      kinds,
      kindNames: this.#texts("interactions", names),
      positions: detailed ? positions : [],
      times: optional(detailed ? times : []),
      values: optional(detailed ? values : []),
    };
  }

  #itemFields() {
    if (!this.#needs.has("item-fields")) return [];
    const names = new Set(Object.values(this.#items).flatMap((fields) => Object.keys(fields)));
    return [...names].map((name) => ({
      name,
      values: textColumn([...this.#numbers.keys()].map((item) => fieldText(this.#items[item]?.[name]))),
    }));
  }
}

/** @param {SampleSession} row */
function judged({ hits = [], relevance = {} }) {
  return hits
    .map((hit, index) => [index + 1, relevance[typeof hit === "string" ? hit : hit[0]]])
    .filter(([, grade]) => grade !== undefined);
}

/** @param {SampleSession} row */
function ideal({ relevance = {} }) {
  const gains = Object.values(relevance).filter((grade) => grade > 0);
  return singles(gains.sort((one, other) => other - one));
}

/** @param {any[]} [values] */
function singles(values = []) {
  return values.map((value) => [value]);
}

/** @param {(number | null)[]} values */
function optional(values) {
  return { values: values.map((value) => value ?? 0), known: values.map((value) => value !== null) };
}

/** @param {any} value */
function json(value) {
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

/**
 * @param {any} value
 * @returns {string}
 */
function fieldText(value) {
  if (Array.isArray(value)) return value.map(fieldText).join(" ");
  return typeof value === "string" ? value : json(value);
}
