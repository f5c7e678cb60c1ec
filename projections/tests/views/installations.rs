//! What the views show of installers, and how long an installation usually takes.

use crate::fixture::{Fixture, deployment_id, sha, v};
use crate::history::History;
use anyhow::Result;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::installer::{InstallerReport, NextBoot};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Filter};
use bootledger_projections::rows::plugin_runs::RunStatus;
use bootledger_projections::rows::{boot_targets, installations};

fn served(fixture: &Fixture, file: &str, seconds_ago: i64) -> DeploymentCommand {
    let at = fixture.now().plus_seconds(-seconds_ago);
    DeploymentCommand::RecordBoot { file: v(file), sha256: sha(1), client: v("10.0.0.11"), at, then_disk: true }
}

fn report(failed: bool, stage: &str) -> DeploymentCommand {
    let (stage, client) = (Some(v(stage)), v("10.0.0.11"));
    DeploymentCommand::ReportInstaller {
        report: InstallerReport { stage, percent: None, text: Some(v("no disk")), failed, next_boot: None, client },
    }
}

/// Brings device `n` to "in progress" with deployment `n`.
fn in_progress(fixture: &mut Fixture, n: u8) -> Result<()> {
    fixture.register(n, "dc1")?;
    fixture.start(deployment_id(n), n, 10 + n, 200 + u16::from(n))?;
    Ok((0..4).try_for_each(|_| fixture.run_next(deployment_id(n)))?)
}

#[tokio::test]
async fn the_usual_duration_is_the_median_of_at_least_three_servers_that_fetched_the_file() -> Result<()> {
    let mut fixture = Fixture::furnished();
    // How many seconds each installation took from the last time it fetched its answer file to DONE, which follows a second
    // later.
    for (n, took) in (1_u8..).zip([99, 899, 299]) {
        in_progress(&mut fixture, n)?;
        for (file, ago) in [("preseed.cfg", took + 500), ("late.sh", 1), ("preseed.cfg", took)] {
            let command = served(&fixture, file, ago);
            fixture.deployment(deployment_id(n), "boot", command)?;
        }
    }
    let mut usual = vec![];
    for n in 1..=3 {
        fixture.done(deployment_id(n))?;
        let history = History::new(&fixture.log).await?;
        history.advance(1000).await?;
        usual.push(installations::usual_seconds(&history.pool, &v("debian-12"), &v("preseed.cfg")).await?.is_some());
        if n == 3 {
            let seconds = installations::usual_seconds(&history.pool, &v("debian-12"), &v("preseed.cfg")).await?;
            assert!(seconds.is_some_and(|seconds| (300..320).contains(&seconds)), "{seconds:?}");
            for (image, file) in [("debian-13", "preseed.cfg"), ("debian-12", "other.cfg")] {
                assert_eq!(installations::usual_seconds(&history.pool, &v(image), &v(file)).await?, None);
            }
        }
    }
    assert_eq!(usual, [false, false, true]);
    Ok(())
}

#[tokio::test]
async fn a_failed_installer_needs_attention_until_its_next_stage_or_the_end() -> Result<()> {
    for end in ["stage", "done", "cancel"] {
        let mut fixture = Fixture::furnished();
        in_progress(&mut fixture, 1)?;
        let id = deployment_id(1);
        fixture.deployment(id, "server", report(true, "partition"))?;
        let failed_at = i64::try_from(fixture.log.len())?;
        match end {
            "stage" => fixture.deployment(id, "server", report(false, "base"))?,
            "done" => fixture.done(id)?,
            _ => fixture.cancel(id)?,
        }
        let history = History::new(&fixture.log).await?;
        history.advance(failed_at).await?;
        let failing = Filter { plugin: Some(RunStatus::Failed), ..Filter::default() };
        let listed = async || deployments::list(&history.pool, &failing, At::Now, 10).await.map(|rows| rows.len());
        assert_eq!((installations::failing(&history.pool, 5).await?.0, listed().await?), (1, 1));
        history.advance(1000).await?;
        assert_eq!((installations::failing(&history.pool, 5).await?.0, listed().await?), (0, 0), "after {end}");
        let then = installations::find(&history.pool, id, At::Position(failed_at)).await?;
        assert!(then.failed && then.text.as_str() == "no disk", "{then:?}");
        let now = installations::find(&history.pool, id, At::Now).await?;
        assert_eq!((now.failed, now.failing), (end != "stage", false), "what happened stays after {end}");
    }
    Ok(())
}

#[tokio::test]
async fn the_boot_target_says_what_the_next_boot_gets_for_now_and_then() -> Result<()> {
    let mut fixture = Fixture::furnished();
    in_progress(&mut fixture, 1)?;
    let before = i64::try_from(fixture.log.len())?;
    let command = served(&fixture, "preseed.cfg", 0);
    fixture.deployment(deployment_id(1), "boot", command)?;
    let history = History::new(&fixture.log).await?;
    history.advance(1000).await?;
    let next = async |at| boot_targets::all(&history.pool, at).await.map(|targets| targets[0].next_boot);
    assert_eq!((next(At::Position(before)).await?, next(At::Now).await?), (NextBoot::Network, NextBoot::Disk));
    let changes = boot_targets::changed_since(&history.pool, before).await?;
    assert_eq!(changes.iter().map(|change| change.present).collect::<Vec<_>>(), [false, true], "it goes before it comes");
    Ok(())
}
