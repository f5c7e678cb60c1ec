//! Tests of the rules of a boot image, one for each.

mod stored;

use super::recipe::RecipeOrigin;
use super::*;
use crate::samples::{boot_file, broken, outcome, parsed};
use crate::values::boot_chain::BootChain;
use crate::values::sha256::Sha256;
use cqrs_es::Aggregate;

fn spec() -> BootImageSpec {
    BootImageSpec {
        description: parsed("Debian 13"),
        open_minutes: 30,
        in_progress_minutes: 120,
        done_by: EndedBy::Server,
        network_boot: NetworkBoot::UntilDone,
        settings: BTreeMap::new(),
        recipe: None,
    }
}

fn define() -> BootImageCommand {
    BootImageCommand::DefineBootImage { spec: spec(), secret_problems: SecretProblems::new() }
}

fn put(name: &str, kind: FileKind) -> BootImageCommand {
    BootImageCommand::PutFile { name: parsed(name), file: boot_file(kind) }
}

fn remove(name: &str) -> BootImageCommand {
    BootImageCommand::RemoveFile { name: parsed(name) }
}

/// The image after these commands, and the events that they produce.
fn after(commands: Vec<BootImageCommand>) -> (BootImage, Vec<BootImageEvent>) {
    let mut image = BootImage::default();
    let mut events = vec![];
    for command in commands {
        for event in image.decide(command).expect("the command is accepted") {
            image.apply(event.clone());
            events.push(event);
        }
    }
    (image, events)
}

#[test]
fn limits_are_a_minute_to_a_year() {
    let limits = |open, in_progress| BootImageCommand::DefineBootImage {
        spec: BootImageSpec { open_minutes: open, in_progress_minutes: in_progress, ..spec() },
        secret_problems: SecretProblems::new(),
    };
    assert_eq!(broken::<BootImage>(&[], limits(0, 0)), ["limit_zero", "limit_zero"]);
    assert_eq!(broken::<BootImage>(&[], limits(525_601, u32::MAX)), ["limit_too_long", "limit_too_long"]);
    assert!(outcome::<BootImage>(&[], limits(1, 525_600)).is_ok());
}

#[test]
fn files_belong_to_a_defined_image() {
    for command in [put("script", FileKind::BootIpxe), remove("script")] {
        assert_eq!(broken::<BootImage>(&[], command), ["boot_image_unknown"]);
    }
}

#[test]
fn every_change_is_a_revision_and_a_repeat_is_none() {
    let (image, events) = after(vec![
        define(),
        define(),
        put("script", FileKind::BootIpxe),
        put("script", FileKind::BootIpxe),
        put("linux", FileKind::Kernel),
        remove("linux"),
        remove("linux"),
    ]);
    assert_eq!((image.revision, events.len()), (4, 4));
    assert_eq!(image.files.len(), 1);
}

#[test]
fn an_image_is_complete_with_exactly_one_script() {
    let (none, _) = after(vec![define(), put("linux", FileKind::Kernel)]);
    assert!(none.incomplete().is_some_and(|why| why.contains("boot_ipxe")));
    let (one, _) = after(vec![define(), put("script", FileKind::BootIpxe)]);
    assert_eq!(one.incomplete(), None);
    let (two, _) = after(vec![define(), put("script", FileKind::BootIpxe), put("other", FileKind::BootIpxe)]);
    assert!(two.incomplete().is_some_and(|why| why.contains("2 files")));
    let (removed, _) = after(vec![define(), put("script", FileKind::BootIpxe), remove("script")]);
    assert!(removed.incomplete().is_some());
}

#[test]
fn an_image_is_incomplete_until_it_has_what_its_templates_need() {
    let needs =
        Needs { kinds: [FileKind::Kernel, FileKind::Kickstart].into(), files: [parsed("late.sh")].into(), ..Needs::default() };
    let script =
        BootImageCommand::PutFile { name: parsed("boot.ipxe"), file: BootFile { needs, ..boot_file(FileKind::BootIpxe) } };
    let missing = |more: Vec<BootImageCommand>| after([vec![define(), script.clone()], more].concat()).0.incomplete();
    assert!(missing(vec![]).is_some_and(|why| why.contains("boot.ipxe") && why.contains("kernel_url")));
    let kernel = put("linux", FileKind::Kernel);
    assert!(missing(vec![kernel.clone()]).is_some_and(|why| why.contains("kickstart_url")));
    let answers = put("preseed.cfg", FileKind::Kickstart);
    assert!(missing(vec![kernel.clone(), answers.clone()]).is_some_and(|why| why.contains("late.sh")));
    let all = vec![kernel, answers, put("late.sh", FileKind::Other)];
    assert_eq!(missing(all.clone()), None);
    assert!(missing([all, vec![remove("linux")]].concat()).is_some(), "a kernel that is removed is missing");
}

