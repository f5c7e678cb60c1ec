//! Tests of the protocol: which packets are sent when, with correct and with faulty clients.

use super::{Client, Heard, PATIENCE, Served, options};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::symlink;

#[tokio::test]
async fn files_of_every_length_arrive_as_they_are() {
    let served = Served::start().await;
    for size in [0, 1, 511, 512, 513, 1428, 100_000] {
        let bytes = served.file("file", size);
        for requested in [
            &[][..],
            &[("blksize", "1428")],
            &[("blksize", "512"), ("windowsize", "7")],
            &[("blksize", "65464"), ("windowsize", "4")],
        ] {
            let fetched = Client::of(&served).await.fetch("file", requested).await;
            assert!(fetched == bytes, "{size} bytes with {requested:?} are not the same");
        }
    }
    served.counts("transfers_total", "sent", 28).await;
    served.counts("transfers", "", 0).await;
}

#[tokio::test]
async fn a_file_of_more_blocks_than_numbers_arrives_as_it_is() {
    let served = Served::start().await;
    let bytes = served.file("file", 8 * 66_000 + 3);
    for window in ["1", "64"] {
        let fetched = Client::of(&served).await.fetch("file", &[("blksize", "8"), ("windowsize", window)]).await;
        assert!(fetched == bytes, "with a window of {window} it is not the same");
    }
}

#[tokio::test]
async fn options_are_answered_with_what_was_agreed_on() {
    let served = Served::start().await;
    served.file("file", 3000);
    let mut client = Client::of(&served).await;
    client
        .send_request("file", &[("TSIZE", "0"), ("blksize", "1428"), ("timeout", "2"), ("windowsize", "2"), ("other", "1")])
        .await;
    assert_eq!(client.receive().await, options(&[("tsize", 3000), ("blksize", 1428), ("timeout", 2), ("windowsize", 2)]));
    client.acknowledge(0).await;
    assert!(matches!(client.receive().await, Heard::Data(1, content) if content.len() == 1428));
    assert!(matches!(client.receive().await, Heard::Data(2, content) if content.len() == 1428));
    client.receives_nothing().await;
    client.acknowledge(2).await;
    assert!(matches!(client.receive().await, Heard::Data(3, content) if content.len() == 144));
    client.acknowledge(3).await;
    served.counts("transfers_total", "sent", 1).await;
    served.counts("sent_bytes_total", "", 3000).await;
}

#[tokio::test]
async fn firmware_that_only_queries_the_size_ends_the_transfer() {
    let served = Served::start().await;
    served.file("file", 3000);
    let mut client = Client::of(&served).await;
    client.send_request("file", &[("tsize", "0")]).await;
    assert_eq!(client.receive().await, options(&[("tsize", 3000)]));
    client.answer(b"\0\x05\0\0User aborted the transfer\0").await;
    served.counts("transfers_total", "ended_by_client", 1).await;
}

#[tokio::test]
async fn a_lost_block_is_sent_again_after_a_while() {
    let served = Served::start().await;
    served.file("file", 1000);
    let mut client = Client::of(&served).await;
    client.send_request("file", &[]).await;
    let first = client.receive().await;
    // The request has no effect: a client that repeats it is answered at once.
    client.receives_nothing().await;
    client.send_request("file", &[]).await;
    assert_eq!(client.receive().await, first);
    client.acknowledge(1).await;
    let second = client.receive().await;
    assert!(matches!(&second, Heard::Data(2, content) if content.len() == 488));
    assert_eq!(client.receive().await, second);
    client.acknowledge(2).await;
    served.counts("transfers_total", "sent", 1).await;
}

#[tokio::test]
async fn lost_options_are_sent_again_after_a_while() {
    let served = Served::start().await;
    served.file("file", 1000);
    let mut client = Client::of(&served).await;
    client.send_request("file", &[("tsize", "0")]).await;
    let first = client.receive().await;
    let peer = client.peer;
    // A request that was sent before the answer arrived is not answered twice.
    client.send_request("file", &[("tsize", "0")]).await;
    client.receives_nothing().await;
    served.counts("dropped_total", "repeated", 1).await;
    // A client that has not received the options repeats its request from the same port, and the same transfer answers it.
    client.send_request("file", &[("tsize", "0")]).await;
    assert_eq!((client.receive().await, client.peer), (first.clone(), peer));
    // The options are also repeated without a request.
    assert_eq!((client.receive().await, client.peer), (first, peer));
}

#[tokio::test]
async fn doubled_acknowledgements_double_nothing() {
    let served = Served::start().await;
    let bytes = served.file("file", 100_000);
    for window in [1, 4] {
        let mut client = Client::of(&served).await;
        client.send_request("file", &[("windowsize", &window.to_string())]).await;
        assert_eq!(client.receive().await, options(&[("windowsize", window)]));
        client.acknowledge(0).await;
        let (mut got, mut packets) = (vec![], 0);
        while got.len() < bytes.len() {
            let Heard::Data(number, content) = client.receive().await else { panic!("no data") };
            packets += 1;
            if usize::from(number) == got.len() / 512 + 1 {
                got.extend_from_slice(&content);
            }
            if u64::from(number).is_multiple_of(window) || content.len() < 512 {
                client.acknowledge(number).await;
                client.acknowledge(number).await;
            }
        }
        assert!(got == bytes);
        assert_eq!(packets, 100_000 / 512 + 1, "with a window of {window}");
    }
}

