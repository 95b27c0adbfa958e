// The first step of a build.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SDK = fileURLToPath(new URL("../rematch-scorer", import.meta.url));

/** Returns what the entry makes of a scorer's file. */
function entry(source) {
  const folder = mkdtempSync(path.join(tmpdir(), "rematch-"));
  try {
    const written = path.join(folder, "build", "entry.js");
    writeFileSync(path.join(folder, "scorer.mjs"), source.replaceAll("SDK", SDK));
    const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(SDK, "entry.js"), path.join(folder, "scorer.mjs"), written]);
    const text = status === 0 ? readFileSync(written, "utf8") : "";
    return { status, text, stdout: String(stdout), stderr: String(stderr) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const scorer = (more) => `
import { defineScorer } from "SDK/index.js";
export default defineScorer({ name: "one", needs: [], metrics: [{ name: "m" }], score: () => 1, ${more} });
`;

test("the module that is written exports the scorer", () => {
  const { status, text, stdout, stderr } = entry(scorer(""));
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "scorer\n");
  assert.match(text, /import scorer from "\.\.\/scorer\.mjs";/);
  assert.match(text, /export const \{ guest, aggregation \} = scorer;/);
});

test("a scorer with `aggregate` is of the other world", () => {
  assert.equal(entry(scorer("aggregate: () => 1")).stdout, "aggregating-scorer\n");
});

test("a file without a scorer is refused", () => {
  const { status, stderr } = entry("export default {};");
  assert.equal(status, 1);
  assert.match(stderr, /must be what `defineScorer` of this SDK returns/);
});
