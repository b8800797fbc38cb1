//! The ledger: append-only, counted once under any race, and its sums always those of its lines.

use std::collections::HashSet;
use std::sync::{Arc, Barrier};

use chrono::NaiveDate;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use unionhall::error::{Code, Error, Result};
use unionhall::ids::{OrganisationId, TargetId};
use unionhall::ledger::model::{Because, Cause, Grade, Line, NewLine, Rollup, SourceKind};
use unionhall::ledger::store;
use unionhall::ledger::verify::Difference;
use unionhall::platform::db::schema::{ledger_lines, ledger_rollups, targets};
use unionhall::platform::db::{Conn, Engine};
use uuid::Uuid;

use crate::harness::{Test, TestApp, ground};

pub const TESTS: &[Test] = tests![
    a_line_names_what_there_is,
    the_database_refuses_to_change_or_remove_a_line,
    the_same_line_twice_counts_once,
    however_many_lines_come_at_once,
    a_reversal_nets_to_zero_and_the_key_may_count_again,
    eight_threads_count_the_same_hundred_keys_once,
    eight_threads_reverse_and_count_again_once,
    any_sequence_keeps_each_key_at_most_once,
    the_owners_role_has_no_right_to_change_a_line,
];

const MISTAKE: Because<'static> = Because { cause: Cause::Undone, reason: "scanned by mistake" };

/// The target 07b and the district, for which the tests count.
async fn place(app: &TestApp) -> (TargetId, OrganisationId) {
    let target = app
        .read(|conn| Ok(targets::table.filter(targets::code.eq("07b")).select(targets::id).first(conn)?))
        .await;
    (target, app.organisation("longgang").await)
}

/// One person counted on 16 June 2025 under `key`, whose source is the number behind its last sign.
fn new_line((target, organisation): (TargetId, OrganisationId), number: u128) -> NewLine {
    NewLine {
        target,
        organisation,
        day: NaiveDate::from_ymd_opt(2025, 6, 16).unwrap(),
        quantity: 1,
        dedup_key: format!("test/{number:03}"),
        source_kind: SourceKind::Attendance,
        source_id: Uuid::from_u128(number),
        activity: None,
        grade: Grade::B,
    }
}

/// What the ledger differs in from itself; whether its sources exist is asked elsewhere.
fn inside(conn: &mut Conn) -> Result<Vec<Difference>> {
    Ok(unionhall::ledger::verify::verify(conn, |_| ())?.1)
}

/// Number of lines, their sum, and the roll-ups' sum and number of lines.
fn sums(conn: &mut Conn) -> Result<(usize, i64, i64, i64)> {
    let lines: Vec<i64> = ledger_lines::table.select(ledger_lines::quantity).load(conn)?;
    let rollups: Vec<Rollup> = ledger_rollups::table.select(Rollup::as_select()).load(conn)?;
    Ok((
        lines.len(),
        lines.iter().sum(),
        rollups.iter().map(|row| row.quantity).sum(),
        rollups.iter().map(|row| row.lines).sum(),
    ))
}

async fn a_line_names_what_there_is(app: TestApp) {
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    let activity = app.activity(|a| a).await;
    zhang.sign_up(&activity).await.ok(201);
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    let line: Line = app.read(|conn| Ok(ledger_lines::table.select(Line::as_select()).first(conn)?)).await;
    let other = |line: &Line| Line { id: app.ids().id(), dedup_key: "other".into(), ..line.clone() };
    let nowhere = Line { organisation_id: app.ids().id(), ..other(&line) };
    let nothing = Line { target_id: app.ids().id(), ..other(&line) };
    for wrong in [nowhere, nothing] {
        let kept = app
            .db()
            .write(move |conn| Ok(diesel::insert_into(ledger_lines::table).values(&wrong).execute(conn)?))
            .await;
        let refused = kept.unwrap_err().to_string();
        assert!(refused.contains("FOREIGN KEY") || refused.contains("a line names no"), "{refused}");
    }
    // Nothing else was wrong with it; not kept, because it stands for nobody.
    let right = other(&line);
    let kept = app
        .db()
        .write(move |conn| {
            assert_eq!(diesel::insert_into(ledger_lines::table).values(&right).execute(conn)?, 1);
            Err::<(), _>(Error::new(Code::Conflict))
        })
        .await;
    assert_eq!(kept.unwrap_err().code(), Code::Conflict);
    app.run_jobs().await;
}

