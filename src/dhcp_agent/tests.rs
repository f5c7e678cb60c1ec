//! Tests of the agent with a small test service, and with scripts as check and reload commands.

use super::agent::{Agent, Outcome};
use super::{Arguments, Kind, disk};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Parser;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::watch;

const TOKEN: &str = "a-token-that-nobody-may-see";

/// The state of the test service.
#[derive(Debug, Default)]
struct Says {
    configuration: String,
    current: i64,
    changed: i64,
    /// The HTTP status of responses to reports; 0 for success.
    reports_refused_with: u16,
    damaged: bool,
    /// Whether each request returns a new configuration.
    changing: bool,
    /// Why there is no configuration for this kind of server.
    withheld: Option<String>,
    reports: Vec<Value>,
    fetches: Vec<String>,
}

#[derive(Clone, Default)]
struct Service(Arc<Mutex<Says>>);

impl Service {
    fn says(&self) -> MutexGuard<'_, Says> {
        self.0.lock().expect("no panic while it was held")
    }

    fn has(&self, configuration: &str, position: i64) {
        let mut says = self.says();
        (says.configuration, says.current, says.changed) = (configuration.to_owned(), position, position);
    }

    fn reports(&self) -> Vec<Value> {
        std::mem::take(&mut self.says().reports)
    }

    fn start(&self) -> u16 {
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

/// A service, a directory with the server's file, a checker that requires `good` in it, and a reload command that rejects
/// `unloadable` and records what it loaded.
struct Story {
    service: Service,
    folder: TempDir,
    arguments: Arguments,
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

impl Story {
    fn begins() -> Self {
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

    async fn agent(&self) -> Agent {
        Agent::new(&self.arguments).await.expect("an agent")
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Clears the records of what was loaded and reported.
    fn forget(&self) {
        self.loaded();
        self.service.reports();
    }

    /// What was loaded since the last call.
    fn loaded(&self) -> String {
        let loaded = self.file("loaded");
        std::fs::write(self.path("loaded"), "").expect("an empty file");
        loaded
    }
}

fn revision(text: &str) -> String {
    disk::revision(text.as_bytes()).to_string()
}

fn confirmed(text: &str, position: i64) -> Vec<Value> {
    vec![json!({"revision": revision(text), "position": position, "ok": true, "message": ""})]
}

#[tokio::test]
async fn a_new_configuration_is_checked_loaded_and_confirmed() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    let mut agent = story.agent().await;
    assert!(matches!(agent.step().await, Outcome::Loaded { position: 7, .. }));
    assert_eq!((story.file("dhcpd.conf"), story.loaded()), ("good 1;".to_owned(), "good 1;".to_owned()));
    assert_eq!(story.service.reports(), confirmed("good 1;", 7));
    assert!(!story.file("checked").contains("dhcpd.conf\n"), "the checker must see the file before the server does");

    assert!(matches!(agent.step().await, Outcome::Unchanged));
    assert_eq!((story.loaded(), story.service.reports()), (String::new(), vec![]));
    assert_eq!(story.service.says().fetches, ["wait=0", "wait=0&confirmed=7"]);
}

#[tokio::test]
async fn unchanged_bytes_are_confirmed_again_only_after_an_event_that_may_have_changed_them() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    let mut agent = story.agent().await;
    agent.step().await;
    story.service.reports();

    // The confirmation itself moved the log on, and so did other events.
    story.service.says().current = 20;
    assert!(matches!(agent.step().await, Outcome::Unchanged));
    assert_eq!(story.service.reports(), Vec::<Value>::new());

    (story.service.says().current, story.service.says().changed) = (31, 30);
    assert!(matches!(agent.step().await, Outcome::Confirmed { position: 31, .. }));
    assert_eq!(story.service.reports(), confirmed("good 1;", 31));
    assert_eq!(story.loaded(), "good 1;", "only the first time");
}

#[tokio::test]
async fn a_configuration_that_the_checker_refuses_never_reaches_the_server() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    let mut agent = story.agent().await;
    agent.step().await;
    story.forget();

    story.service.has("bad 2;", 9);
    assert!(matches!(agent.step().await, Outcome::Failed { .. }));
    assert_eq!((story.file("dhcpd.conf"), story.loaded()), ("good 1;".to_owned(), String::new()));
    let message = "error: not good, and the token is";
    assert_eq!(
        story.service.reports(),
        [json!({"revision": revision("bad 2;"), "position": 9, "ok": false, "message": message})]
    );

    // The same configuration is not retried in a hot loop, and the old one is not confirmed for the new position.
    story.service.says().current = 10;
    let checks = story.file("checked").lines().count();
    assert!(matches!(agent.step().await, Outcome::Unchanged));
    assert_eq!((story.file("checked").lines().count(), story.service.reports()), (checks, vec![]));

    story.service.has("good 3;", 12);
    assert!(matches!(agent.step().await, Outcome::Loaded { position: 12, .. }));
    assert_eq!((story.file("dhcpd.conf"), story.loaded()), ("good 3;".to_owned(), "good 3;".to_owned()));
    assert_eq!(story.service.reports(), confirmed("good 3;", 12));
}

#[tokio::test]
async fn going_back_to_what_the_server_runs_ends_a_failure_without_a_reload() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    let mut agent = story.agent().await;
    agent.step().await;
    story.service.has("bad 2;", 9);
    agent.step().await;
    story.forget();

    story.service.has("good 1;", 11);
    assert!(matches!(agent.step().await, Outcome::Confirmed { position: 11, .. }));
    assert_eq!((story.loaded(), story.service.reports()), (String::new(), confirmed("good 1;", 11)));
}

