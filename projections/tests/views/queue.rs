//! The work queue of plugins: which runs are due, and when.

use crate::fixture::{Fixture, confirm, deployment_id, device_id, v};
use crate::history::{History, Written};
use anyhow::{Context, Result};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::reason::{PluginFailure, UnconfirmedServer, Waiting};
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::holders::{self, HolderNames};
use bootledger_projections::rows::plugin_runs::{self, RunReason, RunStatus as S};
use bootledger_projections::rows::{deployments, timeline};

/// The queue's entry for each plugin, in the order of the plan.
async fn queue(history: &History) -> Result<Vec<(String, S, Option<i64>)>> {
    let runs = plugin_runs::of(&history.pool, deployment_id(1)).await?;
    let second = |run: &plugin_runs::Run| run.retry_at.map(|at| (at.0 - crate::history::beginning()).whole_seconds());
    Ok(runs.iter().map(|run| (run.plugin.to_string(), run.status, second(run))).collect())
}

/// Projects the events since the last call and returns the second of the last one.
async fn catch_up(fixture: &mut Fixture, history: &History) -> Result<i64> {
    let last = fixture.log.last().map_or(0, |event| event.second);
    history.append(&std::mem::take(&mut fixture.log)).await?;
    history.advance(1000).await?;
    Ok(last)
}

fn expected(statuses: [(S, Option<i64>); 5]) -> Vec<(String, S, Option<i64>)> {
    let names = ["clean", "role", "dns", "dhcp", "reboot"];
    names.into_iter().zip(statuses).map(|(name, (status, at))| (name.to_owned(), status, at)).collect()
}

#[tokio::test]
async fn a_plugin_is_due_when_its_requirements_have_succeeded_and_its_stage_has_come() -> Result<()> {
    let history = History::new(&[]).await?;
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    let id = deployment_id(1);
    fixture.start(id, 1, 11, 200)?;
    let (blocked, succeeded) = ((S::Blocked, None), (S::Succeeded, None));
    let at = catch_up(&mut fixture, &history).await?;
    assert_eq!(queue(&history).await?, expected([(S::Due, Some(at)), blocked, blocked, blocked, blocked]));

    fixture.run_next(id)?;
    let at = catch_up(&mut fixture, &history).await?;
    assert_eq!(queue(&history).await?, expected([succeeded, (S::Due, Some(at)), blocked, blocked, blocked]));

    fixture.run_next(id)?;
    fixture.run_next(id)?;
    let at = catch_up(&mut fixture, &history).await?;
    assert_eq!(queue(&history).await?, expected([succeeded, succeeded, succeeded, (S::Due, Some(at)), blocked]));

    fixture.run_next(id)?;
    let at = catch_up(&mut fixture, &history).await?;
    assert_eq!(queue(&history).await?, expected([succeeded, succeeded, succeeded, succeeded, (S::Due, Some(at))]));

    fixture.done(id)?;
    catch_up(&mut fixture, &history).await?;
    assert_eq!(queue(&history).await?, expected([succeeded, succeeded, succeeded, succeeded, (S::Stopped, None)]));
    Ok(())
}

#[tokio::test]
async fn a_waiting_plugin_checks_again_when_its_dependency_reports_or_after_a_minute() -> Result<()> {
    let history = History::new(&[]).await?;
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    let id = deployment_id(1);
    fixture.start(id, 1, 11, 200)?;
    let unconfirmed = |server: &str| {
        let servers = vec![UnconfirmedServer { server: v(server), error: None }];
        Waiting::DhcpServers { servers, held_back: None }
    };
    let waiting = |server: &str| DeploymentCommand::PluginWaiting {
        plugin: v("clean"),
        reason: unconfirmed(server),
        awaited: vec![v(&format!("dhcp-server:{server}"))],
    };
    fixture.deployment(id, "plugin clean", waiting("kea-2"))?;
    let at = catch_up(&mut fixture, &history).await?;
    let run = &plugin_runs::of(&history.pool, id).await?[0];
    assert_eq!((run.status, run.reason.clone()), (S::Waiting, Some(RunReason::Waiting(unconfirmed("kea-2")))));
    assert_eq!(queue(&history).await?[0].2, Some(at + 60));

    // Another server's report does not affect the plugin.
    fixture.server("kea-1", confirm(1));
    catch_up(&mut fixture, &history).await?;
    assert_eq!(queue(&history).await?[0].2, Some(at + 60));

    // Waiting for another server is a new reason, with a new start time; that server's report wakes the plugin.
    fixture.deployment(id, "plugin clean", waiting("kea-1"))?;
    let since = catch_up(&mut fixture, &history).await?;
    fixture.server("kea-1", confirm(2));
    let at = catch_up(&mut fixture, &history).await?;
    let run = plugin_runs::of(&history.pool, id).await?.remove(0);
    assert_eq!((run.since.0 - crate::history::beginning()).whole_seconds(), since);
    assert_eq!(queue(&history).await?[0], ("clean".to_owned(), S::Waiting, Some(at)));
    Ok(())
}

