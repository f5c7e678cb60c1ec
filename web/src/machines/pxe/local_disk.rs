//! The scripts that boot the local disk, for every server that has no deployment in progress.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use bootledger_aggregates::values::sha256::Sha256;
use sha2::Digest;
use std::sync::LazyLock;

/// Boots the local disk. On UEFI it returns control to the firmware, which continues with the next boot entry. Firmware does so
/// only if iPXE failed: after a success it opens its own menu (UEFI specification, 3.1.1), and waits for an operator.
pub(super) const SCRIPT: &str = "#!ipxe
# Bootledger: no deployment is in progress for this server's address.
# A server that is left on network boot is never installed again: it boots its own disk.
# UEFI firmware continues with its next boot entry when iPXE ends with an error, and opens its menu when it ends well.
iseq ${platform} efi && exit 1 ||
# A BIOS does not, so the first disk is booted from here.
sanboot --no-describe --drive 0x80
";

/// The script for a server whose installer has restarted it.
const SCRIPT_WITHIN: &str = "#!ipxe
# Bootledger: a deployment is in progress for this server, and its next network boot is set to the local disk.
# Its installer continues there. The page of the deployment shows the reason and can set it back to the network.
iseq ${platform} efi && exit 1 ||
sanboot --no-describe --drive 0x80
";

/// The configuration for a GRUB of the signed chain. It starts the loader on the local disk, which is signed as well if Secure
/// Boot is on. GRUB 2.06, which Debian 12 has, cannot return to the firmware with an error, and after a success firmware opens
/// its menu (UEFI specification, 3.1.1), so it looks for the loader itself: those of Windows and the distributions at their
/// usual paths, and last the one for removable media, which may be shim's fallback. `exit 1` is for a disk without any, and for
/// a later GRUB.
macro_rules! local_disk_of_grub {
    ($($line:literal)*) => {
        concat!(
            $($line, "\n",)*
            "for disk in (hd*,*) (hd*); do\n",
            "    regexp --set=1:name '^\\((.*)\\)$' \"$disk\"\n",
            "    for file in $disk/EFI/*/shimx64.efi $disk/EFI/*/shimaa64.efi $disk/EFI/Microsoft/Boot/bootmgfw.efi $disk/EFI/*/grubx64.efi \\\n",
            "        $disk/EFI/BOOT/BOOTX64.EFI $disk/EFI/BOOT/BOOTAA64.EFI; do\n",
            "        if [ -f \"$file\" ]; then\n",
            "            set root=\"$name\"\n",
            "            echo \"Bootledger: starting $file\"\n",
            "            if chainloader \"$file\"; then boot; fi\n",
            "        fi\n",
            "    done\n",
            "done\n",
            "exit 1\n",
        )
    };
}

/// The configuration for a server without a deployment.
pub(super) const GRUB: &str = local_disk_of_grub!(
    "# Bootledger: no deployment is in progress for this server's address."
    "# A server that is left on network boot is never installed again: it boots its own disk."
);

/// The configuration for a server whose installer has restarted it.
pub(super) const GRUB_WITHIN: &str = local_disk_of_grub!(
    "# Bootledger: a deployment is in progress for this server, and its next network boot is set to the local disk."
    "# Its installer continues there. The page of the deployment shows the reason and can set it back to the network."
);

/// The hash of [`GRUB_WITHIN`].
pub(super) fn grub_sha256() -> Sha256 {
    static HASH: LazyLock<Sha256> = LazyLock::new(|| Sha256::new(sha2::Sha256::digest(GRUB_WITHIN).into()));
    *HASH
}

/// The hash of [`SCRIPT_WITHIN`].
pub(super) fn sha256() -> Sha256 {
    static HASH: LazyLock<Sha256> = LazyLock::new(|| Sha256::new(sha2::Sha256::digest(SCRIPT_WITHIN).into()));
    *HASH
}

/// The answer for a server whose installer has restarted it.
pub(super) fn script_within_deployment() -> HttpResponse {
    answer(SCRIPT_WITHIN)
}

/// The answer for a server without a deployment.
pub(super) fn script() -> HttpResponse {
    answer(SCRIPT)
}

fn answer(script: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(script)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::grub_syntax;

    #[tokio::test]
    async fn grubs_own_checker_accepts_both_configurations() {
        for configuration in [GRUB, GRUB_WITHIN] {
            assert_eq!(grub_syntax::problem(configuration.as_bytes()).await, None, "{configuration}");
        }
    }
}
