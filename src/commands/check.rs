//! `migrate`, `seed`, and the commands that verify or rotate.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};

use super::real_world;
use crate::app::{self, StartError};
use crate::clock::civil_day;
use crate::config::Config;
use crate::ids::Ids;
use crate::legal_aid;
use crate::people;
use crate::plan;
use crate::platform::audit;
use crate::platform::db::{Db, migrate};
use crate::platform::files;
use crate::policy;
use crate::review;
use crate::seed::loader::{Loaded, Loader};
use crate::seed::{self, SeedSource};
use crate::signup::penalty;
use crate::visits;

fn spinner(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    // A template that cannot be read leaves the default, which is fine too.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos} {elapsed}") {
        bar.set_style(style);
    }
    bar
}

fn migrated(config: &Config) -> Result<Db, StartError> {
    let db = app::open_database(config)?;
    app::migrate_database(&db)?;
    Ok(db)
}

pub(super) fn migrate(config: &Config, only_check: bool) -> Result<bool, StartError> {
    let db = app::open_database(config)?;
    if only_check {
        let missing = migrate::pending(&db)?;
        for step in &missing {
            println!("缺少 / missing: {step}");
        }
        println!(
            "{}",
            if missing.is_empty() {
                "数据库为最新版本 / up to date"
            } else {
                "需要升级 / not up to date"
            }
        );
        return Ok(missing.is_empty());
    }
    let done = app::migrate_database(&db)?;
    for step in &done {
        println!("已执行 / applied: {step}");
    }
    println!("数据库为最新版本 / {} is up to date", db.target().describe());
    Ok(true)
}

pub(super) fn seed(config: &Config, folder: Option<PathBuf>, no_demo: bool) -> Result<bool, StartError> {
    let db = migrated(config)?;
    let (clock, ids) = real_world();
    let loaded = seed_database(config, &db, &ids, clock.now(), folder, !no_demo && config.seed.demo)?;
    println!(
        "已载入 / loaded: 新增 {} created, 更新 {} changed, 未变 {} unchanged",
        loaded.created, loaded.changed, loaded.unchanged
    );
    if let Some(gaps) = calendar_gaps(&db, clock.now())? {
        println!("{gaps}");
    }
    Ok(true)
}

/// Loads the seeds into a migrated database.
pub fn seed_database(
    config: &Config,
    db: &Db,
    ids: &Ids,
    now: DateTime<Utc>,
    folder: Option<PathBuf>,
    demo: bool,
) -> Result<Loaded, StartError> {
    let source = folder.map_or(SeedSource::Embedded, SeedSource::Folder);
    let seeds = seed::load(&source)?;
    let simulated_appid = config.wechat.simulator.then_some(config.wechat.appid.as_str());
    let loader = Loader { ids, now, simulated_appid, demo };
    let loaded = db.write_blocking(|conn| seed::loader::load_in_tx(conn, &seeds, &loader))?;
    if loaded.created + loaded.changed > 0 {
        tracing::info!(created = loaded.created, changed = loaded.changed, "seeds loaded");
    }
    Ok(loaded)
}

/// The years that due dates are about to run into and the calendar does not know, in both languages. Nothing where all is well.
pub(super) fn calendar_gaps(db: &Db, now: DateTime<Utc>) -> Result<Option<String>, StartError> {
    let years = db.read_blocking(|conn| policy::store::unknown_years(conn, civil_day(now)))?;
    if years.is_empty() {
        return Ok(None);
    }
    let years = years.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::warn!(years, "the calendar does not know these years: their holidays count as plain weeks");
    Ok(Some(format!(
        "日历缺少 {years} 年的放假安排，期限按普通周计算，请更新 calendar.csv / no holidays of {years} in the calendar: terms count plain weeks"
    )))
}

/// The database as it is: verifying changes nothing, the schema neither.
fn untouched(config: &Config) -> Result<Db, StartError> {
    let db = app::open_database(config)?;
    if migrate::pending(&db)?.is_empty() {
        return Ok(db);
    }
    Err(StartError::Other("数据库需要升级，请先运行 unionhall migrate / the database is not up to date: run `unionhall migrate` first".into()))
}

