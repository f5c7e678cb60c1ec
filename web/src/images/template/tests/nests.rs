//! Tests with nests and chains of everything that a template can nest and chain, from one to 100,000.
//!
//! A stack overflow aborts the process of this test and no other: nextest runs each in its own.

use crate::images::settings::Declared;
use crate::images::template::bounds::{MAX_BRACKETS, MAX_NESTING, MAX_OPERATIONS, MAX_TAGS, MAX_TOKENS, measure};
use crate::images::template::saved::check;
use crate::images::template::*;
use bootledger_aggregates::boot_image::FileKind;

/// A construct that is repeated this many times.
type Make = fn(usize) -> String;

/// Chains and nests within one tag.
const EXPRESSIONS: &[(&str, Make)] = &[
    ("minus", |n| format!("{{{{ {}1 }}}}", "- ".repeat(n))),
    ("minus without blanks", |n| format!("{{{{ 1{}1 }}}}", "-".repeat(n))),
    ("not", |n| format!("{{{{ {}true }}}}", "not ".repeat(n))),
    ("or", |n| format!("{{{{ ip{} }}}}", " or ip".repeat(n))),
    ("and", |n| format!("{{% if ip{} %}}{{% endif %}}", " and ip".repeat(n))),
    ("plus", |n| format!("{{{{ 1{} }}}}", "+1".repeat(n))),
    ("minus sign", |n| format!("{{{{ 1{} }}}}", " -1".repeat(n))),
    ("times", |n| format!("{{{{ 1{} }}}}", "*1".repeat(n))),
    ("divided", |n| format!("{{{{ 1{} }}}}", "/1".repeat(n))),
    ("whole divided", |n| format!("{{{{ 1{} }}}}", "//1".repeat(n))),
    ("rest", |n| format!("{{{{ 1{} }}}}", " % 2".repeat(n))),
    ("power", |n| format!("{{{{ 1{} }}}}", "**1".repeat(n))),
    ("concatenation", |n| format!("{{{{ ip{} }}}}", "~'a'".repeat(n))),
    ("adjacent texts", |n| format!("{{{{ {} }}}}", "'a' ".repeat(n))),
    ("comparison", |n| format!("{{{{ 1{} }}}}", " < 2".repeat(n))),
    ("equal", |n| format!("{{{{ 1{} }}}}", " == 1".repeat(n))),
    ("in", |n| format!("{{{{ 'a'{} }}}}", " in 'a'".repeat(n))),
    ("not in", |n| format!("{{{{ 'a'{} }}}}", " not in 'b'".repeat(n))),
    ("test", |n| format!("{{{{ ip{} }}}}", " is startingwith 'a'".repeat(n))),
    ("test with a test", |n| format!("{{{{ ip{} }}}}", " is in - ".repeat(n))),
    ("attribute", |n| format!("{{{{ hostname{} }}}}", ".a".repeat(n))),
    ("numbered attribute", |n| format!("{{{{ dns_servers{} }}}}", ".0".repeat(n))),
    ("subscript", |n| format!("{{{{ dns_servers{} }}}}", "[0]".repeat(n))),
    ("slice", |n| format!("{{{{ dns_servers{} }}}}", "[0:]".repeat(n))),
    ("subscript in a subscript", |n| format!("{{{{ {}0{} }}}}", "dns_servers[".repeat(n), "]".repeat(n))),
    ("filter", |n| format!("{{{{ hostname{} }}}}", "|lower".repeat(n))),
    ("filter with arguments", |n| format!("{{{{ hostname{} }}}}", "|replace('a','b')".repeat(n))),
    ("filter in an argument", |n| format!("{{{{ {}ip{} }}}}", "ip|default(".repeat(n), ")".repeat(n))),
    ("dotted filter", |n| format!("{{{{ hostname|a{} }}}}", ".a".repeat(n))),
    ("call", |n| format!("{{{{ range{} }}}}", "(1)".repeat(n))),
    ("call in a call", |n| format!("{{{{ {}1{} }}}}", "range(".repeat(n), ")".repeat(n))),
    ("arguments", |n| format!("{{{{ range(1{}) }}}}", ",1".repeat(n))),
    ("named arguments", |n| format!("{{{{ ip|default({}) }}}}", "a=1,".repeat(n))),
    ("spread", |n| format!("{{{{ range({}[1]) }}}}", "*".repeat(n))),
    ("brackets", |n| format!("{{{{ {}1{} }}}}", "(".repeat(n), ")".repeat(n))),
    ("brackets and minus", |n| format!("{{{{ {}1{} }}}}", "-(".repeat(n), ")".repeat(n))),
    ("brackets of filters", |n| format!("{{{{ {}ip{} }}}}", "(".repeat(n), "|lower)".repeat(n))),
    ("open brackets", |n| format!("{{{{ {}", "(".repeat(n))),
    ("closing brackets", |n| format!("{{{{ 1 {} }}}}", ")".repeat(n))),
    ("mixed brackets", |n| format!("{{{{ {}1{} }}}}", "([{".repeat(n), "}])".repeat(n))),
    ("list", |n| format!("{{{{ {}1{} }}}}", "[".repeat(n), "]".repeat(n))),
    ("entries", |n| format!("{{{{ [{}1]|length }}}}", "1,".repeat(n))),
    ("tuple", |n| format!("{{{{ {}1{} }}}}", "(".repeat(n), ",)".repeat(n))),
    ("map", |n| format!("{{{{ {}1{} }}}}", "{'a': ".repeat(n), "}".repeat(n))),
    ("map as a key", |n| format!("{{{{ {}1{} }}}}", "{".repeat(n), ": 1}".repeat(n))),
    ("conditional", |n| format!("{{{{ 1{} }}}}", " if ip else 1".repeat(n))),
    ("conditional without else", |n| format!("{{{{ 1{} }}}}", " if ip".repeat(n))),
    ("conditional in brackets", |n| format!("{{{{ {}1{} }}}}", "(1 if ip else ".repeat(n), ")".repeat(n))),
    ("set to a tuple", |n| format!("{{% set a = 1{} %}}", ",1".repeat(n))),
    ("set of a tuple", |n| format!("{{% set a{} = dns_servers %}}", ",a".repeat(n))),
    ("set of brackets", |n| format!("{{% set {}a{} = dns_servers %}}", "(".repeat(n), ")".repeat(n))),
    ("set of attributes", |n| format!("{{% set a{} = 1 %}}", ".a".repeat(n))),
    ("set with filters", |n| format!("{{% set a | lower{} %}}x{{% endset %}}", "|lower".repeat(n))),
    ("for of brackets", |n| format!("{{% for {}a{} in [1] %}}{{% endfor %}}", "(".repeat(n), ",)".repeat(n))),
    ("with", |n| format!("{{% with {}b=1 %}}{{% endwith %}}", "a=1,".repeat(n))),
    ("filter block", |n| format!("{{% filter lower{} %}}x{{% endfilter %}}", "|lower".repeat(n))),
    ("do", |n| format!("{{% do range{} %}}", "(1)".repeat(n))),
];

