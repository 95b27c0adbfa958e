"""The comparison: in the cluster, round by round (compare/sums), or by a driver alone, which reads all parts per bucket."""

import math

from cluster import Work
from phases import Phase, in_cluster
from tasks import Run

HASHES_AT_ONCE = 1 << 23
# Opening a table: whether it is there, its end, its footer. Reading a piece of sums: twice the first, and its bytes.
OPEN_GETS, PIECE_GETS = 3, 3
# Dealing costs, in passes for sums by user: one for reading, and as much again for writing. Derived, not measured.
DEAL_PASSES = 2
# How often the driver opens the sample: to ask for every round, and to compare.
SAMPLE_OPENED = 5


def parts_of(run: Run) -> tuple[float, float, float, float]:
    """CPU seconds of the sums and of the sums by user, and bytes of a part that are read: by the sums, and by the rest."""
    world, costs = run.world, run.costs
    million = world.sessions / 1e6
    # What was measured has one pass for the sums by user in it.
    compared = costs["compare_s_per_million"]["fixed"] + run.arms * costs["compare_s_per_million"]["arm"]
    users_cpu = costs["cluster_pass_s_per_million"] * million
    small = run.part * (1 - costs["part_hits_share"])
    # With a scorer the ids are read, which stand before the hits: what is read ahead of them is hits.
    whole = min(run.part, min(world.read_ahead, run.part) * world.wasm + small)
    return max(0.0, compared * million - users_cpu), users_cpu, whole, small


def chunk_gets(run: Run, part: float, pieces: int) -> float:
    """Requests for that much of all parts of a chunk, and for its sessions."""
    sample = run.costs["sample_bytes_per_session"] * run.world.chunk
    arm = OPEN_GETS + max(pieces, math.ceil(part / run.world.read_ahead))
    return run.arms * arm + sample / run.world.read_ahead


def comparing_alone(run: Run) -> Phase:
    """A driver without a cluster reads all parts, as often as the sums by user do not fit into its memory."""
    world = run.world
    sums_cpu, users_cpu, whole, small = parts_of(run)
    sample = run.costs["sample_bytes_per_session"] * world.chunk
    buckets = run.buckets() if world.repeat else 0
    passes = [(whole, 1 + world.wasm, sums_cpu, 1), (small, 1, 0.0, 1), (small, 1, users_cpu, buckets)]
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

    for part, pieces, cpu, times in passes:
        add(times, run.chunks * chunk_gets(run, part, pieces), run.chunks * (run.arms * part + sample), cpu)
    surveys = 1 if world.repeat else math.ceil(world.sessions / HASHES_AT_ONCE)
    add(surveys, run.sample / world.read_ahead, run.sample, 0.0)
    phase.bound = max(wheres, key=wheres.get)
    phase.notes = {"passes over the parts": 2 + buckets, "passes over the sample": surveys}
    return phase


