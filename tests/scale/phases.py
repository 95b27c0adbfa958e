"""The phases of a run: what the driver does alone is added up, what the cluster does is simulated."""

import math
from dataclasses import dataclass, field

from cluster import LOOK_GETS, Work, played
from tasks import Run
from world import HOUR

DISK_RATE = 125e6


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


def alone(name: str, parts: dict[str, float], **more) -> Phase:
    """A phase of the driver whose seconds follow one another, or of which the longest counts where they overlap."""
    phase = Phase(name, "driver", **more)
    phase.wall = sum(parts.values())
    phase.bound = max(parts, key=parts.get) if phase.wall else ""
    return phase


def hashing(run: Run) -> Phase:
    """The driver reads every input once, to know it again."""
    size = run.input + run.recordings * run.recording
    if run.world.has("trust-tags"):
        return alone("hash the inputs", {"requests": run.world.get_s * (1 + run.recordings)}, gets=1 + run.recordings)
    cpu, gets = size / 1e9 * run.costs["hash_s_per_gb"], size / run.world.read_ahead
    parts = {"one stream of the store": size / run.world.stream, "requests": gets * run.world.get_s, "one core": cpu}
    return alone("hash the inputs", parts, cpu=cpu, gets=gets, read=size)


def drawing(run: Run, executors: int, seed: int) -> Phase:
    """The sample is drawn and written, by the driver or in the cluster."""
    world = run.world
    cpu = run.costs["sample_s_per_million"] * world.sessions / 1e6
    # Once for the ids, once to write.
    read, gets, puts = 2 * run.input, 2 * run.input / world.read_ahead, run.puts(run.sample)
    if world.has("cluster-sample"):
        count = math.ceil(world.sessions / 1e6)
        tasks = [
            Work(
                cpu=cpu / count,
                input_gets=gets / count,
                puts=run.puts(run.sample / count),
                read=read / count,
                written=run.sample / count,
            )
        ] * count
        return in_cluster(run, "draw the sample", executors, tasks, Work(own=0.0), -1.0, seed)
    upload = run.sample / min(world.nic, 4 * world.stream)
    parts = {
        "one core": cpu,
        "one stream of the store": read / world.stream,
        "requests": gets * world.get_s,
        "upload": upload,
    }
    return alone("draw the sample", parts, cpu=cpu, gets=gets, puts=puts, read=read, written=run.sample)


def publishing(run: Run) -> Phase:
    """The driver copies the parts into the published tables."""
    world, costs = run.world, run.costs
    if world.has("parts-as-tables"):
        return alone("publish", {"requests": world.put_s}, puts=1)
    parts = run.chunks * run.arms
    rankings = costs["rankings_bytes_per_session_arm"] * world.sessions * run.arms
    scores = costs["scores_bytes_per_session_arm"] * world.sessions * run.arms
    # Twice: every part is opened, and every column read, one after the other.
    gets = parts * (3 + costs["rankings_columns"] + 3 + costs["scores_columns"])
    size = rankings + scores
    cpu = costs["publish_s_per_million_arm"] * run.arms * world.sessions / 1e6
    spool, upload = 2 * size / DISK_RATE, size / min(world.nic, 4 * world.stream)
    waits = {
        "requests, one after the other": gets * world.get_s,
        "one stream of the store": size / world.stream,
        "one core": cpu,
        "the driver's disk": spool,
        "upload": upload,
    }
    return alone("publish", waits, cpu=cpu, gets=gets, puts=size / world.piece, read=size, written=size)


def in_cluster(
    run: Run,
    name: str,
    executors: int,
    tasks: list[Work],
    opening: Work,
    look_read_s: float,
    seed: int,
    opened: bool = False,
    there: int = 0,
) -> Phase:
    """Tasks of a phase are played in the cluster; what its slots spend most time with is what bounds it."""
    world = run.world
    cluster = played(world, executors, tasks, opening, look_read_s, world.has("jobs-at-once"), seed, opened, there)
    phase = Phase(name, "cluster", wall=cluster.end)
    phase.gets = cluster.run_prefix[0].count + cluster.input_prefix.count + cluster.look_gets
    phase.puts, phase.lists = cluster.run_prefix[1].count, cluster.look_lists
    looked = cluster.look_gets / LOOK_GETS * max(0.0, look_read_s - LOOK_GETS * world.get_s) * world.stream
    phase.read, phase.written, phase.cpu = cluster.read + looked, cluster.written, cluster.cpu
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
