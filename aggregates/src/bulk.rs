//! A bulk action: one change of many devices or deployments, whose rows are fixed when it starts. The service works through the
//! rows, each with a command of its own, and records the result of each. The key is a `UUIDv7`.
//!
//! Each row has an attempt, which names its command: a command with the same attempt is the same one. A retry gives a new attempt
//! only to rows that were refused. The command of a row without a result may have been carried out, so it keeps its attempt.
//!
//! The rows' commands have the name and the role of the caller who started the action or, after a retry, of the one who retried
//! it. So no user can use the rights of another one.
//!
//! `(none) ─StartBulk─► running ─RecordBulkResults─► … ─► finished ─RetryBulk─► running`, and while it is running
//! `─StopBulk─► stopped`.

#[cfg(test)]
mod tests;

use crate::device::power::PowerAction;
use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
use crate::user::Role;
use crate::values::ids::DeploymentId;
use crate::values::name::Name;
use crate::values::tag::Tag;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use uuid::Uuid;

/// The most rows of one bulk action. For more, operators use a CSV file.
pub const MOST_ROWS: usize = 1_000;

/// The most reasons of one refused row that are kept. A refusal rarely has more than two.
const MOST_REASONS: usize = 10;

/// What a bulk action does to each of its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum BulkAction {
    /// Marks devices as verified.
    Verify {},
    /// Revokes the verification of devices.
    Unverify {},
    /// Deploys devices. A value that is omitted is each device's own.
    Deploy {
        /// The network that the next free addresses are taken from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        network: Option<Name>,
        /// The venture that will own the servers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        venture: Option<Name>,
        /// The role that the servers will have, one of the venture's roles.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Name>,
        /// The boot image to install.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot_image: Option<Name>,
    },
    /// Changes the description of devices. A value that is omitted does not change.
    Edit {
        /// The rack that the devices are in. It is in the site of each device; their rack units are removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rack: Option<Name>,
        /// The venture of devices that are not verified.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        venture: Option<Name>,
        /// The role of devices that are not verified.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Name>,
        /// The name of the secret with the credentials of the devices' management controllers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credentials: Option<Name>,
        /// Tags that the devices get beside those that they have.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        add_tags: Vec<Tag>,
        /// Tags that the devices lose. A device that does not have them does not change.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remove_tags: Vec<Tag>,
    },
    /// Sends a power order to the management controllers of devices.
    Power {
        /// The order.
        power: PowerAction,
        /// Whether the devices boot from the network once.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        network_boot: bool,
    },
    /// Cancels deployments.
    Cancel {
        /// The reason, which is recorded with each deployment.
        reason: Text,
    },
    /// Retries the plugins of deployments that have failed or wait.
    Retry {},
}

impl BulkAction {
    /// The action's name, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Verify {} => "verify",
            Self::Unverify {} => "unverify",
            Self::Deploy { .. } => "deploy",
            Self::Edit { .. } => "edit",
            Self::Power { .. } => "power",
            Self::Cancel { .. } => "cancel",
            Self::Retry {} => "retry",
        }
    }

    /// Whether the rows are deployments; otherwise they are devices.
    pub fn is_of_deployments(&self) -> bool {
        matches!(self, Self::Cancel { .. } | Self::Retry {})
    }
}

/// A row of a bulk action: a device or a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkRow {
    /// The ID of the device or deployment.
    pub target: Uuid,
    /// The name that it had when the action started.
    pub name: Text,
    /// For a retry: the plugins of the deployment that had failed or waited when the action started. Only these are retried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<Name>,
}

/// Why a row was refused, as the command's answer said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkReason {
    /// The stable code of the rule; empty if the failure has none.
    pub rule: String,
    /// The message.
    pub message: String,
}

/// The result of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum BulkOutcome {
    /// The row's command was carried out.
    Done {
        /// The deployment that was started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deployment: Option<DeploymentId>,
    },
    /// The row's command was refused.
    Refused {
        /// The reasons, at least one.
        reasons: Vec<BulkReason>,
    },
}

impl BulkOutcome {
    /// The outcome of a refused row, without what only administrators may read: all users can read results.
    pub fn refused(broken: impl IntoIterator<Item = BrokenRule>) -> Self {
        let reason = |broken: BrokenRule| {
            let BrokenRule { rule, message, .. } = broken.for_all_users();
            BulkReason { rule, message }
        };
        Self::Refused { reasons: broken.into_iter().take(MOST_REASONS).map(reason).collect() }
    }
}

/// The outcome of one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkResult {
    /// The number of the row, from 0.
    pub row: u32,
    /// The attempt of the row, from 1.
    pub attempt: u32,
    /// The result of the row.
    #[serde(flatten)]
    pub outcome: BulkOutcome,
}

