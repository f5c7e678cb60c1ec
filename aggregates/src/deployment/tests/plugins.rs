//! Tests of plugin reports: order, failures, waiting and repetition.

use super::*;
use crate::deployment::reason::UnconfirmedServer;
use crate::samples::broken;
use cqrs_es::Aggregate;

#[test]
fn each_plugin_runs_after_its_requirements_have_succeeded() {
    for (done, plugin) in [(&[][..], "clean"), (&["clean"], "role"), (&["clean", "role"], "dns")] {
        assert_eq!(outcome::<Deployment>(&open_after(done), success(plugin)), Ok(vec![succeeded(plugin)]));
    }
}

#[test]
fn the_last_preparing_plugin_puts_the_deployment_in_progress() {
    let events = outcome::<Deployment>(&open_after(&["clean", "role", "dns"]), success("dhcp"));
    assert_eq!(events, Ok(vec![succeeded("dhcp"), in_progress_event()]));
}

#[test]
fn a_plugin_before_its_requirements_reports_nothing() {
    for (done, plugin) in [(&[][..], "role"), (&["clean"], "dns"), (&["clean"], "dhcp"), (&["clean", "role"], "dhcp")] {
        for command in [success(plugin), failure(plugin), busy(plugin), retry(plugin)] {
            assert_eq!(broken::<Deployment>(&open_after(done), command), ["plugin_too_early"], "{plugin} after {done:?}");
        }
    }
}

#[test]
fn a_plugin_for_servers_in_progress_runs_after_the_preparation() {
    let mut request = request();
    let plan = &mut request.plan.0;
    plan.iter_mut().filter(|planned| planned.name.as_str() == "reboot").for_each(|planned| planned.requires.clear());
    let start = DeploymentCommand::StartDeployment(Box::new(request));
    let given = outcome::<Deployment>(&[], start).expect("it starts");
    assert_eq!(broken::<Deployment>(&given, success("reboot")), ["plugin_too_early"]);
    assert_eq!(outcome::<Deployment>(&in_progress(), success("reboot")), Ok(vec![succeeded("reboot")]));
}

#[test]
fn a_plugin_that_is_not_in_the_plan_reports_nothing() {
    for command in [success("paint"), failure("paint"), busy("paint"), retry("paint")] {
        assert_eq!(broken::<Deployment>(&open(), command), ["plugin_unknown"]);
    }
}

#[test]
fn a_second_report_of_a_success_writes_nothing() {
    for given in [open_after(&["clean"]), in_progress()] {
        assert_eq!(outcome::<Deployment>(&given, success("clean")), Ok(vec![]));
    }
    assert_eq!(outcome::<Deployment>(&in_progress(), success("dhcp")), Ok(vec![]), "in progress only once");
}

#[test]
fn after_a_success_late_failures_and_waits_write_nothing() {
    for command in [failure("clean"), busy("clean")] {
        assert_eq!(outcome::<Deployment>(&open_after(&["clean"]), command), Ok(vec![]));
    }
}

