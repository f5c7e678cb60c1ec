//! A log and its views for tests: events are written as the store writes them, except for claims and hashes, and projected.

use crate::harness::{Harness, identity, name};
use bootledger_aggregates::boot_image::{BootFile, BootImageEvent, EndedBy, FileKind};
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::event::{DeploymentEvent, DeploymentStarted, DoneBy, Limits};
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::network::NetworkEvent;
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::site::SiteEvent;
use bootledger_aggregates::token::{TokenEvent, TokenScope};
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, TokenId};
use bootledger_projections::projector::{self, Step};
use bootledger_test_cluster::TestDatabase;
use bootledger_web::http::auth::token::Secret;
use cqrs_es::DomainEvent;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

pub(crate) struct Log {
    pub(crate) harness: Harness,
    database: TestDatabase,
}

/// Each address has its own device, MAC address and name: 10.0.0.20 is h200's.
fn device(ip: &str) -> DeviceId {
    DeviceId(identity(ip).deployment.0)
}

impl Log {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await.expect("a database");
        let harness = Harness::with_views(database.pool(5).await.expect("a pool"));
        Self { harness, database }
    }

    /// Appends an event and shows it in the views.
    pub(crate) async fn happens<E: DomainEvent + Serialize>(&self, aggregate: &str, id: &str, event: E) -> i64 {
        let views = &self.harness.application.views;
        let appended = sqlx::query_scalar::<_, i64>(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position,
                                 recorded_at, chain)
             SELECT $1, $2, 1 + (SELECT count(*) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2), $3, $4, $5::json,
                    '{\"actor\": \"test\", \"correlation_id\": \"1\"}', 1 + (SELECT count(*) FROM events), now(), decode(repeat('00', 32), 'hex')
             RETURNING position",
        );
        let payload = serde_json::to_string(&event).expect("JSON");
        let position = appended
            .bind(aggregate)
            .bind(id)
            .bind(event.event_type())
            .bind(event.event_version())
            .bind(payload)
            .fetch_one(views)
            .await
            .expect("appended");
        assert!(matches!(projector::step(views).await.expect("projected"), Step::Advanced { .. }));
        let parked: i64 = sqlx::query_scalar("SELECT count(*) FROM parked").fetch_one(views).await.expect("counted");
        assert_eq!(parked, 0, "{} was parked", event.event_type());
        self.harness.position.send_replace(position);
        position
    }

    /// A site, a network and a boot image with a script and a kernel.
    pub(crate) async fn data_centre(&self, ip_only_done: bool) {
        self.site("http://10.0.0.1:8080").await;
        self.network(ip_only_done, "10.0.0.1").await;
        let spec = serde_json::from_value(json!({})).expect("a spec");
        self.happens("boot_image", "debian-13", BootImageEvent::BootImageDefined { spec }).await;
        let script = self.harness.stored(FileKind::BootIpxe, true, "#!ipxe\n{{ hostname }} {{ gateway }} {{ base_url }}\n").await;
        self.file("boot.ipxe", script).await;
        let kernel = self.harness.stored(FileKind::Kernel, false, "a kernel").await;
        self.file("vmlinuz", kernel).await;
    }

    pub(crate) async fn site(&self, boot_url: &str) {
        let spec = json!({ "domain": "dc1.example", "boot_url": boot_url, "next_server": null, "hostname_template": null });
        let spec = serde_json::from_value(spec).expect("a spec");
        self.happens("site", "dc1", SiteEvent::SiteDefined { spec }).await;
    }

    pub(crate) async fn network(&self, ip_only_done: bool, gateway: &str) {
        let spec = json!({ "cidr": "10.0.0.0/24", "site": "dc1", "gateway": gateway, "ip_only_done": ip_only_done });
        let spec = serde_json::from_value(spec).expect("a spec");
        self.happens("network", "dc1-servers", NetworkEvent::NetworkDefined { spec }).await;
    }

    pub(crate) async fn file(&self, file_name: &str, file: BootFile) -> i64 {
        self.happens("boot_image", "debian-13", BootImageEvent::BootFilePut { name: name(file_name), file }).await
    }

    /// An open deployment of the image as `data_centre` defines it.
    pub(crate) async fn open(&self, ip: &str) -> DeploymentId {
        self.open_as(identity(ip).deployment, ip).await
    }

    pub(crate) async fn open_as(&self, deployment: DeploymentId, ip: &str) -> DeploymentId {
        self.open_with(deployment, ip, ResolvedSettings::default()).await
    }

    /// A deployment in progress that was started with these settings.
    pub(crate) async fn in_progress_with(&self, ip: &str, settings: serde_json::Value) -> DeploymentId {
        let settings = serde_json::from_value(settings).expect("settings");
        let deployment = self.open_with(identity(ip).deployment, ip, settings).await;
        self.deployment(deployment, DeploymentEvent::DeploymentInProgress { device: device(ip) }).await;
        deployment
    }

    async fn open_with(&self, deployment: DeploymentId, ip: &str, settings: ResolvedSettings) -> DeploymentId {
        let usual = identity(ip).assignment;
        let last = usual.ip.octets()[3];
        let started = DeploymentStarted {
            assignment: Assignment {
                device: device(ip),
                mac: format!("52:54:00:00:00:{last:02x}").parse().expect("a MAC address"),
                hostname: format!("h{}.dc1.example", 180 + u32::from(last)).parse().expect("a name"),
                ..usual
            },
            boot_image_revision: 3,
            network: name("dc1-servers"),
            site: name("dc1"),
            plan: Plan::default(),
            limits: Limits { open_minutes: 30, in_progress_minutes: 120 },
            done_by: EndedBy::Server,
            settings,
            boot_chain: bootledger_aggregates::values::boot_chain::BootChain::Ipxe,
            notes: bootledger_aggregates::deployment::notes::Notes::default(),
            took: vec![],
            import: None,
        };
        self.deployment(deployment, DeploymentEvent::DeploymentStarted(Box::new(started))).await;
        deployment
    }

    pub(crate) async fn in_progress(&self, ip: &str) -> DeploymentId {
        let deployment = self.open(ip).await;
        self.deployment(deployment, DeploymentEvent::DeploymentInProgress { device: device(ip) }).await;
        deployment
    }

    pub(crate) async fn done(&self, deployment: DeploymentId) {
        let by =
            DoneBy::Operator { name: "ops".parse().expect("text"), reason: bootledger_aggregates::values::text::Text::default() };
        self.deployment(deployment, DeploymentEvent::DeploymentDone { device: DeviceId(deployment.0), by }).await;
    }

    /// The server reports DONE; Puppet has not reported yet.
    pub(crate) async fn installed(&self, deployment: DeploymentId) {
        let by = DoneBy::Operator {
            name: "server".parse().expect("text"),
            reason: bootledger_aggregates::values::text::Text::default(),
        };
        self.deployment(deployment, DeploymentEvent::InstallationFinished { by }).await;
    }

    pub(crate) async fn cancelled(&self, deployment: DeploymentId) {
        let text = |text: &str| text.parse().expect("text");
        let event = DeploymentEvent::DeploymentCancelled {
            device: DeviceId(deployment.0),
            by: text("ops"),
            reason: text("no"),
            released: vec![],
        };
        self.deployment(deployment, event).await;
    }

    pub(crate) async fn deployment(&self, deployment: DeploymentId, event: DeploymentEvent) {
        self.happens("deployment", &deployment.to_string(), event).await;
    }

    /// Creates a token with this scope, for the header `Authorization`.
    pub(crate) async fn bearer(&self, scope: TokenScope) -> String {
        let (id, secret) = (TokenId(Uuid::now_v7()), Secret::random());
        let created = TokenEvent::TokenCreated { name: "ops".parse().expect("text"), scope, expires: None };
        self.happens("token", &id.to_string(), created).await;
        sqlx::query("INSERT INTO token_secrets (token, sha256) VALUES ($1, $2)")
            .bind(id.0)
            .bind(secret.sha256().bytes().as_slice())
            .execute(&self.harness.application.views)
            .await
            .expect("a secret");
        format!("Bearer {}", secret.bearer(id))
    }

    /// Keeps the database until this call.
    pub(crate) fn end(self) {
        drop(self.harness);
        drop(self.database);
    }
}
