//! A small data centre whose commands go to the real aggregates, so that the accepted commands are a history that could have
//! happened.
//!
//! It plays the part of the application: it looks up the facts that the rules need, and keeps the claims.

mod installer;
mod outside;
mod people;
mod samples;

pub(crate) use samples::{
    confirm, create_token, define_server, deployment_id, device_id, image_spec, mac, network_spec, put_file, rack, sha,
    site_spec, v, webhook_spec,
};

use crate::history::{Written, beginning, written};
use bootledger_aggregates::boot_image::{BootImage, BootImageCommand, BootImageSpec, FileKind};
use bootledger_aggregates::claims::{Claim, ClaimChange, Holder};
use bootledger_aggregates::deployment::Deployment;
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::{DeploymentEvent, DeploymentStarted, DoneBy, Limits, Stage};
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::deployment::start::{BootImageFacts, DeviceFacts, StartDeployment, StartFacts};
use bootledger_aggregates::device::Device;
use bootledger_aggregates::device::clean::Keeps;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::{DeviceEvent, DeviceKind, DhcpEntry, DnsEntry, Management, ManagementProtocol};
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::device::management::Access;
use bootledger_aggregates::device::register::{DeviceChange, DeviceSpec, RegisterFacts};
use bootledger_aggregates::dhcp_server::{DhcpServer, DhcpServerCommand};
use bootledger_aggregates::drift::{Drift, DriftKey};
use bootledger_aggregates::event::Event;
use bootledger_aggregates::network::{Network, NetworkCommand, NetworkSpec};
use bootledger_aggregates::rack::{Rack, RackCommand};
use bootledger_aggregates::rules::Refused;
use bootledger_aggregates::secret::{Secret, SecretCommand};
use bootledger_aggregates::session::Session;
use bootledger_aggregates::settings::{Resolution, Resolved, ResolvedSettings};
use bootledger_aggregates::site::{Site, SiteCommand};
use bootledger_aggregates::token::{Token, TokenCommand};
use bootledger_aggregates::user::{User, UserCommand};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, SessionId, TokenId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::{SettingValue, Settings};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::venture::{RoleSpec, Venture, VentureCommand, VentureSpec};
use bootledger_aggregates::webhook::{Webhook, WebhookCommand};
use cqrs_es::Aggregate;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// The data centre.
#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) log: Vec<Written>,
    pub(crate) claims: BTreeMap<Claim, Holder>,
    /// A plan to use instead of the standard one.
    pub(crate) plan: Option<Plan>,
    second: i64,
    devices: BTreeMap<DeviceId, (Device, View)>,
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
}

/// What the start of a deployment needs to know of a device.
#[derive(Default)]
struct View {
    facts: DeviceFacts,
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
                    setting_secrets: std::collections::BTreeMap::new(),
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

    pub(crate) fn device(&mut self, id: DeviceId, command: DeviceCommand) -> Result<(), Refused> {
        let (device, view) = self.devices.entry(id).or_default();
        let events = device.decide(command)?;
        for event in &events {
            device.apply(event.clone());
            match event {
                DeviceEvent::DeviceRegistered(spec) => {
                    view.facts = DeviceFacts { site: Some(spec.site.clone()), macs: spec.macs.clone(), ..DeviceFacts::default() };
                }
                DeviceEvent::DeviceChanged(change) => {
                    view.facts.site = change.site.clone().or(view.facts.site.take());
                    view.facts.macs.extend(&change.macs_added);
                    view.facts.macs.retain(|mac| !change.macs_removed.contains(mac));
                }
                DeviceEvent::DeviceVerified {} => view.facts.verified = true,
                DeviceEvent::DeviceUnverified {} => view.facts.verified = false,
                DeviceEvent::DeviceDecommissioned { .. } => view.facts.decommissioned = true,
                _ => {}
            }
        }
        self.accept("token ops", events.into_iter().map(|event| Event::Device(id, event)).collect());
        Ok(())
    }