#[test]
fn failures_are_counted_and_change_no_status() {
    let mut given = open();
    for expected in 1..=3 {
        let events = outcome::<Deployment>(&given, failure("clean")).expect("a failure is recorded");
        let [DeploymentEvent::PluginFailed { attempt, reason, retry_at, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((*attempt, reason, *retry_at), (expected, &PluginFailure::Deadline { seconds: 20 }, noon(2)));
        given.extend(events);
    }
    assert_eq!(outcome::<Deployment>(&given, success("clean")), Ok(vec![succeeded("clean")]));
}

#[test]
fn waiting_is_recorded_when_what_is_awaited_changes_and_not_before() {
    let mut given = open_after(&["clean", "role", "dns"]);
    let record = |given: &mut Vec<DeploymentEvent>, command| {
        let events = outcome::<Deployment>(given, command).expect("waiting is recorded");
        given.extend(events.clone());
        events.len()
    };
    let unconfirmed = |error: Option<&str>| {
        let server = UnconfirmedServer { server: parsed("kea-1"), error: error.map(parsed) };
        Waiting::DhcpServers { servers: vec![server], held_back: None }
    };
    let (kea, failing) = (["dhcp-server:kea-1"], || unconfirmed(Some("syntax error")));
    assert_eq!(record(&mut given, waiting("dhcp", unconfirmed(None), &kea)), 1);
    assert_eq!(record(&mut given, waiting("dhcp", unconfirmed(None), &kea)), 0);
    assert_eq!(record(&mut given, waiting("dhcp", failing(), &kea)), 1);
    assert_eq!(record(&mut given, waiting("dhcp", failing(), &["dhcp-server:kea-2"])), 1);
    assert_eq!(record(&mut given, failure("dhcp")), 1);
    assert_eq!(record(&mut given, waiting("dhcp", failing(), &["dhcp-server:kea-2"])), 1, "after a failure it is news");
}

#[test]
fn waiting_is_not_counted_as_a_failure() {
    let given: Vec<_> =
        open().into_iter().chain(outcome::<Deployment>(&open(), busy("clean")).expect("waiting is recorded")).collect();
    let events = outcome::<Deployment>(&given, failure("clean")).expect("a failure is recorded");
    assert!(matches!(events.as_slice(), [DeploymentEvent::PluginFailed { attempt: 1, .. }]), "{events:?}");
}

#[test]
fn an_operator_may_run_a_plugin_now_until_it_has_succeeded() {
    let requested = DeploymentEvent::PluginRetryRequested { plugin: parsed("clean") };
    assert_eq!(outcome::<Deployment>(&open(), retry("clean")), Ok(vec![requested]));
    assert_eq!(broken::<Deployment>(&open_after(&["clean"]), retry("clean")), ["plugin_succeeded"]);
}

#[test]
fn replaying_the_events_gives_the_state_that_the_rules_saw() {
    let mut deployment = Deployment::default();
    let mut events = vec![];
    for command in [start(), failure("clean"), success("clean"), success("role"), success("dns"), success("dhcp"), mark_done()] {
        for event in deployment.decide(command).expect("accepted") {
            deployment.apply(event.clone());
            events.push(event);
        }
    }
    let mut replayed = Deployment::default();
    for event in events {
        replayed.apply(event);
    }
    assert_eq!(serde_json::to_value(replayed).expect("JSON"), serde_json::to_value(deployment).expect("JSON"));
}

#[test]
fn the_state_records_whether_the_server_booted_and_how_often_an_operator_retried() {
    let state = |events: &[DeploymentEvent]| {
        let mut deployment = Deployment::default();
        events.iter().cloned().for_each(|event| deployment.apply(event));
        deployment
    };
    let mut events = in_progress();
    assert!(!state(&events).has_booted());
    for queried in 1..=2 {
        events.extend(outcome::<Deployment>(&events, retry("reboot")).expect("a retry"));
        events.extend(outcome::<Deployment>(&events, failure("reboot")).expect("a failure"));
        assert_eq!(state(&events).retries(&parsed("reboot")), queried);
    }
    assert_eq!(state(&events).retries(&parsed("dhcp")), 0);
    let served = DeploymentCommand::RecordBoot {
        file: parsed("boot.ipxe"),
        sha256: parsed(&"ab".repeat(32)),
        client: parsed("10.0.0.20"),
        at: noon(0),
        then_disk: false,
    };
    events.extend(outcome::<Deployment>(&events, served).expect("a file served"));
    assert!(state(&events).has_booted());
}

#[test]
fn the_next_plugin_is_the_first_that_may_run_and_has_not_succeeded() {
    for (given, next, in_progress) in [
        (vec![], None, false),
        (open(), Some("clean"), false),
        (open_after(&["clean"]), Some("role"), false),
        (open_after(&["clean", "role"]), Some("dns"), false),
        (open_after(&["clean", "role", "dns"]), Some("dhcp"), false),
        (in_progress(), Some("reboot"), true),
        (in_progress().into_iter().chain([succeeded("reboot")]).collect(), None, true),
        (done(), None, false),
        (cancelled(), None, false),
    ] {
        let state = Deployment::after(given);
        assert_eq!(state.next_due().map(crate::values::name::Name::as_str), next, "{state:?}");
        assert_eq!(state.is_in_progress(), in_progress, "{state:?}");
    }
}
