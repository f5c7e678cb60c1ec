//! The form of a zone in requests and events: its name alone, or its fields.

use super::mailbox::Mailbox;
use super::range::AddressRange;
use super::serial::SerialPolicy;
use super::{Zone, ZoneSettings};
use crate::values::hostname::{DomainName, Hostname};
use crate::values::schema::written_as_text;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use utoipa::ToSchema;

/// The fields of a zone, as they are stored and sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneFields {
    /// The name of the zone.
    pub name: DomainName,
    /// The addresses of a reverse zone, if its name does not determine them: `192.0.2.0/25` or `192.0.2.10-192.0.2.20`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<AddressRange>,
    /// The zone's name servers. By default, `ns.` followed by the zone's name if that host has an address; otherwise
    /// `localhost`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    name_servers: Vec<ServerName>,
    /// The primary name server in the SOA record; by default the first of the name servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mname: Option<ServerName>,
    /// The mail address of the zone's administrator, for the SOA record; by default `hostmaster` at the site's domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rname: Option<Mailbox>,
    /// SOA refresh: seconds until a secondary checks for changes; 3600 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<u32>,
    /// SOA retry: seconds until a secondary retries a failed check; 600 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<u32>,
    /// SOA expire: seconds without the primary after which a secondary stops answering; 1209600 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expire: Option<u32>,
    /// SOA minimum: the TTL of negative answers in seconds; 60 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minimum: Option<u32>,
    /// The TTL of records in seconds; 300 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    /// How serial numbers are chosen: the event number of the last change, its time in seconds since 1970, or its day in UTC
    /// and two digits. A new policy continues from the last number and never lowers it.
    #[serde(default, skip_serializing_if = "is_default")]
    serial: SerialPolicy,
    /// The serial number that all further ones must exceed, for example because the secondaries of an existing zone have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial_floor: Option<u32>,
    /// Extra records in master file format (RFC 1035), with names relative to the zone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(example = "ns1 A 10.0.0.53\n@ MX 10 mail.example.net.")]
    records: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The name of a name server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(pub Hostname);

written_as_text!(ServerName, "A name server's name; a final dot is removed", None, "ns1.dc1.example");

impl std::str::FromStr for ServerName {
    type Err = crate::values::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl TryFrom<String> for ServerName {
    type Error = crate::values::ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServerName> for String {
    fn from(name: ServerName) -> Self {
        name.0.into()
    }
}

impl From<ZoneFields> for Zone {
    fn from(fields: ZoneFields) -> Self {
        let settings = ZoneSettings {
            range: fields.range,
            name_servers: fields.name_servers.into_iter().map(|server| server.0).collect(),
            mname: fields.mname.map(|server| server.0),
            rname: fields.rname,
            refresh: fields.refresh,
            retry: fields.retry,
            expire: fields.expire,
            minimum: fields.minimum,
            ttl: fields.ttl,
            serial: fields.serial,
            serial_floor: fields.serial_floor,
            // Different line endings would turn the same records into two different texts.
            records: fields.records.replace("\r\n", "\n"),
        };
        Self { name: fields.name, settings: Box::new(settings) }
    }
}

impl From<Zone> for ZoneFields {
    fn from(Zone { name, settings }: Zone) -> Self {
        Self {
            name,
            range: settings.range,
            name_servers: settings.name_servers.into_iter().map(ServerName).collect(),
            mname: settings.mname.map(ServerName),
            rname: settings.rname,
            refresh: settings.refresh,
            retry: settings.retry,
            expire: settings.expire,
            minimum: settings.minimum,
            ttl: settings.ttl,
            serial: settings.serial,
            serial_floor: settings.serial_floor,
            records: settings.records,
        }
    }
}

/// The form of a zone in requests: its name alone, or its fields.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum ZoneForm {
    /// The zone's name only.
    Name(DomainName),
    /// The zone's name and settings.
    Fields(ZoneFields),
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.has_settings() { ZoneFields::from(self.clone()).serialize(serializer) } else { self.name.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Zone;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a zone such as \"dc1.example\", or an object with its `name`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Zone, E> {
                text.parse::<DomainName>().map(Zone::from).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Zone, A::Error> {
                ZoneFields::deserialize(MapAccessDeserializer::new(map)).map(Zone::from)
            }
        }

        deserializer.deserialize_any(Form)
    }
}
