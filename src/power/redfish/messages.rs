//! What a Redfish service says beside its answers: the messages of `@Message.ExtendedInfo` (DSP0266, "Error responses").

use serde_json::Value;

/// The longest text of a message that is passed on, in characters.
const LONGEST: usize = 150;

/// How deep annotations are looked for; a service puts them beside the property that they are about.
const DEEPEST: usize = 4;

/// The most messages that are looked at.
const MOST: usize = 50;

/// One message.
struct Message {
    id: String,
    text: String,
    critical: bool,
}

impl Message {
    fn of(value: &Value) -> Self {
        let text = |names: &[&str]| names.iter().find_map(|name| value.get(*name)?.as_str()).unwrap_or_default().to_owned();
        // iLO 4 writes MessageID, and no words.
        let id = text(&["MessageId", "MessageID"]);
        let critical = text(&["MessageSeverity", "Severity"]).eq_ignore_ascii_case("critical");
        let words = text(&["Message"]);
        let args = value.get("MessageArgs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let args: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
        let text = match (words.is_empty(), args.is_empty()) {
            (false, _) => words,
            (true, true) => id.clone(),
            (true, false) => format!("{id} ({})", args.join(", ")),
        };
        Self { id, text, critical }
    }

    /// The name of the message without its registry and version: `Base.1.18.PropertyNotWritable` is `PropertyNotWritable`.
    fn name(&self) -> &str {
        self.id.rsplit('.').next().unwrap_or_default()
    }

    /// Whether it says that something was not done, whatever the status of the answer.
    fn refuses(&self) -> bool {
        const REFUSALS: [&str; 17] = [
            "Not",
            "Invalid",
            "Unknown",
            "Fail",
            "Error",
            "Missing",
            "Denied",
            "Insufficient",
            "Conflict",
            "Exceeded",
            "InUse",
            "Unsupported",
            "Unable",
            "ReadOnly",
            "Unavailable",
            "Mismatch",
            "Incorrect",
        ];
        let name = self.name();
        !self.is_done() && (self.critical || REFUSALS.iter().any(|word| name.contains(word)))
    }

    /// Whether it says that all went well, as iLO and others do within an `error`.
    fn is_done(&self) -> bool {
        ["Success", "Created", "NoOperation", "ResetRequired", "SystemResetRequired", "Accepted", "ResetInProgress"]
            .contains(&self.name())
    }
}

/// The words of a Redfish error, as much of them as is passed on; empty where it is none.
pub(super) fn said(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return String::new() };
    let messages = messages(&body);
    let first =
        messages.iter().find(|message| !message.is_done() && message.name() != "GeneralError" && !message.text.is_empty());
    let words = match first.or(messages.first()) {
        Some(message) if !message.text.is_empty() => message.text.clone(),
        _ => body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

/// Why a change was not made although the answer's status says that it was; `None` where nothing says so.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let refused = messages(&body).into_iter().find(Message::refuses)?;
    Some(refused.text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect())
}

/// Whether an error says that the controller is still starting.
pub(super) fn is_starting(body: &[u8]) -> bool {
    // iDRAC: SWC0700 "iDRAC is not ready", SYS518 "data sources are unavailable".
    const STARTING: [&str; 3] = ["SWC0700", "SYS518", "ServiceTemporarilyUnavailable"];
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    messages(&body).iter().any(|message| STARTING.contains(&message.name()))
}

fn messages(body: &Value) -> Vec<Message> {
    let mut found = vec![];
    collect(body, 0, &mut found);
    found
}

fn collect(value: &Value, depth: usize, found: &mut Vec<Message>) {
    let Value::Object(fields) = value else { return };
    for (name, field) in fields {
        if name.ends_with("@Message.ExtendedInfo") {
            let several = field.as_array().map_or_else(|| std::slice::from_ref(field), Vec::as_slice);
            found.extend(several.iter().take(MOST.saturating_sub(found.len())).map(Message::of));
        } else if depth < DEEPEST {
            collect(field, depth + 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bytes(value: &Value) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    #[test]
    fn a_success_in_the_form_of_an_error_is_none() {
        // iLO 4, as goldyfruit/ansible-ilo issue 1 quotes it; iLO 5 the same with MessageId.
        for done in ["Base.0.10.Success", "Base.1.4.Success", "iLO.2.14.SystemResetRequired", "Base.1.12.NoOperation"] {
            for key in ["MessageId", "MessageID"] {
                let body = json!({"error": {"@Message.ExtendedInfo": [{ key: done }], "code": "iLO.0.10.ExtendedInfo"}});
                assert_eq!(refusal(&bytes(&body)), None, "{body}");
            }
        }
    }

    #[test]
    fn a_refusal_counts_wherever_it_is_annotated() {
        let message =
            json!([{"MessageId": "Base.1.18.PropertyNotWritable", "Message": "Boot is read-only", "Severity": "Warning"}]);
        for body in [
            json!({"error": {"@Message.ExtendedInfo": message}}),
            json!({"@Message.ExtendedInfo": message}),
            json!({"Boot": {"BootSourceOverrideMode@Message.ExtendedInfo": message}}),
            json!({"Boot@Message.ExtendedInfo": message[0]}),
        ] {
            assert_eq!(refusal(&bytes(&body)).as_deref(), Some("Boot is read-only"), "{body}");
        }
        for nothing in ["", "<html>", "{}", "[]", "null"] {
            assert_eq!(refusal(nothing.as_bytes()), None, "{nothing}");
        }
    }

    #[test]
    fn a_message_without_words_is_passed_on_with_its_arguments() {
        let message = json!([{"MessageArgs": ["Power is off"], "MessageID": "iLO.0.10.InvalidOperationForSystemState"}]);
        let body = json!({"error": {"@Message.ExtendedInfo": message, "message": "See @Message.ExtendedInfo"}});
        assert_eq!(said(&bytes(&body)), "iLO.0.10.InvalidOperationForSystemState (Power is off)");
        assert_eq!(said(br#"{"error": {"message": "busy"}}"#), "busy");
        let long = json!({"error": {"message": "x\n".repeat(1000)}});
        assert_eq!(said(&bytes(&long)).chars().count(), LONGEST);
    }
}
