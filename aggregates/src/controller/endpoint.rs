//! The endpoints of a management controller. Only one device can have an endpoint.

use super::host::{BasePath, Host};
use super::management::{Management, ManagementProtocol};
use crate::values::ParseError;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// The most addresses of one host name that are claimed, so that no other device uses them.
const MOST_ADDRESSES: usize = 16;

/// The target of a power order: a controller and, if it manages several servers, one of them. Two devices with the same
/// endpoint would switch each other's server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// The controller: its host, its port unless it is a usual one, and its path.
    base: String,
    /// The system's id, in lower case.
    system: Option<String>,
}

impl Endpoint {
    /// The controller, without the system.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The controller at the usual ports of a host.
    pub fn usual(host: &Host) -> Self {
        Self { base: host.in_url(), system: None }
    }

    /// Whether an order to one endpoint may reach the server of the other. A device that names no system uses any system of the
    /// controller.
    pub fn clashes(&self, other: &Self) -> bool {
        let apart = self.system.is_some() && other.system.is_some() && self.system != other.system;
        self.base == other.base && !apart
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        self.system.as_ref().map_or(Ok(()), |system| write!(f, "#{system}"))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(match text.split_once('#') {
            Some((base, system)) => Self { base: base.to_owned(), system: Some(system.to_owned()) },
            None => Self { base: text, system: None },
        })
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl Management {
    /// The endpoints that an order to this controller may reach: at its host, and at the addresses that a host name resolves
    /// to. Controllers serve IPMI and Redfish at their usual ports, so a host with usual ports is one controller with either
    /// protocol. Any other port may be forwarded to another controller.
    pub fn endpoints(&self, addresses: &[IpAddr]) -> Vec<Endpoint> {
        let redfish = self.protocol == ManagementProtocol::Redfish;
        let port = self.port();
        let usual = if redfish { matches!(port, 80 | 443) } else { port == 623 };
        let path = self.access.path.as_ref().filter(|_| redfish).map(BasePath::as_str).unwrap_or_default();
        // If the operator copied a whole link, the system is its last segment.
        let last = |system: &Text| system.as_str().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
        let system = self.access.system.as_ref().filter(|_| redfish).map(last).filter(|system| !system.is_empty());
        let resolved = addresses.iter().take(MOST_ADDRESSES).map(|address| Host::from(*address));
        let mut hosts: Vec<Host> = std::iter::once(self.address.clone()).chain(resolved).collect();
        hosts.sort();
        hosts.dedup();
        let endpoint = |host: Host| {
            let host = host.in_url();
            let base = match (usual, redfish) {
                (true, _) => format!("{host}{path}"),
                (false, true) => format!("{host}:{port}{path}"),
                (false, false) => format!("ipmi://{host}:{port}"),
            };
            Endpoint { base, system: system.clone() }
        };
        hosts.into_iter().map(endpoint).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::management::Access;
    use serde_json::json;

    fn management(value: serde_json::Value) -> Management {
        serde_json::from_value(value).expect("a controller")
    }

    #[test]
    fn devices_clash_where_an_order_to_one_may_reach_the_server_of_the_other() {
        let named = json!({"address": "bmc1.example", "protocol": "redfish"});
        for (clash, one, other) in [
            (true, json!({"address": "10.0.9.1"}), json!({"address": "::ffff:10.0.9.1"})),
            (true, json!({"address": "10.0.9.1"}), json!({"address": "10.0.9.1", "protocol": "redfish"})),
            (true, json!({"address": "10.0.9.1"}), json!({"address": "10.0.9.1", "port": 623})),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "tls": "off"}),
            ),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "1"}),
            ),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "A"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "a"}),
            ),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "A"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "/redfish/v1/Systems/A/"}),
            ),
            (
                true,
                json!({"address": "10.0.9.1", "protocol": "redfish", "port": 8443}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "port": 8443, "tls": "off"}),
            ),
            (true, named.clone(), json!({"address": "BMC1.example."})),
            (true, named.clone(), json!({"address": "10.0.9.7"})),
            (true, json!({"address": "FD00::1"}), json!({"address": "[fd00:0::1]", "protocol": "redfish"})),
            (false, json!({"address": "10.0.9.1"}), json!({"address": "10.0.9.2"})),
            (false, named, json!({"address": "10.0.9.8"})),
            (
                false,
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "A"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "system": "B"}),
            ),
            (false, json!({"address": "10.0.9.1", "port": 6230}), json!({"address": "10.0.9.1", "port": 6231})),
            (
                false,
                json!({"address": "10.0.9.1", "port": 8443}),
                json!({"address": "10.0.9.1", "port": 8443, "protocol": "redfish"}),
            ),
            (
                false,
                json!({"address": "10.0.9.1", "protocol": "redfish", "path": "/n1"}),
                json!({"address": "10.0.9.1", "protocol": "redfish", "path": "/n2"}),
            ),
        ] {
            let resolved = |management: &Management| -> Vec<IpAddr> {
                if management.address.address().is_some() { vec![] } else { vec![[10, 0, 9, 7].into()] }
            };
            let (one, other) = (management(one), management(other));
            let (first, second) = (one.endpoints(&resolved(&one)), other.endpoints(&resolved(&other)));
            let clashes = first.iter().any(|one| second.iter().any(|other| one.clashes(other)));
            assert_eq!(clashes, clash, "{first:?} and {second:?}");
        }
    }

    #[test]
    fn an_endpoint_is_stored_as_text() {
        let management =
            management(json!({"address": "fd00::1", "protocol": "redfish", "port": 8443, "path": "/n1", "system": "Blade#1"}));
        let [endpoint] = &management.endpoints(&[])[..] else { panic!("one endpoint") };
        assert_eq!(endpoint.to_string(), "[fd00::1]:8443/n1#blade#1");
        assert_eq!(endpoint.base(), "[fd00::1]:8443/n1");
        assert_eq!(Endpoint::try_from(endpoint.to_string()).as_ref(), Ok(endpoint));
        assert_eq!(management.access, Access { path: Some("/n1".parse().expect("a path")), ..management.access.clone() });
    }
}
