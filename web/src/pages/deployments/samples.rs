//! Sample rows for tests of the pages.

use bootledger_aggregates::boot_image::EndedBy;
use bootledger_aggregates::deployment::plan::{Plan, PluginStage};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::deployments::{Deployment, Status};
use bootledger_projections::plugin_runs::{Run, RunStatus};

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
    }
}

/// Its plugin dhcp, which is waiting.
pub(crate) fn waiting(reason: &str, awaited: &[&str]) -> Run {
    Run {
        deployment: DeploymentId::default(),
        plugin: "dhcp".parse().expect("a name"),
        place: 3,
        stage: PluginStage::Preparing,
        requires: vec![],
        status: RunStatus::Waiting,
        attempts: 0,
        reason: Some(reason.to_owned()),
        awaited: awaited.iter().map(ToString::to_string).collect(),
        since: Timestamp::default(),
        since_position: 7,
        retry_at: None,
        entry_position: None,
    }
}
