//! The suite: every test runs against the real server, on SQLite with the cache in memory and on PostgreSQL
//! with Redis. `cargo test --test it -- sqlite::` runs the half that needs nothing installed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[macro_use]
mod harness;

mod access;
mod audiences;
mod audit;
mod calendar;
mod catalogue;
mod chores;
mod cli;
mod closing;
mod content;
mod contract;
mod corruption;
mod doors;
mod durability;
mod erasing;
mod exports;
mod figures;
mod files;
mod headcounts;
mod http;
mod identity;
mod imports;
mod jobs;
mod ledger;
mod legal;
mod lifecycle;
mod membership;
mod opening;
mod outages;
mod penalties;
mod people;
mod people_merging;
mod places;
mod plan;
mod resources;
mod reviewed;
mod reviews;
mod rosters;
mod settings;
mod signup;
mod smoke;
mod snapshot;
mod storage;
mod templates;
mod vault;
mod visits;
mod year;

use harness::suite::Test;

/// Every room's tests. A file that is missing here shows as dead code.
const ROOMS: &[&[Test]] = &[
    smoke::TESTS,
    contract::conditional::TESTS,
    contract::document::TESTS,
    contract::floors::TESTS,
    contract::licences::TESTS,
    contract::names::TESTS,
    contract::schema::TESTS,
    contract::schema::ON_EACH_ENGINE,
    access::coverage::TESTS,
    access::scope::TESTS,
    access::tokens::TESTS,
    signup::TESTS,
    places::waiting::TESTS,
    places::quotas::TESTS,
    places::draw::TESTS,
    places::histories::TESTS,
    reviewed::TESTS,
    reviews::decisions::TESTS,
    reviews::claims::TESTS,
    reviews::appeals::TESTS,
    reviews::forbidden::TESTS,
    reviews::clocks::TESTS,
    reviews::queue::TESTS,
    reviews::races::TESTS,
    reviews::cover::TESTS,
    reviews::leave::TESTS,
    reviews::talk::TESTS,
    reviews::papers::TESTS,
    reviews::nets::TESTS,
    snapshot::TESTS,
    doors::door::TESTS,
    doors::ways::TESTS,
    doors::offline::TESTS,
    doors::histories::TESTS,
    doors::completing::TESTS,
    doors::reopening::TESTS,
    headcounts::counting::TESTS,
    headcounts::deciding::TESTS,
    headcounts::photos::TESTS,
    headcounts::sampling::TESTS,
    durability::TESTS,
    durability::places::TESTS,
    jobs::TESTS,
    chores::TESTS,
    ledger::TESTS,
    lifecycle::acts::TESTS,
    lifecycle::counting::TESTS,
    lifecycle::doors::TESTS,
    lifecycle::refusals::TESTS,
    corruption::TESTS,
    closing::acts::TESTS,
    closing::faults::TESTS,
    closing::histories::TESTS,
    closing::holding::TESTS,
    closing::races::TESTS,
    closing::rolling::TESTS,
    identity::TESTS,
    http::problems::TESTS,
    http::lists::TESTS,
    http::traffic::TESTS,
    http::served::TESTS,
    catalogue::TESTS,
    people::TESTS,
    people_merging::TESTS,
    erasing::asking::TESTS,
    erasing::columns::TESTS,
    erasing::histories::TESTS,
    audiences::TESTS,
    penalties::TESTS,
    rosters::TESTS,
    membership::TESTS,
    plan::TESTS,
    exports::reports::TESTS,
    exports::board::TESTS,
    exports::signin::TESTS,
    figures::reports::TESTS,
    figures::cascade::TESTS,
    audit::TESTS,
    calendar::TESTS,
    storage::TESTS,
    opening::TESTS,
    opening::PLAIN,
    outages::TESTS,
    cli::TESTS,
    cli::PLAIN,
    settings::PLAIN,
    vault::TESTS,
    resources::TESTS,
    templates::TESTS,
    imports::TESTS,
    files::TESTS,
    files::hostile::TESTS,
    files::access::TESTS,
    files::keeping::TESTS,
    visits::importing::TESTS,
    visits::counting::TESTS,
    visits::scope::TESTS,
    visits::warnings::TESTS,
    content::TESTS,
    legal::asking::TESTS,
    legal::deciding::TESTS,
    legal::desk::TESTS,
    legal::objections::TESTS,
    legal::hands::TESTS,
    legal::changes::TESTS,
    legal::referrals::TESTS,
    legal::groups::TESTS,
    legal::hand_keys::TESTS,
    legal::closing::TESTS,
    legal::content::TESTS,
    legal::counting::TESTS,
    legal::glass::TESTS,
    legal::histories::TESTS,
    legal::papers::TESTS,
    legal::secrecy::TESTS,
    year::TESTS,
];

fn main() -> std::process::ExitCode {
    harness::suite::run(ROOMS)
}
