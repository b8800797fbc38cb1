//! Which headcounts of a street and a quarter are audited. The seed is promised by its hash before anybody knows what it will
//! choose from, drawn with once the quarter is over, and published with everything that it put in order, so that anybody can draw again
//! (docs/FAIR-DRAW.md). A street and a quarter have one sample: there is no second try.

use chrono::{DateTime, NaiveDate, Utc};
use secrecy::ExposeSecret;
use serde_json::json;

use super::model::{SEED, Sample};
use super::store::Drawn;
use super::{rules, store};
use crate::clock::{civil_day, day_start, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{HeadcountId, HeadcountSampleId, Ids, OrganisationId, PersonId};
use crate::offering::fair;
use crate::org;
use crate::org::model::OrganisationKind;
use crate::platform::access::Scope;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::vault::Vault;
use crate::policy;
use crate::signup;

const PERCENT: &str = "headcount.sample_percent";
const LEAST: &str = "headcount.sample_min";

/// Promises a sample: makes its seed, and publishes the hash.
///
/// # Errors
/// 404 outside the auditor's subtree; a fault for what is no sub-district and not the district; `unique_taken` for a second one.
pub fn promise_in_tx(
    conn: &mut Conn,
    (vault, ids): (&Vault, &Ids),
    scope: &Scope,
    (id, organisation, quarter_from): (HeadcountSampleId, OrganisationId, NaiveDate),
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<Sample> {
    let street = org::store::get(conn, organisation)?;
    scope.require(&street.path)?;
    if !matches!(street.kind, OrganisationKind::SubDistrict | OrganisationKind::District) {
        let text =
            Text::new("应为街道，或区（不属于任何街道的部分）", "must be a sub-district, or the district");
        return Err(Error::invalid(vec![Fault::new("/organisation_id", "kind", text)]));
    }
    let seed = hex::encode(ids.bytes::<32>());
    let sample = Sample {
        id,
        organisation_id: organisation,
        quarter_from,
        commitment: fair::commitment(&seed),
        seed_sealed: vault.seal(SEED, id.0.as_bytes(), &seed).map_err(Error::internal)?,
        made_by: by,
        made_at: db_time(now),
        drawn_by: None,
        drawn_at: None,
        seed: None,
        entries: None,
        chosen: None,
        digest: None,
    };
    if !store::sample_create_in_tx(conn, &sample)? {
        return Err(Error::new(Code::UniqueTaken)
            .detail("该街道该季度已有抽样", "This street has a sample for this quarter"));
    }
    let detail = json!({
        "organisation": organisation, "quarter": rules::quarter_name(quarter_from), "commitment": sample.commitment,
    });
    audit::append_in_tx(conn, now, vec![Entry::new(by, "headcount_sample.promise", id).detail(detail)])?;
    Ok(sample)
}

/// Draws, once, when the quarter is over.
///
/// # Errors
/// 404 outside the auditor's subtree; `state_forbids` before the quarter is over, and when it was drawn.
pub fn draw_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    scope: &Scope,
    id: HeadcountSampleId,
    by: PersonId,
    now: DateTime<Utc>,
) -> Result<Sample> {
    let (sample, path) = store::sample_get(conn, id)?;
    scope.require(&path)?;
    let until = rules::quarter_until(sample.quarter_from);
    if civil_day(now) < until {
        return Err(Error::new(Code::StateForbids)
            .detail("该季度尚未结束，不能抽取", "The quarter is not over; it is drawn afterwards"));
    }
    let entries = entries(conn, &sample, until)?;
    let figures = policy::store::numbers_on(conn, &[PERCENT, LEAST], civil_day(now))?;
    let figure = |key: &str| figures.get(key).copied().unwrap_or(0);
    let seed = vault.open(SEED, id.0.as_bytes(), &sample.seed_sealed).map_err(Error::internal)?;
    let seed = seed.expose_secret().to_owned();
    let order = signup::rules::draw_order(&seed, &entries);
    let count = i64::try_from(order.len()).unwrap_or(i64::MAX);
    let drawn = Drawn {
        digest: signup::rules::draw_digest(&order),
        chosen: rules::chosen(count, figure(PERCENT), figure(LEAST)),
        order,
        seed,
    };
    if !store::drawn_in_tx(conn, id, &drawn, by, now)? {
        return Err(Error::new(Code::StateForbids)
            .detail("已抽取，不能重抽", "It was drawn already; there is no second draw"));
    }
    let detail = json!({ "entries": count, "chosen": drawn.chosen, "digest": drawn.digest });
    audit::append_in_tx(conn, now, vec![Entry::new(by, "headcount_sample.draw", id).detail(detail)])?;
    Ok(store::sample_get(conn, id)?.0)
}

/// What is drawn from: headcounts that count, of the quarter and the street; of the district, those that are in no street.
fn entries(conn: &mut Conn, sample: &Sample, until: NaiveDate) -> Result<Vec<HeadcountId>> {
    let root = org::store::root(conn)?.id;
    let placed = store::standing_between(conn, day_start(sample.quarter_from), day_start(until))?;
    let street = |venue: Option<OrganisationId>, organiser: Option<OrganisationId>| {
        venue.or(organiser).unwrap_or(root)
    };
    let own = placed
        .into_iter()
        .filter(|(_, venue, organiser)| street(*venue, *organiser) == sample.organisation_id);
    Ok(own.map(|(id, _, _)| id).collect())
}
