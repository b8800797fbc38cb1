//! Planted faults of every kind in the ledger: each is found and named by its code.
//!
//! The tester is root: triggers are dropped first. Every fault is planted, looked for and rolled back.

use std::sync::{Arc, Mutex};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use unionhall::attendance::model::Attendance;
use unionhall::error::{Code, Error, Result};
use unionhall::ids::{AttendanceId, Ids, LedgerLineId, SessionId};
use unionhall::ledger::model::{Line, Rollup};
use unionhall::plan::verify::{Report, verify};
use unionhall::platform::db::schema::{attendances, ledger_lines, ledger_rollups, sessions, targets};
use unionhall::platform::db::{Conn, Engine};

use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    faults_of_the_rollups_are_found,
    faults_of_the_lines_are_found,
    faults_of_the_sources_are_found,
    faults_of_people_counted_once_are_found,
];

/// Lifts what keeps the ledger and the audit chain append-only, as root of the database can.
pub fn lift_triggers(conn: &mut Conn) -> Result<()> {
    let statements = match conn.engine() {
        Engine::Sqlite => {
            "DROP TRIGGER ledger_lines_no_update; DROP TRIGGER ledger_lines_no_delete; \
             DROP TRIGGER ledger_lines_no_replace; DROP TRIGGER ledger_lines_no_replace_of_key; \
             DROP TRIGGER ledger_lines_closed; DROP TRIGGER audit_entries_no_update; DROP TRIGGER audit_entries_no_delete"
        }
        Engine::Postgres => {
            "ALTER TABLE ledger_lines DISABLE TRIGGER USER; ALTER TABLE audit_entries DISABLE TRIGGER USER"
        }
    };
    Ok(conn.batch_execute(statements)?)
}

/// What [`verify`] finds, as codes, after `fault` was planted, which is then taken back.
pub async fn found(
    app: &TestApp,
    fault: impl FnOnce(&mut Conn) -> Result<()> + Send + 'static,
) -> Vec<String> {
    let report: Arc<Mutex<Option<Report>>> = Arc::default();
    let kept = Arc::clone(&report);
    let rolled_back = app.db().write(move |conn| {
        lift_triggers(conn)?;
        fault(conn)?;
        *kept.lock().unwrap() = Some(verify(conn, |_| ())?);
        Err::<(), Error>(Error::new(Code::Conflict))
    });
    let error = rolled_back.await.unwrap_err();
    let report =
        report.lock().unwrap().take().unwrap_or_else(|| panic!("the fault was not planted: {error}"));
    report.differences.iter().map(|difference| difference.code.to_owned()).collect()
}

/// The codes found after some SQL.
pub async fn found_after(app: &TestApp, sql: &'static str) -> Vec<String> {
    found(app, move |conn| Ok(conn.batch_execute(sql)?)).await
}

/// Two people of a training for riders, which counts for 07a, 07b, 21a and 21b, in a finalised session; and a
/// session to which nobody came.
async fn traffic(app: &TestApp) -> (SessionId, SessionId) {
    let gate = app.staff("gate").await;
    let held = app.activity(|a| a.programme("demo-skills-rider")).await;
    let empty = app.activity(|a| a.programme("demo-skills-rider")).await;
    for name in ["zhang", "li"] {
        let person = app.worker(name).await;
        person.sign_up(&held).await.ok(201);
        gate.scan(held.session, &person.pass().await).await.ok(200);
    }
    gate.finalise(held.session).await.ok(200);
    gate.finalise(empty.session).await.ok(200);
    app.run_jobs().await;
    let clean = app.read(|conn| verify(conn, |_| ())).await;
    assert_eq!((clean.lines, clean.differences), (6, vec![]));
    (held.session, empty.session)
}

/// A line that counts one person of 07b.
pub fn a_line(conn: &mut Conn) -> Result<Line> {
    let query = ledger_lines::table
        .inner_join(targets::table)
        .filter(targets::code.eq("07b"))
        .order(ledger_lines::id)
        .select(Line::as_select());
    Ok(query.first(conn)?)
}

/// Inserts `line` by hand, and adds it to the roll-up as somebody would who knows the tables.
pub fn slip_in(conn: &mut Conn, line: &Line) -> Result<()> {
    diesel::insert_into(ledger_lines::table).values(line).execute(conn)?;
    diesel::update(ledger_rollups::table.find((
        line.target_id,
        line.organisation_id,
        line.month,
        line.grade,
    )))
    .set((
        ledger_rollups::quantity.eq(ledger_rollups::quantity + line.quantity),
        ledger_rollups::lines.eq(ledger_rollups::lines + 1),
    ))
    .execute(conn)?;
    Ok(())
}

