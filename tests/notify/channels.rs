//! One notification at a time: what arrives where, and what becomes of endpoints that fail.

use serde_json::{Value, json};

use crate::engine::{pause, tollgate};
use crate::mailbox::Mailbox;
use crate::office::{Office, within};
use crate::receiver::{Receiver, Temper, now_ms};
use crate::rig::Server;

const QUICK: &str = "retries_ms = [100, 100]\n";

/// T4, by way of the api and a real engine: the body to the letter, the failover after the first
/// failed, and both signatures.
#[test]
fn a_spend_limit_tells_the_profiles_webhook_and_then_its_failover() {
    let Some((cluster, office)) = Office::open("notify-spend", QUICK) else { return };
    let receiver = Receiver::start(|path, _| match path {
        "/main" => Temper::Answers(500, ""),
        _ => Temper::Answers(200, ""),
    });
    let server = Server::on(office.ground);
    let account = server.account("acme");
    let profile = account.post(
        "/v2/messaging_profiles",
        json!({"name": "launch", "whitelisted_destinations": ["*"],
            "webhook_url": receiver.url("/main"),
            "webhook_failover_url": receiver.url("/failover"),
            "daily_spend_limit": "10.00", "daily_spend_limit_enabled": true}),
    );
    let profile_id = profile.json()["data"]["id"].as_str().expect("an id").to_owned();
    let begin = now_ms();
    for cost in ["9.98", "0.04"] {
        server.bill("acme", json!({"profile_id": profile_id, "cost": cost}));
    }
    within(30, "the failover is told", || !receiver.of("/failover").is_empty());
    let [main] = &receiver.of("/main")[..] else { panic!("the first URL is tried once") };
    let [failover] = &receiver.of("/failover")[..] else { panic!("it is told once") };
    for (number, (request, path)) in [(main, "/main"), (failover, "/failover")].iter().enumerate() {
        let body = request.json();
        let (id, occurred_at) = (&body["data"]["id"], &body["data"]["occurred_at"]);
        let to_the_letter = format!(
            r#"{{"data":{{"event_type":"messaging-profile.spend-limit-reached","id":{id},"occurred_at":{occurred_at},"payload":{{"configured_limit":"10.00","current_cost":"10.02","profile_id":"{profile_id}"}},"record_type":"event"}},"meta":{{"attempt":{},"delivered_to":"{}"}}}}"#,
            number + 1,
            receiver.url(path)
        );
        assert_eq!(String::from_utf8_lossy(&request.body), to_the_letter);
        assert_eq!(request.header("telnyx-signature-ed25519").len(), 88);
        let signed_at: i64 = request.header("telnyx-timestamp").parse().expect("Unix seconds");
        assert!((begin / 1_000..=now_ms() / 1_000).contains(&signed_at));
        assert_eq!(request.header("webhook-timestamp"), request.header("telnyx-timestamp"));
        assert!(request.header("webhook-signature").starts_with("v1,"));
    }
    assert_eq!(main.header("webhook-id"), failover.header("webhook-id"), "one delivery");
    let shown = server.metrics();
    assert!(
        shown.contains("tollgate_notify_ended_total{channel=\"webhook\",ending=\"delivered\"} 1"),
        "{shown}"
    );
    assert!(shown.contains("tollgate_notify_latency_seconds_count 1"), "{shown}");
    assert!(shown.contains("tollgate_notify_oldest_undelivered_seconds "), "{shown}");
    drop(server);
    cluster.passed("a spend limit reached: T4 to the letter, to the webhook and its failover");
}

/// The preferences' channels and the limit's (A2, A10), and K5's threshold mails, are unit cases of
/// `plan`; here it is what comes out.
#[test]
fn a_short_message_is_asked_for_and_a_missing_address_is_told() {
    let Some((_cluster, office)) = Office::open("notify-sms", QUICK) else { return };
    let numbers = json!(["+390001", "+390002"]);
    office.set("acme", "preferences_set", &json!({"sms": true, "phone_numbers": numbers}));
    office.set("bare", "preferences_set", &json!({"email": true}));
    let mut notifier = office.notifier("one");
    notifier.start();
    let decision = office.reach("acme", "limit_daily");
    office.reach("bare", "limit_daily");
    office.writer.flush();
    let names = &office.ground.names;
    within(30, "the carrier is asked", || !office.records(&names.sms_requests).is_empty());
    let asked = office.records(&names.sms_requests);
    let [request] = &asked[..] else { panic!("one request: {asked:?}") };
    assert_eq!(request["type"], "sms_requested");
    assert_eq!(request["to"], numbers);
    assert_eq!(request["decision_id"], decision);
    assert!(request["text"].as_str().expect("a text").len() <= 160, "{request}");
    within(30, "the missing mailbox is told", || !office.records(&names.undelivered).is_empty());
    let told = office.records(&names.undelivered);
    assert_eq!((&told[0]["channel"], &told[0]["account_id"]), (&json!("email"), &json!("bare")));
    assert!(told[0]["why"].as_str().expect("why").contains("PUT /v2/billing/notifications"));
    notifier.stop();
}

