//! Accounts that are one human: two officers merge them, and part them; figures, logins and the door follow.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::clock::{SharedClock, SystemClock, db_time};
use unionhall::ids::{Ids, PersonId, PersonMergeId, SystemEntropy, TargetId};
use unionhall::ledger;
use unionhall::people::merging::following::{Follower, Pair};
use unionhall::people::merging::model::{MergeState, PersonMerge};
use unionhall::plan::counting::PlanCounting;
use unionhall::plan::merging::PlanMerging;
use unionhall::plan::verify::verify;
use unionhall::platform::db::schema::{ledger_lines, person_merges, targets};

use crate::access::staff_of;
use crate::closing::{came_late, close_june, enter_in_tx, held_for_june, restate_june};
use crate::harness::factory::Made;
use crate::harness::{Actor, Test, TestApp, ground};
use crate::rosters::registered;

pub const TESTS: &[Test] = tests![
    two_officers_merge_and_two_part,
    the_login_of_a_merged_account_opens_the_kept_one,
    what_is_unfinished_is_named_all_at_once,
    nobody_merges_their_own_account_and_no_link_is_two_steps_long,
    a_merge_reaches_as_far_as_the_grant,
    whoever_is_found_by_a_merged_number_is_the_kept_one,
    who_may_be_the_same_human_is_listed,
    a_merge_for_a_closed_month_waits_for_its_restatement,
    an_undone_check_in_leaves_the_human_with_the_other_account_s,
    nobody_is_counted_under_a_key_that_is_gone,
];

/// Different people of 07b, by organisation.
async fn people_counted(app: &TestApp, code: &str) -> i64 {
    let organisation = app.organisation(code).await;
    app.read(move |conn| {
        let target: TargetId =
            targets::table.filter(targets::code.eq("07b")).select(targets::id).first(conn)?;
        let rows = ledger::store::rollups(conn, &[target])?.remove(&target).unwrap_or_default();
        Ok(rows.iter().filter(|row| row.organisation_id == organisation).map(|row| row.quantity).sum())
    })
    .await
}

async fn count_people(app: &TestApp) {
    app.write(|conn| {
        diesel::update(targets::table.filter(targets::code.eq("07b")))
            .set(targets::measure.eq("distinct_persons"))
            .execute(conn)?;
        Ok(())
    })
    .await;
}

/// A finalised training of a sub-district at which `names` were.
async fn trained(app: &TestApp, street: &str, names: &[&str]) -> Made {
    let gate = app.staff("gate").await;
    let made = app.activity(|a| a.programme("demo-skills-rider").organisation(street)).await;
    for name in names {
        let person = app.worker(name).await;
        person.sign_up(&made).await.ok(201);
        gate.scan(made.session, &person.pass().await).await.ok(200);
    }
    gate.finalise(made.session).await.ok(200);
    app.run_jobs().await;
    made
}

/// Two administrators.
async fn officers(app: &TestApp) -> (Actor, Actor) {
    (app.staff("admin").await, staff_of(app, "second-admin", "admin", "longgang").await)
}

fn input(merged: PersonId) -> Value {
    json!({ "merged_id": merged, "reason": "同一职工两个微信号" })
}

async fn propose(officer: &Actor, kept: PersonId, merged: PersonId) -> String {
    let made = officer.post(&format!("/api/v1/people/{kept}/merges"), input(merged)).await.ok(201);
    assert_eq!(made["state"], "proposed");
    format!("/api/v1/merges/{}", made["id"].as_str().unwrap())
}

/// Merges, by both officers; the merge's address.
pub async fn merged(officers: &(Actor, Actor), kept: PersonId, merged: PersonId) -> String {
    let path = propose(&officers.0, kept, merged).await;
    let done = officers.1.post(&format!("{path}/decisions"), json!({ "agree": true })).await.ok(200);
    assert_eq!(done["state"], "merged");
    path
}

async fn parted(officers: &(Actor, Actor), path: &str) {
    let reason = json!({ "reason": "经核实为两人" });
    officers.1.post(&format!("{path}/partings"), reason).await.ok(200);
    let done = officers.0.post(&format!("{path}/decisions"), json!({ "agree": true })).await.ok(200);
    assert_eq!(done["state"], "parted");
}

async fn no_difference(app: &TestApp) {
    let found = app.read(|conn| Ok(verify(conn, |_| ())?.differences)).await;
    assert_eq!(found, []);
}

