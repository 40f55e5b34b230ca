//! Why a turn ended early, and what the caller does about it: turn again, or stop the partition.

use super::super::{intake, log};
use crate::fault_point::Injected;
use crate::{store, wire};

/// Why a turn ended early.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Passes by itself: turn again a little later.
    #[error("{0}")]
    Passing(String),
    /// The partition stops until a person has looked at it.
    #[error("{0}")]
    Stopped(String),
}

impl From<log::Error> for Fault {
    fn from(error: log::Error) -> Fault {
        match error {
            log::Error::Passing { .. } | log::Error::Full(_) => Fault::Passing(error.to_string()),
            log::Error::Truncated { .. } | log::Error::Lasting { .. } => {
                Fault::Stopped(error.to_string())
            }
        }
    }
}

/// What fails on the disk may be mended while this runs (room, rights, a volume that was away);
/// what is wrong in the state will not be.
impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Fault {
        match error {
            store::Error::Full { .. } | store::Error::Storage { .. } => {
                Fault::Passing(error.to_string())
            }
            store::Error::Damaged { .. }
            | store::Error::Format { .. }
            | store::Error::Partition { .. }
            | store::Error::Locked { .. } => Fault::Stopped(error.to_string()),
        }
    }
}

impl From<intake::Error> for Fault {
    fn from(error: intake::Error) -> Fault {
        match error {
            intake::Error::Log(error) => error.into(),
            intake::Error::Wire { .. } => Fault::Passing(error.to_string()),
        }
    }
}

impl From<Injected> for Fault {
    fn from(injected: Injected) -> Fault {
        Fault::Passing(injected.to_string())
    }
}

impl From<wire::Error> for Fault {
    fn from(error: wire::Error) -> Fault {
        Fault::Passing(error.to_string())
    }
}
