//! What only dnsmasq does in its own way: real options for real clients, a restart for every change, and a site with a
//! configuration that the format cannot express.

use crate::support::lab::Lab;
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use bootledger_projections::rows::dhcp_entries::SiteEntry;
use bootledger_web::machines::dhcp::configuration::Configuration;
use bootledger_web::machines::dhcp::format::Format;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::time::Duration;

const MAC: &str = "52:54:00:00:0d:01";
const OTHER_MAC: &str = "52:54:00:00:0d:02";

/// How long a step may take on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(2);

/// The configuration for dnsmasq of a site with two hosts, the first of which has a live deployment.
fn configuration(lab: &Lab, header: &Value, options: &Value, hostname: &str) -> Result<String> {
    let site = json!({
        "next_server": null, "boot_url": null, "domain": "lab.example", "zones": [], "hostname_template": null,
        "dhcp_header": header,
    });
    let network = json!({
        "cidr": lab.network(), "site": "lab", "gateway": null, "vlan": null, "domain": null, "dhcp_options": options,
    });
    let entry = |n: u8, mac: &str, live: bool, hostname: &str| -> Result<SiteEntry> {
        let (mac, hostname) = (mac.parse()?, Some(hostname.parse()?));
        let boot_chain = bootledger_aggregates::values::boot_chain::BootChain::Ipxe;
        Ok(SiteEntry { ip: lab.server_address(n), mac, hostname, network: "lab-net".parse()?, live, boot_chain })
    };
    let configuration = Configuration::new(
        "lab".parse()?,
        &serde_json::from_value(site)?,
        // Longer than BOOTP's field for the file name.
        &format!("http://{}", "b".repeat(150)).parse()?,
        [("lab-net".parse()?, serde_json::from_value(network)?)],
        [entry(0, MAC, true, hostname)?, entry(1, OTHER_MAC, false, "h2.lab.example")?],
    );
    Ok(Format::Dnsmasq.render(&configuration)?)
}

#[tokio::test]
async fn clients_get_options_of_every_type_and_their_host_names() -> Result<()> {
    let lab = Lab::new().await?;
    let options = json!([
        { "name": "time-offset", "value": { "number": -1 } },
        { "name": "default-ip-ttl", "value": { "number": 64 } },
        { "name": "interface-mtu", "value": { "number": 9000 } },
        { "name": "arp-cache-timeout", "value": { "number": 3_000_000_000_u32 } },
        { "name": "ip-forwarding", "value": { "flag": true } },
        { "name": "mask-supplier", "value": { "flag": false } },
        { "name": "ntp-servers", "value": { "addresses": ["192.0.2.1", "192.0.2.2"] } },
        { "name": "static-routes", "value": { "addresses": ["192.0.2.3", "192.0.2.4"] } },
        { "name": "domain-search", "value": { "text": "lab.example, example" } },
        { "name": "dhcp-renewal-time", "value": { "number": 600 } },
    ]);
    let header = json!([{ "name": "interface-mtu", "value": { "number": 1400 } }]);
    let file = lab.folder().join("served.conf");
    tokio::fs::write(&file, configuration(&lab, &header, &options, "h1.other.example")?).await?;
    let dhcp = lab.start_dnsmasq(&file).await?;
    let requested = [1, 2, 12, 15, 19, 23, 26, 30, 33, 35, 42, 58, 67, 119].map(|code| format!(" -O {code}")).concat();
    let message = lab.request_lease(OTHER_MAC, &requested).await.with_context(|| dhcp.log())?;
    for line in [
        "timezone=4294967295",
        "ipttl=64",
        "mtu=9000",
        "opt35=b2d05e00",
        "opt19=01",
        "opt30=00",
        "ntpsrv=192.0.2.1 192.0.2.2",
        "routes=192.0.2.3/192.0.2.4",
        "search=lab.example example",
        "opt58=00000258",
        "hostname=h2",
        "domain=lab.example",
        "mask=24",
    ] {
        ensure!(message.contains(&line.to_owned()), "no {line} in {message:?}");
    }
    ensure!(!message.iter().any(|line| line.starts_with("siaddr=") || line.contains("boot")), "it gets a boot file: {message:?}");
    // The site's header takes precedence over the network's options; a name in another domain is sent in full.
    let message = lab.request_lease(MAC, &format!("-x 0x4d:69505845{requested}")).await.with_context(|| dhcp.log())?;
    let long = format!("bootfile=http://{}/pxe/", "b".repeat(150));
    for line in ["mtu=1400", "hostname=h1.other.example", &long] {
        ensure!(message.contains(&line.to_owned()), "no {line} in {message:?}");
    }
    Ok(())
}

