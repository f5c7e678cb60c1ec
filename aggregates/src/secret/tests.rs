//! Tests of the rules of a secret's scope, one for each.

use super::*;
use crate::device::management::Access;
use crate::samples::{broken, outcome, parsed};

fn spec() -> SecretSpec {
    SecretSpec {
        description: parsed("The controllers of dc1"),
        networks: vec![parsed("10.20.12.0/24")],
        protocols: [ManagementProtocol::Redfish].into(),
        ports: BTreeSet::new(),
        sites: [parsed("dc1")].into(),
        plain_http: false,
    }
}

fn define_as(name: &str, spec: SecretSpec) -> SecretCommand {
    SecretCommand::DefineSecret { name: parsed(name), spec: Box::new(spec), unknown_sites: vec![], used_by: vec![] }
}

fn define(spec: SecretSpec) -> SecretCommand {
    define_as("bmc-dc1", spec)
}

fn defined() -> Vec<SecretEvent> {
    vec![SecretEvent::SecretScopeDefined { spec: Box::new(spec()) }]
}

#[test]
fn a_scope_is_defined_changed_and_retired() {
    assert_eq!(outcome::<Secret>(&[], define(spec())), Ok(defined()));
    assert_eq!(outcome::<Secret>(&defined(), define(spec())), Ok(vec![]));
    let wider = SecretSpec { plain_http: true, ..spec() };
    assert_eq!(outcome::<Secret>(&defined(), define(wider)).map(|events| events.len()), Ok(1));
    let retired = vec![SecretEvent::SecretScopeRetired {}];
    assert_eq!(outcome::<Secret>(&defined(), SecretCommand::RetireSecret), Ok(retired.clone()));
    assert_eq!(outcome::<Secret>(&[], SecretCommand::RetireSecret), Ok(vec![]));
    let again: Vec<_> = defined().into_iter().chain(retired).collect();
    assert_eq!(outcome::<Secret>(&again, define(spec())), Ok(defined()));
}

