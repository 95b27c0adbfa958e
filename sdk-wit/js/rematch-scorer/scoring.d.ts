/**
 * Returns what the scorer says of itself.
 *
 * @param {Scorer} scorer
 * @returns {import("./types.d.ts").Description}
 */
export function describe(scorer: Scorer): import("./types.d.ts").Description;
/**
 * Returns the scores of a batch.
 *
 * @param {Scorer} scorer
 * @param {import("./types.d.ts").Columns} columns
 * @param {string} paramsText
 * @returns {import("./types.d.ts").Scores}
 * @throws the variant `failure` of the contract
 */
export function score(scorer: Scorer, columns: import("./types.d.ts").Columns, paramsText: string): import("./types.d.ts").Scores;
/**
 * Returns the score of a run from a column for each metric, `null` where it is undefined.
 *
 * @param {Scorer} scorer
 * @param {import("./types.d.ts").Optional[]} columns
 * @param {string} paramsText
 * @returns {number | null}
 * @throws why there is none, as a string
 */
export function aggregate(scorer: Scorer, columns: import("./types.d.ts").Optional[], paramsText: string): number | null;
/**
 * Returns an error in one line, with the place in the scorer where it was raised unless it is meant for people already.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error: unknown): string;
export type Scorer = import("./define.js").Scorer;
export type Scored = import("./types.d.ts").Scored;
