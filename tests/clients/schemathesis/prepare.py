"""Makes one thing of each kind, and writes the configuration by which schemathesis finds it: without, every path with an
identifier would be answered with 404 alone. What DELETE is asked for is not among it."""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

root = pathlib.Path(__file__).parents[3]
address, token = os.environ["ADDRESS"], sys.argv[1]


def ask(method, path, body=None):
    data, kind = (body, "application/octet-stream") if isinstance(body, bytes) else (json.dumps(body).encode(), "application/json")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    request = urllib.request.Request(f"http://{address}{path}", method=method, headers=headers)
    request.data = None if body is None else data
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")


shop = root / "data/shop"
ask("PUT", "/v1/files/products.jsonl", (shop / "products.jsonl").read_bytes())
ask("PUT", "/v1/files/sessions.parquet", (shop / "sessions.parquet").read_bytes())
plugin = root / "plugins/half-life-utility/half-life-utility.wasm"
ask("PUT", "/v1/components/half-life-utility/0.1.0", plugin.read_bytes())
ask("PUT", "/v1/corpora/products", {"path": "files/products.jsonl", "id": "item_id"})
ask("PUT", "/v1/secrets/SEARCH_KEY", {"value": "open sesame"})
benchmark = (shop / "bench.toml").read_text().replace(f"../../{plugin.relative_to(root)}", "half-life-utility@0.1.0")
run = ask("POST", "/v1/runs", {"toml": benchmark})["id"]


def retriever(name, weight):
    parameters = {"corpus": "products", "fields": {"title": weight, "description": 1.0}}
    stage = {"stage_name": "words", "config": {"stage_id": "bm25", "parameters": parameters}}
    body = {"retriever_name": name, "stages": [stage], "collection_identifiers": ["products"]}
    return ask("POST", "/v1/retrievers", body)["retriever_id"]


flat, titled = retriever("flat", 1.0), retriever("titled", 3.0)
act = {"feature_id": "p0001", "interaction_type": ["click"], "position": 0, "session_id": "s1"}
interaction = ask("POST", "/v1/retrievers/interactions", act)["interaction_id"]
query = {"query_id": "q1", "query_input": {"query": "lamp"}, "relevant_documents": ["p0001"]}
dataset = ask("POST", "/v1/retrievers/evaluations/datasets", {"dataset_name": "judged", "queries": [query]})["dataset_id"]
compared = {"benchmark_name": "b", "baseline_retriever_id": flat, "candidate_retriever_ids": [titled]}
retrievers_compared = ask("POST", "/v1/retrievers/benchmarks", compared)["benchmark_id"]

scorer = {"type": "custom_scorer", "custom_scorer_type": "metric:RR"}
scenario = ask("POST", "/v1/scenarios", {
    "name": "lamp",
    "input_context": {"problem_statement": "lamp"},
    "scoring_contract": {"scoring_function_parameters": [{"name": "rr", "weight": 1.0, "scorer": scorer}]},
})["id"]
own_scorer = ask("POST", "/v1/scenarios/scorers", {"type": "metric:RR", "bash_script": ""})["id"]
scenarios = ask("POST", "/v1/benchmarks", {"name": "b", "scenario_ids": [scenario]})["id"]
benchmark_run = ask("POST", "/v1/benchmarks/start_run", {"benchmark_id": scenarios})["id"]
scenario_run = ask("POST", "/v1/scenarios/start_run", {"scenario_id": scenario})
agents = [{"type": "job_agent", "name": flat}]
job = {"spec": {"type": "scenarios", "scenario_ids": [scenario], "agent_configs": agents}}
benchmark_job = ask("POST", "/v1/benchmark_jobs", job)["id"]

for _ in range(240):
    if ask("GET", f"/v1/runs/{run}")["ended_at"]:
        break
    time.sleep(0.5)

KNOWN = [
    (r"^/v1/runs/\{id\}", {"path.id": run}),
    (r"^/v1/files/", {"path.name": "products.jsonl"}),
    (r"^/v1/corpora/", {"path.name": "products"}),
    (r"^/v1/secrets/", {"path.name": "SEARCH_KEY"}),
    (r"^/v1/components/", {"path.name": "half-life-utility", "path.version": "0.1.0"}),
    (r"^/v1/retrievers/\{retriever_id\}", {"path.retriever_id": flat}),
    (r"^/v1/public/retrievers/", {"path.public_name": flat}),
    (r"^/v1/retrievers/interactions/\{", {"path.interaction_id": interaction}),
    (r"^/v1/retrievers/benchmarks/\{", {"path.benchmark_id": retrievers_compared}),
    (r"^/v1/retrievers/evaluations/datasets/\{", {"path.dataset_identifier": dataset}),
    (r"^/v1/scenarios/\{id\}", {"path.id": scenario}),
    (r"^/v1/scenarios/scorers/\{", {"path.id": own_scorer}),
    (r"^/v1/scenarios/runs/\{", {"path.id": scenario_run["id"]}),
    (r"^/v1/benchmarks/\{id\}", {"path.id": scenarios}),
    (r"^/v1/benchmark_runs/\{", {"path.id": benchmark_run}),
    (r"^/v1/benchmarks/runs/\{", {"path.id": benchmark_run}),
    (r"^/v1/benchmark_jobs/\{", {"path.id": benchmark_job}),
    (r"^/v1/devboxes/\{", {"path.id": scenario_run["devbox_id"]}),
]
for path, parameters in KNOWN:
    print("[[operations]]")
    print(f"include-path-regex = '{path}'")
    print("exclude-method = 'DELETE'")
    print("parameters = {", ", ".join(f'"{name}" = "{value}"' for name, value in parameters.items()), "}")
