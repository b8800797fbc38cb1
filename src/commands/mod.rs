//! What the commands do.

mod check;
pub mod demo;
mod serve;
mod staff;

use std::process::ExitCode;
use std::sync::Arc;

use crate::app::StartError;
use crate::cli::{AuditCommand, Cli, Command, LedgerCommand, PlanCommand, VaultCommand};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, DEFAULTS};
use crate::ids::{Ids, SystemEntropy};

/// The machine's clock and randomness.
pub(crate) fn real_world() -> (SharedClock, Ids) {
    let clock: SharedClock = Arc::new(SystemClock);
    (Arc::clone(&clock), ids_at(clock))
}

/// Ids stamped by `clock`, with the machine's randomness.
pub(crate) fn ids_at(clock: SharedClock) -> Ids {
    Ids::new(clock, Arc::new(SystemEntropy))
}

/// Runs a command.
pub fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command.unwrap_or(Command::Serve) {
        Command::Openapi => openapi(),
        Command::CheckConfig { defaults: true } => {
            print!("{DEFAULTS}");
            Ok(true)
        }
        command => Config::load(cli.config.as_deref()).map_err(StartError::from).and_then(|config| {
            // A demonstration speaks with its progress bar.
            let quiet = matches!(command, Command::Demo { .. });
            log(&config, if quiet { "warn" } else { &config.log.level });
            with_config(command, &config)
        }),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn with_config(command: Command, config: &Config) -> Result<bool, StartError> {
    match command {
        Command::Serve => serve::serve(config),
        Command::Migrate { check } => check::migrate(config, check),
        Command::Seed { folder, no_demo } => check::seed(config, folder, no_demo),
        Command::CheckConfig { .. } => {
            println!("配置无误 / The configuration is fine\n{}", config.describe());
            Ok(true)
        }
        Command::Staff(command) => staff::run(config, command),
        Command::Ledger(LedgerCommand::Verify) => check::ledger_verify(config),
        Command::Plan(PlanCommand::Roll { from, to }) => check::plan_roll(config, from, to),
        Command::Audit(AuditCommand::Verify) => check::audit_verify(config),
        Command::Vault(VaultCommand::Rotate) => check::vault_rotate(config),
        Command::WechatSim { listen, appid, secret } => serve::wechat_sim(config, listen, appid, secret),
        Command::Demo { year: true, .. } => demo::demo_year(config),
        Command::Demo { url, wechat_sim, workers, year: false } => {
            demo::demo(config, url, wechat_sim, workers)
        }
        // Answered before the settings are read.
        Command::Openapi => openapi(),
    }
}

fn openapi() -> Result<bool, StartError> {
    print!("{}", crate::openapi::yaml().map_err(StartError::Other)?);
    Ok(true)
}

fn log(config: &Config, level: &str) {
    let filter = level.parse().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // A second initialisation (a test's) keeps the first.
    let _first = match config.log.format.as_str() {
        "json" => builder.json().flatten_event(true).try_init(),
        _ => builder.with_target(false).try_init(),
    };
}
