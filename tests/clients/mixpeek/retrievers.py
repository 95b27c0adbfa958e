"""Every route of retrievers, executions and interactions through the generated client."""

import datetime
import json
import urllib.request

import mixpeek
import shop
from mixpeek.exceptions import NotFoundException, UnauthorizedException, UnprocessableEntityException


def retrievers(api):
    """Registers, changes, copies, lists and removes."""
    id = shop.register(api, "flat", 1.0)
    schema = {"query": mixpeek.RetrieverInputSchemaFieldInput(type="text", required=True, description="what is sought")}
    changed = api.patch_retriever(
        id, mixpeek.PatchRetrieverRequest(tags=["first"], metadata={"team": "search"}, input_schema=schema)
    ).retriever
    assert (changed.tags, changed.metadata, changed.version) == (["first"], {"team": "search"}, 2), changed
    assert changed.input_schema["query"].required is True
    found = api.get_retriever(id)
    assert found.stages[0].stage_name == "words" and found.collection_identifiers == [shop.CORPUS]
    title = [mixpeek.StageConfigInput.from_dict(stage) for stage in shop.stages(3.0)]
    copied = api.clone_retriever(id, mixpeek.CloneRetrieverRequest(retriever_name="title", stages=title))
    assert copied.source_retriever_id == id and copied.retriever.stages[0].parameters["fields"]["title"] == 3.0
    listed = api.list_retrievers(include_total=True, list_retrievers_request=mixpeek.ListRetrieversRequest())
    assert listed.total == 2 and [one.retriever_name for one in listed.results] == ["flat", "title"], listed
    searched = api.list_retrievers(list_retrievers_request=mixpeek.ListRetrieversRequest(search="TIT"))
    assert [one.retriever_id for one in searched.results] == [copied.retriever.retriever_id]
    first = api.list_retrievers_get(limit=1)
    second = api.list_retrievers_get(limit=1, cursor=first.pagination.next_cursor)
    assert second.results[0].retriever_name == "title" and second.pagination.next_cursor is None

    stage = {"stage_name": "s", "config": {"stage_id": "feature_search", "parameters": {}}}
    request = mixpeek.CreateRetrieverRequest(retriever_name="r", stages=[stage])
    wrong = shop.refused(UnprocessableEntityException, lambda: api.create_retriever(request), 422)
    assert "`bm25`" in wrong.message, wrong
    shop.refused(NotFoundException, lambda: api.get_retriever("ret_0"), 404)
    removed = api.delete_retriever(copied.retriever.retriever_id)
    assert removed["success"] is True, removed
    shop.refused(NotFoundException, lambda: api.get_retriever(copied.retriever.retriever_id), 404)
    return id


def executions(api, id):
    """Asks, pages, lists and streams."""
    request = mixpeek.ExecuteRetrieverRequest(inputs={"query": "desk lamp"}, limit=5)
    found = api.execute_retriever(id, request)
    assert found.status == "completed" and found.retriever_id == id and len(found.documents) == 5, found
    assert found.stage_statistics.stages["words"].output_count == 6 and found.stage_statistics.total_time_ms > 0
    expected = {"method": "cursor", "limit": 5, "returned": 5, "total": 6, "cursor": found.pagination["cursor"], "has_next": True}
    assert found.pagination == expected, found.pagination
    page = mixpeek.Pagination1(mixpeek.CursorPaginationParams(limit=2, cursor=found.pagination["cursor"]))
    more = api.execute_retriever(id, mixpeek.ExecuteRetrieverRequest(inputs={"query": "desk lamp"}, pagination=page))
    assert more.documents and more.documents[0] not in found.documents and more.pagination["method"] == "cursor", more
    page = mixpeek.Pagination1(mixpeek.OffsetPaginationParams(page_size=2, page_number=2))
    second = api.execute_retriever(id, mixpeek.ExecuteRetrieverRequest(inputs={"query": "desk lamp"}, pagination=page))
    assert second.documents == found.documents[2:4] and second.pagination["page_number"] == 2, second
    assert (second.pagination["page_size"], second.pagination["returned"], second.pagination["has_next"]) == (2, 2, True)
    filters = {"AND": [{"field": "price", "operator": "lt", "value": 30}]}
    cheap = api.execute_retriever(id, mixpeek.ExecuteRetrieverRequest(inputs={"query": "desk lamp"}, filters=filters))
    assert cheap.documents and cheap.documents != found.documents
    missing = shop.refused(
        UnprocessableEntityException, lambda: api.execute_retriever(id, mixpeek.ExecuteRetrieverRequest(inputs={})), 422
    )
    assert missing.details["validation_errors"][0]["loc"] == ["body", "inputs", "query"], missing
    kept = api.get_execution_retrievers(id, found.execution_id)
    assert kept.documents == found.documents and kept.documents_retained is True and kept.completed_at >= kept.created_at
    listed = api.list_executions_retrievers(id, limit=2, list_executions_request=mixpeek.ListExecutionsRequest())
    assert (listed.pagination.total, listed.pagination.has_next) == (4, True), listed.pagination
    assert listed.results[0].execution_id == found.execution_id and listed.results[0].query_summary == "desk lamp"
    shop.refused(NotFoundException, lambda: api.get_execution_retrievers(id, "exec_0"), 404)
    shop.refused(NotFoundException, lambda: api.execute_retriever("ret_0", request), 404)

    # The generated client has no stream; what it would read is this.
    headers = {"Authorization": f"Bearer {shop.TOKEN}", "X-Namespace": shop.NAMESPACE, "Content-Type": "application/json"}
    body = json.dumps({"inputs": {"query": "desk lamp"}, "limit": 5, "stream": True}).encode()
    url = f"http://{shop.ADDRESS}/v1/retrievers/{id}/execute"
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.headers
        lines = answer.read().decode().splitlines()
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names == ["stage_start", "stage_complete", "execution_complete"], names
    last = json.loads([line.removeprefix("data: ") for line in lines if line.startswith("data: ")][-1])
    assert last["documents"] == found.documents
    return found


