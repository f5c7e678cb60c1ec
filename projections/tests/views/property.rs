//! Any history gives the same views however they were built: event by event, in batches of any size, by a rebuild, and when
//! queried "as of" any position of the log.

use crate::fixture::{
    Fixture, confirm, create_token, define_server, deployment_id, device_id, image_spec, mac, put_file, rack, sha, site_spec, v,
    webhook_spec,
};
use crate::history::History;
use crate::observed::observed;
use anyhow::{Result, ensure};
use bootledger_aggregates::boot_image::{BootImageCommand, FileKind};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::event::Stage;
use bootledger_aggregates::deployment::reason::{PluginFailure, UnconfirmedServer, Waiting};
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::event::{DhcpEntry, DnsEntry};
use bootledger_aggregates::device::facts::Facts;
use bootledger_aggregates::device::footprint::Face;
use bootledger_aggregates::device::lock::Lock;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::dhcp_server::DhcpServerCommand;
use bootledger_aggregates::network::NetworkCommand;
use bootledger_aggregates::rack::RackCommand;
use bootledger_aggregates::rules::Refused;
use bootledger_aggregates::secret::SecretCommand;
use bootledger_aggregates::site::SiteCommand;
use bootledger_aggregates::token::TokenCommand;
use bootledger_aggregates::venture::{VentureCommand, VentureSpec};
use bootledger_aggregates::webhook::WebhookCommand;
use bootledger_projections::projector::rebuild;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{parked, tallies};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;

/// How many devices there are; few, so that they compete for the same addresses and names.
pub(crate) const DEVICES: u8 = 4;

/// Performs one of all possible actions, selected by three numbers. An action that the rules refuse leaves no event.
fn act(fixture: &mut Fixture, step: u8, action: u8, a: u8, b: u8) -> Result<(), Refused> {
    let n = a % DEVICES;
    let device = device_id(n);
    let live = fixture.live(device).unwrap_or_else(|| deployment_id(255));
    let plugin = fixture.next_plugin(live).unwrap_or_else(|| v("clean"));
    match action % 43 {
        0 | 1 => fixture.register(n, if b.is_multiple_of(3) { "dc2" } else { "dc1" }),
        2..=5 => fixture.start(deployment_id(step), n, 11 + b % 6, 200 + u16::from(b % 5)),
        6..=12 => (0..=b % 5).try_for_each(|_| fixture.run_next(live)),
        13 => {
            let retry_at = fixture.now().plus_seconds(i64::from(b));
            let reason = PluginFailure::Deadline { seconds: 20 };
            fixture.deployment(live, "plugin", DeploymentCommand::PluginFailed { plugin, reason, retry_at })
        }
        14 | 15 => {
            let awaited = vec![v("dhcp-server:kea-1"), v(if b.is_multiple_of(2) { "dhcp-site:dc1" } else { "dhcp-site:dc2" })];
            let error = (!b.is_multiple_of(2)).then(|| v("syntax error"));
            let servers = vec![UnconfirmedServer { server: v("kea-1"), error }];
            let reason = Waiting::DhcpServers { servers, held_back: None };
            fixture.deployment(live, "plugin", DeploymentCommand::PluginWaiting { plugin, reason, awaited })
        }
        16 => fixture.deployment(live, "token ops", DeploymentCommand::RetryPlugin { plugin }),
        17 | 18 => fixture.done(live),
        19 => fixture.cancel(live),
        20 => fixture.overdue(live, if b.is_multiple_of(2) { Stage::Open } else { Stage::InProgress }),
        21 => {
            let (at, client) = (fixture.now(), v("10.0.0.11"));
            let (file, then_disk) = if b.is_multiple_of(2) { ("preseed.cfg", true) } else { ("boot.ipxe", false) };
            let sha256 = sha(1);
            fixture.deployment(live, "boot", DeploymentCommand::RecordBoot { file: v(file), sha256, client, at, then_disk })
        }
        41 => fixture.note(live, b),
        36..=38 => fixture.installer(live, a, b),
        39 => fixture.device(device, DeviceCommand::AttachDevice { parent: device_id((n + 1) % DEVICES) }),
        40 => fixture.device(device, DeviceCommand::DetachDevice { parent: device_id((n + 1) % DEVICES), deployment: None }),
        // Unlocking is more frequent than locking, or most devices would stay locked and reach no deployment.
        42 if b.is_multiple_of(4) => {
            let lock = Lock { reason: v("holds data"), by: v("user ada"), at: fixture.now() };
            fixture.device(device, DeviceCommand::LockDevice { lock })
        }
        42 => fixture.device(device, DeviceCommand::UnlockDevice),
        22 | 23 => fixture.record(n, facts(n, b)),
        24 => fixture.change(n, change(n, b)),
        25 => {
            let live = fixture.live(device);
            fixture.device(
                device,
                if b.is_multiple_of(2) { DeviceCommand::UnverifyDevice { live } } else { DeviceCommand::VerifyDevice },
            )
        }
        26 if b.is_multiple_of(3) => {
            let live = fixture.live(device);
            fixture.device(device, DeviceCommand::DecommissionDevice { reason: v("old"), live })
        }
        32 | 33 => fixture.puppet(live, b),
        34 | 35 => {
            fixture.drift(a, b);
            Ok(())
        }
        31 => fixture.power(n, step, b),
        27 | 28 => {
            fixture.server("kea-1", server(b, i64::from(step)));
            Ok(())
        }
        _ => {
            describe(fixture, a, b);
            Ok(())
        }
    }
}

