//! Tests of resolved settings: which value applies, where it is set, and what keeps a deployment from starting.

use super::*;
use crate::boot_image::{BootFile, BootImageCommand};
use crate::samples::{boot_file, parsed, settings};
use crate::settings::{ResolvedSettings, SecretProblems, broken};
use proptest::prelude::*;
use serde_json::{Value, json};

/// An image that declares these settings and has one template, which uses those in `used`.
fn image(declared: impl Into<Value>, used: &[&str]) -> BootImage {
    let spec = serde_json::from_value(json!({ "settings": declared.into() })).expect("an image");
    let file = BootFile { settings: used.iter().map(|name| parsed(name)).collect(), ..boot_file(FileKind::Kickstart) };
    let commands = [
        BootImageCommand::DefineBootImage { spec, secret_problems: SecretProblems::new() },
        BootImageCommand::PutFile { name: parsed("preseed.cfg"), file },
    ];
    let mut image = BootImage::default();
    for command in commands {
        for event in image.decide(command).expect("the command is accepted") {
            image.evolve(event);
        }
    }
    image
}

/// A setting of every type, with values that it accepts and values that it refuses.
fn every_type() -> Vec<(Value, Vec<Value>, Vec<Value>)> {
    let secret = json!({ "secret": "boot-a" });
    vec![
        (json!({ "type": "text" }), vec![json!("a"), json!("")], vec![json!(1), json!(true), json!([]), secret.clone()]),
        (json!({ "type": "number", "required": true }), vec![json!(0), json!(-7)], vec![json!("7"), json!(true), secret.clone()]),
        (json!({ "type": "boolean", "default": false }), vec![json!(true), json!(false)], vec![json!("true"), json!(1)]),
        (json!({ "type": "list" }), vec![json!([]), json!(["a", "b"])], vec![json!("a"), json!(1), secret.clone()]),
        (
            json!({ "type": "choice", "choices": ["x", "y"] }),
            vec![json!("x"), json!("y"), json!("")],
            vec![json!("z"), json!([])],
        ),
        (json!({ "type": "secret" }), vec![secret, json!("")], vec![json!("a"), json!({ "secret": "bmc" }), json!([])]),
    ]
}

fn layers(all: &[(Source, Settings)]) -> Vec<Layer<'_>> {
    all.iter().map(|(from, settings)| Layer { from: from.clone(), settings }).collect()
}

/// Role, venture, its parent and the site. Each sets `a` to its own name as text.
fn lineage() -> Vec<(Source, Settings)> {
    let sources = ["role shop/web", "venture shop", "venture retail", "site dc1"];
    sources.iter().map(|source| (parsed(source), settings(json!({ "a": source })))).collect()
}

fn codes(resolution: &Resolution) -> Vec<&str> {
    resolution.broken.iter().map(|broken| broken.rule.as_str()).collect()
}

fn resolve(image: &BootImage, all: &[(Source, Settings)], own: Value) -> Resolution {
    Inherited::new(&parsed("debian-12"), image, layers(all)).of_device(&settings(own))
}

#[test]
fn the_nearest_value_counts_and_without_it_the_next() {
    let image = image(json!({ "a": { "type": "text", "default": "boot image" } }), &["a"]);
    let mut all = lineage();
    let nearest = resolve(&image, &all, json!({ "a": "device" }));
    let expected = Resolved { value: SettingValue::Text(parsed("device")), from: Source::Device };
    assert_eq!(nearest.values.get(&parsed("a")), Some(&expected));
    while !all.is_empty() {
        let (from, _) = all[0].clone();
        let resolution = resolve(&image, &all, json!({}));
        let expected = Resolved { value: SettingValue::Text(parsed(&from.to_string())), from };
        assert_eq!(resolution.values.get(&parsed("a")), Some(&expected));
        all.remove(0);
    }
    assert!(resolve(&image, &all, json!({})).values.is_empty(), "the default is the image's, at the deployment's revision");
    let inherited = Inherited::new(&parsed("debian-12"), &image, []);
    let explained: Vec<_> = inherited.explain(&Settings::new()).filter_map(|one| one.resolved).collect();
    assert_eq!(explained, [Resolved { value: SettingValue::Text(parsed("boot image")), from: Source::BootImage }]);
}

