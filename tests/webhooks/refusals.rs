//! A receiver that does not accept an event, in one way or another: which events wait for it, and what an operator sees and can
//! do.

use super::{PATIENCE, change_racks, define, events_of, in_order, service, up_to_date, waits_until};
use crate::support::receiver::{Answer, Receiver};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The receiver gives this answer to the first event of rack r1, and the delivery shows its status and this text of it.
async fn refused(answer: Answer, detail: &str) -> Result<()> {
    let status = answer.0;
    let (service, receiver) = (service().await?, Receiver::start()?);
    receiver.answer(move |event, _| {
        let refused = event["aggregate_id"] == "r1" && event["sequence"] == 1;
        Some(if refused { answer.clone() } else { (200, None, "") })
    });
    define(&service, "racks", &receiver, &["rack.*"]).await?;
    change_racks(&service, 3, 3).await?;
    let failing = waits_until(&service, "racks", "the receiver's answer is shown", |delivery| {
        let cause = &delivery["failing"][0]["cause"];
        cause["code"] == "status" && cause["status"] == status && cause["detail"].as_str().unwrap_or_default() == detail
    });
    let failing = failing.await?;
    let problem = failing["failing"][0]["problem"].as_str().context("a problem")?;
    ensure!(problem.contains(&status.to_string()) && problem.contains(detail), "{problem}");
    // The other racks' events are delivered, and the later ones of r1 wait.
    let taken = receiver.has_taken(6, PATIENCE).await?;
    ensure!(taken.iter().all(|event| event["aggregate_id"] != "r1"), "{taken:?}");
    assert_eq!(failing["failing_aggregates"], 1);
    assert_eq!(failing["failing"][0]["aggregate"], "rack/r1");

    // An operator skips that event, with a reason; no other event can be skipped.
    let position = failing["failing"][0]["position"].clone();
    for (position, reason, rule) in [(json!(1), "why not", "event_not_failing"), (position.clone(), "", "reason_missing")] {
        let answer = service.post("/api/v1/webhooks/racks/skip", &json!({ "position": position, "reason": reason })).await;
        let refused = answer.err().context("it was skipped")?.to_string();
        ensure!(refused.contains(rule), "{refused}");
    }
    let skip = json!({ "position": position, "reason": "the receiver cannot read it" });
    service.post("/api/v1/webhooks/racks/skip", &skip).await?;
    let taken = receiver.has_taken(8, PATIENCE).await?;
    up_to_date(&service, "racks").await?;
    ensure!(taken.iter().all(|event| event["position"] != position), "what was skipped was taken");
    let events = events_of(&service, "webhook").await?;
    let skipped = events.last().context("no event")?;
    assert_eq!((&skipped["type"], &skipped["payload"]["position"]), (&json!("WebhookEventSkipped"), &position));
    Ok(())
}

#[tokio::test]
async fn an_error_is_reported_with_the_receivers_message_and_its_event_can_be_skipped() -> Result<()> {
    refused((500, None, "the disk is full\nreally"), "the disk is full really").await
}

#[tokio::test]
async fn a_redirect_is_not_followed() -> Result<()> {
    let location = Some(("location", "http://127.0.0.1:1/elsewhere".to_owned()));
    refused((302, location, ""), "").await
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_holds_back_one_aggregate_alone() -> Result<()> {
    let (service, receiver) = (service().await?, Receiver::start()?);
    receiver.answer(|event, tries| {
        let hangs = event["aggregate_id"] == "r1" && event["sequence"] == 1 && tries == 1;
        (!hangs).then_some((200, None, ""))
    });
    define(&service, "racks", &receiver, &["rack.*"]).await?;
    change_racks(&service, 3, 3).await?;
    let failing = |delivery: &Value| delivery["failing_aggregates"] == 1;
    let delivery = waits_until(&service, "racks", "it did not answer", failing).await?;
    let failing = &delivery["failing"][0];
    assert_eq!((&failing["cause"]["code"], &failing["cause"]["seconds"]), (&json!("timeout"), &json!(10)), "{delivery}");
    ensure!(failing["problem"].as_str().is_some_and(|problem| problem.ends_with("10 s")), "{delivery}");
    // In the meantime the others were delivered.
    let others = receiver.taken().iter().filter(|event| event["aggregate_id"] != "r1").count();
    assert_eq!(others, 6);
    let taken = receiver.has_taken(9, PATIENCE).await?;
    assert_eq!(in_order(&taken)?, 0);
    Ok(())
}

#[tokio::test]
async fn the_receivers_retry_after_is_respected() -> Result<()> {
    let (service, receiver) = (service().await?, Receiver::start()?);
    let requested = || Some(("retry-after", "4".to_owned()));
    receiver.answer(move |_, tries| Some(if tries == 1 { (429, requested(), "too much") } else { (200, None, "") }));
    define(&service, "racks", &receiver, &["rack.*"]).await?;
    let begun = Instant::now();
    change_racks(&service, 1, 1).await?;
    receiver.has_taken(1, PATIENCE).await?;
    ensure!(begun.elapsed() >= Duration::from_secs(4), "it was delivered again after {:?}", begun.elapsed());
    Ok(())
}
