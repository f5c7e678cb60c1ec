//! The events of a site with some objects of each kind in their usual states.
//!
//! The events have fixed times, and the site's clock does not move, so that durations are the same in every run.

use super::clock;
use crate::samples::boot_files_put;
use crate::support::{TestSite, deployment_started, device_registered, network_defined, site_defined};
use bootledger_web::images::store::Contents;
use serde_json::{Value, json};
use uuid::Uuid;

/// The ID of the device with this number.
pub(crate) fn device(number: u128) -> Uuid {
    Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + number)
}

/// The ID of the deployment of the device with this number.
pub(crate) fn deployment(number: u128) -> Uuid {
    Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 + number)
}

/// The numbers of the devices, and of their deployments.
pub(crate) const FREE: u128 = 1;
pub(crate) const INSTALLING: u128 = 2;
pub(crate) const WAITING: u128 = 3;
pub(crate) const FAILING: u128 = 4;
pub(crate) const DONE: u128 = 5;
pub(crate) const CANCELLED: u128 = 6;
pub(crate) const MANUAL: u128 = 7;
pub(crate) const CHASSIS: u128 = 8;
pub(crate) const BLADE: u128 = 9;
pub(crate) const UNVERIFIED: u128 = 10;
pub(crate) const DECOMMISSIONED: u128 = 11;

/// Appends events of one aggregate, each ten seconds after the event before it.
async fn append(site: &TestSite, kind: &str, id: &str, events: impl IntoIterator<Item = Value>) {
    for event in events {
        let end: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&site.pool).await.expect("a position");
        let at = clock().plus_seconds(10 * end - 7_200);
        site.append_recorded(kind, id, event, Some(at)).await;
    }
}

/// A bulk action with a row that was done, one that was refused, and one that waits.
pub(super) const BULK: &str = "01920000-0000-7000-8000-0000000000b1";

/// Appended last, so that the numbers of the other events stay as they are.
pub(super) async fn bulk_actions(site: &TestSite) {
    let row = |n: u8, name: &str| json!({"target": format!("01920000-0000-7000-8000-00000000000{n}"), "name": name});
    let rows = [row(1, "R640 no. 1"), row(2, "R640 no. 2"), row(3, "R640 no. 3")];
    let reasons = json!([{"rule": "role_missing", "message": "a device needs a role"}]);
    let results = json!([
        {"row": 0, "attempt": 1, "outcome": "done"},
        {"row": 1, "attempt": 1, "outcome": "refused", "reasons": reasons},
    ]);
    let started = json!({"type": "BulkStarted", "action": {"action": "verify"}, "rows": rows, "list": "/devices?site=dc1", "level": "operator"});
    let finished = json!({"type": "BulkRowsFinished", "results": results});
    append(site, "bulk", BULK, [started, finished]).await;
}

/// The address that an operator has reserved.
pub(super) const RESERVED: &str = "10.0.0.77";

/// Appended last, so that the numbers of the other events stay as they are.
pub(super) async fn reservations(site: &TestSite) {
    let spec = json!({"note": "For the new firewall", "expires": "2026-03-02T12:00:00Z"});
    append(site, "reservation", RESERVED, [json!({"type": "AddressReserved", "network": "prod", "spec": spec})]).await;
}

/// Appended last, so that the numbers of the other events stay as they are.
pub(super) async fn webhooks(site: &TestSite) {
    let spec = json!({"description": "The team's chat", "url": "https://chat.example/", "events": ["deployment.*"], "secret": "webhook-chat"});
    append(site, "webhook", "chat", [json!({"type": "WebhookDefined", "spec": spec})]).await;
}