async fn two_officers_merge_and_two_part(app: TestApp) {
    count_people(&app).await;
    trained(&app, "street-pinghu", &["zhang"]).await;
    trained(&app, "street-nanwan", &["zhang", "li"]).await;
    let (kept, gone) = (app.worker("zhang").await.person(), {
        // Somewhere where the kept one was not, too.
        trained(&app, "street-pingdi", &["wang"]).await;
        app.worker("wang").await.person()
    });
    let figures = async || {
        let mut all = Vec::new();
        for code in ["longgang", "street-pinghu", "street-nanwan", "street-pingdi"] {
            all.push(people_counted(&app, code).await);
        }
        all
    };
    assert_eq!(figures().await, [3, 1, 2, 1]);
    let officers = officers(&app).await;
    let path = propose(&officers.0, kept, gone).await;
    let agree = json!({ "agree": true });
    officers
        .0
        .post(&format!("{path}/decisions"), agree.clone())
        .await
        .problem(409, "second_officer_required");
    assert_eq!(figures().await, [3, 1, 2, 1], "a proposal has no effect");
    officers.1.post(&format!("{path}/decisions"), agree.clone()).await.ok(200);
    assert_eq!(figures().await, [2, 1, 2, 1], "one human, in three sub-districts");
    no_difference(&app).await;
    officers.1.post(&format!("{path}/decisions"), agree.clone()).await.problem(409, "state_forbids");

    // It is proposed to part them, refused, proposed again, agreed.
    let reason = json!({ "reason": "经核实为两人" });
    officers.0.post(&format!("{path}/partings"), reason.clone()).await.ok(200);
    officers
        .0
        .post(&format!("{path}/decisions"), agree.clone())
        .await
        .problem(409, "second_officer_required");
    let stays = officers.1.post(&format!("{path}/decisions"), json!({ "agree": false })).await.ok(200);
    assert_eq!((&stays["state"], stays.get("parting_by")), (&json!("merged"), None));
    parted(&officers, &path).await;
    assert_eq!(figures().await, [3, 1, 2, 1]);
    no_difference(&app).await;
    let listed = officers.0.get(&format!("/api/v1/merges?person={gone}&state=parted")).await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    // They may be merged once more.
    merged(&officers, kept, gone).await;
    assert_eq!(figures().await, [2, 1, 2, 1]);
    app.run_jobs().await;
}

async fn the_login_of_a_merged_account_opens_the_kept_one(app: TestApp) {
    let (zhang, mut li) = (app.worker("zhang").await, app.worker("li").await);
    let own = li.person();
    let officers = officers(&app).await;
    let path = merged(&officers, zhang.person(), own).await;
    let reply = li.get("/api/v1/me").await;
    assert!([401, 403].contains(&reply.status), "the old login is over: {}", reply.status);
    li.log_in().await;
    assert_eq!(li.person(), zhang.person());
    app.run_jobs().await;
    let told = zhang.get("/api/v1/me/notices").await.ok(200);
    assert_eq!(told["items"][0]["kind"], "accounts_merged");
    let enable = json!({ "disabled": false, "reason": "恢复使用" });
    let states = format!("/api/v1/people/{own}/account-states");
    officers.0.post(&states, enable).await.problem(409, "state_forbids");
    parted(&officers, &path).await;
    li.log_in().await;
    assert_eq!(li.person(), own);
    li.get("/api/v1/me").await.ok(200);
    app.run_jobs().await;
}

async fn what_is_unfinished_is_named_all_at_once(app: TestApp) {
    let both = trained(&app, "street-pinghu", &["zhang", "li"]).await;
    let coming = app.activity(|a| a).await;
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let signup = li.sign_up(&coming).await.ok(201);
    let officers = officers(&app).await;
    let grant = json!({
        "person_id": li.person(), "role": "checkin_staff", "organisation_id": app.organisation("street-pinghu").await
    });
    let grant = officers.0.post("/api/v1/staff-grants", grant).await.ok(201);
    let path = format!("/api/v1/people/{}/merges", zhang.person());
    let refused = officers.0.post(&path, input(li.person())).await.problem(409, "people_unfinished");
    let mut named: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
    named.sort();
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let mut expected = vec![
        format!("/grant/{}", id(&grant)),
        format!("/session/{}", both.session),
        format!("/signup/{}", id(&signup)),
    ];
    expected.sort();
    assert_eq!(named, expected);
    // What comes up between proposal and decision is asked again.
    let path = propose(&officers.0, li.person(), app.worker("wang").await.person()).await;
    app.worker("wang").await.sign_up(&coming).await.ok(201);
    let agree = json!({ "agree": true });
    officers.1.post(&format!("{path}/decisions"), agree).await.problem(409, "people_unfinished");
    assert_eq!(officers.0.get(&path).await.ok(200)["state"], "proposed");
    let refused = officers.1.post(&format!("{path}/decisions"), json!({ "agree": false })).await.ok(200);
    assert_eq!(refused["state"], "refused");
    app.run_jobs().await;
}

