//! The conditions that limit the service at the moment: disks that are full or nearly full, and a database that
//! accepts no changes.

use crate::http::application::Application;
use bootledger_port::Concern;

/// The limiting conditions, by their effect on readiness.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Conditions under which the service should get no requests.
    pub(super) reasons: Vec<String>,
    /// Conditions that limit the service while it serves requests.
    pub(super) degraded: Vec<String>,
}

/// The conditions that limit the service now.
pub(super) fn limits(application: &Application) -> Limits {
    sorted(application.commands.concerns())
}

fn sorted(concerns: Vec<Concern>) -> Limits {
    let (reasons, degraded): (Vec<_>, Vec<_>) = concerns.into_iter().partition(|concern| concern.not_ready);
    let sentences = |concerns: Vec<Concern>| concerns.into_iter().map(|concern| concern.sentence).collect();
    Limits { reasons: sentences(reasons), degraded: sentences(degraded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_database_degrades_the_service_and_a_full_disk_makes_it_unready() {
        let concern = |not_ready, sentence: &str| Concern { not_ready, sentence: sentence.to_owned() };
        let limits = sorted(vec![concern(false, "read-only"), concern(true, "full")]);
        assert_eq!(limits, Limits { reasons: vec!["full".to_owned()], degraded: vec!["read-only".to_owned()] });
    }
}
