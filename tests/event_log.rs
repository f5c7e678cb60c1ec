//! The event log against a real PostgreSQL: nothing is lost, nothing is appended twice, and nothing can be altered unnoticed.

mod tampering;

use anyhow::Result;
use bootledger::event_log::append::{Appended, Batch, Idempotency, NewEvent, Precondition, Rejection};
use bootledger::event_log::draft::Draft;
use bootledger::event_log::feed::Feed;
use bootledger::event_log::store::{CommandStore, Terms};
use bootledger::event_log::{EventLog, verify};
use bootledger_aggregates::claims::{Claim, ClaimChange, Holder};
use bootledger_aggregates::rack::{Rack, RackEvent};
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_projections::database::log;
use bootledger_test_cluster::TestDatabase;
use cqrs_es::EventStore;
use futures::future::join_all;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// A log with one writer on this database.
async fn log_of(database: &TestDatabase) -> Result<EventLog> {
    Ok(EventLog::start(database.pool(8).await?, database.connect_options()))
}

fn event(id: impl std::fmt::Display, sequence: i64) -> NewEvent {
    NewEvent {
        aggregate_type: "rack".to_owned(),
        aggregate_id: id.to_string(),
        sequence,
        event_type: "RackRetired".to_owned(),
        event_version: "1".to_owned(),
        payload: r#"{"type":"RackRetired"}"#.to_owned(),
        metadata: r#"{"actor":"test"}"#.to_owned(),
        claims: vec![],
    }
}

fn batch(events: Vec<NewEvent>) -> Batch {
    Batch { events, ..Batch::default() }
}

fn taking(id: impl std::fmt::Display, claim: &Claim, holder: Holder) -> Batch {
    batch(vec![NewEvent { claims: vec![ClaimChange::Take(claim.clone(), holder)], ..event(id, 1) }])
}

fn device() -> Holder {
    Holder::Device(DeviceId(Uuid::now_v7()))
}

#[tokio::test]
async fn a_reader_misses_nothing_of_twelve_writers_and_sees_the_order_of_commits() -> Result<()> {
    let database = TestDatabase::create().await?;
    let (first, second) = (log_of(&database).await?, log_of(&database).await?);
    let (writers, each) = (12, 60);
    let reader = {
        let pool = database.pool(1).await?;
        tokio::spawn(async move {
            let (mut seen, mut last, begun) = (vec![], 0, Instant::now());
            while seen.len() < writers * each && begun.elapsed() < Duration::from_mins(1) {
                for stored in log::read_after(&pool, last, 1000, log::Filter::default()).await? {
                    anyhow::ensure!(stored.position == last + 1, "position {} came behind {last}", stored.position);
                    last = stored.position;
                    seen.push((stored.aggregate_id, stored.sequence));
                }
            }
            Ok(seen)
        })
    };
    let written = join_all((0..writers).map(|writer| {
        // Two instances share the log.
        let log = if writer % 2 == 0 { first.clone() } else { second.clone() };
        async move {
            let mut positions = vec![];
            for sequence in 1..=i64::try_from(each)? {
                // Delays of different lengths, and rejected batches in between: their sequences are too high.
                for _ in 0..rand::random::<u8>() % 7 {
                    tokio::task::yield_now().await;
                }
                let rejected = log.append(batch(vec![event(writer, sequence + 5)])).await;
                anyhow::ensure!(matches!(rejected, Err(Rejection::Conflict { .. })), "{rejected:?}");
                match log.append(batch(vec![event(writer, sequence)])).await? {
                    Appended::At(position) => positions.push(position),
                    repeated @ Appended::Repeated { .. } => anyhow::bail!("{repeated:?}"),
                }
            }
            Ok(positions)
        }
    }))
    .await
    .into_iter()
    .collect::<Result<Vec<_>>>()?;
    let seen = reader.await??;
    assert_eq!(seen.len(), writers * each, "every event is seen once");
    for (writer, positions) in written.iter().enumerate() {
        assert!(positions.is_sorted(), "an acknowledged event comes before a later one");
        let own: Vec<i64> = seen.iter().filter(|(id, _)| *id == writer.to_string()).map(|(_, sequence)| *sequence).collect();
        assert_eq!(own, (1..=i64::try_from(each)?).collect::<Vec<_>>());
    }
    Ok(())
}

