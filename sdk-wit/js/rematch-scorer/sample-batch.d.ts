/** @typedef {import("./types.d.ts").SampleSession} SampleSession */
/** A batch in the making; item numbers are in order of first appearance. */
export class SampleBatch {
    /**
     * @param {SampleSession[]} rows
     * @param {import("./types.d.ts").Corpus} items
     * @param {ReadonlySet<string>} needs
     */
    constructor(rows: SampleSession[], items: import("./types.d.ts").Corpus, needs: ReadonlySet<string>);
    /** @returns {import("./types.d.ts").Columns} */
    columns(): import("./types.d.ts").Columns;
    #private;
}
export type SampleSession = import("./types.d.ts").SampleSession;
