//! Samples of every event of a deployment.

use super::sample_events;
use crate::boot_image::EndedBy;
use crate::claims::Claim;
use crate::deployment::event::{DeploymentEvent, DeploymentStarted, DoneBy, Limits, Stage};
use crate::deployment::installer::{NextBoot, NextBootReason};
use crate::deployment::notes::Notes;
use crate::deployment::plan::{Plan, PlannedPlugin, PluginStage};
use crate::deployment::reason::{
    ExternalSystem, HeldBack, MissingController, NetworkProblem, PluginFailure, UnconfirmedServer, UnknownResult, UnservedEntry,
    Violation, Waiting,
};
use crate::problem::{DriftProblem, PublishProblem};
use crate::samples::{assignment, device_id, noon, parsed, refused_user};
use crate::settings::ResolvedSettings;
use crate::values::boot_chain::BootChain;
use crate::values::ids::ImportId;
use uuid::Uuid;

fn started() -> DeploymentStarted {
    DeploymentStarted {
        assignment: assignment(),
        boot_image_revision: 3,
        network: parsed("dc1-prod"),
        site: parsed("dc1"),
        plan: Plan::standard().expect("the standard plan"),
        limits: Limits { open_minutes: 30, in_progress_minutes: 120 },
        took: vec![Claim::Ip(parsed("10.0.0.20")), Claim::Hostname(parsed("h200.dc1.example"))],
        import: Some(ImportId(Uuid::from_u128(9))),
        done_by: EndedBy::Server,
        settings: ResolvedSettings::default(),
        boot_chain: BootChain::Ipxe,
        notes: Notes::default(),
    }
}

fn least_started() -> DeploymentStarted {
    let clean = PlannedPlugin { name: parsed("clean"), requires: vec![], stage: PluginStage::Preparing };
    DeploymentStarted { plan: Plan(vec![clean]), took: vec![], import: None, ..started() }
}

fn notes(note: &str, ticket: &str) -> Notes {
    Notes { note: parsed(note), ticket: parsed(ticket) }
}

fn next_boot(boot: NextBoot, reason: NextBootReason) -> DeploymentEvent {
    DeploymentEvent::NextBootSet { boot, reason }
}

fn resolved() -> ResolvedSettings {
    let settings = serde_json::json!({
        "disk": { "value": "/dev/sda", "from": "device" },
        "layout": { "value": "lvm", "from": "role shop/web" },
        "packages": { "value": ["vim"], "from": "venture retail" },
        "password": { "value": { "secret": "boot-root" }, "from": "site dc1" },
    });
    serde_json::from_value(settings).expect("resolved settings")
}

fn done(by: DoneBy) -> DeploymentEvent {
    DeploymentEvent::DeploymentDone { device: device_id(1), by }
}

fn failed(plugin: &str, reason: PluginFailure) -> DeploymentEvent {
    DeploymentEvent::PluginFailed { plugin: parsed(plugin), attempt: 2, reason, retry_at: noon(4) }
}

fn external(plugin: &str, system: ExternalSystem, detail: &str) -> DeploymentEvent {
    failed(plugin, PluginFailure::External { system, detail: parsed(detail) })
}

fn broken(rule: &str, field: &str, value: Option<&str>, holder: Option<&str>) -> Violation {
    Violation { rule: parsed(rule), field: parsed(field), value: value.map(parsed), holder: holder.map(parsed) }
}

fn waiting(plugin: &str, reason: Waiting, awaited: &[&str]) -> DeploymentEvent {
    DeploymentEvent::PluginWaiting { plugin: parsed(plugin), reason, awaited: awaited.iter().copied().map(parsed).collect() }
}

/// A wait of `dhcp` while the site's configuration is held back, because a network has this problem.
fn held_back(more: usize, problem: NetworkProblem) -> DeploymentEvent {
    let servers = vec![UnconfirmedServer { server: parsed("kea-1"), error: None }];
    let entries = vec![
        UnservedEntry { ip: parsed("10.20.1.50"), device: parsed("R640 no. 1") },
        UnservedEntry { ip: parsed("10.20.1.51"), device: parsed("R640 no. 2") },
    ];
    let held_back = HeldBack { site: parsed("dc1"), entries, more, network: parsed("dc1-old"), problem };
    waiting("dhcp", Waiting::DhcpServers { servers, held_back: Some(held_back) }, &["dhcp-server:kea-1"])
}

fn dns_primaries(primaries: &[&str], problems: Vec<PublishProblem>) -> DeploymentEvent {
    let primaries = primaries.iter().map(|primary| primary.parse().expect("an address and a port")).collect();
    waiting("dns", Waiting::DnsPrimaries { primaries, problems }, &["dns-primary:10.0.0.53:53"])
}