async fn nobody_merges_their_own_account_and_no_link_is_two_steps_long(app: TestApp) {
    let officers = officers(&app).await;
    let (zhang, li, wang) = (
        app.worker("zhang").await.person(),
        app.worker("li").await.person(),
        app.worker("wang").await.person(),
    );
    let own = officers.0.person();
    let at = |kept: PersonId| format!("/api/v1/people/{kept}/merges");
    officers.0.post(&at(own), input(zhang)).await.problem(409, "second_officer_required");
    officers.0.post(&at(zhang), input(own)).await.problem(409, "second_officer_required");
    officers.0.post(&at(zhang), input(zhang)).await.problem(409, "state_forbids");
    officers.0.post(&at(zhang), input(app.ids().id())).await.problem(404, "not_found");
    let path = merged(&officers, zhang, li).await;
    officers.0.post(&at(wang), input(li)).await.problem(409, "state_forbids");
    officers.0.post(&at(li), input(wang)).await.problem(409, "state_forbids");
    officers.0.post(&at(wang), input(zhang)).await.problem(409, "state_forbids");
    // Another may be merged into the kept one.
    merged(&officers, zhang, wang).await;
    parted(&officers, &path).await;
    app.run_jobs().await;
}

async fn a_merge_reaches_as_far_as_the_grant(app: TestApp) {
    let local = staff_of(&app, "admin-pinghu", "admin", "street-pinghu").await;
    let (mine, theirs) = (app.worker("zhang").await, app.worker("li").await);
    mine.set_profile("张三", Some(app.organisation("street-pinghu").await)).await;
    theirs.set_profile("李四", Some(app.organisation("street-pingdi").await)).await;
    for (kept, merged) in [(&mine, &theirs), (&theirs, &mine)] {
        let path = format!("/api/v1/people/{}/merges", kept.person());
        local.post(&path, input(merged.person())).await.problem(404, "not_found");
    }
    let path = propose(&app.staff("admin").await, theirs.person(), mine.person()).await;
    local.get(&path).await.problem(404, "not_found");
    local.post(&format!("{path}/decisions"), json!({ "agree": true })).await.problem(404, "not_found");
    assert_eq!(local.get("/api/v1/merges").await.ok(200)["items"], json!([]));
    assert_eq!(app.staff("admin").await.get("/api/v1/merges").await.ok(200)["items"][0]["state"], "proposed");
}

async fn whoever_is_found_by_a_merged_number_is_the_kept_one(app: TestApp) {
    count_people(&app).await;
    let union = "demo-enterprise-pinghu-1";
    let zhang = registered(&app, "zhang", "张三", union, "13800138001").await;
    let twin = registered(&app, "twin", "张三", union, "13800138002").await;
    trained(&app, "street-pinghu", &["zhang"]).await;
    let officers = officers(&app).await;
    merged(&officers, zhang.person(), twin.person()).await;
    let gate = app.staff("gate").await;
    let made = app.activity(|a| a.programme("demo-skills-rider").organisation("street-nanwan")).await;
    let body = json!({ "phone": "13800138002", "name": "张三", "consent": true });
    let path = format!("/api/v1/sessions/{}/walk-ins", made.session);
    let present = gate.post(&path, body).await.ok(200);
    assert_eq!(present["person_id"], json!(zhang.person()), "{present}");
    gate.finalise(made.session).await.ok(200);
    assert_eq!(people_counted(&app, "longgang").await, 1);
    no_difference(&app).await;
    app.run_jobs().await;
}

