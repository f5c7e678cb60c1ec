//! The sites whose pages are reviewed, and the requests that show every state of a page.

use super::clock;
use super::downloads::Downloads;
use super::objects::{
    self, BLADE, CANCELLED, CHASSIS, DECOMMISSIONED, DONE, FAILING, FREE, INSTALLING, MANUAL, UNVERIFIED, WAITING, deployment,
    device,
};
use crate::routes::filled;
use crate::support::TestSite;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use bootledger_web::http::ports::LibraryPort;
use bootledger_web::machines::pxe::follow::Follower;
use std::sync::Arc;
use uuid::Uuid;

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visitor {
    Administrator,
    Viewer,
    SignedIn,
    Anonymous,
}

/// One request of a page. The label names the state of the page in its snapshot.
pub(crate) struct PageRequest {
    pub(crate) label: String,
    pub(crate) path: String,
    pub(crate) visitor: Visitor,
}

/// A request of an administrator's program.
pub(crate) fn show(label: &str, path: impl Into<String>) -> PageRequest {
    PageRequest { label: label.to_owned(), path: path.into(), visitor: Visitor::Administrator }
}

fn as_viewer(path: impl Into<String>) -> PageRequest {
    PageRequest { visitor: Visitor::Viewer, ..show("viewer", path) }
}

/// The site, and what visitors send with their requests.
pub(crate) struct Fixtures {
    pub(crate) site: TestSite,
    pub(crate) administrator: String,
    pub(crate) viewer: String,
    /// The cookie of a signed-in administrator.
    pub(crate) cookie: String,
    downloads: Vec<(&'static str, Uuid)>,
    session: Uuid,
    token: Uuid,
}

/// A site without objects.
pub(crate) async fn empty() -> Fixtures {
    Fixtures::of(site(Downloads::default()).await, vec![]).await
}

async fn site(downloads: Downloads) -> TestSite {
    TestSite::create_with(|application| {
        application.now = clock;
        application.library = Some(LibraryPort::new(Arc::new(downloads)));
    })
    .await
}

const DEPLOYED: [(&str, u128); 6] = [
    ("open, waiting and overdue", WAITING),
    ("open, failing", FAILING),
    ("in progress", INSTALLING),
    ("in progress, waiting for an operator", MANUAL),
    ("done", DONE),
    ("cancelled", CANCELLED),
];

const DEVICES: [(&str, u128); 6] = [
    ("free", FREE),
    ("installing", INSTALLING),
    ("not verified", UNVERIFIED),
    ("chassis", CHASSIS),
    ("blade", BLADE),
    ("decommissioned", DECOMMISSIONED),
];

impl Fixtures {
    /// A site with some objects of each kind.
    pub(crate) async fn create() -> Self {
        let downloads = Downloads::in_each_status();
        let ids = downloads.ids();
        let site = site(downloads).await;
        objects::catalogue(&site).await;
        objects::devices(&site).await;
        objects::deployments(&site).await;
        objects::accounts(&site).await;
        objects::reservations(&site).await;
        objects::bulk_actions(&site).await;
        objects::webhooks(&site).await;
        site.boot.application.vitals.worker("projector").succeeded();
        site.boot.application.vitals.worker("reactor").failed_because("connection refused");
        Self::of(site, ids).await
    }

