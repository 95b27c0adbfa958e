#!/usr/bin/env python3
"""Rematch beside its peers on one workload: CPU, wall time and peak memory as medians of rounds in turns, and ratios.

  compare_speed.py --rematch BINARY --shared DIR --queries 100000 [--rounds 3] [--work DIR] [--peers duckdb,floor]

The workload and the peers' jobs are those of the shared benchmark folder (`bench/`); Python needs what its README names. The
roofline of TREC text is trec_roofline.c, which a C compiler is needed for.
Every Rematch job is a whole run: two recorded runs and the judgments are loaded, every default metric is found per session
and on average, the paired tests are made, and every artefact is written (into a fresh directory each time).
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

LAYOUTS = {
    "flat": ('{ trec = { qrels = "qrels.parquet" } }', 'path = "base.parquet"', 'path = "cand.parquet"'),
    # What the floor and DuckDB read: the ranks, and no scores.
    "ranks": (
        '{ trec = { qrels = "qrels.parquet" } }',
        'path = "base.parquet", order-by = "rank"',
        'path = "cand.parquet", order-by = "rank"',
    ),
    "nested": (
        '{ trec = { qrels = "qrels.parquet" } }',
        'path = "sessions.parquet", session-column = "q_id", hits-column = "base"',
        'path = "sessions.parquet", session-column = "q_id", hits-column = "cand"',
    ),
    "trec": ('{ trec = { qrels = "qrels.trec" } }', 'path = "base.run"', 'path = "cand.run"'),
}

# Reads the columns that a run reads where it takes scores, or lists.
READ = """
import sys, polars
data, layout = sys.argv[1:]
polars.read_parquet(f"{data}/qrels.parquet")
files = {"scores": [("base", ["q_id", "doc_id", "score"]), ("cand", ["q_id", "doc_id", "score"])], "lists": [("sessions", ["q_id", "base", "cand"])]}
for name, columns in files[layout]:
    polars.read_parquet(f"{data}/{name}.parquet", columns=columns)
"""

# Reads what the floor reads, and writes the rankings once: what a program that keeps them cannot do without.
COPY = """
import sys, polars
data, out = sys.argv[1:]
polars.read_parquet(f"{data}/qrels.parquet")
for run in ("base", "cand"):
    table = polars.read_parquet(f"{data}/{run}.parquet", columns=["q_id", "doc_id", "rank"])
    table.write_parquet(f"{out}-{run}.parquet", compression="uncompressed")
"""


def benchmark(folder: Path, layout: str) -> Path:
    sessions, base, cand = LAYOUTS[layout]
    path = folder / f"{layout}.toml"
    path.write_text(
        f'''name = "speed"
baseline = "base"
candidates = ["cand"]
depth = 100
[sessions]
path = {sessions}
[metrics]
k = [5, 10, 20]
[[retriever]]
id = "base"
stages = [{{ kind = "recorded", {base} }}]
[[retriever]]
id = "cand"
stages = [{{ kind = "recorded", {cand} }}]
'''
    )
    return path


def measure(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MB of a command."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {status}:\n{errors.decode()}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rematch", required=True)
    arguments.add_argument("--shared", required=True, type=Path)
    arguments.add_argument("--queries", type=int, default=100_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--work", type=Path, default=Path("target/speed"))
    arguments.add_argument("--layouts", default="flat,ranks,nested,trec")
    arguments.add_argument("--peers", default="floor,scores,lists,copy,duckdb,pytrec,ranx,roofline")
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    bench = given.shared / "bench"
    data = (given.work / str(given.queries)).resolve()
    if not (data / "meta.json").exists():
        generate = [sys.executable, str(bench / "gen_workload.py"), "--queries", str(given.queries)]
        subprocess.run([*generate, "--formats", "trec,parquet,nested", "--out", str(data)], check=True)
    out = data / "run"
    jobs = {
        f"rematch, {layout}": [given.rematch, "run", str(benchmark(data, layout)), "--out", str(out), "--quiet"]
        for layout in given.layouts.split(",")
    }
    peers = {
        "floor": [sys.executable, str(bench / "job_floor.py"), str(data), "polars"],
        "scores": [sys.executable, "-c", READ, str(data), "scores"],
        "lists": [sys.executable, "-c", READ, str(data), "lists"],
        "copy": [sys.executable, "-c", COPY, str(data), str(data / "copied")],
        "duckdb": [sys.executable, str(bench / "job_duckdb.py"), str(data)],
        "pytrec": [sys.executable, str(bench / "job_pytrec.py"), str(data)],
        # From Parquet and with the t-test: the fastest that it has.
        "ranx": [sys.executable, str(bench / "job_ranx.py"), str(data), "parquet", "student"],
        "roofline": [str(data / "roofline"), *(str(data / name) for name in ("qrels.trec", "base.run", "cand.run"))],
    }
    if "roofline" in given.peers:
        source = Path(__file__).parent / "trec_roofline.c"
        subprocess.run(["cc", "-O3", "-march=native", "-o", peers["roofline"][0], str(source), "-lm"], check=True)
    jobs |= {name: peers[name] for name in given.peers.split(",") if name}
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in jobs}
    for _ in range(given.rounds):
        for name, command in jobs.items():
            shutil.rmtree(out, ignore_errors=True)
            taken[name].append(measure(command))
    for copied in data.glob("copied-*"):
        copied.unlink()
    medians = {name: [statistics.median(column) for column in zip(*rounds)] for name, rounds in taken.items()}
    floor = medians.get("floor", [0, 0, 0])[1]
    print(f"{given.queries} queries, median of {given.rounds} rounds in turns\n")
    print("| job | wall s | CPU s | peak MB | CPU to floor |\n|---|---|---|---|---|")
    for name, (wall, cpu, peak) in medians.items():
        ratio = f"{cpu / floor:.2f}" if floor else ""
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak:.0f} | {ratio} |")
    if given.json:
        given.json.write_text(json.dumps(medians, indent=1))


main()
