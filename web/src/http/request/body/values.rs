//! Checks of single values beyond their JSON type: the parsers of the named types in the API's description, and the
//! ranges of numbers.
//!
//! Serde finds the same errors, but not where they are: it reports no path inside flattened and tagged types.

use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::boot_image::recipe::RecipeOrigin;
use bootledger_aggregates::device::controller::{BasePath, Host};
use bootledger_aggregates::device::management::Tls;
use bootledger_aggregates::drift::DriftKey;
use bootledger_aggregates::site::{BootUrl, TsigAlgorithm};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_aggregates::values::dhcp_option::{Addresses, HexBytes, OptionName};
use bootledger_aggregates::values::hostname::{DomainName, Hostname};
use bootledger_aggregates::values::hostname_template::HostnameTemplate;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, ImportId, OrderId, PasswordId, SessionId, TokenId};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::notes::Notes;
use bootledger_aggregates::values::percent::Percent;
use bootledger_aggregates::values::schema::{IpAddress, IpNetwork, Ipv4Address, Ipv4Network};
use bootledger_aggregates::values::setting::{SettingList, SettingName, SettingText};
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::tag::Tag;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_aggregates::venture::puppet::{Classes, Parameters};
use bootledger_aggregates::webhook::{EventPattern, WebhookUrl};
use bootledger_aggregates::zone::ServerName;
use bootledger_aggregates::zone::mailbox::Mailbox;
use bootledger_aggregates::zone::range::AddressRange;
use ipnet::{IpNet, Ipv4Net};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::LazyLock;
use utoipa::ToSchema;
use uuid::Uuid;

/// The key under which a schema stores the name of its type.
pub(super) const NAME: &str = "x-name";

type Check = fn(&Value) -> Result<(), String>;

/// Parses a value with a type of our own, whose errors are written for users.
fn own<T: DeserializeOwned>(value: &Value) -> Result<(), String> {
    T::deserialize(value).map(drop).map_err(|error| error.to_string())
}

/// Parses a value with a type of another crate, whose errors say less.
fn foreign<T: FromStr>(value: &Value, what: &str) -> Result<(), String> {
    match value.as_str() {
        Some(text) if text.parse::<T>().is_err() => Err(format!("{text:?} is not {what}")),
        _ => Ok(()),
    }
}

fn uuid(value: &Value) -> Result<(), String> {
    foreign::<Uuid>(value, "an id such as 0192f0c0-0000-7000-8000-000000000001")
}

static CHECKS: LazyLock<HashMap<Cow<'static, str>, Check>> = LazyLock::new(|| {
    macro_rules! all {
        ($($type:ty => $check:expr),* $(,)?) => { [$((<$type as ToSchema>::name(), $check as Check)),*] };
    }
    macro_rules! owns {
        ($($type:ty),* $(,)?) => { all!($($type => own::<$type>),*) };
    }
    let own = owns![
        Addresses,
        AddressRange,
        BasePath,
        BootChain,
        BootUrl,
        Classes,
        DomainName,
        DriftKey,
        EventPattern,
        FileKind,
        HexBytes,
        Host,
        Hostname,
        HostnameTemplate,
        MacAddress,
        Mailbox,
        Name,
        Notes,
        OptionName,
        Parameters,
        Percent,
        RecipeOrigin,
        ServerName,
        SettingList,
        SettingName,
        SettingText,
        Sha256,
        Tag,
        Text,
        Timestamp,
        Tls,
        TsigAlgorithm,
        UserName,
        WebhookUrl,
    ];
    let foreign = all![
        Ipv4Address => |value| foreign::<Ipv4Addr>(value, "an IPv4 address such as 10.0.0.7"),
        IpAddress => |value| foreign::<IpAddr>(value, "an IPv4 or IPv6 address such as 10.0.0.7"),
        Ipv4Network => |value| foreign::<Ipv4Net>(value, "an IPv4 network such as 10.0.0.0/24"),
        IpNetwork => |value| foreign::<IpNet>(value, "a network such as 10.0.0.0/24"),
        DeviceId => uuid, DeploymentId => uuid, ImportId => uuid, OrderId => uuid, PasswordId => uuid, SessionId => uuid,
        TokenId => uuid,
    ];
    own.into_iter().chain(foreign).collect()
});

/// The smallest and the largest number of a format.
fn range(format: &str) -> Option<(i128, i128)> {
    Some(match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" => (i64::MIN.into(), i64::MAX.into()),
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint64" => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// Describes why a value that has the right JSON type does not fit the schema.
pub(super) fn problem(schema: &Value, value: &Value) -> Option<String> {
    if let Value::Number(number) = value
        && let Some(number) = number.as_i128()
    {
        let text = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
        let limit = |name: &str| schema.get(name).and_then(|limit| limit.as_number()?.as_i128());
        let (least, most) = range(text("format")).unwrap_or((i128::MIN, i128::MAX));
        let (least, most) = (limit("minimum").unwrap_or(least).max(least), limit("maximum").unwrap_or(most).min(most));
        return (!(least..=most).contains(&number)).then(|| format!("{number} is not a whole number from {least} to {most}"));
    }
    if schema.get("format").and_then(Value::as_str) == Some("uuid")
        && let Err(problem) = uuid(value)
    {
        return Some(problem);
    }
    let check = CHECKS.get(schema.get(NAME)?.as_str()?)?;
    check(value).err()
}
