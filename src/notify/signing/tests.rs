//! Known answers, rotation, and the file's fences.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ed25519_dalek::{Signature, VerifyingKey};

use super::*;

const AT: Millis = Millis(1_724_181_428_918);

fn key(seed: u8) -> Key {
    Key::new([seed; 32], Millis(AT.0 + i64::from(seed)))
}

fn header<'a>(headers: &'a [(&'static str, String)], name: &str) -> &'a str {
    let found = headers.iter().find(|(header, _)| *header == name);
    found.map(|(_, value)| value.as_str()).expect("the header")
}

fn of_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("text"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

/// RFC 8032, section 7.1, TEST 3.
#[test]
fn ed25519_gives_the_known_signature() {
    let seed = of_hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
    let public = of_hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    let signature = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
                     18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
    let key = Key::new(seed.try_into().expect("32 bytes"), AT);
    assert_eq!(key.public_key(), STANDARD.encode(public));
    assert_eq!(key.sign(&[0xaf, 0x82]), STANDARD.encode(of_hex(signature)));
}

/// The example of the Standard Webhooks spec and its verifiers.
#[test]
fn v1_gives_the_known_signature() {
    let secret = STANDARD.decode("plJ3nmyCDGBKInavdOK15jsl").expect("base64");
    let body = br#"{"event_type":"ping","data":{"success":true}}"#;
    let message = standard_message("msg_loFOjxBNrRLzqYUf", "1731705121", body);
    let known = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=";
    assert_eq!(v1(&secret, &message), known);
}

/// The known answer of the asymmetric scheme in the spec's own Go library.
#[test]
fn v1a_gives_the_known_signature() {
    let seed = STANDARD.decode("VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=").expect("base64");
    let ring = Keyring::begin(Key::new(seed.try_into().expect("32 bytes"), AT));
    let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", Millis(1_614_265_330_999));
    let headers = ring.headers("acme", id, at, br#"{"test": 2432232314}"#);
    let known = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM\
                 5WqyeFiL8Ag==";
    let signatures: Vec<&str> = header(&headers, "webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2);
    assert_eq!(signatures[1], known);
}

/// T11: over `timestamp|body`, by the active key alone.
#[test]
fn the_vendors_headers_are_signed_by_the_active_key() {
    let mut ring = Keyring::begin(key(1));
    ring.add(key(2)).expect("room");
    let signed_by = |ring: &Keyring| {
        let headers = ring.headers("acme", "m-1", AT, b"{}");
        assert_eq!(header(&headers, "telnyx-timestamp"), "1724181428");
        let signature = STANDARD.decode(header(&headers, "telnyx-signature-ed25519"));
        let signature = Signature::from_slice(&signature.expect("base64")).expect("64 bytes");
        let verifies = |key: &&Key| {
            let public: VerifyingKey = key.pair.verifying_key();
            public.verify_strict(b"1724181428|{}", &signature).is_ok()
        };
        ring.keys().filter(verifies).map(|key| key.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(signed_by(&ring), [key(1).id]);
    ring.activate(&key(2).id).expect("it is there");
    assert_eq!(signed_by(&ring), [key(2).id]);
    ring.activate(&key(1).id).expect("and back");
    assert_eq!(signed_by(&ring), [key(1).id]);
}

#[test]
fn every_key_signs_after_the_standard_and_accounts_differ() {
    let mut ring = Keyring::begin(key(1));
    ring.add(key(2)).expect("room");
    let headers = ring.headers("acme", "m-1", AT, b"{}");
    let told = ["telnyx-timestamp", "telnyx-signature-ed25519"];
    let standard = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, [&told[..], &standard[..]].concat());
    assert_eq!(header(&headers, "webhook-id"), "m-1");
    assert_eq!(header(&headers, "webhook-timestamp"), "1724181428");

    let message = b"m-1.1724181428.{}";
    let expected = [
        v1(&key(1).secret("acme"), message),
        v1(&key(2).secret("acme"), message),
        format!("v1a,{}", key(1).sign(message)),
        format!("v1a,{}", key(2).sign(message)),
    ];
    assert_eq!(header(&headers, "webhook-signature"), expected.join(" "));

    let other = ring.headers("acme2", "m-1", AT, b"{}");
    let other: Vec<&str> = header(&other, "webhook-signature").split(' ').collect();
    assert!(other.iter().take(2).all(|signature| !expected.iter().any(|it| it == signature)));
}

/// The derivation is a contract with every account: a change would lock all of them out.
#[test]
fn an_accounts_secret_never_changes() {
    assert_eq!(key(7).id, "fe812c12f3ab4ce6");
    let secret = key(7).standard_secret("acme");
    assert_eq!(secret, "whsec_K1VMVDKcOI7gZ0M2egqMmB5bU07KezPi4VJ51uSkj0Q=");
}

#[test]
fn nothing_shows_a_seed() {
    let mut ring = Keyring::begin(key(1));
    ring.add(key(2)).expect("room");
    let shown = format!("{ring:?} {ring:#?}");
    assert!(shown.contains(&key(1).id) && shown.contains(&key(2).public_key()), "{shown}");
    assert!(!shown.contains("1, 1, 1, 1") && !shown.contains("01010101"), "{shown}");
    assert!(!shown.contains(&STANDARD.encode([1; 32])), "{shown}");
}

#[test]
fn a_rotation_in_the_file_goes_from_one_key_over_two_to_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signing.json");
    assert!(matches!(Keyring::load(&path), Err(Error::Missing(_))));
    assert!(matches!(activate(&path, "x"), Err(Error::Missing(_))));
    let ids = |ring: &Keyring| ring.keys().map(|key| key.id.clone()).collect::<Vec<_>>();

    assert_eq!(ids(&add(&path, key(1)).expect("made")), [key(1).id]);
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    add(&path, key(2)).expect("added");
    let ring = Keyring::load(&path).expect("a keyring");
    assert_eq!(ids(&ring), [key(1).id, key(2).id]);
    assert_eq!(ring.active().standard_secret("acme"), key(1).standard_secret("acme"));
    assert_eq!(ring.active().created_at, key(1).created_at);

    assert!(matches!(retire(&path, &key(1).id), Err(Error::Active(_))));
    assert!(matches!(retire(&path, "x"), Err(Error::Unknown(_))));
    assert!(matches!(activate(&path, "x"), Err(Error::Unknown(_))));
    activate(&path, &key(2).id).expect("activated");
    assert_eq!(ids(&Keyring::load(&path).expect("a keyring")), [key(2).id, key(1).id]);
    retire(&path, &key(1).id).expect("retired");
    assert_eq!(ids(&Keyring::load(&path).expect("a keyring")), [key(2).id]);

    for seed in 3..=5 {
        add(&path, key(seed)).expect("added");
    }
    assert!(matches!(add(&path, key(6)), Err(Error::Full)));
    let newest_first = [key(2).id, key(5).id, key(4).id, key(3).id];
    assert_eq!(ids(&Keyring::load(&path).expect("a keyring")), newest_first);
    let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_change_keeps_the_mode_and_follows_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, link) = (folder.path().join("a"), folder.path().join("b"));
    add(&path, key(1)).expect("made");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("the mode is set");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    add(&link, key(2)).expect("added");
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o400);
    assert_eq!(Keyring::load(&path).expect("a keyring").keys().count(), 2);
}

#[test]
fn two_changes_at_once_are_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signing.json");
    add(&path, key(1)).expect("made");
    let cut_off = folder.path().join("signing.json.new");
    fs::write(&cut_off, "").expect("written");
    let refused = add(&path, key(2)).expect_err("another change is under way");
    assert!(refused.remedy().contains("signing.json.new"), "{}", refused.remedy());
    assert!(cut_off.exists(), "it is another's");
    fs::remove_file(&cut_off).expect("removed");
    add(&path, key(2)).expect("added");
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signing.json");
    add(&path, key(1)).expect("made");
    for mode in [0o644, 0o604, 0o602, 0o660, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the mode is set");
        let refused = Keyring::load(&path).expect_err("refused");
        assert!(matches!(&refused, Error::Exposed { .. }), "{mode:o}: {refused}");
        let told = crate::error::Error::from(refused).to_string();
        assert!(told.contains("next: chmod 600 /"), "{told}");
        assert!(add(&path, key(2)).is_err(), "{mode:o}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the mode is set");
        Keyring::load(&path).expect("it is private");
    }
}

#[test]
fn a_damaged_file_is_refused_without_showing_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signing.json");
    add(&path, key(1)).expect("made");
    add(&path, key(2)).expect("added");
    let whole = fs::read_to_string(&path).expect("a text");
    let seeds = [1, 2].map(|seed| STANDARD.encode([seed; 32]));
    let (first, second) = (&seeds[0], &seeds[1]);
    let long = " ".repeat(16 * 1024);
    for (damaged, why) in [
        (String::new(), "line 1"),
        (whole.replace("\"version\": 1", "\"version\": 2"), "version 2"),
        (whole.replace("\"active\": true", "\"active\": false"), "0 keys are active"),
        (whole.replace("\"active\": false", "\"active\": true"), "2 keys are active"),
        (whole.replace("\"active\": true", "\"activ\": true"), "line 7"),
        (whole.replace(&key(2).id, &key(1).id), "not its own"),
        (whole.replace(&key(2).id, &key(1).id).replace(second, first), "twice"),
        (whole.replace(second, &second[..40]), "not 32 bytes"),
        (whole.replace(&format!("\"{second}\""), "7"), "line"),
        (whole.replace("2024-08-20T", "2024-08-20 "), "created_at"),
        (format!("{whole}{long}"), "more than 16384 bytes"),
    ] {
        fs::write(&path, &damaged).expect("written");
        let refused = crate::error::Error::from(Keyring::load(&path).expect_err(why));
        let told = refused.to_string();
        assert!(told.contains(why), "{why}: {told}");
        assert!(!told.contains(&first[..20]) && !told.contains(&second[..20]), "{told}");
    }
}