/// A command on a bulk action.
#[derive(Clone, Debug)]
pub enum BulkCommand {
    /// Starts a bulk action.
    StartBulk {
        /// What it does to each row.
        action: Box<BulkAction>,
        /// The rows, fixed from now on.
        rows: Vec<BulkRow>,
        /// The path of the list that the rows were selected from.
        list: String,
        /// The role of the user or token that started it, which the rows' commands have too.
        level: Role,
    },
    /// Records the results of some rows. A result of a row that has one, or that is at another attempt, is ignored.
    RecordBulkResults {
        /// The outcomes.
        results: Vec<BulkResult>,
    },
    /// Works through the refused rows again, and through those that a stop left without a result.
    RetryBulk {
        /// The actor who retries it, in whose name the rows' commands are sent from now on.
        by: String,
        /// The role of that user or token, which the rows' commands have from now on.
        level: Role,
    },
    /// Leaves the rows that have no outcome yet as they are.
    StopBulk {
        /// Why the service stops the action; `None` if a user does.
        reason: Option<Text>,
    },
}

/// An event of a bulk action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum BulkEvent {
    /// The bulk action was started.
    BulkStarted {
        /// What it does to each row.
        action: Box<BulkAction>,
        /// The rows.
        rows: Vec<BulkRow>,
        /// The path of the list that the rows were selected from.
        list: String,
        /// The role that the rows' commands have.
        level: Role,
    },
    /// Some rows have an outcome.
    BulkRowsFinished {
        /// The outcomes.
        results: Vec<BulkResult>,
    },
    /// The refused rows are worked through again.
    BulkRetried {
        /// The number of the new attempt.
        attempt: u32,
        /// The actor in whose name the rows' commands are sent from now on.
        by: String,
        /// The role that the rows' commands have from now on.
        level: Role,
    },
    /// The rows without an outcome stay as they are.
    BulkStopped {
        /// Why the service stopped the action; omitted if a user did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Text>,
    },
}

/// The state of a bulk action. It is also its view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bulk {
    started: Option<Started>,
}

/// The state of a bulk action that was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// What it does to each row.
    pub action: Box<BulkAction>,
    /// The path of the list that the rows were selected from.
    pub list: String,
    /// The role that the rows' commands have.
    pub level: Role,
    /// The actor who retried the action last; `None` if it was not retried. The rows' commands are sent in this actor's name.
    #[serde(default)]
    pub retried_by: Option<String>,
    /// The current attempt, from 1. Rows that were not refused have an earlier one.
    pub attempt: u32,
    /// Whether the rows without an outcome stay as they are.
    pub stopped: bool,
    /// Why the service stopped the action.
    #[serde(default)]
    pub stop_reason: Option<Text>,
    /// The rows, each with its outcome in the last attempt. Lists of bulk actions are read without them.
    #[serde(default)]
    pub rows: Vec<RowState>,
}

/// A row with its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowState {
    /// The device or deployment.
    #[serde(flatten)]
    pub row: BulkRow,
    /// The attempt of the row, from 1. A retry raises it if the row was refused.
    pub attempt: u32,
    /// The result; null while the row waits.
    pub result: Option<BulkOutcome>,
}

/// How many rows of a bulk action have each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkCounts {
    /// All rows.
    pub total: usize,
    /// Rows whose command was carried out.
    pub done: usize,
    /// Rows whose command was refused.
    pub refused: usize,
    /// Rows that have no outcome yet.
    pub waiting: usize,
}

impl Started {
    /// How many rows have each outcome.
    pub fn counts(&self) -> BulkCounts {
        let mut counts = BulkCounts { total: self.rows.len(), ..BulkCounts::default() };
        for row in &self.rows {
            match row.result {
                Some(BulkOutcome::Done { .. }) => counts.done += 1,
                Some(BulkOutcome::Refused { .. }) => counts.refused += 1,
                None => counts.waiting += 1,
            }
        }
        counts
    }

    /// Whether there are rows to work through.
    pub fn is_running(&self) -> bool {
        !self.stopped && self.rows.iter().any(|row| row.result.is_none())
    }
}

impl Bulk {
    /// The bulk action, if it was started.
    pub fn started(&self) -> Option<&Started> {
        self.started.as_ref()
    }

