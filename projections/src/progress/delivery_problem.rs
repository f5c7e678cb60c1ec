//! Why a webhook's receiver did not get an event, as a code with its values. The web crate writes the sentence.
//!
//! The JSON of this type is in the tables of the courier.

use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::ToSchema;

/// Why a receiver did not get an event. `receiver` is the origin of the webhook's URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeliveryProblem {
    /// The receiver answered with a status that does not accept the event.
    Status {
        /// The receiver.
        receiver: Text,
        /// The HTTP status.
        status: u16,
        /// The beginning of the receiver's answer.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        detail: Text,
    },
    /// The receiver did not answer in time.
    Timeout {
        /// The receiver.
        receiver: Text,
        /// The time limit in seconds.
        seconds: u64,
    },
    /// The receiver cannot be reached.
    Unreachable {
        /// The receiver.
        receiver: Text,
        /// The error message of the connection.
        detail: Text,
    },
    /// The service may not connect to the receiver's address.
    AddressNotAllowed {
        /// The address.
        #[schema(value_type = String)]
        address: IpAddr,
        /// The host name of the address, if the URL has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<Text>,
        /// The option with which the administrator of the machine can allow it.
        option: Text,
    },
    /// There is no secret to sign messages with.
    SecretMissing {
        /// The name of the secret.
        secret: Name,
        /// The environment variable that could hold the secret.
        variable: Text,
    },
    /// The secret cannot be used to sign messages.
    SecretUnusable {
        /// The name of the secret.
        secret: Name,
        /// The problem with the secret's file.
        detail: Text,
    },
    /// An internal error: a defect of the program, or damaged data.
    Internal {
        /// The error message.
        detail: Text,
    },
    /// The reason is shown only to administrators: others could use it to find out what is at the address.
    Hidden {},
    /// The sentence that was stored before problems had codes.
    Text {
        /// The sentence.
        text: Text,
    },
}
