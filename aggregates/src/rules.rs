//! How a refusal is reported: each error with its field, rule code and message, and the holder of the requested value. Also the
//! macros that connect an aggregate's rules and events to `cqrs_es`.

pub mod registry;

pub use registry::Rule;

use registry::Status;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
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
    /// The message before and after a name that the rule does not know: that of the holder or of the missing object.
    #[serde(skip)]
    around_name: Option<Box<[String; 2]>>,
    #[serde(skip)]
    more: Box<More>,
}

/// What answers of the API do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct More {
    /// What the error is about, such as the requested address. It is stored with the failure of a plugin.
    value: Option<String>,
    /// The message for users who may not read the exact one.
    general: Option<String>,
}

impl BrokenRule {
    /// Creates an error without a holder.
    pub fn new(field: &str, rule: Rule, message: impl Into<String>) -> Self {
        let (field, rule, message) = (field.to_owned(), rule.code().to_owned(), message.into());
        Self { field, rule, message, holder: None, around_name: None, more: Box::default() }
    }

    /// Creates an error whose message names the holder of a value: `before`, the holder, `after`. The message has the holder's
    /// ID until [`Self::name_holder`] completes it with a name.
    pub fn naming(field: &str, rule: Rule, before: impl Into<String>, holder: impl Display, after: &str) -> Self {
        let (before, holder) = (before.into(), holder.to_string());
        let message = format!("{before}{holder}{after}");
        let around = Box::new([before, after.to_owned()]);
        Self { around_name: Some(around), ..Self::new(field, rule, message) }.held_by(holder)
    }

    /// Creates the error that the object of a command does not exist. An aggregate does not know its own key, so
    /// [`Self::name_object`] completes the message. `kind` is what the object is, such as `DHCP server`.
    pub fn unknown(rule: Rule, kind: &str, advice: &str) -> Self {
        let around = Box::new([format!("there is no {kind} "), format!("; {advice}")]);
        Self { around_name: Some(around), ..Self::new("", rule, format!("there is no such {kind}; {advice}")) }
    }

    /// Completes the message with the holder's name, such as `device R640 no. 1`. A message that does not name the holder stays
    /// as it is. `holder` keeps the ID, for programs.
    pub fn name_holder(&mut self, name: &str) {
        if self.holder.is_some() {
            self.complete(name);
        }
    }

    /// Completes the message with the name of the object that does not exist. Other messages stay as they are.
    pub fn name_object(&mut self, name: &str) {
        if self.holder.is_none() {
            self.complete(name);
        }
    }

    fn complete(&mut self, name: &str) {
        if let Some([before, after]) = self.around_name.as_deref() {
            self.message = format!("{before}{name}{after}");
        }
    }

    /// Adds a message for all users. The exact one is only for administrators.
    #[must_use]
    pub fn or_in_general(mut self, message: impl Into<String>) -> Self {
        self.more.general = Some(message.into());
        self
    }

    /// The error with the message that all users may read, for a text that is stored or published.
    #[must_use]
    pub fn for_all_users(mut self) -> Self {
        if let Some(general) = self.more.general.take() {
            self.message = general;
        }
        self
    }

    /// Puts a text before the message.
    #[must_use]
    pub fn preceded_by(mut self, text: &str) -> Self {
        self.message.insert_str(0, text);
        if let Some([before, _]) = self.around_name.as_deref_mut() {
            before.insert_str(0, text);
        }
        if let Some(general) = &mut self.more.general {
            general.insert_str(0, text);
        }
        self
    }

    /// Says what the error is about, such as the requested address.
    #[must_use]
    pub fn about(mut self, value: impl Display) -> Self {
        self.more.value = Some(value.to_string());
        self
    }

    /// What the error is about, such as the requested address, if the rule says it.
    pub fn value(&self) -> Option<&str> {
        self.more.value.as_deref()
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

    /// A refusal because the object of the command does not exist; see [`BrokenRule::unknown`].
    pub fn unknown(rule: Rule, kind: &str, advice: &str) -> Self {
        Self(vec![BrokenRule::unknown(rule, kind, advice)])
    }

    /// The refusal with the name of the object, where the object does not exist.
    #[must_use]
    pub fn of_object(mut self, name: &str) -> Self {
        self.0.iter_mut().for_each(|broken| broken.name_object(name));
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_completed_with_the_name_that_the_rule_does_not_know() {
        let mut held = BrokenRule::naming("ip", Rule::IpClaimed, "10.0.0.7 is held by ", "device 0192", "; choose another");
        assert_eq!(
            (held.message.as_str(), held.holder.as_deref()),
            ("10.0.0.7 is held by device 0192; choose another", Some("device 0192"))
        );
        held.name_object("h1");
        held = held.preceded_by("row 2: ");
        held.name_holder("device web 1");
        assert_eq!(held.message, "row 2: 10.0.0.7 is held by device web 1; choose another");
        assert_eq!(held.holder.as_deref(), Some("device 0192"));

        let refused = Refused::unknown(Rule::WebhookUnknown, "webhook", "create it first");
        assert_eq!(refused.to_string(), "there is no such webhook; create it first");
        assert!(refused.0[0].is_not_found());
        assert_eq!(refused.of_object("chat").to_string(), "there is no webhook chat; create it first");

        let plain = Refused::because("name", Rule::NameEmpty, "enter a name").of_object("chat");
        assert_eq!(plain.to_string(), "enter a name");
    }

    #[test]
    fn a_text_for_all_users_does_not_have_the_message_for_administrators() {
        let exact = BrokenRule::new("management.credentials", Rule::SecretMissing, "bmc is not for 10.0.0.9");
        assert_eq!(exact.clone().for_all_users().message, "bmc is not for 10.0.0.9");
        let both = exact.or_in_general("it cannot be used").preceded_by("row 2: ");
        assert_eq!(both.message, "row 2: bmc is not for 10.0.0.9");
        assert_eq!(both.for_all_users().message, "row 2: it cannot be used");
    }

    #[test]
    fn the_json_of_an_error_has_neither_its_value_nor_the_parts_of_its_message() {
        let held = BrokenRule::naming("ip", Rule::IpClaimed, "10.0.0.7 is held by ", "device 7", "").about("10.0.0.7");
        let json = serde_json::to_value(&held).expect("JSON");
        let expected = serde_json::json!({
            "field": "ip", "rule": "ip_claimed", "message": "10.0.0.7 is held by device 7", "holder": "device 7",
        });
        assert_eq!(json, expected);
    }
}
