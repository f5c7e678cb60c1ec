//! Sample events for tests: at least one of every variant of every event type, both with all optional fields and with as few as
//! possible. A new variant does not compile until it has a sample here.

mod account;
mod bulk;
mod catalogue;
mod deployment;
mod device;
mod drift;

pub(crate) use account::{session, user};
pub(crate) use bulk::bulk;
pub(crate) use catalogue::{
    boot_image, dhcp_server, network, rack, reservation, saved_view, secret, site, token, venture, webhook,
};
pub(crate) use deployment::deployment;
pub(crate) use device::device;
pub(crate) use drift::drift;

/// Defines the function that returns the samples, with a match of all variants without a wildcard.
macro_rules! sample_events {
    ($name:ident: $event:ident { $($variant:ident => [$($sample:expr),+ $(,)?]),+ $(,)? }) => {
        pub(crate) fn $name() -> Vec<$event> {
            fn variant(event: &$event) -> &'static str {
                match event {
                    $($event::$variant { .. } => stringify!($variant),)+
                }
            }
            let samples: Vec<(&str, $event)> = vec![$($((stringify!($variant), $sample),)+)+];
            for (name, sample) in &samples {
                assert_eq!(variant(sample), *name, "a sample stands under the wrong variant");
            }
            samples.into_iter().map(|(_, sample)| sample).collect()
        }
    };
}
use sample_events;
