#!/usr/bin/env python3
"""What would a run of a billion sessions cost on a cluster, what stops it first, and what helps?

  scale.py measure --rematch BINARY --out tests/scale_costs.json     what a unit costs, from real runs on this machine
  scale.py simulate [--executors 10,100,1000] [--change NAME,...]    one run after the other, as a table or --json
  scale.py simulate --check                                          the simulation against sums that are known
  scale.py page [--check]                                            engine/SCALE.md from the costs, or whether it is stale

`simulate` plays a run on a cluster event by event, as engine/src/cluster and engine/src/unit work: the driver hashes
the inputs, draws the sample, sends jobs one after the other and looks for parts; executors ask the scheduler for tasks,
open the run once, and read, replay, score and write; the driver then reads the parts as often as the comparison does,
and copies them into the published tables. What one machine does alone is added up, the cluster is simulated. All is
seeded: equal arguments give equal figures.
Python 3.11, standard library only.
"""

import argparse
import dataclasses
import heapq
import itertools
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
COSTS = HERE / "scale_costs.json"
PAGE = HERE.parent / "engine" / "SCALE.md"
MIB = 1 << 20
HOUR = 3600.0

# ---- What is measured ---------------------------------------------------------------------------------------

SEED = 20260101
DEPTH = 100
SESSIONS_OF_A_USER = 5
VOCABULARY, DOCUMENTS, WORDS = 20_000, 50_000, 40


def write_workload(folder: Path, sessions: int) -> None:
    """A corpus of Zipf-distributed words, and judged searches, by users who come back, for two words of a document."""
    draw = random.Random(SEED)
    weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(VOCABULARY)))
    texts = []
    with open(folder / "corpus.jsonl", "w") as corpus:
        for number in range(DOCUMENTS):
            words = [f"w{word}" for word in draw.choices(range(VOCABULARY), cum_weights=weights, k=WORDS)]
            texts.append(words)
            corpus.write(json.dumps({"item_id": f"d{number:07}", "text": " ".join(words)}) + "\n")
    with open(folder / "sessions.jsonl", "w") as out:
        for number in range(sessions):
            wanted = draw.randrange(DOCUMENTS)
            judged = [wanted, *(draw.randrange(DOCUMENTS) for _ in range(draw.randrange(4)))]
            row = {
                "session_id": f"s{number:09}",
                "user_id": f"u{draw.randrange(max(1, sessions // SESSIONS_OF_A_USER)):09}",
                "query": " ".join(draw.sample(texts[wanted], 2)),
                "taxonomy": [f"shop/{draw.randrange(20)}"],
                "judgments": [{"item_id": f"d{item:07}", "grade": draw.randint(1, 5)} for item in dict.fromkeys(judged)],
            }
            out.write(json.dumps(row) + "\n")


def benchmark(
    folder: Path, name: str, arms: list[str], formats: str = '["json"]', wasm: str = "", cluster_by: str = "auto"
) -> Path:
    """A benchmark file with an arm for each of `arms`: a recording, a text search or nothing."""
    stage = {
        "first": '{ kind = "recorded", path = "first.parquet", retriever-id = "one" }',
        "second": '{ kind = "recorded", path = "second.parquet", retriever-id = "one" }',
        "third": '{ kind = "recorded", path = "third.parquet", retriever-id = "one" }',
        "bm25": '{ kind = "bm25", corpus = "products", fields = { text = 1.0 } }',
        "bm25-other": '{ kind = "bm25", corpus = "products", fields = { text = 1.0 }, k1 = 0.6 }',
        "nothing": '{ kind = "recorded", path = "nothing.run", missing = "empty" }',
    }
    names = ["one", "two", "three"][: len(arms)]
    text = f'name = "{name}"\nbaseline = "one"\ncandidates = {json.dumps(names[1:])}\ndepth = {DEPTH}\n'
    text += '[sessions]\npath = "sessions.parquet"\n[metrics]\nk = [5, 10, 20]\n'
    text += f'[statistics]\ncluster-by = "{cluster_by}"\n'
    if any(arm.startswith("bm25") for arm in arms):
        text += '[corpus.products]\npath = "corpus.jsonl"\nid = "item_id"\n'
    for retriever, arm in zip(names, arms):
        text += f'[[retriever]]\nid = "{retriever}"\nstages = [{stage[arm]}]\n'
    if wasm:
        text += f'[[scorer]]\nname = "patience"\nplugin = {json.dumps(wasm)}\n'
    text += f"[output]\nformats = {formats}\n"
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


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


def read_struct(data: bytes, at: int) -> tuple[dict, int]:
    """A struct of Thrift's compact protocol as a dict by field number, and where it ends."""

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
            shift += 7

    def value(kind: int, at: int):
        match kind:
            case 1 | 2:
                return kind == 1, at
            case 3:
                return data[at], at + 1
            case 4 | 5 | 6:
                raw, at = varint(at)
                return (raw >> 1) ^ -(raw & 1), at
            case 7:
                return None, at + 8
            case 8:
                length, at = varint(at)
                return data[at : at + length], at + length
            case 9 | 10:
                size, kind = data[at] >> 4, data[at] & 15
                at += 1
                if size == 15:
                    size, at = varint(at)
                items = []
                for _ in range(size):
                    item, at = value(kind, at) if kind > 2 else (data[at] == 1, at + 1)
                    items.append(item)
                return items, at
            case 12:
                return read_struct(data, at)
        raise ValueError(f"type {kind} in a footer")

    found, number = {}, 0
    while data[at] != 0:
        head = data[at]
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            raw, at = varint(at)
            number = (raw >> 1) ^ -(raw & 1)
        found[number], at = value(head & 15, at)
    return found, at + 1


def table(path: Path) -> dict[str, float]:
    """Bytes, rows, row groups and columns of a Parquet file, and the bytes of its footer and of the column `hits`."""
    with open(path, "rb") as file:
        file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, os.SEEK_END)
        footer, _ = read_struct(file.read(length), 0)
    groups = footer[4]
    columns = [column[3] for group in groups for column in group[1]]
    hits = sum(column[7] for column in columns if column[3][0] == b"hits")
    size = path.stat().st_size
    return {
        "bytes": size,
        "rows": footer[3],
        "groups": len(groups),
        "columns": len(columns) / max(1, len(groups)),
        "footer": length,
        "hits": hits,
    }


def prepare(binary: Binary, sessions: int) -> None:
    """Makes the workload and its recordings, unless they are there."""
    folder = binary.folder
    if (folder / "third.parquet").exists():
        return
    write_workload(folder, sessions)
    (folder / "nothing.run").write_text("s000000000 Q0 d0000000 1 1 nothing\n")
    spent([binary.path, "import", str(folder / "sessions.jsonl"), "--out", str(folder / "sessions.parquet")])
    for name, arm in (("first", "bm25"), ("second", "bm25-other")):
        binary.run(benchmark(folder, f"make-{name}", [arm, "nothing"], '["json", "parquet"]'), "make")
        shutil.move(folder / "make" / "rankings.parquet", folder / f"{name}.parquet")
    shutil.copy(folder / "first.parquet", folder / "third.parquet")
    shutil.rmtree(folder / "make")


