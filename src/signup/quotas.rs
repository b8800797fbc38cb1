//! Quotas as they are wanted, given on and agreed about. Pure.

use std::collections::{HashMap, HashSet};

use crate::error::{Fault, Text};
use crate::ids::{OrganisationId, QuotaId};
use crate::offering::model::{Audience, Quota, QuotaKind};

crate::text_enum! {
    /// To whom unused places go.
    pub enum ReleaseTo {
        /// 公共名额: to everybody.
        Pool = "pool",
        /// 按候补人数分配: to quotas whose people wait, by their number; the rest to everybody.
        ProRata = "pro_rata",
    }
}

/// A node as it is wanted. `children` stand below it.
#[derive(Debug, Clone)]
pub struct WantedQuota {
    /// For whom.
    pub kind: QuotaKind,
    /// Of a street or an industry.
    pub organisation: Option<OrganisationId>,
    /// Of an audience.
    pub audience: Option<Audience>,
    /// Places.
    pub capacity: i64,
    /// What stands below it.
    pub children: Vec<WantedQuota>,
}

/// What tells a node from its siblings.
pub type NodeKey = (QuotaKind, Option<OrganisationId>, Option<Audience>);

impl WantedQuota {
    /// What tells it from its siblings.
    pub fn key(&self) -> NodeKey {
        (self.kind, self.organisation, self.audience)
    }
}

/// Everything that is wrong with wanted quotas of an activity with `total` places.
pub fn check(wanted: &[WantedQuota], total: i64) -> Vec<Fault> {
    let mut faults = Vec::new();
    check_level(wanted, total, "", 1, &mut faults);
    faults
}

fn check_level(level: &[WantedQuota], places: i64, at: &str, depth: usize, faults: &mut Vec<Fault>) {
    let sum: i64 = level.iter().map(|quota| quota.capacity).sum();
    if sum > places {
        let text = Text::new(
            format!("各名额之和 {sum} 超过上级名额 {places}：名额是承诺，不能重复分配"),
            format!("these are {sum} places together, and there are {places}: a quota is a promise"),
        );
        faults.push(Fault::new(format!("{at}/quotas"), "over_parent", text));
    }
    let mut seen = HashSet::new();
    for (place, quota) in level.iter().enumerate() {
        let at = format!("{at}/quotas/{place}");
        let needs = match quota.kind {
            QuotaKind::Street | QuotaKind::Industry => (true, false),
            QuotaKind::Audience => (false, true),
            QuotaKind::Pool => (false, false),
        };
        if needs != (quota.organisation.is_some(), quota.audience.is_some()) {
            let text = Text::new(
                "street、industry 须给出 organisation_id，audience 须给出 audience，pool 两者皆无",
                "street and industry need organisation_id, audience needs audience, pool neither",
            );
            faults.push(Fault::new(&at, "key", text));
        }
        if !seen.insert(quota.key()) {
            let text = Text::new("与同级另一名额重复", "the same as one of its siblings");
            faults.push(Fault::new(&at, "duplicate", text));
        }
        if depth == 2 && !quota.children.is_empty() {
            let text = Text::new("名额最多两层", "quotas have two levels at most");
            faults.push(Fault::new(format!("{at}/quotas"), "too_deep", text));
        } else if !quota.children.is_empty() {
            check_level(&quota.children, quota.capacity, &at, depth + 1, faults);
        }
    }
}

/// Places that go from one quota to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// From.
    pub from: QuotaId,
    /// To.
    pub to: QuotaId,
    /// How many.
    pub places: i64,
}

/// The quotas right below the total that give up what they do not use: all of them, or those for which nobody waits.
pub fn donors<'a>(quotas: &'a [Quota], waiting: &HashMap<QuotaId, i64>, to: ReleaseTo) -> Vec<&'a Quota> {
    // Who waits at a quota below waits for the one above, too.
    let queue = |id: QuotaId| -> i64 {
        let below = quotas.iter().filter(|quota| quota.parent_id == Some(id)).map(|quota| quota.id);
        below.chain([id]).filter_map(|id| waiting.get(&id)).sum()
    };
    quotas
        .iter()
        .filter(|quota| quota.parent_id.is_none() && quota.kind != QuotaKind::Pool && quota.free() > 0)
        .filter(|quota| to == ReleaseTo::Pool || queue(quota.id) == 0)
        .collect()
}

/// How unused places go on. `pool` is the node for everybody; `waiting` says how many wait at each leaf. Used and kept
/// places stay.
pub fn release(quotas: &[Quota], pool: QuotaId, waiting: &HashMap<QuotaId, i64>, to: ReleaseTo) -> Vec<Move> {
    let donors = donors(quotas, waiting, to);
    let mut wanted: Vec<(QuotaId, i64)> = Vec::new();
    if to == ReleaseTo::ProRata {
        let unused: i64 = donors.iter().map(|quota| quota.free()).sum();
        let queues: Vec<(QuotaId, i64)> = quotas
            .iter()
            .filter(|quota| quota.kind != QuotaKind::Pool)
            .filter_map(|quota| waiting.get(&quota.id).map(|queue| (quota.id, *queue)))
            .filter(|(_, queue)| *queue > 0)
            .collect();
        wanted = shares(unused, &queues);
    }
    let mut moves = Vec::new();
    for quota in donors {
        let mut left = quota.free();
        for (to, wants) in &mut wanted {
            let places = left.min(*wants);
            if places > 0 {
                moves.push(Move { from: quota.id, to: *to, places });
                *wants -= places;
                left -= places;
            }
        }
        if left > 0 {
            moves.push(Move { from: quota.id, to: pool, places: left });
        }
    }
    moves
}

