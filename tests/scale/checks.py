"""The simulation against sums that are known without it: of single clusters, of whole runs, and of every change."""

import dataclasses
import math
import random

from cluster import LOOK_GETS, Cluster, Work
from comparing import OPEN_GETS, PIECE_GETS, comparing, comparing_alone, merging
from tasks import Run
from totals import simulate
from world import CHANGES, HOUR, World


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


def play(world: World, executors: int, tasks: list[Work], opening: Work | None = None, look_read_s: float = -1.0) -> Cluster:
    cluster = Cluster(world, executors, tasks, opening or Work(own=0.0), look_read_s, world.seed)
    cluster.run()
    return cluster


class Checks:
    """Figures that were expected, and how many of them were not found."""

    def __init__(self) -> None:
        self.wrong = 0

    def expect(self, what: str, found: float, low: float, high: float | None = None) -> None:
        high = low if high is None else high
        good = low * (1 - 1e-6) - 1e-6 <= found <= high * (1 + 1e-6) + 1e-6
        self.wrong += not good
        span = f" to {high:.6g}" if high > low else ""
        print(f"{'ok   ' if good else 'WRONG'} {what}: {found:.6g}, expected {low:.6g}{span}")


def check(costs: dict) -> int:
    """Holds the simulation against sums that are known. Returns how many differ."""
    checks = Checks()
    draw = random.Random(7)
    tasks = [Work(cpu=draw.uniform(1, 9), parts=8) for _ in range(10_000)]
    check_work(checks.expect, tasks)
    check_rates(checks.expect)
    check_openings_and_looks(checks.expect)
    check_deaths(checks.expect, tasks)
    check_run(checks.expect, costs)
    return checks.wrong


def check_work(expect, tasks: list[Work]) -> None:
    """All slots share the work, and nobody does more than that."""
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


def check_rates(expect) -> None:
    """Requests, bytes and tasks go as fast as the store, the network and the scheduler let them."""
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


def check_openings_and_looks(expect) -> None:
    """Executors open a run once, and the driver looks at every part."""
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


def check_deaths(expect, tasks: list[Work]) -> None:
    """Executors that are lost cost time and no part."""
    work = sum(task.cpu for task in tasks)
    mortal = play(bare(deaths_per_hour=20.0, cores=4, replace_s=30), 50, tasks)
    expect("all parts are written whoever dies", mortal.parts, 80_000)
    expect("somebody died", mortal.deaths, 1, math.inf)
    expect("deaths cost time, s", mortal.end, work / 200, math.inf)
    again = play(bare(deaths_per_hour=20.0, cores=4, replace_s=30), 50, tasks)
    expect("equal seeds give equal figures, s", again.end, mortal.end)


def check_run(expect, costs: dict) -> None:
    """A whole run asks for what its tasks ask, and no change makes it slower."""
    world = World()
    run = Run(world, costs)
    units = run.unit_tasks()
    expect("every unit stands in one task", sum(task.parts for task in units), run.chunks * len(world.pipelines))
    expect("jobs", math.ceil(len(units) / world.tasks_per_job), 23)
    small = dataclasses.replace(world, sessions=10_000_000, deaths_per_hour=0.0, jitter=0.0)
    whole = Run(small, costs)
    parts = whole.chunks * len(small.pipelines)
    result = simulate(whole, 10)
    phase = {phase.name: phase for phase in result.phases}
    check_comparison(expect, small, costs)
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
        sum(task.gets + task.input_gets for task in [*whole.unit_tasks(), *[whole.opening()] * 10]) + LOOK_GETS * parts,
    )
    money = result.figures["money"]
    expect(
        "executors' money is machine hours times the price, $",
        money["executors"],
        10 * (phase["do the units"].wall + phase["compare"].wall - merging(whole).wall) / HOUR * small.machine_hour,
    )
    today = simulate(whole, 100).wall
    for change in CHANGES:
        changed = simulate(Run(dataclasses.replace(small, changes=(change,)), costs), 100).wall
        expect(f"`{change}` makes nothing slower, h", changed / HOUR, 0, today / HOUR * 1.02)


def check_comparison(expect, world: World, costs: dict) -> None:
    """The rounds of sums ask for what the code asks for: every table of every range, once for every bucket."""
    run = Run(world, costs)
    tables, buckets = run.arms + 1, run.buckets()
    alone = comparing_alone(run)
    expect("a driver without a cluster reads the parts per bucket", alone.notes["passes over the parts"], 2 + buckets)
    size = min(math.ceil(buckets * 1024 / 4096), 64)
    ranges = math.ceil(math.ceil(world.sessions / 4096) / size)
    expect("ranges of chunks", run.ranges(), ranges)
    # Tables are long enough to be read ahead of in one request, and the rows of a bucket short enough.
    opened = buckets * ranges * (tables * (OPEN_GETS + 1) + PIECE_GETS)
    ten, hundred = comparing(run, 10, 1), comparing(run, 100, 1)
    merged = PIECE_GETS * (run.chunks + buckets + ranges) + OPEN_GETS * 5
    arms = {whole: run.chunks * run.arms * (OPEN_GETS + pieces) for whole, pieces in ((True, 2), (False, 1))}
    sessions = 3 * run.sample / world.read_ahead
    asked = PIECE_GETS * (run.chunks + ranges + buckets)
    expect(
        "requests of the comparison: sums, dealing, buckets x ranges x tables, merging",
        ten.gets,
        opened + merged + arms[True] + 2 * arms[False] + sessions + asked,
    )
    entry = costs["sample_footer_bytes_per_group"] / costs["sample_columns"]
    footers = ranges * buckets * (3 + run.arms * (world.measures + 2)) * entry
    small = costs["part_bytes_per_session"] * (1 - costs["part_hits_share"]) / (costs["part_columns"] - 2)
    rows = costs["sample_bytes_per_session"] + run.arms * (world.measures + 2) * small
    expect("bytes that are dealt: rows once, and footers", ten.notes["dealt"], world.sessions * rows + footers)
    expect("every bucket reads every footer, bytes", ten.read, buckets * footers, math.inf)
    expect("one PUT for each table and piece", ten.puts, run.chunks + buckets + ranges * (tables + 1) + 4)
    expect("more executors do not ask for more", hundred.gets, ten.gets)
    driver = merging(run).wall
    expect("nor do they merge, s", hundred.notes["driver s"], driver)
    expect("but for that, they are faster, s", hundred.wall - driver, 0, (ten.wall - driver) / 2)
    # Where it takes all executors longer than the slots of one task each: a tenfold cluster takes at least a tenth.
    expect("though no faster than there are more of them, s", hundred.wall - driver, (ten.wall - driver) / 10, math.inf)
    twice = comparing(Run(dataclasses.replace(world, changes=("deal-twice",)), costs), 10, 1)
    fan = math.ceil(math.sqrt(buckets))
    group = math.ceil(ranges / fan)
    opened = (ranges * fan + buckets * group) * (tables * (OPEN_GETS + 1) + PIECE_GETS)
    expect(
        "dealt out twice, a bucket asks for its group's ranges only",
        twice.gets,
        opened + merged + arms[True] + 2 * arms[False] + sessions + asked,
    )
