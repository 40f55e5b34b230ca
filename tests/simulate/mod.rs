//! A deterministic simulation of everything around the engine: brokers, network, disks, clocks, crashes
//! and other owners. Promise: a case is one line of text and gives the same run to the byte; what comes
//! out is compared with the naive model (tests/model), which shares no code with the product.

/// An enum without fields that knows all its values, in their order.
macro_rules! listed {
    ($(#[$about:meta])* $name:ident { $($value:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($value,)*
        }

        impl $name {
            pub const ALL: [$name; [$($name::$value),*].len()] = [$($name::$value),*];
        }
    };
}

pub mod case;
pub mod chance;
pub mod many;
mod named;
mod readers;
mod store;
mod topics;
pub mod verdict;
mod witness;
pub mod world;
