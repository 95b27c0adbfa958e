/**
 * Returns sample sessions for `run`.
 *
 * @param {SampleSession[]} rows An object for each session; every key may be left out.
 * @param {Corpus} [items] The corpus: the fields of each item by item id.
 * @throws {TypeError} A session has an unknown key.
 */
export function sessions(rows: SampleSession[], items?: Corpus): Sessions;
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
export function run(scorer: import("./define.js").Scorer, samples: Sessions, params?: Record<string, any>): Run;
/** Sample sessions; `sessions` makes them. */
export class Sessions {
    /**
     * @param {SampleSession[]} rows
     * @param {Corpus} items
     */
    constructor(rows: SampleSession[], items: Corpus);
    rows: import("./types.d.ts").SampleSession[];
    items: import("./types.d.ts").Corpus;
    /**
     * Returns some of the sessions as the host would send them to a scorer with these needs.
     *
     * @param {ReadonlySet<string>} needs
     * @param {number[]} indices
     */
    batch(needs: ReadonlySet<string>, indices: number[]): import("./types.d.ts").Columns;
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
    constructor(results: Result[], runScore: number | null, logs: {
        level: string;
        message: string;
    }[]);
    /** One result per session, in their order. */
    results: Result[];
    /** What the scorer's `aggregate` returned; `null` without one. */
    runScore: number | null;
    /** Messages. */
    logs: {
        level: string;
        message: string;
    }[];
    /**
     * The score of each session, `null` where it is undefined. Throws where a session has an error.
     * @returns {(number | null)[]}
     */
    get values(): (number | null)[];
}
export type SampleSession = import("./types.d.ts").SampleSession;
export type Corpus = import("./types.d.ts").Corpus;
/**
 * What a scorer made of one session. `value` is `null` where the score is undefined or an error; `error` says why the
 * session cannot be scored and is `null` where it was.
 */
export type Result = {
    value: number | null;
    subScores: Record<string, number | null>;
    output: string;
    error: string | null;
};
