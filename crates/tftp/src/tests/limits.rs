//! Tests of many clients at once, and of too many.

use super::{Client, Heard, Limits, Served};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_at_once_get_the_right_bytes() {
    let served = Served::start().await;
    let bytes = served.file("file", 300_000);
    let clients = (1..=200).map(async |number| {
        let mut client = Client::at(Ipv4Addr::new(127, 0, 1, number), served.address).await;
        client.fetch("file", &[("blksize", "1428"), ("tsize", "0")]).await == bytes
    });
    let right = futures::future::join_all(clients).await;
    assert!(right.into_iter().all(|right| right));
    served.counts("transfers_total", "sent", 200).await;
}

#[tokio::test]
async fn an_address_that_sends_too_many_requests_is_not_answered_and_others_are() {
    let limits = Limits { requests_of_client: 5, request_interval: Duration::from_hours(1), ..Limits::default() };
    let served = Served::with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
    let bytes = served.file("file", 1000);
    for _ in 0..5 {
        let mut client = Client::of(&served).await;
        client.send_request("none", &[]).await;
        assert!(matches!(client.receive().await, Heard::Error(1, _)));
    }
    let mut client = Client::of(&served).await;
    client.send_request("none", &[]).await;
    client.receives_nothing().await;
    served.counts("dropped_total", "too_often", 1).await;
    let mut other = Client::at(Ipv4Addr::new(127, 0, 0, 2), served.address).await;
    assert!(other.fetch("file", &[]).await == bytes);
}

#[tokio::test]
async fn clients_over_the_limit_are_served_when_they_retry() {
    let limits = Limits { transfers: 2, ..Limits::default() };
    let served = Served::with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
    let bytes = served.file("file", 1000);
    let mut first = Client::of(&served).await;
    let mut second = Client::of(&served).await;
    for client in [&mut first, &mut second] {
        client.send_request("file", &[]).await;
        client.receive().await;
    }
    let mut third = Client::of(&served).await;
    third.send_request("file", &[]).await;
    third.receives_nothing().await;
    served.counts("dropped_total", "busy", 1).await;
    first.acknowledge(1).await;
    first.receive().await;
    first.acknowledge(2).await;
    served.counts("transfers_total", "sent", 1).await;
    assert!(third.fetch("file", &[]).await == bytes);
}

#[tokio::test]
async fn a_forged_address_gets_a_few_packets_and_those_who_answer_are_served() {
    let limits = Limits { unanswered: 12, unanswered_of_client: 8, ..Limits::default() };
    let served = Served::with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
    let bytes = served.file("file", 2000);
    // The requests seem to come from a machine that has requested nothing, each from a different port.
    let mut forged = vec![];
    for _ in 0..30 {
        let client = Client::of(&served).await;
        client.send_request("file", &[]).await;
        forged.push(client);
    }
    served.counts("dropped_total", "unanswered", 22).await;
    let mut packets = 0;
    for client in &mut forged {
        packets += u32::from(client.receive_within(Duration::from_millis(20)).await.is_some());
    }
    assert_eq!(packets, 8);
    // Another address is served without a limit, since it responds.
    for _ in 0..20 {
        let mut client = Client::at(Ipv4Addr::new(127, 0, 0, 2), served.address).await;
        assert!(client.fetch("file", &[]).await == bytes);
    }
    for number in 3..=7 {
        let client = Client::at(Ipv4Addr::new(127, 0, 0, number), served.address).await;
        client.send_request("file", &[]).await;
        forged.push(client);
    }
    served.counts("dropped_total", "unanswered", 23).await;
}
