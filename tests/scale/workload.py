"""What is measured with: a corpus, judged searches over it, and the benchmark files of the runs."""

import itertools
import json
import random
from pathlib import Path

from world import DEPTH

SEED = 20260101
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


def write_nothing(folder: Path) -> None:
    """A recording that answers no session, for runs whose other retriever is of interest."""
    (folder / "nothing.run").write_text("s000000000 Q0 d0000000 1 1 nothing\n")


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