/// Options with a text value that busybox's client does not know, so that it shows their bytes.
const TEXTS: [(&str, u8); 6] = [
    ("merit-dump", 14),
    ("extensions-path", 18),
    ("netbios-scope", 47),
    ("nds-context", 87),
    ("uap-servers", 98),
    ("default-url", 114),
];

#[tokio::test]
async fn any_text_arrives_at_the_client_byte_for_byte() -> Result<()> {
    let lab = Lab::new().await?;
    let mut texts: Vec<String> = [
        r#"quote " quote"#,
        "\"\ndhcp-option=6,192.0.2.66".replace('\n', " ").as_str(),
        r"back\slash\",
        r"\n\t\e\b\r",
        "comma, and, comma,",
        ",",
        "# comment #",
        "192.0.2.1",
        "10b",
        "00:11:22",
        "-",
        "ss",
        "b",
        "7",
        "tag:boot/live",
        "option:router",
        "a \" b \" c",
        "gräfin ünï🖧",
    ]
    .map(str::to_owned)
    .into();
    let mut random = TestRunner::deterministic();
    let strategy = "([\"\\\\,#:;=/ .0-9a-fsi-]|\\PC){1,12}".prop_map(|text| text.trim().to_owned());
    while texts.len() < 48 {
        let text = strategy.new_tree(&mut random).map_err(|error| anyhow::anyhow!("{error}"))?.current();
        // Other texts are refused before they reach a server.
        let control = text.chars().any(char::is_control);
        if !control && !["", "s", "i"].contains(&text.trim_start_matches('-')) {
            texts.push(text);
        }
    }
    let file = lab.folder().join("served.conf");
    let options = |texts: &[String]| -> Vec<Value> {
        texts.iter().zip(TEXTS).map(|(text, (name, _))| json!({ "name": name, "value": { "text": text } })).collect()
    };
    tokio::fs::write(&file, configuration(&lab, &json!([]), &json!([]), "h1.lab.example")?).await?;
    let dhcp = lab.start_dnsmasq(&file).await?;
    let requested = TEXTS.map(|(_, code)| format!(" -O {code}")).concat();
    for texts in texts.chunks(TEXTS.len()) {
        tokio::fs::write(&file, configuration(&lab, &json!([]), &json!(options(texts)), "h1.lab.example")?).await?;
        dhcp.reload().await?;
        let message = lab.request_lease(OTHER_MAC, &requested).await.with_context(|| dhcp.log())?;
        for (text, (_, code)) in texts.iter().zip(TEXTS) {
            let bytes = text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
            ensure!(message.contains(&format!("opt{code}={bytes}")), "{text:?} arrives as something else: {message:?}");
        }
        ensure!(!message.iter().any(|line| line.starts_with("dns=")), "a user's text became an option: {message:?}");
    }
    Ok(())
}

/// Every change restarts dnsmasq, which then knows no leases: no client may lose its address because of that.
#[tokio::test]
async fn a_running_host_keeps_its_address_when_dnsmasq_is_restarted() -> Result<()> {
    let lab = Lab::new().await?;
    let file = lab.folder().join("served.conf");
    tokio::fs::write(&file, configuration(&lab, &json!([]), &json!([]), "h1.lab.example")?).await?;
    let dhcp = lab.start_dnsmasq(&file).await?;
    let message = lab.keep_address(OTHER_MAC).with_context(|| dhcp.log())?;
    let address = lab.server_address(1);
    let mut happened = vec!["deconfig".to_owned(), format!("bound {address}")];
    for _ in 0..2 {
        dhcp.reload().await?;
        lab.renew()?;
        happened.push(format!("renew {address}"));
        let all = async || {
            let message = std::fs::read_to_string(&message).ok()?;
            let message: Vec<String> = message.lines().map(|line| line.trim().to_owned()).collect();
            (message.len() >= happened.len()).then_some(message)
        };
        let message = wait_for("the lease is renewed", Duration::from_secs(30), all).await.with_context(|| dhcp.log())?;
        ensure!(message == happened, "it gets {message:?}:\n{}", dhcp.log());
    }
    Ok(())
}

