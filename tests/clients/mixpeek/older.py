"""An older generated client, which knows 201 and silently returns nothing for 200."""

import mixpeek
import shop


def main():
    shop.bring_products()
    with shop.client() as client:
        retrievers, benchmarks = mixpeek.RetrieversApi(client), mixpeek.RetrieverBenchmarksApi(client)
        flat = shop.register(retrievers, "flat", 1.0)
        copied = retrievers.clone_retriever(flat, mixpeek.CloneRetrieverRequest(retriever_name="copy"))
        assert copied is not None and copied.source_retriever_id == flat, copied
        created = benchmarks.create_benchmark_retrievers(
            mixpeek.CreateBenchmarkRequest(
                benchmark_name="old",
                baseline_retriever_id=flat,
                candidate_retriever_ids=[copied.retriever.retriever_id],
            )
        )
        assert created is not None and created.benchmark_name == "old", created
        ended, _ = shop.ended(lambda: benchmarks.get_benchmark_retrievers(created.benchmark_id))
        assert ended.status.value == "failed" and "sessions" in ended.error_message, ended
        assert benchmarks.list_benchmarks_retrievers().total == 1
        benchmarks.delete_benchmark_retrievers(created.benchmark_id)

        evaluations, interactions = mixpeek.RetrieverEvaluationsApi(client), mixpeek.RetrieverInteractionsApi(client)
        query = mixpeek.GroundTruthQuery(query_id="q", query_input={"query": "desk lamp"}, relevant_documents=["p0001"])
        made = evaluations.create_dataset_retrievers_evaluations(
            mixpeek.CreateDatasetRequest(dataset_name="known", queries=[query])
        )
        assert made is not None and made.query_count == 1, made
        found = retrievers.execute_retriever(flat, mixpeek.ExecuteRetrieverRequest(inputs={"query": "desk lamp"}))
        act = mixpeek.SearchInteraction(
            feature_id=found.documents[0]["document_id"],
            interaction_type=["click"],
            position=0,
            execution_id=found.execution_id,
        )
        assert interactions.create_interaction_retrievers(act).retriever_id == flat
        generated = evaluations.generate_dataset_from_interactions_retrievers_id_evaluations(
            flat, mixpeek.GenerateFromInteractionsRequest(min_interactions=1)
        )
        assert generated is not None and generated.query_count == 1, generated
    print("older client: what is made is answered with 201")


main()
