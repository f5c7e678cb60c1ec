//! Templates of boot files, in a sandbox.
//!
//! A template is written by an operator and rendered while a server boots, so it is checked when it is saved, and
//! can then neither fail at night nor harm the service: variables are strict, nothing can be included or imported
//! (the engine is built without it), there is no loop without end (fuel), no output without end, no access to
//! anything but the values of one server, and no HTML escaping, since no output is HTML. Only the filters and tests
//! named here exist. Rendering reads no clock, no file and no network.

use super::variables::{self, Variables};
use bootledger_aggregates::values::mac_address::MacAddress;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, filters, functions, tests};
use std::io;
use std::sync::LazyLock;

/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 256 * 1024;

/// The longest output, in bytes.
pub const MAX_OUTPUT: usize = 1024 * 1024;

/// What one rendering may cost: an instruction costs one, and so do 64 bytes that are produced.
/// The longest plain template costs about 4,000; all of this is some tens of milliseconds.
const FUEL: u64 = 300_000;

/// What templates may call.
const FUNCTIONS: [&str; 1] = ["range"];

/// The name under which the engine knows every template.
const NAME: &str = "template";

/// What is wrong with a template, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", at_line(*.line))]
pub struct TemplateError {
    /// The line, from 1; 0 where it is about the whole.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

fn at_line(line: usize) -> String {
    if line > 0 { format!("line {line}: ") } else { String::new() }
}

impl TemplateError {
    fn whole(message: impl Into<String>) -> Self {
        Self { line: 0, message: message.into() }
    }

    fn of(error: &Error) -> Self {
        let message = match error.kind() {
            ErrorKind::OutOfFuel => "it does too much work; shorten its loops".to_owned(),
            ErrorKind::WriteFailure => format!("it makes more than {MAX_OUTPUT} bytes; shorten its loops"),
            ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction => {
                format!("{error}; there are the filters {}", FILTERS.join(", "))
            }
            _ => error.to_string(),
        };
        Self { line: error.line().unwrap_or(0), message: place_removed(&message).to_owned() }
    }
}

/// The engine ends its messages with the template's name and line, which are told apart from them.
fn place_removed(message: &str) -> &str {
    message.split(&format!(" (in {NAME}")).next().unwrap_or(message)
}

/// Every filter, for messages.
const FILTERS: [&str; 12] =
    ["none", "colon", "cisco", "lower", "upper", "trim", "replace", "split", "join", "first", "last", "default"];

static SANDBOX: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut sandbox = Environment::empty();
    sandbox.set_undefined_behavior(UndefinedBehavior::Strict);
    sandbox.set_auto_escape_callback(|_| AutoEscape::None);
    sandbox.set_fuel(Some(FUEL));
    // A script ends with the line break that it was written with.
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        sandbox.set_syntax(syntax);
    }
    sandbox.add_filter("none", |mac: &str| notation(mac, MacAddress::bare));
    sandbox.add_filter("colon", |mac: &str| notation(mac, |mac| mac.to_string()));
    sandbox.add_filter("cisco", |mac: &str| notation(mac, MacAddress::cisco));
    sandbox.add_filter("lower", filters::lower);
    sandbox.add_filter("upper", filters::upper);
    sandbox.add_filter("trim", filters::trim);
    sandbox.add_filter("replace", filters::replace);
    sandbox.add_filter("split", filters::split);
    sandbox.add_filter("join", filters::join);
    sandbox.add_filter("first", filters::first);
    sandbox.add_filter("last", filters::last);
    sandbox.add_filter("default", filters::default);
    sandbox.add_test("startingwith", tests::is_startingwith);
    sandbox.add_test("endingwith", tests::is_endingwith);
    sandbox.add_test("in", tests::is_in);
    sandbox.add_function("range", functions::range);
    sandbox
});

fn notation(mac: &str, write: impl Fn(MacAddress) -> String) -> Result<String, Error> {
    let wrong = |_| Error::new(ErrorKind::InvalidOperation, format!("{mac:?} is not a MAC address; this filter is for `mac`"));
    mac.parse().map(write).map_err(wrong)
}