/// Nests and rows of tags.
const BLOCKS: &[(&str, Make)] = &[
    ("if", |n| "{% if ip %}".repeat(n) + &"{% endif %}".repeat(n)),
    ("elif", |n| format!("{{% if ip %}}{}{{% endif %}}", "{% elif ip %}".repeat(n))),
    ("elif with else", |n| format!("{{% if gateway %}}{}{{% else %}}{{% endif %}}", "{% elif ip %}x".repeat(n))),
    ("else if", |n| "{% if ip %}{% else %}".repeat(n) + &"{% endif %}".repeat(n)),
    ("for", |n| "{% for a in [1] %}".repeat(n) + &"{% endfor %}".repeat(n)),
    ("for else", |n| "{% for a in [] %}{% else %}".repeat(n) + &"{% endfor %}".repeat(n)),
    ("for if", |n| "{% for a in [1] if a %}".repeat(n) + &"{% endfor %}".repeat(n)),
    ("with block", |n| "{% with a = 1 %}".repeat(n) + &"{% endwith %}".repeat(n)),
    ("filter blocks", |n| "{% filter lower %}".repeat(n) + &"{% endfilter %}".repeat(n)),
    ("set blocks", |n| "{% set a %}".repeat(n) + &"{% endset %}".repeat(n)),
    ("autoescape", |n| "{% autoescape true %}".repeat(n) + &"{% endautoescape %}".repeat(n)),
    ("raw", |n| "{% raw %}".repeat(n) + &"{% endraw %}".repeat(n)),
    ("macro", |n| "{% macro a() %}".repeat(n) + &"{% endmacro %}".repeat(n)),
    ("call block", |n| "{% call a() %}".repeat(n) + &"{% endcall %}".repeat(n)),
    ("block", |n| "{% block a %}".repeat(n) + &"{% endblock %}".repeat(n)),
    ("unended", |n| "{% if ip %}".repeat(n)),
    ("unbegun", |n| "{% endif %}".repeat(n)),
    ("unended tags", |n| "{% if ".repeat(n)),
    ("unended variables", |n| "{{ ip ".repeat(n)),
    ("elif in elif", |n| "{% if ip %}{% elif ip %}{% elif ip %}".repeat(n) + &"{% endif %}".repeat(n)),
    ("variables", |n| "{{ ip }}".repeat(n)),
    ("set of a list", |n| "{% set a = [1] %}".to_owned() + &"{% set a = [a] %}".repeat(n)),
    ("set of a slice", |n| "{% set a = [1] %}".to_owned() + &"{% set a = a[0:] %}".repeat(n)),
    ("set of a sum", |n| "{% set a = [1] %}".to_owned() + &"{% set a = a + [1] %}".repeat(n)),
    ("set of a double", |n| "{% set a = 'a' %}".to_owned() + &"{% set a = a ~ a %}".repeat(n)),
    ("set of a double list", |n| "{% set a = ['a'] %}".to_owned() + &"{% set a = a + a %}".repeat(n) + "{{ a ~ '' }}"),
];

