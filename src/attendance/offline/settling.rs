//! What a set of scans without a signal comes to. Pure, and a function of the set: in which order they came, in how many parts and
//! how often makes no difference, because everything is decided anew from all of them.
//!
//! Three steps. Each scan by itself; then each person, who is in one place at a time, where they were first; then each room,
//! which holds so many, those who came first. Who is left out by the second or the third step is a conflict for the desk. What was
//! seen at once, with a signal, and what the desk has decided, is never put in question.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{NaiveDateTime, TimeDelta};
use uuid::Uuid;

use crate::attendance::model::{ConflictReason, Direction, Proposal, ScanOutcome};
use crate::ids::{PersonId, ScanId, SessionId};

/// Somebody at a session.
pub type Seat = (SessionId, PersonId);

/// Two scans that far apart, at two sessions of the same time, may both be true: somebody left the one for the other.
const MOVED: TimeDelta = TimeDelta::minutes(30);

/// What a scan is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// Nothing against it.
    Clean,
    /// The desk decides.
    Doubtful(ConflictReason, Proposal),
    /// It counts for nothing.
    Refused(ScanOutcome),
}

/// A scan.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Its row.
    pub id: ScanId,
    /// Whose, where.
    pub seat: Seat,
    /// In or out.
    pub direction: Direction,
    /// When it happened.
    pub at: NaiveDateTime,
    /// The device's name of it: tells scans of one instant apart, the same way everywhere.
    pub client: Uuid,
    /// By itself.
    pub alone: Alone,
}

/// A session.
#[derive(Debug, Clone)]
pub struct Room {
    /// From.
    pub starts_at: NaiveDateTime,
    /// Until.
    pub ends_at: NaiveDateTime,
    /// How many who take a place it holds; none where all who could be here fit.
    pub seats: Option<i64>,
}

/// Somebody who is present whatever the scans say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Since when.
    pub at: NaiveDateTime,
    /// When they left.
    pub left: Option<NaiveDateTime>,
}

/// What is known beside the scans.
#[derive(Debug, Default)]
pub struct Known {
    /// Sessions.
    pub rooms: BTreeMap<SessionId, Room>,
    /// Who was seen at once.
    pub seen: HashMap<Seat, Seen>,
    /// What the desk has decided: whether it counts.
    pub decided: HashMap<Seat, bool>,
    /// Who takes no place in the room.
    pub placeless: BTreeSet<Seat>,
}

/// Somebody who is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// The scan that says so; none where it was seen at once, and not later.
    pub scan: Option<ScanId>,
    /// Since when.
    pub at: NaiveDateTime,
    /// When they left.
    pub left: Option<NaiveDateTime>,
}

/// What it comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Who is present.
    pub present: BTreeMap<Seat, Presence>,
    /// What the desk is to decide.
    pub conflicts: BTreeMap<Seat, (ScanId, ConflictReason, Proposal)>,
    /// What became of each scan.
    pub outcomes: BTreeMap<ScanId, ScanOutcome>,
}

/// Somebody who would be present, were they alone in the world.
#[derive(Debug, Clone)]
struct Claim {
    seat: Seat,
    presence: Presence,
    /// The scan, its instant and its name: the order of claims.
    order: (NaiveDateTime, Uuid),
    fixed: bool,
    /// The desk says so: then it is no reason to doubt another one.
    approved: bool,
}

/// Decides about `facts`.
pub fn settle(facts: &[Fact], known: &Known) -> Settled {
    let mut by_seat: BTreeMap<Seat, Vec<&Fact>> = BTreeMap::new();
    for fact in facts {
        by_seat.entry(fact.seat).or_default().push(fact);
    }
    for seat in known.seen.keys() {
        by_seat.entry(*seat).or_default();
    }
    by_seat.values_mut().for_each(|facts| facts.sort_by_key(|fact| (fact.at, fact.client, fact.id)));

    let mut settled = Settled::default();
    let mut claims: Vec<Claim> = Vec::new();
    for (seat, facts) in &by_seat {
        match claim(*seat, facts, known) {
            Claimed::Present(claim) => claims.push(claim),
            Claimed::Doubtful(scan, reason, proposal) => {
                settled.conflicts.insert(*seat, (scan, reason, proposal));
            }
            Claimed::Nothing => {}
        }
    }
    let claims = one_place(claims, known, &mut settled);
    for claim in within(claims, known, &mut settled) {
        settled.present.insert(claim.seat, claim.presence);
    }
    for (seat, facts) in &by_seat {
        for fact in facts {
            let outcome = outcome(*seat, fact, known, &settled);
            settled.outcomes.insert(fact.id, outcome);
        }
    }
    settled
}