async fn faults_of_the_rollups_are_found(app: TestApp) {
    traffic(&app).await;
    let changed = found(&app, |conn| {
        let line = a_line(conn)?;
        let row = ledger_rollups::table.find((line.target_id, line.organisation_id, line.month, line.grade));
        diesel::update(row).set(ledger_rollups::quantity.eq(3)).execute(conn)?;
        Ok(())
    });
    assert_eq!(changed.await, ["rollup_quantity"], "quantity of a roll-up changed");
    let number = found(&app, |conn| {
        let line = a_line(conn)?;
        let row = ledger_rollups::table.find((line.target_id, line.organisation_id, line.month, line.grade));
        diesel::update(row).set(ledger_rollups::lines.eq(1)).execute(conn)?;
        Ok(())
    });
    assert_eq!(number.await, ["rollup_lines"], "number of lines of a roll-up changed");
    let deleted = found(&app, |conn| {
        let line = a_line(conn)?;
        let row = ledger_rollups::table.find((line.target_id, line.organisation_id, line.month, line.grade));
        diesel::delete(row).execute(conn)?;
        Ok(())
    });
    assert_eq!(deleted.await, ["rollup_missing"], "a roll-up deleted");
    let extra = found(&app, |conn| {
        let line = a_line(conn)?;
        let month = chrono::NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
        let row = ledger_rollups::table.find((line.target_id, line.organisation_id, line.month, line.grade));
        let row: Rollup = row.select(Rollup::as_select()).first(conn)?;
        diesel::insert_into(ledger_rollups::table).values(&Rollup { month, ..row }).execute(conn)?;
        Ok(())
    });
    assert_eq!(extra.await, ["rollup_surplus"], "a roll-up without lines");
}

async fn faults_of_the_lines_are_found(app: TestApp) {
    traffic(&app).await;
    let ids: Ids = app.ids().clone();
    let new_id = move || -> LedgerLineId { ids.id() };
    let id = new_id();
    let by_hand = found(&app, move |conn| {
        let line = a_line(conn)?;
        slip_in(conn, &Line { id, dedup_key: "attendance/att_by_hand".into(), ..line })
    });
    assert_eq!(by_hand.await, ["source_missing"], "a line by hand");
    let twice = found(&app, move |conn| {
        let line = a_line(conn)?;
        slip_in(conn, &Line { id, generation: 1, ..line })
    });
    assert_eq!(twice.await, ["line_doubled", "line_quantity"], "a second generation of a live key");
    let two = found(&app, |conn| {
        let line = a_line(conn)?;
        let row = ledger_lines::table.find(line.id);
        diesel::update(row).set(ledger_lines::quantity.eq(2)).execute(conn)?;
        let row = ledger_rollups::table.find((line.target_id, line.organisation_id, line.month, line.grade));
        diesel::update(row).set(ledger_rollups::quantity.eq(3)).execute(conn)?;
        Ok(())
    });
    assert_eq!(two.await, ["line_quantity"], "a person who counts twice");
    let month = found_after(&app, "UPDATE ledger_lines SET month = '2025-05-01'");
    let month = month.await;
    assert_eq!(month.iter().filter(|code| *code == "line_month").count(), 6, "{month:?}");
    let day = found(&app, |conn| {
        let line = a_line(conn)?;
        let day = line.day.succ_opt().unwrap();
        diesel::update(ledger_lines::table.find(line.id)).set(ledger_lines::day.eq(day)).execute(conn)?;
        Ok(())
    });
    assert_eq!(day.await, ["line_day"], "a line on another day of its month");
    let reversal = |change: fn(Line) -> Line| {
        move |conn: &mut Conn| {
            let line = a_line(conn)?;
            let back =
                Line { id, is_reversal: true, reverses: Some(line.id), quantity: -line.quantity, ..line };
            slip_in(conn, &change(back))
        }
    };
    let exact = found(&app, reversal(|line| line)).await;
    assert_eq!(exact, ["line_missing"], "an exact reversal of what has its source");
    let quantity = found(&app, reversal(|line| Line { quantity: -2, ..line })).await;
    assert!(quantity.contains(&"reversal_differs".to_owned()), "{quantity:?}");
    let target = found(&app, move |conn| {
        let line = a_line(conn)?;
        let other: Line = ledger_lines::table
            .filter(ledger_lines::target_id.ne(line.target_id))
            .select(Line::as_select())
            .first(conn)?;
        let back = Line { id, is_reversal: true, reverses: Some(line.id), quantity: -1, ..other };
        slip_in(conn, &back)
    });
    let target = target.await;
    assert!(target.contains(&"reversal_without_original".to_owned()), "{target:?}");
    let nothing = found(&app, reversal(|line| Line { reverses: None, ..line })).await;
    assert!(nothing.contains(&"reversal_without_original".to_owned()), "{nothing:?}");
}

