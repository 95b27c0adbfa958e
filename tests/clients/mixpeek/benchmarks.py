"""A whole benchmark through the generated client: searches and interactions are recorded, two retrievers are compared, and
every number is that of `rematch run` over the same sessions."""

import datetime
import json
import os
import pathlib
import subprocess
import tempfile

import mixpeek
import pyarrow.parquet
import shop
from mixpeek.exceptions import (
    NotFoundException,
    UnauthorizedException,
    UnprocessableEntityException,
)

# So many sessions are real searches of the server; the others come from elsewhere and bring their query along.
EXECUTED = 40


def sessions():
    """Returns the sessions of the shop in which somebody did something."""
    table = pyarrow.parquet.read_table(shop.REPOSITORY / "data/shop/sessions.parquet")
    return [session for session in table.to_pylist() if session["interactions"]]


def record(api, retrievers, baseline, found):
    """Records sessions at the server, and returns them as the engine should see them."""
    expected, batch = [], []
    for number, session in enumerate(found):
        name = session["session_id"]
        inputs = {"query": session["query"], "language": "en"}
        shown, more = [], {"execution_id": f"elsewhere-{name}", "query_snapshot": inputs}
        if number < EXECUTED:
            execution = retrievers.execute_retriever(
                baseline, mixpeek.ExecuteRetrieverRequest(inputs=inputs, limit=10)
            )
            assert execution.status == "completed" and len(execution.documents) <= 10, execution
            shown = [{"item_id": one["document_id"], "score": one["score"]} for one in execution.documents]
            more = {"execution_id": execution.execution_id, "retriever_id": execution.retriever_id}
        acts = []
        for act in session["interactions"]:
            batch.append(
                mixpeek.SearchInteraction(
                    feature_id=act["item_id"],
                    interaction_type=[act["kind"]],
                    position=act["position"] - 1,
                    session_id=name,
                    user_id=session["user_id"],
                    occurred_at=session["timestamp"],
                    metadata={"taxonomy_node_ids": session["taxonomy"]},
                    **more,
                )
            )
            milliseconds = int(session["timestamp"].timestamp() * 1000)
            acts.append(
                {"item_id": act["item_id"], "kind": act["kind"], "position": act["position"], "timestamp": milliseconds}
            )
        expected.append(
            {
                "session_id": name,
                "visit_id": name,
                "user_id": session["user_id"],
                "query": session["query"],
                "inputs": json.dumps(inputs),
                "taxonomy": session["taxonomy"],
                "shown": shown,
                "interactions": acts,
            }
        )
    for start in range(0, len(batch), 1000):
        part = batch[start : start + 1000]
        told = api.create_interactions_bulk_retrievers_batch(mixpeek.BulkInteractionsRequest(interactions=part))
        assert (told.created, told.failed) == (len(part), 0), told
    return expected


def by_hand(folder, expected, baseline, candidate, combine):
    """Returns the report of `rematch run` over the same sessions, with that combination of an item's weights."""
    folder = pathlib.Path(folder) / combine
    folder.mkdir()
    (folder / "sessions.jsonl").write_text("".join(json.dumps(session) + "\n" for session in expected))

    def retriever(id, name, title):
        return {"id": id, "name": name, "stages": [{"kind": "bm25", "name": "words", **shop.bm25(title)}]}

    benchmark = {
        "name": "title boost",
        "baseline": baseline,
        "candidates": [candidate],
        "sessions": {"path": "sessions.jsonl", "sample": {"strategy": "random", "count": 10000}},
        "relevance": {"combine": combine, "weights": {"click": 1.0, "purchase": 5.0, "add_to_cart": 2.0}},
        "metrics": {"k": [5, 10, 20], "primary": "nDCG@10"},
        "corpus": {shop.CORPUS: {"path": str(shop.PRODUCTS), "id": "item_id"}},
        "retriever": [retriever(baseline, "flat", 1.0), retriever(candidate, "title", 3.0)],
        "output": {"formats": ["json"]},
    }
    (folder / "benchmark.yaml").write_text(json.dumps(benchmark))
    command = [os.environ["REMATCH"], "run", folder / "benchmark.yaml", "--out", folder / "run"]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads((folder / "run/report.json").read_text())