def interactions(api, found):
    """Keeps, repeats, lists and removes."""

    def act(position, kinds, **more):
        document = found.documents[position]
        return mixpeek.SearchInteraction(
            feature_id=document["document_id"],
            interaction_type=kinds,
            position=position,
            document_score=document["score"],
            retriever_id=found.retriever_id,
            execution_id=found.execution_id,
            session_id="s1",
            **more,
        )

    first = api.create_interaction_retrievers(act(0, ["click", "long_view"], metadata={"device": "phone"}))
    assert first.deduplicated is False and first.position == 0 and first.timestamp, first
    again = api.create_interaction_retrievers(act(0, ["long_view", "click"]))
    assert again.deduplicated is True and again.interaction_id is None, again
    told = api.create_interactions_bulk_retrievers_batch(
        mixpeek.BulkInteractionsRequest(interactions=[act(1, ["purchase"]), act(2, ["skip"]), act(0, ["click", "long_view"])])
    )
    assert told.created == 2 and [one.status for one in told.results] == ["created"] * 3, told
    for kind in mixpeek.InteractionType:
        kept = api.create_interaction_retrievers(act(4, [kind]))
        assert kept.interaction_type == [kind] and kept.deduplicated is False, kept
    future = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=9)
    clamped = api.create_interaction_retrievers(act(3, ["click"], occurred_at=future))
    assert clamped.occurred_at < future, clamped

    def listed(**more):
        request = mixpeek.ListInteractionsRequest(**more)
        return api.list_interactions_retrievers(list_interactions_request=request, include_total=True, page_size=100)

    everything = listed(retriever_id=found.retriever_id)
    total = 4 + len(list(mixpeek.InteractionType))
    assert everything.pagination.total == len(everything.results) == total, everything.pagination
    assert everything.items == everything.results
    assert len(listed(interaction_type="purchase").results) == 2
    phone = {"AND": [{"field": "metadata.device", "operator": "eq", "value": "phone"}]}
    tree = mixpeek.LogicalOperatorInput.from_dict(phone)
    assert [one.interaction_id for one in listed(filters=tree).results] == [first.interaction_id]
    assert listed(session_id="nobody").results == []
    kept = api.get_interaction_retrievers(first.interaction_id)
    assert kept.metadata == {"device": "phone"} and kept.document_score == found.documents[0]["score"]
    lost = mixpeek.SearchInteraction(feature_id="p", interaction_type=["click"], position=0, retriever_id="ret_0")
    wrong = shop.refused(UnprocessableEntityException, lambda: api.create_interaction_retrievers(lost), 422)
    assert wrong.details["validation_errors"][0]["loc"] == ["body", "execution_id"], wrong
    assert api.delete_interaction_retrievers(first.interaction_id)["success"] is True
    shop.refused(NotFoundException, lambda: api.get_interaction_retrievers(first.interaction_id), 404)
    shop.refused(NotFoundException, lambda: api.delete_interaction_retrievers("int_0"), 404)


def public(api, found):
    """Tracks interactions with a published retriever; its key is all that the client sends."""
    body = {"document_id": "p0001", "interaction_type": ["share"], "position": 7, "execution_id": found.execution_id}
    request = mixpeek.PublicInteractionRequest(**body)
    kept = api.track_interaction_retrievers_name("flat", request, x_session_id="tab", x_public_api_key=shop.TOKEN)
    assert kept["session_id"] == "tab" and kept["retriever_id"] == found.retriever_id, kept
    several = mixpeek.PublicInteractionBatchRequest(interactions=[request])
    told = api.track_interaction_batch_retrievers_name("flat", several, x_public_api_key=shop.TOKEN)
    assert told["created"] == 0 and told["results"][0]["interaction_id"] == kept["interaction_id"], told
    shop.refused(
        UnauthorizedException, lambda: api.track_interaction_retrievers_name("flat", request, x_public_api_key="x"), 401
    )
    shop.refused(
        NotFoundException, lambda: api.track_interaction_retrievers_name("none", request, x_public_api_key=shop.TOKEN), 404
    )


def main():
    shop.bring_products()
    with shop.client() as client:
        id = retrievers(mixpeek.RetrieversApi(client))
        found = executions(mixpeek.RetrieversApi(client), id)
        interactions(mixpeek.RetrieverInteractionsApi(client), found)
        public(mixpeek.PublicRetrieverAPIApi(client), found)
    print("retrievers, executions, interactions: every route")


main()
