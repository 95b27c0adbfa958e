#!/usr/bin/env bash
# How many requests per second the replay sends to a server on this machine, beside what `wrk` gets from the same server with
# as many connections. `--release` measures what is shipped; without it, what the tests run.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v wrk >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends wrk
fi
cargo test --workspace --lib "$@" -- --ignored --nocapture --test-threads 1 throughput_beside_wrk | grep ratio
