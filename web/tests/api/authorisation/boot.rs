//! The boot network: what a server gets for its own deployment, for another's, and for none. Here the answers themselves are
//! the matrix, because access depends on the address, on the token in the path, and on the file.

use super::fixtures::Fixtures;
use crate::support::TestSite;
use actix_web::App;
use actix_web::dev::Service;
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service, read_body};
use bootledger_port::{Command, DeploymentAction, Receipt};
use bootledger_web::machines::pxe::token::Token;
use bootledger_web::server::Part;
use std::fmt::Write as _;

/// The addresses of the server that is being deployed, of another server that is, and of one that is not.
const CLIENTS: [&str; 3] = ["10.0.0.20", "10.0.0.21", "10.0.0.99"];

#[actix_web::test]
async fn a_server_gets_its_own_deployment_and_a_token_opens_no_other() {
    let site = TestSite::create().await;
    let fixtures = Fixtures::create(&site).await;
    let [own, other] = fixtures.deployments.map(|id| Token::of(&site.boot.application.key, id).as_str().to_owned());
    // The id of one token with the signature of the other.
    let mixed = format!("{}{}", &own[..32], &other[32..]);
    let ends = ["", "boot.ipxe", "vmlinuz", "ks.cfg", "DONE", "progress", "log"];
    let mut snapshot = format!("{:<36}", "from");
    for client in CLIENTS {
        write!(snapshot, " {client:<16}").expect("text");
    }
    snapshot.truncate(snapshot.trim_end().len());
    snapshot.push_str("\nwhich is the server of                h200             h201             no deployment\n");
    let service = init_service(App::new().configure(site.site.configure(Part::BootOnly))).await;
    for (whose, token) in [("", ""), ("h200's token", &own), ("h201's token", &other), ("two halves", &mixed), ("none", "x")] {
        for end in ends {
            let prefix = if whose.is_empty() { "/pxe/".to_owned() } else { format!("/pxe/t/{token}/") };
            let reports = ["progress", "log"].contains(&end);
            if reports && whose.is_empty() {
                continue;
            }
            let method = if reports { Method::POST } else { Method::GET };
            let shown = if whose.is_empty() { "/pxe/".to_owned() } else { format!("/pxe/t/<{whose}>/") };
            write!(snapshot, "{:<36}", format!("{method} {shown}{end}")).expect("text");
            for client in CLIENTS {
                let request = TestRequest::with_uri(&format!("{prefix}{end}")).method(method.clone());
                let request =
                    request.peer_addr(format!("{client}:50000").parse().expect("an address")).set_payload("stage=partitioning");
                let before = commands(&site).len();
                site.answer(Ok(Receipt { position: 1, id: fixtures.deployments[0].to_string(), repeated: false }));
                let answer = service.call(request.to_request()).await.expect("an answer");
                let status = answer.status().as_u16();
                // If there was no command, its answer must not be used for the next one.
                site.domain.answers.lock().expect("no panic").clear();
                let text = String::from_utf8_lossy(&read_body(answer).await).into_owned();
                let mut cell = status.to_string();
                for host in ["h200", "h201"].into_iter().filter(|host| text.contains(host)) {
                    write!(cell, " {host}").expect("text");
                }
                for command in &commands(&site)[before..] {
                    write!(cell, " {}", of(command, &fixtures)).expect("text");
                }
                write!(snapshot, " {cell:<16}").expect("text");
            }
            snapshot.truncate(snapshot.trim_end().len());
            snapshot.push('\n');
        }
    }
    insta::assert_snapshot!("authorisation_boot", snapshot);
}

fn commands(site: &TestSite) -> Vec<Command> {
    site.domain.requested.lock().expect("no panic").iter().map(|(command, _)| command.clone()).collect()
}

/// The deployment that a command changes.
fn of(command: &Command, fixtures: &Fixtures) -> String {
    let (what, deployment) = match command {
        Command::Deployment(DeploymentAction::MarkDone { deployment, .. }) => ("done", deployment),
        Command::Deployment(DeploymentAction::RecordBoot { deployment, .. }) => ("served", deployment),
        Command::Deployment(DeploymentAction::ReportInstaller { deployment, .. }) => ("report", deployment),
        Command::Deployment(DeploymentAction::RecordInstallerLog { deployment, .. }) => ("log", deployment),
        other => panic!("the boot network leads to {other:?}"),
    };
    let host = fixtures.deployments.iter().position(|id| id == deployment).map_or(9, |at| at);
    format!("{what}→h20{host}")
}
