//! Tests of the order in which events are sent, with hand-written events.

use super::*;
use bootledger_aggregates::values::text::Text;

const NOON: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn key(aggregate: &str) -> Key {
    ("device".to_owned(), aggregate.to_owned())
}

fn event(position: i64, aggregate: &str, sequence: i64) -> Stored {
    Stored {
        position,
        sequence,
        aggregate_type: "device".to_owned(),
        aggregate_id: aggregate.to_owned(),
        event_type: "DeviceVerified".to_owned(),
        event_version: "1".to_owned(),
        payload: r#"{"type":"DeviceVerified"}"#.to_owned(),
        metadata: "{}".to_owned(),
        recorded_at: NOON,
        chain: vec![0; 32],
    }
}

fn problem() -> DeliveryProblem {
    DeliveryProblem::Status { receiver: Text::fitted("https://chat.example"), status: 500, detail: Text::default() }
}

fn empty() -> Lanes {
    resumed(0, vec![], [])
}

fn resumed<const N: usize>(position: i64, undelivered: Vec<Undelivered>, skipped: [i64; N]) -> Lanes {
    Lanes::resume(Progress { position, undelivered, skipped: skipped.into() }, NOON)
}

/// The positions of the picked events, in order.
fn picked(lanes: &mut Lanes, now: OffsetDateTime) -> Vec<i64> {
    let keys = lanes.pick(now);
    keys.iter().map(|key| lanes.first(key).map_or(0, |event| event.position)).collect()
}

#[test]
fn events_of_one_aggregate_are_sent_in_order_and_those_of_others_concurrently() {
    let mut lanes = empty();
    lanes.take_in(vec![event(1, "a", 1), event(2, "b", 1), event(3, "a", 2)], 3, NOON);
    assert_eq!(picked(&mut lanes, NOON), [1, 2]);
    assert!(lanes.pick(NOON).is_empty(), "3 waits for 1");
    lanes.taken(&key("b"), NOON);
    assert!(lanes.pick(NOON).is_empty());
    lanes.taken(&key("a"), NOON);
    assert_eq!(picked(&mut lanes, NOON), [3]);
    lanes.taken(&key("a"), NOON);
    let (kept, ended) = lanes.changes();
    assert!(kept.is_empty() && ended.len() == 2 && lanes.in_memory == 0);
}

#[test]
fn a_failed_delivery_delays_only_its_aggregate_and_is_retried_less_and_less_often() {
    let mut lanes = empty();
    lanes.take_in(vec![event(1, "a", 1), event(2, "a", 2), event(3, "b", 1)], 3, NOON);
    assert_eq!(picked(&mut lanes, NOON), [1, 3]);
    assert!(lanes.failed(&key("a"), problem(), None, NOON));
    lanes.taken(&key("b"), NOON);
    assert!(lanes.pick(NOON).is_empty() && lanes.failing() == 1);
    let mut now = NOON;
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let next = lanes.next_try().expect("a time");
        let waits = (next - now).as_seconds_f64() / f64::from(seconds);
        assert!((0.79..1.21).contains(&waits), "{waits} times {seconds} s");
        assert!(lanes.pick(next - Duration::milliseconds(1)).is_empty());
        now = next;
        assert_eq!(lanes.pick(now), [key("a")]);
        assert!(lanes.first(&key("a")).is_none(), "it is read again");
        lanes.load(&key("a"), vec![event(1, "a", 1), event(2, "a", 2)]);
        assert_eq!(lanes.failed(&key("a"), problem(), None, now), seconds == 1, "reported once");
    }
    let now = lanes.next_try().expect("a time");
    lanes.pick(now);
    lanes.load(&key("a"), vec![event(1, "a", 1), event(2, "a", 2)]);
    lanes.taken(&key("a"), now);
    assert_eq!((picked(&mut lanes, now), lanes.failing()), (vec![2], 0));
}

#[test]
fn a_retry_after_from_the_receiver_is_honoured() {
    let mut lanes = empty();
    lanes.take_in(vec![event(1, "a", 1)], 1, NOON);
    lanes.pick(NOON);
    lanes.failed(&key("a"), problem(), Some(std::time::Duration::from_mins(1)), NOON);
    assert_eq!(lanes.next_try(), Some(NOON + Duration::seconds(60)));
}

#[test]
fn events_that_arrive_while_an_aggregate_waits_are_read_from_its_stream() {
    let mut lanes = empty();
    lanes.take_in(vec![event(1, "a", 1)], 1, NOON);
    lanes.pick(NOON);
    lanes.failed(&key("a"), problem(), None, NOON);
    lanes.take_in(vec![event(2, "a", 2), event(5, "a", 5)], 5, NOON);
    assert_eq!(lanes.in_memory, 0, "a receiver that is down costs no memory");
    let now = NOON + Duration::seconds(2);
    lanes.pick(now);
    lanes.load(&key("a"), vec![event(1, "a", 1), event(2, "a", 2), event(5, "a", 5)]);
    let mut taken = vec![];
    while let Some(event) = lanes.first(&key("a")) {
        taken.push(event.position);
        lanes.taken(&key("a"), now);
        lanes.pick(now);
    }
    assert_eq!(taken, [1, 2, 5]);
}