/// A template that can be read; whether it can be rendered is [`check_template`]'s question.
#[derive(Debug)]
pub struct Template(Environment<'static>);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Over [`MAX_TEMPLATE`] bytes, or not a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE {
            return Err(TemplateError::whole(format!(
                "a template has at most {MAX_TEMPLATE} bytes; this one has {}",
                text.len()
            )));
        }
        let mut environment = SANDBOX.clone();
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| TemplateError::of(&error))?;
        Ok(Self(environment))
    }

    /// The template with the values of one server.
    ///
    /// # Errors
    /// What the sandbox does not allow, or more than [`MAX_OUTPUT`] bytes of output.
    pub fn render(&self, variables: Variables) -> Result<Vec<u8>, TemplateError> {
        let template = self.0.get_template(NAME).map_err(|error| TemplateError::of(&error))?;
        let mut output = Limited(Vec::with_capacity(1024));
        template.render_captured_to(Value::from_object(variables), &mut output).map_err(|error| TemplateError::of(&error))?;
        // It may be kept for each of many servers.
        output.0.shrink_to_fit();
        Ok(output.0)
    }

    /// The names that are used but never mean anything, in branches that are taken and in those that are not.
    fn unknown_names(&self) -> Result<Vec<String>, TemplateError> {
        let template = self.0.get_template(NAME).map_err(|error| TemplateError::of(&error))?;
        let known = |name: &str| variables::NAMES.contains(&name) || FUNCTIONS.contains(&name);
        let mut unknown: Vec<_> = template.undeclared_variables(false).into_iter().filter(|name| !known(name)).collect();
        unknown.sort_unstable();
        Ok(unknown)
    }
}

/// Says what is wrong with a template before it is saved: it is read, its names are looked up wherever they stand, and
/// it is rendered with the values of a sample server in a full network and of one in a bare network.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn check_template(text: &str) -> Result<(), TemplateError> {
    let template = Template::parse(text)?;
    if let Some(name) = template.unknown_names()?.first() {
        return Err(TemplateError {
            line: line_of(text, name),
            message: format!("there is no variable {name}; there are {}", variables::NAMES.join(", ")),
        });
    }
    for sample in [Variables::sample(), Variables::bare_sample()] {
        template.render(sample)?;
    }
    Ok(())
}

/// The first line on which a word stands inside of `{{ }}` or `{% %}`, as well as can be told without the engine's own parser.
fn line_of(text: &str, word: &str) -> usize {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let stands = |line: &str| line.split(|c| !part(c)).any(|found| found == word);
    let marked = |line: &str| line.contains("{{") || line.contains("{%");
    let numbered = || text.lines().zip(1..).filter(|(line, _)| stands(line));
    numbered().find(|(line, _)| marked(line)).or_else(|| numbered().next()).map_or(0, |(_, number)| number)
}

