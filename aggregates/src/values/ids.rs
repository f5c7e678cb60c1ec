//! Identifiers of devices, deployments, imports, orders, tokens, passwords and sessions: `UUIDv7`, made at the edge.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = super::ParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self).map_err(|_| super::ParseError::new(format!("{text:?} is not a UUID")))
            }
        }
    };
}

identifier!(
    /// Which device.
    DeviceId
);
identifier!(
    /// Which deployment.
    DeploymentId
);
identifier!(
    /// Which bulk import: the file whose rows started deployments.
    ImportId
);
identifier!(
    /// Which order to a management controller.
    OrderId
);
identifier!(
    /// Which access token (never its secret).
    TokenId
);
identifier!(
    /// Which stored hash of a password (never the hash itself).
    PasswordId
);
identifier!(
    /// Which session of a person (never its secret).
    SessionId
);
