//! Determines the client's address, which decides which server's files and secrets are served.
//!
//! The client is the socket's peer. `X-Forwarded-For` counts only if the peer is a listed proxy, and then from right to
//! left, because the client can write anything to the left of the last trusted proxy. Nothing in the URL or in any other
//! header is used.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// The only header that is read from a trusted proxy.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Why the client's address is not known. Each message is for the operator of the proxy or the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The connection has no address, for example because it uses a Unix socket.
    #[error("the connection has no address, so the server cannot be identified")]
    NoPeer,
    /// A trusted proxy sent something other than addresses.
    #[error("the trusted proxy {proxy} sent an X-Forwarded-For that is not a list of addresses; nothing is served")]
    Malformed {
        /// The proxy that is connected.
        proxy: IpAddr,
    },
    /// The client has an IPv6 address, but deployments have only IPv4 addresses.
    #[error("{0} is not an IPv4 address; servers are deployed over IPv4")]
    NotIpv4(IpAddr),
}

/// The IPv4 address of the client of a request.
///
/// # Errors
/// Returns an error without a peer, for a malformed header of a trusted proxy, and for an IPv6 client.
pub fn address(request: &HttpRequest, trusted: &[IpNet]) -> Result<Ipv4Addr, ClientError> {
    let peer = request.peer_addr().ok_or(ClientError::NoPeer)?.ip().to_canonical();
    match originator(peer, request.headers(), trusted)? {
        IpAddr::V4(address) => Ok(address),
        address @ IpAddr::V6(_) => Err(ClientError::NotIpv4(address)),
    }
}

/// The IPv4 or IPv6 address of the client of a request.
///
/// # Errors
/// Returns an error without a peer, and for a malformed header of a trusted proxy.
pub fn any_address(request: &HttpRequest, trusted: &[IpNet]) -> Result<IpAddr, ClientError> {
    let peer = request.peer_addr().ok_or(ClientError::NoPeer)?.ip().to_canonical();
    originator(peer, request.headers(), trusted)
}

/// Whether the peer is a trusted proxy, whose headers count.
pub fn is_from_proxy(request: &HttpRequest, trusted: &[IpNet]) -> bool {
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(&peer)))
}

fn originator(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Result<IpAddr, ClientError> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    if !is_trusted(peer) {
        return Ok(peer);
    }
    // Several header lines form one list, in their order (RFC 9110, 5.3). The whole list is parsed, so that a request is
    // refused wherever its malformed part is.
    let mut forwarded = Vec::new();
    for line in headers.get_all(FORWARDED_FOR) {
        let line = line.to_str().map_err(|_| ClientError::Malformed { proxy: peer })?;
        for entry in line.split(',') {
            let entry: IpAddr = entry.trim_matches([' ', '\t']).parse().map_err(|_| ClientError::Malformed { proxy: peer })?;
            forwarded.push(entry.to_canonical());
        }
    }
    // If every entry is a trusted proxy, the farthest one is itself the client.
    let farthest = forwarded.first().copied().unwrap_or(peer);
    Ok(forwarded.into_iter().rev().find(|entry| !is_trusted(*entry)).unwrap_or(farthest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> Result<Ipv4Addr, ClientError> {
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().expect(network)).collect();
        let mut request = TestRequest::get().uri("/pxe/?ip=10.9.9.9").peer_addr(peer.parse().expect(peer));
        for line in forwarded {
            request = request.append_header(("X-Forwarded-For", *line));
        }
        let request = request.insert_header(("Forwarded", "for=10.9.9.9")).insert_header(("X-Real-IP", "10.9.9.9"));
        address(&request.to_http_request(), &trusted)
    }

    #[test]
    fn a_forged_header_never_makes_another_server_of_a_client() {
        let none: &[&str] = &[];
        let proxies: &[&str] = &["192.0.2.0/28", "2001:db8::/64"];
        // (peer, header lines, trusted proxies, the client)
        let table: &[(&str, &[&str], &[&str], &str)] = &[
            ("10.0.0.7:1", &[], none, "10.0.0.7"),
            ("10.0.0.7:1", &["10.0.0.8"], none, "10.0.0.7"),
            ("10.0.0.7:1", &["10.0.0.8"], proxies, "10.0.0.7"),
            ("10.0.0.7:1", &["nonsense"], proxies, "10.0.0.7"),
            ("[::ffff:10.0.0.7]:1", &["10.0.0.8"], proxies, "10.0.0.7"),
            // The rightmost entry is the address that the trusted proxy itself saw.
            ("192.0.2.1:1", &["10.0.0.8, 10.0.0.7"], proxies, "10.0.0.7"),
            ("192.0.2.1:1", &["10.0.0.8", "10.0.0.7"], proxies, "10.0.0.7"),
            ("192.0.2.1:1", &["10.0.0.8,10.0.0.7 ,\t192.0.2.2"], proxies, "10.0.0.7"),
            ("192.0.2.1:1", &["10.0.0.8, 192.0.2.3, 10.0.0.7, 192.0.2.2"], proxies, "10.0.0.7"),
            ("192.0.2.1:1", &["::ffff:10.0.0.7"], proxies, "10.0.0.7"),
            ("[::ffff:192.0.2.1]:1", &["10.0.0.7"], proxies, "10.0.0.7"),
            ("[2001:db8::1]:1", &["10.0.0.7"], proxies, "10.0.0.7"),
            // A proxy may be a client itself.
            ("192.0.2.1:1", &[], proxies, "192.0.2.1"),
            ("192.0.2.1:1", &["192.0.2.3, 192.0.2.2"], proxies, "192.0.2.3"),
        ];
        for (peer, forwarded, trusted, expected) in table {
            let expected = expected.parse().map_err(|_| ClientError::NoPeer);
            assert_eq!(client(peer, forwarded, trusted), expected, "{peer} {forwarded:?} {trusted:?}");
        }
    }

    #[test]
    fn a_malformed_header_of_a_trusted_proxy_is_refused_wherever_it_is_wrong() {
        let lines = [
            "",
            "unknown",
            "10.0.0.7,",
            ",10.0.0.7",
            "10.0.0.7:80",
            "10.0.0.7, _hidden",
            "nonsense, 10.0.0.7",
            "10.0.0.256",
            "010.0.0.7",
            "[2001:db8::9]",
            "10.0.0.7 10.0.0.8",
        ];
        for line in lines {
            let refused = client("192.0.2.1:1", &[line], &["192.0.2.0/28"]);
            assert!(matches!(refused, Err(ClientError::Malformed { .. })), "{line:?}: {refused:?}");
        }
    }

    #[test]
    fn an_ipv6_client_gets_an_error_that_names_ipv4() {
        let refused = client("[2001:db8::9]:1", &[], &[]).expect_err("an IPv6 client");
        assert_eq!(refused.to_string(), "2001:db8::9 is not an IPv4 address; servers are deployed over IPv4");
    }

    #[test]
    fn a_connection_without_an_address_is_refused() {
        assert_eq!(address(&TestRequest::get().to_http_request(), &[]), Err(ClientError::NoPeer));
    }
}