/// Sizes around each bound, and far beyond all of them.
fn sizes() -> Vec<usize> {
    let around = [MAX_BRACKETS, MAX_NESTING, MAX_OPERATIONS, MAX_TOKENS / 2, MAX_TOKENS, MAX_TAGS];
    let mut sizes: Vec<usize> = around.into_iter().flat_map(|bound| [bound - 1, bound, bound + 1]).collect();
    sizes.extend([1, 2, 3, 4_776, 20_000, 100_000]);
    sizes
}

#[test]
fn nothing_that_can_be_nested_or_chained_ends_the_process() {
    let mut accepted = 0;
    for (name, make) in EXPRESSIONS.iter().chain(BLOCKS) {
        for size in sizes() {
            match check_template(&make(size), &Declared::new()) {
                Ok(_) => accepted += 1,
                Err(error) => {
                    assert!(!error.message.is_empty(), "{name} × {size}");
                    let bytes = make(size).len() <= MAX_TEMPLATE;
                    assert!(
                        error.line > 0 || !bytes || error.message.contains("cannot") || size < 1000,
                        "{name} × {size}: {error}"
                    );
                }
            }
        }
        // A template far beyond the bounds is refused by the bounds, not by the engine.
        let text = make(20_000);
        if text.len() <= MAX_TEMPLATE
            && !matches!(*name, "raw" | "unbegun" | "closing brackets" | "unended tags" | "unended variables")
        {
            measure(&text).expect_err(name);
        }
    }
    assert!(accepted > 200, "{accepted}");
}

#[test]
fn a_template_at_the_bounds_takes_less_than_a_tenth_of_a_stack() {
    let largest = |make: &Make| {
        let fits = |size: &usize| check_template(&make(*size), &Declared::new()).is_ok();
        (1..=MAX_TAGS.ilog2()).map(|power| 1 << power).chain(sizes()).filter(fits).max()
    };
    let mut deepest = Vec::new();
    for (_, make) in EXPRESSIONS.iter().chain(BLOCKS) {
        deepest.extend(largest(make).map(make));
    }
    // The longest chain in the deepest brackets in the deepest nest.
    for (chain, operations) in [("- ", 1), ("not ", 1), ("1+", 1), ("1 if ip else ", 2), ("ip|lower or ", 2)] {
        let brackets = MAX_BRACKETS - 1;
        let chain = chain.repeat((MAX_OPERATIONS - brackets) / operations);
        let inner = format!("{{{{ {}{chain}1{} }}}}", "(".repeat(brackets), ")".repeat(brackets));
        let nest = MAX_NESTING - 1;
        let deep = ["{% if ip %}".repeat(nest) + &inner + &"{% endif %}".repeat(nest)];
        let elifs = ["{% if gateway %}".to_owned() + &"{% elif gateway %}".repeat(nest) + &inner + "{% endif %}"];
        for text in deep.into_iter().chain(elifs) {
            measure(&text).expect("at the bounds");
            deepest.push(text);
        }
    }
    let small = std::thread::Builder::new().stack_size(deep::STACK / 10);
    let rendered =
        small.spawn(move || deepest.iter().filter(|text| check(text, FileKind::Other, &Declared::new()).is_ok()).count());
    let rendered = rendered.expect("a thread").join().expect("a stack that is deep enough");
    assert!(rendered > 40, "{rendered}");
}

