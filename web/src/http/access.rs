//! Which paths need a sign-in, and which are for machines. A path that is not named here needs one.

/// The paths below `/api` that anyone may read. They contain nothing about the data centre.
const PUBLIC: [&str; 2] = ["/api/openapi.json", "/api/docs"];

/// The path of Puppet's reports. Puppet's report processor supports only `Basic`, and has a token that allows nothing else.
pub(crate) const PUPPET_REPORTS: &str = "/puppet/reports";

/// The sign-in page.
pub(crate) const SIGN_IN: &str = "/sign-in";
/// The path that signs a user out.
pub(crate) const SIGN_OUT: &str = "/sign-out";
/// The page on which users change their own password. It is the only page for a user whose password is a one-time password.
pub(crate) const PASSWORD: &str = "/settings/password";

/// Paths that need no sign-in: those for monitoring, and those for machines of the boot network, whose handlers check the
/// agents' tokens themselves. On a listener that serves only the boot network, every other path gets the same 404.
const MACHINES: [&str; 6] = ["/healthz", "/readyz", "/metrics", "/favicon.ico", "/pxe", "/grub/grub.cfg"];
const MACHINES_BELOW: [&str; 5] = ["/pxe/", "/boot/loaders/", "/dhcp/", "/dns/", "/puppet/nodes/"];
/// The path that sets the light or dark theme, which is a choice of the browser.
const THEME: &str = "/theme";
/// The paths that a browser needs before the user has signed in.
const BROWSERS_BELOW: [&str; 2] = ["/sign-in/", "/assets/"];

/// Paths with which users change their own account. Any role is enough. The handlers check whose account it is.
const OWN_BELOW: [&str; 3] = ["/settings/sessions/", "/api/v1/sessions/", "/views/"];

/// The path that saves a view of a list: a choice of the user, which changes nothing that deployments depend on.
const VIEWS: &str = "/views";

/// The path that starts a verification of the log. It changes nothing that the log is about, so auditors may use it.
pub(crate) const VERIFY: &str = "/timeline/verify";

/// The callers who may use a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anyone, without a sign-in.
    Anybody,
    /// The bearer of a token, which may be sent as a password.
    Reporters,
    /// A signed-in user, or the bearer of a token.
    SignedIn,
}

/// The callers who may use a path.
pub(super) fn access(path: &str) -> Access {
    let below = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    match path {
        PUPPET_REPORTS => Access::Reporters,
        SIGN_IN | THEME => Access::Anybody,
        _ if PUBLIC.contains(&path) || MACHINES.contains(&path) => Access::Anybody,
        _ if below(&MACHINES_BELOW) || below(&BROWSERS_BELOW) => Access::Anybody,
        _ => Access::SignedIn,
    }
}

/// Whether the content of a path is only for the caller, and must not be cached for others.
pub(crate) fn is_private(path: &str) -> bool {
    access(path) != Access::Anybody || path.starts_with(SIGN_IN) || path == THEME
}

/// Whether a path is for machines of the boot network or for monitoring. Their requests use separate database connections.
pub(crate) fn is_for_machines(path: &str) -> bool {
    path == PUPPET_REPORTS || MACHINES.contains(&path) || MACHINES_BELOW.iter().any(|prefix| path.starts_with(prefix))
}

/// Whether users change their own account with a path.
pub(super) fn is_own(path: &str) -> bool {
    [SIGN_OUT, PASSWORD, VIEWS].contains(&path) || OWN_BELOW.iter().any(|prefix| path.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_needs_a_sign_in_unless_it_is_named() {
        let needed = [
            "/",
            "/api",
            "/api/",
            "/api/v1/devices",
            "/api/openapi.json/",
            "/api/docs/x",
            "/devices",
            "/settings/users",
            "/sign-out",
            "/sign-info",
            "/dhcp-servers",
            "/dhcp",
            "/pxes",
            "/metrics/",
            "/grub/",
            "/puppet",
            "/nowhere",
            "",
        ];
        for path in needed {
            assert_eq!(access(path), Access::SignedIn, "{path}");
        }
        let open = [
            "/api/openapi.json",
            "/api/docs",
            "/sign-in",
            "/theme",
            "/assets/1/a.css",
            "/pxe",
            "/pxe/",
            "/healthz",
            "/readyz",
            "/metrics",
            "/dhcp/dc1/isc.conf",
            "/dns/zones/dc1.example",
            "/puppet/nodes/h200.dc1.example",
            "/boot/loaders/snponly.efi",
            "/grub/grub.cfg",
        ];
        for path in open {
            assert_eq!(access(path), Access::Anybody, "{path}");
        }
        assert_eq!(access("/puppet/reports"), Access::Reporters);
    }
}