    pub(crate) fn register(&mut self, n: u8, site: &str) -> Result<(), Refused> {
        let id = device_id(n);
        let spec = DeviceSpec {
            kind: DeviceKind::default(),
            name: v(&format!("server {n}")),
            serial: Some(v(&format!("SN{n}"))),
            asset: None,
            site: v(site),
            rack: (n.is_multiple_of(2) && site == "dc1").then(|| v("r1")),
            position: None,
            macs: vec![mac(n), mac(n + 100)],
            management: Some(Management {
                address: Ipv4Addr::new(10, 0, 9, n).into(),
                protocol: ManagementProtocol::Redfish,
                credentials: Some(v("bmc")),
                access: Access { port: n.is_multiple_of(2).then_some(8443), ..Access::default() },
            }),
            parent: None,
            settings: own_settings(n),
            endpoints: vec![],
        };
        let held = self.holders([Claim::Mac(mac(n)), Claim::Mac(mac(n + 100)), Claim::Serial(v(&format!("SN{n}")))]);
        let endpoints = spec.management.as_ref().map(|management| management.endpoints(&[])).unwrap_or_default();
        let facts =
            RegisterFacts { site_exists: true, rack_exists: true, held, device: id, endpoints, ..RegisterFacts::default() };
        self.device(id, DeviceCommand::RegisterDevice { spec: Box::new(spec), facts })?;
        let (venture, role) = (Some(v("shop")), Some(v("web")));
        self.change(n, DeviceChange { venture, role, ..DeviceChange::default() })?;
        self.device(id, DeviceCommand::VerifyDevice)
    }

    pub(crate) fn change(&mut self, n: u8, change: DeviceChange) -> Result<(), Refused> {
        let id = device_id(n);
        let serial = change.serial.iter().cloned().map(Claim::Serial);
        let held = self.holders(serial.chain(change.macs.iter().flatten().copied().map(Claim::Mac)));
        let deploying =
            self.live(id).and_then(|live| self.started(live)).map(|started| started.assignment.mac).into_iter().collect();
        let endpoints = change.management.as_ref().map(|management| management.endpoints(&[])).unwrap_or_default();
        let facts = RegisterFacts {
            site_exists: true,
            rack_exists: true,
            held,
            device: id,
            deploying,
            endpoints,
            ..RegisterFacts::default()
        };
        self.device(id, DeviceCommand::ChangeDevice { change: Box::new(change), facts })
    }

    pub(crate) fn record(&mut self, n: u8, facts: Facts) -> Result<(), Refused> {
        let id = device_id(n);
        let ips = facts.addresses.iter().flatten().copied().chain(facts.dhcp_entries.iter().flatten().map(|entry| entry.ip));
        let names = facts.dns_entries.iter().flatten().map(|entry| Claim::Hostname(entry.hostname.clone()));
        let mut held = self.holders(ips.map(Claim::Ip).chain(names));
        held.retain(|(_, holder)| *holder != Holder::Device(id));
        let live = self.live(id);
        self.device(id, DeviceCommand::RecordFacts { facts: Box::new(facts), held, live })
    }

    fn started(&self, id: DeploymentId) -> Option<&DeploymentStarted> {
        self.deployments.get(&id)?.1.as_ref()
    }

    pub(crate) fn deployment(&mut self, id: DeploymentId, actor: &str, command: DeploymentCommand) -> Result<(), Refused> {
        let (deployment, started, succeeded) = self.deployments.entry(id).or_default();
        let events = deployment.decide(command)?;
        for event in &events {
            deployment.apply(event.clone());
            match event {
                DeploymentEvent::DeploymentStarted(begun) => *started = Some((**begun).clone()),
                DeploymentEvent::PluginSucceeded { plugin } => succeeded.push(plugin.clone()),
                _ => {}
            }
        }
        self.accept(actor, events.into_iter().map(|event| Event::Deployment(id, event)).collect());
        Ok(())
    }

