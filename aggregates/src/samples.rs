//! Sample values, commands and requests that the tests of several aggregates share. Only for tests.

use crate::boot_image::{BootFile, EndedBy, FileKind, Needs};
use crate::deployment::assignment::Assignment;
use crate::deployment::event::Limits;
use crate::deployment::notes::Notes;
use crate::deployment::plan::Plan;
use crate::deployment::start::{BootImageFacts, DeviceFacts, StartDeployment, StartFacts};
use crate::device::power_failure::PowerFailure;
use crate::network::NetworkSpec;
use crate::rules::Refused;
use crate::settings::Resolution;
use crate::site::SiteSpec;
use crate::values::ids::{DeploymentId, DeviceId};
use crate::values::setting::Settings;
use crate::values::timestamp::Timestamp;
use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::str::FromStr;
use uuid::Uuid;

/// Reads a value of any type from text.
pub(crate) fn parsed<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error:?}"))
}

pub(crate) fn device_id(number: u128) -> DeviceId {
    DeviceId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + number))
}

pub(crate) fn deployment_id(number: u128) -> DeploymentId {
    DeploymentId(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 + number))
}

/// Noon of a fixed day, plus `seconds`.
pub(crate) fn noon(seconds: i64) -> Timestamp {
    parsed::<Timestamp>("2026-03-01T12:00:00Z").plus_seconds(seconds)
}

/// The failure of a power order whose user the controller refused.
pub(crate) fn refused_user() -> PowerFailure {
    PowerFailure::Credentials { controller: parsed("10.0.9.1"), user: parsed("admin") }
}

pub(crate) fn site() -> SiteSpec {
    SiteSpec {
        name: parsed("Data centre one"),
        next_server: Some(parsed("10.0.0.2")),
        boot_url: Some(parsed("http://10.0.0.1:8080")),
        domain: parsed("dc1.example"),
        zones: vec![parsed("dc1.example"), parsed("0.10.in-addr.arpa")],
        hostname_template: Some(parsed("h<200,299>.dc1.example|h<400,499>.dc1.example")),
        dhcp_header: vec![],
        dns_updates: None,
        settings: Settings::new(),
    }
}

/// Settings from a JSON object of names and values.
pub(crate) fn settings(values: serde_json::Value) -> Settings {
    serde_json::from_value(values).expect("settings")
}

pub(crate) fn network(cidr: &str) -> NetworkSpec {
    NetworkSpec {
        cidr: parsed(cidr),
        site: parsed("dc1"),
        racks: vec![],
        gateway: None,
        vlan: None,
        dns_servers: vec![],
        domain: None,
        margin_bottom: 10,
        margin_top: 0,
        dhcp: true,
        dhcp_options: vec![],
        ip_only_done: true,
    }
}

/// Device 1, 52:54:00:00:00:01, 10.0.0.20, h200.dc1.example, shop/web, debian-13.
pub(crate) fn assignment() -> Assignment {
    Assignment {
        device: device_id(1),
        mac: parsed("52:54:00:00:00:01"),
        ip: parsed("10.0.0.20"),
        hostname: parsed("h200.dc1.example"),
        venture: parsed("shop"),
        role: parsed("web"),
        boot_image: parsed("debian-13"),
    }
}

/// A valid request: device 1, 52:54:00:00:00:01, 10.0.0.20, h200.dc1.example.
pub(crate) fn request() -> StartDeployment {
    StartDeployment {
        assignment: assignment(),
        plan: Plan::standard().expect("the standard plan"),
        import: None,
        notes: Notes::default(),
        facts: StartFacts {
            device: Some(DeviceFacts {
                site: Some(parsed("dc1")),
                macs: vec![assignment().mac],
                verified: true,
                ..DeviceFacts::default()
            }),
            holders: vec![],
            managed: None,
            infrastructure: vec![],
            network: Some((parsed("dc1-prod"), NetworkSpec { gateway: Some(parsed("10.0.0.254")), ..network("10.0.0.0/24") })),
            site: Some(site()),
            venture_exists: true,
            role_exists: true,
            boot_image: Some(BootImageFacts {
                revision: 3,
                retired: false,
                incomplete: None,
                network_needs: vec![],
                limits: Limits { open_minutes: 30, in_progress_minutes: 120 },
                done_by: EndedBy::Server,
            }),
            settings: Resolution::default(),
        },
    }
}

pub(crate) fn boot_file(kind: FileKind) -> BootFile {
    let (sha256, template) = (parsed(&"ab".repeat(32)), kind == FileKind::BootIpxe);
    BootFile { kind, sha256, size: 5, template, settings: BTreeSet::new(), needs: Needs::default() }
}

/// The outcome of a command, given the events before it.
pub(crate) fn outcome<A>(given: &[A::Event], command: A::Command) -> Result<Vec<A::Event>, Refused>
where
    A: Aggregate<Error = Refused, Services = ()>,
    A::Event: Clone,
{
    TestFramework::<A>::with(()).given(given.to_vec()).when(command).inspect_result()
}

/// The codes of the rules that refuse a command. Panics if the command is accepted.
pub(crate) fn broken<A>(given: &[A::Event], command: A::Command) -> Vec<String>
where
    A: Aggregate<Error = Refused, Services = ()>,
    A::Event: Clone + Debug,
{
    let Refused(rules) = outcome::<A>(given, command).expect_err("the command was accepted");
    assert!(!rules.is_empty(), "a refusal without a reason");
    assert!(rules.iter().all(|broken| !broken.message.is_empty()), "a rule without a sentence: {rules:?}");
    rules.into_iter().map(|broken| broken.rule).collect()
}
