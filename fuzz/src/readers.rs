//! Records in full, as those read them who are not the fold: decisions of which people are told,
//! and commands that show settings.

use serde_json::{Map, Value};
use tollgate::fold::event::Input;
use tollgate::wire::{Decoder, Error, InputFormat, Notice};

use crate::agree::decoder;

thread_local! {
    static DECODER: Decoder = decoder(InputFormat::Auto);
}

pub fn readers(bytes: &[u8]) {
    DECODER.with(|decoder| {
        for reached in [true, false] {
            notice(decoder, bytes, reached);
        }
        command(decoder, bytes);
    });
}

/// What is taken is kept beside a delivery and read again as it was, without its cause; what is
/// refused says why.
fn notice(decoder: &Decoder, bytes: &[u8], reached: bool) {
    match decoder.decode_notice(bytes, reached) {
        Ok(notice) => {
            assert!(notice.now.in_range(), "{notice:?}");
            let kept = serde_json::to_vec(&notice).expect("plain JSON");
            let again = decoder.decode_notice(&kept, reached);
            let without_cause = Notice { command_offset: None, ..notice };
            assert_eq!(again.as_ref().ok(), Some(&without_cause), "{}", kept.escape_ascii());
        }
        Err(Error::Notice(why)) => assert!(!why.is_empty(), "a refusal without a reason"),
        Err(other) => panic!("no registry is asked: {other}"),
    }
}

/// Those who show a setting and the fold, which acts on it, take the same commands, but for what is
/// nested deeper than serde_json reads and numbers beyond f64.
fn command(decoder: &Decoder, bytes: &[u8]) {
    let folded = decoder.decode_command(bytes).expect("no registry is asked");
    let recorded = decoder.decode_recorded(bytes).expect("no registry is asked");
    match (folded.input, recorded) {
        (Input::Command(command), Some(recorded)) => {
            assert_eq!(recorded.command, command);
            assert!(recorded.issued_at.in_range(), "{recorded:?}");
        }
        (Input::Command(command), None) => {
            let theirs = serde_json::from_slice::<Map<String, Value>>(bytes);
            assert!(bytes.first() != Some(&0xc3) && theirs.is_err(), "not shown: {command:?}");
        }
        (input, recorded) => assert_eq!(recorded, None, "shown, but folded as {input:?}"),
    }
}
