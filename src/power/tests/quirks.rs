//! What controllers of each maker do otherwise than the specification, each with where that is documented. docs/controllers.md
//! lists the names of these tests.

use super::stub::{Bmc, Reply, Request, Stub};
use super::*;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv6Addr};

const SYSTEMS: &str = "/redfish/v1/Systems";
const SYSTEM: &str = super::stub::SYSTEM;

fn access(port: u16) -> Access {
    Access { port: Some(port), tls: Tls::Off, ..Access::default() }
}

// Orders one restart from the network.
async fn restart(stub: &Stub) -> Result<PowerState, Trouble> {
    redfish(stub.port, Tls::Off).carry_out(PowerAction::Cycle, true).await
}

// Starts a controller with a quirk, and orders one restart from the network, which it has to do.
async fn restarted(bmc: Bmc, quirk: impl FnMut(&mut Bmc, &Request) -> Option<Reply> + Send + 'static) -> Bmc {
    let stub = Stub::start(bmc, quirk).await;
    assert_eq!(restart(&stub).await, Ok(PowerState::On));
    stub.bmc()
}

fn network_once() -> Value {
    json!({"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"})
}

// HPE iLO and Lenovo XCC answer paths without a final slash with 308 to the one with it (issue 13, B2;
// HewlettPackard/oneview-redfish-toolkit pull request 374 says what becomes of a POST whose method is not kept).
#[tokio::test]
async fn a_redirect_to_the_path_with_a_slash_is_followed_with_method_and_body() {
    for status in [301, 302, 307, 308] {
        for absolute in [false, true] {
            let bmc = restarted(Bmc::new(), move |_, request| {
                let host = request.header("host").unwrap_or_default();
                let origin = if absolute { format!("http://{host}") } else { String::new() };
                (!request.path.ends_with('/'))
                    .then(|| Reply::empty(status).with("Location", format!("{origin}{}/", request.path)))
            })
            .await;
            let wanted = [
                (format!("PATCH {SYSTEM}/"), json!({"Boot": network_once()})),
                (format!("POST {}/", super::stub::RESET), json!({"ResetType": "ForceRestart"})),
            ];
            let changes: Vec<_> = bmc.changes().into_iter().filter(|(what, _)| what.ends_with('/')).collect();
            assert_eq!(changes, wanted, "{status}");
            assert!(bmc.heard.iter().all(|request| request.header("authorization").is_some()));
        }
    }
}

// Nothing but the same scheme, host and port is the same controller.
#[tokio::test]
async fn a_redirect_that_leads_elsewhere_is_refused_with_where_to() {
    let other = Stub::start(Bmc::new(), |_, _| None).await;
    let port = other.port;
    for (location, words) in [
        ("http://198.51.100.1/redfish/v1/Systems/".to_owned(), "it leads to http://198.51.100.1, which is not this controller"),
        (format!("http://127.0.0.1:{port}/redfish/v1/Systems/"), "which is not this controller"),
        (format!("//localhost:{port}/redfish/v1/Systems/"), "which is not this controller"),
        (format!("/\\127.0.0.1:{port}/redfish/v1/Systems/"), "which is not this controller"),
        ("https://127.0.0.1/redfish/v1/Systems/".to_owned(), "it leads to TLS. Set management.tls to verify"),
        ("ftp://127.0.0.1/".to_owned(), "which is not this controller"),
        ("/login.html".to_owned(), "is no Redfish"),
        (SYSTEMS.to_owned(), "there are more than 3 in a row"),
        (String::new(), "it has no Location"),
        ("http://[".to_owned(), "is not a URL"),
    ] {
        let to = location.clone();
        let stub = Stub::start(Bmc::new(), move |_, request| match request.path.as_str() {
            "/login.html" => Some(Reply { status: 200, headers: vec![], body: b"<html>".to_vec() }),
            _ => Some(Reply::empty(308).with("Location", to.clone())),
        })
        .await;
        let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("a redirect");
        assert!(trouble.reason.contains(words), "{location}: {}", trouble.reason);
        assert!(trouble.shown.contains("did not answer as Redfish"), "{trouble}");
    }
    assert!(other.bmc().heard.is_empty(), "the password went elsewhere");
    let credentials = Stub::start(Bmc::new(), |_, request| {
        let host = request.header("host").unwrap_or_default();
        Some(Reply::empty(307).with("Location", format!("http://admin:other@{host}/redfish/v1/Systems/")))
    });
    let trouble = redfish(credentials.await.port, Tls::Off).state().await.expect_err("a redirect");
    assert!(trouble.reason.contains("which is not this controller"), "{}", trouble.reason);
}

