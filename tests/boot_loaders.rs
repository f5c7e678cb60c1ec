//! Boot loaders served by a running service: over TFTP and over HTTP, from Debian's package.

use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;

#[tokio::test]
async fn debians_boot_loaders_are_served_over_tftp_and_http() -> Result<()> {
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_bootledger"));
    let options = vec!["--tftp-listen".to_owned(), format!("127.0.0.1:{port}")];
    let service = Service::start_with(Ipv4Addr::LOCALHOST, program, options).await?;
    for name in ["undionly.kpxe", "snponly.efi"] {
        let original = tokio::fs::read(format!("/usr/lib/ipxe/{name}")).await.context("has `scripts/setup test` run?")?;
        for url in [format!("tftp://127.0.0.1:{port}/{name}"), service.url(&format!("/boot/loaders/{name}"))] {
            let output = Command::new("curl").args(["-sSf", &url]).output().await?;
            ensure!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
            ensure!(output.stdout == original, "{url} has other bytes");
        }
    }
    // Firmware sends the name like this.
    let output = Command::new("curl").args(["-sSf", &format!("tftp://127.0.0.1:{port}//snponly.efi")]).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The name is a link to /boot.
    let output = Command::new("curl").args(["-sSf", &format!("tftp://127.0.0.1:{port}/ipxe.efi")]).output().await?;
    ensure!(!output.status.success(), "a link that leaves the folder was followed");
    // A transfer is counted when it ends, which its client may notice first.
    wait_for("the transfers are counted", Duration::from_secs(20), async || {
        let sent = service.measured("bootledger_tftp_transfers_total{outcome=\"sent\"}").await.ok()?;
        let refused = service.measured("bootledger_tftp_transfers_total{outcome=\"refused\"}").await.ok()?;
        (sent == 3 && refused == 1).then_some(())
    })
    .await
}

#[tokio::test]
async fn a_missing_folder_is_reported_at_the_start() -> Result<()> {
    for option in ["--tftp-folder", "--loaders"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootledger"));
        command.args(["serve", "--tftp-listen", "127.0.0.1:0", option, "/nowhere/loaders"]);
        let output = command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none").output().await?;
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(1), "{message}");
        ensure!(message.contains(&format!("the folder /nowhere/loaders ({option}) cannot be read")), "{message}");
    }
    Ok(())
}

