//! The clients that Debian has: curl, atftp and tftp-hpa. iPXE and UEFI firmware are in the stories of virtual servers.

use super::Served;
use std::path::Path;
use tokio::process::Command;

/// Runs a client that writes what it gets to `target`, and says whether it is the same.
async fn gets(program: &str, arguments: &[&str], target: &Path, bytes: &[u8]) {
    std::fs::remove_file(target).ok();
    let run = Command::new(program).args(arguments).kill_on_drop(true).output();
    let output =
        tokio::time::timeout(super::PATIENCE, run).await.unwrap_or_else(|_| panic!("{program} {arguments:?} does not end"));
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
            // curl calls a tsize of 0 illegal, which is what an empty file has.
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
async fn a_refusal_is_told_in_words() {
    let served = Served::start().await;
    let url = format!("tftp://{}/none.efi", served.address);
    let output = Command::new("curl").args(["-s", "-S", "-o", "/dev/null", &url]).output().await.expect("curl");
    // 68: no such file.
    assert_eq!(output.status.code(), Some(68), "{output:?}");
}