// iDRAC 10 has `Boot` read-only, and takes it at the object of `@Redfish.Settings` (ansible-collections/community.general
// issue 11297, dsx-ai-factory/libredfish pull request 33, stmcginnis/gofish pull request 511).
#[tokio::test]
async fn the_override_is_written_to_the_settings_object_where_the_system_has_one() {
    let settings = "/redfish/v1/Systems/1/Settings";
    for times in [json!(null), json!(["OnReset"]), json!(["Immediate", "OnReset"])] {
        let mut bmc = Bmc::new();
        bmc.more = json!({"@Redfish.Settings": {"SettingsObject": {"@odata.id": settings}, "SupportedApplyTimes": times}});
        let mut future = json!({"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"});
        let bmc = restarted(bmc, move |_, request| match (request.method.as_str(), request.path.as_str()) {
            ("PATCH", SYSTEM) => Some(Reply::error(400, "Base.1.18.PropertyNotWritable", "The property Boot is read-only")),
            ("GET", path) if path == settings => Some(Reply::json(200, &json!({"Boot": future})).with("ETag", "\"3\"")),
            ("PATCH", path) if path == settings => {
                assert_eq!(request.header("if-match"), Some("\"3\""));
                future = request.body["Boot"].clone();
                Some(Reply::empty(202))
            }
            _ => None,
        })
        .await;
        let mut wanted = json!({"Boot": network_once()});
        match times.as_array().map(Vec::len) {
            Some(1) => wanted["@Redfish.SettingsApplyTime"] = json!({"ApplyTime": "OnReset"}),
            Some(_) => wanted["@Redfish.SettingsApplyTime"] = json!({"ApplyTime": "Immediate"}),
            None => {}
        }
        assert_eq!(bmc.changes()[0], (format!("PATCH {settings}"), wanted));
        assert_eq!(bmc.kinds(), ["ForceRestart"]);
    }
}

// AMI MegaRAC names its settings object SD, and says so in an error (DMTF/Redfish-Tacklebox issues 111 and 144).
#[tokio::test]
async fn the_override_is_written_to_the_future_state_of_ami() {
    let future = "/redfish/v1/Systems/1/SD";
    let mut bmc = Bmc::new();
    bmc.more =
        json!({"@Redfish.Settings": {"SettingsObject": {"@odata.id": future}}, "Oem": {"BootSourceOverrideEnabled": "Disabled"}});
    let bmc = restarted(bmc, move |bmc, request| match (request.method.as_str(), request.path.as_str()) {
        ("PATCH", SYSTEM) => Some(Reply::error(400, "Ami.1.0.OperationSupportedInFutureStateURI", "moved")),
        ("GET", path) if path == future => {
            Some(Reply::json(200, &json!({"Boot": bmc.more["Oem"]})).with("ETag", "W/\"1682532272\""))
        }
        // The weak version that it states is not the one that it wants (community.general pull request 6434).
        ("PATCH", _) if request.header("if-match") == Some("\"1682532272\"") => {
            bmc.more["Oem"] = request.body["Boot"].clone();
            Some(Reply::empty(204))
        }
        ("PATCH", _) => Some(Reply::error(428, "Ami.1.0.PreconditionHeaderMissing", "no precondition")),
        _ => None,
    })
    .await;
    assert_eq!(bmc.more["Oem"], network_once());
}

// iDRAC 9 has a settings object that takes the order of boot devices only (dsx-ai-factory/libredfish pull request 75).
#[tokio::test]
async fn the_system_itself_is_written_where_its_settings_object_refuses() {
    let mut bmc = Bmc::new();
    bmc.more = json!({"@Redfish.Settings": {"SettingsObject": {"@odata.id": "/redfish/v1/Systems/1/Settings"}}});
    let bmc = restarted(bmc, |_, request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/redfish/v1/Systems/1/Settings") => Some(Reply::json(200, &json!({"Boot": {"BootOrder": []}}))),
        ("PATCH", "/redfish/v1/Systems/1/Settings") => Some(Reply::error(400, "Base.1.8.PropertyUnknown", "unknown")),
        _ => None,
    })
    .await;
    assert_eq!(bmc.boot, network_once());
}

