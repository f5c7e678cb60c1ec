//! Merges an update of an image from three versions: the recipe at the last update, the current image, and the current recipe.
//!
//! The operator's changes are kept unless the operator requests otherwise; none is lost without a message.

use bootledger_aggregates::boot_image::recipe::{RecipeFields, RecipeOrigin};
use bootledger_aggregates::boot_image::{BootFile, BootImage, BootImageSpec};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::{SettingName, SettingSpec};
use bootledger_aggregates::values::sha256::Sha256;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The image that the current recipe produces.
#[derive(Clone, Debug)]
pub struct Given {
    /// The description, limits, settings and recipe.
    pub spec: BootImageSpec,
    /// The files by name.
    pub files: BTreeMap<Name, BootFile>,
}

/// The result of a merge.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The merged description.
    pub spec: BootImageSpec,
    /// All merged files, by name.
    pub files: BTreeMap<Name, BootFile>,
    /// The differences from the current image, and the operator's changes that were kept.
    pub changes: Vec<Change>,
}

/// A difference between the merged image and the current one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What differs, such as `file linux` or `setting disk`.
    pub what: String,
    /// The result for it.
    pub outcome: Outcome,
}

/// The result for something that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The current recipe adds it.
    Added,
    /// The current recipe changes it.
    Changed,
    /// The current recipe no longer contains it.
    Removed,
    /// Only the operator changed it: it is kept.
    Own,
    /// The operator and the recipe both changed it: the operator's version is kept.
    Conflict,
    /// The operator changed it, and the recipe's version replaces it.
    Replaced,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Added => "added",
            Outcome::Changed => "changed",
            Outcome::Removed => "removed",
            Outcome::Own => "your change is kept; the recipe has not changed it",
            Outcome::Conflict => {
                "conflict: you changed it, and the recipe has another version. Yours is kept; --replace applies the recipe's version"
            }
            Outcome::Replaced => "your change is replaced by the recipe's version",
        };
        write!(f, "{}: {outcome}", self.what)
    }
}

/// Which version the result contains.
enum Taken {
    Ours,
    Theirs,
}

/// Merges one item: `base` is the recipe's at the last update, `ours` the image's, `theirs` the current recipe's.
fn decide<T: PartialEq>(base: Option<&T>, ours: Option<&T>, theirs: Option<&T>, replace: bool) -> (Taken, Option<Outcome>) {
    let taken = match (ours, theirs) {
        (None, _) => Outcome::Added,
        (_, None) => Outcome::Removed,
        _ => Outcome::Changed,
    };
    if ours == theirs {
        (Taken::Theirs, None)
    } else if base == ours {
        (Taken::Theirs, Some(taken))
    } else if base.is_none() && theirs.is_none() {
        // The operator added this, so an update does not remove it.
        (Taken::Ours, Some(Outcome::Own))
    } else if replace {
        (Taken::Theirs, Some(Outcome::Replaced))
    } else if base == theirs {
        (Taken::Ours, Some(Outcome::Own))
    } else {
        (Taken::Ours, Some(Outcome::Conflict))
    }
}

/// Merges the current recipe's files and settings into `image`. With `replace`, the recipe's version replaces the operator's
/// changes.
pub fn merge(image: &BootImage, given: Given, replace: bool) -> Merged {
    let Some(now) = &image.spec else {
        let changes = given.files.keys().map(|name| Change { what: format!("file {name}"), outcome: Outcome::Added }).collect();
        return Merged { spec: given.spec, files: given.files, changes };
    };
    let base = now.recipe.as_deref();
    let mut changes = vec![];
    let files = files(image, base, &given.files, replace, &mut changes);
    let mut settings = settings(&now.settings, base, &given.spec.settings, replace, &mut changes);
    // A template of the operator may use a setting that the recipe no longer declares.
    for name in files.values().flat_map(|file| &file.settings) {
        if let (false, Some(kept)) = (settings.contains_key(name), now.settings.get(name)) {
            settings.insert(name.clone(), kept.clone());
        }
    }
    let fields = fields(&RecipeFields::of(now), base, &RecipeFields::of(&given.spec), replace, &mut changes);
    let spec = BootImageSpec {
        description: fields.description,
        open_minutes: fields.open_minutes,
        in_progress_minutes: fields.in_progress_minutes,
        done_by: fields.done_by,
        network_boot: fields.network_boot,
        settings,
        ..given.spec
    };
    Merged { spec, files, changes }
}