def measure(given: argparse.Namespace) -> None:
    folder = given.work.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    binary, sessions = Binary(str(Path(given.rematch).resolve()), folder), given.sessions
    prepare(binary, sessions)
    if given.prepare:
        return
    wasm = str(HERE.parent / "plugins/half-life-utility/half-life-utility.wasm")
    two = benchmark(folder, "two", ["first", "second"], '["json", "parquet"]')
    two_json = benchmark(folder, "two-json", ["first", "second"])
    three = benchmark(folder, "three", ["first", "second", "third"])
    alone = benchmark(folder, "alone", ["first", "second", "third"], cluster_by="session")
    scored = benchmark(folder, "scored", ["first", "second", "third"], wasm=wasm)
    searched = benchmark(folder, "searched", ["bm25", "bm25-other"])
    binary.run(scored, "out")  # Compiles the component, and is not measured.
    memory = {threads: binary.run(two, "out", "--threads", str(threads))[1] for threads in (1, 2, 4)}
    sample, part = table(folder / "out/sessions.parquet"), table(folder / "out/parts/000-000000.parquet")
    rankings, scores = table(folder / "out/rankings.parquet"), table(folder / "out/scenario_scores.parquet")
    chunks = int(sample["groups"])
    parts = sum(file.stat().st_size for file in (folder / "out/parts").iterdir())
    searching = {threads: binary.run(searched, "out", "--threads", str(threads), "--shard", "1/4")[1] for threads in (1, 2)}
    start = min(spent([binary.path, "--version"])[0] for _ in range(5))
    rounds: dict[str, list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for name, bench, whole in (
            ("two", two, True),
            ("two-json", two_json, False),
            ("three", three, True),
            ("alone", alone, False),
            ("scored", scored, True),
            ("searched", searched, True),
        ):
            rounds.setdefault(name, []).append(binary.stages(bench, chunks, whole))
    of = {name: {key: statistics.median(one[key] for one in all) for key in all[0]} for name, all in rounds.items()}
    million = sessions / 1e6
    recordings = [(folder / f"{name}.parquet").stat().st_size for name in ("first", "second", "third")]
    inputs = (folder / "sessions.parquet").stat().st_size
    per_arm = of["three"]["compare"] - of["two-json"]["compare"]
    lone_per_pass = of["alone"]["compare"]
    costs = {
        "about": {
            "sessions": sessions,
            "rounds": given.rounds,
            "version": subprocess.run([binary.path, "--version"], capture_output=True, text=True).stdout.strip(),
            "processor": processor(),
        },
        "start_s": start,
        "hash_s_per_gb": max(0.0, of["three"]["rest"] - start) / ((sum(recordings) + inputs) / 1e9),
        "sample_s_per_million": of["two"]["sample"] / million,
        "index_s_per_million": of["two"]["open"] / 2 / million,
        "bm25_index_s_per_million_documents": of["searched"]["open"] / (DOCUMENTS / 1e6),
        "unit_s_per_million": {
            "recorded": of["three"]["units"] / 3 / million,
            "bm25": of["searched"]["units"] / 2 / million,
        },
        "wasm_s_per_million": (of["scored"]["units"] - of["three"]["units"]) / 3 / million,
        "compare_s_per_million": {"fixed": (of["two-json"]["compare"] - 2 * per_arm) / million, "arm": per_arm / million},
        "cluster_pass_s_per_million": max(0.0, of["three"]["compare"] - lone_per_pass) / million,
        "publish_s_per_million_arm": (of["two"]["compare"] - of["two-json"]["compare"]) / 2 / million,
        "input_bytes_per_session": inputs / sessions,
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
        "process_mb": memory[1],
        "slot_mb": (memory[4] - memory[1]) / 3,
        "bm25_process_mb": searching[1],
        "bm25_slot_mb": searching[2] - searching[1],
    }
    given.out.write_text(json.dumps(rounded(costs), indent=1) + "\n")
    print(given.out.read_text())


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


# ---- What is assumed ----------------------------------------------------------------------------------------


def assumed(value: float, unit: str, source: str):
    return field(default=value, metadata={"unit": unit, "source": source})


CODE = "the code"
GUESS = "guessed, not measured"


@dataclass
class World:
    """The run, the machines, the store and the prices; every field is on the page with its source."""

    sessions: int = assumed(1_000_000_000, "sessions", "the task")
    chunk: int = assumed(4096, "sessions a chunk", "`store::sessions_per_chunk` of a large sample")
    chunks_per_task: int = assumed(8, "chunks a task", "`CHUNKS_PER_TASK` in cluster/drive.rs")
    tasks_per_job: int = assumed(4096, "tasks a job", "`TASKS_PER_JOB`, one job after the other")
    look_s: float = assumed(0.5, "s", "`LOOK`: parts are listed this often, or ten times as long as a look takes")
    ask_s: float = assumed(0.1, "s", "`ASK`: the state of a job")
    poll_s: float = assumed(0.05, "s", "Ballista 55, `IDLE_POLL_INTERVAL` of an executor that got no task")
    timeout_s: float = assumed(30, "s", "`--executor-timeout`; looked at every quarter of it")
    read_ahead: int = assumed(4 * MIB, "bytes", "`OBJECT_READ_AHEAD` in storage/blob.rs")
    piece: int = assumed(8 * MIB, "bytes", "`PIECE` in storage/remote.rs, four in flight")
    single_put: int = assumed(32 * MIB, "bytes", "`SINGLE_PUT`: more goes up in pieces")
    bucket_bytes: int = assumed(
        192 * MIB, "bytes", "`BUCKET_BYTES` in compare/cluster_tests.rs: one pass over the parts per bucket"
    )
    measures: int = assumed(13, "measures", "eleven metrics, a scorer, the scenario score: each a test of every candidate")
    documents: int = assumed(1_000_000, "documents", "the corpus of the text search")
    group_sessions: int = assumed(65_536, "sessions a row group", "of the recordings, which somebody else wrote")
    cores: int = assumed(4, "cores", "c7i.xlarge: 4 vCPU, 8 GiB; a core is taken to be as fast as the measured one")
    driver_threads: int = assumed(4, "threads", "one per core; `rematch run --threads` sets another number")
    memory_gb: float = assumed(8, "GiB", "c7i.xlarge")
    nic: float = assumed(195e6, "bytes/s", "c7i.xlarge, lasting (1.56 Gb/s; bursts to 12.5)")
    stream: float = assumed(90e6, "bytes/s", "one request to the store; " + GUESS)
    get_s: float = assumed(0.02, "s", "to the first byte of GET or HEAD; " + GUESS)
    put_s: float = assumed(0.04, "s", "PUT; " + GUESS)
    list_s: float = assumed(0.1, "s", "a listing of 1,000 names; " + GUESS)
    prefix_gets: float = assumed(5500, "/s", "S3, per prefix; inputs are one prefix and the run directory is one")
    prefix_puts: float = assumed(3500, "/s", "S3, per prefix")
    rtt_s: float = assumed(0.001, "s", "between machines of a region; " + GUESS)
    scheduler_poll_s: float = assumed(0.0002, "s", "the scheduler, for one poll; " + GUESS)
    scheduler_task_s: float = assumed(0.001, "s", "the scheduler, for dealing out a task and hearing of its end; " + GUESS)
    plan_s: float = assumed(1.0, "s", "a job of 4,096 tasks, from sending to its first task; " + GUESS)
    deaths_per_hour: float = assumed(0.002, "per executor and hour", GUESS)
    replace_s: float = assumed(120, "s", "until a dead executor is replaced; " + GUESS)
    jitter: float = assumed(0.1, "of a task's time", "spread; " + GUESS)
    column_memory: float = assumed(400, "bytes", "a column of a row group, of an open table; " + GUESS)
    machine_hour: float = assumed(0.1785, "$", "c7i.xlarge on demand")
    put_price: float = assumed(0.005 / 1000, "$", "S3 Standard: $0.005 per 1,000 PUT or LIST")
    get_price: float = assumed(0.0004 / 1000, "$", "S3 Standard: $0.0004 per 1,000 GET or HEAD")
    month_gb: float = assumed(0.023, "$", "S3 Standard, GB and month; nothing is counted for transfer within the region")
    disk_gb: float = assumed(0.08, "$", "gp3, GB and month, for what the driver spools")
    pipelines: tuple = ("recorded", "recorded", "bm25")
    wasm: bool = True
    repeat: bool = True
    changes: tuple = ()
    seed: int = 1

    def has(self, change: str) -> bool:
        return change in self.changes


CHANGES = {
    "trust-tasks": "the driver believes what finished tasks say and reads no part; it lists them once, at the end of a job",
    "trust-tags": "a remote input is known by its entity tag, and nobody reads it only to hash it",
    "index-once": "the index of a recording is made once and shipped, not by every executor",
    "cluster-compare": "sums, and sums by user, are made in the cluster, dealt out by Ballista's shuffle, and merged there",
    "parts-as-tables": "the published tables are the parts and a list of them; nothing is copied",
    "large-chunks": "65,536 sessions a chunk, one chunk a task",
    "cluster-sample": "the sample is drawn by tasks, each a file of it",
    "jobs-at-once": "all tasks are in one job; no executor waits for the last one of a job",
}


# ---- The cluster, event by event ----------------------------------------------------------------------------


class Prefix:
    """A part of the store that answers so many requests a second, in the order in which they come."""

    def __init__(self, rate: float):
        self.rate, self.free, self.count = rate, 0.0, 0.0

    def take(self, now: float, requests: float) -> float:
        """Returns when the last of the requests is answered."""
        self.count += requests
        self.free = max(now, self.free) + requests / self.rate
        return self.free


@dataclass
class Work:
    """What a task asks of its machine and of the store. The slot does one thing after the other."""

    cpu: float = 0.0
    gets: float = 0.0
    puts: float = 0.0
    input_gets: float = 0.0
    read: float = 0.0
    written: float = 0.0
    parts: int = 0
    wait: float = 0.0
    own: float = -1.0

    def part_of(self, share: float) -> "Work":
        """Returns that share of it."""
        numbers = {name: value * share for name, value in vars(self).items() if name != "parts"}
        return Work(**numbers, parts=self.parts)

    def seconds(self, world: World, share: float) -> float:
        if self.own >= 0:
            return self.own
        rate = min(world.stream, share)
        requests = (self.gets + self.input_gets) * world.get_s + self.puts * world.put_s
        return self.cpu + self.wait + requests + (self.read + self.written) / rate


@dataclass
class Phase:
    """A stretch of the run: how long it took, what it asked for, and what bounded it."""

    name: str
    where: str
    wall: float = 0.0
    cpu: float = 0.0
    gets: float = 0.0
    puts: float = 0.0
    lists: float = 0.0
    read: float = 0.0
    written: float = 0.0
    bound: str = ""
    notes: dict = field(default_factory=dict)


OPENING_STEPS = 50
# What the driver asks of a new part, one request after the other: HEAD twice, the end of the file, the footer, a column.
LOOK_GETS = 5


class Cluster:
    """Executors that ask a scheduler for the tasks of one job after the other, and a driver that looks for their parts."""

    def __init__(
        self,
        world: World,
        executors: int,
        tasks: list[Work],
        opening: Work,
        look_read_s: float,
        seed: int,
        jobs_at_once: bool = False,
    ):
        self.world, self.executors, self.tasks, self.opening = world, executors, tasks, opening
        self.look_read_s, self.draw = look_read_s, random.Random(seed)
        size = len(tasks) if jobs_at_once else world.tasks_per_job
        self.jobs = [range(start, min(start + size, len(tasks))) for start in range(0, len(tasks), size)]
        self.events: list = []
        self.number = itertools.count()
        self.run_prefix = [Prefix(world.prefix_gets), Prefix(world.prefix_puts)]
        self.input_prefix = Prefix(world.prefix_gets)
        self.pending: deque = deque()
        self.free = [world.cores] * executors
        self.generation = [0] * executors
        self.opened = [False] * executors
        self.opens_left = [0] * executors
        self.waiting: list[list[int]] = [[] for _ in range(executors)]
        self.running: list[dict[int, tuple[float, float]]] = [{} for _ in range(executors)]
        self.alive = [True] * executors
        self.asking = [False] * executors
        self.left: dict[int, int] = {}
        self.scheduler_free = self.scheduler_busy = 0.0
        self.busy = self.opening_time = self.looking = self.between = 0.0
        self.parts = self.told = self.finished = self.deaths = self.redone = 0
        self.look_gets = self.look_lists = self.polls = 0.0
        self.read = self.written = self.cpu = 0.0
        self.job, self.job_left, self.look_ends, self.end = -1, 0, 0.0, 0.0
        self.waits = {"own time": 0.0, "requests to the run's prefix": 0.0, "requests to the inputs' prefix": 0.0}
        self.job_done_at = self.held = self.noted = 0.0
        self.under_way = self.in_opening = 0

    def note(self, now: float) -> None:
        """Adds up the time in which all that a job still waits for is held by executors that are opening the run."""
        if self.in_opening and not self.under_way and not self.pending:
            self.held += now - self.noted
        self.noted = now

    def at(self, when: float, kind: str, *data) -> None:
        heapq.heappush(self.events, (when, next(self.number), kind, data))

    def run(self) -> float:
        """Plays everything and returns when the driver knows that all is done."""
        self.send_job(0.0)
        for executor in range(self.executors):
            self.fate(0.0, executor)
        idle = 0
        while self.events and not self.end:
            now, _, kind, data = heapq.heappop(self.events)
            idle = 0 if kind in ("done", "job_ready", "open_step") else idle + 1
            if idle > 1_000_000:
                raise RuntimeError(f"{self.job_left} tasks are lost: nothing is done any more")
            self.note(now)
            getattr(self, kind)(now, *data)
        return self.end

    def fate(self, now: float, executor: int) -> None:
        if self.world.deaths_per_hour > 0:
            self.at(
                now + self.draw.expovariate(self.world.deaths_per_hour / HOUR), "die", executor, self.generation[executor]
            )

    # The driver.

    def send_job(self, now: float) -> None:
        self.job += 1
        if self.job == len(self.jobs):
            self.between += now - self.job_done_at
            self.end = now
            return
        self.job_left = len(self.jobs[self.job])
        self.at(now + self.world.plan_s, "job_ready")
        if self.look_read_s >= 0:
            self.at(now + self.world.look_s, "look", self.job)

    def job_ready(self, now: float) -> None:
        if self.job:
            self.between += now - self.job_done_at
        self.pending.extend(self.jobs[self.job])
        self.wake(now)

    def look_takes(self) -> float:
        new = self.parts - self.told
        lists = max(1, math.ceil(self.parts / 1000))
        self.look_lists += lists
        self.told = self.parts
        if self.look_read_s > 0:
            self.look_gets += LOOK_GETS * new
        took = lists * self.world.list_s + new * max(0.0, self.look_read_s)
        self.looking += took
        return took

    def look(self, now: float, job: int) -> None:
        if job != self.job or self.job_left == 0:
            return
        took = self.look_takes()
        self.look_ends = now + took
        self.at(now + took + max(self.world.look_s, 10 * took), "look", job)

    def job_done(self, now: float) -> None:
        self.job_done_at = now
        seen = max(now + self.world.ask_s / 2, self.look_ends)
        self.at(seen, "last_look")

    def last_look(self, now: float) -> None:
        # Who does not look before a job's end lists the parts once then, and reads none.
        self.send_job(now + self.look_takes())

    # Scheduler and executors.

    def wake(self, now: float) -> None:
        """Every executor with a free slot asks at its next poll. Where many ask for nothing, the scheduler is behind."""
        idle = [
            executor
            for executor in range(self.executors)
            if self.alive[executor] and self.free[executor] and not self.asking[executor]
        ]
        cycle = max(self.world.poll_s + self.world.rtt_s, len(idle) * self.world.scheduler_poll_s)
        for executor in idle:
            self.asking[executor] = True
            self.at(now + self.draw.random() * cycle, "poll", executor, self.generation[executor])

    def poll(self, now: float, executor: int, generation: int) -> None:
        if generation != self.generation[executor]:
            return
        self.asking[executor] = False
        taken = min(self.free[executor], len(self.pending))
        service = self.world.scheduler_poll_s + taken * self.world.scheduler_task_s
        self.scheduler_free = max(now, self.scheduler_free) + service
        self.scheduler_busy += service
        self.polls += 1
        if not taken:
            return
        self.free[executor] -= taken
        tasks = [self.pending.popleft() for _ in range(taken)]
        self.at(self.scheduler_free + self.world.rtt_s, "deal", executor, generation, tasks)

    def deal(self, now: float, executor: int, generation: int, tasks: list[int]) -> None:
        if generation != self.generation[executor]:
            self.pending.extend(tasks)
            self.wake(now)
            return
        if self.opened[executor]:
            for task in tasks:
                self.start(now, executor, task)
            return
        self.waiting[executor].extend(tasks)
        self.in_opening += len(tasks)
        for task in tasks:
            self.running[executor][task] = (now, math.inf)
        if not self.opens_left[executor]:
            self.opens_left[executor] = OPENING_STEPS
            self.open_step(now, executor, generation)

    def open_step(self, now: float, executor: int, generation: int) -> None:
        """Opening in small steps, so that executors that open at once share the store."""
        if generation != self.generation[executor]:
            return
        if not self.opens_left[executor]:
            self.opened[executor] = True
            waiting, self.waiting[executor] = self.waiting[executor], []
            self.in_opening -= len(waiting)
            for task in waiting:
                self.start(now, executor, task)
            return
        self.opens_left[executor] -= 1
        done = self.finish(now, self.opening.part_of(1 / OPENING_STEPS), self.world.nic)
        self.opening_time += (done - now) * self.world.cores
        self.at(done, "open_step", executor, generation)

    def finish(self, now: float, work: Work, share: float, jitter: float = 1.0) -> float:
        own = now + work.seconds(self.world, share) * jitter
        run = max(self.run_prefix[0].take(now, work.gets), self.run_prefix[1].take(now, work.puts))
        inputs = self.input_prefix.take(now, work.input_gets) if work.input_gets else 0.0
        self.read, self.written, self.cpu = self.read + work.read, self.written + work.written, self.cpu + work.cpu
        done = max(own, run, inputs)
        why = (
            "own time"
            if done == own
            else "requests to the run's prefix" if done == run else "requests to the inputs' prefix"
        )
        self.waits[why] += done - now
        return done

    def start(self, now: float, executor: int, task: int) -> None:
        work = self.tasks[task]
        left = self.left.get(task, work.parts or 1) / (work.parts or 1)
        if left < 1:
            work = work.part_of(left)
        jitter = self.draw.lognormvariate(0.0, self.world.jitter) if self.world.jitter else 1.0
        done = self.finish(now, work, self.world.nic / self.world.cores, jitter)
        self.running[executor][task] = (now, done)
        self.under_way += 1
        self.at(done, "done", executor, self.generation[executor], task, now)

    def done(self, now: float, executor: int, generation: int, task: int, began: float) -> None:
        if generation != self.generation[executor]:
            return
        del self.running[executor][task]
        self.under_way -= 1
        self.busy += now - began
        self.parts += self.left.get(task, self.tasks[task].parts)
        self.finished += 1
        self.free[executor] += 1
        self.job_left -= 1
        if not self.job_left:
            self.job_done(now)
        elif self.pending and not self.asking[executor]:
            self.asking[executor] = True
            self.at(now + self.world.rtt_s, "poll", executor, generation)
        else:
            self.scheduler_busy += self.world.scheduler_poll_s

    def die(self, now: float, executor: int, generation: int) -> None:
        if generation != self.generation[executor]:
            return
        self.deaths += 1
        self.generation[executor] += 1
        self.alive[executor] = self.asking[executor] = False
        lost = []
        for task, (began, done) in self.running[executor].items():
            parts = self.left.get(task, self.tasks[task].parts)
            # Parts that are written count.
            written = int(parts * (now - began) / (done - began)) if math.isfinite(done) and done > began else 0
            self.busy += now - began if math.isfinite(done) else 0.0
            self.parts += written
            self.left[task] = parts - written
            lost.append(task)
        self.redone += len(lost)
        self.in_opening -= len(self.waiting[executor])
        self.under_way -= len(lost) - len(self.waiting[executor])
        self.running[executor], self.waiting[executor] = {}, []
        self.opened[executor], self.opens_left[executor], self.free[executor] = False, 0, 0
        # Lost is who has not asked for the timeout, and that is looked at every quarter of it.
        quarter = self.world.timeout_s / 4
        self.at(now + self.world.timeout_s + self.draw.random() * quarter, "again", lost)
        self.at(now + self.world.replace_s, "replace", executor)

    def again(self, now: float, tasks: list[int]) -> None:
        self.pending.extendleft(tasks)
        self.wake(now)

    def replace(self, now: float, executor: int) -> None:
        self.alive[executor], self.free[executor] = True, self.world.cores
        self.fate(now, executor)
        if self.pending:
            self.wake(now)


# ---- A whole run --------------------------------------------------------------------------------------------

# Bytes that the comparison holds of a cluster (compare/cluster_tests.rs): its key, a cell per test, one per test at a node.
KEY_BYTES, CELL_BYTES, NODE_CELL_BYTES, TESTS_AT_NODES = 96, 32, 16, 8
# A session is under its node and the one above.
MEMBERSHIPS = 2
HASHES_AT_ONCE = 1 << 23
MOST_ROW_GROUPS = 32_767
MOST_PIECES = 10_000
BLOCK_HITS = 1 << 16
INDEX_ENTRY = 64
DISK_RATE = 125e6
DOCUMENT_BYTES = 250
# Dollars for a GB from one zone to another, to whoever sends and to whoever receives.
ZONE_GB = 0.01


@dataclass
class Result:
    executors: int
    phases: list[Phase]
    figures: dict

    @property
    def wall(self) -> float:
        return sum(phase.wall for phase in self.phases)

    def first(self) -> Phase:
        return max(self.phases, key=lambda phase: phase.wall)


class Run:
    """A run of `world` with what a unit costs."""

    def __init__(self, world: World, costs: dict):
        if world.has("large-chunks"):
            world = dataclasses.replace(world, chunk=65_536, chunks_per_task=1)
        self.world, self.costs = world, costs
        self.chunks = math.ceil(world.sessions / world.chunk)
        self.arms = len(world.pipelines)
        self.recordings = sum(kind == "recorded" for kind in world.pipelines)
        self.part = costs["part_bytes_per_session"] * world.chunk
        self.sample = costs["sample_bytes_per_session"] * world.sessions
        self.input = costs["input_bytes_per_session"] * world.sessions
        self.recording = costs["recording_bytes_per_session"] * world.sessions
        self.sample_footer = self.chunks * costs["sample_footer_bytes_per_group"]

    # What tasks ask for.

    def puts(self, size: float) -> float:
        return 1 if size <= self.world.single_put else math.ceil(size / self.world.piece) + 3

    def sample_gets(self, size: float) -> float:
        return size / self.world.read_ahead + 1

    def unit_task(self, kind: str, chunks: int) -> Work:
        world, costs, sessions = self.world, self.costs, chunks * self.world.chunk
        sample = costs["sample_bytes_per_session"] * sessions
        work = Work(parts=chunks, gets=chunks + self.sample_gets(sample), read=sample)
        work.cpu = (costs["unit_s_per_million"][kind] + world.wasm * costs["wasm_s_per_million"]) * sessions / 1e6
        if kind == "recorded":
            # A reader that starts within a row group passes over what stands before.
            passed = max(0, (world.group_sessions - sessions) / 2)
            read = costs["recording_bytes_per_session"] * (sessions + passed)
            work.input_gets, work.read = read / world.read_ahead + 2, work.read + read
        work.puts, work.written = chunks * self.puts(self.part), chunks * self.part
        return work

    def unit_tasks(self) -> list[Work]:
        tasks = []
        for kind in self.world.pipelines:
            whole, rest = divmod(self.chunks, self.world.chunks_per_task)
            tasks += [self.unit_task(kind, self.world.chunks_per_task)] * whole
            tasks += [self.unit_task(kind, rest)] if rest else []
        return tasks

    def opening(self) -> Work:
        """What an executor does once: hashes, indexes of recordings and of the corpus, the footer of the sample."""
        world, costs = self.world, self.costs
        work = Work(gets=8, read=self.sample_footer)
        seconds = self.sample_footer / min(world.stream, world.nic) + 8 * world.get_s
        if self.recordings and not world.has("trust-tags"):
            hashed = self.recordings * self.recording
            cpu = hashed / 1e9 * costs["hash_s_per_gb"]
            gets = hashed / world.read_ahead
            seconds += cpu + gets * world.get_s + hashed / world.stream
            work.cpu, work.read, work.input_gets = work.cpu + cpu, work.read + hashed, work.input_gets + gets
        if self.recordings:
            groups = self.recordings * world.sessions / world.group_sessions
            if world.has("index-once"):
                gets, read, cpu = self.recordings, self.recordings * self.index_bytes(), 0.0
            else:
                gets = groups
                read = groups * min(world.read_ahead, costs["recording_bytes_per_session"] * world.group_sessions)
                cpu = self.recordings * costs["index_s_per_million"] * world.sessions / 1e6
            # Row groups are passed over on all cores.
            seconds += (cpu + gets * world.get_s) / world.cores + read / min(world.nic, world.cores * world.stream)
            work.cpu, work.read, work.input_gets = work.cpu + cpu, work.read + read, work.input_gets + gets
        if "bm25" in world.pipelines:
            cpu = costs["bm25_index_s_per_million_documents"] * world.documents / 1e6
            read = world.documents * DOCUMENT_BYTES
            seconds += cpu + read / world.stream
            work.cpu, work.read = work.cpu + cpu, work.read + read
        work.own = seconds
        return work

    def index_bytes(self) -> float:
        return self.world.sessions / (BLOCK_HITS / DEPTH) * INDEX_ENTRY

    def cell_bytes(self) -> float:
        """Bytes of sums of one cluster, if no cluster repeated."""
        candidates = self.arms - 1
        tests = candidates * (self.world.measures + 2)
        return KEY_BYTES + tests * CELL_BYTES + MEMBERSHIPS * (KEY_BYTES + candidates * TESTS_AT_NODES * NODE_CELL_BYTES)

    def buckets(self) -> int:
        return math.ceil(self.world.sessions * self.cell_bytes() / self.world.bucket_bytes) if self.world.repeat else 0

    # What the driver does alone.

    def alone(self, name: str, parts: dict[str, float], **more) -> Phase:
        """A phase of the driver whose seconds follow one another, or of which the longest counts where they overlap."""
        phase = Phase(name, "driver", **more)
        phase.wall = sum(parts.values())
        phase.bound = max(parts, key=parts.get) if phase.wall else ""
        return phase

    def hashing(self) -> Phase:
        size = self.input + self.recordings * self.recording
        if self.world.has("trust-tags"):
            return self.alone(
                "hash the inputs", {"requests": self.world.get_s * (1 + self.recordings)}, gets=1 + self.recordings
            )
        cpu, gets = size / 1e9 * self.costs["hash_s_per_gb"], size / self.world.read_ahead
        parts = {"one stream of the store": size / self.world.stream, "requests": gets * self.world.get_s, "one core": cpu}
        return self.alone("hash the inputs", parts, cpu=cpu, gets=gets, read=size)

    def drawing(self, executors: int, seed: int) -> Phase:
        world = self.world
        cpu = self.costs["sample_s_per_million"] * world.sessions / 1e6
        # Once for the ids, once to write.
        read, gets, puts = 2 * self.input, 2 * self.input / world.read_ahead, self.puts(self.sample)
        if world.has("cluster-sample"):
            count = math.ceil(world.sessions / 1e6)
            tasks = [
                Work(
                    cpu=cpu / count,
                    input_gets=gets / count,
                    puts=self.puts(self.sample / count),
                    read=read / count,
                    written=self.sample / count,
                )
            ] * count
            return self.in_cluster("draw the sample", executors, tasks, Work(own=0.0), -1.0, seed)
        upload = self.sample / min(world.nic, 4 * world.stream)
        parts = {
            "one core": cpu,
            "one stream of the store": read / world.stream,
            "requests": gets * world.get_s,
            "upload": upload,
        }
        return self.alone("draw the sample", parts, cpu=cpu, gets=gets, puts=puts, read=read, written=self.sample)

    def comparing(self, executors: int, seed: int) -> Phase:
        world, costs = self.world, self.costs
        million = world.sessions / 1e6
        # What was measured has one pass for the sums by user in it.
        compared = costs["compare_s_per_million"]["fixed"] + self.arms * costs["compare_s_per_million"]["arm"]
        users_cpu = costs["cluster_pass_s_per_million"] * million
        sums_cpu = max(0.0, compared * million - users_cpu)
        small = self.part * (1 - costs["part_hits_share"])
        # With a scorer the ids are read, which stand before the hits: what is read ahead of them is hits.
        whole = min(self.part, min(world.read_ahead, self.part) * world.wasm + small)
        sample = costs["sample_bytes_per_session"] * world.chunk
        if world.has("cluster-compare"):
            return self.comparing_in_cluster(executors, seed, sums_cpu + users_cpu, whole, sample)
        passes = [(whole, 1 + world.wasm, sums_cpu), (small, 1, 0.0)] + [(small, 1, users_cpu)] * (
            1 if self.buckets() else 0
        )
        times = [1, 1, self.buckets()]
        phase = Phase("compare", "driver")
        wheres: dict[str, float] = {}

        def add(times: float, gets: float, read: float, cpu: float) -> None:
            # Every thread waits for its own requests; the machine's network and the store's rate hold for all of them.
            threads = world.driver_threads
            waits = {
                "requests, one after the other on each thread": gets * world.get_s / threads,
                "one stream of the store": read / world.stream / threads,
                "cores": cpu / min(threads, world.cores),
            }
            limits = {"the driver's network": read / world.nic, "requests to the run's prefix": gets / world.prefix_gets}
            limit = max(limits, key=limits.get)
            took = waits if sum(waits.values()) >= limits[limit] else {limit: limits[limit]}
            for name, seconds in took.items():
                wheres[name] = wheres.get(name, 0.0) + times * seconds
            phase.wall += times * sum(took.values())
            phase.gets, phase.read, phase.cpu = phase.gets + times * gets, phase.read + times * read, phase.cpu + times * cpu

        for (part, pieces, cpu), count in zip(passes, times):
            gets = self.chunks * (
                self.arms * (3 + max(pieces, math.ceil(part / world.read_ahead))) + sample / world.read_ahead
            )
            add(count, gets, self.chunks * (self.arms * part + sample), cpu)
        surveys = 1 if world.repeat else math.ceil(world.sessions / HASHES_AT_ONCE)
        add(surveys, self.sample / world.read_ahead, self.sample, 0.0)
        phase.bound = max(wheres, key=wheres.get)
        phase.notes = {"passes over the parts": 2 + self.buckets(), "passes over the sample": surveys}
        return phase

    def comparing_in_cluster(self, executors: int, seed: int, cpu: float, part: float, sample: float) -> Phase:
        """Sums by chunk, and sums by user, which Ballista's shuffle deals out to tasks that hold them in memory."""
        world = self.world
        count = math.ceil(self.chunks / world.chunks_per_task)
        size = world.chunks_per_task
        gets = size * self.arms * (3 + math.ceil(part / world.read_ahead)) + self.sample_gets(size * sample)
        dealt = world.sessions * self.cell_bytes() / count if world.repeat else 0.0
        work = Work(cpu=cpu / count, gets=gets, read=size * (self.arms * part + sample), puts=1, written=dealt)
        opening = Work(gets=8, read=self.sample_footer, own=self.sample_footer / world.stream + 8 * world.get_s)
        phase = self.in_cluster("compare", executors, [work] * count, opening, -1.0, seed)
        if world.repeat:
            merges = math.ceil(count * dealt / (1 << 30))
            # Every one takes a piece from what each of the first tasks left on its executor's disk.
            merge = Work(cpu=cpu / merges / 4, wait=count * world.rtt_s, read=count * dealt / merges, puts=1)
            second = self.in_cluster("compare", executors, [merge] * merges, Work(own=0.0), -1.0, seed + 1)
            for name in ("wall", "cpu", "gets", "puts", "lists", "read", "written"):
                setattr(phase, name, getattr(phase, name) + getattr(second, name))
            if second.wall > phase.wall / 2:
                phase.bound = f"{second.bound} (merging)"
            # The shuffle lies on executors' disks, not in the store.
            shuffled = count * dealt
            phase.read, phase.written = phase.read - shuffled, phase.written - shuffled
            phase.notes["shuffled"] = shuffled
        return phase

    def publishing(self) -> Phase:
        world, costs = self.world, self.costs
        if world.has("parts-as-tables"):
            return self.alone("publish", {"requests": world.put_s}, puts=1)
        parts = self.chunks * self.arms
        rankings = costs["rankings_bytes_per_session_arm"] * world.sessions * self.arms
        scores = costs["scores_bytes_per_session_arm"] * world.sessions * self.arms
        # Twice: every part is opened, and every column read, one after the other.
        gets = parts * (3 + costs["rankings_columns"] + 3 + costs["scores_columns"])
        size = rankings + scores
        cpu = costs["publish_s_per_million_arm"] * self.arms * world.sessions / 1e6
        spool, upload = 2 * size / DISK_RATE, size / min(world.nic, 4 * world.stream)
        waits = {
            "requests, one after the other": gets * world.get_s,
            "one stream of the store": size / world.stream,
            "one core": cpu,
            "the driver's disk": spool,
            "upload": upload,
        }
        return self.alone("publish", waits, cpu=cpu, gets=gets, puts=size / world.piece, read=size, written=size)

    # What the cluster does.

    def in_cluster(
        self, name: str, executors: int, tasks: list[Work], opening: Work, look_read_s: float, seed: int
    ) -> Phase:
        world = self.world
        cluster = Cluster(world, executors, tasks, opening, look_read_s, seed, world.has("jobs-at-once"))
        phase = Phase(name, "cluster", wall=cluster.run())
        phase.gets = cluster.run_prefix[0].count + cluster.input_prefix.count + cluster.look_gets
        phase.puts, phase.lists = cluster.run_prefix[1].count, cluster.look_lists
        cluster.read += cluster.look_gets / LOOK_GETS * max(0.0, look_read_s - LOOK_GETS * world.get_s) * world.stream
        phase.read, phase.written, phase.cpu = cluster.read, cluster.written, cluster.cpu
        slots = executors * world.cores * phase.wall
        requests = sum(work.wait + (work.gets + work.input_gets) * world.get_s + work.puts * world.put_s for work in tasks)
        moved = sum((work.read + work.written) for work in tasks) / min(world.stream, world.nic / world.cores)
        computed = sum(work.cpu for work in tasks)
        between = cluster.between * executors * world.cores
        # Slots that stand idle while the last tasks wait for an executor that opens, its own among them.
        held = max(0.0, cluster.held * executors * world.cores - cluster.opening_time) if cluster.held else 0.0
        spent = {
            "cores": computed,
            "waiting for requests": requests,
            "the executors' network": moved,
            "the store's rate of requests": max(0.0, cluster.busy - computed - requests - moved),
            "opening the run": cluster.opening_time + held,
            "the driver looks at parts": between,
            "the end of jobs": max(0.0, slots - cluster.busy - cluster.opening_time - held - between),
        }
        phase.bound = max(spent, key=spent.get)
        phase.notes = {
            "tasks": len(tasks),
            "jobs": len(cluster.jobs),
            "busy share": cluster.busy / slots if slots else 0.0,
            "scheduler busy": cluster.scheduler_busy / phase.wall if phase.wall else 0.0,
            "deaths": cluster.deaths,
            "tasks done again": cluster.redone,
            "parts": cluster.parts,
            "opening h": opening.own / HOUR,
            "shares": {name: seconds / slots for name, seconds in spent.items()} if slots else {},
        }
        return phase

    def simulate(self, executors: int) -> Result:
        world = self.world
        seen = min(world.read_ahead, self.part * (1 - self.costs["part_hits_share"]))
        look_read = -1.0 if world.has("trust-tasks") else LOOK_GETS * world.get_s + seen / world.stream
        units = self.in_cluster("do the units", executors, self.unit_tasks(), self.opening(), look_read, world.seed)
        phases = [
            self.hashing(),
            self.drawing(executors, world.seed),
            units,
            self.comparing(executors, world.seed),
            self.publishing(),
        ]
        return Result(executors, phases, self.figures(phases, executors))

    # What all of it comes to.

    def figures(self, phases: list[Phase], executors: int) -> dict:
        world, costs = self.world, self.costs
        wall = sum(phase.wall for phase in phases)
        in_cluster = sum(phase.wall for phase in phases if phase.where == "cluster")
        gets, puts = sum(phase.gets for phase in phases), sum(phase.puts + phase.lists for phase in phases)
        spooled = (
            0.0 if world.has("parts-as-tables") else costs["rankings_bytes_per_session_arm"] * world.sessions * self.arms
        )
        hours = {
            "two machines all the time": 2 * wall / HOUR,
            "executors while they have work": executors * in_cluster / HOUR,
        }
        money = {
            "executors": hours["executors while they have work"] * world.machine_hour,
            "driver and scheduler": hours["two machines all the time"] * world.machine_hour,
            "GET and HEAD": gets * world.get_price,
            "PUT and LIST": puts * world.put_price,
            "disk of the driver": spooled / 1e9 * world.disk_gb * phases[-1].wall / HOUR / 730,
        }
        return {
            "wall h": wall / HOUR,
            "gets": gets,
            "puts": puts,
            "read": sum(phase.read for phase in phases),
            "written": sum(phase.written for phase in phases),
            "money": money,
            "idle executors": executors * (wall - in_cluster) / HOUR * world.machine_hour,
            "memory": self.memory(),
        }

    def storage(self) -> dict[str, float]:
        costs, pairs = self.costs, self.world.sessions * self.arms
        copied = 0.0 if self.world.has("parts-as-tables") else 1.0
        return {
            "sessions, as they are given": self.input,
            "recordings, as they are given": self.recordings * self.recording,
            "sample": self.sample,
            "parts": costs["part_bytes_per_session"] * pairs,
            "published rankings": costs["rankings_bytes_per_session_arm"] * pairs * copied,
            "published scores": costs["scores_bytes_per_session_arm"] * pairs * copied,
        }

    def memory(self) -> dict[str, float]:
        """Megabytes of an executor and of the driver."""
        world, costs = self.world, self.costs
        scale = world.chunk / 4096
        footer = self.chunks * costs["sample_columns"] * world.column_memory / 1e6
        index = self.recordings * self.index_bytes() / 1e6
        searches = max(0.0, costs["bm25_process_mb"] - costs["process_mb"]) * ("bm25" in world.pipelines)
        tables = (
            0.0
            if world.has("parts-as-tables")
            else self.chunks * self.arms * costs["rankings_columns"] * world.column_memory / 1e6
        )
        merge = 1074.0 * world.cores if world.has("cluster-compare") and world.repeat else 0.0
        slots = world.cores * costs["slot_mb"] * scale
        comparing = 0.0 if world.has("cluster-compare") else world.bucket_bytes / 1e6 + slots
        return {
            "executor": costs["process_mb"] + max(slots, merge) + footer + index + searches,
            "driver": costs["process_mb"] + footer + max(tables, comparing),
            "of them the sample's footer": footer,
        }

    def limits(self) -> list[tuple[str, float, float, str]]:
        """What a file, an object or a machine can hold, beside what it would have to."""
        world, storage = self.world, self.storage()
        piece = MOST_PIECES * world.piece
        memory = self.memory()
        copies = not world.has("parts-as-tables")
        found = [
            ("row groups of the sample", self.chunks, MOST_ROW_GROUPS, "groups"),
            ("row groups of published rankings", self.chunks * self.arms * copies, MOST_ROW_GROUPS, "groups"),
            ("sample, one object", storage["sample"], piece, "bytes"),
            ("published rankings, one object", storage["published rankings"], piece, "bytes"),
            ("published scores, one object", storage["published scores"], piece, "bytes"),
            ("memory of the driver", memory["driver"] * 1e6, world.memory_gb * (1 << 30), "bytes"),
            ("memory of an executor", memory["executor"] * 1e6, world.memory_gb * (1 << 30), "bytes"),
        ]
        if world.has("cluster-sample"):
            found = [row for row in found if "sample" not in row[0]]
        return found


# ---- What is known without simulating -----------------------------------------------------------------------


def bare(**changes) -> World:
    """A world in which nothing takes time but what is asked for."""
    nothing = {
        "get_s": 0.0,
        "put_s": 0.0,
        "list_s": 0.0,
        "rtt_s": 0.0,
        "poll_s": 1e-9,
        "scheduler_poll_s": 0.0,
        "scheduler_task_s": 0.0,
    }
    endless = {"nic": math.inf, "stream": math.inf, "prefix_gets": math.inf, "prefix_puts": math.inf}
    none = {"plan_s": 0.0, "ask_s": 0.0, "look_s": math.inf, "deaths_per_hour": 0.0, "jitter": 0.0, "cores": 1}
    return dataclasses.replace(World(), **{**nothing, **endless, **none, **changes})


def check(costs: dict) -> int:
    """Holds the simulation against sums that are known. Returns how many differ."""
    wrong = 0

    def expect(what: str, found: float, low: float, high: float | None = None) -> None:
        nonlocal wrong
        high = low if high is None else high
        good = low * (1 - 1e-6) - 1e-6 <= found <= high * (1 + 1e-6) + 1e-6
        wrong += not good
        print(
            f"{'ok   ' if good else 'WRONG'} {what}: {found:.6g}, expected {low:.6g}"
            + (f" to {high:.6g}" if high > low else "")
        )

    def play(
        world: World, executors: int, tasks: list[Work], opening: Work | None = None, look_read_s: float = -1.0
    ) -> Cluster:
        cluster = Cluster(world, executors, tasks, opening or Work(own=0.0), look_read_s, world.seed)
        cluster.run()
        return cluster

    draw = random.Random(7)
    tasks = [Work(cpu=draw.uniform(1, 9), parts=8) for _ in range(10_000)]
    work, longest = sum(task.cpu for task in tasks), max(task.cpu for task in tasks)
    jobs = math.ceil(len(tasks) / 4096)
    expect("one executor takes the sum of the work, s", play(bare(), 1, tasks).end, work)
    for executors, cores in ((10, 1), (50, 4), (300, 4)):
        end = play(bare(cores=cores), executors, tasks).end
        slots = executors * cores
        expect(
            f"{slots} slots take no less than their share, and a task per job more at most, s",
            end,
            work / slots,
            work / slots + jobs * longest,
        )
    end = play(bare(plan_s=5.0), 1, tasks).end
    expect("every job is planned, s", end, work + jobs * 5.0)
    waiting = [Work(gets=3, puts=2, parts=1)] * 500
    expect(
        "one slot waits for every request, s",
        play(bare(get_s=0.02, put_s=0.04), 1, waiting).end,
        500 * (3 * 0.02 + 2 * 0.04),
    )
    moving = [Work(read=40e6, written=10e6, parts=1)] * 4000
    end = play(bare(nic=100e6, cores=4), 5, moving).end
    expect("five machines' network carries all bytes, s", end, 4000 * 50e6 / (5 * 100e6))
    asking = [Work(gets=100, puts=70, parts=1)] * 4000
    expect(
        "requests come as fast as a prefix answers, s",
        play(bare(prefix_gets=5500, prefix_puts=3500), 400, asking).end,
        4000 * 70 / 3500,
    )
    expect(
        "a scheduler deals out so many tasks a second, s",
        play(bare(scheduler_task_s=0.01), 1000, [Work(parts=1)] * 4000).end,
        40.0,
    )
    opening = Work(input_gets=1000, own=60.0)
    ten = [Work(cpu=10.0, parts=1)] * 40
    expect("every executor opens the run once, s", play(bare(), 20, ten, opening).end, 60 + 20)
    expect(
        "openings share the store's rate, s",
        play(bare(prefix_gets=100), 20, ten, opening).end,
        20 * 1000 / 100 + 20,
        20 * 1000 / 100 + 30,
    )
    # All parts of a job are there at once; the driver looks at each.
    looked = play(bare(look_s=math.inf), 1000, [Work(parts=8)] * 8192, look_read_s=0.1)
    expect("the driver looks at every part, s", looked.end, 8192 * 8 * 0.1)
    expect("and sees all of them", looked.told, 8192 * 8)
    steady = play(bare(look_s=0.5, list_s=0.1), 10, [Work(cpu=1.0, parts=1)] * 4000, look_read_s=0.0)
    # After n thousand parts a look takes n listings, and the next one comes after eleven times as long: 100 / 1.1 in 100 s.
    expect("a look that takes long is taken after ten times as long, listings", steady.look_lists, 400 / 1.1, 400 / 1.1 + 10)
    mortal = play(bare(deaths_per_hour=20.0, cores=4, replace_s=30), 50, tasks)
    expect("all parts are written whoever dies", mortal.parts, 80_000)
    expect("somebody died", mortal.deaths, 1, math.inf)
    expect("deaths cost time, s", mortal.end, work / 200, math.inf)
    again = play(bare(deaths_per_hour=20.0, cores=4, replace_s=30), 50, tasks)
    expect("equal seeds give equal figures, s", again.end, mortal.end)

    world = World()
    run = Run(world, costs)
    units = run.unit_tasks()
    expect("every unit stands in one task", sum(task.parts for task in units), run.chunks * len(world.pipelines))
    expect("jobs", math.ceil(len(units) / world.tasks_per_job), 23)
    small = dataclasses.replace(world, sessions=10_000_000, deaths_per_hour=0.0, jitter=0.0)
    whole = Run(small, costs)
    parts = whole.chunks * len(small.pipelines)
    result = whole.simulate(10)
    phase = {phase.name: phase for phase in result.phases}
    expect(
        "the driver does not wait for executors while it compares, s",
        Run(small, costs).simulate(100).phases[3].wall,
        phase["compare"].wall,
    )
    expect("passes over the parts", phase["compare"].notes["passes over the parts"], 2 + whole.buckets())
    expect(
        "publishing asks for every column of every part, twice",
        phase["publish"].gets,
        parts * (6 + costs["rankings_columns"] + costs["scores_columns"]),
    )
    ideal = sum(task.seconds(small, small.nic / small.cores) for task in whole.unit_tasks())
    expect("units take no less than their share, s", phase["do the units"].wall, ideal / 40, math.inf)
    expect(
        "requests of units: what the tasks ask, the openings and the looks",
        phase["do the units"].gets,
        *(
            sum(t.gets + t.input_gets for t in whole.unit_tasks())
            + LOOK_GETS * parts
            + n * (whole.opening().gets + whole.opening().input_gets)
            for n in (10, 10)
        ),
    )
    money = result.figures["money"]
    expect(
        "executors' money is machine hours times the price, $",
        money["executors"],
        10 * phase["do the units"].wall / HOUR * small.machine_hour,
    )
    for change in CHANGES:
        changed = Run(dataclasses.replace(small, changes=(change,)), costs).simulate(100).wall
        expect(f"`{change}` makes nothing slower, h", changed / HOUR, 0, Run(small, costs).simulate(100).wall / HOUR * 1.02)
    return wrong


# ---- The page -----------------------------------------------------------------------------------------------

SIZES = (10, 100, 1000)
LADDER = (
    "cluster-compare",
    "parts-as-tables",
    "trust-tasks",
    "trust-tags",
    "index-once",
    "cluster-sample",
    "large-chunks",
    "jobs-at-once",
)


def count(value: float) -> str:
    for limit, unit in ((1e9, " billion"), (1e6, " million")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:,.0f}"


def size(value: float) -> str:
    for limit, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.0f} B"