#[tokio::test]
async fn a_configuration_that_cannot_be_written_is_reported_once_and_its_end_is_confirmed() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    let mut agent = story.agent().await;
    agent.step().await;
    story.forget();

    story.service.says().withheld = Some("no option rooters".to_owned());
    assert!(matches!(agent.step().await, Outcome::Withheld { .. }));
    let report = json!({"revision": null, "position": null, "ok": false, "message": "no option rooters"});
    assert_eq!(story.service.reports(), [report]);
    for _ in 0..8 {
        assert!(matches!(agent.step().await, Outcome::Unchanged));
    }
    assert!(agent.pause().as_secs() >= 30, "{:?}", agent.pause());
    assert_eq!((story.file("dhcpd.conf"), story.loaded()), ("good 1;".to_owned(), String::new()));
    assert_eq!(story.service.reports(), Vec::<Value>::new());

    // A different reason is reported; the report is kept until the service accepts it.
    story.service.says().withheld = Some("no option rooters and no option ntp".to_owned());
    story.service.says().reports_refused_with = 503;
    assert!(matches!(agent.step().await, Outcome::Away { .. }));
    story.service.says().reports_refused_with = 0;
    agent.step().await;
    assert_eq!(story.service.reports()[0]["message"], "no option rooters and no option ntp");

    // A rejected report is created again from the next response.
    story.service.says().withheld = Some("no option ntp".to_owned());
    story.service.says().reports_refused_with = 403;
    assert!(matches!(agent.step().await, Outcome::Away { .. }));
    story.service.says().reports_refused_with = 0;
    assert!(matches!(agent.step().await, Outcome::Withheld { .. }));
    assert_eq!(story.service.reports()[0]["message"], "no option ntp");

    // The server still runs the right configuration, which is confirmed without a reload, and without an event that changed it.
    story.service.says().withheld = None;
    assert!(matches!(agent.step().await, Outcome::Confirmed { position: 7, .. }));
    assert_eq!((story.loaded(), story.service.reports()), (String::new(), confirmed("good 1;", 7)));
    assert!(matches!(agent.step().await, Outcome::Unchanged));
}

#[tokio::test]
async fn a_server_that_does_not_start_gets_its_old_configuration_back() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    let mut agent = story.agent().await;
    agent.step().await;
    story.forget();

    story.service.has("good but unloadable;", 9);
    assert!(matches!(agent.step().await, Outcome::Failed { .. }));
    assert_eq!(story.file("dhcpd.conf"), "good 1;");
    assert_eq!(story.loaded(), "good but unloadable;good 1;");
    let reports = story.service.reports();
    let message = reports[0]["message"].as_str().expect("a message");
    assert_eq!((&reports[0]["ok"], message.starts_with("error: process ")), (&json!(false), true), "{message}");

    // An agent killed during one of these reloads could not have mistaken the record for the truth.
    assert_eq!(story.file("noted"), "");

    // The restored file is known to be loaded, also to the next agent.
    let mut next = story.agent().await;
    story.service.has("good 1;", 11);
    assert!(matches!(next.step().await, Outcome::Confirmed { position: 11, .. }));
    assert_eq!(story.loaded(), "");
}

#[tokio::test]
async fn a_first_configuration_that_does_not_load_leaves_no_file() {
    let story = Story::begins();
    story.service.has("good but unloadable;", 9);
    assert!(matches!(story.agent().await.step().await, Outcome::Failed { .. }));
    assert!(!story.path("dhcpd.conf").exists());
}

