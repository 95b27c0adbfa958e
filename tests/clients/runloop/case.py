"""Brings a corpus, a component and retrievers to the server, makes judged searches, and runs the same on the command line.

What both must come to goes into `case.json`: the searches, the contract, the retrievers, and the scores of `rematch run`.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

WORK = pathlib.Path(sys.argv[1])
ROOT = pathlib.Path(__file__).resolve().parents[3]
PRODUCTS = ROOT / "data/shop/products.jsonl"
COMPONENT = ROOT / "plugins/half-life-utility/half-life-utility.wasm"
QUERIES = ["reading floor lamp", "tote bag", "coffee mug", "vinyl turntable", "running shoes", "desk lamp black"]
FIELDS = {"prod": {"title": 1.0, "description": 1.0}, "boosted": {"title": 3.0, "description": 1.0}}


def send(method, path, body, kind="application/json"):
    url = f"http://{os.environ['ADDRESS']}{path}"
    headers = {"authorization": f"Bearer {os.environ['TOKEN']}", "content-type": kind}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as answer:
        return json.loads(answer.read())


def registered(name):
    """Registers a retriever by the API of retrievers, and returns its identifier."""
    parameters = {"corpus": "runloop-products", "fields": FIELDS[name], "k1": 0.9, "b": 0.4}
    stages = [{"stage_name": "bm25", "config": {"stage_id": "bm25", "parameters": parameters}}]
    body = {"retriever_name": f"runloop-{name}", "collection_identifiers": ["runloop-products"], "stages": stages}
    made = send("POST", "/v1/retrievers", json.dumps(body).encode())
    return made.get("retriever", made)["retriever_id"]


def judged(query, products):
    """Grades products by how many words of the query their title has: no truth, but the same for everybody."""
    grades = {}
    for product in products:
        words = product["title"].lower().replace(",", " ").split()
        hits = sum(word in words for word in query.split())
        if hits:
            grades[product["item_id"]] = min(hits, 3)
    return [{"item_id": item, "grade": grade} for item, grade in sorted(grades.items())[:200]]


def on_the_command_line(sessions):
    (WORK / "sessions.jsonl").write_text("".join(json.dumps(session) + "\n" for session in sessions))
    retrievers = "".join(
        f'[[retriever]]\nid = "{name}"\nstages = [{{ kind = "bm25", corpus = "products", '
        f'fields = {{ title = {fields["title"]}, description = {fields["description"]} }}, k1 = 0.9, b = 0.4 }}]\n'
        for name, fields in FIELDS.items()
    )
    (WORK / "bench.toml").write_text(
        'name = "case"\nbaseline = "prod"\ncandidates = ["boosted"]\n[sessions]\npath = "sessions.jsonl"\n'
        f'[corpus.products]\npath = "{PRODUCTS}"\nid = "item_id"\n{retrievers}'
        f'[[scorer]]\nname = "utility"\nplugin = "{COMPONENT}"\nweight = 0.6\nparams = {{ half_life = 5 }}\n'
        '[[scorer]]\nname = "relevance"\nmetric = "nDCG@10"\nweight = 0.4\n'
    )
    command = [os.environ["REMATCH"], "run", str(WORK / "bench.toml"), "--out", str(WORK / "run")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    results = json.loads((WORK / "run/report.json").read_text())["results"]
    for result in results:
        assert result["scenario_score"]["n"] == len(sessions), result["scenario_score"]
    return {result["retriever_id"]: result["scenario_score"]["mean"] for result in results}


products = [json.loads(line) for line in PRODUCTS.read_text().splitlines()]
send("PUT", "/v1/files/runloop-products.jsonl", PRODUCTS.read_bytes(), "application/octet-stream")
corpus = json.dumps({"path": "runloop-products.jsonl", "id": "item_id"}).encode()
send("PUT", "/v1/corpora/runloop-products", corpus)
send("PUT", "/v1/components/runloop-utility/1.0.0", COMPONENT.read_bytes(), "application/wasm")
custom = {"type": "custom_scorer"}
contract = {
    "scoring_function_parameters": [
        {
            "name": "utility",
            "weight": 0.6,
            "scorer": custom | {"custom_scorer_type": "runloop-utility@1.0.0", "scorer_params": {"half_life": 5}},
        },
        {"name": "relevance", "weight": 0.4, "scorer": custom | {"custom_scorer_type": "metric:nDCG@10"}},
    ]
}
searches = [{"query": query, "judgments": judged(query, products)} for query in QUERIES]
assert all(search["judgments"] for search in searches)
sessions = [{"session_id": f"s{number}", **search} for number, search in enumerate(searches)]
case = {
    "searches": searches,
    "contract": contract,
    "retrievers": {name: registered(name) for name in FIELDS},
    "expected": on_the_command_line(sessions),
}
(WORK / "case.json").write_text(json.dumps(case))