    /// Starts a deployment of device `n` to `10.x.0.ip` as `h{name}`.
    pub(crate) fn start(&mut self, id: DeploymentId, n: u8, ip: u8, name: u16) -> Result<(), Refused> {
        let device = device_id(n);
        let known = self.devices.get(&device).map(|(_, view)| view.facts.clone()).filter(|facts| facts.site.is_some());
        let site = known.as_ref().and_then(|facts| facts.site.clone()).unwrap_or_else(|| v("dc1"));
        let spec = network_spec(site.as_str());
        let ip = Ipv4Addr::new(10, spec.cidr.network().octets()[1], 0, ip);
        let hostname = v(&format!("h{name}.{site}.example"));
        let (venture, role, boot_image) = (v("shop"), v("db"), v("debian-12"));
        let assignment = Assignment { device, mac: mac(n), ip, hostname, venture, role, boot_image };
        let image = self.images.get(&v::<Name>("debian-12")).cloned().unwrap_or_default();
        let facts = StartFacts {
            device: known,
            holders: self.holders(assignment.claims()),
            managed: None,
            infrastructure: vec![],
            network: Some((v(&format!("{site}-prod")), spec)),
            site: Some(site_spec(site.as_str(), "")),
            venture_exists: true,
            role_exists: true,
            boot_image: Some(BootImageFacts {
                revision: image.revision,
                retired: image.retired,
                incomplete: image.incomplete(),
                network_needs: image.network_needs(),
                limits: Limits { open_minutes: 1, in_progress_minutes: 1 },
                done_by: image.spec.as_ref().map(|spec| spec.done_by).unwrap_or_default(),
            }),
            settings: Resolution { values: resolved(n), ..Resolution::default() },
        };
        let request = StartDeployment {
            assignment,
            plan: self.plan.clone().unwrap_or_else(|| Plan::standard().expect("the plan")),
            import: None,
            facts,
        };
        self.deployment(id, "token ops", DeploymentCommand::StartDeployment(Box::new(request)))
    }

    /// Runs the next plugin of a deployment and records its success.
    pub(crate) fn run_next(&mut self, id: DeploymentId) -> Result<(), Refused> {
        let Some(plugin) = self.next_plugin(id) else { return Ok(()) };
        let Some(started) = self.started(id).cloned() else { return Ok(()) };
        let DeploymentStarted { assignment, network, .. } = started;
        let Assignment { device, mac, ip, hostname, venture, role, .. } = assignment;
        let (deployment, live) = (id, self.live(device));
        let command = match plugin.as_str() {
            "clean" => {
                let keeps = Keeps { ip, hostname };
                Some(DeviceCommand::CleanDevice { deployment, live, keeps, remark_until: v("2027-01-15"), parts: vec![] })
            }
            "role" => Some(DeviceCommand::AssignRole { deployment, live, venture, role }),
            "dns" => {
                let entry = DnsEntry { hostname, ip };
                Some(DeviceCommand::CreateDnsEntry { deployment, live, entry })
            }
            "dhcp" => {
                let entry = DhcpEntry { ip, mac, hostname: Some(hostname), network };
                Some(DeviceCommand::CreateDhcpEntry { deployment, live, entry })
            }
            _ => None,
        };
        if let Some(command) = command {
            self.device(device, command)?;
        }
        self.deployment(id, &format!("plugin {plugin}"), DeploymentCommand::PluginSucceeded { plugin })
    }

    pub(crate) fn next_plugin(&self, id: DeploymentId) -> Option<Name> {
        let (_, started, succeeded) = self.deployments.get(&id)?;
        started.as_ref()?.plan.0.iter().map(|planned| planned.name.clone()).find(|name| !succeeded.contains(name))
    }

    pub(crate) fn done(&mut self, id: DeploymentId) -> Result<(), Refused> {
        let by = DoneBy::Ip { address: v("10.0.0.20") };
        self.deployment(id, "server 10.0.0.20", DeploymentCommand::MarkDone { by })
    }

