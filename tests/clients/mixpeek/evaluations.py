"""Every route of evaluations through the generated client."""

import mixpeek
import shop
from mixpeek.exceptions import NotFoundException, UnprocessableEntityException


def queries(retrievers, baseline):
    """Returns queries whose relevant documents are the first ones of a retriever, and one that has none."""
    found = []
    for number, text in enumerate(["desk lamp", "tote bag", "kettle", "running shoes"]):
        answer = retrievers.execute_retriever(
            baseline, mixpeek.ExecuteRetrieverRequest(inputs={"query": text}, limit=3)
        )
        documents = [document["document_id"] for document in answer.documents]
        scores = {document: 3 - rank for rank, document in enumerate(documents)}
        found.append(
            mixpeek.GroundTruthQuery(
                query_id=f"q{number}", query_input={"query": text}, relevant_documents=documents, relevance_scores=scores
            )
        )
    found.append(mixpeek.GroundTruthQuery(query_id="none", query_input={"query": "x"}, relevant_documents=[]))
    return found


def main():
    shop.bring_products()
    with shop.client() as client:
        api, retrievers = mixpeek.RetrieverEvaluationsApi(client), mixpeek.RetrieversApi(client)
        flat, title = shop.register(retrievers, "flat", 1.0), shop.register(retrievers, "title", 3.0)
        request = mixpeek.CreateDatasetRequest(dataset_name="known", queries=queries(retrievers, flat), metadata={"a": 1})
        made = api.create_dataset_retrievers_evaluations(request)
        assert made.query_count == 5 and made.namespace_id == shop.NAMESPACE and made.metadata == {"a": 1}, made
        assert api.get_dataset_retrievers_evaluations("known") == made
        assert api.get_dataset_retrievers_evaluations(made.dataset_id) == made
        listed = api.list_datasets_retrievers_evaluations(page=1, page_size=10)
        assert (listed.total, listed.datasets) == (1, [made])
        shop.refused(NotFoundException, lambda: api.get_dataset_retrievers_evaluations("nothing"), 404)

        config = mixpeek.EvaluationConfig(k_values=[1, 3], metrics=["precision", "recall", "f1", "f2", "map", "ndcg", "mrr"])
        start = mixpeek.StartEvaluationRequest(dataset_name="known", evaluation_config=config)
        begun = api.start_evaluation_retrievers(flat, start)
        assert (begun.task_type, begun.status) == ("retriever.evaluation", "pending"), begun
        done, seen = shop.ended(lambda: api.get_evaluation_retrievers(flat, begun.evaluation_id))
        assert done.status.value == "completed" and set(seen) <= {"pending", "in_progress", "completed"}, (seen, done)
        # The first three documents are those that are relevant, in the order of their grades.
        assert all(abs(value - 1) < 1e-12 for value in done.metrics_by_k["3"].values()), done.metrics_by_k
        assert done.overall_metrics == done.metrics_by_k["3"] and abs(done.metrics_by_k["1"]["recall"] - 1 / 3) < 1e-12
        assert (done.total_queries, done.evaluated_queries, done.skipped_queries) == (5, 4, 1), done
        skipped = [outcome for outcome in done.query_results if outcome.status == "skipped"]
        assert [outcome.query_id for outcome in skipped] == ["none"] and skipped[0].error, skipped
        other = api.start_evaluation_retrievers(title, mixpeek.StartEvaluationRequest(dataset_name=made.dataset_id))
        other, _ = shop.ended(lambda: api.get_evaluation_retrievers(title, other.evaluation_id))
        assert sorted(other.metrics_by_k, key=int) == ["1", "5", "10", "20"] and "f2" not in other.overall_metrics, other
        page = api.list_evaluations_retrievers(flat, status="completed", dataset_name="known")
        assert (page.total, page.evaluations[0].evaluation_id) == (1, begun.evaluation_id)
        shop.refused(NotFoundException, lambda: api.get_evaluation_retrievers(title, begun.evaluation_id), 404)
        wrong = mixpeek.StartEvaluationRequest(
            dataset_name="known", evaluation_config=mixpeek.EvaluationConfig(metrics=["bleu"])
        )
        shop.refused(UnprocessableEntityException, lambda: api.start_evaluation_retrievers(flat, wrong), 422)

        found = retrievers.execute_retriever(flat, mixpeek.ExecuteRetrieverRequest(inputs={"query": "desk lamp"}, limit=5))
        interactions = mixpeek.RetrieverInteractionsApi(client)
        for position, document in enumerate(found.documents):
            act = mixpeek.SearchInteraction(
                feature_id=document["document_id"],
                interaction_type=["click"],
                position=position,
                execution_id=found.execution_id,
            )
            assert interactions.create_interaction_retrievers(act).retriever_id == flat
        generate = api.generate_dataset_from_interactions_retrievers_id_evaluations
        generated = generate(flat, mixpeek.GenerateFromInteractionsRequest())
        assert generated.dataset_name.startswith(f"auto_{flat}_") and len(generated.queries) == 1, generated
        assert sorted(generated.queries[0].relevant_documents) == sorted(one["document_id"] for one in found.documents)
        few = mixpeek.GenerateFromInteractionsRequest(dataset_name="few", min_interactions=6)
        shop.refused(UnprocessableEntityException, lambda: generate(flat, few), 422)

        assert "endpoints" in api.discover_evaluations()
        pair = mixpeek.ScorePredictionsRequest(predicted=["a", "b"], ground_truth=["a", "c"], metrics=["precision", "f2"])
        scored = api.score_predictions_evaluations(pair)
        assert scored.count == 1 and scored.aggregate == {"precision": 0.5, "f2": 0.5}, scored
        items = [{"predicted": ["a", "b"], "ground_truth": ["a"]}, {"predicted": ["x"], "ground_truth": ["a"]}]
        several = mixpeek.ScorePredictionsRequest(items=items, k=1)
        assert api.score_predictions_evaluations(several).aggregate["recall"] == 0.5
        neither = mixpeek.ScorePredictionsRequest()
        shop.refused(UnprocessableEntityException, lambda: api.score_predictions_evaluations(neither), 422)
    print("evaluations: every route")


main()