#[tokio::test]
async fn a_failed_plugin_is_due_at_its_retry_time_or_on_request() -> Result<()> {
    let history = History::new(&[]).await?;
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    let id = deployment_id(1);
    fixture.start(id, 1, 11, 200)?;
    let retry_at = fixture.now().plus_seconds(300);
    let failure = PluginFailure::Deadline { seconds: 20 };
    let failed = DeploymentCommand::PluginFailed { plugin: v("clean"), reason: failure.clone(), retry_at };
    fixture.deployment(id, "plugin clean", failed)?;
    catch_up(&mut fixture, &history).await?;
    let run = plugin_runs::of(&history.pool, id).await?.remove(0);
    assert_eq!((run.status, run.attempts, run.retry_at), (S::Failed, 1, Some(retry_at)));
    assert_eq!(run.reason, Some(RunReason::Failed(failure.clone())));

    fixture.deployment(id, "token ops", DeploymentCommand::RetryPlugin { plugin: v("clean") })?;
    let at = catch_up(&mut fixture, &history).await?;
    assert_eq!(queue(&history).await?[0], ("clean".to_owned(), S::Failed, Some(at)));

    fixture.cancel(id)?;
    catch_up(&mut fixture, &history).await?;
    assert!(queue(&history).await?.iter().all(|(_, status, at)| (*status, *at) == (S::Stopped, None)));
    let stopped = plugin_runs::of(&history.pool, id).await?.remove(0);
    assert_eq!(stopped.reason, Some(RunReason::Failed(failure)), "a stopped run keeps its reason");
    Ok(())
}

#[tokio::test]
async fn a_failure_names_the_holders_as_they_are_called_now_and_a_line_as_they_were_called_then() -> Result<()> {
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    fixture.register(2, "dc1")?;
    fixture.change(2, DeviceChange { name: Some(v("before")), ..DeviceChange::default() })?;
    let id = deployment_id(1);
    fixture.start(id, 1, 11, 200)?;
    let (device, deployment) = (Holder::Device(device_id(2)), Holder::Deployment(id));
    let held = |holder: Holder| BrokenRule::naming("ip", Rule::Claimed, "", holder, "").about("10.0.0.11");
    let reason = PluginFailure::rules(&[held(device), held(deployment)]);
    let failed = DeploymentCommand::PluginFailed { plugin: v("clean"), reason, retry_at: fixture.now() };
    fixture.deployment(id, "plugin clean", failed)?;
    fixture.change(2, DeviceChange { name: Some(v("after")), ..DeviceChange::default() })?;
    let history = History::new(&fixture.log).await?;
    history.advance(1000).await?;

    let mut connection = history.pool.acquire().await?;
    let runs = plugin_runs::of(&mut connection, id).await?;
    let named = holders::of_failures(runs.iter().filter_map(plugin_runs::Run::failure));
    let now = HolderNames::load(&mut connection, named, At::Now).await?;
    let filter = timeline::Filter { event_types: vec!["PluginFailed".to_owned()], ..timeline::Filter::default() };
    let lines = timeline::list(&mut connection, &filter, timeline::Order::NewestFirst, 1).await?;
    for (names, device_is) in [(&now, "device after"), (&lines[0].holders, "device before")] {
        assert_eq!(names.words(&device.to_string()), device_is);
        assert_eq!(names.words(&deployment.to_string()), format!("the deployment of {}", hostname_of(&history).await?));
        assert_eq!(names.words("network prod"), "network prod", "it is no holder of claims");
    }
    Ok(())
}

/// The host name of the deployment.
async fn hostname_of(history: &History) -> Result<String> {
    let found = deployments::find(&history.pool, deployment_id(1), At::Now).await?;
    Ok(found.context("the deployment")?.hostname.to_string())
}

#[tokio::test]
async fn a_reason_that_was_stored_as_a_sentence_keeps_its_text() -> Result<()> {
    let history = History::new(&[]).await?;
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    let id = deployment_id(1);
    fixture.start(id, 1, 11, 200)?;
    let at = catch_up(&mut fixture, &history).await?;
    let text = || v("kea-1 has not confirmed");
    let reasons = [
        ("PluginWaiting", r#""awaited":[]"#, RunReason::Waiting(Waiting::Text { text: text() })),
        (
            "PluginFailed",
            r#""attempt":1,"retry_at":"2026-03-01T12:00:04Z""#,
            RunReason::Failed(PluginFailure::Text { text: text() }),
        ),
    ];
    for (event_type, more, reason) in reasons {
        let payload = format!(r#"{{"type":"{event_type}","plugin":"clean","reason":"kea-1 has not confirmed",{more}}}"#);
        let (event_type, actor) = (event_type.to_owned(), "plugin clean".to_owned());
        let event =
            Written { aggregate_type: "deployment", aggregate_id: id.to_string(), event_type, payload, actor, second: at };
        history.append(&[event]).await?;
        history.advance(1000).await?;
        assert_eq!(plugin_runs::of(&history.pool, id).await?.remove(0).reason, Some(reason));
    }
    Ok(())
}

#[tokio::test]
async fn a_plugin_of_the_installation_waits_for_its_stage_even_if_it_requires_nothing() -> Result<()> {
    let history = History::new(&[]).await?;
    let mut fixture = Fixture::furnished();
    let plan = serde_json::json!([
        {"name": "clean", "requires": [], "stage": "preparing"},
        {"name": "reboot", "requires": [], "stage": "in_progress"},
        {"name": "role", "requires": ["clean"], "stage": "preparing"},
    ]);
    fixture.plan = Some(serde_json::from_value(plan)?);
    fixture.register(1, "dc1")?;
    let id = deployment_id(1);
    fixture.start(id, 1, 11, 200)?;
    fixture.run_next(id)?;
    let at = catch_up(&mut fixture, &history).await?;
    let shown = queue(&history).await?.into_iter().map(|(_, status, at)| (status, at)).collect::<Vec<_>>();
    assert_eq!(shown, [(S::Succeeded, None), (S::Blocked, None), (S::Due, Some(at))]);

    fixture.deployment(id, "plugin role", DeploymentCommand::PluginSucceeded { plugin: v("role") })?;
    let at = catch_up(&mut fixture, &history).await?;
    let shown = queue(&history).await?.into_iter().map(|(_, status, at)| (status, at)).collect::<Vec<_>>();
    assert_eq!(shown, [(S::Succeeded, None), (S::Due, Some(at)), (S::Succeeded, None)]);
    Ok(())
}