/// K5: the addresses of a set are told when its percent is crossed, and each once; a real engine
/// counts the messages.
#[test]
fn threshold_mails_go_to_the_addresses_of_their_set() {
    let mailbox = Mailbox::open();
    let more = format!(
        "{QUICK}smtp_url = \"smtp://127.0.0.1:{}\"\nmail_from = \"Limits <limits@t.example>\"\n",
        mailbox.port
    );
    let Some((cluster, office)) = Office::open("notify-mail", &more) else { return };
    let server = Server::on(office.ground);
    let account = server.account("acme");
    account.put("/v2/countries/limits/settings", json!({"enabled": true})).expect(200);
    let sets = json!([{"trigger_after": 50, "emails": "a@x.example"},
        {"trigger_after": 85, "emails": ["b@x.example", "c@x.example"]}]);
    let limit = json!({"daily_limit": 10, "daily_notifications": sets});
    account.put("/v2/countries/limits/IT", limit).expect(200);
    for number in 0..9 {
        server.bill("acme", json!({"country": "IT", "recipient": format!("+39{number}")}));
    }
    within(30, "three mails came", || mailbox.mails().len() == 3);
    let mails = mailbox.mails();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["a@x.example", "b@x.example", "c@x.example"]);
    for (mail, percent) in mails.iter().zip(["50 %", "85 %", "85 %"]) {
        assert!(mail.text.contains(percent), "{percent}: {}", mail.text);
        assert!(
            mail.text.contains("From: \"Limits\" <limits@t.example>")
                || mail.text.contains("From: Limits <limits@t.example>"),
            "{}",
            mail.text
        );
    }
    drop(server);
    assert_eq!(mailbox.mails().len(), 3);
    cluster.passed("threshold mails to the addresses of their sets, each once");
}

/// Slack gets a text and no more; a quiet period outlives the notifier that began it.
#[test]
fn a_quiet_limit_is_told_once_and_the_next_notifier_knows() {
    let more = format!("{QUICK}quiet_minutes = 60\n");
    let Some((cluster, office)) = Office::open("notify-quiet", &more) else { return };
    let receiver = Receiver::start(|_, _| Temper::Answers(200, ""));
    office.set("acme", "preferences_set", &json!({"slack": receiver.url("/services/T/B/x")}));
    let mut notifier = office.notifier("one");
    notifier.start();
    office.reach_for("acme", "limit_daily", 1);
    office.writer.flush();
    within(30, "it is told", || receiver.requests().len() == 1);
    within(30, "that is recorded", || office.standings().values().any(|it| it.ended_at.is_some()));
    notifier.kill();
    notifier.start();
    office.reach_for("acme", "limit_daily", 2);
    office.reach_for("acme", "limit_sms", 1);
    office.writer.flush();
    within(30, "the other limit is told", || receiver.requests().len() == 2);
    // One account is one partition: the quiet one was read before.
    let told: Vec<_> = office.standings().into_values().collect();
    let limits: Vec<_> = told.iter().map(|it| it.newest["notice"]["limit_id"].clone()).collect();
    assert!(limits.contains(&json!("limit_daily")) && limits.contains(&json!("limit_sms")));
    assert_eq!(told.len(), 2, "{told:?}");
    for request in receiver.requests() {
        let body = request.json();
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{body}");
        assert!(body["text"].as_str().expect("a text").contains("10.02"), "{body}");
        assert_eq!(request.header("telnyx-signature-ed25519"), "");
    }
    notifier.stop();
    cluster.passed("a quiet period over a kill of the notifier, and Slack");
}

