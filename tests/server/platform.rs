//! What holds for every route.

use serde_json::json;

use super::running::{Server, until};
use crate::rematch::rematch;

#[test]
fn a_server_answers_without_a_token_where_it_may_and_refuses_elsewhere() {
    let server = Server::start();
    assert_eq!(server.send_bytes("GET", "/healthz", &[], None).body, "ok\n");
    assert_eq!(server.send_bytes("GET", "/readyz", &[], None).body, "ready\n");
    let document = server.send_bytes("GET", "/openapi.json", &[], None).expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let refused = server.send_bytes("GET", "/v1/nothing", &[], None);
    assert_eq!(refused.expect(404)["code"], "not_found");
    assert!(server.token("acme", "ci").starts_with("rmt_ci_"));
    assert!(!server.address().is_empty() && server.data().exists() && server.pid() > 0);
}

#[test]
fn errors_of_paths_and_methods_are_problems_and_every_answer_has_an_id_and_safe_headers() {
    let server = Server::start();
    let token = server.token("acme", "admin");
    let wrong_method = server.send("PATCH", "/v1/tokens", &token, None);
    assert_eq!(wrong_method.expect(405)["code"], "method_not_allowed");
    assert_eq!(wrong_method.header("allow"), Some("GET,HEAD,POST"));
    assert_eq!(wrong_method.header("content-type"), Some("application/problem+json"));
    let head = server.send("HEAD", "/v1/organisation", &token, None);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let id = "stainless-node-retry-9f7d6a52-6a8e-4f0e-a8ad-3a1a5c6bfa51";
    let bearer = format!("Bearer {token}");
    let echoed =
        server.send_bytes("GET", "/v1/organisation", &[("authorization", &bearer), ("x-request-id", id)], None);
    assert_eq!(echoed.header("x-request-id"), Some(id));
    for answer in [&wrong_method, &head, &echoed] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()));
    }
}

#[test]
fn the_log_has_one_line_per_request_and_neither_tokens_nor_queries() {
    let server = Server::start();
    let token = server.token("acme", "admin");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("x-request-id", "of-the-log")];
    server.send_bytes("GET", "/v1/tokens?limit=7&after=hidden-query", &headers, None).expect(200);
    server.send_bytes("GET", &format!("/v1/{token}?token={token}"), &[], None).expect(404);
    let line = until("the line of the request", || {
        server.log().lines().find(|line| line.contains("of-the-log")).map(ToOwned::to_owned)
    });
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let fields = &line["fields"];
    assert_eq!(line["span"]["id"], "of-the-log");
    assert_eq!(fields["route"], "/v1/tokens");
    assert_eq!((&fields["status"], &fields["organisation"]), (&json!(200), &json!("acme")));
    assert!(fields["duration_ms"].as_f64().unwrap() > 0.0);
    let log = until("the line of the other", || Some(server.log()).filter(|log| log.contains("unmatched")));
    assert!(!log.contains(&token) && !log.contains("hidden-query"), "{log}");
}

#[test]
fn the_page_of_the_api_loads_nothing_from_elsewhere_and_has_every_operation() {
    let server = Server::start();
    let page = server.send_bytes("GET", "/docs", &[], None);
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    assert!(!page.body.contains("http://") && !page.body.contains("https://") && !page.body.contains("<script"));
    let document = server.send_bytes("GET", "/openapi.json", &[], None).expect(200);
    for (path, methods) in document["paths"].as_object().unwrap() {
        assert!(page.body.contains(&path.replace('/', "&#x2f;")), "{path}");
        for operation in methods.as_object().unwrap().values().filter_map(|operation| operation["operationId"].as_str())
        {
            assert!(page.body.contains(&format!("<article id=\"{operation}\">")), "{operation}");
        }
    }
    let style = server.send_bytes("GET", "/docs/style.css", &[], None);
    assert_eq!((style.status, style.header("content-type")), (200, Some("text/css; charset=utf-8")));
}

