//! Messages of a Redfish service in its responses: `@Message.ExtendedInfo` (DSP0266, "Error responses").

mod known;

use known::{Meaning, meaning};
use serde_json::Value;

/// The maximum length of a message that is passed on, in characters.
const LONGEST: usize = 150;

/// The maximum length of a message that is read, in characters.
const LONGEST_LINE: usize = 16 * 1024;

/// How deep annotations are searched; a service puts them beside the property that they refer to.
const DEEPEST: usize = 4;

/// The maximum number of messages that are evaluated.
const MOST: usize = 50;

/// One message of a response.
struct Message {
    id: String,
    text: String,
    severity: String,
}

/// What the messages in a response say about the requested change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The status of the response decides.
    Done,
    /// The change was not made, for this reason.
    Refused(String),
    /// An unknown warning: the change may not have been made.
    Doubtful(String),
}

impl Message {
    fn of(value: &Value) -> Self {
        let text = |names: &[&str]| names.iter().find_map(|name| value.get(*name)?.as_str()).unwrap_or_default().to_owned();
        // iLO 4 writes MessageID, without a text.
        let id = text(&["MessageId", "MessageID"]);
        let severity = text(&["MessageSeverity", "Severity"]);
        let words = text(&["Message"]);
        let args = value.get("MessageArgs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let args: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
        let text = match (words.is_empty(), args.is_empty()) {
            (false, _) => words,
            (true, true) => id.clone(),
            (true, false) => format!("{id} ({})", args.join(", ")),
        };
        Self { id, text, severity }
    }

    /// The name of the message without its registry and version: `Base.1.18.PropertyNotWritable` is `PropertyNotWritable`.
    fn name(&self) -> &str {
        self.id.trim().rsplit('.').next().unwrap_or_default()
    }

    /// The verdict of the message. The registry takes precedence over the severity, since services send `Warning` with
    /// successes. For an unknown message, the severity decides (DSP0266: critical, warning, OK; iDRAC also writes
    /// "Informational").
    fn verdict(&self) -> Verdict {
        let text = || if self.text.is_empty() { self.id.clone() } else { self.text.clone() };
        match meaning(self.name()) {
            Some(Meaning::Refused) => Verdict::Refused(text()),
            None if self.severity.eq_ignore_ascii_case("critical") => Verdict::Refused(text()),
            None if self.severity.eq_ignore_ascii_case("warning") => Verdict::Doubtful(text()),
            Some(Meaning::Done | Meaning::Nothing) | None => Verdict::Done,
        }
    }

    fn refers_to_others(&self) -> bool {
        meaning(self.name()) == Some(Meaning::Nothing)
    }
}

/// The text of a Redfish error; empty if it is not one. It is not yet cut to the length that is passed on; [`short`] does that
/// after passwords have been removed, because a part of a password would not be found.
pub(super) fn said(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return String::new() };
    let messages = messages(&body);
    let is_relevant = |message: &&Message| meaning(message.name()) != Some(Meaning::Done) && !message.refers_to_others();
    let first = messages.iter().filter(is_relevant).find(|message| !message.text.is_empty());
    let words = match first.or(messages.first()) {
        Some(message) if !message.text.is_empty() => message.text.clone(),
        _ => body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    line(&words)
}

/// The verdict on a successful status: the strongest of the verdicts of its messages.
pub(super) fn verdict(body: &[u8]) -> Verdict {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Verdict::Done };
    let messages = messages(&body);
    // "A general error has occurred" alone counts as an error.
    if let [only] = &messages[..]
        && only.name() == "GeneralError"
    {
        return Verdict::Refused(line(&only.text));
    }
    let mut doubt = None;
    for verdict in messages.iter().map(Message::verdict) {
        match verdict {
            Verdict::Refused(words) => return Verdict::Refused(line(&words)),
            Verdict::Doubtful(words) => drop(doubt.get_or_insert(words)),
            Verdict::Done => {}
        }
    }
    doubt.map_or(Verdict::Done, |words| Verdict::Doubtful(line(&words)))
}

/// The text as one line, with limited length.
fn line(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_LINE).collect()
}

/// The beginning of a text, up to the length that is passed on.
pub(super) fn short(words: &str) -> String {
    words.chars().take(LONGEST).collect()
}

/// Whether an error says that the controller is still starting.
pub(super) fn is_starting(body: &[u8]) -> bool {
    // iDRAC: SWC0700 "iDRAC is not ready", SYS518 "data sources are unavailable".
    const STARTING: [&str; 3] = ["SWC0700", "SYS518", "ServiceTemporarilyUnavailable"];
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    messages(&body).iter().any(|message| STARTING.contains(&message.name()))
}