#[test]
fn the_output_of_a_template_is_bounded_in_size_and_time() {
    let doubled = |n: usize, by: &str| format!("{{% set a = 'ab' %}}{}", format!("{{% set a = {by} %}}").repeat(n));
    let hard = [
        "{{ (['x' * 100000] * 40000)|join }}".to_owned(),
        "{{ (['x'] * 99999999) ~ '' }}".to_owned(),
        "{% set a = ['x'] %}{% set b = [a] * 99999 %}{{ b }}".to_owned(),
        "{% set a = ['x'] %}{{ (a * 99999999)|length }}".to_owned(),
        "{{ settings.packages * 99999999 }}".to_owned(),
        "{% set p = settings.packages %}{{ (p * 99999999) ~ '' }}".to_owned(),
        "{{ dns_servers * 99999999 }}".to_owned(),
        "{{ range(100000) * 1000 }}".to_owned(),
        "{% set a = 'x' %}{% set b = a|split * 1000 %}".to_owned(),
        "{% set a = [1, 2] %}".to_owned() + &"{% set a = [a, a] %}".repeat(40) + "{% if a == a %}{% endif %}",
        "{% for a in [[1, 1]] %}".repeat(20) + "{% set a = [a, a] %}" + &"{% endfor %}".repeat(20),
        "{% set a = [1] %}".to_owned() + &"{% set b = a + a %}{% set a = b + b %}".repeat(20) + "{{ a|join }}",
        "{% set a = settings.packages %}".to_owned() + &"{% set a = a + a %}".repeat(40) + "{{ a ~ '' }}",
        doubled(60, "a ~ a"),
        doubled(60, "a + a"),
        doubled(60, "a|replace('a', 'aa')"),
        doubled(60, "a|replace('', a)"),
        "{% set s = 'é' * 1500000 %}{% for a in range(90000) %}{% set x = s[1400000:1400001] %}{% endfor %}".to_owned(),
        "{% set s = 'é' * 700000 %}{% for a in range(90000) %}{% set x = s[690000] %}{% endfor %}".to_owned(),
        "{% set s = 'x' * 1500000 %}{% for a in range(90000) %}{% if s == s %}{% endif %}{% endfor %}".to_owned(),
        "{% set s = 'x' * 1500000 %}{{ [s, s, s, s, s, s, s, s, s, s, s, s] ~ '' }}".to_owned(),
        "{% for a in range(99999) %}{{ range(99999)|json|length }}{% endfor %}".to_owned(),
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
        "{% for a in [1] recursive %}{{ loop([a]) }}{% endfor %}".to_owned(),
    ];
    let declared: Declared =
        serde_json::from_value(serde_json::json!({ "packages": { "type": "list" } })).expect("a declaration");
    for text in hard {
        // Without the bounds, none of these would end before the limit of the test runner.
        check_template(&text, &declared).expect_err(&text);
    }
}

