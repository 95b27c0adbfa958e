#!/usr/bin/env python3
"""What would a run of a billion sessions cost on a cluster, what stops it first, and what helps?

  run.py measure --rematch BINARY                              what a unit costs, from real runs on this machine
  run.py simulate [--executors 10,100,1000] [--change NAME,..] one run after the other, as a table or --json
  run.py simulate --check                                      the simulation against sums that are known
  run.py page [--check]                                        engine/SCALE.md from the costs, or whether it is stale

`simulate` plays a run on a cluster event by event, as engine/src/cluster and engine/src/unit work: the driver hashes
the inputs, draws the sample, sends jobs one after the other and looks for parts; executors ask the scheduler for tasks,
open the run once, and read, replay, score and write; they then sum up, round by round, what the driver merges, and the
driver copies the parts into the published tables. What one machine does alone is added up, the cluster is simulated. All is
seeded: equal arguments give equal figures.
Python 3.11, standard library only.

measure.py runs what workload.py makes, reads footer.py of what was written, and writes costs.json. world.py says what is
assumed. tasks.py, cluster.py, phases.py, comparing.py and totals.py are the simulation, from what a task asks for to what a run
comes to; checks.py holds it against known sums; page.py writes the tables, with figures as wording.py words them.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from checks import check
from measure import measure
from page import SIZES, page
from tasks import Run
from totals import Result, limits, simulate, storage
from wording import count, dollars, rounded, size, took
from world import CHANGES, World

COSTS = Path(__file__).resolve().parent / "costs.json"


def world_of(given: argparse.Namespace) -> World:
    """The world that the command line asks for."""
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
    return World(
        **changed,
        pipelines=tuple(given.pipelines),
        wasm=not given.no_wasm,
        changes=tuple(given.change),
        seed=given.seed,
    )


def show(run: Run, result: Result) -> None:
    """Prints the phases of a run, its time, money and memory."""
    world = run.world
    print(f"{result.executors:,} executors of {world.cores} cores, {count(world.sessions)} sessions x {run.arms} pipelines")
    for phase in result.phases:
        share = phase.notes.get("busy share")
        busy = f", busy {100 * share:.3g} %" if share is not None else ""
        asked = f"{count(phase.gets):>13} GET {count(phase.puts + phase.lists):>13} PUT  {size(phase.read):>8} read"
        print(f"  {phase.name:16} {took(phase.wall):>10}  {asked}  {phase.bound}{busy}")
    money = result.figures["money"]
    parts = ", ".join(f"{name} {dollars(value)}" for name, value in money.items())
    print(f"  {'together':16} {took(result.wall):>10}  {dollars(sum(money.values()))}: {parts}")
    memory = result.figures["memory"]
    print(f"  memory: executor {size(memory['executor'] * 1e6)}, driver {size(memory['driver'] * 1e6)}")


def do_simulate(given: argparse.Namespace) -> None:
    costs = json.loads(given.costs.read_text())
    if given.check:
        wrong = check(costs)
        sys.exit(f"{wrong} figures differ" if wrong else 0)
    run = Run(world_of(given), costs)
    results = [simulate(run, executors) for executors in given.executors]
    ends = [{"limit": name, "needed": needed, "most": most} for name, needed, most, _ in limits(run)]
    if given.json:
        runs = [
            {"executors": result.executors, "phases": [vars(phase) for phase in result.phases], **result.figures}
            for result in results
        ]
        print(json.dumps({"runs": rounded(runs), "storage": rounded(storage(run)), "limits": ends}, indent=1))
        return
    for result in results:
        show(run, result)
    for end in ends:
        if end["needed"] > end["most"]:
            print(f"not possible: {end['limit']}: {count(end['needed'])} needed, {count(end['most'])} there")


def do_page(given: argparse.Namespace) -> None:
    page(json.loads(given.costs.read_text()), given.check)


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
    one.set_defaults(does=do_simulate)

    one = commands.add_parser("page", help="engine/SCALE.md")
    one.add_argument("--costs", type=Path, default=COSTS)
    one.add_argument("--check", action="store_true", help="fail where the page is stale")
    one.set_defaults(does=do_page)

    given = arguments.parse_args()
    given.does(given)


if __name__ == "__main__":
    main()
