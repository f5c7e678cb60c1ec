//! The forms of ventures and roles. The data for Puppet is written as YAML, of which JSON is a subset.

use crate::images::device_settings::SettingSources;
use crate::pages::catalogue::form::{FormPage, Pairs, Target, field, maybe, pair, render_form_page, view};
use crate::pages::catalogue::{VENTURE, settings};
use crate::pages::form::Fields;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::venture::puppet::{Classes, Parameters};
use bootledger_aggregates::venture::{RoleSpec, VentureSpec};
use maud::{Markup, html};
use serde::Serialize;
use serde::de::DeserializeOwned;

const CLASSES: &str = "puppet_classes";
const PARAMETERS: &str = "puppet_parameters";
const ENVIRONMENT: &str = "puppet_environment";

fn yaml(value: &impl Serialize, is_empty: bool) -> String {
    // A value that was parsed from JSON can always be written as YAML; JSON would be valid YAML as well.
    if is_empty { String::new() } else { serde_norway::to_string(value).unwrap_or_default() }
}

fn puppet_pairs(classes: &Classes, parameters: &Parameters, environment: Option<&Text>) -> Pairs {
    vec![
        pair(CLASSES, yaml(classes, classes.is_empty())),
        pair(PARAMETERS, yaml(parameters, parameters.is_empty())),
        maybe(ENVIRONMENT, environment),
    ]
}

/// The form's values for a venture.
pub(super) fn venture_pairs(spec: &VentureSpec) -> Pairs {
    let mut pairs = puppet_pairs(&spec.puppet_classes, &spec.puppet_parameters, spec.puppet_environment.as_ref());
    pairs.extend([
        pair("description", &spec.description),
        maybe("parent", spec.parent.as_ref()),
        maybe("default_boot_image", spec.default_boot_image.as_ref()),
    ]);
    pairs.extend(settings::pairs(&spec.settings));
    pairs
}

/// The form's values for a role.
pub(super) fn role_pairs(spec: &RoleSpec) -> Pairs {
    let mut pairs = puppet_pairs(&spec.puppet_classes, &spec.puppet_parameters, spec.puppet_environment.as_ref());
    pairs.extend([pair("description", &spec.description), maybe("default_boot_image", spec.default_boot_image.as_ref())]);
    pairs.extend(settings::pairs(&spec.settings));
    pairs
}

/// Maximum number of open brackets in a field's YAML.
const MOST_BRACKETS: usize = 100;

