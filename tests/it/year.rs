//! The year 2025, played over HTTP: every figure is what an independent reckoning from the same events says.

use unionhall::commands::demo::year::events::What;
use unionhall::commands::demo::year::reckon::{TARGETS, reckon};
use unionhall::commands::demo::year::script::script;
use unionhall::commands::demo::year::{differences, play, read};
use unionhall::plan::verify::verify;

use crate::harness::{Test, TestApp};

pub const TESTS: &[Test] = tests![every_figure_of_the_year_is_what_its_events_say];

async fn every_figure_of_the_year_is_what_its_events_say(app: TestApp) {
    let (events, simulator) = (script(), app.simulator().base_url());
    let at = (app.base(), simulator.as_str());
    play(at, app.clock(), &events, |_| ()).await.unwrap();
    app.run_jobs().await;
    let (reckoned, shown) = (reckon(&events), read(at, &events).await.unwrap());
    let wrong = differences(&reckoned, &shown);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The comparison sees one too many in one sub-district, and in one month.
    let mut other = reckoned.clone();
    *other.targets.get_mut("07b").unwrap().by_organisation.values_mut().next().unwrap() += 1;
    *other.targets.get_mut("17b").unwrap().months.values_mut().next().unwrap() += 1;
    assert_eq!(differences(&other, &shown).len(), 2);

    // All of the plan is there, and nothing was won by standing still.
    assert_eq!(shown.progress["targets"].as_array().unwrap().len(), TARGETS.len());
    for code in TARGETS {
        let target = shown.target(code).unwrap();
        let (value, standing) = (target["value"].as_i64().unwrap(), target["standing"].as_str().unwrap());
        assert!(value > 0 && standing != "not_reported", "{target}");
    }
    let january = &reckoned.closed[&1];
    assert_ne!(january.issued, january.restated, "January was restated");
    assert_eq!(shown.months[&1]["held"], 0);
    assert_eq!(shown.months[&1]["restatements"].as_array().unwrap().len(), 1);
    for kind in [
        events.iter().any(|event| matches!(event.what, What::LateCrowd { .. })),
        events.iter().any(|event| matches!(event.what, What::UndoneVisit { .. })),
        events.iter().any(|event| matches!(event.what, What::Audit { .. })),
    ] {
        assert!(kind, "what comes late, what is undone and what is written down is in the year");
    }
    assert_eq!(app.read(|conn| verify(conn, |_| ())).await.differences, []);
}
