//! Rows of people.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{OrganisationId, PersonId};
use crate::platform::db::schema::{people, person_audiences};
use crate::platform::vault::Field;

/// Where phone numbers are kept.
pub const PHONE: Field = Field("people.phone");
/// Where ID numbers are kept.
pub const ID_NUMBER: Field = Field("people.id_number");

/// A human.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, Identifiable)]
#[diesel(table_name = people)]
pub struct Person {
    /// Their id.
    pub id: PersonId,
    /// As they wrote it; shown masked to others.
    pub name: Option<String>,
    /// Sealed.
    pub phone_sealed: Option<String>,
    /// Finds a phone number without opening any.
    pub phone_index: Option<Vec<u8>>,
    /// Sealed.
    pub id_number_sealed: Option<String>,
    /// Finds an ID number; one person has it.
    pub id_number_index: Option<Vec<u8>>,
    /// The enterprise union, or the sub-district, they work in.
    pub workplace_id: Option<OrganisationId>,
    /// Since when nobody may act with this account.
    pub disabled_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
    /// When they came.
    pub created_at: NaiveDateTime,
    /// When they were last changed.
    pub updated_at: NaiveDateTime,
    /// Since when nothing is known of them any more.
    pub erased_at: Option<NaiveDateTime>,
}

crate::text_enum! {
    /// A value that is shown masked and may be revealed.
    pub enum SealedField {
        /// 手机号
        Phone = "phone",
        /// 身份证号
        IdNumber = "id_number",
    }
}

crate::text_enum! {
    /// What somebody is, and for whom a programme, a quota or a wave is.
    pub enum Audience {
        /// 全体职工.
        All = "all",
        /// 新就业形态劳动者.
        NewEmployment = "new_employment",
        /// 劳模.
        ModelWorker = "model_worker",
        /// 技术工人.
        SkilledWorker = "skilled_worker",
    }
}

/// That somebody belongs to an audience.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = person_audiences)]
pub struct PersonAudience {
    /// Who.
    pub person_id: PersonId,
    /// What they are.
    pub audience: Audience,
    /// What shows it.
    pub basis: String,
    /// Who recorded it.
    pub recorded_by: PersonId,
    /// When.
    pub recorded_at: NaiveDateTime,
}