fn files(
    image: &BootImage,
    base: Option<&RecipeOrigin>,
    given: &BTreeMap<Name, BootFile>,
    replace: bool,
    changes: &mut Vec<Change>,
) -> BTreeMap<Name, BootFile> {
    let names: BTreeSet<Name> =
        image.files.keys().chain(given.keys()).chain(base.iter().flat_map(|base| base.files.keys())).cloned().collect();
    let mut files = BTreeMap::new();
    for name in names {
        let (ours, theirs) = (image.files.get(&name), given.get(&name));
        let hash = |file: Option<&BootFile>| file.map(|file| file.sha256);
        let was: Option<Sha256> = base.and_then(|base| base.files.get(&name)).copied();
        let (taken, outcome) = decide(was.as_ref(), hash(ours).as_ref(), hash(theirs).as_ref(), replace);
        changes.extend(outcome.map(|outcome| Change { what: format!("file {name}"), outcome }));
        let file = if matches!(taken, Taken::Ours) { ours } else { theirs };
        files.extend(file.cloned().map(|file| (name, file)));
    }
    files
}

fn settings(
    now: &BTreeMap<SettingName, SettingSpec>,
    base: Option<&RecipeOrigin>,
    given: &BTreeMap<SettingName, SettingSpec>,
    replace: bool,
    changes: &mut Vec<Change>,
) -> BTreeMap<SettingName, SettingSpec> {
    let names: BTreeSet<&SettingName> = now.keys().chain(given.keys()).collect();
    let mut settings = BTreeMap::new();
    for name in names {
        let (ours, theirs) = (now.get(name), given.get(name));
        let was = base.and_then(|base| base.settings.get(name));
        let (taken, outcome) = decide(was, ours, theirs, replace);
        changes.extend(outcome.map(|outcome| Change { what: format!("setting {name}"), outcome }));
        let spec = if matches!(taken, Taken::Ours) { ours } else { theirs };
        settings.extend(spec.cloned().map(|spec| (name.clone(), spec)));
    }
    settings
}