#[test]
fn the_document_describes_every_operation_once() {
    let server = Server::start();
    let document = server.send_bytes("GET", "/openapi.json", &[], None).expect(200);
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone()).collect();
    assert!(document["info"]["version"].is_string() && document["servers"][0]["url"] == "/");
    let mut known = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let named = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{named} has no operationId"));
            assert!(known.insert(id.to_owned()), "{named}: `{id}` is another operation's too");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{named} has no summary");
            assert!(tags.contains(&operation["tags"][0]), "{named} has no tag of the document: {}", operation["tags"]);
            let statuses = operation["responses"].as_object().unwrap();
            assert!(statuses.keys().any(|status| status.starts_with('2')), "{named} has no good answer");
        }
    }
}

#[test]
fn the_document_refers_to_nothing_that_it_does_not_have() {
    let server = Server::start();
    let document = server.send_bytes("GET", "/openapi.json", &[], None).expect(200);
    let mut parts = vec![&document];
    while let Some(part) = parts.pop() {
        if let Some(name) = part["$ref"].as_str() {
            assert!(document.pointer(name.trim_start_matches('#')).is_some(), "{name}");
        }
        match part {
            serde_json::Value::Object(members) => parts.extend(members.values()),
            serde_json::Value::Array(items) => parts.extend(items),
            _ => {}
        }
    }
}

