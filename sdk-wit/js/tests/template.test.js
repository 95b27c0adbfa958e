// A new project passes its own tests.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SDK = fileURLToPath(new URL("..", import.meta.url));

const listed = readFileSync(path.join(SDK, "template.files"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));

test("the list names every file of the SDK", () => {
  const files = readdirSync(path.join(SDK, "rematch-scorer")).map((name) => `rematch-scorer/${name}`);
  assert.deepEqual(listed, files.sort());
});

test("a new project passes its tests", () => {
  const project = mkdtempSync(path.join(tmpdir(), "rematch-"));
  try {
    for (const name of readdirSync(path.join(SDK, "template"))) {
      const text = readFileSync(path.join(SDK, "template", name), "utf8");
      writeFileSync(path.join(project, name), text.replaceAll("{{name}}", "my-plugin").replaceAll("{{module}}", "my_plugin"));
    }
    for (const file of listed) cpSync(path.join(SDK, file), path.join(project, "sdk", file));
    // This process is a test itself, and tells its children so.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap"], { cwd: project, env });
    assert.equal(status, 0, String(stdout));
    assert.match(String(stdout), /^# pass 4$/m);
  } finally {
    rmSync(project, { recursive: true });
  }
});
