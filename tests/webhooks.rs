//! Receivers get every event that they subscribe to, signed, in the order of its aggregate, until they accept it.

mod refusals;

use crate::support::process::Process;
use crate::support::receiver::Receiver;
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long a step may take on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(2);

const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG8=";

/// How many messages are in flight at once, which may be sent again after a crash.
const AT_ONCE: usize = 8;

/// A service with a site, and the secret of its webhooks.
async fn service() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    service.write_secret("hook", SECRET)?;
    service.put("/api/v1/sites/dc1", &json!({ "domain": "dc1.example" })).await?;
    Ok(service)
}

async fn define(service: &Process, name: &str, receiver: &Receiver, events: &[&str]) -> Result<Value> {
    let spec = json!({ "url": receiver.url(), "events": events, "secret": "hook" });
    service.put(&format!("/api/v1/webhooks/{name}"), &spec).await
}

/// Defines racks repeatedly, so that each has this many events, numbered in order.
async fn change_racks(service: &Process, racks: usize, changes: usize) -> Result<()> {
    let rack = async |n: usize| {
        for change in 1..=changes {
            let spec = json!({ "site": "dc1", "description": format!("change {change}") });
            service.put(&format!("/api/v1/racks/r{n}"), &spec).await?;
        }
        anyhow::Ok(())
    };
    // No more at once than a token's share of waiting requests.
    let all: Vec<Result<()>> = stream::iter((0..racks).map(rack)).buffer_unordered(24).collect().await;
    all.into_iter().collect()
}

async fn delivery(service: &Process, name: &str) -> Result<Value> {
    Ok(service.get(&format!("/api/v1/webhooks/{name}")).await?["delivery"].clone())
}

/// Waits until the webhook's delivery meets a condition.
async fn waits_until(service: &Process, name: &str, what: &str, like: impl Fn(&Value) -> bool) -> Result<Value> {
    let looked = wait_for(what, PATIENCE, async || delivery(service, name).await.ok().filter(|delivery| like(delivery)));
    match looked.await {
        Ok(delivery) => Ok(delivery),
        Err(error) => Err(error.context(delivery(service, name).await?.to_string())),
    }
}

async fn up_to_date(service: &Process, name: &str) -> Result<Value> {
    waits_until(service, name, "everything is taken", |delivery| delivery["status"] == "up_to_date").await
}

/// Every event of a type of aggregate, from the API.
async fn events_of(service: &Process, aggregate: &str) -> Result<Vec<Value>> {
    let (mut all, mut after) = (vec![], "0".to_owned());
    loop {
        let page = service.get(&format!("/api/v1/events?limit=1000&aggregate={aggregate}&after={after}")).await?;
        all.extend(page["items"].as_array().context("items")?.iter().cloned());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return Ok(all),
        }
    }
}

/// Checks that each aggregate's events arrived in order, not counting repeated ones. Returns how many were repeated.
fn in_order(taken: &[Value]) -> Result<usize> {
    let (mut last, mut seen, mut again) = (HashMap::new(), HashSet::new(), 0);
    for event in taken {
        if !seen.insert(event["position"].as_i64()) {
            again += 1;
            continue;
        }
        let sequence = event["sequence"].as_i64();
        let before = last.insert(event["aggregate_id"].as_str(), sequence);
        ensure!(before.flatten() < sequence, "{event} came after {before:?}");
    }
    Ok(again)
}

