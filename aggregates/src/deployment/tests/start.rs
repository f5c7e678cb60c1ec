//! Tests of the rules for starting a deployment: each on its own, and all together.

use super::*;
use crate::claims::{Claim, Holder};
use crate::deployment::plan::Plan;
use crate::deployment::start::{DeviceFacts, StartDeployment, StartFacts, held_claim, no_default_image, undeployable};
use crate::rules::{BrokenRule, Refused, Rule};
use crate::samples::deployment_id;

/// The errors for a valid request after one change.
fn refused(change: impl FnOnce(&mut StartDeployment)) -> Vec<BrokenRule> {
    let mut request = request();
    change(&mut request);
    let Refused(rules) =
        outcome::<Deployment>(&[], DeploymentCommand::StartDeployment(Box::new(request))).expect_err("it was started");
    rules
}

/// Each error as `field rule`.
fn codes(rules: &[BrokenRule]) -> Vec<String> {
    rules.iter().map(|broken| format!("{} {}", broken.field, broken.rule)).collect()
}

fn facts_of_device(request: &mut StartDeployment) -> &mut DeviceFacts {
    request.facts.device.as_mut().expect("a device")
}

#[test]
fn the_first_event_carries_everything_that_was_decided() {
    let events = open();
    let [DeploymentEvent::DeploymentStarted(started)] = events.as_slice() else { panic!("{events:?}") };
    let request = request();
    assert_eq!(started.assignment, request.assignment);
    assert_eq!(started.boot_image_revision, 3);
    assert_eq!((started.network.as_str(), started.site.as_str()), ("dc1-prod", "dc1"));
    assert_eq!((started.limits.open_minutes, started.limits.in_progress_minutes), (30, 120));
    assert_eq!(started.plan, request.plan);
    assert_eq!(started.took, request.assignment.claims()[..2]);
}

#[test]
fn the_device_is_known_verified_and_in_use() {
    assert_eq!(codes(&refused(|r| r.facts.device = None)), ["device device_unknown"]);
    assert_eq!(codes(&refused(|r| facts_of_device(r).verified = false)), ["device device_not_verified"]);
    assert_eq!(codes(&refused(|r| facts_of_device(r).decommissioned = true)), ["device device_decommissioned"]);
}

#[test]
fn the_interface_is_one_of_the_devices() {
    let other = refused(|r| facts_of_device(r).macs = vec![parsed("52:54:00:00:00:09")]);
    assert_eq!(codes(&other), ["mac mac_not_of_device"]);
    assert!(other[0].message.contains("52:54:00:00:00:09"), "{}", other[0].message);
    assert_eq!(codes(&refused(|r| facts_of_device(r).macs.clear())), ["mac mac_not_of_device"]);
}

#[test]
fn the_network_is_of_the_devices_site() {
    assert_eq!(codes(&refused(|r| facts_of_device(r).site = Some(parsed("dc2")))), ["ip network_of_other_site"]);
}

#[test]
fn the_address_is_one_that_its_network_assigns() {
    for (ip, expected) in [
        ("10.0.0.0", "ip ip_is_network"),
        ("10.0.0.255", "ip ip_is_broadcast"),
        ("10.0.0.254", "ip ip_is_gateway"),
        ("10.0.0.1", "ip ip_in_margin"),
        ("10.0.0.10", "ip ip_in_margin"),
        ("10.0.1.20", "ip ip_outside_networks"),
    ] {
        let rules = refused(|r| r.assignment.ip = parsed(ip));
        assert_eq!(codes(&rules), [expected], "{ip}");
        assert_eq!(rules[0].holder.as_deref(), Some("network dc1-prod"), "{ip}");
    }
    assert_eq!(codes(&refused(|r| r.facts.network = None)), ["ip ip_outside_networks"]);
    let mut lowest = request();
    lowest.assignment.ip = parsed("10.0.0.11");
    assert!(outcome::<Deployment>(&[], DeploymentCommand::StartDeployment(Box::new(lowest))).is_ok());
}

#[test]
fn an_address_of_a_network_without_dhcp_is_not_assigned() {
    let rules = refused(|r| r.facts.network.as_mut().expect("a network").1.dhcp = false);
    assert_eq!(codes(&rules), ["ip network_without_dhcp"]);
    assert_eq!(rules[0].holder.as_deref(), Some("network dc1-prod"));
}

