//! Samples of headcounts and what is found of them, over HTTP.

use actix_web::web::Data;
use actix_web::{get, post};
use serde::Deserialize;
use utoipa::ToSchema;

use super::findings::{self, Found};
use super::views::{FindingView, HeadcountSampleView, SampleEntryView};
use super::{rules, sampling, store};
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{HeadcountId, HeadcountSampleId, OrganisationId};
use crate::notify::beside::Beside;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::HeadcountAudit;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};
use crate::review::deciding::Desk;

/// Which street and quarter.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "year": 2025, "quarter": 2}))]
pub struct HeadcountSampleInput {
    /// The sub-district, or the district for what is in none.
    pub organisation_id: OrganisationId,
    /// The year.
    #[schema(minimum = 2020, maximum = 2100)]
    pub year: i32,
    /// Its quarter.
    #[schema(minimum = 1, maximum = 4)]
    pub quarter: u32,
}

/// Promise a sample of headcounts / 承诺人数抽查
///
/// A seed is made, and its hash published: `commitment`. A street and a quarter have one sample.
#[utoipa::path(
    tag = "door", operation_id = "headcount_sample_create", security(("bearer" = ["headcount:audit"])),
    params(("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = HeadcountSampleInput,
    responses((status = 201, description = "The sample, not yet drawn", body = HeadcountSampleView)),
)]
#[post("/api/v1/headcount-samples")]
pub async fn headcount_sample_create(
    platform: Data<Platform>,
    guard: Guard<HeadcountAudit>,
    body: Idempotent<HeadcountSampleInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let (vault, ids, id) = (platform.vault.clone(), platform.ids.clone(), platform.ids.id());
    let HeadcountSampleInput { organisation_id, year, quarter } = body.body;
    let from = rules::quarter_from(year, quarter).ok_or_else(|| {
        Error::invalid(vec![Fault::new("/quarter", "maximum", Text::new("应为 1 至 4", "must be 1 to 4"))])
    })?;
    let act = move |c: &mut Conn| {
        let what = (id, organisation_id, from);
        let sample = sampling::promise_in_tx(c, (&vault, &ids), &scope, what, actor, now)?;
        Stored::created(format!("/api/v1/headcount-samples/{id}"), 1, &HeadcountSampleView::from(sample))
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// Nothing to say: what is drawn follows from the seed.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct SampleDrawInput {}

/// Draw a sample of headcounts / 抽取人数抽查样本
///
/// Once, when the quarter is over. The seed is published with everything that it put in order; docs/FAIR-DRAW.md says how to draw
/// again.
#[utoipa::path(
    tag = "door", operation_id = "headcount_sample_draw", security(("bearer" = ["headcount:audit"])),
    params(("id" = HeadcountSampleId, Path, description = "The sample"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = SampleDrawInput,
    responses((status = 200, description = "The sample, drawn", body = HeadcountSampleView)),
)]
#[post("/api/v1/headcount-samples/{id}/draws")]
pub async fn headcount_sample_draw(
    platform: Data<Platform>,
    guard: Guard<HeadcountAudit>,
    id: ApiPath<HeadcountSampleId>,
    body: Idempotent<SampleDrawInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let vault = platform.vault.clone();
    let act = move |c: &mut Conn| {
        let sample = sampling::draw_in_tx(c, &vault, &scope, id, actor, now)?;
        Stored::done(2, &HeadcountSampleView::from(sample))
    };
    platform.idempotency.run(actor, body.key, act).await
}

/// List the samples of headcounts / 列出人数抽查
///
/// Anybody may check them, so that anybody may read them. Ids say nothing of what was counted.
#[utoipa::path(
    tag = "door", operation_id = "headcount_sample_list", security(()), params(PageQuery),
    responses((status = 200, description = "A page of samples", body = Page<HeadcountSampleView>)),
)]
#[get("/api/v1/headcount-samples")]
pub async fn headcount_sample_list(
    platform: Data<Platform>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<HeadcountSampleView>>> {
    let after = platform.cursors.open("headcount-samples", &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform.db.read(move |c| store::samples(c, after, limit)).await?;
    let page = platform.cursors.page("headcount-samples", &query.0, rows, |row| row.id)?;
    Ok(Reply::new(page.map(HeadcountSampleView::from)).public())
}

/// Read a sample of headcounts / 查看人数抽查
#[utoipa::path(
    tag = "door", operation_id = "headcount_sample_get", security(()),
    params(("id" = HeadcountSampleId, Path, description = "The sample")),
    responses((status = 200, description = "The sample", body = HeadcountSampleView)),
)]
#[get("/api/v1/headcount-samples/{id}")]
pub async fn headcount_sample_get(
    platform: Data<Platform>,
    id: ApiPath<HeadcountSampleId>,
) -> Result<Reply<HeadcountSampleView>> {
    let (sample, _) = platform.db.read(move |c| store::sample_get(c, id.0)).await?;
    Ok(Reply::new(HeadcountSampleView::from(sample)).public())
}

