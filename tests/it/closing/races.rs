//! Counting and closing at once: whoever counts shares the month's row, whoever closes holds it alone.

use std::sync::{Arc, Barrier};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use unionhall::clock::{Clock, SystemClock};
use unionhall::error::Result;
use unionhall::ids::{Ids, OrganisationId, SystemEntropy, TargetId};
use unionhall::ledger;
use unionhall::ledger::model::{Because, Cause, Grade, NewLine, SourceKind};
use unionhall::plan::closing::model::PeriodKind;
use unionhall::plan::closing::store as closing;
use unionhall::plan::store as plans;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{held_corrections, ledger_lines, targets};
use uuid::Uuid;

use crate::harness::{Test, TestApp, ground};

pub const TESTS: &[Test] = tests![nothing_recorded_before_the_close_is_committed_after_it];

const ROUNDS: u32 = 12;

fn line((target, organisation): (TargetId, OrganisationId), month: NaiveDate, number: u128) -> NewLine {
    NewLine {
        target,
        organisation,
        day: month,
        quantity: 1,
        dedup_key: format!("race/{month}/{number:03}"),
        source_kind: SourceKind::Attendance,
        source_id: Uuid::from_u128(number),
        activity: None,
        grade: Grade::B,
    }
}

/// What is known of a month: the sum and number of its lines.
fn known(
    conn: &mut Conn,
    target: TargetId,
    month: NaiveDate,
    as_of: Option<DateTime<Utc>>,
) -> Result<(i64, i64)> {
    let all = match as_of {
        Some(at) => ledger::past::rollups_as_of(conn, &[target], at)?,
        None => ledger::store::rollups(conn, &[target])?,
    };
    let rows = all.get(&target).map(Vec::as_slice).unwrap_or_default();
    let rows = rows.iter().filter(|row| row.month == month);
    Ok(rows.fold((0, 0), |sum, row| (sum.0 + row.quantity, sum.1 + row.lines)))
}

async fn nothing_recorded_before_the_close_is_committed_after_it(app: TestApp) {
    app.expect_differences();
    let target: TargetId = app
        .read(|conn| Ok(targets::table.filter(targets::code.eq("07b")).select(targets::id).first(conn)?))
        .await;
    let place = (target, app.organisation("longgang").await);
    let officers = (app.staff("planner").await.person(), app.staff("admin").await.person());
    let url = app.config().database.url.clone();
    for round in 0..ROUNDS {
        let month = NaiveDate::from_ymd_opt(2025, round % 12 + 1, 1).unwrap();
        let start = Arc::new(Barrier::new(5));
        let counting: Vec<_> = (0..4_u128)
            .map(|thread| {
                let (db, start) = (ground::open(&url), Arc::clone(&start));
                std::thread::spawn(move || {
                    let clock: unionhall::clock::SharedClock = Arc::new(SystemClock);
                    let ids = Ids::new(Arc::clone(&clock), Arc::new(SystemEntropy));
                    start.wait();
                    for number in 0..25 {
                        let number = thread * 100 + number;
                        db.write_blocking(|conn| {
                            // As the door does: the time is taken, and then something else is waited for.
                            let now = clock.now();
                            ledger::store::post_in_tx(
                                conn,
                                &ids,
                                now,
                                Cause::New,
                                &[line(place, month, number)],
                            )?;
                            if number % 5 == 0 {
                                let because = Because { cause: Cause::Undone, reason: "误扫" };
                                let source = Uuid::from_u128(number);
                                ledger::store::reverse_source_in_tx(conn, &ids, now, source, because)?;
                            }
                            Ok(())
                        })
                        .unwrap();
                    }
                })
            })
            .collect();
        let (db, begin) = (ground::open(&url), Arc::clone(&start));
        let closer = std::thread::spawn(move || {
            begin.wait();
            std::thread::yield_now();
            db.write_blocking(|conn| {
                let plan = plans::plan_of_year(conn, 2025)?;
                let all = closing::periods_lock_in_tx(conn, plan.id)?;
                let row = all
                    .iter()
                    .find(|row| row.kind == PeriodKind::Month && row.starts_on == month)
                    .unwrap()
                    .clone();
                let now = SystemClock.now();
                assert!(closing::propose_in_tx(conn, &row, officers.0, now)?);
                let last = ledger::past::last_recorded(conn, plan.id)?;
                let at = last.map_or(now, |last| last.max(now));
                assert!(closing::close_in_tx(conn, &row, officers.1, at)?);
                Ok((at, known(conn, target, month, None)?))
            })
            .unwrap()
        });
        let (closed_at, issued) = closer.join().unwrap();
        counting.into_iter().for_each(|thread| thread.join().unwrap());
        app.read(move |conn| {
            assert_eq!(known(conn, target, month, None)?, issued, "{month}: nothing came after the close");
            assert_eq!(known(conn, target, month, Some(closed_at))?, issued, "{month}: what was known then");
            let later: i64 = ledger_lines::table
                .filter(ledger_lines::month.eq(month))
                .filter(ledger_lines::recorded_at.gt(closed_at.naive_utc()))
                .count()
                .get_result(conn)?;
            assert_eq!(later, 0);
            // A hundred keys, each of which stands, is held to, or is gone again.
            let held: i64 = held_corrections::table
                .filter(held_corrections::month.eq(month))
                .filter(held_corrections::state.eq("held"))
                .select(diesel::dsl::sql::<diesel::sql_types::BigInt>(
                    "CAST(coalesce(sum(quantity), 0) AS BIGINT)",
                ))
                .get_result(conn)?;
            assert_eq!(issued.0 + held, 80, "{month}: {issued:?} issued, {held} held");
            Ok(())
        })
        .await;
    }
}
