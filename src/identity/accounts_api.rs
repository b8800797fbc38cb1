//! Stopping an account, and letting it act again.

use actix_web::post;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::model::EndReason;
use super::store;
use crate::error::{Code, Error, Result};
use crate::ids::PersonId;
use crate::people;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::PersonManage;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Stored};

/// Whether an account may be used.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"disabled": true, "reason": "职工本人要求停用"}))]
pub struct AccountStateInput {
    /// True to stop the account at once, false to let it act again.
    pub disabled: bool,
    /// Why; kept in the audit chain.
    #[schema(min_length = 2, max_length = 200)]
    pub reason: String,
}

/// The state of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountStateView {
    /// Whose.
    pub person_id: PersonId,
    /// Whether it is disabled.
    pub disabled: bool,
}

/// Disable or enable an account / 停用或恢复账号
///
/// A disabled account stops at once and all its logins end: enabled again, the person logs in anew.
#[utoipa::path(
    tag = "people", operation_id = "account_state_set", security(("bearer" = ["person:manage"])),
    params(("id" = PersonId, Path, description = "The person"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = AccountStateInput,
    responses((status = 200, description = "The state", body = AccountStateView)),
)]
#[post("/api/v1/people/{id}/account-states")]
pub async fn account_state_set(
    platform: Data<Platform>,
    guard: Guard<PersonManage>,
    id: ApiPath<PersonId>,
    body: Idempotent<AccountStateInput>,
) -> Result<Stored> {
    let (actor, now, scope) = (guard.person(), platform.clock.now(), guard.scope().clone());
    let AccountStateInput { disabled, reason } = body.body;
    let act = move |c: &mut Conn| {
        let person = people::api::in_scope(c, id.0, &scope)?;
        if people::merging::store::standing_for(c, person.id)? != person.id {
            return Err(Error::new(Code::StateForbids).detail(
                "该账号已并入另一账号，请先拆分",
                "It is merged into another account; part them first",
            ));
        }
        people::store::get_there(c, person.id)?;
        if !people::store::set_disabled_in_tx(c, person.id, disabled, now)? {
            return Stored::done(person.version, &AccountStateView { person_id: person.id, disabled });
        }
        if disabled {
            store::end_all_in_tx(c, person.id, EndReason::PersonDisabled, now)?;
        }
        let action = if disabled { "person.disable" } else { "person.enable" };
        audit::append_in_tx(
            c,
            now,
            vec![Entry::new(actor, action, person.id).detail(json!({ "reason": reason }))],
        )?;
        Stored::done(person.version + 1, &AccountStateView { person_id: person.id, disabled })
    };
    let stored = platform.idempotency.run(actor, body.key, act).await?;
    platform.access.forget();
    Ok(stored)
}
