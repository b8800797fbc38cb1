//! Pure rules of rooms and trainers, which can be in one place at a time.
//!
//! Whose may be used: those of organisations in one's own scope, and those of any organisation above the one that
//! organises, so that a street may use the district's hall.

use chrono::{NaiveDateTime, TimeDelta};

use super::model::{Resource, ResourceKind};
use crate::clock::shanghai;
use crate::error::{Fault, Text};
use crate::ids::{ResourceId, SessionId};

/// When a session wants what it uses.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    /// Its place in what the caller sent.
    pub place: usize,
    /// Which.
    pub session: SessionId,
    /// Begins.
    pub starts_at: NaiveDateTime,
    /// Ends.
    pub ends_at: NaiveDateTime,
}

/// A booking that stands already.
#[derive(Debug, Clone)]
pub struct Booked {
    /// What is used.
    pub resource: ResourceId,
    /// Begins.
    pub starts_at: NaiveDateTime,
    /// Ends.
    pub ends_at: NaiveDateTime,
    /// The activity's title, where the caller may know of it.
    pub title: Option<String>,
}

/// Whether a resource at `path` may be used by an organisation at `organiser`. `covers` is the caller's scope.
pub fn is_usable(path: &str, organiser: &str, covers: impl Fn(&str) -> bool) -> bool {
    organiser.starts_with(path) || covers(path)
}

/// Whether two times are less than `margin` apart. Without a margin the end of one may be the start of the other.
pub fn collide(
    one: (NaiveDateTime, NaiveDateTime),
    other: (NaiveDateTime, NaiveDateTime),
    margin: TimeDelta,
) -> bool {
    one.0 < other.1 + margin && other.0 < one.1 + margin
}

/// The margin of a resource.
pub fn margin(resource: &Resource) -> TimeDelta {
    TimeDelta::minutes(resource.margin_minutes)
}

/// Every slot that cannot have `resource`, with whom it clashes first: a booking that stands, or an earlier slot.
pub fn clashes(resource: &Resource, slots: &[Slot], booked: &[Booked]) -> Vec<Fault> {
    let margin = margin(resource);
    let mut faults = Vec::new();
    for (number, slot) in slots.iter().enumerate() {
        let wanted = (slot.starts_at, slot.ends_at);
        let standing = booked
            .iter()
            .filter(|one| {
                one.resource == resource.id && collide(wanted, (one.starts_at, one.ends_at), margin)
            })
            .min_by_key(|one| one.starts_at);
        let own =
            || slots.iter().take(number).find(|one| collide(wanted, (one.starts_at, one.ends_at), margin));
        let text = match standing {
            Some(Booked { title: Some(title), starts_at, ends_at, .. }) => {
                let when = span(*starts_at, *ends_at);
                told(resource, &when, &format!("，活动“{title}”"), &format!(" by \"{title}\""))
            }
            Some(other) => told(resource, &span(other.starts_at, other.ends_at), "", ""),
            None => match own() {
                Some(other) => {
                    let (when, place) = (span(other.starts_at, other.ends_at), other.place + 1);
                    told(
                        resource,
                        &when,
                        &format!("，本次第 {place} 场"),
                        &format!(" by session {place} of these"),
                    )
                }
                None => continue,
            },
        };
        faults.push(Fault::new(format!("/sessions/{}", slot.place), "clash", text));
    }
    faults
}

fn told(resource: &Resource, when: &str, whom_zh: &str, whom_en: &str) -> Text {
    let (kind_zh, kind_en) = match resource.kind {
        ResourceKind::Venue => ("场地", "The venue"),
        ResourceKind::Trainer => ("讲师", "The trainer"),
    };
    let Resource { name, margin_minutes, .. } = resource;
    let (apart_zh, apart_en) = if *margin_minutes > 0 {
        (
            format!("（两场之间须隔 {margin_minutes} 分钟）"),
            format!("; {margin_minutes} minutes must lie between"),
        )
    } else {
        Default::default()
    };
    Text::new(
        format!("{kind_zh}“{name}”在 {when} 已被占用{whom_zh}{apart_zh}"),
        format!("{kind_en} \"{name}\" is taken {when} (UTC+08:00){whom_en}{apart_en}"),
    )
}

