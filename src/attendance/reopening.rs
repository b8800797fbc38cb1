//! A finalised session is opened again, with a reason, while its month is open: what finalising did is taken back, and whoever was there is
//! as before. Papers and lists may then be brought in whatever the hour, check-ins taken back and people excused; finalising it anew says
//! everything anew.

use std::sync::Arc;

use actix_web::post;
use actix_web::web::Data;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::counting::{Counting, Voided};
use super::{completing, door};
use crate::clock::civil_day;
use crate::error::{Code, Error, Result};
use crate::ids::SessionId;
use crate::ledger::model::Cause;
use crate::offering;
use crate::offering::changing;
use crate::offering::following::{Change, Followers};
use crate::offering::lifecycle::{self, SessionEvent};
use crate::offering::lifecycle_store as states;
use crate::offering::views::SessionView;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::SessionFinalise;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Stored};

/// Why a session is opened again.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "漏录一张纸质签到表"}))]
pub struct ReopenInput {
    /// In words; kept in the audit chain, so without names and numbers.
    #[schema(min_length = 2, max_length = 200)]
    pub reason: String,
}

/// Open a finalised session again / 重新开启已结算场次
///
/// Whether it was held, penalties for not coming, and who has completed the activity are open again until it is finalised anew; check-ins
/// stay. Sheets and lists may be brought in whatever the hour. Refusals: `session_month_closed`, and `state_forbids` for what is not finalised.
#[utoipa::path(
    tag = "door", operation_id = "session_reopen", security(("bearer" = ["session:finalise"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ReopenInput,
    responses((status = 200, description = "The session", body = SessionView)),
)]
#[post("/api/v1/sessions/{id}/reopenings")]
pub async fn session_reopen(
    platform: Data<Platform>,
    counting: Data<Arc<dyn Counting>>,
    followers: Data<Followers>,
    guard: Guard<SessionFinalise>,
    id: ApiPath<SessionId>,
    body: Idempotent<ReopenInput>,
) -> Result<Stored> {
    let (actor, now, scope, id) = (guard.person(), platform.clock.now(), guard.scope().clone(), id.0);
    let (counting, followers) = (Arc::clone(counting.get_ref()), followers.get_ref().clone());
    let reason = body.body.reason;
    let act = move |c: &mut Conn| {
        let (seen, _) = door::require_session(c, &scope, id)?;
        // In the order in which finalising holds them.
        let activity = offering::store::activities_lock_in_tx(c, &[seen.activity_id])?
            .remove(&seen.activity_id)
            .ok_or_else(Error::not_found)?;
        let sessions = states::sessions_of_locked_in_tx(c, activity.id)?;
        let change = Change { activity, sessions, actor, now, reason: reason.clone() };
        let before = change.sessions.iter().find(|session| session.id == id).ok_or_else(Error::not_found)?;
        let line = lifecycle::session_transition(
            SessionEvent::Reopen,
            before,
            &change.activity,
            &change.sessions,
            now,
        )?;
        if !counting.month_is_open_in_tx(c, civil_day(before.starts_at.and_utc()))? {
            return Err(Error::new(Code::SessionMonthClosed));
        }
        let row = states::session_reopen_in_tx(c, id, now)?;
        if before.held == Some(true) {
            // It is the session that is taken back: whoever was there was there.
            let voided = Voided {
                activity: row.activity_id,
                sessions: vec![id],
                attendances: Vec::new(),
                cause: Cause::Voided,
                reason: reason.clone(),
            };
            counting.voided_in_tx(c, &voided)?;
        }
        let detail = json!({ "reason": reason, "held": before.held, "present": row.present });
        let mut entries = vec![Entry::new(actor, line.audit, id).detail(detail)];
        entries.extend(changing::reopen_if_finished_in_tx(c, &followers, &change)?);
        entries.extend(completing::follow_in_tx(c, row.activity_id, now)?);
        audit::append_in_tx(c, now, entries)?;
        Stored::done(row.version, &SessionView::from(row))
    };
    platform.idempotency.run(actor, body.key, act).await
}
