//! What only administrators read of the events and the states of objects: the path and the query of a webhook's URL. Chat services
//! put a password there, so anyone who reads it can write to the chat. Everyone else reads the scheme, the host and the port.
//!
//! Each route and page that answers with events, states or webhooks gets them from here.

use crate::http::auth::principal::Principal;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::webhook::WebhookUrl;
use bootledger_projections::rows::timeline::{Line, States};
use serde_json::Value;

/// The kind of objects whose URLs are confidential.
const WEBHOOK: &str = "webhook";

/// The reader of an event, a state or a webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// An administrator, who reads everything as it is stored.
    Administrator,
    /// Anyone else.
    #[default]
    Other,
}

impl Reader {
    /// The reader who sent a request.
    pub(crate) fn of(principal: &Principal) -> Self {
        if principal.may(Role::Administrator) { Self::Administrator } else { Self::Other }
    }

    /// Whether a part of objects of this kind is hidden from the reader.
    pub(crate) fn is_limited(self, kind: &str) -> bool {
        self == Self::Other && kind == WEBHOOK
    }

    /// A webhook's URL, as the reader may see it.
    pub(crate) fn url(self, url: WebhookUrl) -> WebhookUrl {
        match self {
            Self::Administrator => url,
            Self::Other => url.without_path(),
        }
    }

    /// The state of an object of this kind, or an event's data, as the reader may see it.
    pub(crate) fn state(self, kind: &str, mut state: Value) -> Value {
        if self.is_limited(kind) {
            shorten_urls(&mut state);
        }
        state
    }

    /// The stored text of an event's data, as the reader may see it. Data without a URL keeps its form.
    pub(crate) fn payload(self, kind: &str, payload: String) -> String {
        if !self.is_limited(kind) {
            return payload;
        }
        match serde_json::from_str::<Value>(&payload) {
            Ok(stored) => {
                let shown = self.state(kind, stored.clone());
                if shown == stored { payload } else { shown.to_string() }
            }
            // The text could contain anything.
            Err(_) => Value::Null.to_string(),
        }
    }

    /// A line of the timeline, as the reader may see it.
    pub(crate) fn line(self, mut line: Line) -> Line {
        if let Some(States { before, after }) = line.states.take() {
            let kind = &line.aggregate_type;
            line.states = Some(States { before: self.state(kind, before), after: self.state(kind, after) });
        }
        line
    }

    /// A line of the timeline with the stored text of its event's data, as the reader may see them.
    pub(crate) fn event(self, (line, payload): (Line, String)) -> (Line, String) {
        let payload = self.payload(&line.aggregate_type, payload);
        (self.line(line), payload)
    }
}

fn shorten_urls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "url" => {
                        *text = text.parse::<WebhookUrl>().map(|url| String::from(url.without_path())).unwrap_or_default();
                    }
                    other => shorten_urls(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten_urls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_administrators_read_the_path_of_a_webhook() {
        let payload =
            r#"{"type":"WebhookDefined", "spec":{"url":"https://chat.example:8443/hooks/s3cret?k=s3cret","events":["*"]}}"#;
        assert_eq!(Reader::Administrator.payload("webhook", payload.to_owned()), payload);
        assert_eq!(Reader::Other.payload("network", payload.to_owned()), payload, "another kind of object");
        let shown = Reader::Other.payload("webhook", payload.to_owned());
        assert!(!shown.contains("s3cret"), "{shown}");
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!((&shown["spec"]["url"], &shown["type"]), (&json!("https://chat.example:8443/"), &json!("WebhookDefined")));
        let paused = r#"{"type":"WebhookPaused",  "reason":"the url moves"}"#;
        assert_eq!(Reader::Other.payload("webhook", paused.to_owned()), paused, "the stored form");
        assert_eq!(Reader::Other.payload("webhook", "s3cret".to_owned()), "null");
        let url: WebhookUrl = "https://chat.example/hooks/s3cret".parse().expect("a URL");
        assert_eq!(Reader::Other.url(url.clone()).as_str(), "https://chat.example/");
        assert_eq!(Reader::Administrator.url(url).as_str(), "https://chat.example/hooks/s3cret");
    }
}
