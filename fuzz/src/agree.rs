//! What holds for every decoded line, whichever way it came.

use tollgate::fold::event::{Input, Reason};
use tollgate::wire::{
    Decoded, Decoder, Encoder, InputFormat, Issued, Options, OutputFormat, Topics,
};

thread_local! {
    static DECODER: Decoder = decoder(InputFormat::Auto);
    static ENCODERS: [Encoder; 2] = [OutputFormat::Json, OutputFormat::AvroSingle].map(|format| {
        Encoder::new(format, Topics::default(), None).expect("no registry is needed")
    });
}

pub fn decoder(format: InputFormat) -> Decoder {
    Decoder::new(&Options { format, ..Options::default() }).expect("our schemas alone")
}

/// A line that was taken is written in both encodings and read back as it was; one that was
/// declined says why.
pub fn lines_come_back(decoded: &Decoded<'_>) {
    let Some(recorded_at) = decoded.recorded_at else {
        let Input::Rejected(refusal) = &decoded.input else {
            panic!("a line without a time: {decoded:?}");
        };
        assert!(matches!(refusal.reason, Reason::Undecodable | Reason::Invalid), "{refusal:?}");
        assert!(!refusal.detail.is_empty(), "a refusal without a reason");
        return;
    };
    assert!(recorded_at.in_range(), "{decoded:?}");
    ENCODERS.with(|encoders| {
        for encoder in encoders {
            comes_back(decoded, encoder);
        }
    });
}

fn comes_back(decoded: &Decoded<'_>, encoder: &Encoder) {
    let recorded_at = decoded.recorded_at;
    let encode = |decoded: &Decoded<'_>| match &decoded.input {
        Input::Billed(event) => Some(encoder.encode_billed(event, recorded_at)),
        Input::Command(command) => {
            let at = recorded_at.expect("a line that was taken has a time");
            let issued = Issued { at, actor: None, reason: None, recorded_at };
            encoder.encode_command(command, issued).transpose()
        }
        Input::Tick | Input::Rejected(_) => None,
    };
    let Some(bytes) = encode(decoded) else { return };
    let bytes = bytes.expect("no registry is asked");
    let back = DECODER.with(|decoder| match decoded.input {
        Input::Billed(_) => decoder.decode_billed(&bytes),
        _ => decoder.decode_command(&bytes),
    });
    let back = back.expect("no registry is asked");
    assert_eq!(&back, decoded, "written as {bytes:?}");
    let again = encode(&back).expect("it was encoded before").expect("no registry is asked");
    assert_eq!(again, bytes, "one line, two spellings");
}

/// Two readings of one line in different encodings: all but the words of a refusal.
pub fn assert_same(left: &Decoded<'_>, right: &Decoded<'_>, about: &str) {
    match (&left.input, &right.input) {
        (Input::Rejected(left), Input::Rejected(right)) => {
            let ids = |it: &tollgate::fold::event::Refusal| {
                (it.reason, it.account_id.clone(), it.event_id.clone(), it.command_id.clone())
            };
            assert_eq!(ids(left), ids(right), "{about}: {left:?} {right:?}");
        }
        _ => assert_eq!(left, right, "{about}"),
    }
}

pub fn is_undecodable<'a>(decoded: &'a Decoded<'_>) -> Option<&'a str> {
    match &decoded.input {
        Input::Rejected(refusal) if refusal.reason == Reason::Undecodable => Some(&refusal.detail),
        _ => None,
    }
}
