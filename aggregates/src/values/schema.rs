//! API schemas of values that are written as text and are types of other crates, or have their own parser.
//!
//! Each schema has a name, by which the reader of request bodies finds the parser of a field.

use std::borrow::Cow;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{RefOr, schema::SchemaType};
use utoipa::{PartialSchema, ToSchema};

/// The schema of a text with a certain form.
pub(crate) fn text(description: &str, format: Option<&str>, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some(description))
        .format(format.map(|format| SchemaFormat::Custom(format.to_owned())))
        .examples([example])
        .into()
}

/// Defines the schema of a type that is written as text.
macro_rules! written_as_text {
    ($type:ident, $description:literal, $format:expr, $example:literal) => {
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::values::schema::text($description, $format, $example)
            }
        }

        impl utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($type))
            }
        }
    };
}

pub(crate) use written_as_text;

macro_rules! foreign {
    ($(#[$doc:meta])* $name:ident, $format:literal, $example:literal, $description:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                text($description, Some($format), $example)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

foreign!(
    /// The schema of [`std::net::Ipv4Addr`].
    Ipv4Address, "ipv4", "10.0.0.7", "An IPv4 address"
);
foreign!(
    /// The schema of [`std::net::IpAddr`].
    IpAddress, "ip", "10.0.0.7", "An IPv4 or IPv6 address"
);
foreign!(
    /// The schema of [`ipnet::Ipv4Net`].
    Ipv4Network, "ipv4-network", "10.0.0.0/24", "An IPv4 network: its address and the length of its prefix"
);
foreign!(
    /// The schema of [`ipnet::IpNet`].
    IpNetwork, "ip-network", "10.20.12.0/24", "An IPv4 or IPv6 network: its address and the length of its prefix"
);
