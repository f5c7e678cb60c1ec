//! Tests of the stored form, and `snapshots/power_failures.snap`: the sentence for each failure, for review.

use super::PowerFailure;
use std::fmt::Write;

/// The stored JSON of every failure: never change a line.
const STORED: [&str; 26] = [
    r#"{"code":"no_answer","controller":"10.0.9.1","protocol":"ipmi"}"#,
    r#"{"code":"no_answer","controller":"bmc-7.dc1.example","protocol":"redfish"}"#,
    r#"{"code":"address_unknown","controller":"bmc-7.dc1.example"}"#,
    r#"{"code":"credentials","controller":"10.0.9.1","user":"admin"}"#,
    r#"{"code":"credentials_too_long","controller":"10.0.9.1","user_bytes":16,"password_bytes":20}"#,
    r#"{"code":"not_permitted","controller":"10.0.9.1","user":"admin","detail":"the role is ReadOnly"}"#,
    r#"{"code":"privilege_level","controller":"10.0.9.1","user":"admin"}"#,
    r#"{"code":"no_session","controller":"10.0.9.1","status":"503 Service Unavailable","detail":"too many sessions"}"#,
    r#"{"code":"refused","controller":"10.0.9.1","path":"/redfish/v1/Systems/1","status":"400 Bad Request","detail":"busy"}"#,
    r#"{"code":"not_done","controller":"10.0.9.1","detail":"the property is read-only"}"#,
    r#"{"code":"no_reset","controller":"10.0.9.1"}"#,
    r#"{"code":"reset_not_offered","controller":"10.0.9.1","wanted":["ForceRestart","PowerCycle"],"offered":["On"]}"#,
    r#"{"code":"no_system","controller":"10.0.9.1"}"#,
    r#"{"code":"several_systems","controller":"10.0.9.1","count":2,"systems":["a","c"]}"#,
    r#"{"code":"reset_task","controller":"10.0.9.1","reset":"ForceOff","detail":"Exception"}"#,
    r#"{"code":"reset_warning","controller":"10.0.9.1","reset":"ForceRestart","detail":"it may take a while"}"#,
    r#"{"code":"network_boot_task","controller":"10.0.9.1","detail":"Exception"}"#,
    r#"{"code":"network_boot","controller":"10.0.9.1","setting":{"protocol":"ipmi","flags":"8008000000"}}"#,
    concat!(
        r#"{"code":"network_boot","controller":"10.0.9.1","setting":{"protocol":"redfish","enabled":"Disabled","target":null,"#,
        r#""mode":"Legacy","offered":["None","Hdd"]},"detail":"the property is read-only"}"#
    ),
    r#"{"code":"wrong_state","controller":"10.0.9.1","action":"off","seconds":30,"state":"on"}"#,
    r#"{"code":"no_ipmitool"}"#,
    r#"{"code":"ipmitool_unusable","detail":"Permission denied"}"#,
    r#"{"code":"ipmitool","controller":"10.0.9.1","detail":"Set Chassis Power Control to Up/On failed"}"#,
    r#"{"code":"unexpected_output","controller":"10.0.9.1","detail":"hello"}"#,
    r#"{"code":"deadline","seconds":105}"#,
    r#"{"code":"internal","detail":"the query to the management controller was aborted"}"#,
];

#[test]
fn the_stored_form_of_failures_never_changes_and_each_has_a_sentence() {
    let mut sentences = String::new();
    for stored in STORED {
        let failure: PowerFailure = serde_json::from_str(stored).expect(stored);
        assert_eq!(serde_json::to_string(&failure).expect("JSON"), stored);
        let code = serde_json::to_value(&failure).expect("JSON")["code"].as_str().expect("a code").to_owned();
        writeln!(sentences, "{code}: {failure}").expect("a text");
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("power_failures", sentences);
    });
}