proptest! {
    #[test]
    fn the_nearest_source_of_a_value_wins(set in prop::array::uniform5(any::<bool>()), numbers in prop::array::uniform5(any::<i64>())) {
        let image = image(json!({ "a": { "type": "number", "default": 0 }, "b": { "type": "text" } }), &["a"]);
        let value = |place: usize| if set[place] { json!({ "a": numbers[place], "b": "not used" }) } else { json!({ "b": "x" }) };
        let sources = ["role shop/web", "venture shop", "venture retail", "site dc1"];
        let all: Vec<_> = (1..).zip(sources).map(|(place, source)| (parsed(source), settings(value(place)))).collect();
        let resolution = resolve(&image, &all, value(0));
        let nearest = (0..5).find(|place| set[*place]);
        let from = |place: usize| if place == 0 { Source::Device } else { all[place - 1].0.clone() };
        let expected = nearest.map(|place| Resolved { value: SettingValue::Number(numbers[place]), from: from(place) });
        prop_assert_eq!(resolution.values.get(&parsed("a")), expected.as_ref());
        prop_assert_eq!(resolution.values.iter().count(), usize::from(nearest.is_some()), "what no file uses is left out");
        prop_assert_eq!(resolution.broken, []);
    }
}

#[test]
fn every_type_takes_its_own_values_and_refuses_the_others_by_their_layer() {
    for (spec, good, bad) in every_type() {
        let image = image(json!({ "a": spec }), &["a"]);
        for value in good {
            let resolution = resolve(&image, &[], json!({ "a": value }));
            assert_eq!((codes(&resolution), resolution.values.iter().count()), (vec![], 1), "{spec} {value}");
        }
        for value in bad {
            let venture = [(parsed("venture shop"), settings(json!({ "a": value })))];
            let resolution = resolve(&image, &venture, json!({}));
            assert_eq!(codes(&resolution), ["setting_wrong_type"], "{spec} {value}");
            assert!(resolution.broken[0].message.ends_with(" venture shop"), "{:?}", resolution.broken);
            let hidden =
                resolve(&image, &venture, json!({ "a": every_type().iter().find(|(s, ..)| *s == spec).expect("it").1[0] }));
            assert!(hidden.broken.is_empty(), "a nearer value hides the wrong one");
        }
    }
}

#[test]
fn a_required_setting_without_a_value_is_named_with_where_it_can_be_set() {
    let declared = json!({
        "hash": { "type": "secret", "required": true, "description": "crypt(3) hash of root's password" },
        "disk": { "type": "text", "required": true },
    });
    let used = image(declared.clone(), &["hash", "disk"]);
    let resolution = resolve(&used, &[(parsed("site dc1"), settings(json!({ "disk": "" })))], json!({}));
    assert_eq!(codes(&resolution), ["setting_missing", "setting_missing"]);
    let messages: Vec<&str> = resolution.broken.iter().map(|broken| broken.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the boot image debian-12 is incomplete for this device: the setting disk has no value; its value on site dc1 is \
             empty; enter one there",
            "the boot image debian-12 is incomplete for this device: the setting hash (crypt(3) hash of root's password) has no \
             value; set it on the device, its role, its venture or its site, or give the image a default",
        ]
    );
    assert_eq!(codes(&resolve(&image(declared, &[]), &[], json!({}))), Vec::<&str>::new(), "no file needs them");
    let good = json!({ "hash": { "secret": "boot-root" }, "disk": "/dev/sda" });
    assert_eq!(codes(&resolve(&used, &[], good)), Vec::<&str>::new());
}

#[test]
fn devices_without_settings_of_their_own_share_one_map() {
    let image = image(json!({ "a": { "type": "text" } }), &["a"]);
    let all = lineage();
    let inherited = Inherited::new(&parsed("debian-12"), &image, layers(&all));
    let some: Vec<Resolution> = (0..10).map(|_| inherited.of_device(&settings(json!({ "other": "x" })))).collect();
    assert_eq!(some[0].values.owners(), 11);
    let own = inherited.of_device(&settings(json!({ "a": "x" })));
    assert_eq!(own.values.owners(), 1);
    assert_eq!(std::mem::size_of::<ResolvedSettings>(), std::mem::size_of::<usize>());
}