#[test]
fn a_long_stream_is_read_page_by_page() {
    let mut lanes = empty();
    lanes.take_in(vec![event(1, "a", 1)], 1_000, NOON);
    lanes.pick(NOON);
    lanes.failed(&key("a"), problem(), None, NOON);
    let now = NOON + Duration::seconds(2);
    let stream: Vec<Stored> = (1..=45).map(|n| event(n * 10, "a", n)).collect();
    let mut taken = vec![];
    while lanes.pick(now) == [key("a")] {
        if lanes.first(&key("a")).is_none() {
            let from = lanes.sequence(&key("a"));
            let page = stream.iter().filter(|event| event.sequence >= from).take(usize::try_from(PAGE).expect("small"));
            lanes.load(&key("a"), page.cloned().collect());
        }
        if let Some(event) = lanes.first(&key("a")) {
            taken.push(event.sequence);
            lanes.taken(&key("a"), now);
        }
    }
    assert_eq!(taken, (1..=45).collect::<Vec<_>>());
    assert!(lanes.all.is_empty());
}

#[test]
fn failing_aggregates_leave_room_for_the_others_and_are_never_forgotten() {
    let mut lanes = empty();
    lanes.take_in((1..=20).map(|n| event(n, &n.to_string(), 1)).collect(), 20, NOON);
    for n in 1..=16 {
        lanes.pick(NOON);
        lanes.failed(&key(&n.to_string()), problem(), None, NOON);
    }
    let later = NOON + Duration::seconds(2);
    // 17 to 20 have been in transit since the beginning of their round, with as many of those that failed.
    assert_eq!(lanes.pick(later).len(), FAILING_AT_ONCE);
    assert!(lanes.pick(later).is_empty());
    lanes.take_in((21..=60).map(|n| event(n, &n.to_string(), 1)).collect(), 60, later);
    for n in 17..=20 {
        lanes.taken(&key(&n.to_string()), later);
    }
    assert_eq!(picked(&mut lanes, later), [21, 22, 23, 24], "new ones do not wait for those that failed");
}

#[test]
fn one_that_failed_gets_its_turn_however_much_is_new() {
    let mut lanes = empty();
    lanes.take_in(vec![event(1, "a", 1)], 1, NOON);
    lanes.pick(NOON);
    lanes.failed(&key("a"), problem(), None, NOON);
    lanes.take_in((2..=40).map(|n| event(n, &n.to_string(), 1)).collect(), 40, NOON);
    let picked = lanes.pick(NOON + Duration::seconds(2));
    assert!(picked.len() == AT_ONCE && picked.contains(&key("a")), "{picked:?}");
}

#[test]
fn with_too_many_aggregates_waiting_nothing_further_is_read() {
    let mut lanes = empty();
    let mut read = 0;
    while lanes.room() > 0 {
        let events = (1..=i64::try_from(lanes.room()).expect("small")).map(|n| event(read + n, &(read + n).to_string(), 1));
        let events: Vec<Stored> = events.collect();
        read += i64::try_from(events.len()).expect("small");
        lanes.take_in(events, read, NOON);
        loop {
            let picked = lanes.pick(NOON);
            if picked.is_empty() {
                break;
            }
            for key in picked {
                lanes.failed(&key, problem(), None, NOON);
            }
        }
    }
    assert_eq!((read, lanes.all.len(), lanes.in_memory), (MOST_AGGREGATES, 500, 0));
    lanes.taken(&key("7"), NOON);
    lanes.load(&key("7"), vec![]);
    assert_eq!(lanes.room(), 1);
}

#[test]
fn when_a_receiver_is_back_everything_is_tried_at_once() {
    let mut lanes = empty();
    lanes.take_in(vec![event(1, "a", 1), event(2, "b", 1)], 2, NOON);
    let mut now = NOON;
    for _ in 0..6 {
        lanes.pick(now);
        lanes.failed(&key("a"), problem(), None, now);
        lanes.failed(&key("b"), problem(), None, now);
        now = lanes.all.values().map(|lane| lane.state.next_try).max().expect("two");
    }
    lanes.take_in(vec![event(3, "c", 1)], 3, now);
    lanes.failed(&key("a"), problem(), None, now);
    lanes.failed(&key("b"), problem(), None, now);
    assert_eq!(lanes.pick(now), [key("c")]);
    lanes.taken(&key("c"), now);
    assert_eq!(lanes.pick(now).len(), 2);
}

#[test]
fn one_aggregate_that_always_fails_is_not_hurried_by_others() {
    let mut lanes = empty();
    lanes.take_in(vec![event(1, "a", 1), event(2, "b", 1)], 2, NOON);
    lanes.pick(NOON);
    lanes.failed(&key("a"), problem(), None, NOON);
    lanes.taken(&key("b"), NOON + Duration::milliseconds(1));
    assert!(lanes.pick(NOON + Duration::milliseconds(2)).is_empty());
}

#[test]
fn a_skipped_event_is_omitted_and_the_aggregate_continues() {
    let waiting = Undelivered { attempts: 9, problem: Some(problem()), ..begun(key("a"), 7, 3, NOON) };
    let mut lanes = resumed(20, vec![waiting.clone()], [7]);
    assert_eq!((lanes.failing(), lanes.sequence(&key("a"))), (0, 4));
    assert_eq!(lanes.pick(NOON), [key("a")]);
    lanes.load(&key("a"), vec![event(9, "a", 5)]);
    assert_eq!(lanes.changes().0[0].position, 9);
    let mut other = resumed(20, vec![waiting], [8]);
    assert_eq!((other.failing(), other.pick(NOON)), (1, vec![key("a")]));
}
