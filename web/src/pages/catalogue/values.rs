//! Field values that are not domain types: addresses, networks, whole numbers. The standard library's messages would be about
//! digits and strings; the messages here describe what is required.

use bootledger_aggregates::values::ParseError;
use ipnet::Ipv4Net;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

macro_rules! value {
    ($(#[$doc:meta])* $name:ident($type:ty), $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) $type);

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                text.trim().parse().map(Self).map_err(|_| ParseError::new(format!(concat!("{:?} is not ", $wanted), text)))
            }
        }
    };
}

value!(
    /// An IPv4 address.
    Address(Ipv4Addr),
    "an IPv4 address such as 10.0.0.1"
);
value!(
    /// An IPv4 or IPv6 address.
    AnyAddress(IpAddr),
    "an address such as 10.0.0.53"
);
value!(
    /// A network in CIDR notation.
    Cidr(Ipv4Net),
    "a network such as 10.0.0.0/24"
);
value!(
    /// A whole number of 16 bits.
    Short(u16),
    "a whole number from 0 to 65535"
);
value!(
    /// A port number, 1 to 65535.
    Port(std::num::NonZeroU16),
    "a port, 1 to 65535"
);
value!(
    /// A whole number of 32 bits.
    Whole(u32),
    "a whole number from 0 to 4294967295"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_uses_the_fields_own_words() {
        let error = "10.0.0".parse::<Cidr>().expect_err("no network").to_string();
        assert!(error.contains("\"10.0.0\"") && error.contains("10.0.0.0/24"), "{error}");
        assert!("<script>".parse::<Address>().expect_err("no address").to_string().contains("\"<script>\""));
        assert_eq!(" 10.0.0.1 ".parse::<Address>().expect("an address").0, Ipv4Addr::new(10, 0, 0, 1));
        for wrong in ["-1", "65536", "a", "1.5"] {
            assert!(wrong.parse::<Short>().is_err(), "{wrong}");
        }
    }
}
