//! Messaging profiles: what they keep, what they refuse, whose they are, and how they are listed
//! (T1, T10).

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::rig::{Account, Answer, Server, until};

const PATH: &str = "/v2/messaging_profiles";

pub fn path(id: &str) -> String {
    format!("{PATH}/{id}")
}

/// Creates a profile and gives its id.
pub fn created(account: &Account<'_>, body: Value) -> String {
    let answer = account.post(PATH, body).expect(200);
    answer["data"]["id"].as_str().expect("an id").to_owned()
}

/// The refusal has the vendor's form and names the member that is wrong.
fn assert_refused(answer: &Answer, status: u16, place: Option<&str>) {
    let body = answer.expect(status);
    let error = &body["errors"][0];
    assert!(error["code"].is_string() && error["title"].is_string(), "{body}");
    let detail = error["detail"].as_str().expect("a text");
    assert!(detail.ends_with('.') && detail.len() > 20, "it says what to do: {detail}");
    let pointer = place.map(|place| format!("/{place}"));
    assert_eq!(error["source"]["pointer"].as_str(), pointer.as_deref(), "{body}");
}

fn ids(list: &Value) -> Vec<&str> {
    let profiles = list["data"].as_array().expect("a list");
    profiles.iter().map(|profile| profile["id"].as_str().expect("an id")).collect()
}

#[test]
fn a_profile_keeps_what_it_is_given_until_it_is_deleted() {
    let Some((_cluster, server)) = Server::start("api-profile") else { return };
    let acme = server.account("acme");
    let body = json!({
        "id": "mine", "record_type": "other", "created_at": "1970-01-01T00:00:00Z",
        "name": "Campaign é", "whitelisted_destinations": ["US", "IT"],
        "webhook_url": "https://example.com/hook", "daily_spend_limit": "0.5",
        "number_pool_settings": {"long_code_weight": 1.5, "toll_free_weight": 10},
        "colour": {"unknown": [1, null, "x"]}, "nothing": null,
    });
    let created = acme.post(PATH, body).expect(200)["data"].clone();
    let id = created["id"].as_str().expect("an id").to_owned();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "a random UUID: {id}");
    for (field, value) in [
        ("record_type", json!("messaging_profile")),
        ("name", json!("Campaign é")),
        ("enabled", json!(true)),
        ("whitelisted_destinations", json!(["US", "IT"])),
        ("webhook_url", json!("https://example.com/hook")),
        ("webhook_failover_url", json!(null)),
        ("webhook_api_version", json!("2")),
        ("daily_spend_limit", json!("0.50")),
        ("daily_spend_limit_enabled", json!(false)),
        ("number_pool_settings", json!({"long_code_weight": 1.5, "toll_free_weight": 10})),
        ("colour", json!({"unknown": [1, null, "x"]})),
        ("updated_at", created["created_at"].clone()),
    ] {
        assert_eq!(created.get(field), Some(&value), "{field} of {created}");
    }
    assert_eq!(created.get("nothing"), None);
    let age = Utc::now() - time(&created["created_at"]);
    assert!(age < TimeDelta::minutes(1) && age > TimeDelta::minutes(-1), "{created}");
    assert_eq!(acme.get(&path(&id)).expect(200)["data"], created);

    let change = json!({
        "name": "Campaign 2", "webhook_url": null, "whitelisted_destinations": null, "colour": null,
        "webhook_failover_url": "", "daily_spend_limit_enabled": true, "size": 7,
    });
    let changed = acme.patch(&path(&id), change).expect(200)["data"].clone();
    for (field, value) in [
        ("name", json!("Campaign 2")),
        ("webhook_url", json!(null)),
        ("webhook_failover_url", json!(null)),
        ("whitelisted_destinations", json!(["*"])),
        ("daily_spend_limit", json!("0.50")),
        ("daily_spend_limit_enabled", json!(true)),
        ("size", json!(7)),
        ("number_pool_settings", created["number_pool_settings"].clone()),
        ("created_at", created["created_at"].clone()),
    ] {
        assert_eq!(changed.get(field), Some(&value), "{field} of {changed}");
    }
    assert_eq!(changed.get("colour"), None);
    assert!(time(&changed["updated_at"]) > time(&created["updated_at"]), "{changed}");
    // A change that changes nothing is no change, the whole answer sent back included.
    for body in [json!({}), json!({"daily_spend_limit": "00.5"}), changed.clone()] {
        assert_eq!(acme.patch(&path(&id), body).expect(200)["data"], changed);
    }

    assert_eq!(acme.delete(&path(&id)).expect(200)["data"], changed);
    for answer in [
        acme.get(&path(&id)),
        acme.get(&format!("{}/spend", path(&id))),
        acme.patch(&path(&id), json!({"name": "again"})),
        acme.delete(&path(&id)),
    ] {
        assert_refused(&answer, 404, None);
    }
    assert_eq!(acme.get(PATH).expect(200)["data"], json!([]));

    // A12: who, when, from what to what.
    let audit = acme.get("/v2/audit?limit=8").expect(200);
    let entries = audit["data"].as_array().expect("a list").iter();
    let told: Vec<_> = entries.map(|it| (it["kind"].as_str().expect("a text"), it)).collect();
    let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
    let wanted = [
        "deleted_profile_set",
        "profile_removed",
        "limit_removed",
        "profile_set",
        "limit_set",
        "profile_set",
        "limit_set",
        "key_set",
    ];
    assert_eq!(kinds, wanted);
    let (_, flag) = told[4];
    assert_eq!((&flag["from"]["enabled"], &flag["to"]["enabled"]), (&json!(false), &json!(true)));
    assert_eq!(flag["id"], format!("spend-{id}"));
    let actor = flag["actor"].as_str().expect("a text");
    assert!(actor.starts_with("api-key:"), "{actor}");
}