pub(super) fn ledger_verify(config: &Config) -> Result<bool, StartError> {
    let db = untouched(config)?;
    let bar = spinner("核对台账 / verifying the ledger");
    let report = db.snapshot_blocking(|conn| {
        plan::verify::verify(conn, |done| bar.set_position(u64::try_from(done).unwrap_or(0)))
    })?;
    bar.finish_and_clear();
    for difference in &report.differences {
        println!("{:>16}  {}", difference.code, difference.detail);
    }
    println!(
        "{} 条台账，{} 处不符 / {} lines, {} differences",
        report.lines,
        report.differences.len(),
        report.lines,
        report.differences.len()
    );
    Ok(report.differences.is_empty())
}

pub(super) fn plan_roll(config: &Config, from: i64, to: i64) -> Result<bool, StartError> {
    let db = migrated(config)?;
    let (clock, ids) = real_world();
    let rolled = db.write_blocking(|conn| plan::rolling::roll_in_tx(conn, &ids, clock.now(), from, to))?;
    println!(
        "已由 {from} 年结转 {to} 年工作要点 / the plan of {to} is made from that of {from}: {} items, {} targets, {} rules, {} milestones",
        rolled.items, rolled.targets, rolled.rules, rolled.milestones
    );
    Ok(true)
}

pub(super) fn audit_verify(config: &Config) -> Result<bool, StartError> {
    let db = untouched(config)?;
    let bar = spinner("核对审计链 / verifying the audit chain");
    let verified = db.read_blocking(|conn| {
        audit::verify(conn, |done| bar.set_position(u64::try_from(done).unwrap_or(0)))
    })?;
    bar.finish_and_clear();
    match verified.broken {
        None => println!(
            "{} 条审计记录，链完整 / {} entries, the chain is whole",
            verified.entries, verified.entries
        ),
        Some((seq, why)) => println!("第 {seq} 条不符 / entry {seq} does not fit: {why}"),
    }
    Ok(verified.broken.is_none())
}

pub(super) fn vault_rotate(config: &Config) -> Result<bool, StartError> {
    let db = migrated(config)?;
    let (_, ids) = real_world();
    let vault = app::open_vault(config, &ids)?;
    let bar = spinner("重新加密 / sealing again");
    let mut resealed = 0;
    let mut after = None;
    loop {
        let page = db.read_blocking(|conn| people::store::sealed_after(conn, after, 200))?;
        let Some(last) = page.last() else { break };
        after = Some(last.person);
        resealed += db.write_blocking(|conn| {
            page.iter()
                .try_fold(0, |sum, cell| people::store::reseal_in_tx(conn, &vault, cell).map(|n| sum + n))
        })?;
        bar.inc(u64::try_from(page.len()).unwrap_or(0));
    }
    let mut after = None;
    loop {
        let page = db.read_blocking(|conn| penalty::store::sealed_after(conn, after, 200))?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        resealed += db.write_blocking(|conn| {
            page.iter().try_fold(0, |sum, (id, sealed)| match sealed {
                Some(sealed) => penalty::store::reseal_in_tx(conn, &vault, *id, sealed).map(|n| sum + n),
                None => Ok(sum),
            })
        })?;
        bar.inc(u64::try_from(page.len()).unwrap_or(0));
    }
    resealed += review::sealing::rotate(&db, &vault, || bar.inc(1))?;
    resealed += visits::sealing::rotate(&db, &vault, || bar.inc(1))?;
    resealed += legal_aid::sealing::rotate(&db, &vault, || bar.inc(1))?;
    resealed += legal_aid::papers::sealing::rotate(&db, &vault, || bar.inc(1))?;
    resealed += legal_aid::hands::sealing::rotate(&db, &vault, || bar.inc(1))?;
    resealed += legal_aid::glass_sealing::rotate(&db, &vault, || bar.inc(1))?;
    let storage = app::open_storage(config)?;
    resealed += files::jobs::rotate(&db, &vault, &storage, || bar.inc(1))?;
    resealed += plan::exports::sealing::rotate(&db, &vault, &storage, || bar.inc(1))?;
    let keys = crate::identity::store::reseal_session_keys(&db, &vault, config.wechat.appid.as_str())?;
    bar.finish_and_clear();
    println!("已用当前密钥重新加密 / sealed again under the active key: {}", resealed + keys);
    Ok(true)
}
