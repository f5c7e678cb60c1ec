//! Badges: a state as a word, an icon and a colour; never a colour alone.

use super::icon::icon;
use bootledger_projections::rows::deployments::Status;
use bootledger_projections::rows::plugin_runs::RunStatus;
use maud::{Markup, html};

/// The meaning of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// No particular meaning.
    Neutral,
    /// Something is in progress.
    Info,
    /// Successful or normal.
    Good,
    /// Waiting, or taking long.
    Warn,
    /// Something has failed.
    Bad,
}

impl Tone {
    /// The class in the stylesheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Info => "info",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// The icon with the same meaning.
    pub(crate) fn icon(self) -> &'static str {
        match self {
            Self::Neutral => "circle",
            Self::Info => "play-fill",
            Self::Good => "check-circle-fill",
            Self::Warn => "hourglass-split",
            Self::Bad => "x-circle-fill",
        }
    }
}

/// A badge: a text with a tone.
pub(crate) fn badge(tone: Tone, text: &str) -> Markup {
    html! { span class=(format!("badge {}", tone.class())) { (icon(tone.icon())) (text) } }
}

/// The tone and the text of a deployment's status.
pub(crate) fn of_status(status: Status) -> (Tone, &'static str) {
    match status {
        Status::Open => (Tone::Info, "Open"),
        Status::InProgress => (Tone::Info, "In progress"),
        Status::Done => (Tone::Good, "Done"),
        Status::Cancelled => (Tone::Neutral, "Cancelled"),
    }
}

/// The badge of a deployment's status, and of whether it is overdue.
pub(crate) fn deployment(status: Status, overdue: bool) -> Markup {
    let (tone, words) = of_status(status);
    let meaning = match status {
        Status::Open => Some("Preparing: the deployment assigns the role, publishes DNS records and adds DHCP entries"),
        Status::InProgress => Some("Installing: the server restarts, boots from the network and runs the installer"),
        Status::Done | Status::Cancelled => None,
    };
    html! { span title=[meaning] { (badge(tone, words)) } @if overdue { " " (badge(Tone::Warn, "Overdue")) } }
}

/// The same in a list: the second badge shows its icon only.
pub(crate) fn deployment_in_list(status: Status, overdue: bool) -> Markup {
    html! {
        (deployment(status, false))
        @if overdue { " " span.badge.warn title="Overdue" { (icon(Tone::Warn.icon())) span.visually-hidden { "Overdue" } } }
    }
}

/// The tone and the text of a plugin's status.
pub(crate) fn of_run(status: RunStatus) -> (Tone, &'static str) {
    match status {
        RunStatus::Blocked => (Tone::Neutral, "Not started"),
        RunStatus::Due => (Tone::Info, "Due"),
        RunStatus::Waiting => (Tone::Warn, "Waiting"),
        RunStatus::Failed => (Tone::Bad, "Failed"),
        RunStatus::Succeeded => (Tone::Good, "Succeeded"),
        RunStatus::Stopped => (Tone::Neutral, "Stopped"),
    }
}
