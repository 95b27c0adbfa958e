"""What is assumed: the run, the machines, the store and the prices, each with its source, and what could be changed."""

from dataclasses import dataclass, field

MIB = 1 << 20
HOUR = 3600.0
# Hits of a ranking, of what is measured and of what is simulated.
DEPTH = 100


def assumed(value: float, unit: str, source: str):
    return field(default=value, metadata={"unit": unit, "source": source})


GUESS = "guessed, not measured"


@dataclass(frozen=True)
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
        192 * MIB, "bytes", "`BUCKET_BYTES` in compare/cluster_tests.rs: sums by user that are held at once"
    )
    bucket_rows: int = assumed(1024, "rows", "`ROWS_OF_A_BUCKET` in sums/ask.rs: as many of a bucket should a range have")
    range_chunks: int = assumed(64, "chunks a range at most", "`MOST_CHUNKS` in sums/ask.rs")
    tasks_at_least: int = assumed(64, "tasks", "`TASKS_AT_LEAST` in cluster/drive.rs, where pieces are few")
    sums_bytes: float = assumed(20e3, "bytes", "a piece of sums, packed; " + GUESS)
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


# What the code could do otherwise, by the name of `--change`.
CHANGES = {
    "trust-tasks": "the driver believes what finished tasks say and reads no part; it lists them once, at the end of a job",
    "trust-tags": "a remote input is known by its entity tag, and nobody reads it only to hash it",
    "index-once": "the index of a recording is made once and shipped, not by every executor",
    "deal-twice": "sessions are dealt out to groups of buckets, then within each to its buckets: few row groups a table",
    "parts-as-tables": "the published tables are the parts and a list of them; nothing is copied",
    "large-chunks": "65,536 sessions a chunk, one chunk a task, four chunks a range",
    "cluster-sample": "the sample is drawn by tasks, each a file of it",
    "jobs-at-once": "all tasks are in one job; no executor waits for the last one of a job",
}
