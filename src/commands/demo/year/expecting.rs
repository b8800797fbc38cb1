//! What a target's figures must be, by its kind.

use std::collections::{BTreeMap, BTreeSet};

use super::book::Book;
use super::events::{DISTRICT, Figure, Report, STREETS};
use super::reckon::{Expected, Reports};

/// Counts of people.
const OF_PEOPLE: [&str; 4] = ["09e", "19a", "19b", "19c"];
/// The stations of the city's level and above.
const STATIONS: [&str; 3] = ["demo-station-bantian-1", "demo-station-buji-1", "demo-station-longcheng-1"];
/// 直管基层工会.
const DIRECT_UNIONS: i64 = 7;

/// What must come of a target, from what counts for it and what was reported of it.
pub(super) fn expected(code: &'static str, book: &Book, reports: &Reports) -> Expected {
    let of_people = OF_PEOPLE.contains(&code);
    let mut out = Expected::default();
    let mut by_unit_and_month: BTreeMap<(&str, u32), i64> = BTreeMap::new();
    for entry in book.of(code) {
        let district = entry.organisation == DISTRICT;
        if !of_people || district {
            out.value += entry.quantity;
            *out.months.entry(entry.month).or_default() += entry.quantity;
        }
        if !(of_people && district) {
            *out.by_organisation.entry(entry.organisation.clone()).or_default() += entry.quantity;
        }
        *by_unit_and_month.entry((&entry.organisation, entry.month)).or_default() += entry.quantity;
    }
    out.by_organisation.retain(|_, value| *value != 0);
    out.months.retain(|_, value| *value != 0);
    if of_people {
        out.overlap = (out.by_organisation.values().sum::<i64>() - out.value).max(0);
    }
    let own: Vec<&Report> = reports.values().filter(|report| report.code == code).collect();
    let reached = |code: &str, due: i64| out.by_organisation.get(code).is_some_and(|value| *value >= due);
    let count = |units: &[&str], reached: &dyn Fn(&str) -> bool| {
        i64::try_from(units.iter().filter(|unit| reached(unit)).count()).unwrap_or(i64::MAX)
    };
    match code {
        // 每月不少于1场: a month without one cannot be made up.
        "16b" => {
            let all = |station: &str| {
                (1..=12).all(|month| by_unit_and_month.get(&(station, month)).is_some_and(|n| *n >= 1))
            };
            out.value = count(&STATIONS, &all);
        }
        // 每季度1次.
        "27a" => {
            let quarters: BTreeSet<u32> = out.months.keys().map(|month| (month - 1) / 3).collect();
            out.value = i64::try_from(quarters.len()).unwrap_or(i64::MAX);
        }
        "24a" => out.value = count(&STREETS, &|street| reached(street, 2)),
        "25b" => out.value = count(&STREETS, &|street| reached(street, 1)),
        "11a" => {
            out.parts = vec![0; 3];
            for report in &own {
                if let Figure::Parts(parts) = &report.figure {
                    for (sum, part) in out.parts.iter_mut().zip(parts) {
                        *sum += part;
                    }
                }
            }
        }
        "10a" | "10b" | "12a" | "15a" | "25a" | "28b" => {
            out.snapshots = snapshots(&own);
            let last = out.snapshots.last();
            out.value = last.map_or(0, |(_, numerator, denominator)| numerator * 100 / denominator);
        }
        _ => {}
    }
    out
}

/// A rate, month by month. Of a list: how much of it is covered by then.
fn snapshots(own: &[&Report]) -> Vec<(u32, i64, i64)> {
    let months: BTreeSet<u32> = own.iter().map(|report| report.month).collect();
    let mut covered: BTreeSet<&str> = BTreeSet::new();
    let mut snapshots = Vec::new();
    for month in months {
        let (mut numerator, mut denominator) = (0, 0);
        for report in own.iter().filter(|report| report.month == month) {
            match &report.figure {
                Figure::Ratio(holds, of) => {
                    numerator += holds;
                    denominator += of;
                }
                Figure::Covered(units) => {
                    covered.extend(units);
                    numerator = i64::try_from(covered.len()).unwrap_or(i64::MAX);
                    denominator = DIRECT_UNIONS;
                }
                Figure::Value(_) | Figure::Parts(_) => {}
            }
        }
        snapshots.push((month, numerator, denominator));
    }
    snapshots
}
