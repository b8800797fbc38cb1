//! Pure decisions about places: when sign-up opens for whom, who is next, how long they may think.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::profile::Profile;
use super::tree::{Bound, NodeAt, Tree};
use crate::error::{Code, Error, Result};
use crate::ids::{PartyId, SignupId};
use crate::offering;
use crate::offering::model::{Activity, Allocation, Audience, WaitingPolicy, Wave};

/// An audience's name for people.
pub fn audience_name(audience: Option<Audience>) -> &'static str {
    match audience {
        Some(Audience::All) | None => "全体职工",
        Some(Audience::NewEmployment) => "新就业形态劳动者",
        Some(Audience::ModelWorker) => "劳模",
        Some(Audience::SkilledWorker) => "技术工人",
    }
}

/// When sign-up opens for somebody: the earliest wave that is for them, or the general opening; later by `delay`.
pub fn opens_for(activity: &Activity, waves: &[Wave], profile: &Profile, delay: TimeDelta) -> DateTime<Utc> {
    let general = activity.signup_opens_at.and_utc();
    let own = waves.iter().filter(|wave| profile.is_in_wave(wave)).map(|wave| wave.opens_at).min();
    own.map_or(general, |own| own.min(general)) + delay
}

/// Whether somebody for whom sign-up opens at `opens` may sign up now; whether there is a place is not asked.
pub fn window(activity: &Activity, opens: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    let mut shifted = activity.clone();
    shifted.signup_opens_at = crate::clock::db_time(opens);
    offering::rules::signup_window(&shifted, now)
}

/// Whether whoever comes at `now` is shuffled rather than served in the order of arrival.
pub fn is_shuffled(activity: &Activity, now: DateTime<Utc>) -> bool {
    let opens = activity.signup_opens_at.and_utc();
    activity.allocation == Allocation::FirstCome && now >= opens && now < draw_at(activity)
}

/// When those who came in the first minutes are shuffled.
pub fn draw_at(activity: &Activity) -> DateTime<Utc> {
    activity.signup_opens_at.and_utc() + TimeDelta::minutes(activity.fair_minutes)
}

/// The key that a sign-up, or whatever else is drawn, is ordered by in a shuffle: SHA-256 over `<seed>:<id>`, in hexadecimal.
pub fn draw_key(seed: &str, id: impl std::fmt::Display) -> String {
    hex::encode(Sha256::digest(format!("{seed}:{id}")))
}

/// The order of a shuffle: by [`draw_key`]. The order in which ids are given does not matter.
pub fn draw_order<I: std::fmt::Display + Copy + Ord>(seed: &str, ids: &[I]) -> Vec<I> {
    let mut keyed: Vec<(String, I)> = ids.iter().map(|id| (draw_key(seed, *id), *id)).collect();
    keyed.sort();
    keyed.into_iter().map(|(_, id)| id).collect()
}

/// The digest of an order: SHA-256 over the ids, one a line.
pub fn draw_digest(order: &[impl std::fmt::Display]) -> String {
    let mut hash = Sha256::new();
    for id in order {
        hash.update(format!("{id}\n"));
    }
    hex::encode(hash.finalize())
}

/// How long somebody may think about an offered place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferTerms {
    /// At most.
    pub longest: TimeDelta,
    /// At least; with less time left nobody is asked any more.
    pub shortest: TimeDelta,
}

/// Until when somebody must answer: a quarter of the time that is left, within the terms. None when it is too late to ask.
pub fn answer_by(terms: OfferTerms, starts_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let left = starts_at - now;
    if left < terms.shortest {
        return None;
    }
    Some(now + (left / 4).clamp(terms.shortest, terms.longest.max(terms.shortest)))
}

/// Somebody on the waiting list.
#[derive(Debug, Clone)]
pub struct Waiter {
    /// Their sign-up.
    pub signup: SignupId,
    /// Above others, or below.
    pub priority: i64,
    /// The order of arrival.
    pub number: i64,
    /// Those who stay together with them.
    pub party: Option<PartyId>,
    /// Where they could have a place, in the order in which it is tried.
    pub leaves: Vec<NodeAt>,
}

