"""Interactions and evaluations through the high-level client."""

import time

import shop
from mixpeek import Mixpeek
from mixpeek._client.client import MixpeekAPIError


def refused(call, status):
    """Checks that a call is refused with that status, and returns the error."""
    try:
        found = call()
    except MixpeekAPIError as error:
        assert error.status == status, error
        return error.detail["error"]
    raise AssertionError(f"expected {status}, found {found!r}")


def main():
    shop.bring_products()
    client = Mixpeek(shop.TOKEN, namespace=shop.NAMESPACE, base_url=f"http://{shop.ADDRESS}/v1")
    made = client.retrievers.create(name="flat", stages=shop.stages(1.0), collection_identifiers=[shop.CORPUS])
    id = made.retriever_id
    assert client.retrievers.get(id).retriever_name == "flat"
    assert [one.retriever_id for one in client.retrievers.list().results] == [id]
    assert client.retrievers.update(id, tags=["x"]).retriever.tags == ["x"]
    copied = client.retrievers.clone(id, retriever_name="copy", stages=shop.stages(3.0)).retriever

    found = client.retrievers.run(id, inputs={"query": "desk lamp"}, limit=5)
    first = client.retrievers.create_interaction_from_result(found, position=1, session_id="s", user_id="u")
    assert first.feature_id == found.documents[1].document_id and first.execution_id == found.execution_id, first
    again = client.retrievers.create_interaction_from_result(found, position=1)
    assert again.deduplicated is True and again.interaction_id is None
    bought = client.retrievers.create_interaction(
        document_id="p0001",
        interaction_type=["purchase"],
        position=0,
        retriever_id=id,
        execution_id=found.execution_id,
        occurred_at="2026-01-15T10:30:00Z",
        query_snapshot={"query": "desk lamp"},
    )
    assert bought.occurred_at.startswith("2026-01-15T10:30:00"), bought
    told = client.retrievers.backfill_interactions(
        [
            {"feature_id": "p0002", "interaction_type": ["click"], "position": 3, "retriever_id": id, "execution_id": "old"},
            {"feature_id": "p0003", "interaction_type": ["click"], "position": 4, "retriever_id": id},
        ]
    )
    assert (told.created, told.failed) == (1, 1) and "execution_id" in told.errors[0], told
    listed = client.retrievers.list_interactions(id, page=1, page_size=2)
    assert len(listed.results) == 2 and listed.pagination.next_cursor, listed
    assert client.retrievers.get_interaction(first.interaction_id).user_id == "u"
    assert client.retrievers.delete_interaction(first.interaction_id).success is True
    missing = refused(lambda: client.retrievers.get_interaction(first.interaction_id), 404)
    assert missing["type"] == "NotFoundError", missing

    known = [{"query_id": "q", "query_input": {"query": "desk lamp"}, "relevant_documents": [found.documents[0].document_id]}]
    made = client.evaluations.create_dataset(dataset_name="known", queries=known)
    assert client.evaluations.get_dataset("known").dataset_id == made.dataset_id
    assert client.evaluations.list_datasets().total == 1
    begun = client.retrievers.run_evaluation(id, dataset_id=made.dataset_id)
    deadline = time.monotonic() + 120
    while client.evaluations.get(id, begun.evaluation_id).status in ("pending", "in_progress"):
        assert time.monotonic() < deadline, "the evaluation does not end"
        time.sleep(0.05)
    done = client.evaluations.get(id, begun.evaluation_id)
    assert done.status == "completed" and done.overall_metrics.mrr == 1.0, done
    assert client.evaluations.list(id).total == 1
    begun = client.evaluations.run(copied.retriever_id, dataset_name="known", baseline_evaluation_id=begun.evaluation_id)
    while client.evaluations.get(copied.retriever_id, begun.evaluation_id).status in ("pending", "in_progress"):
        assert time.monotonic() < deadline, "the evaluation does not end"
        time.sleep(0.05)
    judged = client.evaluations.get(copied.retriever_id, begun.evaluation_id)
    assert judged.verdict.primary_metric == "ndcg" and judged.verdict.compared_metrics == 6, judged
    generated = client.evaluations.generate_from_interactions(id, min_interactions=1, lookback_days=365)
    assert generated.query_count == 1, generated
    refused(lambda: client.evaluations.generate_from_interactions(id, min_interactions=1, lookback_days=365), 409)
    assert client.retrievers.delete(id).success is True
    nobody = Mixpeek("nonsense", namespace=shop.NAMESPACE, base_url=f"http://{shop.ADDRESS}/v1")
    refused(nobody.retrievers.list, 401)
    print("high-level client: retrievers, interactions, evaluations")


main()
