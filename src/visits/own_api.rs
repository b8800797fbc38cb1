//! One's own injuries: what happens next, and until when.

use actix_web::get;
use actix_web::web::Data;
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::api::{ApplicationView, TermView};
use super::model::Injury;
use super::rules::{self, Standing};
use super::{finding, store};
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::InjuryId;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::OwnData;
use crate::platform::http::{ApiQuery, Page, PageQuery, Reply};
use crate::platform::vault::Vault;
use crate::policy;

/// A step, for the worker.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// The last day for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<NaiveDate>,
    /// In Chinese.
    #[schema(
        max_length = 400,
        example = "请提醒用人单位在2025年7月16日前（含当日）向社会保险行政部门申请工伤认定。"
    )]
    pub text: String,
}

/// A work injury of one's own.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnInjury {
    /// Its id.
    pub id: InjuryId,
    /// When it happened.
    pub injured_on: NaiveDate,
    /// Where one lies.
    #[schema(max_length = 120, example = "示例区人民医院")]
    pub hospital: String,
    /// What the hospital says.
    #[schema(max_length = 200, example = "左手骨折")]
    pub injury: String,
    /// Until when recognition may be applied for.
    #[schema(max_items = 2)]
    pub application_due: Vec<TermView>,
    /// The application, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationView>,
    /// What happens next, in order.
    #[schema(max_items = 10)]
    pub next_steps: Vec<StepView>,
}

/// What the figures of the policies are today.
#[derive(Debug, Clone, Copy)]
struct Figures {
    today: NaiveDate,
    warn: i64,
    decision: i64,
}

impl OwnInjury {
    fn new(row: &Injury, vault: &Vault, figures: Figures) -> Result<Self> {
        let facts = row.facts(vault)?;
        let standing = Standing {
            employer_due_on: row.employer_due_on,
            worker_due_on: row.worker_due_on,
            application: row.applied_on.zip(row.applied_by),
            decision_days: figures.decision,
        };
        let steps = rules::next_steps(standing, figures.today);
        Ok(Self {
            id: row.id,
            injured_on: row.injured_on,
            hospital: facts.hospital,
            injury: facts.injury,
            application_due: TermView::of(row, figures.today, figures.warn),
            application: ApplicationView::of(row),
            next_steps: steps.into_iter().map(|(by, text)| StepView { by, text }).collect(),
        })
    }
}

/// List one's work injuries and what happens next, newest first / 我的工伤：下一步怎么做
#[utoipa::path(
    tag = "me", operation_id = "my_injury_list", security(("bearer" = ["self"])), params(PageQuery),
    responses((status = 200, description = "A page of injuries", body = Page<OwnInjury>)),
)]
#[get("/api/v1/me/injuries")]
pub async fn my_injury_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<OwnInjury>>> {
    let (person, today, vault) = (guard.person(), civil_day(platform.clock.now()), platform.vault.clone());
    let list = format!("my-injuries/{person}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let views = platform
        .db
        .read(move |c| {
            let warn = store::warn_days(c, today)?;
            let figures =
                Figures { today, warn, decision: policy::store::number_on(c, "injury.decision", today)? };
            let accounts = finding::accounts(c, &vault, person)?;
            let rows = store::own_list(c, &accounts, before, limit)?;
            rows.iter().map(|row| OwnInjury::new(row, &vault, figures)).collect::<Result<Vec<_>>>()
        })
        .await?;
    Ok(Reply::new(platform.cursors.page(&list, &query.0, views, |view| view.id)?))
}