#[test]
fn every_reason_why_a_device_cannot_be_deployed_is_listed() {
    let (id, live) = (device_id(1), Some(deployment_id(7)));
    let ready = DeviceFacts { verified: true, ..DeviceFacts::default() };
    assert_eq!(undeployable(id, &ready, None), []);
    assert_eq!(codes(&undeployable(id, &ready, live)), ["device already_deploying"]);
    let unverified = DeviceFacts::default();
    assert_eq!(codes(&undeployable(id, &unverified, live)), ["device device_not_verified", "device already_deploying"]);
}

#[test]
fn the_address_of_a_management_controller_is_assigned_to_no_server() {
    let rules = refused(|r| r.facts.managed = Some(device_id(2)));
    assert_eq!(codes(&rules), ["ip ip_is_management"]);
    assert_eq!(rules[0].holder, Some(Holder::Device(device_id(2)).to_string()));
}

#[test]
fn the_zones_of_name_and_address_are_managed() {
    let elsewhere = refused(|r| r.assignment.hostname = parsed("h200.elsewhere.example"));
    assert_eq!(codes(&elsewhere), ["hostname zone_not_managed"]);
    assert!(elsewhere[0].message.contains("dc1.example, 0.10.in-addr.arpa"), "{}", elsewhere[0].message);
    let forward_only = refused(|r| r.facts.site.as_mut().expect("a site").zones = vec![parsed("dc1.example")]);
    assert_eq!(codes(&forward_only), ["ip reverse_zone_not_managed"]);
}

#[test]
fn a_network_whose_site_is_unknown_starts_nothing() {
    assert_eq!(codes(&refused(|r| r.facts.site = None)), ["ip site_unknown"]);
}

#[test]
fn a_claim_that_another_holds_is_refused_with_the_holder() {
    let other = Holder::Device(device_id(2));
    for (claim, expected) in [
        (Claim::Ip(parsed("10.0.0.20")), "ip ip_claimed"),
        (Claim::Hostname(parsed("h200.dc1.example")), "hostname hostname_claimed"),
        (Claim::Mac(parsed("52:54:00:00:00:01")), "mac mac_claimed"),
    ] {
        let rules = refused(|r| r.facts.holders = vec![(claim, other)]);
        assert_eq!(codes(&rules), [expected]);
        assert_eq!(rules[0].holder, Some(other.to_string()));
    }
}

#[test]
fn a_device_has_one_live_deployment() {
    let live = Holder::Deployment(deployment_id(7));
    let rules = refused(|r| r.facts.holders = vec![(Claim::Deployment(r.assignment.device), live)]);
    assert_eq!(codes(&rules), ["device already_deploying"]);
    assert_eq!(rules[0].holder, Some(live.to_string()));
}

#[test]
fn claims_that_have_nothing_to_do_with_the_request_do_not_matter() {
    let mut request = request();
    let other = Holder::Device(device_id(2));
    request.facts.holders = vec![
        (Claim::Ip(parsed("10.0.0.21")), other),
        (Claim::Hostname(parsed("h201.dc1.example")), other),
        (Claim::Deployment(device_id(2)), Holder::Deployment(deployment_id(7))),
        (Claim::Ip(request.assignment.ip), Holder::Device(request.assignment.device)),
    ];
    assert!(outcome::<Deployment>(&[], DeploymentCommand::StartDeployment(Box::new(request))).is_ok());
}

#[test]
fn every_kind_of_claim_has_a_message() {
    let other = Holder::Device(device_id(2));
    let text = |claim: &Claim| held_claim(claim, other, device_id(1)).map(|broken| broken.rule);
    assert_eq!(text(&Claim::Serial(parsed("S1"))).as_deref(), Some("serial_claimed"));
    assert_eq!(text(&Claim::Asset(parsed("A1"))).as_deref(), Some("asset_claimed"));
    assert_eq!(text(&Claim::Deployment(device_id(2))), None);
}

#[test]
fn an_image_that_is_missing_because_its_venture_or_role_is_unknown_is_refused_for_that_reason() {
    let code = |venture_exists, role_exists| no_default_image(&parsed("shop"), &parsed("web"), venture_exists, role_exists).rule;
    assert_eq!(code(false, false), "venture_unknown");
    assert_eq!(code(true, false), "role_unknown");
    assert_eq!(code(true, true), "boot_image_missing");
}

