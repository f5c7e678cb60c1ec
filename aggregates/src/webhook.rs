//! A webhook: a receiver that is told what happens. The key is its name. How far it is, only its answers tell; that is not here.
//!
//! `(none) ─DefineWebhook─► defined ─RetireWebhook─► retired ─DefineWebhook─► defined`, and while it is defined
//! `─PauseWebhook─► paused ─ResumeWebhook─►`.

mod pattern;
#[cfg(test)]
mod tests;
mod url;

pub use pattern::EventPattern;
pub use url::WebhookUrl;

use crate::rules::{BrokenRule, Refused, aggregate, domain_event};
use crate::values::name::Name;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// What a webhook is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSpec {
    /// For people.
    #[serde(default)]
    pub description: Text,
    /// Where events are posted to.
    pub url: WebhookUrl,
    /// Which events it is told: types such as `DeploymentDone`, all of a type of aggregate such as `deployment.*`, or `*`.
    pub events: Vec<EventPattern>,
    /// The name of the secret that messages are signed with, `whsec_` and 24 to 64 bytes in base64; never the secret.
    pub secret: Name,
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum WebhookCommand {
    /// Creates or changes the webhook. A new one begins with what happens from now on.
    DefineWebhook {
        /// What it shall be.
        spec: Box<WebhookSpec>,
        /// What is wrong with its secret, if anything.
        secret_problem: Option<String>,
    },
    /// Has it told nothing for a while; nothing is lost.
    PauseWebhook {
        /// Why.
        reason: Text,
    },
    /// Has it told again, from where it was.
    ResumeWebhook,
    /// Has it told what comes behind a position, whatever it was told before.
    SetPosition {
        /// The position; 0 for everything.
        after: i64,
        /// Why.
        reason: Text,
        /// The end of the log.
        last_position: i64,
    },
    /// Gives one event up that is not taken, so that the later ones of its aggregate go on.
    SkipEvent {
        /// The event's position.
        position: i64,
        /// Why.
        reason: Text,
        /// Whether the receiver has failed to take it, and was not told of what follows.
        failing: bool,
    },
    /// Takes the webhook out of use.
    RetireWebhook,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum WebhookEvent {
    /// The webhook is now this. A new one begins behind this event.
    WebhookDefined {
        /// All of it.
        spec: Box<WebhookSpec>,
    },
    /// It is told nothing for a while.
    WebhookPaused {
        /// Why.
        reason: Text,
    },
    /// It is told again, from where it was.
    WebhookResumed {},
    /// It is told what comes behind a position.
    WebhookPositionSet {
        /// The position.
        after: i64,
        /// Why.
        reason: Text,
    },
    /// One event is not told to it.
    WebhookEventSkipped {
        /// The event's position.
        position: i64,
        /// Why.
        reason: Text,
    },
    /// It is out of use.
    WebhookRetired {},
}

/// The state that the rules need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Webhook {
    defined: Option<Defined>,
}

/// A webhook in use.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Defined {
    spec: Box<WebhookSpec>,
    paused: bool,
    /// What was given up since its position was set.
    skipped: BTreeSet<i64>,
}

