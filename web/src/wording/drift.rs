//! Sentences about drift: how a server differs from the views, and why it could not be compared or repaired.

#[cfg(test)]
mod tests;

use super::entries;
use bootledger_aggregates::drift::{Difference, DifferenceKind, DriftProblem, Nature};
use bootledger_aggregates::values::text::Text;

/// What the other fields of a difference do not say, without a full stop: a sentence about a record, or the rest of a sentence
/// that begins with the DHCP server. Empty if the other fields say everything.
pub fn message(difference: &Difference) -> String {
    let Difference { kind, server, expected, found } = difference;
    match kind {
        DifferenceKind::Missing {} | DifferenceKind::LeftOver {} | DifferenceKind::Foreign {} => String::new(),
        DifferenceKind::Alias { name, target, zone } => {
            format!("{name} is an alias (CNAME) of {target} at {server}, which Bootledger did not create, in zone {zone}")
        }
        DifferenceKind::Unconfirmed {} => {
            "has never confirmed a configuration; start `bootledger dhcp-agent` on its machine".to_owned()
        }
        DifferenceKind::Behind { position } => format!(
            "has confirmed nothing since event {position}, although its configuration may have changed; check on its machine \
             that `bootledger dhcp-agent` runs there and reaches this service"
        ),
        DifferenceKind::Failing { error } => format!("cannot use its configuration and keeps the old one: {error}"),
        DifferenceKind::OtherRevision { position } => format!(
            "reports revision {}, but the expected revision as of event {position} is {}",
            listed(found),
            listed(expected)
        ),
        DifferenceKind::HeldBack { held_back } => {
            format!("does not get the current configuration, which has no network for {}", entries::unserved(held_back))
        }
        DifferenceKind::Repeated { repeated } => format!("does not get {}", entries::repeated(repeated)),
        DifferenceKind::Text { text, .. } => text.to_string(),
    }
}

/// The sentence for a difference of `subject`, such as `h200.dc1.example A`, without a full stop.
pub(crate) fn sentence(subject: &str, difference: &Difference) -> String {
    let Difference { server, expected, found, .. } = difference;
    let (expected, found) = (listed(expected), listed(found));
    match difference.nature() {
        Nature::Missing => format!("{server} has {found} for {subject} instead of {expected}"),
        Nature::LeftOver => format!("{server} still has {found} for {subject} instead of {expected}"),
        Nature::Foreign => {
            format!("{server} has {found} for {subject} instead of {expected}, and Bootledger did not create all of it")
        }
        Nature::Alias => message(difference),
        Nature::Unconfirmed | Nature::Behind | Nature::Failing | Nature::OtherRevision | Nature::HeldBack => {
            format!("{subject} {}", message(difference))
        }
    }
}

/// The values, or `nothing`.
pub fn listed(values: &[Text]) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    values.iter().map(Text::to_string).collect::<Vec<_>>().join(", ")
}

/// Why a server could not be compared with the views, or why a repair failed, without a full stop.
pub fn problem(problem: &DriftProblem) -> String {
    match problem {
        DriftProblem::NoPrimary {} => "the site has no DNS primary, so its records are neither compared nor repaired".to_owned(),
        DriftProblem::NoEffect {} => "the update had no effect".to_owned(),
        DriftProblem::NoReport { server, seconds } => format!(
            "the agent of DHCP server {server} sent no report within {seconds} s; check on its machine that `bootledger \
             dhcp-agent` runs there and reaches this service"
        ),
        DriftProblem::AddressNotAllowed { address, option } => format!(
            "{address} is a loopback, link-local, multicast, metadata or otherwise special address, to which the service does \
             not connect. Choose another address, or have the administrator of the machine allow its network with {option}"
        ),
        DriftProblem::SecretMissing { secret, variable } => {
            format!("there is no secret {secret}: put a file {secret} into the secrets folder (--secrets-dir), or set {variable}")
        }
        DriftProblem::SecretUnusable { secret, detail } => format!("the file of secret {secret} cannot be used: {detail}"),
        DriftProblem::SecretMalformed { secret } => {
            format!("the secret {secret} is not a key in base64, as `tsig-keygen` prints it")
        }
        DriftProblem::KeyUnusable { key, detail } => format!("the key {key} cannot be used: {detail}"),
        DriftProblem::NoAnswer { primary } => {
            format!("{primary} does not accept DNS updates. The service's log has the details")
        }
        DriftProblem::KeyUnknown { primary, key, algorithm } => format!(
            "{primary} does not know the key {key} with {} (BADKEY); check that the key's name and algorithm are the same \
             there, and that the key may be used from this machine",
            algorithm.name()
        ),
        DriftProblem::KeyDiffers { primary, key } => format!(
            "{primary} has another secret for the key {key} (BADSIG); check that the key's secret and algorithm are the same \
             there"
        ),
        DriftProblem::ClocksDiffer { primary, key, allowed, ahead } => format!(
            "{primary} refuses the signature because {} (BADTIME); signatures with the key {key} are valid for {allowed} s, so \
             synchronise both clocks, for example by NTP",
            clocks(*ahead)
        ),
        DriftProblem::SignatureRefused { primary, key, error } => {
            format!("{primary} refuses the signature with the key {key} (TSIG error {error})")
        }
        DriftProblem::Unsigned { primary, key, response } => format!(
            "{primary} answered without a signature of the key {key} ({response}); check that the key's name, algorithm and \
             secret are the same there"
        ),
        DriftProblem::NotTrusted { primary, key, detail } => format!(
            "the response of {primary} is not correctly signed with the key {key}: {detail}; check that the key's secret and \
             the clocks are the same there"
        ),
        DriftProblem::Refused { primary, key, zone, response } => format!(
            "{primary} refuses updates of zone {zone} ({response}); check there that it is the zone's primary and that the key \
             {key} may update it"
        ),
        DriftProblem::NotAuthoritative { primary, key, name, response } => format!(
            "{primary} does not answer for {name} with authority ({response}); check there that it serves the zone, and that \
             the key {key} may query it (allow-query, views)"
        ),
        DriftProblem::Internal { detail } => detail.to_string(),
        DriftProblem::Text { text } => text.to_string(),
    }
}

/// How far a primary's clock is `ahead` of this machine's, in seconds.
fn clocks(ahead: Option<i64>) -> String {
    let Some(ahead) = ahead else { return "its clock differs from this machine's".to_owned() };
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    format!("its clock is {} s {way} this machine's", ahead.unsigned_abs())
}