fn time(value: &Value) -> chrono::DateTime<Utc> {
    value.as_str().expect("a time").parse().expect("RFC 3339")
}

/// T1, and bad input of every other kind.
#[test]
fn what_breaks_a_rule_is_refused_and_changes_nothing() {
    let Some((_cluster, server)) = Server::start("api-profile-bad") else { return };
    let acme = server.account("acme");
    let id = created(&acme, json!({"name": "p", "daily_spend_limit": "10.00"}));
    let before = acme.get(&path(&id)).expect(200);
    let (limit, flag) = ("daily_spend_limit", "daily_spend_limit_enabled");
    for (place, value) in [
        (limit, json!("0")),
        (limit, json!("0.000000")),
        (limit, json!("-1")),
        (limit, json!("+1")),
        (limit, json!("1e3")),
        (limit, json!("NaN")),
        (limit, json!(" 1")),
        (limit, json!("")),
        (limit, json!("1.0000000")),
        (limit, json!("1000000000000")),
        (limit, json!(10)),
        (limit, json!(["10.00"])),
        (flag, json!("true")),
        (flag, json!(1)),
        ("name", json!(7)),
        ("name", json!("n".repeat(256))),
        ("enabled", json!("yes")),
        ("webhook_url", json!("example.com/hook")),
        ("webhook_url", json!("javascript:alert(1)")),
        ("webhook_failover_url", json!(7)),
        ("webhook_api_version", json!("3")),
        ("whitelisted_destinations", json!(["USA"])),
        ("whitelisted_destinations", json!("US")),
        ("number_pool_settings", json!("all")),
    ] {
        assert_refused(&acme.patch(&path(&id), json!({place: value})), 422, Some(place));
        let mut body = json!({"name": "new"});
        body[place] = value;
        assert_refused(&acme.post(PATH, body), 422, Some(place));
    }
    for body in [json!({}), json!({"name": null}), json!({"name": ""})] {
        assert_refused(&acme.post(PATH, body), 422, Some("name"));
    }
    // Enabled without a limit, however one gets there.
    assert_refused(&acme.post(PATH, json!({"name": "p", flag: true})), 422, Some(flag));
    assert_refused(&acme.patch(&path(&id), json!({limit: null, flag: true})), 422, Some(flag));
    let enabled = created(&acme, json!({"name": "q", limit: "1", flag: true}));
    assert_refused(&acme.patch(&path(&enabled), json!({limit: null})), 422, Some(flag));
    let without = acme.patch(&path(&enabled), json!({limit: null, flag: false})).expect(200);
    assert_eq!((&without["data"][limit], &without["data"][flag]), (&json!(null), &json!(false)));
    assert_refused(&acme.patch(&path(&enabled), json!({flag: true})), 422, Some(flag));
    acme.delete(&path(&enabled)).expect(200);

    for body in [json!([]), json!(null), json!("name"), json!(7)] {
        assert_refused(&acme.post(PATH, body.clone()), 422, None);
        assert_refused(&acme.patch(&path(&id), body), 422, None);
    }
    let bearer = format!("Bearer {}", acme.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for body in ["", "{", "{\"name\":\"\u{1}\"}", "{\"x\":1e999}", "nonsense"] {
        let answer = server.call(reqwest::Method::POST, PATH, &headers, body.into());
        assert_refused(&answer, 400, None);
    }
    let latin = server.call(reqwest::Method::POST, PATH, &headers, b"{\"name\":\"\xe9\"}".to_vec());
    assert_refused(&latin, 400, None);
    // What could be taken and never be read again.
    let deep = (0..100).fold(json!(1), |value, _| json!([value]));
    assert_refused(&acme.patch(&path(&id), json!({"deep": deep})), 422, Some("deep"));
    let large = json!({"large": "x".repeat(20_000)});
    assert_refused(&acme.patch(&path(&id), large), 413, None);
    let half = json!({"half": "x".repeat(10_000)});
    assert_eq!(acme.patch(&path(&id), half).status, 200);
    assert_refused(&acme.patch(&path(&id), json!({"more": "x".repeat(10_000)})), 413, None);
    assert_eq!(acme.patch(&path(&id), json!({"half": null})).status, 200);

    for wrong in ["%FF", &"x".repeat(129), "none", "%00"] {
        assert_refused(&acme.get(&path(wrong)), 404, None);
        assert_refused(&acme.patch(&path(wrong), json!({})), 404, None);
    }
    for (query, place) in [
        ("page[number]=0", Some("page[number]")),
        ("page[size]=0", Some("page[size]")),
        ("page[size]=251", Some("page[size]")),
        ("page%5Bsize%5D=-1", None),
        ("page[number]=x", None),
        ("page[number]=99999999999", None),
        ("page[size]=1&page[size]=2", None),
    ] {
        assert_refused(&acme.get(&format!("{PATH}?{query}")), 422, place);
    }
    let mut after = acme.get(&path(&id)).expect(200);
    after["data"]["updated_at"] = before["data"]["updated_at"].clone();
    assert_eq!(after, before);
    assert_eq!(ids(&acme.get(PATH).expect(200)), [id]);
}

#[test]
fn an_account_sees_its_own_profiles_alone() {
    let Some((_cluster, server)) = Server::start("api-profile-whose") else { return };
    let (acme, globex) = (server.account("acme"), server.account("globex"));
    let limit = json!({"name": "p", "daily_spend_limit": "1", "daily_spend_limit_enabled": true});
    let id = created(&acme, limit);
    server.bill("acme", json!({"profile_id": id, "cost": "1.00"}));
    server.bill("acme", json!({"profile_id": "shared"}));
    until("it is billed", || acme.get(&path("shared")).status == 200);
    for id in [id.as_str(), "shared"] {
        assert_refused(&globex.get(&path(id)), 404, None);
        assert_refused(&globex.get(&format!("{}/spend", path(id))), 404, None);
        assert_refused(&globex.patch(&path(id), json!({"daily_spend_limit": "99"})), 404, None);
        assert_refused(&globex.delete(&path(id)), 404, None);
    }
    assert_eq!(globex.get(PATH).expect(200)["data"], json!([]));
    assert_eq!(globex.get("/v2/blocks").expect(200)["data"], json!([]));
    // The same id is another profile in another account, with a budget of its own.
    server.bill("globex", json!({"profile_id": "shared", "cost": "0.25"}));
    until("it is billed", || globex.get(&path("shared")).status == 200);
    let change = json!({"daily_spend_limit": "0.25", "daily_spend_limit_enabled": true});
    globex.patch(&path("shared"), change).expect(200);
    let spend =
        |account: &Account<'_>| account.get(&format!("{}/spend", path("shared"))).expect(200);
    assert_eq!(spend(&globex)["data"]["blocked"], true);
    assert_eq!(spend(&acme)["data"]["blocked"], false);
    assert_eq!(spend(&acme)["data"]["current_spend"], "0.01");
    assert_eq!(acme.get(&path("shared")).expect(200)["data"]["daily_spend_limit"], json!(null));

    let reader = server.account_with("acme", "read");
    assert_eq!(reader.get(&path(&id)).status, 200);
    assert_refused(&reader.patch(&path(&id), json!({"name": "x"})), 403, None);
    assert_refused(&reader.delete(&path(&id)), 403, None);
    assert_refused(&reader.post(PATH, json!({"name": "x"})), 403, None);
}

#[test]
fn pages_and_filters_give_each_profile_once_in_one_order() {
    let Some((_cluster, server)) = Server::start("api-profile-pages") else { return };
    let acme = server.account("acme");
    server.bill("acme", json!({"profile_id": "b-billed"}));
    server.bill("acme", json!({"profile_id": "a-billed", "cost": "-0.5"}));
    let mut wanted: Vec<String> = Vec::new();
    for name in ["Alpha", "Beta", "alphabet", "Gamma", "Beta"] {
        wanted.push(created(&acme, json!({"name": name})));
    }
    wanted.extend(["a-billed".to_owned(), "b-billed".to_owned()]);
    let listed = |query: &str| acme.get(&format!("{PATH}?{query}")).expect(200);
    until("all are there", || ids(&listed("")).len() == 7);
    let all = listed("");
    assert_eq!(ids(&all), wanted);
    assert_eq!(
        all["meta"],
        json!({"total_pages": 1, "total_results": 7, "page_number": 1, "page_size": 20})
    );
    for size in [1, 2, 3, 7, 250] {
        let pages = wanted.len().div_ceil(size);
        let mut seen = Vec::new();
        for number in 1..=pages {
            let page = listed(&format!("page[number]={number}&page%5Bsize%5D={size}"));
            let meta = json!({
                "total_pages": pages, "total_results": 7, "page_number": number, "page_size": size,
            });
            assert_eq!(page["meta"], meta);
            seen.extend(ids(&page).into_iter().map(str::to_owned));
        }
        assert_eq!(seen, wanted, "{size} a page");
        let beyond = listed(&format!("page[number]={}&page[size]={size}", pages + 1));
        assert_eq!(beyond["data"], json!([]));
    }
    for (filter, found) in [
        ("filter[name]=Beta", vec![1, 4]),
        ("filter[name][eq]=alpha", vec![]),
        ("filter%5Bname%5D%5Bcontains%5D=ALPHA", vec![0, 2]),
        ("filter[name][contains]=a&filter[name][eq]=Gamma", vec![3]),
        ("filter[name]=Beta&filter[name][contains]=z", vec![]),
        ("filter[name][contains]=", vec![0, 1, 2, 3, 4]),
        ("unknown=1", vec![0, 1, 2, 3, 4, 5, 6]),
    ] {
        let page = listed(filter);
        let found: Vec<&str> = found.into_iter().map(|at: usize| wanted[at].as_str()).collect();
        assert_eq!(ids(&page), found, "{filter}");
        assert_eq!(page["meta"]["total_results"], found.len(), "{filter}");
    }
    assert_eq!(listed("filter[name]=none")["meta"]["total_pages"], 0);
}

#[test]
fn a_profile_that_was_billed_exists_and_a_deleted_one_stays_gone_for_the_day() {
    let Some((_cluster, server)) = Server::start("api-profile-billed") else { return };
    let acme = server.account("acme");
    let (id, encoded) = ("Kampagne 7/é", "Kampagne%207%2F%C3%A9");
    assert_refused(&acme.get(&path(encoded)), 404, None);
    let long_ago = (Utc::now() - TimeDelta::days(300)).to_rfc3339();
    server.bill("acme", json!({"profile_id": id, "occurred_at": long_ago}));
    until("it is billed", || acme.get(&path(encoded)).status == 200);
    let profile = acme.get(&path(encoded)).expect(200)["data"].clone();
    for (field, value) in [
        ("id", json!(id)),
        ("name", json!(null)),
        ("enabled", json!(true)),
        ("daily_spend_limit", json!(null)),
        ("daily_spend_limit_enabled", json!(false)),
        ("created_at", json!(null)),
    ] {
        assert_eq!(profile.get(field), Some(&value), "{field} of {profile}");
    }
    assert_eq!(ids(&acme.get(PATH).expect(200)), [id]);

    let limit = json!({"daily_spend_limit": "5", "daily_spend_limit_enabled": true, "name": "K"});
    let changed = acme.patch(&path(encoded), limit).expect(200);
    assert_eq!(changed["data"]["daily_spend_limit"], "5.00");
    server.bill("acme", json!({"profile_id": id, "cost": "5"}));
    let blocks = || acme.get("/v2/blocks").expect(200)["data"].clone();
    until("it blocks", || blocks() != json!([]));
    assert_eq!(blocks()[0]["scope"], json!({"kind": "profile", "id": id}));

    acme.delete(&path(encoded)).expect(200);
    assert_eq!(blocks(), json!([]), "the limit went with it");
    assert_refused(&acme.get(&path(encoded)), 404, None);
    // What was sent before and is billed late does not bring it back.
    server.bill("acme", json!({"profile_id": id}));
    server.bill("acme", json!({"profile_id": "other"}));
    until("both are billed", || acme.get(&path("other")).status == 200);
    assert_refused(&acme.get(&path(encoded)), 404, None);
    assert_eq!(ids(&acme.get(PATH).expect(200)), ["other"]);
    let tomorrow = (Utc::now() + TimeDelta::seconds(86_395)).to_rfc3339();
    server.bill("acme", json!({"profile_id": id, "occurred_at": tomorrow}));
    until("it is back", || acme.get(&path(encoded)).status == 200);
    let back = acme.get(&path(encoded)).expect(200);
    assert_eq!((&back["data"]["name"], &back["data"]["created_at"]), (&json!(null), &json!(null)));
    assert_eq!(ids(&acme.get(PATH).expect(200)), [id, "other"]);
    acme.patch(&path(encoded), json!({"name": "anew"})).expect(200);
    acme.delete(&path(encoded)).expect(200);
    assert_refused(&acme.delete(&path(encoded)), 404, None);
}

#[test]
fn changes_of_one_profile_at_the_same_time_are_all_kept() {
    let Some((_cluster, server)) = Server::start("api-profile-turns") else { return };
    let acme = server.account("acme");
    let id = created(&acme, json!({"name": "p"}));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (acme, path) = (&acme, path(&id));
            scope.spawn(move || {
                acme.patch(&path, json!({format!("f{number}"): number})).expect(200)
            });
        }
    });
    let profile = acme.get(&path(&id)).expect(200)["data"].clone();
    for number in 0..8 {
        assert_eq!(profile[format!("f{number}")], number, "{profile}");
    }
}
