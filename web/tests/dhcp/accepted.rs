//! BIND loads every extra record that is accepted: every type with valid values, at its limits, and slightly wrong.
//!
//! Each line is a zone of its own, and one run of BIND's `named-checkconf -z` loads them all, with the checks of names that a
//! primary makes by default. [`OURS`] lists what BIND loads although it is refused here, with the reasons.

use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::zone;
use bootledger_aggregates::zone::rules::{check, without_address};
use bootledger_web::machines::dns::zone::{Zone, render};
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::Command;

/// This many octets in hexadecimal digits.
fn hex(octets: usize) -> String {
    "a1".repeat(octets)
}

/// What BIND loads but is refused here: a part of the refusal, and the reason.
const OURS: &[(&str, &str)] = &[
    ("only letters, digits and inner hyphens", "BIND lets _spf pass as the name of a host, which it is not"),
    ("allowed only in quotes", "letters outside of ASCII are in quotes, so that they are not read as a name"),
    ("is longer than 2147483647", "RFC 2181 has no longer times; BIND takes them for 0"),
    ("DS needs NS records", "a DS record is about the zone that is delegated there"),
    ("made by the DNS server that signs", "records of DNSSEC are the signing server's"),
    ("is not in the zone", "BIND ignores what is outside of the zone, with a warning"),
    ("matching type", "a TLSA digest of another length than its type has is a typing error (RFC 6698)"),
    ("is an address", "NS, MX, SRV, CNAME and PTR name hosts; BIND has warnings for the first two only"),
    ("is the root of DNS", "an alias or a pointer to the root of DNS is of no use"),
    ("is not a tag of CAA", "RFC 8659 has tags of up to 15 characters"),
    ("longer than 255", "BIND takes values of CAA of up to 65535 octets; no authority has one of them"),
    ("not supported here", "types and forms that are not known cannot be checked"),
    ("are supported", "escapes in names"),
    ("no address among the zone's extra records", "BIND loads a delegation whose server is elsewhere in the zone with a warning"),
    ("SPF records are obsolete", "RFC 7208 withdrew the type"),
    ("differs from the", "RFC 2181 wants one time for all records of a name and type; BIND changes one of them"),
    ("is already in line", "BIND drops the second of two equal records"),
    ("delegated by the NS record", "BIND loads what is below a delegation, and no resolver finds it"),
    ("is an alias (CNAME) in line", "RFC 2181 has no aliases behind NS, MX and SRV; BIND has warnings"),
    ("not the name of a host", "NS, MX and SRV name hosts; BIND takes the root for one"),
    ("is not an algorithm", "BIND knows names of algorithms, such as RSASHA256; dig prints numbers"),
    ("is not a digest type", "BIND knows names of digests, such as SHA-256; dig prints numbers"),
    ("the field name_servers", "the zone's own servers are a field"),
    ("hexadecimal digits", "BIND reads hexadecimal digits of any number; 512 octets are enough"),
];

/// Lines that BIND cannot read and that are served in another form.
const WRITTEN_OTHERWISE: [&str; 2] = ["a A \"10.0.0.1\"", "a 1h30m1 TXT x"];

/// The lines, each of which becomes a zone. `|` separates lines of one zone.
fn lines() -> Vec<String> {
    let mut lines: Vec<String> = include_str!("accepted.txt").lines().map(str::to_owned).collect();
    for octets in [0, 1, 19, 20, 21, 31, 32, 33, 47, 48, 49, 63, 64, 65] {
        for kind in 0..=5 {
            lines.push(format!("a NS b.c.|a DS 1 8 {kind} {}", hex(octets)));
            lines.push(format!("a SSHFP 4 {kind} {}", hex(octets)));
            lines.push(format!("a TLSA 3 1 {kind} {}", hex(octets)));
        }
    }
    lines.push(format!("a NS b.c.|a DS 1 8 SHA-256 {}", hex(32)));
    for length in [254, 255, 256] {
        lines.push(format!("a TXT {}", "x".repeat(length)));
        lines.push(format!("a CAA 0 issue {}", "x".repeat(length)));
        lines.push(format!("a NAPTR 1 1 {} s \"\" .", "u".repeat(length)));
        lines.push(format!("a NAPTR 1 1 u s !{}!x! .", "x".repeat(length - 4)));
    }
    for length in [62, 63, 64] {
        lines.push(format!("{} A 10.0.0.1", "x".repeat(length)));
        lines.push(format!("a CNAME {}.b.", "x".repeat(length)));
    }
    for length in 230..246 {
        // The zone's name has up to 20 characters.
        let name = format!("{}.{}.{}.{}", "x".repeat(63), "y".repeat(63), "z".repeat(63), "w".repeat(length - 192));
        lines.push(format!("{name} A 10.0.0.1"));
        lines.push(format!("a CNAME {name}"));
    }
    lines.push(format!("a TXT {}", "abc ".repeat(500)));
    lines.push(format!("a TLSA 3 1 0 {}", hex(512)));
    lines.push(format!("a TLSA 3 1 0 {}", hex(513)));
    lines.extend(expressions());
    lines
}

