//! Samples of every event of a deployment.

use super::sampled;
use crate::boot_image::EndedBy;
use crate::claims::Claim;
use crate::deployment::event::{DeploymentEvent, DeploymentStarted, DoneBy, Limits, Stage};
use crate::deployment::installer::{NextBoot, NextBootReason};
use crate::deployment::plan::{Plan, PlannedPlugin, PluginStage};
use crate::samples::{device_id, noon, parsed};
use crate::settings::ResolvedSettings;
use crate::values::boot_chain::BootChain;
use crate::values::ids::ImportId;
use uuid::Uuid;

fn started() -> DeploymentStarted {
    DeploymentStarted {
        device: device_id(1),
        mac: parsed("52:54:00:00:00:01"),
        ip: parsed("10.0.0.20"),
        hostname: parsed("h200.dc1.example"),
        venture: parsed("shop"),
        role: parsed("web"),
        boot_image: parsed("debian-13"),
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
    }
}

fn least_started() -> DeploymentStarted {
    let clean = PlannedPlugin { name: parsed("clean"), requires: vec![], stage: PluginStage::Preparing };
    DeploymentStarted { plan: Plan(vec![clean]), took: vec![], import: None, ..started() }
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

sampled!(deployment: DeploymentEvent {
    DeploymentStarted => [
        DeploymentEvent::DeploymentStarted(Box::new(started())),
        DeploymentEvent::DeploymentStarted(Box::new(least_started())),
        DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted { done_by: EndedBy::Puppet, ..least_started() })),
        DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted { settings: resolved(), ..least_started() })),
        DeploymentEvent::DeploymentStarted(Box::new(DeploymentStarted { boot_chain: BootChain::Signed, ..least_started() })),
    ],
    PluginSucceeded => [DeploymentEvent::PluginSucceeded { plugin: parsed("clean") }],
    PluginFailed => [DeploymentEvent::PluginFailed {
        plugin: parsed("dns"),
        attempt: 2,
        reason: parsed("connection refused"),
        retry_at: noon(4),
    }],
    PluginWaiting => [
        DeploymentEvent::PluginWaiting {
            plugin: parsed("dhcp"),
            reason: parsed("kea-1 has not confirmed position 42"),
            awaited: vec![parsed("dhcp-server:kea-1")],
        },
        DeploymentEvent::PluginWaiting { plugin: parsed("dhcp"), reason: parsed(""), awaited: vec![] },
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
    DeploymentOverdue => [
        DeploymentEvent::DeploymentOverdue { stage: Stage::Open, since: noon(0), limit_minutes: 30 },
        DeploymentEvent::DeploymentOverdue { stage: Stage::InProgress, since: noon(0), limit_minutes: 120 },
    ],
    DeploymentDone => [
        done(DoneBy::Ip { address: parsed("10.0.0.20") }),
        done(DoneBy::Token { address: parsed("10.0.0.20") }),
        done(DoneBy::Operator { name: parsed("ada") }),
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