#[test]
fn tokens_are_made_paged_and_revoked_over_http() {
    let server = Server::start();
    let admin = server.token("acme", "admin");
    let asked = json!({ "name": "of a job", "role": "ci", "expires_in_seconds": 3600 });
    let made = server.post("/v1/tokens", &admin, &asked).expect(201);
    let (text, id) = (made["text"].as_str().unwrap(), made["token"]["id"].as_str().unwrap());
    assert!(text.starts_with("rmt_ci_") && made["token"]["expires_at"].is_string());
    assert_eq!(server.get("/v1/organisation", text).expect(200)["token_id"], id);
    let mut pages = Vec::new();
    let mut after = String::new();
    loop {
        let page = server.get(&format!("/v1/tokens?limit=1&after={after}"), &admin).expect(200);
        pages.push(page["tokens"][0]["id"].as_str().unwrap().to_owned());
        assert!(!page.to_string().contains("rmt_"), "no secrets");
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(pages.len(), 2);
    assert_eq!(pages[1], id);
    assert_eq!(server.send("DELETE", &format!("/v1/tokens/{id}"), &admin, None).status, 204);
    server.get("/v1/organisation", text).expect(401);
    let other = server.token("other", "admin");
    let foreign = server.send("DELETE", &format!("/v1/tokens/{}", pages[0]), &other, None);
    assert_eq!(foreign.expect(404)["details"]["resource"], "token");
    server.get("/v1/organisation", &admin).expect(200);
}

#[test]
fn tokens_hold_and_stay_revoked_after_the_server_was_killed() {
    let server = Server::start();
    let admin = server.token("acme", "admin");
    let made = server.post("/v1/tokens", &admin, &json!({ "role": "runtime" })).expect(201);
    let (text, id) = (made["text"].as_str().unwrap(), made["token"]["id"].as_str().unwrap());
    assert_eq!(server.send("DELETE", &format!("/v1/tokens/{id}"), &admin, None).status, 204);
    let (data, _folder) = server.kill();
    let server = Server::start_over(&data, &[]);
    server.get("/v1/organisation", &admin).expect(200);
    server.get("/v1/organisation", text).expect(401);
}

#[test]
fn wrong_requests_for_tokens_are_told_what_is_wrong() {
    let server = Server::start();
    let admin = server.token("acme", "admin");
    for (body, field) in [
        (json!({ "name": "x" }), "role"),
        (json!({ "role": "root" }), "[\"body\",\"role\"]"),
        (json!({ "role": "ci", "scope": "all" }), "scope"),
        (json!({ "role": "ci", "expires_in_seconds": 0 }), "expires_in_seconds"),
        (json!({ "role": "ci", "name": "x".repeat(201) }), "name"),
        (json!({ "role": "ci", "name": "a\nb" }), "name"),
    ] {
        let refused = server.post("/v1/tokens", &admin, &body).expect(422);
        assert_eq!(refused["code"], "validation_error");
        assert!(refused["errors"].to_string().contains(field), "{refused}");
    }
    server.get("/v1/tokens?limit=0", &admin).expect(422);
    let ten = server.get("/v1/tokens?limit=ten", &admin).expect(422);
    assert_eq!(ten["errors"][0]["location"], json!(["query", "limit"]), "{ten}");
    assert_eq!(ten["detail"], "`limit` is `ten`; expected a whole number, 0 or more");
    let text = server.send_bytes(
        "POST",
        "/v1/tokens",
        &[("x-api-key", &admin)],
        Some(("application/json", b"{\"role\": ".to_vec())),
    );
    assert_eq!(text.expect(400)["code"], "bad_request");
}

#[test]
fn tokens_of_the_command_line_say_what_they_are_and_where_they_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    rematch(["token", "list", "--data", data]).exits(2).complains(&["no data of a server", "--data"]);
    rematch(["token", "create", "../acme", "--data", data]).exits(2).complains(&["no organisation's name"]);
    rematch(["token", "create", "acme", "--role", "root", "--data", data])
        .exits(2)
        .complains(&["`runtime`, `ci` or `admin`"]);
    rematch(["token", "create", "acme", "--expires-in", "0s", "--data", data])
        .exits(2)
        .complains(&["before it is used"]);
    let made =
        rematch(["token", "create", "acme", "--role", "runtime", "--expires-in", "2d", "--json", "--data", data]);
    let made: serde_json::Value = serde_json::from_str(&made.exits(0).stdout).unwrap();
    // The shape of `POST /v1/tokens`.
    assert!(made["text"].as_str().unwrap().starts_with("rmt_runtime_"), "{made}");
    for time in ["created_at", "expires_at"] {
        let time = made["token"][time].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && time.contains('T'), "{made}");
    }
    assert_eq!((&made["token"]["revoked_at"], &made["token"]["organisation"]), (&json!(null), &json!("acme")));
    let id = made["token"]["id"].as_str().unwrap();
    let listed = rematch(["token", "list", "--data", data]).exits(0).stdout;
    assert!(listed.ends_with('\n') && !listed.ends_with("\n\n"), "{listed:?}");
    let places: Vec<_> = listed.lines().map(|line| line.find("acme").or_else(|| line.find("organisation"))).collect();
    assert!(places.len() == 2 && places[0].is_some() && places[0] == places[1], "{listed}");
    assert!(listed.contains(id) && listed.contains("valid until") && !listed.contains("rmt_"), "{listed}");
    let none = rematch(["token", "list", "other", "--json", "--data", data]).exits(0).stdout;
    assert_eq!(none.trim(), "[]");
    rematch(["token", "revoke", id, "--data", data]).exits(0).complains(&["is revoked"]);
    // The table breaks lines where the terminal ends.
    assert!(rematch(["token", "list", "acme", "--data", data]).exits(0).stdout.contains("revoked"));
    rematch(["token", "revoke", "tok_unknown", "--data", data])
        .exits(2)
        .complains(&["no token `tok_unknown`", "token list"]);
}

#[test]
fn a_server_that_cannot_start_says_why_and_what_to_do() {
    let server = Server::start();
    let data = server.data().to_str().unwrap().to_owned();
    rematch(["serve", "--listen", "127.0.0.1:0", "--data", &data])
        .exits(2)
        .complains(&["another server works with", "--data"]);
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("data");
    let other = other.to_str().unwrap();
    rematch(["serve", "--listen", server.address(), "--data", other])
        .exits(2)
        .complains(&["cannot listen", "--listen"]);
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    rematch(["serve", "--data", file.to_str().unwrap()])
        .exits(2)
        .complains(&["cannot use the data directory", "`--data` names another"]);
    rematch(["serve", "--max-body", "much"]).exits(2).complains(&["expected a size"]);
    rematch(["serve", "--rate-per-token", "0"]).exits(2).complains(&["--rate-per-token"]);
}
