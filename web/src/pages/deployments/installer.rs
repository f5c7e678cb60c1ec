//! The installation on a deployment's page: what the server fetched last, what its installer reports, and what it gets at its
//! next network boot.

use super::boot_notes::{closed_ways, stuck};
use super::boot_path::is_installing;
use super::details::DeploymentDetails;
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::components::time::{since, span, until};
use crate::pages::form::{Fields, done as answer_done};
use actix_web::HttpResponse;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::installer::{LOCAL_DISK, NextBoot, NextBootReason};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{Command, DeploymentAction};
use bootledger_projections::rows::deployments::Status;
use bootledger_projections::rows::installations::Installation;
use maud::{Markup, html};

/// Handles `POST /deployments/{id}/next-boot`.
pub(super) async fn set_next_boot(
    caller: Operator,
    mut backend: Backend,
    Path(deployment): Path<DeploymentId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let boot =
        fields.text("boot").parse().map_err(|error| Error::bad_request("boot", Rule::Malformed, format!("boot: {error}")))?;
    let by = Text::fitted(&caller.principal.actor());
    let receipt = backend
        .execute(Command::Deployment(DeploymentAction::SetNextBoot { deployment, boot, by }), fields.context(&caller))
        .await?;
    Ok(answer_done(&mut backend, &receipt, &format!("/deployments/{deployment}")).await)
}

/// The part of the page.
pub(super) fn view(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let content = html! {
        @if installation.failed { (failure(found, now)) }
        (stuck(found, now))
        (closed_ways(found))
        @if let Some(stage) = installation.stage.as_ref().filter(|_| !is_installing(deployment)) {
            // A progress bar that stopped half-way would look like an installation that stopped there.
            p { "Last stage reported: " strong { (stage) } @if !installation.text.is_empty() && !installation.failed { " (" (installation.text) ")" } @if let Some(at) = installation.reported_at { ", " (since(at, now)) " ago" } "." }
        } @else if let Some(stage) = &installation.stage {
            div class=(if installation.failed { "stage failed" } else { "stage" }) {
                label for="installer-progress" {
                    "Stage " strong { (stage) }
                    @if let Some(percent) = installation.percent { ", " (percent) " %" }
                }
                @match installation.percent {
                    Some(percent) => { progress id="installer-progress" max="100" value=(percent) { (percent) " %" } }
                    // Without a value, the bar only shows that the installation is in progress.
                    None if !installation.failed => { progress id="installer-progress" max="100" { "running" } }
                    None => { progress id="installer-progress" max="100" value="0" { "unknown" } }
                }
                @if !installation.text.is_empty() && !installation.failed { p { (installation.text) } }
                @if let Some(at) = installation.reported_at { p.quiet { "Reported " (since(at, now)) " ago" } }
            }
        }
        (fetched(found, now))
        @if let Some(log) = &installation.log {
            p {
                "Log of the installer: "
                @match &found.may {
                    Ok(()) => { a href=(format!("/api/v1/deployments/{}/installer-log", deployment.id)) { "the last " (log.size) " bytes" } }
                    Err(_) => { (log.size) " bytes; viewing it requires the role operator" }
                }
                ", received " (since(log.at, now)) " ago"
            }
        }
        @if is_installing(deployment) { (next_boot(found, now)) }
    };
    block::card("installer", "Installation", &content)
}

fn failure(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let content = html! {
        p {
            strong { "The installer failed" @if let Some(stage) = &installation.stage { " at stage " (stage) } }
            @if let Some(at) = installation.reported_at { ", " (since(at, now)) " ago" }
            @if installation.text.is_empty() { ". It gave no reason." } @else { ": " q { (installation.text) } }
        }
        @if is_installing(deployment) {
            p {
                @if installation.log.is_some() { "Read its log below. " }
                "To install the server again, "
                a href=(format!("/devices/{}/power", deployment.device)) { "restart it with a network boot" }
                ": this sets its next network boot back to the boot image. Without a management controller, select the boot image below and restart the server manually."
            }
        }
    };
    block::note(Tone::Bad, &content)
}

fn fetched(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let (Some(file), Some(at)) = (&installation.last_file, installation.last_file_at) else {
        let words = match deployment.status {
            Status::Open => "The installation starts when the deployment is in progress.",
            _ if is_installing(deployment) => "The server has not fetched any files yet.",
            _ => "The server fetched no files.",
        };
        return html! { p.quiet { (words) } };
    };
    html! {
        p {
            @if file.as_str() == LOCAL_DISK { "Booted from the network and was sent to its local disk " }
            @else { "Fetched " code { (file) } " " }
            (since(at, now)) " ago"
            @if let Some(client) = installation.last_client { " from " span.mono { (client) } }
            "."
            @if let Some(seconds) = found.usual {
                @let expected = at.plus_seconds(seconds);
                @let late = expected < now;
                @if late { " " (badge(Tone::Warn, "Longer than usual")) }
                " The server usually reports DONE about " (span(seconds)) " after this file: "
                @if late { "it was expected " (since(expected, now)) " ago." } @else { "expected " (until(expected, now)) "." }
            }
        }
    }
}

