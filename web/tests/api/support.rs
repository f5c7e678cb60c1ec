//! A site with a database and a scripted domain.

use actix_http::Request;
use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::{TestRequest, init_service, read_body};
use actix_web::{App, http::StatusCode};
use async_trait::async_trait;
use bootledger_aggregates::deployment::plan::Plan;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::ids::{DeviceId, SessionId, TokenId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{
    BootSecret, Command, CommandError, Commands, Context, Imported, NewDeployment, Ping, Power, Proposed, Receipt,
};
use bootledger_projections::projector;
use bootledger_test_cluster::TestDatabase;
use bootledger_web::http::application::{Application, ServiceKey};
use bootledger_web::http::auth::token::Secret;
use bootledger_web::http::ports::Port;
use bootledger_web::http::worker_status::Vitals;
use bootledger_web::machines::pxe::service::BootService;
use bootledger_web::server::{Part, Site};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex};
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

/// A domain that gives the answers that a test has prepared, and records the commands that it received.
pub(crate) struct Scripted {
    /// The pool that each command takes a connection of, if any.
    pub(crate) pool: Mutex<Option<sqlx::PgPool>>,
    /// Whether requests to controllers hang.
    pub(crate) hanging: watch::Sender<bool>,
    pub(crate) answers: Mutex<VecDeque<Result<Receipt, CommandError>>>,
    pub(crate) imports: Mutex<VecDeque<Result<Imported, CommandError>>>,
    pub(crate) requested: Mutex<Vec<(Command, Context)>>,
    pub(crate) checks: Mutex<VecDeque<Result<Proposed, CommandError>>>,
    pub(crate) checked: Mutex<Vec<NewDeployment>>,
}

impl Default for Scripted {
    fn default() -> Self {
        Self {
            pool: Mutex::default(),
            hanging: watch::Sender::new(false),
            answers: Mutex::default(),
            imports: Mutex::default(),
            requested: Mutex::default(),
            checks: Mutex::default(),
            checked: Mutex::default(),
        }
    }
}

#[async_trait]
impl Commands for Scripted {
    async fn execute(&self, command: Command, context: Context) -> Result<Receipt, CommandError> {
        let pool = self.pool.lock().expect("no panic").clone();
        if let Some(pool) = pool {
            let unavailable = |error: sqlx::Error| CommandError::Unavailable(error.into());
            sqlx::query("SELECT pg_sleep(0.02)").execute(&pool).await.map_err(unavailable)?;
        }
        self.requested.lock().expect("no panic").push((command, context));
        let answer = self.answers.lock().expect("no panic").pop_front();
        answer.unwrap_or_else(|| Err(CommandError::NotFound("the test has no answer left".to_owned())))
    }

    async fn check_deployment(&self, wanted: &NewDeployment) -> Result<Proposed, CommandError> {
        self.checked.lock().expect("no panic").push(wanted.clone());
        let answer = self.checks.lock().expect("no panic").pop_front();
        answer.unwrap_or_else(|| Err(CommandError::NotFound("the test has no answer left".to_owned())))
    }

    async fn power_state(&self, _: DeviceId, _: Context) -> Result<Power, CommandError> {
        let mut hanging = self.hanging.subscribe();
        hanging.wait_for(|hanging| !hanging).await.expect("the test goes on");
        Err(CommandError::NotFound("the test has no such device".to_owned()))
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

    fn secret_problem(&self, name: &Name) -> Option<String> {
        Some(format!("there is no secret {name}"))
    }

    fn boot_secret(&self, name: &Name) -> Result<BootSecret, String> {
        Err(format!("there is no secret {name}"))
    }

    async fn import(&self, _: &[u8], _: bool, _: Option<&Name>, _: Context) -> Result<Imported, CommandError> {
        let answer = self.imports.lock().expect("no panic").pop_front();
        answer.unwrap_or_else(|| Err(CommandError::NotFound("the test has no answer left".to_owned())))
    }
}

/// The site of a test.
pub(crate) struct TestSite {
    pub(crate) pool: sqlx::PgPool,
    agents: sqlx::PgPool,
    pub(crate) domain: Arc<Scripted>,
    pub(crate) boot: BootService,
    pub(crate) site: Site,
    pub(crate) shown: watch::Sender<i64>,
    pub(crate) stopping: watch::Sender<bool>,
    _database: TestDatabase,
}

/// The current time.
pub(crate) fn now() -> Timestamp {
    Timestamp(OffsetDateTime::now_utc())
}

impl TestSite {
    pub(crate) async fn create() -> Self {
        Self::create_with(|_| ()).await
    }

