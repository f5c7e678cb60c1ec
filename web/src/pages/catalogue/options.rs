//! DHCP options in forms: a table of names, types and values, so that every option keeps its type.

use super::form::Pairs;
use crate::pages::form::Fields;
use crate::pages::kit::icon::icon;
use bootledger_aggregates::values::dhcp_option::{Addresses, DhcpOption, OptionName, OptionValue};
use bootledger_aggregates::values::text::Text;
use maud::{Markup, html};
use std::net::Ipv4Addr;

/// How many rows are empty, for further options.
const EMPTY_ROWS: usize = 2;

const TYPES: [(&str, &str); 4] = [("addresses", "Addresses"), ("text", "Text"), ("number", "Number"), ("flag", "Flag")];

/// An option's type and its value as a text.
pub(crate) fn told(value: &OptionValue) -> (&'static str, String) {
    match value {
        OptionValue::Addresses(addresses) => {
            ("addresses", addresses.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        OptionValue::Text(text) => ("text", text.to_string()),
        OptionValue::Number(number) => ("number", number.to_string()),
        OptionValue::Flag(flag) => ("flag", flag.to_string()),
    }
}

/// Options as the values of the form's fields.
pub(crate) fn pairs(name: &str, options: &[DhcpOption]) -> Pairs {
    options
        .iter()
        .flat_map(|option| {
            let (kind, value) = told(&option.value);
            [
                (format!("{name}.name"), option.name.to_string()),
                (format!("{name}.type"), kind.to_owned()),
                (format!("{name}.value"), value),
            ]
        })
        .collect()
}

fn rows(fields: &Fields, name: &str) -> Vec<(String, String, String)> {
    let part = |part: &str| fields.all(&format!("{name}.{part}")).map(str::to_owned).collect::<Vec<_>>();
    let (names, kinds, values) = (part("name"), part("type"), part("value"));
    let rows = names.into_iter().zip(kinds).zip(values).map(|((name, kind), value)| (name, kind, value));
    rows.filter(|(name, _, value)| !name.is_empty() || !value.is_empty()).collect()
}

/// The options that a form has; what is wrong is remembered with the row.
pub(crate) fn read(fields: &mut Fields, name: &str) -> Vec<DhcpOption> {
    let mut options = vec![];
    for (number, (option, kind, value)) in (1..).zip(rows(fields, name)) {
        match one(&option, &kind, &value) {
            Ok(option) => options.push(option),
            Err(error) => fields.refuse(name, "dhcp_option_malformed", format!("option {number}: {error}")),
        }
    }
    options
}

fn one(name: &str, kind: &str, value: &str) -> Result<DhcpOption, String> {
    let name: OptionName = name.parse().map_err(|error: bootledger_aggregates::values::ParseError| error.to_string())?;
    let value = match kind {
        "addresses" => {
            let parts = value.split([',', ' ']).filter(|part| !part.is_empty());
            let address = |part: &str| part.parse::<Ipv4Addr>().map_err(|_| format!("{part:?} is not an IPv4 address"));
            let addresses = parts.map(address).collect::<Result<Vec<_>, _>>()?;
            Addresses::try_from(addresses).map(OptionValue::Addresses).map_err(|error| error.to_string())?
        }
        "text" => value.parse::<Text>().map(OptionValue::Text).map_err(|error| error.to_string())?,
        "number" => {
            value.parse().map(OptionValue::Number).map_err(|_| format!("{value:?} is not a whole number from 0 to 4294967295"))?
        }
        "flag" => value.parse().map(OptionValue::Flag).map_err(|_| format!("{value:?} is neither true nor false"))?,
        other => return Err(format!("{other:?} is not one of addresses, text, number, flag")),
    };
    Ok(DhcpOption { name, value })
}

/// The table.
pub(crate) fn table(fields: &Fields, name: &str, label: &str, hint: &str) -> Markup {
    let empty = (0..EMPTY_ROWS).map(|_| (String::new(), "addresses".to_owned(), String::new()));
    let rows: Vec<_> = rows(fields, name).into_iter().chain(empty).collect();
    let mine: Vec<_> = fields.broken().iter().filter(|error| error.field == name).collect();
    html! {
        fieldset id=(format!("field-{name}")) tabindex="-1" class=[(!mine.is_empty()).then_some("broken")] aria-describedby=(format!("hint-{name}")) {
            legend { (label) span.quiet { " (optional)" } }
            span.hint.quiet id=(format!("hint-{name}")) { (hint) " Empty a row to remove its option; two rows are free, save for more." }
            @for error in &mine { p.error { (icon("exclamation-triangle-fill")) " " (error.message) } }
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Option" } th scope="col" { "Type" } th scope="col" { "Value" } } }
                    tbody {
                        @for (number, (option, kind, value)) in (1..).zip(&rows) {
                            tr {
                                td data-label="Option" { input type="text" name=(format!("{name}.name")) value=(option) aria-label=(format!("{label}: name of option {number}")) placeholder="ntp-servers" autocomplete="off" spellcheck="false"; }
                                td data-label="Type" {
                                    select name=(format!("{name}.type")) aria-label=(format!("{label}: type of option {number}")) {
                                        @for (known, words) in TYPES { option value=(known) selected[known == kind] { (words) } }
                                    }
                                }
                                td data-label="Value" { input type="text" name=(format!("{name}.value")) value=(value) aria-label=(format!("{label}: value of option {number}")) autocomplete="off" spellcheck="false"; }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Options as a table to read; `problems` says of an option why a server cannot be told it.
pub(crate) fn shown(options: &[DhcpOption]) -> Markup {
    html! {
        @if options.is_empty() { span.quiet { "none" } }
        @else {
            ul.plain { @for option in options { @let (kind, value) = told(&option.value); li { code { (option.name) } " = " code { (value) } " " span.quiet { "(" (kind) ")" } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::catalogue::form::tests::{attributes, texts};

    fn option(name: &str, value: OptionValue) -> DhcpOption {
        DhcpOption { name: name.parse().expect("a name"), value }
    }

    #[test]
    fn options_of_every_type_come_back_as_they_were() {
        let addresses = Addresses::try_from(vec![Ipv4Addr::new(10, 0, 0, 6), Ipv4Addr::new(10, 0, 0, 7)]).expect("two");
        let options = vec![
            option("ntp-servers", OptionValue::Addresses(addresses)),
            option("root-path", OptionValue::Text("/x, \"y\"".parse().expect("a text"))),
            option("interface-mtu", OptionValue::Number(9000)),
            option("ip-forwarding", OptionValue::Flag(false)),
        ];
        let mut fields = Fields::new(pairs("dhcp_options", &options));
        assert_eq!(read(&mut fields, "dhcp_options"), options);
        assert!(fields.broken().is_empty());
        let html = table(&fields, "dhcp_options", "Options", "");
        assert_eq!(attributes(&html, "input[name='dhcp_options.value']", "value")[1], "/x, \"y\"");
        assert_eq!(texts(&html, "tbody tr").len(), 6);
    }

    #[test]
    fn each_wrong_row_is_told_with_its_number() {
        let row = |name: &str, kind: &str, value: &str| {
            [("o.name", name), ("o.type", kind), ("o.value", value)].map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let wrong = [
            row("NTP", "text", "x"),
            row("ntp-servers", "addresses", ""),
            row("ntp-servers", "addresses", "10.0.0.1 x"),
            row("mtu", "number", "-1"),
            row("flag", "flag", "yes"),
            row("", "text", "x"),
            row("a", "code", "x"),
        ];
        let mut fields = Fields::new(wrong.concat());
        assert_eq!(read(&mut fields, "o"), []);
        assert_eq!(fields.broken().len(), 7);
        assert!(fields.broken()[3].message.starts_with("option 4: \"-1\" is not a whole number"), "{:?}", fields.broken()[3]);
        assert_eq!(texts(&table(&fields, "o", "Options", ""), ".error").len(), 7);
    }
}
