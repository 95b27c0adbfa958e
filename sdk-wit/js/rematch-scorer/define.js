/**
 * What a scorer says of itself.
 *
 * @module
 */

import { aggregate, describe, score } from "./scoring.js";

/** @typedef {import("./types.d.ts").ScorerDefinition} ScorerDefinition */

/** A scorer says something of itself that cannot be. */
export class DeclarationError extends Error {
  name = "DeclarationError";
}

export { ScoreError } from "./score-error.js";

const NEEDS = [
  "judged",
  "relevance",
  "hits",
  "hit-scores",
  "shown",
  "interactions",
  "interaction-details",
  "session-ids",
  "times",
  "queries",
  "query-vectors",
  "inputs",
  "expected",
  "taxonomy",
  "item-ids",
  "item-fields",
];

/** @type {Record<string, string>} */
const IMPLIED = { "hit-scores": "hits", "interaction-details": "interactions" };

/** A scoring function with its declaration: what `defineScorer` returns. */
export class Scorer {
  /** @param {ScorerDefinition} definition */
  constructor(definition) {
    /** The definition as it was given. */
    this.definition = definition;
    /**
     * The groups of columns that the scorer reads, with those that others of them imply.
     * @type {ReadonlySet<string>}
     */
    this.needs = checkedNeeds(definition.needs);
    checkMetrics(definition.metrics);
    if (!definition.name) throw new DeclarationError("the name of a scorer must not be empty");
    if (Boolean(definition.score) === Boolean(definition.scoreBatch)) {
      throw new DeclarationError("a scorer has either `score` or `scoreBatch`");
    }
  }

  /** The export `guest` of the component. */
  get guest() {
    return {
      describe: () => describe(this),
      score: (/** @type {import("./types.d.ts").Columns} */ columns, /** @type {string} */ params) =>
        score(this, columns, params),
    };
  }

  /** The export `aggregation` of the component, where the scorer sums up runs itself. */
  get aggregation() {
    if (!this.definition.aggregate) return undefined;
    return {
      aggregate: (/** @type {import("./types.d.ts").Optional[]} */ metrics, /** @type {string} */ params) =>
        aggregate(this, metrics, params),
    };
  }
}

/**
 * Returns a scorer; a scorer's file exports it as its default.
 *
 * @template [Params=any]
 * @param {import("./types.d.ts").ScorerDefinition<Params>} definition
 * @returns {Scorer}
 * @throws {DeclarationError} The declaration cannot be, for example because two metrics have the same name.
 */
export function defineScorer(definition) {
  return new Scorer(/** @type {ScorerDefinition} */ (definition));
}

/**
 * @param {readonly string[]} needs
 * @returns {ReadonlySet<string>}
 */
function checkedNeeds(needs) {
  const found = new Set(needs);
  for (const need of needs) {
    if (!NEEDS.includes(need)) {
      throw new DeclarationError(`unknown need \`${need}\`, expected some of ${NEEDS.map((name) => `\`${name}\``).join(", ")}`);
    }
    if (IMPLIED[need]) found.add(IMPLIED[need]);
  }
  return found;
}

/** @param {readonly import("./types.d.ts").Metric[]} metrics */
function checkMetrics(metrics) {
  if (!metrics?.length) throw new DeclarationError("a scorer needs at least one metric");
  const names = new Set();
  for (const { name, low, high } of metrics) {
    if (!/^[A-Za-z0-9\-_.@()=]{1,64}$/.test(name)) {
      throw new DeclarationError(`the name \`${name}\` of a metric must have 1 to 64 letters, digits and any of \`-_.@()=\``);
    }
    if (names.has(name)) throw new DeclarationError(`two metrics have the name \`${name}\``);
    names.add(name);
    const bounds = [low, high].filter((bound) => bound !== undefined);
    if (!bounds.every(Number.isFinite) || (bounds.length === 2 && !(bounds[0] <= bounds[1]))) {
      throw new DeclarationError(`metric \`${name}\` has the range ${low} to ${high}, which is none`);
    }
  }
}