pub(crate) async fn catalogue(site: &TestSite) {
    let mut dc1 = site_defined();
    dc1["spec"]["boot_url"] = json!("http://10.0.0.1:8080");
    dc1["spec"]["zones"] = json!(["dc1.example", {"name": "0.10.in-addr.arpa", "name_servers": ["ns1.dc1.example"], "records": "7 PTR other.example.\n"}]);
    dc1["spec"]["dns_updates"] = json!({"primary": "10.0.0.53", "port": 53, "key": {"name": "bootledger", "algorithm": "hmac-sha256", "secret": "tsig-dc1"}});
    dc1["spec"]["dhcp_header"] = json!([{"name": "ntp-servers", "value": {"addresses": ["10.0.0.3"]}}]);
    dc1["spec"]["settings"] = json!({"time_zone": "Europe/Warsaw"});
    append(site, "site", "dc1", [dc1]).await;
    let mut dc2 = site_defined();
    (dc2["spec"]["name"], dc2["spec"]["domain"], dc2["spec"]["zones"]) = (json!("Second"), json!("dc2.example"), json!([]));
    append(site, "site", "dc2", [dc2]).await;
    let mut prod = network_defined();
    (prod["spec"]["racks"], prod["spec"]["vlan"], prod["spec"]["ip_only_done"]) = (json!(["r1"]), json!(12), json!(false));
    append(site, "network", "prod", [prod]).await;
    let mut lab = network_defined();
    (lab["spec"]["cidr"], lab["spec"]["gateway"], lab["spec"]["dhcp"]) = (json!("10.8.0.0/20"), json!(null), json!(false));
    append(site, "network", "lab", [lab]).await;
    append(
        site,
        "rack",
        "r1",
        [json!({"type": "RackDefined", "spec": {"site": "dc1", "description": "By the door", "units": 12}})],
    )
    .await;
    for (name, kind) in [("kea-1", "kea"), ("isc-1", "isc"), ("dnsmasq-1", "dnsmasq")] {
        let defined = json!({"type": "DhcpServerDefined", "spec": {"site": "dc1", "address": "10.0.0.2", "kind": kind}});
        append(site, "dhcp_server", name, [defined]).await;
    }
    let venture = |parent: Value| json!({"type": "VentureDefined", "spec": {"description": "Sells", "parent": parent, "default_boot_image": "debian"}});
    append(site, "venture", "retail", [venture(json!(null))]).await;
    let role = json!({"description": "Front ends", "default_boot_image": null, "puppet_classes": ["role::web"], "puppet_parameters": {"tier": 1}, "settings": {"disk": "/dev/sda"}});
    append(site, "venture", "shop", [venture(json!("retail")), json!({"type": "RoleDefined", "role": "web", "spec": role})])
        .await;
    let scope = json!({"description": "Controllers", "networks": ["10.0.9.0/24"], "protocols": ["redfish"], "ports": [443], "sites": ["dc1"]});
    append(site, "secret", "bmc", [json!({"type": "SecretScopeDefined", "spec": scope})]).await;
    boot_images(site).await;
    let confirmed = json!({"type": "ConfigurationConfirmed", "site": "dc1", "revision": "ab".repeat(32), "position": 7});
    append(site, "dhcp_server", "kea-1", [confirmed.clone()]).await;
    let failed = json!({"type": "ConfigurationFailed", "site": "dc1", "revision": null, "message": "line 3: syntax error"});
    append(site, "dhcp_server", "isc-1", [confirmed, failed]).await;
    for (key, nature, found) in
        [("h200.dc1.example/A", "missing", json!([])), ("h299.dc1.example/A", "foreign", json!(["10.9.9.9"]))]
    {
        let difference =
            json!({"nature": nature, "server": "10.0.0.53:53", "expected": ["10.0.0.20"], "found": found, "message": ""});
        append(site, "drift", &format!("dc1/dns/{key}"), [json!({"type": "DriftFound", "difference": difference})]).await;
    }
}

async fn boot_images(site: &TestSite) {
    let settings = json!({
        "disk": {"type": "text", "description": "Disk to install on", "default": "auto"},
        "layout": {"type": "choice", "description": "", "default": "plain", "choices": ["plain", "lvm"]},
        "password": {"type": "secret", "description": "", "required": true},
    });
    let spec = json!({"description": "Debian 13", "open_minutes": 30, "in_progress_minutes": 120, "settings": settings});
    append(site, "boot_image", "debian", [json!({"type": "BootImageDefined", "spec": spec})]).await;
    append(site, "boot_image", "debian", boot_files_put(site).await).await;
    let bare =
        json!({"description": "", "open_minutes": 30, "in_progress_minutes": 120, "done_by": "puppet", "network_boot": "once"});
    append(site, "boot_image", "bare", [json!({"type": "BootImageDefined", "spec": bare})]).await;
}

