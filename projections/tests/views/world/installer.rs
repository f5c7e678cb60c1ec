//! Installer reports, and operators' choices for the next boot.

use super::{World, sha, v};
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::installer::{InstallerReport, NextBoot, NextBootReason};
use bootledger_aggregates::rules::Refused;
use bootledger_aggregates::values::ids::DeploymentId;

impl World {
    /// An action of an installer or an operator on an installation.
    pub(crate) fn installer(&mut self, live: DeploymentId, a: u8, b: u8) -> Result<(), Refused> {
        let boot = if b.is_multiple_of(2) { NextBoot::Network } else { NextBoot::Disk };
        let report = InstallerReport {
            stage: (!b.is_multiple_of(5)).then(|| v(["partition", "base", "late"][usize::from(b % 3)])),
            percent: (b % 101).try_into().ok().filter(|_| !b.is_multiple_of(7)),
            text: (!b.is_multiple_of(4)).then(|| v("a \"quoted\" \\ <b>text</b>")),
            failed: a.is_multiple_of(3),
            next_boot: a.is_multiple_of(4).then_some(boot),
            client: v("10.0.0.11"),
        };
        let command = match a % 6 {
            0..=3 => DeploymentCommand::ReportInstaller { report },
            4 => DeploymentCommand::RecordInstallerLog { sha256: sha(i64::from(b % 3)), size: u64::from(b) },
            _ => DeploymentCommand::SetNextBoot { boot, reason: NextBootReason::Operator { name: v("token ops") } },
        };
        self.deployment(live, "server 10.0.0.11", command)
    }
}
