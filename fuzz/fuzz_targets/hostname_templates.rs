//! The parser of host name templates never panics, and an accepted template can be written and read again.
#![no_main]

use bootledger_aggregates::values::hostname_template::HostnameTemplate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(template) = text.parse::<HostnameTemplate>() {
        assert_eq!(template.to_string().parse::<HostnameTemplate>().as_ref(), Ok(&template));
    }
});
