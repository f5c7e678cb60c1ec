//! Whatever is saved as a template of host names is accepted or refused.
#![no_main]

use bootledger_aggregates::values::hostname_template::HostnameTemplate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(template) = text.parse::<HostnameTemplate>() {
        assert_eq!(template.to_string().parse::<HostnameTemplate>().as_ref(), Ok(&template));
    }
});