fn facts(n: u8, b: u8) -> Facts {
    let ip = |last: u8| v(&format!("10.0.0.{last}"));
    let entry = |name: u8, last: u8| DnsEntry { hostname: v(&format!("h20{name}.dc1.example")), ip: ip(last) };
    let lease = |last: u8| DhcpEntry { ip: ip(last), mac: mac(n), hostname: None, network: v("dc1-prod") };
    Facts {
        addresses: (b & 1 > 0).then(|| vec![ip(11 + b % 6), ip(12)]),
        dns_entries: (b & 2 > 0).then(|| vec![entry(b % 5, 11), entry(b % 5, 12 + b % 2)]),
        dhcp_entries: (b & 4 > 0).then(|| vec![lease(11 + b % 6)]),
        software: (b & 8 > 0).then(|| vec![v("nginx"), v(r#"a "quoted", \{braced\} name"#)]),
        disk_shares: (b & 16 > 0).then(|| vec![v("lun 7")]),
        operating_system: (b & 32 > 0).then(|| v(if b & 1 > 0 { "Debian" } else { "" })),
        uptime_seconds: Some(u64::from(b)),
        sub_devices: (b & 64 > 0).then(|| vec![device_id((n + 1) % DEVICES)]),
    }
}

fn change(n: u8, b: u8) -> DeviceChange {
    match b % 5 {
        4 => DeviceChange {
            height: Some(u16::from(b % 3) + 1),
            face: Some(Face::Rear),
            notes: Some(v(if b & 8 > 0 { "second, \"quoted\" {line}" } else { "" })),
            tags: Some(vec![v("spare"), v(if b & 16 > 0 { "gpu" } else { "row:4" })]),
            ..DeviceChange::default()
        },
        0 => DeviceChange { name: Some(v(&format!("renamed {b}"))), remark: Some(v("seen")), ..DeviceChange::default() },
        1 => DeviceChange { serial: Some(v(&format!("SN{}", b % DEVICES))), ..DeviceChange::default() },
        2 => DeviceChange { macs: Some(vec![mac(n), mac(b)]), ..DeviceChange::default() },
        _ => DeviceChange { site: Some(v("dc2")), ..DeviceChange::default() },
    }
}

fn server(b: u8, position: i64) -> DhcpServerCommand {
    match b % 6 {
        0 => DhcpServerCommand::ReportFailure { revision: None, message: v("syntax error") },
        1 => DhcpServerCommand::RetireDhcpServer,
        2 => define_server(if b.is_multiple_of(4) { "dc1" } else { "dc2" }),
        _ => confirm(position),
    }
}

fn describe(fixture: &mut Fixture, a: u8, b: u8) {
    let site = if b.is_multiple_of(2) { "dc1" } else { "dc2" };
    match a % 16 {
        0 => fixture.site(
            site,
            SiteCommand::DefineSite {
                spec: Box::new(site_spec(site, &format!("site {b}"))),
                secret_problem: None,
                setting_secrets: std::collections::BTreeMap::new(),
                zones: bootledger_aggregates::site::rules::ZoneFacts::default(),
            },
        ),
        1 => fixture.define_network("dc1-prod", site),
        2 => fixture.network("dc2-prod", NetworkCommand::RetireNetwork { used: 0 }),
        3 => fixture.define_network("dc2-prod", "dc2"),
        4 => fixture.rack("r1", RackCommand::DefineRack { spec: rack(site, 40 + u16::from(b % 3)), site_exists: true }),
        5 => match b % 4 {
            0 => fixture.venture("shop", VentureCommand::RetireVenture),
            1 => fixture.venture("shop", VentureCommand::RetireRole { role: v("db") }),
            2 => fixture.define_role("db"),
            _ => fixture.define_shop(VentureSpec { description: v(site), ..VentureSpec::default() }),
        },
        6 if b.is_multiple_of(4) => fixture.image("debian-12", BootImageCommand::RetireBootImage),
        6 => fixture.image("debian-12", put_file("kernel", FileKind::Kernel, i64::from(b))),
        7 => fixture.define_image(image_spec("again", u32::from(b) + 1, b.is_multiple_of(2))),
        8 => fixture.token(b % 2, create_token()),
        9 if b.is_multiple_of(3) => fixture.image("debian-12", BootImageCommand::RemoveFile { name: v("kernel") }),
        9 => fixture.rack("r1", RackCommand::RetireRack),
        10 if !b.is_multiple_of(3) => fixture.reservation(b),
        10 => fixture.site("dc2", SiteCommand::RetireSite { used_by: vec![] }),
        11 => apply(fixture, b),
        14 => allow(fixture, b),
        12 | 13 => fixture.person(b / 8, b),
        _ => fixture.token(b % 2, TokenCommand::RevokeToken),
    }
}

fn allow(fixture: &mut Fixture, b: u8) {
    if b.is_multiple_of(5) {
        return fixture.saved_view(b / 5);
    }
    if b.is_multiple_of(3) {
        return fixture.secret("bmc", SecretCommand::RetireSecret);
    }
    let spec = serde_json::json!({ "networks": ["10.0.9.0/24"], "protocols": ["ipmi"], "sites": ["dc1"], "ports": [623, u16::from(b) + 1] });
    let spec = Box::new(serde_json::from_value(spec).expect("a scope"));
    fixture.secret("bmc", SecretCommand::DefineSecret { name: v("bmc"), spec, unknown_sites: vec![], used_by: vec![] });
}

fn apply(fixture: &mut Fixture, b: u8) {
    let (reason, position) = (v("why not"), i64::from(b));
    let command = match b % 7 {
        0 => WebhookCommand::PauseWebhook { reason },
        1 => {
            fixture.webhook("chat", WebhookCommand::PauseWebhook { reason });
            WebhookCommand::ResumeWebhook
        }
        2 => WebhookCommand::SetPosition { after: position, reason, last_position: position },
        3 => WebhookCommand::SkipEvent { position, reason, failing: true },
        4 if b.is_multiple_of(2) => WebhookCommand::RetireWebhook,
        _ => {
            let spec = Box::new(webhook_spec(if b.is_multiple_of(2) { "*" } else { "device.*" }));
            WebhookCommand::DefineWebhook { spec, secret_problem: None, unknown_events: vec![] }
        }
    };
    fixture.webhook("chat", command);
}

async fn holds(fixture: &Fixture, cuts: &[u8], damaged: bool) -> Result<()> {
    let history = History::new(&fixture.log).await?;
    let events = i64::try_from(fixture.log.len())?;

    // Event by event, recording the views' answers at each position.
    let mut then = vec![];
    let mut connection = history.pool.acquire().await?;
    for _ in 0..events {
        let position = history.advance(1).await?;
        then.push((position, observed(&mut connection, At::Now).await?));
    }
    for (position, then) in &then {
        let now = observed(&mut connection, At::Position(*position)).await?;
        for (now, then) in now.iter().zip(then) {
            ensure!(now == then, "as of {position}:\n{now}\nbut it was\n{then}");
        }
    }
    drop(connection);
    let parked = parked::count(&history.pool).await?;
    ensure!(damaged || parked == 0, "{parked} events are parked: {:?}", parked::list(&history.pool, 0, 3).await?);
    let one_by_one = history.rows().await?;
    tallies::recount(&history.pool).await?;
    ensure!(history.rows().await? == one_by_one, "counted again, the tallies differ");

    // Compare with a rebuild, which also computes the claims.
    if !damaged {
        let holder = |(claim, holder): (&bootledger_aggregates::claims::Claim, &Holder)| {
            let (kind, value) = claim.parts();
            (kind.to_owned(), value, holder.to_string())
        };
        history.claim(&fixture.claims.iter().map(holder).collect::<Vec<_>>()).await?;
    }
    let differences = rebuild::compare(&history.pool, |_, _| {}).await?;
    ensure!(damaged || differences.is_empty(), "a rebuild differs: {differences:?}");
    ensure!(differences.iter().all(|d| d.table == "claims"), "a rebuild differs: {differences:?}");

    // In batches of any size.
    history.forget().await?;
    let mut cuts = cuts.iter().cycle();
    while history.advance(i64::from(*cuts.next().unwrap_or(&1)) % 13 + 1).await? < events {}
    let in_batches = history.rows().await?;
    for ((table, one), (_, batches)) in one_by_one.iter().zip(&in_batches) {
        ensure!(one == batches, "{table} in batches:\n{}\nbut event by event:\n{}", batches.join("\n"), one.join("\n"));
    }

    // And by a rebuild that replaces the views.
    rebuild::rebuild(&history.pool, |_, _| {}).await?;
    ensure!(history.rows().await? == one_by_one, "the rebuilt views differ");
    Ok(())
}

type Played = (Vec<(u8, u8, u8)>, Vec<u8>, Option<(usize, u8)>);

/// The actions, the positions at which the log is cut into batches, and the device that is damaged, with the step after which
/// it is.
fn histories() -> impl Strategy<Value = Played> {
    (
        prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 20..90),
        prop::collection::vec(any::<u8>(), 1..20),
        prop::option::weighted(0.3, (0_usize..40, any::<u8>())),
    )
}

/// The data centre after these actions.
fn played(actions: &[(u8, u8, u8)], damage: Option<(usize, u8)>) -> Result<Fixture> {
    let mut fixture = Fixture::furnished();
    // In half of the histories, Puppet decides when a deployment is done.
    if actions.first().is_some_and(|(action, ..)| action.is_multiple_of(2)) {
        fixture.define_image(image_spec("", 1, true));
    }
    let spec = Box::new(webhook_spec("*"));
    fixture.webhook("chat", WebhookCommand::DefineWebhook { spec, secret_problem: None, unknown_events: vec![] });
    for n in 0..DEVICES - 1 {
        fixture.register(n, "dc1")?;
    }
    for (step, (action, a, b)) in (0_u8..).zip(actions) {
        // A refused action leaves no event.
        drop(act(&mut fixture, step, *action, *a, *b));
        if let Some((at, n)) = damage
            && at == usize::from(step)
        {
            fixture.damage(n % DEVICES);
        }
    }
    Ok(fixture)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gives_the_same_views_however_they_are_built((actions, cuts, damage) in histories()) {
        let fixture = played(&actions, damage).expect("a world");
        let damaged = damage.is_some_and(|(at, _)| at < actions.len());
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let outcome = runtime.block_on(holds(&fixture, &cuts, damaged));
        prop_assert!(outcome.is_ok(), "{:?}", outcome);
    }
}

/// Guards the property above: histories that never reach most events would prove nothing.
#[test]
fn the_histories_reach_every_type_of_event() {
    let mut seen = BTreeSet::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..600 {
        let (actions, _, _) = histories().new_tree(&mut runner).expect("a history").current();
        seen.extend(played(&actions, None).expect("a world").log.into_iter().map(|written| written.event_type));
    }
    let missing: Vec<_> = EVENT_TYPES.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missing.is_empty(), "no history has {missing:?}");
}

const EVENT_TYPES: [&str; 77] = [
    "DriftFound",
    "DriftRepairOrdered",
    "DriftRepairFailed",
    "DriftEnded",
    "DeploymentStarted",
    "PluginSucceeded",
    "PluginFailed",
    "PluginWaiting",
    "PluginRetryRequested",
    "DeploymentInProgress",
    "BootFileServed",
    "InstallationFinished",
    "PuppetRunFailed",
    "InstallerReported",
    "InstallerFailed",
    "InstallerLogReceived",
    "NextBootSet",
    "RestartReported",
    "DeploymentNoted",
    "DeploymentOverdue",
    "DeploymentDone",
    "DeploymentCancelled",
    "DeviceRegistered",
    "DeviceChanged",
    "VentureRoleSet",
    "FactsRecorded",
    "DeviceVerified",
    "DeviceUnverified",
    "DeviceLocked",
    "DeviceUnlocked",
    "DhcpEntriesRemoved",
    "DnsEntriesRemoved",
    "AddressesReleased",
    "SoftwareRemoved",
    "DiskSharesRemoved",
    "OperatingSystemRemoved",
    "SubDevicesDetached",
    "DeviceAttached",
    "DeviceDetached",
    "UptimeReset",
    "RemarkAdded",
    "AddressAssigned",
    "RoleAssigned",
    "DnsEntryCreated",
    "DhcpEntryCreated",
    "PowerRequested",
    "PowerConfirmed",
    "PowerFailed",
    "DeviceDecommissioned",
    "SiteDefined",
    "RackDefined",
    "NetworkDefined",
    "NetworkRetired",
    "DhcpServerDefined",
    "DhcpServerRetired",
    "ConfigurationConfirmed",
    "ConfigurationFailed",
    "VentureDefined",
    "RoleDefined",
    "RoleRetired",
    "VentureRetired",
    "BootImageDefined",
    "BootFilePut",
    "BootFileRemoved",
    "BootImageRetired",
    "TokenCreated",
    "TokenRevoked",
    "SiteRetired",
    "RackRetired",
    "WebhookDefined",
    "WebhookPaused",
    "WebhookResumed",
    "WebhookPositionSet",
    "WebhookEventSkipped",
    "WebhookRetired",
    "SecretScopeDefined",
    "SecretScopeRetired",
];
