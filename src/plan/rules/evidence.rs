//! Pure: what shows a figure, by grade.

use super::Rollup;
use crate::ledger::model::Grade;

/// How much of a figure rests on which grade of evidence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Self-scan in place.
    pub a: i64,
    /// Scanned by staff, a signed sheet, or a report with papers that its lead departments have seen.
    pub b: i64,
    /// A code, or remote.
    pub c: i64,
    /// A headcount.
    pub d: i64,
    /// Which share must be A or B, in hundredths.
    pub demanded: Option<i64>,
}

impl Evidence {
    /// All of it.
    pub fn total(&self) -> i64 {
        self.a + self.b + self.c + self.d
    }

    /// The share of A and B in thousandths, cut off; none where nothing was counted.
    pub fn good_per_mille(&self) -> Option<i64> {
        (self.total() > 0).then(|| super::per_mille(self.a + self.b, self.total()))
    }

    /// Whether less of it is good than the target demands.
    pub fn is_short(&self) -> bool {
        let good = i128::from(self.a + self.b) * 100;
        self.total() > 0
            && self.demanded.is_some_and(|demanded| good < i128::from(demanded) * i128::from(self.total()))
    }
}

/// The mix of a figure's lines.
pub(super) fn mix(whole: &[&Rollup], demanded: Option<i64>) -> Evidence {
    let of = |grade| whole.iter().filter(|one| one.grade == grade).map(|one| one.quantity).sum();
    Evidence { a: of(Grade::A), b: of(Grade::B), c: of(Grade::C), d: of(Grade::D), demanded }
}
