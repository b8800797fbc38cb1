//! What the bench stands on: servers, a ground to run on, a load, and what came of it.

pub mod ground;
pub mod load;
pub mod plain;
pub mod site;
pub mod table;

/// A size or a number of rounds, from the environment.
pub fn knob(name: &str, default: usize) -> usize {
    std::env::var(format!("UNIONHALL_BENCH_{name}"))
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
