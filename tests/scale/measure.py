"""What a unit costs: runs of a real binary on this machine, whose stages are told apart."""

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from footer import table
from wording import rounded
from workload import DOCUMENTS, benchmark, write_nothing, write_workload

WASM = Path(__file__).resolve().parents[2] / "plugins/half-life-utility/half-life-utility.wasm"


def spent(command: list[str]) -> tuple[float, float]:
    """CPU seconds (of the process and its children) and peak MB of a command."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {status}:\n{errors.decode()}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Binary:
    """Runs, whose stages are told apart by taking away what a resumed run then makes anew."""

    def __init__(self, path: str, folder: Path):
        self.path, self.folder = path, folder

    def run(self, bench: Path, out: str, *more: str) -> tuple[float, float]:
        directory = self.folder / out
        shutil.rmtree(directory, ignore_errors=True)
        return spent([self.path, "run", str(bench), "--out", str(directory), "--quiet", "--no-cache", *more])

    def resume(self, out: str, *without: str) -> tuple[float, float]:
        for name in without:
            (self.folder / out / name).unlink()
        return spent([self.path, "resume", str(self.folder / out), "--quiet", "--no-cache", "--threads", "1"])

    def stages(self, bench: Path, chunks: int, whole: bool) -> dict[str, float]:
        """CPU seconds of the stages of a run. What is there already (`rest`) is hashing and the start of the process."""
        full, _ = self.run(bench, "out", "--threads", "1")
        rest, _ = self.resume("out")
        compared, _ = self.resume("out", "report.json")
        found = {"rest": rest, "compare": compared - rest}
        if whole:
            sampled, _ = self.resume("out", "report.json", "sessions.parquet", "selection.json")
            one, _ = self.run(bench, "one", "--threads", "1", "--shard", f"1/{chunks}")
            found["sample"] = sampled - compared
            # One chunk: opening, and as much of the units as one chunk is.
            both, opened = full - compared - found["sample"], one - rest - found["sample"]
            found["units"] = (both - opened) / (1 - 1 / chunks)
            found["open"] = max(0.0, both - found["units"])
        else:
            found["sample-open-units"] = full - compared
        return found


def prepare(binary: Binary, sessions: int) -> None:
    """Makes the workload and its recordings, unless they are there."""
    folder = binary.folder
    if (folder / "third.parquet").exists():
        return
    # In a process of its own: the peak memory of a process is at least that of the one that starts it.
    writer = multiprocessing.Process(target=write_workload, args=(folder, sessions))
    writer.start()
    writer.join()
    if writer.exitcode:
        sys.exit("the workload was not written")
    write_nothing(folder)
    # One that broke off may have left it; nothing is imported over a file.
    (folder / "sessions.parquet").unlink(missing_ok=True)
    spent([binary.path, "import", str(folder / "sessions.jsonl"), "--out", str(folder / "sessions.parquet")])
    for name, arm in (("first", "bm25"), ("second", "bm25-other")):
        binary.run(benchmark(folder, f"make-{name}", [arm, "nothing"], '["json", "parquet"]'), "make")
        shutil.move(folder / "make" / "rankings.parquet", folder / f"{name}.parquet")
    shutil.copy(folder / "first.parquet", folder / "third.parquet")
    shutil.rmtree(folder / "make")


def benchmarks(folder: Path) -> dict[str, Path]:
    """Runs that differ in one thing each, so that their differences say what it costs."""
    recorded = ["first", "second", "third"]
    return {
        "two": benchmark(folder, "two", recorded[:2], '["json", "parquet"]'),
        "two-json": benchmark(folder, "two-json", recorded[:2]),
        "three": benchmark(folder, "three", recorded),
        "alone": benchmark(folder, "alone", recorded, cluster_by="session"),
        "scored": benchmark(folder, "scored", recorded, wasm=str(WASM)),
        "searched": benchmark(folder, "searched", ["bm25", "bm25-other"]),
    }


def measure(given: argparse.Namespace) -> None:
    """Writes the costs, or makes the workload only."""
    folder = given.work.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    binary = Binary(str(Path(given.rematch).resolve()), folder)
    prepare(binary, given.sessions)
    if given.prepare:
        return
    benches = benchmarks(folder)
    binary.run(benches["scored"], "out")  # Compiles the component, and is not measured.
    held = {threads: binary.run(benches["two"], "out", "--threads", str(threads))[1] for threads in (1, 2, 4)}
    bytes_of, chunks = sizes(folder, given.sessions)
    searching = {
        threads: binary.run(benches["searched"], "out", "--threads", str(threads), "--shard", "1/4")[1] for threads in (1, 2)
    }
    about = {
        "sessions": given.sessions,
        "rounds": given.rounds,
        "version": subprocess.run([binary.path, "--version"], capture_output=True, text=True).stdout.strip(),
        "processor": processor(),
    }
    memory = {
        "process_mb": held[1],
        "slot_mb": (held[4] - held[1]) / 3,
        "bm25_process_mb": searching[1],
        "bm25_slot_mb": searching[2] - searching[1],
    }
    costs = {"about": about, **times(binary, benches, chunks, given), **bytes_of, **memory}
    given.out.write_text(json.dumps(rounded(costs), indent=1) + "\n")
    print(given.out.read_text())


def medians(binary: Binary, benches: dict[str, Path], chunks: int, rounds: int) -> dict[str, dict[str, float]]:
    """Median CPU seconds of the stages of every benchmark; a round does all of them."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in benches}
    for _ in range(rounds):
        for name, bench in benches.items():
            whole = name not in ("two-json", "alone")
            found[name].append(binary.stages(bench, chunks, whole))
    return {name: {key: statistics.median(one[key] for one in all) for key in all[0]} for name, all in found.items()}


