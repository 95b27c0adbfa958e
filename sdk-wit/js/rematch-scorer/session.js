/**
 * One session, made out of the columns as far as it is read.
 *
 * @module
 */

/** @typedef {import("./types.d.ts").Hit} Hit */
/** @typedef {import("./types.d.ts").JudgedHit} JudgedHit */
/** @typedef {import("./types.d.ts").ShownItem} ShownItem */
/** @typedef {import("./types.d.ts").Interaction} Interaction */

/**
 * One search and what one retriever returned for it.
 *
 * Every property is made when it is first read, and needs the group of columns that its description names. Items are
 * numbers, equal for equal items within one batch; nothing else may be read from them, least of all their order.
 */
export class Session {
  /** @type {Map<string, any>} */
  #made = new Map();

  /**
   * @param {import("./batch.js").BatchView} batch
   * @param {number} index
   */
  constructor(batch, index) {
    /** The batch, whose `columns` are the fastest way to the data. */
    this.batch = batch;
    /** The session's index in the batch. */
    this.index = index;
  }

  /** Id of the session (need `session-ids`). */
  get id() {
    return this.batch.sessionIds.at(this.index);
  }

  /** Query text, empty where there is none (need `queries`). */
  get query() {
    return this.batch.queries.at(this.index);
  }

  /**
   * Query vector, empty where there is none (need `query-vectors`).
   * @returns {number[]}
   */
  get queryVector() {
    this.batch.require("query-vectors", "session.queryVector");
    const { offsets, values } = this.batch.columns.queryVectors;
    return values.slice(offsets[this.index], offsets[this.index + 1]);
  }

  /**
   * When the session took place, in milliseconds since the Unix epoch, UTC (need `times`).
   * @returns {number | null}
   */
  get timeMs() {
    this.batch.require("times", "session.timeMs");
    return optional(this.batch.columns.times, this.index);
  }

  /**
   * Further inputs of the search, from JSON; `null` where there are none (need `inputs`).
   * @returns {any}
   */
  get inputs() {
    return this.#once("inputs", () => parsed(this.batch.inputs.at(this.index)));
  }

  /**
   * Labelled outcome, from JSON; `null` where there is none (need `expected`).
   * @returns {any}
   */
  get expected() {
    return this.#once("expected", () => parsed(this.batch.expected.at(this.index)));
  }

  /**
   * Taxonomy paths such as `home/kitchen`, the primary one first (need `taxonomy`).
   * @returns {string[]}
   */
  get taxonomy() {
    const paths = this.batch.taxonomyPaths;
    return this.#rows("taxonomy", this.batch.columns.taxonomy.offsets, (row) => paths.at(row));
  }

  /**
   * The ranking, best hit first; may be empty (need `hits`).
   * @returns {Hit[]}
   */
  get hits() {
    this.batch.require("hits", "session.hits");
    const { offsets, items, scores } = this.batch.columns.hits;
    const scored = this.batch.has("hit-scores");
    return this.#rows("hits", offsets, (row, rank) => ({
      rank,
      item: items[row],
      score: scored ? optional(scores, row) : null,
    }));
  }

  /**
   * The hits whose worth is known, by rank (need `judged`).
   * @returns {JudgedHit[]}
   */
  get judged() {
    this.batch.require("judged", "session.judged");
    const { offsets, ranks, grades } = this.batch.columns.judged;
    return this.#rows("judged", offsets, (row) => ({ rank: ranks[row], grade: grades[row] }));
  }

  /**
   * The positive grades of all items, returned or not, largest first; empty where there is nothing to find (need `judged`).
   * @returns {number[]}
   */
  get ideal() {
    this.batch.require("judged", "session.ideal");
    const { offsets, gains } = this.batch.columns.ideal;
    return this.#once("ideal", () => gains.slice(offsets[this.index], offsets[this.index + 1]));
  }

  /**
   * The grade of every item of known worth, returned or not, by item number (need `relevance`).
   * @returns {Map<number, number>}
   */
  get relevance() {
    this.batch.require("relevance", "session.relevance");
    return this.#once("relevance", () => {
      const { offsets, items, grades } = this.batch.columns.relevance;
      const map = new Map();
      for (let row = offsets[this.index]; row < offsets[this.index + 1]; row += 1) map.set(items[row], grades[row]);
      return map;
    });
  }

  /**
   * The list that the user saw, from the top (need `shown`).
   * @returns {ShownItem[]}
   */
  get shown() {
    this.batch.require("shown", "session.shown");
    const { offsets, items, scores, propensities } = this.batch.columns.shown;
    return this.#rows("shown", offsets, (row, rank) => ({
      rank,
      item: items[row],
      score: optional(scores, row),
      propensity: optional(propensities, row),
    }));
  }

  /**
   * What the user did, in recorded order (need `interactions`).
   * @returns {Interaction[]}
   */
  get interactions() {
    this.batch.require("interactions", "session.interactions");
    const { offsets, items, kinds, positions, times, values } = this.batch.columns.interactions;
    const names = this.batch.kindNames;
    const detailed = this.batch.has("interaction-details");
    return this.#rows("interactions", offsets, (row) => ({
      item: items[row],
      kind: names.at(kinds[row]),
      position: (detailed && positions[row]) || null,
      timeMs: detailed ? optional(times, row) : null,
      value: detailed ? optional(values, row) : null,
    }));
  }

  /**
   * Returns the id of an item (need `item-ids`).
   *
   * @param {number} item
   * @returns {string}
   */
  itemId(item) {
    return this.batch.itemIds.at(item);
  }

  /**
   * Returns what the corpus has in a field of an item (need `item-fields`): numbers and booleans as written in the corpus,
   * lists joined by spaces; empty where the item has no such field or does not stand in the corpus.
   *
   * @param {string} name
   * @param {number} item
   * @returns {string}
   * @throws {import("./score-error.js").ScoreError} The benchmark does not give this field.
   */
  itemField(name, item) {
    return this.batch.itemField(name).at(item);
  }

  /**
   * @param {string} name
   * @param {readonly number[]} offsets
   * @param {(row: number, rank: number) => any} make
   */
  #rows(name, offsets, make) {
    return this.#once(name, () => {
      const start = offsets[this.index];
      const rows = [];
      for (let row = start; row < offsets[this.index + 1]; row += 1) rows.push(make(row, row - start + 1));
      return rows;
    });
  }

  /**
   * @param {string} name
   * @param {() => any} make
   */
  #once(name, make) {
    if (!this.#made.has(name)) this.#made.set(name, make());
    return this.#made.get(name);
  }
}

/**
 * @param {import("./types.d.ts").Optional} column
 * @param {number} row
 */
function optional(column, row) {
  return column.known[row] ? column.values[row] : null;
}

/** @param {string} text */
function parsed(text) {
  return text ? JSON.parse(text) : null;
}
