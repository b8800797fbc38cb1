//! Whether the ledger agrees with itself: lines with their reversals, and roll-ups with lines. Whether it agrees with
//! its sources is asked by the plan, which knows the rules of counting.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;

use super::model::{Line, Rollup};
use super::store;
use crate::error::Result;
use crate::ids::LedgerLineId;
use crate::platform::db::Conn;
use crate::platform::db::schema::ledger_rollups;

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// A stable code, such as `rollup_quantity`.
    pub code: &'static str,
    /// What and where.
    pub detail: String,
}

impl Difference {
    /// A difference.
    pub fn new(code: &'static str, detail: String) -> Self {
        Self { code, detail }
    }
}

/// Reads every line, hands it to `each`, and gives all differences inside the ledger.
pub fn verify(conn: &mut Conn, mut each: impl FnMut(&Line)) -> Result<(i64, Vec<Difference>)> {
    let mut differences = Vec::new();
    let mut sums: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    let mut originals: HashMap<LedgerLineId, Line> = HashMap::new();
    let mut reversals: Vec<Line> = Vec::new();
    let mut after = None;
    let mut count = 0;
    loop {
        let page = store::all_after(conn, after, 2000)?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for (key, (quantity, lines)) in store::sums(&page) {
            let sum = sums.entry(key).or_default();
            sum.0 += quantity;
            sum.1 += lines;
        }
        for line in page {
            count += 1;
            each(&line);
            if line.month != store::month_of(line.day) {
                let what = format!("line {}: day {} is not in month {}", line.id, line.day, line.month);
                differences.push(Difference::new("line_month", what));
            }
            if line.is_reversal {
                reversals.push(line);
            } else {
                originals.insert(line.id, line);
            }
        }
    }
    for reversal in &reversals {
        let original = reversal.reverses.and_then(|id| originals.get(&id));
        let fits = original.is_some_and(|line| {
            line.quantity == -reversal.quantity
                && line.target_id == reversal.target_id
                && line.organisation_id == reversal.organisation_id
                && line.month == reversal.month
                && line.dedup_key == reversal.dedup_key
                && line.generation == reversal.generation
        });
        if !fits {
            let what = format!("line {} does not take back exactly the line that it names", reversal.id);
            differences.push(Difference::new("reversal", what));
        }
    }
    let rollups: Vec<Rollup> = ledger_rollups::table.select(Rollup::as_select()).load(conn)?;
    for rollup in rollups {
        let key = (rollup.target_id, rollup.organisation_id, rollup.month, rollup.grade);
        let (quantity, lines) = sums.remove(&key).unwrap_or_default();
        if (quantity, lines) != (rollup.quantity, rollup.lines) {
            differences.push(Difference::new(
                "rollup",
                format!(
                    "roll-up of {} for {} in {}, grade {}, says {} in {} lines; the lines say {quantity} in {lines}",
                    rollup.target_id,
                    rollup.organisation_id,
                    rollup.month,
                    rollup.grade,
                    rollup.quantity,
                    rollup.lines
                ),
            ));
        }
    }
    for ((target, organisation, month, grade), (quantity, lines)) in sums {
        let what = format!(
            "no roll-up of {target} for {organisation} in {month}, grade {grade}; the lines say {quantity} in {lines}"
        );
        differences.push(Difference::new("rollup_missing", what));
    }
    Ok((count, differences))
}
