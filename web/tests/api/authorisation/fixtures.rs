//! One object of each kind, so that a missing object does not hide a missing check, and the paths that lead to them.

use super::callers::Caller;
use super::routes::filled;
use crate::samples::boot_files_put;
use crate::support::{TestSite, deployment_started, device_registered, network_defined, site_defined};
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::{DeploymentId, SessionId, TokenId};
use bootledger_web::images::store::Contents;
use bootledger_web::machines::pxe::follow::Follower;
use bootledger_web::machines::pxe::token::Token;
use serde_json::json;
use uuid::Uuid;

/// The DHCP server of the kind "own agent".
pub(super) const DHCP_SERVER: &str = "kea-1";

/// A bulk action.
const BULK: &str = "01920000-0000-7000-8000-0000000000b1";

/// An address that an operator has reserved.
const RESERVED: &str = "10.0.0.77";

/// The objects that exist.
pub(super) struct Fixtures {
    devices: [Uuid; 2],
    /// The deployments in progress of `h200`, at 10.0.0.20, and of `h201`, at 10.0.0.21.
    pub(super) deployments: [DeploymentId; 2],
    pub(super) boot_token: String,
    others_session: SessionId,
    token: TokenId,
}

/// A path of a route, depending on the caller.
pub(super) struct Variant {
    path: String,
    /// Whether the path names a session: the caller's own, if it has one.
    own_session: bool,
    others_session: SessionId,
}

impl Variant {
    pub(super) fn for_caller(&self, caller: &Caller) -> String {
        let session = caller.session.filter(|_| self.own_session).unwrap_or(self.others_session);
        self.path.replace("SESSION", &session.to_string())
    }
}

/// The position of the last event.
pub(super) async fn end_of_log(site: &TestSite) -> i64 {
    sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&site.pool).await.expect("a position")
}

/// Whether only a whole service has the route's object: this test's site has no image library, no downloads and no loaders, for
/// example.
pub(super) fn may_be_absent(row: &str) -> bool {
    [
        "/puppet/nodes/",
        "image-library",
        "image-downloads",
        "_library",
        "_downloads",
        "/boot/loaders/",
        "/sign-in/openid",
        "/assets/",
        "/imports/",
    ]
    .iter()
    .any(|part| row.contains(part))
}

impl Fixtures {
    pub(super) async fn create(site: &TestSite) -> Self {
        let mut dc1 = site_defined();
        dc1["spec"]["boot_url"] = json!("http://10.0.0.1:8080");
        site.append("site", "dc1", dc1).await;
        let mut servers = network_defined();
        servers["spec"]["ip_only_done"] = json!(false);
        site.append("network", "servers", servers).await;
        site.append("rack", "r1", json!({"type": "RackDefined", "spec": {"site": "dc1", "description": "", "units": 42}})).await;
        let venture = json!({"type": "VentureDefined", "spec": {"parent": null, "default_boot_image": null}});
        site.append("venture", "shop", venture).await;
        let role = json!({"description": "", "default_boot_image": null, "puppet_classes": [], "puppet_parameters": {}});
        site.append("venture", "shop", json!({"type": "RoleDefined", "role": "web", "spec": role})).await;
        let dhcp_server = json!({"site": "dc1", "address": "10.0.0.2", "kind": "kea"});
        for name in [DHCP_SERVER, "kea-2"] {
            site.append("dhcp_server", name, json!({"type": "DhcpServerDefined", "spec": dhcp_server})).await;
        }
        let webhook = json!({"description": "", "url": "https://chat.example/", "events": ["*"], "secret": "webhook-chat"});
        site.append("webhook", "chat", json!({"type": "WebhookDefined", "spec": webhook})).await;
        let scope = json!({"networks": ["10.0.9.0/24"], "protocols": ["redfish"], "sites": ["dc1"]});
        site.append("secret", "bmc", json!({"type": "SecretScopeDefined", "spec": scope})).await;
        boot_image(site).await;
        let mut devices = [Uuid::nil(); 2];
        let mut deployments = [DeploymentId::default(); 2];
        for (n, (device, deployment)) in devices.iter_mut().zip(&mut deployments).enumerate() {
            (*device, *deployment) = (Uuid::now_v7(), DeploymentId(Uuid::now_v7()));
            in_progress(site, n, *device, *deployment).await;
        }
        site.user("uwe", Role::Viewer).await;
        let row = json!({"target": devices[0], "name": "h200"});
        let action = json!({"type": "BulkStarted", "action": {"action": "verify"}, "rows": [row], "list": "/devices", "level": "operator"});
        site.append("bulk", BULK, action).await;
        let spec = json!({"note": "For a firewall", "expires": "2026-03-02T12:00:00Z"});
        site.append("reservation", RESERVED, json!({"type": "AddressReserved", "network": "servers", "spec": spec})).await;
        let others_session = site.session("uwe").await.0;
        let token = site.token(TokenScope::Viewer, None).await.0;
        Follower::new(site.pool.clone()).step(&site.boot.table).await.expect("the boot table is loaded");
        let boot_token = Token::of(&site.boot.application.key, deployments[0]).as_str().to_owned();
        Self { devices, deployments, boot_token, others_session, token }
    }

