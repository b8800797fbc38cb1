//! Rows of headcounts.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

use crate::ids::{FileId, FindingId, HeadcountId, HeadcountSampleId, OrganisationId, PersonId, SessionId};
use crate::platform::db::schema::{
    headcount_findings, headcount_flags, headcount_photos, headcount_sample_entries, headcount_samples,
    headcounts,
};
use crate::platform::vault::Field;

/// The sealed column of samples.
pub const SEED: Field = Field("headcount_samples.seed");

crate::text_enum! {
    /// How a crowd was counted.
    pub enum HeadcountMethod {
        /// 门口计数器: what a counter at the gate showed before and after.
        GateCounter = "gate_counter",
        /// 发放份数: one parcel a person.
        Parcels = "parcels",
        /// 座位: so many seats, and the share of them that was filled.
        Seats = "seats",
    }
}

crate::text_enum! {
    /// Life of a headcount; the diagram stands at the head of the room.
    pub enum HeadcountState {
        /// 待复核: another officer decides.
        Proposed = "proposed",
        /// 已确认: it counts.
        Approved = "approved",
        /// 未确认.
        Rejected = "rejected",
        /// 已撤回.
        Withdrawn = "withdrawn",
        /// 已作废: its session did not take place.
        Voided = "voided",
        /// 不予采用: it cannot be.
        Refused = "refused",
    }
}

/// A crowd that was counted.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = headcounts, treat_none_as_default_value = false)]
pub struct Headcount {
    /// Its id.
    pub id: HeadcountId,
    /// At which session.
    pub session_id: SessionId,
    /// People, as counted.
    pub number: i64,
    /// What an audit left of it.
    pub standing: i64,
    /// How.
    pub method: HeadcountMethod,
    /// What the counter showed before.
    pub counter_before: Option<i64>,
    /// What it showed afterwards.
    pub counter_after: Option<i64>,
    /// Parcels that were given out.
    pub parcels: Option<i64>,
    /// Seats.
    pub seats: Option<i64>,
    /// Hundredths of them that were filled.
    pub share_percent: Option<i64>,
    /// For how many minutes it was counted.
    pub minutes: i64,
    /// At how many gates.
    pub gates: i64,
    /// Where in its life it is.
    pub state: HeadcountState,
    /// What cannot be, of one that was refused: codes, separated by semicolons.
    pub refused_because: Option<String>,
    /// By whom.
    pub counted_by: PersonId,
    /// When it was recorded.
    pub made_at: NaiveDateTime,
    /// When it was last decided.
    pub decided_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}

/// A picture of a crowd.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = headcount_photos, treat_none_as_default_value = false)]
pub struct Photo {
    /// The file.
    pub file_id: FileId,
    /// Of which headcount.
    pub headcount_id: HeadcountId,
    /// At which session.
    pub session_id: SessionId,
    /// Digest of its content.
    pub sha256: Vec<u8>,
    /// What it looks like; none where it could not be decoded.
    pub looks: Option<i64>,
    /// Its first 16 bits.
    pub band_0: Option<i64>,
    /// Its second.
    pub band_1: Option<i64>,
    /// Its third.
    pub band_2: Option<i64>,
    /// Its last.
    pub band_3: Option<i64>,
}

crate::text_enum! {
    /// What two pictures have in common.
    pub enum Likeness {
        /// 同一文件.
        Same = "same",
        /// 高度相似.
        Alike = "alike",
    }
}

/// That a picture was shown for another session before.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = headcount_flags, treat_none_as_default_value = false)]
pub struct Flag {
    /// The picture.
    pub file_id: FileId,
    /// The earlier one.
    pub other_file_id: FileId,
    /// The headcount of the picture.
    pub headcount_id: HeadcountId,
    /// The session of the earlier one.
    pub other_session_id: SessionId,
    /// What they have in common.
    pub kind: Likeness,
    /// In how many of 64 bits they look different.
    pub distance: i64,
}

/// Which headcounts of a street and a quarter are audited.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = headcount_samples, treat_none_as_default_value = false)]
pub struct Sample {
    /// Its id.
    pub id: HeadcountSampleId,
    /// Of which sub-district, or of the district for what is in none.
    pub organisation_id: OrganisationId,
    /// The first day of the quarter.
    pub quarter_from: NaiveDate,
    /// SHA-256 of the seed's text, in hexadecimal.
    pub commitment: String,
    /// The seed, until it is drawn.
    pub seed_sealed: String,
    /// Who promised it.
    pub made_by: PersonId,
    /// When.
    pub made_at: NaiveDateTime,
    /// Who drew.
    pub drawn_by: Option<PersonId>,
    /// When.
    pub drawn_at: Option<NaiveDateTime>,
    /// The seed, since then.
    pub seed: Option<String>,
    /// From how many it was drawn.
    pub entries: Option<i64>,
    /// How many are audited: the first of them.
    pub chosen: Option<i64>,
    /// SHA-256 over the order: one id a line.
    pub digest: Option<String>,
}

/// A headcount in the order that was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = headcount_sample_entries, treat_none_as_default_value = false)]
pub struct SampleEntry {
    /// Of which sample.
    pub sample_id: HeadcountSampleId,
    /// Its place, from 1.
    pub rank: i64,
    /// Which.
    pub headcount_id: HeadcountId,
}

crate::text_enum! {
    /// What becomes of a finding.
    pub enum FindingState {
        /// 核实无误: nothing is to be taken back.
        Upheld = "upheld",
        /// 待审定: another officer decides.
        Proposed = "proposed",
        /// 已核减.
        Approved = "approved",
        /// 未核减.
        Rejected = "rejected",
        /// 已撤回.
        Withdrawn = "withdrawn",
    }
}

/// What an auditor found of a headcount that was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = headcount_findings, treat_none_as_default_value = false)]
pub struct Finding {
    /// Its id.
    pub id: FindingId,
    /// Of which sample.
    pub sample_id: HeadcountSampleId,
    /// Of which headcount.
    pub headcount_id: HeadcountId,
    /// So many people can be shown.
    pub found: i64,
    /// Why.
    pub note: String,
    /// What becomes of it.
    pub state: FindingState,
    /// Who found it.
    pub made_by: PersonId,
    /// When.
    pub made_at: NaiveDateTime,
    /// When it was decided.
    pub decided_at: Option<NaiveDateTime>,
    /// Counts changes.
    pub version: i64,
}
