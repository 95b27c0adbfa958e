/** A column of texts, each decoded when it is first read. */
export class TextColumn {
    /** @param {import("./types.d.ts").Texts} column */
    constructor(column: import("./types.d.ts").Texts);
    /** Number of texts. */
    get length(): number;
    /**
     * Returns a text.
     *
     * @param {number} index
     * @returns {string}
     * @throws {RangeError} There is no such text.
     */
    at(index: number): string;
    #private;
}
/** Sessions with one retriever's answer each. Iterating yields a view of each session. */
export class BatchView {
    /**
     * @param {import("./types.d.ts").Columns} columns
     * @param {ReadonlySet<string>} needs
     */
    constructor(columns: import("./types.d.ts").Columns, needs: ReadonlySet<string>);
    /** The columns as the host sends them, for functions that want speed; `scoring.wit` says what each means. */
    columns: import("./types.d.ts").Columns;
    /** Number of sessions; may be 0. */
    get length(): number;
    /**
     * Returns whether the scorer asked for a group of columns.
     *
     * @param {import("./types.d.ts").Need} need
     */
    has(need: import("./types.d.ts").Need): boolean;
    /**
     * Does nothing where the scorer asked for a group of columns.
     *
     * @param {import("./types.d.ts").Need} need
     * @param {string} what
     * @throws {ScoreError} It did not, and therefore has no `what`.
     */
    require(need: import("./types.d.ts").Need, what: string): void;
    /** Ids of the sessions. */
    get sessionIds(): TextColumn;
    /** Query texts; empty where a session has none. */
    get queries(): TextColumn;
    /** Further inputs of the searches, as JSON text; empty where a session has none. */
    get inputs(): TextColumn;
    /** Labelled outcomes, as JSON text; empty where a session has none. */
    get expected(): TextColumn;
    /** Taxonomy paths of all sessions; `columns.taxonomy.offsets` says whose they are. */
    get taxonomyPaths(): TextColumn;
    /** The kinds of interactions that occur in this batch. */
    get kindNames(): TextColumn;
    /** The id of every item number in this batch. */
    get itemIds(): TextColumn;
    /**
     * Returns one field of every item number in this batch.
     *
     * @param {string} name
     * @returns {TextColumn}
     * @throws {ScoreError} The benchmark does not give this field.
     */
    itemField(name: string): TextColumn;
    /** @returns {Generator<Session>} */
    [Symbol.iterator](): Generator<Session>;
    #private;
}
import { Session } from "./session.js";
