//! The guard, and how it is applied to HTTP clients and other programs.

use crate::address::{embedded, is_special};
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{ClientBuilder, redirect};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// Which addresses the program may connect to.
#[derive(Clone, Debug)]
pub enum Guard {
    /// All addresses: for commands whose user can reach these addresses anyway.
    Anywhere,
    /// All addresses except special ones, plus the networks that the administrator allows.
    Guarded {
        /// The networks that the machine's administrator allows in addition.
        allowed: Arc<[IpNet]>,
        /// The name of the option that allows networks, for messages.
        option: &'static str,
    },
}

/// The error for an address that the guard refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address}{} is a loopback, link-local, multicast, metadata or otherwise special address, to which the service does not \
     connect. Choose another address, or have the administrator of the machine allow its network with {option}",
    of(.host.as_deref())
)]
pub struct Refused {
    /// The refused address.
    pub address: IpAddr,
    /// The host name that was resolved to the address, if one was.
    pub host: Option<String>,
    /// The name of the option that allows networks.
    pub option: &'static str,
}

fn of(host: Option<&str>) -> String {
    host.map(|host| format!(", the address of {host},")).unwrap_or_default()
}

impl Guard {
    /// Allows all addresses except special ones, plus these networks. `option` is the name of the option that allows networks.
    pub fn new(allowed: Vec<IpNet>, option: &'static str) -> Self {
        Self::Guarded { allowed: allowed.into(), option }
    }

    /// Checks whether the program may connect to an address.
    ///
    /// # Errors
    /// Returns an error if the guard refuses the address.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let Self::Guarded { allowed, option } = self else { return Ok(()) };
        let real = embedded(address);
        let is_allowed = |network: &IpNet| network.contains(&address) || real.is_some_and(|real| network.contains(&real));
        if is_special(address) && !allowed.iter().any(is_allowed) {
            return Err(Refused { address, host: None, option });
        }
        Ok(())
    }

    /// Checks whether the program may connect to a URL whose host is an address. Host names are checked when they are resolved.
    ///
    /// # Errors
    /// Returns an error if the guard refuses the address.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            _ => Ok(()),
        }
    }

    /// Checks again whether the program may connect to a stored URL, which was checked when it was stored.
    ///
    /// # Errors
    /// Returns an error if the guard refuses the address, or if the text is not a URL.
    pub fn check_text(&self, url: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.check_url(&Url::parse(url)?)?)
    }

    /// An HTTP client that resolves host names only to allowed addresses. It uses no proxy from the environment, because a
    /// proxy would connect where this process may not, and it follows no redirects. Addresses in URLs are not resolved, so
    /// check each URL with [`Guard::check_url`] before using it.
    pub fn client(&self) -> ClientBuilder {
        self.following(redirect::Policy::none())
    }

    /// The same, but follows redirects with a policy that checks each one with [`Guard::check_url`].
    pub fn following(&self, policy: redirect::Policy) -> ClientBuilder {
        let client = reqwest::Client::builder().redirect(policy);
        match self {
            // On the command line, the user chooses the proxy.
            Self::Anywhere => client,
            Self::Guarded { .. } => client.no_proxy().dns_resolver(Arc::new(Resolver(self.clone()))),
        }
    }
}

