//! DHCP configurations of large sites: how long the service takes to write each format, and how long the server takes to read
//! it.

use super::report::{Report, Row};
use anyhow::{Context, Result, ensure};
use bootledger_projections::rows::dhcp_entries::SiteEntry;
use bootledger_web::machines::dhcp::configuration::Configuration;
use bootledger_web::machines::dhcp::format::Format;
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Hosts per site: two sizes, to show whether the cost grows faster than the number of hosts.
const SITES: [u32; 2] = [10_000, 100_000];

/// How long the largest configuration may take to write, in seconds.
const ALLOWED: f64 = 1.0;

/// The number of hosts in one network of the site.
pub(crate) const IN_A_NETWORK: u32 = 65_000;

/// Writes each site in each format and runs the real server's check on the file.
pub(crate) async fn measure(folder: &Path, report: &mut Report) -> Result<()> {
    for hosts in SITES {
        let configuration = site(hosts, None)?;
        for format in [Format::Isc, Format::Kea, Format::Dnsmasq] {
            let begun = Instant::now();
            let text = format.render(&configuration)?;
            let rendered = begun.elapsed().as_secs_f64();
            let file = folder.join(format.to_string());
            let begun = Instant::now();
            std::fs::write(&file, &text)?;
            let written = begun.elapsed().as_secs_f64();
            let (seconds, memory) = checked(format, folder, &file).await.with_context(|| format!("{format} of {hosts} hosts"))?;
            report.add(Row {
                what: format!("{format} of {hosts} hosts, written; and as its server reads it"),
                measured: format!("{rendered:.2} s, {:.1} MB; {seconds:.1} s, {memory} MB at most", megabytes(text.len())),
                limit: format!("{written:.2} s (the bytes written to a file)"),
                target: format!("written in ≤ {ALLOWED} s"),
                met: Some(rendered <= ALLOWED),
            });
        }
    }
    Ok(())
}

/// A site with this many hosts. Every tenth has a live deployment, and so does the host of `changed`, which gets this name.
pub(crate) fn site(hosts: u32, changed: Option<(u32, &str)>) -> Result<Configuration> {
    let site = json!({
        "next_server": "10.0.0.1", "boot_url": null, "domain": "dc1.example", "zones": [], "hostname_template": null,
        "dhcp_header": [{ "name": "root-path", "value": { "text": "/srv/install" } }],
    });
    let networks = (0..=hosts / IN_A_NETWORK).map(|n| {
        let network = json!({
            "cidr": format!("10.{n}.0.0/16"), "site": "dc1", "gateway": format!("10.{n}.0.1"), "vlan": null, "domain": null,
        });
        Ok((format!("n{n}").parse()?, serde_json::from_value(network)?))
    });
    let entries = (0..hosts).map(|n| {
        Ok(SiteEntry {
            ip: Ipv4Addr::from((10 << 24) + ((n / IN_A_NETWORK) << 16) + 10 + n % IN_A_NETWORK),
            mac: format!("525400{n:06x}").parse()?,
            hostname: Some(match changed.filter(|(changed, _)| *changed == n) {
                Some((_, name)) => name.parse()?,
                None => format!("h{n}.dc1.example").parse()?,
            }),
            network: format!("n{}", n / IN_A_NETWORK).parse()?,
            live: n % 10 == 0 || changed.is_some_and(|(changed, _)| changed == n),
            boot_chain: bootledger_aggregates::values::boot_chain::BootChain::Ipxe,
        })
    });
    let (networks, entries): (Vec<_>, Vec<_>) = (networks.collect::<Result<_>>()?, entries.collect::<Result<_>>()?);
    Ok(Configuration::new("dc1".parse()?, &serde_json::from_value(site)?, &"http://10.0.0.1:8080".parse()?, networks, entries))
}

/// The seconds and the megabytes that a server's own checker uses.
async fn checked(format: Format, folder: &Path, file: &Path) -> Result<(f64, u64)> {
    let (program, arguments): (_, &[&str]) = match format {
        Format::Isc => ("dhcpd", &["-4", "-t", "-cf"]),
        Format::Kea => ("kea-dhcp4", &["-t"]),
        Format::Dnsmasq => ("dnsmasq", &["--test", "-C"]),
    };
    // AppArmor identifies a server by its path and confines it to its system folders. A copy of the program can read this file.
    let copy = folder.join(program);
    std::fs::copy(Path::new("/usr/sbin").join(program), &copy).with_context(|| format!("{program} is not installed"))?;
    let begun = Instant::now();
    let mut child = Command::new(&copy)
        .args(arguments)
        .arg(file)
        .envs(["KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_CONTROL_SOCKET_DIR"].map(|variable| (variable, folder)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let status = format!("/proc/{}/status", child.id().context("it has ended")?);
    let mut most = 0;
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended?,
            _ = looks.tick() => {
                // The process may end between two samples; its memory at the last sample is close enough.
                let status = std::fs::read_to_string(&status).unwrap_or_default();
                let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                most = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(most);
            }
        }
    };
    ensure!(ended.success(), "{program} refuses the file: {ended}");
    Ok((begun.elapsed().as_secs_f64(), most / 1024))
}

#[expect(clippy::cast_precision_loss, reason = "a size is shown to a tenth of a megabyte")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
