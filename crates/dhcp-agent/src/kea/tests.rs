//! Tests of a faulty control socket, and of the settings that are added to a document. `tests/dhcp_agent.rs` uses a real Kea.

use super::*;
use crate::disk;
use tempfile::TempDir;
use tokio::net::UnixListener;

/// What listens on the socket instead of Kea.
enum Listener {
    /// Sends these responses, one for each command, and closes each connection.
    Answers(Vec<&'static str>),
    /// Accepts a connection and never responds.
    Hangs,
}

/// The socket's folder, and a client of the socket that waits at most one second.
fn kea(listener: Option<Listener>) -> (TempDir, Kea) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    if let Some(behaviour) = listener {
        let listener = UnixListener::bind(&path).expect("a socket");
        tokio::spawn(async move {
            let answers = match behaviour {
                Listener::Answers(answers) => answers,
                Listener::Hangs => {
                    let _held = listener.accept().await;
                    return std::future::pending().await;
                }
            };
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut command = vec![];
                while serde_json::from_slice::<Value>(&command).is_err() {
                    assert!(stream.read_buf(&mut command).await.expect("a command") > 0, "the agent must not close first");
                }
                stream.write_all(answer.as_bytes()).await.expect("an answer");
            }
        });
    }
    (folder, Kea::new(path, Duration::from_secs(1), false))
}

async fn refused(answers: Vec<&'static str>) -> String {
    let (_folder, kea) = kea(Some(Listener::Answers(answers)));
    kea.reload(Some(disk::revision(b"wanted"))).await.expect_err("it is not well")
}

const VERSION: &str = r#"{ "result": 0, "text": "3.0.4" }"#;
const DONE: &str = r#"{ "result": 0, "text": "Configuration successful." }"#;

/// A document in the form that a Kea of this version reads.
fn document(version: &str, hosts: bool, came: &str) -> Result<String> {
    let version = Version::parse(version).expect("a version");
    let form = Form { socket: Path::new("/run/kea/kea4-ctrl-socket"), version, hosts };
    Ok(String::from_utf8(form.document(came.as_bytes(), disk::revision(came.as_bytes()))?)?)
}

#[test]
fn a_document_keeps_every_value_and_gets_a_socket_and_a_tag() {
    let came = r#"{ "Dhcp4": { "valid-lifetime": 3600, "subnet4": [
  {"id":1, "reservations": [ {"hostname":"\u00e4"} ]}
], "control-socket": {"socket-name":"/somewhere/else"} } }"#;
    let revision = disk::revision(came.as_bytes());
    let rest = format!(
        "\"subnet4\":[\n  {{\"id\":1, \"reservations\": [ {{\"hostname\":\"\\u00e4\"}} ]}}\n],\n\"valid-lifetime\":3600,\n\
         \"server-tag\":\"{revision}\"\n}}}}\n"
    );
    let socket = "{\"socket-type\":\"unix\",\"socket-name\":\"/run/kea/kea4-ctrl-socket\"}";
    let old = format!("{{\"Dhcp4\":{{\n\"control-socket\":{socket},\n{rest}");
    assert_eq!(document("2.2.0", false, came).expect("a document"), old);
    let new = format!("{{\"Dhcp4\":{{\n\"control-sockets\":[{socket}],\n{rest}");
    assert_eq!(document("3.0.4", false, came).expect("a document"), new);
    for nothing in ["", "[]", "{}", "{\"Dhcp6\":{}}", "{\"Dhcp4\":{},\"Dhcp6\":{}}", "subnet 10.0.0.0 {}"] {
        assert!(document("3.0.4", false, nothing).is_err(), "{nothing}");
    }
}