impl Webhook {
    /// What the command leads to.
    pub fn decide(&self, command: WebhookCommand) -> Result<Vec<WebhookEvent>, Refused> {
        use WebhookCommand as C;
        match (command, &self.defined) {
            (C::DefineWebhook { spec, secret_problem }, defined) => {
                if defined.as_ref().is_some_and(|defined| defined.spec == spec) {
                    return Ok(vec![]);
                }
                Refused::unless_empty(broken(&spec, secret_problem))?;
                Ok(vec![WebhookEvent::WebhookDefined { spec }])
            }
            (C::RetireWebhook, defined) => Ok(defined.iter().map(|_| WebhookEvent::WebhookRetired {}).collect()),
            (_, None) => Err(Refused::because("", "webhook_unknown", "there is no such webhook in use")),
            (C::PauseWebhook { .. }, Some(Defined { paused: true, .. }))
            | (C::ResumeWebhook, Some(Defined { paused: false, .. })) => Ok(vec![]),
            (C::PauseWebhook { reason }, Some(_)) => Ok(vec![WebhookEvent::WebhookPaused { reason }]),
            (C::ResumeWebhook, Some(_)) => Ok(vec![WebhookEvent::WebhookResumed {}]),
            (C::SetPosition { after, reason, last_position }, Some(_)) => {
                let mut broken = reason_missing(&reason);
                if after < 0 {
                    let message = "positions begin at 1; 0 is everything";
                    broken.push(BrokenRule::new("after", "after_negative", message));
                }
                if after > last_position {
                    let message = format!("the log ends at position {last_position}; name that to begin with what comes");
                    broken.push(BrokenRule::new("after", "after_in_future", message));
                }
                Refused::unless_empty(broken)?;
                Ok(vec![WebhookEvent::WebhookPositionSet { after, reason }])
            }
            (C::SkipEvent { position, .. }, Some(defined)) if defined.skipped.contains(&position) => Ok(vec![]),
            (C::SkipEvent { position, reason, failing }, Some(_)) => {
                let mut broken = reason_missing(&reason);
                if !failing {
                    let message = format!(
                        "the event at position {position} is not one that the receiver fails to take; those that can be skipped are among the failing ones of the webhook"
                    );
                    broken.push(BrokenRule::new("position", "event_not_failing", message));
                }
                Refused::unless_empty(broken)?;
                Ok(vec![WebhookEvent::WebhookEventSkipped { position, reason }])
            }
        }
    }

    fn evolve(&mut self, event: WebhookEvent) {
        match (event, &mut self.defined) {
            (WebhookEvent::WebhookDefined { spec }, Some(defined)) => defined.spec = spec,
            (WebhookEvent::WebhookDefined { spec }, defined) => {
                *defined = Some(Defined { spec, paused: false, skipped: BTreeSet::new() });
            }
            (WebhookEvent::WebhookPaused { .. }, Some(defined)) => defined.paused = true,
            (WebhookEvent::WebhookResumed {}, Some(defined)) => defined.paused = false,
            (WebhookEvent::WebhookPositionSet { .. }, Some(defined)) => defined.skipped.clear(),
            (WebhookEvent::WebhookEventSkipped { position, .. }, Some(defined)) => {
                defined.skipped.insert(position);
            }
            (WebhookEvent::WebhookRetired {}, defined) => *defined = None,
            (_, None) => {}
        }
    }
}

fn broken(spec: &WebhookSpec, secret_problem: Option<String>) -> Vec<BrokenRule> {
    let problem = |problem| BrokenRule::new("secret", "secret_missing", problem);
    let mut broken: Vec<BrokenRule> = secret_problem.map(problem).into_iter().collect();
    if spec.events.is_empty() {
        let message = "name at least one type of event, such as DeploymentDone, or deployment.* or *";
        broken.push(BrokenRule::new("events", "events_missing", message));
    }
    let unknown = spec.events.iter().enumerate().filter(|(_, pattern)| !pattern.is_known());
    broken.extend(unknown.map(|(n, pattern)| {
        let message = format!("no event is {pattern}; the types are those of GET /api/v1/events, such as DeploymentDone");
        BrokenRule::new(&format!("events[{n}]"), "event_type_unknown", message)
    }));
    broken
}

fn reason_missing(reason: &Text) -> Vec<BrokenRule> {
    let broken = || BrokenRule::new("reason", "reason_missing", "say why: it stays on record");
    reason.is_empty().then(broken).into_iter().collect()
}

aggregate!(Webhook, "webhook", WebhookCommand, WebhookEvent);
domain_event!(WebhookEvent {
    WebhookDefined,
    WebhookPaused,
    WebhookResumed,
    WebhookPositionSet,
    WebhookEventSkipped,
    WebhookRetired,
});