// HPE iLO refuses the mode (ansible-collections/community.general issue 3509 and pull request 3581). Where it boots as it
// is wanted anyway, that does.
#[tokio::test]
async fn the_mode_is_left_out_where_it_cannot_be_written() {
    for (present, taken) in [("UEFI", true), ("Legacy", false)] {
        let mut bmc = Bmc::new();
        bmc.boot["BootSourceOverrideMode"] = present.into();
        let stub = Stub::start(bmc, |_, request| {
            let writes = request.method == "PATCH" && !request.body["Boot"]["BootSourceOverrideMode"].is_null();
            writes.then(|| Reply::error(400, "Base.1.0.PropertyNotWritable", "BootSourceOverrideMode is read-only"))
        })
        .await;
        let access = Access { boot_mode: Some(BootMode::Uefi), ..access(stub.port) };
        let done = controller(ManagementProtocol::Redfish, access).carry_out(PowerAction::Cycle, true).await;
        if taken {
            assert_eq!(done, Ok(PowerState::On));
        } else {
            let trouble = done.expect_err("it boots as Legacy");
            assert!(trouble.reason.contains("for Pxe as Legacy"), "{}", trouble.reason);
            assert!(stub.bmc().kinds().is_empty(), "it was restarted into the wrong mode");
        }
    }
}

// Supermicro resets the mode where it is left out (DMTF/Redfishtool pull request 106), and X10 has none
// (ironcore-dev/metal-operator issue 982).
#[tokio::test]
async fn supermicro_is_given_the_mode_that_it_has() {
    for mode in [Some("UEFI"), None] {
        let mut bmc = Bmc::new();
        bmc.more = json!({"Manufacturer": "Supermicro"});
        if let Some(mode) = mode {
            bmc.boot["BootSourceOverrideMode"] = mode.into();
        }
        let bmc = restarted(bmc, |bmc, request| {
            if request.method == "PATCH" && request.body["Boot"]["BootSourceOverrideMode"].is_null() {
                bmc.boot["BootSourceOverrideMode"] = "Legacy".into();
            }
            None
        })
        .await;
        let (_, patch) = &bmc.changes()[0];
        assert_eq!(patch["Boot"]["BootSourceOverrideMode"].as_str(), mode);
    }
}

// Some refuse what is set already (OpenStack story 2007355, as ironic's redfish driver says), and Supermicro wants it all
// the same (story 2008547).
#[tokio::test]
async fn a_value_that_is_there_already_is_left_out_where_it_is_refused() {
    let mut bmc = Bmc::new();
    bmc.boot = json!({"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Hdd"});
    let bmc = restarted(bmc, |bmc, request| {
        let same = request.method == "PATCH"
            && request.body["Boot"]["BootSourceOverrideEnabled"] == bmc.boot["BootSourceOverrideEnabled"];
        same.then(|| Reply::error(400, "Base.1.4.PropertyValueConflict", "it is Once already"))
    })
    .await;
    assert_eq!(bmc.boot, network_once());
}

// Which version of the resource a change has to name: AMI and Lenovo SR655 want one (stmcginnis/gofish issue 171,
// DMTF/Redfish-Tacklebox issue 22), others another spelling (ansible-collections/community.general pull requests 3268 and
// 3296, issue 11261; gofish pull request 511 for `-gzip`), others none.
#[tokio::test]
async fn a_change_names_the_version_that_the_controller_wants() {
    for (header, stated, wanted, refused) in [
        (Some("\"7\""), None, Some("\"7\""), 412),
        (Some("W/\"7\""), None, Some("W/\"7\""), 412),
        (Some("W/\"7\""), None, Some("\"7\""), 412),
        (Some("\"7\""), None, Some("7"), 412),
        (Some("\"7-gzip\""), None, Some("\"7\""), 412),
        (None, Some("\"8\""), Some("\"8\""), 428),
        (Some("\"7\""), Some("\"8\""), Some("\"8\""), 412),
        (None, None, Some("*"), 428),
        (Some("\"7\""), None, Some("*"), 412),
        (Some("\"7\""), None, None, 412),
    ] {
        let mut bmc = Bmc::new();
        if let Some(stated) = stated {
            bmc.more["@odata.etag"] = stated.into();
        }
        let bmc = restarted(bmc, move |bmc, request| match request.method.as_str() {
            "GET" if request.path == SYSTEM => header.map(|tag| Reply::json(200, &bmc.system()).with("ETag", tag)),
            "PATCH" if request.header("if-match") != wanted => Some(Reply::error(refused, "Base.1.0.PreconditionFailed", "no")),
            // An action has no version (ironcore-dev/metal-operator issue 1015: iDRAC refuses it).
            "POST" if request.header("if-match").is_some() => Some(Reply::error(412, "Base.1.18.PreconditionFailed", "no")),
            _ => None,
        })
        .await;
        assert_eq!(bmc.boot, network_once(), "{header:?} {stated:?} {wanted:?}");
    }
}

