//! The installation on a deployment's page: what the server fetched last, what its installer reports, and what it gets at its
//! next network boot.

use super::show::Found;
use crate::application::Application;
use crate::auth::caller::Operator;
use crate::commands::Command;
use crate::dhcp::boot_file::BootSource;
use crate::error::Error;
use crate::pages::form::{Fields, done as answer_done};
use crate::pages::kit::action::{self, Allowed, Look};
use crate::pages::kit::badge::{Tone, badge};
use crate::pages::kit::block;
use crate::pages::kit::time::{since, span, until};
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::installer::{LOCAL_DISK, NextBoot, NextBootReason};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::catalogue;
use bootledger_projections::deployments::{Deployment, Status};
use bootledger_projections::installations::{self, Installation};
use bootledger_projections::pool::Connection;
use maud::{Markup, html};

/// How many seconds an installation like this one usually takes from its last file to DONE; `None` if the page does
/// not show it.
pub(super) async fn usual(
    connection: &mut Connection,
    deployment: &Deployment,
    installation: &Installation,
    at: At,
) -> Result<Option<i64>, Error> {
    match &installation.last_file {
        Some(file) if at == At::Now && is_installing(deployment) => {
            Ok(installations::usual_seconds(connection, &deployment.boot_image, file).await?)
        }
        _ => Ok(None),
    }
}

/// Whether the last file that the server fetched is a boot loader, which is not part of any image and precedes the script.
pub(super) async fn fetched_a_loader(
    connection: &mut Connection,
    deployment: &Deployment,
    installation: &Installation,
) -> Result<bool, Error> {
    let named = |file: &&Name| [".efi", ".kpxe", ".pxe", ".0"].iter().any(|end| file.as_str().ends_with(end));
    let Some(file) = installation.last_file.as_ref().filter(named).filter(|_| is_installing(deployment)) else {
        return Ok(false);
    };
    let image = catalogue::boot_image_revision(connection, &deployment.boot_image, deployment.boot_image_revision).await?;
    Ok(image.is_some_and(|image| !image.spec.files.contains_key(file)))
}

/// After how many seconds without a script a loader counts as refused: firmware starts a loader immediately, which requests
/// DHCP and its script within seconds.
const STUCK_AFTER: i64 = 90;

/// The note that is shown when firmware seems to have fetched a loader and not started it.
fn stuck(found: &Found, now: Timestamp) -> Markup {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let (Some(file), Some(at)) = (&installation.last_file, installation.last_file_at) else { return html! {} };
    if !found.loader || !is_installing(deployment) || now < at.plus_seconds(STUCK_AFTER) {
        return html! {};
    }
    let content = html! {
        p {
            strong { "The server fetched its boot loader " code { (file) } " " (since(at, now)) " ago, and nothing since" }
            @match deployment.boot_chain {
                BootChain::Ipxe => {
                    ". If Secure Boot is on, its firmware refuses this loader, which is not signed, and shows \u{201c}Access Denied\u{201d} or \u{201c}Security Violation\u{201d} on its console."
                }
                BootChain::Signed => {
                    ". If its console shows \u{201c}Security Violation\u{201d}, \u{201c}Verification failed\u{201d} or \u{201c}SBAT self-check failed\u{201d}, its firmware does not trust the loader or has revoked it: install the newest shim and GRUB on the boot server. If it shows a " code { "grub>" } " prompt, GRUB could not fetch its configuration: it needs TFTP from the server's own address, without address translation."
                }
            }
        }
        @if deployment.boot_chain.is_ipxe() {
            p {
                "To install it with Secure Boot on, set " code { "boot_chain" } " to " code { "signed" } " "
                a href=(format!("/devices/{}/settings", deployment.device)) { "for this device" }
                " or its site, cancel this deployment and start it again; or switch Secure Boot off in its firmware. If the console shows that iPXE runs, check that the server can reach the boot URL."
            }
        }
    };
    block::note(Tone::Warn, &content)
}

/// The ways in which a server of the signed chain can fetch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    /// Over TFTP, from the site's next server.
    tftp: bool,
    /// Over HTTP, from the service; the GRUB of most distributions cannot continue from there.
    http: bool,
}

