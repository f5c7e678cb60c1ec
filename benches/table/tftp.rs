//! Boot loaders over TFTP, sent to real clients on loopback.

use super::report::{Report, Row, rate};
use anyhow::{Context, Result, ensure};
use bootledger::service::tftp::BootFiles;
use bootledger_boot_loaders::Loaders;
use bootledger_tftp::{Limits, Server};
use std::path::Path;
use std::time::Instant;
use tokio::process::Command;
use tokio::sync::watch;

/// The size of a file for a single client, and for many clients the size of Debian's `ipxe.efi`.
const LARGE: usize = 100_000_000;
const LOADER: usize = 850_528;

/// How many clients there are at once, each with an address of its own.
const CLIENTS: usize = 200;

/// Measures a single client with several options, and many clients at once.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let originals = folder.path().join("loaders");
    std::fs::create_dir(&originals)?;
    for (name, size) in [("large", LARGE), ("loader", LOADER)] {
        std::fs::write(originals.join(name), (0..size).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect::<Vec<u8>>())?;
    }
    let metrics = prometheus::Registry::new();
    let files = BootFiles::shared(Loaders::at(&originals)?);
    let server = Server::bind("127.0.0.1:0".parse()?, files, Limits::default(), &metrics).await?;
    let port = server.address().port();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(server.run(stopped));

    let target = folder.path().join("large");
    let to = target.display();
    let clients = [
        ("curl, blksize 512", format!("curl -sS --tftp-blksize 512 -o {to} tftp://127.0.0.1:{port}/large")),
        ("curl, blksize 1428", format!("curl -sS --tftp-blksize 1428 -o {to} tftp://127.0.0.1:{port}/large")),
        (
            "atftp, blksize 8192, windowsize 16",
            format!("atftp --get -r large -l {to} --option blksize_8192 --option windowsize_16 127.0.0.1 {port}"),
        ),
    ];
    for (client, line) in clients {
        let begun = Instant::now();
        fetch(&line, &target, &originals.join("large")).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let measured = format!("{:.1} s, {:.1} MB/s", seconds, rate(LARGE, seconds) / 1e6);
        report.add(row(&format!("TFTP: 100 MB to {client}"), measured));
    }
    let begun = Instant::now();
    let fetches = (0..CLIENTS).map(async |n| {
        let target = folder.path().join(format!("client-{n}"));
        let address = format!("127.0.2.{}", n + 1);
        let url = format!("tftp://127.0.0.1:{port}/loader");
        let line = format!("curl -sS --interface {address} --tftp-blksize 1428 -o {} {url}", target.display());
        fetch(&line, &target, &originals.join("loader")).await
    });
    let results = futures::future::join_all(fetches).await;
    let errors = results.iter().filter(|result| result.is_err()).count();
    let measured = format!("{:.1} s, {errors} errors", begun.elapsed().as_secs_f64());
    report.add(Row {
        met: Some(errors == 0),
        target: "0 errors".to_owned(),
        ..row(&format!("TFTP: ipxe.efi (850,528 bytes) to {CLIENTS} curls at once"), measured)
    });
    if let Some(error) = results.into_iter().find_map(Result::err) {
        report.say(&format!("{error:#}"));
    }
    stop.send_replace(true);
    Ok(task.await?)
}

fn row(what: &str, measured: String) -> Row {
    Row { what: what.to_owned(), measured, limit: "–".to_owned(), target: "–".to_owned(), met: None }
}

/// Runs a client and compares the file that it received. Blanks separate the words of its command line; `_` is a blank within a
/// word.
async fn fetch(line: &str, target: &Path, original: &Path) -> Result<()> {
    let mut words = line.split(' ').map(|word| if word.contains("size_") { word.replace('_', " ") } else { word.to_owned() });
    let output = Command::new(words.next().context("no program")?).args(words).output().await.context(line.to_owned())?;
    ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    ensure!(tokio::fs::read(target).await? == tokio::fs::read(original).await?, "{line}: other bytes");
    Ok(())
}