#[test]
fn a_bound_is_named_with_its_line() {
    let refused = |text: &str| check_template(text, &Declared::new()).expect_err(text).to_string();
    assert_eq!(
        refused(&format!("a\nb\n{{{{ {}1 }}}}\n", "- ".repeat(5000))),
        "line 3: a tag has at most 1000 names, texts, numbers and signs; split it with {% set %}"
    );
    assert!(refused(&format!("\n{{{{ {}true }}}}\n", "not ".repeat(201))).starts_with("line 2: a tag has at most 200 operators"));
    assert!(refused(&format!("{{{{ {}1{} }}}}", "(".repeat(11), ")".repeat(11))).starts_with("line 1: at most 10 brackets"));
    assert!(refused(&"{% if ip %}\n".repeat(101)).starts_with("line 101: blocks can be nested at most 100 levels"));
    assert!(refused(&"{{ ip }}\n".repeat(5001)).starts_with("line 5001: a template has at most 5000 tags"));
    assert!(refused("{% include 'x' %}").starts_with("line 1: templates have no {% include %}"));
    assert!(refused("{{ [[[[1]]]] }}").contains("nested at most 3 levels"));
}

#[test]
fn text_that_only_resembles_a_tag_does_not_count() {
    let fine = |text: &str| {
        let checked = check_template(text, &Declared::new());
        assert!(checked.is_ok(), "{}: {checked:?}", &text[..text.len().min(100)]);
    };
    fine(&format!("{{% raw %}}{}{{% endraw %}}", "{{ ((((((((((((((( ".repeat(1000)));
    fine(&format!("{{{{ '{}' }}}}", "((((--[[ {{ {% if %}".repeat(1000)));
    fine(&format!("{{{{ \"a\\\"{}\" }}}}", "((((--[[ }}".repeat(1000)));
    fine(&"${#disks[@]} { { } } {} [ -f x ] (((((((((((((((\n".repeat(1000));
    fine("{%- raw -%} {{ }} {%- endraw -%}{{- ip -}}{%+ if ip +%}{%+ endif %}");
    // A list of many packages, a choice of many, a table, and arithmetic.
    fine(&format!("{{% for name in [{}] %}}{{{{ name }}}} {{% endfor %}}", "'package', ".repeat(400)));
    fine(&format!("{{% if role == 'a' %}}{}{{% endif %}}", "{% elif role == 'b' %}x".repeat(64)));
    fine("{% set sizes = {'web': ['a', 'b'], 'db': ['c']} %}{% for s in sizes[role]|default(['d']) %}{{ s }}{% endfor %}");
    fine("{% for name, size in [('a', 1), ('b', 2)] %}{{ name }} {{ size * 1024 }}{% endfor %}");
    fine("{% for i in range(3) %}{{ [hostname, i, domain]|join('-') }} {{ 10 + i * 5 }}{% endfor %}");
    fine("{% set p = dns_servers + ['a'] %}{% if ip %}{% set p = p + ['b', 'c'] %}{% endif %}{{ p|join(' ') }}{{ '-' * 40 }}");
    fine("{% set first = dns_servers|join %}{% set all = [first, hostname|upper] %}{{ all|join(',') }}");
    fine("{% set a = ip %}{% set b = a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a %}{% set c = (b|upper) ~ (b) ~ (b, a)|join %}{{ c }}");
    fine("{% set n = [1, 2]|length %}{{ n * 2 }}");
    fine(
        "{% for a in [1, 2] %}{% set place, last = loop.index, loop.last %}{{ place }}{% if not last %},{% endif %}{% endfor %}",
    );
}

#[test]
fn a_template_that_may_transform_the_token_is_detected_under_every_name() {
    let changes = |text: &str| Template::parse(text).expect(text).changes_token();
    for text in [
        "{{ token|upper }}",
        "{{ token[3:7] }}",
        "{% set t = token %}{{ t[3:7] }}",
        "{% set t %}{{ token }}{% endset %}{{ t[3:7] }}",
        "{% set t %}a{% if ip %}{{ done_url }}{% endif %}{% endset %}{{ t|reverse }}",
        "{% filter upper %}{{ token }}{% endfilter %}",
        "{% with t = token %}{{ t }}{% endwith %}",
        "{% for c in token %}{{ c }}{% endfor %}",
    ] {
        assert!(changes(text), "{text}");
    }
    for text in [
        "{{ token }}",
        "curl {{ done_url }}",
        "{% if token %}{{ token }}{% endif %}",
        "{% set t %}{{ ip }}{% endset %}{{ token }}",
    ] {
        assert!(!changes(text), "{text}");
    }
}