fn foreign_record() -> PublishProblem {
    PublishProblem::Foreign {
        name: parsed("h201.dc1.example"),
        r#type: parsed("A"),
        values: vec![parsed("10.9.9.9")],
        zone: parsed("dc1.example"),
    }
}

fn no_answer() -> PublishProblem {
    DriftProblem::NoAnswer { primary: parsed("10.0.0.53:53") }.into()
}

fn reboot(reason: Waiting) -> DeploymentEvent {
    waiting("reboot", reason, &["operator"])
}

fn boot_script(unknown: UnknownResult) -> DeploymentEvent {
    reboot(Waiting::BootScript { ordered_at: noon(3), unknown })
}

fn manual(missing: MissingController) -> DeploymentEvent {
    reboot(Waiting::ManualRestart { mac: parsed("52:54:00:12:34:56"), missing })
}

fn two_dhcp_servers() -> DeploymentEvent {
    let failing = UnconfirmedServer { server: parsed("kea-2"), error: Some(parsed("syntax error at line 3")) };
    let servers = vec![UnconfirmedServer { server: parsed("kea-1"), error: None }, failing];
    waiting("dhcp", Waiting::DhcpServers { servers, held_back: None }, &["dhcp-server:kea-1", "dhcp-server:kea-2"])
}