// iDRAC and others answer 202 with a task; one that waits for the next reset has done what it can (dell/
// iDRAC-Redfish-Scripting issue 116).
#[tokio::test]
async fn a_task_is_watched_until_it_has_ended_or_waits_for_the_reset() {
    for (state, done) in [("Completed", true), ("Pending", true), ("Exception", false)] {
        let stub = Stub::start(Bmc::new(), move |bmc, request| match (request.method.as_str(), request.path.as_str()) {
            ("PATCH", SYSTEM) => {
                if state != "Exception" {
                    bmc.set_boot(&request.body);
                }
                Some(Reply::empty(202).with("Location", "/redfish/v1/TaskService/Tasks/1"))
            }
            ("GET", "/redfish/v1/TaskService/Tasks/1") => Some(Reply::json(200, &json!({"TaskState": state}))),
            _ => None,
        })
        .await;
        match restart(&stub).await {
            Ok(_) => assert!(done, "{state}"),
            Err(trouble) => assert!(!done && trouble.reason.contains("its task ended with Exception"), "{}", trouble.reason),
        }
    }
}

// 200 for a change that was not made, with the reason beside the property (DSP0266, "Extended information").
#[tokio::test]
async fn a_refusal_with_the_status_of_a_success_is_one() {
    let stub = Stub::start(Bmc::new(), |bmc, request| {
        let message = json!([{"MessageId": "Base.1.8.PropertyValueNotInList", "Message": "Pxe is not offered"}]);
        (request.method == "PATCH").then(|| {
            let mut system = bmc.system();
            system["Boot"]["BootSourceOverrideTarget@Message.ExtendedInfo"] = message;
            Reply::json(200, &system)
        })
    })
    .await;
    let trouble = restart(&stub).await.expect_err("it was not set");
    assert!(trouble.reason.contains("Pxe is not offered") && !trouble.uncertain, "{}", trouble.reason);
    assert!(stub.bmc().kinds().is_empty());
}

// A success with a message whose name has "Not" in it was taken for a refusal, and a second reset followed.
#[tokio::test]
async fn a_success_whose_message_only_sounds_like_a_refusal_is_one_reset() {
    for (id, severity) in [("SMC.1.0.NotificationSent", "OK"), ("Base.1.12.NoOperation", "Warning"), ("IDRAC.2.8.SYS413", "")] {
        let bmc = restarted(Bmc::new(), move |bmc, request| {
            (request.method == "POST").then(|| {
                drop(bmc.answer(request));
                let message = json!([{"MessageId": id, "Message": "words", "Severity": severity}]);
                Reply::json(200, &json!({ "@Message.ExtendedInfo": message }))
            })
        })
        .await;
        assert_eq!(bmc.kinds(), ["ForceRestart"], "{id}");
    }
    // One that is not known here may mean anything: the order is not given again, and a person looks.
    for (id, severity, uncertain) in [("Contoso.1.0.Odd", "Warning", true), ("Base.1.0.PropertyNotUpdated", "Warning", false)] {
        let stub = Stub::start(Bmc::new(), move |_, request| {
            let message = json!([{"MessageId": id, "Message": "words", "Severity": severity}]);
            (request.method == "POST").then(|| Reply::json(200, &json!({ "@Message.ExtendedInfo": message })))
        })
        .await;
        let trouble = restart(&stub).await.expect_err("not known");
        assert!(trouble.uncertain == uncertain && trouble.reason.contains("words"), "{trouble:?}");
        assert_eq!(stub.bmc().kinds(), ["ForceRestart"], "{id}");
    }
}

// A task that fails, and a conflict: neither is ordered again in another form.
#[tokio::test]
async fn a_reset_whose_task_fails_or_that_conflicts_is_not_ordered_again() {
    for (answer, uncertain, words) in [("task", true, "its task ended with Exception"), ("conflict", false, "busy")] {
        let stub = Stub::start(Bmc::new(), move |_, request| match (request.method.as_str(), request.path.as_str()) {
            ("POST", _) if answer == "task" => Some(Reply::empty(202).with("Location", "/redfish/v1/TaskService/Tasks/1")),
            ("POST", _) => Some(Reply::error(409, "Base.1.8.ResourceInUse", "busy")),
            ("GET", "/redfish/v1/TaskService/Tasks/1") => Some(Reply::json(200, &json!({"TaskState": "Exception"}))),
            _ => None,
        })
        .await;
        let trouble = restart(&stub).await.expect_err("it failed");
        assert!(trouble.uncertain == uncertain && trouble.reason.contains(words), "{trouble:?}");
        assert_eq!(stub.bmc().kinds(), ["ForceRestart"]);
    }
}

