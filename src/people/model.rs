//! Rows of people.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{OrganisationId, PersonId};
use crate::platform::db::schema::people;
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