#[tokio::test]
async fn an_append_notifies_the_feed_itself() -> Result<()> {
    let (database, elsewhere) = (TestDatabase::create().await?, TestDatabase::create().await?);
    // The feed follows another database, so it cannot learn of the append in any other way.
    let (_stopping, stop) = watch::channel(false);
    let feed = Feed::start(elsewhere.pool(2).await?, stop).await?;
    let log = log_of(&database).await?.notifying(feed.clone());
    assert_eq!(*feed.appended().borrow(), 0);
    log.append(batch(vec![event("first", 1), event("first", 2)])).await?;
    assert_eq!(*feed.appended().borrow(), 2);
    Ok(())
}

#[tokio::test]
async fn postgres_es_reads_the_streams_of_the_log() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    log.append(batch(vec![event("first", 1), event("second", 1), event("first", 2)])).await?;
    let (store, _) = CommandStore::new(log.clone(), Terms::default(), None);
    let stream = EventStore::<Rack>::load_events(&store, "first").await?;
    let read: Vec<_> = stream.iter().map(|event| (event.sequence, &event.payload, event.metadata["actor"].as_str())).collect();
    assert_eq!(read, [(1, &RackEvent::RackRetired {}, "test"), (2, &RackEvent::RackRetired {}, "test")]);
    assert_eq!(Draft::<Rack>::load(&log, "first").await?.sequence(), 2);
    Ok(())
}

#[tokio::test]
async fn one_bad_batch_of_a_group_fails_alone() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    let good = |n: i32| batch(vec![event(format!("good-{n}"), 1)]);
    let gap = batch(vec![event("gap", 1), event("gap", 3)]);
    let conflict = batch(vec![event("late", 7)]);
    let refused = batch(vec![NewEvent { payload: "{ no JSON".to_owned(), ..event("broken", 1) }]);
    let all = vec![good(1), gap, good(2), conflict, refused, good(3)];
    let results = join_all(all.into_iter().map(|batch| log.append(batch))).await;
    let message: Vec<&str> = results
        .iter()
        .map(|result| match result {
            Ok(_) => "appended",
            Err(Rejection::Conflict { .. }) => "conflict",
            Err(Rejection::Defect(_)) => "defect",
            Err(_) => "other",
        })
        .collect();
    assert_eq!(message, ["appended", "defect", "appended", "conflict", "defect", "appended"]);
    assert_eq!(log::last_position(log.pool()).await?, 3);
    Ok(())
}

/// A batch with more events than one statement carries is written with several statements of one transaction.
#[tokio::test]
async fn a_batch_of_many_events_is_in_the_log_whole_or_not_at_all() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    let many = |id: &'static str| (1..=25_000).map(|sequence| event(id, sequence)).collect::<Vec<_>>();
    let mut refused = many("refused");
    refused.last_mut().expect("an event").payload = "{ no JSON".to_owned();
    assert!(matches!(log.append(batch(refused)).await, Err(Rejection::Defect(_))));
    assert_eq!(log::last_position(log.pool()).await?, 0);
    let (one, other) = tokio::join!(log.append(batch(many("one"))), log.append(batch(many("other"))));
    assert_eq!((one?, other?), (Appended::At(25_000), Appended::At(50_000)));
    assert_eq!(log.append(batch(vec![event("one", 25_001)])).await?, Appended::At(50_001));
    assert_eq!(verify::database(log.pool(), |_| {}).await?, Ok(50_001));
    Ok(())
}

/// A single writer does not read the log's end before a consecutive append; the statement that writes makes the same check.
#[tokio::test]
async fn a_writer_that_knows_the_end_of_the_log_still_refuses_what_does_not_follow() -> Result<()> {
    let database = TestDatabase::create().await?;
    let (log, other) = (log_of(&database).await?, log_of(&database).await?);
    let append = async |log: &EventLog, id: &str, sequence| match log.append(batch(vec![event(id, sequence)])).await {
        Ok(Appended::At(position)) => position,
        Err(Rejection::Conflict { .. }) => -1,
        other => panic!("{other:?}"),
    };
    assert_eq!(append(&log, "a", 1).await, 1);
    assert_eq!(append(&log, "a", 2).await, 2);
    assert_eq!(append(&log, "a", 2).await, -1, "another writer was faster");
    assert_eq!(append(&log, "a", 4).await, -1, "a gap");
    assert_eq!(append(&log, "b", 2).await, -1, "a stream that does not exist");
    assert_eq!(append(&log, "b", 1).await, 3);
    // The other writer moves the log's end, and each writer notices.
    assert_eq!(append(&other, "a", 3).await, 4);
    assert_eq!(append(&log, "a", 3).await, -1);
    assert_eq!(append(&log, "a", 4).await, 5);
    assert_eq!(append(&other, "b", 2).await, 6);
    assert_eq!(append(&other, "b", 2).await, -1);
    assert_eq!(log::last_position(log.pool()).await?, 6);
    Ok(())
}