/// The event that registers the device with this number.
fn registered(number: u128) -> Value {
    let mut event = device_registered(&format!("52:54:00:00:00:{number:02x}"), None);
    (event["name"], event["serial"]) = (json!(format!("R640 no. {number}")), json!(format!("SN{number}")));
    event
}

pub(crate) async fn devices(site: &TestSite) {
    for number in FREE..=DECOMMISSIONED {
        let mut event = registered(number);
        match number {
            UNVERIFIED => {}
            BLADE => (event["kind"], event["parent"]) = (json!("blade"), json!(device(CHASSIS))),
            _ => (event["rack"], event["position"]) = (json!("r1"), json!(number)),
        }
        if number == FREE {
            event["management"] = json!({"address": "10.0.9.1", "protocol": "redfish", "credentials": "bmc"});
        }
        append(site, "device", &device(number).to_string(), [event]).await;
    }
    for number in (FREE..=BLADE).chain([DECOMMISSIONED]) {
        let owner = json!({"type": "VentureRoleSet", "venture": "shop", "role": "web"});
        append(site, "device", &device(number).to_string(), [owner, json!({"type": "DeviceVerified"})]).await;
    }
    let entry = json!({"ip": "10.0.0.30", "mac": "52:54:00:00:00:01", "hostname": "h230.dc1.example", "network": "prod"});
    let facts = json!({
        "type": "FactsRecorded", "addresses_added": ["10.0.0.30"], "addresses_removed": [], "addresses_released": [],
        "dns_added": [{"hostname": "h230.dc1.example", "ip": "10.0.0.30"}], "dns_removed": [], "hostnames_released": [],
        "dhcp_added": [entry], "dhcp_removed": [], "software": ["nginx 1.26"], "disk_shares": ["lun 7"],
        "operating_system": "Debian 12", "uptime_seconds": 86_400, "sub_devices": null,
    });
    let remark = json!({"type": "RemarkAdded", "remark": "new board", "deployment": null});
    let order = json!({"type": "PowerRequested", "order": Uuid::from_u128(7), "action": "cycle", "network_boot": true, "restart": null, "at": clock()});
    let failed = json!({"type": "PowerFailed", "order": Uuid::from_u128(7), "action": "cycle", "network_boot": true, "restart": null,
        "reason": "the management controller 10.0.9.1 did not answer within 8 s", "uncertain": true});
    append(site, "device", &device(FREE).to_string(), [facts, remark, order, failed]).await;
    append(site, "device", &device(DECOMMISSIONED).to_string(), [json!({"type": "DeviceDecommissioned", "reason": "worn out"})])
        .await;
}

/// The event that starts the deployment with this number.
fn started(number: u128) -> Value {
    let (mac, ip) = (format!("52:54:00:00:00:{number:02x}"), format!("10.0.0.{}", 20 + number));
    let mut event = deployment_started(device(number), "prod", &mac, &ip, &format!("h20{number}.dc1.example"));
    event["boot_image_revision"] = json!(4);
    event["settings"] = json!({"disk": {"value": "/dev/sda", "from": "role shop/web"}});
    event
}

fn succeeded(plugins: &[&str]) -> Vec<Value> {
    plugins.iter().map(|plugin| json!({"type": "PluginSucceeded", "plugin": plugin})).collect()
}

