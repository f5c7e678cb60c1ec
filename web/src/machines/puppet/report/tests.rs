//! Tests with reports as Puppet 7 and older agents send them, and with invalid and malicious ones.

use super::*;
use std::fmt::Write;

/// A report with these lines after the first ones, as Debian's Puppet 7.23 writes it.
fn report(status: &str, lines: &str) -> String {
    format!(
        "--- !ruby/object:Puppet::Transaction::Report
host: H200.dc1.example
time: '2026-11-23T22:58:28.556452948+00:00'
configuration_version: 1795474708
transaction_uuid: 2b280354-09c8-4b50-b4bd-3fba24b3c2a7
report_format: 12
status: {status}
transaction_completed: true
noop: false
{lines}
resource_statuses:
  Exec[/bin/false]:
    title: \"/bin/false\"
    failed: true
    status: {{a: [b, 'c']}}
    events:
    - audited: false
      status: failure
corrective_change: false
catalog_uuid: 4ba32626-4d45-4d52-a19c-c707d748e660
cached_catalog_status: not_used
"
    )
}

const LOGS: &str = "logs:
- level: notice
  message: role web
  source: Puppet
- level: err
  message: \"'/bin/false' returned 1 instead of one of [0]\"
  source: Puppet
  file:
  line:
- level: err
  message: 'change from ''notrun'' to [''0''] failed: ''/bin/false'' returned 1 instead
    of one of [0]'
  source: \"/Stage[main]/Demo/Exec[/bin/false]/returns\"
  tags:
  - err
metrics:
  resources:
    values:
    - - total
      - Total
      - 10";

fn messages(run: &PuppetRun) -> Vec<&str> {
    match &run.outcome {
        PuppetOutcome::Failed { messages } => messages.iter().map(Text::as_str).collect(),
        PuppetOutcome::Succeeded => panic!("it succeeded"),
    }
}

#[test]
fn a_failed_run_is_reported_with_its_errors_and_their_places() {
    let run = read(report("failed", LOGS).as_bytes()).expect("a report");
    assert_eq!(run.certname.as_str(), "h200.dc1.example");
    assert_eq!(
        messages(&run),
        [
            "'/bin/false' returned 1 instead of one of [0]",
            "/Stage[main]/Demo/Exec[/bin/false]/returns: change from 'notrun' to ['0'] failed: '/bin/false' returned 1 instead of \
             one of [0]",
        ]
    );
    assert_eq!(run.transaction.as_str(), "2b280354-09c8-4b50-b4bd-3fba24b3c2a7");
}

#[test]
fn a_run_that_changed_something_or_nothing_succeeded() {
    for status in ["changed", "unchanged", "\"changed\"", "!ruby/sym changed"] {
        let run = read(report(status, LOGS).as_bytes()).expect(status);
        assert_eq!((run.outcome, run.noop, run.compiled), (PuppetOutcome::Succeeded, false, true), "{status}");
    }
}

#[test]
fn runs_in_noop_mode_or_with_a_cached_catalogue_are_distinguished() {
    let good = report("changed", LOGS);
    let noop = read(good.replace("noop: false", "noop: true").as_bytes()).expect("a report");
    assert!(noop.noop && noop.compiled);
    for cached in ["on_failure", "explicitly_requested", ""] {
        let cached = format!("cached_catalog_status: {cached}");
        let run = read(good.replace("cached_catalog_status: not_used", &cached).as_bytes()).expect("a report");
        assert!(!run.compiled && !run.noop, "{cached}");
    }
    let silent = good.replace("noop: false", "").replace("cached_catalog_status: not_used", "");
    assert!(read(silent.as_bytes()).is_ok_and(|run| run.noop && !run.compiled));
}

#[test]
fn tags_symbols_and_aliases_of_old_agents_are_read() {
    let logs = "logs:
- !ruby/object:Puppet::Util::Log
  level: !ruby/sym err
  message: &1 no nginx
  source: &2 Puppet
- !ruby/object:Puppet::Util::Log
  level: :crit
  message: *1
  source: *2
- *3";
    let run = read(report("failed", logs).replace("\n- *3", "").as_bytes()).expect("a report");
    assert_eq!(messages(&run), ["no nginx", "no nginx"]);
    assert!(read(report("failed", logs).as_bytes()).is_err(), "an alias of nothing");
}

#[test]
fn long_and_many_messages_are_cut_and_stay_one_line() {
    let one = format!("- level: err\n  message: \"{}\\nb\"\n  source: Puppet\n", "ä\\e".repeat(400));
    let run = read(report("failed", &format!("logs:\n{}", one.repeat(50))).as_bytes()).expect("a report");
    assert_eq!(messages(&run).len(), MESSAGES_KEPT);
    assert!(messages(&run).iter().all(|message| message.chars().count() <= 300 && !message.chars().any(char::is_control)));
}

#[test]
fn an_invalid_report_is_refused_with_a_reason() {
    let good = report("changed", LOGS);
    for (body, reason) in [
        (String::new(), ""),
        ("garbage".to_owned(), "not a mapping"),
        ("- a\n- b\n".to_owned(), "not a mapping"),
        ("{\"host\": [}".to_owned(), ""),
        ("a: b\n".to_owned(), "has no host"),
        (good.replace("H200.dc1.example", "h200"), "not a host name"),
        (good.replace("H200.dc1.example", "\"h200.dc1.example\\nx: y\""), "not a host name"),
        (good.replace("host: H200.dc1.example", "host: [h200.dc1.example]"), "has no host"),
        (report("running", LOGS), "its status is \"running\""),
        (good.replace("status: changed", ""), "its status is \"\""),
        (format!("{good}---\n*1\n"), ""),
        (good[..good.len() - 200].to_owned() + "\"", ""),
    ] {
        let error = read(body.as_bytes()).expect_err(&body);
        assert!(error.contains(reason), "{error} for {body}");
    }
    assert!(read(b"host: \xff\n").is_err_and(|error| error.contains("UTF-8")));
}

/// Each line refers to the one before nine times: fully expanded, it would be 9^9 texts.
#[test]
fn a_bomb_of_aliases_is_no_more_than_its_lines() {
    let mut bomb = "logs:\n- &a0 {level: err, message: x, source: Puppet}\n".to_owned();
    for n in 1..1000 {
        let before = vec![format!("*a{}", n - 1); 9].join(", ");
        writeln!(bomb, "- &a{n} [{before}]").expect("a line");
    }
    let run = read(report("failed", &bomb).as_bytes()).expect("a report");
    assert_eq!(messages(&run), ["x"]);
}

#[test]
fn deep_nesting_does_not_overflow_or_hang() {
    for deep in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "? ".repeat(100_000)] {
        drop(read(report("failed", &format!("x: {deep}")).as_bytes()));
        drop(read(deep.as_bytes()));
    }
}

#[test]
fn a_report_that_is_nested_without_end_is_refused_in_words() {
    for nest in ["[", "{", "{a: ", "- ", "? ", "&a [", "!t [", "a: [", "[[{"] {
        for count in [1, 300, 100_000] {
            read(format!("host: a\nlogs: {}", nest.repeat(count)).as_bytes()).expect_err(nest);
            read(format!("{}\n", nest.repeat(count)).as_bytes()).expect_err(nest);
        }
    }
}