/// The maximum number of open brackets in a text; brackets within strings count, too.
fn deepest(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// Parses a field's YAML; the default if it is empty.
fn written<T: DeserializeOwned + Default>(fields: &mut Fields, name: &str) -> Option<T> {
    let text = fields.lines(name);
    if text.trim().is_empty() {
        return Some(T::default());
    }
    // The parser's time grows with the square of the depth before it notices that the value is too deep.
    if deepest(&text) > MOST_BRACKETS {
        fields.refuse(name, Rule::YamlMalformed, format!("at most {MOST_BRACKETS} levels of brackets are allowed"));
        return None;
    }
    match serde_norway::from_str(&text) {
        Ok(value) => Some(value),
        Err(error) => {
            fields.refuse(name, Rule::YamlMalformed, format!("invalid YAML or JSON: {error}"));
            None
        }
    }
}

/// The venture that the form describes; `None` if a field is wrong.
pub(super) fn read_venture(fields: &mut Fields) -> Option<VentureSpec> {
    let (description, parent) = (fields.read("description"), fields.read("parent"));
    let (image, environment) = (fields.read("default_boot_image"), fields.read(ENVIRONMENT));
    let (classes, parameters) = (written(fields, CLASSES), written(fields, PARAMETERS));
    let settings = settings::read(fields);
    Some(VentureSpec {
        settings,
        description: description.unwrap_or_default(),
        parent,
        default_boot_image: image,
        puppet_classes: classes?,
        puppet_parameters: parameters?,
        puppet_environment: environment,
    })
}

/// The role that the form describes; `None` if a field is wrong.
pub(super) fn read_role(fields: &mut Fields) -> Option<RoleSpec> {
    let (description, image) = (fields.read("description"), fields.read("default_boot_image"));
    let environment = fields.read(ENVIRONMENT);
    let (classes, parameters) = (written(fields, CLASSES), written(fields, PARAMETERS));
    let settings = settings::read(fields);
    Some(RoleSpec {
        settings,
        description: description.unwrap_or_default(),
        default_boot_image: image,
        puppet_classes: classes?,
        puppet_parameters: parameters?,
        puppet_environment: environment,
    })
}

fn puppet(fields: &Fields, inherits: &str) -> Markup {
    let (classes, parameters) = (fields.lines(CLASSES), fields.lines(PARAMETERS));
    let classes_hint = "A list of classes, or classes with their parameters, as YAML or JSON: \"- role::web\", or \"ntp: { servers: [10.0.0.6] }\".";
    let parameters_hint = "Top-scope parameters as YAML or JSON, such as \"tier: gold\". Do not enter secrets: any host on the boot network can read them.";
    let with = |field, value| crate::pages::components::field::Field { value, ..field };
    html! {
        fieldset {
            legend { "Puppet" span.quiet { " (optional)" } }
            p.quiet { (inherits) }
            (with(field(fields, CLASSES, "Classes", classes_hint), &classes).area(8, false))
            (with(field(fields, PARAMETERS, "Parameters", parameters_hint), &parameters).area(8, false))
            (field(fields, ENVIRONMENT, "Environment", "Lower-case letters, digits and underscores.").text())
        }
    }
}

/// The form of a venture.
pub(super) fn venture(
    target: &Target,
    fields: &Fields,
    parents: &[(String, String)],
    images: &[(String, String)],
    known: &SettingSources,
) -> Markup {
    let inner = html! {
        (field(fields, "description", "Description", "For information only.").text())
        div.pair {
            (field(fields, "parent", "Part of", "The parent venture, from which it inherits.").select(Some("None"), parents))
            (field(fields, "default_boot_image", "Default boot image", "For servers whose role has no default boot image.").select(Some("Inherited, or chosen for each deployment"), images))
        }
        (settings::table(fields, known, "For every server of the venture and its sub-ventures. Sub-ventures, roles and devices override them."))
        (puppet(fields, "Puppet data for every server in this venture and its sub-ventures. Values of a sub-venture or role take precedence."))
    };
    view(
        &VENTURE,
        target,
        fields,
        &["description", "parent", "default_boot_image", CLASSES, PARAMETERS, ENVIRONMENT, settings::FIELD],
        &inner,
    )
}

/// The form of a role. `role` is its name and the number of its venture's events, `None` for a new one.
pub(super) fn role(
    venture: &Name,
    role: Option<(&Name, i64)>,
    fields: &Fields,
    images: &[(String, String)],
    known: &SettingSources,
) -> Markup {
    let page = VENTURE.page(venture);
    let crumbs = [(VENTURE.many, VENTURE.path), (venture.as_str(), page.as_str())];
    let (title, path, back) = match role {
        None => (format!("Create role of {venture}"), format!("{page}/roles/_new"), page.clone()),
        Some((role, _)) => {
            (format!("Edit role {role} of {venture}"), format!("{page}/roles/{role}/edit"), format!("{page}/roles/{role}"))
        }
    };
    let send = if role.is_some() { "Save" } else { "Create" };
    let sequence = role.map(|(_, sequence)| sequence);
    let inner = html! {
        (field(fields, "description", "Description", "For information only.").text())
        (field(fields, "default_boot_image", "Default boot image", "For servers with this role.").select(Some("Default of the venture"), images))
        (settings::table(fields, known, "For every server with this role. Only settings of a device override them."))
        (puppet(fields, "Puppet data for servers with this role. It takes precedence over the venture's data."))
    };
    let form_page = FormPage { crumbs: &crumbs, title: &title, path: &path, send, back: &back, sequence };
    render_form_page(
        &form_page,
        fields,
        &["description", "default_boot_image", CLASSES, PARAMETERS, ENVIRONMENT, settings::FIELD],
        &inner,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use serde_json::json;

    #[test]
    fn every_field_of_a_venture_and_a_role_survives_its_form() {
        let puppet = json!({
            "description": "Front \"ends\"", "default_boot_image": "debian-13",
            "puppet_classes": {"ntp": {"servers": ["10.0.0.6"], "mode": "0777", "at": "12:30", "on": "yes", "n": null}, "plain": {}},
            "puppet_parameters": {"tier": "gold", "deep": {"a b": [1, 2.5, true, "x: y\n- z\n"]}}, "puppet_environment": "prod",
            "settings": {"disk": "/dev/sda", "packages": ["vim", "nginx"], "vlan": 12}
        });
        let role: RoleSpec = serde_json::from_value(puppet.clone()).expect("a role");
        let mut fields = Fields::new(role_pairs(&role));
        assert_eq!(read_role(&mut fields), Some(role));
        let mut venture: VentureSpec = serde_json::from_value(puppet).expect("a venture");
        venture.parent = Some("shop".parse().expect("a name"));
        venture.puppet_classes = serde_json::from_value(json!(["role::web", "::ntp"])).expect("classes");
        let mut fields = Fields::new(venture_pairs(&venture));
        assert_eq!(read_venture(&mut fields), Some(venture));
        let mut fields = Fields::new(vec![]);
        assert_eq!(read_role(&mut fields), Some(RoleSpec::default()));
    }

    #[test]
    fn json_is_yaml_and_a_first_line_may_be_indented() {
        let mut fields = Fields::new(vec![pair(CLASSES, "[\"a\", \"b\"]"), pair(PARAMETERS, "  a: 1\r\n  b: 2\r\n")]);
        let role = read_role(&mut fields).expect("a role");
        assert_eq!(serde_json::to_value(role.puppet_parameters).expect("JSON"), json!({"a": 1, "b": 2}));
    }

    #[test]
    fn invalid_yaml_is_kept_and_its_error_names_the_place() {
        let mut fields = Fields::new(vec![pair(CLASSES, "- a\n- [b"), pair(PARAMETERS, "just <text>")]);
        assert_eq!(read_role(&mut fields), None);
        assert!(
            fields.broken()[0].message.contains("line 2") || fields.broken()[0].message.contains("line 3"),
            "{:?}",
            fields.broken()
        );
        let html = role(&"shop".parse().expect("a name"), None, &fields, &[], &SettingSources::default());
        assert_eq!(texts(&html, "#field-puppet_classes")[0].trim_start(), "- a\n- [b");
        assert_eq!(texts(&html, "#error-puppet_parameters .error").len(), 1);
        assert_eq!(attributes(&html, "form", "action"), ["/ventures/shop/roles/_new"]);
    }

    #[test]
    fn yaml_that_is_nested_without_end_is_refused_in_words() {
        let nests = ["[", "{", "{a: ", "- ", "? ", "&a [", "!t [", "a: [", "[[{"];
        for nest in nests {
            for count in [1, 50, 129, 1_000, 20_000, 100_000] {
                let before = std::time::Instant::now();
                let mut fields = Fields::new(vec![pair(PARAMETERS, nest.repeat(count))]);
                let value: Option<serde_json::Map<String, serde_json::Value>> = written(&mut fields, PARAMETERS);
                assert!(count < 129 || (value.is_none() && !fields.broken().is_empty()), "{nest} × {count}");
                assert!(before.elapsed() < std::time::Duration::from_secs(10), "{nest} × {count}: {:?}", before.elapsed());
            }
        }
    }
}