    pub(crate) fn cancel(&mut self, id: DeploymentId) -> Result<(), Refused> {
        self.deployment(id, "token ops", DeploymentCommand::CancelDeployment { by: v("token ops"), reason: v("wrong rack") })?;
        let Some(started) = self.started(id).cloned() else { return Ok(()) };
        let Assignment { device, ip, hostname, .. } = started.assignment;
        self.device(device, DeviceCommand::WithdrawDeployment { deployment: id, ip, hostname, released: started.took })
    }

    pub(crate) fn overdue(&mut self, id: DeploymentId, stage: Stage) -> Result<(), Refused> {
        let since = self.now();
        let now = since.plus_seconds(60);
        self.deployment(id, "clock", DeploymentCommand::MarkOverdue { stage, since, now })
    }

    pub(crate) fn define_network(&mut self, name: &str, site: &str) {
        let spec =
            Box::new(NetworkSpec { vlan: Some(u16::try_from(self.second % 4000 + 1).expect("a VLAN")), ..network_spec(site) });
        let define = NetworkCommand::DefineNetwork { spec, site_exists: true, foreign_racks: vec![], overlaps: vec![] };
        self.network(name, define);
    }

    pub(crate) fn define_shop(&mut self, spec: VentureSpec) {
        let (name, secret_problems) = (v("shop"), BTreeMap::new());
        self.venture("shop", VentureCommand::DefineVenture { name, spec, ancestors: vec![], secret_problems });
    }

    pub(crate) fn define_role(&mut self, role: &str) {
        let (role, secret_problems) = (v(role), BTreeMap::new());
        self.venture("shop", VentureCommand::DefineRole { role, spec: RoleSpec::default(), secret_problems });
    }

    pub(crate) fn define_image(&mut self, spec: BootImageSpec) {
        self.image("debian-12", BootImageCommand::DefineBootImage { spec, secret_problems: BTreeMap::new() });
    }
}

/// Commands of the small aggregates; a refused command leaves no event.
macro_rules! small {
    ($function:ident, $field:ident, $variant:ident, $command:ty) => {
        impl Fixture {
            pub(crate) fn $function(&mut self, name: &str, command: $command) {
                let key: Name = v(name);
                let aggregate = self.$field.entry(key).or_default();
                let events = aggregate.decide(command).unwrap_or_default();
                for event in &events {
                    aggregate.apply(event.clone());
                }
                self.accept("token root", events.into_iter().map(|event| Event::$variant(v(name), event)).collect());
            }
        }
    };
}

small!(site, sites, Site, SiteCommand);
small!(rack, racks, Rack, RackCommand);
small!(network, networks, Network, NetworkCommand);
small!(server, servers, DhcpServer, DhcpServerCommand);
small!(venture, ventures, Venture, VentureCommand);
small!(image, images, BootImage, BootImageCommand);
small!(user, users, User, UserCommand);
small!(secret, secrets, Secret, SecretCommand);
small!(webhook, webhooks, Webhook, WebhookCommand);

impl Fixture {
    pub(crate) fn token(&mut self, n: u8, command: TokenCommand) {
        let id = TokenId(Uuid::from_u128(u128::from(n)));
        let token = self.tokens.entry(id).or_default();
        let events = token.decide(command).unwrap_or_default();
        for event in &events {
            token.apply(event.clone());
        }
        self.accept("token root", events.into_iter().map(|event| Event::Token(id, event)).collect());
    }
}

/// The device's own settings; every other device has some.
fn own_settings(n: u8) -> Settings {
    if n.is_multiple_of(2) { Settings::new() } else { [(v("vlan"), SettingValue::Number(i64::from(n)))].into() }
}

/// The resolved settings of a deployment; every third has some.
fn resolved(n: u8) -> ResolvedSettings {
    let value = Resolved { value: SettingValue::Text(v("/dev/sda")), from: v("venture shop") };
    n.is_multiple_of(3).then(|| (v("disk"), value)).into_iter().collect()
}