#[test]
fn venture_role_and_image_are_known_and_usable() {
    assert_eq!(codes(&refused(|r| r.facts.venture_exists = false)), ["venture venture_unknown"]);
    assert_eq!(codes(&refused(|r| r.facts.role_exists = false)), ["role role_unknown"]);
    assert_eq!(codes(&refused(|r| r.facts.boot_image = None)), ["boot_image boot_image_unknown"]);
    let image = |r: &mut StartDeployment| r.facts.boot_image.clone().expect("an image");
    let retired = refused(|r| r.facts.boot_image = Some(crate::deployment::start::BootImageFacts { retired: true, ..image(r) }));
    assert_eq!(codes(&retired), ["boot_image boot_image_retired"]);
    let incomplete = Some("it has no script".to_owned());
    let incomplete = refused(|r| r.facts.boot_image = Some(crate::deployment::start::BootImageFacts { incomplete, ..image(r) }));
    assert_eq!(codes(&incomplete), ["boot_image boot_image_incomplete"]);
    assert!(incomplete[0].message.ends_with("it has no script"), "{}", incomplete[0].message);
    let needs = vec![(crate::boot_image::NetworkValue::Gateway, parsed("boot.ipxe"))];
    let with_needs = |r: &mut StartDeployment| {
        let facts = crate::deployment::start::BootImageFacts { network_needs: needs.clone(), ..image(r) };
        r.facts.boot_image = Some(facts);
    };
    let without = refused(|r| {
        with_needs(r);
        r.facts.network.as_mut().expect("a network").1.gateway = None;
    });
    assert_eq!(codes(&without), ["boot_image boot_image_incomplete"]);
    assert!(without[0].message.contains("boot.ipxe"), "{}", without[0].message);
    assert!(without[0].message.contains("{{ gateway or '' }}"), "{}", without[0].message);
}

#[test]
fn a_plan_without_an_end_starts_nothing() {
    assert_eq!(codes(&refused(|r| r.plan = Plan::default())), ["plan plan_invalid"]);
}

#[test]
fn all_broken_rules_are_reported_at_once() {
    let rules = refused(|r| {
        r.assignment.mac = parsed("52:54:00:00:00:09");
        r.assignment.ip = parsed("10.0.0.254");
        r.assignment.hostname = parsed("h200.elsewhere.example");
        let device = facts_of_device(r);
        (device.verified, device.site) = (false, Some(parsed("dc2")));
        let other = Holder::Device(device_id(2));
        r.facts.holders = vec![
            (Claim::Ip(r.assignment.ip), other),
            (Claim::Hostname(r.assignment.hostname.clone()), other),
            (Claim::Mac(r.assignment.mac), other),
            (Claim::Deployment(r.assignment.device), Holder::Deployment(deployment_id(7))),
        ];
        r.facts.site.as_mut().expect("a site").zones = vec![parsed("dc1.example")];
        r.facts.venture_exists = false;
        r.facts.boot_image = None;
        r.plan = Plan::default();
    });
    assert_eq!(
        codes(&rules),
        [
            "device device_not_verified",
            "mac mac_not_of_device",
            "ip network_of_other_site",
            "ip ip_is_gateway",
            "hostname zone_not_managed",
            "ip reverse_zone_not_managed",
            "ip ip_claimed",
            "hostname hostname_claimed",
            "mac mac_claimed",
            "device already_deploying",
            "venture venture_unknown",
            "boot_image boot_image_unknown",
            "plan plan_invalid",
        ]
    );
}

#[test]
fn a_request_with_only_unknown_names_is_refused_with_messages() {
    let rules = refused(|r| r.facts = StartFacts::default());
    let expected =
        ["device device_unknown", "ip ip_outside_networks", "venture venture_unknown", "boot_image boot_image_unknown"];
    assert_eq!(codes(&rules), expected);
}

#[test]
fn resolved_settings_are_part_of_the_first_event_and_missing_ones_refuse_it() {
    let values: crate::settings::ResolvedSettings =
        serde_json::from_value(serde_json::json!({ "disk": { "value": "/dev/sda", "from": "device" } })).expect("settings");
    let mut request = request();
    request.facts.settings.values = values.clone();
    let events = outcome::<Deployment>(&[], DeploymentCommand::StartDeployment(Box::new(request))).expect("it starts");
    let [DeploymentEvent::DeploymentStarted(started)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(started.settings, values);
    let missing =
        refused(|r| r.facts.settings.broken = vec![BrokenRule::new("boot_image", Rule::SettingMissing, "disk has no value")]);
    assert_eq!(codes(&missing), ["boot_image setting_missing"]);
}