async fn faults_of_the_sources_are_found(app: TestApp) {
    let (held, empty) = traffic(&app).await;
    let deleted = found(&app, |conn| {
        let query = attendances::table.order(attendances::id).select(attendances::id);
        let first: AttendanceId = query.first(conn)?;
        diesel::delete(attendances::table.find(first)).execute(conn)?;
        Ok(())
    });
    assert_eq!(deleted.await, ["source_missing"; 2], "an attendance deleted, which counts for 07b and 21b");
    let id: AttendanceId = app.ids().id();
    let added = found(&app, move |conn| {
        let row: Attendance = attendances::table.select(Attendance::as_select()).first(conn)?;
        // The same people came to the other session, says the row.
        diesel::insert_into(attendances::table)
            .values(&Attendance { id, session_id: empty, ..row })
            .execute(conn)?;
        Ok(())
    });
    assert_eq!(added.await, ["line_missing"; 2], "an attendance that nobody counted");
    let flip = |session: SessionId, to: bool| {
        move |conn: &mut Conn| {
            diesel::update(sessions::table.find(session)).set(sessions::held.eq(to)).execute(conn)?;
            Ok(())
        }
    };
    assert_eq!(found(&app, flip(held, false)).await, ["source_missing"; 2], "said not to be held");
    assert_eq!(found(&app, flip(empty, true)).await, ["line_missing"; 2], "said to be held");
    let moved = found(&app, move |conn| {
        let days = chrono::TimeDelta::days(1);
        let row = sessions::table.find(held);
        let (starts, ends): (chrono::NaiveDateTime, chrono::NaiveDateTime) =
            row.select((sessions::starts_at, sessions::ends_at)).first(conn)?;
        diesel::update(row)
            .set((sessions::starts_at.eq(starts + days), sessions::ends_at.eq(ends + days)))
            .execute(conn)?;
        Ok(())
    });
    assert_eq!(moved.await, ["line_day"; 6], "a session moved to another day afterwards");
}

/// A count of people has a line for the district and one for the sub-district. No target of 2025 whose sources
/// are sessions counts people, so one is turned into such a target first.
async fn faults_of_people_counted_once_are_found(app: TestApp) {
    app.write(|conn| {
        let people = targets::table.filter(targets::code.eq("07b"));
        diesel::update(people).set(targets::measure.eq("distinct_persons")).execute(conn)?;
        Ok(())
    })
    .await;
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    for _ in 0..2 {
        let activity = app.activity(|a| a).await;
        zhang.sign_up(&activity).await.ok(201);
        gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    }
    app.run_jobs().await;
    let keys: Vec<String> =
        app.read(|conn| Ok(ledger_lines::table.select(ledger_lines::dedup_key).load(conn)?)).await;
    assert_eq!(
        keys.len(),
        2,
        "two attendances, one person of the district and of the sub-district: {keys:?}"
    );
    assert_eq!(app.read(|conn| verify(conn, |_| ())).await.differences, []);
    let id: LedgerLineId = app.ids().id();
    let pick = |street: bool| {
        move |conn: &mut Conn| -> Result<Line> {
            let lines: Vec<Line> = ledger_lines::table.select(Line::as_select()).load(conn)?;
            let of = |line: &Line| (line.dedup_key.matches('/').count() == 2) == street;
            Ok(lines.into_iter().find(of).unwrap())
        }
    };
    for street in [false, true] {
        let twice = found(&app, move |conn| {
            let line = pick(street)(conn)?;
            slip_in(conn, &Line { id, generation: 1, ..line })
        });
        assert_eq!(twice.await, ["line_doubled", "line_quantity"], "street {street}: a person counted twice");
        let stranger = found(&app, move |conn| {
            let line = pick(street)(conn)?;
            let dedup_key = line.dedup_key.replace("person/per_0", "person/per_1");
            slip_in(conn, &Line { id, dedup_key, ..line })
        });
        assert_eq!(stranger.await, ["source_missing"], "street {street}: a person who never came");
    }
}
