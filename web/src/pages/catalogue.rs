//! What the pages of the catalogue's kinds (networks, sites, DHCP servers, boot images, ventures) have in common.
//!
//! - [`list`]: a kind's things by key, with search and a cursor.
//! - [`entry`]: one of them; its parts that are kept current; its history.
//! - [`described`]: the handlers by which things of any kind are defined, changed and retired.
//! - [`form`]: defining and changing: fields are filled from a description and read into one, with nothing between.
//! - [`values`]: texts of fields that are no words of the domain by themselves, such as addresses and numbers.
//! - [`options`]: the table of DHCP options in forms.
//! - [`retire`]: the page that asks before something is taken out of use.

pub(super) mod described;
pub(super) mod entry;
pub(super) mod form;
pub(super) mod history;
pub(super) mod list;
pub(super) mod options;
pub(super) mod retire;
pub(super) mod settings;
pub(super) mod values;

/// A kind of thing in the catalogue, as its pages name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noun {
    /// As in the view `catalogue`.
    pub(super) kind: &'static str,
    /// One of them, such as `network`.
    pub(super) one: &'static str,
    /// Many of them, as a heading.
    pub(super) many: &'static str,
    /// Where the list is.
    pub(super) path: &'static str,
}

/// Networks.
pub(super) const NETWORK: Noun = Noun { kind: "network", one: "network", many: "Networks", path: "/networks" };
/// Sites.
pub(super) const SITE: Noun = Noun { kind: "site", one: "site", many: "Sites", path: "/sites" };
/// DHCP servers.
pub(super) const DHCP_SERVER: Noun =
    Noun { kind: "dhcp_server", one: "DHCP server", many: "DHCP servers", path: "/dhcp-servers" };
/// Boot images.
pub(super) const BOOT_IMAGE: Noun = Noun { kind: "boot_image", one: "boot image", many: "Boot images", path: "/boot-images" };
/// Ventures.
pub(super) const VENTURE: Noun = Noun { kind: "venture", one: "venture", many: "Ventures and roles", path: "/ventures" };

impl Noun {
    /// The page of one.
    pub(super) fn page(&self, key: impl std::fmt::Display) -> String {
        format!("{}/{key}", self.path)
    }

    /// The form for a new one. No name begins with an underscore.
    pub(super) fn new_path(&self) -> String {
        format!("{}/_new", self.path)
    }
}
