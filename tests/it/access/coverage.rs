//! Every operation of the document is called by nobody, by a worker, and by every role. Who gets through is what
//! the table of permissions says, and nobody else does. An operation without a case fails the test.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::ids::{JobId, MilestoneId, OrganisationId};
use unionhall::platform::access::Role;
use unionhall::platform::access::policy::POLICY;
use unionhall::platform::db::schema::jobs;
use unionhall::platform::outbox::{Job, JobState};

use super::grant;
use crate::harness::document::{OPERATIONS, Operation};
use crate::harness::factory::Made;
use crate::harness::{Actor, Reply, Test, TestApp};

pub const TESTS: &[Test] =
    tests![every_operation_is_for_whom_the_policy_says, nobody_is_told_more_than_to_log_in];

/// One of the seeded staff for every role, over the whole district.
const STAFF: &[(Role, &str)] = &[
    (Role::CheckinStaff, "gate"),
    (Role::Organiser, "organiser"),
    (Role::Reviewer, "reviewer"),
    (Role::PlanOfficer, "planner"),
    (Role::Auditor, "auditor"),
    (Role::Admin, "admin"),
];

/// What the cases stand on.
struct Stage {
    app: TestApp,
    organiser: Actor,
    /// Published; the session runs, and one worker has a place.
    activity: Made,
    /// The worker with the place.
    guest: Actor,
    organisation: OrganisationId,
    milestone: MilestoneId,
}

impl Stage {
    async fn set(app: TestApp) -> Self {
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

    async fn fresh_activity(&self, publish: bool) -> Made {
        self.app.activity_by(&self.organiser, |a| if publish { a } else { a.draft() }).await
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
struct Call {
    method: Method,
    path: String,
    etag: Option<String>,
    body: Option<Value>,
}

fn get(path: impl Into<String>) -> Call {
    Call { method: Method::GET, path: path.into(), etag: None, body: None }
}

fn post(path: impl Into<String>, body: Value) -> Call {
    Call { method: Method::POST, path: path.into(), etag: None, body: Some(body) }
}

fn put(path: impl Into<String>, etag: String, body: Value) -> Call {
    Call { method: Method::PUT, path: path.into(), etag: Some(etag), body: Some(body) }
}

fn delete(path: impl Into<String>) -> Call {
    Call { method: Method::DELETE, path: path.into(), etag: None, body: None }
}

impl Call {
    async fn by(self, actor: &Actor) -> Reply {
        let mut request = actor.request(self.method, &self.path).header("idempotency-key", actor.fresh_key());
        if let Some(etag) = self.etag {
            request = request.header("if-match", etag);
        }
        if let Some(body) = self.body {
            request = request.json(&body);
        }
        actor.send(request).await
    }
}

/// A request that succeeds when `caller` may make it; none for an operation that nobody wrote a case for.
async fn case(stage: &Stage, operation: &str, caller: &Actor) -> Option<Call> {
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
        "activity_list" => get("/api/v1/activities"),
        "activity_get" => get(format!("/api/v1/activities/{activity}")),
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
        "milestone_list" => get("/api/v1/plans/2025/milestones"),
        "milestone_get" => get(format!("/api/v1/milestones/{}", stage.milestone)),
        "milestone_update" => {
            let path = format!("/api/v1/milestones/{}", stage.milestone);
            let etag = app.staff("planner").await.get(&path).await.etag();
            put(path, etag, json!({ "reached": true, "evidence": "会议纪要" }))
        }

        "grant_list" => get("/api/v1/staff-grants"),
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
        "person_reveal" => post(
            format!("/api/v1/people/{}/reveals", stage.guest.person()),
            json!({ "field": "phone", "purpose": "电话通知" }),
        ),
        "account_state_set" => post(
            format!("/api/v1/people/{}/account-states", stage.guest.person()),
            json!({ "disabled": false, "reason": "恢复使用" }),
        ),
        "audit_list" => get("/api/v1/audit-entries"),
        "dead_job_list" => get("/api/v1/dead-jobs"),
        "dead_job_revive" => {
            post(format!("/api/v1/dead-jobs/{}/revivals", stage.dead_job().await), json!({}))
        }
        _ => return None,
    })
}

/// Whom the policy lets through: all roles that have the permission, or everybody who is logged in.
fn is_allowed(permission: &str, role: Option<Role>) -> bool {
    let (_, roles) = POLICY.iter().find(|(name, _)| *name == permission).unwrap();
    roles.is_empty() || role.is_some_and(|role| roles.contains(&role))
}

async fn every_operation_is_for_whom_the_policy_says(app: TestApp) {
    assert_eq!(
        STAFF.iter().map(|(role, _)| role.as_str()).collect::<BTreeSet<_>>(),
        Role::ALL.iter().map(|role| role.as_str()).collect(),
        "somebody for every role"
    );
    let stage = Stage::set(app.clone()).await;
    let mut callers = vec![(None, app.worker("zhang").await)];
    for (role, name) in STAFF {
        callers.push((Some(*role), app.staff(name).await));
    }
    let (mut wrong, mut without_case) = (Vec::new(), Vec::new());
    for operation in OPERATIONS.iter() {
        let Some(call) = case(&stage, &operation.id, &app.anon()).await else {
            without_case.push(operation.id.as_str());
            continue;
        };
        let reply = call.by(&app.anon()).await;
        let expected = if operation.permission.is_some() { 401 } else { operation.success() };
        if reply.status != expected || (expected == 401 && reply.body["code"] != "unauthenticated") {
            wrong.push(format!("{} by nobody: {} {}", operation.id, reply.status, reply.text));
        }
        for (role, caller) in &callers {
            let who = role.map_or("a worker", Role::as_str);
            let call = case(&stage, &operation.id, caller).await.unwrap();
            // Whoever logs out is needed again.
            let caller = if operation.id == "logout" { &app.worker(&caller.name).await } else { caller };
            let reply = call.by(caller).await;
            if let Some(fault) = fault(operation, *role, &reply) {
                wrong.push(format!("{} by {who}: {fault}: {} {}", operation.id, reply.status, reply.text));
            }
        }
    }
    assert!(without_case.is_empty(), "write a case for {}", without_case.join(", "));
    assert!(wrong.is_empty(), "not as the policy says:\n{}", wrong.join("\n"));
    app.run_jobs().await;
}

/// What is wrong with an answer to somebody who is logged in.
fn fault(operation: &Operation, role: Option<Role>, reply: &Reply) -> Option<String> {
    let Some(permission) = &operation.permission else {
        return (reply.status != operation.success()).then(|| "it is for everybody".into());
    };
    if is_allowed(permission, role) {
        return (reply.status != operation.success()).then(|| format!("the role has {permission}"));
    }
    let named = reply.body["detail"].as_str().is_some_and(|detail| detail.contains(permission.as_str()));
    if reply.status != 403 || reply.body["code"] != "forbidden" {
        Some(format!("the role has no {permission}"))
    } else if !named {
        Some(format!("the refusal does not name {permission}"))
    } else {
        None
    }
}

async fn nobody_is_told_more_than_to_log_in(app: TestApp) {
    // Not what is there, and not what is wrong with the request.
    let nobody = app.anon();
    for operation in OPERATIONS.iter().filter(|operation| operation.permission.is_some()) {
        let method: Method = operation.method.parse().unwrap();
        let request = nobody.request(method, &operation.example_path()).body("{not json");
        let reply = nobody.send(request).await;
        assert_eq!(reply.body["code"], "unauthenticated", "{}: {}", operation.id, reply.text);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"unionhall\""), "{}", operation.id);
    }
}
