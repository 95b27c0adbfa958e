#!/usr/bin/env bash
# Runs the tests of the SDKs and of the examples natively: without WebAssembly, in each language's own way.
#
#   plugins/test.sh
set -euo pipefail
cd "$(dirname "$0")"
# One place for all, outside of the SDK, whose folder goes into the `rematch` binary.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/../target}/plugins
export PYTHONDONTWRITEBYTECODE=1

for manifest in ../sdk-wit/rust/Cargo.toml */Cargo.toml */rust/Cargo.toml; do
    echo "== $manifest"
    cargo test --quiet --manifest-path "$manifest"
done
for test in ../sdk-wit/c/tests/test.sh */test.sh */c/test.sh; do
    echo "== $test"
    "$test"
done
echo "== ../sdk-wit/python"
(cd ../sdk-wit/python && python3 -m unittest discover -s tests -t .)
python=$PWD/../sdk-wit/python
for test in */test_*.py */python/test_*.py; do
    echo "== $test"
    (cd "$(dirname "$test")" && PYTHONPATH=$python python3 -m unittest)
done
for test in ../sdk-wit/js */*.test.js */js/*.test.js; do
    echo "== $test"
    if [ -d "$test" ]; then (cd "$test" && node --test tests/*.test.js); else (cd "$(dirname "$test")" && node --test); fi
done