/// Whether an error says that another reset is in progress.
pub(super) fn is_resetting(body: &[u8]) -> bool {
    const RESETTING: [&str; 4] = ["ResetInProgress", "AlreadyInProgress", "ResourceInUse", "ResourceInUseWithDetail"];
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    messages(&body).iter().any(|message| RESETTING.contains(&message.name()))
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

    /// Messages as services send them, with a successful status.
    #[test]
    fn a_message_is_judged_by_its_registry_and_where_it_is_unknown_by_its_severity() {
        let matrix: &[(&str, &str, &str)] = &[
            // Base messages with every spelling of versions; the registry takes precedence over the severity.
            ("Base.0.10.Success", "", "done"),
            ("Base.1.4.Success", "OK", "done"),
            ("Base.1.8.1.Success", "Warning", "done"),
            ("Success", "", "done"),
            (" Base.1.8.Success ", "", "done"),
            ("Base.1.12.NoOperation", "Warning", "done"),
            ("Base.1.13.ResetRequired", "Warning", "done"),
            ("Base.1.8.PropertyValueModified", "Warning", "done"),
            ("Base.1.19.ActionDeprecated", "Warning", "done"),
            ("Base.1.0.PropertyNotUpdated", "", "refused"),
            ("Base.1.18.PropertyNotWritable", "Warning", "refused"),
            ("Base.1.8.1.PropertyNotWritable", "OK", "refused"),
            ("Base.1.8.ActionParameterUnknown", "", "refused"),
            ("Base.1.8.PropertyValueNotInList", "", "refused"),
            ("Base.1.8.InsufficientPrivilege", "Critical", "refused"),
            ("Base.1.8.GeneralError", "Critical", "refused"),
            // Messages of HPE.
            ("iLO.2.14.SystemResetRequired", "Warning", "done"),
            ("iLO.2.24.ResetInProgress", "Warning", "done"),
            ("HpeCommon.1.0.ConditionalSuccess", "Warning", "done"),
            ("iLO.0.10.PropertyValueAlreadySet", "", "done"),
            ("iLO.0.10.InvalidOperationForSystemState", "", "refused"),
            ("iLO.2.14.UnsupportedOperation", "Warning", "refused"),
            // Messages of Dell: codes, judged by their severity.
            ("IDRAC.2.8.SYS413", "Informational", "done"),
            ("IDRAC.2.8.SYS413", "OK", "done"),
            ("IDRAC.2.8.SYS428", "Warning", "doubtful"),
            ("IDRAC.1.6.PSU501", "Critical", "refused"),
            ("IDRAC.2.8.SYS413", "", "done"),
            // Words within a name have no meaning.
            ("SMC.1.0.NotificationSent", "OK", "done"),
            ("SMC.1.0.NotificationSent", "", "done"),
            ("OemLenovo.1.0.ErrorLogCleared", "OK", "done"),
            ("OpenBMC.0.1.PowerButtonNotPressed", "Warning", "doubtful"),
            ("Contoso.1.0.FailoverConfigured", "critical", "refused"),
            ("Contoso.1.0.Wonderful", "CRITICAL", "refused"),
            ("", "", "done"),
            ("", "Warning", "doubtful"),
            (".", "OK", "done"),
        ];
        for (id, severity, wanted) in matrix {
            for (id_key, severity_key) in [("MessageId", "Severity"), ("MessageID", "MessageSeverity")] {
                let message = json!({ id_key: id, severity_key: severity, "Message": "words" });
                let body = json!({"error": {"@Message.ExtendedInfo": [message], "code": "iLO.0.10.ExtendedInfo"}});
                let found = match verdict(&bytes(&body)) {
                    Verdict::Done => "done",
                    Verdict::Refused(words) => ("refused", assert_eq!(words, "words")).0,
                    Verdict::Doubtful(words) => ("doubtful", assert_eq!(words, "words")).0,
                };
                assert_eq!(found, *wanted, "{body}");
            }
        }
    }

    #[test]
    fn of_several_messages_the_strongest_counts() {
        let with = |ids: &[(&str, &str)]| {
            let messages: Vec<Value> =
                ids.iter().map(|(id, severity)| json!({"MessageId": id, "Message": id, "Severity": severity})).collect();
            verdict(&bytes(&json!({ "@Message.ExtendedInfo": messages })))
        };
        // The response of iDRAC to a change.
        assert_eq!(with(&[("Base.1.12.Success", "OK"), ("IDRAC.2.8.SYS413", "Informational")]), Verdict::Done);
        assert_eq!(with(&[("Base.1.8.GeneralError", "Critical"), ("Base.1.8.Success", "OK")]), Verdict::Done);
        let refused = with(&[("Base.1.12.Success", "OK"), ("X.1.Odd", "Warning"), ("Base.1.12.PropertyNotWritable", "Warning")]);
        assert_eq!(refused, Verdict::Refused("Base.1.12.PropertyNotWritable".to_owned()));
        let doubtful = with(&[("Base.1.12.Success", "OK"), ("X.1.Odd", "Warning")]);
        assert_eq!(doubtful, Verdict::Doubtful("X.1.Odd".to_owned()));
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
            assert_eq!(verdict(&bytes(&body)), Verdict::Refused("Boot is read-only".to_owned()), "{body}");
        }
        for nothing in ["", "<html>", "{}", "[]", "null"] {
            assert_eq!(verdict(nothing.as_bytes()), Verdict::Done, "{nothing}");
        }
    }

    #[test]
    fn a_message_without_words_is_passed_on_with_its_arguments() {
        let message = json!([{"MessageArgs": ["Power is off"], "MessageID": "iLO.0.10.InvalidOperationForSystemState"}]);
        let body = json!({"error": {"@Message.ExtendedInfo": message, "message": "See @Message.ExtendedInfo"}});
        assert_eq!(said(&bytes(&body)), "iLO.0.10.InvalidOperationForSystemState (Power is off)");
        assert_eq!(said(br#"{"error": {"message": "busy"}}"#), "busy");
        let long = json!({"error": {"message": "x\n".repeat(1000)}});
        assert_eq!(short(&said(&bytes(&long))).chars().count(), LONGEST);
    }
}
