//! The values that a venture or role inherits, and their source: the nearest definition takes precedence.

use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::RoleSpec;
use bootledger_aggregates::venture::puppet::{Classes, Layer};
use bootledger_projections::rows::catalogue::{Entry, VentureView};
use serde_json::Value;
use std::collections::BTreeSet;

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From<'a> {
    /// The role itself.
    Role(&'a Name),
    /// A venture in the lineage.
    Venture(&'a Name),
}

/// A venture and its ancestors, nearest first. A retired venture or a cycle ends the list.
pub(super) fn of<'a>(venture: &'a Entry<VentureView>, all: &'a [Entry<VentureView>]) -> Vec<&'a Entry<VentureView>> {
    let mut lineage = vec![venture];
    while let Some(parent) = lineage.last().and_then(|last| last.spec.spec.parent.as_ref()) {
        let found = all.iter().find(|entry| entry.key == *parent && !entry.retired);
        match found.filter(|found| lineage.iter().all(|known| known.key != found.key)) {
            Some(found) => lineage.push(found),
            None => break,
        }
    }
    lineage
}

/// The boot image of a role or of a venture, and its source.
pub(super) fn boot_image<'a>(
    role: Option<(&'a Name, &'a RoleSpec)>,
    lineage: &[&'a Entry<VentureView>],
) -> Option<(&'a Name, From<'a>)> {
    let own = role.and_then(|(name, role)| Some((role.default_boot_image.as_ref()?, From::Role(name))));
    let inherited =
        || lineage.iter().find_map(|entry| Some((entry.spec.spec.default_boot_image.as_ref()?, From::Venture(&entry.key))));
    own.or_else(inherited)
}

/// A class, optionally one of its parameters with its value, and the source.
type ClassWithSource<'a> = (&'a str, Option<(&'a str, &'a Value)>, From<'a>);

/// The data for Puppet: classes, each with one parameter or none; top-scope parameters; and the environment, each
/// with its source.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PuppetData<'a> {
    /// Class, parameter and value; without parameters, the class alone.
    pub(super) classes: Vec<ClassWithSource<'a>>,
    /// Parameter, value and source.
    pub(super) parameters: Vec<(&'a str, &'a Value, From<'a>)>,
    /// The environment and its source.
    pub(super) environment: Option<(&'a str, From<'a>)>,
}

/// The data for Puppet about servers of a role, or about all servers of a venture.
pub(super) fn puppet_data<'a>(role: Option<(&'a Name, &'a RoleSpec)>, lineage: &[&'a Entry<VentureView>]) -> PuppetData<'a> {
    let own = role.map(|(name, role)| (From::Role(name), role.puppet()));
    let inherited = lineage.iter().map(|entry| (From::Venture(&entry.key), entry.spec.spec.puppet()));
    let layers: Vec<(From<'a>, Layer<'a>)> = own.into_iter().chain(inherited).collect();
    let (mut puppet_data, mut seen) = (PuppetData::default(), BTreeSet::new());
    for (from, layer) in layers {
        classes(&from, layer.classes, &mut puppet_data, &mut seen);
        for (name, value) in &layer.parameters.0 {
            if seen.insert(("", name.as_str())) {
                puppet_data.parameters.push((name.as_str(), value, from.clone()));
            }
        }
        if puppet_data.environment.is_none() {
            puppet_data.environment = layer.environment.map(|environment| (environment.as_str(), from));
        }
    }
    puppet_data.classes.sort_by_key(|(class, parameter, _)| (*class, parameter.map(|(name, _)| name)));
    puppet_data.parameters.sort_by_key(|(name, ..)| *name);
    puppet_data
}

fn classes<'a>(from: &From<'a>, classes: &'a Classes, puppet_data: &mut PuppetData<'a>, seen: &mut BTreeSet<(&'a str, &'a str)>) {
    // `::ntp` and `ntp` are one class.
    let bare = |name: &'a str| name.trim_start_matches("::");
    match classes {
        Classes::Names(names) => {
            for name in names.iter().map(|name| bare(name.as_str())) {
                if seen.insert((name, "")) {
                    puppet_data.classes.push((name, None, from.clone()));
                }
            }
        }
        Classes::WithParameters(classes) => {
            for (class, parameters) in classes {
                let class = bare(class.as_str());
                if seen.insert((class, "")) {
                    puppet_data.classes.push((class, None, from.clone()));
                }
                for (name, value) in &parameters.0 {
                    if seen.insert((class, name.as_str())) {
                        puppet_data.classes.push((class, Some((name.as_str(), value)), from.clone()));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn venture(key: &str, spec: &Value) -> Entry<VentureView> {
        let view = serde_json::from_value(json!({"spec": spec, "roles": {}})).expect("a venture");
        Entry { key: key.parse().expect("a name"), sequence: 1, retired: false, spec: view }
    }

    #[test]
    fn the_nearest_explicit_value_wins() {
        let all = [
            venture(
                "shop",
                &json!({"default_boot_image": "debian-13", "puppet_environment": "prod", "puppet_parameters": {"a": 1, "b": 2},
                                   "puppet_classes": {"::ntp": {"servers": ["x"], "port": 123}}}),
            ),
            venture("search", &json!({"parent": "shop", "puppet_parameters": {"b": 3}, "puppet_classes": ["search"]})),
        ];
        let role: RoleSpec = serde_json::from_value(json!({"puppet_classes": {"ntp": {"port": 124}}})).expect("a role");
        let name: Name = "indexer".parse().expect("a name");
        let lineage = of(&all[1], &all);
        assert_eq!(lineage.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["search", "shop"]);
        let (shop, search) = (From::Venture(&all[0].key), From::Venture(&all[1].key));
        let (image, from) = boot_image(Some((&name, &role)), &lineage).expect("an image");
        assert_eq!((image.as_str(), from), ("debian-13", shop.clone()));
        let puppet_data = puppet_data(Some((&name, &role)), &lineage);
        assert_eq!(puppet_data.environment, Some(("prod", shop.clone())));
        assert_eq!(puppet_data.parameters, [("a", &json!(1), shop.clone()), ("b", &json!(3), search.clone())]);
        let classes: Vec<_> = puppet_data
            .classes
            .iter()
            .map(|(class, parameter, from)| (*class, parameter.map(|(name, _)| name), from.clone()))
            .collect();
        assert_eq!(
            classes,
            [
                ("ntp", None, From::Role(&name)),
                ("ntp", Some("port"), From::Role(&name)),
                ("ntp", Some("servers"), shop),
                ("search", None, search)
            ]
        );
    }

    #[test]
    fn a_circle_and_a_retired_parent_end_the_lineage() {
        let mut all = [venture("a", &json!({"parent": "b"})), venture("b", &json!({"parent": "a"}))];
        assert_eq!(of(&all[0], &all).len(), 2);
        all[1].retired = true;
        assert_eq!(of(&all[0], &all).len(), 1);
    }
}
