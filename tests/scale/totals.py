"""What a run comes to: its phases one after the other, time, requests, money, storage, memory, and what has an end."""

from dataclasses import dataclass

from cluster import LOOK_GETS
from comparing import comparing
from phases import Phase, drawing, hashing, in_cluster, publishing
from tasks import Run
from world import HOUR

MOST_ROW_GROUPS = 32_767
MOST_PIECES = 10_000


@dataclass
class Result:
    """The phases of a run with so many executors, and what they come to."""

    executors: int
    phases: list[Phase]
    figures: dict

    @property
    def wall(self) -> float:
        return sum(phase.wall for phase in self.phases)

    def first(self) -> Phase:
        return max(self.phases, key=lambda phase: phase.wall)


def simulate(run: Run, executors: int) -> Result:
    """Plays all phases of a run."""
    world = run.world
    seen = min(world.read_ahead, run.part * (1 - run.costs["part_hits_share"]))
    look_read = -1.0 if world.has("trust-tasks") else LOOK_GETS * world.get_s + seen / world.stream
    units = in_cluster(run, "do the units", executors, run.unit_tasks(), run.opening(), look_read, world.seed)
    phases = [
        hashing(run),
        drawing(run, executors, world.seed),
        units,
        comparing(run, executors, world.seed),
        publishing(run),
    ]
    return Result(executors, phases, figures(run, phases, executors))


def figures(run: Run, phases: list[Phase], executors: int) -> dict:
    """Time, requests, bytes and dollars of all phases together."""
    world = run.world
    wall = sum(phase.wall for phase in phases)
    dealt = sum(phase.wall - phase.notes.get("driver s", 0.0) for phase in phases if phase.where == "cluster")
    gets, puts = sum(phase.gets for phase in phases), sum(phase.puts + phase.lists for phase in phases)
    spooled = storage(run)["published rankings"]
    hours = {
        "two machines all the time": 2 * wall / HOUR,
        "executors while they have work": executors * dealt / HOUR,
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
        "idle executors": executors * (wall - dealt) / HOUR * world.machine_hour,
        "memory": memory(run),
    }


def storage(run: Run) -> dict[str, float]:
    """Bytes that lie in the store after the run."""
    costs, pairs = run.costs, run.world.sessions * run.arms
    copied = 0.0 if run.world.has("parts-as-tables") else 1.0
    return {
        "sessions, as they are given": run.input,
        "recordings, as they are given": run.recordings * run.recording,
        "sample": run.sample,
        "parts": costs["part_bytes_per_session"] * pairs,
        "published rankings": costs["rankings_bytes_per_session_arm"] * pairs * copied,
        "published scores": costs["scores_bytes_per_session_arm"] * pairs * copied,
    }


def memory(run: Run) -> dict[str, float]:
    """Megabytes of an executor and of the driver."""
    world, costs = run.world, run.costs
    scale = world.chunk / 4096
    footer = run.chunks * costs["sample_columns"] * world.column_memory / 1e6
    index = run.recordings * run.index_bytes() / 1e6
    searches = max(0.0, costs["bm25_process_mb"] - costs["process_mb"]) * ("bm25" in world.pipelines)
    copies = not world.has("parts-as-tables")
    tables = copies * run.chunks * run.arms * costs["rankings_columns"] * world.column_memory / 1e6
    slots = world.cores * costs["slot_mb"] * scale
    # A range is held as it was read and as it is written; a bucket's sums beside the footers and what is read ahead.
    numbers = 8 * sum(run.dealt_columns()[1:]) + costs["sample_bytes_per_session"]
    deals = 2 * run.range_size() * world.chunk * numbers / 1e6
    opened = run.fan() * sum(run.dealt_columns()) * world.column_memory + (run.arms + 1) * world.read_ahead
    sums = world.cores * max(deals, (world.bucket_bytes + opened) / 1e6)
    return {
        "executor": costs["process_mb"] + max(slots, sums) + footer + index + searches,
        "driver": costs["process_mb"] + footer + tables,
        "of them the sample's footer": footer,
    }


def limits(run: Run) -> list[tuple[str, float, float, str]]:
    """What a file, an object or a machine can hold, beside what it would have to."""
    world, stored, held = run.world, storage(run), memory(run)
    piece = MOST_PIECES * world.piece
    copies = not world.has("parts-as-tables")
    found = [
        ("row groups of the sample", run.chunks, MOST_ROW_GROUPS, "groups"),
        ("row groups of published rankings", run.chunks * run.arms * copies, MOST_ROW_GROUPS, "groups"),
        ("sample, one object", stored["sample"], piece, "bytes"),
        ("published rankings, one object", stored["published rankings"], piece, "bytes"),
        ("published scores, one object", stored["published scores"], piece, "bytes"),
        ("memory of the driver", held["driver"] * 1e6, world.memory_gb * (1 << 30), "bytes"),
        ("memory of an executor", held["executor"] * 1e6, world.memory_gb * (1 << 30), "bytes"),
    ]
    if world.has("cluster-sample"):
        found = [row for row in found if "sample" not in row[0]]
    return found
