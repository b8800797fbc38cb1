//! Staff sign up somebody who asked them to: who did it, for whom and on what basis are kept apart.

use actix_web::post;
use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

use super::store;
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{ActivityId, PersonId};
use crate::offering;
use crate::org;
use crate::people;
use crate::people::phone::Phone;
use crate::platform::Platform;
use crate::platform::access::policy::RosterWrite;
use crate::platform::access::{Guard, Scope};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Stored};
use crate::platform::vault::Vault;
use crate::review::chain::Answers;
use crate::review::form;
use crate::signup::api::{SignupView, ask};
use crate::signup::model::Basis;
use crate::signup::registrar::{Act, Registrar};
use crate::signup::snapshot::Snapshots;

/// Whom to sign up, and why staff may.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"phone": "13800138000", "basis": "phone_call", "note": "本人来电，不会操作小程序"}))]
pub struct ProxyInput {
    /// Who; or say their number.
    pub person_id: Option<PersonId>,
    /// The mobile number with which they are registered; or say who.
    #[schema(min_length = 11, max_length = 20)]
    pub phone: Option<String>,
    /// How they asked for it; not `union_roster`, which goes by a roster.
    pub basis: Basis,
    /// In words; kept in the audit chain, so without names, numbers and illnesses.
    #[schema(max_length = 200)]
    pub note: Option<String>,
    /// Answers to what `activity_form_get` asks for, by field; of an activity whose places the desk gives.
    #[serde(default)]
    #[schema(schema_with = form::schema, required = false)]
    pub form: Answers,
}

/// Sign somebody up who asked for it / 代为报名
///
/// By those who organise the activity, or who look after the person's workplace. The person is told, and may give the place back
/// at any time without a penalty. Refusals as of `signup_create`.
#[utoipa::path(
    tag = "signup", operation_id = "proxy_signup_create", security(("bearer" = ["roster:write"])),
    params(("id" = ActivityId, Path, description = "The activity"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = ProxyInput,
    responses((status = 201, description = "The person's sign-up", body = SignupView)),
)]
#[post("/api/v1/activities/{id}/proxy-signups")]
pub async fn proxy_signup_create(
    platform: Data<Platform>,
    registrar: Data<Registrar>,
    snapshots: Data<Snapshots>,
    guard: Guard<RosterWrite>,
    id: ApiPath<ActivityId>,
    body: Idempotent<ProxyInput>,
) -> Result<Stored> {
    let (actor, scope, vault, activity) =
        (guard.person(), guard.scope().clone(), platform.vault.clone(), id.0);
    let ProxyInput { person_id, phone, basis, note, form } = body.body;
    if basis == Basis::UnionRoster {
        return Err(fault("/basis", "enum", "请使用名单报名", "a union sends a roster"));
    }
    let who = Who::read(person_id, phone.as_deref())?;
    let person = platform.db.read(move |c| beneficiary(c, &vault, activity, &who, &scope)).await?;
    if person == actor {
        return Err(fault("/person_id", "self", "请为自己直接报名", "sign up yourself"));
    }
    let act = Act::Proxy { activity, person, basis, note, form };
    ask(&platform, &registrar, &snapshots, actor, body.key, act).await
}

fn fault(pointer: &'static str, code: &'static str, zh: &'static str, en: &'static str) -> Error {
    Error::invalid(vec![Fault::new(pointer, code, Text::new(zh, en))])
}

enum Who {
    Person(PersonId),
    Phone(Phone),
}

impl Who {
    fn read(person: Option<PersonId>, phone: Option<&str>) -> Result<Self> {
        match (person, phone) {
            (Some(person), None) => Ok(Self::Person(person)),
            (None, Some(phone)) => Phone::parse(phone)
                .map(Self::Phone)
                .map_err(|wrong| fault("/phone", "phone", wrong.zh(), wrong.en())),
            _ => Err(fault(
                "/person_id",
                "one_of",
                "须且只须填写 person_id 或 phone",
                "give one of person_id and phone",
            )),
        }
    }
}

/// Who is to be signed up. Somebody outside the caller's reach is as if they were not there.
fn beneficiary(
    conn: &mut Conn,
    vault: &Vault,
    activity: ActivityId,
    who: &Who,
    scope: &Scope,
) -> Result<PersonId> {
    let organises = scope.covers(&offering::store::activity_get(conn, activity)?.path);
    let found = match who {
        Who::Person(person) => people::store::profiles(conn, &[*person], false)?
            .into_iter()
            .map(|(person, profile)| (person, profile.path, profile.disabled))
            .collect::<Vec<_>>(),
        Who::Phone(phone) => store::known(conn, vault, &[phone.as_str()])?
            .into_values()
            .flatten()
            .map(|one| (one.person, one.path, one.disabled))
            .collect(),
    };
    // Whoever works nowhere belongs to the district.
    let root = org::store::root(conn)?.path;
    let mut within = found.into_iter().filter(|(_, path, disabled)| {
        !disabled && (organises || scope.covers(path.as_deref().unwrap_or(&root)))
    });
    match (within.next(), within.next()) {
        (Some((person, _, _)), None) => Ok(person),
        (Some(_), Some(_)) => Err(fault(
            "/phone",
            "ambiguous",
            "有多个账号登记了该手机号，请改用 person_id",
            "several people have this number; say person_id",
        )),
        (None, _) => Err(match who {
            Who::Person(_) => fault("/person_id", "unknown", "没有这个人", "no such person"),
            Who::Phone(_) => fault(
                "/phone",
                "not_registered",
                "该手机号未注册，请本人先打开小程序登记",
                "nobody is registered with this number; ask them to open the mini-program once",
            ),
        }),
    }
}
