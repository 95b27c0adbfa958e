//! What holds for every route.

use super::running::Server;

#[test]
fn a_server_answers_without_a_token_where_it_may_and_refuses_elsewhere() {
    let server = Server::start();
    assert_eq!(server.send_bytes("GET", "/healthz", &[], None).body, "ok\n");
    let document = server.send_bytes("GET", "/openapi.json", &[], None).expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let refused = server.send_bytes("GET", "/v1/nothing", &[], None);
    assert_eq!(refused.status, 404);
    assert!(server.token("acme", "ci").starts_with("rmt_ci_"));
    assert!(!server.address().is_empty() && server.data().exists() && server.pid() > 0);
}
