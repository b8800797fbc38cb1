//! Pure: who comes first among the sub-districts, and how a whole is divided into parts that add up.

use std::cmp::Reverse;

use super::per_mille;
use crate::ids::OrganisationId;
use crate::plan::model::Measure;

/// A sub-district in a ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// Which.
    pub organisation: OrganisationId,
    /// Its figure; none where it is too small to be shown.
    pub value: Option<i64>,
    /// The share that it agreed to.
    pub share: Option<i64>,
    /// Its figure by its share, in thousandths, cut off.
    pub rate_per_mille: Option<i64>,
    /// Its place by figure: who has as much has the same place, and the places after it are left out.
    pub by_value: i64,
    /// Its place by rate, among those that have a share.
    pub by_rate: Option<i64>,
}

/// Ranks sub-districts. Of people, a figure from 1 to below `small` is hidden: all such figures have the same place.
pub fn rank(measure: Measure, small: i64, figures: &[(OrganisationId, i64, Option<i64>)]) -> Vec<Ranked> {
    let people = matches!(measure, Measure::PersonTimes | Measure::DistinctPersons);
    let is_hidden = |value: i64| people && 0 < value && value < small;
    // Hidden figures are ordered as if they were all the same.
    let ordered = |value: i64| if is_hidden(value) { 1 } else { value };
    let rates: Vec<Option<i64>> = figures
        .iter()
        .map(|(_, value, share)| share.filter(|share| *share > 0).map(|share| per_mille(*value, share)))
        .collect();
    let shown = |place: usize| {
        let (_, value, _) = figures.get(place)?;
        rates.get(place).copied().flatten().filter(|_| !is_hidden(*value))
    };
    let mut ranked: Vec<Ranked> = figures
        .iter()
        .enumerate()
        .map(|(place, (organisation, value, share))| {
            let above = figures.iter().filter(|(_, other, _)| ordered(*other) > ordered(*value)).count();
            let rate = shown(place);
            let faster = rate.map(|rate| (0..figures.len()).filter(|at| shown(*at) > Some(rate)).count());
            Ranked {
                organisation: *organisation,
                value: (!is_hidden(*value)).then_some(*value),
                share: *share,
                rate_per_mille: rate,
                by_value: super::count(above) + 1,
                by_rate: faster.map(|faster| super::count(faster) + 1),
            }
        })
        .collect();
    ranked.sort_by_key(|one| (one.by_rate.is_none(), one.by_rate, one.by_value));
    ranked
}

/// The thousandths that each of `values` is of their sum, by largest remainder: they add up to 1000, and who comes first gets what is left
/// over among equal remainders. Nothing of nothing is 0 each.
pub fn parts_per_mille(values: &[i64]) -> Vec<i64> {
    let sum: i128 = values.iter().map(|value| i128::from(*value).max(0)).sum();
    if sum == 0 {
        return vec![0; values.len()];
    }
    let share = |value: &i64| i128::from(*value).max(0) * 1000;
    let mut parts: Vec<i64> =
        values.iter().map(|value| i64::try_from(share(value) / sum).unwrap_or(0)).collect();
    let left = usize::try_from(1000 - parts.iter().sum::<i64>()).unwrap_or(0);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|place| Reverse(values.get(*place).map(|value| share(value) % sum)));
    for place in order.into_iter().take(left) {
        if let Some(part) = parts.get_mut(place) {
            *part += 1;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn org(n: u128) -> OrganisationId {
        OrganisationId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn who_has_as_much_has_the_same_place_and_the_next_is_left_out() {
        let figures =
            [(org(1), 30, Some(60)), (org(2), 40, Some(100)), (org(3), 40, None), (org(4), 0, Some(10))];
        let ranked = rank(Measure::SessionsHeld, 3, &figures);
        let shown: Vec<_> = ranked
            .iter()
            .map(|one| (one.organisation, one.value, one.by_value, one.rate_per_mille, one.by_rate))
            .collect();
        let expected = [
            (org(1), Some(30), 3, Some(500), Some(1)),
            (org(2), Some(40), 1, Some(400), Some(2)),
            (org(4), Some(0), 4, Some(0), Some(3)),
            (org(3), Some(40), 1, None, None),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn small_counts_of_people_are_hidden_and_equal() {
        let figures =
            [(org(1), 1, Some(10)), (org(2), 2, Some(10)), (org(3), 3, Some(10)), (org(4), 0, Some(10))];
        let ranked = rank(Measure::DistinctPersons, 3, &figures);
        let shown: Vec<_> =
            ranked.iter().map(|one| (one.organisation, one.value, one.by_value, one.by_rate)).collect();
        let expected = [
            (org(3), Some(3), 1, Some(1)),
            (org(4), Some(0), 4, Some(2)),
            (org(1), None, 2, None),
            (org(2), None, 2, None),
        ];
        assert_eq!(shown, expected);
        // Sessions are no people.
        assert!(rank(Measure::SessionsHeld, 3, &figures).iter().all(|one| one.value.is_some()));
    }

    #[test]
    fn parts_add_up() {
        assert_eq!(parts_per_mille(&[1, 1, 1]), [334, 333, 333]);
        assert_eq!(parts_per_mille(&[0, 0]), [0, 0]);
        assert_eq!(parts_per_mille(&[]), [0; 0]);
    }

    proptest! {
        #[test]
        fn the_parts_of_anything_are_a_thousand(values in prop::collection::vec(0..=1_000_000_i64, 1..20)) {
            let parts = parts_per_mille(&values);
            let whole = if values.iter().all(|value| *value == 0) { 0 } else { 1000 };
            prop_assert_eq!(parts.iter().sum::<i64>(), whole);
            // Nobody is further than one thousandth from their own share.
            let sum: i64 = values.iter().sum();
            for (part, value) in parts.iter().zip(&values) {
                prop_assert!(sum == 0 || (part * sum - value * 1000).abs() < sum);
            }
        }
    }
}
