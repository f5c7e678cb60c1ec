//! A small data centre whose commands go to the real aggregates, so that the accepted commands are a history that could have
//! happened.
//!
//! It plays the part of the application: it looks up the facts that the rules need, and keeps the claims.

mod catalogue;
mod deployments;
mod devices;
mod installer;
mod outside;
mod people;
mod samples;

pub(crate) use samples::{
    confirm, create_token, define_server, deployment_id, device_id, image_spec, mac, network_spec, put_file, rack, sha,
    site_spec, v, webhook_spec,
};

use crate::history::{Written, beginning, written};
use bootledger_aggregates::boot_image::{BootImage, FileKind};
use bootledger_aggregates::claims::{Claim, ClaimChange, Holder};
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::event::DeploymentStarted;
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::deployment::start::DeviceFacts;
use bootledger_aggregates::device::Device;
use bootledger_aggregates::dhcp_server::DhcpServer;
use bootledger_aggregates::drift::{Drift, DriftKey};
use bootledger_aggregates::event::Event;
use bootledger_aggregates::network::Network;
use bootledger_aggregates::rack::{Rack, RackCommand};
use bootledger_aggregates::reservation::Reservation;
use bootledger_aggregates::saved_view::SavedView;
use bootledger_aggregates::secret::Secret;
use bootledger_aggregates::session::Session;
use bootledger_aggregates::site::{Site, SiteCommand};
use bootledger_aggregates::token::Token;
use bootledger_aggregates::user::User;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, SavedViewId, SessionId, TokenId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::venture::{Venture, VentureSpec};
use bootledger_aggregates::webhook::Webhook;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The data centre.
#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) log: Vec<Written>,
    pub(crate) claims: BTreeMap<Claim, Holder>,
    /// A plan to use instead of the standard one.
    pub(crate) plan: Option<Plan>,
    second: i64,
    /// Each device, with what the start of a deployment needs to know of it.
    devices: BTreeMap<DeviceId, (Device, DeviceFacts)>,
    deployments: BTreeMap<DeploymentId, (Deployment, Option<DeploymentStarted>, Vec<Name>)>,
    servers: BTreeMap<Name, DhcpServer>,
    networks: BTreeMap<Name, Network>,
    sites: BTreeMap<Name, Site>,
    racks: BTreeMap<Name, Rack>,
    ventures: BTreeMap<Name, Venture>,
    images: BTreeMap<Name, BootImage>,
    tokens: BTreeMap<TokenId, Token>,
    users: BTreeMap<Name, User>,
    sessions: BTreeMap<SessionId, Session>,
    drifts: BTreeMap<DriftKey, Drift>,
    webhooks: BTreeMap<Name, Webhook>,
    secrets: BTreeMap<Name, Secret>,
    reservations: BTreeMap<Ipv4Addr, Reservation>,
    saved_views: BTreeMap<SavedViewId, SavedView>,
}

impl Fixture {
    /// Two sites with a network each, a DHCP server, a venture with two roles and an image.
    pub(crate) fn furnished() -> Self {
        let mut fixture = Self::default();
        for site in ["dc1", "dc2"] {
            fixture.site(
                site,
                SiteCommand::DefineSite {
                    spec: Box::new(site_spec(site, "")),
                    secret_problem: None,
                    setting_secrets: BTreeMap::new(),
                    zones: bootledger_aggregates::site::rules::ZoneFacts::default(),
                },
            );
            fixture.define_network(&format!("{site}-prod"), site);
        }
        fixture.rack("r1", RackCommand::DefineRack { spec: rack("dc1", 42), site_exists: true });
        fixture.server("kea-1", define_server("dc1"));
        fixture.define_shop(VentureSpec::default());
        fixture.define_role("web");
        fixture.define_role("db");
        fixture.define_image(image_spec("", 1, false));
        fixture.image("debian-12", put_file("boot.ipxe", FileKind::BootIpxe, 1));
        fixture
    }

    /// Takes the events of one command, all with the same time.
    fn accept(&mut self, actor: &str, events: Vec<Event>) {
        self.second += 1;
        for event in events {
            let changes = event.claims();
            for change in &changes {
                match change {
                    ClaimChange::Release(claim, holder) if self.claims.get(claim) == Some(holder) => {
                        self.claims.remove(claim);
                    }
                    ClaimChange::ReleaseAll(holder) => self.claims.retain(|_, by| by != holder),
                    _ => {}
                }
            }
            for change in changes {
                if let ClaimChange::Take(claim, holder) = change {
                    self.claims.insert(claim, holder);
                }
            }
            self.log.push(written(&event, actor, self.second));
        }
    }

    /// Appends an event that no version of the program can read.
    pub(crate) fn damage(&mut self, device: u8) {
        let (aggregate_type, aggregate_id) = ("device", device_id(device).to_string());
        let payload = r#"{"type":"DeviceTeleported"}"#.to_owned();
        let event_type = "DeviceTeleported".to_owned();
        let actor = "token ops".to_owned();
        self.log.push(Written { aggregate_type, aggregate_id, event_type, payload, actor, second: self.second });
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(beginning()).plus_seconds(self.second)
    }

    pub(crate) fn holder(&self, claim: &Claim) -> Option<Holder> {
        self.claims.get(claim).copied()
    }

    fn holders(&self, claims: impl IntoIterator<Item = Claim>) -> Vec<(Claim, Holder)> {
        claims.into_iter().filter_map(|claim| self.holder(&claim).map(|holder| (claim, holder))).collect()
    }

    /// The device's live deployment.
    pub(crate) fn live(&self, device: DeviceId) -> Option<DeploymentId> {
        match self.holder(&Claim::Deployment(device)) {
            Some(Holder::Deployment(id)) => Some(id),
            _ => None,
        }
    }
}