/// The ways to the signed chain, for a deployment that uses it and whose server has fetched only a loader so far.
pub(super) async fn ways(
    reading: &mut Reading<'_>,
    application: &Application,
    deployment: &Deployment,
    installation: &Installation,
    loader: bool,
) -> Result<Option<Ways>, Error> {
    let at_its_beginning = is_installing(deployment) && (loader || installation.last_file.is_none());
    if deployment.boot_chain.is_ipxe() || !at_its_beginning || reading.at != At::Now {
        return Ok(None);
    }
    let site = catalogue::site(reading.connection(), &deployment.site, At::Now).await?;
    let tftp = site.is_some_and(|site| site.spec.next_server.is_some());
    Ok(Some(Ways { tftp, http: BootSource::of(application).has_signed_over_http() }))
}

/// The note about ways that do not lead to the signed chain.
fn closed_ways(found: &Found) -> Markup {
    let deployment = &found.deployment;
    let settings = format!("/devices/{}/settings", deployment.device);
    match found.ways {
        Some(Ways { tftp: true, http: false }) => html! {
            p.quiet {
                "This server boots by the signed chain, which it can fetch by PXE (TFTP) only: the boot server has no signed GRUB with HTTP. If its firmware is set to HTTP boot, it gets an address and no boot file, and goes on with its next boot entry. Set it to PXE over IPv4."
            }
        },
        Some(Ways { tftp: false, http: false }) => block::note(
            Tone::Warn,
            &html! {
                p {
                    strong { "This server cannot boot from the network" }
                    ": it boots by the signed chain, its site "
                    a href=(format!("/sites/{}", deployment.site)) { (deployment.site) }
                    " has no next server to fetch that from by PXE (TFTP), and the boot server has no signed GRUB with HTTP."
                }
                p {
                    "Set the site's next server. If Secure Boot is off on this server, set " code { "boot_chain" } " to " code { "ipxe" } " "
                    a href=(settings) { "for this device" }
                    " instead, cancel this deployment and start it again."
                }
            },
        ),
        Some(Ways { tftp: false, http: true }) => html! {
            p.quiet {
                "This server boots by the signed chain, which it can fetch by HTTP boot only: its site has no next server for PXE (TFTP). Set its firmware to HTTP boot over IPv4."
            }
        },
        Some(Ways { tftp: true, http: true }) | None => html! {},
    }
}

/// Whether the server's installation is in progress.
fn is_installing(deployment: &Deployment) -> bool {
    deployment.status == Status::InProgress && deployment.installed_at.is_none()
}

/// Handles `POST /deployments/{id}/next-boot`.
pub(super) async fn set_next_boot(
    caller: Operator,
    mut backend: Backend,
    Path(deployment): Path<DeploymentId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let boot = fields.text("boot").parse().map_err(|error| Error::bad_request("boot", "malformed", format!("boot: {error}")))?;
    let by = Text::fitted(&caller.principal.actor());
    let receipt = backend.execute(Command::SetNextBoot { deployment, boot, by }, fields.context(&caller)).await?;
    Ok(answer_done(&mut backend, &receipt, &format!("/deployments/{deployment}")).await)
}

/// The part of the page.
pub(super) fn view(found: &Found, now: Timestamp) -> Markup {
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
                    None if !installation.failed => { progress id="installer-progress" max="100" { "under way" } }
                    None => { progress id="installer-progress" max="100" value="0" { "not known" } }
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
                    Err(_) => { (log.size) " bytes, for operators only" }
                }
                ", received " (since(log.at, now)) " ago"
            }
        }
        @if is_installing(deployment) { (next_boot(found, now)) }
    };
    block::card("installer", "Installation", &content)
}

fn failure(found: &Found, now: Timestamp) -> Markup {
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
                a href=(format!("/devices/{}/power", deployment.device)) { "restart it into the network" }
                ": that sets its next network boot back to the boot image. Without a management controller, set that below and restart it manually."
            }
        }
    };
    block::note(Tone::Bad, &content)
}

fn fetched(found: &Found, now: Timestamp) -> Markup {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let (Some(file), Some(at)) = (&installation.last_file, installation.last_file_at) else {
        return html! { @if is_installing(deployment) { p.quiet { "The server has fetched nothing yet." } } };
    };
    html! {
        p {
            @if file.as_str() == LOCAL_DISK { "Booted from the network and got its local disk " }
            @else { "Fetched " code { (file) } " " }
            (since(at, now)) " ago"
            @if let Some(client) = installation.last_client { " from " span.mono { (client) } }
            "."
            @if let Some(seconds) = found.usual {
                @let expected = at.plus_seconds(seconds);
                " "
                @if expected >= now {
                    "DONE is expected " (until(expected, now)) ", about " (span(seconds)) " after that file as usual."
                } @else {
                    (badge(Tone::Warn, "Longer than usual")) " DONE was expected " (since(expected, now)) " ago, about " (span(seconds)) " after that file."
                }
            }
        }
    }
}