    /// Creates a site whose application a test changes first.
    pub(crate) async fn create_with(change: impl FnOnce(&mut Application)) -> Self {
        let database = TestDatabase::create().await.expect("a database");
        let pool = database.pool(4).await.expect("a pool");
        let agents = database.pool(2).await.expect("a pool");
        let domain = Arc::new(Scripted::default());
        let (shown, position) = watch::channel(0);
        let (stopping, stop) = watch::channel(false);
        let mut application = Application {
            library: None,
            commands: Port::new(domain.clone()),
            views: pool.clone().into(),
            agents: agents.clone().into(),
            vitals: Vitals::default(),
            position,
            files: Arc::new(object_store::memory::InMemory::new()),
            loaders: None,
            key: ServiceKey::new(vec![7; 32]),
            base_url: "http://127.0.0.1:8080".parse().expect("a URL"),
            provider: None,
            trusted_proxies: Arc::new([]),
            now,
            metrics: prometheus::Registry::new(),
            max_upload: 1 << 20,
            stopping: stop,
        };
        change(&mut application);
        let boot = BootService { application, table: Arc::default() };
        let site = Site::new(boot.clone()).expect("a site");
        Self { pool, agents, domain, boot, site, shown, stopping, _database: database }
    }

    /// Closes every connection, as if the database had disappeared.
    pub(crate) async fn close_database(&self) {
        self.pool.close().await;
        self.agents.close().await;
    }

    /// Appends an event, shows it in the views, and returns its position.
    pub(crate) async fn append(&self, kind: &str, id: &str, payload: Value) -> i64 {
        let position = self.append_unseen(kind, id, payload).await;
        self.show().await;
        position
    }

    /// Appends an event that the views do not show yet.
    pub(crate) async fn append_unseen(&self, kind: &str, id: &str, payload: Value) -> i64 {
        self.append_recorded(kind, id, payload, None).await
    }

    /// Appends an event that was recorded at this time, which is now unless the test sets it. The views do not show it yet.
    pub(crate) async fn append_recorded(&self, kind: &str, id: &str, payload: Value, at: Option<Timestamp>) -> i64 {
        let metadata = json!({"actor": "token test", "correlation_id": "c-1"});
        let (position,): (i64,) = sqlx::query_as(
            "WITH head AS (UPDATE log_head SET position = position + 1 RETURNING position)
             INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position,
                                 recorded_at, chain)
             SELECT $1, $2, (SELECT count(*) + 1 FROM events WHERE aggregate_type = $1 AND aggregate_id = $2), $3::json ->> 'type',
                    '1', $3::json, $4::json, head.position, coalesce($5, clock_timestamp()), decode(repeat('00', 32), 'hex')
             FROM head RETURNING position",
        )
        .bind(kind)
        .bind(id)
        .bind(payload.to_string())
        .bind(metadata.to_string())
        .bind(at.map(|at| at.0))
        .fetch_one(&self.pool)
        .await
        .expect("an event");
        position
    }

    /// Moves the views to the end of the log.
    pub(crate) async fn show(&self) {
        while let projector::Step::Advanced { .. } = projector::step(&self.pool).await.expect("a step") {}
        let position = bootledger_projections::projector::checkpoint::position(&self.pool).await.expect("a position");
        self.shown.send_replace(position);
        assert_eq!(*self.boot.application.position.borrow(), position, "handlers see the position of the views");
        let parked = bootledger_projections::rows::parked::list(&self.pool, 0, 10).await.expect("an answer");
        assert!(parked.is_empty(), "{parked:?}");
    }

    /// Creates a token with this scope. Returns its id and text.
    pub(crate) async fn token(&self, scope: TokenScope, expires: Option<Timestamp>) -> (TokenId, String) {
        let (id, secret) = (TokenId(Uuid::now_v7()), Secret::random());
        sqlx::query("INSERT INTO token_secrets (token, sha256) VALUES ($1, $2)")
            .bind(id.0)
            .bind(secret.sha256().bytes().as_slice())
            .execute(&self.pool)
            .await
            .expect("a secret");
        let created = json!({"type": "TokenCreated", "name": "ops", "scope": scope, "expires": expires});
        self.append("token", &id.to_string(), created).await;
        (id, secret.bearer(id))
    }

    /// Creates a token with this scope and returns its text.
    pub(crate) async fn bearer(&self, scope: TokenScope) -> String {
        self.token(scope, None).await.1
    }

    /// Sets the domain's answer to the next command.
    pub(crate) fn answer(&self, answer: Result<Receipt, CommandError>) {
        self.domain.answers.lock().expect("no panic").push_back(answer);
    }

