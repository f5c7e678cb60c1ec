//! DHCP options in forms: a table of names, types and values, so that every option keeps its type.

use super::form::Pairs;
use crate::english::as_sentence;
use crate::pages::components::icon::icon;
use crate::pages::form::Fields;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ParseError;
use bootledger_aggregates::values::dhcp_option::{Addresses, DhcpOption, OptionName, OptionType, OptionValue};
use bootledger_aggregates::values::text::Text;
use maud::{Markup, html};
use std::net::Ipv4Addr;

/// How many empty rows the form has for further options.
const EMPTY_ROWS: usize = 2;

const TYPES: [(&str, &str); 7] = [
    ("addresses", "Addresses"),
    ("text", "Text"),
    ("number", "Number"),
    ("numbers", "Numbers"),
    ("flag", "Flag"),
    ("routes", "Routes"),
    ("hex", "Hexadecimal"),
];

/// The type of an option, and its value as text.
pub(crate) fn option_text(value: &OptionValue) -> (&'static str, String) {
    match value {
        OptionValue::Addresses(addresses) => {
            ("addresses", addresses.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        OptionValue::Text(text) => ("text", text.to_string()),
        OptionValue::Number(number) => ("number", number.to_string()),
        OptionValue::Numbers(numbers) => ("numbers", numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        OptionValue::Flag(flag) => ("flag", flag.to_string()),
        OptionValue::Routes(routes) => ("routes", routes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        OptionValue::Hex(hex) => ("hex", hex.to_string()),
    }
}

/// Options as the values of the form's fields.
pub(crate) fn pairs(name: &str, options: &[DhcpOption]) -> Pairs {
    options
        .iter()
        .flat_map(|option| {
            let (kind, value) = option_text(&option.value);
            [
                (format!("{name}.name"), option.name.to_string()),
                (format!("{name}.type"), kind.to_owned()),
                (format!("{name}.value"), value),
                (format!("{name}.custom"), custom(option)),
            ]
        })
        .collect()
}

/// The code and type of a custom option, as in `224 text`.
fn custom(option: &DhcpOption) -> String {
    let parts = [option.code.map(|code| code.to_string()), option.kind.map(|kind| kind.as_str().to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A row of the form.
struct Row {
    name: String,
    kind: String,
    value: String,
    custom: String,
}

fn rows(fields: &Fields, name: &str) -> Vec<Row> {
    let part = |part: &str| fields.all(&format!("{name}.{part}")).map(str::to_owned).collect::<Vec<_>>();
    // The column for the code and type of custom options was added later, so that older forms do not send it.
    let customs = part("custom").into_iter().chain(std::iter::repeat_with(String::new));
    let rows = part("name").into_iter().zip(part("type")).zip(part("value")).zip(customs);
    let rows = rows.map(|(((name, kind), value), custom)| Row { name, kind, value, custom });
    rows.filter(|row| !row.name.is_empty() || !row.value.is_empty()).collect()
}

/// The options that a form contains. Errors are stored with their rows.
pub(crate) fn read(fields: &mut Fields, name: &str) -> Vec<DhcpOption> {
    let mut options = vec![];
    for (number, row) in (1..).zip(rows(fields, name)) {
        match one(&row) {
            Ok(option) => options.push(option),
            Err(error) => fields.refuse(name, Rule::DhcpOptionMalformed, format!("option {number}: {error}")),
        }
    }
    options
}

fn one(row: &Row) -> Result<DhcpOption, String> {
    let value = row.value.as_str();
    let name: OptionName = row.name.parse().map_err(|error: ParseError| error.to_string())?;
    let mut words = row.custom.split_whitespace();
    let code = |code: &str| code.parse().map_err(|_| format!("{code:?} is not an option code, 1 to 254"));
    let code: Option<u8> = words.next().map(code).transpose()?;
    let custom_type = |word: &str| {
        let known = OptionType::ALL.iter().find(|(_, text)| *text == word).map(|(kind, _)| *kind);
        let types = || OptionType::ALL.map(|(_, text)| text).join(", ");
        known.ok_or_else(|| format!("{word:?} is not the type of a custom option; the types are {}", types()))
    };
    let custom_type = words.next().map(custom_type).transpose()?;
    if let Some(more) = words.next() {
        return Err(format!("a custom option has a code and a type, as in \"224 text\"; remove {more:?}"));
    }
    let parts = || value.split([',', ' ']).filter(|part| !part.is_empty());
    let number = |part: &str| part.parse::<i64>().map_err(|_| format!("{part:?} is not a whole number"));
    let value = match row.kind.as_str() {
        "addresses" => {
            let address = |part: &str| part.parse::<Ipv4Addr>().map_err(|_| format!("{part:?} is not an IPv4 address"));
            let addresses = parts().map(address).collect::<Result<Vec<_>, _>>()?;
            Addresses::try_from(addresses).map(OptionValue::Addresses).map_err(|error| error.to_string())?
        }
        "text" => value.parse::<Text>().map(OptionValue::Text).map_err(|error| error.to_string())?,
        "number" => number(value.trim()).map(OptionValue::Number)?,
        "numbers" => OptionValue::Numbers(parts().map(number).collect::<Result<_, _>>()?),
        "routes" => {
            let routes = value.split(',').map(str::trim).filter(|part| !part.is_empty());
            OptionValue::Routes(routes.map(str::parse).collect::<Result<_, ParseError>>().map_err(|error| error.to_string())?)
        }
        "hex" => value.parse().map(OptionValue::Hex).map_err(|error: ParseError| error.to_string())?,
        "flag" => value.parse().map(OptionValue::Flag).map_err(|_| format!("{value:?} is neither true nor false"))?,
        other => return Err(format!("{other:?} is not one of {}", TYPES.map(|(known, _)| known).join(", "))),
    };
    Ok(DhcpOption { name, code, kind: custom_type, value })
}

/// The table of the form.
pub(crate) fn table(fields: &Fields, name: &str, label: &str, hint: &str) -> Markup {
    let empty = (0..EMPTY_ROWS).map(|_| Row {
        name: String::new(),
        kind: "addresses".to_owned(),
        value: String::new(),
        custom: String::new(),
    });
    let rows: Vec<_> = rows(fields, name).into_iter().chain(empty).collect();
    let mine: Vec<_> = fields.broken().iter().filter(|error| error.field == name).collect();
    html! {
        fieldset id=(format!("field-{name}")) tabindex="-1" class=[(!mine.is_empty()).then_some("broken")] aria-describedby=(format!("hint-{name}")) {
            legend { (label) span.quiet { " (optional)" } }
            span.hint.quiet id=(format!("hint-{name}")) { (hint) " To remove an option, empty its row. To add more than two, save and edit again." }
            @for error in &mine { p.error { (icon("exclamation-triangle-fill")) " " (as_sentence(&error.message)) } }
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Option" } th scope="col" { "Type" } th scope="col" { "Value" } th scope="col" { "Code and type" } } }
                    tbody {
                        @for (number, row) in (1..).zip(&rows) {
                            tr {
                                td data-label="Option" { input type="text" name=(format!("{name}.name")) value=(row.name) aria-label=(format!("{label}: name of option {number}")) placeholder="ntp-servers" autocomplete="off" spellcheck="false"; }
                                td data-label="Type" {
                                    select name=(format!("{name}.type")) aria-label=(format!("{label}: type of option {number}")) {
                                        @for (known, words) in TYPES { option value=(known) selected[known == row.kind] { (words) } }
                                    }
                                }
                                td data-label="Value" { input type="text" name=(format!("{name}.value")) value=(row.value) aria-label=(format!("{label}: value of option {number}")) autocomplete="off" spellcheck="false"; }
                                td data-label="Code and type" { input type="text" name=(format!("{name}.custom")) value=(row.custom) aria-label=(format!("{label}: code and type of custom option {number}")) placeholder="custom only" autocomplete="off" spellcheck="false"; }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Options as a table to read. A marked option cannot be sent to any server: it was stored before options were validated.
pub(crate) fn shown(options: &[DhcpOption]) -> Markup {
    html! {
        @if options.is_empty() { span.quiet { "none" } }
        @else {
            ul.plain { @for option in options { @let (kind, value) = option_text(&option.value); li {
                code { (option.name) } " = " code { (value) } " " span.quiet { "(" (kind) @if option.code.is_some() { ", " (custom(option)) } ")" }
                @if let Err(why) = option.resolved() { p.error { (icon("exclamation-triangle-fill")) " DHCP servers do not support this option: " (why) } }
            } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};

    fn option(name: &str, value: OptionValue) -> DhcpOption {
        DhcpOption::standard(name.parse().expect("a name"), value)
    }

    #[test]
    fn options_of_every_type_come_back_as_they_were() {
        let addresses = Addresses::try_from(vec![Ipv4Addr::new(10, 0, 0, 6), Ipv4Addr::new(10, 0, 0, 7)]).expect("two");
        let options = vec![
            option("ntp-servers", OptionValue::Addresses(addresses)),
            option("root-path", OptionValue::Text("/x, \"y\"".parse().expect("a text"))),
            option("interface-mtu", OptionValue::Number(9000)),
            option("ip-forwarding", OptionValue::Flag(false)),
            option("time-offset", OptionValue::Number(-18_000)),
            option("path-mtu-plateau-table", OptionValue::Numbers(vec![68, 1500])),
            option("classless-static-routes", OptionValue::Routes(vec!["10.0.0.0/8 via 10.0.0.1".parse().expect("a route")])),
            DhcpOption {
                code: Some(224),
                kind: Some(OptionType::Hex),
                ..option("own", OptionValue::Hex("01:ff".parse().expect("bytes")))
            },
        ];
        let mut fields = Fields::new(pairs("dhcp_options", &options));
        assert_eq!(read(&mut fields, "dhcp_options"), options);
        assert!(fields.broken().is_empty());
        let html = table(&fields, "dhcp_options", "Options", "");
        assert_eq!(attributes(&html, "input[name='dhcp_options.value']", "value")[1], "/x, \"y\"");
        assert_eq!(texts(&html, "tbody tr").len(), 10);
    }

    #[test]
    fn each_wrong_row_is_reported_with_its_number() {
        let row = |name: &str, kind: &str, value: &str| {
            [("o.name", name), ("o.type", kind), ("o.value", value)].map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let wrong = [
            row("NTP", "text", "x"),
            row("ntp-servers", "addresses", ""),
            row("ntp-servers", "addresses", "10.0.0.1 x"),
            row("mtu", "number", "1.5"),
            row("flag", "flag", "yes"),
            row("", "text", "x"),
            row("a", "code", "x"),
        ];
        let mut fields = Fields::new(wrong.concat());
        assert_eq!(read(&mut fields, "o"), []);
        assert_eq!(fields.broken().len(), 7);
        let fourth = &fields.broken()[3];
        assert_eq!(fourth.rule, "dhcp_option_malformed");
        assert!(fourth.message.starts_with("option 4: \"1.5\""), "{fourth:?}");
        assert_eq!(texts(&table(&fields, "o", "Options", ""), ".error").len(), 7);
    }
}
