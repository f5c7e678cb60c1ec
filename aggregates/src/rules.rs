//! How a refusal is reported: each error with its field, rule code and message, and the holder of the requested value. Also the
//! macros that connect an aggregate's rules and events to `cqrs_es`.

pub mod registry;

pub use registry::Rule;

use registry::Status;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One validation error. `rule` is a stable code in `snake_case`; `message` is for operators and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BrokenRule {
    /// The field of the request that the error is about; empty if it is about the whole request.
    pub field: String,
    /// The stable code of the rule.
    #[schema(value_type = Rule)]
    pub rule: String,
    /// What is wrong and what to do next.
    pub message: String,
    /// The holder of the requested value, such as `device 0192…` or `deployment 0192…`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub holder: Option<String>,
}

impl BrokenRule {
    /// Creates an error without a holder.
    pub fn new(field: &str, rule: Rule, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), rule: rule.code().to_owned(), message: message.into(), holder: None }
    }

    /// Whether the error is about this rule.
    pub fn is(&self, rule: Rule) -> bool {
        self.rule == rule.code()
    }

    /// Whether the error says that the resource in the URL does not exist.
    pub fn is_not_found(&self) -> bool {
        self.field.is_empty() && Rule::of_code(&self.rule).is_some_and(|rule| rule.status() == Status::NotFound)
    }

    /// Whether a deployment has recorded as many reports, failures, logs or changes of its installer as it may.
    pub fn is_full(&self) -> bool {
        use Rule::{InstallerFailuresFull, InstallerLogsFull, InstallerNextBootsFull, InstallerReportsFull};
        let full = [InstallerReportsFull, InstallerFailuresFull, InstallerLogsFull, InstallerNextBootsFull];
        full.into_iter().any(|rule| self.is(rule))
    }

    /// Adds the holder of the requested value.
    #[must_use]
    pub fn held_by(self, holder: impl Into<String>) -> Self {
        Self { holder: Some(holder.into()), ..self }
    }
}

/// Every reason for refusing a command; never empty. This is the error type of all aggregates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|broken| broken.message.as_str()).collect::<Vec<_>>().join("; "))]
pub struct Refused(pub Vec<BrokenRule>);

impl Refused {
    /// A refusal with a single reason.
    pub fn because(field: &str, rule: Rule, message: impl Into<String>) -> Self {
        Self(vec![BrokenRule::new(field, rule, message)])
    }

    /// Returns `Ok` if there are no errors.
    ///
    /// # Errors
    /// The given errors, if there are any.
    pub fn unless_empty(broken: Vec<BrokenRule>) -> Result<(), Self> {
        if broken.is_empty() { Ok(()) } else { Err(Self(broken)) }
    }
}

/// Implements `cqrs_es::Aggregate` with the synchronous `decide` and `evolve` of a type, so that the rules can be called
/// without an async runtime, and a bulk import can call them for many aggregates at once.
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

/// Implements `DomainEvent`: the variant's name is the event type, and the version is 1 until the type has an upcaster.
macro_rules! domain_event {
    ($event:ty { $($variant:ident),+ $(,)? }) => {
        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                match self {
                    $(Self::$variant { .. } => stringify!($variant).to_owned(),)+
                }
            }

            fn event_version(&self) -> String {
                crate::upcast::version(&self.event_type()).to_string()
            }
        }

        impl $event {
            /// The types of these events.
            pub const TYPES: &[&str] = &[$(stringify!($variant)),+];
        }
    };
}

pub(crate) use {aggregate, domain_event};
