//! Writes and checks the DHCP files of a site as they would be after a change, before the change is saved. A file that the
//! site's servers rejected would block every deployment there.
//!
//! The catalogue is read first, and the connection is returned: no connection and no lock is held while a checker runs. Only
//! some entries of a large network are written. The rest of the file is what a change of the catalogue can make invalid, while
//! an entry consists of an address, an interface and a name, each of a type that every format accepts.

use super::CommandService;
use super::execute::Failure;
use crate::file_checks::{Checker, Verdict};
use bootledger_aggregates::dhcp_server::{DhcpKind, DhcpServerSpec};
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rules::{BrokenRule, Refused, Rule};
use bootledger_aggregates::site::{BootUrl, SiteSpec};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::dhcp_entries::{self, Filter, SiteEntry};
use bootledger_web::machines::dhcp::configuration::Configuration;
use bootledger_web::machines::dhcp::format::Format;
use std::collections::BTreeMap;

/// The maximum number of entries of a network that are written for the check.
const ENTRIES: i64 = 20;

/// The maximum number of entries of a site that are written for the check.
const ENTRIES_OF_SITE: usize = 500;

/// The maximum number of networks whose entries are looked up, since a network without entries also needs a query.
const NETWORKS: usize = 100;

/// The change that affects the files.
pub(super) enum Change<'a> {
    /// The definition of a site.
    Site(&'a Name, &'a SiteSpec),
    /// The definition of a network.
    Network(&'a Name, &'a NetworkSpec),
    /// The definition of a DHCP server.
    Server(&'a DhcpServerSpec),
}

/// The data of a site from which its files are written.
#[derive(Clone)]
struct Plan {
    name: Name,
    site: SiteSpec,
    networks: BTreeMap<Name, NetworkSpec>,
    entries: Vec<SiteEntry>,
}

impl CommandService {
    /// Refuses a change after which the site's servers would reject a file, with the messages of their checkers.
    pub(super) async fn check_site_files(&self, change: Change<'_>) -> Result<(), Failure> {
        let Some((before, after, kinds)) = self.plans(&change).await? else { return Ok(()) };
        let formats = kinds.clone();
        let written = tokio::task::spawn_blocking(move || {
            let write = |plan: &Plan, kind| Format::of_kind(kind).render(&plan.configuration()?).ok();
            let files = formats.into_iter().filter_map(|kind| {
                // For a file that cannot be written, the rules of the command give a better message.
                let after = write(&after, kind)?;
                let before = before.as_ref().and_then(|before| write(before, kind));
                (before.as_ref() != Some(&after)).then_some((Checker::of(kind), before, after))
            });
            files.collect::<Vec<_>>()
        });
        let files = written.await.map_err(|error| Failure::Other(bootledger_port::CommandError::Internal(error.into())))?;
        let texts: Vec<String> = files.iter().map(|(.., after)| after.clone()).collect();
        let verdicts = self.checkers.judge(files).await;
        let broken = verdicts.into_iter().zip(texts).filter_map(|((checker, verdict), text)| match verdict {
            Verdict::Rejected(words) => Some(rejected(checker, &words, &text)),
            Verdict::Accepted | Verdict::Unchecked(_) => None,
        });
        Ok(Refused::unless_empty(broken.collect())?)
    }