/// A buffer that takes no more than [`MAX_OUTPUT`] bytes.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("the output is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    fn render(text: &str) -> String {
        let output = Template::parse(text).and_then(|template| template.render(Variables::sample()));
        String::from_utf8(output.unwrap_or_else(|error| panic!("{text}: {error}"))).expect("UTF-8")
    }

    fn wrong(text: &str) -> TemplateError {
        check_template(text).expect_err(&text[..text.len().min(200)])
    }

    #[test]
    fn every_variable_has_its_value() {
        let text: String = variables::NAMES.map(|name| format!("{name}={{{{ {name} }}}}\n")).concat();
        insta::assert_snapshot!(render(&text), @r"
        filename=boot.ipxe
        filetype=boot_ipxe
        mac=52:54:00:12:34:56
        ip=10.0.0.20
        hostname=h200.dc1.example
        domain=dc1.example
        venture=shop
        role=web
        site=dc1
        network=dc1-servers
        gateway=10.0.0.1
        netmask=255.255.255.0
        base_url=http://10.0.0.1:8080
        done_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/DONE/
        token=0000000000000000000000000000000000000000000000000000000000000000
        kernel_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/vmlinuz
        initrd_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/initrd.img
        kickstart_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/preseed.cfg
        dns_servers=10.0.0.2 10.0.0.3
        ");
        check_template(&text).expect("all variables are known");
    }

    #[test]
    fn the_mac_filters_write_the_notations_of_other_tools() {
        let text = "{{ mac }} {{ mac|colon }} {{ mac|none }} {{ mac|cisco }} {{ mac | upper | replace(':', '-') }}";
        assert_eq!(render(text), "52:54:00:12:34:56 52:54:00:12:34:56 525400123456 5254.0012.3456 52-54-00-12-34-56");
        assert!(wrong("{{ hostname|cisco }}").message.contains("is not a MAC address"));
    }

    #[test]
    fn nothing_is_escaped_and_nothing_is_trimmed() {
        let text = "password='a&b' <x> \"y\"\n{{ \"it's <&>\" }}\n\n";
        assert_eq!(render(text), "password='a&b' <x> \"y\"\nit's <&>\n\n");
    }

    #[test]
    fn name_servers_are_a_list_and_a_text() {
        assert_eq!(render("{{ dns_servers }}"), "10.0.0.2 10.0.0.3");
        assert_eq!(render("{{ dns_servers|join(',') }} {{ dns_servers[0] }}"), "10.0.0.2,10.0.0.3 10.0.0.2");
        assert_eq!(
            render("{% for server in dns_servers %}nameserver {{ server }}\n{% endfor %}"),
            "nameserver 10.0.0.2\nnameserver 10.0.0.3\n"
        );
        check_template("{% if dns_servers %}{{ dns_servers|first }}{% endif %}").expect("a bare network has none");
    }

    #[test]
    fn an_unknown_variable_is_an_error_when_the_template_is_saved_even_where_it_is_never_reached() {
        let error = wrong("#!ipxe\n\nset x {{ hostnam }}\n");
        assert_eq!(error.line, 3);
        assert!(error.to_string().starts_with("line 3: there is no variable hostnam; there are filename, "), "{error}");
        for text in [
            "{% if false %}{{ passwd }}{% endif %}",
            "{{ passwd|default('x') }}",
            "{% if passwd %}x{% endif %}",
            "{{ hostname.passwd }}",
            "{{ hostname.passwd.x }}",
            "{{ lipsum() }}",
            "{{ debug() }}",
            "{{ hostname|passwd }}",
            "{{ hostname is passwd }}",
            "{{ self }}",
            "{{ dns_servers[7] }}",
        ] {
            wrong(text);
        }
    }

    #[test]
    fn what_a_bare_network_does_not_have_can_be_asked_for() {
        check_template("{% if gateway %}gw {{ gateway }}{% endif %}{% if kickstart_url %}{{ kickstart_url }}{% endif %}")
            .expect("asked before use");
        // The sample network without name servers shows what would fail at night.
        assert!(wrong("{{ dns_servers[0] }}").message.contains("undefined"));
    }

    #[test]
    fn a_template_reaches_nothing_but_its_values() {
        for text in [
            "{% include '/etc/passwd' %}",
            "{% include 'template' %}",
            "{% import 'x' as y %}",
            "{% from 'x' import y %}",
            "{% extends 'template' %}",
            "{% block x %}{% endblock %}",
            "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
            "{{ ''.__class__ }}",
            "{{ hostname.format() }}",
            "{{ unterminated",
            "{% for x in",
        ] {
            wrong(text);
        }
    }

    #[test]
    fn a_template_cannot_run_for_ever_nor_write_without_end() {
        let loops = "{% for a in range(9999) %}".repeat(4) + "{% set x = a %}" + &"{% endfor %}".repeat(4);
        assert_eq!(wrong(&loops).message, "it does too much work; shorten its loops");
        let wide = format!("{{% for a in range(9999) %}}{}{{% endfor %}}", "x".repeat(1000));
        assert_eq!(wrong(&wide).message, format!("it makes more than {MAX_OUTPUT} bytes; shorten its loops"));
        for text in ["{{ 'x' * 999999999 }}", "{{ ('x' * 100000)|replace('x', 'y' * 100000) }}"] {
            assert_eq!(wrong(text).message, "it does too much work; shorten its loops", "{text}");
        }
        let deep = "{% if ip %}".repeat(5000) + &"{% endif %}".repeat(5000);
        wrong(&deep);
    }

    #[test]
    fn a_template_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
        check_template(&"x".repeat(MAX_TEMPLATE)).expect("the longest template");
        assert!(wrong(&"x".repeat(MAX_TEMPLATE + 1)).message.starts_with("a template has at most 262144 bytes"));
    }
}
