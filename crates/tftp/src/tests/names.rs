//! Options as firmware, shim, GRUB and iPXE send them, byte by byte: each is acknowledged or ignored. The tests say where each was
//! observed.

use super::{Client, Heard, Served, options};

/// The options that are acknowledged; `None` if the first block is sent at once.
type Answer = Option<&'static [(&'static str, u64)]>;

/// The options of real clients after the mode, and the acknowledged ones.
#[tokio::test]
async fn every_option_of_the_field_is_answered_or_passed_over() {
    let served = Served::start().await;
    served.file("file", 3000);
    let requests: [(&[u8], Answer); 14] = [
        // EDK II requests first only the size, and then the file (MdeModulePkg/Universal/Network/Mtftp4Dxe).
        (b"octet\0tsize\x000\0", Some(&[("tsize", 3000)])),
        (
            b"octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0",
            Some(&[("tsize", 3000), ("blksize", 1468), ("windowsize", 4)]),
        ),
        // A non-zero size, as sent by some ROMs that interpret RFC 2349 the other way round.
        (b"octet\0tsize\x0012345\0", Some(&[("tsize", 3000)])),
        // iPXE, with multicast (RFC 2090), which a unicast server never acknowledges.
        (b"octet\0blksize\x001432\0tsize\x000\0multicast\0\0", Some(&[("blksize", 1432), ("tsize", 3000)])),
        // PXE ROMs: an odd block size, one that is too large, one in capitals, and padding with zeros.
        (b"octet\0blksize\x001457\0", Some(&[("blksize", 1457)])),
        (b"octet\0blksize\x0065535\0", Some(&[("blksize", 65464)])),
        (b"OCTET\0BLKSIZE\x001456\0TSIZE\x000\0\0\0\0\0\0\0", Some(&[("blksize", 1456), ("tsize", 3000)])),
        // Options of tftp-hpa, and other non-standard ones.
        (b"octet\0blksize2\x001024\0utimeout\x001000\0rollover\x000\0", None),
        // A timeout that RFC 2349 does not allow, and one that it allows.
        (b"octet\0timeout\x000\0", None),
        (b"octet\0timeout\x00256\0tsize\x000\0", Some(&[("tsize", 3000)])),
        (b"octet\0timeout\x00255\0", Some(&[("timeout", 255)])),
        // Invalid values, and an option that is cut off.
        (b"octet\0blksize\x00-1\0windowsize\0\0tsize\x00abc\0", None),
        (b"octet\0tsize\x000\0blksize\0", Some(&[("tsize", 3000)])),
        (b"octet\0\xff\xfe\x001\0tsize\x000\0", Some(&[("tsize", 3000)])),
    ];
    for (request, answer) in requests {
        let mut client = Client::of(&served).await;
        client.say(&[b"\0\x01file\0", request].concat()).await;
        match (client.receive().await, answer) {
            (Heard::Data(1, content), None) => assert_eq!(content.len(), 512),
            (received, Some(answer)) => assert_eq!(received, options(answer), "{}", request.escape_ascii()),
            (received, None) => panic!("{} is answered with {received:?}", request.escape_ascii()),
        }
        // Firmware sends this when it has received enough.
        client.answer(b"\0\x05\0\x08\0").await;
    }
    served.counts("transfers_total", "ended_by_client", 14).await;
    served.counts("transfers", "", 0).await;
}

/// A ROM that uses one port for all its requests: the size, the end of that transfer, and immediately the file.
#[tokio::test]
async fn a_client_that_requests_again_from_the_same_port_gets_its_file() {
    let served = Served::start().await;
    let bytes = served.file("file", 3000);
    let mut client = Client::of(&served).await;
    for _ in 0..3 {
        client.send_request("file", &[("tsize", "0")]).await;
        assert_eq!(client.receive().await, options(&[("tsize", 3000)]));
        client.answer(b"\0\x05\0\x08User aborted the transfer\0").await;
        assert!(client.fetch("file", &[("blksize", "1468")]).await == bytes);
    }
    served.counts("transfers_total", "sent", 3).await;
    served.counts("transfers_total", "ended_by_client", 3).await;
}

#[tokio::test]
async fn text_modes_are_refused_in_words() {
    let served = Served::start().await;
    served.file("file", 10);
    for mode in ["netascii", "NetASCII", "mail", "", "octett"] {
        let mut client = Client::of(&served).await;
        client.say(format!("\0\u{1}file\0{mode}\0").as_bytes()).await;
        let Heard::Error(0, words) = client.receive().await else { panic!("{mode} is not refused") };
        // The error has at most three times the bytes of the request.
        assert!("files are sent in octet (binary) mode only".starts_with(&words), "{mode}: {words}");
    }
}
