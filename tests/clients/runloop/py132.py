"""runloop_api_client 1.32.0, unmodified: a whole benchmark, and every route that it knows."""

import io
import json
import os
import time
import uuid
import zipfile

import runloop_api_client
from runloop_api_client import Runloop, RunloopSDK
from runloop_api_client.lib.polling import PollingConfig

assert runloop_api_client.__version__ == "1.32.0", runloop_api_client.__version__
case = json.load(open(os.environ["CASE"]))
base = f"http://{os.environ['ADDRESS']}"
client = Runloop(bearer_token=os.environ["TOKEN"], base_url=base, max_retries=0)
soon = PollingConfig(interval_seconds=0.1, max_attempts=600)
mark = uuid.uuid4().hex


def close(found, expected):
    assert found is not None and abs(found - expected) < 1e-12, (found, expected)


def context(search):
    return {"problem_statement": search["query"], "additional_context": {"judgments": search["judgments"]}}


# A whole benchmark: its score is the command line's.
scenarios = [
    client.scenarios.create(
        name=f"{mark} {search['query']}",
        input_context=context(search),
        scoring_contract=case["contract"],
        metadata={"made_by": "py132"},
        reference_output="none",
        validation_type="EVALUATION",
        scorer_timeout_sec=120,
        environment_parameters={"working_directory": "/tmp"},
    )
    for search in case["searches"]
]
first = scenarios[0]
assert first.status == "active" and first.validation_type == "EVALUATION" and first.environment.working_directory == "/tmp"
benchmark = client.benchmarks.create(name=mark, scenario_ids=[one.id for one in scenarios], metadata={"a": "b"})
assert benchmark.scenario_ids == [one.id for one in scenarios] and benchmark.status == "active"
for name, retriever in case["retrievers"].items():
    run = client.benchmarks.start_run(
        benchmark_id=benchmark.id,
        run_name=name,
        metadata={"retriever_id": retriever},
        run_profile={"env_vars": {"REGION": "eu"}, "purpose": "nightly", "secrets": {"A": "B"}},
    )
    assert (run.state, run.score, run.purpose, run.secrets_provided) == ("running", None, "nightly", {"A": "B"})
    for scenario in scenarios:
        one = client.scenarios.start_run_and_await_env_ready(scenario_id=scenario.id, benchmark_run_id=run.id)
        assert one.state == "running" and one.environment_variables == {"REGION": "eu"}
        done = client.scenarios.runs.score_and_complete(one.id, polling_config=soon)
        assert done.state == "completed"
        results = done.scoring_contract_result
        assert [result.scoring_function_name for result in results.scoring_function_results] == ["utility", "relevance"]
        assert all(result.state == "complete" for result in results.scoring_function_results)
    assert client.benchmark_runs.complete(run.id).state == "completed"
    run = client.benchmark_runs.retrieve(run.id)
    close(run.score, case["expected"][name])
    assert run.duration_ms >= 0 and run.metadata == {"retriever_id": retriever}
    # What this client does not know of is there for the older one.
    assert len(run.scenario_runs) == len(scenarios) and run.pending_scenarios == [] and run.unscored_scenario_runs == 0
    listed = client.benchmark_runs.list_scenario_runs(run.id, limit=2, state="completed")
    assert len(listed.runs) == 2 and listed.has_more and len(list(listed)) == len(scenarios)

# The same by a job, without a client that drives it.
agents = [{"type": "job_agent", "name": name, "agent_id": id} for name, id in case["retrievers"].items()]
job = client.benchmark_jobs.create(
    name=f"job {mark}",
    spec={"type": "benchmark", "benchmark_id": benchmark.id, "agent_configs": agents, "orchestrator_config": {"n_attempts": 1}},
)
assert job.job_source.type == "benchmark" and len(job.job_spec.agent_configs) == 2
begun = time.monotonic()
while job.state in ("queued", "initializing", "running"):
    assert time.monotonic() - begun < 120
    time.sleep(0.1)
    job = client.benchmark_jobs.retrieve(job.id)
assert job.state == "completed" and job.in_progress_runs == [], job
for outcome in job.benchmark_outcomes:
    close(outcome.average_score, case["expected"][outcome.agent_name])
    assert (outcome.n_completed, outcome.n_failed, outcome.n_timeout) == (len(scenarios), 0, 0)
    close(client.benchmark_runs.retrieve(outcome.benchmark_run_id).score, outcome.average_score)
    for found in outcome.scenario_outcomes:
        assert found.state == "COMPLETED" and client.scenarios.runs.retrieve(found.scenario_run_id).state == "completed"
assert client.benchmark_jobs.list(search=mark).jobs[0].id == job.id

