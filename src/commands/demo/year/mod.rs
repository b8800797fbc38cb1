//! `demo --year`: the year 2025 in some minutes, and every one of the 46 targets driven to a known value.
//!
//! [`script`] says what happens, [`play()`] lets it happen over HTTP with a clock that it moves, and [`reckon`] says from the same events,
//! with nothing of the ledger's, what the figures must be. [`differences`] compares.

mod aid;
mod book;
mod compare;
mod desk;
pub mod events;
mod expecting;
mod meeting;
mod pictures;
mod play;
pub mod reckon;
pub mod script;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Days, Utc};
use serde_json::Value;

pub use self::compare::{Shown, differences};
use self::events::{Event, What, When, YEAR};
use self::play::Player;
use super::client::{Site, field};
use super::{Outcome, bar, own};
use crate::app::StartError;
use crate::clock::{ManualClock, SharedClock};
use crate::config::Config;

/// Where the clock stands when the year begins.
pub fn begin() -> DateTime<Utc> {
    When { month: 1, day: 1 }.instant()
}

/// Where it stands when the year is over and looked back at.
pub fn end() -> DateTime<Utc> {
    let last = When { month: 12, day: 31 }.instant();
    last.checked_add_days(Days::new(5)).unwrap_or(last)
}

/// Plays `events` against the server at `url` with the simulated WeChat at `wechat_sim`; `clock` is the server's, and is moved. `told`
/// hears of every event that is done.
///
/// # Errors
/// What the server answered, where it answered something else than it should.
pub async fn play(
    (url, wechat_sim): (&str, &str),
    clock: &ManualClock,
    events: &[Event],
    mut told: impl FnMut(&Event),
) -> Result<(), String> {
    clock.set(begin());
    let site = Site::new(url.to_owned(), wechat_sim.to_owned())?;
    let mut player = Player::new(&site, clock).await?;
    for event in events {
        player.play(event).await?;
        told(event);
    }
    clock.set(end());
    Ok(())
}

/// Reads what the server shows of the year in which `events` took place.
///
/// # Errors
/// What the server answered instead.
pub async fn read((url, wechat_sim): (&str, &str), events: &[Event]) -> Result<Shown, String> {
    let site = Site::new(url.to_owned(), wechat_sim.to_owned())?;
    let planner = site.log_in("planner").await?;
    let progress = planner.get(&format!("/api/v1/plans/{YEAR}/progress")).await?;
    let mut months = BTreeMap::new();
    for event in events {
        if let What::Close(month) = event.what {
            let path = format!("/api/v1/plans/{YEAR}/periods/{month:02}");
            months.insert(month, planner.get(&path).await?);
        }
    }
    let organisations = site.anonymous().list("/api/v1/organisations").await?;
    let text = |row: &Value, name: &str| field(row, name).as_str().unwrap_or_default().to_owned();
    let codes: HashMap<String, String> =
        organisations.iter().map(|row| (text(row, "id"), text(row, "code"))).collect();
    Ok(Shown { progress, months, codes })
}

/// Plays the year against an own temporary server, and shows what came of it.
pub(super) fn run(config: &Config) -> Result<bool, StartError> {
    let clock = Arc::new(ManualClock::at(begin()));
    actix_web::rt::System::new().block_on(async move {
        let own = own::OwnServer::start_at(config, Arc::clone(&clock) as SharedClock)?;
        let outcome = show(&own, &clock).await;
        own.stop().await;
        outcome.map_err(StartError::Other)
    })
}

async fn show(own: &own::OwnServer, clock: &ManualClock) -> Outcome<bool> {
    let (url, wechat_sim) = (own.url(), own.wechat_sim());
    let events = script::script();
    println!("  演示 {YEAR} 年 / The year {YEAR}: {} 项 events, {url}\n", events.len());
    let bar = bar(u64::try_from(events.len()).unwrap_or(0));
    play((&url, &wechat_sim), clock, &events, |event| {
        bar.set_message(event.when.date().to_string());
        bar.inc(1);
    })
    .await?;
    bar.finish_and_clear();
    let shown = read((&url, &wechat_sim), &events).await?;
    let reckoned = reckon::reckon(&events);
    table::print(&reckoned, &shown);
    let wrong = differences(&reckoned, &shown);
    if wrong.is_empty() {
        println!(
            "\n  已核对：46 项指标按街道、按月全部相符 / Checked: all 46 targets agree, by sub-district and by month\n"
        );
        return Ok(true);
    }
    Err(format!("数据不符 / figures differ:\n  {}", wrong.join("\n  ")))
}
