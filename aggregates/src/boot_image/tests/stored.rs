//! Tests of what a boot image stores about its templates, and of its defaults.

use super::*;
use crate::network::NetworkSpec;
use crate::samples::{network, settings};
use serde_json::{Value, from_value, json, to_value};

#[test]
fn an_image_has_usual_limits_unless_it_names_others() {
    let spec: BootImageSpec = from_value(json!({})).expect("a description");
    assert_eq!((spec.open_minutes, spec.in_progress_minutes), (30, 120));
    assert_eq!(to_value(&spec).expect("JSON")["done_by"], Value::Null, "a default is not stored");
}

#[test]
fn each_need_of_a_template_is_stored_and_a_template_without_needs_stores_none() {
    let none = Needs::default;
    let needs = [
        Needs { kinds: [FileKind::Kernel].into(), ..none() },
        Needs { files: [parsed("late.sh")].into(), ..none() },
        Needs { network: [NetworkValue::Gateway].into(), ..none() },
        Needs { unquoted: [(parsed("disk"), [" ".to_owned()].into())].into(), ..none() },
    ];
    for needs in needs {
        let file = BootFile { needs, ..boot_file(FileKind::Kickstart) };
        let stored = to_value(&file).expect("JSON");
        assert_eq!(from_value::<BootFile>(stored).expect("it is read"), file);
    }
    assert_eq!(to_value(boot_file(FileKind::Kickstart)).expect("JSON").get("needs"), None);
}

#[test]
fn a_template_lacks_what_its_network_does_not_have() {
    let needs = vec![(NetworkValue::Gateway, parsed("boot.ipxe")), (NetworkValue::DnsServers, parsed("preseed.cfg"))];
    let lacks = |gateway: Option<&str>, servers: &[&str]| {
        let (gateway, dns_servers) = (gateway.map(parsed), servers.iter().map(|ip| parsed(ip)).collect());
        absent_from_network(&needs, &parsed("prod"), &NetworkSpec { gateway, dns_servers, ..network("10.0.0.0/24") })
    };
    assert_eq!(lacks(Some("10.0.0.254"), &["10.0.0.53"]), None);
    let message = lacks(None, &["10.0.0.53"]).expect("a gateway is missing");
    assert!(message.contains("boot.ipxe uses gateway, and the network prod has no gateway:"), "{message}");
    let message = lacks(Some("10.0.0.254"), &[]).expect("DNS servers are missing");
    assert!(message.contains("preseed.cfg uses dns_servers, and the network prod has no DNS servers:"), "{message}");
}

#[test]
fn an_image_with_one_file_of_kind_grub_is_complete() {
    let (image, _) = after(vec![define(), put("boot.ipxe", FileKind::BootIpxe), put("grub.cfg", FileKind::Grub)]);
    assert_eq!(image.incomplete(), None);
}

#[test]
fn an_empty_text_means_none_only_for_a_choice_or_a_secret_without_a_default() {
    for (declared, rules) in [
        (json!({ "type": "choice", "choices": ["x"] }), &[][..]),
        (json!({ "type": "choice", "choices": ["x"], "default": "x" }), &["setting_wrong_type"]),
        (json!({ "type": "secret" }), &[]),
        (json!({ "type": "list" }), &["setting_wrong_type"]),
        (json!({ "type": "number", "required": true }), &["setting_wrong_type"]),
    ] {
        let commands = vec![declare(json!({ "a": declared })), put_using("preseed.cfg", FileKind::Kickstart, &["a"])];
        let inherited = Inherited::new(&parsed("debian-13"), &after(commands).0, vec![]);
        let resolution = inherited.of_device(&settings(json!({ "a": "" })));
        let codes: Vec<_> = resolution.broken.iter().map(|broken| broken.rule.as_str()).collect();
        assert_eq!(codes, rules, "{declared}");
    }
}