// Sessions expire (DSP0266, "Session lifetime"), also during an order: 401 then means that nothing was done.
#[tokio::test]
async fn an_expired_session_is_opened_again() {
    let mut uses = 0;
    let bmc = restarted(Bmc::new(), move |_, request| {
        if request.is("POST", "/redfish/v1/SessionService/Sessions") {
            uses = 0;
            let reply = Reply::json(201, &json!({"@odata.id": "/redfish/v1/SessionService/Sessions/9"}));
            // The name that it has for itself is another one.
            return Some(reply.with("X-Auth-Token", "t0ken").with("Location", "https://bmc.example/redfish/v1/Sessions/9"));
        }
        uses += 1;
        (request.header("x-auth-token") != Some("t0ken") || uses > 3).then(|| Reply::empty(401))
    })
    .await;
    assert_eq!(bmc.kinds().last().map(String::as_str), Some("ForceRestart"));
    assert!(bmc.changes().iter().any(|(what, _)| what == "DELETE /redfish/v1/SessionService/Sessions/9"), "{:?}", bmc.changes());
}

#[tokio::test]
async fn a_controller_without_systems_says_so() {
    for members in [json!([]), json!(null), json!([{}])] {
        let stub = Stub::start(Bmc::new(), move |_, request| {
            (request.path == SYSTEMS).then(|| Reply::json(200, &json!({ "Members": members })))
        })
        .await;
        let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("none");
        assert!(trouble.reason.ends_with("lists no system"), "{trouble:?}");
    }
}

// IBM's OpenBMC leaves the boot override out (ibm-openbmc/bmcweb pull requests 209 and 939).
#[tokio::test]
async fn a_controller_without_a_boot_override_is_said_to_have_none() {
    let mut bmc = Bmc::new();
    bmc.boot = json!({"StopBootOnFault": "Never", "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Hdd"]});
    let stub = Stub::start(bmc, |_, request| (request.method == "PATCH").then(|| Reply::empty(204))).await;
    let trouble = restart(&stub).await.expect_err("it has none");
    assert!(trouble.reason.contains("its override is nothing for nothing; it offers only None, Hdd"), "{}", trouble.reason);
}

// OpenBMC describes the values in `@Redfish.ActionInfo`, and IBM's has no ForceRestart (ibm-openbmc/bmcweb pull request 522;
// DMTF/Redfishtool pull request 24).
#[tokio::test]
async fn the_kinds_of_reset_are_read_from_the_description_of_the_action() {
    for link in [json!("/redfish/v1/Systems/1/ResetActionInfo"), json!({"@odata.id": "/redfish/v1/Systems/1/ResetActionInfo"})] {
        let mut bmc = Bmc::new();
        bmc.resets = json!({"target": super::stub::RESET, "@Redfish.ActionInfo": link});
        let bmc = restarted(bmc, |_, request| {
            let values = ["On", "ForceOff", "ForceOn", "GracefulRestart", "GracefulShutdown", "PowerCycle", "Nmi"];
            let info = json!({"Parameters": [{"Name": "ResetType", "AllowableValues": values}]});
            request.is("GET", "/redfish/v1/Systems/1/ResetActionInfo").then(|| Reply::json(200, &info))
        })
        .await;
        assert_eq!(bmc.kinds(), ["PowerCycle"]);
    }
}

// Without values and description, the action itself says what it does not know (sushy takes all values then).
#[tokio::test]
async fn the_next_kind_of_reset_is_tried_where_one_is_unknown() {
    let mut bmc = Bmc::new();
    bmc.resets = json!({});
    let bmc = restarted(bmc, |_, request| {
        (request.body["ResetType"] == "ForceRestart").then(|| Reply::error(400, "Base.1.8.1.ActionParameterUnknown", "unknown"))
    })
    .await;
    assert_eq!(bmc.kinds(), ["ForceRestart", "PowerCycle"]);
}

// Where there is neither ForceRestart nor PowerCycle, a restart is off and on (quadsproject/quads issue 311).
#[tokio::test]
async fn a_restart_is_off_and_on_where_there_is_no_other() {
    let mut bmc = Bmc::new();
    bmc.resets["ResetType@Redfish.AllowableValues"] = json!(["On", "ForceOff", "GracefulShutdown"]);
    assert_eq!(restarted(bmc, |_, _| None).await.kinds(), ["ForceOff", "On"]);
}

// Where the power button is all there is, it switches a server on, and never off (gofish pull request 57 lists the kind).
#[tokio::test]
async fn the_power_button_is_pressed_to_switch_on_only() {
    let with = |power: &str| {
        let mut bmc = Bmc { power: power.to_owned(), ..Bmc::new() };
        bmc.resets["ResetType@Redfish.AllowableValues"] = json!(["PushPowerButton"]);
        bmc
    };
    let stub = Stub::start(with("Off"), |_, _| None).await;
    assert_eq!(redfish(stub.port, Tls::Off).carry_out(PowerAction::On, false).await, Ok(PowerState::On));
    let stub = Stub::start(with("On"), |_, _| None).await;
    for action in [PowerAction::Off, PowerAction::Cycle] {
        redfish(stub.port, Tls::Off).carry_out(action, false).await.expect_err("there is no such reset");
    }
    assert!(stub.bmc().kinds().is_empty());
}

