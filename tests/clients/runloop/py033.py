"""runloop_api_client 0.33.0, unmodified: the first generation, whose runs carry their scenarios."""

import json
import os
import time

import runloop_api_client
from runloop_api_client import Runloop

assert runloop_api_client.__version__ == "0.33.0", runloop_api_client.__version__
case = json.load(open(os.environ["CASE"]))
client = Runloop(bearer_token=os.environ["TOKEN"], base_url=f"http://{os.environ['ADDRESS']}", max_retries=0)


def scored(run):
    """Waits as this client's own helpers would: until the state is another than `scoring`."""
    state = client.scenarios.runs.score(run).state
    assert state in ("scoring", "scored"), state
    begun = time.monotonic()
    while state == "scoring":
        assert time.monotonic() - begun < 60
        time.sleep(0.05)
        state = client.scenarios.runs.retrieve(run).state
    assert state == "scored", state


scenarios = [
    client.scenarios.create(
        name=search["query"],
        is_public=True,
        input_context={"problem_statement": search["query"], "additional_context": {"judgments": search["judgments"]}},
        scoring_contract=case["contract"],
        metadata={"retriever_id": case["retrievers"]["boosted"]},
    )
    for search in case["searches"]
]
assert all(scenario.is_public for scenario in scenarios)
benchmark = client.benchmarks.create(name="first generation", is_public=True, scenario_ids=[one.id for one in scenarios])
run = client.benchmarks.start_run(benchmark_id=benchmark.id, run_name="first", metadata={"a": "b"})
assert run.pending_scenarios == [one.id for one in scenarios] and run.scenario_runs == [] and run.benchmark_id == benchmark.id
for done, scenario in enumerate(scenarios, 1):
    one = client.scenarios.start_run(scenario_id=scenario.id, benchmark_run_id=run.id)
    scored(one.id)
    assert client.scenarios.runs.complete(one.id).scoring_contract_result.score is not None
    now = client.benchmarks.runs.retrieve(run.id)
    assert (len(now.pending_scenarios), len(now.scenario_runs)) == (len(scenarios) - done, done)
run = client.benchmarks.runs.complete(run.id)
assert run.state == "completed" and run.duration_ms >= 0
scores = [one.scoring_result.score for one in run.scenario_runs]
assert abs(run.score - sum(scores) / len(scores)) < 1e-12
assert abs(run.score - case["expected"]["boosted"]) < 1e-12, (run.score, case["expected"])
assert run.scenario_runs[0].scenario_run_id.startswith("scr_")

# Every other route of this generation.
runs = client.benchmarks.runs.list(benchmark_id=benchmark.id, limit=1)
assert [one.id for one in runs] == [run.id]
assert client.benchmarks.retrieve(benchmark.id).is_public
assert benchmark.id in [one.id for one in client.benchmarks.list(limit=3)]
assert benchmark.id in [one.id for one in client.benchmarks.list_public()]
changed = client.scenarios.update(
    scenarios[0].id,
    name="changed",
    is_public=False,
    input_context={"problem_statement": "changed"},
    scoring_contract=case["contract"],
)
assert changed.name == "changed" and not changed.is_public and client.scenarios.retrieve(changed.id).name == "changed"
assert [one.id for one in client.scenarios.list(name="changed", limit=1)][0] == changed.id
assert changed.id not in [one.id for one in client.scenarios.list_public()]
assert len(list(client.scenarios.runs.list(scenario_id=scenarios[1].id, limit=1))) == 1
scorer = client.scenarios.scorers.create(type="metric:P@2", bash_script="")
assert client.scenarios.scorers.retrieve(scorer.id).type == "metric:P@2"
assert client.scenarios.scorers.update(scorer.id, type="metric:P@4", bash_script="").type == "metric:P@4"
assert scorer.id in [one.id for one in client.scenarios.scorers.list()]
tried = client.scenarios.scorers.validate(
    scorer.id,
    scoring_context={"query": "mug", "hits": ["a", "b", "c", "d"], "judgments": [{"item_id": "a", "grade": 1}]},
)
assert tried.name == "metric:P@4" and tried.scoring_result.score == 0.25 and tried.scoring_result.state == "complete"
print("runloop_api_client 0.33.0: ok")
