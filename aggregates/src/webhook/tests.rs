//! Tests of the rules of a webhook, one for each.

use super::*;
use crate::event::unknown_events;
use crate::samples::{broken, outcome, parsed};

fn spec(events: &[&str]) -> Box<WebhookSpec> {
    Box::new(WebhookSpec {
        description: Text::default(),
        url: parsed("https://chat.example/hook"),
        events: events.iter().map(|text| parsed(text)).collect(),
        secret: parsed("chat"),
    })
}

fn define_with(events: &[&str], secret_problem: Option<String>) -> WebhookCommand {
    let spec = spec(events);
    let unknown_events = unknown_events(&spec.events);
    WebhookCommand::DefineWebhook { spec, secret_problem, unknown_events }
}

fn define(events: &[&str]) -> WebhookCommand {
    define_with(events, None)
}

fn defined(then: impl IntoIterator<Item = WebhookEvent>) -> Vec<WebhookEvent> {
    [WebhookEvent::WebhookDefined { spec: spec(&["*"]) }].into_iter().chain(then).collect()
}

fn paused() -> WebhookEvent {
    WebhookEvent::WebhookPaused { reason: parsed("why not") }
}

fn skip(position: i64, failing: bool) -> WebhookCommand {
    WebhookCommand::SkipEvent { position, reason: parsed("too long"), failing }
}

fn skipped(position: i64) -> WebhookEvent {
    WebhookEvent::WebhookEventSkipped { position, reason: parsed("too long") }
}

fn set(after: i64) -> WebhookCommand {
    WebhookCommand::SetPosition { after, reason: parsed("again"), last_position: 100 }
}

fn position_set(after: i64) -> WebhookEvent {
    WebhookEvent::WebhookPositionSet { after, reason: parsed("again") }
}

#[test]
fn a_webhook_is_defined_and_the_same_again_writes_nothing() {
    assert_eq!(outcome::<Webhook>(&[], define(&["*"])), Ok(defined([])));
    assert_eq!(outcome::<Webhook>(&defined([paused()]), define(&["*"])), Ok(vec![]));
    let changed = WebhookEvent::WebhookDefined { spec: spec(&["site.*"]) };
    assert_eq!(outcome::<Webhook>(&defined([]), define(&["site.*"])), Ok(vec![changed]));
}

#[test]
fn all_errors_of_a_webhook_are_reported_at_once() {
    let problem = Some("there is no secret chat".to_owned());
    let command = |events: &[&str]| define_with(events, problem.clone());
    assert_eq!(broken::<Webhook>(&[], command(&[])), ["secret_missing", "events_missing"]);
    let misspelt = ["DeploymentDone", "DeploymentDoen", "deployments.*"];
    assert_eq!(broken::<Webhook>(&[], command(&misspelt)), ["secret_missing", "event_type_unknown", "event_type_unknown"]);
}

#[test]
fn commands_to_an_unknown_or_retired_webhook_are_refused() {
    let retired = defined([WebhookEvent::WebhookRetired {}]);
    for given in [&[][..], &retired] {
        for command in
            [WebhookCommand::PauseWebhook { reason: Text::default() }, WebhookCommand::ResumeWebhook, set(0), skip(7, true)]
        {
            assert_eq!(broken::<Webhook>(given, command), ["webhook_unknown"]);
        }
        assert_eq!(outcome::<Webhook>(given, WebhookCommand::RetireWebhook), Ok(vec![]));
    }
}

#[test]
fn a_webhook_is_paused_once_and_resumed_once() {
    let pause = || WebhookCommand::PauseWebhook { reason: parsed("why not") };
    assert_eq!(outcome::<Webhook>(&defined([]), pause()), Ok(vec![paused()]));
    assert_eq!(outcome::<Webhook>(&defined([paused()]), pause()), Ok(vec![]));
    let resumed = WebhookEvent::WebhookResumed {};
    assert_eq!(outcome::<Webhook>(&defined([paused()]), WebhookCommand::ResumeWebhook), Ok(vec![resumed.clone()]));
    assert_eq!(outcome::<Webhook>(&defined([paused(), resumed]), WebhookCommand::ResumeWebhook), Ok(vec![]));
}

