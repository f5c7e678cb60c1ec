//! Reverse names: the address that a name under `in-addr.arpa` belongs to (RFC 1035, 3.5). `zone` determines the zone that
//! holds it.

use std::net::Ipv4Addr;

/// The address that a reverse name belongs to.
pub fn reversed(name: &str) -> Option<Ipv4Addr> {
    let octets = name.strip_suffix(".in-addr.arpa")?;
    let octets: Vec<u8> = octets.rsplit('.').map(|octet| octet.parse().ok()).collect::<Option<_>>()?;
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::hostname::reverse_name;

    #[test]
    fn a_reverse_name_belongs_to_the_address_that_has_it() {
        let ip = Ipv4Addr::new(10, 0, 3, 20);
        assert_eq!(reversed(&reverse_name(ip)), Some(ip));
        for other in ["", "3.0.10.in-addr.arpa", "1.20.3.0.10.in-addr.arpa", "x.3.0.10.in-addr.arpa", "20.3.0.10.example"] {
            assert_eq!(reversed(other), None, "{other}");
        }
    }
}
