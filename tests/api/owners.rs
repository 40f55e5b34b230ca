//! In a cluster a request finds the process that owns the account's partition.

use reqwest::Method;

use crate::rig::{Server, until};

#[test]
fn any_process_answers_for_any_account() {
    let Some((_cluster, server)) = Server::start("api-owners") else { return };
    let mut second = server.ground.engine("two");
    second.start();
    server.ready(&second);
    let other = format!("http://{}", second.address);
    // Enough accounts that both processes own some.
    for number in 0..8 {
        let account = server.account(&format!("acme-{number}"));
        let bearer = format!("Bearer {}", account.key);
        for base in [server.base(), other.clone()] {
            until("both answer", || {
                let headers = [("authorization", bearer.as_str())];
                let answer = server.call_at(&base, Method::GET, "/v2/blocks", &headers, Vec::new());
                answer.status == 200
            });
        }
    }
}