#[tokio::test]
async fn a_failure_is_tried_again_when_its_pause_is_over() {
    let story = Story::begins();
    story.service.has("good but unloadable;", 9);
    let mut agent = story.agent().await;
    agent.step().await;
    agent.end_pause();
    story.service.says().current = 15;
    assert!(matches!(agent.step().await, Outcome::Failed { .. }));
    let reports = story.service.reports();
    assert_eq!((reports.len(), &reports[1]["position"]), (2, &json!(15)));
    assert_eq!(reports[1]["message"], reports[0]["message"], "a new process number is no news");
    assert_eq!(story.loaded(), "good but unloadable;good but unloadable;");
}

#[tokio::test]
async fn a_confirmation_is_kept_until_the_service_takes_it() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    story.service.says().reports_refused_with = 503;
    let mut agent = story.agent().await;
    for _ in 0..3 {
        let Outcome::Away { error } = agent.step().await else { panic!("it was told") };
        assert!(format!("{error:#}").contains("the database cannot be reached"), "{error:#}");
    }
    assert_eq!(story.loaded(), "good 1;", "the server is not made to load it again");
    story.service.says().reports_refused_with = 0;
    agent.step().await;
    assert_eq!(story.service.reports(), confirmed("good 1;", 7));
}

#[tokio::test]
async fn a_refused_confirmation_is_made_anew_from_the_next_answer() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    story.service.says().reports_refused_with = 422;
    let mut agent = story.agent().await;
    assert!(matches!(agent.step().await, Outcome::Away { .. }));
    story.service.says().reports_refused_with = 0;
    story.service.says().current = 8;
    assert!(matches!(agent.step().await, Outcome::Confirmed { position: 8, .. }));
    assert_eq!((story.loaded(), story.service.reports()), ("good 1;".to_owned(), confirmed("good 1;", 8)));
}

#[tokio::test]
async fn an_absent_service_changes_nothing_and_is_asked_ever_more_rarely() {
    let mut story = Story::begins();
    story.service.has("good 1;", 7);
    story.agent().await.step().await;
    story.arguments.url = "http://127.0.0.1:1".parse().expect("a URL");
    let mut agent = story.agent().await;
    for _ in 0..8 {
        assert!(matches!(agent.step().await, Outcome::Away { .. }));
    }
    assert!(agent.pause().as_secs() >= 30, "{:?}", agent.pause());
    assert_eq!((story.file("dhcpd.conf"), story.loaded()), ("good 1;".to_owned(), "good 1;".to_owned()));
}

#[tokio::test]
async fn a_damaged_download_is_not_used() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    story.service.says().damaged = true;
    let Outcome::Away { error } = story.agent().await.step().await else { panic!("it was used") };
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(!story.path("dhcpd.conf").exists() && !story.path("checked").exists());
}

#[tokio::test]
async fn a_restarted_agent_reloads_only_what_it_does_not_know_to_be_loaded() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    story.agent().await.step().await;
    story.forget();

    let mut again = story.agent().await;
    assert!(matches!(again.step().await, Outcome::Unchanged), "the confirmation is remembered, too");
    assert_eq!((story.loaded(), story.service.reports()), (String::new(), vec![]));

    // The agent was killed between replacing and loading: the file is new, and the record no longer exists.
    std::fs::remove_file(story.path(".dhcpd.conf.bootledger-loaded")).expect("a note");
    assert!(matches!(story.agent().await.step().await, Outcome::Loaded { .. }));
    assert_eq!((story.loaded(), story.service.reports()), ("good 1;".to_owned(), confirmed("good 1;", 7)));

    // Another program edited the file.
    let mut agent = story.agent().await;
    std::fs::write(story.path("dhcpd.conf"), "by hand").expect("an edit");
    assert!(matches!(agent.step().await, Outcome::Loaded { .. }));
    assert_eq!((story.file("dhcpd.conf"), story.loaded()), ("good 1;".to_owned(), "good 1;".to_owned()));
}

