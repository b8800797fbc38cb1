//! Acceptance makes the 宗: which cases count for 11c, for whom, once or by members, in closed months, and what planted faults look like.

use chrono::{NaiveDate, TimeDelta};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::error::Result;
use unionhall::legal_aid::counting::CaseCounting;
use unionhall::legal_aid::model::{AidForm, Case, CaseState};
use unionhall::plan::cases::PlanCaseCounting;
use unionhall::plan::verify::verify;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{ledger_lines, legal_cases, policies};
use unionhall::policy::model::{Policy, PolicyUnit};

use super::planting::planted;
use crate::closing::{close_june, held_for_june, restate_june};
use crate::corruption::found;
use crate::harness::{Test, TestApp};
use crate::headcounts::values;

pub const TESTS: &[Test] = tests![
    an_accepted_case_counts_once_for_the_street_of_the_applicant,
    forms_that_make_no_case_count_nowhere,
    a_group_counts_as_the_plan_s_year_began,
    an_annulled_acceptance_counts_no_more,
    what_comes_late_for_a_closed_month_is_held,
    who_reads_the_plan_learns_of_no_case,
    planted_faults_are_found,
];

fn plan(app: &TestApp) -> PlanCaseCounting {
    PlanCaseCounting { ids: app.ids().clone() }
}

/// A case of `form` and `members` that is accepted now.
async fn accepted(app: &TestApp, street: &str, form: AidForm, members: i64) -> Case {
    let name = app.ids().secret();
    let person = app.worker(&name).await.person();
    let (now, number) = (app.now(), Some(format!("测试〔2025〕{name}")));
    let change = |case| Case {
        number,
        form,
        members,
        state: CaseState::Accepted,
        decided_at: Some(db_time(now)),
        ..case
    };
    let case = planted(app, person, street, change).await;
    count(app, &case).await;
    case
}

async fn count(app: &TestApp, case: &Case) {
    let (plan, case, now) = (plan(app), case.clone(), app.now());
    app.write(move |conn| plan.accepted_in_tx(conn, &case, now)).await;
}

/// More or fewer members than before.
async fn with_members(app: &TestApp, case: &Case, members: i64) {
    let (plan, case, now) = (plan(app), Case { members, ..case.clone() }, app.now());
    app.write(move |conn| {
        diesel::update(legal_cases::table.find(case.id))
            .set(legal_cases::members.eq(members))
            .execute(conn)?;
        plan.members_changed_in_tx(conn, &case, now)
    })
    .await;
}

async fn annulled(app: &TestApp, case: &Case) {
    let (plan, now) = (plan(app), app.now());
    let case = Case { state: CaseState::Annulled, ended_at: Some(db_time(now)), ..case.clone() };
    app.write(move |conn| {
        diesel::update(legal_cases::table.find(case.id))
            .set((legal_cases::state.eq(case.state), legal_cases::ended_at.eq(case.ended_at)))
            .execute(conn)?;
        plan.annulled_in_tx(conn, &case, now)
    })
    .await;
}

/// The policy `key` is `value` from `day` on, and nothing else before.
async fn policy(app: &TestApp, key: &str, rows: &[(&str, &str)]) {
    let row = |(day, value): &(&str, &str)| Policy {
        policy_key: key.to_owned(),
        effective_from: day.parse::<NaiveDate>().unwrap(),
        value: (*value).to_owned(),
        unit: PolicyUnit::Words,
        source: "测试".into(),
    };
    let (key, rows): (String, Vec<Policy>) = (key.to_owned(), rows.iter().map(row).collect());
    app.write(move |conn| {
        diesel::delete(policies::table.filter(policies::policy_key.eq(key))).execute(conn)?;
        for row in &rows {
            diesel::insert_into(policies::table).values(row).execute(conn)?;
        }
        Ok(())
    })
    .await;
}

async fn clean(app: &TestApp) {
    assert_eq!(app.read(|conn| verify(conn, |_| ())).await.differences, []);
}

async fn value(app: &TestApp) -> i64 {
    values(app, "11c").await[0]
}

async fn target(app: &TestApp) -> Value {
    let path = "/api/v1/plans/2025/progress?targets=11c";
    app.staff("planner").await.get(path).await.ok(200)["targets"][0].clone()
}

