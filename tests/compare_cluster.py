#!/usr/bin/env python3
"""A run on a cluster beside the same run in one process, all on this machine: the same bytes, how long each takes, and what
becomes of the run when an executor or the scheduler is killed on the way.

  compare_cluster.py --rematch BINARY --s3 S3S_FS [--sessions 100000] [--rounds 3] [--work DIR]

BINARY is built with the feature `cluster`; S3S_FS is the S3 server that the tests use (`cargo install s3s-fs --features binary`).
A text search over 50,000 documents, a recorded retriever and a WebAssembly scorer; the run directory is in a bucket. Executors are
bound to one core each, a single process to as many. Plain Python; needs `taskset`.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "scale"))
import workload  # noqa: E402

HERE = Path(__file__).resolve().parent
WASM = HERE.parent / "plugins/half-life-utility/half-life-utility.wasm"
BUCKET = "bucket"
# What a run is, apart from how long things took.
ARTEFACTS = ["sessions.parquet", "scenario_scores.parquet", "comparisons.parquet", "taxonomy.parquet"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.1)
    sys.exit(f"nobody listens on port {port}")


def cores(number: int) -> list[str]:
    """A command's beginning that binds it to the first `number` cores."""
    return ["taskset", "-c", ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[:number])]


class Cluster:
    """An S3 server, a scheduler and executors that are bound to a core each."""

    def __init__(self, given: argparse.Namespace, folder: Path):
        self.binary, self.folder = str(given.rematch.resolve()), folder
        self.port, store = free_port(), free_port()
        (folder / "store" / BUCKET).mkdir(parents=True, exist_ok=True)
        keys = ["--access-key", "key", "--secret-key", "secret"]
        listen = ["--host", "127.0.0.1", "--port", str(store)]
        self.store = self.start("store", [str(given.s3), *listen, *keys, str(folder / "store")])
        self.environment = os.environ | {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "RUST_LOG": "warn",
        }
        wait_for(store)
        self.executors: dict[int, subprocess.Popen] = {}
        self.schedule()

    def start(self, name: str, command: list[str], environment=None) -> subprocess.Popen:
        with open(self.folder / f"{name}.log", "a") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def schedule(self) -> None:
        command = [self.binary, "scheduler", "--listen", f"127.0.0.1:{self.port}", "--executor-timeout", "10"]
        self.scheduler = self.start("scheduler", command, self.environment)
        wait_for(self.port)

    def execute(self, core: int) -> None:
        """Starts an executor on a core."""
        number = sorted(os.sched_getaffinity(0))[core]
        command = ["taskset", "-c", str(number), self.binary, "executor", "--cores", "1", "--port", str(free_port())]
        command += ["--scheduler", f"df://127.0.0.1:{self.port}", "--work-dir", str(self.folder / f"work-{core}")]
        environment = self.environment | {"REMATCH_CACHE": str(self.folder / f"cache-{core}")}
        self.executors[core] = self.start(f"executor-{core}", command, environment)
        time.sleep(1)

    def lose(self, core: int) -> None:
        """Kills an executor, and waits until the scheduler has given it up."""
        self.kill(self.executors.pop(core))
        time.sleep(16)

    @staticmethod
    def kill(process: subprocess.Popen) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    def begin(self, bench: Path, out: str, *more: str, before: list[str]) -> subprocess.Popen:
        """Begins a run into a fresh directory of the bucket."""
        shutil.rmtree(self.folder / "store" / BUCKET / out, ignore_errors=True)
        command = [*before, self.binary, "run", str(bench), "--out", f"s3://{BUCKET}/{out}", "--quiet", "--no-cache", *more]
        return subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)

    def end(self, run: subprocess.Popen) -> None:
        _, errors = run.communicate()
        if run.returncode != 0:
            sys.exit(f"a run ended with {run.returncode}:\n{errors}")

    def timed(self, bench: Path, out: str, *more: str, before: list[str]) -> float:
        began = time.perf_counter()
        self.end(self.begin(bench, out, *more, before=before))
        return time.perf_counter() - began

    def parts(self, out: str) -> int:
        with contextlib.suppress(FileNotFoundError):
            return sum(name.endswith(".parquet") for name in os.listdir(self.folder / "store" / BUCKET / out / "parts"))
        return 0

    def halfway(self, bench: Path, out: str, parts: int) -> subprocess.Popen:
        """Begins a run and returns when half of its parts are there."""
        run = self.begin(bench, out, "--cluster", self.address(), before=[])
        while self.parts(out) < parts // 2:
            if run.poll() is not None:
                sys.exit(f"the run ended before it had half of its parts:\n{run.communicate()[1]}")
            time.sleep(0.02)
        return run

    def address(self) -> str:
        return f"df://127.0.0.1:{self.port}"

    def stop(self) -> None:
        for process in [self.scheduler, self.store, *self.executors.values()]:
            self.kill(process)


