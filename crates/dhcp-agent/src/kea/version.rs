//! Kea's version, and the configuration syntax that depends on it (Kea's `ChangeLog`, for the versions named here).

use std::fmt;

/// A version's first three numbers, as in the output of `version-get` and `kea-dhcp4 -v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u16, u16, u16);

impl Version {
    /// The version in which `control-sockets`, a list, replaced `control-socket`. Kea 3.0 still reads the old name, later
    /// versions ignore it and then have no socket.
    const CONTROL_SOCKETS: Self = Self(2, 7, 2);
    /// The version in which `only-in-additional-list` and `evaluate-additional-classes` replaced `only-if-required` and
    /// `require-client-classes`.
    const ADDITIONAL_CLASSES: Self = Self(2, 7, 4);
    /// The first version whose host commands are open source. It also finds hook libraries by their names alone (2.7.5), and
    /// supports `memory` as the target of host commands (2.5.1).
    pub(crate) const HOST_COMMANDS: Self = Self(2, 7, 7);

    /// The version that a text begins with, such as `3.0.4` or `2.7.9-git (isc20250528...)`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().next()?.split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse().ok()
        });
        Some(Self(numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
    }

    pub(crate) fn has_control_sockets(self) -> bool {
        self >= Self::CONTROL_SOCKETS
    }

    pub(crate) fn has_additional_classes(self) -> bool {
        self >= Self::ADDITIONAL_CLASSES
    }

    pub(crate) fn has_host_commands(self) -> bool {
        self >= Self::HOST_COMMANDS
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_kea_writes_them_and_compared_by_number() {
        let version = |text: &str| Version::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert!(version("2.2.0") < Version::CONTROL_SOCKETS && version("2.7.1") < Version::CONTROL_SOCKETS);
        for new in ["2.7.2", "3.0.4", "2.10.0", "3.1", "10.0.0", "3.0.4 (3.0.4 (tarball))", "2.7.9-git (isc2025)", "3.3.1\nmore"]
        {
            assert!(version(new).has_control_sockets(), "{new}");
        }
        assert_eq!(version("3.1").to_string(), "3.1.0");
        assert!(!version("2.7.6").has_host_commands() && version("2.7.7").has_host_commands());
        for nothing in ["", "kea", "3", "a.b.c", "3.", "99999999.0.0"] {
            assert_eq!(Version::parse(nothing), None, "{nothing}");
        }
    }
}
