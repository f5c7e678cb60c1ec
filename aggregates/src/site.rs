//! A site (data centre): what its networks, DHCP servers and host names have in common. The key is its code.
//!
//! `(none) ─DefineSite─► defined ─RetireSite─► retired ─DefineSite─► defined`

pub mod rules;
#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, aggregate, domain_event};
use crate::settings::{self, SecretProblems};
use crate::values::dhcp_option::{self, DhcpOption};
use crate::values::hostname::{DomainName, Hostname};
use crate::values::hostname_template::HostnameTemplate;
use crate::values::http_url;
use crate::values::name::Name;
use crate::values::schema::{IpAddress, Ipv4Address, written_as_text};
use crate::values::setting::Settings;
use crate::values::special;
use crate::values::text::Text;
use crate::zone::{Zone, ZoneForm, holding};
use rules::ZoneFacts;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use utoipa::ToSchema;

/// What a site is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteSpec {
    /// For people.
    #[serde(default)]
    pub name: Text,
    /// The address that a booting server loads its first file from (BOOTP `siaddr`).
    #[schema(value_type = Option<Ipv4Address>)]
    pub next_server: Option<Ipv4Addr>,
    /// Where this site's servers reach the boot pages, such as `http://10.0.0.1:8080`; by default the service's base URL.
    pub boot_url: Option<BootUrl>,
    /// The default domain of the site.
    pub domain: DomainName,
    /// The DNS zones that Bootledger manages for the site, forward and reverse: each its name, or an object with its name and
    /// what its file says beside the records of devices.
    #[serde(default)]
    #[schema(value_type = Vec<ZoneForm>)]
    pub zones: Vec<Zone>,
    /// How host names are numbered.
    pub hostname_template: Option<HostnameTemplate>,
    /// Options that only entries with a live deployment carry, beside next server and boot file.
    #[serde(default)]
    pub dhcp_header: Vec<DhcpOption>,
    /// The primary that takes dynamic updates of the zones; without one, records are only in the zone files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_updates: Option<DnsUpdates>,
    /// Settings of boot images for the site's servers; ventures, roles and devices go before it.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

/// Where and how a site's zones are updated (RFC 2136), signed with a key (TSIG, RFC 8945).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsUpdates {
    /// The address of the zones' primary.
    #[schema(value_type = IpAddress)]
    pub primary: IpAddr,
    /// Its TCP port.
    #[serde(default = "dns_port")]
    #[schema(value_type = u16, minimum = 1)]
    pub port: NonZeroU16,
    /// The key that updates are signed with.
    pub key: TsigKey,
}

/// A key for signing messages; the same is configured in the DNS server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TsigKey {
    /// The key's name in the DNS server.
    pub name: DomainName,
    /// How messages are signed: `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    #[serde(default)]
    pub algorithm: TsigAlgorithm,
    /// The name of the secret that holds the key in base64, as `tsig-keygen` prints it; never the key.
    pub secret: Name,
}

/// How messages are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub enum TsigAlgorithm {
    /// HMAC with SHA-256.
    #[default]
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// HMAC with SHA-384.
    #[serde(rename = "hmac-sha384")]
    HmacSha384,
    /// HMAC with SHA-512.
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
}

written_as_text!(TsigAlgorithm, "`hmac-sha256`, `hmac-sha384` or `hmac-sha512`", None, "hmac-sha256");

impl TsigAlgorithm {
    /// All of them, as they are written.
    pub const ALL: [(Self, &str); 3] =
        [(Self::HmacSha256, "hmac-sha256"), (Self::HmacSha384, "hmac-sha384"), (Self::HmacSha512, "hmac-sha512")];

    /// How it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(algorithm, _)| *algorithm == self).map_or("hmac-sha256", |(_, name)| name)
    }
}

impl std::str::FromStr for TsigAlgorithm {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // DNS servers write it as a name: HMAC-SHA256, or with a final dot.
        let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
        let known = Self::ALL.iter().find(|(_, known)| *known == name).map(|(algorithm, _)| *algorithm);
        known.ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ");
            let message = match name.as_str() {
                "hmac-md5" | "hmac-md5.sig-alg.reg.int" | "hmac-sha1" => format!(
                    "{name} is too weak to sign DNS messages (RFC 8945, 6); make a key for one of {names}: tsig-keygen -a hmac-sha256"
                ),
                _ => format!("{text:?} is not one of {names}"),
            };
            crate::values::ParseError::new(message)
        })
    }
}

impl TryFrom<String> for TsigAlgorithm {
    type Error = crate::values::ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

fn dns_port() -> NonZeroU16 {
    NonZeroU16::MIN.saturating_add(52)
}

/// An `http` or `https` URL without query, user or final slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "http://10.0.0.1:8080")]
pub struct BootUrl(String);

impl BootUrl {
    /// The URL as text, without a final slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host, where that is an IPv4 address.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        let (_, rest) = self.0.split_once("://")?;
        rest.split(['/', ':']).next()?.parse().ok()
    }
}

impl std::str::FromStr for BootUrl {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().trim_end_matches('/');
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '/' | '_' | '[' | ']');
        match rest {
            Some(rest) if !rest.is_empty() && text.len() <= 200 && rest.chars().all(allowed) && !rest.starts_with('/') => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(crate::values::ParseError::new(format!("{text:?} is not a URL such as http://10.0.0.1:8080"))),
        }
    }
}

