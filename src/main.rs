//! The `unionhall` binary: reads the command line and runs it.

use clap::Parser;

/// Requests take and give back many blocks of some kilobytes, which the C library's allocator spends a quarter of their time on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    unionhall::cli::Cli::parse().run()
}
