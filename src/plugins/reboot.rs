//! Restarts the server into the network. The one driver is a person: the plugin says what is to be
//! done, and the deployment ends when the installed server says so.

use super::{Outcome, Report, Work};
use bootledger_aggregates::values::text::Text;

pub(super) fn run(work: &Work<'_>) -> Report {
    let deployment = work.deployment;
    let reason = format!(
        "restart {} by hand and let it boot from the network by its interface {}: it has no driver for its power",
        deployment.hostname, deployment.mac
    );
    let awaited = vec![Text::fitted("operator")];
    Report { device: None, outcome: Outcome::Waiting { reason: Text::fitted(&reason), awaited }, preconditions: vec![] }
}
