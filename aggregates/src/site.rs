//! A site (data centre): what its networks, DHCP servers and host names have in common. The key is its code.
//!
//! `(none) ─DefineSite─► defined ─RetireSite─► retired ─DefineSite─► defined`

pub mod rules;
#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, Rule, aggregate, domain_event};
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

/// The description of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteSpec {
    /// A name for operators.
    #[serde(default)]
    pub name: Text,
    /// The address of the server that sends the first boot file (BOOTP `siaddr`).
    #[schema(value_type = Option<Ipv4Address>)]
    pub next_server: Option<Ipv4Addr>,
    /// The URL at which this site's servers reach the boot pages, such as `http://10.0.0.1:8080`; by default the service's base
    /// URL.
    pub boot_url: Option<BootUrl>,
    /// The default domain of the site.
    pub domain: DomainName,
    /// The DNS zones that Bootledger manages for the site, forward and reverse. Each is a name, or an object with the name and
    /// what the zone file contains in addition to device records.
    #[serde(default)]
    #[schema(value_type = Vec<ZoneForm>)]
    pub zones: Vec<Zone>,
    /// The template for numbered host names.
    pub hostname_template: Option<HostnameTemplate>,
    /// DHCP options that entries have only while their device is being deployed, in addition to next server and boot file.
    #[serde(default)]
    pub dhcp_header: Vec<DhcpOption>,
    /// The DNS primary that accepts dynamic updates of the zones. Without one, records are only in the zone files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_updates: Option<DnsUpdates>,
    /// Values for settings of boot images, for the site's servers. Ventures, roles and devices override them.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub settings: Settings,
}

/// Where and how a site's zones are updated (RFC 2136), signed with a key (TSIG, RFC 8945).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsUpdates {
    /// The address of the zones' DNS primary.
    #[schema(value_type = IpAddress)]
    pub primary: IpAddr,
    /// The TCP port of the primary.
    #[serde(default = "dns_port")]
    #[schema(value_type = u16, minimum = 1)]
    pub port: NonZeroU16,
    /// The TSIG key that signs the updates.
    pub key: TsigKey,
}

/// A TSIG key; the DNS server has the same key in its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TsigKey {
    /// The key's name in the DNS server.
    pub name: DomainName,
    /// The algorithm: `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    #[serde(default)]
    pub algorithm: TsigAlgorithm,
    /// The name of the secret that holds the key in base64, as `tsig-keygen` prints it; never the key itself.
    pub secret: Name,
}

/// The algorithm of a TSIG key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// All algorithms, each with its name in JSON.
    pub const ALL: [(Self, &str); 3] =
        [(Self::HmacSha256, "hmac-sha256"), (Self::HmacSha384, "hmac-sha384"), (Self::HmacSha512, "hmac-sha512")];

    /// The algorithm's name in JSON.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(algorithm, _)| *algorithm == self).map_or("hmac-sha256", |(_, name)| name)
    }
}

