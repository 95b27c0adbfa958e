"""The cluster, event by event: executors, the scheduler, the driver that looks for parts, and a store that keeps a rate."""

import dataclasses
import heapq
import itertools
import math
import random
from collections import deque
from dataclasses import dataclass

from world import HOUR, World

# Executors that open at once share the store after every one of so many steps.
OPENING_STEPS = 50
# What the driver asks of a new part, one request after the other: HEAD twice, the end of the file, the footer, a column.
LOOK_GETS = 5


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
        opened: bool = False,
        there: int = 0,
    ):
        self.world, self.executors, self.tasks = world, executors, tasks
        self.opening_step = opening.part_of(1 / OPENING_STEPS)
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
        self.opened = [opened] * executors
        self.opens_left = [0] * executors
        self.waiting: list[list[int]] = [[] for _ in range(executors)]
        self.running: list[dict[int, tuple[float, float]]] = [{} for _ in range(executors)]
        self.alive = [True] * executors
        self.asking = [False] * executors
        self.left: dict[int, int] = {}
        self.scheduler_free = self.scheduler_busy = 0.0
        self.busy = self.opening_time = self.between = 0.0
        self.parts = self.told = self.deaths = self.redone = 0
        # Names that lie where the driver looks, beside those of the tasks.
        self.there = there
        self.look_gets = self.look_lists = 0.0
        self.read = self.written = self.cpu = 0.0
        self.job, self.job_left, self.look_ends, self.end = -1, 0, 0.0, 0.0
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
        lists = max(1, math.ceil((self.parts + self.there) / 1000))
        self.look_lists += lists
        self.told = self.parts
        if self.look_read_s > 0:
            self.look_gets += LOOK_GETS * new
        took = lists * self.world.list_s + new * max(0.0, self.look_read_s)
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
        done = self.finish(now, self.opening_step, self.world.nic)
        self.opening_time += (done - now) * self.world.cores
        self.at(done, "open_step", executor, generation)

    def finish(self, now: float, work: Work, share: float, jitter: float = 1.0) -> float:
        own = now + work.seconds(self.world, share) * jitter
        run = max(self.run_prefix[0].take(now, work.gets), self.run_prefix[1].take(now, work.puts))
        inputs = self.input_prefix.take(now, work.input_gets) if work.input_gets else 0.0
        self.read, self.written, self.cpu = self.read + work.read, self.written + work.written, self.cpu + work.cpu
        return max(own, run, inputs)

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


# Clusters that were played, by all that one is made from.
PLAYED: dict[tuple, Cluster] = {}


def played(
    world: World,
    executors: int,
    tasks: list[Work],
    opening: Work,
    look_read_s: float,
    jobs_at_once: bool,
    seed: int,
    opened: bool,
    there: int,
) -> Cluster:
    """Returns the cluster after all tasks are done. What differs only in what a driver does alone is played once."""
    cluster_only = dataclasses.replace(world, changes=(), driver_threads=1)
    alike = (list(same) for _, same in itertools.groupby(tasks, key=id))
    alike = tuple((dataclasses.astuple(same[0]), len(same)) for same in alike)
    key = (cluster_only, executors, alike, dataclasses.astuple(opening), look_read_s, jobs_at_once, seed, opened, there)
    if key not in PLAYED:
        cluster = Cluster(world, executors, tasks, opening, look_read_s, seed, jobs_at_once, opened, there)
        cluster.run()
        PLAYED[key] = cluster
    return PLAYED[key]
