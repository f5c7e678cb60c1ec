//! The command line as a whole: options, where they are accepted, and examples of the help.

use super::*;
use crate::config::FileChecks;
use clap::CommandFactory;
use clap::error::ErrorKind;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Every subcommand that can be run, as the words that select it.
fn leaves(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
    let mut subcommands = command.get_subcommands().filter(|one| one.get_name() != "help").peekable();
    if subcommands.peek().is_none() {
        found.push(words.to_vec());
    }
    for subcommand in subcommands {
        leaves(subcommand, &[words, &[subcommand.get_name().to_owned()]].concat(), found);
    }
}

fn all() -> Vec<Vec<String>> {
    let mut found = vec![];
    leaves(&Arguments::command(), &[], &mut found);
    found
}

const COMMON: [(&str, &str); 8] = [
    ("--database-url", "postgres://a/b"),
    ("--data-dir", "elsewhere"),
    ("--postgres-bin", "bin"),
    ("--secrets-dir", "secrets"),
    ("--outbound-allow", "10.0.0.0/8"),
    ("--file-checks", "off"),
    ("--log", "debug"),
    ("--log-format", "json"),
];

#[test]
fn the_common_options_are_accepted_before_between_and_after_the_words_of_every_subcommand() {
    let leaves = all();
    assert!(leaves.iter().any(|words| words.join(" ") == "token create"), "{leaves:?}");
    for words in leaves {
        for (option, value) in COMMON {
            for place in 0..=words.len() {
                let mut line = vec!["bootledger".to_owned()];
                line.extend(words[..place].iter().cloned());
                line.extend([option.to_owned(), value.to_owned()]);
                line.extend(words[place..].iter().cloned());
                // An error about the subcommand's own required arguments is expected, since the line does not have them.
                if let Err(error) = Arguments::try_parse_from(&line) {
                    let missing = [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
                    assert!(missing.contains(&error.kind()), "{line:?}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_common_option_reaches_the_subcommand_from_every_place() {
    for line in [
        "bootledger --data-dir there token list",
        "bootledger token --data-dir there list",
        "bootledger token list --data-dir there",
        "bootledger --data-dir here token list --data-dir there",
    ] {
        let arguments = Arguments::try_parse_from(line.split(' ')).expect(line);
        let Command::Token(token) = &arguments.command else { panic!("{line}") };
        assert!(format!("{token:?}").contains("data_dir: \"there\""), "{line}: {token:?}");
    }
    let arguments = Arguments::try_parse_from(["bootledger", "--data-dir", "there", "serve"]).expect("serve");
    let Command::Serve(serve) = arguments.command else { panic!("serve") };
    assert_eq!(serve.store.data_dir, PathBuf::from("there"));
    let arguments = Arguments::try_parse_from(["bootledger", "--file-checks", "off", "serve"]).expect("serve");
    let Command::Serve(serve) = arguments.command else { panic!("serve") };
    assert_eq!(serve.store.file_checks, FileChecks::Off);
}

#[test]
fn every_example_of_a_help_is_a_valid_command_line() {
    let all = Arguments::command();
    let helps: Vec<String> = std::iter::once(&all)
        .chain(all.get_subcommands())
        .filter_map(|command| command.get_after_help().map(ToString::to_string))
        .collect();
    let mut examples = 0;
    for line in helps.iter().flat_map(|help| help.lines()).filter_map(|line| Some(&line[line.find(" bootledger ")? + 1..])) {
        // Only the example's command counts, not its explanation, a redirection to a file or a command that follows.
        let own = ["   ", " > ", " && "].iter().fold(line, |line, end| line.split(end).next().unwrap_or_default());
        let quoted = own.split('"').enumerate();
        let words: Vec<String> =
            quoted
                .flat_map(|(n, part)| {
                    if n % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(ToOwned::to_owned).collect() }
                })
                .collect();
        if let Err(error) = Arguments::try_parse_from(&words) {
            panic!("{line}: {error}");
        }
        examples += 1;
    }
    assert!(examples > 20, "{examples}");
}

#[test]
fn every_subcommand_has_a_help_that_explains_it() {
    fn look(command: &mut clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty(), "{path} has no description");
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let is_first = path.split_whitespace().count() == 2;
        assert!(
            !is_first || command.is_hide_set() || help.contains("Example") && help.contains(&path[1..]),
            "{path} has no example"
        );
        drop(command.render_long_help());
        for subcommand in command.get_subcommands_mut().filter(|one| one.get_name() != "help") {
            look(subcommand, &path);
        }
    }
    Arguments::command().debug_assert();
    look(&mut Arguments::command(), "");
}

/// Every environment variable that an option of the command or of its subcommands is read from.
fn variables(command: &clap::Command, into: &mut BTreeSet<String>) {
    into.extend(command.get_arguments().filter_map(|argument| argument.get_env()?.to_str().map(ToOwned::to_owned)));
    for subcommand in command.get_subcommands() {
        variables(subcommand, into);
    }
}

#[test]
fn the_sample_of_settings_has_every_environment_variable_and_no_other() {
    let mut expected = BTreeSet::new();
    variables(&Arguments::command(), &mut expected);
    let sample = include_str!("../../.env.sample");
    let settings = sample.lines().filter_map(|line| line.strip_prefix('#')?.split_once('=')).map(|(name, _)| name.to_owned());
    let settings = settings.filter(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
    assert_eq!(settings.collect::<BTreeSet<_>>(), expected);
}

/// The same command with help that does not show the values of this process's environment.
fn without_values(command: clap::Command) -> clap::Command {
    command.mut_args(|argument| argument.hide_env_values(true)).mut_subcommands(without_values)
}

fn write_helps(command: &mut clap::Command, path: &str, text: &mut String) {
    let path = format!("{path} {}", command.get_name());
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    writeln!(text, "===={path} --help ====\n{}\n", lines.join("\n")).expect("a text");
    for subcommand in command.get_subcommands_mut().filter(|one| one.get_name() != "help" && !one.is_hide_set()) {
        write_helps(subcommand, &path, text);
    }
}

#[test]
fn the_words_of_every_help_are_reviewed() {
    let mut command = without_values(Arguments::command()).term_width(100);
    command.build();
    let mut text = String::new();
    write_helps(&mut command, "", &mut text);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("help", text);
    });
}
