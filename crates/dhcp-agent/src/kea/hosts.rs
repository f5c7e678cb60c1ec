//! Host commands (Kea Administrator Reference Manual, "Host Commands"): they change single reservations of a running Kea. A
//! command takes less than a millisecond, while reading a file of 100,000 reservations takes seconds in which no client is
//! served.
//!
//! The commands change the configuration in memory (`operation-target`: `memory`), so no host database is needed. Kea has no
//! revision for that configuration, so a reservation that belongs to no client holds it: this reservation says that there is no
//! revision while commands are in progress, and has the new one only after the last of them. A lease would keep an address from
//! its new owner, so it is deleted with its reservation, just as all leases are deleted when Kea reads its file.

use super::changes::{self, Changes, Host};
use super::document::{MARK, mark};
use super::{Failure, Kea};
use crate::command;
use bootledger_aggregates::values::sha256::Sha256;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// The value in that reservation while commands are in progress.
const CHANGING: &str = "changing";

/// How many reservations one command returns: some milliseconds in which Kea serves no client.
const PAGE: usize = 500;

/// How long to wait before all reservations are compared again, plus a time for each of them.
const COMPARED: Duration = Duration::from_secs(15);
const COMPARED_EACH: Duration = Duration::from_millis(6);

/// How many differences are named in a message.
const NAMED: usize = 3;

/// A page of Kea's reservations.
#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    hosts: Vec<Reservation>,
    next: Option<Next>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Next {
    from: u64,
    source_index: u64,
}

/// The parts of a reservation that are compared. Kea writes the values of options in its own form, so only their names are
/// compared.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
struct Reservation {
    #[serde(default)]
    hw_address: String,
    #[serde(default)]
    ip_address: Option<Ipv4Addr>,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    client_classes: Vec<String>,
    #[serde(default)]
    option_data: Vec<OptionName>,
    #[serde(default)]
    subnet_id: u32,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct OptionName {
    name: String,
}

impl Kea {
    /// Makes these changes, after which Kea runs this revision. The error says why some were not made: then it is unknown what
    /// Kea runs, and its mark says so.
    pub(crate) async fn change(&self, changes: &Changes<'_>, revision: Sha256) -> Result<(), String> {
        self.set_mark(CHANGING).await?;
        for host in &changes.deleted {
            let host = json!({ "subnet-id": host.subnet, "identifier-type": "hw-address", "identifier": host.mac, "operation-target": "memory" });
            self.send_command("reservation-del", Some(&*raw(&host)?)).await?;
        }
        for (command, hosts) in [("reservation-add", &changes.added), ("reservation-update", &changes.updated)] {
            for host in hosts {
                self.send_command(command, Some(&*reservation(host)?)).await?;
            }
        }
        let touched = changes.deleted.iter().chain(&changes.added).chain(&changes.updated);
        let addresses: HashSet<Ipv4Addr> = touched.filter_map(Host::address).collect();
        for address in addresses {
            self.send_accepting("lease4-del", Some(&*raw(&json!({ "ip-address": address }))?), &[0, 3]).await?;
        }
        self.set_mark(&revision.to_string()).await
    }

    /// The revision in the mark; empty if there is no mark.
    pub(crate) async fn mark(&self) -> Result<String, Failure> {
        let which = json!({ "subnet-id": 0, "identifier-type": "hw-address", "identifier": MARK, "operation-target": "memory" });
        // A Kea without the library does not know the command and returns result 2.
        let answer = self.send_accepting("reservation-get", Some(&*raw(&which)?), &[0, 2, 3]).await?;
        Ok(answer.arguments["user-context"]["bootledger-revision"].as_str().unwrap_or_default().to_owned())
    }

    async fn set_mark(&self, revision: &str) -> Result<(), String> {
        let mark: Box<RawValue> =
            serde_json::from_str(&format!("{{\"subnet-id\":0,{}", &mark(revision)[1..])).map_err(|error| unwritable(&error))?;
        let arguments = raw(&json!({ "reservation": mark, "operation-target": "memory" }))?;
        Ok(self.send_command("reservation-update", Some(&*arguments)).await.map(drop)?)
    }

    /// Compares Kea's reservations with those of the document that it loaded, if a comparison is due. The error names the first
    /// differences. If Kea does not respond, that is not a difference, and the result is success.
    pub(crate) async fn compare(&self) -> Result<(), String> {
        let Some(served) = self.served().filter(|served| served.compare_at <= tokio::time::Instant::now()) else { return Ok(()) };
        // A document of a different form cannot be compared, and commands never change it.
        let Some(wanted) = changes::hosts(&served.text) else { return Ok(()) };
        let differences = match self.differences(&wanted).await {
            Ok(differences) => differences,
            Err(error) => {
                tracing::debug!(error, "Kea's reservations could not be compared");
                self.compare_later(COMPARED);
                return Ok(());
            }
        };
        if differences.is_some() {
            // The next check verifies the difference.
            return differences.map_or(Ok(()), Err);
        }
        self.compare_later(COMPARED + COMPARED_EACH * u32::try_from(wanted.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    /// The differences; `None` if there are none. The error is why Kea's reservations are not known.
    async fn differences(&self, wanted: &HashMap<(u32, &str), Host<'_>>) -> Result<Option<String>, String> {
        let (mut seen, mut others) = (0, vec![]);
        let mut page = json!({ "limit": PAGE, "operation-target": "memory" });
        loop {
            let answer = self.send_accepting("reservation-get-page", Some(&*raw(&page)?), &[0, 3]).await?;
            if answer.result == 3 {
                break;
            }
            let read: Page = serde_json::from_value(answer.arguments)
                .map_err(|error| format!("Kea lists its reservations in an unknown format: {error}"))?;
            for is in read.hosts.iter().filter(|host| host.subnet_id != 0) {
                let mac = is.hw_address.as_str();
                let Some(host) = wanted.get(&(is.subnet_id, mac)) else {
                    others.push(format!("{mac} was added"));
                    continue;
                };
                seen += 1;
                let mut should = serde_json::from_str::<Reservation>(host.text).map_err(|error| unwritable(&error))?;
                should.subnet_id = is.subnet_id;
                if should != *is {
                    others.push(format!("{mac} was changed"));
                }
            }
            let Some(next) = read.next.filter(|_| !read.hosts.is_empty()) else { break };
            page = json!({ "limit": PAGE, "operation-target": "memory", "from": next.from, "source-index": next.source_index });
        }
        let missing = wanted.len().saturating_sub(seen);
        if others.is_empty() && missing == 0 {
            return Ok(None);
        }
        let count = others.len();
        others.truncate(NAMED);
        let named = if count == 0 { String::new() } else { format!(": {}", others.join(", ")) };
        Ok(Some(command::fitted(&format!(
            "Kea's reservations differ from those that the agent wrote: {missing} are missing, {count} were changed or added{named}. \
             Another program may have changed them"
        ))))
    }
}

fn unwritable(error: &serde_json::Error) -> String {
    format!("a command cannot be written: {error}")
}

fn raw(value: &serde_json::Value) -> Result<Box<RawValue>, String> {
    to_raw_value(value).map_err(|error| unwritable(&error))
}

/// The arguments that add or update a reservation: the service's own line, with the subnet's number.
fn reservation(host: &Host<'_>) -> Result<Box<RawValue>, String> {
    let rest = host.text.strip_prefix('{').unwrap_or(host.text);
    let text = format!("{{\"reservation\":{{\"subnet-id\":{},{rest},\"operation-target\":\"memory\"}}", host.subnet);
    serde_json::from_str(&text).map_err(|error| unwritable(&error))
}
