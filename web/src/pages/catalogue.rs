//! What the pages of the catalogue's kinds (networks, sites, DHCP servers, boot images, ventures) have in common.
//!
//! - [`list`]: the entries of a kind by key, with search and a cursor.
//! - [`entry`]: the page of one entry, its live parts, and its history.
//! - [`page`]: the handlers of the live page of an entry of any kind.
//! - [`described`]: the handlers that create, change and retire entries of any kind.
//! - [`form`]: creating and changing: fields are filled from a description and parsed into one, with nothing in between.
//! - [`values`]: field values that are not domain types, such as addresses and numbers.
//! - [`options`]: the table of DHCP options in forms.
//! - [`retire`]: the confirmation page before an entry is retired.

pub(crate) mod described;
pub(crate) mod entry;
pub(crate) mod form;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod options;
pub(crate) mod page;
pub(crate) mod retire;
pub(crate) mod settings;
pub(crate) mod values;

/// A kind of catalogue entry, as its pages name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noun {
    /// The kind as in the view `catalogue`.
    pub(crate) kind: &'static str,
    /// The name of one entry, such as `network`.
    pub(crate) one: &'static str,
    /// The plural, for headings.
    pub(crate) many: &'static str,
    /// The path of the list.
    pub(crate) path: &'static str,
}

/// The pages of networks.
pub(crate) const NETWORK: Noun = Noun { kind: "network", one: "network", many: "Networks", path: "/networks" };
/// The pages of sites.
pub(crate) const SITE: Noun = Noun { kind: "site", one: "site", many: "Sites", path: "/sites" };
/// The pages of racks.
pub(crate) const RACK: Noun = Noun { kind: "rack", one: "rack", many: "Racks", path: "/racks" };
/// The pages of DHCP servers.
pub(crate) const DHCP_SERVER: Noun =
    Noun { kind: "dhcp_server", one: "DHCP server", many: "DHCP servers", path: "/dhcp-servers" };
/// The pages of boot images.
pub(crate) const BOOT_IMAGE: Noun = Noun { kind: "boot_image", one: "boot image", many: "Boot images", path: "/boot-images" };
/// The pages of ventures.
pub(crate) const VENTURE: Noun = Noun { kind: "venture", one: "venture", many: "Ventures and roles", path: "/ventures" };

impl Noun {
    /// The path of an entry's page.
    pub(crate) fn page(&self, key: impl std::fmt::Display) -> String {
        format!("{}/{key}", self.path)
    }

    /// The path of the form for a new entry. No name begins with an underscore, so that the path is never an entry's.
    pub(crate) fn new_path(&self) -> String {
        format!("{}/_new", self.path)
    }
}
