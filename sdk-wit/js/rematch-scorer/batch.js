/**
 * A batch of sessions as the host sends it, and the texts in it.
 *
 * @module
 */

import { ScoreError } from "./score-error.js";
import { Session } from "./session.js";
import { decode } from "./text.js";

/** A column of texts, each decoded when it is first read. */
export class TextColumn {
  #column;
  /** @type {(string | undefined)[]} */
  #decoded;

  /** @param {import("./types.d.ts").Texts} column */
  constructor(column) {
    this.#column = column;
    this.#decoded = new Array(Math.max(column.offsets.length - 1, 0));
  }

  /** Number of texts. */
  get length() {
    return this.#decoded.length;
  }

  /**
   * Returns a text.
   *
   * @param {number} index
   * @returns {string}
   * @throws {RangeError} There is no such text.
   */
  at(index) {
    const known = this.#decoded[index];
    if (known !== undefined) return known;
    if (!(index >= 0 && index < this.length)) throw new RangeError(`there is no text ${index}`);
    const { offsets, bytes } = this.#column;
    const text = decode(bytes, offsets[index], offsets[index + 1]);
    this.#decoded[index] = text;
    return text;
  }
}

/** Sessions with one retriever's answer each. Iterating yields a view of each session. */
export class BatchView {
  #needs;
  /** @type {Map<string, TextColumn>} */
  #texts = new Map();
  /** @type {Map<string, TextColumn> | null} */
  #fields = null;

  /**
   * @param {import("./types.d.ts").Columns} columns
   * @param {ReadonlySet<string>} needs
   */
  constructor(columns, needs) {
    /** The columns as the host sends them, for functions that want speed; `scoring.wit` says what each means. */
    this.columns = columns;
    this.#needs = needs;
  }

  /** Number of sessions; may be 0. */
  get length() {
    return this.columns.len;
  }

  /** @returns {Generator<Session>} */
  *[Symbol.iterator]() {
    for (let index = 0; index < this.length; index += 1) yield new Session(this, index);
  }

  /**
   * Returns whether the scorer asked for a group of columns.
   *
   * @param {import("./types.d.ts").Need} need
   */
  has(need) {
    return this.#needs.has(need);
  }

  /**
   * Does nothing where the scorer asked for a group of columns.
   *
   * @param {import("./types.d.ts").Need} need
   * @param {string} what
   * @throws {ScoreError} It did not, and therefore has no `what`.
   */
  require(need, what) {
    if (this.#needs.has(need)) return;
    throw new ScoreError(`\`${what}\` comes with the columns \`${need}\`: add \`${need}\` to \`needs\` of the scorer`);
  }

  /** Ids of the sessions. */
  get sessionIds() {
    return this.#column("session-ids", this.columns.sessionIds);
  }

  /** Query texts; empty where a session has none. */
  get queries() {
    return this.#column("queries", this.columns.queries);
  }

  /** Further inputs of the searches, as JSON text; empty where a session has none. */
  get inputs() {
    return this.#column("inputs", this.columns.inputs);
  }

  /** Labelled outcomes, as JSON text; empty where a session has none. */
  get expected() {
    return this.#column("expected", this.columns.expected);
  }

  /** Taxonomy paths of all sessions; `columns.taxonomy.offsets` says whose they are. */
  get taxonomyPaths() {
    return this.#column("taxonomy", this.columns.taxonomy.paths);
  }

  /** The kinds of interactions that occur in this batch. */
  get kindNames() {
    return this.#column("interactions", this.columns.interactions.kindNames);
  }

  /** The id of every item number in this batch. */
  get itemIds() {
    return this.#column("item-ids", this.columns.itemIds);
  }

  /**
   * Returns one field of every item number in this batch.
   *
   * @param {string} name
   * @returns {TextColumn}
   * @throws {ScoreError} The benchmark does not give this field.
   */
  itemField(name) {
    this.require("item-fields", "itemField");
    this.#fields ??= new Map(this.columns.itemFields.map((field) => [field.name, new TextColumn(field.values)]));
    const field = this.#fields.get(name);
    if (field) return field;
    const given = [...this.#fields.keys()].map((known) => `\`${known}\``).join(", ") || "none";
    throw new ScoreError(
      `the scorer reads the item field \`${name}\`, the benchmark gives ${given}: ` +
        "add it to `items.fields` of the scorer in the benchmark file",
    );
  }

  /**
   * @param {import("./types.d.ts").Need} need
   * @param {import("./types.d.ts").Texts} texts
   * @returns {TextColumn}
   */
  #column(need, texts) {
    let column = this.#texts.get(need);
    if (!column) {
      this.require(need, need);
      column = new TextColumn(texts);
      this.#texts.set(need, column);
    }
    return column;
  }
}
