//! Resolved settings: the values that apply, and where each is set.

use crate::rules::BrokenRule;
use crate::values::ParseError;
use crate::values::boot_chain::BootChain;
use crate::values::name::Name;
use crate::values::setting::{SettingName, SettingValue, Settings};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use utoipa::ToSchema;

/// Where a value is set. Written as `device`, `role shop/web`, `venture shop`, `site dc1` or `boot image`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// On the device itself.
    Device,
    /// On the device's role.
    Role {
        /// The role's venture.
        venture: Name,
        /// The role's name.
        role: Name,
    },
    /// On the device's venture, or on one of the venture's ancestors.
    Venture(Name),
    /// On the device's site.
    Site(Name),
    /// In the image's declaration, as the default.
    BootImage,
}

impl Source {
    /// The source as a noun for a sentence.
    pub(crate) fn noun(&self) -> String {
        match self {
            Self::Device => "the device".to_owned(),
            Self::BootImage => "the boot image".to_owned(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => f.write_str("device"),
            Self::Role { venture, role } => write!(f, "role {venture}/{role}"),
            Self::Venture(venture) => write!(f, "venture {venture}"),
            Self::Site(site) => write!(f, "site {site}"),
            Self::BootImage => f.write_str("boot image"),
        }
    }
}

impl FromStr for Source {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || ParseError::new(format!("{text:?} is not a source of settings"));
        match (text, text.split_once(' ')) {
            ("device", _) => Ok(Self::Device),
            ("boot image", _) => Ok(Self::BootImage),
            (_, Some(("role", of))) => {
                let (venture, role) = of.split_once('/').ok_or_else(unknown)?;
                Ok(Self::Role { venture: venture.parse()?, role: role.parse()? })
            }
            (_, Some(("venture", venture))) => Ok(Self::Venture(venture.parse()?)),
            (_, Some(("site", site))) => Ok(Self::Site(site.parse()?)),
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

/// A value and where it is set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Resolved {
    /// The value. For a secret, its name.
    pub value: SettingValue,
    /// Where the value is set: `device`, `role VENTURE/ROLE`, `venture NAME`, `site CODE` or `boot image`.
    #[schema(value_type = String, example = "venture shop")]
    pub from: Source,
}

/// Resolved values by name. Deployments can share one map, and an empty one allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResolvedSettings(Option<Arc<BTreeMap<SettingName, Resolved>>>);

impl ResolvedSettings {
    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The value of a setting.
    pub fn get(&self, name: &SettingName) -> Option<&Resolved> {
        self.0.as_ref()?.get(name)
    }

    /// All values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&SettingName, &Resolved)> {
        self.0.iter().flat_map(|map| map.iter())
    }

    /// The number of owners that share the map; 0 if there is no map.
    pub fn owners(&self) -> usize {
        self.0.as_ref().map_or(0, Arc::strong_count)
    }
}

impl FromIterator<(SettingName, Resolved)> for ResolvedSettings {
    fn from_iter<I: IntoIterator<Item = (SettingName, Resolved)>>(values: I) -> Self {
        let map: BTreeMap<_, _> = values.into_iter().collect();
        Self((!map.is_empty()).then(|| Arc::new(map)))
    }
}

impl Serialize for ResolvedSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for ResolvedSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

impl utoipa::PartialSchema for ResolvedSettings {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        BTreeMap::<String, Resolved>::schema()
    }
}

impl ToSchema for ResolvedSettings {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ResolvedSettings")
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
        schemas.push((<Resolved as ToSchema>::name().into_owned(), <Resolved as utoipa::PartialSchema>::schema()));
        <Resolved as ToSchema>::schemas(schemas);
    }
}

/// The settings of a role, a venture, one of its ancestors, or a site.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// Which of them sets the values.
    pub from: Source,
    /// The values that are set there.
    pub settings: &'a Settings,
}

/// The values for a deployment, and the problems with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The values that device, role, venture and site set.
    pub values: ResolvedSettings,
    /// The settings without a value or with a value of the wrong type, and what the image lacks for the boot chain.
    pub broken: Vec<BrokenRule>,
    /// The boot loaders that the server's firmware starts.
    pub boot_chain: BootChain,
}
