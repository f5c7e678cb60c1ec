//! The program: reads the arguments, runs the subcommand, and prints an error that ends it.

use bootledger::cli::{self, Arguments};
use bootledger_projections::database::cause::Cause;
use clap::Parser;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    // A missing `.env` is fine. Variables of the environment take precedence over it.
    drop(dotenvy::dotenv());
    drop(rustls::crypto::ring::default_provider().install_default());
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let outcome = runtime.block_on(cli::run(arguments));
    // A thread that resolves a name or hashes a password need not end before the process does.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match outcome {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let text = format!("{error:#}");
    eprintln!("bootledger: {text}");
    // An error of the database or the operating system, explained to an operator.
    let sentence = Cause::in_chain(error.chain()).filter(|cause| cause.passes()).map(Cause::sentence);
    if let Some(sentence) = sentence.filter(|sentence| !text.contains(sentence)) {
        eprintln!("bootledger: {sentence}");
    }
    ExitCode::FAILURE
}