def times(binary: Binary, benches: dict[str, Path], chunks: int, given: argparse.Namespace) -> dict:
    """Seconds of one core, for a million sessions where nothing else is said."""
    start = min(spent([binary.path, "--version"])[0] for _ in range(5))
    of = medians(binary, benches, chunks, given.rounds)
    million = given.sessions / 1e6
    hashed = sum((binary.folder / f"{name}.parquet").stat().st_size for name in ("first", "second", "third", "sessions"))
    per_arm = of["three"]["compare"] - of["two-json"]["compare"]
    return {
        "start_s": start,
        "hash_s_per_gb": max(0.0, of["three"]["rest"] - start) / (hashed / 1e9),
        "sample_s_per_million": of["two"]["sample"] / million,
        "index_s_per_million": of["two"]["open"] / 2 / million,
        "bm25_index_s_per_million_documents": of["searched"]["open"] / (DOCUMENTS / 1e6),
        "unit_s_per_million": {
            "recorded": of["three"]["units"] / 3 / million,
            "bm25": of["searched"]["units"] / 2 / million,
        },
        "wasm_s_per_million": (of["scored"]["units"] - of["three"]["units"]) / 3 / million,
        "compare_s_per_million": {"fixed": (of["two-json"]["compare"] - 2 * per_arm) / million, "arm": per_arm / million},
        "cluster_pass_s_per_million": max(0.0, of["three"]["compare"] - of["alone"]["compare"]) / million,
        "publish_s_per_million_arm": (of["two"]["compare"] - of["two-json"]["compare"]) / 2 / million,
    }


def sizes(folder: Path, sessions: int) -> tuple[dict[str, float], int]:
    """Bytes of what a run of two recordings read and wrote, and its chunks."""
    sample, part = table(folder / "out/sessions.parquet"), table(folder / "out/parts/000-000000.parquet")
    rankings, scores = table(folder / "out/rankings.parquet"), table(folder / "out/scenario_scores.parquet")
    parts = sum(file.stat().st_size for file in (folder / "out/parts").iterdir())
    recordings = [(folder / f"{name}.parquet").stat().st_size for name in ("first", "second", "third")]
    found = {
        "input_bytes_per_session": (folder / "sessions.parquet").stat().st_size / sessions,
        "recording_bytes_per_session": statistics.mean(recordings) / sessions,
        "sample_bytes_per_session": sample["bytes"] / sessions,
        "sample_columns": sample["columns"],
        "sample_footer_bytes_per_group": sample["footer"] / sample["groups"],
        "part_bytes_per_session": parts / 2 / sessions,
        "part_hits_share": part["hits"] / part["bytes"],
        "part_footer_bytes": part["footer"],
        "part_columns": part["columns"],
        "rankings_bytes_per_session_arm": rankings["bytes"] / 2 / sessions,
        "rankings_columns": rankings["columns"],
        "scores_bytes_per_session_arm": scores["bytes"] / 2 / sessions,
        "scores_columns": scores["columns"],
    }
    return found, int(sample["groups"])


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
