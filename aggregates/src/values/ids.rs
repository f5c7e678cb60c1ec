//! Identifiers of devices, deployments, imports, orders, tokens, passwords, sessions and saved views: `UUIDv7`, created by the caller.

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
    /// The id of a device.
    DeviceId
);
identifier!(
    /// The id of a deployment.
    DeploymentId
);
identifier!(
    /// The id of a bulk import: the file whose rows started deployments.
    ImportId
);
identifier!(
    /// The id of a bulk action.
    BulkId
);
identifier!(
    /// The id of an order to a management controller.
    OrderId
);
identifier!(
    /// The id of an access token, never its secret.
    TokenId
);
identifier!(
    /// The id of a stored password hash, never the hash itself.
    PasswordId
);
identifier!(
    /// The id of a user's session, never its secret.
    SessionId
);
identifier!(
    /// The id of a saved view of a list.
    SavedViewId
);