    /// The site before and after the change, and the kinds of its servers that have a checker here; `None` if there is nothing
    /// to check.
    async fn plans(&self, change: &Change<'_>) -> Result<Option<(Option<Plan>, Plan, Vec<DhcpKind>)>, Failure> {
        let name = match change {
            Change::Site(name, _) => *name,
            Change::Network(_, spec) => &spec.site,
            Change::Server(spec) => &spec.site,
        };
        let mut connection = self.views.acquire().await?;
        let servers = catalogue::dhcp_servers_of(&mut connection, name, At::Now).await?;
        let mut kinds: Vec<DhcpKind> =
            servers.iter().filter(|server| !server.retired).map(|server| server.spec.spec.kind).collect();
        if let Change::Server(spec) = change {
            // No server has read a file of this kind before.
            kinds = vec![spec.kind];
        }
        kinds.sort_by_key(|kind| Checker::of(*kind).name());
        kinds.dedup();
        kinds.retain(|kind| self.checkers.has(Checker::of(*kind)));
        if kinds.is_empty() {
            return Ok(None);
        }
        let stored =
            catalogue::site(&mut connection, name, At::Now).await?.filter(|entry| !entry.retired).map(|entry| entry.spec);
        let networks = catalogue::networks(&mut connection, At::Now).await?;
        let networks = networks.into_iter().filter(|entry| !entry.retired && entry.spec.site == *name);
        let networks: BTreeMap<Name, NetworkSpec> = networks.map(|entry| (entry.key, entry.spec)).collect();
        // An unchanged entry was checked when it was saved: loading a catalogue of thousands of entries again checks nothing.
        let stays = match change {
            Change::Site(_, spec) => stored.as_ref() == Some(*spec),
            Change::Network(key, spec) => networks.get(*key) == Some(*spec),
            Change::Server(_) => false,
        };
        if stays {
            return Ok(None);
        }
        let changed = match change {
            Change::Network(key, _) => networks.get_key_value(*key).map(|(key, _)| key),
            Change::Site(..) | Change::Server(_) => None,
        };
        let mut entries = vec![];
        let others = networks.keys().filter(|key| changed != Some(*key));
        for network in changed.into_iter().chain(others).take(NETWORKS) {
            if entries.len() >= ENTRIES_OF_SITE {
                break;
            }
            let filter = Filter { network: Some(network.clone()), ..Filter::default() };
            let found = dhcp_entries::list(&mut connection, &filter, At::Now, ENTRIES).await?;
            // Each entry is written as if it had a live deployment, so that it has everything that a file may contain.
            entries.extend(found.into_iter().map(|entry| SiteEntry {
                ip: entry.ip,
                mac: entry.mac,
                hostname: entry.hostname,
                network: entry.network,
                live: true,
                boot_chain: BootChain::Ipxe,
            }));
        }
        drop(connection);
        let plan = |site: SiteSpec, networks| Plan { name: name.clone(), site, networks, entries: entries.clone() };
        let before = stored.clone().map(|site| plan(site, networks.clone()));
        let after = match (change, stored) {
            (Change::Site(_, spec), _) => plan((*spec).clone(), networks),
            (Change::Network(key, spec), Some(site)) => {
                let mut networks = networks;
                networks.insert((*key).clone(), (*spec).clone());
                plan(site, networks)
            }
            (Change::Server(_), Some(site)) => return Ok(Some((None, plan(site, networks), kinds))),
            (_, None) => return Ok(None),
        };
        Ok(Some((before, after, kinds)))
    }
}

impl Plan {
    fn configuration(&self) -> Option<Configuration> {
        // Only the form of the URL matters to a checker, and the form is the same for every URL.
        let base_url: BootUrl = "http://192.0.2.1:8080".parse().ok()?;
        let networks = self.networks.iter().map(|(name, spec)| (name.clone(), spec.clone()));
        Some(Configuration::new(self.name.clone(), &self.site, &base_url, networks, self.entries.clone()))
    }
}

/// The message about a rejected file: the checker's message, and the line that it refers to.
fn rejected(checker: Checker, words: &str, text: &str) -> BrokenRule {
    let line = line_of(words).and_then(|number| text.lines().nth(number.checked_sub(1)?)).map(str::trim);
    let line =
        line.filter(|line| !line.is_empty()).map(|line| format!(" The line is: {}", line.chars().take(200).collect::<String>()));
    let message = format!(
        "with this change, {} would reject the site's file: {words}.{} Nothing was saved; the servers keep their current file",
        checker.name(),
        line.unwrap_or_default()
    );
    BrokenRule::new("", Rule::DhcpFileRejected, message)
}

/// The line number in a checker's message: `line 7`, or `the file:7`.
fn line_of(words: &str) -> Option<usize> {
    ["the file:", "line "].iter().find_map(|mark| {
        let rest = words.split_once(mark)?.1;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_the_line_that_the_checker_means() {
        let text = "one\n  two;\nthree";
        for words in ["the file line 2: unknown option", "bad option at line 2 of the file", "syntax error (the file:2:14)"] {
            let message = rejected(Checker::Isc, words, text).message;
            assert!(message.contains(&format!("reject the site's file: {words}. The line is: two;")), "{message}");
        }
        assert!(!rejected(Checker::Kea, "no line here", text).message.contains("The line is"));
        assert!(!rejected(Checker::Kea, "line 0", text).message.contains("The line is"));
    }
}
