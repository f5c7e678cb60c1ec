//! Lists and reads, bulk actions, drift, and the library of boot images.

use super::groups::Groups;
use bootledger_aggregates::rules::Rule;

/// The rows and values of a bulk action. Each row's own rules are in its result.
const BULK: &[Rule] = &[
    Rule::BulkEmpty,
    Rule::BulkNoChange,
    Rule::BulkRowTwice,
    Rule::BulkTagTwice,
    Rule::DeploymentUnknown,
    Rule::DeviceUnknown,
    Rule::Missing,
    Rule::TooMany,
    Rule::VentureMissing,
];

pub(super) fn rules(method: &str, path: &str) -> Option<Groups> {
    let groups: Groups = match (method, path.strip_prefix("/api/v1/")?) {
        ("get", "compare") => &[&[Rule::AtInFuture, Rule::AtNegative]],
        ("get", "dns-updates") => &[&[Rule::AtNotKept]],
        ("get", "events") => &[&[Rule::AfterNegative, Rule::LimitOfStream]],
        ("get", "sites/{key}/hostnames") => &[&[Rule::HostnameTemplateMissing]],
        // Several differences that no longer exist are refused; a single one is not found.
        ("post", "sites/{key}/drift/repair") => &[&[Rule::DriftAlias, Rule::DriftForeign, Rule::DriftSite, Rule::DriftUnknown]],
        ("post", "bulk-actions") => &[BULK],
        ("post", "bulk-actions/{id}/retry") => &[&[Rule::BulkNothingRefused, Rule::BulkRunning]],
        ("post", "image-library/{name}/add") => &[&[Rule::BootImageExists, Rule::MirrorRefused, Rule::NeedsFolder]],
        (
            "post",
            "bulk-actions/{id}/stop" | "sites/{key}/drift/check" | "image-downloads/{id}/cancel" | "image-downloads/{id}/resume",
        ) => &[],
        _ => return None,
    };
    Some(groups)
}
