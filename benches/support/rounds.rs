//! What rounds came to.

use crate::support::load::Outcome;

/// Rates and latencies, round by round.
#[derive(Default)]
pub struct Rounds {
    pub rates: Vec<f64>,
    /// Milliseconds.
    pub p99: Vec<f64>,
}

impl Rounds {
    pub fn add(&mut self, outcome: &Outcome) {
        self.rates.push(outcome.a_second);
        self.p99.push(outcome.p99.as_secs_f64() * 1000.0);
    }
}
