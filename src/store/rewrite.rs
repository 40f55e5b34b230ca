//! One row read and written again, for fuzzing: reading takes only what writing makes, so the bytes
//! must come back as they were. Nothing else in the store calls it.

use super::bytes::{Fault, Reader};
use super::codec;
use super::keys::{self, FORMAT, Key, Kind};

/// The row's key and value as they would be written today; `None` for bytes that are no row.
#[must_use]
pub fn rewritten(key: &[u8], value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut into = Vec::new();
    let key = again(key, value, &mut into).ok()?;
    Some((key, into))
}

fn again(key: &[u8], value: &[u8], into: &mut Vec<u8>) -> Result<Vec<u8>, Fault> {
    let kind = Kind::of(key).ok_or(Fault::Value("a row of this kind"))?;
    Ok(match kind {
        Kind::Position => {
            Reader::new(&key[1..]).end()?;
            let identity = codec::identity(value)?;
            let position = codec::position(value)?;
            if identity.format != FORMAT {
                return Err(Fault::Value("a format"));
            }
            codec::put_position(identity.partition, &position, into);
            Key::Position.bytes()
        }
        Kind::Account => {
            let row = codec::account(value)?;
            codec::put_account(&row.id, row.sequence, &row.retired, into);
            Key::Account(keys::account(key)?).bytes()
        }
        Kind::Limit => {
            let (account, limit_id) = keys::limit(key)?;
            codec::put_limit(&codec::limit(limit_id.clone(), value)?, into);
            Key::Limit(account, &limit_id).bytes()
        }
        Kind::Timer => {
            let (account, limit_id, group) = keys::timer(key)?;
            codec::put_timer(codec::timer(value)?, into);
            Key::Timer(account, &limit_id, &group).bytes()
        }
        Kind::Tally => {
            codec::put_tally(codec::tally(value)?, into);
            Key::Tally(keys::tally(key)?.key()).bytes()
        }
        Kind::Sliding => {
            let (limit, group) = keys::sliding(key)?;
            codec::put_sliding(&codec::sliding(value)?, into);
            Key::Sliding(&limit, &group).bytes()
        }
        Kind::DistinctMember => {
            let (limit, day_group, digest) = keys::member(key)?;
            codec::member(value)?;
            codec::put_member(into);
            Key::Member(&limit, &day_group, digest).bytes()
        }
        Kind::DistinctArming => {
            let (limit, day_group) = keys::arming(key)?;
            codec::put_arming(codec::arming(value)?, into);
            Key::Arming(&limit, &day_group).bytes()
        }
        Kind::Block => {
            codec::put_block(&codec::block(value)?, into);
            Key::Block(&keys::block(key)?).bytes()
        }
        Kind::Dedup => {
            let (minute, index) = keys::dedup(key)?;
            codec::put_dedup(codec::dedup(value)?, into);
            Key::Dedup(minute, index).bytes()
        }
    })
}
