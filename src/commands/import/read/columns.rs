//! The columns of a file, the rows and errors that they give, and their order.

use bootledger_aggregates::deployment::notes::Notes;
use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::RowError;
use std::net::Ipv4Addr;

/// The columns: first those of a file without a header line, in their order.
pub(super) const COLUMNS: [&str; 12] =
    ["mac", "management_ip", "network", "venture", "role", "boot_image", "hostname", "ip", "rack", "serial", "note", "ticket"];

/// The number of columns that a file without a header line can have. The rest contain free text, which only a heading
/// distinguishes from a column that does not belong there.
pub(super) const USUAL: usize = 10;

/// The minimum number of columns in a row.
pub(super) const NEEDED: usize = 6;

/// A row as it was written. Values that the import can choose are optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The row number that a spreadsheet shows, from 1.
    pub(crate) line: u64,
    pub(crate) mac: MacAddress,
    pub(crate) management_ip: Option<Host>,
    pub(crate) network: Option<Name>,
    pub(crate) venture: Name,
    pub(crate) role: Name,
    pub(crate) boot_image: Option<Name>,
    pub(crate) hostname: Option<Hostname>,
    pub(crate) ip: Option<Ipv4Addr>,
    pub(crate) rack: Option<Name>,
    pub(crate) serial: Option<Text>,
    pub(crate) note: Option<Text>,
    pub(crate) ticket: Option<Text>,
    /// The ignored values, with the reasons.
    pub(crate) notes: Vec<String>,
}

impl Row {
    /// What the row says about its deployment.
    pub(crate) fn notes_of_deployment(&self) -> Notes {
        Notes { note: self.note.clone().unwrap_or_default(), ticket: self.ticket.clone().unwrap_or_default() }
    }
}

/// An error about a cell.
pub(crate) fn error(row: u64, column: &str, rule: Rule, message: impl Into<String>) -> RowError {
    RowError { row, column: column.to_owned(), broken: BrokenRule::new(column, rule, message) }
}

/// The order of the columns.
pub(super) enum Order {
    /// The order in the documentation.
    Usual,
    Named {
        /// The place in the file of each of `COLUMNS`.
        places: Vec<Option<usize>>,
        /// The places of columns that only number the rows.
        counting: Vec<usize>,
    },
}

impl Order {
    pub(super) fn place(&self, column: usize) -> Option<usize> {
        match self {
            Self::Usual => Some(column).filter(|column| *column < USUAL),
            Self::Named { places, .. } => places.get(column).copied().flatten(),
        }
    }
}
