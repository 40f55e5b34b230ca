//! Keys: who gets in, what a scope allows, and that no account sees another.

use reqwest::Method;
use serde_json::json;

use crate::engine::tollgate;
use crate::rig::{Server, until};

#[test]
fn keys_open_their_account_alone_and_end_when_revoked() {
    let Some((_cluster, server)) = Server::start("api-keys") else { return };
    for headers in [
        &[][..],
        &[("authorization", "Bearer tg_0123456789abcdef_x")],
        &[("authorization", "Basic dGc6dGc=")],
        &[("x-auth-token", "tg_")],
    ] {
        let refused = server.call(Method::GET, "/v2/blocks", headers, Vec::new());
        let body = refused.expect(401);
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert!(body["detail"].as_str().expect("a text").contains("tollgate keys new"), "{body}");
    }
    let acme = server.account("acme");
    assert_eq!(acme.get("/v2/blocks").expect(200)["data"], json!([]));
    let token =
        server.call(Method::GET, "/v2/audit", &[("x-auth-token", acme.key.as_str())], Vec::new());
    let audit = token.expect(200);
    assert_eq!(audit["data"][0]["kind"], "key_set");
    assert_eq!(audit["data"][0]["actor"], "tollgate keys");
    assert!(!token.text.contains("sha256"), "{audit}");
    let globex = server.account("globex");
    assert_eq!(globex.get("/v2/audit").expect(200)["data"].as_array().expect("a list").len(), 1);

    let id = acme.key.split('_').nth(1).expect("three parts");
    let config = server.ground.config("keys");
    let config = config.to_str().expect("the path is UTF-8");
    tollgate(&["keys", "revoke", "--config", config, "--account", "acme", id]);
    until("the key is refused", || acme.get("/v2/blocks").status == 401);
    assert_eq!(globex.get("/v2/blocks").status, 200);
}

#[test]
fn a_scope_allows_what_it_says_and_nothing_else() {
    let Some((_cluster, server)) = Server::start("api-scopes") else { return };
    let reader = server.account_with("acme", "read");
    assert_eq!(reader.get("/v2/blocks").status, 200);
    let writer = server.account_with("acme", "write");
    let refused = writer.get("/v2/blocks").expect(403);
    assert!(refused["detail"].as_str().expect("a text").contains("`read`"), "{refused}");
    assert_eq!(writer.delete("/v2/blocks").status, 405);
    assert_eq!(writer.post("/v2/nothing", json!({})).status, 404);
}