# Every other route.
assert client.benchmarks.retrieve(benchmark.id).name == mark
assert [one.id for one in client.benchmarks.list(name=mark)] == [benchmark.id]
# This client knows no word for it any more, and the server still does.
shown = client.scenarios.create(
    name="for all", input_context=context(case["searches"][0]), scoring_contract=case["contract"], extra_body={"is_public": True}
)
offered = client.benchmarks.create(name="for all", scenario_ids=[shown.id], extra_body={"is_public": True})
public = client.benchmarks.list_public(limit=5).benchmarks
assert offered.id in [one.id for one in public] and all(one.is_public for one in public)
assert benchmark.id not in [one.id for one in client.benchmarks.list_public()]
assert client.benchmarks.update(benchmark.id, description="d").description == "d"
assert client.benchmarks.definitions(benchmark.id, limit=2).has_more
shorter = client.benchmarks.update_scenarios(benchmark.id, scenarios_to_remove=[first.id])
assert first.id not in shorter.scenario_ids
assert client.benchmarks.update_scenarios(benchmark.id, scenarios_to_add=[first.id]).scenario_ids[-1] == first.id
assert len(list(client.benchmark_runs.list(benchmark_id=benchmark.id, limit=1))) == 4
assert client.benchmark_runs.list(benchmark_id=benchmark.id, state="canceled").runs == []
run = client.benchmarks.start_run(benchmark_id=benchmark.id)
one = client.scenarios.start_run(scenario_id=first.id, benchmark_run_id=run.id)
assert client.benchmark_runs.cancel(run.id).state == "canceled"
assert client.scenarios.runs.retrieve(one.id).state == "canceled"

assert client.scenarios.retrieve(first.id).input_context.problem_statement == case["searches"][0]["query"]
assert client.scenarios.update(first.id, metadata={"a": "c"}).metadata == {"a": "c"}
assert len(list(client.scenarios.list(search=mark, limit=4))) == len(scenarios)
public = list(client.scenarios.list_public())
assert shown.id in [one.id for one in public] and all(one.is_public for one in public)
assert first.id not in [one.id for one in public]
assert client.scenarios.list(benchmark_id=benchmark.id, validation_type="FORWARD").scenarios == []
one = client.scenarios.start_run(scenario_id=first.id, metadata={"retriever_id": case["retrievers"]["prod"]}, run_name=mark)
assert client.scenarios.runs.score_and_await(one.id, polling_config=soon).state == "scored"
with zipfile.ZipFile(io.BytesIO(client.scenarios.runs.download_logs(one.id).read())) as logs:
    assert "relevance" in logs.read("scoring.log").decode() and json.loads(logs.read("scoring.json"))["hits"]
assert client.scenarios.runs.complete(one.id).state == "completed"
assert [found.id for found in client.scenarios.runs.list(name=mark)] == [one.id]
one = client.scenarios.start_run(scenario_id=first.id)
assert client.scenarios.runs.cancel(one.id).state == "canceled"
scorer = client.scenarios.scorers.create(type="metric:RR", bash_script="")
assert client.scenarios.scorers.retrieve(scorer.id).type == "metric:RR"
assert client.scenarios.scorers.update(scorer.id, type="metric:P@5", bash_script="").type == "metric:P@5"
assert scorer.id in [found.id for found in client.scenarios.scorers.list()]
spare = client.scenarios.create(name="spare", input_context=context(case["searches"][0]), scoring_contract=case["contract"])
assert client.scenarios.archive(spare.id).status == "archived"

# Mistakes are told once: a client with retries on does not repeat them.
patient = Runloop(bearer_token=os.environ["TOKEN"], base_url=base)
begun = time.monotonic()
for mistake, expected in [
    (lambda: patient.benchmarks.retrieve("bmd_0"), runloop_api_client.NotFoundError),
    (lambda: patient.scenarios.runs.complete(one.id), runloop_api_client.BadRequestError),
    (lambda: patient.benchmarks.create(name=""), runloop_api_client.BadRequestError),
    (lambda: patient.scenarios.scorers.create(type="x", bash_script="echo score=1"), runloop_api_client.BadRequestError),
]:
    try:
        mistake()
        raise AssertionError("a mistake was taken for something else")
    except expected as error:
        assert set(error.body) == {"code", "message"}, error.body
assert time.monotonic() - begun < 40
try:
    Runloop(bearer_token="rmt_ci_nobody", base_url=base).benchmarks.list()
    raise AssertionError("anybody is let in")
except runloop_api_client.AuthenticationError:
    pass

# A key of the caller's own: the same answer, and one benchmark.
twice = [client.benchmarks.create(name=f"once {mark}", idempotency_key=f"key-{mark}").id for _ in range(2)]
assert twice[0] == twice[1] and len(list(client.benchmarks.list(name=f"once {mark}"))) == 1

# The object layer.
layer = RunloopSDK(bearer_token=os.environ["TOKEN"], base_url=base)
run = layer.benchmark.from_id(benchmark.id).start_run(run_name="objects", metadata={"retriever_id": case["retrievers"]["prod"]})
for scenario in scenarios:
    one = layer.scenario.from_id(scenario.id).run(benchmark_run_id=run.id)
    one.score_and_complete(polling_config=soon)
run.complete()
close(run.get_info().score, case["expected"]["prod"])
print("runloop_api_client 1.32.0: ok")
