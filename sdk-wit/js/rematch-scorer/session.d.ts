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
    /**
     * @param {import("./batch.js").BatchView} batch
     * @param {number} index
     */
    constructor(batch: import("./batch.js").BatchView, index: number);
    /** The batch, whose `columns` are the fastest way to the data. */
    batch: import("./batch.js").BatchView;
    /** The session's index in the batch. */
    index: number;
    /** Id of the session (need `session-ids`). */
    get id(): string;
    /** Query text, empty where there is none (need `queries`). */
    get query(): string;
    /**
     * Query vector, empty where there is none (need `query-vectors`).
     * @returns {number[]}
     */
    get queryVector(): number[];
    /**
     * When the session took place, in milliseconds since the Unix epoch, UTC (need `times`).
     * @returns {number | null}
     */
    get timeMs(): number | null;
    /**
     * Further inputs of the search, from JSON; `null` where there are none (need `inputs`).
     * @returns {any}
     */
    get inputs(): any;
    /**
     * Labelled outcome, from JSON; `null` where there is none (need `expected`).
     * @returns {any}
     */
    get expected(): any;
    /**
     * Taxonomy paths such as `home/kitchen`, the primary one first (need `taxonomy`).
     * @returns {string[]}
     */
    get taxonomy(): string[];
    /**
     * The ranking, best hit first; may be empty (need `hits`).
     * @returns {Hit[]}
     */
    get hits(): Hit[];
    /**
     * The hits whose worth is known, by rank (need `judged`).
     * @returns {JudgedHit[]}
     */
    get judged(): JudgedHit[];
    /**
     * The positive grades of all items, returned or not, largest first; empty where there is nothing to find (need `judged`).
     * @returns {number[]}
     */
    get ideal(): number[];
    /**
     * The grade of every item of known worth, returned or not, by item number (need `relevance`).
     * @returns {Map<number, number>}
     */
    get relevance(): Map<number, number>;
    /**
     * The list that the user saw, from the top (need `shown`).
     * @returns {ShownItem[]}
     */
    get shown(): ShownItem[];
    /**
     * What the user did, in recorded order (need `interactions`).
     * @returns {Interaction[]}
     */
    get interactions(): Interaction[];
    /**
     * Returns the id of an item (need `item-ids`).
     *
     * @param {number} item
     * @returns {string}
     */
    itemId(item: number): string;
    /**
     * Returns what the corpus has in a field of an item (need `item-fields`): numbers and booleans as written in the corpus,
     * lists joined by spaces; empty where the item has no such field or does not stand in the corpus.
     *
     * @param {string} name
     * @param {number} item
     * @returns {string}
     * @throws {import("./score-error.js").ScoreError} The benchmark does not give this field.
     */
    itemField(name: string, item: number): string;
    #private;
}
export type Hit = import("./types.d.ts").Hit;
export type JudgedHit = import("./types.d.ts").JudgedHit;
export type ShownItem = import("./types.d.ts").ShownItem;
export type Interaction = import("./types.d.ts").Interaction;
