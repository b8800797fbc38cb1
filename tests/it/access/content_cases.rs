//! Valid requests for the operations on the content check.

use diesel::prelude::*;
use serde_json::json;
use unionhall::clock::db_time;
use unionhall::content::model::{ContentCheck, ContentKind, ContentState};
use unionhall::ids::{CaseId, ContentCheckId};
use unionhall::platform::db::schema::content_checks;
use unionhall::platform::wechat::push::signature_of;

use super::cases::{Call, Stage, get, post};
use crate::harness::Actor;

const CHECKS: &str = "/api/v1/content-checks";

impl Stage {
    /// Something that is held, before everybody who judges at 平湖, and before the team of the case if `someone` judges cases only.
    async fn held(&self, someone: &Actor) -> ContentCheckId {
        let (id, organisation, person, now) =
            (self.app.ids().id(), self.organisation, self.guest.person(), db_time(self.app.now()));
        let case: Option<CaseId> = match someone.name.as_str() {
            "legal" | "legal-lead" => Some(self.case_of(someone).await),
            _ => None,
        };
        let check = ContentCheck {
            id,
            kind: ContentKind::Text,
            room: "review.message".into(),
            row_id: id.0.as_bytes().to_vec(),
            field: "text".into(),
            person_id: person,
            organisation_id: case.is_none().then_some(organisation),
            case_id: case,
            state: ContentState::Held,
            label: Some(20006),
            trace_id: None,
            asked_at: now,
            decided_by: None,
            decided_at: None,
            reason: None,
            version: 1,
        };
        let write = move |conn: &mut unionhall::platform::db::Conn| {
            Ok(diesel::insert_into(content_checks::table).values(check).execute(conn)?)
        };
        self.app.write(write).await;
        id
    }

    /// A case of whose team `someone` is.
    async fn case_of(&self, someone: &Actor) -> CaseId {
        let applicant = self.guest.person();
        let case = crate::legal::planting::planted(&self.app, applicant, "street-pinghu", |case| case).await;
        let role = unionhall::legal_aid::model::TeamRole::Handler;
        crate::legal::planting::join(&self.app, case.id, someone.person(), role).await;
        case.id
    }
}

/// A request that succeeds when `someone` may make it.
pub async fn case(stage: &Stage, operation: &str, someone: &Actor) -> Option<Call> {
    Some(match operation {
        "content_check_list" => get(CHECKS),
        "content_check_get" => get(format!("{CHECKS}/{}", stage.held(someone).await)),
        "content_check_decide" => {
            let path = format!("{CHECKS}/{}/decisions", stage.held(someone).await);
            let body = json!({ "decision": "release", "reason": "harmless" });
            post(path, body).matching("\"v1-0000000000000000\"".into())
        }
        "wechat_push_verify" => get(signed(stage, "&echostr=1")),
        "wechat_push_take" => pushed(stage),
        "file_check_open" => {
            let path = crate::files::uploaded(&stage.guest).await;
            let id = path.rsplit('/').next().unwrap().parse().unwrap();
            get(stage.app.app().files().check_path(id, stage.app.now()))
        }
        _ => return None,
    })
}

fn signed(stage: &Stage, more: &str) -> String {
    use secrecy::ExposeSecret;
    let token = stage.app.config().wechat.push_token.expose_secret().to_owned();
    let signature = signature_of(&token, &["1750039200", "n"]);
    format!("/api/v1/wechat/push?signature={signature}&timestamp=1750039200&nonce=n{more}")
}

fn pushed(stage: &Stage) -> Call {
    use secrecy::ExposeSecret;
    use unionhall::platform::wechat::push::{key_of, seal};
    let wechat = &stage.app.config().wechat;
    let key = key_of(wechat.push_aes_key.expose_secret()).unwrap();
    let sealed = seal(&key, &wechat.appid, [7; 16], br#"{"Event":"debug_demo"}"#).unwrap();
    let signature = signature_of(wechat.push_token.expose_secret(), &["1750039200", "n", &sealed]);
    let path = signed(stage, &format!("&encrypt_type=aes&msg_signature={signature}"));
    post(path, json!({ "Encrypt": sealed }))
}