impl TryFrom<String> for BootUrl {
    type Error = crate::values::ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BootUrl> for String {
    fn from(url: BootUrl) -> Self {
        url.0
    }
}

impl SiteSpec {
    /// The managed zone that `name` belongs to: the longest that contains it.
    pub fn zone_of(&self, name: &str) -> Option<&Zone> {
        holding(&self.zones, name, None).map(|(zone, _)| zone)
    }

    /// The managed zone that holds an address's PTR record, the smallest of them, and the record's name there.
    pub fn reverse_zone(&self, ip: Ipv4Addr) -> Option<(&Zone, String)> {
        holding(&self.zones, "", Some(ip))
    }

    /// The managed zone that holds a host's A record.
    pub fn forward_zone(&self, hostname: &Hostname) -> Option<&Zone> {
        self.zone_of(hostname.as_str())
    }
}

/// Why a site cannot be retired that these still belong to; `None` where it can.
pub fn in_use(used_by: &[String]) -> Option<BrokenRule> {
    let message = format!("the site is still used by {}; retire those first", used_by.join(", "));
    (!used_by.is_empty()).then(|| BrokenRule::new("", "site_in_use", message))
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum SiteCommand {
    /// Creates or changes the site.
    DefineSite {
        /// What it shall be.
        spec: Box<SiteSpec>,
        /// What is wrong with the key's secret, if anything.
        secret_problem: Option<String>,
        /// What is wrong with the secrets that its settings name.
        setting_secrets: SecretProblems,
        /// What its zones have to agree with.
        zones: ZoneFacts,
    },
    /// Takes the site out of use; `used_by` names, looked up, what still belongs to it.
    RetireSite {
        /// Such as `network dc1-prod`.
        used_by: Vec<String>,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SiteEvent {
    /// The site is now this.
    SiteDefined {
        /// All of it.
        spec: Box<SiteSpec>,
    },
    /// The site is out of use.
    SiteRetired {},
}

/// The state that the rules need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Site {
    defined: Option<Box<SiteSpec>>,
}

impl Site {
    /// What the command leads to.
    pub fn decide(&self, command: SiteCommand) -> Result<Vec<SiteEvent>, Refused> {
        match command {
            SiteCommand::DefineSite { spec, secret_problem, setting_secrets, zones } => {
                if self.defined.as_ref() == Some(&spec) {
                    return Ok(vec![]);
                }
                let problem = |problem| BrokenRule::new("dns_updates.key.secret", "secret_missing", problem);
                let mut broken: Vec<BrokenRule> = secret_problem.map(problem).into_iter().collect();
                // A URL that is there already is not judged again: sites of before this rule can still be changed.
                let before = self.defined.as_ref().and_then(|defined| defined.boot_url.as_ref());
                if let Some(url) = spec.boot_url.as_ref().filter(|url| before != Some(*url))
                    && let Some(why) = http_url::problem(url.as_str())
                {
                    broken.push(BrokenRule::new("boot_url", "url_invalid", format!("{} cannot be used: {why}", url.as_str())));
                }
                if spec.dns_updates.is_some() && spec.zones.is_empty() {
                    let message = "updates are of zones: name the site's zones";
                    broken.push(BrokenRule::new("zones", "zones_missing", message));
                }
                if let Some(template) = &spec.hostname_template {
                    let outside = template.examples().filter(|name| spec.forward_zone(name).is_none());
                    broken.extend(outside.map(|name| {
                        BrokenRule::new(
                            "hostname_template",
                            "zone_not_managed",
                            format!(
                                "the template makes names such as {name} outside the site's zones; add their zone to `zones`"
                            ),
                        )
                    }));
                }
                broken.extend(rules::broken(self.defined.as_deref(), &spec, &zones));
                let changed = self.defined.as_ref().is_none_or(|before| before.next_server != spec.next_server);
                if let Some(wrong) = spec.next_server.filter(|_| changed).and_then(special::of_no_server) {
                    let message = format!("{wrong}; enter the address that boot loaders are fetched from");
                    broken.push(BrokenRule::new("next_server", "next_server_not_a_host", message));
                }
                // Loopback is this machine, which a trial of the service may serve.
                let changed = self.defined.as_ref().is_none_or(|before| before.boot_url != spec.boot_url);
                let host = spec.boot_url.as_ref().filter(|_| changed).and_then(BootUrl::ipv4);
                if let Some(wrong) = host.filter(|host| !host.is_loopback()).and_then(special::of_no_server) {
                    let message = format!("{wrong}; enter the URL at which the site's servers reach the boot pages");
                    broken.push(BrokenRule::new("boot_url", "boot_url_not_a_host", message));
                }
                let before = self.defined.as_ref().map_or(&[][..], |before| &before.dhcp_header);
                broken.extend(dhcp_option::broken("dhcp_header", &spec.dhcp_header, before));
                broken.extend(settings::broken(&spec.settings, &setting_secrets));
                Refused::unless_empty(broken)?;
                Ok(vec![SiteEvent::SiteDefined { spec }])
            }
            SiteCommand::RetireSite { used_by } => {
                Refused::unless_empty(self.defined.iter().filter_map(|_| in_use(&used_by)).collect())?;
                Ok(self.defined.iter().map(|_| SiteEvent::SiteRetired {}).collect())
            }
        }
    }

    fn evolve(&mut self, event: SiteEvent) {
        self.defined = match event {
            SiteEvent::SiteDefined { spec } => Some(spec),
            SiteEvent::SiteRetired {} => None,
        };
    }
}

aggregate!(Site, "site", SiteCommand, SiteEvent);
domain_event!(SiteEvent { SiteDefined, SiteRetired });
