//! A valid request for every operation.

use chrono::TimeDelta;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::ids::{ActivityId, JobId, MilestoneId, OrganisationId, PenaltyId};
use unionhall::platform::db::schema::jobs;
use unionhall::platform::outbox::{Job, JobState};

use super::grant;
use crate::harness::factory::{Made, Wanted};
use crate::harness::{Actor, Reply, TestApp};

/// What the cases stand on.
pub struct Stage {
    pub(super) app: TestApp,
    pub(super) organiser: Actor,
    /// Published; the session runs, and one worker has a place.
    pub(super) activity: Made,
    /// The worker with the place.
    pub guest: Actor,
    pub(super) organisation: OrganisationId,
    milestone: MilestoneId,
}

impl Stage {
    /// Makes everything that the cases need.
    pub async fn set(app: TestApp) -> Self {
        let organiser = app.staff("organiser").await;
        let activity = app.activity_by(&organiser, |a| a).await;
        let guest = app.worker("guest").await;
        guest.sign_up(&activity).await.ok(201);
        let milestones = app.staff("planner").await.get("/api/v1/plans/2025/milestones").await.ok(200);
        Self {
            organisation: app.organisation("street-pinghu").await,
            milestone: milestones["items"][0]["id"].as_str().unwrap().parse().unwrap(),
            organiser,
            activity,
            guest,
            app,
        }
    }

    pub(super) async fn fresh_activity(&self, publish: bool) -> Made {
        self.app.activity_by(&self.organiser, |a| if publish { a } else { a.draft() }).await
    }

    /// An activity that begins late enough for somebody to be asked.
    async fn bookable_activity(&self) -> ActivityId {
        let times = [(TimeDelta::days(2), TimeDelta::days(2) + TimeDelta::hours(2))];
        self.app.activity_by(&self.organiser, |a| a.sessions(&times)).await.id
    }

    /// Places that a union of the district keeps.
    async fn place_hold(&self) -> String {
        let fresh = self.bookable_activity().await;
        let body = json!({
            "organisation_id": self.app.organisation("demo-enterprise-pinghu-1").await,
            "name_later": 2, "name_by": self.app.now() + TimeDelta::minutes(30),
        });
        let roster = self.organiser.post(&format!("/api/v1/activities/{fresh}/rosters"), body).await.ok(200);
        roster["holds"][0]["id"].as_str().unwrap().to_owned()
    }

    /// A penalty of `person`, contested or live.
    async fn penalty(&self, person: &Actor, contested: bool) -> PenaltyId {
        let signup = person.sign_up(&self.fresh_activity(true).await).await.ok(201);
        let signup = signup["id"].as_str().unwrap().parse().unwrap();
        crate::penalties::given(&self.app, person.person(), signup, contested).await
    }

    /// A venue of 平湖.
    async fn venue(&self) -> String {
        let body = json!({ "kind": "venue", "organisation_id": self.organisation, "name": self.organiser.fresh_key() });
        let made = self.organiser.post("/api/v1/resources", body).await.ok(201);
        format!("/api/v1/resources/{}", made["id"].as_str().unwrap())
    }

    /// A template of 平湖.
    async fn template(&self) -> String {
        let body = json!({
            "name": self.organiser.fresh_key(), "organisation_id": self.organisation,
            "from_activity_id": self.activity.id,
        });
        let made = self.organiser.post("/api/v1/activity-templates", body).await.ok(201);
        format!("/api/v1/activity-templates/{}", made["id"].as_str().unwrap())
    }

    /// A job that has failed too often.
    async fn dead_job(&self) -> JobId {
        let (id, now) = (self.app.ids().id(), db_time(self.app.now()));
        let job = Job {
            id,
            kind: "housekeeping".into(),
            payload: "{}".into(),
            dedupe_key: None,
            state: JobState::Dead,
            run_at: now,
            attempts: 12,
            leased_by: None,
            leased_until: None,
            last_error: None,
            created_at: now,
        };
        self.app.write(move |conn| Ok(diesel::insert_into(jobs::table).values(job).execute(conn)?)).await;
        id
    }
}

