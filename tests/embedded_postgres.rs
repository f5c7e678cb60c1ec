//! A service without `DATABASE_URL` starts its own PostgreSQL, which stops with it however the service ends.

#![expect(clippy::unwrap_used, reason = "a story that cannot be set up has failed")]

pub(crate) mod service;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Uid;
use service::{Service, run, sandbox};

/// Whether this test runs as root. If not, prints what is left out; in CI that is a failure.
fn is_root(left_out: &str) -> bool {
    let root = Uid::effective().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "CI must run this as root: {left_out}");
        eprintln!("LEFT OUT, because it takes root: {left_out}");
    }
    root
}

#[tokio::test]
async fn root_hands_the_server_to_another_user() {
    if !is_root("starting the embedded PostgreSQL as root") {
        return;
    }
    let sandbox = sandbox();
    let service = Service::start(&sandbox);
    assert_eq!(service.query("SELECT current_database()::text").await, "bootledger");
    let cluster = fs::metadata(sandbox.path().join("data/postgres/cluster")).unwrap();
    assert_ne!(cluster.uid(), 0);
    assert_eq!(cluster.mode() & 0o777, 0o700);
    assert_eq!(fs::metadata("/proc/self").unwrap().uid(), 0);
    let server = fs::metadata(format!("/proc/{}", service.server())).unwrap();
    assert_eq!(server.uid(), cluster.uid());
}

#[tokio::test]
async fn an_ordinary_user_runs_the_server_as_itself() {
    let sandbox = sandbox();
    let service = Service::start_unprivileged(&sandbox);
    assert_eq!(service.query("SHOW server_encoding").await, "UTF8");
    for (setting, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("listen_addresses", ""),
        ("data_checksums", "on"),
    ] {
        assert_eq!(service.query(&format!("SHOW {setting}")).await, value, "{setting}");
    }
    let cluster = fs::metadata(sandbox.path().join("data/postgres/cluster")).unwrap();
    assert_ne!(cluster.uid(), 0);
    service.stop();
}

#[tokio::test]
async fn root_may_follow_an_ordinary_user_on_the_same_data() {
    if !is_root("starting as root on an ordinary user's data") {
        return;
    }
    let sandbox = sandbox();
    let service = Service::start_unprivileged(&sandbox);
    service.query("SELECT 1::text FROM pg_create_restore_point('x')").await;
    service.stop();
    Service::start(&sandbox).stop();
    Service::start_unprivileged(&sandbox).stop();
}

#[tokio::test]
async fn a_second_service_on_the_same_data_is_refused_with_the_first_ones_process_id() {
    let sandbox = sandbox();
    let service = Service::start(&sandbox);
    let refusal = run(&sandbox, &[]);
    let holder = format!("in use by another bootledger (process {})", service.pid());
    assert!(refusal.contains(&holder), "{refusal}");
    assert_eq!(service.query("SELECT 'undisturbed'").await, "undisturbed");
}

#[tokio::test]
async fn data_survives_a_restart() {
    let sandbox = sandbox();
    let service = Service::start(&sandbox);
    service.query("SELECT ''; CREATE TABLE kept (word text); INSERT INTO kept VALUES ('here')").await;
    service.stop();
    let service = Service::start(&sandbox);
    assert_eq!(service.query("SELECT word FROM kept").await, "here");
}

#[test]
fn a_stop_of_the_service_waits_for_the_server() {
    let sandbox = sandbox();
    let service = Service::start(&sandbox);
    let server = service.server();
    // A slow server: it cannot begin to stop before it is resumed.
    service::send(server, Signal::SIGSTOP);
    let waking = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        service::send(server, Signal::SIGCONT);
    });
    service.stop();
    assert!(!service::is_alive(server), "the service ended first");
    waking.join().unwrap();
}

#[tokio::test]
async fn sigkill_of_the_service_leaves_no_server_and_no_obstacle() {
    let sandbox = sandbox();
    let service = Service::start(&sandbox);
    service.query("SELECT ''; CREATE TABLE kept (word text); INSERT INTO kept VALUES ('here')").await;
    let server = service.server();
    service.kill();
    // Immediately, while the guard may still be stopping the old server.
    let service = Service::start(&sandbox);
    assert!(!service::is_alive(server), "two servers at once");
    assert_eq!(service.query("SELECT word FROM kept").await, "here");
    let server = service.server();
    service.kill();
    service::wait_until_gone(server);
    assert!(!sandbox.path().join("data/postgres/cluster/postmaster.pid").exists());
}

#[tokio::test]
async fn a_server_whose_guard_was_killed_too_is_stopped_by_the_next_start() {
    let sandbox = sandbox();
    let service = Service::start(&sandbox);
    let server = service.server();
    service::kill(service::parent(server));
    service.kill();
    assert!(service::is_alive(server), "nothing was left to stop");
    let service = Service::start(&sandbox);
    assert!(!service::is_alive(server), "two servers at once");
    assert_ne!(service.server(), server);
}

#[tokio::test]
async fn the_service_ends_when_its_server_does() {
    let sandbox = sandbox();
    let service = Service::start(&sandbox);
    service::kill(service.server());
    let said = service.end();
    assert!(said.contains("postgres failed"), "{said}");
}

#[tokio::test]
async fn a_long_data_directory_gets_a_short_socket_that_goes_with_the_server() {
    let sandbox = sandbox();
    let long = "x".repeat(120);
    fs::create_dir(sandbox.path().join(&long)).unwrap();
    let service = Service::start_in(&sandbox, &Path::new(&long).join("a, \"b\""));
    assert_eq!(service.query("SELECT 'reached'").await, "reached");
    let directory = service.socket_directory();
    assert!(directory.starts_with("/tmp"), "{}", directory.display());
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    service.stop();
    assert!(!directory.exists());
}

#[test]
fn without_postgresql_the_error_names_what_to_install() {
    let sandbox = sandbox();
    let said = run(&sandbox, &["--postgres-bin", "/nonexistent/bin"]);
    for words in ["/nonexistent/bin", "apt install postgresql", "dnf install", "brew install", "DATABASE_URL"] {
        assert!(said.contains(words), "{words} is not in: {said}");
    }
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused_untouched() {
    let sandbox = sandbox();
    Service::start(&sandbox).stop();
    let file = sandbox.path().join("data/postgres/cluster/PG_VERSION");
    fs::write(&file, "9\n").unwrap();
    let said = run(&sandbox, &[]);
    assert!(said.contains("was created by PostgreSQL 9"), "{said}");
    assert!(said.contains("apt install postgresql-9"), "{said}");
    assert!(said.contains("pg_upgrade"), "{said}");
}

#[test]
fn a_closed_parent_directory_is_named() {
    if !is_root("a data folder that the server's user cannot reach") {
        return;
    }
    let sandbox = sandbox();
    fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let said = run(&sandbox, &[]);
    let words = format!("may not enter {}: choose", sandbox.path().display());
    assert!(said.contains(&words), "{said}");
}