    /// The bulk action, if it was started.
    pub fn into_started(self) -> Option<Started> {
        self.started
    }

    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: BulkCommand) -> Result<Vec<BulkEvent>, Refused> {
        use BulkCommand as C;
        match (command, &self.started) {
            (C::StartBulk { action, rows, list, level }, None) => {
                Refused::unless_empty(broken(&action, &rows))?;
                Ok(vec![BulkEvent::BulkStarted { action, rows, list, level }])
            }
            (C::StartBulk { .. }, Some(_)) => Ok(vec![]),
            (_, None) => Err(Refused::unknown(Rule::BulkUnknown, "bulk action", "the page “Bulk actions” lists all")),
            (C::RecordBulkResults { results }, Some(started)) => {
                let waits = |result: &BulkResult| {
                    let row = usize::try_from(result.row).ok().and_then(|row| started.rows.get(row));
                    row.is_some_and(|row| row.result.is_none() && row.attempt == result.attempt)
                };
                let mut seen = BTreeSet::new();
                let results: Vec<BulkResult> =
                    results.into_iter().filter(|result| waits(result) && seen.insert(result.row)).collect();
                Ok(if results.is_empty() { vec![] } else { vec![BulkEvent::BulkRowsFinished { results }] })
            }
            (C::RetryBulk { .. }, Some(started)) if started.is_running() => Err(Refused::because(
                "",
                Rule::BulkRunning,
                "this bulk action is still running; wait until every row has a result, or stop it",
            )),
            (C::RetryBulk { by, level }, Some(started)) => {
                let counts = started.counts();
                if counts.refused + counts.waiting == 0 {
                    return Err(Refused::because("", Rule::BulkNothingRefused, "no row of this bulk action was refused"));
                }
                Ok(vec![BulkEvent::BulkRetried { attempt: started.attempt.saturating_add(1), by, level }])
            }
            (C::StopBulk { reason }, Some(started)) => {
                Ok(if started.is_running() { vec![BulkEvent::BulkStopped { reason }] } else { vec![] })
            }
        }
    }

    /// Applies an event.
    pub fn evolve(&mut self, event: BulkEvent) {
        match (event, &mut self.started) {
            (BulkEvent::BulkStarted { action, rows, list, level }, _) => {
                let rows = rows.into_iter().map(|row| RowState { row, attempt: 1, result: None }).collect();
                let (retried_by, stopped, stop_reason) = (None, false, None);
                self.started = Some(Started { action, list, level, retried_by, attempt: 1, stopped, stop_reason, rows });
            }
            (BulkEvent::BulkRowsFinished { results }, Some(started)) => {
                for result in results {
                    if let Some(row) = usize::try_from(result.row).ok().and_then(|row| started.rows.get_mut(row)) {
                        row.result = Some(result.outcome);
                    }
                }
            }
            (BulkEvent::BulkRetried { attempt, by, level }, Some(started)) => {
                (started.attempt, started.retried_by, started.level) = (attempt, Some(by), level);
                (started.stopped, started.stop_reason) = (false, None);
                for row in &mut started.rows {
                    if matches!(row.result, Some(BulkOutcome::Refused { .. })) {
                        (row.attempt, row.result) = (attempt, None);
                    }
                }
            }
            (BulkEvent::BulkStopped { reason }, Some(started)) => (started.stopped, started.stop_reason) = (true, reason),
            (_, None) => {}
        }
    }
}

fn broken(action: &BulkAction, rows: &[BulkRow]) -> Vec<BrokenRule> {
    let mut broken = vec![];
    if rows.is_empty() {
        broken.push(BrokenRule::new("ids", Rule::BulkEmpty, "nothing is selected; select at least one row"));
    }
    if rows.len() > MOST_ROWS {
        let message = format!(
            "{} rows are selected, and a bulk action has at most {MOST_ROWS}; select fewer, or use a CSV file for deployments",
            rows.len()
        );
        broken.push(BrokenRule::new("ids", Rule::TooMany, message));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = rows.iter().find(|row| !seen.insert(row.target)) {
        let message = format!("{} is selected twice; select it once", twice.name);
        broken.push(BrokenRule::new("ids", Rule::BulkRowTwice, message));
    }
    match action {
        BulkAction::Edit { rack: None, venture: None, role: None, credentials: None, add_tags, remove_tags }
            if add_tags.is_empty() && remove_tags.is_empty() =>
        {
            broken.push(BrokenRule::new("action", Rule::BulkNoChange, "enter at least one value to change"));
        }
        BulkAction::Edit { add_tags, remove_tags, .. } => {
            if let Some(tag) = add_tags.iter().find(|tag| remove_tags.contains(tag)) {
                let message = format!("the tag {tag} is both added and removed; leave it out of one of the two lists");
                broken.push(BrokenRule::new("remove_tags", Rule::BulkTagTwice, message));
            }
        }
        BulkAction::Deploy { venture: None, role: Some(role), .. } => {
            let message = format!("the role {role} belongs to a venture; enter the venture too");
            broken.push(BrokenRule::new("venture", Rule::VentureMissing, message));
        }
        BulkAction::Cancel { reason } if reason.is_empty() => {
            broken.push(BrokenRule::new("reason", Rule::Missing, "the reason is missing"));
        }
        _ => {}
    }
    broken
}

aggregate!(Bulk, "bulk", BulkCommand, BulkEvent);
domain_event!(BulkEvent { BulkStarted, BulkRowsFinished, BulkRetried, BulkStopped });
