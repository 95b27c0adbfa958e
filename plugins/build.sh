#!/usr/bin/env bash
# Builds the core module of an example scorer with zig, which is a C compiler with a libc for WebAssembly.
#
#   plugins/build.sh half-life-utility core.wasm
#   rematch plugin pack core.wasm -o plugins/half-life-utility/half-life-utility.wasm
#
# The same source gives the same bytes. Without zig on the machine, it is installed from PyPI into plugins/.toolchain.
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: $0 PLUGIN CORE_MODULE" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
plugin=$1
mkdir -p "$(dirname "$2")"
output=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")

# Another version of zig gives other bytes: the checked-in component comes from this one.
zig_version=0.17.0
toolchain=$here/.toolchain
export PYTHONPATH=$toolchain${PYTHONPATH:+:$PYTHONPATH}
if [ "$(python3 -m ziglang version 2>/dev/null)" != "$zig_version" ]; then
    rm -rf "$toolchain"
    python3 -m pip install --quiet --target "$toolchain" "ziglang==$zig_version" >&2
fi

# Relative paths from one folder, so that no path of this machine can get into the output.
cd "$here"
python3 -m ziglang cc -target wasm32-wasi -mexec-model=reactor -O2 -s -Wall -Wextra -Werror -I ../sdk-wit/c \
    "$plugin/scorer.c" ../sdk-wit/c/scorer.c ../sdk-wit/c/link.c -o "$output"