#[tokio::test]
async fn a_site_that_dnsmasq_cannot_express_reports_that_and_keeps_the_last_configuration() -> Result<()> {
    let lab = Lab::new().await?;
    let service = Service::start(lab.host_address()).await?;
    let [a, b, c, _] = lab.host_address().octets();
    let site = json!({
        "next_server": lab.host_address(), "domain": "dc1.example", "zones": ["dc1.example", format!("{c}.{b}.{a}.in-addr.arpa")],
        "hostname_template": "h<200,299>.dc1.example",
    });
    let network = |options: Value| json!({ "cidr": lab.network(), "site": "dc1", "dhcp_options": options });
    service.define(&site, &network(json!([]))).await?;
    service.put("/api/v1/dhcp-servers/dhcp-1", &json!({ "site": "dc1", "kind": "dnsmasq" })).await?;
    let file = lab.folder().join("served.conf");
    let agent = service.dhcp_agent("dc1", "dnsmasq", &file).await?;
    agent.fetch_first().await?;
    let dhcp = lab.start_dnsmasq(&file).await?;
    let mut keeper = agent.keep(&dhcp.check_command(), &dhcp.reload_command())?;

    let device = json!({ "site": "dc1", "macs": [MAC], "serial": "S-1", "venture": "shop", "role": "web" });
    let device = service.register(&device).await?;
    let wanted = json!({ "device": device, "boot_image": "debian", "network": "prod" });
    let path = service.start_deployment(&wanted).await?;
    service.reaches(&path, "in_progress", PATIENCE).await?;
    let address = format!("ip={}", service.get(&path).await?["ip"].as_str().context("an address")?);
    let boots = async || -> Result<bool> {
        let message = lab.request_lease(MAC, "-x 0x5d:0000").await.with_context(|| dhcp.log())?;
        ensure!(message.contains(&address), "{message:?}");
        Ok(message.contains(&"boot_file=undionly.kpxe".to_owned()))
    };
    ensure!(boots().await?, "it gets no boot file");
    let starts = dhcp.log().matches("started, version").count();
    ensure!(starts > 1, "dnsmasq was not restarted:\n{}", dhcp.log());

    // Values that an earlier version stored and that cannot be written for dnsmasq are reported where operators look.
    let long = ["a", "b", "c", "d", "e"].map(|letter| letter.repeat(55)).join(", ");
    for (options, words) in [
        (json!([{ "name": "rooters", "value": { "text": "x" } }]), "the DHCP option rooters of network prod"),
        (json!([{ "name": "domain-search", "value": { "text": long } }]), "is longer than an option can be"),
    ] {
        service.store_network("prod", &network(options)).await?;
        let failing = async || {
            let failing = service.get("/api/v1/dhcp-servers/dhcp-1").await.ok()?["failing"]["message"].as_str()?.to_owned();
            failing.contains(words).then_some(())
        };
        wait_for(&format!("the server is said to fail for {words:?}"), PATIENCE, failing).await?;
        ensure!(boots().await?, "dnsmasq no longer serves what it had");
    }
    ensure!(dhcp.log().matches("started, version").count() == starts, "dnsmasq was restarted:\n{}", dhcp.log());

    // Once the network is fixed, the server is confirmed again; once the deployment is done, the host gets nothing to boot.
    service.put("/api/v1/networks/prod", &network(json!([]))).await?;
    wait_for("the failure is over", PATIENCE, async || {
        service.get("/api/v1/dhcp-servers/dhcp-1").await.ok()?["failing"].is_null().then_some(())
    })
    .await?;
    service.post(&format!("{path}/done"), &json!({})).await?;
    wait_for("dnsmasq sends no boot file", PATIENCE, async || (!boots().await.ok()?).then_some(())).await?;
    keeper.kill().await?;
    Ok(())
}