// The same race where the controller offers the button as well, as iLO does: a press would switch off what is on by now.
#[tokio::test]
async fn the_power_button_is_not_pressed_after_a_refused_order() {
    for offered in [json!(["On", "ForceOff", "PushPowerButton"]), json!([])] {
        let mut bmc = Bmc { power: "Off".to_owned(), ..Bmc::new() };
        bmc.resets["ResetType@Redfish.AllowableValues"] = offered;
        let stub = Stub::start(bmc, |bmc, request| {
            (request.method == "POST" && request.body["ResetType"] != "PushPowerButton").then(|| {
                bmc.power = "On".to_owned();
                Reply::error(400, "iLO.0.10.InvalidOperationForSystemState", "Power is on")
            })
        })
        .await;
        assert_eq!(redfish(stub.port, Tls::Off).carry_out(PowerAction::On, false).await, Ok(PowerState::On));
        assert_eq!(stub.bmc().power, "On");
    }
}

// iDRAC answers 409 "Server is already powered ON" (dell/dellemc-openmanage-ansible-modules issue 132), iLO 400 (goldyfruit/
// ansible-ilo issue 1): the state that is wanted is there.
#[tokio::test]
async fn an_order_for_what_came_about_meanwhile_is_done() {
    for status in [400, 409] {
        let bmc = Bmc { power: "Off".to_owned(), ..Bmc::new() };
        let stub = Stub::start(bmc, move |bmc, request| {
            (request.method == "POST").then(|| {
                bmc.power = "On".to_owned();
                Reply::error(status, "IDRAC.1.6.PSU501", "Server is already powered ON.")
            })
        })
        .await;
        assert_eq!(redfish(stub.port, Tls::Off).carry_out(PowerAction::On, false).await, Ok(PowerState::On));
    }
}

// iLO 4 answers a success in the form of an error, without words (goldyfruit/ansible-ilo issue 1).
#[tokio::test]
async fn a_success_in_the_form_of_an_error_is_one() {
    let bmc = restarted(Bmc::new(), |bmc, request| {
        (request.method != "GET").then(|| {
            drop(bmc.answer(request));
            Reply::json(
                200,
                &json!({"Messages": [{"MessageID": "Base.0.10.Success"}], "Type": "ExtendedError.1.0.0",
                "error": {"@Message.ExtendedInfo": [{"MessageID": "Base.0.10.Success"}], "code": "iLO.0.10.ExtendedInfo"}}),
            )
        })
    })
    .await;
    assert_eq!(bmc.kinds(), ["ForceRestart"]);
}

// iLO 5 from 2.30 on compresses some resources, and refuses who does not accept that (DMTF/Redfish-Mockup-Creator issues 56
// and 58); other answers begin with a byte order mark, end in zeros, or have another content type.
#[tokio::test]
async fn answers_are_read_compressed_or_not_and_whatever_is_around_them() {
    for form in ["gzip", "mark", "zeros", "type"] {
        let bmc = restarted(Bmc::new(), move |bmc, request| {
            if request.header("accept-encoding").is_none_or(|accepted| !accepted.contains("gzip")) {
                return Some(Reply::empty(406));
            }
            let mut reply = bmc.answer(request);
            match form {
                "gzip" if request.method == "GET" => reply = reply.compressed(),
                "mark" => reply.body.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
                "zeros" if request.method == "GET" => reply.body.extend([0, 0]),
                "type" => reply = reply.with("Content-Type", "text/html"),
                _ => {}
            }
            Some(reply)
        })
        .await;
        assert_eq!(bmc.kinds(), ["ForceRestart"], "{form}");
    }
    let bomb =
        Stub::start(Bmc::new(), |_, _| Some(Reply { status: 200, headers: vec![], body: vec![b' '; 64 << 20] }.compressed()))
            .await;
    let trouble = redfish(bomb.port, Tls::Off).state().await.expect_err("too large");
    assert!(trouble.reason.contains("more than 1048576 bytes"), "{}", trouble.reason);
}

