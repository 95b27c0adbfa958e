/**
 * Parameters: JSON text from the benchmark, checked against the scorer's schema.
 *
 * @module
 */

/** The parameters of the benchmark are wrong: which one, what was found and what was expected. */
export class ParamsError extends Error {
  name = "ParamsError";
}

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
export function readParams(text, schema) {
  let params;
  try {
    params = JSON.parse(text || "{}");
  } catch (error) {
    throw new ParamsError(`the parameters are not JSON: ${/** @type {Error} */ (error).message}`);
  }
  if (!hasType(params, "object")) throw new ParamsError(`the parameters must be an object, found ${shown(params)}`);
  for (const [name, rules] of Object.entries(schema.properties ?? {})) {
    if ("default" in rules && !Object.hasOwn(params, name)) params[name] = structuredCopy(rules.default);
  }
  check(params, schema, "");
  return params;
}

/**
 * @param {any} value
 * @param {Record<string, any>} schema
 * @param {string} path
 */
function check(value, schema, path) {
  const where = path ? `parameter \`${path}\`` : "the parameters";
  if (schema.type !== undefined) {
    const types = [schema.type].flat();
    if (!types.some((type) => hasType(value, type))) {
      throw new ParamsError(`${where} must be of type ${types.join(" or ")}, found ${shown(value)}`);
    }
  }
  if (schema.enum !== undefined && !schema.enum.some((/** @type {any} */ option) => shown(option) === shown(value))) {
    throw new ParamsError(`${where} must be one of ${schema.enum.map(shown).join(", ")}, found ${shown(value)}`);
  }
  if (typeof value === "number") checkBounds(value, schema, where);
  if (hasType(value, "object")) checkProperties(value, schema, path);
  if (Array.isArray(value) && schema.items !== undefined) {
    value.forEach((item, index) => check(item, schema.items, `${path}[${index}]`));
  }
}

/**
 * @param {number} value
 * @param {Record<string, any>} schema
 * @param {string} where
 */
function checkBounds(value, schema, where) {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  /** @param {string} expected */
  const refuse = (expected) => {
    throw new ParamsError(`${where} must be ${expected}, found ${shown(value)}`);
  };
  if (minimum !== undefined && !(value >= minimum)) refuse(`at least ${shown(minimum)}`);
  if (maximum !== undefined && !(value <= maximum)) refuse(`at most ${shown(maximum)}`);
  if (exclusiveMinimum !== undefined && !(value > exclusiveMinimum)) refuse(`above ${shown(exclusiveMinimum)}`);
  if (exclusiveMaximum !== undefined && !(value < exclusiveMaximum)) refuse(`below ${shown(exclusiveMaximum)}`);
}

/**
 * @param {Record<string, any>} value
 * @param {Record<string, any>} schema
 * @param {string} path
 */
function checkProperties(value, schema, path) {
  const prefix = path ? `${path}.` : "";
  const properties = schema.properties ?? {};
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) throw new ParamsError(`parameter \`${prefix}${name}\` is missing`);
  }
  for (const [name, item] of Object.entries(value)) {
    if (Object.hasOwn(properties, name)) {
      check(item, properties[name], prefix + name);
    } else if (schema.additionalProperties === false) {
      const known = Object.keys(properties).map((property) => `\`${property}\``).join(", ") || "none";
      throw new ParamsError(`unknown parameter \`${prefix}${name}\`, expected ${known}`);
    }
  }
}

/**
 * @param {any} value
 * @param {string} type
 * @returns {boolean}
 */
function hasType(value, type) {
  switch (type) {
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "null":
      return value === null;
    default:
      return typeof value === type;
  }
}

/** @param {any} value */
function shown(value) {
  return `\`${JSON.stringify(value)}\``;
}

/** @param {any} value */
function structuredCopy(value) {
  return JSON.parse(JSON.stringify(value));
}