/// `places` shared by the length of queues, nobody given more than wait: largest remainders first, then in order.
fn shares(places: i64, queues: &[(QuotaId, i64)]) -> Vec<(QuotaId, i64)> {
    let waiting: i64 = queues.iter().map(|(_, queue)| queue).sum();
    let given = places.min(waiting);
    if waiting == 0 {
        return Vec::new();
    }
    let mut shares: Vec<(QuotaId, i64, i64)> =
        queues.iter().map(|(id, queue)| (*id, given * queue / waiting, given * queue % waiting)).collect();
    let mut left = given - shares.iter().map(|(_, share, _)| share).sum::<i64>();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(shares.get(*place).map(|share| share.2)));
    for place in order {
        if let Some(share) = shares.get_mut(place).filter(|_| left > 0) {
            share.1 += 1;
            left -= 1;
        }
    }
    shares.into_iter().map(|(id, share, _)| (id, share)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ActivityId;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn id(number: usize) -> QuotaId {
        QuotaId(Uuid::from_u128(u128::try_from(number).unwrap()))
    }

    fn street(number: usize, capacity: i64, taken: i64) -> Quota {
        Quota {
            id: id(number),
            activity_id: ActivityId(Uuid::from_u128(1)),
            parent_id: None,
            kind: QuotaKind::Street,
            organisation_id: Some(OrganisationId(Uuid::from_u128(u128::try_from(number).unwrap()))),
            audience: None,
            rank: 0,
            capacity,
            taken,
            held: 0,
            version: 1,
        }
    }

    #[test]
    fn unused_places_go_where_people_wait() {
        let quotas = [street(1, 10, 4), street(2, 5, 5), street(3, 5, 5)];
        let waiting = HashMap::from([(id(2), 2), (id(3), 1)]);
        let moves = release(&quotas, id(9), &waiting, ReleaseTo::ProRata);
        let to =
            |to: usize| -> i64 { moves.iter().filter(|one| one.to == id(to)).map(|one| one.places).sum() };
        assert_eq!((to(2), to(3), to(9)), (2, 1, 3));
        let pooled = release(&quotas, id(9), &waiting, ReleaseTo::Pool);
        assert_eq!(pooled, [Move { from: id(1), to: id(9), places: 6 }]);
    }

    #[test]
    fn every_fault_is_named() {
        let quota = |kind, capacity, children| WantedQuota {
            kind,
            organisation: None,
            audience: None,
            capacity,
            children,
        };
        let wanted = [
            quota(
                QuotaKind::Pool,
                5,
                vec![quota(QuotaKind::Pool, 9, vec![quota(QuotaKind::Pool, 1, vec![])])],
            ),
            quota(QuotaKind::Pool, 6, vec![]),
            quota(QuotaKind::Street, 1, vec![]),
        ];
        let faults = check(&wanted, 10);
        let named: Vec<(&str, &str)> =
            faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        assert_eq!(
            named,
            [
                ("/quotas", "over_parent"),
                ("/quotas/0/quotas", "over_parent"),
                ("/quotas/0/quotas/0/quotas", "too_deep"),
                ("/quotas/1", "duplicate"),
                ("/quotas/2", "key"),
            ]
        );
    }

    proptest! {
        #[test]
        fn a_release_moves_what_is_unused_and_nothing_else(
            streets in prop::collection::vec((0_i64..20, 0_i64..20, 0_i64..9), 1..8),
            pro_rata: bool,
        ) {
            let quotas: Vec<Quota> = streets
                .iter()
                .enumerate()
                .map(|(number, (capacity, taken, _))| street(number + 1, *capacity, (*taken).min(*capacity)))
                .collect();
            let waiting: HashMap<QuotaId, i64> =
                streets.iter().enumerate().map(|(number, (_, _, waiting))| (id(number + 1), *waiting)).collect();
            let to = if pro_rata { ReleaseTo::ProRata } else { ReleaseTo::Pool };
            let moves = release(&quotas, id(99), &waiting, to);
            for quota in &quotas {
                let gone: i64 = moves.iter().filter(|one| one.from == quota.id).map(|one| one.places).sum();
                let come: i64 = moves.iter().filter(|one| one.to == quota.id).map(|one| one.places).sum();
                prop_assert!(quota.capacity - gone >= quota.taken);
                prop_assert!(come <= waiting[&quota.id]);
                prop_assert!(gone == 0 || come == 0);
                prop_assert!(gone == quota.free() || (pro_rata && waiting[&quota.id] > 0));
            }
        }
    }
}
