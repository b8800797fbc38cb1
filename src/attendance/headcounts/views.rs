//! What is told of headcounts.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{
    Finding, FindingState, Flag, Headcount, HeadcountMethod, HeadcountState, Likeness, Photo, Sample,
};
use super::{rules, store};
use crate::error::Result;
use crate::ids::{
    FileId, FindingId, HeadcountId, HeadcountSampleId, OrganisationId, PersonId, ReviewId, SessionId,
    SubjectId,
};
use crate::platform::db::Conn;

/// That a picture was shown for another session before.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeadcountFlagView {
    /// The picture.
    pub file_id: FileId,
    /// What it has in common with the earlier one.
    pub kind: Likeness,
    /// In how many of 64 bits they look different.
    #[schema(minimum = 0, maximum = 64)]
    pub distance: i64,
    /// The session of the earlier one.
    pub other_session_id: SessionId,
    /// The earlier one, for those who may see it.
    pub other_file_id: FileId,
}

/// A crowd that was counted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeadcountView {
    /// Its id.
    pub id: HeadcountId,
    /// At which session.
    pub session_id: SessionId,
    /// People, as counted.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub number: i64,
    /// What an audit left of it.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub standing: i64,
    /// What it counts for: less those who were checked in; nothing unless it is approved.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub counts: i64,
    /// How.
    pub method: HeadcountMethod,
    /// What the counter showed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub counter_before: Option<i64>,
    /// What it showed afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub counter_after: Option<i64>,
    /// Parcels that were given out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub parcels: Option<i64>,
    /// Seats.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub seats: Option<i64>,
    /// Hundredths of them that were filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    pub share_percent: Option<i64>,
    /// For how many minutes it was counted.
    #[schema(minimum = 1, maximum = 1440)]
    pub minutes: i64,
    /// At how many gates.
    #[schema(minimum = 1, maximum = 200)]
    pub gates: i64,
    /// Where in its life it is.
    pub state: HeadcountState,
    /// What cannot be, of one that was refused: `above_venue`, `above_rate`, `above_parcels`, `basis_differs`.
    #[schema(max_items = 10)]
    pub refused_because: Vec<String>,
    /// By whom.
    pub counted_by: PersonId,
    /// When it was recorded.
    pub made_at: DateTime<Utc>,
    /// When it was last decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// The request about it, or the appeal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_id: Option<ReviewId>,
    /// Its pictures.
    #[schema(max_items = 9)]
    pub photos: Vec<FileId>,
    /// Pictures that were shown for other sessions, for who decides.
    #[schema(max_items = 180)]
    pub flags: Vec<HeadcountFlagView>,
}

/// Views of headcounts at a session at which `present` people are checked in.
pub fn headcounts(conn: &mut Conn, rows: Vec<Headcount>, present: i64) -> Result<Vec<HeadcountView>> {
    let ids: Vec<HeadcountId> = rows.iter().map(|row| row.id).collect();
    let subjects: Vec<SubjectId> = ids.iter().map(|id| SubjectId(id.0)).collect();
    let reviews = store::reviews_of(conn, &subjects)?;
    let mut photos: HashMap<HeadcountId, Vec<Photo>> = HashMap::new();
    for photo in store::photos_of(conn, &ids)? {
        photos.entry(photo.headcount_id).or_default().push(photo);
    }
    let mut flags: HashMap<HeadcountId, Vec<Flag>> = HashMap::new();
    for flag in store::flags_of(conn, &ids)? {
        flags.entry(flag.headcount_id).or_default().push(flag);
    }
    let view = |row: Headcount| {
        let (photos, flags) = (photos.remove(&row.id), flags.remove(&row.id));
        let review = reviews.get(&SubjectId(row.id.0)).copied();
        one(row, present, review, photos.unwrap_or_default(), flags.unwrap_or_default())
    };
    Ok(rows.into_iter().map(view).collect())
}

