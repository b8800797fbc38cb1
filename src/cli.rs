//! The commands. `serve` is what runs when nothing is said.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands;
use crate::platform::access::Role;

/// 龙岗工会小程序后端 · Backend of a trade-union mini-program
///
/// Without a command, `serve` runs: with nothing but this binary it makes a SQLite file under ./data, loads the union
/// tree, the 2025 work plan and a demonstration, starts a simulated WeChat, and says where to look.
#[derive(Debug, Parser)]
#[command(
    name = "unionhall",
    version,
    after_help = "示例 / Example:\n  unionhall\n  unionhall --config /etc/unionhall.toml serve"
)]
pub struct Cli {
    /// 配置文件 / Settings; ./unionhall.toml is read where there is one
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// 启动服务（默认） / Serve the API (the default)
    #[command(
        after_help = "示例 / Example:\n  unionhall serve\n  UNIONHALL__SERVER__LISTEN=0.0.0.0:8080 unionhall serve"
    )]
    Serve,
    /// 升级数据库 / Bring the database's schema up to date
    #[command(
        after_help = "示例 / Example:\n  unionhall migrate\n  unionhall migrate --check   # only say what is missing; exit 1 if anything is"
    )]
    Migrate {
        /// Only say what is missing, and exit with 1 if anything is
        #[arg(long)]
        check: bool,
    },
    /// 载入初始数据 / Load the union tree, the plan, the rules, and the demonstration
    #[command(after_help = "示例 / Example:\n  unionhall seed\n  unionhall seed --folder ./seeds --no-demo")]
    Seed {
        /// Read the files of this folder instead of those in the binary
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
        /// Leave the demonstration out
        #[arg(long)]
        no_demo: bool,
    },
    /// 输出接口文档 / Print the OpenAPI document
    #[command(after_help = "示例 / Example:\n  unionhall openapi > openapi.yaml")]
    Openapi,
    /// 检查配置 / Check the settings and show them without secrets
    #[command(after_help = "示例 / Example:\n  unionhall --config unionhall.toml check-config")]
    CheckConfig {
        /// Print every setting with its default, commented
        #[arg(long)]
        defaults: bool,
    },
    /// 工作人员授权 / Staff rights
    #[command(subcommand)]
    Staff(StaffCommand),
    /// 台账 / The ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// 工作要点 / The work plan
    #[command(subcommand)]
    Plan(PlanCommand),
    /// 审计 / The audit chain
    #[command(subcommand)]
    Audit(AuditCommand),
    /// 密钥 / Encrypted fields
    #[command(subcommand)]
    Vault(VaultCommand),
    /// 单独启动微信模拟器 / Run the simulated WeChat alone
    #[command(
        after_help = "示例 / Example:\n  unionhall wechat-sim --listen 127.0.0.1:8090\n  curl '127.0.0.1:8090/sim/login-code?user=zhang'"
    )]
    WechatSim {
        /// Address and port
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: String,
        /// The one mini-program that exists; wechat.appid when left out
        #[arg(long)]
        appid: Option<String>,
        /// Its secret; wechat.secret when left out
        #[arg(long)]
        secret: Option<String>,
    },
    /// 演示：抢名额、候补递补、签到、结算 / Demonstration over real HTTP: a rush, a waiting list moves up, workers are checked in, the plan moves
    #[command(
        after_help = "示例 / Example:\n  unionhall demo                                  # an own temporary server\n  unionhall demo --url http://127.0.0.1:8080 --workers 500\n  unionhall demo --year                           # the year 2025 in some minutes: all 46 targets"
    )]
    Demo {
        /// A running server; an own temporary one when left out
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// The simulator of that server
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8090")]
        wechat_sim: String,
        /// How many workers
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
        workers: u32,
        /// The year 2025 in some minutes, on an own temporary server with a clock of its own: every target to a known value
        #[arg(long, conflicts_with_all = ["url", "workers"])]
        year: bool,
    },
}

/// Staff rights.
#[derive(Debug, Subcommand)]
pub enum StaffCommand {
    /// 授权 / Grant a role over a subtree
    #[command(
        after_help = "示例 / Example:\n  unionhall staff grant --openid oAbc… --role admin --organisation longgang\n  unionhall staff grant --person per_… --role checkin_staff --organisation street-pinghu"
    )]
    Grant {
        #[command(flatten)]
        whom: Whom,
        /// The role
        #[arg(long)]
        role: Role,
        /// Code of the root of the subtree, such as street-pinghu
        #[arg(long)]
        organisation: String,
    },
    /// 撤销授权 / Revoke a role
    #[command(
        after_help = "示例 / Example:\n  unionhall staff revoke --person per_… --role checkin_staff --organisation street-pinghu"
    )]
    Revoke {
        #[command(flatten)]
        whom: Whom,
        /// The role
        #[arg(long)]
        role: Role,
        /// Code of the root of the subtree
        #[arg(long)]
        organisation: String,
    },
    /// 列出授权 / List all live grants
    #[command(after_help = "示例 / Example:\n  unionhall staff list")]
    List,
}

/// A person, by one of two names.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Whom {
    /// The person's id
    #[arg(long)]
    pub person: Option<crate::ids::PersonId>,
    /// The person's WeChat openid in this mini-program; they need not have logged in yet
    #[arg(long)]
    pub openid: Option<String>,
}

/// The ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// 从来源重新计算并核对 / Recompute everything from its sources and name every difference
    #[command(after_help = "示例 / Example:\n  unionhall ledger verify   # exit 1 if anything differs")]
    Verify,
}

/// The work plan.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// 结转到新年度 / Make a year's plan from another year's: items, targets, rules and milestones, nothing of what was counted
    #[command(
        after_help = "示例 / Example:\n  unionhall plan roll --from 2025 --to 2026   # the old plan stays as it is"
    )]
    Roll {
        /// The year to copy
        #[arg(long, value_parser = clap::value_parser!(i64).range(1900..=9999))]
        from: i64,
        /// The new year
        #[arg(long, value_parser = clap::value_parser!(i64).range(1900..=9999))]
        to: i64,
    },
}

/// The audit chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// 核对审计链 / Recompute the chain and name the first entry that does not fit
    #[command(after_help = "示例 / Example:\n  unionhall audit verify   # exit 1 if the chain is broken")]
    Verify,
}

/// Encrypted fields.
#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// 用当前密钥重新加密 / Seal everything again under the active key, while serving
    #[command(
        after_help = "示例 / Example:\n  unionhall vault rotate   # after moving the old key to vault.retired and setting a new one"
    )]
    Rotate,
}

impl Cli {
    /// Runs the command; gives the process's exit code.
    pub fn run(self) -> std::process::ExitCode {
        commands::run(self)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_commands_are_well_defined_and_each_has_an_example() {
        let mut root = Cli::command();
        root.build();
        root.clone().debug_assert();
        fn check(command: &clap::Command) {
            let leaf = command.get_subcommands().all(|sub| sub.get_name() == "help");
            if leaf && command.get_name() != "help" {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{} has no example", command.get_name());
            }
            command.get_subcommands().filter(|sub| sub.get_name() != "help").for_each(check);
        }
        check(&root);
    }
}
