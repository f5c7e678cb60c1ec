//! Tests of switching and restarting, and of reading the power state.

use super::*;

// A success with a message whose name contains "Not" was taken for a refusal, and a second reset followed.
#[tokio::test]
async fn a_success_whose_message_resembles_a_refusal_is_one_reset() {
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
    // An unknown message may mean anything: the order is not repeated, and an operator has to check.
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

// A task that fails, and a conflict: neither order is repeated in a different form.
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

// OpenBMC describes the values in `@Redfish.ActionInfo`, and IBM's version has no ForceRestart (ibm-openbmc/bmcweb pull request
// 522; DMTF/Redfishtool pull request 24).
#[tokio::test]
async fn the_kinds_of_reset_are_read_from_the_description_of_the_action() {
    for link in [json!("/redfish/v1/Systems/1/ResetActionInfo"), json!({"@odata.id": "/redfish/v1/Systems/1/ResetActionInfo"})] {
        let mut bmc = Bmc::new();
        bmc.resets = json!({"target": super::super::stub::RESET, "@Redfish.ActionInfo": link});
        let bmc = restarted(bmc, |_, request| {
            let values = ["On", "ForceOff", "ForceOn", "GracefulRestart", "GracefulShutdown", "PowerCycle", "Nmi"];
            let info = json!({"Parameters": [{"Name": "ResetType", "AllowableValues": values}]});
            request.is("GET", "/redfish/v1/Systems/1/ResetActionInfo").then(|| Reply::json(200, &info))
        })
        .await;
        assert_eq!(bmc.kinds(), ["PowerCycle"]);
    }
}

// Without values and description, the action itself reports what it does not know (sushy then tries all values).
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

// Without ForceRestart and PowerCycle, a restart consists of off and on (quadsproject/quads issue 311).
#[tokio::test]
async fn a_restart_is_off_and_on_where_there_is_no_other() {
    let mut bmc = Bmc::new();
    bmc.resets["ResetType@Redfish.AllowableValues"] = json!(["On", "ForceOff", "GracefulShutdown"]);
    assert_eq!(restarted(bmc, |_, _| None).await.kinds(), ["ForceOff", "On"]);
}

// If there is only the power button, it is used to switch a server on, but never off (gofish pull request 57 lists this kind).
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

// The same race with a controller that also offers the button, such as iLO: a press would switch off a server that is on by
// now.
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

// iDRAC responds with 409 "Server is already powered ON" (dell/dellemc-openmanage-ansible-modules issue 132), iLO with 400
// (goldyfruit/ansible-ilo issue 1): the requested state has been reached.
#[tokio::test]
async fn an_order_for_a_state_that_was_reached_in_the_meantime_succeeds() {
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

// iLO 4 reports a success in the form of an error, without a text (goldyfruit/ansible-ilo issue 1).
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

// A server that is starting is on; one that is stopping is not off yet (ironic maps the first; DMTF's PowerState).
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
