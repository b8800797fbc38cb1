//! Consultations: advice that was given and became no case. They are counted apart: none of them is a 宗, and nobody who asked is named.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use secrecy::ExposeSecret;

use super::model::Category;
use crate::clock::db_time;
use crate::error::{Code, Error, Result};
use crate::ids::{ConsultationId, OrganisationId, PersonId};
use crate::org;
use crate::platform::db::Conn;
use crate::platform::db::schema::{legal_consultations, organisations};
use crate::platform::vault::{Field, Vault};

/// Where notes are kept.
const NOTE: Field = Field("legal_consultations.note");

crate::text_enum! {
    /// How people came for advice.
    pub enum ConsultationWay {
        /// 来访
        Visit = "visit",
        /// 来电
        Phone = "phone",
        /// 线上
        Online = "online",
        /// 现场咨询活动: several people at once.
        Event = "event",
    }
}

/// Advice that was given.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_consultations, treat_none_as_default_value = false)]
pub struct Consultation {
    /// Its id.
    pub id: ConsultationId,
    /// Who gave it.
    pub organisation_id: OrganisationId,
    /// On which day.
    pub held_on: NaiveDate,
    /// How people came.
    pub way: ConsultationWay,
    /// What it was about.
    pub category: Category,
    /// How many people were advised.
    pub quantity: i64,
    /// What whoever recorded it noted for themselves.
    pub note_sealed: Option<String>,
    /// Who recorded it.
    pub recorded_by: PersonId,
    /// When.
    pub recorded_at: NaiveDateTime,
    /// Since when it is undone.
    pub undone_at: Option<NaiveDateTime>,
}

impl Consultation {
    /// Seals the note of the consultation `id`.
    pub fn seal(vault: &Vault, id: ConsultationId, note: &str) -> Result<String> {
        vault.seal(NOTE, id.0.as_bytes(), note).map_err(Error::internal)
    }

    /// The note, for whoever recorded it.
    pub fn note(&self, vault: &Vault) -> Result<Option<String>> {
        let open = |sealed: &String| vault.open(NOTE, self.id.0.as_bytes(), sealed).map_err(Error::internal);
        let note = self.note_sealed.as_ref().map(open).transpose()?;
        Ok(note.map(|text| text.expose_secret().to_owned()))
    }
}

/// Keeps one.
pub fn record_in_tx(conn: &mut Conn, row: &Consultation) -> Result<()> {
    diesel::insert_into(legal_consultations::table).values(row).execute(conn)?;
    Ok(())
}

/// Those of organisations under `patterns` before `before`, newest first.
pub fn list(
    conn: &mut Conn,
    patterns: Vec<String>,
    before: Option<ConsultationId>,
    limit: i64,
) -> Result<Vec<Consultation>> {
    let mut query = legal_consultations::table
        .inner_join(organisations::table)
        .order(legal_consultations::id.desc())
        .limit(limit)
        .select(Consultation::as_select())
        .into_boxed();
    query = query.filter(org::store::under(patterns));
    if let Some(before) = before {
        query = query.filter(legal_consultations::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// Takes back one that `person` recorded: it was wrong.
///
/// # Errors
/// 404 for what they did not record, `state_forbids` for what is undone already.
pub fn undo_in_tx(
    conn: &mut Conn,
    person: PersonId,
    id: ConsultationId,
    now: DateTime<Utc>,
) -> Result<Consultation> {
    let query = legal_consultations::table.find(id).filter(legal_consultations::recorded_by.eq(person));
    let found: Vec<Consultation> = crate::load_locked!(&mut *conn, query.select(Consultation::as_select()))?;
    let row = found.into_iter().next().ok_or_else(Error::not_found)?;
    if row.undone_at.is_some() {
        return Err(Error::new(Code::StateForbids).detail("该记录已撤销", "It is undone already"));
    }
    let undone_at = Some(db_time(now));
    let standing = legal_consultations::table
        .filter(legal_consultations::id.eq(id))
        .filter(legal_consultations::undone_at.is_null());
    diesel::update(standing).set(legal_consultations::undone_at.eq(undone_at)).execute(conn)?;
    Ok(Consultation { undone_at, ..row })
}

/// How many people were advised from `from` to `to` by organisations under `patterns`, by what about and by how they came.
pub fn counts(
    conn: &mut Conn,
    patterns: Vec<String>,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Vec<(Category, ConsultationWay, i64)>> {
    let of: Vec<OrganisationId> =
        organisations::table.filter(org::store::under(patterns)).select(organisations::id).load(conn)?;
    let query = legal_consultations::table
        .filter(legal_consultations::organisation_id.eq_any(of))
        .filter(legal_consultations::held_on.between(from, to))
        .filter(legal_consultations::undone_at.is_null())
        .group_by((legal_consultations::category, legal_consultations::way))
        .order((legal_consultations::category, legal_consultations::way))
        .select((
            legal_consultations::category,
            legal_consultations::way,
            sql::<BigInt>("CAST(SUM(quantity) AS BIGINT)"),
        ));
    Ok(query.load(conn)?)
}

/// Notes after `after`, for the rotation of keys.
pub fn sealed_after(
    conn: &mut Conn,
    after: Option<ConsultationId>,
    limit: i64,
) -> Result<Vec<(ConsultationId, String)>> {
    let mut query = legal_consultations::table
        .filter(legal_consultations::note_sealed.is_not_null())
        .order(legal_consultations::id)
        .limit(limit)
        .select((legal_consultations::id, legal_consultations::note_sealed.assume_not_null()))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(legal_consultations::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Seals a note under the active key.
pub fn reseal_in_tx(conn: &mut Conn, vault: &Vault, id: ConsultationId, sealed: &str) -> Result<usize> {
    let Some(new) = vault.reseal(NOTE, id.0.as_bytes(), sealed).map_err(Error::internal)? else {
        return Ok(0);
    };
    let row = legal_consultations::table.find(id);
    Ok(diesel::update(row).set(legal_consultations::note_sealed.eq(Some(new))).execute(conn)?)
}
