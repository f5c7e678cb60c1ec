//! The work queue of plugins: which runs are due, and when.

use crate::history::History;
use crate::world::{World, confirm, deployment_id, v};
use anyhow::Result;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_projections::plugin_runs::{self, RunStatus as S};

/// The queue's entry for each plugin, in the order of the plan.
async fn queue(history: &History) -> Result<Vec<(String, S, Option<i64>)>> {
    let runs = plugin_runs::of(&history.pool, deployment_id(1)).await?;
    let second = |run: &plugin_runs::Run| run.retry_at.map(|at| (at.0 - crate::history::beginning()).whole_seconds());
    Ok(runs.iter().map(|run| (run.plugin.to_string(), run.status, second(run))).collect())
}

/// Projects the events since the last call and returns the second of the last one.
async fn catch_up(world: &mut World, history: &History) -> Result<i64> {
    let last = world.log.last().map_or(0, |event| event.second);
    history.append(&std::mem::take(&mut world.log)).await?;
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
    let mut world = World::furnished();
    world.register(1, "dc1")?;
    let id = deployment_id(1);
    world.start(id, 1, 11, 200)?;
    let (blocked, succeeded) = ((S::Blocked, None), (S::Succeeded, None));
    let at = catch_up(&mut world, &history).await?;
    assert_eq!(queue(&history).await?, expected([(S::Due, Some(at)), blocked, blocked, blocked, blocked]));

    world.run_next(id)?;
    let at = catch_up(&mut world, &history).await?;
    assert_eq!(queue(&history).await?, expected([succeeded, (S::Due, Some(at)), blocked, blocked, blocked]));

    world.run_next(id)?;
    world.run_next(id)?;
    let at = catch_up(&mut world, &history).await?;
    assert_eq!(queue(&history).await?, expected([succeeded, succeeded, succeeded, (S::Due, Some(at)), blocked]));

    world.run_next(id)?;
    let at = catch_up(&mut world, &history).await?;
    assert_eq!(queue(&history).await?, expected([succeeded, succeeded, succeeded, succeeded, (S::Due, Some(at))]));

    world.done(id)?;
    catch_up(&mut world, &history).await?;
    assert_eq!(queue(&history).await?, expected([succeeded, succeeded, succeeded, succeeded, (S::Stopped, None)]));
    Ok(())
}

#[tokio::test]
async fn a_waiting_plugin_looks_again_when_what_it_awaits_reports_or_after_a_minute() -> Result<()> {
    let history = History::new(&[]).await?;
    let mut world = World::furnished();
    world.register(1, "dc1")?;
    let id = deployment_id(1);
    world.start(id, 1, 11, 200)?;
    let waiting = |server: &str| DeploymentCommand::PluginWaiting {
        plugin: v("clean"),
        reason: v(&format!("{server} has not confirmed")),
        awaited: vec![v(&format!("dhcp-server:{server}"))],
    };
    world.deployment(id, "plugin clean", waiting("kea-2"))?;
    let at = catch_up(&mut world, &history).await?;
    let run = &plugin_runs::of(&history.pool, id).await?[0];
    assert_eq!((run.status, run.reason.as_deref()), (S::Waiting, Some("kea-2 has not confirmed")));
    assert_eq!(queue(&history).await?[0].2, Some(at + 60));

    // Another server's report does not affect the plugin.
    world.server("kea-1", confirm(1));
    catch_up(&mut world, &history).await?;
    assert_eq!(queue(&history).await?[0].2, Some(at + 60));

    // Waiting for another server is a new reason, with a new start time; that server's report wakes the plugin.
    world.deployment(id, "plugin clean", waiting("kea-1"))?;
    let since = catch_up(&mut world, &history).await?;
    world.server("kea-1", confirm(2));
    let at = catch_up(&mut world, &history).await?;
    let run = plugin_runs::of(&history.pool, id).await?.remove(0);
    assert_eq!((run.since.0 - crate::history::beginning()).whole_seconds(), since);
    assert_eq!(queue(&history).await?[0], ("clean".to_owned(), S::Waiting, Some(at)));
    Ok(())
}

#[tokio::test]
async fn a_failed_plugin_is_due_at_its_retry_time_or_on_request() -> Result<()> {
    let history = History::new(&[]).await?;
    let mut world = World::furnished();
    world.register(1, "dc1")?;
    let id = deployment_id(1);
    world.start(id, 1, 11, 200)?;
    let retry_at = world.now().plus_seconds(300);
    let failed = DeploymentCommand::PluginFailed { plugin: v("clean"), reason: v("no route"), retry_at };
    world.deployment(id, "plugin clean", failed)?;
    catch_up(&mut world, &history).await?;
    let run = plugin_runs::of(&history.pool, id).await?.remove(0);
    assert_eq!((run.status, run.attempts, run.retry_at), (S::Failed, 1, Some(retry_at)));

    world.deployment(id, "token ops", DeploymentCommand::RetryPlugin { plugin: v("clean") })?;
    let at = catch_up(&mut world, &history).await?;
    assert_eq!(queue(&history).await?[0], ("clean".to_owned(), S::Failed, Some(at)));

    world.cancel(id)?;
    catch_up(&mut world, &history).await?;
    assert!(queue(&history).await?.iter().all(|(_, status, at)| (*status, *at) == (S::Stopped, None)));
    Ok(())
}

#[tokio::test]
async fn a_plugin_of_the_installation_waits_for_its_stage_even_if_it_requires_nothing() -> Result<()> {
    let history = History::new(&[]).await?;
    let mut world = World::furnished();
    let plan = serde_json::json!([
        {"name": "clean", "requires": [], "stage": "preparing"},
        {"name": "reboot", "requires": [], "stage": "in_progress"},
        {"name": "role", "requires": ["clean"], "stage": "preparing"},
    ]);
    world.plan = Some(serde_json::from_value(plan)?);
    world.register(1, "dc1")?;
    let id = deployment_id(1);
    world.start(id, 1, 11, 200)?;
    world.run_next(id)?;
    let at = catch_up(&mut world, &history).await?;
    let shown = queue(&history).await?.into_iter().map(|(_, status, at)| (status, at)).collect::<Vec<_>>();
    assert_eq!(shown, [(S::Succeeded, None), (S::Blocked, None), (S::Due, Some(at))]);

    world.deployment(id, "plugin role", DeploymentCommand::PluginSucceeded { plugin: v("role") })?;
    let at = catch_up(&mut world, &history).await?;
    let shown = queue(&history).await?.into_iter().map(|(_, status, at)| (status, at)).collect::<Vec<_>>();
    assert_eq!(shown, [(S::Succeeded, None), (S::Due, Some(at)), (S::Succeeded, None)]);
    Ok(())
}
