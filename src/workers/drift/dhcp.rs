//! Compares what a site's DHCP servers have confirmed with the expected configuration.

use super::Checker;
use super::memory::Remembered;
use super::site::Look;
use crate::workers::dns::drift::Seen;
use bootledger_aggregates::drift::{Difference, DifferenceKind, DriftKey, DriftProblem, Subject};
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
use std::net::Ipv4Addr;
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
                        let seconds = GRACE.whole_seconds().unsigned_abs();
                        Seen::Unseen(DriftProblem::NoReport { server: server.key.clone(), seconds })
                    }
                }
                _ => match self.server(&server.key, view, &look.site, changed, changed_at).await? {
                    Seen::Same | Seen::Changing if !strays.is_empty() => held_back(&server.key, &strays),
                    // The server cannot confirm a configuration that the service withholds.
                    Seen::Differs(Difference { kind: DifferenceKind::Behind { .. }, .. }) if !strays.is_empty() => {
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
        let differs = |kind, expected: Option<Sha256>| {
            let found = view.confirmed.iter().map(|confirmed| Text::fitted(&confirmed.revision.to_string())).collect();
            let expected = expected.iter().map(|revision| Text::fitted(&revision.to_string())).collect();
            Seen::Differs(Difference { kind, server: Text::fitted(name.as_str()), expected, found })
        };
        if let Some(failing) = &view.failing {
            return Ok(differs(DifferenceKind::Failing { error: failing.message.clone() }, failing.revision));
        }
        let Some(Confirmed { revision, position, .. }) = view.confirmed else {
            return Ok(differs(DifferenceKind::Unconfirmed {}, None));
        };
        let mut known = self.remembered(name, position);
        if position < changed {
            let since = *known.behind_since.get_or_insert(self.now());
            self.remember(name, known);
            let overdue = |since: OffsetDateTime| self.now() - since > GRACE;
            if changed_at.is_some_and(overdue) || overdue(since) {
                return Ok(differs(DifferenceKind::Behind { position }, None));
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
            return Ok(differs(DifferenceKind::OtherRevision { position }, Some(right)));
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
    let kind = strays::held_back(strays).map(|held_back| DifferenceKind::HeldBack { held_back });
    without(server, kind, strays.iter().map(|stray| stray.ip))
}

/// The difference of a server whose site has entries that repeat an interface or an address.
fn left_out(server: &Name, left_out: &[LeftOut]) -> Seen {
    let kind = repeats::repeated(left_out).map(|repeated| DifferenceKind::Repeated { repeated });
    without(server, kind, left_out.iter().map(|entry| entry.ip))
}

/// The difference of a server that does not get the entries with these addresses.
fn without(server: &Name, kind: Option<DifferenceKind>, addresses: impl Iterator<Item = Ipv4Addr>) -> Seen {
    let Some(kind) = kind else { return Seen::Same };
    let expected = addresses.take(10).map(|address| Text::fitted(&address.to_string())).collect();
    Seen::Differs(Difference { kind, server: Text::fitted(server.as_str()), expected, found: vec![] })
}
