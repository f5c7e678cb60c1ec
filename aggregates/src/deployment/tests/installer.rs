//! Tests of installer reports: only news is recorded, the number of records is limited, and a report can set the next network
//! boot.

use super::*;
use crate::deployment::installer::{
    InstallerReport, MOST_FAILURES, MOST_LOGS, MOST_NEXT_BOOTS, MOST_REPORTS, NextBootReason, REPORTS_WITHIN_STAGES,
};
use crate::samples::broken;
use crate::values::text::Text;

/// A report with these fields; empty ones are omitted.
pub(super) fn report(stage: &str, percent: &str, text: &str) -> DeploymentCommand {
    DeploymentCommand::ReportInstaller { report: said(stage, percent, text) }
}

fn said(stage: &str, percent: &str, text: &str) -> InstallerReport {
    InstallerReport {
        stage: (!stage.is_empty()).then(|| parsed(stage)),
        percent: (!percent.is_empty()).then(|| parsed(percent)),
        text: (!text.is_empty()).then(|| parsed(text)),
        failed: false,
        next_boot: None,
        client: parsed("10.0.0.20"),
    }
}

fn failed(stage: &str, text: &str) -> DeploymentCommand {
    DeploymentCommand::ReportInstaller { report: InstallerReport { failed: true, ..said(stage, "", text) } }
}

fn requested(boot: NextBoot) -> DeploymentCommand {
    DeploymentCommand::ReportInstaller { report: InstallerReport { next_boot: Some(boot), ..said("", "", "") } }
}

pub(super) fn log(content: char) -> DeploymentCommand {
    numbered_log(&content.to_string().repeat(64))
}

fn numbered_log(sha256: &str) -> DeploymentCommand {
    DeploymentCommand::RecordInstallerLog { sha256: parsed(sha256), size: 1 }
}

pub(super) fn set(boot: NextBoot) -> DeploymentCommand {
    DeploymentCommand::SetNextBoot { boot, reason: NextBootReason::Operator { name: parsed("user ada") } }
}

fn answers(seconds: i64) -> DeploymentCommand {
    match boot::serve("preseed.cfg", 'a', seconds) {
        DeploymentCommand::RecordBoot { file, sha256, client, at, .. } => {
            DeploymentCommand::RecordBoot { file, sha256, client, at, then_disk: true }
        }
        other => other,
    }
}

/// The outcome of each command in short form, in order: `stage/percent/text`, `!stage/text`, `log`, `disk`, `network`, or the
/// code of the rule that refused it.
fn outcomes(commands: impl IntoIterator<Item = DeploymentCommand>) -> Vec<String> {
    outcomes_after(&in_progress(), commands)
}

fn outcomes_after(given: &[DeploymentEvent], commands: impl IntoIterator<Item = DeploymentCommand>) -> Vec<String> {
    let mut state = Deployment::after(given.to_vec());
    let mut outcomes = vec![];
    for command in commands {
        match state.decide(command) {
            Ok(events) => {
                outcomes.push(events.iter().map(short).collect::<Vec<_>>().join(" "));
                for event in events {
                    state.evolve(event);
                }
            }
            Err(refused) => outcomes.push(refused.0[0].rule.clone()),
        }
    }
    outcomes
}

