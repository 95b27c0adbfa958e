#!/bin/sh
# Runs the scorer on sample sessions, without WebAssembly. CC names the compiler: cc, or "zig cc".
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
${CC:-cc} -std=c11 -Wall -Wextra -Wno-missing-field-initializers -I ../../../sdk-wit/c test.c scorer.c ../../../sdk-wit/c/rematch_*.c -lm -o "$out/test"
"$out/test"
