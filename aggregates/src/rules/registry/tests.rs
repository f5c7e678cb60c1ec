//! The registry is complete: an unregistered code does not compile, and these tests find a registered code that nothing uses.

use super::{Rule, Status};
use crate::rules::BrokenRule;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Calls `see` with the text of each Rust source file below a folder, without tests and without the API description, which only
/// lists rules.
fn sources(folder: &Path, see: &mut impl FnMut(&str)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !["tests", "target", "registry", "openapi"].contains(&name) {
                sources(&path, see);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") && !["tests.rs", "registry.rs"].contains(&name) {
            let text = std::fs::read_to_string(&path).expect("a source file");
            // Tests at the end of a file do not count.
            see(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        }
    }
}

#[test]
fn every_registered_rule_is_used() {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for folder in ["aggregates/src", "projections/src", "web/src", "src", "crates", "images/src", "outbound"] {
        sources(&root().join(folder), &mut |text| {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for part in code.flat_map(|line| line.split("Rule::").skip(1)) {
                used.insert(part.chars().take_while(char::is_ascii_alphanumeric).collect());
            }
        });
    }
    assert!(used.len() > 250, "{}", used.len());
    let unused: Vec<&str> =
        Rule::ALL.iter().filter(|rule| !used.contains(&format!("{rule:?}"))).map(|rule| rule.code()).collect();
    assert_eq!(unused, [""; 0], "nothing uses these rules; remove them from rules/registry.rs");
}

#[test]
fn codes_are_unique_and_in_snake_case_and_belong_to_their_names() {
    let codes: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert_eq!(codes.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        let name: String = rule.code().split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        assert_eq!(format!("{rule:?}"), name);
        assert_eq!(Rule::of_code(rule.code()), Some(*rule));
        let help = rule.help();
        assert!(
            help.ends_with('.') && help.starts_with(|first: char| !first.is_lowercase() || help.starts_with("dnsmasq")),
            "{help}"
        );
    }
    assert_eq!(Rule::of_code("no_such_rule"), None);
}

#[test]
fn only_a_rule_about_the_whole_request_says_that_it_is_not_found() {
    let broken = |field, rule| crate::rules::BrokenRule::new(field, rule, "");
    assert!(broken("", Rule::SiteUnknown).is_not_found());
    assert!(!broken("site", Rule::SiteUnknown).is_not_found());
    assert!(!broken("", Rule::SiteInUse).is_not_found());
    // A code that says that something is unknown is about the resource in the URL, unless it is only about fields.
    let of_fields = [
        Rule::ActionUnknown,
        Rule::BootChainUnknown,
        Rule::ColumnUnknown,
        Rule::DaysUnknown,
        Rule::DhcpOptionUnknown,
        Rule::EventTypeUnknown,
        Rule::FieldUnknown,
        Rule::NameServerUnknown,
        Rule::NetworkUnknown,
        Rule::ParameterUnknown,
        Rule::ParentUnknown,
        Rule::RackUnknown,
        Rule::ScopeUnknown,
    ];
    for rule in Rule::ALL {
        let whole = rule.code().ends_with("_unknown") && !of_fields.contains(rule);
        assert_eq!(rule.status() == Status::NotFound, whole, "{}", rule.code());
    }
}

#[test]
fn an_error_is_about_one_rule_and_four_rules_limit_what_an_installer_records() {
    let mut full = BTreeSet::new();
    for rule in Rule::ALL {
        let broken = BrokenRule::new("", *rule, "refused");
        for other in Rule::ALL {
            assert_eq!(broken.is(*other), rule == other, "{rule:?} and {other:?}");
        }
        full.extend(broken.is_full().then_some(rule.code()));
    }
    let expected = ["installer_failures_full", "installer_logs_full", "installer_next_boots_full", "installer_reports_full"];
    assert_eq!(full, expected.into());
}
