//! Limits of countries by requests (K1-K8).

use reqwest::Method;
use serde_json::{Value, json};

use crate::billing::holding;
use crate::rig::{Account, Answer, Server, until};

const DONE: &str = "Request successfully executed!";
const LIMITS: &str = "/v2/countries/limits";

fn path(country: &str) -> String {
    format!("{LIMITS}/{country}")
}

fn switch(account: &Account<'_>, enabled: bool) {
    let switched = account.put(&path("settings"), json!({"enabled": enabled})).expect(200);
    assert_eq!(
        (&switched["message"], &switched["data"]["enabled"]),
        (&json!(DONE), &json!(enabled))
    );
}

/// A limit as the audit has it last.
fn recorded(account: &Account<'_>, limit_id: &str) -> Value {
    let audit = account.get(&format!("/v2/audit?id={limit_id}&limit=1")).expect(200);
    audit["data"][0]["to"].clone()
}

#[test]
fn countries_are_limited_counted_and_told_of_as_the_contract_says() {
    let Some((_cluster, server)) = Server::start("api-countries") else { return };
    let (acme, globex) = (server.account("acme"), server.account("globex"));
    // K2: nothing by default.
    let settings = acme.get(&path("settings")).expect(200);
    assert_eq!(
        settings["data"],
        json!({"enabled": false, "apply_to_all": false, "daily_notifications": [],
            "monthly_notifications": []})
    );
    assert_eq!(acme.get(LIMITS).expect(200), json!({"message": DONE, "data": [], "warnings": []}));
    assert_eq!(acme.get(&path("IT")).status, 404);

    // Counted while off: a thousand requests to one number are a thousand (K1).
    server.bill("acme", json!({"country": "it", "recipient": "+393331234567", "requests": 1000}));
    let set =
        acme.put(&path("it"), json!({"daily_limit": 1000, "monthly_limit": 30_000})).expect(200);
    assert_eq!(set["message"], DONE);
    assert_eq!(set["warnings"], json!([]));
    let shown = || acme.get(&path("IT")).expect(200)["data"].clone();
    until("the event is counted", || shown()["daily"]["used"] == 1000);
    let italy = shown();
    assert_eq!(
        (&italy["iso_code"], &italy["daily_limit"], &italy["monthly_limit"], &italy["enabled"]),
        (&json!("IT"), &json!(1000), &json!(30_000), &json!(false))
    );
    assert_eq!(
        (&italy["daily"]["remaining"], &italy["monthly"]["remaining"]),
        (&json!(0), &json!(29_000))
    );
    assert_eq!(holding(&acme), [""; 0], "the toggle is off");
    switch(&acme, true);
    assert_eq!(holding(&acme), ["country_IT_day"], "what was counted holds at once");
    assert_eq!(shown()["daily"]["blocked"], true);
    assert_eq!(shown()["daily"]["blocked_until"], shown()["daily"]["resets_at"]);
    assert_eq!(shown()["monthly"]["blocked"], false);
    switch(&acme, false);
    assert_eq!(holding(&acme), [""; 0]);
    switch(&acme, true);

    // The N-th is sent, the next is not (K4).
    acme.put(&path("IT"), json!({"daily_limit": 1002})).expect(200);
    assert_eq!(holding(&acme), [""; 0], "raised");
    server.bill("acme", json!({"country": "IT"}));
    until("one is counted", || shown()["daily"]["used"] == 1001);
    assert_eq!(holding(&acme), [""; 0]);
    server.bill("acme", json!({"country": "IT"}));
    until("the last that is allowed blocks", || holding(&acme) == ["country_IT_day"]);

    // K3 on the merged values.
    for body in [
        json!({"daily_limit": 30_000}),
        json!({"monthly_limit": 1002}),
        json!({"daily_limit": 0}),
        json!({"daily_limit": null, "monthly_limit": null}),
        json!({"daily_limit": -1}),
        json!({"daily_limit": 1.5}),
        json!({"daily_limit": "many"}),
        json!({"monthly_limit": 1_000_000_000_000_u64}),
        json!({"daily_limit": [1]}),
        json!({"daily_notifications": [{"trigger_after": 0, "emails": "a@example.com"}]}),
        json!({"daily_notifications": [{"trigger_after": 50, "emails": "nobody"}]}),
        json!({"daily_notifications": [{"trigger_after": 50}]}),
    ] {
        let refused = acme.put(&path("IT"), body.clone());
        refused.expect(422);
        assert_eq!(refused.header("content-type"), "application/problem+json", "{body}");
    }
    acme.put(&path("DE"), json!({})).expect(422);
    acme.put(
        &path("DE"),
        json!({"monthly_notifications": [
        {"trigger_after": 5, "emails": "a@example.com"}], "daily_limit": 5}),
    )
    .expect(422);
    for country in ["XX", "ITA", "I", "1T", "XK"] {
        acme.put(&path(country), json!({"daily_limit": 1})).expect(422);
        acme.get(&path(country)).expect(422);
    }

    // K7.
    let warned =
        acme.put(&path("DE"), json!({"daily_limit": 10, "monthly_limit": 1000})).expect(200);
    assert_eq!(warned["warnings"][0]["code"], "unusable_remainder");
    let warned = acme.put(&path("DE"), json!({"daily_limit": 400})).expect(200);
    assert_eq!(
        warned["warnings"][0]["message"],
        "At 400 a day the 1000 a month are exhausted in 3 days."
    );

    let codes: Vec<_> = acme.get(LIMITS).expect(200)["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|country| country["iso_code"].clone())
        .collect();
    assert_eq!(json!(codes), json!(["DE", "IT"]));
    assert_eq!(globex.get(LIMITS).expect(200)["data"], json!([]));
    assert_eq!(globex.get(&path("settings")).expect(200)["data"]["enabled"], false);
    let deleted = acme.delete(&path("it")).expect(200);
    assert_eq!(deleted["data"], json!({"iso_code": "IT", "deleted": true}));
    assert_eq!(holding(&acme), [""; 0]);
    acme.delete(&path("IT")).expect(404);
    acme.put(&path("DE"), json!({"monthly_limit": null})).expect(200);
    let germany = acme.get(&path("DE")).expect(200)["data"].clone();
    assert_eq!((&germany["monthly_limit"], &germany["monthly"]), (&json!(null), &json!(null)));
}

/// K5.
#[test]
fn notification_sets_become_thresholds_and_one_set_up_may_serve_all_countries() {
    let Some((_cluster, server)) = Server::start("api-notices") else { return };
    let acme = server.account("acme");
    switch(&acme, true);
    let own = json!([
        {"trigger_after": 85, "emails": "b@example.com, c@example.com"},
        {"trigger_after": 50, "emails": "a@example.com"},
    ]);
    let kept = json!([
        {"trigger_after": 85, "emails": ["b@example.com", "c@example.com"]},
        {"trigger_after": 50, "emails": ["a@example.com"]},
    ]);
    let italy = json!({"daily_limit": 10, "daily_notifications": own});
    let set = acme.put(&path("IT"), italy).expect(200);
    assert_eq!(set["data"]["daily_notifications"], kept);
    acme.put(&path("DE"), json!({"monthly_limit": 100})).expect(200);
    let limit = recorded(&acme, "country_IT_day");
    assert_eq!((&limit["thresholds"], &limit["body"]["sets"]), (&json!([50, 85]), &kept));
    assert_eq!(recorded(&acme, "country_DE_month")["thresholds"], json!([]));

    let shared = json!([{"trigger_after": 90, "emails": ["all@example.com"]}]);
    let all = json!({"apply_to_all": true, "daily_notifications": shared,
        "monthly_notifications": [{"trigger_after": 95, "emails": "all@example.com"}]});
    acme.put(&path("settings"), all).expect(200);
    let limit = recorded(&acme, "country_IT_day");
    assert_eq!((&limit["thresholds"], &limit["body"]["sets"]), (&json!([90]), &shared));
    assert_eq!(limit["enabled"], true);
    assert_eq!(recorded(&acme, "country_DE_month")["thresholds"], json!([95]));
    // A country that comes later has it too.
    acme.put(&path("FR"), json!({"daily_limit": 5})).expect(200);
    assert_eq!(recorded(&acme, "country_FR_day")["thresholds"], json!([90]));
    // Its own sets were kept meanwhile.
    assert_eq!(acme.get(&path("IT")).expect(200)["data"]["daily_notifications"], kept);
    acme.put(&path("settings"), json!({"apply_to_all": false})).expect(200);
    assert_eq!(recorded(&acme, "country_IT_day")["thresholds"], json!([50, 85]));
    assert_eq!(recorded(&acme, "country_DE_month")["thresholds"], json!([]));
    acme.put(&path("settings"), json!({"daily_notifications": null})).expect(200);
    let settings = acme.get(&path("settings")).expect(200);
    assert_eq!(settings["data"]["daily_notifications"], json!([]));
    for body in [
        json!({"enabled": "yes"}),
        json!({"daily_notifications": [{"trigger_after": 101, "emails": "a@example.com"}]}),
        json!({"monthly_notifications": {}}),
    ] {
        acme.put(&path("settings"), body).expect(422);
    }
}

fn upload(server: &Server, key: &str, media: &str, bytes: &[u8]) -> Answer {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", media)];
    server.call(Method::POST, &path("bulk"), &headers, bytes.to_vec())
}

/// A form with one file.
fn form(name: &str, bytes: &[u8]) -> (&'static str, Vec<u8>) {
    let head = format!(
        "--part\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nours\r\n--part\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, b"\r\n--part--\r\n"].concat();
    ("multipart/form-data; boundary=part", body)
}

const CSV: &[u8] =
    b"ISO Code,Daily Limit,Monthly Limit\r\nit,1000,20000\r\nDE,500,\r\nFR,,15000\r\n";
const XLSX: &[u8] = include_bytes!("files/limits.xlsx");
const XLS: &[u8] = include_bytes!("files/limits.xls");

/// K6.
#[test]
fn a_file_sets_the_countries_it_lists_and_no_other() {
    let Some((_cluster, server)) = Server::start("api-bulk") else { return };
    let limits = |account: &Account<'_>| {
        let list = account.get(LIMITS).expect(200)["data"].clone();
        let of = |it: &Value| json!([it["iso_code"], it["daily_limit"], it["monthly_limit"]]);
        Value::from(list.as_array().expect("a list").iter().map(of).collect::<Vec<_>>())
    };
    let listed =
        json!([["DE", 500, null], ["FR", null, 15000], ["GB", 7, null], ["IT", 1000, 20000]]);
    let excel = "application/vnd.ms-excel";
    let sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let forms = [form("limits.CSV", CSV), form("limits.xlsx", XLSX), form("limits.xls", XLS)];
    let bodies = [
        ("text/csv; charset=utf-8", CSV),
        (excel, CSV),
        (excel, XLS),
        (sheet, XLSX),
        ("application/octet-stream", XLSX),
        (forms[0].0, &forms[0].1),
        (forms[1].0, &forms[1].1),
        (forms[2].0, &forms[2].1),
    ];
    for (number, (media, body)) in bodies.into_iter().enumerate() {
        let account = server.account(&format!("acme-{number}"));
        account.put(&path("GB"), json!({"daily_limit": 7})).expect(200);
        let former = json!({"daily_limit": 5, "monthly_limit": 9, "daily_notifications": [
            {"trigger_after": 50, "emails": "a@example.com"}]});
        account.put(&path("DE"), former).expect(200);
        let answer = upload(&server, &account.key, media, body).expect(200);
        assert_eq!(answer["message"], "Document Uploaded", "{media}");
        assert_eq!(answer["data"].as_array().map(Vec::len), Some(3));
        assert_eq!(answer["warnings"][0]["code"], "exhausted_early", "{answer}");
        assert_eq!(limits(&account), listed, "{media}");
        assert_eq!(recorded(&account, "country_DE_day")["thresholds"], json!([50]));
    }
    let acme = server.account("acme-0");
    let sample = acme.get(&path("sample.csv"));
    assert_eq!((sample.status, sample.header("content-type")), (200, "text/csv; charset=utf-8"));
    upload(&server, &acme.key, "text/csv", sample.text.as_bytes()).expect(200);
}

#[test]
fn a_file_with_anything_wrong_is_refused_whole() {
    let Some((_cluster, server)) = Server::start("api-bulk-refused") else { return };
    let acme = server.account("acme");
    acme.put(&path("IT"), json!({"daily_limit": 3})).expect(200);
    let send = |media: &str, bytes: &[u8]| upload(&server, &acme.key, media, bytes);
    let wrong =
        "ISO Code,Daily Limit,Monthly Limit\nIT,1,2\nXX,1,2\nDE,0,\nIT,5,6\nFR,9,9\nES,x,\n";
    let refused = send("text/csv", wrong.as_bytes());
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let body = refused.expect(422);
    let rows: Vec<_> =
        body["rows"].as_array().expect("a list").iter().map(|row| row["row"].clone()).collect();
    assert_eq!(json!(rows), json!([3, 4, 5, 6, 7]), "{body}");
    assert!(body["rows"][1]["reason"].as_str().expect("a text").contains("is 0"), "{body}");

    let half = &XLSX[..XLSX.len() / 2];
    let utf_16: Vec<u8> =
        String::from_utf8_lossy(CSV).encode_utf16().flat_map(u16::to_be_bytes).collect();
    let many = [CSV, "IT,1,2\n".repeat(2_000).as_bytes()].concat();
    let formula_xlsx = include_bytes!("files/formula.xlsx");
    let formula_xls = include_bytes!("files/formula.xls");
    for (name, bytes) in [
        ("a.csv", &b""[..]),
        ("a.csv", b"IT,1,2"),
        ("a.csv", b"ISO Code,Daily Limit,Monthly Limit"),
        ("a.csv", b"ISO Code,Daily Limit,Monthly Limit\nIT,=1+1,\n"),
        ("a.csv", &utf_16),
        ("a.csv", XLSX),
        ("a.csv", &many),
        ("a.xlsx", half),
        ("a.xlsx", CSV),
        ("a.xlsx", XLS),
        ("a.xlsx", formula_xlsx),
        ("a.xls", &XLS[..1_000]),
        ("a.xls", XLSX),
        ("a.xls", formula_xls),
    ] {
        let (media, body) = form(name, bytes);
        let refused = send(media, &body).expect(422);
        assert!(refused["detail"].as_str().is_some_and(|it| it.len() > 20), "{name}: {refused}");
    }
    let large = [CSV, &vec![b'\n'; 1_048_577 - CSV.len()]].concat();
    send("text/csv", &large).expect(413);
    let (media, body) = form("a.csv", &large);
    send(media, &body).expect(413);
    let (media, body) = form("a.csv", &vec![b'x'; 1_200_000]);
    send(media, &body).expect(413);
    send("text/csv", &large[..1_048_576]).expect(200);
    acme.put(&path("IT"), json!({"daily_limit": 3, "monthly_limit": null})).expect(200);
    for (media, bytes) in
        [("application/json", CSV), ("application/octet-stream", CSV), ("image/png", CSV)]
    {
        send(media, bytes).expect(415);
    }
    let (media, body) = form("limits.ods", CSV);
    send(media, &body).expect(415);
    send("multipart/form-data", CSV).expect(400);
    send("multipart/form-data; boundary=other", &body).expect(400);
    send("multipart/form-data; boundary=part", b"--part--\r\n").expect(422);
    let italy = acme.get(&path("IT")).expect(200);
    assert_eq!(
        (&italy["data"]["daily_limit"], &italy["data"]["monthly_limit"]),
        (&json!(3), &json!(null))
    );
}