enum Claimed {
    Present(Claim),
    Doubtful(ScanId, ConflictReason, Proposal),
    Nothing,
}

/// What the scans of one person at one session say.
fn claim(seat: Seat, facts: &[&Fact], known: &Known) -> Claimed {
    let seen = known.seen.get(&seat);
    let decided = known.decided.get(&seat).copied();
    let mut ins = facts.iter().filter(|fact| fact.direction == Direction::In);
    let clean = ins.clone().find(|fact| fact.alone == Alone::Clean);
    let doubtful = ins.find_map(|fact| match fact.alone {
        Alone::Doubtful(reason, proposal) => Some((*fact, reason, proposal)),
        _ => None,
    });
    let first = match (clean, decided) {
        // The desk has looked at the doubtful ones too.
        (_, Some(true)) => clean
            .into_iter()
            .chain(doubtful.as_ref().map(|(fact, _, _)| fact))
            .min_by_key(|f| (f.at, f.client)),
        (clean, _) => clean,
    };
    let fixed = seen.is_some() || decided == Some(true);
    if decided == Some(false) && seen.is_none() {
        return Claimed::Nothing;
    }
    let (scan, order) = match (first, seen) {
        (Some(fact), Some(seen)) if fact.at >= seen.at => (None, (seen.at, Uuid::nil())),
        (Some(fact), _) => (Some(fact.id), (fact.at, fact.client)),
        (None, Some(seen)) => (None, (seen.at, Uuid::nil())),
        (None, None) => {
            return doubtful.map_or(Claimed::Nothing, |(fact, reason, proposal)| {
                Claimed::Doubtful(fact.id, reason, proposal)
            });
        }
    };
    let outs = facts.iter().filter(|fact| {
        fact.direction == Direction::Out && !matches!(fact.alone, Alone::Refused(_)) && fact.at >= order.0
    });
    let left = outs.map(|fact| fact.at).chain(seen.and_then(|seen| seen.left)).max();
    Claimed::Present(Claim {
        seat,
        presence: Presence { scan, at: order.0, left },
        order,
        fixed,
        approved: decided == Some(true),
    })
}

/// Nobody is in two places: of sessions that overlap, the one where somebody was first.
fn one_place(mut claims: Vec<Claim>, known: &Known, settled: &mut Settled) -> Vec<Claim> {
    claims.sort_by_key(|claim| (claim.seat.1, !claim.fixed, claim.order, claim.seat.0));
    let mut standing: Vec<Claim> = Vec::with_capacity(claims.len());
    for claim in claims {
        let mine = standing.iter().rev().take_while(|other| other.seat.1 == claim.seat.1);
        let others = mine.filter(|other| !other.approved && clash(other, &claim, known));
        let other = others.min_by_key(|other| other.order);
        match (other, claim.presence.scan) {
            (Some(other), Some(scan)) if !claim.fixed => {
                let apart = (claim.presence.at - other.presence.at).abs() >= MOVED;
                let proposal = if apart { Proposal::Count } else { Proposal::LeaveOut };
                settled.conflicts.insert(claim.seat, (scan, ConflictReason::TwoPlaces, proposal));
            }
            _ => standing.push(claim),
        }
    }
    standing
}

/// Whether two claims of one person cannot both be true: the sessions overlap, and the person had not left the one before.
fn clash(one: &Claim, other: &Claim, known: &Known) -> bool {
    let (Some(room), Some(next)) = (known.rooms.get(&one.seat.0), known.rooms.get(&other.seat.0)) else {
        return false;
    };
    let overlap = room.starts_at < next.ends_at && next.starts_at < room.ends_at;
    let until = |claim: &Claim, room: &Room| claim.presence.left.unwrap_or(room.ends_at);
    overlap && one.presence.at < until(other, next) && other.presence.at < until(one, room)
}