// iDRAC that is starting answers 503 (ironcore-dev/metal-operator issue 170) or 400 (quadsproject/badfish issue 129), and
// says when to come back.
#[tokio::test]
async fn a_controller_that_is_starting_is_asked_again_and_an_order_is_given_once() {
    for (status, id) in [(503, "IDRAC.2.8.SYS518"), (400, "IDRAC.1.6.SWC0700")] {
        let mut first = true;
        let bmc = restarted(Bmc::new(), move |_, _| {
            std::mem::take(&mut first).then(|| Reply::error(status, id, "not ready").with("Retry-After", "1"))
        })
        .await;
        assert_eq!(bmc.kinds(), ["ForceRestart"]);
    }
    let stub = Stub::start(Bmc::new(), |_, request| {
        (request.method == "POST")
            .then(|| Reply::error(503, "Base.1.12.ServiceTemporarilyUnavailable", "later").with("Retry-After", "1"))
    })
    .await;
    let trouble = redfish(stub.port, Tls::Off).carry_out(PowerAction::Cycle, false).await.expect_err("not ready");
    assert!(trouble.uncertain && stub.bmc().kinds().len() == 1, "{trouble:?}");
}

// Where Basic authentication is switched off, as OpenBMC and others can, a session is opened, used and closed: controllers
// have few (theforeman/smart-proxy pull requests 895 and 896).
#[tokio::test]
async fn a_session_is_opened_where_basic_is_not_offered_and_closed_again() {
    let bmc = restarted(Bmc::new(), |_, request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/redfish/v1/SessionService/Sessions") => {
            assert_eq!(request.body, json!({"UserName": "admin", "Password": PASSWORD}));
            assert!(request.header("authorization").is_none());
            let reply = Reply::json(201, &json!({"@odata.id": "/redfish/v1/SessionService/Sessions/9"}));
            Some(reply.with("x-auth-token", "t0ken").with("LOCATION", "/redfish/v1/SessionService/Sessions/9"))
        }
        _ if request.header("x-auth-token") != Some("t0ken") => Some(Reply::empty(401)),
        ("DELETE", "/redfish/v1/SessionService/Sessions/9") => Some(Reply::empty(204)),
        _ => None,
    })
    .await;
    let changes: Vec<String> = bmc.changes().into_iter().map(|(what, _)| what).collect();
    assert_eq!(changes.first().map(String::as_str), Some("POST /redfish/v1/SessionService/Sessions"));
    assert_eq!(changes.last().map(String::as_str), Some("DELETE /redfish/v1/SessionService/Sessions/9"));
    assert_eq!(changes.iter().filter(|change| change.ends_with("/Sessions")).count(), 1, "{changes:?}");
    // Wrong by session as well, and wrong where Basic is offered: then it is not sent a second time.
    for (basic, posts) in [(true, 0), (false, 1)] {
        let stub = Stub::start(Bmc::new(), move |_, _| {
            let reply = Reply::empty(401);
            Some(if basic { reply.with("WWW-Authenticate", "Basic realm=\"RedfishService\"") } else { reply })
        })
        .await;
        let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("wrong");
        assert!(trouble.reason.contains("wrong name or password"), "{}", trouble.reason);
        assert_eq!(stub.bmc().changes().len(), posts);
    }
}

// iDRAC answers 503 and RAC0218 where it has no session left (stmcginnis/gofish issue 75, bb-Ricardo/check_redfish issue 89).
#[tokio::test]
async fn a_controller_without_a_free_session_is_said_to_have_none() {
    let stub = Stub::start(Bmc::new(), |_, request| {
        Some(if request.method == "POST" {
            Reply::error(503, "IDRAC.2.4.RAC0218", "The maximum number of user sessions is reached.")
        } else {
            Reply::empty(401)
        })
    })
    .await;
    let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("no session");
    assert!(
        trouble.reason.contains("maximum number of user sessions") && trouble.reason.contains("Close sessions"),
        "{trouble:?}"
    );
}