sample_events!(deployment: DeploymentEvent {
    DeploymentStarted => [
        DeploymentEvent::DeploymentStarted(Box::new(started())),
        DeploymentEvent::DeploymentStarted(Box::new(least_started())),
        DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted { done_by: EndedBy::Puppet, ..least_started() })),
        DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted { settings: resolved(), ..least_started() })),
        DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted { boot_chain: BootChain::Signed, ..least_started() })),
        DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted {
            notes: notes("replaces h199", "OPS-1234"),
            ..least_started()
        })),
    ],
    PluginSucceeded => [DeploymentEvent::PluginSucceeded { plugin: parsed("clean") }],
    PluginFailed => [
        failed("dhcp", PluginFailure::Rules { broken: vec![broken("plugin_too_early", "", Some("clean, role"), None)] }),
        failed(
            "clean",
            PluginFailure::Rules {
                broken: vec![
                    broken("claimed", "ip", Some("10.20.0.11"), Some("device 01920000-0000-7000-8000-000000000002")),
                    broken("deployment_not_live", "", None, Some("deployment 01920000-0000-7000-8000-000000000002")),
                    broken("credentials_missing", "management.credentials", Some("10.0.9.1"), None),
                    broken("power_busy", "", Some("2026-03-01T12:00:03Z"), Some("order 01920000-0000-7000-8000-000000000009")),
                    broken("restart_ordered", "", Some("2026-03-01T12:00:03Z"), None),
                    broken("management_missing", "management", None, None),
                    broken("hostname_claimed", "hostname", Some("h9.example"), Some("device 01920000-0000-7000-8000-000000000009")),
                    broken("a_rule_of_a_later_version", "mac", None, None),
                ],
            },
        ),
        external("role", ExternalSystem::Database, "a query on the views failed: connection refused"),
        failed("dns", PluginFailure::Dns { problem: Box::new(foreign_record()) }),
        failed("reboot", PluginFailure::Controller { failure: Box::new(refused_user()) }),
        failed("reboot", PluginFailure::CredentialsRefused {}),
        failed("paint", PluginFailure::NotSupported {}),
        failed("dns", PluginFailure::Deadline { seconds: 20 }),
        failed("role", PluginFailure::Internal { detail: parsed("a row of the views is damaged") }),
        failed("dns", PluginFailure::Text { text: parsed("connection refused") }),
    ],
    PluginWaiting => [
        waiting("dhcp", Waiting::NoDhcpServer { site: parsed("dc1") }, &["dhcp-site:dc1"]),
        two_dhcp_servers(),
        held_back(0, NetworkProblem::Unknown {}),
        held_back(0, NetworkProblem::Retired {}),
        held_back(0, NetworkProblem::WithoutDhcp {}),
        held_back(3, NetworkProblem::AddressOutside { cidr: parsed("10.20.0.0/24") }),
        dns_primaries(&["10.0.0.53:53"], vec![]),
        dns_primaries(&["10.0.0.53:53", "[2001:db8::53]:5353"], vec![no_answer(), foreign_record()]),
        reboot(Waiting::ControllerBusy {}),
        reboot(Waiting::ControllerRestart { controller: parsed("10.0.9.1") }),
        boot_script(UnknownResult::ServiceStopped),
        boot_script(UnknownResult::NotConfirmed),
        manual(MissingController::Address {}),
        manual(MissingController::Credentials { controller: parsed("bmc-7.dc1.example") }),
        waiting("reboot", Waiting::RestartReported { at: noon(5) }, &["server"]),
        waiting("dhcp", Waiting::Text { text: parsed("kea-1 has not confirmed position 42") }, &["dhcp-server:kea-1"]),
        waiting("dhcp", Waiting::Text { text: parsed("") }, &[]),
    ],
    PluginRetryRequested => [DeploymentEvent::PluginRetryRequested { plugin: parsed("dns") }],
    DeploymentInProgress => [DeploymentEvent::DeploymentInProgress { device: device_id(1) }],
    BootFileServed => [DeploymentEvent::BootFileServed {
        file: parsed("script.ipxe"),
        sha256: parsed(&"ab".repeat(32)),
        client: parsed("10.0.0.20"),
        at: noon(0),
    }],
    InstallationFinished => [
        DeploymentEvent::InstallationFinished { by: DoneBy::Ip { address: parsed("10.0.0.20") } },
        DeploymentEvent::InstallationFinished { by: DoneBy::Token { address: parsed("10.0.0.20") } },
    ],
    PuppetRunFailed => [
        DeploymentEvent::PuppetRunFailed {
            certname: parsed("h200.dc1.example"),
            messages: vec![parsed("/Stage[main]/Nginx/Service[nginx]: could not start")],
            transaction: parsed("2b280354-09c8-4b50-b4bd-3fba24b3c2a7"),
            at: noon(0),
        },
        DeploymentEvent::PuppetRunFailed {
            certname: parsed("h200.dc1.example"),
            messages: vec![],
            transaction: parsed(""),
            at: noon(0),
        },
    ],
    InstallerReported => [
        DeploymentEvent::InstallerReported {
            stage: parsed("partition"),
            percent: Some(parsed("40")),
            text: parsed("Creating ext4 on /dev/sda2"),
        },
        DeploymentEvent::InstallerReported { stage: parsed("late"), percent: None, text: parsed("") },
    ],
    InstallerFailed => [
        DeploymentEvent::InstallerFailed { stage: Some(parsed("partition")), text: parsed("No root file system is defined") },
        DeploymentEvent::InstallerFailed { stage: None, text: parsed("") },
    ],
    InstallerLogReceived => [DeploymentEvent::InstallerLogReceived { sha256: parsed(&"cd".repeat(32)), size: 65_536 }],
    NextBootSet => [
        next_boot(NextBoot::Disk, NextBootReason::AnswersServed { file: parsed("preseed.cfg") }),
        next_boot(NextBoot::Disk, NextBootReason::Installer { client: parsed("10.0.0.20") }),
        next_boot(NextBoot::Network, NextBootReason::Operator { name: parsed("user ada") }),
        next_boot(NextBoot::Network, NextBootReason::PluginRetry { plugin: parsed("reboot") }),
        next_boot(NextBoot::Network, NextBootReason::PowerOrder {}),
    ],
    RestartReported => [DeploymentEvent::RestartReported { at: noon(5) }],
    DeploymentNoted => [
        DeploymentEvent::DeploymentNoted(notes("waits for the new disk", "OPS-1234")),
        DeploymentEvent::DeploymentNoted(notes("", "")),
    ],
    DeploymentOverdue => [
        DeploymentEvent::DeploymentOverdue { stage: Stage::Open, since: noon(0), limit_minutes: 30 },
        DeploymentEvent::DeploymentOverdue { stage: Stage::InProgress, since: noon(0), limit_minutes: 120 },
    ],
    DeploymentDone => [
        done(DoneBy::Ip { address: parsed("10.0.0.20") }),
        done(DoneBy::Token { address: parsed("10.0.0.20") }),
        done(DoneBy::Operator { name: parsed("ada"), reason: parsed("") }),
        done(DoneBy::Operator { name: parsed("ada"), reason: parsed("its console shows the login") }),
        done(DoneBy::Puppet { certname: parsed("h200.dc1.example") }),
    ],
    DeploymentCancelled => [
        DeploymentEvent::DeploymentCancelled {
            device: device_id(1),
            by: parsed("ada"),
            reason: parsed("wrong server"),
            released: vec![Claim::Ip(parsed("10.0.0.20")), Claim::Hostname(parsed("h200.dc1.example"))],
        },
        DeploymentEvent::DeploymentCancelled { device: device_id(1), by: parsed(""), reason: parsed(""), released: vec![] },
    ],
});
