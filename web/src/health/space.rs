//! What limits the service at the moment: disks that are full or nearly so, and a database that takes no changes.

use crate::application::Application;
use crate::commands::Concern;

/// The limits, by what they mean for readiness.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Why the service should get no requests.
    pub(super) reasons: Vec<String>,
    /// What works less well, while requests are served.
    pub(super) degraded: Vec<String>,
}

/// What limits it now.
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
