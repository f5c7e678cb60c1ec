//! The script for every server that has no deployment in progress.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use bootledger_aggregates::values::sha256::Sha256;
use sha2::Digest;
use std::sync::LazyLock;

/// Boots the local disk: on UEFI by giving the machine back to its firmware, which goes on with the next boot entry. It does
/// so only where iPXE failed: after a success it opens its own menu (UEFI specification, 3.1.1), and waits for a person.
pub(super) const SCRIPT: &str = "#!ipxe
# Bootledger: no deployment is in progress for this server's address.
# A server that is left on network boot is never installed again: it boots its own disk.
# UEFI firmware goes on with its next boot entry when iPXE ends with an error, and opens its menu when it ends well.
iseq ${platform} efi && exit 1 ||
# A BIOS does not, so the first disk is booted from here.
sanboot --no-describe --drive 0x80
";

/// The same for a server whose installer has restarted it.
const SCRIPT_WITHIN: &str = "#!ipxe
# Bootledger: a deployment is in progress for this server, and its next network boot is set to the local disk.
# Its installer goes on there. The deployment's page says why, and sets it back to the network.
iseq ${platform} efi && exit 1 ||
sanboot --no-describe --drive 0x80
";

/// The hash of that.
pub(super) fn sha256() -> Sha256 {
    static HASH: LazyLock<Sha256> = LazyLock::new(|| Sha256::new(sha2::Sha256::digest(SCRIPT_WITHIN).into()));
    *HASH
}

/// The answer for a server whose installer has restarted it.
pub(super) fn script_within_deployment() -> HttpResponse {
    answer(SCRIPT_WITHIN)
}

/// The answer.
pub(super) fn script() -> HttpResponse {
    answer(SCRIPT)
}

fn answer(script: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(script)
}