    /// The paths of a pattern, each with a label: the caller's own object, and another's if that can make a difference.
    pub(super) fn paths(&self, pattern: &str) -> Vec<(&'static str, Variant)> {
        let variant = |own_session, query: &str| {
            let path = self.fill(pattern) + query;
            Variant { path, own_session, others_session: self.others_session }
        };
        match pattern {
            "/api/v1/sessions/{id}" | "/settings/sessions/{id}/end" => {
                vec![(" (own)", variant(true, "")), (" (another's)", variant(false, ""))]
            }
            "/api/v1/sessions" => vec![(" (own)", variant(true, "")), (" (another's)", variant(false, "?user=uwe"))],
            _ => vec![("", variant(false, ""))],
        }
    }

    fn fill(&self, pattern: &str) -> String {
        let of = |start: &str| pattern.starts_with(start) || pattern.starts_with(&format!("/api/v1{start}"));
        filled(pattern, |variable| match variable {
            "key" if of("/sites") => "dc1".to_owned(),
            "key" if of("/networks") => "servers".to_owned(),
            "key" if of("/racks") => "r1".to_owned(),
            "key" if of("/ventures") => "shop".to_owned(),
            "key" if of("/boot-images") => "debian".to_owned(),
            "key" if of("/dhcp-servers") => DHCP_SERVER.to_owned(),
            "key" if of("/webhooks") || of("/settings/webhooks") => "chat".to_owned(),
            "key" if of("/secrets") => "bmc".to_owned(),
            "id" if of("/devices") => self.devices[0].to_string(),
            "id" if of("/deployments") => self.deployments[0].to_string(),
            "id" if pattern.contains("/sessions/") => "SESSION".to_owned(),
            "id" if pattern.contains("/tokens/") => self.token.to_string(),
            "id" if of("/bulk-actions") => BULK.to_owned(),
            "id" => Uuid::nil().to_string(),
            "name" if of("/settings/secrets") => "bmc".to_owned(),
            "name" if of("/users") || of("/settings/users") => "uwe".to_owned(),
            "name" if of("/dhcp/servers") => DHCP_SERVER.to_owned(),
            "name" if of("/pxe") => "boot.ipxe".to_owned(),
            "name" => "debian-13".to_owned(),
            "file" if of("/dhcp") => "kea.json".to_owned(),
            "file" => "boot.ipxe".to_owned(),
            "image" => "debian".to_owned(),
            "ip" if pattern.contains("/reservations/") => RESERVED.to_owned(),
            "ip" => "10.0.0.20".to_owned(),
            "site" => "dc1".to_owned(),
            "role" => "web".to_owned(),
            "plugin" => "dns".to_owned(),
            "position" => "1".to_owned(),
            "since" | "from" | "hash" => "0".to_owned(),
            "tab" => "addresses".to_owned(),
            "zone" => "dc1.example".to_owned(),
            "mac" => "52:54:00:00:00:01".to_owned(),
            "hostname" | "certname" => "h200.dc1.example".to_owned(),
            "token" => self.boot_token.clone(),
            "path" => "a/b".to_owned(),
            "topic" => "deploying".to_owned(),
            _ => panic!("{pattern}: say in the fixtures what {{{variable}}} is here"),
        })
    }
}

async fn boot_image(site: &TestSite) {
    let defined =
        json!({"type": "BootImageDefined", "spec": {"description": "", "open_minutes": 30, "in_progress_minutes": 120}});
    site.append("boot_image", "debian", defined).await;
    for put in boot_files_put(site).await {
        site.append("boot_image", "debian", put).await;
    }
}

async fn in_progress(site: &TestSite, n: usize, device: Uuid, deployment: DeploymentId) {
    let mac = format!("52:54:00:00:00:0{n}");
    site.append("device", &device.to_string(), device_registered(&mac, Some(&format!("10.0.9.{}", n + 1)))).await;
    let (ip, hostname) = (format!("10.0.0.2{n}"), format!("h20{n}.dc1.example"));
    let mut started = deployment_started(device, "servers", &mac, &ip, &hostname);
    started["boot_image_revision"] = json!(4);
    let id = deployment.to_string();
    site.append("deployment", &id, started).await;
    site.append("deployment", &id, json!({"type": "DeploymentInProgress", "device": device})).await;
    let served = json!({"type": "BootFileServed", "file": "boot.ipxe", "sha256": "ab".repeat(32), "client": format!("10.0.0.2{n}"),
        "at": "2026-03-01T12:00:00Z"});
    site.append("deployment", &id, served).await;
    let log = Contents::new(site.boot.application.files.clone()).store_bytes("a log".into()).await.expect("stored");
    let received = json!({"type": "InstallerLogReceived", "sha256": log.sha256, "size": log.size});
    site.append("deployment", &id, received).await;
}
