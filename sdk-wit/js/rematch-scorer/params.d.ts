/**
 * Returns the parameters, with the `default` of every property that the benchmark does not give.
 *
 * Of JSON Schema these keywords are checked, at any depth: `type`, `enum`, `minimum`, `maximum`, `exclusiveMinimum`,
 * `exclusiveMaximum`, `properties`, `required`, `additionalProperties` (as a boolean) and `items`. The others are for
 * readers; a scorer's `prepare` checks what they say.
 *
 * @param {string} text
 * @param {Record<string, any>} schema
 * @returns {Record<string, any>}
 * @throws {ParamsError} The text is not a JSON object, or the schema forbids it.
 */
export function readParams(text: string, schema: Record<string, any>): Record<string, any>;
/**
 * Parameters: JSON text from the benchmark, checked against the scorer's schema.
 *
 * @module
 */
/** The parameters of the benchmark are wrong: which one, what was found and what was expected. */
export class ParamsError extends Error {
}
