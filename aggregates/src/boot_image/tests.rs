//! One test for each rule of a boot image.

use super::*;
use crate::samples::{boot_file, broken, outcome, parsed};
use cqrs_es::Aggregate;

fn spec() -> BootImageSpec {
    BootImageSpec {
        description: parsed("Debian 13"),
        open_minutes: 30,
        in_progress_minutes: 120,
        done_by: EndedBy::Server,
        network_boot: NetworkBoot::UntilDone,
        settings: BTreeMap::new(),
    }
}

fn define() -> BootImageCommand {
    BootImageCommand::DefineBootImage { spec: spec() }
}

fn put(name: &str, kind: FileKind) -> BootImageCommand {
    BootImageCommand::PutFile { name: parsed(name), file: boot_file(kind) }
}

fn remove(name: &str) -> BootImageCommand {
    BootImageCommand::RemoveFile { name: parsed(name) }
}

/// The image and the events that these commands lead to.
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
    assert!(none.incomplete().is_some_and(|why| why.contains("no file of kind boot_ipxe")));
    let (one, _) = after(vec![define(), put("script", FileKind::BootIpxe)]);
    assert_eq!(one.incomplete(), None);
    let (two, _) = after(vec![define(), put("script", FileKind::BootIpxe), put("other", FileKind::BootIpxe)]);
    assert!(two.incomplete().is_some_and(|why| why.contains("2 files")));
    let (removed, _) = after(vec![define(), put("script", FileKind::BootIpxe), remove("script")]);
    assert!(removed.incomplete().is_some());
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
fn kinds_are_read_as_they_are_shown() {
    for kind in [FileKind::Kernel, FileKind::Initrd, FileKind::BootIpxe, FileKind::Kickstart, FileKind::Other] {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
    }
    assert!("Kernel".parse::<FileKind>().is_err());
}
