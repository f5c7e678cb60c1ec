//! What the pages of the catalogue's kinds (networks, sites, DHCP servers, boot images, ventures) have in common.
//!
//! - [`list`]: the entries of a kind by key, with search and a cursor.
//! - [`entry`]: the page of one entry, its live parts, and its history.
//! - [`described`]: the handlers that create, change and retire entries of any kind.
//! - [`form`]: creating and changing: fields are filled from a description and parsed into one, with nothing in between.
//! - [`values`]: field values that are not domain types, such as addresses and numbers.
//! - [`options`]: the table of DHCP options in forms.
//! - [`retire`]: the confirmation page before an entry is retired.

pub(super) mod described;
pub(super) mod entry;
pub(super) mod form;
pub(super) mod history;
pub(super) mod list;
pub(super) mod options;
pub(super) mod retire;
pub(super) mod settings;
pub(super) mod values;

/// A kind of catalogue entry, as its pages name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noun {
    /// The kind as in the view `catalogue`.
    pub(super) kind: &'static str,
    /// The name of one entry, such as `network`.
    pub(super) one: &'static str,
    /// The plural, for headings.
    pub(super) many: &'static str,
    /// The path of the list.
    pub(super) path: &'static str,
}

/// The pages of networks.
pub(super) const NETWORK: Noun = Noun { kind: "network", one: "network", many: "Networks", path: "/networks" };
/// The pages of sites.
pub(super) const SITE: Noun = Noun { kind: "site", one: "site", many: "Sites", path: "/sites" };
/// The pages of DHCP servers.
pub(super) const DHCP_SERVER: Noun =
    Noun { kind: "dhcp_server", one: "DHCP server", many: "DHCP servers", path: "/dhcp-servers" };
/// The pages of boot images.
pub(super) const BOOT_IMAGE: Noun = Noun { kind: "boot_image", one: "boot image", many: "Boot images", path: "/boot-images" };
/// The pages of ventures.
pub(super) const VENTURE: Noun = Noun { kind: "venture", one: "venture", many: "Ventures and roles", path: "/ventures" };

impl Noun {
    /// The path of an entry's page.
    pub(super) fn page(&self, key: impl std::fmt::Display) -> String {
        format!("{}/{key}", self.path)
    }

    /// The path of the form for a new entry. No name begins with an underscore, so that the path is never an entry's.
    pub(super) fn new_path(&self) -> String {
        format!("{}/_new", self.path)
    }
}