    async fn of(site: TestSite, downloads: Vec<(&'static str, Uuid)>) -> Self {
        site.show().await;
        Follower::new(site.pool.clone()).step(&site.boot.table).await.expect("the boot table is loaded");
        let administrator = site.bearer(TokenScope::Administrator).await;
        let viewer = site.bearer(TokenScope::Viewer).await;
        site.user("ada", Role::Administrator).await;
        let (session, cookie) = site.session("ada").await;
        let token = site.token(TokenScope::Viewer, None).await.0;
        Self { site, administrator, viewer, cookie, downloads, session: session.0, token: token.0 }
    }

    /// The requests for a route: usually one; several where a page looks different in several states.
    pub(crate) fn requests(&self, pattern: &str) -> Vec<PageRequest> {
        let each = |devices: &[(&str, u128)], tab: &str| {
            devices.iter().map(|(label, number)| show(label, format!("/devices/{}{tab}", device(*number)))).collect::<Vec<_>>()
        };
        let usual = usual_path(pattern);
        match pattern {
            "/deployments" | "/devices" => {
                vec![show("", pattern), show("no results", format!("{pattern}?q=no-such-name")), as_viewer(pattern)]
            }
            "/deployments/{id}" => {
                DEPLOYED.iter().map(|(label, number)| show(label, format!("/deployments/{}", deployment(*number)))).collect()
            }
            "/devices/{id}" => each(&DEVICES, "").into_iter().chain([as_viewer(usual)]).collect(),
            "/devices/{id}/deploy" | "/devices/{id}/power" => {
                let (_, tab) = pattern.rsplit_once('/').expect("a tab");
                each(&[("free", FREE), ("installing", INSTALLING), ("not verified", UNVERIFIED)], &format!("/{tab}"))
            }
            "/devices/{id}/{tab:components|addresses|history}" => ["components", "addresses", "history"]
                .into_iter()
                .flat_map(|tab| {
                    let shown = if tab == "components" {
                        [("chassis", CHASSIS), ("free", FREE)]
                    } else {
                        [("free", FREE), ("installing", INSTALLING)]
                    };
                    each(&shown, &format!("/{tab}"))
                        .into_iter()
                        .map(move |request| PageRequest { label: format!("{tab}, {}", request.label), ..request })
                })
                .collect(),
            "/compare" => vec![show("", "/compare"), show("a network", "/compare?object=network/prod&from=0")],
            "/search" => {
                vec![
                    show("", "/search"),
                    show("results", "/search?q=h20"),
                    show("an address", "/search?q=10.0.0.22"),
                    show("the past", "/search?q=h20&at=40"),
                    show("no results", "/search?q=no-such-name"),
                ]
            }
            "/addresses/{ip}" => {
                vec![show("", usual), show("never held", "/addresses/10.0.0.200"), show("unknown", "/addresses/192.0.2.1")]
            }
            "/networks/{key}" => vec![
                show("", usual.clone()),
                show("without DHCP", "/networks/lab"),
                show("the past", format!("{usual}?at=3")),
                as_viewer(usual),
            ],
            "/networks/{key}/reserve" => {
                vec![show("", usual.clone()), show("reserved", format!("{usual}?ip={}", objects::RESERVED))]
            }
            "/networks/{key}/release" => vec![show("", format!("{usual}?ip={}", objects::RESERVED))],
            "/boot-images/{key}/revert" => vec![show("", format!("{usual}?to=1"))],
            "/dhcp-servers/{key}" => vec![
                show("confirmed", usual),
                show("failing", "/dhcp-servers/isc-1"),
                show("never confirmed", "/dhcp-servers/dnsmasq-1"),
            ],
            "/sites/{key}" => vec![show("", usual.clone()), show("without zones", "/sites/dc2"), as_viewer(usual)],
            "/boot-images/{key}" => vec![show("", usual), show("without files", "/boot-images/bare")],
            "/boot-images/{key}/preview" => vec![
                show("", usual.clone()),
                show("of a free device", format!("{usual}?server={}", device(FREE))),
                show("of a deployment", format!("{usual}?server={}", deployment(INSTALLING))),
                show("no such server", format!("{usual}?server=no-such-name")),
            ],
            "/boot-images/_library/{name}" => {
                vec![show("", usual), show("files from a folder", "/boot-images/_library/windows-server-2022")]
            }
            "/boot-images/_downloads/{id}" => {
                self.downloads.iter().map(|(label, id)| show(label, format!("/boot-images/_downloads/{id}"))).collect()
            }
            "/settings" => {
                vec![show("token", usual.clone()), PageRequest { visitor: Visitor::SignedIn, ..show("signed in", usual) }]
            }
            "/settings/sessions/{id}/end" => {
                let path = format!("/settings/sessions/{}/end", self.session);
                vec![PageRequest { visitor: Visitor::SignedIn, ..show("", path) }]
            }
            "/settings/tokens/{id}/revoke" => vec![show("", format!("/settings/tokens/{}/revoke", self.token))],
            "/settings/password" => vec![PageRequest { visitor: Visitor::SignedIn, ..show("", usual) }],
            "/sign-in" => vec![PageRequest { visitor: Visitor::Anonymous, ..show("", usual) }],
            _ => vec![show("", usual)],
        }
    }
}

/// A path of a route.
fn usual_path(pattern: &str) -> String {
    filled(pattern, |variable| match variable {
        "key" if pattern.starts_with("/sites") => "dc1".to_owned(),
        "key" if pattern.starts_with("/networks") => "prod".to_owned(),
        "key" if pattern.starts_with("/racks") => "r1".to_owned(),
        "key" if pattern.starts_with("/ventures") => "shop".to_owned(),
        "key" if pattern.starts_with("/boot-images") => "debian".to_owned(),
        "key" if pattern.starts_with("/dhcp-servers") => "kea-1".to_owned(),
        "key" if pattern.starts_with("/settings/webhooks") => "chat".to_owned(),
        "id" if pattern.starts_with("/devices") => device(FREE).to_string(),
        "id" if pattern.starts_with("/deployments") => deployment(INSTALLING).to_string(),
        "id" if pattern.starts_with("/bulk-actions") => objects::BULK.to_owned(),
        "id" => Uuid::nil().to_string(),
        "name" if pattern.starts_with("/settings/secrets") => "bmc".to_owned(),
        "name" if pattern.starts_with("/settings/users") => "otto".to_owned(),
        "name" => "debian-12".to_owned(),
        "file" => "boot.ipxe".to_owned(),
        "role" => "web".to_owned(),
        "tab" => "addresses".to_owned(),
        "zone" => "dc1.example".to_owned(),
        "ip" => "10.0.0.22".to_owned(),
        "mac" => "5254.0000.0002".to_owned(),
        "hostname" => "h202.dc1.example".to_owned(),
        "position" => "1".to_owned(),
        "topic" => "deploying".to_owned(),
        _ => panic!("{pattern}: set the value of {{{variable}}} here"),
    })
}
