//! A boot service in which only the domain is a stand-in: with its routes, its table, a folder for contents, and recorded
//! commands.

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{self, TestRequest};
use actix_web::{App, web};
use async_trait::async_trait;
use bootledger_aggregates::boot_image::{BootFile, FileKind, Needs, NetworkBoot};
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, SessionId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{
    BootSecret, Command, CommandError, Commands, Context, DeploymentAction, Imported, NewDeployment, Ping, Power, Proposed,
    Receipt,
};
use bootledger_web::http::application::{Application, ServiceKey};
use bootledger_web::http::ports::Port;
use bootledger_web::http::worker_status::Vitals;
use bootledger_web::images::store::Contents;
use bootledger_web::images::target::{Identity, Image, Place, Target};
use bootledger_web::machines::pxe::service::BootService;
use bootledger_web::machines::pxe::table::{BootTable, Entry};
use bootledger_web::machines::pxe::token::Token;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

/// The domain as far as boot uses it: it records each command and answers according to the deployment's state.
#[derive(Default)]
pub(crate) struct Domain {
    pub(crate) requested: Mutex<Vec<(Command, Context)>>,
    /// Deployments that are not in progress: the rule code with which `MarkDone` is refused, or `None` if the deployment is
    /// already done.
    pub(crate) refusing: Mutex<HashMap<DeploymentId, Option<Rule>>>,
    pub(crate) away: Mutex<bool>,
    pub(crate) secrets: Mutex<HashMap<String, String>>,
}

#[async_trait]
impl Commands for Domain {
    async fn execute(&self, command: Command, context: Context) -> Result<Receipt, CommandError> {
        if *self.away.lock().expect("away") {
            return Err(CommandError::Unavailable(anyhow::anyhow!("no connection")));
        }
        let id = match &command {
            Command::Deployment(DeploymentAction::MarkDone { deployment, .. }) => {
                if let Some(Some(rule)) = self.refusing.lock().expect("refusing").get(deployment) {
                    let message = format!("it broke {}", rule.code());
                    return Err(CommandError::Refused(vec![BrokenRule::new("", *rule, message)]));
                }
                deployment.to_string()
            }
            _ => String::new(),
        };
        let mut requested = self.requested.lock().expect("no panic");
        requested.push((command, context));
        Ok(Receipt { position: 100 + i64::try_from(requested.len()).expect("few"), id, repeated: false })
    }

    async fn check_deployment(&self, _: &NewDeployment) -> Result<Proposed, CommandError> {
        Err(CommandError::NotFound("no deployments are checked here".to_owned()))
    }

    async fn power_state(&self, _: DeviceId, _: Context) -> Result<Power, CommandError> {
        Err(CommandError::Controller { reason: "the test has no management controller".to_owned(), slow: false })
    }

    async fn check_drift(&self, _: &Name) -> Result<(), CommandError> {
        Ok(())
    }

    async fn ping_webhook(&self, _: &Name) -> Result<Ping, CommandError> {
        Err(CommandError::NotFound("the test has no such webhook".to_owned()))
    }

    async fn saw_session(&self, _: SessionId, _: bool) -> Result<(), CommandError> {
        Ok(())
    }

    async fn rotate_session(&self, _: SessionId, _: Sha256, _: Sha256) -> Result<bool, CommandError> {
        Ok(true)
    }

    fn secret_problem(&self, _: &Name) -> Option<String> {
        None
    }

    fn boot_secret(&self, name: &Name) -> Result<BootSecret, String> {
        self.secrets
            .lock()
            .expect("secrets")
            .get(name.as_str())
            .map(|text| BootSecret::new(text))
            .ok_or_else(|| format!("there is no secret {name}"))
    }

    async fn import(&self, _: &[u8], _: bool, _: Option<&Name>, _: Context) -> Result<Imported, CommandError> {
        Err(CommandError::NotFound("no imports here".to_owned()))
    }
}

pub(crate) struct Harness {
    pub(crate) application: Application,
    pub(crate) table: Arc<BootTable>,
    pub(crate) domain: Arc<Domain>,
    pub(crate) folder: TempDir,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) position: watch::Sender<i64>,
}

/// The script of the sample image.
pub(crate) const IPXE: &str = "#!ipxe
# {{ filename }} ({{ filetype }}) for {{ hostname }}
kernel {{ kernel_url }} initrd=initrd.img ip={{ ip }}::{{ gateway }}:{{ netmask }} ks={{ kickstart_url }} note='a&b'
initrd {{ initrd_url }}
boot
";

impl Harness {
    /// A service whose database does not exist, so that any query fails.
    pub(crate) fn new() -> Self {
        Self::with_views(sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").expect("a URL"))
    }

    pub(crate) fn with_views(views: sqlx::PgPool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("files")).expect("a folder");
        let files = LocalFileSystem::new_with_prefix(folder.path().join("files")).expect("a store");
        let domain = Arc::new(Domain::default());
        let (position, shown) = watch::channel(0);
        let (stop, stopping) = watch::channel(false);
        let application = Application {
            library: None,
            commands: Port::new(domain.clone()),
            views: views.clone().into(),
            agents: views.into(),
            vitals: Vitals::default(),
            position: shown,
            files: Arc::new(files.with_automatic_cleanup(true).with_fsync(true)),
            loaders: None,
            key: ServiceKey::new(vec![7; 32]),
            base_url: "http://boot.example:8080".parse().expect("a URL"),
            provider: None,
            trusted_proxies: Arc::from(vec!["192.0.2.1/32".parse().expect("a network")]),
            now: || Timestamp::default(),
            metrics: prometheus::Registry::new(),
            max_upload: 1024 * 1024,
            stopping,
        };
        Self { application, table: Arc::default(), domain, folder, stop, position }
    }

