//! Sample rows for tests of the pages.

use bootledger_aggregates::boot_image::EndedBy;
use bootledger_aggregates::deployment::plan::{Plan, PluginStage};
use bootledger_aggregates::deployment::reason::Waiting;
use bootledger_aggregates::device::event::DeviceKind;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::deployments::{Deployment, Status};
use bootledger_projections::rows::devices::Device;
use bootledger_projections::rows::installations::Installation;
use bootledger_projections::rows::plugin_runs::{Run, RunReason, RunStatus};

/// An open deployment that is overdue.
pub(crate) fn deployment() -> Deployment {
    let name = |text: &str| text.parse().expect("a name");
    Deployment {
        id: DeploymentId::default(),
        device: DeviceId::default(),
        mac: "52:54:00:12:34:56".parse().expect("a MAC"),
        ip: [10, 0, 0, 11].into(),
        hostname: "h200.dc1.example".parse().expect("a host name"),
        venture: name("shop"),
        role: name("web"),
        boot_image: name("debian"),
        boot_image_revision: 3,
        network: name("dc1-prod"),
        site: name("dc1"),
        import: None,
        status: Status::Open,
        status_since: Timestamp::default(),
        overdue: true,
        open_minutes: 30,
        in_progress_minutes: 120,
        started_at: Timestamp::default(),
        started_by: "token ops".to_owned(),
        in_progress_at: None,
        ended_at: None,
        ended_by: None,
        reason: None,
        plan: Plan::standard().expect("a plan"),
        done_by: EndedBy::Puppet,
        boot_chain: bootledger_aggregates::values::boot_chain::BootChain::Ipxe,
        installed_at: None,
        puppet_failure: None,
        settings: bootledger_aggregates::settings::ResolvedSettings::default(),
        notes: bootledger_aggregates::deployment::notes::Notes::default(),
    }
}

/// The same deployment, whose server is being installed.
pub(crate) fn installing() -> Deployment {
    Deployment { status: Status::InProgress, in_progress_at: Some(Timestamp::default()), ..deployment() }
}

/// The state of an installer whose server has fetched a file.
pub(crate) fn fetched_preseed() -> Installation {
    let file = "preseed.cfg".parse().expect("a name");
    Installation {
        last_file: Some(file),
        last_file_at: Some(Timestamp::default()),
        last_client: Some([10, 0, 0, 11].into()),
        ..Installation::default()
    }
}

/// Its plugin dhcp, which is waiting.
pub(crate) fn waiting(reason: Waiting, awaited: &[&str]) -> Run {
    Run {
        deployment: DeploymentId::default(),
        plugin: "dhcp".parse().expect("a name"),
        place: 3,
        stage: PluginStage::Preparing,
        requires: vec![],
        status: RunStatus::Waiting,
        attempts: 0,
        reason: Some(RunReason::Waiting(reason)),
        awaited: awaited.iter().map(ToString::to_string).collect(),
        since: Timestamp::default(),
        since_position: 7,
        retry_at: None,
        entry_position: None,
    }
}

/// A verified server in a rack, without a deployment.
pub(crate) fn device() -> Device {
    let name = |text: &str| Some(text.parse().expect("a name"));
    Device {
        id: DeviceId::default(),
        sequence: 3,
        kind: DeviceKind::Physical,
        name: Text::fitted("R640 <no. 1>"),
        serial: Some(Text::fitted("SN1")),
        asset: Some(Text::fitted("A-1")),
        site: "dc1".parse().expect("a name"),
        rack: name("dc1-r01"),
        rack_position: Some(10),
        height: 1,
        face: bootledger_aggregates::device::footprint::Face::Both,
        lock: None,
        notes: bootledger_aggregates::values::notes::Notes::default(),
        tags: vec![],
        macs: vec!["52:54:00:00:00:01".parse().expect("a MAC")],
        management: None,
        parent: None,
        venture: name("shop"),
        role: name("web"),
        verified: true,
        decommissioned: false,
        addresses: vec![[10, 0, 0, 11].into()],
        hostnames: vec!["h200.dc1.example".parse().expect("a host name")],
        operating_system: None,
        software: vec![],
        disk_shares: vec![],
        uptime_seconds: None,
        settings: bootledger_aggregates::values::setting::Settings::new(),
        sub_devices: vec![],
        remarks: vec![],
        registered_at: Timestamp::default(),
        changed_at: Timestamp::default(),
    }
}
