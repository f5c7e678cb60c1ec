//! Reserving, releasing and expiring an address.

use super::*;
use crate::network::usual_margin_bottom;
use crate::samples::{deployment_id, device_id, network, noon, parsed};

fn spec(note: &str, expires: Option<i64>) -> ReservationSpec {
    ReservationSpec { note: parsed(note), expires: expires.map(noon) }
}

fn facts() -> AddressFacts {
    let spec = NetworkSpec { gateway: Some(parsed("10.0.0.1")), ..network("10.0.0.0/24") };
    AddressFacts { spec: Some(Box::new(spec)), ..AddressFacts::default() }
}

fn reserve(ip: &str, spec: ReservationSpec, facts: AddressFacts) -> ReservationCommand {
    ReservationCommand::ReserveAddress { ip: parsed(ip), network: parsed("prod"), spec, replaces: true, now: noon(0), facts }
}

fn reserved(spec: ReservationSpec) -> Reservation {
    let mut reservation = Reservation::default();
    reservation.evolve(ReservationEvent::AddressReserved { network: parsed("prod"), spec });
    reservation
}

fn rules(refused: Result<Vec<ReservationEvent>, Refused>) -> Vec<String> {
    refused.expect_err("it is refused").0.into_iter().map(|broken| broken.rule).collect()
}

#[test]
fn a_free_address_is_reserved_and_the_same_request_changes_nothing() {
    let wanted = spec("for the new firewall", Some(60));
    let events = Reservation::default().decide(reserve("10.0.0.20", wanted.clone(), facts())).expect("it is reserved");
    assert_eq!(events, [ReservationEvent::AddressReserved { network: parsed("prod"), spec: wanted.clone() }]);
    let held = AddressFacts { holder: Some(Holder::Reservation(parsed("10.0.0.20"))), ..facts() };
    let again = reserved(wanted).decide(reserve("10.0.0.20", spec("for the new firewall", Some(60)), held.clone()));
    assert_eq!(again.expect("it is reserved"), []);
    let changed = reserved(spec("a", None)).decide(reserve("10.0.0.20", spec("b", None), held));
    assert_eq!(changed.expect("its note changes").len(), 1);
}

#[test]
fn a_request_for_a_free_address_does_not_take_over_the_reservation_of_another_operator() {
    let (ip, network) = (parsed("10.0.0.20"), parsed("prod"));
    let wanted = spec("b", None);
    let new = ReservationCommand::ReserveAddress { ip, network, spec: wanted, replaces: false, now: noon(0), facts: facts() };
    assert_eq!(rules(reserved(spec("a", None)).decide(new.clone())), ["ip_claimed"]);
    assert!(reserved(spec("b", None)).decide(new.clone()).is_ok_and(|events| events.is_empty()), "it was sent twice");
    assert!(Reservation::default().decide(new).is_ok());
}

#[test]
fn an_address_at_the_end_of_a_network_that_is_assigned_to_nobody_can_be_reserved() {
    assert!(usual_margin_bottom(parsed("10.0.0.0/24")) > 5);
    assert!(Reservation::default().decide(reserve("10.0.0.5", spec("a", None), facts())).is_ok());
}

#[test]
fn all_problems_of_a_reservation_are_reported_together() {
    let refused = Reservation::default().decide(reserve("10.0.0.1", spec("", Some(0)), facts()));
    assert_eq!(rules(refused), ["note_missing", "expires_in_past", "address_of_no_host"]);
    for (ip, rule) in
        [("10.0.1.1", "ip_outside_networks"), ("10.0.0.0", "address_of_no_host"), ("10.0.0.255", "address_of_no_host")]
    {
        assert_eq!(rules(Reservation::default().decide(reserve(ip, spec("a", None), facts()))), [rule], "{ip}");
    }
    let unknown = Reservation::default().decide(reserve("10.0.0.20", spec("a", None), AddressFacts::default()));
    assert_eq!(rules(unknown), ["network_unknown"]);
}

#[test]
fn an_address_in_use_cannot_be_reserved() {
    let device = device_id(7);
    for (more, rule) in [
        (AddressFacts { holder: Some(Holder::Device(device)), ..facts() }, "ip_claimed"),
        (AddressFacts { holder: Some(Holder::Deployment(deployment_id(7))), ..facts() }, "ip_claimed"),
        (AddressFacts { managed: Some(device), ..facts() }, "address_is_management"),
        (
            AddressFacts { declared: Some("10.0.0.20 is a DNS server of network prod".to_owned()), ..facts() },
            "address_of_infrastructure",
        ),
    ] {
        assert_eq!(rules(Reservation::default().decide(reserve("10.0.0.20", spec("a", None), more))), [rule]);
    }
}

#[test]
fn a_reservation_expires_at_its_end_and_not_before() {
    let reservation = reserved(spec("a", Some(60)));
    let expire = |now| reservation.decide(ReservationCommand::ExpireReservation { now: noon(now) }).expect("it is decided");
    assert_eq!(expire(59), []);
    assert_eq!(expire(60), [ReservationEvent::ReservationExpired { network: parsed("prod") }]);
    let endless = reserved(spec("a", None)).decide(ReservationCommand::ExpireReservation { now: noon(i64::from(i32::MAX)) });
    assert_eq!(endless.expect("it is decided"), []);
}

#[test]
fn only_a_reserved_address_can_be_released_and_its_claim_ends_with_it() {
    let ip: Ipv4Addr = parsed("10.0.0.20");
    let released = reserved(spec("a", None)).decide(ReservationCommand::ReleaseAddress {}).expect("it is released");
    assert_eq!(released, [ReservationEvent::AddressReleased { network: parsed("prod") }]);
    let claim = (Claim::Ip(ip), Holder::Reservation(ip));
    assert_eq!(released[0].claims(ip), [ClaimChange::Release(claim.0.clone(), claim.1)]);
    assert_eq!(rules(Reservation::default().decide(ReservationCommand::ReleaseAddress {})), ["reservation_unknown"]);
    let taken = ReservationEvent::AddressReserved { network: parsed("prod"), spec: spec("a", None) };
    assert_eq!(taken.claims(ip), [ClaimChange::Take(claim.0, claim.1)]);
}
