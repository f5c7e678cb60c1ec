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

use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
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
        /// Those of the webhook's patterns that match no event of this version.
        unknown_events: Vec<EventPattern>,
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
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: WebhookCommand) -> Result<Vec<WebhookEvent>, Refused> {
        use WebhookCommand as C;
        match (command, &self.defined) {
            (C::DefineWebhook { spec, secret_problem, unknown_events }, defined) => {
                if defined.as_ref().is_some_and(|defined| defined.spec == spec) {
                    return Ok(vec![]);
                }
                Refused::unless_empty(broken(&spec, secret_problem, &unknown_events))?;
                Ok(vec![WebhookEvent::WebhookDefined { spec }])
            }
            (C::RetireWebhook, defined) => Ok(defined.iter().map(|_| WebhookEvent::WebhookRetired {}).collect()),
            (_, None) => Err(Refused::unknown(Rule::WebhookUnknown, "webhook", "`bootledger webhook list` shows all")),
            (C::PauseWebhook { .. }, Some(Defined { paused: true, .. }))
            | (C::ResumeWebhook, Some(Defined { paused: false, .. })) => Ok(vec![]),
            (C::PauseWebhook { reason }, Some(_)) => Ok(vec![WebhookEvent::WebhookPaused { reason }]),
            (C::ResumeWebhook, Some(_)) => Ok(vec![WebhookEvent::WebhookResumed {}]),
            (C::SetPosition { after, reason, last_position }, Some(_)) => {
                let mut broken = reason_missing(&reason);
                if after < 0 {
                    let message = "event numbers start at 1; use 0 for all events";
                    broken.push(BrokenRule::new("after", Rule::AfterNegative, message));
                }
                if after > last_position {
                    let message = format!("the last event is {last_position}; enter that number to send only new events");
                    broken.push(BrokenRule::new("after", Rule::AfterInFuture, message));
                }
                Refused::unless_empty(broken)?;
                Ok(vec![WebhookEvent::WebhookPositionSet { after, reason }])
            }
            (C::SkipEvent { position, .. }, Some(defined)) if defined.skipped.contains(&position) => Ok(vec![]),
            (C::SkipEvent { position, reason, failing }, Some(_)) => {
                let mut broken = reason_missing(&reason);
                if !failing {
                    let message = format!(
                        "the delivery of event {position} is not failing; only the webhook's failing events can be skipped"
                    );
                    broken.push(BrokenRule::new("position", Rule::EventNotFailing, message));
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

fn broken(spec: &WebhookSpec, secret_problem: Option<String>, unknown_events: &[EventPattern]) -> Vec<BrokenRule> {
    let problem = |problem| BrokenRule::new("secret", Rule::SecretMissing, problem);
    let mut broken: Vec<BrokenRule> = secret_problem.map(problem).into_iter().collect();
    if spec.events.is_empty() {
        let message = "name at least one type of event, such as DeploymentDone, or deployment.* or *";
        broken.push(BrokenRule::new("events", Rule::EventsMissing, message));
    }
    let unknown = spec.events.iter().enumerate().filter(|(_, pattern)| unknown_events.contains(pattern));
    broken.extend(unknown.map(|(n, pattern)| {
        let message =
            format!("no event type matches {pattern}; use a type that GET /api/v1/events shows, such as DeploymentDone");
        BrokenRule::new(&format!("events[{n}]"), Rule::EventTypeUnknown, message)
    }));
    broken
}

fn reason_missing(reason: &Text) -> Vec<BrokenRule> {
    let broken = || BrokenRule::new("reason", Rule::ReasonMissing, "enter a reason; it is recorded");
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
