//! A webhook: a receiver of events over HTTP. The key is its name. Its delivery position is not stored here: it depends only on
//! the receiver's answers.
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

/// The description of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSpec {
    /// A description for operators.
    #[serde(default)]
    pub description: Text,
    /// The URL that events are posted to.
    pub url: WebhookUrl,
    /// The events that the webhook receives: types such as `DeploymentDone`, all events of a type of aggregate such as
    /// `deployment.*`, or `*`.
    pub events: Vec<EventPattern>,
    /// The name of the secret that signs messages, never the secret itself. The secret is `whsec_` and 24 to 64 bytes in
    /// base64.
    pub secret: Name,
}

/// A command on a webhook.
#[derive(Clone, Debug)]
pub enum WebhookCommand {
    /// Creates or changes the webhook. A new one starts with the events recorded from now on.
    DefineWebhook {
        /// The new description.
        spec: Box<WebhookSpec>,
        /// The problem with the webhook's secret, if any.
        secret_problem: Option<String>,
    },
    /// Pauses deliveries; no event is lost.
    PauseWebhook {
        /// The reason for pausing.
        reason: Text,
    },
    /// Resumes deliveries from where they stopped.
    ResumeWebhook,
    /// Continues deliveries after an event number, regardless of what was delivered before.
    SetPosition {
        /// The event number; 0 delivers all events.
        after: i64,
        /// The reason for changing the position.
        reason: Text,
        /// The last event number of the log.
        last_position: i64,
    },
    /// Skips an event whose delivery fails, so that the later events of its aggregate are delivered.
    SkipEvent {
        /// The event number.
        position: i64,
        /// The reason for skipping the event.
        reason: Text,
        /// Whether the receiver failed to accept the event, so that the ones after it were not delivered.
        failing: bool,
    },
    /// Retires the webhook.
    RetireWebhook,
}

/// An event of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum WebhookEvent {
    /// The webhook's description was set. A new webhook starts after this event.
    WebhookDefined {
        /// The new description.
        spec: Box<WebhookSpec>,
    },
    /// Deliveries were paused.
    WebhookPaused {
        /// The reason for pausing.
        reason: Text,
    },
    /// Deliveries were resumed from where they stopped.
    WebhookResumed {},
    /// Deliveries continue after this event number.
    WebhookPositionSet {
        /// The event number.
        after: i64,
        /// The reason for changing the position.
        reason: Text,
    },
    /// An event is not delivered to the receiver.
    WebhookEventSkipped {
        /// The event number.
        position: i64,
        /// The reason for skipping the event.
        reason: Text,
    },
    /// The webhook was retired.
    WebhookRetired {},
}

/// The state of a webhook, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Webhook {
    defined: Option<Defined>,
}

/// The state of a webhook in use.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Defined {
    spec: Box<WebhookSpec>,
    paused: bool,
    /// The events that were skipped since the position was last set.
    skipped: BTreeSet<i64>,
}

impl Webhook {
    /// Returns the events that the command produces, or the reasons for refusing it.
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