def comparable(folder: Path) -> dict:
    """What a run came to: tables as they are, the report without times and places."""
    found = {name: (folder / name).read_bytes() for name in ARTEFACTS}
    report = json.loads((folder / "report.json").read_text())

    def timeless(value):
        if isinstance(value, dict):
            left_out = ("completed_at", "requests")
            return {
                key: timeless(inner) for key, inner in value.items() if "latenc" not in key and key not in left_out
            }
        return [timeless(inner) for inner in value] if isinstance(value, list) else value

    return found | {"report.json": timeless(report)}


def same(cluster: Cluster, out: str) -> None:
    bucket = cluster.folder / "store" / BUCKET
    expected, found = comparable(bucket / "embedded"), comparable(bucket / out)
    different = [name for name in expected if expected[name] != found[name]]
    if different:
        sys.exit(f"`{out}` is not the run of one process: {', '.join(different)}")


def prepare(given: argparse.Namespace, folder: Path) -> Path:
    """Returns a benchmark with a text search, a recorded retriever and a component."""
    bench = folder / "bench.toml"
    if not (folder / "second.parquet").exists():
        workload.write_workload(folder, given.sessions)
        workload.write_nothing(folder)
        binary = str(given.rematch.resolve())
        # One that broke off may have left it; nothing is imported over a file.
        (folder / "sessions.parquet").unlink(missing_ok=True)
        subprocess.run([binary, "import", folder / "sessions.jsonl", "--out", folder / "sessions.parquet"], check=True)
        recorded = workload.benchmark(folder, "make", ["bm25-other", "nothing"], '["json", "parquet"]')
        command = [binary, "run", str(recorded), "--out", str(folder / "make"), "--quiet", "--no-cache"]
        subprocess.run(command, check=True)
        shutil.move(folder / "make" / "rankings.parquet", folder / "second.parquet")
        shutil.rmtree(folder / "make")
    return workload.benchmark(folder, bench.stem, ["bm25", "second"], '["json", "parquet"]', wasm=str(WASM))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rematch", required=True, type=Path)
    arguments.add_argument("--s3", required=True, type=Path)
    arguments.add_argument("--sessions", type=int, default=100_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--work", type=Path, default=Path("target/compare-cluster"))
    given = arguments.parse_args()
    folder = given.work.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    bench = prepare(given, folder)
    cluster = Cluster(given, folder)
    try:
        compare(cluster, bench, given.rounds)
    finally:
        cluster.stop()


def compare(cluster: Cluster, bench: Path, rounds: int) -> None:
    on_cluster = ["--cluster", cluster.address()]
    cluster.execute(0)
    cluster.execute(1)
    taken: dict[str, list[float]] = {}
    for number in range(rounds):
        one_process = cluster.timed(bench, "embedded", "--threads", "2", before=cores(2))
        taken.setdefault("one process, two cores", []).append(one_process)
        out = f"two-{number}"
        taken.setdefault("two executors", []).append(cluster.timed(bench, out, *on_cluster, before=cores(2)))
        same(cluster, out)
    parts = cluster.parts("embedded")

    run = cluster.halfway(bench, "lost-executor", parts)
    cluster.kill(cluster.executors.pop(1))
    cluster.end(run)
    same(cluster, "lost-executor")
    print(f"an executor killed after half of {parts} parts: the same run")

    cluster.execute(1)
    run = cluster.halfway(bench, "lost-scheduler", parts)
    cluster.kill(cluster.scheduler)
    time.sleep(2)
    cluster.schedule()
    cluster.end(run)
    same(cluster, "lost-scheduler")
    print("the scheduler killed after half of them, and started again: the same run")

    cluster.lose(1)
    for number in range(rounds):
        one_process = cluster.timed(bench, "embedded", "--threads", "1", before=cores(1))
        taken.setdefault("one process, one core", []).append(one_process)
        out = f"one-{number}"
        taken.setdefault("one executor", []).append(cluster.timed(bench, out, *on_cluster, before=cores(1)))
        same(cluster, out)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    whole = medians["one process, two cores"]
    print(f"\nmedian of {rounds} rounds in turns\n\n| | wall s | to one process on two cores |\n|---|---|---|")
    for name, seconds in medians.items():
        print(f"| {name} | {seconds:.1f} | {seconds / whole:.2f} |")
    print(f"\nfrom one executor to two: {medians['one executor'] / medians['two executors']:.2f} times as fast")


main()