def in_tasks(run: Run, pieces: int, work: Work) -> list[Work]:
    """Pieces that ask for as much each, so many of them a task (`tasks` in cluster/drive.rs)."""
    size = max(1, min(pieces // run.world.tasks_at_least, run.world.chunks_per_task))
    whole, rest = divmod(pieces, size)
    numbers = {name: value for name, value in vars(work).items() if name not in ("own", "parts")}
    of = lambda count: Work(**{name: value * count for name, value in numbers.items()}, parts=count)
    return [of(size)] * whole + ([of(rest)] if rest else [])


def chunk_piece(run: Run) -> Work:
    """The sums of a chunk: its parts and sessions are read, as much as the sums need."""
    sums_cpu, _, whole, _ = parts_of(run)
    sample = run.costs["sample_bytes_per_session"] * run.world.chunk
    return Work(
        cpu=sums_cpu / run.chunks,
        gets=chunk_gets(run, whole, 1 + run.world.wasm) + PIECE_GETS,
        puts=1,
        read=run.arms * whole + sample,
        written=run.world.sums_bytes,
    )


def dealt_written(run: Run) -> list[float]:
    """Bytes of the tables of a range."""
    sessions = run.world.sessions / run.ranges()
    return [sessions * rows + footer for rows, footer in zip(run.dealt_rows(), run.dealt_footers())]


def deal_piece(run: Run) -> Work:
    """A range is dealt out: read for the bounds of judgments, read once more, and written."""
    _, users_cpu, _, small = parts_of(run)
    sample = run.costs["sample_bytes_per_session"] * run.world.chunk
    chunks, tables = run.chunks / run.ranges(), dealt_written(run)
    return Work(
        cpu=DEAL_PASSES * users_cpu / run.ranges(),
        gets=2 * chunks * chunk_gets(run, small, 1) + PIECE_GETS,
        puts=sum(run.puts(table) for table in tables) + 1,
        read=2 * chunks * (run.arms * small + sample),
        written=sum(tables) + run.world.sums_bytes,
    )


def of_ranges(run: Run, ranges: float, rows: float) -> Work:
    """A row group of every one of so many ranges, with `rows` sessions: of each table the footer, and what is read ahead."""
    work = Work(gets=ranges * PIECE_GETS, read=ranges * run.world.sums_bytes)
    for bytes_of, footer, table in zip(run.dealt_rows(), run.dealt_footers(), dealt_written(run)):
        # What follows the first page is read ahead, to the end of the table: half of it, where it is short.
        ahead = max(rows * bytes_of, min(run.world.read_ahead, table / 2))
        work.gets += ranges * (OPEN_GETS + math.ceil(ahead / run.world.read_ahead))
        work.read += ranges * (footer + ahead)
    return work


def deal_again_piece(run: Run) -> Work:
    """A group's sessions of so many ranges that they are as many as a range has, dealt out to the group's buckets."""
    _, users_cpu, _, _ = parts_of(run)
    work = of_ranges(run, run.fan(), run.world.sessions / run.ranges() / run.fan())
    work.cpu = DEAL_PASSES * users_cpu / run.ranges()
    work.puts = sum(run.puts(table) for table in dealt_written(run)) + 1
    work.written = sum(dealt_written(run)) + run.world.sums_bytes
    return work


def bucket_piece(run: Run) -> Work:
    """The sums of a bucket, whose row group is read of every range that has one: all, or those of its group."""
    _, users_cpu, _, _ = parts_of(run)
    ranges = math.ceil(run.ranges() / run.fan()) if run.world.has("deal-twice") else run.ranges()
    work = of_ranges(run, ranges, run.world.sessions / run.buckets() / ranges)
    work.cpu, work.puts, work.written = users_cpu / run.buckets(), 1, run.world.sums_bytes
    work.gets += PIECE_GETS
    return work


def merging(run: Run) -> Phase:
    """What the driver does between the rounds: the sums of chunks on its threads, those of buckets and ranges in turn."""
    world = run.world
    phase = Phase("compare", "driver")
    threads = min(world.driver_threads, run.chunks)
    chunks, turns = PIECE_GETS * run.chunks, PIECE_GETS * (run.buckets() + run.ranges())
    footers = SAMPLE_OPENED * (run.sample_footer / world.stream + OPEN_GETS * world.get_s)
    phase.gets = chunks + turns + SAMPLE_OPENED * OPEN_GETS
    pieces = run.chunks + run.buckets() + run.ranges()
    phase.read = pieces * world.sums_bytes + SAMPLE_OPENED * run.sample_footer
    waits = chunks * world.get_s / threads + turns * world.get_s
    moved = pieces * world.sums_bytes / world.stream / threads
    phase.wall = footers + moved + max(waits, (chunks + turns) / world.prefix_gets)
    phase.puts = 4
    return phase


def comparing(run: Run, executors: int, seed: int) -> Phase:
    """The rounds of sums, one after the other in the cluster, between which the driver merges what they came to."""
    world = run.world
    rounds = [
        ("chunks", run.chunks, chunk_piece(run)),
        ("dealing", run.ranges(), deal_piece(run)),
        ("buckets", run.buckets(), bucket_piece(run)),
    ]
    if world.has("deal-twice"):
        rounds.insert(2, ("dealing again", run.ranges(), deal_again_piece(run)))
    phase = Phase("compare", "cluster")
    took: dict[str, float] = {}
    there, played_for, busy = 0, 0.0, 0.0
    for number, (name, pieces, work) in enumerate(rounds):
        tasks = in_tasks(run, pieces, work)
        look = -1.0 if world.has("trust-tasks") else 0.0
        # Executors keep the run open: who comes for one that was lost opens it.
        played = in_cluster(run, "compare", executors, tasks, run.opening(), look, seed + number, True, there)
        there += pieces * (run.arms + 2 if "dealing" in name else 1)
        took[f"{name}: {played.bound}"] = played.wall
        played_for, busy = played_for + played.wall, busy + played.wall * played.notes["busy share"]
        add(phase, played)
    merged = merging(run)
    took["the driver merges sums"] = merged.wall
    add(phase, merged)
    phase.bound = max(took, key=took.get)
    tables = 2 if world.has("deal-twice") else 1
    written = tables * run.ranges() * sum(dealt_written(run))
    phase.notes |= {"driver s": merged.wall, "busy share": busy / played_for, "dealt": written, "rounds": took}
    return phase


def add(phase: Phase, more: Phase) -> None:
    for name in ("wall", "cpu", "gets", "puts", "lists", "read", "written"):
        setattr(phase, name, getattr(phase, name) + getattr(more, name))