async fn who_may_be_the_same_human_is_listed(app: TestApp) {
    let union = "demo-enterprise-pinghu-1";
    let zhang = registered(&app, "zhang", "张三", union, "13800138001").await;
    let namesake = registered(&app, "namesake", "张三", union, "13800138002").await;
    let phone = registered(&app, "phone", "张三丰", union, "13800138001").await;
    registered(&app, "stranger", "李四", union, "13800138003").await;
    let admin = app.staff("admin").await;
    let path = format!("/api/v1/people/{}/alike", zhang.person());
    let found = admin.get(&path).await.ok(200);
    let of = |person: PersonId| {
        let items = found["items"].as_array().unwrap();
        let one = items.iter().find(|one| one["person_id"] == json!(person));
        one.map(|one| (one["same_phone"] == true, one["same_name_and_workplace"] == true))
    };
    assert_eq!(found["items"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!((of(namesake.person()), of(phone.person())), (Some((false, true)), Some((true, false))));
    assert!(!found.to_string().contains("张三丰"), "names are masked: {found}");
    app.run_jobs().await;
}

async fn a_merge_for_a_closed_month_waits_for_its_restatement(app: TestApp) {
    count_people(&app).await;
    trained(&app, "street-pinghu", &["zhang"]).await;
    trained(&app, "street-nanwan", &["li"]).await;
    close_june(&app).await;
    let (zhang, li) = (app.worker("zhang").await.person(), app.worker("li").await.person());
    let officers = officers(&app).await;
    merged(&officers, zhang, li).await;
    assert_eq!(people_counted(&app, "longgang").await, 2, "as it was issued");
    assert!(!held_for_june(&app).await.is_empty());
    no_difference(&app).await;
    restate_june(&app, true).await;
    assert_eq!(people_counted(&app, "longgang").await, 1);
    assert_eq!(people_counted(&app, "street-nanwan").await, 1);
    assert_eq!(held_for_june(&app).await, Vec::<Value>::new());
    no_difference(&app).await;
    app.run_jobs().await;
}

async fn an_undone_check_in_leaves_the_human_with_the_other_account_s(app: TestApp) {
    count_people(&app).await;
    let first = trained(&app, "street-pinghu", &["zhang"]).await;
    let second = trained(&app, "street-nanwan", &["li"]).await;
    let (zhang, li) = (app.worker("zhang").await.person(), app.worker("li").await.person());
    let officers = officers(&app).await;
    let path = merged(&officers, zhang, li).await;
    let organiser = app.staff("organiser").await;
    let body = json!({ "reason": "未举办" });
    let cancelled = format!("/api/v1/sessions/{}/cancellations", first.session);
    organiser.post(&cancelled, body).await.ok(200);
    assert_eq!(people_counted(&app, "longgang").await, 1, "by the other account");
    assert_eq!(people_counted(&app, "street-pinghu").await, 0);
    no_difference(&app).await;
    // Parted, nobody is left of the one.
    parted(&officers, &path).await;
    assert_eq!(people_counted(&app, "longgang").await, 1);
    no_difference(&app).await;
    came_late(&app, second.session, "zhang").await;
    assert_eq!(people_counted(&app, "longgang").await, 2);
    no_difference(&app).await;
    app.run_jobs().await;
}

const ROUNDS: usize = 10;

/// Somebody is checked in with the account that is being merged, in the same moment.
async fn nobody_is_counted_under_a_key_that_is_gone(app: TestApp) {
    count_people(&app).await;
    let officers = (app.staff("planner").await.person(), app.staff("admin").await.person());
    let url = app.config().database.url.clone();
    for round in 0..ROUNDS {
        let made = app.activity(|a| a.programme("demo-skills-rider").organisation("street-pinghu")).await;
        let (kept, merged) = (
            app.worker(&format!("kept-{round}")).await.person(),
            app.worker(&format!("merged-{round}")).await.person(),
        );
        let start = Arc::new(Barrier::new(2));
        let tools = || {
            let clock: SharedClock = Arc::new(SystemClock);
            (Ids::new(Arc::clone(&clock), Arc::new(SystemEntropy)), clock)
        };
        let entering = {
            let (db, start, (ids, clock)) = (ground::open(&url), Arc::clone(&start), tools());
            let session = made.session;
            std::thread::spawn(move || {
                let counting = Arc::new(PlanCounting::new(Arc::clone(&clock), ids.clone(), Duration::ZERO));
                let door =
                    unionhall::attendance::entering::Entrance::new(clock, ids, counting, Duration::ZERO);
                start.wait();
                db.write_blocking(|conn| enter_in_tx(conn, &door, session, merged, officers.0)).unwrap();
            })
        };
        let merging = {
            let (db, (ids, clock)) = (ground::open(&url), tools());
            std::thread::spawn(move || {
                let now = clock.now();
                let row = PersonMerge {
                    id: ids.id::<PersonMergeId>(),
                    kept_id: kept,
                    merged_id: merged,
                    state: MergeState::Merged,
                    reason: "同一人".into(),
                    was_enabled: true,
                    proposed_by: officers.0,
                    proposed_at: db_time(now),
                    decided_by: Some(officers.1),
                    decided_at: Some(db_time(now)),
                    parting_reason: None,
                    parting_by: None,
                    parting_at: None,
                    parted_by: None,
                    parted_at: None,
                    version: 1,
                };
                let pair = Pair { kept, merged, others: Vec::new(), reason: "同一人".into(), now };
                start.wait();
                db.write_blocking(|conn| {
                    diesel::insert_into(person_merges::table).values(&row).execute(conn)?;
                    PlanMerging { ids: ids.clone() }.merged_in_tx(conn, &pair)
                })
                .unwrap();
            })
        };
        entering.join().unwrap();
        merging.join().unwrap();
        let standing = app
            .read(move |conn| {
                let of = ledger_lines::dedup_key.like(format!("person/{merged}%"));
                let rows: Vec<i64> =
                    ledger_lines::table.filter(of).select(ledger_lines::quantity).load(conn)?;
                Ok(rows.into_iter().sum::<i64>())
            })
            .await;
        assert_eq!(standing, 0, "round {round}: counted under a key that is gone");
        assert_eq!(people_counted(&app, "longgang").await, round as i64 + 1);
    }
    no_difference(&app).await;
}