fn fields(
    now: &RecipeFields,
    base: Option<&RecipeOrigin>,
    given: &RecipeFields,
    replace: bool,
    changes: &mut Vec<Change>,
) -> RecipeFields {
    let base = base.map(|base| &base.fields);
    macro_rules! field {
        ($name:ident, $what:literal) => {{
            let (taken, outcome) = decide(base.map(|base| &base.$name), Some(&now.$name), Some(&given.$name), replace);
            changes.extend(outcome.map(|outcome| Change { what: $what.to_owned(), outcome }));
            if matches!(taken, Taken::Ours) { now.$name.clone() } else { given.$name.clone() }
        }};
    }
    RecipeFields {
        description: field!(description, "description"),
        open_minutes: field!(open_minutes, "limit while open"),
        in_progress_minutes: field!(in_progress_minutes, "limit while in progress"),
        done_by: field!(done_by, "who marks deployments done"),
        network_boot: field!(network_boot, "network boots"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::boot_image::{FileKind, Needs};
    use proptest::prelude::*;

    fn file(content: u8) -> BootFile {
        BootFile {
            kind: FileKind::Other,
            sha256: Sha256::new([content; 32]),
            size: 1,
            template: true,
            settings: BTreeSet::new(),
            needs: Needs::default(),
        }
    }

    fn image(files: &[(&str, u8)], base: &[(&str, u8)]) -> BootImage {
        let named =
            |files: &[(&str, u8)]| files.iter().map(|(name, content)| (name.parse().expect("a name"), file(*content))).collect();
        let files: BTreeMap<Name, BootFile> = named(files);
        let base: BTreeMap<Name, BootFile> = named(base);
        let mut spec: BootImageSpec = serde_json::from_str("{}").expect("a spec");
        spec.recipe = Some(Box::new(RecipeOrigin {
            name: "sample".parse().expect("a name"),
            sha256: Sha256::new([0; 32]),
            source: "x".parse().expect("a text"),
            verified: bootledger_aggregates::boot_image::recipe::Verified::Checksum,
            files: base.iter().map(|(name, file)| (name.clone(), file.sha256)).collect(),
            published: BTreeMap::new(),
            settings: BTreeMap::new(),
            fields: RecipeFields::of(&spec),
        }));
        BootImage { spec: Some(spec), revision: 1, files, retired: false }
    }

    fn merged(
        ours: &[(&str, u8)],
        base: &[(&str, u8)],
        theirs: &[(&str, u8)],
        replace: bool,
    ) -> (Vec<(String, u8)>, Vec<String>) {
        let given = image(theirs, theirs);
        let spec = given.spec.expect("a spec");
        let merged = merge(&image(ours, base), Given { spec, files: given.files }, replace);
        let files = merged.files.iter().map(|(name, file)| (name.to_string(), file.sha256.bytes()[0])).collect();
        (files, merged.changes.iter().map(|change| format!("{} {:?}", change.what, change.outcome)).collect())
    }

    #[test]
    fn files_that_the_operator_did_not_change_follow_the_recipe() {
        let (files, changes) = merged(&[("a", 1), ("b", 1)], &[("a", 1), ("b", 1)], &[("a", 2), ("c", 1)], false);
        assert_eq!(files, [("a".to_owned(), 2), ("c".to_owned(), 1)]);
        assert_eq!(changes, ["file a Changed", "file b Removed", "file c Added"]);
    }

    #[test]
    fn files_that_the_operator_changed_stay_and_are_reported() {
        let ours = [("a", 9), ("own", 5)];
        let (files, changes) = merged(&ours, &[("a", 1)], &[("a", 1)], false);
        assert_eq!((files.len(), changes), (2, vec!["file a Own".to_owned(), "file own Own".to_owned()]));
        let (files, changes) = merged(&ours, &[("a", 1)], &[("a", 2)], false);
        assert_eq!(files[0], ("a".to_owned(), 9));
        assert_eq!(changes, ["file a Conflict", "file own Own"]);
        let (files, changes) = merged(&ours, &[("a", 1)], &[("a", 2)], true);
        assert_eq!(files, [("a".to_owned(), 2), ("own".to_owned(), 5)]);
        assert_eq!(changes, ["file a Replaced", "file own Own"]);
    }

    #[test]
    fn a_file_that_the_operator_removed_is_not_restored_unless_requested() {
        assert_eq!(merged(&[], &[("a", 1)], &[("a", 1)], false), (vec![], vec!["file a Own".to_owned()]));
        assert_eq!(merged(&[], &[("a", 1)], &[("a", 2)], true).0, [("a".to_owned(), 2)]);
    }

    #[test]
    fn limits_and_settings_that_the_operator_set_stay() {
        let mut now = image(&[], &[]);
        let given = now.spec.clone().expect("a spec");
        let spec = now.spec.as_mut().expect("a spec");
        spec.open_minutes = 77;
        let setting: SettingSpec = serde_json::from_str(r#"{"type": "text", "default": "own"}"#).expect("a setting");
        spec.settings.insert("disk".parse().expect("a name"), setting.clone());
        let kept = merge(&now, Given { spec: BootImageSpec { in_progress_minutes: 5, ..given }, files: BTreeMap::new() }, false);
        assert_eq!((kept.spec.open_minutes, kept.spec.in_progress_minutes), (77, 5));
        assert_eq!(kept.spec.settings.values().next(), Some(&setting));
    }

    proptest! {
        #[test]
        fn nothing_of_the_operators_is_lost_without_replace(
            base in prop::option::of(0..3_u8), ours in prop::option::of(0..3_u8), theirs in prop::option::of(0..3_u8)
        ) {
            let (taken, outcome) = decide(base.as_ref(), ours.as_ref(), theirs.as_ref(), false);
            if ours != base && ours != theirs {
                prop_assert!(matches!(taken, Taken::Ours));
                prop_assert!(matches!(outcome, Some(Outcome::Own | Outcome::Conflict)));
            }
            if ours == base && ours != theirs {
                prop_assert!(matches!(taken, Taken::Theirs));
            }
        }
    }
}
