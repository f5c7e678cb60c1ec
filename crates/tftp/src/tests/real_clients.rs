//! Tests with the clients in Debian: curl, atftp and tftp-hpa. The stories of virtual servers test iPXE and UEFI firmware.

use super::Served;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::sync::mpsc;

/// Longer than any client takes on a machine that is busy with other work: 65,536 blocks took curl a minute there.
const PATIENCE: Duration = Duration::from_secs(170);

/// Runs a client that writes a file to `target`, and checks that the content is the same.
async fn gets(program: &str, arguments: &[&str], target: &Path, bytes: &[u8]) {
    std::fs::remove_file(target).ok();
    let run = Command::new(program).args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, run).await.unwrap_or_else(|_| panic!("{program} {arguments:?} does not end"));
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be started: {error}; has `scripts/setup test` run?"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    let got = std::fs::read(target).unwrap_or_else(|error| panic!("{program} {arguments:?}: {error}: {said}"));
    assert!(got == bytes, "{program} {arguments:?} has other bytes, {} of {}: {said}", got.len(), bytes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_atftp_and_tftp_hpa_get_the_same_bytes() {
    let served = Served::start().await;
    let port = served.address.port().to_string();
    let target = served.folder.path().join("target");
    let to = target.display().to_string();
    let url = format!("tftp://127.0.0.1:{port}/file");
    for size in [0, 512, 173_792] {
        let bytes = served.file("file", size);
        gets("curl", &["-s", "-S", "--tftp-no-options", "-o", &to, &url], &target, &bytes).await;
        if size > 0 {
            // curl rejects a tsize of 0, which an empty file has.
            gets("curl", &["-s", "-S", "-o", &to, &url], &target, &bytes).await;
            gets("curl", &["-s", "-S", "--tftp-blksize", "1428", "-o", &to, &url], &target, &bytes).await;
        }
        gets("tftp", &["-m", "binary", "127.0.0.1", &port, "-c", "get", "file", &to], &target, &bytes).await;
        let options: [&[&str]; 5] = [
            &[],
            &["blksize 1428"],
            &["tsize enable", "timeout 2"],
            &["blksize 1428", "windowsize 8"],
            &["blksize 8192", "windowsize 16", "tsize enable"],
        ];
        for options in options {
            let mut arguments = vec!["--get", "-r", "file", "-l", &to];
            arguments.extend(options.iter().flat_map(|option| ["--option", option]));
            arguments.extend(["127.0.0.1", &port]);
            gets("atftp", &arguments, &target, &bytes).await;
        }
    }
    served.counts("transfers_total", "sent", 25).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_gets_a_file_of_more_blocks_than_numbers() {
    let served = Served::start().await;
    let bytes = served.file("file", 512 * 65_540 + 1);
    let target = served.folder.path().join("target");
    let url = format!("tftp://{}/file", served.address);
    let to = target.display().to_string();
    gets("curl", &["-s", "-S", "--tftp-no-options", "-o", &to, &url], &target, &bytes).await;
}

#[tokio::test]
async fn a_refusal_has_a_message() {
    let served = Served::start().await;
    let url = format!("tftp://{}/none.efi", served.address);
    let output = Command::new("curl").args(["-s", "-S", "-o", "/dev/null", &url]).output().await.expect("curl");
    // Exit code 68 means that there is no such file.
    assert_eq!(output.status.code(), Some(68), "{output:?}");
}

/// The packets that are lost in each transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    FirstAnswer,
    FirstAcknowledgement,
}

/// A relay to the server that loses packets.
async fn lossy(server: SocketAddr, loss: Loss) -> SocketAddr {
    let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = front.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut clients: HashMap<SocketAddr, mpsc::UnboundedSender<Vec<u8>>> = HashMap::new();
        let mut bytes = [0; 1024];
        while let Ok((length, client)) = front.recv_from(&mut bytes).await {
            let requests = clients.entry(client).or_insert_with(|| {
                let (requests, received) = mpsc::unbounded_channel();
                tokio::spawn(carry(client, server, loss, received));
                requests
            });
            requests.send(bytes[..length].to_vec()).expect("a task that carries it");
        }
    });
    address
}

/// Relays the packets of one client. To the server it acts as the client, and to the client as the port of its transfer.
async fn carry(client: SocketAddr, server: SocketAddr, loss: Loss, mut requests: mpsc::UnboundedReceiver<Vec<u8>>) {
    let up = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let down = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let (mut peer, mut answers, mut acknowledgements) = (None, 0, 0);
    let (mut from_server, mut from_client) = (vec![0; 70_000], vec![0; 1024]);
    loop {
        let sent = tokio::select! {
            Some(request) = requests.recv() => up.send_to(&request, server).await,
            Ok((length, from)) = up.recv_from(&mut from_server) => {
                peer = Some(from);
                answers += 1;
                if answers == 1 && loss == Loss::FirstAnswer { Ok(0) } else { down.send_to(&from_server[..length], client).await }
            }
            Ok((length, _)) = down.recv_from(&mut from_client) => {
                acknowledgements += 1;
                if acknowledgements == 1 && loss == Loss::FirstAcknowledgement { Ok(0) } else { up.send_to(&from_client[..length], peer.expect("an answer before")).await }
            }
            else => return,
        };
        // A client that has received the file closes its port.
        drop(sent);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_clients_get_the_same_bytes_where_the_first_packets_are_lost() {
    let served = Served::start().await;
    let bytes = served.file("file", 5_000);
    let ways = [Loss::FirstAnswer, Loss::FirstAcknowledgement].map(async |loss| {
        let port = lossy(served.address, loss).await.port().to_string();
        let url = format!("tftp://127.0.0.1:{port}/file");
        let target = |number: usize| served.folder.path().join(format!("target-{loss:?}-{number}"));
        let to: Vec<String> = (0..6).map(|number| target(number).display().to_string()).collect();
        let clients: [(&str, Vec<&str>); 6] = [
            ("curl", vec!["-s", "-S", "--tftp-no-options", "-o", &to[0], &url]),
            ("curl", vec!["-s", "-S", "--tftp-blksize", "1428", "-o", &to[1], &url]),
            ("tftp", vec!["-m", "binary", "127.0.0.1", &port, "-c", "get", "file", &to[2]]),
            ("atftp", vec!["--get", "-r", "file", "-l", &to[3], "127.0.0.1", &port]),
            ("atftp", vec!["--get", "-r", "file", "-l", &to[4], "--option", "windowsize 4", "127.0.0.1", &port]),
            ("busybox", vec!["tftp", "-g", "-r", "file", "-l", &to[5], "127.0.0.1", &port]),
        ];
        let got = clients.iter().enumerate().map(async |(number, (program, arguments))| {
            // atftp aborts a transfer whose options are repeated, although RFC 2347 lets any packet be lost.
            if (number, loss) != (4, Loss::FirstAcknowledgement) {
                gets(program, arguments, &target(number), &bytes).await;
            }
        });
        futures::future::join_all(got).await;
    });
    futures::future::join_all(ways).await;
    served.counts("transfers_total", "sent", 11).await;
}