/// The boot chain of an image with or without a file of kind grub, and the rules that keep its deployment from starting.
fn chain(grub: bool, declared: Value, all: &[(Source, Settings)], own: Value) -> (BootChain, Vec<String>) {
    let mut image = image(declared, &[]);
    if grub {
        let put = BootImageCommand::PutFile { name: parsed("grub.cfg"), file: boot_file(FileKind::Grub) };
        image.decide(put).expect("a file").into_iter().for_each(|event| image.evolve(event));
    }
    let resolution = resolve(&image, all, own);
    (resolution.boot_chain, codes(&resolution).into_iter().map(str::to_owned).collect())
}

#[test]
fn the_nearest_boot_chain_counts_whether_or_not_an_image_declares_the_setting() {
    let signed = json!({ "boot_chain": "signed" });
    let declared = json!({ "boot_chain": { "type": "choice", "choices": ["ipxe", "signed"], "default": "signed" } });
    let site = [(parsed("site dc1"), settings(signed.clone()))];
    let none: [(Source, Settings); 0] = [];
    for (declared, all, own, expected) in [
        (json!({}), none.as_slice(), json!({}), BootChain::Ipxe),
        (json!({}), none.as_slice(), signed.clone(), BootChain::Signed),
        (json!({}), site.as_slice(), json!({}), BootChain::Signed),
        (json!({}), site.as_slice(), json!({ "boot_chain": "ipxe" }), BootChain::Ipxe),
        (json!({}), site.as_slice(), json!({ "boot_chain": "" }), BootChain::Ipxe),
        (declared.clone(), none.as_slice(), json!({}), BootChain::Signed),
        (declared.clone(), none.as_slice(), json!({ "boot_chain": "ipxe" }), BootChain::Ipxe),
    ] {
        assert_eq!(chain(true, declared.clone(), all, own.clone()), (expected, vec![]), "{declared} {own}");
        let refused = if expected == BootChain::Signed { vec!["boot_image_not_signed".to_owned()] } else { vec![] };
        assert_eq!(chain(false, declared.clone(), all, own.clone()).1, refused, "without grub: {declared} {own}");
    }
}

#[test]
fn an_image_without_a_grub_file_is_refused_by_the_name_of_what_chose_the_signed_chain() {
    let site = [(parsed("site dc1"), settings(json!({ "boot_chain": "signed" })))];
    let refused = resolve(&image(json!({}), &[]), &site, json!({})).broken;
    assert_eq!(refused[0].field, "boot_image");
    for part in [
        "boot image debian-12",
        "no file of kind grub",
        "boot_chain on site dc1 is signed",
        "set boot_chain to ipxe on the device",
    ] {
        assert!(refused[0].message.contains(part), "{part}: {}", refused[0].message);
    }
}

#[test]
fn an_invalid_boot_chain_is_refused_in_every_layer() {
    for wrong in [json!("singed"), json!("Signed"), json!(true), json!(1), json!(["signed"]), json!({ "secret": "boot-a" })] {
        let set = settings(json!({ "boot_chain": wrong }));
        let rules: Vec<String> = broken(&set, &SecretProblems::new()).into_iter().map(|rule| rule.rule).collect();
        assert_eq!(rules, ["boot_chain_unknown"], "{wrong}");
        // A stored setting of that name may be older than its reserved meaning.
        let stored = [(parsed("venture shop"), set)];
        assert_eq!(
            chain(true, json!({}), &stored, json!({})),
            (BootChain::Ipxe, vec!["boot_chain_unknown".to_owned()]),
            "{wrong}"
        );
    }
    for right in ["ipxe", "signed", ""] {
        assert_eq!(broken(&settings(json!({ "boot_chain": right })), &SecretProblems::new()), []);
    }
}