#[tokio::test]
async fn a_claim_held_by_another_is_refused_with_kind_value_and_holder() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    let (claim, owner, other) = (Claim::Ip(Ipv4Addr::new(10, 0, 0, 7)), device(), device());
    log.append(taking("a", &claim, owner)).await?;
    let rejected = log.append(taking("b", &claim, other)).await.expect_err("the claim is held");
    assert_eq!(rejected, Rejection::Claimed { claim: claim.clone(), holder: owner.to_string() });
    assert_eq!(rejected.to_string(), format!("the ip 10.0.0.7 is held by {owner}"));
    log.append(taking("c", &claim, owner)).await.expect("what one holds may be taken again");
    let free = Batch { preconditions: vec![Precondition::Unclaimed(claim.clone())], ..batch(vec![event("d", 1)]) };
    assert!(matches!(log.append(free).await, Err(Rejection::Claimed { .. })));
    let given_back = NewEvent { claims: vec![ClaimChange::ReleaseAll(owner)], ..event("a", 2) };
    log.append(batch(vec![given_back])).await?;
    log.append(taking("b", &claim, other)).await.expect("what was given back may be taken");
    Ok(())
}

#[tokio::test]
async fn of_many_who_want_the_same_exactly_one_gets_it() -> Result<()> {
    let database = TestDatabase::create().await?;
    let (first, second) = (log_of(&database).await?, log_of(&database).await?);
    let claims: Vec<Claim> = (1..=20).map(|n| Claim::Ip(Ipv4Addr::new(10, 0, 0, n))).collect();
    let wanted = (0..10).flat_map(|_| claims.iter().cloned());
    let tried = wanted.enumerate().map(|(n, claim)| {
        let log = if n % 2 == 0 { first.clone() } else { second.clone() };
        async move { (claim.clone(), log.append(taking(Uuid::now_v7(), &claim, device())).await.is_ok()) }
    });
    let mut won: HashMap<Claim, usize> = HashMap::new();
    for (claim, got) in join_all(tried).await {
        *won.entry(claim).or_default() += usize::from(got);
    }
    assert!(claims.iter().all(|claim| won[claim] == 1), "{won:?}");
    Ok(())
}

#[tokio::test]
async fn an_append_requires_the_state_that_was_read() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    log.append(batch(vec![event("seen", 1)])).await?;
    let on = |sequence| Batch {
        preconditions: vec![Precondition::Sequence { aggregate_type: "rack", aggregate_id: "seen".to_owned(), sequence }],
        ..batch(vec![event(Uuid::now_v7(), 1)])
    };
    log.append(on(1)).await?;
    log.append(batch(vec![event("seen", 2)])).await?;
    assert!(matches!(log.append(on(1)).await, Err(Rejection::Conflict { .. })));
    Ok(())
}

#[tokio::test]
async fn a_repeated_key_answers_as_the_first_time_and_writes_nothing() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    let keyed = |id: &str, request: u8| Batch {
        idempotency: Some(Idempotency { key: "k".to_owned(), fingerprint: [request; 32], answer: format!(r#"{{"id":"{id}"}}"#) }),
        ..batch(vec![event(id, 1)])
    };
    let results = join_all([log.append(keyed("a", 1)), log.append(keyed("b", 1))]).await;
    let first: HashSet<bool> = results.iter().flatten().map(|result| matches!(result, Appended::At(1))).collect();
    assert_eq!(first.len(), 2, "one is appended, the other repeated, even within a group: {results:?}");
    let again = log.append(keyed("c", 1)).await?;
    assert_eq!(again, Appended::Repeated { position: 1, answer: r#"{"id":"a"}"#.to_owned() });
    assert_eq!(log.append(keyed("c", 2)).await, Err(Rejection::KeyReused));
    assert_eq!(log::last_position(log.pool()).await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_append_after_a_lost_connection_succeeds_on_a_new_one() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    log.append(batch(vec![event("before", 1)])).await?;
    let cut =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(cut).execute(&database.pool(1).await?).await?;
    assert_eq!(log.append(batch(vec![event("cut", 1)])).await, Ok(Appended::At(2)), "written once more, on a new connection");
    let again = log.append(batch(vec![event("cut", 1)])).await;
    assert!(matches!(again, Err(Rejection::Conflict { .. })), "it is there, once: {again:?}");
    Ok(())
}
