//! Somebody comes who did not sign up: taken in by one call. Known by their number or made known, with their consent, if the
//! activity is for them and the room has a seat that nobody else is expected on.

use actix_web::post;
use actix_web::web::Data;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::api::CheckinView;
use super::door::{self, Door, Knock};
use super::model::{CheckinMethod, Direction, ScanOutcome};
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{OrganisationId, PersonId, SessionId};
use crate::offering::model::{Activity, AttendanceRole};
use crate::people::memberships;
use crate::people::phone::Phone;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::CheckinWrite;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::idempotency::Use;
use crate::platform::http::{ApiPath, Idempotent, Stored};
use crate::platform::vault::Vault;
use crate::signup::profile;
use crate::{org, people};

/// The version of the text that somebody at the door agrees to, which staff read out or show.
const CONSENT: &str = "walk-in-2025-1";

/// Somebody at the door.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"phone": "13800138000", "name": "张三丰", "consent": true}))]
pub struct WalkInInput {
    /// Their mobile number.
    #[schema(min_length = 11, max_length = 20)]
    pub phone: String,
    /// Their name.
    #[schema(min_length = 1, max_length = 40)]
    pub name: String,
    /// Where they work, if they say so.
    pub workplace_id: Option<OrganisationId>,
    /// As what they come, such as `expert`; as participants when left out. Never `gift`, which is of visits only.
    pub role: Option<AttendanceRole>,
    /// That they agree to name, number and attendance being kept; without it they are not recorded.
    pub consent: bool,
}

/// Check in somebody who did not sign up / 现场登记签到
///
/// The person is found by number and name, or made known. Who has signed up comes as what they signed up as. What they were eligible by is kept in the audit chain. Refusals:
/// `checkin_not_eligible`, `checkin_full` (seats of those who are expected are kept), `checkin_not_signed_up` (they wait for a place),
/// and those of `checkin_create`.
#[utoipa::path(
    tag = "door", operation_id = "walk_in_create", security(("bearer" = ["checkin:write"])),
    params(("id" = SessionId, Path, description = "The session"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = WalkInInput,
    responses((status = 200, description = "The person is present", body = CheckinView)),
)]
#[post("/api/v1/sessions/{id}/walk-ins")]
pub async fn walk_in_create(
    platform: Data<Platform>,
    door: Data<Door>,
    guard: Guard<CheckinWrite>,
    id: ApiPath<SessionId>,
    body: Idempotent<WalkInInput>,
) -> Result<Stored> {
    let (actor, scope, session) = (guard.person(), guard.scope().clone(), id.0);
    let input = body.body;
    let one = Use { principal: actor, request: body.key };
    let _running = platform.idempotency.begin(&one)?;
    let (known, role) = (WalkIn::read(&input)?, input.role.unwrap_or(AttendanceRole::Participant));
    let (now, ids, vault) = (platform.clock.now(), platform.ids.clone(), platform.vault.clone());
    let reach = scope.clone();
    let come = move |c: &mut Conn| {
        let (_, activity) = door::require_session(c, &reach, session)?;
        let (person, fresh) = known.person_in_tx(c, &vault, || ids.id(), now)?;
        let basis = Basis::of(c, &activity, person)?;
        let detail = json!({
            "session": session, "consent": CONSENT, "new": fresh, "member": basis.member, "audiences": basis.audiences,
            "workplace": basis.workplace, "fits": basis.fits,
        });
        audit::append_in_tx(c, now, vec![Entry::new(actor, "walk_in.register", person).detail(detail)])?;
        Ok((person, basis.fits))
    };
    // The person stays known even where the room is full: they came, and may sign up for the next one.
    let (person, fits) = platform.db.write(come).await?;
    let knock = Knock {
        session,
        who: if fits { Ok(person) } else { Err((ScanOutcome::NotEligible, Some(person))) },
        direction: Direction::In,
        method: CheckinMethod::WalkIn,
        distance: None,
        code_hash: None,
        unregistered: Some(role),
        scope: Some(scope),
        one,
    };
    door.call(knock).await
}

/// What is known of somebody at the door.
struct WalkIn {
    phone: Phone,
    name: String,
    workplace: Option<OrganisationId>,
}

impl WalkIn {
    /// All faults of the input at once.
    fn read(input: &WalkInInput) -> Result<Self> {
        let mut faults = Vec::new();
        let phone = Phone::parse(&input.phone);
        if let Err(wrong) = &phone {
            faults.push(Fault::new("/phone", "phone", Text::new(wrong.zh(), wrong.en())));
        }
        if !input.consent {
            let text = Text::new("未取得本人同意，不能登记", "without their consent they are not recorded");
            faults.push(Fault::new("/consent", "required", text));
        }
        if input.role == Some(AttendanceRole::Gift) {
            let text = Text::new("慰问在探视中登记", "a gift is recorded with a visit");
            faults.push(Fault::new("/role", "enum", text));
        }
        if input.name.trim() != input.name {
            faults.push(Fault::new("/name", "pattern", Text::new("前后不能有空格", "no space around it")));
        }
        match phone {
            Ok(phone) if faults.is_empty() => {
                Ok(Self { phone, name: input.name.clone(), workplace: input.workplace_id })
            }
            _ => Err(Error::invalid(faults)),
        }
    }

    /// The person with this number and name, or a new one, and whether it is new. Two at once with one number: who comes second finds
    /// the first, since the audit chain that both end with is held until the commit, and the number is looked for behind it.
    fn person_in_tx(
        &self,
        conn: &mut Conn,
        vault: &Vault,
        id: impl Fn() -> PersonId,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(PersonId, bool)> {
        audit::hold_in_tx(conn)?;
        let found = people::store::with_phones(conn, vault, &[self.phone.as_str()])?;
        let named = |name: &Option<String>| name.as_deref().is_none_or(|name| name == self.name);
        if let Some((_, person, _)) = found.iter().find(|(_, _, name)| named(name)) {
            return Ok((*person, false));
        }
        let person = id();
        people::store::create_in_tx(conn, person, now)?;
        people::store::set_phone_in_tx(conn, vault, person, self.phone.as_str(), now)?;
        people::store::name_set_in_tx(conn, person, &self.name, now)?;
        if let Some(workplace) = self.workplace {
            let unknown = || {
                let text = Text::new("没有这个组织", "no such organisation");
                Error::invalid(vec![Fault::new("/workplace_id", "unknown", text)])
            };
            org::store::get(conn, workplace).map_err(|_| unknown())?;
            people::store::workplace_set_in_tx(conn, person, workplace, now)?;
        }
        Ok((person, true))
    }
}

/// What somebody was judged by.
struct Basis {
    member: Option<OrganisationId>,
    audiences: Vec<people::model::Audience>,
    workplace: Option<OrganisationId>,
    fits: bool,
}

impl Basis {
    fn of(conn: &mut Conn, activity: &Activity, person: PersonId) -> Result<Self> {
        let member = memberships::verified(conn, &[person])?.remove(&person);
        let profile = profile::profiles(conn, &[person])?.remove(&person);
        let row = people::store::get(conn, person)?;
        let fits = row.disabled_at.is_none() && (!activity.members_only || member.is_some());
        let audiences = profile.map(|profile| profile.audiences).unwrap_or_default();
        Ok(Self { member, audiences, workplace: row.workplace_id, fits })
    }
}