def same(found, expected, what):
    """Checks that every member of a model that is set is the report's."""
    for name, value in found.to_dict().items():
        reported = expected.get(name)
        if isinstance(value, dict):
            reported = {key: one for key, one in reported.items() if one is not None}
        assert value == (reported if reported is not None else 0), (what, name, value, reported)


def compare(done, report, found):
    """Checks a benchmark against a report."""
    assert [result.retriever_name for result in done.results] == ["flat", "title"]
    for result, reported in zip(done.results, report["results"], strict=True):
        assert result.pipeline_hash == reported["pipeline_hash"]
        assert (result.failed_sessions, result.error_summary) == (0, {})
        same(result.metrics, reported["metrics"], result.retriever_name)
        assert set(result.taxonomy_deltas) == set(reported["taxonomy_deltas"])
        for node, metrics in result.taxonomy_deltas.items():
            same(metrics, reported["taxonomy_deltas"][node], node)
        assert list(result.latency.stage_latencies) == ["words"] and result.latency.p99_ms > 0
    moved = done.results[1].metrics
    assert moved.sessions_improved + moved.sessions_degraded + moved.sessions_neutral == len(found)
    compared, reported = done.comparison.comparisons[0], report["comparison"]["comparisons"][0]
    for name in ["ndcg_delta", "recall_delta", "p_value", "confidence_interval", "taxonomy_wins", "taxonomy_losses"]:
        value = getattr(compared, name)
        assert value == reported[name], (name, value, reported[name])
    assert compared.ndcg_delta["10"] != 0 and 0 < compared.p_value < 1, compared
    assert done.comparison.recommendation == report["comparison"]["recommendation"]


def silent(api, retrievers, baseline, candidate):
    """Checks that a candidate that answers nothing has its place in the comparison, and that the client reads it."""
    id = shop.register_failing(retrievers)
    created = api.create_benchmark_retrievers(
        mixpeek.CreateBenchmarkRequest(
            benchmark_name="silent", baseline_retriever_id=baseline, candidate_retriever_ids=[id, candidate], session_count=20
        )
    )
    assert created.session_filter is None, created
    done, _ = shop.ended(lambda: api.get_benchmark_retrievers(created.benchmark_id))
    assert done.status.value == "completed", done.error_message
    first, second = done.comparison.comparisons
    assert (first.candidate_retriever_id, second.candidate_retriever_id) == (id, candidate), done.comparison
    assert (first.ndcg_delta, first.recall_delta, first.p_value, first.confidence_interval) == ({}, {}, None, None), first
    assert second.ndcg_delta and f"`{id}` answered no session" in done.comparison.recommendation, done.comparison
    assert done.results[1].failed_sessions == 20 and done.results[1].metrics.mean_rank_clicked > 20, done.results[1]
    api.delete_benchmark_retrievers(created.benchmark_id)


def errors(api, baseline, candidate):
    """Drives every refusal that a client can meet."""

    def create(**more):
        body = {"benchmark_name": "b", "baseline_retriever_id": baseline, "candidate_retriever_ids": [candidate]}
        return api.create_benchmark_retrievers(mixpeek.CreateBenchmarkRequest(**{**body, **more}))

    missing = shop.refused(NotFoundException, lambda: api.get_benchmark_retrievers("bench 1/ü"), 404)
    assert (missing.type, missing.details["id"]) == ("NotFoundError", "bench 1/ü"), missing
    missing = shop.refused(NotFoundException, lambda: create(candidate_retriever_ids=["ret_0"]), 404)
    assert missing.details == {"resource": "retriever", "id": "ret_0"}
    wrong = shop.refused(UnprocessableEntityException, lambda: create(candidate_retriever_ids=[baseline]), 422)
    assert wrong.details["validation_errors"][0]["loc"] == ["body", "candidate_retriever_ids"], wrong
    strategy = mixpeek.SessionFilterInput(sample_strategy="newest")
    shop.refused(UnprocessableEntityException, lambda: create(session_filter=strategy), 422)
    with shop.client(token="nonsense") as stranger:
        nobody = mixpeek.RetrieverBenchmarksApi(stranger)
        found = shop.refused(UnauthorizedException, nobody.list_benchmarks_retrievers, 401)
        assert found.type == "UnauthorizedError", found
    with shop.client(namespace="elsewhere") as elsewhere:
        assert mixpeek.RetrieverBenchmarksApi(elsewhere).list_benchmarks_retrievers().total == 0
        body = mixpeek.CreateBenchmarkRequest(
            benchmark_name="b", baseline_retriever_id=baseline, candidate_retriever_ids=[candidate]
        )
        other = mixpeek.RetrieverBenchmarksApi(elsewhere)
        shop.refused(NotFoundException, lambda: other.create_benchmark_retrievers(body), 404)