/// As on a machine with Debian's `shim-signed`, or with the operator's own files, but without the package `ipxe`.
#[tokio::test]
async fn tftp_serves_a_folder_of_the_operators_without_the_package_ipxe() -> Result<()> {
    let own = tempfile::tempdir()?;
    std::fs::write(own.path().join("shimx64.efi"), "a signed shim")?;
    std::fs::write(own.path().join("grubx64.efi"), "a GRUB with TFTP")?;
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_bootledger"));
    let own = own.path().display().to_string();
    let options = ["--tftp-listen", &format!("127.0.0.1:{port}"), "--tftp-folder", "/nowhere/ipxe", "--loaders", &own];
    let service = Service::start_with(Ipv4Addr::LOCALHOST, program, options.map(str::to_owned).to_vec()).await?;
    let output = Command::new("curl").args(["-sSf", &format!("tftp://127.0.0.1:{port}/shimx64.efi")]).output().await?;
    ensure!(output.stdout == b"a signed shim", "{output:?}");
    // Over HTTP the chain would end at a GRUB prompt, so neither the service nor the DHCP configuration leads to it.
    let shim = service.url("/boot/loaders/shimx64.efi");
    let output = Command::new("curl").args(["-sS", "-w", " %{http_code}", &shim]).output().await?;
    let refused = String::from_utf8_lossy(&output.stdout);
    ensure!(refused.ends_with(" 404") && refused.contains("grubx64.efi"), "{refused}");
    service.put("/api/v1/sites/dc1", &json!({ "next_server": "10.0.0.1", "domain": "dc1.example", "zones": [] })).await?;
    for file in ["isc.conf", "kea.json", "dnsmasq.conf"] {
        let output = Command::new("curl").args(["-sSf", &service.url(&format!("/dhcp/dc1/{file}"))]).output().await?;
        let served = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && !served.contains("snponly.efi"), "{file}: {served}");
    }
    let missing = service.get("/readyz").await?["boot_loaders_missing"].to_string();
    ensure!(missing.contains("UEFI, x86-64"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn tftp_with_nothing_to_serve_is_refused_at_the_start_with_what_to_install() -> Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootledger"));
    command.args(["serve", "--tftp-listen", "127.0.0.1:0", "--tftp-folder", "/nowhere/ipxe"]);
    let output = command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none").output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    // Where this machine has the package, the service serves the signed loaders and only the database is missing.
    if PathBuf::from("/usr/lib/shim/shimx64.efi.signed").exists() {
        ensure!(said.contains("only the signed loaders"), "{said}");
        return Ok(());
    }
    ensure!(output.status.code() == Some(1), "{said}");
    for words in ["nothing to serve over TFTP", "/nowhere/ipxe", "package ipxe", "--loaders", "shim-signed"] {
        ensure!(said.contains(words), "{words}: {said}");
    }
    Ok(())
}

/// The operator's loader takes precedence over the package's, and the log of the start names architectures without one.
#[tokio::test]
async fn the_operators_loaders_take_precedence_over_the_packages() -> Result<()> {
    let own = tempfile::tempdir()?;
    std::fs::write(own.path().join("snponly.efi"), "the operator's own")?;
    std::fs::write(own.path().join("ipxe-i386.efi"), "for 32-bit UEFI")?;
    let program = PathBuf::from(env!("CARGO_BIN_EXE_bootledger"));
    let options = vec!["--loaders".to_owned(), own.path().display().to_string()];
    let service = Service::start_with(Ipv4Addr::LOCALHOST, program, options).await?;
    for (path, content) in
        [("/boot/loaders//snponly.efi", "the operator's own"), ("/boot/loaders/ipxe-i386.efi", "for 32-bit UEFI")]
    {
        let output = Command::new("curl").args(["-sSf", "--path-as-is", &service.url(path)]).output().await?;
        ensure!(output.stdout == content.as_bytes(), "{path}: {output:?}");
    }
    service.put("/api/v1/sites/dc1", &json!({ "next_server": "10.0.0.1", "domain": "dc1.example", "zones": [] })).await?;
    let output = Command::new("curl").args(["-sSf", &service.url("/dhcp/dc1/dnsmasq.conf")]).output().await?;
    let served = String::from_utf8_lossy(&output.stdout);
    for there in ["\"ipxe-i386.efi\"", "/boot/loaders/ipxe-i386.efi\"", "\"undionly.kpxe\"", "\"snponly.efi\""] {
        ensure!(served.contains(there), "no {there} in {served}");
    }
    ensure!(!served.contains("arm32"), "{served}");
    Ok(())
}

#[tokio::test]
async fn without_a_deployment_grub_gets_a_configuration_that_boots_the_disk_and_no_other_servers_file() -> Result<()> {
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_bootledger"));
    let options = vec!["--tftp-listen".to_owned(), format!("127.0.0.1:{port}")];
    let service = Service::start_with(Ipv4Addr::LOCALHOST, program, options).await?;
    // curl sends the name below the root with `//`, as GRUB does.
    let fetch = async |name: &str| Command::new("curl").args(["-sSf", &format!("tftp://127.0.0.1:{port}/{name}")]).output().await;
    for name in ["/grub/grub.cfg", "grub/grub.cfg", "/grub.cfg"] {
        let output = fetch(name).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && text.contains("no deployment is in progress"), "{name}: {text}");
        let over_http = Command::new("curl").args(["-sSf", &service.url("/grub/grub.cfg")]).output().await?.stdout;
        let over_http = String::from_utf8_lossy(&over_http);
        ensure!(text == over_http, "{name}: {text}\nover HTTP: {over_http}");
    }
    for name in ["/pxe/_kernel", "pxe/vmlinuz", "/grub/x86_64-efi/command.lst"] {
        ensure!(!fetch(name).await?.status.success(), "{name} was served");
    }
    Ok(())
}
