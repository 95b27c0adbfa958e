/**
 * Scoring functions for Rematch in JavaScript.
 *
 * A scoring function looks at what a retriever returned for one recorded search and gives it a number:
 *
 * ```js
 * import { defineScorer } from "./sdk/rematch-scorer/index.js";
 *
 * export default defineScorer({
 *   name: "first-hit",
 *   needs: ["judged"],
 *   metrics: [{ name: "found", low: 0, high: 1 }],
 *   score(session) {
 *     if (session.ideal.length === 0) return null; // undefined: there is nothing to find
 *     return session.judged.some((hit) => hit.rank === 1 && hit.grade > 0) ? 1 : 0;
 *   },
 * });
 * ```
 *
 * `testing.js` runs it on sample sessions in Node; `rematch plugin build` makes a WebAssembly component of it, in which
 * there is no clock, no file and no network.
 *
 * @module
 */

export { BatchView, TextColumn } from "./batch.js";
export { DeclarationError, ScoreError, defineScorer } from "./define.js";
export * as log from "./log.js";
export { ParamsError } from "./params.js";
export { Session } from "./session.js";

/** @typedef {import("./types.d.ts").Need} Need */
/** @typedef {import("./types.d.ts").Metric} Metric */
/** @typedef {import("./types.d.ts").Score} Score */
/** @typedef {import("./types.d.ts").Scored} Scored */
/** @typedef {import("./types.d.ts").Hit} Hit */
/** @typedef {import("./types.d.ts").JudgedHit} JudgedHit */
/** @typedef {import("./types.d.ts").ShownItem} ShownItem */
/** @typedef {import("./types.d.ts").Interaction} Interaction */
/** @typedef {import("./types.d.ts").Columns} Columns */
