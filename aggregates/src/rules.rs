//! How a refusal is told: which field, which rule, in which words, and who holds what was asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One broken rule. `rule` is a stable code in `snake_case`; `message` is for a person and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BrokenRule {
    /// The field of the request that breaks the rule; empty when it is about the whole.
    pub field: String,
    /// The rule's code.
    pub rule: String,
    /// What is wrong and what to do next.
    pub message: String,
    /// Who holds the thing, such as `device 0192…` or `deployment 0192…`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub holder: Option<String>,
}

impl BrokenRule {
    /// A broken rule without a holder.
    pub fn new(field: &str, rule: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), rule: rule.to_owned(), message: message.into(), holder: None }
    }

    /// The same, held by somebody.
    #[must_use]
    pub fn held_by(self, holder: impl Into<String>) -> Self {
        Self { holder: Some(holder.into()), ..self }
    }
}

/// Every rule that a command breaks; never empty. The error of all aggregates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|broken| broken.message.as_str()).collect::<Vec<_>>().join("; "))]
pub struct Refused(pub Vec<BrokenRule>);

impl Refused {
    /// A refusal for one reason.
    pub fn because(field: &str, rule: &str, message: impl Into<String>) -> Self {
        Self(vec![BrokenRule::new(field, rule, message)])
    }

    /// `Ok` where nothing is broken.
    pub fn unless_empty(broken: Vec<BrokenRule>) -> Result<(), Self> {
        if broken.is_empty() { Ok(()) } else { Err(Self(broken)) }
    }
}

/// Implements `cqrs_es::Aggregate` over the synchronous `decide` and `evolve` of a type, so that
/// the rules can be called without a runtime, and for many aggregates at once by a bulk import.
macro_rules! aggregate {
    ($aggregate:ty, $type:literal, $command:ty, $event:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = $type;
            type Command = $command;
            type Event = $event;
            type Error = crate::rules::Refused;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                (): &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in self.decide(command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                self.evolve(event);
            }
        }
    };
}

/// Implements `DomainEvent`: the variant's name is the event's type; the version is 1 until an upcaster exists.
macro_rules! domain_event {
    ($event:ty { $($variant:ident),+ $(,)? }) => {
        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                match self {
                    $(Self::$variant { .. } => stringify!($variant).to_owned(),)+
                }
            }

            fn event_version(&self) -> String {
                "1".to_owned()
            }
        }

        impl $event {
            /// The types of these events.
            pub const TYPES: &[&str] = &[$(stringify!($variant)),+];
        }
    };
}

pub(crate) use {aggregate, domain_event};