// Collections come in pages (DSP0266, "Pagination"), may be elsewhere (sushy reads the service root), and ids are written as
// people copy them.
#[tokio::test]
async fn the_system_is_found_wherever_it_is_and_however_its_id_is_written() {
    let paged = |_: &mut Bmc, request: &Request| match request.path.as_str() {
        SYSTEMS => Some(Reply::json(
            200,
            &json!({"Members": [{"@odata.id": "/redfish/v1/Systems/HGX_Baseboard_0"}],
            "Members@odata.nextLink": "/redfish/v1/Systems?$skip=1"}),
        )),
        "/redfish/v1/Systems?$skip=1" => {
            Some(Reply::json(200, &json!({"Members": [{"@odata.id": "/redfish/v1/Systems/System.Embedded.1/"}]})))
        }
        "/redfish/v1/Systems/System.Embedded.1" | "/redfish/v1/Systems/System.Embedded.1/" => {
            Some(Reply::json(200, &json!({"PowerState": "On"})))
        }
        _ => None,
    };
    let stub = Stub::start(Bmc::new(), paged).await;
    for system in ["System.Embedded.1", "system.embedded.1", "/redfish/v1/Systems/System.Embedded.1", "System.Embedded.1/"] {
        let access = Access { system: Some(system.parse().expect("a text")), ..access(stub.port) };
        assert_eq!(controller(ManagementProtocol::Redfish, access).state().await, Ok(PowerState::On), "{system}");
    }
    let trouble = redfish(stub.port, Tls::Off).state().await.expect_err("which?");
    assert!(trouble.reason.contains("has 2 systems (HGX_Baseboard_0, System.Embedded.1)"), "{}", trouble.reason);
    let elsewhere = Stub::start(Bmc::new(), |bmc, request| match request.path.as_str() {
        SYSTEMS => Some(Reply::empty(404)),
        "/redfish/v1/" => Some(Reply::json(200, &json!({"Systems": {"@odata.id": "/redfish/v1/ComputerSystems"}}))),
        "/redfish/v1/ComputerSystems" => Some(Reply::json(200, &json!({"Members": [{"@odata.id": "/redfish/v1/node"}, {}]}))),
        "/redfish/v1/node" => Some(Reply::json(200, &bmc.system())),
        _ => None,
    })
    .await;
    assert_eq!(redfish(elsewhere.port, Tls::Off).state().await, Ok(PowerState::On));
}

// A server that is starting has power; one that is stopping has not gone off yet (ironic maps the first; DMTF's PowerState).
#[tokio::test]
async fn every_power_state_is_read() {
    for (power, state) in [
        ("On", PowerState::On),
        ("on", PowerState::On),
        ("PoweringOn", PowerState::On),
        ("Paused", PowerState::On),
        ("Off", PowerState::Off),
        ("PoweringOff", PowerState::Unknown),
        ("Unknown", PowerState::Unknown),
        ("", PowerState::Unknown),
    ] {
        let stub = Stub::start(Bmc { power: power.to_owned(), ..Bmc::new() }, |_, _| None).await;
        assert_eq!(redfish(stub.port, Tls::Off).state().await, Ok(state), "{power}");
    }
    let null = json!({"PowerState": null, "Boot": null, "Actions": null, "@Redfish.Settings": null});
    let stub = Stub::start(Bmc::new(), move |_, request| (request.path == SYSTEM).then(|| Reply::json(200, &null))).await;
    assert_eq!(redfish(stub.port, Tls::Off).state().await, Ok(PowerState::Unknown));
}

// IPv6 addresses, host names, and gateways that serve several controllers below a path.
#[tokio::test]
async fn a_controller_is_reached_by_ipv6_by_name_and_below_a_path() {
    let stub = Stub::at(IpAddr::V6(Ipv6Addr::LOCALHOST), Bmc::new(), |_, _| None).await;
    for address in ["::1", "[0:0::1]"] {
        let management = management(address, access(stub.port));
        let by_address = allowed(&management, &[Ipv6Addr::LOCALHOST.into()]);
        assert_eq!(by_address.carry_out(PowerAction::Cycle, true).await, Ok(PowerState::On), "{address}");
    }
    assert_eq!(stub.bmc().heard[0].header("host"), Some(format!("[::1]:{}", stub.port).as_str()));

    let stub = Stub::start(Bmc::new(), |_, _| None).await;
    let named = management("bmc1.example", access(stub.port));
    let by_name = allowed(&named, &[Ipv4Addr::LOCALHOST.into()]);
    assert_eq!(by_name.carry_out(PowerAction::Cycle, true).await, Ok(PowerState::On), "the address that was checked is used");
    assert_eq!(stub.bmc().heard[0].header("host"), Some(format!("bmc1.example:{}", stub.port).as_str()));

    // One gateway gives the links of the controller as they are, another one its own.
    for rewrites in [false, true] {
        let stub = Stub::start(Bmc::new(), move |bmc, request| {
            let Some(path) = request.path.strip_prefix("/rack1/node7") else { return Some(Reply::empty(404)) };
            let inner = Request { path: path.to_owned(), ..request.clone() };
            let mut reply = bmc.answer(&inner);
            if rewrites {
                let text = String::from_utf8_lossy(&reply.body).replace("\"/redfish", "\"/rack1/node7/redfish");
                reply.body = text.into_bytes();
            }
            Some(reply)
        })
        .await;
        let access = Access { path: Some("/rack1/node7".parse().expect("a path")), ..access(stub.port) };
        let gateway = controller(ManagementProtocol::Redfish, access);
        assert_eq!(gateway.carry_out(PowerAction::Cycle, true).await, Ok(PowerState::On), "{rewrites}");
        assert_eq!(stub.bmc().kinds(), ["ForceRestart"]);
    }
}
