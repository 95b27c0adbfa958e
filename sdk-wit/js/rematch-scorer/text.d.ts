/**
 * Returns the text of UTF-8 bytes, which must be valid, as everything is that the host sends.
 *
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} end
 * @returns {string}
 */
export function decode(bytes: Uint8Array, start: number, end: number): string;
/**
 * Appends a text as UTF-8. A surrogate without its other half becomes U+FFFD.
 *
 * @param {string} text
 * @param {number[]} bytes
 */
export function encode(text: string, bytes: number[]): void;
/**
 * Returns a column of texts.
 *
 * @param {Iterable<string>} texts
 * @returns {import("./types.d.ts").Texts}
 */
export function textColumn(texts: Iterable<string>): import("./types.d.ts").Texts;