#[test]
fn the_first_file_of_a_kind_is_served_for_it() {
    let (image, _) = after(vec![define(), put("z", FileKind::Kernel), put("b", FileKind::Kernel), put("a", FileKind::Other)]);
    assert_eq!(image.file_of_kind(FileKind::Kernel).map(|(name, _)| name.as_str()), Some("b"));
    assert_eq!(image.file_of_kind(FileKind::Initrd), None);
}

#[test]
fn names_that_mean_something_else_under_pxe_are_refused() {
    let (_, given) = after(vec![define()]);
    for name in ["done", "DONE", "t", "progress", "log", "local-disk"] {
        assert_eq!(broken::<BootImage>(&given, put(name, FileKind::Other)), ["file_name_taken"]);
    }
    assert!(outcome::<BootImage>(&given, put("done.txt", FileKind::Other)).is_ok());
}

#[test]
fn a_retired_image_changes_no_more_until_it_is_defined_again() {
    let (image, given) = after(vec![define(), put("script", FileKind::BootIpxe), BootImageCommand::RetireBootImage]);
    assert!(image.retired);
    assert_eq!(outcome::<BootImage>(&given, BootImageCommand::RetireBootImage), Ok(vec![]));
    for command in [put("linux", FileKind::Kernel), remove("script")] {
        assert_eq!(broken::<BootImage>(&given, command), ["boot_image_retired"]);
    }
    let back = after(vec![define(), put("script", FileKind::BootIpxe), BootImageCommand::RetireBootImage, define()]).0;
    assert!(!back.retired && back.revision == 4 && back.files.len() == 1);
    assert_eq!(outcome::<BootImage>(&[], BootImageCommand::RetireBootImage), Ok(vec![]));
}

#[test]
fn a_server_of_the_signed_chain_needs_a_file_of_kind_grub_and_no_image_may_have_two() {
    let script = || vec![define(), put("boot.ipxe", FileKind::BootIpxe)];
    let grub = |names: &[&str]| after(script().into_iter().chain(names.iter().map(|name| put(name, FileKind::Grub))).collect()).0;
    for (image, signed, incomplete) in
        [(grub(&[]), true, false), (grub(&["grub.cfg"]), false, false), (grub(&["a", "b"]), false, true)]
    {
        assert_eq!(image.lacks(BootChain::Ipxe), None);
        assert_eq!(image.lacks(BootChain::Signed).is_some(), signed, "{image:?}");
        assert_eq!(image.incomplete().is_some_and(|why| why.contains("2 files of kind grub")), incomplete, "{image:?}");
    }
}

#[test]
fn kinds_are_read_as_they_are_shown() {
    for kind in FileKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
    }
    assert!("Kernel".parse::<FileKind>().is_err());
}

/// The image defined with these setting declarations.
fn declare(settings: serde_json::Value) -> BootImageCommand {
    let settings = serde_json::from_value(settings).expect("declarations");
    BootImageCommand::DefineBootImage { spec: BootImageSpec { settings, ..spec() }, secret_problems: SecretProblems::new() }
}

fn put_using(name: &str, kind: FileKind, settings: &[&str]) -> BootImageCommand {
    let settings = settings.iter().map(|name| parsed(name)).collect();
    BootImageCommand::PutFile { name: parsed(name), file: BootFile { settings, ..boot_file(kind) } }
}

#[test]
fn a_declaration_that_no_value_could_meet_is_refused() {
    for wrong in [
        serde_json::json!({ "type": "choice" }),
        serde_json::json!({ "type": "text", "choices": ["a"] }),
        serde_json::json!({ "type": "number" }),
        serde_json::json!({ "type": "list", "default": "a" }),
        serde_json::json!({ "type": "secret", "default": { "secret": "bmc" } }),
    ] {
        assert_eq!(broken::<BootImage>(&[], declare(serde_json::json!({ "a": wrong }))), ["setting_invalid"]);
    }
    let BootImageCommand::DefineBootImage { spec, .. } =
        declare(serde_json::json!({ "a": { "type": "secret", "default": { "secret": "boot-a" } } }))
    else {
        panic!("another command")
    };
    let secret_problems = SecretProblems::from([(parsed("boot-a"), "there is no secret boot-a".to_owned())]);
    assert_eq!(broken::<BootImage>(&[], BootImageCommand::DefineBootImage { spec, secret_problems }), ["secret_missing"]);
}

#[test]
fn a_setting_that_a_template_uses_is_neither_removed_nor_made_another_type() {
    let declared = serde_json::json!({ "a": { "type": "text" }, "b": { "type": "text" } });
    let (image, _) = after(vec![declare(declared), put_using("preseed.cfg", FileKind::Kickstart, &["a"])]);
    let rules = |settings| {
        let Refused(rules) = image.decide(declare(settings)).expect_err("it was accepted");
        rules.into_iter().map(|broken| (broken.field, broken.rule)).collect::<Vec<_>>()
    };
    let in_use = [("settings.a".to_owned(), "setting_in_use".to_owned())];
    assert_eq!(rules(serde_json::json!({ "b": { "type": "text" } })), in_use);
    assert_eq!(rules(serde_json::json!({ "a": { "type": "list" } })), in_use);
    let described = serde_json::json!({ "a": { "type": "text", "default": "x", "description": "A" } });
    assert!(image.decide(declare(described)).is_ok(), "what no template uses may go, and defaults may change");
}