#[tokio::test]
async fn the_files_mode_is_kept_and_nothing_is_left_beside_it() {
    use std::os::unix::fs::PermissionsExt;
    let story = Story::begins();
    std::fs::write(story.path("dhcpd.conf"), "the distribution's").expect("a file");
    std::fs::set_permissions(story.path("dhcpd.conf"), std::fs::Permissions::from_mode(0o640)).expect("a mode");
    story.service.has("good 1;", 7);
    story.agent().await.step().await;
    let mode = std::fs::metadata(story.path("dhcpd.conf")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let mut names: Vec<String> = std::fs::read_dir(story.folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, [".dhcpd.conf.bootledger-loaded", ".dhcpd.conf.bootledger-previous", "checked", "dhcpd.conf", "loaded"]);
    assert_eq!(story.file(".dhcpd.conf.bootledger-previous"), "the distribution's");
}

#[tokio::test]
async fn once_ends_with_the_servers_own_words_where_it_fails() {
    let mut story = Story::begins();
    story.arguments.once = true;
    let (_stop, shutdown) = watch::channel(false);
    story.service.has("bad 1;", 7);
    let error = super::run(story.arguments.clone(), shutdown.clone()).await.expect_err("it is bad");
    assert!(error.to_string().contains("not good"), "{error}");
    story.service.says().withheld = Some("no option rooters".to_owned());
    let error = super::run(story.arguments.clone(), shutdown.clone()).await.expect_err("there is none");
    assert!(error.to_string().contains("no option rooters"), "{error}");
    story.service.says().withheld = None;
    story.service.has("good 2;", 8);
    super::run(story.arguments.clone(), shutdown).await.expect("it is good");
    assert_eq!(story.file("dhcpd.conf"), "good 2;");
}

#[tokio::test]
async fn changes_without_end_reload_a_server_twice_a_second_at_most() {
    let story = Story::begins();
    story.service.says().changing = true;
    let (stop, shutdown) = watch::channel(false);
    let begun = Instant::now();
    let running = tokio::spawn(super::run(story.arguments.clone(), shutdown));
    let mut look = tokio::time::interval(Duration::from_millis(10));
    while story.file("loaded").matches("good").count() < 4 {
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not reload: {}", story.file("loaded"));
        look.tick().await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(1500), "four reloads in {:?}", begun.elapsed());
    stop.send(true).expect("it listens");
    running.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_stopped_agent_ends_at_once() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    let (stop, shutdown) = watch::channel(false);
    let running = tokio::spawn(super::run(story.arguments.clone(), shutdown));
    stop.send(true).expect("it listens");
    tokio::time::timeout(Duration::from_secs(5), running).await.expect("an end").expect("no panic").expect("no error");
}

#[tokio::test]
async fn what_dhcpd_logged_is_reported_where_systemctl_says_only_that_it_failed() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    for (program, script) in [
        (
            "systemctl",
            "echo 'Job for isc-dhcp-server.service failed because the control process exited with error code.' >&2; exit 1",
        ),
        (
            "journalctl",
            "case \"$*\" in *--identifier=dhcpd*--since=@[0-9]*) echo 'Not configured to listen on any interfaces!';; esac",
        ),
    ] {
        let path = folder.path().join(program);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a program");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let reload = Kind::Isc.reload_command().expect("a command");
    let command = format!("PATH='{}':$PATH; {reload}", folder.path().display());
    let said = super::command::run(&command, None, Duration::from_mins(1)).await.expect("a run").expect_err("a failure");
    assert!(said.ends_with("| Not configured to listen on any interfaces!"), "{said}");
}

#[tokio::test]
async fn only_kea_has_a_control_socket_and_it_is_used_unless_there_is_a_command() {
    use super::server::Server;
    let server = |options: &[&str]| {
        let common = ["agent", "--server-name=d", "--site=dc1", "--url=http://127.0.0.1:1", "--token=t", "--config=/x"];
        Server::new(&Line::parse_from(common.iter().chain(options)).arguments)
    };
    assert!(matches!(server(&["--kind=kea"]), Ok(Server::Kea { check: None, .. })));
    assert!(matches!(server(&["--kind=kea", "--kea-socket=/s", "--check-command=c"]), Ok(Server::Kea { check: Some(_), .. })));
    assert!(matches!(server(&["--kind=kea", "--reload-command=r"]), Ok(Server::Commands { .. })));
    assert!(matches!(server(&["--kind=isc"]), Ok(Server::Commands { .. })));
    let said = |options: &[&str]| server(options).expect_err("it is refused").to_string();
    assert!(said(&["--kind=isc", "--kea-socket=/s"]).contains("for Kea alone"));
    assert!(said(&["--kind=kea", "--kea-socket=s"]).contains("from / on"));
}

#[test]
fn each_kind_has_its_file_and_its_checker() {
    let told = [Kind::Isc, Kind::Kea, Kind::Dnsmasq].map(|kind| (kind.file(), kind.check_command()));
    assert_eq!(
        told,
        [("isc.conf", "dhcpd -4 -t -cf {}"), ("kea.json", "kea-dhcp4 -t {}"), ("dnsmasq.conf", "dnsmasq --test -C {}")]
    );
    assert_eq!(Kind::Dnsmasq.reload_command(), Some("systemctl restart dnsmasq"));
}

#[test]
fn the_token_is_in_no_debug_output() {
    let line = Line::parse_from([
        "agent",
        "--server-name=isc-1",
        "--site=dc1",
        "--kind=kea",
        "--url=http://127.0.0.1:1",
        "--token=hush",
        "--config=/x",
    ]);
    assert_eq!(line.arguments.kind, Kind::Kea);
    assert!(!format!("{:?}", line.arguments).contains("hush"));
}
