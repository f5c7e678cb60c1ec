//! Tests that the text of each value is the one in its JSON, and that a text is read as the value that has it.

use crate::boot_image::recipe::Verified;
use crate::boot_image::{EndedBy, FileKind, NetworkBoot, NetworkValue};
use crate::controller::management::ManagementProtocol;
use crate::deployment::installer::NextBoot;
use crate::device::power::{PowerAction, PowerState};
use crate::site::TsigAlgorithm;
use crate::user::Role;
use crate::values::boot_chain::BootChain;
use crate::values::dhcp_option::OptionType;
use crate::values::setting::SettingType;
use crate::zone::serial::SerialPolicy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{from_value, json, to_value};
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// The text of every variant in JSON: serde lists them, in back quotes, in its error about an unknown one.
fn variants<T: DeserializeOwned + Debug>() -> Vec<String> {
    let error = from_value::<T>(json!("")).expect_err("no variant has an empty text").to_string();
    let quoted: Vec<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(quoted.len() > 1, "{error}");
    quoted
}

/// Checks that the text of each variant is the one in its JSON.
fn is_written<T: DeserializeOwned + Debug>(text: impl Fn(T) -> &'static str) {
    for variant in variants::<T>() {
        assert_eq!(text(from_value(json!(variant)).expect("a variant")), variant);
    }
}

/// Checks that each variant is read from its text in JSON, and that no other text is read.
fn is_read<T: DeserializeOwned + Debug + PartialEq + FromStr<Err: Debug>>() {
    for variant in variants::<T>() {
        assert_eq!(variant.parse::<T>().expect(&variant), from_value(json!(variant)).expect("a variant"));
        for wrong in [variant.to_uppercase(), format!(" {variant}"), format!("{variant}s")] {
            assert!(wrong.parse::<T>().is_err(), "{wrong:?}");
        }
    }
    assert!("".parse::<T>().is_err());
}

/// Checks that a value is displayed as its text in JSON.
fn is_displayed<T: DeserializeOwned + Debug + Display>() {
    for variant in variants::<T>() {
        assert_eq!(from_value::<T>(json!(variant)).expect("a variant").to_string(), variant);
    }
}

#[test]
fn the_text_of_a_value_is_the_one_in_its_json() {
    is_written(BootChain::as_str);
    is_written(EndedBy::as_str);
    is_written(FileKind::as_str);
    is_written(ManagementProtocol::as_str);
    is_written(NetworkBoot::as_str);
    is_written(NetworkValue::as_str);
    is_written(NextBoot::as_str);
    is_written(OptionType::as_str);
    is_written(PowerAction::as_str);
    is_written(PowerState::as_str);
    is_written(Role::as_str);
    is_written(SerialPolicy::name);
    is_written(SettingType::as_str);
    is_written(Verified::as_str);
}

#[test]
fn a_value_is_read_from_its_text_in_json_and_from_no_other() {
    is_read::<BootChain>();
    is_read::<EndedBy>();
    is_read::<FileKind>();
    is_read::<NetworkBoot>();
    is_read::<NextBoot>();
    is_read::<Role>();
}

#[test]
fn a_value_is_displayed_as_in_its_json() {
    is_displayed::<BootChain>();
    is_displayed::<FileKind>();
    is_displayed::<Role>();
}

#[test]
fn a_list_of_all_values_has_each_of_them() {
    fn check<T: Copy + Serialize>(all: &[(T, &str)], name: impl Fn(T) -> &'static str) {
        for (value, text) in all {
            assert_eq!((name(*value), &to_value(value).expect("JSON")), (*text, &json!(text)));
        }
    }
    check(&OptionType::ALL, OptionType::as_str);
    check(&SerialPolicy::ALL, SerialPolicy::name);
    check(&TsigAlgorithm::ALL, TsigAlgorithm::name);
    let texts = |all: &[&'static str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(variants::<OptionType>(), texts(&OptionType::ALL.map(|(_, text)| text)));
    assert_eq!(variants::<SerialPolicy>(), texts(&SerialPolicy::ALL.map(|(_, text)| text)));
    assert_eq!(variants::<BootChain>(), texts(&BootChain::ALL.map(BootChain::as_str)));
    assert_eq!(variants::<FileKind>(), texts(&FileKind::ALL.map(FileKind::as_str)));
}
