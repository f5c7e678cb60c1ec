//! The script for every server that has no deployment in progress.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

/// Boots the local disk: on UEFI by giving the machine back to its firmware, which goes on with the next boot entry.
pub(super) const SCRIPT: &str = "#!ipxe
# Bootledger: no deployment is in progress for this server's address.
# A server that is left on network boot is never installed again: it boots its own disk.
# UEFI firmware goes on with its next boot entry when iPXE exits.
iseq ${platform} efi && exit ||
# A BIOS does not, so the first disk is booted from here.
sanboot --no-describe --drive 0x80
";

/// The answer.
pub(super) fn script() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(SCRIPT)
}
