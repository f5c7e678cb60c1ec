//! Tests every format as a whole, also with the servers' own checkers.

mod options;
mod quoting;
mod vlans;

use super::configuration::Configuration;
use super::format::Format;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::site::{BootUrl, SiteSpec};
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::dhcp_entries::SiteEntry;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

const FORMATS: [Format; 3] = [Format::Isc, Format::Kea, Format::Dnsmasq];

pub(super) fn render(format: Format, configuration: &Configuration) -> String {
    format.render(configuration).unwrap_or_else(|refused| panic!("{format}: {refused}"))
}

fn site() -> SiteSpec {
    site_with(
        &json!([{"name": "root-path", "value": {"text": "/srv/install"}}, {"name": "ntp-servers", "value": {"addresses": ["10.0.0.2", "10.0.0.3"]}}]),
    )
}

pub(super) fn site_with(header: &Value) -> SiteSpec {
    serde_json::from_value(json!({
        "next_server": "10.0.0.1", "boot_url": null, "domain": "dc1.example", "zones": ["dc1.example"], "hostname_template": null,
        "dhcp_header": header,
    }))
    .expect("a site")
}

pub(super) fn network(cidr: &str, more: &Value) -> NetworkSpec {
    let mut spec = json!({"cidr": cidr, "site": "dc1", "gateway": null, "vlan": null, "domain": null});
    spec.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    serde_json::from_value(spec).expect("a network")
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub(super) fn entry(ip: &str, mac: &str, hostname: Option<&str>, network: &str, live: bool) -> SiteEntry {
    SiteEntry {
        ip: ip.parse().expect("an address"),
        mac: mac.parse().expect("a MAC"),
        hostname: hostname.map(|text| text.parse().expect("a host name")),
        network: name(network),
        live,
        boot_chain: bootledger_aggregates::values::boot_chain::BootChain::Ipxe,
    }
}

pub(super) fn configuration(site: &SiteSpec, networks: Vec<(&str, NetworkSpec)>, entries: Vec<SiteEntry>) -> Configuration {
    let base_url: BootUrl = "http://10.0.0.1:8080".parse().expect("a URL");
    Configuration::new(name("dc1"), site, &base_url, networks.into_iter().map(|(key, spec)| (name(key), spec)), entries)
}

fn small() -> Configuration {
    let production = network(
        "10.0.0.0/24",
        &json!({
            "gateway": "10.0.0.254", "dns_servers": ["10.0.0.53", "10.0.1.53"],
            "dhcp_options": [
                {"name": "interface-mtu", "value": {"number": 9000}},
                {"name": "ip-forwarding", "value": {"flag": false}},
                {"name": "domain-search", "value": {"text": "dc1.example, example"}},
            ],
        }),
    );
    let storage = network("10.9.0.0/16", &json!({"domain": "storage.dc1.example"}));
    let without_dhcp = network("10.8.0.0/24", &json!({"dhcp": false}));
    configuration(
        &site(),
        vec![("storage", storage), ("quiet", without_dhcp), ("production", production)],
        vec![
            entry("10.9.0.20", "52:54:00:00:00:01", Some("h200.dc1.example"), "storage", false),
            entry("10.0.0.100", "52:54:00:00:00:02", None, "production", false),
            entry("10.0.0.20", "52:54:00:00:00:01", Some("h200.dc1.example"), "production", true),
            entry("10.8.0.20", "52:54:00:00:00:03", None, "quiet", false),
        ],
    )
}

/// `hosts` hosts in networks of up to 65,000 addresses; every tenth has a live deployment.
fn large(hosts: u32) -> Configuration {
    let networks: Vec<(String, NetworkSpec)> = (0..=hosts / 65_000)
        .map(|n| (format!("n{n}"), network(&format!("10.{n}.0.0/16"), &json!({"gateway": format!("10.{n}.0.1")}))))
        .collect();
    let entries = (0..hosts).map(|n| SiteEntry {
        ip: Ipv4Addr::from((10 << 24) + ((n / 65_000) << 16) + 10 + n % 65_000),
        mac: format!("525400{n:06x}").parse().expect("a MAC"),
        hostname: Some(format!("h{n}.dc1.example").parse().expect("a host name")),
        network: name(&format!("n{}", n / 65_000)),
        live: n % 10 == 0,
        boot_chain: bootledger_aggregates::values::boot_chain::BootChain::Ipxe,
    });
    let networks = networks.iter().map(|(key, spec)| (key.as_str(), spec.clone())).collect();
    configuration(&site(), networks, entries.collect())
}

/// Runs the server's own checker. Returns its error message; its output on success does not matter.
pub(super) fn check(format: Format, text: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(format.to_string());
    std::fs::write(&file, text).expect("a written file");
    let (program, arguments) = match format {
        Format::Isc => ("dhcpd", vec!["-4", "-t", "-cf"]),
        Format::Kea => ("kea-dhcp4", vec!["-t"]),
        Format::Dnsmasq => ("dnsmasq", vec!["--test", "-C"]),
    };
    let installed = ["/usr/sbin", "/usr/local/sbin"].map(|bin| Path::new(bin).join(program));
    let installed = installed.iter().find(|path| path.exists()).unwrap_or_else(|| {
        panic!("{program} is not installed, so its configuration cannot be checked; has `scripts/setup run` run?")
    });
    // AppArmor identifies a server by its path and restricts it to its system folders; a copy may read this one.
    let copy = folder.path().join(program);
    std::fs::copy(installed, &copy).expect("a copied server");
    let output = Command::new(&copy)
        .args(arguments)
        .arg(&file)
        .envs(["KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_CONTROL_SOCKET_DIR"].map(|variable| (variable, folder.path())))
        .output()
        .expect("a run of the checker");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Hosts of both boot chains, of only one, and none that is live.
#[test]
fn servers_accept_a_site_of_any_boot_chains_and_only_the_signed_one_names_shim() {
    use bootledger_aggregates::values::boot_chain::BootChain::{Ipxe, Signed};
    for chains in [vec![], vec![Ipxe], vec![Signed], vec![Ipxe, Signed], vec![Signed, Signed, Ipxe, Ipxe]] {
        let hosts = chains.iter().zip(20..).map(|(chain, n)| {
            let host =
                entry(&format!("10.0.0.{n}"), &format!("52:54:00:00:00:{n}"), Some("h200.dc1.example"), "production", true);
            SiteEntry { boot_chain: *chain, ..host }
        });
        let networks = vec![("production", network("10.0.0.0/24", &json!({})))];
        // The view's columns for an entry without a live deployment must have no effect.
        let old = SiteEntry { boot_chain: Signed, ..entry("10.0.0.90", "52:54:00:00:00:90", None, "production", false) };
        let configuration = configuration(&site(), networks, hosts.chain([old]).collect());
        for format in [Format::Isc, Format::Kea, Format::Dnsmasq] {
            let text = render(format, &configuration);
            check(format, &text).unwrap_or_else(|said| panic!("{format} {chains:?}: {said}\n{text}"));
            assert_eq!(text.contains("shimx64.efi"), chains.contains(&Signed), "{format} {chains:?}: {text}");
        }
    }
}

#[test]
fn isc_configuration_reads_as_documented() {
    insta::assert_snapshot!(render(Format::Isc, &small()));
}

#[test]
fn kea_configuration_reads_as_documented() {
    insta::assert_snapshot!(render(Format::Kea, &small()));
}

#[test]
fn dnsmasq_configuration_reads_as_documented() {
    insta::assert_snapshot!(render(Format::Dnsmasq, &small()));
}

#[test]
fn only_live_entries_have_boot_files() {
    for format in FORMATS {
        let text = render(format, &small());
        assert_eq!(text.matches("undionly.kpxe").count(), 2, "{format}: over TFTP and over HTTP");
        assert_eq!(text.matches("/srv/install").count(), 1, "{format}");
    }
    let dnsmasq = render(Format::Dnsmasq, &small());
    for line in dnsmasq.lines().filter(|line| line.starts_with("dhcp-boot=") || line.contains("/srv/install")) {
        assert!(line.contains("=tag:boot/live,"), "{line}");
    }
    assert_eq!(dnsmasq.matches("set:boot/live").count(), 1, "{dnsmasq}");
}

/// Tests with real servers and clients show what a client gets that does not boot from the network; this test shows why.
#[test]
fn every_next_server_and_boot_file_is_for_one_kind_of_client() {
    let kinds = small().boot.files.len();
    let isc = render(Format::Isc, &small());
    assert!(!isc.contains("else {"), "{isc}");
    for statement in ["        next-server 10.0.0.1;", "        filename "] {
        assert_eq!(isc.matches(statement).count(), kinds, "{isc}");
        assert_eq!(isc.matches(statement.trim()).count(), kinds, "{isc}");
    }
    let kea: Value = serde_json::from_str(&render(Format::Kea, &small())).expect("JSON");
    let classes = kea["Dhcp4"]["client-classes"].as_array().expect("classes");
    let booting: Vec<&Value> = classes.iter().filter(|class| class["next-server"] == "10.0.0.1").collect();
    assert_eq!(booting.len(), kinds, "{kea}");
    assert!(
        booting.iter().all(|class| ["[93]", "[77]"].iter().any(|option| class["test"].to_string().contains(option))),
        "{kea}"
    );
    assert_eq!(kea.to_string().matches("next-server").count(), kinds, "{kea}");
    let dnsmasq = render(Format::Dnsmasq, &small());
    let boots: Vec<&str> = dnsmasq.lines().filter(|line| line.contains("10.0.0.1") && line.contains("boot=")).collect();
    assert_eq!(boots.len(), kinds, "{dnsmasq}");
    assert!(boots.iter().all(|line| line.starts_with("dhcp-boot=tag:boot/live,tag:client/")), "{boots:?}");
}

#[test]
fn without_live_entries_nothing_boots() {
    let mut quiet = small();
    quiet.networks.iter_mut().flat_map(|network| &mut network.entries).for_each(|entry| entry.live = false);
    let isc = render(Format::Isc, &quiet);
    assert!(!isc.contains("filename") && !isc.contains("group") && isc.contains("host ip-10-0-0-20 "), "{isc}");
    let kea: Value = serde_json::from_str(&render(Format::Kea, &quiet)).expect("JSON");
    assert!(!kea["Dhcp4"]["subnet4"].to_string().contains("client-classes"), "{kea}");
    let dnsmasq = render(Format::Dnsmasq, &quiet);
    assert!(!dnsmasq.contains("set:boot/live"), "{dnsmasq}");
    for format in FORMATS {
        check(format, &render(format, &quiet)).unwrap_or_else(|said| panic!("{format}: {said}"));
    }
}

#[test]
fn without_a_next_server_no_boot_loader_is_named_over_tftp() {
    let mut site = site();
    site.next_server = None;
    let entries = vec![entry("10.0.0.20", "52:54:00:00:00:01", None, "n", true)];
    let with = configuration(&site, vec![("n", network("10.0.0.0/24", &json!({})))], entries);
    for format in FORMATS {
        let text = render(format, &with);
        check(format, &text).unwrap_or_else(|said| panic!("{format}: {said}"));
        assert!(!text.contains("\"undionly.kpxe") && !text.contains("next-server"), "{text}");
        assert!(text.contains("http://10.0.0.1:8080/boot/loaders/snponly.efi"), "{text}");
    }
}

#[test]
fn order_of_the_rows_does_not_change_a_byte() {
    let (mut there, mut back) = (small(), small());
    let entries: Vec<SiteEntry> = there.networks.iter().flat_map(|network| network.entries.clone()).collect();
    let networks = |configuration: &Configuration| {
        configuration.networks.iter().map(|n| (n.name.clone(), n.spec.clone())).collect::<Vec<_>>()
    };
    let base_url: BootUrl = "http://10.0.0.1:8080".parse().expect("a URL");
    there = Configuration::new(name("dc1"), &site(), &base_url, networks(&there), entries.clone());
    back = Configuration::new(name("dc1"), &site(), &base_url, networks(&back).into_iter().rev(), entries.into_iter().rev());
    for format in FORMATS {
        assert_eq!(render(format, &there), render(format, &back));
    }
}

#[test]
fn servers_accept_a_site_of_any_size() {
    let empty = configuration(&site(), vec![], vec![]);
    for format in FORMATS {
        for configuration in [&empty, &small(), &large(1), &large(1_000), &large(20_000)] {
            let hosts: usize = configuration.networks.iter().map(|network| network.entries.len()).sum();
            check(format, &render(format, configuration)).unwrap_or_else(|said| panic!("{format} with {hosts} hosts: {said}"));
        }
    }
}

#[test]
fn checkers_would_notice_a_mistake() {
    for format in FORMATS {
        let broken = render(format, &small()).replacen(['{', '='], "", 2);
        assert!(check(format, &broken).is_err(), "{format}");
    }
}

#[test]
fn user_texts_never_become_syntax() {
    let with = |text: &str| {
        let site = site_with(&json!([{"name": "root-path", "value": {"text": text}}]));
        let entries = vec![entry("10.0.0.20", "52:54:00:00:00:01", None, "production", true)];
        let options = json!({"dhcp_options": [{"name": "merit-dump", "value": {"text": text}}]});
        configuration(&site, vec![("production", network("10.0.0.0/24", &options))], entries)
    };
    let quotes = render(Format::Isc, &with("plain")).matches('"').count();
    let wide = "🖧".repeat(300);
    for text in [
        r#"quote " quote"#,
        r#""; } host evil { filename "x"; } #"#,
        r#""}]}, "evil": [{"a": ""#,
        r"back\slash at the end\",
        r"\",
        r"\n\x41\101",
        "brace { } ; semicolon",
        "comma, and, comma",
        ",",
        "# comment // comment /* comment */",
        "${config}",
        "<?include \"/etc/passwd\"?>",
        "gräfin ünïcode",
        wide.as_str(),
    ] {
        let with = with(text);
        for format in FORMATS {
            // A value that no single option can hold cannot be written for dnsmasq at all; it was stored before
            // that was checked.
            match format.render(&with) {
                Ok(written) => check(format, &written).unwrap_or_else(|said| panic!("{format} with {text}: {said}")),
                Err(refused) => {
                    assert!(format == Format::Dnsmasq && text == wide, "{format} with {text}: {refused}");
                    assert!(refused.to_string().contains("longer than an option"), "{refused}");
                }
            }
        }
        let kea: Value = serde_json::from_str(&render(Format::Kea, &with)).expect("JSON");
        let data = kea["Dhcp4"]["subnet4"][0]["reservations"][0]["option-data"][0]["data"].as_str().expect("a text");
        assert_eq!(data.replace(r"\,", ",").replace(r"\\", r"\"), text);
        // The text resulted in nothing except the two statements.
        let isc = render(Format::Isc, &with);
        assert_eq!(isc.lines().filter(|line| line.trim_start().starts_with("host ")).count(), 1, "{isc}");
        assert_eq!(isc.matches('"').count(), quotes, "{isc}");
    }
}

#[test]
fn options_without_a_value_are_left_out_and_the_last_of_a_name_counts() {
    let options = json!({"gateway": "10.0.0.1", "dhcp_options": [
        {"name": "root-path", "value": {"text": ""}},
        {"name": "routers", "value": {"addresses": ["10.0.0.2"]}},
        {"name": "routers", "value": {"addresses": ["10.0.0.3"]}},
        {"name": "bootfile-name", "value": {"text": "a"}},
    ]});
    let with = configuration(&site(), vec![("n", network("10.0.0.0/24", &options))], vec![]);
    for format in FORMATS {
        let text = render(format, &with);
        check(format, &text).unwrap_or_else(|said| panic!("{format}: {said}"));
        assert!(text.contains("10.0.0.3") && !text.contains("10.0.0.2\"") && !text.contains("10.0.0.1,"), "{text}");
        let routers = if format == Format::Dnsmasq { "dhcp-option=tag:net/n,3," } else { "routers" };
        assert_eq!(text.matches(routers).count(), 1, "{text}");
    }
}

#[test]
fn repeated_entries_are_omitted_and_listed() {
    let entries = vec![
        entry("10.0.0.20", "52:54:00:00:00:01", None, "n", false),
        entry("10.0.0.20", "52:54:00:00:00:01", Some("again.example"), "n", false),
        entry("10.0.1.20", "52:54:00:00:00:01", None, "m", false),
        entry("10.0.1.21", "52:54:00:00:00:02", None, "m", true),
        entry("10.0.0.21", "52:54:00:00:00:02", None, "n", false),
        entry("10.0.0.20", "52:54:00:00:00:03", None, "n", false),
    ];
    let (kept, left_out) = bootledger_projections::rows::dhcp_entries::without_repeats(entries);
    let named = |entries: &[SiteEntry]| entries.iter().map(|entry| format!("{} {}", entry.ip, entry.mac)).collect::<Vec<_>>();
    assert_eq!(named(&kept), ["10.0.0.20 52:54:00:00:00:01", "10.0.1.21 52:54:00:00:00:02"]);
    let lacking = ["10.0.0.20 52:54:00:00:00:03", "10.0.0.21 52:54:00:00:00:02", "10.0.1.20 52:54:00:00:00:01"];
    assert_eq!(named(&left_out), lacking, "the same entry twice is there");
}

#[test]
fn a_repeated_address_or_interface_does_not_stop_a_site() {
    let entries = vec![
        entry("10.0.0.20", "52:54:00:00:00:01", None, "n", false),
        entry("10.0.0.20", "52:54:00:00:00:02", None, "n", true),
        entry("10.0.0.21", "52:54:00:00:00:02", None, "n", false),
        entry("10.0.0.22", "52:54:00:00:00:01", None, "n", false),
        entry("10.7.0.22", "52:54:00:00:00:04", None, "n", false),
    ];
    let with = configuration(&site(), vec![("n", network("10.0.0.0/24", &json!({})))], entries);
    let kept: Vec<String> = with.networks[0].entries.iter().map(|entry| format!("{} {}", entry.ip, entry.mac)).collect();
    assert_eq!(kept, ["10.0.0.20 52:54:00:00:00:02", "10.0.0.22 52:54:00:00:00:01"]);
    for format in FORMATS {
        check(format, &render(format, &with)).unwrap_or_else(|said| panic!("{format}: {said}"));
    }
}

#[test]
fn boot_urls_of_any_length_reach_the_host() {
    let mut site = site();
    site.boot_url = Some(format!("http://{}", "a".repeat(190)).parse().expect("a URL"));
    let entries = vec![entry("10.0.0.20", "52:54:00:00:00:01", None, "n", true)];
    let with = configuration(&site, vec![("n", network("10.0.0.0/24", &json!({})))], entries);
    for format in FORMATS {
        let text = render(format, &with);
        check(format, &text).unwrap_or_else(|said| panic!("{format}: {said}"));
        assert!(text.contains("/pxe/\""), "{text}");
    }
}

#[test]
fn a_hundred_thousand_hosts_are_all_written() {
    let configuration = large(100_000);
    for format in FORMATS {
        let started = std::time::Instant::now();
        let text = render(format, &configuration);
        println!("{format}: {} bytes in {:?}", text.len(), started.elapsed());
        assert_eq!(text.matches("52:54:00:").count(), 100_000);
    }
}