pub(crate) async fn deployments(site: &TestSite) {
    let prepared = ["clean", "role", "dns", "dhcp"];
    let in_progress =
        |number| [succeeded(&prepared), vec![json!({"type": "DeploymentInProgress", "device": device(number)})]].concat();
    for number in [INSTALLING, WAITING, FAILING, DONE, CANCELLED, MANUAL] {
        let (ip, mac, hostname) =
            (format!("10.0.0.{}", 20 + number), format!("52:54:00:00:00:{number:02x}"), format!("h20{number}.dc1.example"));
        let more = match number {
            WAITING => {
                let servers = json!([{"server": "kea-1"}, {"server": "isc-1", "error": "line 3: syntax error"}]);
                let reason = json!({"code": "dhcp_servers", "servers": servers});
                let awaited = ["dhcp-server:kea-1", "dhcp-server:isc-1"];
                let waiting = json!({"type": "PluginWaiting", "plugin": "dhcp", "reason": reason, "awaited": awaited});
                let overdue = json!({"type": "DeploymentOverdue", "stage": "open", "since": clock(), "limit_minutes": 30});
                [succeeded(&prepared[..3]), vec![waiting, overdue]].concat()
            }
            FAILING => {
                let reason = json!({"code": "external", "system": "dns_primary", "detail": "the DNS primary 10.0.0.53:53 refused the update"});
                let failed = json!({"type": "PluginFailed", "plugin": "dns", "attempt": 2, "reason": reason, "retry_at": clock().plus_seconds(60)});
                [succeeded(&prepared[..2]), vec![failed]].concat()
            }
            MANUAL => {
                let reason = json!({"code": "manual_restart", "mac": mac, "missing": {"code": "address"}});
                let waiting = json!({"type": "PluginWaiting", "plugin": "reboot", "reason": reason, "awaited": ["operator"]});
                [in_progress(number), vec![waiting]].concat()
            }
            INSTALLING => [in_progress(number), succeeded(&["reboot"]), installing(site, &ip).await].concat(),
            DONE => {
                let done = json!({"type": "DeploymentDone", "device": device(number), "by": {"ip": {"address": ip}}});
                [in_progress(number), succeeded(&["reboot"]), vec![done]].concat()
            }
            _ => vec![
                json!({"type": "DeploymentCancelled", "device": device(number), "by": "user ada", "reason": "the wrong rack", "released": []}),
            ],
        };
        let id = deployment(number);
        append(site, "deployment", &id.to_string(), [started(number)].into_iter().chain(more)).await;
        if number != CANCELLED {
            let entry = json!({"ip": ip, "mac": mac, "hostname": hostname, "network": "prod"});
            let assigned = json!({"type": "AddressAssigned", "deployment": id, "ip": ip});
            let dns = json!({"type": "DnsEntryCreated", "deployment": id, "entry": {"hostname": hostname, "ip": ip}});
            let dhcp = json!({"type": "DhcpEntryCreated", "deployment": id, "entry": entry});
            append(site, "device", &device(number).to_string(), [assigned, dns, dhcp]).await;
        }
    }
}

/// The events of an installation: a served file, the installer's reports and its log.
async fn installing(site: &TestSite, client: &str) -> Vec<Value> {
    let log = Contents::new(site.boot.application.files.clone()).store_bytes("a log".into()).await.expect("stored");
    vec![
        json!({"type": "BootFileServed", "file": "boot.ipxe", "sha256": "ab".repeat(32), "client": client, "at": clock().plus_seconds(-600)}),
        json!({"type": "InstallerReported", "stage": "partition", "percent": 40, "text": "Creating ext4 on /dev/sda2"}),
        json!({"type": "InstallerLogReceived", "sha256": log.sha256, "size": log.size}),
    ]
}

pub(crate) async fn accounts(site: &TestSite) {
    let created =
        |role: &str, sign_in: Value| json!({"type": "UserCreated", "display_name": "Otto", "role": role, "sign_in": sign_in});
    let password = json!({"password": {"password": Uuid::from_u128(7), "one_time": false}});
    let locked = json!({"type": "UserLockedOut", "limited": "everywhere", "at": clock()});
    append(site, "user", "otto", [created("operator", password), locked]).await;
    append(site, "user", "vera", [created("viewer", json!("openid_connect")), json!({"type": "UserDisabled"})]).await;
    for (scope, number) in [json!("puppet_reports"), json!({"dhcp_server": "kea-1"})].into_iter().zip(1..) {
        let token = json!({"type": "TokenCreated", "name": format!("token {number}"), "scope": scope, "expires": clock().plus_seconds(3_600)});
        append(site, "token", &Uuid::from_u128(number).to_string(), [token]).await;
    }
}