/// A room holds so many: those who were seen at once, and then those who came first.
fn within(mut claims: Vec<Claim>, known: &Known, settled: &mut Settled) -> Vec<Claim> {
    claims.sort_by_key(|claim| (claim.seat.0, !claim.fixed, claim.order, claim.seat.1));
    let mut left: HashMap<SessionId, i64> = HashMap::new();
    let mut inside = Vec::with_capacity(claims.len());
    for claim in claims {
        let seats = known.rooms.get(&claim.seat.0).and_then(|room| room.seats);
        let (Some(seats), false) = (seats, known.placeless.contains(&claim.seat)) else {
            inside.push(claim);
            continue;
        };
        let left = left.entry(claim.seat.0).or_insert(seats);
        *left -= 1;
        match claim.presence.scan {
            Some(scan) if *left < 0 && !claim.fixed => {
                settled.conflicts.insert(claim.seat, (scan, ConflictReason::Full, Proposal::LeaveOut));
            }
            _ => inside.push(claim),
        }
    }
    inside
}

fn outcome(seat: Seat, fact: &Fact, known: &Known, settled: &Settled) -> ScanOutcome {
    if let Alone::Refused(why) = fact.alone {
        return why;
    }
    match (settled.present.get(&seat), settled.conflicts.get(&seat)) {
        (Some(presence), _) if fact.direction == Direction::Out => {
            if fact.at >= presence.at {
                ScanOutcome::Left
            } else {
                ScanOutcome::NotPresent
            }
        }
        (Some(presence), _) if presence.scan == Some(fact.id) => ScanOutcome::Accepted,
        (Some(_), _) => ScanOutcome::Duplicate,
        (None, Some((scan, _, _))) if *scan == fact.id || fact.direction == Direction::Out => {
            ScanOutcome::Conflict
        }
        (None, Some(_)) => ScanOutcome::Duplicate,
        (None, None) if known.decided.get(&seat) == Some(&false) => ScanOutcome::LeftOut,
        (None, None) => ScanOutcome::NotPresent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(minute: i64) -> NaiveDateTime {
        chrono::DateTime::from_timestamp(1_760_000_000 + minute * 60, 0).unwrap().naive_utc()
    }

    fn session(n: u128) -> SessionId {
        SessionId(Uuid::from_u128(n))
    }

    fn person(n: u128) -> PersonId {
        PersonId(Uuid::from_u128(n))
    }

    fn known(rooms: &[(u128, i64, i64, Option<i64>)]) -> Known {
        let room = |&(n, from, until, seats): &(u128, i64, i64, Option<i64>)| {
            (session(n), Room { starts_at: at(from), ends_at: at(until), seats })
        };
        Known { rooms: rooms.iter().map(room).collect(), ..Known::default() }
    }

    fn fact(id: u128, place: u128, who: u128, minute: i64) -> Fact {
        Fact {
            id: ScanId(Uuid::from_u128(id)),
            seat: (session(place), person(who)),
            direction: Direction::In,
            at: at(minute),
            client: Uuid::from_u128(id),
            alone: Alone::Clean,
        }
    }

    fn out(id: u128, place: u128, who: u128, minute: i64) -> Fact {
        Fact { direction: Direction::Out, ..fact(id, place, who, minute) }
    }

    fn says(settled: &Settled, id: u128) -> ScanOutcome {
        settled.outcomes[&ScanId(Uuid::from_u128(id))]
    }

    #[test]
    fn the_first_scan_counts_and_the_others_are_its_duplicates() {
        let known = known(&[(1, 0, 100, None)]);
        let settled = settle(&[fact(2, 1, 7, 5), fact(1, 1, 7, 9), fact(3, 1, 7, 5)], &known);
        assert_eq!(says(&settled, 2), ScanOutcome::Accepted, "of one instant, the device's names decide");
        assert_eq!((says(&settled, 1), says(&settled, 3)), (ScanOutcome::Duplicate, ScanOutcome::Duplicate));
        assert_eq!(settled.present[&(session(1), person(7))].at, at(5));
    }

    #[test]
    fn somebody_in_two_places_is_where_they_were_first() {
        let known = known(&[(1, 0, 100, None), (2, 50, 150, None), (3, 100, 200, None)]);
        let settled = settle(&[fact(1, 1, 7, 60), fact(2, 2, 7, 55), fact(3, 3, 7, 110)], &known);
        assert_eq!(settled.conflicts[&(session(1), person(7))].1, ConflictReason::TwoPlaces);
        assert_eq!(settled.conflicts[&(session(1), person(7))].2, Proposal::LeaveOut);
        assert_eq!(says(&settled, 2), ScanOutcome::Accepted);
        assert_eq!(says(&settled, 3), ScanOutcome::Conflict, "they are at the second one until minute 150");
        let left = settle(&[fact(2, 2, 7, 55), out(4, 2, 7, 90), fact(3, 3, 7, 110)], &known);
        assert!(left.conflicts.is_empty(), "they had left");
        assert_eq!(left.present[&(session(2), person(7))].left, Some(at(90)));
    }

    #[test]
    fn a_room_holds_those_who_came_first_and_those_who_were_seen() {
        let mut known = known(&[(1, 0, 100, Some(2))]);
        known.seen.insert((session(1), person(9)), Seen { at: at(30), left: None });
        let facts = [fact(1, 1, 1, 20), fact(2, 1, 2, 10), fact(3, 1, 9, 40)];
        let settled = settle(&facts, &known);
        assert_eq!(says(&settled, 2), ScanOutcome::Accepted);
        assert_eq!(says(&settled, 1), ScanOutcome::Conflict);
        assert_eq!(says(&settled, 3), ScanOutcome::Duplicate);
        known.placeless.insert((session(1), person(1)));
        assert_eq!(says(&settle(&facts, &known), 1), ScanOutcome::Accepted, "a trainer takes no place");
    }

    #[test]
    fn what_the_desk_decided_stands() {
        let mut known = known(&[(1, 0, 100, Some(0))]);
        let doubtful = Alone::Doubtful(ConflictReason::Clock, Proposal::Count);
        let facts = [Fact { alone: doubtful, ..fact(1, 1, 1, 20) }];
        assert_eq!(says(&settle(&facts, &known), 1), ScanOutcome::Conflict);
        known.decided.insert((session(1), person(1)), true);
        assert_eq!(says(&settle(&facts, &known), 1), ScanOutcome::Accepted, "in a full room, too");
        known.decided.insert((session(1), person(1)), false);
        assert_eq!(says(&settle(&facts, &known), 1), ScanOutcome::LeftOut);
    }

    fn facts() -> impl Strategy<Value = Vec<Fact>> {
        let alone = prop_oneof![
            6 => Just(Alone::Clean),
            1 => Just(Alone::Doubtful(ConflictReason::Clock, Proposal::Count)),
            1 => Just(Alone::Doubtful(ConflictReason::SignupCancelled, Proposal::LeaveOut)),
            1 => Just(Alone::Refused(ScanOutcome::NotSignedUp)),
        ];
        let one = (1u128..4, 1u128..6, 0i64..120, any::<bool>(), alone);
        prop::collection::vec(one, 0..40).prop_map(|all| {
            let make = |(id, (place, who, minute, out, alone))| Fact {
                direction: if out { Direction::Out } else { Direction::In },
                alone,
                ..fact(u128::try_from(id).unwrap() + 1, place, who, minute)
            };
            all.into_iter().enumerate().map(make).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

        #[test]
        fn order_makes_no_difference_and_nobody_is_lost(all in facts(), seats in 0i64..4, turn in any::<prop::sample::Index>()) {
            let known = known(&[(1, 0, 60, Some(seats)), (2, 30, 90, None), (3, 60, 120, Some(1))]);
            let settled = settle(&all, &known);
            let mut turned = all.clone();
            if !turned.is_empty() {
                let by = turn.index(turned.len());
                turned.rotate_left(by);
            }
            turned.reverse();
            prop_assert_eq!(&settle(&turned, &known), &settled);
            prop_assert_eq!(settled.outcomes.len(), all.len(), "every scan has an outcome");
            for (place, room) in &known.rooms {
                let inside = settled.present.keys().filter(|seat| seat.0 == *place).count();
                prop_assert!(room.seats.is_none_or(|seats| i64::try_from(inside).unwrap() <= seats));
            }
            for seat in settled.conflicts.keys() {
                prop_assert!(!settled.present.contains_key(seat), "a conflict does not count");
            }
            for fact in &all {
                let (present, conflict) = (settled.present.get(&fact.seat), settled.conflicts.get(&fact.seat));
                if fact.direction == Direction::In && !matches!(fact.alone, Alone::Refused(_)) {
                    prop_assert!(present.is_some() || conflict.is_some(), "whoever came is present or a conflict");
                }
            }
        }
    }
}
