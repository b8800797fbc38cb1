//! Planted faults of closing and restating, and of what a line says of its source: each is found and named by its code. Others are in
//! `corruption`.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use unionhall::error::Result;
use unionhall::ids::{HeldCorrectionId, LedgerLineId};
use unionhall::ledger::model::{Cause, HeldCorrection, HeldKind, HeldState, Line};
use unionhall::platform::db::schema::{held_corrections, ledger_lines, plans};
use unionhall::platform::db::{Conn, Engine};

use super::{came_late, close_june, held, restate_june};
use crate::corruption::{a_line, found, found_after, slip_in};
use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    faults_of_what_a_line_says_are_found,
    faults_of_reversals_are_found,
    faults_of_closed_months_are_found,
];

/// Roll-ups as the lines have them, whatever they say.
fn rolled_up(conn: &mut Conn) -> Result<()> {
    conn.batch_execute(
        "DELETE FROM ledger_rollups; \
         INSERT INTO ledger_rollups SELECT target_id, organisation_id, month, grade, sum(quantity), count(*) \
         FROM ledger_lines GROUP BY target_id, organisation_id, month, grade",
    )?;
    Ok(())
}

async fn faults_of_what_a_line_says_are_found(app: TestApp) {
    held(&app, &["zhang", "li"]).await;
    app.run_jobs().await;
    let enterprise = app.organisation("demo-enterprise-pinghu-1").await;
    let changed = |change: fn(&mut Line)| {
        move |conn: &mut Conn| {
            let mut line = a_line(conn)?;
            change(&mut line);
            diesel::update(ledger_lines::table.find(line.id))
                .set((
                    ledger_lines::grade.eq(line.grade),
                    ledger_lines::source_id.eq(&line.source_id),
                    ledger_lines::quantity.eq(line.quantity),
                ))
                .execute(conn)?;
            rolled_up(conn)
        }
    };
    let grade = found(&app, changed(|line| line.grade = unionhall::ledger::model::Grade::A));
    assert_eq!(grade.await, ["line_grade"], "a grade raised");
    let source = found(&app, changed(|line| line.source_id = vec![7; 16]));
    assert_eq!(source.await, ["line_source"], "another source");
    let quantity = found(&app, changed(|line| line.quantity = 3));
    assert_eq!(quantity.await, ["line_quantity"], "one person who counts three");
    let organisation = found(&app, move |conn| {
        let line = a_line(conn)?;
        diesel::update(ledger_lines::table.find(line.id))
            .set(ledger_lines::organisation_id.eq(enterprise))
            .execute(conn)?;
        rolled_up(conn)
    });
    assert_eq!(organisation.await, ["line_organisation"], "an enterprise has no figure");
    let deleted = found(&app, |conn| {
        let line = a_line(conn)?;
        diesel::delete(ledger_lines::table.find(line.id)).execute(conn)?;
        rolled_up(conn)
    });
    assert_eq!(deleted.await, ["line_missing"], "a line deleted");
    let regraded = found_after(&app, "UPDATE ledger_rollups SET grade = 'A' WHERE grade = 'B'").await;
    let of = |code: &str| regraded.iter().filter(|found| *found == code).count();
    assert!(of("rollup_surplus") > 0 && of("rollup_surplus") == of("rollup_missing"), "{regraded:?}");
    assert_eq!(of("rollup_surplus") * 2, regraded.len());
}

async fn faults_of_reversals_are_found(app: TestApp) {
    held(&app, &["zhang", "li"]).await;
    app.run_jobs().await;
    let [one, two]: [LedgerLineId; 2] = [app.ids().id(), app.ids().id()];
    let twice = found(&app, move |conn| {
        // What keeps one from being reversed twice is taken away first.
        match conn.engine() {
            Engine::Sqlite => conn.batch_execute(
                "CREATE TABLE lines_bare AS SELECT * FROM ledger_lines; DROP TABLE ledger_lines; \
                 ALTER TABLE lines_bare RENAME TO ledger_lines",
            )?,
            Engine::Postgres => conn.batch_execute(
                "DROP INDEX ledger_lines_reverses; DO $$ DECLARE one record; BEGIN FOR one IN SELECT conname FROM pg_constraint \
                 WHERE conrelid = 'ledger_lines'::regclass AND contype = 'u' LOOP \
                 EXECUTE format('ALTER TABLE ledger_lines DROP CONSTRAINT %I', one.conname); END LOOP; END $$",
            )?,
        }
        let line = a_line(conn)?;
        let back = Line { is_reversal: true, reverses: Some(line.id), quantity: -line.quantity, ..line };
        for id in [one, two] {
            let back = Line { id, ..back.clone() };
            diesel::insert_into(ledger_lines::table).values(&back).execute(conn)?;
        }
        rolled_up(conn)
    });
    assert_eq!(twice.await, ["line_missing", "reversal_doubled"], "a line taken back twice");
    let elsewhere = found(&app, move |conn| {
        let line = a_line(conn)?;
        let day = chrono::NaiveDate::from_ymd_opt(2025, 5, 1).unwrap();
        let (reverses, quantity) = (Some(line.id), -line.quantity);
        let back = Line { id: one, is_reversal: true, reverses, quantity, day, month: day, ..line };
        diesel::insert_into(ledger_lines::table).values(&back).execute(conn)?;
        rolled_up(conn)
    });
    assert_eq!(elsewhere.await, ["line_missing", "reversal_differs"], "taken back in another month");
}

