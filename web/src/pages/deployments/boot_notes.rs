//! Notes on a deployment's page about a server that does not get to its installer.

use super::boot_path::{Ways, is_installing};
use super::details::DeploymentDetails;
use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::pages::components::time::since;
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::timestamp::Timestamp;
use maud::{Markup, html};

/// After how many seconds without a script a loader counts as refused: firmware starts a loader immediately, which requests
/// DHCP and its script within seconds.
const STUCK_AFTER: i64 = 90;

/// The note that is shown when firmware seems to have fetched a loader and not started it.
pub(super) fn stuck(found: &DeploymentDetails, now: Timestamp) -> Markup {
    let (deployment, installation) = (&found.deployment, &found.installation);
    let (Some(file), Some(at)) = (&installation.last_file, installation.last_file_at) else { return html! {} };
    if !found.loader || !is_installing(deployment) || now < at.plus_seconds(STUCK_AFTER) {
        return html! {};
    }
    let content = html! {
        p {
            strong { "The server fetched its boot loader " code { (file) } " " (since(at, now)) " ago and has requested nothing since" }
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

/// The note about ways that do not lead to the signed chain.
pub(super) fn closed_ways(found: &DeploymentDetails) -> Markup {
    let deployment = &found.deployment;
    let settings = format!("/devices/{}/settings", deployment.device);
    match found.ways {
        Some(Ways { tftp: true, http: false }) => html! {
            p.quiet {
                "This server boots by the signed chain, which it can fetch by PXE (TFTP) only: the boot server has no signed GRUB with HTTP. If its firmware is set to HTTP boot, it gets an address but no boot file, and continues with its next boot entry. Set it to PXE over IPv4."
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::{fetched_preseed, installing};
    use bootledger_projections::rows::deployments::Deployment;
    use bootledger_projections::rows::installations::Installation;
    use scraper::Html;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::default().plus_seconds(seconds)
    }

    fn text(found: &DeploymentDetails, now: Timestamp) -> String {
        let page = Html::parse_document(&html! { (stuck(found, now)) (closed_ways(found)) }.into_string());
        let words: Vec<&str> = page.root_element().text().flat_map(str::split_whitespace).collect();
        words.join(" ")
    }

    #[test]
    fn a_loader_without_a_script_after_it_is_explained_once_firmware_must_have_started_it() {
        let words = |chain, loader, now, file: &str| {
            let fetched = Installation { last_file: Some(file.parse().expect("a name")), ..fetched_preseed() };
            let mut found = DeploymentDetails::sample(Deployment { boot_chain: chain, ..installing() }, fetched, None, Ok(()));
            found.loader = loader;
            text(&found, at(now))
        };
        let unsigned = words(BootChain::Ipxe, true, 180, "snponly.efi");
        let signed = words(BootChain::Signed, true, 180, "grubx64.efi");
        assert!(unsigned.contains("snponly.efi 3 min") && signed.contains("grubx64.efi 3 min"), "{unsigned}\n{signed}");
        insta::assert_snapshot!("stuck_after_its_loader", [unsigned, signed].join("\n"));
        for (loader, now) in [(true, 30), (false, 180)] {
            assert!(!words(BootChain::Ipxe, loader, now, "snponly.efi").contains("snponly.efi"), "{loader} {now}");
        }
    }

    #[test]
    fn the_page_shows_which_ways_lead_to_the_signed_chain() {
        let said = |tftp, http| {
            let deployment = Deployment { boot_chain: BootChain::Signed, ..installing() };
            let mut found = DeploymentDetails::sample(deployment, Installation::default(), None, Ok(()));
            found.ways = Some(Ways { tftp, http });
            text(&found, at(180))
        };
        assert_eq!(said(true, true), "");
        insta::assert_snapshot!("closed_ways", [said(true, false), said(false, false), said(false, true)].join("\n"));
    }
}