fn short(event: &DeploymentEvent) -> String {
    use DeploymentEvent as E;
    match event {
        E::InstallerReported { stage, percent, text } => {
            format!("{stage}/{}/{text}", percent.map(|percent| percent.to_string()).unwrap_or_default())
        }
        E::InstallerFailed { stage, text } => {
            format!("!{}/{text}", stage.as_ref().map(ToString::to_string).unwrap_or_default())
        }
        E::InstallerLogReceived { .. } => "log".to_owned(),
        E::NextBootSet { boot, .. } => boot.as_str().to_owned(),
        E::BootFileServed { .. } => "served".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_report_is_recorded_where_it_says_something_new() {
    let reports = [
        (report("partition", "", ""), "partition//"),
        (report("partition", "", ""), ""),
        (report("", "10", ""), "partition/10/"),
        (report("", "14", ""), ""),
        (report("", "15", ""), "partition/15/"),
        (report("", "3", ""), ""),
        (report("", "", "sda"), "partition/15/sda"),
        (report("partition", "15", "sda"), ""),
        (report("", "99", ""), "partition/99/sda"),
        (report("", "100", ""), "partition/100/sda"),
        (report("", "100", "sda"), ""),
        (report("base", "", ""), "base//"),
        (report("partition", "100", "sda"), "partition/100/sda"),
    ];
    let (commands, expected): (Vec<_>, Vec<_>) = reports.into_iter().unzip();
    assert_eq!(outcomes(commands), expected);
}

#[test]
fn a_stage_may_count_every_percent_and_leaves_at_most_one_event_in_five() {
    let counting = (0..=100).map(|percent| report("base", &percent.to_string(), ""));
    assert_eq!(outcomes(counting).iter().filter(|outcomes| !outcomes.is_empty()).count(), 21);
}

#[test]
fn a_failure_lasts_until_another_stage_begins() {
    let reports = [
        (report("partition", "40", ""), "partition/40/"),
        (failed("partition", "no disk"), "!partition/no disk"),
        (failed("partition", "no disk"), ""),
        (failed("", "no disk"), ""),
        (report("partition", "60", "still counting"), ""),
        (failed("partition", "really none"), "!partition/really none"),
        (report("base", "", ""), "base//"),
        (failed("", ""), "!base/"),
        (report("partition", "", ""), "partition//"),
    ];
    let (commands, expected): (Vec<_>, Vec<_>) = reports.into_iter().unzip();
    assert_eq!(outcomes(commands), expected);
}

#[test]
fn a_first_report_names_its_stage_unless_it_is_a_failure() {
    assert_eq!(
        outcomes([report("", "5", ""), report("", "", "words"), failed("", "words")]),
        ["stage_missing", "stage_missing", "!/words"]
    );
}

#[test]
fn ten_thousand_reports_of_any_kind_leave_a_limited_number_of_events() {
    let bound = usize::try_from(MOST_REPORTS + 2 * MOST_FAILURES + MOST_NEXT_BOOTS + MOST_LOGS).expect("small");
    let text = |n: usize| format!("text {n}");
    let kinds: Vec<Box<dyn Fn(usize) -> DeploymentCommand>> = vec![
        Box::new(|n| report("base", "", &text(n))),
        Box::new(|n| report(&format!("stage-{n}"), "", "")),
        Box::new(|n| failed("base", &text(n))),
        Box::new(|n| if n.is_multiple_of(2) { failed("a", "") } else { report("b", "", "") }),
        Box::new(|n| requested(if n.is_multiple_of(2) { NextBoot::Disk } else { NextBoot::Network })),
        Box::new(|n| numbered_log(&format!("{n:064x}"))),
        Box::new(|n| match n % 5 {
            0 => report("base", &(n % 101).to_string(), &text(n)),
            1 => failed(&format!("s{}", n % 7), &text(n)),
            2 => requested(if n.is_multiple_of(4) { NextBoot::Disk } else { NextBoot::Network }),
            3 => numbered_log(&format!("{n:064x}")),
            _ => report(&format!("stage-{}", n % 50), "", ""),
        }),
    ];
    for (kind, command) in kinds.iter().enumerate() {
        let outcomes = outcomes((0..10_000).map(command));
        let events: usize = outcomes.iter().filter(|outcomes| !outcomes.is_empty() && !outcomes.ends_with("_full")).count();
        assert!(events > 15 && events <= bound, "kind {kind} left {events} events");
    }
}

#[test]
fn as_many_failures_next_boots_and_logs_are_recorded_as_the_limits_say() {
    let alternating = |n: u32| requested(if n.is_multiple_of(2) { NextBoot::Disk } else { NextBoot::Network });
    let kinds: [(u32, &dyn Fn(u32) -> DeploymentCommand); 3] = [
        (MOST_FAILURES, &|n| failed("base", &format!("text {n}"))),
        (MOST_NEXT_BOOTS, &alternating),
        (MOST_LOGS, &|n| numbered_log(&format!("{n:064x}"))),
    ];
    for (most, command) in kinds {
        let outcomes = outcomes((0..2 * most).map(command));
        let recorded = outcomes.iter().take_while(|outcome| !outcome.is_empty() && !outcome.ends_with("_full")).count();
        assert_eq!(u32::try_from(recorded), Ok(most), "{outcomes:?}");
        assert!(outcomes[recorded].ends_with("_full"), "{outcomes:?}");
    }
}

#[test]
fn a_failure_in_another_stage_forgets_the_progress_and_one_in_the_same_stage_keeps_it() {
    let after_failure_of = |stage: &str| {
        let mut given = in_progress();
        given.extend([
            DeploymentEvent::InstallerReported { stage: parsed("partition"), percent: Some(parsed("40")), text: Text::default() },
            DeploymentEvent::InstallerFailed { stage: Some(parsed(stage)), text: Text::default() },
            DeploymentEvent::InstallationFinished { by: by_server() },
        ]);
        outcomes_after(&given, [report("", "41", "")])
    };
    assert_eq!(after_failure_of("base"), ["base/41/"]);
    assert_eq!(after_failure_of("partition"), [""]);
}

#[test]
fn a_chatty_stage_leaves_room_for_the_stages_and_failures_behind_it() {
    let chatter = (0..2 * MOST_REPORTS).map(|n| report("base", "", &format!("package {n}")));
    let behind = [report("late", "", ""), failed("late", "no grub"), report("later", "", ""), requested(NextBoot::Disk)];
    let outcomes = outcomes(chatter.chain(behind));
    let recorded = outcomes.iter().filter(|outcomes| outcomes.starts_with("base")).count();
    assert_eq!(recorded, usize::try_from(REPORTS_WITHIN_STAGES).expect("small"));
    assert_eq!(outcomes[outcomes.len() - 4..], ["late//", "!late/no grub", "later//", "disk"]);
}

#[test]
fn after_the_last_report_failures_and_their_ends_still_count() {
    let stages = (0..MOST_REPORTS).map(|n| report(&format!("stage-{n}"), "", ""));
    let outcomes = outcomes(stages.chain([
        report("more", "", ""),
        failed("late", "no grub"),
        report("more", "", ""),
        report("even-more", "", ""),
    ]));
    let end = &outcomes[outcomes.len() - 4..];
    assert_eq!(end, ["installer_reports_full", "!late/no grub", "more//", "installer_reports_full"]);
}

#[test]
fn after_the_last_report_the_next_boot_that_comes_with_another_still_counts() {
    let stages = (0..MOST_REPORTS).map(|n| report(&format!("stage-{n}"), "", ""));
    let installed = || DeploymentCommand::ReportInstaller {
        report: InstallerReport { next_boot: Some(NextBoot::Disk), ..said("installed", "80", "") },
    };
    let outcomes = outcomes(stages.chain([installed(), installed()]));
    assert_eq!(outcomes[outcomes.len() - 2..], ["disk", ""]);
}

#[test]
fn the_same_log_again_is_nothing_new() {
    assert_eq!(outcomes([log('a'), log('a'), log('b'), log('a')]), ["log", "", "log", "log"]);
}

#[test]
fn an_image_that_boots_the_network_once_boots_the_disk_after_its_answers_were_served() {
    assert_eq!(
        outcomes([boot::serve("boot.ipxe", 'a', 0), answers(0), answers(1), answers(61)]),
        ["served", "served disk", "", "served"]
    );
}

#[test]
fn answers_that_are_served_again_at_once_after_the_network_was_set_count_again() {
    let outcomes =
        outcomes([answers(0), set(NextBoot::Network), answers(5), requested(NextBoot::Network), requested(NextBoot::Network)]);
    assert_eq!(outcomes, ["served disk", "network", "disk", "network", ""]);
}

#[test]
fn a_retry_of_the_restart_installs_the_server_again_and_other_retries_do_not() {
    for (plugin, expected) in [("reboot", 2), ("dhcp", 1)] {
        let mut given = in_progress();
        given.retain(|event| *event != succeeded("dhcp"));
        given.extend([DeploymentEvent::NextBootSet { boot: NextBoot::Disk, reason: NextBootReason::PowerOrder {} }]);
        // The restart can be retried only after the plugin that it requires has succeeded.
        if plugin == "reboot" {
            given.push(succeeded("dhcp"));
        }
        let events = outcome::<Deployment>(&given, retry(plugin)).expect("a retry");
        assert_eq!(events.len(), expected, "{events:?}");
        assert_eq!(Deployment::after(given.into_iter().chain(events)).boots_disk_next(), plugin != "reboot");
    }
    assert_eq!(outcome::<Deployment>(&in_progress(), retry("reboot")).expect("a retry").len(), 1, "it boots the network anyway");
}

#[test]
fn an_installed_server_reports_on_and_boots_its_disk() {
    let mut given = in_progress();
    given.push(DeploymentEvent::InstallerFailed { stage: Some(parsed("late")), text: Text::default() });
    given.push(DeploymentEvent::InstallationFinished { by: by_server() });
    let outcomes = outcomes_after(
        &given,
        [report("puppet", "", ""), failed("puppet", "no server"), requested(NextBoot::Disk), log('a'), answers(0)],
    );
    assert_eq!(outcomes, ["puppet//", "!puppet/no server", "", "log", "served"]);
    assert_eq!(broken::<Deployment>(&given, set(NextBoot::Network)), ["server_installed"]);
    assert!(!Deployment::after(given).boots_disk_next());
}

#[test]
fn a_deployment_that_is_not_in_progress_takes_no_reports() {
    for command in [report("late", "", ""), failed("late", ""), requested(NextBoot::Disk), log('a'), set(NextBoot::Disk)] {
        assert_eq!(broken::<Deployment>(&open(), command.clone()), ["not_in_progress"]);
        for ended in [done(), cancelled()] {
            assert_eq!(broken::<Deployment>(&ended, command.clone()), ["deployment_ended"]);
        }
    }
}