#[tokio::test]
async fn a_gap_in_a_window_is_filled_at_once() {
    let served = Served::start().await;
    served.file("file", 20 * 512);
    let mut client = Client::of(&served).await;
    client.send_request("file", &[("windowsize", "4")]).await;
    client.receive().await;
    client.acknowledge(0).await;
    for number in 1..=4 {
        assert!(matches!(client.receive().await, Heard::Data(received, _) if received == number));
    }
    // The client reports that the third block is lost; the blocks after the second are sent.
    client.acknowledge(2).await;
    for number in 3..=6 {
        assert!(matches!(client.receive().await, Heard::Data(received, _) if received == number));
    }
    // Now the first block of a window is lost: the client can only repeat its acknowledgement.
    client.acknowledge(6).await;
    for number in 7..=10 {
        assert!(matches!(client.receive().await, Heard::Data(received, _) if received == number));
    }
    let begun = std::time::Instant::now();
    client.acknowledge(6).await;
    for number in 7..=10 {
        assert!(matches!(client.receive().await, Heard::Data(received, _) if received == number));
    }
    assert!(begun.elapsed().as_millis() >= 90, "it might have been a doubled acknowledgement");
}

#[tokio::test]
async fn a_silent_client_is_abandoned() {
    let served = Served::start().await;
    served.file("file", 1000);
    let mut client = Client::of(&served).await;
    client.send_request("file", &[]).await;
    let mut received = 0;
    while served.counted("transfers_total", "silent") == 0 {
        if client.receive_within(std::time::Duration::from_millis(50)).await.is_some() {
            received += 1;
        }
    }
    assert_eq!(received, 2);
    served.counts("transfers", "", 0).await;
}

/// The bytes of UDP that a forged request causes to be sent to the machine with the forged address.
#[tokio::test]
async fn a_forged_request_brings_little_more_than_it_has() {
    let served = Served::start().await;
    served.file("ipxe.efi", 1_100_000);
    let requests: [(&[u8], usize); 9] = [
        // The largest answer in proportion: RFC 1350 specifies a block of 512 bytes for a request without options. It is sent
        // twice, for clients that do not repeat their acknowledgement.
        (b"\0\x01ipxe.efi\0octet\0", 2 * 516),
        (b"\0\x01ipxe.efi\0octet\0blksize\x001468\0", 0),
        (b"\0\x01ipxe.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x0064\0", 0),
        (b"\0\x01ipxe.efi\0octet\0tsize\x000\0", 0),
        (b"\0\x01no.efi\0octet\0", 0),
        (b"\0\x01../x\0octet\0", 0),
        (b"\0\x02x\0octet\0", 0),
        (b"\0\x01x", 0),
        (b"\0\x09", 0),
    ];
    let mut clients = vec![];
    for (request, _) in requests {
        let client = Client::of(&served).await;
        client.say(request).await;
        clients.push(client);
    }
    let received = requests.iter().zip(&mut clients).map(async |((request, allowed), client)| {
        let mut bytes = 0;
        while let Some(packet) = client.receive_within(std::time::Duration::from_secs(4)).await {
            bytes += packet.len();
        }
        println!("{} bytes lead to {bytes}: {:?}", request.len(), request.escape_ascii().to_string());
        assert!(bytes <= (3 * request.len()).max(*allowed), "{} bytes led to {bytes}", request.len());
    });
    futures::future::join_all(received).await;
    // A single byte gets no answer.
    let mut client = Client::of(&served).await;
    client.say(b"\0").await;
    client.receives_nothing().await;
}

#[tokio::test]
async fn a_client_that_has_gone_is_abandoned_immediately() {
    let served = Served::start().await;
    served.file("file", 100_000);
    let mut client = Client::of(&served).await;
    client.send_request("file", &[]).await;
    client.receive().await;
    client.acknowledge(1).await;
    drop(client);
    served.counts("transfers_total", "silent", 1).await;
}

#[tokio::test]
async fn others_do_not_disturb_a_transfer() {
    let served = Served::start().await;
    let bytes = served.file("file", 1000);
    let (mut client, mut other) = (Client::of(&served).await, Client::of(&served).await);
    client.send_request("file", &[]).await;
    client.receive().await;
    other.peer = client.peer;
    other.acknowledge(1).await;
    other.answer(b"\0\x05\0\0stop\0").await;
    client.receives_nothing().await;
    client.acknowledge(1).await;
    assert_eq!(client.receive().await, Heard::Data(2, bytes[512..].to_vec()));
}