#[tokio::test]
async fn a_receiver_gets_signed_messages_of_its_event_types_in_the_form_of_the_api() -> Result<()> {
    let (service, receiver, all) = (service().await?, Receiver::start()?, Receiver::start()?);
    service.put("/api/v1/racks/before", &json!({ "site": "dc1" })).await?;
    define(&service, "racks", &receiver, &["rack.*", "SiteRetired"]).await?;
    define(&service, "all", &all, &["*"]).await?;
    change_racks(&service, 5, 4).await?;
    service.put("/api/v1/sites/dc2", &json!({ "domain": "dc2.example" })).await?;
    let last = service.delete("/api/v1/sites/dc2").await?;
    ensure!(last["retired"] == true, "{last}");

    receiver.has_taken(21, PATIENCE).await?;
    let delivery = up_to_date(&service, "racks").await?;
    assert_eq!((&delivery["lag_events"], &delivery["failing_aggregates"]), (&json!(0), &json!(0)));
    up_to_date(&service, "all").await?;
    let mut taken = receiver.taken();
    ensure!(in_order(&taken)? == 0, "something came twice");
    // The same JSON as the API's, for the events after the webhook was defined.
    let mut expected = events_of(&service, "rack").await?;
    expected.retain(|event| event["aggregate_id"] != "before");
    expected.extend(events_of(&service, "site").await?.into_iter().filter(|event| event["type"] == "SiteRetired"));
    let by_position = |event: &Value| event["position"].as_i64();
    expected.sort_by_key(by_position);
    taken.sort_by_key(by_position);
    assert_eq!(taken, expected);
    // The webhook for all events gets every position, with message ids of its own.
    let position = |event: &Value| event["position"].as_i64();
    let first = all.taken().iter().filter_map(position).min().context("nothing was delivered")?;
    let mut positions: Vec<i64> = all.taken().iter().filter_map(position).collect();
    positions.sort_unstable();
    let end = i64::try_from(positions.len())? + first;
    assert_eq!(positions, (first..end).collect::<Vec<_>>());
    let ids = |receiver: &Receiver| receiver.all().into_iter().map(|message| message.id).collect::<HashSet<_>>();
    ensure!(ids(&receiver).is_disjoint(&ids(&all)) && ids(&receiver).len() == 21, "ids are not of one message");

    receiver.verify(SECRET)?;
    ensure!(receiver.verify("whsec_YW5vdGhlciBzZWNyZXQsIGFsc28gMzIgYnl0ZXMgbG8=").is_err(), "any key will do");
    assert_eq!(service.measured("bootledger_webhook_tries_total{outcome=\"taken\",webhook=\"racks\"}").await?, 21);
    // A new secret is used immediately, beside the old one while both are in the file.
    let new = "whsec_bmV3IHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGU=";
    service.write_secret("hook", &format!("{new}\n{SECRET}"))?;
    change_racks(&service, 1, 1).await?;
    receiver.verify(SECRET)?;
    service.put("/api/v1/racks/r1", &json!({ "site": "dc1", "description": "signed by both" })).await?;
    receiver.has_taken(23, PATIENCE).await?;
    receiver.verify(SECRET)?;
    let last = receiver.all().pop().context("nothing")?;
    assert_eq!(last.signature.split(' ').count(), 2);
    Ok(())
}

/// `cargo nextest run --no-capture five_thousand` prints the events per second.
#[tokio::test]
async fn five_thousand_events_arrive_each_in_its_order_although_some_fail_at_first() -> Result<()> {
    const RACKS: usize = 100;
    const CHANGES: usize = 50;
    let (service, receiver) = (service().await?, Receiver::start()?);
    receiver.answer(|event, tries| {
        let fails = tries == 1 && event["position"].as_i64().is_some_and(|position| position % 499 == 0);
        Some(if fails { (500, None, "not now") } else { (204, None, "") })
    });
    define(&service, "racks", &receiver, &["RackDefined"]).await?;
    change_racks(&service, RACKS, CHANGES).await?;
    let taken = receiver.has_taken(RACKS * CHANGES, PATIENCE).await?;
    up_to_date(&service, "racks").await?;
    ensure!(in_order(&taken)? == 0 && receiver.taken().len() == RACKS * CHANGES, "something came twice");
    let failed = receiver.all().len() - taken.len();
    ensure!(failed >= RACKS * CHANGES / 499 - 1, "only {failed} failed");

    // Everything is sent again, with the same ids, from a position that an operator sets.
    let ids = || receiver.all().into_iter().map(|message| message.id).collect::<HashSet<_>>();
    let before = ids();
    receiver.answer(|_, _| Some((200, None, "")));
    let position = json!({ "after": 0, "reason": "the receiver lost its data" });
    let begun = Instant::now();
    service.post("/api/v1/webhooks/racks/position", &position).await?;
    let count = || receiver.all().iter().filter(|message| message.taken).count();
    wait_for("everything is delivered again", PATIENCE, async || (count() >= 2 * RACKS * CHANGES).then_some(())).await?;
    let seconds = begun.elapsed().as_secs_f64();
    up_to_date(&service, "racks").await?;
    let again = receiver.taken().split_off(RACKS * CHANGES);
    ensure!(again.len() == RACKS * CHANGES && in_order(&again)? == 0 && ids() == before, "not the same came again");
    eprintln!("{} events were delivered again in {seconds:.1} s, {:.0} a second", again.len(), f64::from(5_000) / seconds);
    Ok(())
}