/// 410 ends it for good, until the URL is set again; other failures end after the last attempt,
/// with the whole story.
#[test]
fn an_endpoint_that_is_gone_gets_nothing_until_it_is_set_again() {
    let Some((cluster, office)) = Office::open("notify-gone", QUICK) else { return };
    let receiver = Receiver::start(|path, _| match path {
        "/gone" => Temper::Answers(410, ""),
        "/redirects" => Temper::Answers(302, "location: http://127.0.0.1:1/"),
        _ => Temper::Answers(200, ""),
    });
    let gone = json!({"webhook": receiver.url("/gone")});
    office.set("gone", "preferences_set", &gone);
    office.set("redirects", "preferences_set", &json!({"webhook": receiver.url("/redirects")}));
    let mut notifier = office.notifier("one");
    notifier.start();
    office.reach("gone", "limit_1");
    let redirected = office.reach("redirects", "limit_1");
    office.writer.flush();
    let names = &office.ground.names;
    let of = |kind: &str, account: &str| {
        let mut told = office.records(&names.undelivered);
        told.retain(|it: &Value| it["type"] == kind && it["account_id"] == account);
        told
    };
    within(30, "both are given up", || {
        !of("undelivered", "gone").is_empty() && !of("undelivered", "redirects").is_empty()
    });
    assert_eq!(of("endpoint_disabled", "gone").len(), 1);
    let story = of("undelivered", "redirects");
    let attempts = story[0]["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 3, "{story:?}");
    assert_eq!(story[0]["notice"]["id"], redirected);
    assert!(attempts.iter().all(|it| it["answer"] == "302: ok"), "{story:?}");
    let numbers: Vec<_> =
        receiver.of("/redirects").iter().map(|it| it.json()["meta"]["attempt"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3]);

    // Killed: that it is gone is remembered.
    notifier.kill();
    notifier.start();
    office.reach("gone", "limit_2");
    office.writer.flush();
    within(30, "the second is given up", || of("undelivered", "gone").len() == 2);
    assert_eq!(receiver.of("/gone").len(), 1, "it was asked once");
    pause(20);
    office.set("gone", "preferences_set", &gone);
    office.reach("gone", "limit_3");
    office.writer.flush();
    within(30, "it is asked again", || receiver.of("/gone").len() == 2);
    notifier.stop();
    cluster.passed("410 disables an endpoint until it is set again, over a kill of the notifier");
}

/// One endpoint that hangs takes its own turns and nobody else's; one that keeps failing is paused.
#[test]
fn a_slow_endpoint_holds_up_nobody_else() {
    let more = "attempts_per_host_max = 2\nattempt_timeout_ms = 5000\nfailures_to_pause = 3\n\
        retries_ms = [50, 50, 50, 50]\npause_ms = 2000\n";
    let Some((cluster, office)) = Office::open("notify-slow", more) else { return };
    let slow = Receiver::start(|_, _| Temper::Slow(20_000, 200));
    let failing = Receiver::start(|_, _| Temper::Answers(500, ""));
    let quick = Receiver::start(|_, _| Temper::Answers(200, ""));
    for (account, receiver) in [("slow", &slow), ("failing", &failing), ("quick", &quick)] {
        office.set(account, "preferences_set", &json!({"webhook": receiver.url("/")}));
    }
    let mut notifier = office.notifier("one");
    notifier.start();
    for limit in 0..50 {
        office.reach("slow", &format!("limit_{limit}"));
    }
    office.writer.flush();
    within(30, "the slow one is asked", || slow.requests().len() == 2);
    for limit in 0..100 {
        office.reach("quick", &format!("limit_{limit}"));
    }
    office.reach("failing", "limit_0");
    office.writer.flush();
    let begin = now_ms();
    within(10, "all others are told", || quick.requests().len() == 100);
    let took = now_ms() - begin;
    assert!(slow.requests().len() <= 2 + 2 * (took as usize / 5_000 + 1), "two at a time");
    let names = &office.ground.names;
    within(10, "the pause is told", || {
        office.records(&names.undelivered).iter().any(|it| it["type"] == "endpoint_paused")
    });
    let told = office.records(&names.undelivered);
    let paused = told.iter().find(|it| it["type"] == "endpoint_paused").expect("told");
    assert_eq!(paused["failures"], 3);
    assert_eq!(paused["endpoint"], format!("http://127.0.0.1:{}", failing.port));
    assert_eq!(failing.requests().len(), 3);
    within(10, "it is tried again after the pause", || failing.requests().len() > 3);
    let [.., before, after] = &failing.requests()[..4] else { panic!("four") };
    assert!(after.at - before.at >= 1_900, "{} ms", after.at - before.at);
    notifier.kill();
    cluster.passed(&format!("100 notifications in {took} ms beside an endpoint that hangs"));
}

/// `tollgate notify test` and its exit code.
#[test]
fn a_trial_tells_what_every_channel_answered() {
    let Some((_cluster, office)) = Office::open("notify-trial", QUICK) else { return };
    let receiver = Receiver::start(|path, _| match path {
        "/slack" => Temper::Answers(404, ""),
        _ => Temper::Answers(200, ""),
    });
    let (hook, slack) = (receiver.url("/hook"), receiver.url("/slack"));
    office.set("acme", "preferences_set", &json!({"webhook": hook}));
    office.set("beta", "preferences_set", &json!({"webhook": hook, "slack": slack}));
    let config = office.ground.config("trial");
    let config = config.to_str().expect("the path is UTF-8");
    let told = tollgate(&["notify", "test", "--account", "acme", "--config", config]);
    let told = String::from_utf8(told.stdout).expect("text");
    let place = format!("http://127.0.0.1:{}", receiver.port);
    assert_eq!(told, format!("webhook  {place}  delivered: 200\n"));
    assert_eq!(receiver.of("/hook")[0].json()["data"]["event_type"], "notification.test");
    for (account, code, words) in [("beta", 3, "slack"), ("nobody", 3, "has no channel")] {
        let tried = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["notify", "test", "--account", account, "--config", config])
            .output()
            .expect("tollgate can be started");
        let said = [tried.stdout, tried.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(tried.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
    }
}
