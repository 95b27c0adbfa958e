/**
 * UTF-8 to and from strings: QuickJS has neither `TextDecoder` nor `TextEncoder`.
 *
 * @module
 */

/** Code units that go to `String.fromCharCode` at once: arguments live on the stack. */
const CHUNK = 1024;

/**
 * Returns the text of UTF-8 bytes, which must be valid, as everything is that the host sends.
 *
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} end
 * @returns {string}
 */
export function decode(bytes, start, end) {
  let text = "";
  /** @type {number[]} */
  let units = [];
  for (let at = start; at < end; ) {
    const first = bytes[at];
    if (first < 0x80) {
      units.push(first);
      at += 1;
    } else if (first < 0xe0) {
      units.push(((first & 0x1f) << 6) | (bytes[at + 1] & 0x3f));
      at += 2;
    } else if (first < 0xf0) {
      units.push(((first & 0x0f) << 12) | ((bytes[at + 1] & 0x3f) << 6) | (bytes[at + 2] & 0x3f));
      at += 3;
    } else {
      const point =
        ((first & 0x07) << 18) | ((bytes[at + 1] & 0x3f) << 12) | ((bytes[at + 2] & 0x3f) << 6) | (bytes[at + 3] & 0x3f);
      units.push(0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
      at += 4;
    }
    if (units.length >= CHUNK) {
      text += String.fromCharCode(...units);
      units = [];
    }
  }
  return text + String.fromCharCode(...units);
}

/**
 * Appends a text as UTF-8. A surrogate without its other half becomes U+FFFD.
 *
 * @param {string} text
 * @param {number[]} bytes
 */
export function encode(text, bytes) {
  for (const character of text) {
    let point = /** @type {number} */ (character.codePointAt(0));
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) {
      bytes.push(point);
    } else if (point < 0x800) {
      bytes.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
      bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    } else {
      bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    }
  }
}

/**
 * Returns a column of texts.
 *
 * @param {Iterable<string>} texts
 * @returns {import("./types.d.ts").Texts}
 */
export function textColumn(texts) {
  const offsets = [0];
  /** @type {number[]} */
  const bytes = [];
  for (const text of texts) {
    encode(text, bytes);
    offsets.push(bytes.length);
  }
  return { offsets, bytes: Uint8Array.from(bytes) };
}
