//! Kea's file: the service's document with settings that only this machine knows, in the form that this machine's version of
//! Kea reads.
//!
//! The agent's settings come first, so that the beginning of a file shows whether it is written for the running Kea, and the
//! revision comes last. Every value in between is unchanged.

use super::version::Version;
use anyhow::{Context, Result, ensure};
use bootledger_aggregates::values::sha256::Sha256;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The MAC address of the reservation that holds the revision: a locally administered address, which no interface has by
/// default.
pub(crate) const MARK: &str = "02:00:00:00:00:00";

/// The settings that the agent sets.
const OWN: [&str; 5] = ["control-socket", "control-sockets", "hooks-libraries", "server-tag", "reservations"];

/// Settings of client classes that were renamed in 2.7.4. In JSON, a key with its colon never occurs within a text, because
/// quotes in a text are escaped with a backslash.
const RENAMED: [(&str, &str); 2] = [
    ("\"only-if-required\":", "\"only-in-additional-list\":"),
    ("\"require-client-classes\":", "\"evaluate-additional-classes\":"),
];

/// The version and options that a document is written for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    /// The path of the control socket, as in Kea's own configuration.
    pub(crate) socket: &'a Path,
    /// The version of Kea.
    pub(crate) version: Version,
    /// Whether commands change reservations.
    pub(crate) hosts: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ControlSocket<'a> {
    socket_type: &'static str,
    socket_name: &'a Path,
}

impl Form<'_> {
    /// The beginning of every document of this form.
    pub(crate) fn head(&self) -> Result<String> {
        let socket = serde_json::to_string(&ControlSocket { socket_type: "unix", socket_name: self.socket })?;
        let mut head = if self.version.has_control_sockets() {
            format!("{{\"Dhcp4\":{{\n\"control-sockets\":[{socket}],\n")
        } else {
            format!("{{\"Dhcp4\":{{\n\"control-socket\":{socket},\n")
        };
        if self.hosts {
            // Libraries are given by name. Kea finds them in the only folder from which it loads libraries.
            let libraries = ["libdhcp_host_cmds.so", "libdhcp_lease_cmds.so"].map(|name| json!({ "library": name }));
            let _ = writeln!(head, "\"hooks-libraries\":{},", json!(libraries));
        }
        Ok(head)
    }

    /// The service's document with the control socket, which Kea would otherwise close, and with the revision as `server-tag`.
    /// Kea reports this tag at no cost even with 100,000 reservations, and uses it only with a configuration database, which is
    /// never part of the document. If commands change the reservations, they also change a reservation that holds the revision:
    /// see [`hosts`](super::hosts).
    pub(crate) fn document(&self, bytes: &[u8], revision: Sha256) -> Result<Vec<u8>> {
        ensure!(
            !self.hosts || self.version.has_host_commands(),
            "--kea-hosts needs Kea {} or later, the first with host commands of its own; this Kea is {}. Start the agent without \
             it, or upgrade Kea",
            Version::HOST_COMMANDS,
            self.version
        );
        let mut document: BTreeMap<String, BTreeMap<String, &RawValue>> =
            serde_json::from_slice(bytes).context("the service sent something that is not a configuration of Kea")?;
        let server =
            document.remove("Dhcp4").context("the service sent something that is not a configuration of Kea's DHCPv4 server")?;
        ensure!(document.is_empty(), "what the service sent configures more than Kea's DHCPv4 server");
        let mut text = String::with_capacity(bytes.len() + 2048);
        text.push_str(&self.head()?);
        let rename = self.version.has_additional_classes()
            && server.get("client-classes").is_some_and(|classes| classes.get().contains(RENAMED[0].0));
        for (key, value) in server.iter().filter(|(key, _)| !OWN.contains(&key.as_str())) {
            text.push_str(&serde_json::to_string(key)?);
            text.push(':');
            text.push_str(&if rename { renamed(value.get()) } else { Cow::Borrowed(value.get()) });
            text.push_str(",\n");
        }
        if self.hosts {
            let _ = writeln!(text, "\"reservations\":[{}],", mark(&revision.to_string()));
        }
        let _ = write!(text, "\"server-tag\":\"{revision}\"\n}}}}\n");
        Ok(text.into_bytes())
    }
}

/// The reservation that holds the revision of the reservations. It belongs to no client: in this document, Kea looks up
/// reservations of subnets only.
pub(crate) fn mark(revision: &str) -> String {
    json!({ "hw-address": MARK, "user-context": { "bootledger-revision": revision } }).to_string()
}

fn renamed(value: &str) -> Cow<'_, str> {
    let mut value = Cow::Borrowed(value);
    for (old, new) in RENAMED {
        if value.contains(old) {
            value = Cow::Owned(value.replace(old, new));
        }
    }
    value
}
