//! Why a server cannot be compared or repaired, as codes and values. The web crate writes the sentences when it shows them.
//!
//! The JSON of this type is part of stored events, so it is stored permanently.

use crate::site::TsigAlgorithm;
use crate::values::hostname::DomainName;
use crate::values::name::Name;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use utoipa::ToSchema;

/// Why a server could not be compared with the views, or why an ordered repair failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum DriftProblem {
    /// The site has no DNS primary.
    NoPrimary {},
    /// The update was sent, and the server still differs as before.
    NoEffect {},
    /// The agent of the DHCP server sent no report after the repair was ordered.
    NoReport {
        /// The name of the DHCP server.
        server: Name,
        /// How long the service waited, in seconds.
        seconds: u64,
    },
    /// The service may not connect to the address of the primary.
    AddressNotAllowed {
        /// The address of the primary.
        #[schema(value_type = String)]
        address: IpAddr,
        /// The option that allows the network of the address.
        option: Text,
    },
    /// The secret of the primary's key does not exist.
    SecretMissing {
        /// The name of the secret.
        secret: Name,
        /// The environment variable that could hold the secret.
        variable: Text,
    },
    /// The secret of the primary's key cannot be read.
    SecretUnusable {
        /// The name of the secret.
        secret: Name,
        /// The error message.
        detail: Text,
    },
    /// The secret is not a key in base64.
    SecretMalformed {
        /// The name of the secret.
        secret: Name,
    },
    /// The key cannot sign messages.
    KeyUnusable {
        /// The name of the key.
        key: DomainName,
        /// The error message.
        detail: Text,
    },
    /// Nothing at the address answers like a primary. One code for all reasons: users must not learn which ports of which hosts
    /// are open. The log has the details.
    NoAnswer {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
    },
    /// The primary does not know the key (BADKEY).
    KeyUnknown {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the key.
        key: DomainName,
        /// The algorithm of the key.
        algorithm: TsigAlgorithm,
    },
    /// The primary has another secret for the key (BADSIG).
    KeyDiffers {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the key.
        key: DomainName,
    },
    /// The clocks of the primary and of this machine differ too much (BADTIME).
    ClocksDiffer {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the key.
        key: DomainName,
        /// The greatest difference that a signature allows, in seconds.
        allowed: u16,
        /// How far the primary's clock is ahead of this machine's, in seconds; negative if it is behind, null if the primary
        /// does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ahead: Option<i64>,
    },
    /// The primary refuses the signature for another reason.
    SignatureRefused {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the key.
        key: DomainName,
        /// The number of the TSIG error.
        error: u16,
    },
    /// The response has no signature.
    Unsigned {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the key.
        key: DomainName,
        /// The response code, such as `NOTAUTH`.
        response: Text,
    },
    /// The response has a signature that is not correct.
    NotTrusted {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the key.
        key: DomainName,
        /// The error message.
        detail: Text,
    },
    /// The primary refuses updates of the zone.
    Refused {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the key.
        key: DomainName,
        /// The zone.
        zone: DomainName,
        /// The response code, such as `REFUSED`.
        response: Text,
    },
    /// The primary does not answer for the name with authority.
    NotAuthoritative {
        /// The address and port of the primary.
        #[schema(value_type = String)]
        primary: SocketAddr,
        /// The name of the key.
        key: DomainName,
        /// The queried name.
        name: Text,
        /// The response code, such as `REFUSED`.
        response: Text,
    },
    /// An internal error: a defect of the program, or damaged data.
    Internal {
        /// The error message.
        detail: Text,
    },
    /// The reason in an event that was stored before reasons had codes.
    Text {
        /// The sentence as it was stored.
        text: Text,
    },
}
