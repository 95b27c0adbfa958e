/**
 * Returns a scorer; a scorer's file exports it as its default.
 *
 * @template [Params=any]
 * @param {import("./types.d.ts").ScorerDefinition<Params>} definition
 * @returns {Scorer}
 * @throws {DeclarationError} The declaration cannot be, for example because two metrics have the same name.
 */
export function defineScorer<Params = any>(definition: import("./types.d.ts").ScorerDefinition<Params>): Scorer;
/** @typedef {import("./types.d.ts").ScorerDefinition} ScorerDefinition */
/** A scorer says something of itself that cannot be. */
export class DeclarationError extends Error {
}
export { ScoreError } from "./score-error.js";
/** A scoring function with its declaration: what `defineScorer` returns. */
export class Scorer {
    /** @param {ScorerDefinition} definition */
    constructor(definition: ScorerDefinition);
    /** The definition as it was given. */
    definition: import("./types.d.ts").ScorerDefinition<any>;
    /**
     * The groups of columns that the scorer reads, with those that others of them imply.
     * @type {ReadonlySet<string>}
     */
    needs: ReadonlySet<string>;
    /** The export `guest` of the component. */
    get guest(): {
        describe: () => import("./types.d.ts").Description;
        score: (columns: import("./types.d.ts").Columns, params: string) => import("./types.d.ts").Scores;
    };
    /** The export `aggregation` of the component, where the scorer sums up runs itself. */
    get aggregation(): {
        aggregate: (metrics: import("./types.d.ts").Optional[], params: string) => number | null;
    } | undefined;
}
export type ScorerDefinition = import("./types.d.ts").ScorerDefinition;
