//! The calendar as it is stored, and the terms that policies set.

use chrono::NaiveDate;
use diesel::prelude::*;
use unionhall::error::Code;
use unionhall::platform::db::schema::{calendar_days, calendar_years};
use unionhall::policy::clock::{Term, Trail};
use unionhall::policy::store;
use unionhall::seed::loader::{Loader, load_in_tx};
use unionhall::seed::{self, SeedSource};

use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![
    the_seeded_calendar_is_there,
    a_missing_year_is_known_to_be_missing,
    a_corrected_notice_takes_its_days_back,
    a_term_has_the_version_of_its_policy,
];

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

async fn the_seeded_calendar_is_there(app: TestApp) {
    let calendar = app.read(store::calendar).await;
    assert_eq!(calendar.years().collect::<Vec<_>>(), [2024, 2025, 2026]);
    for (off, worked) in [
        ("2024-02-12", "2024-02-18"),
        ("2025-02-04", "2025-02-08"),
        ("2025-10-08", "2025-10-11"),
        ("2026-02-23", "2026-02-28"),
    ] {
        assert!(!calendar.is_working(day(off)) && calendar.is_working(day(worked)), "{off} {worked}");
    }
    let rows: i64 = app.read(|conn| Ok(calendar_days::table.count().get_result(conn)?)).await;
    assert_eq!(rows, 28 + 8 + 28 + 5 + 33 + 6);
}

async fn a_missing_year_is_known_to_be_missing(app: TestApp) {
    for (today, unknown) in [
        ("2026-06-01", vec![]),
        // 90 days later is the 31st of December, and then the 1st of January.
        ("2026-10-02", vec![]),
        ("2026-10-03", vec![2027]),
        ("2027-12-01", vec![2027, 2028]),
        ("2023-12-31", vec![2023]),
    ] {
        let found = app.read(move |conn| store::unknown_years(conn, day(today))).await;
        assert_eq!(found, unknown, "{today}");
    }
}

async fn a_corrected_notice_takes_its_days_back(app: TestApp) {
    let (ids, now) = (app.ids().clone(), app.now());
    let counts = app
        .write(move |conn| {
            let mut seeds = seed::load(&SeedSource::Embedded).unwrap();
            let loader = Loader { ids: &ids, now, simulated_appid: None, demo: false };
            // An older year, whose notice the files do not have any more.
            diesel::insert_into(calendar_years::table)
                .values((calendar_years::year.eq(2023), calendar_years::source.eq("测试")))
                .execute(conn)?;
            let old = (
                calendar_days::day.eq(day("2023-10-02")),
                calendar_days::kind.eq("holiday"),
                calendar_days::name.eq("国庆节"),
                calendar_days::source.eq("测试"),
            );
            diesel::insert_into(calendar_days::table).values(old).execute(conn)?;
            let gone = seeds.calendar_days.iter().position(|row| row.day == day("2026-10-10")).unwrap();
            seeds.calendar_days.remove(gone);
            let first = load_in_tx(conn, &seeds, &loader)?;
            Ok([first, load_in_tx(conn, &seeds, &loader)?])
        })
        .await;
    assert_eq!(counts.map(|loaded| (loaded.created, loaded.changed)), [(0, 1), (0, 0)]);
    let calendar = app.read(store::calendar).await;
    assert!(!calendar.is_working(day("2026-10-10")), "a plain Saturday again");
    assert!(!calendar.is_working(day("2023-10-02")) && calendar.knows(2023));
}

async fn a_term_has_the_version_of_its_policy(app: TestApp) {
    let now = app.now();
    app.read(move |conn| {
        let rule = store::rule_on(conn, "review.stage.unit", day("2026-03-02"))?;
        assert_eq!((rule.term, rule.effective_from), (Term::working(3), day("2025-01-01")));
        let supplement = store::rule_on(conn, "review.supplement", day("2026-03-02"))?;
        assert_eq!(supplement.term, Term::calendar(10));
        for (key, on) in [
            ("review.stage.unit", "2024-12-31"),
            ("review.claim_hours", "2026-03-02"),
            ("review.unheard_of", "2026-03-02"),
        ] {
            let error = store::rule_on(conn, key, day(on)).unwrap_err();
            assert_eq!(error.code(), Code::Internal);
            assert!(error.to_string().contains(key), "{error}");
        }
        let trail = Trail::reckon(rule, now, Vec::new(), &store::calendar(conn)?);
        assert!(trail.due.deadline().unwrap().at > now);
        let kept = serde_json::to_string(&trail).unwrap();
        assert_eq!(serde_json::from_str::<Trail>(&kept).unwrap(), trail);
        Ok(())
    })
    .await;
}
