//! Interactions: kept once, listed, removed, and those of published retrievers.

use super::*;

#[test]
fn interactions_are_kept_once_checked_listed_and_removed() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop");
    let act = |more: Value| {
        let mut body = json!({ "feature_id": "p1", "interaction_type": ["click"], "position": 0 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let post = |more: Value| client.post("/retrievers/interactions", act(more));
    let first = post(
        json!({ "execution_id": "e1", "session_id": "s1", "metadata": { "device": "phone" }, "document_score": 1.5 }),
    )
    .expect(200);
    assert_eq!((&first["deduplicated"], &first["position"]), (&json!(false), &json!(0)));
    let again = post(json!({ "execution_id": "e1", "session_id": "s1" })).expect(200);
    assert_eq!((&again["deduplicated"], &again["interaction_id"]), (&json!(true), &Value::Null));
    assert_eq!(
        post(json!({ "execution_id": "e1", "interaction_type": ["purchase"] })).expect(200)["deduplicated"],
        false
    );
    let other = Client { namespace: "other", token: client.token.clone(), ..client };
    let same = act(json!({ "execution_id": "e1", "session_id": "s1" }));
    assert_eq!(other.post("/retrievers/interactions", same).expect(200)["deduplicated"], false);
    let client = Client { namespace: "shop", ..other };
    let post = |more: Value| client.post("/retrievers/interactions", act(more));

    let missing = post(json!({ "retriever_id": "ret_1" })).expect(422);
    assert_eq!(missing["error"]["details"]["validation_errors"][0]["loc"], json!(["body", "execution_id"]));
    post(json!({ "interaction_type": ["CLICK"] })).expect(422);
    post(json!({ "position": -1 })).expect(422);
    post(json!({ "position": 1.0 })).expect(422);
    let future = post(json!({ "session_id": "s2", "occurred_at": "2999-01-01T00:00:00" })).expect(200);
    assert!(future["occurred_at"].as_str().unwrap() < "2999");
    assert!(post(json!({})).expect(200)["warning"].as_str().unwrap().contains("`session_id`"));

    let batch = json!({ "interactions": [
        act(json!({ "session_id": "s3" })), act(json!({ "retriever_id": "ret_1" })), act(json!({ "execution_id": "e1" })),
    ] });
    let told = client.post("/retrievers/interactions/batch", batch).expect(200);
    assert_eq!((&told["created"], &told["failed"]), (&json!(1), &json!(1)), "{told}");
    let statuses: Vec<&str> =
        told["results"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["created", "failed", "created"]);
    assert_eq!(
        (&told["results"][0]["deduplicated"], &told["results"][2]["deduplicated"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(told["results"][2]["interaction_id"], first["interaction_id"]);
    assert!(told["errors"][0].as_str().unwrap().starts_with("1: "));
    client.post("/retrievers/interactions/batch", json!({ "interactions": [] })).expect(422);
    client.post("/retrievers/interactions/batch", json!({ "interactions": vec![act(json!({})); 1001] })).expect(422);

    let list =
        |query: &str, body: Value| client.post(&format!("/retrievers/interactions/list{query}"), body).expect(200);
    let all = list("?include_total=true&page_size=2", json!({}));
    assert_eq!((&all["pagination"]["total"], &all["pagination"]["total_pages"]), (&json!(5), &json!(3)));
    assert_eq!(all["items"], all["results"]);
    assert_eq!(list("", json!({ "session_id": "s1" }))["results"].as_array().unwrap().len(), 1);
    assert_eq!(list("", json!({ "interaction_type": "purchase" }))["results"].as_array().unwrap().len(), 1);
    let tree = json!({ "filters": { "OR": [
        { "field": "metadata.device", "operator": "eq", "value": "phone" },
        { "AND": [{ "field": "session_id", "operator": "in", "value": ["s2", "s3"] }, { "NOT": [{ "field": "session_id", "value": "s2" }] }] },
    ] }, "sort": { "field": "session_id", "direction": "desc" } });
    let found: Vec<Value> =
        list("", tree)["results"].as_array().unwrap().iter().map(|one| one["session_id"].clone()).collect();
    assert_eq!(found, ["s3", "s1"]);
    let recent = json!({ "filters": { "field": "occurred_at", "operator": "gt", "value": "2020-01-01T00:00:00Z" } });
    assert_eq!(list("", recent)["results"].as_array().unwrap().len(), 5);
    client.post("/retrievers/interactions/list", json!({ "filters": { "field": "body", "value": 1 } })).expect(422);
    // A page stays where it is when others come in before the next is asked for.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("?limit=2&after={cursor}"), json!({}));
        seen.extend(
            page["results"].as_array().unwrap().iter().map(|one| one["interaction_id"].as_str().unwrap().to_owned()),
        );
        if seen.len() == 2 {
            post(json!({ "session_id": "late" })).expect(200);
        }
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 6);

    let id = first["interaction_id"].as_str().unwrap();
    let kept = client.get(&format!("/retrievers/interactions/{id}")).expect(200);
    assert_eq!((&kept["metadata"]["device"], &kept["document_score"]), (&json!("phone"), &json!(1.5)));
    let stranger = Client::new(&server, "umbrella", "shop");
    stranger.get(&format!("/retrievers/interactions/{id}")).expect(404);
    stranger.delete(&format!("/retrievers/interactions/{id}")).expect(404);
    client.delete(&format!("/retrievers/interactions/{id}")).expect(200);
    client.get(&format!("/retrievers/interactions/{id}")).expect(404);
    let runtime = Client { token: server.token("acme", "runtime"), ..client };
    let refused = runtime.post("/retrievers/interactions", act(json!({}))).expect(403);
    assert_eq!(refused["error"]["type"], "ForbiddenError");
}

#[test]
fn a_published_retriever_takes_interactions_by_its_name() {
    let server = Server::start();
    let client = Client::new(&server, "acme", "shop").with_products();
    let id = client.retriever("window", 1.0);
    let act = json!({ "document_id": "p1", "interaction_type": ["click"], "position": 2, "execution_id": "e1" });
    let send = |path: &str, key: &str, body: &Value| {
        let headers = [("x-public-api-key", key), ("x-session-id", "tab-1")];
        server.send_bytes(
            "POST",
            &format!("/v1/public/retrievers/{path}"),
            &headers,
            Some(("application/json", body.to_string().into_bytes())),
        )
    };
    let kept = send("window/interactions", &client.token, &act).expect(200);
    assert_eq!((&kept["retriever_id"], &kept["session_id"]), (&json!(id), &json!("tab-1")));
    send("window/interactions", "nonsense", &act).expect(401);
    send("nothing/interactions", &client.token, &act).expect(404);
    let lost = json!({ "document_id": "p1", "interaction_type": ["click"], "position": 2 });
    send("window/interactions", &client.token, &lost).expect(422);
    let several = json!({ "interactions": [act, lost] });
    let told = send(&format!("{id}/interactions/batch"), &client.token, &several).expect(200);
    assert_eq!((&told["created"], &told["failed"]), (&json!(0), &json!(1)));
    send("window/interactions/batch", &client.token, &json!({ "interactions": vec![lost; 101] })).expect(422);
    // It stands in the retriever's namespace.
    let listed = client.post("/retrievers/interactions/list", json!({ "session_id": "tab-1" })).expect(200);
    assert_eq!(listed["results"][0]["interaction_id"], kept["interaction_id"]);
}