/// NAPTR records with substitutions of the characters that matter; the same ones in every run.
fn expressions() -> Vec<String> {
    let pieces = [
        "a",
        "b",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "1",
        "2",
        "9",
        ",",
        "|",
        "^",
        "$",
        "*",
        "+",
        "?",
        ".",
        "-",
        "\\\\\\\\",
        "\\\\1",
        "\\\\2",
        "\\\\0",
        "[:alpha:]",
        "[[:digit:]]",
        "[.a.]",
        "[=a=]",
        "[a-z]",
        "[^a]",
        "(a)",
        "{1,2}",
        "{300}",
        "i",
        ":",
        "=",
        "0",
    ];
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("a number") % below
    };
    let mut some = |most: usize| -> String { (0..next(most + 1)).map(|_| pieces[next(pieces.len())]).collect() };
    let mut lines: Vec<String> = (0..1_800).map(|_| format!("a NAPTR 1 1 u s \"!{}!{}!\" .", some(6), some(2))).collect();
    let delimiters = ["/", "i", "1", "\\\\", "", "\\000", "\\195", "ü", "; "];
    lines.extend(delimiters.iter().map(|sign| format!("a NAPTR 1 1 u s \"{sign}a{sign}b{sign}\" .")));
    lines.extend(
        ["!a!b", "!a!b!!", "!a!b!i", "!a!b!ii", "!a!b!I", "!a!b!g", "!", "!!", "!!!", "!a\\033!b!"]
            .map(|text| format!("a NAPTR 1 1 u s \"{text}\" .")),
    );
    lines
}

/// The reasons for which a zone's extra records are refused; empty if they are accepted.
fn refusals(zone: &zone::Zone) -> Vec<String> {
    match zone.extra() {
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
        Ok(extra) => {
            let errors = check(zone, &extra, &[], &[]);
            errors.iter().map(ToString::to_string).chain(without_address(zone, &extra)).collect()
        }
    }
}

#[test]
fn bind_loads_every_extra_record_that_is_accepted_and_each_other_refusal_has_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut configuration = format!("options {{ directory \"{}\"; check-names primary fail; }};\n", folder.path().display());
    let mut add = |name: &DomainName, text: &str| {
        std::fs::write(folder.path().join(name.as_str()), text).expect("a file");
        let _ = writeln!(configuration, "zone \"{name}\" {{ type primary; file \"{name}\"; }};");
    };
    let mut zones = vec![];
    for (number, line) in lines().into_iter().enumerate() {
        // The zone as it is served, and as it would be served without any check.
        let [served, unchecked] = ["s", "u"].map(|kind| {
            let name = format!("{kind}{number}.example");
            let records = line.replace('|', "\n").replace("zone.example", &name).replace("ZONE.EXAMPLE", &name.to_uppercase());
            serde_json::from_value::<zone::Zone>(json!({ "name": name, "records": records })).expect("a zone")
        });
        let refused = refusals(&served);
        // An unreadable record does not remove anything else from the file; a readable record that is refused was never in a
        // file.
        if refused.is_empty() || served.extra().is_err() {
            let managed = [served.clone()];
            let file = Zone { zone: &served, domain: &served.name, managed: &managed, records: &[], serial: 1 };
            add(&served.name, &render(&file).expect("a file"));
        }
        let head = "@ IN SOA localhost. h.example. 1 3600 600 86400 300\n@ NS localhost.";
        add(&unchecked.name, &format!("$TTL 300\n{head}\n{}\n", unchecked.records));
        zones.push((served.name, unchecked.name, line, refused));
    }
    std::fs::write(folder.path().join("named.conf"), configuration).expect("a file");
    let output = Command::new("named-checkconf").arg("-z").arg(folder.path().join("named.conf")).output();
    let output = output.expect("named-checkconf, which is in Debian's package bind9-utils");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("loaded serial 1"), "{said}");
    let failed: BTreeSet<&str> =
        said.lines().filter_map(|line| line.strip_prefix("_default/")?.split_once("/IN: ").map(|(name, _)| name)).collect();
    let loads = |name: &DomainName| !failed.contains(name.as_str());
    let (mut accepted, mut both, mut wrong) = (0, 0, vec![]);
    let mut reasons = BTreeSet::new();
    for (served, unchecked, line, refused) in &zones {
        if !loads(served) {
            wrong.push(format!("BIND refuses the file with: {line} ({refused:?})"));
        }
        match (refused.is_empty(), loads(unchecked)) {
            // The served form is checked above.
            (true, false) if WRITTEN_OTHERWISE.contains(&line.as_str()) => {}
            (true, false) => wrong.push(format!("accepted, and BIND refuses it: {line}")),
            (true, true) => accepted += 1,
            (false, false) => both += 1,
            (false, true) => {
                let reason = OURS.iter().position(|(words, _)| refused.iter().any(|refusal| refusal.contains(words)));
                match reason {
                    Some(reason) => drop(reasons.insert(reason)),
                    None => wrong.push(format!("BIND loads it, and it is refused: {line}: {refused:?}")),
                }
            }
        }
    }
    for (index, (words, why)) in OURS.iter().enumerate() {
        if !reasons.contains(&index) {
            wrong.push(format!("no line is refused with the words {words:?} ({why})"));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(accepted > 500 && both > 300, "{accepted} accepted, {both} refused by both");
}
