//! Samples of every event of a difference between a server and the views.

use super::sample_events;
use crate::deployment::reason::{HeldBack, NetworkProblem, UnservedEntry};
use crate::drift::{
    Difference, DifferenceKind, DriftEvent, DriftProblem, Nature, RepeatConflict, RepeatedEntries, RepeatedEntry, Segment,
};
use crate::samples::parsed;
use crate::site::TsigAlgorithm;
use std::net::SocketAddr;

sample_events!(drift: DriftEvent {
    DriftFound => [
        found(DifferenceKind::Missing {}),
        DriftEvent::DriftFound {
            difference: Difference { found: vec![parsed("10.9.9.9"), parsed("10.9.9.8")], ..difference(DifferenceKind::Foreign {}) },
        },
        DriftEvent::DriftFound {
            difference: Difference {
                expected: vec![],
                found: vec![parsed("10.0.0.9")],
                ..difference(DifferenceKind::LeftOver {})
            },
        },
        found(DifferenceKind::Alias {
            name: parsed("h200.dc1.example"),
            target: parsed("www.example"),
            zone: parsed("dc1.example"),
        }),
        of_server(DifferenceKind::Unconfirmed {}, &[]),
        of_server(DifferenceKind::Behind { position: 42 }, &[]),
        of_server(DifferenceKind::Failing { error: parsed("syntax error") }, &[]),
        DriftEvent::DriftFound {
            difference: Difference {
                kind: DifferenceKind::OtherRevision { position: 42 },
                server: parsed("kea-1"),
                expected: vec![parsed("1f2e")],
                found: vec![parsed("0a0b")],
            },
        },
        of_server(
            DifferenceKind::HeldBack {
                held_back: HeldBack {
                    site: parsed("dc1"),
                    entries: vec![UnservedEntry { ip: [10, 20, 1, 50].into(), device: parsed("R640 no. 1") }],
                    more: 2,
                    network: parsed("prod"),
                    problem: NetworkProblem::Retired {},
                },
            },
            &["10.20.1.50"],
        ),
        of_server(repeated(0, RepeatConflict::Interface { ip: [10, 20, 1, 51].into(), segment: Segment::Vlan(7) }), &["10.20.1.50"]),
        of_server(
            repeated(1, RepeatConflict::Interface { ip: [10, 20, 1, 51].into(), segment: Segment::Network(parsed("prod")) }),
            &["10.20.1.50"],
        ),
        of_server(repeated(0, RepeatConflict::Address { mac: parsed("52:54:00:00:00:02") }), &["10.20.1.50"]),
        of_server(repeated(0, RepeatConflict::Precedence {}), &["10.20.1.50"]),
        of_server(DifferenceKind::Text { nature: Nature::Failing, text: parsed("syntax error") }, &[]),
    ],
    DriftRepairOrdered => [DriftEvent::DriftRepairOrdered {}],
    DriftRepairFailed => [
        failed(DriftProblem::NoPrimary {}),
        failed(DriftProblem::NoEffect {}),
        failed(DriftProblem::NoReport { server: parsed("kea-1"), seconds: 60 }),
        failed(DriftProblem::AddressNotAllowed { address: [127, 0, 0, 1].into(), option: parsed("--outbound-allow") }),
        failed(DriftProblem::SecretMissing { secret: parsed("dns-key"), variable: parsed("BOOTLEDGER_SECRET_DNS_KEY") }),
        failed(DriftProblem::SecretUnusable { secret: parsed("dns-key"), detail: parsed("it is empty") }),
        failed(DriftProblem::SecretMalformed { secret: parsed("dns-key") }),
        failed(DriftProblem::KeyUnusable { key: parsed("bootledger"), detail: parsed("unsupported") }),
        failed(DriftProblem::NoAnswer { primary: primary() }),
        failed(DriftProblem::KeyUnknown {
            primary: primary(),
            key: parsed("bootledger"),
            algorithm: TsigAlgorithm::HmacSha256,
        }),
        failed(DriftProblem::KeyDiffers { primary: primary(), key: parsed("bootledger") }),
        failed(DriftProblem::ClocksDiffer { primary: primary(), key: parsed("bootledger"), allowed: 300, ahead: Some(-400) }),
        failed(DriftProblem::ClocksDiffer { primary: primary(), key: parsed("bootledger"), allowed: 300, ahead: None }),
        failed(DriftProblem::SignatureRefused { primary: primary(), key: parsed("bootledger"), error: 22 }),
        failed(DriftProblem::Unsigned { primary: primary(), key: parsed("bootledger"), response: parsed("NOTAUTH") }),
        failed(DriftProblem::NotTrusted { primary: primary(), key: parsed("bootledger"), detail: parsed("the MAC is wrong") }),
        failed(DriftProblem::Refused {
            primary: primary(),
            key: parsed("bootledger"),
            zone: parsed("dc1.example"),
            response: parsed("REFUSED"),
        }),
        failed(DriftProblem::NotAuthoritative {
            primary: primary(),
            key: parsed("bootledger"),
            name: parsed("h200.dc1.example"),
            response: parsed("SERVFAIL"),
        }),
        failed(DriftProblem::Internal { detail: parsed("the views have an A record with the value x") }),
        failed(DriftProblem::Text { text: parsed("10.0.0.53:53 cannot be reached") }),
    ],
    DriftEnded => [DriftEvent::DriftEnded { repaired: true }, DriftEvent::DriftEnded { repaired: false }],
});

fn difference(kind: DifferenceKind) -> Difference {
    Difference { kind, server: parsed("10.0.0.53:53"), expected: vec![parsed("10.0.0.10")], found: vec![] }
}

fn found(kind: DifferenceKind) -> DriftEvent {
    DriftEvent::DriftFound { difference: difference(kind) }
}

/// A difference of a DHCP server.
fn of_server(kind: DifferenceKind, expected: &[&str]) -> DriftEvent {
    let expected = expected.iter().map(|value| parsed(value)).collect();
    DriftEvent::DriftFound { difference: Difference { kind, server: parsed("kea-1"), expected, found: vec![] } }
}

fn repeated(more: usize, conflict: RepeatConflict) -> DifferenceKind {
    let entry = RepeatedEntry { ip: [10, 20, 1, 50].into(), mac: parsed("52:54:00:00:00:01") };
    DifferenceKind::Repeated { repeated: RepeatedEntries { entries: vec![entry], more, conflict } }
}

fn failed(problem: DriftProblem) -> DriftEvent {
    DriftEvent::DriftRepairFailed { problem }
}

fn primary() -> SocketAddr {
    ([10, 0, 0, 53], 53).into()
}
