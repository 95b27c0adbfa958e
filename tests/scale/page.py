"""The tables of engine/SCALE.md, each of which is written anew from the costs and the simulation."""

import dataclasses
import itertools
import math
import sys
from pathlib import Path

from comparing import comparing, comparing_alone
from tasks import Run
from totals import Result, limits, memory, simulate, storage
from wording import count, dollars, percent, rows, size, took
from world import CHANGES, DEPTH, World

PAGE = Path(__file__).resolve().parents[2] / "engine" / "SCALE.md"
# Executors of the clusters on the page.
SIZES = (10, 100, 1000)
# All changes, each of which takes most off the product of the times of those clusters, after those before it.
LADDER = (
    "large-chunks",
    "deal-twice",
    "trust-tags",
    "parts-as-tables",
    "trust-tasks",
    "index-once",
    "cluster-sample",
    "jobs-at-once",
)


class Page:
    """The tables of engine/SCALE.md, each of which stands there between two comments."""

    def __init__(self, costs: dict):
        self.costs, self.world = costs, World()
        self.today = Run(self.world, costs)
        self.results = {executors: simulate(self.today, executors) for executors in SIZES}
        self.best = Run(dataclasses.replace(self.world, changes=LADDER), costs)
        self.steps = {
            executors: [self.results[executors]]
            + [
                simulate(Run(dataclasses.replace(self.world, changes=LADDER[: step + 1]), costs), executors)
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
        return text + rows(["measured by `tests/scale/run.py measure`", "cost", "for"], [list(line) for line in lines])

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
        for name, needed, most, unit in limits(self.today):
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
        results = {executors: simulate(small, executors) for executors in SIZES}
        text += (
            ", ".join(f"{took(result.wall)} on {executors:,}" for executors, result in results.items())
            + " executors; with any of them "
        )
        publishes = {phase.name: took(phase.wall) for phase in results[10].phases if phase.where == "driver"}["publish"]
        compares = ", ".join(took(result.phases[3].wall) for result in results.values())
        return text + f"the driver publishes for {publishes} of it.\nComparing takes {compares}."

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
        today, best = storage(self.today), storage(self.best)
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
        held, less = memory(self.today), memory(self.best)
        body += [[f"memory: {name}", size(held[name] * 1e6), size(less[name] * 1e6), ""] for name in held]
        return rows(["", "as it is", "all changes", "a month, as it is"], body)

    def passes(self) -> str:
        alone = Run(dataclasses.replace(self.world, repeat=False), self.costs)
        lines = []
        for name, run in (
            ("users come back (five sessions each)", self.today),
            ("no user comes back, or none is named", alone),
        ):
            phase = comparing_alone(run)
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
            [
                "of a billion sessions, without a cluster",
                "passes over the parts",
                "passes over the sample",
                "comparing takes",
                "bound by",
            ],
            lines,
        )

    def rounds(self) -> str:
        body = []
        twice = Run(dataclasses.replace(self.world, changes=("deal-twice",)), self.costs)
        compared = {
            "as it is": {executors: result.phases[3] for executors, result in self.results.items()},
            "with `deal-twice` alone": {executors: comparing(twice, executors, 1) for executors in SIZES},
        }
        for which, phases in compared.items():
            places = [[(*name.split(": "), wall) for name, wall in phases[size].notes["rounds"].items()] for size in SIZES]
            for same in zip(*places):
                cells = [f"{took(wall)}{': ' + bound[0] if bound else ''}" for _, *bound, wall in same]
                body.append([f"{which}: {same[0][0]}", *cells])
        run = self.today
        text = rows(["comparing"] + [f"{executors:,} executors" for executors in SIZES], body)
        phase = compared["as it is"][10]
        rows_of = self.world.sessions / run.ranges() / run.buckets()
        text += f"\n\nThere are {run.ranges():,} ranges of {run.range_size()} chunks and {run.buckets():,} buckets, "
        text += f"so that a range has {rows_of:.0f} rows of a bucket.\nWhat is dealt out is {size(phase.notes['dealt'])}, of it "
        footers = sum(run.dealt_footers())
        text += f"{size(run.ranges() * footers)} footers ({size(run.dealt_footers()[-1])} of an arm's table); "
        text += f"the comparison asks {count(phase.gets)}\ntimes and reads {size(phase.read)}, "
        text += f"{size(run.buckets() * run.ranges() * footers)} of it footers."
        return text

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
        broken = [name for name, needed, most, _ in limits(self.best) if needed > most]
        text = rows(["with all changes"] + [f"{executors:,} executors" for executors in SIZES], body)
        dealt = size(self.steps[10][-1].phases[3].notes["dealt"])
        text += f"\n\nLimits that are still broken then: {', '.join(broken) or 'none'}. "
        return text + f"Dealt out is {dealt} then, both times together."

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
                result = simulate(Run(dataclasses.replace(self.world, changes=changes, **other), self.costs), 100)
                units, first = result.phases[2], result.first()
                row.append(f"{took(result.wall)}, {took(units.wall)} of it units; {first.name}: {first.bound}")
            body.append(row)
        return rows(["100 executors", "as it is", "with all changes"], body)

    BLOCKS = (
        "walls",
        "firsts",
        "phases",
        "rounds",
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
            begin, end = f"<!-- {name}: written by tests/scale/run.py page -->\n", f"<!-- end of {name} -->"
            before, found, rest = text.partition(begin)
            _, ended, after = rest.partition(end)
            if not found or not ended:
                sys.exit(f"the page has no block `{name}`, expected it between\n{begin}{end}")
            text = before + begin + "\n" + getattr(self, name)() + "\n\n" + end + after
        return text


def page(costs: dict, check: bool) -> None:
    """Writes the page anew, or ends the process where it is not what would be written."""
    text = PAGE.read_text()
    filled = Page(costs).fill(text)
    if not check:
        PAGE.write_text(filled)
    elif filled != text:
        lines = itertools.zip_longest(text.split("\n"), filled.split("\n"))
        stale = next(number for number, (old, new) in enumerate(lines, 1) if old != new)
        sys.exit(f"{PAGE.name} is stale from line {stale} on; run `tests/scale/run.py page`")
