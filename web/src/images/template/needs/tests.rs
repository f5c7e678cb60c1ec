//! Tests of what a template requires.

use crate::images::settings::Declared;
use crate::images::template::examine;
use bootledger_aggregates::boot_image::FileKind;

fn needs(text: &str) -> String {
    let needs = examine(text, FileKind::Other, &Declared::new()).unwrap_or_else(|error| panic!("{text}: {error}")).needs;
    let kinds = needs.kinds.iter().map(|kind| kind.as_str().to_owned());
    let network = needs.network.iter().map(|value| value.as_str().to_owned());
    kinds.chain(network).chain(needs.files.iter().map(ToString::to_string)).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_variable_that_is_written_without_a_test_is_needed() {
    for (text, needed) in [
        ("{{ kernel_url }} {{ hostname }}", "kernel"),
        ("{{ initrd_url|split('/')|last }}", "initrd"),
        ("{{ 'x' ~ kernel_url|upper }}", "kernel"),
        ("{% if hostname %}{{ kernel_url }}{% endif %}", "kernel"),
        ("{% if kernel_url %}{{ initrd_url }}{% endif %}", "initrd"),
        ("{% if kernel_url %}x{% else %}{{ kernel_url }}{% endif %}", "kernel"),
        ("{% if kernel_url or initrd_url %}{{ kernel_url }}{% endif %}", "kernel"),
        ("{% if not kernel_url %}{{ kernel_url }}{% endif %}", "kernel"),
        ("{% if not kernel_url and ip %}x{% else %}{{ kernel_url }}{% endif %}", "kernel"),
        ("{% if kernel_url %}x{% endif %}{{ kernel_url }}", "kernel"),
        ("{% set k = kernel_url %}{{ k }}", "kernel"),
        ("{% set k = kernel_url ~ ' ' ~ initrd_url %}{% set l = k %}{{ l|trim }}", "kernel initrd"),
        ("{% for url in [kernel_url, initrd_url] %}{{ url }}{% endfor %}", "kernel initrd"),
        ("{% with k = kernel_url %}{{ k }}{% endwith %}", "kernel"),
        ("{% set k %}{{ kickstart_url }}{% endset %}{{ k }}", "kickstart"),
        ("{{ kernel_url|default('x') }}", "kernel"),
        ("{{ 'a' if ip else kernel_url }}", "kernel"),
    ] {
        assert_eq!(needs(text), needed, "{text}");
    }
}

#[test]
fn a_variable_that_is_tested_first_is_not_needed() {
    for text in [
        "{% if kernel_url %}{{ kernel_url }}{% endif %}",
        "{% if kernel_url and initrd_url %}{{ kernel_url }}{{ initrd_url }}{% endif %}",
        "{% if kernel_url %}{% if ip %}{% for x in dns_servers %}{{ kernel_url }}{% endfor %}{% endif %}{% endif %}",
        "{% if not kernel_url %}x{% else %}{{ kernel_url }}{% endif %}",
        "{% if kernel_url == '' %}x{% else %}{{ kernel_url }}{% endif %}",
        "{% if kernel_url != '' %}{{ kernel_url }}{% endif %}",
        "{% if ip == 'x' %}x{% elif kernel_url %}{{ kernel_url }}{% endif %}",
        "{% if not kernel_url %}x{% elif ip %}{{ kernel_url }}{% endif %}",
        "{{ kernel_url if kernel_url else 'none' }}",
        "{{ 'none' if not kernel_url else kernel_url }}",
        "{{ kernel_url or 'none' }}",
        "{{ kernel_url|default('none', true) }}",
        "{{ kernel_url and ('kernel ' ~ kernel_url) }}",
        "{% set k = kernel_url %}{% if k %}{{ k }}{% endif %}",
        "{% set k = kernel_url %}{% if kernel_url %}{{ k }}{% endif %}",
        "{% set has = kernel_url != '' %}{% if has %}{{ kernel_url }}{% endif %}",
        "{% raw %}{{ kernel_url }}{% endraw %}",
        "kernel_url {{ 'kernel_url' }}",
    ] {
        assert_eq!(needs(text), "", "{text}");
    }
}

#[test]
fn files_that_are_named_are_needed() {
    for (text, needed) in [
        ("wget {{ files_url }}/late.sh -O /x", "late.sh"),
        ("'{{ files_url }}/a.b_c-d' and {{ files_url }}/x.", "a.b_c-d x"),
        ("{{ files_url }}/_kernel {{ files_url }}/_initrd", "kernel initrd"),
        ("s={{ files_url }}/", ""),
        ("{{ files_url }}/{{ hostname }} {{ files_url }}/${arch}.img {{ files_url }}/a/b", ""),
        ("{{ files_url }}/DONE/ {{ files_url }}/done {{ files_url }}/progress {{ files_url }}/log", ""),
        ("{{ base_url }}/x", ""),
    ] {
        assert_eq!(needs(text), needed, "{text}");
    }
}

/// Each variable that can be empty, in each way to use it.
#[test]
fn every_variable_that_can_be_empty_is_needed_unless_the_template_says_what_to_write_instead() {
    let variables = [
        ("kernel_url", "kernel"),
        ("initrd_url", "initrd"),
        ("kickstart_url", "kickstart"),
        ("gateway", "gateway"),
        ("dns_servers", "dns_servers"),
    ];
    let needed = [
        "{{ X }}",
        "ip={{ ip }}::{{ X }}:{{ netmask }}",
        "{{ X|default('none') }}",
        "{{ 'a' ~ X }}",
        "{{ X|json }}",
        "{{ X|shell }}",
        "{{ (X or '') ~ X }}",
        "{% set x = X %}{{ x }}",
        "{% set x %}[{{ X }}]{% endset %}{{ x }}",
        "{% set x = '' %}{% if ip == 'x' %}{% set x = X %}{% endif %}{{ x }}",
        "{% if hostname %}{{ X }}{% endif %}",
        "{% if X %}a{% else %}{{ X }}{% endif %}",
        "{% if not X %}{{ X }}{% endif %}",
        "{% if X or ip == 'x' %}{{ X }}{% endif %}",
        "{% if X|length == 0 %}{{ X }}{% endif %}",
        "{% if X == '10.0.0.1' %}a{% else %}{{ X }}{% endif %}",
        "{% if X != '10.0.0.1' %}{{ X }}{% endif %}",
        "{% with x = X %}{{ x }}{% endwith %}",
        "{% for x in [X, ip] %}{{ x }}{% endfor %}",
        "{% for x in dns_servers %}{{ x }}{% else %}{{ X }}{% endfor %}",
        "{% filter upper %}{{ X }}{% endfilter %}",
        "{{ {'a': X}['a'] }}",
        "{{ ip if ip == 'x' else X }}",
        "a # {{ X }}",
        "#!/bin/sh {{ X }}",
        "#include {{ X }}",
    ];
    let guarded = [
        "{% if X %}{{ X }}{% endif %}",
        "{% if ip == 'x' %}a{% elif X %}{{ X }}{% endif %}",
        "{% if not X %}a{% else %}{{ X }}{% endif %}",
        "{% if X|length > 0 %}{{ X }}{% endif %}",
        "{% if X|length == 0 %}a{% else %}{{ X }}{% endif %}",
        "{% if hostname and X %}{{ X }}{% endif %}",
        "{{ X or '' }}",
        "{{ X|default('none', true) }}",
        "{{ X if X else 'none' }}",
        "{{ X and 'x' ~ X }}",
        "{{ (X or ip)|json }}",
        "{% set x = X %}{% if not x %}{% set x = ip %}{% endif %}{{ x }}",
        "{% set x %}{{ X }}{% endset %}{% if x %}{{ x }}{% endif %}",
        "{% set x = 'ip=' ~ X %}{% if x != 'ip=' %}{{ x }}{% endif %}",
        "{% for x in [X, ip] %}{% if x %}{{ x }}{% endif %}{% endfor %}",
        "{% for x in [X, ip] if x %}{{ x }}{% endfor %}",
        "# {{ X }}",
        "a\n  # see {{ X }} and {{ X }}\nb",
        "{% raw %}{{ X }}{% endraw %}",
        "X {{ 'X' }}",
        "{% set unused = X %}",
    ];
    for (variable, what) in variables {
        for text in needed {
            let text = text.replace('X', variable);
            let found = needs(&text);
            assert!(found.split(' ').any(|found| found == what), "{text} needs {found:?}, not {what}");
        }
        for text in guarded {
            let text = text.replace('X', variable);
            let found = needs(&text);
            assert!(!found.split(' ').any(|found| found == what), "{text} needs {found:?}");
        }
    }
    for text in [
        "{% for x in dns_servers %}{{ x }}{% endfor %}",
        "{% for x in dns_servers[1:] %}{{ x }}{% endfor %}",
        "{% for i in range(dns_servers|length) %}{{ dns_servers[i] }}{% endfor %}",
        "{{ dns_servers|first|default('') }}",
        "{% if gateway is startingwith('10.') %}{{ gateway }}{% endif %}",
        "{% if gateway in ['10.0.0.1'] %}{{ gateway }}{% endif %}",
        "{{ dns_servers|length }}",
    ] {
        assert_eq!(needs(text), "", "{text}");
    }
}

#[test]
fn files_are_needed_however_their_address_is_written_and_not_in_comments() {
    for (text, needed) in [
        ("{{ files_url ~ '/late.sh' }}", "late.sh"),
        ("{% set f = files_url %}wget {{ f }}/late.sh", "late.sh"),
        ("{% set f %}{{ files_url }}/late.sh{% endset %}{{ f }}", "late.sh"),
        ("{{ base_url }}/pxe/t/{{ token }}/late.sh", "late.sh"),
        ("{{ base_url }}/pxe/late.sh", "late.sh"),
        ("{{ base_url }}/pxe/", ""),
        ("# {{ files_url }}/late.sh", ""),
        ("x\n  # {{ files_url }}/late.sh\ny", ""),
        ("#!/bin/sh\nwget {{ files_url }}/late.sh # {{ files_url }}/x", "late.sh x"),
        ("{{ files_url }}/{% if ip == 'x' %}a{% endif %}b", ""),
        ("{% if ip == 'x' %}{{ files_url }}/a{% else %}{{ files_url }}/b{% endif %}", "a b"),
    ] {
        assert_eq!(needs(text), needed, "{text}");
    }
}