impl std::str::FromStr for TsigAlgorithm {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // DNS servers also write the name in capitals, such as HMAC-SHA256, or with a final dot.
        let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
        let known = Self::ALL.iter().find(|(_, known)| *known == name).map(|(algorithm, _)| *algorithm);
        known.ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ");
            let message = match name.as_str() {
                "hmac-md5" | "hmac-md5.sig-alg.reg.int" | "hmac-sha1" => format!(
                    "{name} is too weak to sign DNS messages (RFC 8945, 6); create a key for one of {names}: tsig-keygen -a \
                     hmac-sha256"
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

    /// The host of the URL, if it is an IPv4 address.
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
    /// The managed zone that `name` belongs to: the longest one that contains it.
    pub fn zone_of(&self, name: &str) -> Option<&Zone> {
        holding(&self.zones, name, None).map(|(zone, _)| zone)
    }

    /// The managed zone that holds an address's PTR record (the smallest one), and the record's name in it.
    pub fn reverse_zone(&self, ip: Ipv4Addr) -> Option<(&Zone, String)> {
        holding(&self.zones, "", Some(ip))
    }

    /// The managed zone that holds a host's A record.
    pub fn forward_zone(&self, hostname: &Hostname) -> Option<&Zone> {
        self.zone_of(hostname.as_str())
    }
}

/// Why a site cannot be retired while `used_by` belong to it; `None` if it can.
pub fn in_use(used_by: &[String]) -> Option<BrokenRule> {
    let message = format!("the site is still used by {}; retire or decommission them first", used_by.join(", "));
    (!used_by.is_empty()).then(|| BrokenRule::new("", Rule::SiteInUse, message))
}

/// A command on a site.
#[derive(Clone, Debug)]
pub enum SiteCommand {
    /// Creates or changes the site.
    DefineSite {
        /// The new description.
        spec: Box<SiteSpec>,
        /// The problem with the TSIG key's secret, if any.
        secret_problem: Option<String>,
        /// The problems with the secrets that the site's settings name.
        setting_secrets: SecretProblems,
        /// What the site's zones must be consistent with.
        zones: ZoneFacts,
    },
    /// Retires the site.
    RetireSite {
        /// What still belongs to the site, as looked up, such as `network dc1-prod`.
        used_by: Vec<String>,
    },
}

/// An event of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SiteEvent {
    /// The site's description was set.
    SiteDefined {
        /// The new description.
        spec: Box<SiteSpec>,
    },
    /// The site was retired.
    SiteRetired {},
}

/// The state of a site, as far as the rules need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Site {
    defined: Option<Box<SiteSpec>>,
}

impl Site {
    /// Returns the events that the command produces.
    ///
    /// # Errors
    /// Every rule that refuses the command.
    pub fn decide(&self, command: SiteCommand) -> Result<Vec<SiteEvent>, Refused> {
        match command {
            SiteCommand::DefineSite { spec, secret_problem, setting_secrets, zones } => {
                if self.defined.as_ref() == Some(&spec) {
                    return Ok(vec![]);
                }
                let problem = |problem| BrokenRule::new("dns_updates.key.secret", Rule::SecretMissing, problem);
                let mut broken: Vec<BrokenRule> = secret_problem.map(problem).into_iter().collect();
                // An unchanged URL is not checked again, so a site that predates this rule can still be changed.
                let before = self.defined.as_ref().and_then(|defined| defined.boot_url.as_ref());
                if let Some(url) = spec.boot_url.as_ref().filter(|url| before != Some(*url))
                    && let Some(why) = http_url::problem(url.as_str())
                {
                    broken.push(BrokenRule::new("boot_url", Rule::UrlInvalid, format!("{} cannot be used: {why}", url.as_str())));
                }
                if spec.dns_updates.is_some() && spec.zones.is_empty() {
                    let message = "DNS updates need at least one zone; add the site's zones";
                    broken.push(BrokenRule::new("zones", Rule::ZonesMissing, message));
                }
                if let Some(template) = &spec.hostname_template {
                    let outside = template.examples().filter(|name| spec.forward_zone(name).is_none());
                    broken.extend(outside.map(|name| {
                        BrokenRule::new(
                            "hostname_template",
                            Rule::ZoneNotManaged,
                            format!(
                                "the template generates names outside the site's zones, such as {name}; add their zone to `zones`"
                            ),
                        )
                    }));
                }
                broken.extend(rules::broken(self.defined.as_deref(), &spec, &zones));
                let changed = self.defined.as_ref().is_none_or(|before| before.next_server != spec.next_server);
                if let Some(wrong) = spec.next_server.filter(|_| changed).and_then(special::of_no_server) {
                    let message = format!("{wrong}; enter the address that boot loaders are fetched from");
                    broken.push(BrokenRule::new("next_server", Rule::NextServerNotAHost, message));
                }
                // Loopback is this machine, which a trial of the service may serve.
                let changed = self.defined.as_ref().is_none_or(|before| before.boot_url != spec.boot_url);
                let host = spec.boot_url.as_ref().filter(|_| changed).and_then(BootUrl::ipv4);
                if let Some(wrong) = host.filter(|host| !host.is_loopback()).and_then(special::of_no_server) {
                    let message = format!("{wrong}; enter the URL at which the site's servers reach the boot pages");
                    broken.push(BrokenRule::new("boot_url", Rule::BootUrlNotAHost, message));
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
