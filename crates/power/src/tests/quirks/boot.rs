//! Tests of one boot from the network.

use super::*;

// In iDRAC 10, `Boot` is read-only, and the object of `@Redfish.Settings` accepts it (ansible-collections/community.general
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

// AMI MegaRAC names its settings object SD, and mentions it in an error (DMTF/Redfish-Tacklebox issues 111 and 144).
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
        // The weak version that the resource states is not the one that it requires (community.general pull request 6434).
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

// The settings object of iDRAC 9 accepts only the order of boot devices (dsx-ai-factory/libredfish pull request 75).
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

// HPE iLO refuses the boot mode (ansible-collections/community.general issue 3509 and pull request 3581). If the firmware
// already boots in the right mode, that is sufficient.
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

// Supermicro resets the mode if it is omitted (DMTF/Redfishtool pull request 106), and X10 has none
// (ironcore-dev/metal-operator issue 982).
#[tokio::test]
async fn supermicro_receives_its_current_mode() {
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

// Some controllers refuse values that are already set (OpenStack story 2007355, as described in ironic's redfish driver), while
// Supermicro requires all values nevertheless (story 2008547).
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

// The version that a change has to name: AMI and Lenovo SR655 require one (stmcginnis/gofish issue 171, DMTF/Redfish-Tacklebox
// issue 22), others a different spelling (ansible-collections/community.general pull requests 3268 and 3296, issue 11261;
// gofish pull request 511 for `-gzip`), others none.
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

// iDRAC and others respond with 202 and a task. A task that waits for the next reset has done what it can
// (dell/iDRAC-Redfish-Scripting issue 116).
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

// A 200 response to a change that was not made, with the reason beside the property (DSP0266, "Extended information").
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

// IBM's OpenBMC omits the boot override (ibm-openbmc/bmcweb pull requests 209 and 939).
#[tokio::test]
async fn a_controller_without_a_boot_override_is_reported() {
    let mut bmc = Bmc::new();
    bmc.boot = json!({"StopBootOnFault": "Never", "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Hdd"]});
    let stub = Stub::start(bmc, |_, request| (request.method == "PATCH").then(|| Reply::empty(204))).await;
    let trouble = restart(&stub).await.expect_err("it has none");
    assert!(trouble.reason.contains("its override is nothing for nothing; it offers only None, Hdd"), "{}", trouble.reason);
}