fn one(
    row: Headcount,
    present: i64,
    review: Option<ReviewId>,
    photos: Vec<Photo>,
    flags: Vec<Flag>,
) -> HeadcountView {
    let approved = row.state == HeadcountState::Approved;
    let because = row.refused_because.as_deref().unwrap_or_default();
    HeadcountView {
        id: row.id,
        session_id: row.session_id,
        number: row.number,
        standing: row.standing,
        counts: if approved { rules::quantity(row.standing, present) } else { 0 },
        method: row.method,
        counter_before: row.counter_before,
        counter_after: row.counter_after,
        parcels: row.parcels,
        seats: row.seats,
        share_percent: row.share_percent,
        minutes: row.minutes,
        gates: row.gates,
        state: row.state,
        refused_because: because.split(';').filter(|code| !code.is_empty()).map(str::to_owned).collect(),
        counted_by: row.counted_by,
        made_at: row.made_at.and_utc(),
        decided_at: row.decided_at.map(|at| at.and_utc()),
        review_id: review,
        photos: photos.into_iter().map(|photo| photo.file_id).collect(),
        flags: flags
            .into_iter()
            .map(|flag| HeadcountFlagView {
                file_id: flag.file_id,
                kind: flag.kind,
                distance: flag.distance,
                other_session_id: flag.other_session_id,
                other_file_id: flag.other_file_id,
            })
            .collect(),
    }
}

/// Which headcounts of a street and a quarter are audited.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeadcountSampleView {
    /// Its id.
    pub id: HeadcountSampleId,
    /// Of which sub-district, or of the district for what is in none.
    pub organisation_id: OrganisationId,
    /// The first day of the quarter.
    pub quarter_from: NaiveDate,
    /// SHA-256 of the seed's text, published before the draw.
    #[schema(min_length = 64, max_length = 64)]
    pub commitment: String,
    /// When it was promised.
    pub made_at: DateTime<Utc>,
    /// When it was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn_at: Option<DateTime<Utc>>,
    /// The seed, since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 64, max_length = 64)]
    pub seed: Option<String>,
    /// From how many it was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100_000_000)]
    pub entries: Option<i64>,
    /// How many are audited: the first of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100_000_000)]
    pub chosen: Option<i64>,
    /// SHA-256 over the ids in their order, each followed by a line feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 64, max_length = 64)]
    pub digest: Option<String>,
}

impl From<Sample> for HeadcountSampleView {
    fn from(row: Sample) -> Self {
        Self {
            id: row.id,
            organisation_id: row.organisation_id,
            quarter_from: row.quarter_from,
            commitment: row.commitment,
            made_at: row.made_at.and_utc(),
            drawn_at: row.drawn_at.map(|at| at.and_utc()),
            seed: row.seed,
            entries: row.entries,
            chosen: row.chosen,
            digest: row.digest,
        }
    }
}

/// A headcount in the order that was drawn.
#[derive(Debug, Serialize, ToSchema)]
pub struct SampleEntryView {
    /// Its place, from 1.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub rank: i64,
    /// Its id, which says nothing of what was counted.
    pub headcount_id: HeadcountId,
}

/// What an auditor found of a headcount that was drawn.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingView {
    /// Its id.
    pub id: FindingId,
    /// Of which sample.
    pub sample_id: HeadcountSampleId,
    /// Of which headcount.
    pub headcount_id: HeadcountId,
    /// So many people can be shown.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub found: i64,
    /// What becomes of it.
    pub state: FindingState,
    /// When it was found.
    pub made_at: DateTime<Utc>,
    /// The request to take back the difference, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_id: Option<ReviewId>,
}

impl FindingView {
    /// The view of `row`, decided by `review`.
    pub fn new(row: &Finding, review: Option<ReviewId>) -> Self {
        Self {
            id: row.id,
            sample_id: row.sample_id,
            headcount_id: row.headcount_id,
            found: row.found,
            state: row.state,
            made_at: row.made_at.and_utc(),
            review_id: review,
        }
    }
}