/// Resolves host names to allowed addresses. If one address of an answer is refused, the whole answer is refused.
struct Resolver(Guard);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                let host = Some(name.as_str().to_owned());
                guard.check(address.ip()).map_err(|refused| Refused { host, ..refused })?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn guarded(allowed: &[&str]) -> Guard {
        Guard::new(allowed.iter().map(|text| text.parse().expect("a network")).collect(), "--outbound-allow")
    }

    fn passes(guard: &Guard, address: &str) -> bool {
        guard.check(address.parse().expect(address)).is_ok()
    }

    /// Every form of an IPv4 address as an IPv6 address.
    fn forms(address: Ipv4Addr) -> Vec<IpAddr> {
        let [a, b, c, d] = address.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let all = [
            [0, 0, 0, 0, 0, 0xffff, high, low],
            [0, 0, 0, 0, 0xffff, 0, high, low],
            [0, 0, 0, 0, 0, 0, high, low],
            [0x64, 0xff9b, 0, 0, 0, 0, high, low],
            [0x2002, high, low, 0, 0, 0, 0, 1],
            [0x2001, 0xdb8, 7, 0, 0, 0x5efe, high, low],
            [0xfd12, 1, 2, 3, 0x200, 0x5efe, high, low],
        ];
        let v6 = |segments: [u16; 8]| IpAddr::V6(Ipv6Addr::from(segments));
        all.into_iter().map(v6).chain([IpAddr::V4(address)]).collect()
    }

    const SPECIAL: [&str; 17] = [
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "169.254.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "255.255.255.255",
        "240.0.0.1",
        "224.0.0.1",
        "239.1.2.3",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "127.255.255.255",
        "169.254.255.255",
        "0.255.255.255",
        "254.0.0.1",
    ];

    #[test]
    fn special_addresses_are_refused_in_every_form() {
        let guard = guarded(&[]);
        for special in SPECIAL {
            for form in forms(special.parse().expect(special)) {
                assert!(guard.check(form).is_err(), "{special} as {form} was let through");
            }
        }
        for special in [
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fd00:42::42",
            "64:ff9b:1::7f00:1",
            "64:ff9b:1:7f00:0:100::",
            "64:ff9b:1::a00:2",
            "2001:0:53aa:64c::80ff:fffe",
            "100::1",
        ] {
            assert!(!passes(&guard, special), "{special} was let through");
        }
    }

    #[test]
    fn usual_addresses_pass_in_every_form() {
        let guard = guarded(&[]);
        for usual in ["10.0.0.2", "192.168.1.1", "172.16.0.9", "151.101.2.132", "100.64.0.1", "192.0.2.1", "198.51.100.7"] {
            for form in forms(usual.parse().expect(usual)) {
                guard.check(form).unwrap_or_else(|refused| panic!("{usual} as {form}: {refused}"));
            }
        }
        for usual in ["2a04:4e42::644", "fd00::1", "64:ff9b::a00:2", "2001:db8::1", "2620:fe::fe"] {
            assert!(passes(&guard, usual), "{usual} was refused");
        }
    }

    #[test]
    fn the_administrator_of_the_machine_can_allow_a_network() {
        let guard = guarded(&["127.0.0.0/8", "fe80::/10"]);
        for form in forms(Ipv4Addr::LOCALHOST) {
            guard.check(form).expect("allowed in every form");
        }
        assert!(passes(&guard, "fe80::1"));
        assert!(!passes(&guard, "169.254.169.254") && !passes(&guard, "::1"));
        Guard::Anywhere.check(Ipv4Addr::LOCALHOST.into()).expect("the command line is free");
    }

    #[test]
    fn addresses_in_urls_are_checked_in_every_notation() {
        for url in [
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://127。0。0。1/",
            "http://①②⑦.0.0.1/",
            "http://user@127.0.0.1/",
            "https://[fe80::1]/",
            "http://169.254.169.254./",
        ] {
            assert!(guarded(&[]).check_url(&Url::parse(url).expect(url)).is_err(), "{url} was let through");
        }
        let message = guarded(&[]).check_text("http://127.0.0.1:8080/").expect_err("loopback").to_string();
        assert!(message.starts_with("127.0.0.1 is a loopback") && message.contains("--outbound-allow"), "{message}");
    }

    proptest! {
        /// Each IPv6 form of an IPv4 address is allowed or refused like the address itself.
        #[test]
        fn a_form_is_as_good_as_the_address(address: u32) {
            let (address, guard) = (Ipv4Addr::from(address), guarded(&[]));
            let plain = guard.check(address.into()).is_ok();
            for form in forms(address) {
                prop_assert_eq!(guard.check(form).is_ok(), plain, "{} as {}", address, form);
            }
        }
    }

    /// A listener on loopback, and the number of connections that it has accepted.
    async fn listener() -> (u16, Arc<AtomicUsize>) {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let (port, count) = (listener.local_addr().expect("an address").port(), Arc::<AtomicUsize>::default());
        let seen = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
        (port, count)
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_is_not_connected_to() {
        let (port, count) = listener().await;
        let url = format!("http://localhost:{port}/");
        let error = guarded(&[]).client().build().expect("a client").get(&url).send().await.expect_err("refused");
        let mut words = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            words.push_str(&error.to_string());
            cause = error.source();
        }
        assert!(words.contains("the address of localhost, is a loopback"), "{words}");
        assert_eq!(count.load(Ordering::SeqCst), 0);
        let allowed = guarded(&["127.0.0.0/8", "::1/128"]);
        drop(allowed.client().build().expect("a client").get(&url).send().await);
        assert_eq!(count.load(Ordering::SeqCst), 1, "the listener works");
    }
}