async fn the_database_refuses_to_change_or_remove_a_line(app: TestApp) {
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    let activity = app.activity(|a| a).await;
    zhang.sign_up(&activity).await.ok(201);
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    let content = || {
        app.read(|conn| {
            let lines: Vec<Line> = ledger_lines::table.select(Line::as_select()).load(conn)?;
            let entries = unionhall::platform::audit::list(conn, None, None, None, 1000)?;
            assert!(!lines.is_empty() && !entries.is_empty());
            Ok(format!("{lines:?} {entries:?}"))
        })
    };
    let before = content().await;
    let mut acts = vec![
        "UPDATE ledger_lines SET quantity = 5",
        "UPDATE ledger_lines SET restatement_id = NULL, cause = 'late'",
        "UPDATE ledger_lines SET id = id",
        "UPDATE ledger_lines SET reason = 'because'",
        "DELETE FROM ledger_lines",
        "UPDATE audit_entries SET detail = '{}'",
        "UPDATE audit_entries SET seq = seq + 1000",
        "DELETE FROM audit_entries",
    ];
    if app.engine() == Engine::Postgres {
        acts.extend(["TRUNCATE ledger_lines", "TRUNCATE ledger_lines CASCADE", "TRUNCATE audit_entries"]);
    }
    for act in acts {
        let mut conn = app.db().connect().unwrap();
        let refused = conn.batch_execute(act).unwrap_err().to_string();
        let by = ["append-only", "referenced in a foreign key"];
        assert!(by.iter().any(|word| refused.contains(word)), "{act}: {refused}");
    }
    let copy = "INSERT INTO ledger_lines SELECT * FROM ledger_lines";
    let columns = "(id, target_id, organisation_id, day, month, quantity, dedup_key, generation, is_reversal, reverses, source_kind, source_id, activity_id, grade, reason, recorded_at, cause, restatement_id)";
    let other_key = "SELECT id, target_id, organisation_id, day, month, 7, 'other', generation, is_reversal, reverses, source_kind, source_id, activity_id, grade, reason, recorded_at, cause, restatement_id FROM ledger_lines";
    let other_id = "SELECT substr(id, 1, 15) || substr(id, 1, 1), target_id, organisation_id, day, month, 7, dedup_key, generation, is_reversal, reverses, source_kind, source_id, activity_id, grade, reason, recorded_at, cause, restatement_id FROM ledger_lines";
    let upserts = match app.engine() {
        // Not all of them fail: what would replace a line under its key is passed over.
        Engine::Sqlite => vec![
            copy.replace("INSERT", "REPLACE"),
            copy.replace("INSERT", "INSERT OR REPLACE"),
            format!("INSERT OR REPLACE INTO ledger_lines {columns} {other_key}"),
            format!("INSERT OR REPLACE INTO ledger_lines {columns} {other_id}"),
            format!(
                "INSERT INTO ledger_lines {columns} {other_id} WHERE true ON CONFLICT DO UPDATE SET quantity = 7"
            ),
            format!(
                "PRAGMA recursive_triggers = OFF; PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; INSERT OR REPLACE INTO ledger_lines {columns} {other_id}"
            ),
            "PRAGMA ignore_check_constraints = ON; UPDATE ledger_lines SET quantity = 0".to_owned(),
            "PRAGMA foreign_keys = OFF; DELETE FROM ledger_lines".to_owned(),
            "UPDATE OR REPLACE ledger_lines SET quantity = 7".to_owned(),
        ],
        Engine::Postgres => vec![
            copy.to_owned(),
            format!("{copy} ON CONFLICT (id) DO UPDATE SET quantity = 7"),
            format!(
                "INSERT INTO ledger_lines {columns} {other_id} ON CONFLICT (target_id, dedup_key, generation, is_reversal) DO UPDATE SET quantity = 7"
            ),
            "MERGE INTO ledger_lines USING (SELECT 1) one ON true WHEN MATCHED THEN DELETE".to_owned(),
            "MERGE INTO ledger_lines USING (SELECT 1) one ON true WHEN MATCHED THEN UPDATE SET quantity = 7"
                .to_owned(),
        ],
    };
    for act in upserts {
        let mut conn = app.db().connect().unwrap();
        let _refused = conn.batch_execute(&act);
        assert_eq!(content().await, before, "{act}");
    }
    assert_eq!(content().await, before);
    app.run_jobs().await;
}

async fn the_same_line_twice_counts_once(app: TestApp) {
    app.expect_differences();
    let (place, ids, now) = (place(&app).await, app.ids().clone(), app.now());
    app.write(move |conn| {
        let (one, two) = (new_line(place, 1), new_line(place, 2));
        assert_eq!(store::post_in_tx(conn, &ids, now, Cause::New, &[one.clone(), one.clone()])?, 1);
        assert_eq!(store::post_in_tx(conn, &ids, now, Cause::New, std::slice::from_ref(&one))?, 0);
        // The same person counted elsewhere, later, from another source is the same person still.
        let other = NewLine { quantity: 9, source_id: Uuid::from_u128(77), ..one.clone() };
        assert_eq!(store::post_in_tx(conn, &ids, now, Cause::New, &[other, two, one])?, 1);
        assert_eq!(sums(conn)?, (2, 2, 2, 2));
        assert_eq!(inside(conn)?, []);
        Ok(())
    })
    .await;
}

