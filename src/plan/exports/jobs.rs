//! Makes reports, one job each, and lets go of those that were kept for long enough.

use chrono::TimeDelta;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::model::{CONTENT, ExportFormat, ExportKind, ExportState, PlanExport, storage_key};
use super::sheet::Sheet;
use super::workbook::Newest;
use super::{csv, filling, page, store, workbook};
use crate::clock::{SharedClock, civil_day};
use crate::error::{Error, Result};
use crate::ids::PlanExportId;
use crate::org;
use crate::org::model::Organisation;
use crate::plan::store as plans;
use crate::platform::audit::{self, Entry};
use crate::platform::db::{Conn, Db};
use crate::platform::files::storage::Storage;
use crate::platform::outbox::{Job, JobHandler};
use crate::platform::vault::Vault;
use crate::policy;

/// The job that makes a report.
pub const MAKE: &str = "plan.report";
/// How long a report is kept.
pub const KEEP: &str = "report.keep";
/// Lines of one target in a report at most: what fits into memory twice.
pub const LINES: i64 = 200_000;
/// Lines of each target in a workbook.
const NEWEST: i64 = 200;

/// Makes one report. Whoever takes the job over after a crash writes the same bytes to the same place.
pub struct Make {
    /// The present.
    pub clock: SharedClock,
    /// Seals contents.
    pub vault: Vault,
    /// Where contents lie.
    pub storage: Storage,
}

impl JobHandler for Make {
    fn kind(&self) -> &'static str {
        MAKE
    }

    fn is_long(&self) -> bool {
        true
    }

    fn prepare(&self, db: &Db, job: &Job) -> Result<()> {
        let id = report(job)?;
        let row = db.read_blocking(|conn| store::get(conn, id))?;
        if !matches!(row.state, ExportState::Waiting | ExportState::Making) {
            return Ok(());
        }
        let bytes = made(db, &row)?;
        let (digest, length) = (Sha256::digest(&bytes), i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        let sealed = self.vault.seal_bytes(CONTENT, id.0.as_bytes(), &bytes).map_err(Error::internal)?;
        drop(bytes);
        self.storage.put_blocking(&row.storage_key(), sealed)?;
        db.write_blocking(|conn| store::kept_in_tx(conn, id, &digest, length, self.vault.active_key()))
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        let (id, now) = (report(job)?, self.clock.now());
        let days = policy::store::number_on(conn, KEEP, civil_day(now))?;
        if store::ready_in_tx(conn, id, now, now + TimeDelta::days(days.clamp(1, 3650)))? {
            audit::append_in_tx(conn, now, vec![Entry::system("report.make", id)])?;
        }
        Ok(())
    }
}

fn report(job: &Job) -> Result<PlanExportId> {
    let payload: Value = serde_json::from_str(&job.payload).map_err(Error::internal)?;
    let id = payload.get("report_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::internal("a job names no report"))
}

/// The content of a report, from what was known at its moment. Says from time to time how far it is.
fn made(db: &Db, row: &PlanExport) -> Result<Vec<u8>> {
    let tell = |percent: i64| db.write_blocking(|conn| store::progress_in_tx(conn, row.id, percent));
    tell(5)?;
    match row.kind {
        ExportKind::Lines => lines(db, row, tell),
        ExportKind::Figures => {
            // Roll-ups and what came later must be of one view.
            let (sheet, newest) = db.snapshot_blocking(|conn| {
                let sheet = read(conn, row)?;
                let newest = match row.format {
                    ExportFormat::Xlsx => newest(conn, row, &sheet)?,
                    ExportFormat::Csv | ExportFormat::Html => Newest::default(),
                };
                Ok((sheet, newest))
            })?;
            tell(50)?;
            let figures = csv::figures(&sheet)?;
            let digest = hex::encode(Sha256::digest(&figures));
            let bytes = match row.format {
                ExportFormat::Csv => figures,
                ExportFormat::Html => page::report(&sheet, &digest).into_bytes(),
                ExportFormat::Xlsx => workbook::workbook(&sheet, &digest, &newest)?,
            };
            tell(90)?;
            Ok(bytes)
        }
    }
}

/// The organisation that a report is about; none for the district.
fn focus(conn: &mut Conn, row: &PlanExport) -> Result<Option<Organisation>> {
    let organisation = org::store::get(conn, row.organisation_id)?;
    Ok(organisation.parent_id.is_some().then_some(organisation))
}

/// A plan's figures as of a moment, on one view of the database.
fn read(conn: &mut Conn, row: &PlanExport) -> Result<Sheet> {
    let focus = focus(conn, row)?;
    let year = store::plan_of(conn, row.plan_id)?.year;
    filling::as_of(conn, year, row.as_of.and_utc(), focus.as_ref())
}

fn newest(conn: &mut Conn, row: &PlanExport, sheet: &Sheet) -> Result<Newest> {
    let pattern = focus(conn, row)?.map(|focus| format!("{}%", focus.path));
    let mut newest = Newest { each: NEWEST, ..Newest::default() };
    newest.all = sheet.figures().map(|figure| figure.lines).sum();
    for target in plans::targets(conn, row.plan_id)? {
        let wanted =
            store::Wanted { target: target.id, pattern: pattern.clone(), as_of: row.as_of.and_utc() };
        newest.lines.extend(store::newest(conn, &wanted, NEWEST)?);
    }
    Ok(newest)
}

/// Lines as of a moment never change, so that they are read page by page.
fn lines(db: &Db, row: &PlanExport, tell: impl Fn(i64) -> Result<()>) -> Result<Vec<u8>> {
    let target = row.target_id.ok_or_else(|| Error::internal("a report of lines names no target"))?;
    let pattern = db.read_blocking(|conn| Ok(focus(conn, row)?.map(|focus| format!("{}%", focus.path))))?;
    let all = db.read_blocking(|conn| store::line_count(conn, target, pattern.clone()))?.max(1);
    let wanted = store::Wanted { target, pattern, as_of: row.as_of.and_utc() };
    let mut table = csv::Lines::new()?;
    let (mut after, mut done) = (None, 0);
    loop {
        let page = db.read_blocking(|conn| store::page(conn, &wanted, after))?;
        let Some(last) = page.last() else { break };
        after = Some(last.line.place());
        table.add(&page)?;
        done += store::PAGE;
        tell(5 + (85 * done / all).min(85))?;
    }
    table.finish()
}

/// Lets go of reports that were kept for long enough, every hour.
pub struct Sweep {
    /// The present.
    pub clock: SharedClock,
    /// Where contents lie.
    pub storage: Storage,
}

impl JobHandler for Sweep {
    fn kind(&self) -> &'static str {
        "plan.reports.sweep"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::hours(1))
    }

    fn prepare(&self, db: &Db, _: &Job) -> Result<()> {
        let now = self.clock.now();
        // First the row, so that nobody is shown a report that is gone.
        db.write_blocking(|conn| store::expire_in_tx(conn, now))?;
        for id in db.read_blocking(store::to_erase)? {
            self.storage.delete_blocking(&storage_key(id))?;
            db.write_blocking(|conn| store::erased_in_tx(conn, id, now))?;
        }
        Ok(())
    }

    fn run_in_tx(&self, _: &mut Conn, _: &Job) -> Result<()> {
        Ok(())
    }
}
