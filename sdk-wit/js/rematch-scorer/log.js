/**
 * Messages for whoever writes or runs a scorer. They are shown, never recorded, and change no score.
 *
 * @module
 */

/** @typedef {(level: "debug" | "info" | "warn", message: string) => void} Sink */

/** @type {Sink | null} */
let sink = null;

/**
 * Sends messages somewhere from now on: the component's entry to the host, a test into a list.
 *
 * @param {Sink | null} target
 * @returns {Sink | null} where they went before
 */
export function connect(target) {
  const before = sink;
  sink = target;
  return before;
}

/**
 * Shows a message for whoever writes the scorer.
 *
 * @param {string} message
 */
export function debug(message) {
  sink?.("debug", String(message));
}

/**
 * Shows a message that is worth knowing.
 *
 * @param {string} message
 */
export function info(message) {
  sink?.("info", String(message));
}

/**
 * Shows that something is wrong, though a score was found.
 *
 * @param {string} message
 */
export function warn(message) {
  sink?.("warn", String(message));
}