#[test]
fn classes_that_are_evaluated_late_have_the_names_of_the_kea_that_reads_them() {
    let came = r#"{"Dhcp4":{"client-classes":[{"name":"a","only-if-required":true}],
        "shared-networks":[{"subnet4":[{"require-client-classes":["a"],"user-context":{"x":"\"require-client-classes\":"}}]}]}}"#;
    let old = document("2.7.3", false, came).expect("a document");
    assert!(old.contains("\"only-if-required\":true") && old.contains("\"require-client-classes\":[\"a\"]"), "{old}");
    let new = document("2.7.4", false, came).expect("a document");
    assert!(new.contains("\"only-in-additional-list\":true") && new.contains("\"evaluate-additional-classes\":[\"a\"]"), "{new}");
    assert!(new.contains(r#"\"require-client-classes\":"#), "a text stays as it is: {new}");
}

#[test]
fn host_commands_take_their_libraries_a_mark_and_a_kea_that_has_them() {
    let came = r#"{"Dhcp4":{"subnet4":[]}}"#;
    let written = document("3.0.4", true, came).expect("a document");
    let read: Value = serde_json::from_str(&written).expect("JSON");
    let revision = disk::revision(came.as_bytes()).to_string();
    assert_eq!(read["Dhcp4"]["reservations"][0]["user-context"]["bootledger-revision"], revision);
    assert_eq!(read["Dhcp4"]["hooks-libraries"][0]["library"], "libdhcp_host_cmds.so");
    let said = document("2.2.0", true, came).expect_err("it has no host commands").to_string();
    assert!(said.contains("needs Kea 2.7.7 or later") && said.contains("this Kea is 2.2.0"), "{said}");
}

#[tokio::test]
async fn a_file_for_another_kea_is_recognised_by_its_beginning() {
    let (_folder, kea) = kea(Some(Listener::Answers(vec![r#"{"result":0,"text":"3.0.4"}"#])));
    assert!(!kea.is_otherwise("{}"), "which Kea runs is not known yet");
    kea.meet().await;
    let head = Form { socket: &kea.socket, version: Version::parse("3.0.4").expect("a version"), hosts: false }.head();
    assert!(!kea.is_otherwise(&head.expect("a head")));
    let head = Form { socket: &kea.socket, version: Version::parse("2.2.0").expect("a version"), hosts: false }.head();
    assert!(kea.is_otherwise(&head.expect("a head")) && kea.is_otherwise("{}"));
}

#[tokio::test]
async fn a_missing_socket_is_reported_with_what_to_check() {
    let (_folder, kea) = kea(None);
    let said = kea.test(b"{}").await.expect_err("no server listens");
    assert!(said.contains("cannot be reached: No such file or directory") && said.contains("`control-socket`"), "{said}");
}

#[tokio::test]
async fn a_command_to_a_kea_that_hangs_times_out() {
    let (_folder, kea) = kea(Some(Listener::Hangs));
    let said = kea.reload(None).await.expect_err("it hangs");
    assert!(said.contains("has not answered `config-reload`") && said.contains("within 1 s"), "{said}");

    // The limit also applies if Kea never reads the command.
    let long = format!("\"{}\"", "x".repeat(8 << 20));
    let said = kea.test(long.as_bytes()).await.expect_err("it hangs");
    assert!(said.contains("has not answered `config-test`"), "{said}");
}

#[tokio::test]
async fn an_incomplete_or_missing_answer_is_an_error() {
    let said = refused(vec![""]).await;
    assert!(said.contains("before it had answered `config-reload`"), "{said}");
    let said = refused(vec![r#"{ "result": 0, "te"#]).await;
    assert!(said.contains("before it had answered `config-reload`"), "{said}");
    for garbage in ["220 mail.example ESMTP\r\n", "[]", "{}", r#"{"result":"0"}"#] {
        let said = refused(vec![garbage]).await;
        assert!(said.contains("is not Kea"), "{garbage}: {said}");
    }
}

#[tokio::test]
async fn a_refusal_is_reported_in_keas_own_words() {
    let said = refused(vec![r#"{ "result": 1, "text": "Config reload failed: got unexpected keyword \"rooters\"" }"#]).await;
    assert_eq!(said, "Config reload failed: got unexpected keyword \"rooters\"");
    assert!(refused(vec![r#"{ "result": 2 }"#]).await.contains("with result 2"));
}

#[tokio::test]
async fn a_kea_that_read_another_file_does_not_run_what_it_should() {
    let said = refused(vec![DONE, r#"{ "arguments": { "server-tag": "" }, "result": 0 }"#]).await;
    assert!(said.contains("does not run the one that the agent wrote"), "{said}");
    let other = r#"{ "arguments": { "server-tag": "of-another" }, "result": 0 }"#;
    let (_folder, kea) = kea(Some(Listener::Answers(vec![VERSION, other])));
    assert!(matches!(kea.status(disk::revision(b"wanted")).await, Err(Trouble::Other(said)) if said.contains("of-another")));
}

/// What Kea reports about its sockets when it runs the right configuration.
async fn status(errors: &str) -> Status {
    let revision = disk::revision(b"wanted");
    let tag = format!(r#"{{ "arguments": {{ "server-tag": "{revision}" }}, "result": 0 }}"#);
    let sockets =
        format!(r#"{{ "arguments": {{ "sockets": {{ "errors": [ {errors} ], "status": "retrying" }} }}, "result": 0 }}"#);
    let (_folder, kea) = kea(Some(Listener::Answers(vec![VERSION, tag.leak(), sockets.leak()])));
    kea.status(revision).await.expect("it answers")
}

#[tokio::test]
async fn a_kea_whose_port_is_in_use_is_an_error_and_an_interface_without_an_address_is_not() {
    let unused = r#""the interface v1 has no usable IPv4 addresses configured""#;
    let taken = r#""Failed to open socket on interface v0, reason: Address already in use""#;
    let said = status(&format!("{unused}, {taken}")).await;
    let words = "Kea cannot listen: Failed to open socket on interface v0, reason: Address already in use";
    assert_eq!(said.cannot_listen().as_deref(), Some(words));
    assert_eq!(said.pid, Some(std::process::id()), "the one that answers is this process");
    assert_eq!(status(unused).await.cannot_listen(), None);
}

#[tokio::test]
async fn a_stopped_kea_is_distinguished_from_an_unreachable_one() {
    let wanted = disk::revision(b"wanted");
    let (_folder, away) = kea(None);
    assert!(matches!(away.status(wanted).await, Err(Trouble::Away(said)) if said.contains("Kea is not running")));
    let (_folder, hangs) = kea(Some(Listener::Hangs));
    assert!(matches!(hangs.status(wanted).await, Err(Trouble::Unclear(_))));
}
