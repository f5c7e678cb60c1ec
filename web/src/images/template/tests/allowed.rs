//! Tests of what templates can do, and what they cannot.

use crate::images::settings::Declared;
use crate::images::template::*;
use crate::images::variables::{self, SETTINGS, Variables};

fn render(text: &str) -> String {
    let output = Template::parse(text).and_then(|template| template.render(Variables::sample()));
    String::from_utf8(output.unwrap_or_else(|error| panic!("{text}: {error}"))).expect("UTF-8")
}

fn wrong(text: &str) -> TemplateError {
    check_template(text, &Declared::new()).expect_err(&text[..text.len().min(200)])
}

#[test]
fn every_variable_has_its_value() {
    let lines = variables::NAMES.iter().filter(|name| **name != SETTINGS).map(|name| format!("{name}={{{{ {name} }}}}\n"));
    let text = lines.collect::<Vec<_>>().concat();
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
    prefix=24
    base_url=http://10.0.0.1:8080
    files_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000
    done_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/DONE/
    progress_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/progress
    log_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/log
    token=0000000000000000000000000000000000000000000000000000000000000000
    kernel_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/vmlinuz
    initrd_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/initrd.img
    kickstart_url=http://10.0.0.1:8080/pxe/t/0000000000000000000000000000000000000000000000000000000000000000/preseed.cfg
    dns_servers=10.0.0.2 10.0.0.3
    ");
    check_template(&text, &Declared::new()).expect("all variables are known");
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
    check_template("{% if dns_servers %}{{ dns_servers|first }}{% endif %}", &Declared::new()).expect("a bare network has none");
}

#[test]
fn an_unknown_variable_is_an_error_when_the_template_is_saved_even_where_it_is_never_reached() {
    let error = wrong("#!ipxe\n\nset x {{ hostnam }}\n");
    assert_eq!(error.line, 3);
    assert!(error.to_string().starts_with("line 3: there is no variable hostnam; the variables are filename, "), "{error}");
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
fn a_template_can_test_for_what_a_bare_network_lacks() {
    check_template(
        "{% if gateway %}gw {{ gateway }}{% endif %}{% if kickstart_url %}{{ kickstart_url }}{% endif %}",
        &Declared::new(),
    )
    .expect("checked before use");
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
fn a_template_cannot_run_or_write_without_limit() {
    let loops = "{% for a in range(9999) %}".repeat(4) + "{% set x = a %}" + &"{% endfor %}".repeat(4);
    assert_eq!(wrong(&loops).message, "it does too much work; shorten its loops");
    let wide = format!("{{% for a in range(9999) %}}{}{{% endfor %}}", "x".repeat(1000));
    assert_eq!(wrong(&wide).message, format!("it produces more than {MAX_OUTPUT} bytes; shorten its loops"));
    for text in ["{{ 'x' * 999999999 }}", "{{ ('x' * 100000)|replace('x', 'y' * 100000) }}"] {
        assert_eq!(wrong(text).message, "it does too much work; shorten its loops", "{text}");
    }
    let deep = "{% if ip %}".repeat(5000) + &"{% endif %}".repeat(5000);
    wrong(&deep);
}

#[test]
fn a_template_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    check_template(&"x".repeat(MAX_TEMPLATE), &Declared::new()).expect("the longest template");
    assert!(wrong(&"x".repeat(MAX_TEMPLATE + 1)).message.starts_with("a template has at most 262144 bytes"));
}

/// Settings of every type.
fn declared() -> Declared {
    let declared = serde_json::json!({
        "disk": { "type": "text", "default": "auto" },
        "hash": { "type": "secret", "required": true },
        "layout": { "type": "choice", "choices": ["plain", "lvm", "raid1"], "default": "plain" },
        "packages": { "type": "list" },
        "quiet": { "type": "boolean", "default": false },
        "vlan": { "type": "number", "default": 0 },
    });
    serde_json::from_value(declared).expect("declarations")
}

#[test]
fn the_settings_that_a_template_uses_are_found_in_every_branch() {
    let used = |text: &str| {
        let used = check_template(text, &declared()).unwrap_or_else(|error| panic!("{text}: {error}"));
        used.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(used("{{ hostname }}"), "");
    assert_eq!(used("{{ settings.disk|shell }} {% if false %}{{ settings.hash|json }}{% endif %}"), "disk hash");
    assert_eq!(
        used("{% for one in settings.packages %}{{ one }}{{ settings.vlan + 1 }}{% else %}{{ settings.quiet }}{% endfor %}"),
        "packages quiet vlan"
    );
    assert_eq!(used("{% if settings.layout in ['lvm', 'raid1'] and not settings.quiet %}x{% endif %}"), "layout quiet");
    assert_eq!(
        used("{% set d = settings.disk %}{{ d|upper }}{{ settings.packages|length }}{{ settings.packages|join(',') }}"),
        "disk packages"
    );
}

#[test]
fn an_undeclared_setting_and_a_way_around_names_are_refused_when_the_template_is_saved() {
    let refused = |text: &str| check_template(text, &declared()).expect_err(text);
    let error = refused("#!ipxe\n{% if false %}{{ settings.disc }}{% endif %}\n");
    assert_eq!(
        error.to_string(),
        "line 2: there is no setting disc; the boot image declares disk, hash, layout, packages, quiet, vlan"
    );
    for text in [
        "{{ settings }}",
        "{{ settings['hash'] }}",
        "{{ settings[hostname] }}",
        "{% for name in settings %}{{ name }}{% endfor %}",
        "{% set all = settings %}{{ all.hash }}",
        "{% with all = settings %}{{ all.hash }}{% endwith %}",
        "{% set settings = settings %}{{ settings.hash }}",
        "{% set settings = settings %}{{ settings.hash|default('none') }}",
        "{{ settings|json }}",
        "{{ settings.Disk }}",
        "{{ settings.packages[0] }}",
        "{{ settings.disk.hash }}",
    ] {
        refused(text);
    }
    let none = check_template("{{ settings.disk }}", &Declared::new()).expect_err("an image without settings");
    assert_eq!(none.message, "there is no setting disk; the boot image declares none");
}

#[test]
fn every_choice_is_rendered_before_a_template_is_saved() {
    let text = "{% if settings.layout == 'raid1' %}{{ dns_servers[9] }}{% endif %}";
    assert!(check_template(text, &declared()).expect_err("one choice fails").message.contains("undefined"));
}

#[test]
fn shell_scripts_keep_what_other_engines_take_for_a_comment() {
    let text = "n=${#disks[@]}; echo {#} # {# not a comment #}\n";
    assert_eq!(render(text), text);
}

#[test]
fn a_value_that_a_filter_cannot_write_is_refused() {
    for text in ["{{ {'a': 1}|shell }}", "{{ [[1]]|json }}", "{{ dns_servers|xml }}", "{{ [{}]|shell }}", "{{ none|json }}"] {
        wrong(text);
    }
    assert_eq!(
        render(
            "{{ dns_servers|json }} {{ dns_servers|shell }} {{ 7|json }} {{ true|json }} {{ ''|shell }} {{ true|shell }} {{ 1 == 2 }}"
        ),
        "[\"10.0.0.2\",\"10.0.0.3\"] 10.0.0.2 10.0.0.3 7 true '' true false"
    );
    assert_eq!(
        render("{{ hostname|length }} {{ dns_servers|length }} {{ '<a b=\"c\">&\\''|xml }}"),
        "16 2 &lt;a b=&quot;c&quot;&gt;&amp;&#39;"
    );
}
