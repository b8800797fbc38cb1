//! The `unionhall` binary: reads the command line and runs it.

use clap::Parser;

fn main() -> std::process::ExitCode {
    unionhall::cli::Cli::parse().run()
}