async fn however_many_lines_come_at_once(app: TestApp) {
    app.expect_differences();
    let (place, ids, now) = (place(&app).await, app.ids().clone(), app.now());
    app.write(move |conn| {
        let mut all = 0;
        for count in [1, 7, 128, 129, 1100] {
            // Half of them are counted already.
            let first = all / 2;
            let lines: Vec<NewLine> = (first..all + count).map(|number| new_line(place, number)).collect();
            let counted = store::post_in_tx(conn, &ids, now, Cause::New, &lines)?;
            assert_eq!(u128::try_from(counted).unwrap(), count);
            all += count;
        }
        let lines: i64 = ledger_lines::table.count().get_result(conn)?;
        assert_eq!(u128::try_from(lines).unwrap(), all);
        assert_eq!(inside(conn)?, []);
        Ok(())
    })
    .await;
}

async fn a_reversal_nets_to_zero_and_the_key_may_count_again(app: TestApp) {
    app.expect_differences();
    let (place, ids, now) = (place(&app).await, app.ids().clone(), app.now());
    app.write(move |conn| {
        let (line, source) = (new_line(place, 1), Uuid::from_u128(1));
        for generation in 0..3 {
            let before = 2 * generation;
            assert_eq!(store::post_in_tx(conn, &ids, now, Cause::New, std::slice::from_ref(&line))?, 1);
            assert_eq!(store::post_in_tx(conn, &ids, now, Cause::New, std::slice::from_ref(&line))?, 0);
            assert_eq!(sums(conn)?, (before + 1, 1, 1, before as i64 + 1));
            assert_eq!(store::reverse_source_in_tx(conn, &ids, now, source, MISTAKE)?, 1);
            assert_eq!(store::reverse_source_in_tx(conn, &ids, now, source, MISTAKE)?, 0);
            assert_eq!(sums(conn)?, (before + 2, 0, 0, before as i64 + 2));
        }
        assert_eq!(store::reverse_source_in_tx(conn, &ids, now, Uuid::from_u128(2), MISTAKE)?, 0);
        let lines: Vec<Line> = ledger_lines::table
            .order((ledger_lines::generation, ledger_lines::is_reversal))
            .select(Line::as_select())
            .load(conn)?;
        for (place, line) in lines.iter().enumerate() {
            let original = &lines[place - place % 2];
            let reverses = (place % 2 == 1).then_some(original.id);
            assert_eq!((line.generation, line.reverses), (place as i64 / 2, reverses));
            assert_eq!(line.reason.as_deref(), reverses.map(|_| "scanned by mistake"));
        }
        assert_eq!(inside(conn)?, []);
        Ok(())
    })
    .await;
}