fn next_boot(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let installation = &found.installation;
    let (words, other, button) = match installation.next_boot {
        NextBoot::Network => ("the boot image, which installs the server", NextBoot::Disk, "Boot from the local disk next"),
        NextBoot::Disk => ("the local disk, where the installer continues", NextBoot::Network, "Boot from the boot image next"),
    };
    let reason = NextBootReason::Operator { name: Text::default() };
    let rule = found.history.allows(DeploymentCommand::SetNextBoot { boot: other, reason });
    let lock = if other == NextBoot::Network { found.may_install() } else { Ok(()) };
    let allowed: Allowed = found.may.clone().and(rule).and(lock);
    let path = format!("/deployments/{}/next-boot", found.deployment.id);
    let fields = html! { input type="hidden" name="boot" value=(other.as_str()); };
    html! {
        p {
            "At its next network boot, the server gets " strong { (words) } "."
            @if let Some(reason) = &installation.next_boot_reason {
                " " span.quiet { (why(reason)) @if let Some(at) = installation.next_boot_at { ", " (since(at, now)) " ago" } "." }
            }
        }
        (action::post("next-boot", &path, Look::Small, "", button, &allowed, &fields))
    }
}

fn why(reason: &NextBootReason) -> Markup {
    html! {
        @match reason {
            NextBootReason::AnswersServed { file } => { "The image boots from the network only once, and " code { (file) } " was fetched" }
            NextBootReason::Installer { client } => { "The installer requested it from " span.mono { (client) } }
            NextBootReason::Operator { name } => { "Set by " (name) }
            NextBootReason::PluginRetry { plugin } => { (plugin) " was retried" }
            NextBootReason::PowerOrder {} => "A network boot was requested",
        }
    }
}

