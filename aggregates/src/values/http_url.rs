//! Checks that every program that gets an `http` or `https` URL parses it the same way.
//!
//! Firmware, GRUB, iPXE and installers have their own URL parsers, which agree only on the plain form: a host in its usual
//! spelling, a valid port, no user and no fragment.

use url::{Host, Url};

/// What is wrong with a URL, and what to write instead; `None` if the URL is fine.
pub fn problem(text: &str) -> Option<String> {
    let said = |words: &str| Some(words.to_owned());
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else { return said("it does not begin with http:// or https://") };
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return said("it contains spaces, control characters or backslashes");
    }
    if rest.contains('#') {
        return said("it has a fragment (#…), which is not sent");
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return said("it contains a user name or password, which others could read");
    }
    let (host, port) = match authority.rfind(':').filter(|colon| !authority[*colon..].contains(']')) {
        Some(colon) => (&authority[..colon], Some(&authority[colon + 1..])),
        None => (authority, None),
    };
    if host.is_empty() {
        return said("it has no host");
    }
    if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..)) || port.starts_with('+')) {
        return said("its port is not a number from 1 to 65535");
    }
    if host.ends_with('.') {
        return said("its host has a final dot, which TLS certificates and firmware do not have; leave the dot out");
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return Some(format!("{error}")),
    };
    match url.host() {
        // An address in an unusual spelling, such as 10.1 or 010.0.0.1, is parsed differently by other programs.
        Some(Host::Ipv4(ip)) if ip.to_string() != host => Some(format!("its host is another way to write {ip}; write {ip}")),
        Some(Host::Domain(_)) if host.split('.').any(|label| label.is_empty() || label.len() > 63) => {
            said("its host has a part that is empty or longer than 63 characters")
        }
        Some(_) => None,
        None => said("it has no host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_host_has_up_to_63_characters() {
        let url = |length: usize| format!("http://{}.example", "a".repeat(length));
        assert_eq!(problem(&url(63)), None);
        assert!(problem(&url(64)).is_some());
    }

    #[test]
    fn a_url_is_refused_in_each_part_that_programs_read_differently_and_in_no_other() {
        let hosts = [
            ("10.0.0.1", true),
            ("boot.dc1.example", true),
            ("[fd00::1]", true),
            ("localhost", true),
            ("", false),
            ("10.1", false),
            ("010.0.0.1", false),
            ("0x7f000001", false),
            ("256.0.0.1", false),
            ("boot.example.", false),
            ("boot..example", false),
            ("fd00::1", false),
            ("[fd00::1", false),
            ("user@10.0.0.1", false),
            ("user:secret@10.0.0.1", false),
            ("bo ot", false),
        ];
        let ports = [("", true), (":1", true), (":8080", true), (":65535", true), (":0", false), (":65536", false)];
        let more_ports = [(":99999", false), (":", false), (":+80", false), (":-1", false), (":http", false)];
        let paths = [("", true), ("/boot", true), ("/a b", false), ("/#top", false), ("#top", false)];
        for (host, host_ok) in hosts {
            for (port, port_ok) in ports.iter().chain(&more_ports) {
                for (path, path_ok) in paths {
                    for (scheme, scheme_ok) in [("http://", true), ("https://", true), ("ftp://", false), ("", false)] {
                        let url = format!("{scheme}{host}{port}{path}");
                        let ok = host_ok && *port_ok && path_ok && scheme_ok;
                        assert_eq!(problem(&url).is_none(), ok, "{url}: {:?}", problem(&url));
                    }
                }
            }
        }
    }
}