/// Who is asked next, with the leaf on which a place is kept for them; the places are kept in `tree`.
///
/// A party is asked together or not at all, and stands where its last member stands: nobody gains by joining one. With
/// [`WaitingPolicy::Strict`] a party that does not fit yet keeps what it could use from those behind it.
pub fn next_offers(tree: &mut Tree, policy: WaitingPolicy, waiters: &[Waiter]) -> Vec<(SignupId, NodeAt)> {
    let mut offers = Vec::new();
    let mut blocked: HashSet<NodeAt> = HashSet::new();
    for unit in units(waiters) {
        let mut trial = tree.clone();
        let mut places = Vec::new();
        for waiter in &unit {
            let leaf = waiter
                .leaves
                .iter()
                .copied()
                .find(|leaf| !blocked.contains(leaf) && trial.bind(*leaf, Bound::Held));
            places.extend(leaf.map(|leaf| (waiter.signup, leaf)));
        }
        if places.len() == unit.len() {
            *tree = trial;
            offers.extend(places);
        } else if policy == WaitingPolicy::Strict {
            blocked.extend(unit.iter().flat_map(|waiter| waiter.leaves.iter().copied()));
        }
    }
    offers
}

/// Waiters in their order, those of a party together.
fn units(waiters: &[Waiter]) -> Vec<Vec<&Waiter>> {
    let mut parties: HashMap<PartyId, Vec<&Waiter>> = HashMap::new();
    let mut ordered: BTreeMap<(std::cmp::Reverse<i64>, i64), Vec<&Waiter>> = BTreeMap::new();
    for waiter in waiters {
        match waiter.party {
            Some(party) => parties.entry(party).or_default().push(waiter),
            None => {
                ordered.insert((std::cmp::Reverse(waiter.priority), waiter.number), vec![waiter]);
            }
        }
    }
    for mut members in parties.into_values() {
        members.sort_by_key(|member| member.number);
        let priority = members.iter().map(|member| member.priority).min().unwrap_or(0);
        let number = members.iter().map(|member| member.number).max().unwrap_or(0);
        ordered.insert((std::cmp::Reverse(priority), number), members);
    }
    ordered.into_values().collect()
}

/// What the past says of somebody at `position`: of activities like this one, in how many did at least as many move up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance {
    /// Past activities that had a waiting list.
    pub activities: i64,
    /// Those in which this position got a place.
    pub reached: i64,
}

/// Below this many activities the past says nothing.
pub const ENOUGH_HISTORY: i64 = 3;

/// The chance at `position`, from how many moved up in each past activity; none with too little history.
pub fn chance(position: i64, moved_up: &[i64]) -> Option<Chance> {
    let activities = i64::try_from(moved_up.len()).unwrap_or(i64::MAX);
    let reached = moved_up.iter().filter(|moved| **moved >= position).count();
    (activities >= ENOUGH_HISTORY)
        .then(|| Chance { activities, reached: i64::try_from(reached).unwrap_or(i64::MAX) })
}