#[test]
fn a_secret_is_allowed_only_where_its_scope_names_the_target() {
    let empty = SecretSpec { networks: vec![], protocols: BTreeSet::new(), sites: BTreeSet::new(), ..spec() };
    assert_eq!(broken::<Secret>(&[], define(empty)), ["networks_missing", "protocols_missing", "sites_missing"]);
    assert!(serde_json::from_str::<SecretSpec>(r#"{"networks": ["10.0.0.0/24"], "protocols": ["ipmi"]}"#).is_err());
    assert!(serde_json::from_str::<SecretSpec>(r#"{"networks": [], "protocols": [], "sites": [], "hosts": ["x"]}"#).is_err());
}

#[test]
fn a_scope_is_not_the_whole_internet_and_has_bounds() {
    let wide = SecretSpec { networks: ["0.0.0.0/0", "10.0.0.0/7", "10.0.0.0/8", "::/0"].map(parsed).to_vec(), ..spec() };
    assert_eq!(broken::<Secret>(&[], define(wide)), ["network_too_wide"; 3]);
    let long = SecretSpec { ports: (0..=200).collect(), ..spec() };
    assert_eq!(broken::<Secret>(&[], define(long)), ["ports_too_many", "port_range"]);
}

#[test]
fn secrets_for_other_uses_are_refused_for_controllers() {
    assert_eq!(broken::<Secret>(&[], define_as("boot-root", spec())), ["secret_for_boot_files"]);
    let used = SecretCommand::DefineSecret {
        name: parsed("tsig-dc1"),
        spec: Box::new(spec()),
        unknown_sites: vec![parsed("dc9")],
        used_by: vec!["site dc1".to_owned()],
    };
    assert_eq!(broken::<Secret>(&[], used), ["secret_used_elsewhere", "site_unknown"]);
}

/// A host name is in scope only if it has addresses and all of them are in scope.
#[test]
fn all_addresses_of_a_host_name_have_to_be_in_scope() {
    let access = Access { tls: Tls::Verify, ..Access::default() };
    let management =
        Management { address: parsed("bmc1.example"), protocol: ManagementProtocol::Redfish, credentials: None, access };
    let check = |addresses: &[IpAddr]| spec().check(&parsed("bmc-dc1"), &parsed("dc1"), &management, addresses);
    assert_eq!(check(&[parsed("10.20.12.9"), parsed("10.20.12.10")]), Ok(()));
    assert_eq!(
        check(&[parsed("10.20.12.9"), parsed("10.20.13.9")]),
        Err(OutOfScope::Address(parsed("bmc-dc1"), parsed("10.20.13.9")))
    );
    assert_eq!(check(&[]), Err(OutOfScope::Unresolved(parsed("bmc-dc1"), "bmc1.example".to_owned())));
}

/// Every combination of matching and other values: only the combination that matches in every field is allowed.
#[test]
fn a_controller_has_to_fit_all_of_a_scope() {
    let name: Name = parsed("bmc-dc1");
    let mut allowed = 0;
    for address in ["10.20.12.9", "10.20.13.9"] {
        for protocol in [ManagementProtocol::Redfish, ManagementProtocol::Ipmi] {
            for port in [None, Some(443), Some(8443), Some(623), Some(80)] {
                for site in ["dc1", "dc2"] {
                    for tls in [Tls::Verify, Tls::Off] {
                        let access = Access { port, tls, ..Access::default() };
                        let management = Management { address: parsed(address), protocol, credentials: None, access };
                        let fits = address == "10.20.12.9"
                            && protocol == ManagementProtocol::Redfish
                            && matches!(port, None | Some(443))
                            && site == "dc1"
                            && tls == Tls::Verify;
                        let checked = spec().check(&name, &parsed(site), &management, &[parsed(address)]);
                        assert_eq!(checked.is_ok(), fits, "{management:?} in {site}: {checked:?}");
                        allowed += usize::from(fits);
                    }
                }
            }
        }
    }
    assert_eq!(allowed, 2);
}

#[test]
fn named_ports_replace_the_usual_ones_and_plain_http_is_named_too() {
    let name: Name = parsed("bmc-dc1");
    let of = |port, tls| Management {
        address: parsed("10.20.12.9"),
        protocol: ManagementProtocol::Redfish,
        credentials: None,
        access: Access { port, tls, ..Access::default() },
    };
    let check = |spec: &SecretSpec, port, tls| spec.check(&name, &parsed("dc1"), &of(port, tls), &[parsed("10.20.12.9")]);
    let other = SecretSpec { ports: [8443].into(), ..spec() };
    assert_eq!(check(&other, None, Tls::Verify), Err(OutOfScope::Port(name.clone(), 443)));
    assert_eq!(check(&other, Some(8443), Tls::Verify), Ok(()));
    let plain = SecretSpec { plain_http: true, ..spec() };
    assert_eq!(check(&plain, None, Tls::Off), Ok(()), "port 80 is the usual one");
    assert_eq!(check(&plain, Some(443), Tls::Off), Err(OutOfScope::Port(name.clone(), 443)));
    assert_eq!(check(&spec(), None, Tls::Off), Err(OutOfScope::PlainHttp(name.clone())));
}

#[test]
fn a_scope_has_up_to_200_networks_sites_and_ports() {
    let of = |count: u16| SecretSpec {
        networks: vec![parsed("10.20.12.0/24"); count.into()],
        sites: (0..count).map(|n| parsed(&format!("dc{n}"))).collect(),
        ports: (1..=count).collect(),
        ..spec()
    };
    assert!(outcome::<Secret>(&[], define(of(200))).is_ok());
    let expected = ["networks_too_many", "sites_too_many", "ports_too_many"];
    assert_eq!(broken::<Secret>(&[], define(of(201))), expected);
}

#[test]
fn a_secret_has_the_scope_that_was_defined_until_it_is_retired() {
    let mut secret = Secret::default();
    assert_eq!(secret.scope(), None);
    for event in defined() {
        secret.evolve(event);
    }
    assert_eq!(secret.scope(), Some(&spec()));
    secret.evolve(SecretEvent::SecretScopeRetired {});
    assert_eq!(secret.scope(), None);
}
