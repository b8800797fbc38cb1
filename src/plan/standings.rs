//! What stands in the ledger, while it is compared with its sources: millions of lines, in as little memory as will do.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::NaiveDate;

use crate::ids::{SubjectId, TargetId};
use crate::ledger::model::Grade;

/// A target and a key, in sixteen bytes.
pub(super) type Digest = u128;

pub(super) fn digest(target: TargetId, key: &str) -> Digest {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, target, key).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// What stands under a key, in 48 bytes.
pub(super) struct Live {
    pub(super) own: Digest,
    pub(super) source: SubjectId,
    pub(super) quantity: i64,
    pub(super) day: NaiveDate,
    /// Its place among the targets.
    pub(super) target: u16,
    pub(super) grade: Grade,
    /// Whether its source was read.
    pub(super) seen: bool,
}

/// The first bits of a digest say in which part it is.
const BITS: u32 = 10;

/// All that stands, by digest. In many small parts that are sorted once: one table of hashes takes twice the room, and three times while it
/// grows.
pub(super) struct Standings(Vec<Vec<Live>>);

impl Default for Standings {
    fn default() -> Self {
        Self((0..1 << BITS).map(|_| Vec::new()).collect())
    }
}

fn part(own: Digest) -> usize {
    usize::try_from(own >> (Digest::BITS - BITS)).unwrap_or(0)
}

impl Standings {
    /// One more. [`Self::sort`] is called before any is looked for.
    pub(super) fn add(&mut self, live: Live) {
        if let Some(part) = self.0.get_mut(part(live.own)) {
            part.push(live);
        }
    }

    pub(super) fn sort(&mut self) {
        for part in &mut self.0 {
            part.shrink_to_fit();
            part.sort_unstable_by_key(|live| live.own);
        }
    }

    pub(super) fn get(&self, own: Digest) -> Option<&Live> {
        let part = self.0.get(part(own))?;
        part.get(part.binary_search_by_key(&own, |live| live.own).ok()?)
    }

    pub(super) fn find(&mut self, own: Digest) -> Option<&mut Live> {
        let part = self.0.get_mut(part(own))?;
        let place = part.binary_search_by_key(&own, |live| live.own).ok()?;
        part.get_mut(place)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.0.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_nothing_else() {
        let target = TargetId(uuid::Uuid::from_u128(7));
        let (of, mut standings) = (|n: i64| digest(target, &format!("person/{n}")), Standings::default());
        for quantity in 0..5_000 {
            standings.add(Live {
                own: of(quantity),
                source: SubjectId(uuid::Uuid::nil()),
                quantity,
                day: NaiveDate::default(),
                target: 0,
                grade: Grade::A,
                seen: false,
            });
        }
        standings.sort();
        for quantity in 0..5_000 {
            assert_eq!(standings.get(of(quantity)).unwrap().quantity, quantity);
            standings.find(of(quantity)).unwrap().seen = true;
        }
        assert!(standings.get(of(5_000)).is_none() && standings.find(of(-1)).is_none());
        assert_eq!(standings.iter().filter(|live| live.seen).count(), 5_000);
    }

    #[test]
    fn a_line_takes_no_more_than_is_said() {
        assert_eq!(size_of::<Live>(), 48);
    }
}