#[tokio::test]
async fn no_request_leaves_the_folder_or_writes() {
    let served = Served::start().await;
    served.file("file", 10);
    let around = served.folder.path();
    std::fs::write(around.join("secret"), "secret").expect("a file");
    symlink(around.join("secret"), around.join("loaders/link")).expect("a link");
    std::fs::create_dir(around.join("loaders/a")).expect("a folder");
    for name in ["../secret", "./../secret", "/../secret", "..\\secret", "C:\\..\\secret", "link", "", "a/../../secret"] {
        // Without the checks, the name would lead to the secret.
        let below = name.trim_start_matches("C:").replace('\\', "/");
        let reached = around.join("loaders").join(below.trim_start_matches('/'));
        assert!(name.is_empty() || std::fs::read(reached).is_ok_and(|text| text == b"secret"), "{name}");
        let mut client = Client::of(&served).await;
        client.send_request(name, &[("tsize", "0")]).await;
        assert!(matches!(client.receive().await, Heard::Error(2, _)), "{name}");
    }
    // All names are relative to the folder, where none of these files exists.
    let absolute = around.join("loaders/file").display().to_string();
    let mut client = Client::of(&served).await;
    for name in ["/etc/passwd", &absolute, "none"] {
        client.send_request(name, &[]).await;
        assert_eq!(client.receive().await, Heard::Error(1, "no such file".to_owned()), "{name}");
    }
    client.say(b"\0\x02new\0octet\0").await;
    assert_eq!(client.receive().await, Heard::Error(2, "writing is not supported".to_owned()));
    client.say(b"\0\x01file\0netascii\0").await;
    assert_eq!(client.receive().await, Heard::Error(0, "files are sent in octet (binary) mode only".to_owned()));
    served.counts("transfers_total", "refused", 10).await;
    served.counts("transfers_total", "missing", 3).await;
    assert_eq!(std::fs::read_dir(around.join("loaders")).expect("a folder").count(), 3);
}

#[tokio::test]
async fn any_packets_leave_the_next_client_served() {
    let served = Served::start().await;
    let bytes = served.file("file", 2000);
    let garbage: [&[u8]; 9] = [
        b"",
        b"\0",
        b"\0\x01",
        b"\0\x01\0",
        b"\0\x01\0\0",
        b"\0\x09\0\0",
        b"\0\x01file\0octet\0blksize\0",
        b"\xff\xfe\xfd",
        &[0; 2000],
    ];
    for (number, bytes) in (10..).zip(garbage) {
        let client = Client::at(Ipv4Addr::new(127, 0, 0, number), served.address).await;
        client.say(bytes).await;
    }
    // These packets must get no answer at all: otherwise two servers could send each other packets endlessly.
    for stray in [&b"\0\x04\0\x01"[..], b"\0\x05\0\x01no\0", b"\0\x03\0\x01data", b"\0\x06tsize\x001\0"] {
        let mut client = Client::at(Ipv4Addr::new(127, 0, 0, 40), served.address).await;
        client.say(stray).await;
        client.receives_nothing().await;
    }
    served.counts("dropped_total", "stray", 6).await;
    assert!(Client::of(&served).await.fetch("file", &[]).await == bytes);
}

#[tokio::test]
async fn answers_come_from_the_address_that_the_client_requested() {
    let everywhere = Served::with(super::Limits::default(), IpAddr::V4(Ipv4Addr::UNSPECIFIED)).await;
    let both = Served::with(super::Limits::default(), IpAddr::V6(Ipv6Addr::UNSPECIFIED)).await;
    let other = Ipv4Addr::new(127, 0, 0, 5);
    for (served, own, requested) in [
        (&everywhere, IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(other)),
        (&both, IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(other)),
        (&both, IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ] {
        let bytes = served.file("file", 2000);
        let mut client = Client::at(own, SocketAddr::new(requested, served.address.port())).await;
        assert!(client.fetch("file", &[]).await == bytes);
        assert_eq!(client.peer.map(|peer| peer.ip()), Some(requested));
    }
    // A broadcast request must not be answered (RFC 1123, 4.2.3.5).
    let broadcast = SocketAddr::from((Ipv4Addr::new(127, 255, 255, 255), everywhere.address.port()));
    let mut client = Client::at(Ipv4Addr::LOCALHOST, broadcast).await;
    client.socket.set_broadcast(true).expect("a broadcast");
    client.send_request("file", &[]).await;
    client.receives_nothing().await;
    everywhere.counts("dropped_total", "stray", 1).await;
}

#[tokio::test]
async fn a_service_that_stops_notifies_its_clients() {
    let served = Served::start().await;
    served.file("file", 100_000);
    let mut client = Client::of(&served).await;
    client.send_request("file", &[]).await;
    client.receive().await;
    served.stop.send_replace(true);
    assert_eq!(client.receive().await, Heard::Error(0, "the service is stopping; retry".to_owned()));
    tokio::time::timeout(PATIENCE, served.task).await.expect("it ends in time").expect("it ends well");
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let served = Served::start().await;
    let files = std::sync::Arc::new(super::folder::Folder(served.folder.path().to_owned()));
    let again = super::Server::bind(served.address, files, super::Limits::default(), &prometheus::Registry::new()).await;
    let error = again.err().expect("an error");
    assert!(format!("{error:#}").contains("another TFTP server listens there"), "{error:#}");
}