fn next_boot(found: &Found, now: Timestamp) -> Markup {
    let installation = &found.installation;
    let (words, other, button) = match installation.next_boot {
        NextBoot::Network => ("the boot image, which installs the server", NextBoot::Disk, "Boot the local disk next"),
        NextBoot::Disk => ("the local disk, where the installer continues", NextBoot::Network, "Boot the image next"),
    };
    let reason = NextBootReason::Operator { name: Text::default() };
    let rule = found.history.allows(DeploymentCommand::SetNextBoot { boot: other, reason });
    let allowed: Allowed = found.may.clone().and(rule);
    let path = format!("/deployments/{}/next-boot", found.deployment.id);
    let fields = html! { input type="hidden" name="boot" value=(other.as_str()); };
    html! {
        p {
            "The next network boot gets " strong { (words) } "."
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
            NextBootReason::AnswersServed { file } => { "The image boots the network once, and " code { (file) } " was fetched" }
            NextBootReason::Installer { client } => { "The installer requested it from " span.mono { (client) } }
            NextBootReason::Operator { name } => { "Set by " (name) }
            NextBootReason::PluginRetry { plugin } => { (plugin) " was retried" }
            NextBootReason::PowerOrder {} => "A boot from the network was ordered",
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
    use crate::pages::deployments::samples::deployment;
    use bootledger_aggregates::values::sha256::Sha256;
    use bootledger_projections::installations::InstallerLog;
    use scraper::{Html, Selector};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::default().plus_seconds(seconds)
    }

    fn installing() -> Deployment {
        Deployment { status: Status::InProgress, in_progress_at: Some(at(0)), ..deployment() }
    }

    fn fetched_preseed() -> Installation {
        let file = "preseed.cfg".parse().expect("a name");
        Installation {
            last_file: Some(file),
            last_file_at: Some(at(0)),
            last_client: Some([10, 0, 0, 11].into()),
            ..Installation::default()
        }
    }

    fn page(deployment: Deployment, installation: Installation, usual: Option<i64>, may: Allowed, now: i64) -> Html {
        Html::parse_document(&view(&Found::sample(deployment, installation, usual, may), at(now)).into_string())
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
        let cases = [
            (None, 180, "Fetched preseed.cfg 3 min ago from 10.0.0.11 .", false),
            (Some(840), 180, "DONE is expected in 11 min , about 14 min after that file as usual.", false),
            (Some(840), 840, "DONE is expected now , about 14 min", false),
            (Some(840), 900, "Longer than usual DONE was expected 1 min ago", true),
        ];
        for (usual, now, words, late) in cases {
            let page = page(installing(), fetched_preseed(), usual, Ok(()), now);
            let text = text(&page);
            assert!(text.contains(words), "{words}: {text}");
            assert_eq!((text.contains("Longer than usual"), text.contains("DONE")), (late, usual.is_some()), "{text}");
        }
    }

    #[test]
    fn a_loader_without_a_script_after_it_is_explained_once_firmware_must_have_started_it() {
        let words = |chain, loader, now, file: &str| {
            let fetched = Installation { last_file: Some(file.parse().expect("a name")), ..fetched_preseed() };
            let mut found = Found::sample(Deployment { boot_chain: chain, ..installing() }, fetched, None, Ok(()));
            found.loader = loader;
            text(&Html::parse_document(&view(&found, at(now)).into_string()))
        };
        let unsigned = words(BootChain::Ipxe, true, 180, "snponly.efi");
        for part in
            ["fetched its boot loader snponly.efi 3 min ago, and nothing since", "Secure Boot", "Access Denied", "boot_chain"]
        {
            assert!(unsigned.contains(part), "{part}: {unsigned}");
        }
        let signed = words(BootChain::Signed, true, 180, "grubx64.efi");
        for part in ["boot loader grubx64.efi", "Verification failed", "grub> prompt", "TFTP"] {
            assert!(signed.contains(part), "{part}: {signed}");
        }
        for (loader, now) in [(true, 30), (false, 180)] {
            assert!(!words(BootChain::Ipxe, loader, now, "snponly.efi").contains("nothing since"), "{loader} {now}");
        }
    }

    #[test]
    fn the_page_says_which_ways_lead_to_the_signed_chain() {
        let said = |tftp, http| {
            let deployment = Deployment { boot_chain: BootChain::Signed, ..installing() };
            let mut found = Found::sample(deployment, Installation::default(), None, Ok(()));
            found.ways = Some(Ways { tftp, http });
            text(&Html::parse_document(&view(&found, at(180)).into_string()))
        };
        assert!(said(true, false).contains("no signed GRUB with HTTP") && said(true, false).contains("Set it to PXE over IPv4"));
        assert!(said(false, false).contains("cannot boot from the network") && said(false, false).contains("no next server"));
        assert!(said(false, true).contains("Set its firmware to HTTP boot"));
        assert!(!said(true, true).contains("signed chain"));
    }

    #[test]
    fn every_state_of_an_installer_is_said_in_words_with_its_bar_and_what_can_be_done() {
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
        assert_eq!(text.contains("The installer failed at stage partition"), installation.failed, "{text}");
        assert_eq!(count(&page, ".note.bad a[href$='/power']"), usize::from(installation.failed));
        assert_eq!(count(&page, "a[href$='/installer-log']"), usize::from(installation.log.is_some() && may.is_ok()));
        assert_eq!(text.contains("for operators only"), installation.log.is_some() && may.is_err(), "{text}");
        let disk = installation.next_boot == NextBoot::Disk;
        assert_eq!(text.contains("The next network boot gets the local disk"), disk, "{text}");
        assert_eq!(text.contains("The next network boot gets the boot image"), !disk, "{text}");
        // The sample has an empty history, so that the rules refuse the button for every user, with a reason.
        assert_eq!(count(&page, "#next-boot-reason"), 1);
    }

    #[test]
    fn a_server_that_is_not_being_installed_has_no_next_boot_to_set_and_no_expected_end() {
        for status in [Status::Open, Status::Done, Status::Cancelled] {
            let page = page(Deployment { status, ..installing() }, fetched_preseed(), None, Ok(()), 60);
            assert_eq!(count(&page, "#next-boot-reason, form"), 0);
            assert!(!text(&page).contains("DONE is expected"));
        }
        let installed = Deployment { installed_at: Some(at(30)), ..installing() };
        assert_eq!(count(&page(installed, fetched_preseed(), None, Ok(()), 60), "#next-boot-reason, form"), 0);
    }

    #[test]
    fn why_the_next_boot_is_so_is_said_for_every_reason() {
        let name = |text: &str| text.parse().expect("a name");
        let reasons = [
            (NextBootReason::AnswersServed { file: name("preseed.cfg") }, "preseed.cfg was fetched"),
            (NextBootReason::Installer { client: [10, 0, 0, 11].into() }, "The installer requested it from 10.0.0.11"),
            (NextBootReason::Operator { name: Text::fitted("<b>ada</b>") }, "Set by <b>ada</b>"),
            (NextBootReason::PluginRetry { plugin: name("reboot") }, "reboot was retried"),
            (NextBootReason::PowerOrder {}, "A boot from the network was ordered"),
        ];
        for (reason, words) in reasons {
            let installation =
                Installation { next_boot_reason: Some(reason), next_boot_at: Some(at(0)), ..Installation::default() };
            let text = text(&page(installing(), installation, None, Ok(()), 60));
            assert!(text.contains(words) && text.contains("1 min ago"), "{words}: {text}");
        }
    }

    #[test]
    fn the_list_says_a_stage_in_a_few_words_and_a_failure_before_it() {
        let stage =
            Installation { stage: Some("base".parse().expect("a name")), percent: "7".parse().ok(), ..Installation::default() };
        assert_eq!(short(&stage).into_string(), "<div>Installer: base, 7 %</div>");
        let failing = Installation { failing: true, text: Text::fitted("<b>"), ..stage };
        let html = short(&failing).into_string();
        assert!(html.contains("Installer failed") && html.contains("base: &lt;b&gt;"), "{html}");
        assert_eq!(short(&fetched_preseed()).into_string(), "");
    }
}
