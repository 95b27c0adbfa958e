/**
 * Sends messages somewhere from now on: the component's entry to the host, a test into a list.
 *
 * @param {Sink | null} target
 * @returns {Sink | null} where they went before
 */
export function connect(target: Sink | null): Sink | null;
/**
 * Shows a message for whoever writes the scorer.
 *
 * @param {string} message
 */
export function debug(message: string): void;
/**
 * Shows a message that is worth knowing.
 *
 * @param {string} message
 */
export function info(message: string): void;
/**
 * Shows that something is wrong, though a score was found.
 *
 * @param {string} message
 */
export function warn(message: string): void;
export type Sink = (level: "debug" | "info" | "warn", message: string) => void;
