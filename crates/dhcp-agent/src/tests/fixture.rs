//! A small test service, and a server whose check and reload commands are scripts.

use super::super::agent::Agent;
use super::super::{Arguments, disk};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Parser;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use tempfile::TempDir;

const TOKEN: &str = "a-token-that-nobody-may-see";

/// The state of the test service.
#[derive(Debug, Default)]
pub(super) struct Says {
    configuration: String,
    pub(super) current: i64,
    pub(super) changed: i64,
    /// The HTTP status of responses to reports; 0 for success.
    pub(super) reports_refused_with: u16,
    pub(super) damaged: bool,
    /// Whether each request returns a new configuration.
    pub(super) changing: bool,
    /// Why there is no configuration for this kind of server.
    pub(super) withheld: Option<String>,
    reports: Vec<Value>,
    pub(super) fetches: Vec<String>,
}

#[derive(Clone, Default)]
pub(super) struct Service(Arc<Mutex<Says>>);

impl Service {
    pub(super) fn says(&self) -> MutexGuard<'_, Says> {
        self.0.lock().expect("no panic while it was held")
    }

    pub(super) fn has(&self, configuration: &str, position: i64) {
        let mut says = self.says();
        (says.configuration, says.current, says.changed) = (configuration.to_owned(), position, position);
    }

    pub(super) fn reports(&self) -> Vec<Value> {
        std::mem::take(&mut self.says().reports)
    }

    pub(super) fn start(&self) -> u16 {
        let data = self.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(data.clone()))
                .route("/dhcp/dc1/isc.conf", web::get().to(configuration))
                .route("/dhcp/servers/isc-1/confirmation", web::put().to(confirmation))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").expect("a free port");
        let port = server.addrs()[0].port();
        tokio::spawn(server.run());
        port
    }
}

async fn configuration(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    let mut says = service.says();
    says.fetches.push(request.query_string().to_owned());
    if says.changing {
        says.changed += 1;
        (says.current, says.configuration) = (says.changed, format!("good {};", says.changed));
    }
    if let Some(reason) = &says.withheld {
        let rules = json!([{"field": "dhcp_options", "rule": "dnsmasq_option", "message": reason}]);
        return HttpResponse::UnprocessableEntity().json(json!({"detail": "1 thing is wrong", "errors": rules}));
    }
    let tag = format!("\"{}\"", disk::revision(says.configuration.as_bytes()));
    let same = request.headers().get("If-None-Match").is_some_and(|have| have.as_bytes() == tag.as_bytes());
    let mut answer = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header(("ETag", tag));
    answer.insert_header(("Bootledger-Position", says.current));
    answer.insert_header(("Bootledger-Changed-Position", says.changed));
    if same {
        answer.finish()
    } else {
        answer.body(if says.damaged { "half of i".to_owned() } else { says.configuration.clone() })
    }
}

async fn confirmation(request: HttpRequest, service: web::Data<Service>, report: web::Json<Value>) -> HttpResponse {
    let mut says = service.says();
    let bearer = format!("Bearer {TOKEN}");
    if request.headers().get("Authorization").is_none_or(|token| token.as_bytes() != bearer.as_bytes()) {
        return HttpResponse::Unauthorized().finish();
    }
    match says.reports_refused_with {
        0 => {
            says.reports.push(report.into_inner());
            HttpResponse::NoContent().finish()
        }
        status => HttpResponse::build(actix_web::http::StatusCode::from_u16(status).expect("a status"))
            .json(json!({"detail": "the database cannot be reached"})),
    }
}

/// A service, a folder with the server's file, a checker that requires `good` in it, and a reload command that rejects
/// `unloadable` and records what it loaded.
pub(super) struct Story {
    pub(super) service: Service,
    pub(super) folder: TempDir,
    pub(super) arguments: Arguments,
}

#[derive(Parser)]
pub(super) struct Line {
    #[command(flatten)]
    pub(super) arguments: Arguments,
}

impl Story {
    pub(super) fn begins() -> Self {
        let service = Service::default();
        let port = service.start();
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("dhcpd.conf");
        let (check, reload) = (
            "echo \"$1\" >>checked; grep -q good \"$1\" || { echo \"error: not good, and the token is $BOOTLEDGER_TOKEN\"; exit 1; }",
            "cat dhcpd.conf >>loaded; [ ! -e .dhcpd.conf.bootledger-loaded ] || echo yes >>noted; ! grep -q unloadable dhcpd.conf || { echo error: process $$ does not start; exit 3; }",
        );
        let inside = |command: &str| format!("cd '{}' && {{ {command}; }}", folder.path().display());
        let line = Line::parse_from([
            "agent".to_owned(),
            "--server-name=isc-1".to_owned(),
            "--site=dc1".to_owned(),
            "--kind=isc".to_owned(),
            format!("--url=http://127.0.0.1:{port}"),
            format!("--token={TOKEN}"),
            format!("--config={}", config.display()),
            // A command with a `$1` of its own also gets the file appended. `{}` prevents that.
            format!("--check-command={}; : {{}}", inside(check)),
            format!("--reload-command={}", inside(reload)),
            "--wait=0".to_owned(),
        ]);
        Self { service, folder, arguments: line.arguments }
    }

    pub(super) async fn agent(&self) -> Agent {
        Agent::new(&self.arguments).await.expect("an agent")
    }

    pub(super) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Clears the records of what was loaded and reported.
    pub(super) fn forget(&self) {
        self.loaded();
        self.service.reports();
    }

    /// What was loaded since the last call.
    pub(super) fn loaded(&self) -> String {
        let loaded = self.file("loaded");
        std::fs::write(self.path("loaded"), "").expect("an empty file");
        loaded
    }
}

pub(super) fn revision(text: &str) -> String {
    disk::revision(text.as_bytes()).to_string()
}

pub(super) fn confirmed(text: &str, position: i64) -> Vec<Value> {
    vec![json!({"revision": revision(text), "position": position, "ok": true, "message": ""})]
}