    /// The boot service, as its routes have it.
    pub(crate) fn boot(&self) -> BootService {
        BootService { application: self.application.clone(), table: Arc::clone(&self.table) }
    }

    /// Sends a request from this address, with headers.
    pub(crate) async fn request(&self, method: Method, path: &str, client: &str, headers: &[(&str, &str)]) -> Answer {
        let data = web::Data::new(self.boot());
        let service =
            test::init_service(App::new().app_data(data).configure(bootledger_web::machines::pxe::routes::configure)).await;
        let mut request = TestRequest::with_uri(path).method(method).peer_addr(format!("{client}:50000").parse().expect(client));
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        let response = test::call_service(&service, request.to_request()).await;
        let status = response.status();
        let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
        let mut headers: HashMap<_, _> = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        if let BodySize::Sized(size) = response.response().body().size() {
            headers.insert("content-length".to_owned(), size.to_string());
        }
        let body = test::try_read_body(response).await.map(|body| body.to_vec()).unwrap_or_default();
        Answer { status, headers, body }
    }

    /// Sends a GET without headers.
    pub(crate) async fn get(&self, path: &str, client: &str) -> Answer {
        self.request(Method::GET, path, client, &[]).await
    }

    pub(crate) fn token(&self, deployment: DeploymentId) -> String {
        Token::of(&self.application.key, deployment).as_str().to_owned()
    }

    pub(crate) async fn stored(&self, kind: FileKind, template: bool, content: impl Into<Bytes>) -> BootFile {
        let contents = Contents::new(self.application.files.clone());
        let stored = contents.store_bytes(content.into()).await.expect("stored");
        BootFile { kind, sha256: stored.sha256, size: stored.size, template, settings: BTreeSet::new(), needs: Needs::default() }
    }

    /// The sample image, with its contents in the store.
    pub(crate) async fn image(&self) -> Arc<Image> {
        let files = BTreeMap::from([
            (name("boot.ipxe"), self.stored(FileKind::BootIpxe, true, IPXE).await),
            (name("vmlinuz"), self.stored(FileKind::Kernel, false, kernel()).await),
            (name("initrd.img"), self.stored(FileKind::Initrd, false, "an initrd").await),
            (name("preseed.cfg"), self.stored(FileKind::Kickstart, true, "host {{ hostname }}\nlate {{ done_url }}\n").await),
            (name("readme"), self.stored(FileKind::Other, false, "read me").await),
        ]);
        let (network_boot, settings) = (NetworkBoot::UntilDone, BTreeMap::new());
        Arc::new(Image { name: name("debian-13"), revision: 6, files, network_boot, settings })
    }

    /// A target in progress, in a network that does or does not answer by address alone. It is not in the table yet.
    pub(crate) async fn target(&self, ip: &str, ip_only_done: bool) -> Arc<Target> {
        let place = Place {
            network: name("dc1-servers"),
            site: name("dc1"),
            boot_url: None,
            domain: "dc1.example".to_owned(),
            gateway: Some(Ipv4Addr::new(10, 0, 0, 1)),
            netmask: Ipv4Addr::new(255, 255, 255, 0),
            dns_servers: vec![],
            ip_only_done,
        };
        Arc::new(Target::new(identity(ip), self.image().await, Arc::new(place), ResolvedSettings::default()))
    }

    /// Loads exactly these targets into the table.
    pub(crate) fn load(&self, targets: &[&Arc<Target>]) {
        self.table.load(targets.iter().map(|target| Entry::Usable(Arc::clone(target))).collect(), 1);
    }

    /// The executed commands, without their contexts.
    pub(crate) fn requested(&self) -> Vec<String> {
        self.domain.requested.lock().expect("no panic").iter().map(|(command, _)| format!("{command:?}")).collect()
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().expect(text)
}

/// A kernel larger than one read of the store.
pub(crate) fn kernel() -> Vec<u8> {
    (0..100_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect()
}

pub(crate) fn identity(ip: &str) -> Identity {
    Identity {
        deployment: DeploymentId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 | u128::from(u32::from(address(ip))))),
        assignment: Assignment {
            device: DeviceId::default(),
            mac: "52:54:00:12:34:56".parse().expect("a MAC address"),
            ip: address(ip),
            hostname: "h200.dc1.example".parse().expect("a host name"),
            venture: name("shop"),
            role: name("web"),
            boot_image: name("debian-13"),
        },
        next_boot: NextBoot::Network,
    }
}

pub(crate) fn address(text: &str) -> Ipv4Addr {
    text.parse().expect(text)
}

/// An answer of the service.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
