//! The audit chain: whole after real traffic, and every way of tampering is found where it was done.

use std::sync::{Arc, Barrier, Mutex};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};
use unionhall::error::{Code, Error, Result};
use unionhall::platform::audit::{self, Entry, Row, Verified};
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{audit_entries, audit_head};

use super::corruption::lift_triggers;
use crate::harness::{Test, TestApp, ground};

pub const TESTS: &[Test] = tests![
    the_chain_is_whole_after_real_traffic,
    every_way_of_tampering_is_found_where_it_was_done,
    sixteen_writers_leave_no_gap_and_no_fork,
    however_many_entries_come_at_once,
    an_entry_is_kept_with_its_act_or_not_at_all,
    the_chain_holds_nobodys_name_number_or_phone,
    the_chain_is_read_by_auditors_of_the_whole_district_only,
];

async fn rows(app: &TestApp) -> Vec<Row> {
    app.read(|conn| Ok(audit_entries::table.order(audit_entries::seq).select(Row::as_select()).load(conn)?))
        .await
}

/// The hash as the documentation says, made a second time: every part behind its length.
fn hash_of(row: &Row) -> Vec<u8> {
    let mut hash = Sha256::new();
    let actor = row.actor.map(|id| id.0.as_bytes().to_vec()).unwrap_or_default();
    let parts: [&[u8]; 7] = [
        &row.previous_hash,
        &row.seq.to_be_bytes(),
        &row.at.and_utc().timestamp_micros().to_be_bytes(),
        &actor,
        row.action.as_bytes(),
        row.object.as_bytes(),
        row.detail.as_bytes(),
    ];
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// PostgreSQL takes a few, some and many rows in three ways.
async fn however_many_entries_come_at_once(app: TestApp) {
    let (person, now) = (app.worker("zhang").await.person(), app.now());
    let entry = |number: usize| {
        let entry = if number.is_multiple_of(2) {
            Entry::new(person, "test.even", number)
        } else {
            Entry::system("test.odd", number)
        };
        entry.detail(json!({ "number": number, "text": "“二”, {NULL}, \"3\" \\" }))
    };
    let before = rows(&app).await.len();
    let mut all = 0;
    for count in [1, 2, 127, 128, 129, 300] {
        let entries: Vec<Entry> = (all..all + count).map(entry).collect();
        app.write(move |conn| audit::append_in_tx(conn, now, entries)).await;
        all += count;
    }
    let rows = rows(&app).await.split_off(before);
    assert_eq!(rows.len(), all);
    for (number, row) in rows.iter().enumerate() {
        let expected = entry(number);
        let expected = (expected.actor, expected.action, expected.object, expected.detail.to_string());
        assert_eq!((row.actor, row.action.as_str(), row.object.clone(), row.detail.clone()), expected);
        assert_eq!(row.hash, hash_of(row));
    }
    assert_eq!(app.read(|conn| audit::verify(conn, |_| {})).await.broken, None);
}

/// Twelve entries and more, from a sign-up to a finalised session.
async fn traffic(app: &TestApp) {
    let gate = app.staff("gate").await;
    let activity = app.activity(|a| a).await;
    for name in ["zhang", "li", "wang"] {
        let person = app.worker(name).await;
        person.set_profile(name, None).await;
        person.sign_up(&activity).await.ok(201);
        gate.scan(activity.session, &person.pass().await).await.ok(200);
    }
    gate.finalise(activity.session).await.ok(200);
    app.run_jobs().await;
}

async fn the_chain_is_whole_after_real_traffic(app: TestApp) {
    traffic(&app).await;
    let rows = rows(&app).await;
    assert!(rows.len() >= 12, "{}", rows.len());
    let mut previous = vec![0; 32];
    for (place, row) in rows.iter().enumerate() {
        assert_eq!(row.seq, place as i64 + 1);
        assert_eq!(row.previous_hash, previous, "entry {}", row.seq);
        assert_eq!(row.hash, hash_of(row), "entry {}", row.seq);
        previous.clone_from(&row.hash);
    }
    let verified = app.read(|conn| audit::verify(conn, |_| ())).await;
    assert_eq!(verified, Verified { entries: rows.len() as i64, broken: None });
}

/// What a verification says after `tamper`, which is then taken back.
async fn after(app: &TestApp, tamper: impl FnOnce(&mut Conn) -> Result<()> + Send + 'static) -> Verified {
    let found: Arc<Mutex<Option<Verified>>> = Arc::default();
    let kept = Arc::clone(&found);
    let rolled_back = app.db().write(move |conn| {
        lift_triggers(conn)?;
        tamper(conn)?;
        *kept.lock().unwrap() = Some(audit::verify(conn, |_| ())?);
        Err::<(), Error>(Error::new(Code::Conflict))
    });
    let error = rolled_back.await.unwrap_err();
    let found = found.lock().unwrap().take();
    found.unwrap_or_else(|| panic!("no tampering was done: {error}"))
}

async fn every_way_of_tampering_is_found_where_it_was_done(app: TestApp) {
    traffic(&app).await;
    let rows = rows(&app).await;
    let last = rows.last().unwrap().clone();
    let end = last.seq;
    let sql = |text: String| move |conn: &mut Conn| -> Result<()> { Ok(conn.batch_execute(&text)?) };
    let broken = |seq: i64, why: &'static str| Verified { entries: seq - 1, broken: Some((seq, why)) };

    for change in [
        "detail = '{}'",
        "object = 'sgn_0'",
        "action = 'signup.nothing'",
        "actor = NULL",
        "at = '2025-06-16 03:00:00'",
    ] {
        // Entry 5 is a person's own act: all of this differs.
        let edited = after(&app, sql(format!("UPDATE audit_entries SET {change} WHERE seq = 5")));
        let edited = edited.await;
        if change.starts_with("detail") && rows[4].detail == "{}" {
            continue;
        }
        assert_eq!(edited, broken(5, "it was changed"), "{change}");
    }
    let deleted = after(&app, sql("DELETE FROM audit_entries WHERE seq = 5".into())).await;
    assert_eq!(deleted, Verified { entries: 4, broken: Some((6, "an entry is missing before it")) });
    let swapped = after(
        &app,
        sql("UPDATE audit_entries SET seq = -5 WHERE seq = 5; UPDATE audit_entries SET seq = 5 WHERE seq = 6; \
             UPDATE audit_entries SET seq = 6 WHERE seq = -5"
            .into()),
    );
    assert_eq!(swapped.await, broken(5, "it does not follow the entry before"));

    // Somebody who knows how hashes are made, and changes an entry with its hash.
    let mut forged = rows[4].clone();
    forged.object = "sgn_forged".into();
    forged.hash = hash_of(&forged);
    let rehashed = after(&app, move |conn| {
        let row = audit_entries::table.find(forged.seq);
        diesel::update(row)
            .set((audit_entries::object.eq(forged.object), audit_entries::hash.eq(forged.hash)))
            .execute(conn)?;
        Ok(())
    });
    assert_eq!(rehashed.await, broken(6, "it does not follow the entry before"));

    let mut more = Row { seq: end + 1, previous_hash: last.hash.clone(), ..last.clone() };
    more.hash = hash_of(&more);
    let appended = after(&app, move |conn| {
        diesel::insert_into(audit_entries::table).values(&more).execute(conn)?;
        Ok(())
    });
    let beyond = Some((end + 1, "it lies beyond the end of the chain"));
    assert_eq!(appended.await, Verified { entries: end + 1, broken: beyond });

    let cut = after(&app, sql(format!("DELETE FROM audit_entries WHERE seq > {}", end - 2))).await;
    let missing = Some((end - 1, "the end of the chain is missing"));
    assert_eq!(cut, Verified { entries: end - 2, broken: missing });
    let emptied = after(&app, sql("DELETE FROM audit_entries".into())).await;
    assert_eq!(emptied, broken(1, "the end of the chain is missing"));

    let head = after(&app, |conn| {
        diesel::update(audit_head::table).set(audit_head::hash.eq(vec![7_u8; 32])).execute(conn)?;
        Ok(())
    });
    let changed = Some((end, "the end of the chain was changed"));
    assert_eq!(head.await, Verified { entries: end, broken: changed });
}

async fn sixteen_writers_leave_no_gap_and_no_fork(app: TestApp) {
    let before = rows(&app).await.len();
    let start = Arc::new(Barrier::new(16));
    let now = app.now();
    let threads: Vec<_> = (0..16)
        .map(|writer| {
            let (db, start) = (ground::open(&app.config().database.url), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                for number in 0..10 {
                    let entries = (0..1 + number % 3)
                        .map(|part| Entry::system("test.write", format!("{writer}/{number}/{part}")))
                        .collect();
                    db.write_blocking(|conn| audit::append_in_tx(conn, now, entries)).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // 10 numbers a writer: 1, 2, 3, 1, 2, 3, 1, 2, 3 and 1 entries.
    let all = rows(&app).await;
    assert_eq!(all.len(), before + 16 * 19);
    let mut objects: Vec<&str> = all[before..].iter().map(|row| row.object.as_str()).collect();
    objects.sort_unstable();
    objects.dedup();
    assert_eq!(objects.len(), 16 * 19, "every entry is there once");
    let verified = app.read(|conn| audit::verify(conn, |_| ())).await;
    assert_eq!(verified, Verified { entries: all.len() as i64, broken: None });
}

async fn an_entry_is_kept_with_its_act_or_not_at_all(app: TestApp) {
    let before = rows(&app).await.len();
    let now = app.now();
    let failed = app.db().write(move |conn| {
        audit::append_in_tx(conn, now, vec![Entry::system("test.write", "x")])?;
        Err::<(), Error>(Error::new(Code::Conflict))
    });
    failed.await.unwrap_err();
    assert_eq!(rows(&app).await.len(), before);
    app.write(move |conn| audit::append_in_tx(conn, now, vec![Entry::system("test.write", "y")])).await;
    assert_eq!(rows(&app).await.last().unwrap().seq, before as i64 + 1);
}

async fn the_chain_holds_nobodys_name_number_or_phone(app: TestApp) {
    let (zhang, admin) = (app.worker("zhang").await, app.staff("admin").await);
    let me = zhang.get("/api/v1/me").await;
    let profile = json!({ "name": "张三丰", "id_number": "11010519491231002X" });
    zhang.put("/api/v1/me", &me.etag(), profile).await.ok(200);
    let code = app.sim_get("/sim/phone-code?user=zhang&phone=13800138000").await;
    zhang.post("/api/v1/me/phones", json!({ "code": code["code"] })).await.ok(200);
    let path = format!("/api/v1/people/{}/reveals", zhang.person());
    for (field, value) in [("phone", "13800138000"), ("id_number", "11010519491231002X")] {
        let input = json!({ "field": field, "purpose": "电话通知活动改期" });
        assert_eq!(admin.post(&path, input).await.ok(200)["value"], value);
    }
    let rows = rows(&app).await;
    let acts: Vec<&str> = rows.iter().rev().take(4).map(|row| row.action.as_str()).collect();
    assert_eq!(acts, ["person.reveal", "person.reveal", "person.phone_set", "person.update"]);
    for row in rows {
        let text = format!("{} {} {}", row.action, row.object, row.detail);
        for secret in ["张三丰", "三丰", "11010519491231002", "19491231", "13800138000", "138001"] {
            assert!(!text.contains(secret), "entry {} holds {secret}: {text}", row.seq);
        }
    }
}

async fn the_chain_is_read_by_auditors_of_the_whole_district_only(app: TestApp) {
    let auditor = app.staff("auditor").await;
    let page = auditor.get("/api/v1/audit-entries?limit=1").await.ok(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(page["items"][0]["hash"].as_str().unwrap().len(), 64);
    for name in ["zhang", "organiser", "gate"] {
        app.worker(name).await.get("/api/v1/audit-entries").await.problem(403, "forbidden");
    }
    let admin = app.staff("admin").await;
    let street = app.organisation("street-pinghu").await;
    let zhang = app.worker("zhang").await;
    let grant = json!({ "person_id": zhang.person(), "role": "auditor", "organisation_id": street });
    admin.post("/api/v1/staff-grants", grant).await.ok(201);
    zhang.get("/api/v1/audit-entries").await.problem(403, "forbidden");
}
