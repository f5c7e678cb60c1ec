//! Converts between column types of the database and values of the domain.
//!
//! Only the code that reads rows and the code that writes rows use it.

use crate::error::{Error, Result};
use bootledger_aggregates::values::ParseError;
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;
use std::str::FromStr;

/// The address in an `inet` column; the views contain only IPv4 host addresses.
pub(crate) fn address(inet: IpNet) -> Result<Ipv4Addr> {
    match inet {
        IpNet::V4(net) => Ok(net.addr()),
        IpNet::V6(net) => Err(ParseError::new(format!("{net} is not an IPv4 address")).into()),
    }
}

/// The addresses in an `inet[]` column.
pub(crate) fn addresses(inets: Vec<IpNet>) -> Result<Vec<Ipv4Addr>> {
    inets.into_iter().map(address).collect()
}

/// An address as the value of an `inet` column.
pub(crate) fn inet(ip: Ipv4Addr) -> IpNet {
    IpNet::V4(Ipv4Net::from(ip))
}

/// Parses every text of a column into a value of the domain.
pub(crate) fn parsed<T: FromStr<Err = ParseError>>(texts: Vec<String>) -> Result<Vec<T>> {
    texts.into_iter().map(|text| text.parse().map_err(Error::from)).collect()
}

/// Parses the text of a nullable column.
pub(crate) fn optional<T: FromStr<Err = ParseError>>(text: Option<String>) -> Result<Option<T>> {
    Ok(text.map(|text| text.parse()).transpose()?)
}

/// The parts of a list's cursor: texts without spaces, joined by spaces.
pub(crate) fn cursor<const N: usize>(after: Option<&str>) -> Result<Option<[String; N]>> {
    let Some(text) = after else { return Ok(None) };
    let parts: Vec<String> = text.split(' ').map(str::to_owned).collect();
    parts.try_into().map(Some).map_err(|_| Error::Cursor(text.to_owned()))
}

/// Parses one part of a cursor.
pub(crate) fn part<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::Cursor(text.to_owned()))
}