/// A refusal that says which quota is used up.
pub fn full(limits: &[(String, String, i64)]) -> Error {
    let zh: Vec<String> = limits.iter().map(|(name, _, places)| format!("{name}名额 {places} 个")).collect();
    let en: Vec<String> = limits.iter().map(|(_, name, places)| format!("{name}: {places} places")).collect();
    Error::new(Code::SignupFull)
        .detail(format!("{} 已全部用完", zh.join("、")), format!("All are given: {}", en.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;
    use uuid::Uuid;

    const TERMS: OfferTerms = OfferTerms { longest: TimeDelta::hours(48), shortest: TimeDelta::minutes(30) };

    #[test]
    fn the_time_to_answer_shrinks_towards_the_start() {
        let start = Utc.with_ymd_and_hms(2025, 6, 30, 10, 0, 0).unwrap();
        let given = |left: TimeDelta| answer_by(TERMS, start, start - left).map(|by| by - (start - left));
        assert_eq!(given(TimeDelta::days(30)), Some(TimeDelta::hours(48)));
        assert_eq!(given(TimeDelta::hours(40)), Some(TimeDelta::hours(10)));
        assert_eq!(given(TimeDelta::minutes(60)), Some(TimeDelta::minutes(30)));
        assert_eq!(given(TimeDelta::minutes(30)), Some(TimeDelta::minutes(30)));
        assert_eq!(given(TimeDelta::minutes(29)), None);
        assert_eq!(given(TimeDelta::hours(-1)), None);
    }

    #[test]
    fn the_past_is_silent_until_there_is_enough_of_it() {
        assert_eq!(chance(1, &[5, 5]), None);
        assert_eq!(chance(4, &[5, 3, 0, 4]), Some(Chance { activities: 4, reached: 2 }));
    }

    /// A reference vector, to be computed by whoever checks a draw: see docs/FAIR-DRAW.md.
    #[test]
    fn a_draw_can_be_computed_by_anybody() {
        let ids: Vec<SignupId> = (1..=3).map(|n| SignupId(Uuid::from_u128(n))).collect();
        let order = draw_order("00ff", &ids);
        let mut reversed = ids.clone();
        reversed.reverse();
        assert_eq!(order, draw_order("00ff", &reversed));
        assert_eq!(draw_key("00ff", ids[0]), hex::encode(Sha256::digest(format!("00ff:{}", ids[0]))));
        assert_ne!(draw_order("01", &ids), draw_order("07", &ids));
    }

    fn room(places: i64) -> Tree {
        let id = Uuid::from_u128(1);
        let mut activity = Activity::draft(
            crate::ids::ActivityId(id),
            crate::ids::ProgrammeId(id),
            crate::ids::OrganisationId(id),
            DateTime::UNIX_EPOCH,
        );
        activity.bookable = places;
        Tree::new(&activity, vec![])
    }

    fn waiter(number: i64, priority: i64, party: Option<u128>) -> Waiter {
        Waiter {
            signup: SignupId(Uuid::from_u128(u128::try_from(number).unwrap())),
            priority,
            number,
            party: party.map(|party| PartyId(Uuid::from_u128(party))),
            leaves: vec![0],
        }
    }

    fn asked(places: i64, policy: WaitingPolicy, waiters: &[Waiter]) -> Vec<u128> {
        let offers = next_offers(&mut room(places), policy, waiters);
        offers.into_iter().map(|(signup, _)| signup.0.as_u128()).collect()
    }

    #[test]
    fn strict_keeps_the_order_and_fill_fills_the_room() {
        let list = [waiter(1, 0, Some(9)), waiter(2, 0, Some(9)), waiter(3, 0, None), waiter(4, -1, None)];
        assert_eq!(asked(1, WaitingPolicy::Strict, &list), [] as [u128; 0]);
        assert_eq!(asked(1, WaitingPolicy::Fill, &list), [3]);
        assert_eq!(asked(2, WaitingPolicy::Strict, &list), [1, 2]);
        assert_eq!(asked(4, WaitingPolicy::Strict, &list), [1, 2, 3, 4]);
    }

    #[test]
    fn nobody_gains_by_joining_a_party() {
        let list = [waiter(1, 0, Some(9)), waiter(2, 0, None), waiter(3, 0, Some(9))];
        assert_eq!(asked(1, WaitingPolicy::Strict, &list), [2]);
        assert_eq!(asked(3, WaitingPolicy::Strict, &list), [2, 1, 3]);
    }

    proptest! {
        #[test]
        fn strict_order_has_no_overtaking(places in 0_i64..12, sizes in prop::collection::vec(1_u128..4, 0..8)) {
            let mut list = Vec::new();
            for (party, size) in (100_u128..).zip(sizes) {
                for _ in 0..size {
                    let number = i64::try_from(list.len()).unwrap() + 1;
                    list.push(waiter(number, 0, (size > 1).then_some(party)));
                }
            }
            let strict = asked(places, WaitingPolicy::Strict, &list);
            let fill = asked(places, WaitingPolicy::Fill, &list);
            prop_assert!(i64::try_from(fill.len()).unwrap() <= places);
            prop_assert!(fill.len() >= strict.len());
            // Those who are asked are the first of the list.
            let first: Vec<u128> = list.iter().take(strict.len()).map(|w| w.signup.0.as_u128()).collect();
            prop_assert_eq!(&strict, &first);
            for offers in [&strict, &fill] {
                for party in list.iter().filter_map(|waiter| waiter.party) {
                    let of: Vec<_> = list.iter().filter(|w| w.party == Some(party)).collect();
                    let asked = of.iter().filter(|w| offers.contains(&w.signup.0.as_u128())).count();
                    prop_assert!(asked == 0 || asked == of.len());
                }
            }
        }

        #[test]
        fn a_draw_is_a_permutation_that_the_order_of_coming_does_not_change(seed in "[0-9a-f]{8}", ids: Vec<u128>) {
            let mut ids: Vec<SignupId> = ids.into_iter().map(|n| SignupId(Uuid::from_u128(n))).collect();
            ids.sort();
            ids.dedup();
            let order = draw_order(&seed, &ids);
            ids.reverse();
            prop_assert_eq!(&order, &draw_order(&seed, &ids));
            let mut sorted = order;
            sorted.sort();
            ids.sort();
            prop_assert_eq!(sorted, ids);
        }
    }
}