/// `2025-03-01 14:00–17:00`, in Shanghai.
fn span(starts_at: NaiveDateTime, ends_at: NaiveDateTime) -> String {
    let [starts, ends] = [starts_at, ends_at].map(|at| at.and_utc().with_timezone(&shanghai()));
    let end = if starts.date_naive() == ends.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    format!("{}–{}", starts.format("%Y-%m-%d %H:%M"), ends.format(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use uuid::Uuid;

    fn at(hour: u32, minute: u32) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2025, 3, 1).unwrap().and_hms_opt(hour, minute, 0).unwrap()
    }

    fn hall(margin_minutes: i64) -> Resource {
        Resource {
            id: ResourceId(Uuid::from_u128(1)),
            kind: ResourceKind::Venue,
            organisation_id: Uuid::from_u128(2).into(),
            name: "大礼堂".into(),
            seats: None,
            margin_minutes,
            closed_at: None,
            version: 1,
            created_at: at(0, 0),
        }
    }

    fn slot(place: usize, starts_at: NaiveDateTime, ends_at: NaiveDateTime) -> Slot {
        Slot { place, session: Uuid::from_u128(9).into(), starts_at, ends_at }
    }

    fn booked(starts_at: NaiveDateTime, ends_at: NaiveDateTime, title: Option<&str>) -> Booked {
        Booked { resource: hall(0).id, starts_at, ends_at, title: title.map(Into::into) }
    }

    #[test]
    fn what_follows_at_once_collides_only_within_the_margin() {
        let standing = [booked(at(2, 0), at(4, 0), None)];
        for (starts, ends, margin, clash) in [
            (at(4, 0), at(5, 0), 0, false),
            (at(1, 0), at(2, 0), 0, false),
            (at(3, 59), at(5, 0), 0, true),
            (at(2, 30), at(3, 0), 0, true),
            (at(1, 0), at(6, 0), 0, true),
            (at(4, 0), at(5, 0), 30, true),
            (at(4, 30), at(5, 0), 30, false),
            (at(1, 0), at(1, 30), 30, false),
            (at(1, 0), at(1, 31), 30, true),
        ] {
            let found = clashes(&hall(margin), &[slot(0, starts, ends)], &standing);
            assert_eq!(found.len() == 1, clash, "{starts} {ends} {margin}");
        }
    }

    #[test]
    fn each_clash_says_with_whom_as_far_as_one_may_know() {
        let slots = [slot(2, at(2, 0), at(3, 0)), slot(0, at(6, 0), at(7, 0)), slot(1, at(6, 30), at(8, 0))];
        let standing = [booked(at(2, 30), at(3, 0), Some("电工班")), booked(at(1, 0), at(2, 10), None)];
        let found = clashes(&hall(0), &slots, &standing);
        let said: Vec<(&str, &str)> =
            found.iter().map(|f| (f.pointer.as_str(), f.detail.zh.as_ref())).collect();
        assert_eq!(
            said,
            [
                ("/sessions/2", "场地“大礼堂”在 2025-03-01 09:00–10:10 已被占用"),
                ("/sessions/1", "场地“大礼堂”在 2025-03-01 14:00–15:00 已被占用，本次第 1 场"),
            ]
        );
        let named = clashes(&hall(0), slots.get(..1).unwrap(), standing.get(..1).unwrap());
        assert!(named.first().unwrap().detail.en.ends_with("by \"电工班\""), "{named:?}");
    }

    #[test]
    fn one_may_use_what_is_one_s_own_and_what_lies_above_the_organiser() {
        let own = |path: &str| path.starts_with("/d/s1/");
        assert!(is_usable("/d/", "/d/s1/", own));
        assert!(is_usable("/d/s1/e/", "/d/s1/", own));
        assert!(!is_usable("/d/s2/", "/d/s1/", own));
        assert!(!is_usable("/d/dept/", "/d/s1/", own));
    }
}