#[test]
fn a_webhook_that_is_defined_again_after_it_was_retired_is_not_paused() {
    let again = [paused(), WebhookEvent::WebhookRetired {}, WebhookEvent::WebhookDefined { spec: spec(&["*"]) }];
    assert_eq!(outcome::<Webhook>(&defined(again), WebhookCommand::ResumeWebhook), Ok(vec![]));
}

#[test]
fn a_position_exists_in_the_log_and_can_be_set_repeatedly() {
    assert_eq!(outcome::<Webhook>(&defined([position_set(0)]), set(0)), Ok(vec![position_set(0)]));
    assert_eq!(outcome::<Webhook>(&defined([]), set(100)), Ok(vec![position_set(100)]));
    assert_eq!(broken::<Webhook>(&defined([]), set(101)), ["after_in_future"]);
    assert_eq!(broken::<Webhook>(&defined([]), set(-1)), ["after_negative"]);
    let without = WebhookCommand::SetPosition { after: 0, reason: Text::default(), last_position: 100 };
    assert_eq!(broken::<Webhook>(&defined([]), without), ["reason_missing"]);
}

#[test]
fn only_an_event_that_the_receiver_refuses_is_skipped_and_only_once() {
    assert_eq!(outcome::<Webhook>(&defined([]), skip(7, true)), Ok(vec![skipped(7)]));
    assert_eq!(broken::<Webhook>(&defined([]), skip(7, false)), ["event_not_failing"]);
    assert_eq!(outcome::<Webhook>(&defined([skipped(7)]), skip(7, true)), Ok(vec![]));
    assert_eq!(outcome::<Webhook>(&defined([skipped(7), position_set(0)]), skip(7, true)), Ok(vec![skipped(7)]));
    let without = WebhookCommand::SkipEvent { position: 7, reason: Text::default(), failing: false };
    assert_eq!(broken::<Webhook>(&defined([]), without), ["reason_missing", "event_not_failing"]);
}

#[test]
fn patterns_are_types_aggregates_or_everything() {
    for text in ["*", "deployment.*", "dhcp_server.*", "DeploymentDone", "WebhookPaused"] {
        let pattern: EventPattern = parsed(text);
        assert!(unknown_events(std::slice::from_ref(&pattern)).is_empty() && pattern.to_string() == text, "{text}");
    }
    assert!("A".repeat(64).parse::<EventPattern>().is_ok());
    let long = "A".repeat(65);
    for text in ["", "**", ".*", "Deployment.*", "deployment*", "deployment.x", "De ploy", "a.*.*", "Ä", long.as_str()] {
        assert!(text.parse::<EventPattern>().is_err(), "{text:?} was accepted");
    }
}

#[test]
fn a_url_is_that_of_a_web_server_and_holds_no_password() {
    for text in ["http://127.0.0.1:9000/hook", "https://[::1]/", "https://chat.example/a?b=c"] {
        assert_eq!(parsed::<WebhookUrl>(text).as_str(), text);
    }
    let of_length = |length: usize| format!("https://chat.example/{}", "a".repeat(length - 21));
    assert_eq!(parsed::<WebhookUrl>(&of_length(1_000)).as_str().len(), 1_000);
    let long = of_length(1_001);
    for text in [
        "",
        "chat.example",
        "ftp://chat.example/",
        "file:///etc/passwd",
        "https://",
        "http:///x",
        "http:chat.example",
        "https://ops:hunter2@chat.example/",
        "https://ops@chat.example/",
        "https://chat.example/#top",
        "https://chat.example:0/",
        "https://chat.example:70000/",
        "https://chat.example/a b",
        "https://chat.example/\nx",
        "https:\\\\chat.example",
        long.as_str(),
    ] {
        let error = text.parse::<WebhookUrl>().expect_err(text);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    assert_eq!(parsed::<WebhookUrl>("https://chat.example/hooks/s3cret?k=s3cret").origin(), "https://chat.example");
}