/// A valid request.
#[derive(Clone)]
pub struct Call {
    method: Method,
    pub path: String,
    etag: Option<String>,
    body: Option<Value>,
    file: Option<(&'static str, Vec<u8>)>,
    signature: Option<String>,
}

pub(super) fn get(path: impl Into<String>) -> Call {
    Call { method: Method::GET, path: path.into(), etag: None, body: None, file: None, signature: None }
}

pub(super) fn post(path: impl Into<String>, body: Value) -> Call {
    Call {
        method: Method::POST,
        path: path.into(),
        etag: None,
        body: Some(body),
        file: None,
        signature: None,
    }
}

pub(super) fn put(path: impl Into<String>, etag: String, body: Value) -> Call {
    Call {
        method: Method::PUT,
        path: path.into(),
        etag: Some(etag),
        body: Some(body),
        file: None,
        signature: None,
    }
}

pub(super) fn sent(path: &str, media: &'static str, file: Vec<u8>) -> Call {
    Call { body: None, file: Some((media, file)), ..post(path, Value::Null) }
}

fn delete(path: impl Into<String>) -> Call {
    Call { method: Method::DELETE, path: path.into(), etag: None, body: None, file: None, signature: None }
}

impl Call {
    /// The same somewhere else.
    pub fn at(self, path: String) -> Self {
        Self { path, ..self }
    }

    /// The same for what was read with this ETag.
    pub(super) fn matching(self, etag: String) -> Self {
        Self { etag: Some(etag), ..self }
    }

    /// The same with what a device's key says of its body.
    pub(super) fn signed(self, signature: String) -> Self {
        Self { signature: Some(signature), ..self }
    }