/// List the order that a sample was drawn in / 人数抽查结果顺序
///
/// All headcounts that it was drawn from; the first `chosen` of them are audited.
#[utoipa::path(
    tag = "door", operation_id = "headcount_sample_entries", security(()),
    params(("id" = HeadcountSampleId, Path, description = "The sample"), PageQuery),
    responses((status = 200, description = "A page of the order", body = Page<SampleEntryView>)),
)]
#[get("/api/v1/headcount-samples/{id}/entries")]
pub async fn headcount_sample_entries(
    platform: Data<Platform>,
    id: ApiPath<HeadcountSampleId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<SampleEntryView>>> {
    let id = id.0;
    let list = format!("headcount-samples/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform.db.read(move |c| {
        store::sample_get(c, id)?;
        store::entries(c, id, after, limit)
    });
    let page = platform.cursors.page(&list, &query.0, rows.await?, |row| row.rank)?;
    let view =
        |row: super::model::SampleEntry| SampleEntryView { rank: row.rank, headcount_id: row.headcount_id };
    Ok(Reply::new(page.map(view)).public())
}

/// What was found.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"found": 900, "note": "照片与签领单可核对到 900 人"}))]
pub struct FindingInput {
    /// So many people can be shown.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub found: i64,
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub note: String,
}

/// Say what was found of a headcount that was drawn / 登记核查结果
///
/// Less than counts is taken back once a second officer agrees; as much or more changes nothing (`upheld`).
#[utoipa::path(
    tag = "door", operation_id = "headcount_finding_create", security(("bearer" = ["headcount:audit"])),
    params(("id" = HeadcountId, Path, description = "The headcount"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = FindingInput,
    responses((status = 201, description = "The finding", body = FindingView)),
)]
#[post("/api/v1/headcounts/{id}/findings")]
pub async fn headcount_finding_create(
    platform: Data<Platform>,
    desk: Data<Desk>,
    guard: Guard<HeadcountAudit>,
    id: ApiPath<HeadcountId>,
    body: Idempotent<FindingInput>,
) -> Result<Stored> {
    let (actor, now, desk) = (guard.person(), platform.clock.now(), Desk::clone(&desk));
    let FindingInput { found, note } = body.body;
    let found = Found {
        id: platform.ids.id(),
        headcount: id.0,
        found,
        note,
        by: actor,
        scope: guard.scope().clone(),
    };
    let act = move |c: &mut Conn| {
        let mut beside = Beside::default();
        let (finding, review) = findings::record_in_tx(c, &desk, &found, now, &mut beside)?;
        beside.write_in_tx(c, &desk.ids, now)?;
        Stored::created(
            format!("/api/v1/headcounts/{}", finding.headcount_id),
            finding.version,
            &FindingView::new(&finding, review),
        )
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
