//! What the agent does and reports when the server fails to use a configuration.

use super::super::Kind;
use super::super::agent::Outcome;
use super::fixture::{Story, confirmed, revision};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;

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
async fn once_ends_with_the_servers_own_words_where_it_fails() {
    let mut story = Story::begins();
    story.arguments.once = true;
    let (_stop, shutdown) = watch::channel(false);
    story.service.has("bad 1;", 7);
    let error = crate::run(story.arguments.clone(), shutdown.clone()).await.expect_err("it is bad");
    assert!(error.to_string().contains("not good"), "{error}");
    story.service.says().withheld = Some("no option rooters".to_owned());
    let error = crate::run(story.arguments.clone(), shutdown.clone()).await.expect_err("there is none");
    assert!(error.to_string().contains("no option rooters"), "{error}");
    story.service.says().withheld = None;
    story.service.has("good 2;", 8);
    crate::run(story.arguments.clone(), shutdown).await.expect("it is good");
    assert_eq!(story.file("dhcpd.conf"), "good 2;");
}

#[tokio::test]
async fn the_log_of_dhcpd_is_reported_where_systemctl_reports_only_a_failure() {
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
    let said = crate::command::run(&command, None, Duration::from_mins(1)).await.expect("a run").expect_err("a failure");
    assert!(said.ends_with("| Not configured to listen on any interfaces!"), "{said}");
}