def took(seconds: float) -> str:
    for limit, unit in ((365.25 * 24 * HOUR, "years"), (48 * HOUR, "h"), (HOUR, "h"), (60, "min")):
        if seconds >= limit:
            value = seconds / (24 * HOUR) if limit == 48 * HOUR else seconds / limit
            return f"{value:.3g} {'days' if limit == 48 * HOUR else unit}"
    return f"{seconds:.2g} s"


def dollars(value: float) -> str:
    return f"${value:,.0f}" if value >= 10 else f"${value:.2f}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def rows(head: list[str], body: list[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in body])


class Page:
    """The tables of engine/SCALE.md, each of which stands there between two comments."""

    def __init__(self, costs: dict):
        self.costs, self.world = costs, World()
        self.today = Run(self.world, costs)
        self.results = {executors: self.today.simulate(executors) for executors in SIZES}
        self.best = Run(dataclasses.replace(self.world, changes=LADDER), costs)
        self.steps = {
            executors: [self.results[executors]]
            + [
                Run(dataclasses.replace(self.world, changes=LADDER[: step + 1]), costs).simulate(executors)
                for step in range(len(LADDER))
            ]
            for executors in SIZES
        }

    def measured(self) -> str:
        costs, about = self.costs, self.costs["about"]
        unit, compare = costs["unit_s_per_million"], costs["compare_s_per_million"]
        lines = [
            ("drawing the sample", f"{costs['sample_s_per_million']:.3g} s", "a million sessions"),
            ("hashing inputs", f"{costs['hash_s_per_gb']:.3g} s", "a GB"),
            ("indexing a recording", f"{costs['index_s_per_million']:.3g} s", "a million sessions"),
            (
                "indexing a corpus for `bm25`",
                f"{costs['bm25_index_s_per_million_documents']:.3g} s",
                "a million documents of 40 words",
            ),
            ("a unit of a recording: reading, metrics, writing the part", f"{unit['recorded']:.3g} s", "a million sessions"),
            ("a unit of `bm25`, 100 hits", f"{unit['bm25']:.3g} s", "a million sessions"),
            (
                "a WASM scorer (`half-life-utility`) in addition",
                f"{costs['wasm_s_per_million']:.3g} s",
                "a million sessions and pipelines",
            ),
            (
                "comparing two, three pipelines",
                ", ".join(f"{compare['fixed'] + arms * compare['arm']:.3g} s" for arms in (2, 3)),
                "a million sessions",
            ),
            (
                "of it the pass for sums by user, three pipelines",
                f"{costs['cluster_pass_s_per_million']:.3g} s",
                "a million sessions",
            ),
            (
                "copying parts into published tables",
                f"{costs['publish_s_per_million_arm']:.3g} s",
                "a million sessions and pipelines",
            ),
            (
                "sessions as given, sample",
                f"{costs['input_bytes_per_session']:.3g} B, {costs['sample_bytes_per_session']:.3g} B",
                "a session",
            ),
            (
                "recording, part, published rankings",
                ", ".join(
                    f"{costs[name]:,.0f} B"
                    for name in ("recording_bytes_per_session", "part_bytes_per_session", "rankings_bytes_per_session_arm")
                ),
                "a session and pipeline",
            ),
            ("footer of the sample", f"{costs['sample_footer_bytes_per_group']:,.0f} B", "a chunk"),
            (
                "memory of a process with recordings, each slot more",
                f"{costs['process_mb']:.0f} MB, {costs['slot_mb']:.2g} MB",
                "chunks of 4,096 sessions",
            ),
        ]
        text = f"CPU time of one core ({about['processor']}), {about['version']}, {about['sessions']:,} sessions of {DEPTH} "
        text += f"hits a ranking,\nmedian of {about['rounds']} rounds.\n\n"
        return text + rows(["measured by `tests/scale.py measure`", "cost", "for"], [list(line) for line in lines])

    def assumptions(self) -> str:
        body = []
        for item in dataclasses.fields(World):
            if item.metadata:
                value = item.default
                unit = item.metadata["unit"]
                shown = size(value) if unit.startswith("bytes") else f"{value:,.10g}"
                unit = unit.removeprefix("bytes").strip() if unit.startswith("bytes") else unit
                shown = f"${shown}" if unit == "$" else f"{shown}{unit if unit.startswith('/') else ' ' + unit}".strip()
                body.append([f"`{item.name}`", shown, item.metadata["source"]])
        return rows(["`--set`", "value", "from"], body)

    def walls(self) -> str:
        body, fits = [], []
        for name, needed, most, unit in self.today.limits():
            shown = size if unit == "bytes" else count
            most_sessions = self.world.sessions * most / needed
            bounded = not name.startswith("memory")
            if bounded:
                fits.append(most_sessions)
            verdict = "holds" if needed <= most else "**broken**"
            body.append([name, shown(needed), shown(most), verdict, count(most_sessions) if bounded else ""])
        largest = int(min(fits) // 1e6 * 1e6)
        small = Run(dataclasses.replace(self.world, sessions=largest), self.costs)
        text = rows(["limit", "a billion sessions need", "there is", "", "sessions that fit"], body)
        text += f"\n\nThe largest run of this shape that can be finished today has {count(largest)} sessions. It takes\n"
        results = {executors: small.simulate(executors) for executors in SIZES}
        text += (
            ", ".join(f"{took(result.wall)} on {executors:,}" for executors, result in results.items())
            + " executors; with any of them "
        )
        driver = {phase.name: took(phase.wall) for phase in results[10].phases if phase.where == "driver"}
        return text + f"the driver compares for {driver['compare']} of it and publishes for {driver['publish']}."

    def phases(self) -> str:
        names = [phase.name for phase in self.results[10].phases]
        body = []
        for place, name in enumerate(names):
            row = [name]
            for executors in SIZES:
                phase = self.results[executors].phases[place]
                row.append(f"{took(phase.wall)}: {phase.bound}")
            body.append(row)
        body.append(["**together**"] + [f"**{took(self.results[executors].wall)}**" for executors in SIZES])
        units = [self.results[executors].phases[2] for executors in SIZES]
        body.append(
            ["executors busy with units, share of that phase"] + [percent(unit.notes["busy share"]) for unit in units]
        )
        body.append(
            ["executors lost, tasks done again"]
            + [f"{unit.notes['deaths']}, {unit.notes['tasks done again']}" for unit in units]
        )
        body.append(["scheduler busy in that phase"] + [percent(unit.notes["scheduler busy"]) for unit in units])
        return rows(["as the code is"] + [f"{executors:,} executors" for executors in SIZES], body)

    def ratios(self, result: Result) -> dict[str, str]:
        figures, money = result.figures, result.figures["money"]
        return {
            "GET and HEAD": count(figures["gets"]),
            "PUT and LIST": count(figures["puts"]),
            "read from the store": size(figures["read"]),
            "written to it": size(figures["written"]),
            "executors, while they have work": dollars(money["executors"]),
            "driver and scheduler": dollars(money["driver and scheduler"]),
            "requests": dollars(money["GET and HEAD"] + money["PUT and LIST"]),
            "disk of the driver": dollars(money["disk of the driver"]),
            "**money per run**": f"**{dollars(sum(money.values()))}**",
            "in addition, if executors wait while the driver works": dollars(figures["idle executors"]),
        }

    def bills(self) -> str:
        columns = []
        for name, step in (("as it is", 0), ("all changes", len(LADDER))):
            columns += [(f"{executors:,}, {name}", self.ratios(self.steps[executors][step])) for executors in SIZES]
        body = [[name] + [column[name] for _, column in columns] for name in columns[0][1]]
        return rows(["executors"] + [name for name, _ in columns], body)

    def storage(self) -> str:
        today, best = self.today.storage(), self.best.storage()
        price = lambda value: dollars(value / 1e9 * self.world.month_gb)
        body = [
            [name, size(value), size(best[name]) if best[name] else "none", price(value)] for name, value in today.items()
        ]
        body.append(
            [
                "**together**",
                f"**{size(sum(today.values()))}**",
                f"**{size(sum(best.values()))}**",
                f"**{price(sum(today.values()))}**",
            ]
        )
        memory, less = self.today.memory(), self.best.memory()
        body += [[f"memory: {name}", size(memory[name] * 1e6), size(less[name] * 1e6), ""] for name in memory]
        return rows(["", "as it is", "all changes", "a month, as it is"], body)

    def passes(self) -> str:
        alone = Run(dataclasses.replace(self.world, repeat=False), self.costs)
        lines = []
        for name, run in (
            ("users come back (five sessions each)", self.today),
            ("no user comes back, or none is named", alone),
        ):
            phase = run.comparing(10, 1)
            notes = phase.notes
            lines.append(
                [
                    name,
                    f"{notes['passes over the parts']:,}",
                    f"{notes['passes over the sample']:,}",
                    took(phase.wall),
                    phase.bound,
                ]
            )
        shown = math.ceil(self.world.sessions * 10 / (1 << 22))
        lines.append(
            [
                "clicks on ten shown items decide, and propensities are fitted",
                "in addition",
                f"{shown:,}",
                "not simulated",
                "",
            ]
        )
        return rows(
            ["of a billion sessions", "passes over the parts", "passes over the sample", "comparing takes", "bound by"],
            lines,
        )

    def firsts(self) -> str:
        body = []
        for executors in SIZES:
            result = self.results[executors]
            order = sorted(result.phases, key=lambda phase: -phase.wall)[:3]
            body.append([f"{executors:,}"] + [f"{phase.name}: {phase.bound}, {took(phase.wall)}" for phase in order])
        return rows(["executors", "first bottleneck", "the next", "and then"], body)

    def ladder(self) -> str:
        names = ["as it is", *(f"+ `{name}`" for name in LADDER)]
        tables = []
        for executors in SIZES:
            body = []
            for name, result in zip(names, self.steps[executors]):
                first = result.first()
                body.append(
                    [
                        name,
                        took(result.wall),
                        dollars(sum(result.figures["money"].values())),
                        f"{first.name}: {first.bound}, {took(first.wall)}",
                    ]
                )
            tables.append(
                rows(
                    [
                        f"{executors:,} executors, each change with those above it",
                        "time",
                        "money",
                        "bottleneck that is left",
                    ],
                    body,
                )
            )
        return "\n\n".join(tables)

    def changes(self) -> str:
        return rows(["`--change`", "what would be different"], [[f"`{name}`", CHANGES[name]] for name in LADDER])

    def after(self) -> str:
        body = []
        for place, phase in enumerate(self.steps[10][-1].phases):
            row = [phase.name]
            for executors in SIZES:
                found = self.steps[executors][-1].phases[place]
                row.append(f"{took(found.wall)}: {found.bound}")
            body.append(row)
        body.append(["**together**"] + [f"**{took(self.steps[executors][-1].wall)}**" for executors in SIZES])
        busy = [self.steps[executors][-1].phases[2].notes["busy share"] for executors in SIZES]
        body.append(["executors busy with units, share of that phase"] + [percent(share) for share in busy])
        broken = [name for name, needed, most, _ in self.best.limits() if needed > most]
        text = rows(["with all changes"] + [f"{executors:,} executors" for executors in SIZES], body)
        shuffled = self.steps[10][-1].phases[3].notes["shuffled"]
        text += f"\n\nLimits that are still broken then: {', '.join(broken) or 'none'}. The shuffle moves {size(shuffled)} "
        zones = dollars(shuffled * 2 / 3 / 1e9 * 2 * ZONE_GB)
        text += (
            f"of sums by user; between\nexecutors in three zones that costs {zones} at ${ZONE_GB} a GB in each direction, "
        )
        return text + "which is not in the table of money."

    def sensitivity(self) -> str:
        lines = [
            ("as assumed", {}),
            ("the store answers after 5 ms", {"get_s": 0.005, "put_s": 0.01}),
            ("the store answers after 50 ms", {"get_s": 0.05, "put_s": 0.1}),
            ("ten times the network", {"nic": 1.95e9}),
            ("one executor in ten is lost in an hour", {"deaths_per_hour": 0.1}),
            ("`rematch run --threads 64` on the driver", {"driver_threads": 64}),
            ("a hundred times as much work for the scheduler", {"scheduler_poll_s": 0.02, "scheduler_task_s": 0.1}),
        ]
        body = []
        for name, other in lines:
            row = [name]
            for changes in ((), LADDER):
                result = Run(dataclasses.replace(self.world, changes=changes, **other), self.costs).simulate(100)
                units, first = result.phases[2], result.first()
                row.append(f"{took(result.wall)}, {took(units.wall)} of it units; {first.name}: {first.bound}")
            body.append(row)
        return rows(["100 executors", "as it is", "with all changes"], body)

    BLOCKS = (
        "walls",
        "firsts",
        "phases",
        "passes",
        "bills",
        "storage",
        "changes",
        "ladder",
        "after",
        "sensitivity",
        "measured",
        "assumptions",
    )

    def fill(self, text: str) -> str:
        """Returns the page with every block written anew."""
        for name in self.BLOCKS:
            begin, end = f"<!-- {name}: written by tests/scale.py page -->\n", f"<!-- end of {name} -->"
            before, found, rest = text.partition(begin)
            _, ended, after = rest.partition(end)
            if not found or not ended:
                sys.exit(f"the page has no block `{name}`, expected it between\n{begin}{end}")
            text = before + begin + "\n" + getattr(self, name)() + "\n\n" + end + after
        return text


def page(given: argparse.Namespace) -> None:
    text = PAGE.read_text()
    filled = Page(json.loads(given.costs.read_text())).fill(text)
    if not given.check:
        PAGE.write_text(filled)
    elif filled != text:
        stale = next(
            number
            for number, pair in enumerate(itertools.zip_longest(text.split("\n"), filled.split("\n")), 1)
            if pair[0] != pair[1]
        )
        sys.exit(f"{PAGE.name} is stale from line {stale} on; run `tests/scale.py page`")


# ---- The command line ---------------------------------------------------------------------------------------


def simulate(given: argparse.Namespace) -> None:
    costs = json.loads(given.costs.read_text())
    if given.check:
        wrong = check(costs)
        sys.exit(f"{wrong} figures differ" if wrong else 0)
    kinds = {item.name: type(item.default) for item in dataclasses.fields(World)}
    changed = {}
    for setting in given.set:
        name, _, value = setting.partition("=")
        if kinds.get(name) not in (int, float):
            numbers = ", ".join(key for key, kind in kinds.items() if kind in (int, float))
            sys.exit(f"`{name}` is no number of the simulation, expected one of {numbers}")
        changed[name] = kinds[name](float(value))
    unknown = [name for name in given.change if name not in CHANGES]
    if unknown:
        sys.exit(f"`{unknown[0]}` is no change, expected one of {', '.join(CHANGES)}")
    world = World(
        **changed,
        pipelines=tuple(given.pipelines),
        wasm=not given.no_wasm,
        repeat=not given.users_alone,
        changes=tuple(given.change),
        seed=given.seed,
    )
    run = Run(world, costs)
    results = [run.simulate(executors) for executors in given.executors]
    limits = [{"limit": name, "needed": needed, "most": most} for name, needed, most, _ in run.limits()]
    if given.json:
        shown = [
            {"executors": result.executors, "phases": [vars(phase) for phase in result.phases], **result.figures}
            for result in results
        ]
        print(
            json.dumps(
                rounded({"runs": [], "storage": run.storage(), "limits": limits})
                | {"runs": [rounded_list(one) for one in shown]},
                indent=1,
            )
        )
        return
    for result in results:
        print(
            f"{result.executors:,} executors of {world.cores} cores, {count(world.sessions)} sessions x {run.arms} pipelines"
        )
        for phase in result.phases:
            share = phase.notes.get("busy share")
            busy = f", busy {100 * share:.3g} %" if share is not None else ""
            asked = f"{count(phase.gets):>13} GET {count(phase.puts + phase.lists):>13} PUT  {size(phase.read):>8} read"
            print(f"  {phase.name:16} {took(phase.wall):>10}  {asked}  {phase.bound}{busy}")
        money = result.figures["money"]
        print(
            f"  {'together':16} {took(result.wall):>10}  {dollars(sum(money.values()))}: "
            + ", ".join(f"{name} {dollars(value)}" for name, value in money.items())
        )
        memory = result.figures["memory"]
        print(f"  memory: executor {size(memory['executor'] * 1e6)}, driver {size(memory['driver'] * 1e6)}")
    for limit in limits:
        if limit["needed"] > limit["most"]:
            print(f"not possible: {limit['limit']}: {count(limit['needed'])} needed, {count(limit['most'])} there")


def rounded_list(value):
    if isinstance(value, dict):
        return {key: rounded_list(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded_list(inner) for inner in value]
    return rounded(value)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(required=True)
    names = lambda text: [name for name in text.split(",") if name]
    numbers = lambda text: [int(number) for number in text.split(",")]

    one = commands.add_parser("measure", help="what a unit costs, from real runs")
    one.add_argument("--rematch", required=True, help="an optimised binary")
    one.add_argument("--sessions", type=int, default=100_000)
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--work", type=Path, default=Path("target/scale"))
    one.add_argument("--prepare", action="store_true", help="make the workload only")
    one.add_argument("--out", type=Path, default=COSTS)
    one.set_defaults(does=measure)

    one = commands.add_parser("simulate", help="runs on clusters of several sizes")
    one.add_argument("--costs", type=Path, default=COSTS)
    one.add_argument("--executors", type=numbers, default=list(SIZES))
    one.add_argument("--change", type=names, default=[], help=f"some of {', '.join(CHANGES)}")
    one.add_argument("--pipelines", type=names, default=["recorded", "recorded", "bm25"])
    one.add_argument("--no-wasm", action="store_true")
    one.add_argument("--users-alone", action="store_true", help="nobody comes twice")
    one.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="any number of the simulation, such as sessions=1e8",
    )
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--json", action="store_true")
    one.add_argument("--check", action="store_true", help="hold the simulation against sums that are known")
    one.set_defaults(does=simulate)

    one = commands.add_parser("page", help="engine/SCALE.md")
    one.add_argument("--costs", type=Path, default=COSTS)
    one.add_argument("--check", action="store_true", help="fail where the page is stale")
    one.set_defaults(does=page)

    given = arguments.parse_args()
    given.does(given)


if __name__ == "__main__":
    main()