    /// Starts the site as a service.
    pub(crate) async fn start(&self) -> impl Service<Request, Response = ServiceResponse<BoxBody>, Error = actix_web::Error> {
        init_service(App::new().configure(self.site.configure(Part::Whole))).await
    }

    /// Sends one request.
    pub(crate) async fn request(&self, request: TestRequest) -> Answer {
        let service = self.start().await;
        Answer::of(service.call(request.to_request()).await.expect("an answer")).await
    }

    /// Sends one request with this token.
    pub(crate) async fn request_as(&self, bearer: &str, request: TestRequest) -> Answer {
        self.request(request.insert_header(("authorization", format!("Bearer {bearer}")))).await
    }
}

/// An answer with its complete body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: actix_web::http::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: ServiceResponse<BoxBody>) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let operation =
            response.request().match_pattern().map(|path| (path, response.request().method().to_string().to_lowercase()));
        let text = String::from_utf8(read_body(response).await.to_vec()).expect("UTF-8");
        if let (true, Some((path, method))) = (status.is_client_error(), operation) {
            listed(&path, &method, status, &text);
        }
        Self { status, headers, text }
    }

    pub(crate) fn json(&self) -> Value {
        sorted(serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}")))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The status and body of a problem, after checking that both have the same status.
    pub(crate) fn problem(&self) -> (u16, Value) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(problem["correlation_id"], self.header("bootledger-correlation-id"), "{self:?}");
        (self.status.as_u16(), problem)
    }
}

/// Checks that the API description lists the rules of a refusal for its operation and status.
pub(crate) fn listed(path: &str, method: &str, status: StatusCode, problem: &str) {
    static DOCUMENT: LazyLock<Value> =
        LazyLock::new(|| serde_json::to_value(bootledger_web::server::openapi::document()).expect("JSON"));
    let operation = &DOCUMENT["paths"][path][method];
    let listed = operation["responses"][status.as_str()]["x-rules"].as_array();
    // Pages have no description. Of the routes for machines, only the answers 422 list rules.
    let described = listed.is_some() || (path.starts_with("/api/v1/") && operation.is_object());
    let (true, Ok(problem)) = (described, serde_json::from_str::<Value>(problem)) else { return };
    let listed = listed.cloned().unwrap_or_default();
    for error in problem["errors"].as_array().into_iter().flatten() {
        let code = &error["rule"];
        assert!(listed.contains(code), "{method} {path} answers {status} with {code}, and the API description lists: {listed:?}");
    }
}

/// The same value with the fields of every object sorted: whether `serde_json` keeps their order depends on what else is in the
/// build.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: std::collections::BTreeMap<String, Value> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// A request with a JSON body.
pub(crate) fn sending(request: TestRequest, body: &Value) -> TestRequest {
    request.insert_header(("content-type", "application/json")).set_payload(body.to_string())
}

/// The event that defines a site.
pub(crate) fn site_defined() -> Value {
    json!({"type": "SiteDefined", "spec": {
        "name": "First", "next_server": null, "boot_url": null, "domain": "dc1.example", "zones": ["dc1.example"],
        "hostname_template": "h<200,299>.dc1.example", "dhcp_header": []
    }})
}

/// The event that defines a network of that site.
pub(crate) fn network_defined() -> Value {
    json!({"type": "NetworkDefined", "spec": {
        "cidr": "10.0.0.0/24", "site": "dc1", "racks": [], "gateway": "10.0.0.12", "vlan": null, "dns_servers": [], "domain": null,
        "margin_bottom": 10, "margin_top": 0, "dhcp": true, "dhcp_options": [], "ip_only_done": true
    }})
}

/// The event that registers a device at that site.
pub(crate) fn device_registered(mac: &str, management: Option<&str>) -> Value {
    json!({"type": "DeviceRegistered", "kind": "physical", "name": "", "serial": null, "asset": null, "site": "dc1", "rack": null,
        "position": null, "macs": [mac], "parent": null,
        "management": management.map(|address| json!({"address": address, "protocol": "ipmi", "credentials": null}))})
}

/// The event that starts a deployment of a device at that site for the role `web` of the venture `shop`.
pub(crate) fn deployment_started(device: Uuid, network: &str, mac: &str, ip: &str, hostname: &str) -> Value {
    json!({
        "type": "DeploymentStarted", "device": device, "mac": mac, "ip": ip, "hostname": hostname,
        "venture": "shop", "role": "web", "boot_image": "debian", "boot_image_revision": 1, "network": network, "site": "dc1",
        "plan": Plan::standard().expect("a plan"), "limits": {"open_minutes": 30, "in_progress_minutes": 120}, "took": [],
        "import": null,
    })
}
