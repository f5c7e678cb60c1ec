//! The routes of DHCP servers, their agents, and Puppet. The answers to booting servers name no rules.

use super::groups::Groups;
use bootledger_aggregates::rules::Rule;

pub(super) fn rules(method: &str, path: &str) -> Option<Groups> {
    let groups: Groups = match (method, path) {
        ("get", "/dhcp/{site}/{file}") => &[&[Rule::DhcpOptionUnwritable, Rule::DnsmasqOption]],
        ("put", "/dhcp/servers/{name}/confirmation") => &[&[Rule::ConfirmedNothing, Rule::PositionInFuture, Rule::PositionRange]],
        ("post", "/puppet/reports") => &[&[Rule::DryRunUnsupported]],
        _ => return None,
    };
    Some(groups)
}
