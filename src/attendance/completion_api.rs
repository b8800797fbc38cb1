//! Who has completed an activity, over HTTP.

use actix_web::get;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::completing::{self, Ground, Named};
use super::rules::{CompletionState, Progress};
use crate::error::{Error, Result};
use crate::ids::{ActivityId, PersonId, SignupId};
use crate::offering;
use crate::offering::completion::{CompletionRule, ShareOf};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{OwnData, RosterRead};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiQuery, Page, PageQuery, Reply};
use crate::platform::vault::mask;
use crate::signup;

/// What somebody has attended of an activity. An hour is one of 45 minutes.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct AttendedView {
    /// Sessions that they attended, of those that are finalised.
    #[schema(minimum = 0, maximum = 1000)]
    pub sessions: i64,
    /// Sessions that count for them, those to come too; none that was called off or that they were excused from.
    #[schema(minimum = 0, maximum = 1000)]
    pub of_sessions: i64,
    /// Minutes of theirs.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub minutes: i64,
    /// Minutes of the sessions that count.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub of_minutes: i64,
    /// Hours in `minutes`, rounded down.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub hours: i64,
}

impl From<Progress> for AttendedView {
    fn from(progress: Progress) -> Self {
        Self {
            sessions: progress.sessions,
            of_sessions: progress.of_sessions,
            minutes: progress.minutes,
            of_minutes: progress.of_minutes,
            hours: progress.minutes / 45,
        }
    }
}

/// How far somebody is from having completed an activity.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnCompletionView {
    /// The activity.
    pub activity_id: ActivityId,
    /// From which share it is completed.
    pub rule: CompletionRule,
    /// Whether it is.
    pub state: CompletionState,
    /// What was attended.
    #[serde(flatten)]
    pub attended: AttendedView,
    /// Sessions that are missing, where the rule is about sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1000)]
    pub missing_sessions: Option<i64>,
    /// Minutes that are missing, where the rule is about hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub missing_minutes: Option<i64>,
    /// Since when it is completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
}

/// Read how far one is from completing what one signed up for / 查看本人结业进度
///
/// It follows from attendance at finalised sessions. 404 where the activity has no rule of completion.
#[utoipa::path(
    tag = "me", operation_id = "signup_completion_get", security(("bearer" = ["self"])),
    params(("id" = SignupId, Path, description = "One's sign-up")),
    responses((status = 200, description = "How far one is", body = OwnCompletionView)),
)]
#[get("/api/v1/signups/{id}/completion")]
pub async fn signup_completion_get(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<SignupId>,
) -> Result<Reply<OwnCompletionView>> {
    let (person, id) = (guard.person(), id.0);
    let read = move |c: &mut Conn| {
        let activity = signup::store::get_own(c, id, person)?.0.activity_id;
        let ground = Ground::load(c, activity, Some(&[person]))?.ok_or_else(Error::not_found)?;
        let (progress, rule) = (ground.progress(person), ground.rule);
        let since = completing::since(c, activity, person)?;
        let missing = |of: ShareOf| (rule.of == of).then(|| progress.missing());
        Ok(OwnCompletionView {
            activity_id: activity,
            rule,
            state: progress.state(),
            attended: progress.into(),
            missing_sessions: missing(ShareOf::Sessions),
            missing_minutes: missing(ShareOf::Hours),
            completed_at: since.map(|at| at.and_utc()),
        })
    };
    Ok(Reply::new(platform.db.read(read).await?))
}

/// Somebody who has completed an activity.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompletionView {
    /// Who.
    pub person_id: PersonId,
    /// Masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub name_masked: Option<String>,
    /// Since when.
    pub completed_at: DateTime<Utc>,
    /// What they attended.
    #[serde(flatten)]
    pub attended: AttendedView,
}

/// List who has completed an activity, masked / 列出已结业人员（脱敏）
///
/// With a sign-up or without one. 404 where the activity has no rule of completion.
#[utoipa::path(
    tag = "door", operation_id = "completion_list", security(("bearer" = ["roster:read"])),
    params(("id" = ActivityId, Path, description = "The activity"), PageQuery),
    responses((status = 200, description = "A page of those who have", body = Page<CompletionView>)),
)]
#[get("/api/v1/activities/{id}/completions")]
pub async fn completion_list(
    platform: Data<Platform>,
    guard: Guard<RosterRead>,
    id: ApiPath<ActivityId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<CompletionView>>> {
    let (scope, id) = (guard.scope().clone(), id.0);
    let list = format!("completions/{id}");
    let after = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let read = move |c: &mut Conn| {
        scope.require(&offering::store::activity_get(c, id)?.path)?;
        let rows = completing::list(c, id, after, limit)?;
        let people: Vec<PersonId> = rows.iter().map(|(row, _)| row.person_id).collect();
        let ground = Ground::load(c, id, Some(&people))?.ok_or_else(Error::not_found)?;
        Ok((rows, ground))
    };
    let (rows, ground) = platform.db.read(read).await?;
    let page = platform.cursors.page(&list, &query.0, rows, |(row, _)| row.person_id)?;
    let view = |(row, name): Named| CompletionView {
        person_id: row.person_id,
        name_masked: name.as_deref().map(mask::name),
        completed_at: row.completed_at.and_utc(),
        attended: ground.progress(row.person_id).into(),
    };
    Ok(Reply::new(page.map(view)))
}
