"""A run: how large its tables are, and what its tasks ask of an executor and of the store."""

import dataclasses
import math

from cluster import Work
from world import DEPTH, World

# Bytes that the comparison holds of a cluster (compare/cluster_tests.rs): its key, a cell per test, one per test at a node.
KEY_BYTES, CELL_BYTES, NODE_CELL_BYTES, TESTS_AT_NODES = 96, 32, 16, 8
# A session is under its node and the one above.
MEMBERSHIPS = 2
# Columns that are dealt out (compare/chunk.rs), of an arm those beside the measures, and those of a part's hits.
DEALT_OF_SESSIONS, DEALT_OF_ARMS, HIT_COLUMNS = 3, 2, 2
BLOCK_HITS = 1 << 16
INDEX_ENTRY = 64
DOCUMENT_BYTES = 250


class Run:
    """A run of `world`, with what a unit costs: its sizes, and what its tasks ask for."""

    def __init__(self, world: World, costs: dict):
        if world.has("large-chunks"):
            world = dataclasses.replace(world, chunk=65_536, chunks_per_task=1, range_chunks=4)
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
        return math.ceil(self.world.sessions * self.cell_bytes() / self.world.bucket_bytes)

    # What is dealt out by user: a range of chunks is written anew, as a table of sessions and one of each arm.

    def range_size(self) -> int:
        """Chunks of a range (`put_together` in sums/ask.rs)."""
        wanted = math.ceil(self.buckets() * self.world.bucket_rows / self.world.chunk)
        return max(1, min(wanted, self.world.range_chunks))

    def ranges(self) -> int:
        return math.ceil(self.chunks / self.range_size())

    def fan(self) -> int:
        """Row groups of a dealt table."""
        return math.ceil(math.sqrt(self.buckets())) if self.world.has("deal-twice") else self.buckets()

    def dealt_columns(self) -> list[int]:
        """Columns of the dealt tables: of sessions (taxonomy, visit, user), and of every arm."""
        return [DEALT_OF_SESSIONS] + [self.world.measures + DEALT_OF_ARMS] * self.arms

    def dealt_footers(self) -> list[float]:
        """Bytes of the footers of a range's dealt tables: an entry is as long as one of the sample."""
        entry = self.costs["sample_footer_bytes_per_group"] / self.costs["sample_columns"]
        return [self.fan() * columns * entry for columns in self.dealt_columns()]

    def dealt_rows(self) -> list[float]:
        """Bytes of a session in the dealt tables: the sample's row at most, and of an arm its columns' share of a part."""
        costs = self.costs
        small = costs["part_bytes_per_session"] * (1 - costs["part_hits_share"]) / (costs["part_columns"] - HIT_COLUMNS)
        return [costs["sample_bytes_per_session"]] + [small * columns for columns in self.dealt_columns()[1:]]
