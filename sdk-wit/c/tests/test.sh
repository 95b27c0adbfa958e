#!/bin/sh
# Runs the tests of the SDK, without WebAssembly. CC names the compiler: cc, or "zig cc".
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
${CC:-cc} -std=c11 -Wall -Wextra -Wno-missing-field-initializers -I .. test.c scorer.c ../rematch_*.c -lm -o "$out/test"
"$out/test"
