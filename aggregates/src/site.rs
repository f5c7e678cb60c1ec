//! A site (data centre): what its networks, DHCP servers and host names have in common. The key is its code.
//!
//! `(none) ─DefineSite─► defined ─RetireSite─► retired ─DefineSite─► defined`

#[cfg(test)]
mod tests;

use crate::rules::{BrokenRule, Refused, aggregate, domain_event};
use crate::values::dhcp_option::DhcpOption;
use crate::values::hostname::{DomainName, Hostname};
use crate::values::hostname_template::HostnameTemplate;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// What a site is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteSpec {
    /// For people.
    #[serde(default)]
    pub name: Text,
    /// The address that a booting server loads its first file from (BOOTP `siaddr`).
    #[schema(value_type = Option<String>)]
    pub next_server: Option<Ipv4Addr>,
    /// Where this site's servers reach the boot pages, such as `http://10.0.0.1:8080`; by default the service's base URL.
    pub boot_url: Option<BootUrl>,
    /// The default domain of the site.
    pub domain: DomainName,
    /// The DNS zones that Bootledger manages for the site, forward and reverse.
    #[serde(default)]
    pub zones: Vec<DomainName>,
    /// How host names are numbered.
    pub hostname_template: Option<HostnameTemplate>,
    /// Options that only entries with a live deployment carry, beside next server and boot file.
    #[serde(default)]
    pub dhcp_header: Vec<DhcpOption>,
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
    pub fn zone_of(&self, name: &str) -> Option<&DomainName> {
        self.zones.iter().filter(|zone| zone.contains(name)).max_by_key(|zone| zone.as_str().len())
    }

    /// The managed zone that holds a host's A record.
    pub fn forward_zone(&self, hostname: &Hostname) -> Option<&DomainName> {
        self.zone_of(hostname.as_str())
    }
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum SiteCommand {
    /// Creates or changes the site.
    DefineSite {
        /// What it shall be.
        spec: Box<SiteSpec>,
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
            SiteCommand::DefineSite { spec } => {
                if self.defined.as_ref() == Some(&spec) {
                    return Ok(vec![]);
                }
                let mut broken = vec![];
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
                Refused::unless_empty(broken)?;
                Ok(vec![SiteEvent::SiteDefined { spec }])
            }
            SiteCommand::RetireSite { used_by } if self.defined.is_some() && !used_by.is_empty() => Err(Refused::because(
                "",
                "site_in_use",
                format!("the site is still used by {}; retire those first", used_by.join(", ")),
            )),
            SiteCommand::RetireSite { .. } => Ok(self.defined.iter().map(|_| SiteEvent::SiteRetired {}).collect()),
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
