// UTF-8 against Node's own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode, textColumn } from "../rematch-scorer/text.js";

const TEXTS = ["", "a", "é", "€", "🍮", "aé€🍮\u0000\u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}", "x".repeat(5000) + "🍮".repeat(3000)];

test("encoding and decoding agree with Node", () => {
  for (const text of TEXTS) {
    const bytes = [];
    encode(text, bytes);
    assert.deepEqual(bytes, [...Buffer.from(text)]);
    assert.equal(decode(Uint8Array.from(bytes), 0, bytes.length), text);
  }
});

test("a lone surrogate becomes the replacement character", () => {
  const bytes = [];
  encode("a\ud800b\udfff", bytes);
  assert.equal(Buffer.from(bytes).toString(), "a\ufffdb\ufffd");
});

test("a column of texts starts at 0", () => {
  assert.deepEqual(textColumn(["é", ""]), { offsets: [0, 2, 2], bytes: Uint8Array.from([0xc3, 0xa9]) });
});