#[test]
fn a_template_uses_declared_settings_and_a_script_no_secret() {
    let declared = serde_json::json!({ "a": { "type": "text" }, "b": { "type": "secret" } });
    let (image, _) = after(vec![declare(declared)]);
    let rules = |kind, settings: &[&str]| match image.decide(put_using("file", kind, settings)) {
        Ok(_) => vec![],
        Err(Refused(rules)) => rules.into_iter().map(|broken| broken.rule).collect(),
    };
    assert_eq!(rules(FileKind::Kickstart, &["a", "c"]), ["setting_undeclared"]);
    assert_eq!(rules(FileKind::BootIpxe, &["a", "b"]), ["secret_in_script"]);
    assert_eq!(rules(FileKind::Grub, &["a", "b"]), ["secret_in_script"]);
    assert_eq!(rules(FileKind::BootIpxe, &["a"]), Vec::<String>::new());
    assert_eq!(rules(FileKind::Other, &["a", "b"]), Vec::<String>::new());
}

fn replace(revision: u32, files: &[(&str, FileKind)], recipe: bool) -> BootImageCommand {
    let origin = recipe.then(|| {
        Box::new(RecipeOrigin {
            name: parsed("debian-13"),
            sha256: Sha256::new([7; 32]),
            source: parsed("https://deb.debian.org/debian"),
            verified: recipe::Verified::Signature,
            files: BTreeMap::new(),
            published: BTreeMap::new(),
            settings: BTreeMap::new(),
            fields: recipe::RecipeFields::of(&spec()),
        })
    });
    let files = files.iter().map(|(name, kind)| (parsed(name), boot_file(*kind))).collect();
    BootImageCommand::ReplaceBootImage {
        spec: BootImageSpec { recipe: origin, ..spec() },
        files,
        revision,
        secret_problems: SecretProblems::new(),
    }
}

fn image_after(commands: Vec<BootImageCommand>) -> BootImage {
    let mut image = BootImage::default();
    for command in commands {
        image.decide(command).expect("accepted").into_iter().for_each(|event| image.evolve(event));
    }
    image
}

#[test]
fn an_image_of_the_library_is_written_completely_with_its_script_last() {
    let events = BootImage::default()
        .decide(replace(0, &[("boot.ipxe", FileKind::BootIpxe), ("linux", FileKind::Kernel)], true))
        .expect("accepted");
    assert!(matches!(&events[0], BootImageEvent::BootImageDefined { spec } if spec.recipe.is_some()));
    assert!(matches!(&events[2], BootImageEvent::BootFilePut { name, .. } if name.as_str() == "boot.ipxe"));
    assert_eq!(events.len(), 3);
}

#[test]
fn replacing_writes_only_what_differs_and_removes_what_is_gone() {
    let both = [("boot.ipxe", FileKind::BootIpxe), ("linux", FileKind::Kernel)];
    let image = image_after(vec![replace(0, &both, true)]);
    assert_eq!(image.decide(replace(3, &both, true)), Ok(vec![]));
    let events = image.decide(replace(3, &both[..1], true)).expect("accepted");
    assert_eq!(events, [BootImageEvent::BootFileRemoved { name: parsed("linux") }]);
}

#[test]
fn a_change_based_on_another_revision_is_refused() {
    let image = image_after(vec![define(), put("boot.ipxe", FileKind::BootIpxe)]);
    let refused = image.decide(replace(1, &[], true)).expect_err("refused");
    assert_eq!(refused.0[0].rule, "boot_image_changed");
    let reserved = BootImage::default().decide(replace(0, &[("done", FileKind::Other)], false)).expect_err("refused");
    assert_eq!(reserved.0[0].rule, "file_name_taken");
}

#[test]
fn a_definition_keeps_the_recipe_and_cannot_set_another() {
    let image = image_after(vec![
        replace(0, &[], true),
        BootImageCommand::DefineBootImage {
            spec: BootImageSpec { open_minutes: 5, ..spec() },
            secret_problems: SecretProblems::new(),
        },
    ]);
    assert!(image.spec.as_ref().is_some_and(|spec| spec.recipe.is_some() && spec.open_minutes == 5));
    let mut forged = image.spec.clone().expect("a spec");
    forged.recipe.as_mut().expect("a recipe").name = parsed("other");
    let refused = image
        .decide(BootImageCommand::DefineBootImage { spec: forged, secret_problems: SecretProblems::new() })
        .expect_err("refused");
    assert_eq!(refused.0[0].rule, "recipe_set_by_library");
}
