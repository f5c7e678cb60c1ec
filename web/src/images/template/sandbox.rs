//! The engine's settings: what a template may use, and how much work it may cause.

use super::writing;
use bootledger_aggregates::values::mac_address::MacAddress;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, filters, functions, tests};
use std::sync::LazyLock;

/// Maximum size of a template, in bytes.
pub const MAX_TEMPLATE: usize = 256 * 1024;

/// Maximum size of the output, in bytes.
pub const MAX_OUTPUT: usize = 1024 * 1024;

/// The fuel of one rendering: an instruction costs one, and so do 64 bytes of output. The longest plain template costs about
/// 4,000, and the longest output about 16,000. What a template can do with a text that took half of the fuel to build is
/// bounded by the other half, so the time grows with the square of this.
const FUEL: u64 = 30_000;

/// The functions that templates may call.
pub(super) const FUNCTIONS: [&str; 1] = ["range"];

/// The name under which the engine knows every template.
pub(super) const NAME: &str = "template";

/// The names of all filters, for messages.
pub(super) const FILTERS: [&str; 16] = [
    "none", "colon", "cisco", "lower", "upper", "trim", "replace", "split", "join", "first", "last", "default", "length",
    "shell", "json", "xml",
];

/// The marks of a comment: control characters, because shell scripts contain `${#name}`. So templates have no comments.
const NO_COMMENT: (&str, &str) = ("\u{1}#", "#\u{1}");

/// The syntax of templates.
pub(super) fn syntax() -> Option<SyntaxConfig> {
    let (begin, end) = NO_COMMENT;
    SyntaxConfig::builder().keep_trailing_newline(true).comment_delimiters(begin, end).build().ok()
}

/// The engine with our settings, and with nothing but the filters, tests and functions named here.
pub(super) static SANDBOX: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut sandbox = Environment::empty();
    sandbox.set_undefined_behavior(UndefinedBehavior::Strict);
    sandbox.set_auto_escape_callback(|_| AutoEscape::None);
    sandbox.set_fuel(Some(FUEL));
    // A script ends with the line break that it was written with.
    if let Some(syntax) = syntax() {
        sandbox.set_syntax(syntax);
    }
    // The engine would write True and False, as Python does; installers and scripts understand neither.
    sandbox.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" }).map_err(Error::from),
        _ => minijinja::escape_formatter(out, state, value),
    });
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
    sandbox.add_filter("length", filters::length);
    sandbox.add_filter("shell", writing::shell);
    sandbox.add_filter("json", writing::json);
    sandbox.add_filter("xml", writing::xml);
    sandbox.add_test("startingwith", tests::is_startingwith);
    sandbox.add_test("endingwith", tests::is_endingwith);
    sandbox.add_test("in", tests::is_in);
    sandbox.add_function("range", functions::range);
    sandbox
});

fn notation(mac: &str, write: impl Fn(MacAddress) -> String) -> Result<String, Error> {
    let wrong = |_| Error::new(ErrorKind::InvalidOperation, "the value is not a MAC address; this filter is for `mac`");
    mac.parse().map(write).map_err(wrong)
}
