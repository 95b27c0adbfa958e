/**
 * First step of a build: checks a scorer in Node and writes the module that becomes the component.
 *
 *     node sdk/rematch-scorer/entry.js scorer.js build/entry.js
 *
 * imports `scorer.js`, writes the module, and prints the world of the component: `scorer`, or `aggregating-scorer` where
 * the scorer has an `aggregate`. Exit code 1 says that the file has no scorer.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

import { Scorer } from "./define.js";
import { describe } from "./scoring.js";

/**
 * @param {string} from
 * @param {string} to
 */
function specifier(from, to) {
  const relative = path.relative(path.dirname(from), to).split(path.sep).join("/");
  return JSON.stringify(relative.startsWith(".") ? relative : `./${relative}`);
}

/** @param {string[]} files */
async function main([source, target, ...rest]) {
  if (!source || !target || rest.length > 0) {
    console.error("usage: node entry.js SOURCE MODULE");
    return 2;
  }
  const { default: scorer } = await import(pathToFileURL(path.resolve(source)).href);
  if (!(scorer instanceof Scorer)) {
    console.error(`error: the default export of \`${source}\` must be what \`defineScorer\` of this SDK returns`);
    return 1;
  }
  describe(scorer);
  const [from, to] = [path.resolve(target), path.resolve(source)];
  const log = path.join(path.dirname(fileURLToPath(import.meta.url)), "log.js");
  const lines = [
    "// Written by rematch-scorer/entry.js.",
    'import host from "rematch:scoring/log@0.1.0";',
    `import { connect } from ${specifier(from, log)};`,
    `import scorer from ${specifier(from, to)};`,
    "connect((level, message) => host.log(level, message));",
    "export const { guest, aggregation } = scorer;",
    "",
  ];
  mkdirSync(path.dirname(from), { recursive: true });
  writeFileSync(from, lines.join("\n"));
  console.log(scorer.definition.aggregate ? "aggregating-scorer" : "scorer");
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