#[tokio::test]
async fn nothing_is_lost_when_the_service_is_killed_and_a_receiver_is_down() -> Result<()> {
    const ROUNDS: usize = 3;
    let (mut service, receiver, mut down) = (service().await?, Receiver::start()?, Receiver::down()?);
    define(&service, "up", &receiver, &["rack.*"]).await?;
    define(&service, "down", &down, &["rack.*"]).await?;
    for round in 1..=ROUNDS {
        change_racks(&service, 40, 5).await?;
        // In the middle of the delivery.
        receiver.has_taken((round - 1) * 200 + 20, PATIENCE).await?;
        service.kill_and_restart().await?;
    }
    let taken = receiver.has_taken(ROUNDS * 200, PATIENCE).await?;
    let again = in_order(&taken)?;
    ensure!(again <= ROUNDS * AT_ONCE, "{again} events came again");
    eprintln!("killed {ROUNDS} times: {again} of {} events came again, none was lost", ROUNDS * 200);

    // The other receiver has got nothing, and the service reports that.
    let failing = waits_until(&service, "down", "it fails", |delivery| delivery["failing_aggregates"] == 40).await?;
    assert_eq!(failing["status"], "failing");
    let message = failing["message"].as_str().context("a message")?;
    ensure!(message.contains("Connection refused"), "{message}");
    assert_eq!(failing["failing"][0]["cause"]["code"], "unreachable", "{failing}");
    ensure!(failing["lag_events"].as_i64().is_some_and(|lag| lag >= 600), "{failing}");
    let ready = service.get("/readyz").await?;
    assert_eq!((&ready["ready"], &ready["webhooks"][0]["name"]), (&json!(true), &json!("down")), "{ready}");
    assert_eq!(ready["webhooks"][0]["failing_aggregates"], 40, "{ready}");
    // All events are delivered to the receiver that is up.
    let delivered = up_to_date(&service, "up").await?;
    let delivered = (&delivered["lag_events"], &delivered["waiting_aggregates"], &delivered["oldest_undelivered"]);
    assert_eq!(delivered, (&json!(0), &json!(0), &Value::Null));
    let listed = service.run(&["webhook", "list"]).await?;
    ensure!(listed.contains("down  http://127.0.0.1:") && listed.contains("Connection refused"), "{listed}");
    let up = listed.lines().find(|line| line.starts_with("up  http://127.0.0.1:")).context("up is not in the list")?;
    ensure!(!up.contains("Connection refused"), "{listed}");
    // The stored state does not grow with the events.
    let pool = service.database().pool(1).await?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM webhook_lanes").fetch_one(&pool).await?;
    ensure!(rows <= 40 + i64::try_from(AT_ONCE)?, "{rows} rows for 600 events");

    down.up()?;
    // After a fix, the operator need not wait for the next retry.
    service.run(&["webhook", "pause", "down", "--reason", "a test"]).await?;
    service.run(&["webhook", "resume", "down"]).await?;
    let taken = down.has_taken(ROUNDS * 200, PATIENCE).await?;
    ensure!(in_order(&taken)? <= AT_ONCE, "events came again");
    up_to_date(&service, "down").await?;
    let ready = service.get("/readyz").await?;
    assert_eq!(ready["webhooks"], json!([]), "{ready}");
    ensure!(!service.log()?.contains("of-the-receiver"), "the log has what is for the receiver alone");
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_is_down_costs_500_rows_and_no_more_and_loses_nothing() -> Result<()> {
    let (service, mut receiver) = (service().await?, Receiver::down()?);
    define(&service, "racks", &receiver, &["rack.*"]).await?;
    change_racks(&service, 520, 1).await?;
    let full = |delivery: &Value| delivery["failing_aggregates"] == 500;
    let delivery = waits_until(&service, "racks", "500 aggregates wait", full).await?;
    let message = delivery["message"].as_str().context("a message")?;
    ensure!(message.contains("500 "), "{message}");
    assert_eq!((&delivery["waiting_aggregates"], &delivery["failing"][0]["cause"]["code"]), (&json!(500), &json!("unreachable")));
    assert_eq!(delivery["failing"].as_array().map(Vec::len), Some(100));
    let pool = service.database().pool(1).await?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM webhook_lanes").fetch_one(&pool).await?;
    assert_eq!(rows, 500);
    receiver.up()?;
    let taken = receiver.has_taken(520, PATIENCE).await?;
    assert_eq!(in_order(&taken)?, 0);
    up_to_date(&service, "racks").await?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM webhook_lanes").fetch_one(&pool).await?;
    assert_eq!(rows, 0);
    Ok(())
}

#[tokio::test]
async fn one_instance_delivers_a_webhook_and_another_takes_over_when_it_is_killed() -> Result<()> {
    let (mut first, receiver) = (service().await?, Receiver::start()?);
    let mut second = Process::start(Ipv4Addr::LOCALHOST, first.database().url()).await?;
    second.write_secret("hook", SECRET)?;
    define(&first, "racks", &receiver, &["rack.*"]).await?;
    change_racks(&first, 20, 10).await?;
    let taken = receiver.has_taken(200, PATIENCE).await?;
    assert_eq!(in_order(&taken)?, 0, "two deliveries are the same");
    // The instance that delivered the first event delivered all of them; it is killed. The last deliveries are counted when
    // their answers have arrived.
    let name = "bootledger_webhook_tries_total{outcome=\"taken\",webhook=\"racks\"}";
    let counted = async || {
        let (by_first, by_second) = (first.measured(name).await.unwrap_or(0), second.measured(name).await.unwrap_or(0));
        (by_first + by_second == 200).then_some((by_first, by_second))
    };
    let (by_first, by_second) = wait_for("200 are counted", PATIENCE, counted).await?;
    ensure!(by_first * by_second == 0, "{by_first} and {by_second}");
    // The token was created at the first start.
    let bearer = first.token().to_owned();
    let left = if by_first > 0 {
        first.kill()?;
        &second
    } else {
        second.kill()?;
        &*first
    };
    let request = reqwest::Client::new().put(left.url("/api/v1/racks/r0")).bearer_auth(bearer);
    let answer = request.json(&json!({ "site": "dc1", "description": "the last one" })).send().await?;
    ensure!(answer.status().is_success(), "{}", answer.text().await?);
    let taken = receiver.has_taken(201, PATIENCE).await?;
    ensure!(in_order(&taken)? <= AT_ONCE, "events came again");
    Ok(())
}

#[tokio::test]
async fn a_webhook_is_paused_resumed_and_retired() -> Result<()> {
    let (service, receiver) = (service().await?, Receiver::start()?);
    define(&service, "racks", &receiver, &["rack.*"]).await?;
    change_racks(&service, 1, 1).await?;
    receiver.has_taken(1, PATIENCE).await?;
    service.post("/api/v1/webhooks/racks/pause", &json!({ "reason": "the receiver moves" })).await?;
    // The second webhook gets what the paused one does not: once it has, the paused one would have too.
    let witness = Receiver::start()?;
    define(&service, "witness", &witness, &["rack.*"]).await?;
    change_racks(&service, 4, 2).await?;
    witness.has_taken(7, PATIENCE).await?;
    up_to_date(&service, "witness").await?;
    assert_eq!(receiver.taken().len(), 1);
    let paused = delivery(&service, "racks").await?;
    assert_eq!(paused["status"], "paused");
    let message = paused["message"].as_str().context("a message")?;
    ensure!(message.contains("the receiver moves"), "{message}");
    service.post("/api/v1/webhooks/racks/resume", &json!({})).await?;
    let taken = receiver.has_taken(8, PATIENCE).await?;
    assert_eq!(in_order(&taken)?, 0);

    let retired = service.delete("/api/v1/webhooks/racks").await?;
    assert_eq!((&retired["retired"], &retired["delivery"]), (&json!(true), &Value::Null));
    service.put("/api/v1/racks/r9", &json!({ "site": "dc1" })).await?;
    witness.has_taken(8, PATIENCE).await?;
    // When it is defined again, it starts over.
    define(&service, "racks", &receiver, &["rack.*"]).await?;
    service.put("/api/v1/racks/r10", &json!({ "site": "dc1" })).await?;
    receiver.has_taken(9, PATIENCE).await?;
    let racks: Vec<Value> = receiver.taken().iter().map(|event| event["aggregate_id"].clone()).collect();
    ensure!(racks.len() == 9 && racks[8] == "r10", "{racks:?}");
    Ok(())
}

#[tokio::test]
async fn an_invalid_webhook_is_refused_and_a_later_failure_is_reported() -> Result<()> {
    let (service, receiver) = (service().await?, Receiver::start()?);
    let url = receiver.url();
    for (spec, rules) in [
        (json!({ "url": url, "events": ["*"], "secret": "none" }), &["secret_missing"][..]),
        (json!({ "url": url, "events": ["RackDefind"], "secret": "hook" }), &["event_type_unknown"]),
        (json!({ "url": url, "events": [], "secret": "none" }), &["secret_missing", "events_missing"]),
        (json!({ "url": "http://ops:hunter2@127.0.0.1/", "events": ["*"], "secret": "hook" }), &["no user or password"]),
        (json!({ "url": "file:///etc/passwd", "events": ["*"], "secret": "hook" }), &["begins with https://"]),
        (json!({ "url": url, "events": ["*"], "secret": "hook", "sercet": "hook" }), &["no such field"]),
    ] {
        let answer = service.put("/api/v1/webhooks/racks", &spec).await.err().context("it was accepted")?.to_string();
        ensure!(answer.contains("422") && rules.iter().all(|rule| answer.contains(rule)), "{answer}");
        ensure!(!answer.contains("hunter2"), "{answer}");
    }
    service.write_secret("short", "whsec_c2hvcnQ=")?;
    let spec = json!({ "url": url, "events": ["*"], "secret": "short" });
    let answer = service.put("/api/v1/webhooks/racks", &spec).await.err().context("it was accepted")?.to_string();
    ensure!(answer.contains("24 to 64 bytes") && !answer.contains("c2hvcnQ"), "{answer}");

    // A ping shows the receiver's answer before there is anything to deliver.
    define(&service, "racks", &receiver, &["rack.*"]).await?;
    let ping = service.post("/api/v1/webhooks/racks/ping", &Value::Null).await?;
    assert_eq!((&ping["taken"], &ping["status"]), (&json!(true), &json!(200)));
    receiver.verify(SECRET)?;
    let message = receiver.all().pop().context("no ping")?;
    assert_eq!((&message.event["type"], &json!(message.id)), (&json!("Ping"), &ping["webhook_id"]));
    receiver.answer(|_, _| Some((401, None, "who are you?")));
    let ping = service.post("/api/v1/webhooks/racks/ping", &Value::Null).await?;
    assert_eq!((&ping["taken"], &ping["status"]), (&json!(false), &json!(401)));
    ensure!(ping["message"].as_str().is_some_and(|words| words.ends_with("who are you?")), "{ping}");
    let failed = service.run(&["webhook", "ping", "racks"]).await.err().context("it was taken")?.to_string();
    ensure!(failed.contains("401") && failed.contains("who are you?"), "{failed}");
    receiver.answer(|_, _| Some((200, None, "")));

    // Only administrators change webhooks, and only those that exist.
    let viewer = service.run(&["token", "create", "--role", "operator", "ops"]).await?;
    let request = reqwest::Client::new().post(service.url("/api/v1/webhooks/racks/pause")).bearer_auth(viewer.trim());
    assert_eq!(request.send().await?.status().as_u16(), 403);
    let unknown = service.post("/api/v1/webhooks/nobody/pause", &json!({})).await.err().context("paused")?.to_string();
    ensure!(unknown.contains("404"), "{unknown}");

    // A catalogue file can contain webhooks as well; importing it again changes nothing.
    let file = tempfile::NamedTempFile::new()?;
    let catalogue = json!({ "webhooks": { "from-file": { "url": url, "events": ["site.*"], "secret": "hook" } } });
    std::fs::write(file.path(), catalogue.to_string())?;
    for sequence in [1, 1] {
        let path = file.path().to_str().context("a path")?;
        service.run(&["import", "--catalogue", path]).await?;
        assert_eq!(service.get("/api/v1/webhooks/from-file").await?["sequence"], sequence);
    }

    // A secret that disappears is reported by name, and used as soon as it is back.
    service.write_secret("hook", "no longer a key")?;
    change_racks(&service, 1, 1).await?;
    let failing = waits_until(&service, "racks", "nothing can be sent", |delivery| delivery["status"] == "failing").await?;
    assert_eq!((&failing["cause"]["code"], &failing["cause"]["secret"]), (&json!("secret_unusable"), &json!("hook")));
    ensure!(!failing.to_string().contains("no longer"), "a part of the secret's file is shown: {failing}");
    ensure!(failing["problem"].as_str().is_some_and(|problem| problem.contains("hook")), "{failing}");
    let ready = service.get("/readyz").await?;
    assert_eq!(ready["webhooks"][0]["name"], "racks", "{ready}");
    service.write_secret("hook", SECRET)?;
    receiver.has_taken(2, PATIENCE).await?;
    up_to_date(&service, "racks").await?;
    Ok(())
}