async fn an_accepted_case_counts_once_for_the_street_of_the_applicant(app: TestApp) {
    assert_eq!(target(&app).await["standing"], "not_reported");
    let first = accepted(&app, "street-pinghu", AidForm::Mediation, 1).await;
    accepted(&app, "street-pinghu", AidForm::Representation, 1).await;
    accepted(&app, "street-buji", AidForm::Representation, 1).await;
    // Somebody who works nowhere in the district counts for the district.
    let now = app.now();
    let person = app.worker("zhang").await.person();
    let nowhere = |case| Case {
        number: Some("测试〔2025〕9".into()),
        street_id: None,
        state: CaseState::Handling,
        decided_at: Some(db_time(now)),
        ..case
    };
    count(&app, &planted(&app, person, "longgang", nowhere).await).await;
    // The same act again, as a job that is repeated would: nothing more.
    count(&app, &first).await;
    let target = target(&app).await;
    assert_eq!((target["value"].as_i64(), target["required"].as_i64()), (Some(4), Some(100)));
    assert_ne!(target["standing"], "not_reported");
    let mut by: Vec<(String, i64)> = target["by_organisation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["organisation_id"].as_str().unwrap().to_owned(), row["value"].as_i64().unwrap()))
        .filter(|(_, value)| *value != 0)
        .collect();
    by.sort();
    let mut expected = Vec::new();
    for (code, value) in [("street-pinghu", 2), ("street-buji", 1), ("longgang", 1)] {
        expected.push((app.organisation(code).await.to_string(), value));
    }
    expected.sort();
    assert_eq!(by, expected);
    clean(&app).await;
}

async fn forms_that_make_no_case_count_nowhere(app: TestApp) {
    accepted(&app, "street-pinghu", AidForm::Consultation, 1).await;
    accepted(&app, "street-pinghu", AidForm::Drafting, 1).await;
    assert_eq!(value(&app).await, 0);
    clean(&app).await;
    // The policy of the day of the acceptance says which do.
    policy(
        &app,
        "legal_aid.case_forms",
        &[("2025-01-01", "mediation;representation"), ("2025-06-17", "drafting")],
    )
    .await;
    app.advance(TimeDelta::days(1));
    accepted(&app, "street-pinghu", AidForm::Drafting, 1).await;
    accepted(&app, "street-pinghu", AidForm::Mediation, 1).await;
    assert_eq!(value(&app).await, 1);
    clean(&app).await;
}

async fn a_group_counts_as_the_plan_s_year_began(app: TestApp) {
    policy(&app, "legal_aid.group_count", &[("2025-01-01", "case"), ("2025-03-01", "member")]).await;
    let group = accepted(&app, "street-pinghu", AidForm::Mediation, 12).await;
    assert_eq!(value(&app).await, 1, "a change within the year is for the next one");
    with_members(&app, &group, 14).await;
    assert_eq!(value(&app).await, 1);
    clean(&app).await;
    annulled(&app, &group).await;
    assert_eq!(value(&app).await, 0);

    policy(&app, "legal_aid.group_count", &[("2025-01-01", "member"), ("2025-03-01", "case")]).await;
    let group = accepted(&app, "street-buji", AidForm::Mediation, 12).await;
    assert_eq!(value(&app).await, 12);
    clean(&app).await;
    for members in [14, 14, 11, 12] {
        with_members(&app, &group, members).await;
        assert_eq!(value(&app).await, members);
        clean(&app).await;
    }
    annulled(&app, &group).await;
    assert_eq!(value(&app).await, 0);
    clean(&app).await;
}

async fn an_annulled_acceptance_counts_no_more(app: TestApp) {
    let case = accepted(&app, "street-pinghu", AidForm::Mediation, 1).await;
    let other = accepted(&app, "street-pinghu", AidForm::Mediation, 1).await;
    annulled(&app, &case).await;
    annulled(&app, &case).await;
    assert_eq!(value(&app).await, 1);
    clean(&app).await;
    // What became of a case otherwise takes nothing back: it was accepted.
    let id = other.id;
    app.write(move |conn| {
        let withdrawn =
            (legal_cases::state.eq(CaseState::Withdrawn), legal_cases::ended_at.eq(legal_cases::decided_at));
        Ok(diesel::update(legal_cases::table.find(id)).set(withdrawn).execute(conn)?)
    })
    .await;
    assert_eq!(value(&app).await, 1);
    clean(&app).await;
}

async fn what_comes_late_for_a_closed_month_is_held(app: TestApp) {
    let case = accepted(&app, "street-pinghu", AidForm::Mediation, 1).await;
    let closed = close_june(&app).await;
    assert_eq!(closed["state"], "hard");
    annulled(&app, &case).await;
    assert_eq!(value(&app).await, 1, "June is closed");
    let held = held_for_june(&app).await;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!((held[0]["kind"].as_str(), held[0]["cause"].as_str()), (Some("reverse"), Some("undone")));
    let text = json!(held).to_string();
    assert!(!text.contains(&case.id.to_string()) && !text.contains("cas_"), "{text}");
    clean(&app).await;
    restate_june(&app, true).await;
    assert_eq!(value(&app).await, 0);
    clean(&app).await;
}

async fn who_reads_the_plan_learns_of_no_case(app: TestApp) {
    let case = accepted(&app, "street-pinghu", AidForm::Mediation, 1).await;
    annulled(&app, &case).await;
    accepted(&app, "street-buji", AidForm::Representation, 1).await;
    let secrets =
        [case.id.to_string(), case.person_id.to_string(), case.number.clone().unwrap(), "cas_".into()];
    let quiet = |what: &str, text: &str| {
        for secret in &secrets {
            assert!(!text.contains(secret), "{what} names {secret}: {text}");
        }
    };
    for name in ["planner", "auditor", "admin"] {
        let reader = app.staff(name).await;
        let lines = reader.get("/api/v1/plans/2025/targets/11c/lines?limit=100").await;
        assert_eq!(lines.expect(200).body["items"].as_array().unwrap().len(), 3);
        quiet("lines", &lines.text);
        for line in lines.body["items"].as_array().unwrap() {
            assert_eq!(line["source_kind"], "case");
            assert!(line.get("source_id").is_none() && line.get("activity_id").is_none(), "{line}");
        }
        quiet("progress", &reader.get("/api/v1/plans/2025/progress").await.text);
    }
    let planner = app.staff("planner").await;
    let asked = json!({ "kind": "lines", "format": "csv", "target": "11c" });
    // A line is in what was known once the moment is over.
    app.advance(TimeDelta::minutes(5));
    let (_, bytes) = crate::exports::made(&app, &planner, asked).await;
    let table = String::from_utf8(bytes).unwrap();
    assert_eq!(table.matches("11c").count(), 3, "{table}");
    quiet("the export", &table);
}

async fn planted_faults_are_found(app: TestApp) {
    accepted(&app, "street-pinghu", AidForm::Mediation, 1).await;
    let elsewhere = app.organisation("street-buji").await;
    clean(&app).await;
    let sql = |text: &'static str| move |conn: &mut Conn| -> Result<()> { Ok(conn.batch_execute(text)?) };
    for (what, fault, code) in [
        ("a case that was not accepted", "UPDATE legal_cases SET number = NULL", "source_missing"),
        ("a form that makes none", "UPDATE legal_cases SET form = 'consultation'", "source_missing"),
        (
            "an acceptance of another day",
            "UPDATE legal_cases SET decided_at = '2025-05-02 03:00:00'",
            "line_day",
        ),
        ("a line that is gone", "DELETE FROM ledger_lines WHERE source_kind = 'case'", "line_missing"),
        ("two of one", "UPDATE ledger_lines SET quantity = 2 WHERE source_kind = 'case'", "line_quantity"),
        (
            "evidence that there is not",
            "UPDATE ledger_lines SET grade = 'A' WHERE source_kind = 'case'",
            "line_grade",
        ),
    ] {
        let codes = found(&app, sql(fault)).await;
        assert!(codes.iter().any(|one| one == code), "{what}: {codes:?}");
    }
    let codes = found(&app, move |conn| {
        diesel::update(ledger_lines::table.filter(ledger_lines::source_kind.eq("case")))
            .set(ledger_lines::organisation_id.eq(elsewhere))
            .execute(conn)?;
        Ok(())
    })
    .await;
    assert!(codes.iter().any(|one| one == "line_organisation"), "another street's: {codes:?}");
}
