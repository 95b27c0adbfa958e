#!/usr/bin/env bash
# Writes src/bindings.rs from ../wit/scoring.wit, to be done after every change of the WIT:
#
#   cargo install wit-bindgen-cli --version 0.63.0 --no-default-features --features rust
#   sdk-wit/rust/generate.sh
set -euo pipefail
cd "$(dirname "$0")"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# One world of all interfaces, so that one file has all types.
cp ../wit/scoring.wit "$out/all.wit"
printf 'world all { include aggregating-scorer; include retriever; include reranker; }\n' >> "$out/all.wit"
wit-bindgen rust "$out/all.wit" --world all --runtime-path crate::runtime --pub-export-macro --format \
    --disable-custom-section-link-helpers --disable-run-ctors-once-workaround --out-dir "$out"
# The macro that exports everything, and the type of that world: `export!` of this crate exports what there is, and
# `rematch plugin pack` puts the type in.
sed '/^\/\/\/ Generates `#\[unsafe(no_mangle)\]` functions/,$d' "$out/all.rs" > src/bindings.rs
