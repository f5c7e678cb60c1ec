//! Tests of the agent with a small test service, and with scripts as check and reload commands.

mod failures;
mod fixture;

use super::Kind;
use super::agent::Outcome;
use clap::Parser;
use fixture::{Line, Story, confirmed};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::sync::watch;

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
async fn a_confirmation_is_kept_until_the_service_accepts_it() {
    let story = Story::begins();
    story.service.has("good 1;", 7);
    story.service.says().reports_refused_with = 503;
    let mut agent = story.agent().await;
    for _ in 0..3 {
        let Outcome::Away { error } = agent.step().await else { panic!("the service was reached") };
        assert!(format!("{error:#}").contains("the database cannot be reached"), "{error:#}");
    }
    assert_eq!(story.loaded(), "good 1;", "the server is not made to load it again");
    story.service.says().reports_refused_with = 0;
    agent.step().await;
    assert_eq!(story.service.reports(), confirmed("good 1;", 7));
}

#[tokio::test]
async fn a_refused_confirmation_is_repeated_from_the_next_answer() {
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
async fn an_unreachable_service_changes_nothing_and_is_polled_less_and_less_often() {
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
    std::fs::write(story.path("dhcpd.conf"), "edited manually").expect("an edit");
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
    assert!(said(&["--kind=isc", "--kea-socket=/s"]).contains("requires --kind kea"));
    assert!(said(&["--kind=kea", "--kea-socket=s"]).contains("absolute path"));
}

#[test]
fn each_kind_has_its_file_and_its_checker() {
    let reported = [Kind::Isc, Kind::Kea, Kind::Dnsmasq].map(|kind| (kind.file(), kind.check_command()));
    assert_eq!(
        reported,
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