def main():
    shop.bring_products()
    with shop.client() as client, tempfile.TemporaryDirectory() as folder:
        benchmarks, retrievers = mixpeek.RetrieverBenchmarksApi(client), mixpeek.RetrieversApi(client)
        interactions = mixpeek.RetrieverInteractionsApi(client)
        baseline = shop.register(retrievers, "flat", 1.0)
        candidate = shop.register(retrievers, "title", 3.0)
        # Before anything is recorded there is nothing to replay.
        request = {"baseline_retriever_id": baseline, "candidate_retriever_ids": [candidate]}
        early = benchmarks.create_benchmark_retrievers(
            mixpeek.CreateBenchmarkRequest(benchmark_name="too early", **request)
        )
        early, _ = shop.ended(lambda: benchmarks.get_benchmark_retrievers(early.benchmark_id))
        assert early.status.value == "failed" and "no interactions are recorded" in early.error_message, early
        assert early.results is None and early.comparison is None

        found = sessions()
        expected = record(interactions, retrievers, baseline, found)
        weights = mixpeek.InteractionWeights(weights={"click": 1.0, "purchase": 5.0, "add_to_cart": 2.0})
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
        chosen = mixpeek.SessionFilterInput(
            min_interactions=1, interaction_weights=weights, time_range=mixpeek.TimeRangeInput(end=until)
        )
        created = benchmarks.create_benchmark_retrievers(
            mixpeek.CreateBenchmarkRequest(
                benchmark_name="title boost", session_count=10000, session_filter=chosen, **request
            )
        )
        assert created is not None and created.results is None, created
        assert created.session_filter.interaction_weights.weights["purchase"] == 5.0
        assert created.session_filter.sample_strategy == "random", created.session_filter
        done, seen = shop.ended(lambda: benchmarks.get_benchmark_retrievers(created.benchmark_id))
        assert done.status.value == "completed", done.error_message
        order = ["pending", "building_sessions", "replaying", "computing_metrics", "completed"]
        assert seen == sorted(seen, key=order.index), seen
        assert done.started_at >= done.created_at and done.completed_at >= done.started_at
        compare(done, by_hand(folder, expected, baseline, candidate, "sum"), found)
        # Some items were clicked and bought, so that it matters how their weights combine.
        strongest = by_hand(folder, expected, baseline, candidate, "max")["results"][0]["metrics"]["ndcg_at_k"]
        assert done.results[0].metrics.ndcg_at_k["10"] != strongest["10"], strongest
        silent(benchmarks, retrievers, baseline, candidate)

        page = benchmarks.list_benchmarks_retrievers(retriever_id=candidate, status="completed", page=1, page_size=1)
        assert (page.total, page.page, page.page_size) == (1, 1, 1) and page.benchmarks[0].benchmark_id == done.benchmark_id
        assert page.benchmarks[0].results == done.results
        errors(benchmarks, baseline, candidate)
        assert benchmarks.delete_benchmark_retrievers(created.benchmark_id) is None
        shop.refused(NotFoundException, lambda: benchmarks.get_benchmark_retrievers(created.benchmark_id), 404)
        print(f"benchmarks: {len(found)} sessions, {EXECUTED} of them searched here; states {' -> '.join(seen)}")


main()