/// Runs `act` in eight threads at once, each with pools of its own, and gives what they say they did, added up.
fn together(app: &TestApp, act: impl Fn(&mut Conn, u64) -> Result<usize> + Send + Sync + 'static) -> usize {
    let (act, start) = (Arc::new(act), Arc::new(Barrier::new(8)));
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let db = ground::open(&app.config().database.url);
            let (act, start) = (Arc::clone(&act), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                loop {
                    match db.write_blocking(|conn| act(conn, number)) {
                        // Somebody else counted the same in that moment; whoever asks is told to ask again.
                        Err(error) if error.lost_a_race() => {}
                        done => break done.unwrap(),
                    }
                }
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

/// The hundred lines, in an order of this thread's own: a deadlock would show.
fn hundred(place: (TargetId, OrganisationId), thread: u64) -> Vec<NewLine> {
    let mut lines: Vec<NewLine> = (0..100).map(|number| new_line(place, number)).collect();
    lines.shuffle(&mut StdRng::seed_from_u64(thread));
    lines
}

async fn eight_threads_count_the_same_hundred_keys_once(app: TestApp) {
    app.expect_differences();
    let (place, ids, now) = (place(&app).await, app.ids().clone(), app.now());
    let counted = together(&app, move |conn, thread| {
        store::post_in_tx(conn, &ids, now, Cause::New, &hundred(place, thread))
    });
    assert_eq!(counted, 100);
    app.read(|conn| {
        assert_eq!(sums(conn)?, (100, 100, 100, 100));
        assert_eq!(inside(conn)?, []);
        Ok(())
    })
    .await;
}

async fn eight_threads_reverse_and_count_again_once(app: TestApp) {
    app.expect_differences();
    let (place, ids, now) = (place(&app).await, app.ids().clone(), app.now());
    let maker = ids.clone();
    app.write(move |conn| store::post_in_tx(conn, &maker, now, Cause::New, &[new_line(place, 1)])).await;
    let maker = ids.clone();
    let reversed = together(&app, move |conn, _| {
        store::reverse_source_in_tx(conn, &maker, now, Uuid::from_u128(1), MISTAKE)
    });
    assert_eq!(reversed, 1);
    let again =
        together(&app, move |conn, _| store::post_in_tx(conn, &ids, now, Cause::New, &[new_line(place, 1)]));
    assert_eq!(again, 1);
    app.read(|conn| {
        assert_eq!(sums(conn)?, (3, 1, 1, 3));
        assert_eq!(inside(conn)?, []);
        Ok(())
    })
    .await;
}

async fn any_sequence_keeps_each_key_at_most_once(app: TestApp) {
    let (place, ids, now) = (place(&app).await, app.ids().clone(), app.now());
    let steps = prop::collection::vec((0..5_u128, any::<bool>(), any::<bool>()), 1..24);
    let mut runner = TestRunner::new(Cases { cases: 24, failure_persistence: None, ..Cases::default() });
    let outcome = runner.run(&steps, |steps| {
        let mut verdict = Ok(());
        // Nothing of a case stays: it is rolled back.
        let rolled_back = app.db().write_blocking(|conn| {
            verdict = play(conn, place, &ids, now, &steps);
            Err::<(), Error>(Error::new(Code::Conflict))
        });
        prop_assert_eq!(rolled_back.unwrap_err().code(), Code::Conflict);
        verdict
    });
    outcome.unwrap();
}

/// Plays `(number, in another month, post or reverse)` against a model: the set of the numbers that count.
fn play(
    conn: &mut Conn,
    place: (TargetId, OrganisationId),
    ids: &unionhall::ids::Ids,
    now: chrono::DateTime<chrono::Utc>,
    steps: &[(u128, bool, bool)],
) -> std::result::Result<(), TestCaseError> {
    let mut live = HashSet::new();
    for (number, later, post) in steps {
        let changed = if *post {
            let mut line = new_line(place, *number);
            if *later {
                line.day = NaiveDate::from_ymd_opt(2025, 7, 31).unwrap();
            }
            store::post_in_tx(conn, ids, now, Cause::New, &[line])
        } else {
            store::reverse_source_in_tx(conn, ids, now, Uuid::from_u128(*number), MISTAKE)
        };
        let should = if *post { live.insert(*number) } else { live.remove(number) };
        prop_assert_eq!(changed.unwrap(), usize::from(should), "step {:?}", (number, later, post));
        let rows: Vec<(String, i64)> =
            ledger_lines::table.select((ledger_lines::dedup_key, ledger_lines::quantity)).load(conn).unwrap();
        for number in 0..5_u128 {
            let key = new_line(place, number).dedup_key;
            let sum: i64 = rows.iter().filter(|(of, _)| *of == key).map(|(_, quantity)| quantity).sum();
            prop_assert_eq!(sum, i64::from(live.contains(&number)), "{}", key);
        }
        prop_assert_eq!(inside(conn).unwrap(), []);
    }
    Ok(())
}

/// Under a superuser, as which the suite runs, rights are not asked for. So a role of the usual kind is given the table.
async fn the_owners_role_has_no_right_to_change_a_line(app: TestApp) {
    if app.engine() == Engine::Sqlite {
        return;
    }
    let acts = [
        "DELETE FROM ledger_lines",
        "UPDATE ledger_lines SET quantity = 5",
        "TRUNCATE ledger_lines, held_corrections",
    ];
    for act in acts {
        let refused = app.db().write_blocking(|conn| {
            conn.batch_execute(
                "CREATE ROLE unionhall_owner_of_a_test; ALTER TABLE ledger_lines OWNER TO unionhall_owner_of_a_test; \
                 GRANT ALL ON held_corrections TO unionhall_owner_of_a_test; \
                 ALTER TABLE ledger_lines DISABLE TRIGGER USER; SET LOCAL ROLE unionhall_owner_of_a_test",
            )?;
            // Rows can be locked all the same.
            conn.batch_execute("SELECT id FROM ledger_lines FOR UPDATE")?;
            Ok(conn.batch_execute(act)?)
        });
        let refused = format!("{:?}", refused.unwrap_err());
        assert!(refused.contains("permission denied for table ledger_lines"), "{act}: {refused}");
    }
}