async fn faults_of_closed_months_are_found(app: TestApp) {
    let made = held(&app, &["zhang"]).await;
    close_june(&app).await;
    came_late(&app, made.session, "li").await;
    restate_june(&app, true).await;
    came_late(&app, made.session, "wang").await;
    let clean = found(&app, |_| Ok(())).await;
    assert_eq!(clean, Vec::<String>::new());
    let (id, held_id): (LedgerLineId, HeldCorrectionId) = (app.ids().id(), app.ids().id());
    let later = (app.now() + chrono::TimeDelta::days(1)).naive_utc();
    let after = found(&app, move |conn| {
        let line = a_line(conn)?;
        slip_in(conn, &Line { id, dedup_key: "by/hand".into(), recorded_at: later, ..line })
    });
    assert_eq!(after.await, ["line_after_close", "source_missing"], "a line after the close");
    let unmarked = found_after(&app, "UPDATE ledger_lines SET restatement_id = NULL").await;
    assert_eq!(unmarked, ["line_after_close"; 2], "restated lines without their restatement");
    let unagreed = found(&app, |conn| {
        match conn.engine() {
            Engine::Sqlite => conn.batch_execute("DROP TRIGGER restatements_decided")?,
            Engine::Postgres => conn.batch_execute("ALTER TABLE restatements DISABLE TRIGGER USER")?,
        }
        Ok(conn.batch_execute("UPDATE restatements SET state = 'refused'")?)
    });
    assert_eq!(unagreed.await, ["line_restatement"; 2], "nobody agreed");
    let dropped = found_after(&app, "DELETE FROM held_corrections WHERE state = 'held'").await;
    assert_eq!(dropped, ["line_missing"; 2], "what was held is lost");
    let invented = found(&app, move |conn| {
        let (line, plan) = (a_line(conn)?, plans::table.select(plans::id).first(conn)?);
        let row = HeldCorrection {
            id: held_id,
            plan_id: plan,
            month: line.month,
            kind: HeldKind::Post,
            line_id: None,
            target_id: line.target_id,
            organisation_id: line.organisation_id,
            day: line.day,
            quantity: 1,
            dedup_key: "attendance/att_by_hand".into(),
            source_kind: line.source_kind,
            source_id: vec![7; 16],
            activity_id: None,
            grade: line.grade,
            reason: None,
            cause: Cause::Late,
            held_at: later,
            state: HeldState::Held,
            settled_at: None,
            restatement_id: None,
        };
        diesel::insert_into(held_corrections::table).values(&row).execute(conn)?;
        Ok(())
    });
    assert_eq!(invented.await, ["source_missing"], "something is held that has no source");
    let taken = found(&app, move |conn| {
        let held: Vec<HeldCorrection> =
            held_corrections::table.select(HeldCorrection::as_select()).load(conn)?;
        let line = a_line(conn)?;
        let back =
            Line { id, is_reversal: true, reverses: Some(line.id), quantity: -line.quantity, ..line.clone() };
        diesel::insert_into(ledger_lines::table).values(&back).execute(conn)?;
        let row = HeldCorrection {
            id: held_id,
            kind: HeldKind::Reverse,
            line_id: Some(line.id),
            state: HeldState::Held,
            settled_at: None,
            restatement_id: None,
            ..held[0].clone()
        };
        diesel::insert_into(held_corrections::table).values(&row).execute(conn)?;
        rolled_up(conn)
    });
    assert_eq!(taken.await, ["held_reversal", "line_missing"], "what was taken back waits to be");
}
