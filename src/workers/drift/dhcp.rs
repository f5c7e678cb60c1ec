//! Compares what a site's DHCP servers have confirmed with the expected configuration.

use super::Checker;
use super::memory::Remembered;
use super::site::Look;
use crate::workers::dns::drift::Seen;
use bootledger_aggregates::drift::{Difference, DriftKey, Nature, Subject};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::database::log;
use bootledger_projections::questions::repeats::{self, LeftOut};
use bootledger_projections::questions::strays::{self, Stray};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Confirmed, DhcpServerView};
use bootledger_projections::rows::dhcp_sites;
use bootledger_web::machines::dhcp::held;
use std::sync::PoisonError;
use time::{Duration, OffsetDateTime};

/// How long a server may take to confirm a change, and an agent to respond to a requested repair.
const GRACE: Duration = Duration::seconds(60);

impl Checker {
    pub(super) async fn dhcp(&self, look: &mut Look, whole: bool) -> anyhow::Result<()> {
        let views = &self.commands.views;
        let changed = dhcp_sites::changed_at(views, &look.site).await?;
        let changed_at = log::recorded_at(views, changed).await?.map(|at| at.0);
        let strays = strays::list(views, Some(&look.site), At::Now).await?;
        let repeated = repeats::list(views, Some(&look.site)).await?;
        let mut seen = vec![];
        for server in catalogue::dhcp_servers_of(views, &look.site, At::Now).await? {
            let key = DriftKey { site: look.site.clone(), subject: Subject::Dhcp { server: server.key.clone() } };
            let ordered = look.ordered_at(&key);
            if !whole && ordered.is_none() {
                continue;
            }
            let view = &server.spec;
            let reported =
                view.confirmed.iter().map(|confirmed| confirmed.at).chain(view.failing.iter().map(|failing| failing.at)).max();
            let found = match ordered {
                Some(at) if reported.is_none_or(|reported| reported < at) => {
                    if self.now() - at.0 < GRACE {
                        Seen::Changing
                    } else {
                        let seconds = GRACE.whole_seconds();
                        let advice = "check on its machine that `bootledger dhcp-agent` runs there and reaches this service";
                        Seen::Unseen(format!(
                            "the agent of DHCP server {} sent no report within {seconds} s; {advice}",
                            server.key
                        ))
                    }
                }
                _ => match self.server(&server.key, view, &look.site, changed, changed_at).await? {
                    Seen::Same | Seen::Changing if !strays.is_empty() => held_back(&server.key, &strays),
                    // The server cannot confirm a configuration that the service withholds.
                    Seen::Differs(Difference { nature: Nature::Behind, .. }) if !strays.is_empty() => {
                        held_back(&server.key, &strays)
                    }
                    Seen::Same if !repeated.is_empty() => left_out(&server.key, &repeated),
                    other => other,
                },
            };
            seen.push((key, found));
        }
        self.record(look, seen).await
    }

    async fn server(
        &self,
        name: &Name,
        view: &DhcpServerView,
        site: &Name,
        changed: i64,
        changed_at: Option<OffsetDateTime>,
    ) -> anyhow::Result<Seen> {
        let differs = |nature, expected: Option<Sha256>, message: String| {
            let found = view.confirmed.iter().map(|confirmed| Text::fitted(&confirmed.revision.to_string())).collect();
            let expected = expected.iter().map(|revision| Text::fitted(&revision.to_string())).collect();
            Seen::Differs(Difference {
                nature,
                server: Text::fitted(name.as_str()),
                expected,
                found,
                message: Text::fitted(&message),
            })
        };
        if let Some(failing) = &view.failing {
            let message = format!("cannot use its configuration and keeps the old one: {}", failing.message);
            return Ok(differs(Nature::Failing, failing.revision, message));
        }
        let Some(Confirmed { revision, position, .. }) = view.confirmed else {
            let message = "has never confirmed a configuration; start `bootledger dhcp-agent` on its machine";
            return Ok(differs(Nature::Unconfirmed, None, message.to_owned()));
        };
        let mut known = self.remembered(name, position);
        if position < changed {
            let since = *known.behind_since.get_or_insert(self.now());
            self.remember(name, known);
            let overdue = |since: OffsetDateTime| self.now() - since > GRACE;
            if changed_at.is_some_and(overdue) || overdue(since) {
                let message = format!(
                    "has confirmed nothing since position {position}, although its configuration may have changed; check on its \
                     machine that `bootledger dhcp-agent` runs there and reaches this service"
                );
                return Ok(differs(Nature::Behind, None, message));
            }
            return Ok(Seen::Changing);
        }
        if known.right.is_none() {
            known.right = held::revision_at(&self.application, site, view.spec.kind, position).await?;
        }
        let right = known.right;
        self.remember(name, known);
        if let Some(right) = right
            && right != revision
        {
            let message = format!("reports revision {revision}, but the expected revision at position {position} is {right}");
            return Ok(differs(Nature::OtherRevision, Some(right), message));
        }
        Ok(Seen::Same)
    }

    fn remembered(&self, server: &Name, position: i64) -> Remembered {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let known = memory.get(server).filter(|known| known.position == position).cloned();
        known.unwrap_or(Remembered { position, behind_since: None, right: None })
    }

    fn remember(&self, server: &Name, known: Remembered) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).insert(server.clone(), known);
    }
}

/// The difference of a server whose site has entries that no network serves.
fn held_back(server: &Name, strays: &[Stray]) -> Seen {
    let problem = strays.first().map(|stray| stray.problem.as_str()).unwrap_or_default();
    let message =
        format!("does not get the current configuration, which has no network for {}: {problem}", strays::named(strays));
    let expected = strays.iter().take(10).map(|stray| Text::fitted(&stray.named())).collect();
    let (server, message) = (Text::fitted(server.as_str()), Text::fitted(&message));
    Seen::Differs(Difference { nature: Nature::HeldBack, server, expected, found: vec![], message })
}

/// The difference of a server whose site has entries that repeat an interface or an address.
fn left_out(server: &Name, left_out: &[LeftOut]) -> Seen {
    let problem = left_out.first().map(|entry| entry.problem.as_str()).unwrap_or_default();
    let message = format!("does not get {}: {problem}", repeats::named(left_out));
    let expected = left_out.iter().take(10).map(|entry| Text::fitted(&entry.named())).collect();
    let (server, message) = (Text::fitted(server.as_str()), Text::fitted(&message));
    Seen::Differs(Difference { nature: Nature::HeldBack, server, expected, found: vec![], message })
}