    /// Sends it as `actor`, under a fresh idempotency key.
    pub async fn by(self, actor: &Actor) -> Reply {
        let mut request = actor.request(self.method, &self.path).header("idempotency-key", actor.fresh_key());
        if let Some(etag) = self.etag {
            request = request.header("if-match", etag);
        }
        if let Some(signature) = self.signature {
            request = request.header("x-device-signature", signature);
        }
        if let Some(body) = self.body {
            request = request.json(&body);
        }
        if let Some((media, file)) = self.file {
            request = request.header("content-type", media).body(file);
        }
        actor.send(request).await
    }
}

/// A request that succeeds when `caller` may make it; none for an operation that nobody wrote a case for.
pub async fn case(stage: &Stage, operation: &str, caller: &Actor) -> Option<Call> {
    let app = &stage.app;
    let (activity, session) = (stage.activity.id, stage.activity.session);
    // Nobody has no phone and no data of their own: the guard refuses before it matters.
    let someone = if caller.token.is_some() { caller } else { &stage.guest };
    Some(match operation {
        "healthz" => get("/healthz"),
        "readyz" => get("/readyz"),

        "wechat_login" => {
            post("/api/v1/auth/wechat-logins", json!({ "code": stage.guest.login_code().await }))
        }
        "token_refresh" => {
            let login = app.worker("guest").await;
            post("/api/v1/auth/refreshes", json!({ "refresh_token": login.refresh }))
        }
        "logout" => post("/api/v1/auth/logouts", json!({ "everywhere": false })),

        "me_get" => get("/api/v1/me"),
        "me_update" => put("/api/v1/me", someone.get("/api/v1/me").await.etag(), json!({ "name": "张三丰" })),
        "me_phone_set" => {
            let code = app.sim_get(&format!("/sim/phone-code?user={}", someone.name)).await;
            post("/api/v1/me/phones", json!({ "code": code["code"] }))
        }
        "my_erasure_outlook_get" => get("/api/v1/me/erasure-outlook"),
        "my_erasure_create" => post("/api/v1/me/erasures", json!({ "confirm": "erase" })),
        "person_erase" => {
            let person = app.worker(&stage.organiser.fresh_key()).await.person();
            post(format!("/api/v1/people/{person}/erasures"), json!({ "reason": "本人来函要求" }))
        }
        "my_pass" => get("/api/v1/me/pass"),
        "my_activity_get" => get(format!("/api/v1/me/activities/{activity}")),
        "my_signup_list" => get("/api/v1/me/signups"),
        "notice_list" => get("/api/v1/me/notices"),
        "notice_read" => {
            post("/api/v1/me/notices/reads", json!({ "until": "ntc_01k5b8m3q2e9t8h6y1v7z4w0xn" }))
        }

        "organisation_list" => get("/api/v1/organisations"),
        "organisation_get" => get(format!("/api/v1/organisations/{}", stage.organisation)),

        "programme_list" => get("/api/v1/programmes"),
        "programme_get" => get(format!("/api/v1/programmes/{}", app.programme("demo-skills").await)),
        "topic_list" => get("/api/v1/topics"),
        "activity_list" => get("/api/v1/activities"),
        "activity_get" => get(format!("/api/v1/activities/{activity}")),
        "activity_form_get" => get(format!("/api/v1/activities/{activity}/form")),
        "programme_create" => post(
            "/api/v1/programmes",
            json!({
                "organisation_id": stage.organisation, "name": "测试项目", "summary": "", "kind": "training",
                "topic": "skills", "audience": "all"
            }),
        ),
        "activity_create" => post("/api/v1/activities", app.activity_input(|a| a).await),
        "managed_activity_list" => get("/api/v1/managed-activities"),
        "managed_activity_get" => get(format!("/api/v1/managed-activities/{activity}")),
        "managed_activity_update" => {
            let path = format!("/api/v1/managed-activities/{}", stage.fresh_activity(false).await.id);
            let etag = stage.organiser.get(&path).await.etag();
            let now = app.now();
            let body = json!({
                "title": "改名", "summary": "", "venue": "示例职工之家", "address": "", "capacity": 30,
                "signup_opens_at": now - TimeDelta::hours(2), "signup_closes_at": now + TimeDelta::hours(1),
            });
            put(path, etag, body)
        }
        "activity_publish" => {
            let draft = stage.fresh_activity(false).await.id;
            post(format!("/api/v1/managed-activities/{draft}/publications"), json!({}))
        }

        "activity_cancel" | "activity_postpone" | "activity_allocate" | "activity_reschedule" => {
            let hours = TimeDelta::hours;
            let (sessions, window) = ([(hours(2), hours(4))], (hours(-2), hours(-1)));
            let wanted = |a: Wanted| a.sessions(&sessions).signup(window.0, window.1);
            let fresh = app.activity_by(&stage.organiser, wanted).await;
            let (starts, ends) = (app.now() + hours(5), app.now() + hours(6));
            let one = json!({ "id": fresh.session, "starts_at": starts, "ends_at": ends });
            let (what, body) = match operation {
                "activity_cancel" => ("cancellations", json!({ "reason": "台风" })),
                "activity_postpone" => ("postponements", json!({ "reason": "台风" })),
                "activity_allocate" => ("allocations", json!({})),
                _ => ("reschedulings", json!({ "reason": "台风", "sessions": [one], "signups": "keep" })),
            };
            post(format!("/api/v1/managed-activities/{}/{what}", fresh.id), body)
        }
        "session_cancel" => {
            let hours = TimeDelta::hours;
            let sessions = [(hours(2), hours(4)), (hours(5), hours(6))];
            let fresh = app.activity_by(&stage.organiser, |a| a.sessions(&sessions)).await.session;
            post(format!("/api/v1/sessions/{fresh}/cancellations"), json!({ "reason": "台风" }))
        }
        "resource_create" => post(
            "/api/v1/resources",
            json!({ "kind": "trainer", "organisation_id": stage.organisation, "name": someone.fresh_key() }),
        ),
        "resource_list" => get("/api/v1/resources"),
        "resource_get" => get(stage.venue().await),
        "booking_list" => get(format!("{}/bookings", stage.venue().await)),
        "resource_update" => {
            let path = stage.venue().await;
            let etag = stage.organiser.get(&path).await.etag();
            put(path, etag, json!({ "name": someone.fresh_key(), "margin_minutes": 10, "closed": true }))
        }
        "template_create" => {
            let organisation = stage.organisation;
            let name = someone.fresh_key();
            let body = json!({ "name": name, "organisation_id": organisation, "from_activity_id": activity });
            post("/api/v1/activity-templates", body)
        }
        "template_list" => get("/api/v1/activity-templates"),
        "template_get" => get(stage.template().await),
        "template_delete" => delete(stage.template().await),
        "template_use" => {
            post(format!("{}/activities", stage.template().await), json!({ "starts_on": "2025-07-01" }))
        }
        "activity_copy" => post(
            format!("/api/v1/managed-activities/{activity}/copies"),
            json!({ "starts_on": "2025-07-01" }),
        ),
        "activity_import" => {
            let header = "row_key,organisation,programme,title,venue,capacity,signup_opens_at,signup_closes_at,session_starts_at,session_ends_at";
            let row = "street-pinghu,demo-skills,电工班,职工之家,20,2025-06-20 09:00,2025-06-30 18:00,2025-07-01 09:00,2025-07-01 11:00";
            let sheet = format!("{header}\n{},{row}\n", someone.fresh_key());
            sent("/api/v1/activity-imports", "text/csv", sheet.into())
        }

        "signup_create" => {
            let fresh = stage.fresh_activity(true).await.id;
            post(format!("/api/v1/activities/{fresh}/signups"), json!({}))
        }
        "signup_roster" => get(format!("/api/v1/activities/{activity}/signups")),
        "signup_get" | "signup_cancel" => {
            let signup = someone.sign_up(&stage.fresh_activity(true).await).await.ok(201);
            let path = format!("/api/v1/signups/{}", signup["id"].as_str().unwrap());
            if operation == "signup_get" {
                get(path)
            } else {
                post(format!("{path}/cancellations"), json!({}))
            }
        }

        "roster_create" => {
            let fresh = stage.bookable_activity().await;
            let union = app.organisation("demo-enterprise-pinghu-1").await;
            let (rows, name_by) = (json!([]), app.now() + TimeDelta::minutes(30));
            let body = json!({ "organisation_id": union, "rows": rows, "name_later": 1, "name_by": name_by });
            post(format!("/api/v1/activities/{fresh}/rosters"), body)
        }
        "place_hold_list" => get(format!("/api/v1/activities/{activity}/place-holds")),
        "place_hold_name" => {
            let rows = json!([{ "name": "张三丰", "phone": "13800138000" }]);
            post(format!("/api/v1/place-holds/{}/names", stage.place_hold().await), json!({ "rows": rows }))
        }
        "place_hold_release" => delete(format!("/api/v1/place-holds/{}", stage.place_hold().await)),
        "proxy_signup_create" => {
            let fresh = stage.fresh_activity(true).await.id;
            let body = json!({ "person_id": stage.guest.person(), "basis": "paper_form" });
            post(format!("/api/v1/activities/{fresh}/proxy-signups"), body)
        }
        "my_penalty_list" => get("/api/v1/me/penalties"),
        "penalty_appeal" => {
            let penalty = stage.penalty(someone, false).await;
            post(
                format!("/api/v1/penalties/{penalty}/appeals"),
                json!({ "ground": "duty", "text": "临时加班" }),
            )
        }
        "penalty_list" => get("/api/v1/penalties"),
        "penalty_claim_reveal" => {
            let penalty = stage.penalty(&stage.guest, true).await;
            post(format!("/api/v1/penalties/{penalty}/claim-reveals"), json!({}))
        }
        "penalty_decide" => post(
            format!("/api/v1/penalties/{}/decisions", stage.penalty(&stage.guest, true).await),
            json!({ "decision": "waive", "reason": "情况属实" }),
        ),

        "checkin_create" => {
            post(format!("/api/v1/sessions/{session}/checkins"), json!({ "pass": stage.guest.pass().await }))
        }
        "checkin_list" => get(format!("/api/v1/sessions/{session}/checkins")),
        "session_finalise" => {
            let fresh = stage.fresh_activity(true).await.session;
            post(format!("/api/v1/sessions/{fresh}/finalisations"), json!({}))
        }

        "plan_list" => get("/api/v1/plans"),
        "plan_get" => get("/api/v1/plans/2025"),
        "plan_progress" => get("/api/v1/plans/2025/progress"),
        "target_line_list" => get("/api/v1/plans/2025/targets/07a/lines"),
        "plan_board"
        | "plan_figures_get"
        | "report_create"
        | "report_get"
        | "report_content_get"
        | "session_sign_in_sheet"
        | "session_sign_in_reveal" => {
            return super::exports_cases::case(stage, operation).await;
        }
        "milestone_list" => get("/api/v1/plans/2025/milestones"),
        "milestone_get" => get(format!("/api/v1/milestones/{}", stage.milestone)),
        "milestone_update" => {
            let path = format!("/api/v1/milestones/{}", stage.milestone);
            let etag = app.staff("planner").await.get(&path).await.etag();
            put(path, etag, json!({ "reached": true, "evidence": "会议纪要" }))
        }

        "grant_list" => get("/api/v1/staff-grants"),
        "grant_get" => {
            let to = app.worker(&someone.fresh_key()).await.person();
            let grant = grant(app, to, "reviewer", "street-pinghu").await;
            get(format!("/api/v1/staff-grants/{}", grant["id"].as_str().unwrap()))
        }
        "grant_create" => {
            let to = app.worker(&someone.fresh_key()).await.person();
            let body = json!({ "person_id": to, "role": "reviewer", "organisation_id": stage.organisation });
            post("/api/v1/staff-grants", body)
        }
        "grant_revoke" => {
            let to = app.worker(&someone.fresh_key()).await.person();
            let grant = grant(app, to, "reviewer", "street-pinghu").await;
            delete(format!("/api/v1/staff-grants/{}", grant["id"].as_str().unwrap()))
        }
        "person_audience_list" => get(format!("/api/v1/people/{}/audiences", stage.guest.person())),
        "person_audience_record" | "person_audience_remove" => {
            let person = stage.guest.person();
            crate::audiences::recorded(app, person, "model_worker").await;
            let path = format!("/api/v1/people/{person}/audiences/model_worker");
            if operation == "person_audience_record" {
                let body = Some(json!({ "basis": "奖章证书" }));
                Call { method: Method::PUT, path, etag: None, body, file: None, signature: None }
            } else {
                delete(path)
            }
        }
        "person_reveal" => post(
            format!("/api/v1/people/{}/reveals", stage.guest.person()),
            json!({ "field": "phone", "purpose": "电话通知" }),
        ),
        "account_state_set" => post(
            format!("/api/v1/people/{}/account-states", stage.guest.person()),
            json!({ "disabled": false, "reason": "恢复使用" }),
        ),
        "file_upload" => {
            let (media, form) =
                crate::files::samples::form("photo", "a.png", &crate::files::samples::png(2, 2));
            sent("/api/v1/files", media, form)
        }
        "file_get" => get(crate::files::uploaded(someone).await),
        "file_content_get" => get(format!("{}/content", crate::files::uploaded(someone).await)),
        "file_link_create" => post(format!("{}/links", crate::files::uploaded(someone).await), json!({})),
        "file_link_open" => get(crate::files::linked(someone, &crate::files::uploaded(someone).await).await),
        "file_delete" => delete(crate::files::uploaded(someone).await),
        "audit_list" => get("/api/v1/audit-entries"),
        "dead_job_list" => get("/api/v1/dead-jobs"),
        "dead_job_revive" => {
            post(format!("/api/v1/dead-jobs/{}/revivals", stage.dead_job().await), json!({}))
        }
        _ => return super::places_cases::case(stage, operation, someone).await,
    })
}
