//! Tests of the timeline's sentences.

use super::*;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::device::event::DnsEntry;
use bootledger_aggregates::values::ids::OrderId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;

fn v<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text} is no value"))
}

fn of_deployment(event: &DeploymentEvent) -> String {
    deployment("h200.dc1.example", event, " by token ops")
}

fn of_device(event: &DeviceEvent) -> String {
    device("rack server 7", event, " by token ops")
}

#[test]
fn a_deployment_is_told_by_its_host_name_with_who_acted_and_why() {
    let retry_at: Timestamp = v("2026-01-31T14:03:07Z");
    let failed = |attempt| DeploymentEvent::PluginFailed { plugin: v("dns"), attempt, reason: v("no answer"), retry_at };
    let waiting = DeploymentEvent::PluginWaiting { plugin: v("dhcp"), reason: v("kea-1 has not confirmed"), awaited: vec![] };
    let cancelled = |reason| DeploymentEvent::DeploymentCancelled {
        device: DeviceId::default(),
        by: v("token ops"),
        reason: v(reason),
        released: vec![],
    };
    let done = |by| DeploymentEvent::DeploymentDone { device: DeviceId::default(), by };
    let overdue = DeploymentEvent::DeploymentOverdue { stage: Stage::InProgress, since: retry_at, limit_minutes: 120 };
    let served =
        DeploymentEvent::BootFileServed { file: v("kernel"), sha256: Sha256::new([0; 32]), client: v("10.0.0.11"), at: retry_at };
    let puppet_failed = |messages| DeploymentEvent::PuppetRunFailed {
        certname: v("h200.dc1.example"),
        messages,
        transaction: v("t-1"),
        at: retry_at,
    };
    let installed = DeploymentEvent::InstallationFinished { by: DoneBy::Ip { address: v("10.0.0.11") } };
    let told = [failed(1), failed(12), failed(22), waiting, DeploymentEvent::PluginRetryRequested { plugin: v("dhcp") }, served]
        .into_iter()
        .chain([overdue, cancelled(""), cancelled("wrong rack"), done(DoneBy::Token { address: v("10.0.0.11") })])
        .chain([done(DoneBy::Operator { name: v("token ops") }), done(DoneBy::Puppet { certname: v("h200.dc1.example") })])
        .chain([installed, puppet_failed(vec![]), puppet_failed(vec![v("no nginx"), v("no redis")])]);
    insta::assert_snapshot!(told.map(|event| of_deployment(&event)).collect::<Vec<_>>().join("\n"), @r"
    h200.dc1.example: dns failed for the 1st time and tries again at 2026-01-31T14:03:07Z: no answer
    h200.dc1.example: dns failed for the 12th time and tries again at 2026-01-31T14:03:07Z: no answer
    h200.dc1.example: dns failed for the 22nd time and tries again at 2026-01-31T14:03:07Z: no answer
    h200.dc1.example: dhcp waits: kea-1 has not confirmed
    h200.dc1.example: dhcp was told to try again now by token ops
    h200.dc1.example was served kernel at 10.0.0.11
    h200.dc1.example is overdue: its installation takes longer than 120 minutes
    Deployment of h200.dc1.example was cancelled by token ops
    Deployment of h200.dc1.example was cancelled by token ops: wrong rack
    Deployment of h200.dc1.example is done, says 10.0.0.11 with the deployment's token
    Deployment of h200.dc1.example is done, says token ops
    Deployment of h200.dc1.example is done, says Puppet for h200.dc1.example
    h200.dc1.example is installed, says server 10.0.0.11; its first successful Puppet run ends the deployment
    h200.dc1.example: Puppet failed, and did not say why
    h200.dc1.example: Puppet failed: no nginx; no redis
    ");
}

#[test]
fn a_device_is_told_by_its_name_and_long_lists_are_cut() {
    let entries = (1..=7).map(|n| DnsEntry { hostname: v(&format!("h{n}.dc1.example")), ip: v(&format!("10.0.0.{n}")) });
    let removed = DeviceEvent::DnsEntriesRemoved { entries: entries.collect(), released: vec![], deployment: None };
    let changed = DeviceChanged {
        serial: Some((v("SN1"), v(""))),
        rack: Some(v("r2")),
        macs_added: vec![v("52:54:00:00:00:01")],
        settings: [(v("disk"), None), (v("vlan"), Some(bootledger_aggregates::values::setting::SettingValue::Number(4)))].into(),
        ..DeviceChanged::default()
    };
    let found = FactsRecorded {
        addresses_added: vec![v("10.0.0.9")],
        software: Some(vec![v("nginx"), v("redis")]),
        operating_system: Some(v("")),
        uptime_seconds: Some(60),
        ..FactsRecorded::default()
    };
    let confirmed = |state| DeviceEvent::PowerConfirmed {
        order: OrderId::default(),
        action: PowerAction::Cycle,
        network_boot: true,
        restart: None,
        state,
    };
    let failed = |uncertain| DeviceEvent::PowerFailed {
        order: OrderId::default(),
        action: PowerAction::Off,
        network_boot: false,
        restart: None,
        reason: v("10.0.9.1 did not answer"),
        uncertain,
    };
    let told = [
        removed,
        DeviceEvent::DeviceChanged(Box::new(changed)),
        DeviceEvent::FactsRecorded(Box::new(found)),
        DeviceEvent::VentureRoleSet { venture: Some(v("shop")), role: None },
        DeviceEvent::SubDevicesDetached { devices: vec![DeviceId::default()], deployment: DeploymentId::default() },
        DeviceEvent::DeviceDecommissioned { reason: v("old") },
        DeviceEvent::PowerRequested(PowerOrder {
            order: OrderId::default(),
            action: PowerAction::Cycle,
            network_boot: true,
            restart: None,
            at: v("2026-01-31T14:03:07Z"),
        }),
        confirmed(PowerState::On),
        confirmed(PowerState::Unknown),
        failed(false),
        failed(true),
    ];
    insta::assert_snapshot!(told.each_ref().map(of_device).join("\n"), @r"
    rack server 7: DNS entries removed: h1.dc1.example at 10.0.0.1, h2.dc1.example at 10.0.0.2, h3.dc1.example at 10.0.0.3, h4.dc1.example at 10.0.0.4, h5.dc1.example at 10.0.0.5 and 2 more
    rack server 7 was changed by token ops: no serial number, rack r2, new interface 52:54:00:00:00:01, without setting disk, setting vlan
    rack server 7: facts recorded by token ops: address 10.0.0.9, 2 pieces of software, no operating system, an uptime of 60 s
    rack server 7 was given venture shop and role none by token ops
    rack server 7: 1 sub-device detached
    rack server 7 was decommissioned by token ops: old
    rack server 7: power cycle with one boot from the network by token ops
    rack server 7: its management controller did so; it is on
    rack server 7: its management controller did so, and cannot say whether it is on or off
    rack server 7: power off failed: 10.0.9.1 did not answer
    rack server 7: power off failed: 10.0.9.1 did not answer; it may have been done all the same
    ");
}

#[test]
fn a_difference_is_told_by_who_has_what() {
    use bootledger_aggregates::drift::{Difference, DriftEvent, Nature};
    let found = |nature, expected: &[&str], found: &[&str], message| DriftEvent::DriftFound {
        difference: Difference {
            nature,
            server: v("10.0.0.53:53"),
            expected: expected.iter().map(|text| v(text)).collect(),
            found: found.iter().map(|text| v(text)).collect(),
            message: v(message),
        },
    };
    let record = [
        found(Nature::Missing, &["10.0.0.10"], &[], ""),
        found(Nature::LeftOver, &[], &["10.0.0.9", "10.0.0.8"], ""),
        found(Nature::Foreign, &["10.0.0.10"], &["10.9.9.9"], ""),
        DriftEvent::DriftRepairOrdered {},
        DriftEvent::DriftRepairFailed { problem: v("10.0.0.53:53 cannot be reached") },
        DriftEvent::DriftEnded { repaired: true },
        DriftEvent::DriftEnded { repaired: false },
    ];
    let told = |key: &str, events: &[DriftEvent]| {
        events.iter().map(|event| drift::drift(&v(key), event, " by token ops")).collect::<Vec<_>>().join("\n")
    };
    let server = [found(Nature::Failing, &[], &[], "cannot use its configuration and keeps the old one: no such subnet")];
    let told = [told("dc1/dns/h200.dc1.example/A", &record), told("dc1/dhcp/kea-1", &server)].join("\n");
    insta::assert_snapshot!(told, @"
    Site dc1 has drifted: 10.0.0.53:53 has nothing as h200.dc1.example A, and should have 10.0.0.10
    Site dc1 has drifted: 10.0.0.53:53 still has 10.0.0.9, 10.0.0.8 as h200.dc1.example A, and should have nothing
    Site dc1 has drifted: 10.0.0.53:53 has 10.9.9.9 as h200.dc1.example A, some of it made by somebody else, and should have 10.0.0.10
    Site dc1: repair of h200.dc1.example A ordered by token ops
    Site dc1: repair of h200.dc1.example A failed: 10.0.0.53:53 cannot be reached
    Site dc1: h200.dc1.example A is as it should be again, repaired
    Site dc1: h200.dc1.example A is as it should be again
    Site dc1 has drifted: DHCP server kea-1 cannot use its configuration and keeps the old one: no such subnet
    ");
}