/// An image whose script writes the setting `v` unquoted, so that these character sequences would change the script.
fn with_signs(kind: FileKind, default: &str, signs: &[&str]) -> BootImage {
    let spec = json!({ "settings": {
        "v": { "type": "text", "default": default },
        "l": { "type": "list" },
        "boot_chain": { "type": "choice", "choices": ["ipxe", "signed"], "default": if kind == FileKind::Grub { "signed" } else { "ipxe" } },
    } });
    let spec = serde_json::from_value(spec).expect("an image");
    let mut script = BootFile { settings: [parsed("v"), parsed("l")].into(), template: true, ..boot_file(kind) };
    for setting in ["v", "l"] {
        script.needs.unquoted.insert(parsed(setting), signs.iter().map(ToString::to_string).collect());
    }
    let mut image = BootImage::default();
    for command in [
        BootImageCommand::DefineBootImage { spec, secret_problems: SecretProblems::new() },
        BootImageCommand::PutFile { name: parsed("script"), file: script },
        BootImageCommand::PutFile { name: parsed("vmlinuz"), file: boot_file(FileKind::Kernel) },
    ] {
        for event in image.decide(command).expect("the command is accepted") {
            image.evolve(event);
        }
    }
    image
}

#[test]
fn a_value_that_would_make_a_boot_loader_read_another_script_is_refused_by_its_layer() {
    let ipxe = [" ; ", " && ", " || ", " #", "\n#", "${", "\\\n"];
    let grub = [";", "&", "$", "\\", "'", " #", "\n#", " [[ "];
    for (kind, signs, refused, taken) in [
        (
            FileKind::BootIpxe,
            &ipxe[..],
            &["a ; reboot", "; reboot", "a ;", "a && b", "|| b", "a #b", "#b", "${net0/mac}", "a\\"][..],
            &["", "a;b", "a&&b", "a||b", "a#b", "$x", "$(x)", "C:\\x", "a\\ b", "a & b"][..],
        ),
        (
            FileKind::Grub,
            &grub[..],
            &["a;b", "a&b", "$x", "a\\b", "it's", "a #b", "#b", "[["][..],
            &["", "a#b", "[[a", "a b=c,d:e/f"][..],
        ),
    ] {
        let image = with_signs(kind, "", signs);
        for value in refused {
            for layer in [json!({ "v": value }), json!({ "l": ["a", value] })] {
                let venture = [(parsed("venture shop"), settings(layer.clone()))];
                let resolution = resolve(&image, &venture, json!({}));
                assert_eq!(codes(&resolution), ["setting_changes_script"], "{kind} {layer}");
                let message = &resolution.broken[0].message;
                assert!(message.contains("script") && message.contains(" venture shop"), "{message}");
            }
            let own = resolve(&image, &[], json!({ "v": value }));
            assert_eq!(codes(&own), ["setting_changes_script"], "{kind} {value}");
            let default = resolve(&with_signs(kind, value, signs), &[], json!({}));
            assert_eq!(codes(&default), ["setting_changes_script"], "{kind}: {value} is the default");
            assert!(default.broken[0].message.contains("boot image"), "{:?}", default.broken);
        }
        for value in taken {
            let resolution = resolve(&image, &[], json!({ "v": value, "l": ["a", format!("{value}b")] }));
            assert!(resolution.broken.is_empty(), "{kind} {value}: {:?}", resolution.broken);
        }
    }
}

#[test]
fn a_value_that_changes_the_script_of_the_other_boot_chain_is_no_reason_to_refuse() {
    let mut image = with_signs(FileKind::BootIpxe, "", &[" ; "]);
    let grub = BootFile { template: true, ..boot_file(FileKind::Grub) };
    for event in
        image.decide(BootImageCommand::PutFile { name: parsed("grub.cfg"), file: grub }).expect("the command is accepted")
    {
        image.evolve(event);
    }
    assert_eq!(codes(&resolve(&image, &[], json!({ "v": "a ; b" }))), ["setting_changes_script"]);
    assert_eq!(codes(&resolve(&image, &[], json!({ "v": "a ; b", "boot_chain": "signed" }))), Vec::<&str>::new());
}
