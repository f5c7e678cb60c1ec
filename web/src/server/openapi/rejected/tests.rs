//! Every registered rule is in the description of an operation, or here with the place where it occurs. `docs/rules.md` is made
//! from both.

use super::of_operation;
use crate::server::openapi::{RULES, document};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::rules::registry::Status;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// Rules that no operation lists, each group with the place where they occur.
const ELSEWHERE: [(&str, &[Rule]); 8] = [
    (
        "forms of the pages",
        &[
            Rule::ActionUnknown,
            Rule::AtNotHere,
            Rule::ChangedMeanwhile,
            Rule::ControllerFailed,
            Rule::DaysUnknown,
            Rule::DhcpOptionMalformed,
            Rule::FieldMalformed,
            Rule::FieldTooLong,
            Rule::FormMalformed,
            Rule::NameTaken,
            Rule::NothingNamed,
            Rule::PasswordDiffers,
            Rule::PasswordOfNobody,
            Rule::PasswordSame,
            Rule::PasswordWrong,
            Rule::RackExists,
            Rule::RackOther,
            Rule::SavedViewForeign,
            Rule::ScopeUnknown,
            Rule::SettingMalformed,
            Rule::SettingRepeated,
            Rule::TooLarge,
            Rule::YamlMalformed,
        ],
    ),
    ("sign-in through OpenID Connect", &[Rule::LinkedElsewhere, Rule::PasswordHere, Rule::UserDisabled]),
    (
        "responses 404 name no rule",
        &[
            Rule::BulkUnknown,
            Rule::DhcpServerUnknown,
            Rule::PluginUnknown,
            Rule::ReservationUnknown,
            Rule::SessionUnknown,
            Rule::TokenUnknown,
            Rule::UserUnknown,
            Rule::WebhookUnknown,
        ],
    ),
    (
        "reports of installers, whose responses are sentences",
        &[
            Rule::InstallerFailuresFull,
            Rule::InstallerLogsFull,
            Rule::InstallerNextBootsFull,
            Rule::InstallerReportsFull,
            Rule::StageMissing,
        ],
    ),
    ("reports of Puppet", &[Rule::ReportMalformed]),
    ("downloads of the image library, command line", &[Rule::BootImageChanged]),
    ("plugins of deployments", &[Rule::Claimed, Rule::DeploymentNotLive, Rule::OrderNotUnderWay, Rule::RestartOrdered]),
    (
        "inside the service",
        &[
            Rule::ControllerClaimed,
            Rule::DeploymentClaimed,
            Rule::DeploymentExists,
            Rule::DeviceExists,
            Rule::FieldUnknown,
            Rule::PlanInvalid,
            Rule::SessionExists,
            Rule::TokenExists,
        ],
    ),
];

/// The number of tags from which they are not listed one by one.
const MOST: usize = 8;

/// An operation of the description.
struct Listed {
    path: String,
    method: String,
    tag: String,
    /// The codes of each status that lists rules.
    codes: BTreeMap<String, BTreeSet<String>>,
}

/// All operations.
fn operations() -> Vec<Listed> {
    let document = serde_json::to_value(document()).expect("JSON");
    let mut found = vec![];
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let codes = |response: &Value| {
                let rules = response[RULES].as_array()?.iter();
                rules.map(|code| code.as_str().map(str::to_owned)).collect::<Option<BTreeSet<String>>>()
            };
            let responses = operation["responses"].as_object().expect("responses").iter();
            let codes = responses.filter_map(|(status, response)| Some((status.clone(), codes(response)?))).collect();
            let tag = operation["tags"][0].as_str().unwrap_or_default().to_owned();
            found.push(Listed { path: path.clone(), method: method.clone(), tag, codes });
        }
    }
    found
}

/// The tags of the operations that list a rule.
fn tags(operations: &[Listed], rule: Rule) -> BTreeSet<&str> {
    let lists = |one: &&Listed| one.codes.values().any(|codes| codes.contains(rule.code()));
    operations.iter().filter(lists).map(|one| one.tag.as_str()).collect()
}

/// The place of a rule that no operation lists.
fn elsewhere(rule: Rule) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(_, rules)| rules.contains(&rule)).map(|(place, _)| *place)
}

#[test]
fn every_registered_rule_is_listed_for_an_operation_or_has_another_place() {
    let operations = operations();
    let places = |rule: &Rule| (!tags(&operations, *rule).is_empty(), elsewhere(*rule).is_some());
    let codes = |wrong: (bool, bool)| {
        let rules = Rule::by_code().into_iter().filter(|rule| places(rule) == wrong);
        rules.map(Rule::code).collect::<Vec<_>>()
    };
    assert_eq!(codes((false, false)), [""; 0], "list these rules at the operations that give them, in server/openapi/rejected/");
    assert_eq!(codes((true, true)), [""; 0], "an operation lists these rules, so they have no other place");
}

#[test]
fn every_rule_is_listed_at_its_status() {
    for Listed { path, method, codes, .. } in operations() {
        for (status, codes) in codes {
            for code in codes {
                let rule = Rule::of_code(&code).expect("a registered rule");
                assert_eq!(rule.status() == Status::BadRequest, status == "400", "{method} {path}: {code} at {status}");
            }
        }
    }
}

#[test]
fn every_change_lists_its_rules() {
    for Listed { path, method, codes, .. } in operations().into_iter().filter(|one| one.path.starts_with("/api/v1/")) {
        let at: Vec<&String> = codes.keys().collect();
        assert_eq!(at, ["400", "422"], "{method} {path}");
        let known = method == "get" || of_operation(&path, &method).is_some();
        assert!(known, "{method} {path}: list its rules in server/openapi/rejected/");
    }
}

/// The text of `docs/rules.md`.
fn rules_document() -> String {
    let mut text = String::from(
        "# Rule codes\n\n\
         When Bootledger refuses a request, the response is `application/problem+json` (RFC 9457), and each of its `errors` has a \
         `rule`: one\nof the codes below. Programs can act on a code. It keeps its meaning, while the text in `message` may change in \
         any version.\nLater versions may add codes. Errors of a file also have the `row` and the `column`.\n\n\
         `/api/docs` lists the codes of each operation at its responses 400 and 422; `/api/openapi.json` also has them as the list \
         `x-rules`.\nThe last column names the parts of the API whose operations list the code, or, in brackets, the other places where it occurs. A \
         response 404\nnames no rule: the object in the URL does not exist. Responses to booting servers (`/pxe`) are sentences without \
         codes.\n\n\
         This file is generated from `aggregates/src/rules/registry.rs` and the API description; a test compares them, and says how \
         to\ngenerate it again.\n\n\
         | Code | Status | Meaning | Where |\n|---|---|---|---|\n",
    );
    let operations = operations();
    for rule in Rule::by_code() {
        let tags: Vec<&str> = tags(&operations, rule).into_iter().collect();
        let place = match tags.len() {
            0 => elsewhere(rule).map(|place| format!("({place})")).unwrap_or_default(),
            1..MOST => tags.join(", "),
            _ => "most operations".to_owned(),
        };
        writeln!(text, "| `{}` | {} | {} | {place} |", rule.code(), rule.status().shown(), rule.help()).expect("a text");
    }
    text
}

#[test]
fn the_document_of_the_rules_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, rules_document()).expect("docs/rules.md is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let command = "WRITE_DOCS=1 cargo test -p bootledger-web the_document_of_the_rules";
    assert!(
        written == rules_document(),
        "docs/rules.md differs from the registry and the API description; write it again: {command}"
    );
}