/// The installer's state, for a cell of a list.
pub(super) fn short(installation: &Installation) -> Markup {
    html! {
        @if installation.failing {
            div { (badge(Tone::Bad, "Installer failed")) @if let Some(stage) = &installation.stage { " " (stage) } @if !installation.text.is_empty() { ": " (installation.text) } }
        } @else if let Some(stage) = &installation.stage {
            div { "Installer: " (stage) @if let Some(percent) = installation.percent { ", " (percent) " %" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::{fetched_preseed, installing};
    use bootledger_aggregates::values::sha256::Sha256;
    use bootledger_projections::rows::deployments::Deployment;
    use bootledger_projections::rows::installations::InstallerLog;
    use scraper::{Html, Selector};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::default().plus_seconds(seconds)
    }

    fn page(deployment: Deployment, installation: Installation, usual: Option<i64>, may: Allowed, now: i64) -> Html {
        Html::parse_document(&view(&DeploymentDetails::sample(deployment, installation, usual, may), at(now)).into_string())
    }

    fn text(page: &Html) -> String {
        let words: Vec<&str> = page.root_element().text().flat_map(str::split_whitespace).collect();
        words.join(" ")
    }

    fn count(page: &Html, selector: &str) -> usize {
        page.select(&Selector::parse(selector).expect("a selector")).count()
    }

    #[test]
    fn done_is_expected_only_where_enough_is_known_and_is_late_only_after_that() {
        let cases = [(None, 180, false), (Some(840), 180, false), (Some(840), 840, false), (Some(840), 900, true)];
        let mut texts = vec![];
        for (usual, now, late) in cases {
            let page = page(installing(), fetched_preseed(), usual, Ok(()), now);
            let text = text(&page);
            assert!(text.contains("preseed.cfg 3 min") || now > 180, "{text}");
            assert_eq!((count(&page, ".badge.warn"), text.contains("DONE")), (usize::from(late), usual.is_some()), "{text}");
            texts.push(text);
        }
        insta::assert_snapshot!("expected_end", texts.join("\n"));
    }

    #[test]
    fn every_state_of_an_installer_is_shown_with_its_text_bar_and_actions() {
        let mut seen = 0;
        for percent in [None, Some("0"), Some("40"), Some("100")] {
            for words in ["", "<script>alert(1)</script> \"&amp;\""] {
                for failed in [false, true] {
                    for next_boot in [NextBoot::Network, NextBoot::Disk] {
                        for log in [false, true] {
                            for may in [Ok(()), Err("This takes the role operator.".to_owned())] {
                                let installation = Installation {
                                    stage: Some("partition".parse().expect("a name")),
                                    percent: percent.map(|percent| percent.parse().expect("a number")),
                                    text: words.parse().expect("a text"),
                                    failed,
                                    failing: failed,
                                    reported_at: Some(at(60)),
                                    log: log.then(|| InstallerLog { sha256: Sha256::new([1; 32]), size: 65_536, at: at(61) }),
                                    next_boot,
                                    ..fetched_preseed()
                                };
                                check(&installation, &may);
                                seen += 1;
                            }
                        }
                    }
                }
            }
        }
        assert_eq!(seen, 128);
    }

    fn check(installation: &Installation, may: &Allowed) {
        let page = page(installing(), installation.clone(), None, may.clone(), 120);
        let text = text(&page);
        assert_eq!(count(&page, "script"), 0, "what an installer says is text");
        assert_eq!(count(&page, "label[for='installer-progress']"), 1);
        assert_eq!(count(&page, "progress#installer-progress"), 1);
        if let Some(percent) = installation.percent {
            assert_eq!(count(&page, &format!("progress[value='{percent}']")), 1, "{text}");
            assert!(text.contains(&format!(", {percent} %")), "{text}");
        }
        let words: Vec<&str> = installation.text.as_str().split_whitespace().collect();
        assert!(text.contains(&words.join(" ")), "{text}");
        assert_eq!(count(&page, ".note.bad strong"), usize::from(installation.failed), "{text}");
        assert!(text.contains("partition"), "{text}");
        assert_eq!(count(&page, ".note.bad a[href$='/power']"), usize::from(installation.failed));
        assert_eq!(count(&page, "a[href$='/installer-log']"), usize::from(installation.log.is_some() && may.is_ok()));
        let disk = installation.next_boot == NextBoot::Disk;
        assert_eq!(text.contains("the server gets the local disk"), disk, "{text}");
        assert_eq!(text.contains("the server gets the boot image"), !disk, "{text}");
        // The sample has an empty history, so that the rules refuse the button for every user, with a reason.
        assert_eq!(count(&page, "#next-boot-reason"), 1);
    }

    #[test]
    fn a_server_that_is_not_being_installed_has_no_next_boot_to_set_and_no_expected_end() {
        for status in [Status::Open, Status::Done, Status::Cancelled] {
            let page = page(Deployment { status, ..installing() }, fetched_preseed(), None, Ok(()), 60);
            assert_eq!(count(&page, "#next-boot-reason, form"), 0);
            assert!(!text(&page).contains("DONE"));
        }
        let installed = Deployment { installed_at: Some(at(30)), ..installing() };
        assert_eq!(count(&page(installed, fetched_preseed(), None, Ok(()), 60), "#next-boot-reason, form"), 0);
    }

    #[test]
    fn every_reason_for_the_next_boot_has_a_text() {
        let name = |text: &str| text.parse().expect("a name");
        let reasons = [
            NextBootReason::AnswersServed { file: name("preseed.cfg") },
            NextBootReason::Installer { client: [10, 0, 0, 11].into() },
            NextBootReason::Operator { name: Text::fitted("<b>ada</b>") },
            NextBootReason::PluginRetry { plugin: name("reboot") },
            NextBootReason::PowerOrder {},
        ];
        let mut texts = vec![];
        for reason in reasons {
            let installation =
                Installation { next_boot_reason: Some(reason), next_boot_at: Some(at(0)), ..Installation::default() };
            let text = text(&page(installing(), installation, None, Ok(()), 60));
            assert!(text.contains("1 min"), "{text}");
            texts.push(text);
        }
        insta::assert_snapshot!("reasons_for_the_next_boot", texts.join("\n"));
    }

    #[test]
    fn the_list_says_a_stage_in_a_few_words_and_a_failure_before_it() {
        let stage =
            Installation { stage: Some("base".parse().expect("a name")), percent: "7".parse().ok(), ..Installation::default() };
        let shown = short(&stage).into_string();
        assert!(shown.contains("base, 7 %") && !shown.contains("badge"), "{shown}");
        let failing = Installation { failing: true, text: Text::fitted("<b>"), ..stage };
        let html = short(&failing).into_string();
        assert!(html.contains("badge bad") && html.contains("base: &lt;b&gt;"), "{html}");
        assert_eq!(short(&fetched_preseed()).into_string(), "");
    }
}
