//! Asking for it, over HTTP: what stands in the way, what is left, who may do it for whom, and who comes at the same moment.

use chrono::TimeDelta;
use diesel::prelude::*;
use futures_util::future::join_all;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::erasure::acts::ErasureTools;
use unionhall::erasure::jobs::Sweep;
use unionhall::ids::PersonId;
use unionhall::legal_aid::model::CaseState;
use unionhall::notify::model::{Notice, NoticeKind};
use unionhall::platform::audit;
use unionhall::platform::db::schema::{attendances, notices, people, signups, wechat_identities};
use unionhall::platform::outbox::{Job, JobHandler, JobState};

use super::scanning::{Shape, holding};
use crate::access::staff_of;
use crate::files;
use crate::harness::{Actor, Reply, Test, TestApp};
use crate::legal::dsl::ask_as;
use crate::legal::planting::planted;
use crate::{membership, penalties, reviews, visits};

pub const TESTS: &[Test] = tests![
    nothing_is_left_but_what_was_counted_and_what_the_law_keeps,
    what_is_running_is_settled_first,
    an_officer_erases_with_a_reason_and_once,
    an_officer_erases_within_their_subtree,
    whoever_comes_back_is_somebody_new,
    whoever_was_erased_takes_no_place_and_passes_no_door,
    places_and_erasures_at_once_leave_nobody_with_both,
    what_was_under_way_is_erased_later,
];

const NAME: &str = "欧阳忆秋";
const PHONE: &str = "13712349876";
const ID: &str = "11010519491231002X";

async fn ask(who: &Actor) -> Reply {
    who.post("/api/v1/me/erasures", json!({ "confirm": "erase" })).await
}

async fn erase(officer: &Actor, person: PersonId) -> Reply {
    officer
        .post(&format!("/api/v1/people/{person}/erasures"), json!({ "reason": "本人来函，已核对身份" }))
        .await
}

async fn obstacles(who: &Actor) -> Vec<String> {
    let outlook = who.get("/api/v1/me/erasure-outlook").await.ok(200);
    let kinds = outlook["obstacles"].as_array().unwrap().iter();
    kinds.map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
}

/// What is refused, by its codes.
fn named(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().unwrap().iter();
    errors.map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

/// Somebody with a name, a number and an ID number.
async fn registered(app: &TestApp, user: &str, name: &str, phone: &str, id: &str) -> Actor {
    let who = app.worker(user).await;
    let me = who.get("/api/v1/me").await;
    let unit = app.organisation("demo-enterprise-pinghu-1").await;
    let body = json!({ "name": name, "workplace_id": unit, "id_number": id });
    who.put("/api/v1/me", &me.etag(), body).await.ok(200);
    let given = app.sim_get(&format!("/sim/phone-code?user={user}&phone={phone}")).await;
    who.post("/api/v1/me/phones", json!({ "code": given["code"] })).await.ok(200);
    who
}

/// What can be read of `secrets` anywhere in the database.
async fn left(app: &TestApp, secrets: &[&str]) -> Vec<(String, String)> {
    let (vault, secrets) =
        (app.app().platform().vault.clone(), secrets.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
    app.read(move |conn| {
        let shape = Shape::read(conn, &[]);
        Ok(holding(&shape.cells(conn, &vault), &secrets))
    })
    .await
}

async fn figures(app: &TestApp, as_of: &str) -> Value {
    let path = format!("/api/v1/plans/2025/progress?as_of={as_of}");
    let mut seen = app.staff("planner").await.get(&path).await.ok(200);
    seen.as_object_mut().unwrap().remove("plan");
    seen
}

/// What the sweep does once an hour.
async fn sweep(app: &TestApp) {
    let platform = app.app().platform();
    let tools = ErasureTools { ids: app.ids().clone(), vault: platform.vault.clone() };
    let sweep = Sweep { clock: platform.clock.clone(), tools };
    let now = db_time(app.now());
    let job = Job {
        id: app.ids().id(),
        kind: sweep.kind().into(),
        payload: "{}".into(),
        dedupe_key: None,
        state: JobState::Running,
        run_at: now,
        attempts: 1,
        leased_by: None,
        leased_until: None,
        last_error: None,
        created_at: now,
    };
    app.write(move |conn| sweep.run_in_tx(conn, &job)).await;
}

async fn nothing_is_left_but_what_was_counted_and_what_the_law_keeps(app: TestApp) {
    let (gate, organiser, admin) =
        (app.staff("gate").await, app.staff("organiser").await, app.staff("admin").await);
    let zhang = registered(&app, "zhang", NAME, PHONE, ID).await;
    let li = registered(&app, "li", "李小工", "13987654321", "440308199901101512").await;
    // At the door, and with a penalty that is contested.
    let activity = app.activity(|a| a).await;
    for worker in [&zhang, &li] {
        worker.sign_up(&activity).await.ok(201);
        gate.scan(activity.session, &worker.pass().await).await.ok(200);
    }
    let mine: Vec<unionhall::ids::SignupId> = {
        let person = zhang.person();
        app.read(move |c| {
            Ok(signups::table.filter(signups::person_id.eq(person)).select(signups::id).load(c)?)
        })
        .await
    };
    let penalty = penalties::given(&app, zhang.person(), mine[0], false).await;
    let body = json!({ "ground": "illness", "text": "那天偏头痛发作" });
    zhang.post(&format!("/api/v1/penalties/{penalty}/appeals"), body).await.ok(200);
    // At the desk.
    let trip = app.activity(crate::reviewed::trip).await;
    let paper = files::uploaded(&zhang).await;
    let answers = json!({ "last_year": "2019年去过梅州", "report": paper.rsplit('/').next().unwrap() });
    let request = reviews::steps::apply(zhang.clone(), &trip, answers).await;
    request.worker.post(&request.own("/messages"), json!({ "text": "我住在坂田某街" })).await.ok(201);
    zhang.post(&request.own("/withdrawals"), json!({})).await.ok(200);
    membership::verified(&app, zhang.person(), "demo-enterprise-pinghu-1").await;
    let path = format!("/api/v1/people/{}/audiences/model_worker", zhang.person());
    let record = organiser.request(reqwest::Method::PUT, &path).json(&json!({ "basis": "市劳模证书第77号" }));
    organiser.send(record).await.ok(200);
    // In hospital, and visited there.
    let injury = visits::injured(&app, "street-pinghu", NAME, PHONE).await;
    let gift = json!({ "kind": "goods", "text": "她爱吃的橘子", "amount_fen": 5000 });
    let body = json!({ "visited_on": "2025-06-16", "gift": gift, "told": ["rights"] });
    gate.post(&format!("/api/v1/injuries/{injury}/visits"), body).await.ok(200);
    // Legal aid: a request that is given up, and a case that has ended.
    let asked = ask_as(&zhang, json!({ "facts": "组长当众辱骂本人" })).await;
    zhang.post(&format!("/api/v1/me/legal-requests/{}/withdrawals", asked.id), json!({})).await.ok(200);
    let ended = db_time(app.now());
    let case = planted(&app, zhang.person(), "street-pinghu", |mut case| {
        case.state = CaseState::Annulled;
        case.decided_at = Some(case.received_at);
        case.ended_at = Some(ended);
        case
    })
    .await;
    files::uploaded(&zhang).await;
    app.run_jobs().await;
    assert!(!files::keeping::objects(&app).is_empty());

    let openid: String = {
        let person = zhang.person();
        app.read(move |c| {
            let mine = wechat_identities::table.filter(wechat_identities::person_id.eq(person));
            Ok(mine.select(wechat_identities::openid).first(c)?)
        })
        .await
    };
    let secrets = [
        NAME,
        PHONE,
        ID,
        openid.as_str(),
        "那天偏头痛发作",
        "2019年去过梅州",
        "我住在坂田某街",
        "市劳模证书第77号",
        "她爱吃的橘子",
        "左手骨折",
        "组长当众辱骂本人",
    ];
    for secret in secrets {
        assert!(!left(&app, &[secret]).await.is_empty(), "{secret} was never there");
    }
    let others = left(&app, &["李小工", "13987654321", "440308199901101512"]).await;
    let earlier = "2025-06-16T00:00:00Z";
    app.advance(TimeDelta::minutes(1));
    let now = app.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let before = (figures(&app, &now).await, figures(&app, earlier).await);
    assert_ne!(before.0["targets"], before.1["targets"], "something was counted");

    assert_eq!(obstacles(&zhang).await, Vec::<String>::new());
    let key = zhang.fresh_key();
    let done = zhang.post_keyed(&key, "/api/v1/me/erasures", json!({ "confirm": "erase" })).await.ok(200);
    assert_eq!((&done["person_id"], &done["way"]), (&json!(zhang.person()), &json!("own")));
    let kept = &done["kept"][0];
    assert_eq!((&kept["kind"], &kept["id"]), (&json!("legal_case"), &json!(case.id)));
    assert_eq!(kept["until_on"], "2035-06-16");
    assert!(kept["source"].as_str().unwrap().contains("个人信息保护法"), "{kept}");
    let kinds: Vec<&str> =
        done["removed"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "profile",
            "logins",
            "notices",
            "signup_texts",
            "review_files",
            "memberships",
            "injuries",
            "legal_files",
            "files",
            "answers"
        ]
    );
    app.run_jobs().await;

    assert_eq!(left(&app, &secrets).await, []);
    assert_eq!(files::keeping::objects(&app), Vec::<Vec<u8>>::new(), "contents of files are gone");
    assert_eq!(left(&app, &["李小工", "13987654321", "440308199901101512"]).await, others);
    assert_eq!((figures(&app, &now).await, figures(&app, earlier).await), before);
    assert_eq!(
        gate.get(&format!("/api/v1/sessions/{}/checkins", activity.session)).await.ok(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Whoever has the token of before is told what happened; the login is over.
    zhang.get("/api/v1/me").await.problem(403, "person_erased");
    zhang
        .post_keyed(&key, "/api/v1/me/erasures", json!({ "confirm": "erase" }))
        .await
        .problem(403, "person_erased");
    let refresh = json!({ "refresh_token": zhang.refresh });
    app.anon().post("/api/v1/auth/refreshes", refresh).await.problem(401, "refresh_invalid");
    // Staff see an empty person, and can put nothing into it.
    let path = format!("/api/v1/people/{}/reveals", zhang.person());
    let seen = admin.post(&path, json!({ "field": "phone", "purpose": "核对资料" })).await.ok(200);
    assert_eq!(seen["value"], json!(null));
    let person = format!("/api/v1/people/{}", zhang.person());
    let enable = json!({ "disabled": false, "reason": "误操作" });
    admin.post(&format!("{person}/account-states"), enable).await.problem(409, "state_forbids");
    let record = organiser.request(reqwest::Method::PUT, &format!("{person}/audiences/model_worker"));
    organiser.send(record.json(&json!({ "basis": "证书" }))).await.problem(409, "state_forbids");
    let grant = json!({ "person_id": zhang.person(), "role": "organiser", "organisation_id": app.organisation("longgang").await });
    admin.post("/api/v1/staff-grants", grant).await.problem(409, "state_forbids");
    let injury = organiser.get(&format!("/api/v1/injuries/{injury}")).await.ok(200);
    assert_eq!(injury["visits"], json!(1));
    visits::reveal(&organiser, injury["id"].as_str().unwrap()).await.ok(200);
    let entries = app.read(move |c| audit::list(c, Some(&person[15..]), None, None, 50)).await;
    let entry = entries.iter().find(|entry| entry.action == "person.erase").expect("it is in the audit");
    assert!(entry.detail.contains("\"own\""), "{}", entry.detail);

    // What the law keeps is there until its last day, and then it is not.
    let told = [crate::legal::planting::TOLD];
    assert!(!left(&app, &told).await.is_empty());
    sweep(&app).await;
    assert!(!left(&app, &told).await.is_empty());
    app.advance(TimeDelta::minutes(20));
    app.run_jobs().await;
    app.advance(TimeDelta::days(3660));
    sweep(&app).await;
    assert_eq!(left(&app, &told).await, []);
    app.run_jobs().await;
}

async fn what_is_running_is_settled_first(app: TestApp) {
    let zhang = app.worker("zhang").await;
    zhang.set_profile(NAME, Some(app.organisation("demo-enterprise-pinghu-1").await)).await;
    let times = [(TimeDelta::days(2), TimeDelta::days(2) + TimeDelta::hours(2))];
    let activity = app.activity(|a| a.sessions(&times)).await;
    let signup = zhang.sign_up(&activity).await.ok(201)["id"].as_str().unwrap().to_owned();
    let trip = app.activity(crate::reviewed::trip).await;
    let request = reviews::steps::apply(zhang.clone(), &trip, json!({})).await;
    let asked = ask_as(&zhang, json!({})).await;
    let grant = json!({ "person_id": zhang.person(), "role": "organiser", "organisation_id": app.organisation("street-pinghu").await });
    let admin = app.staff("admin").await;
    let grant = admin.post("/api/v1/staff-grants", grant).await.ok(201)["id"].as_str().unwrap().to_owned();
    let all = ["legal_case", "review", "signup", "signup", "staff_role"];
    assert_eq!(obstacles(&zhang).await, all);
    let refused = ask(&zhang).await.problem(409, "erasure_held");
    assert_eq!(named(&refused), all);
    for error in refused["errors"].as_array().unwrap() {
        assert!(error["detail"].as_str().unwrap().contains('：'), "what to do: {error}");
    }
    assert_eq!(named(&erase(&admin, zhang.person()).await.problem(409, "erasure_held")), all);
    // Nothing was done.
    assert_eq!(zhang.get("/api/v1/me").await.ok(200)["name"], NAME);

    zhang.post(&format!("/api/v1/signups/{signup}/cancellations"), json!({})).await.ok(200);
    zhang.post(&request.own("/withdrawals"), json!({})).await.ok(200);
    zhang.post(&format!("/api/v1/me/legal-requests/{}/withdrawals", asked.id), json!({})).await.ok(200);
    assert_eq!(obstacles(&zhang).await, ["staff_role"]);
    admin.delete(&format!("/api/v1/staff-grants/{grant}")).await.expect(204);
    ask(&zhang).await.ok(200);
    app.run_jobs().await;
}

async fn an_officer_erases_with_a_reason_and_once(app: TestApp) {
    let (admin, zhang) = (app.staff("admin").await, registered(&app, "zhang", NAME, PHONE, ID).await);
    app.run_jobs().await;
    let path = format!("/api/v1/people/{}/erasures", zhang.person());
    admin.post(&path, json!({})).await.problem(422, "validation_failed");
    admin.post(&path, json!({ "reason": "    " })).await.problem(422, "validation_failed");
    let done = erase(&admin, zhang.person()).await.ok(200);
    assert_eq!((&done["way"], &done["kept"]), (&json!("officer"), &json!([])));
    app.advance(TimeDelta::minutes(3));
    assert_eq!(erase(&admin, zhang.person()).await.ok(200), done, "the same again");
    zhang.get("/api/v1/me").await.problem(403, "person_erased");
    let id = zhang.person().to_string();
    let entries = app.read(move |c| audit::list(c, Some(&id), None, None, 50)).await;
    let erased: Vec<_> = entries.iter().filter(|entry| entry.action == "person.erase").collect();
    assert_eq!(erased.len(), 1);
    assert_eq!(erased[0].actor, Some(admin.person()));
    assert!(erased[0].detail.contains("本人来函"), "{}", erased[0].detail);
    erase(&admin, app.ids().id()).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn an_officer_erases_within_their_subtree(app: TestApp) {
    let near = staff_of(&app, "near", "admin", "street-pinghu").await;
    let far = staff_of(&app, "far", "admin", "street-nanwan").await;
    let zhang = registered(&app, "zhang", NAME, PHONE, ID).await;
    app.run_jobs().await;
    erase(&far, zhang.person()).await.problem(404, "not_found");
    let done = erase(&near, zhang.person()).await.ok(200);
    // The sub-district stays on the empty row, so the same again is the same.
    assert_eq!(erase(&near, zhang.person()).await.ok(200), done);
    erase(&far, zhang.person()).await.problem(404, "not_found");
    app.run_jobs().await;
}

async fn whoever_comes_back_is_somebody_new(app: TestApp) {
    let mut zhang = registered(&app, "zhang", NAME, PHONE, ID).await;
    app.run_jobs().await;
    let before = zhang.person();
    ask(&zhang).await.ok(200);
    zhang.log_in().await;
    assert_ne!(zhang.person(), before);
    let me = zhang.get("/api/v1/me").await.ok(200);
    assert_eq!((&me["name"], &me["audiences"]), (&json!(null), &json!([])));
    // Nothing of the one before is in the way of the same number and name.
    let zhang = registered(&app, "zhang", NAME, PHONE, ID).await;
    ask(&zhang).await.ok(200);
    app.run_jobs().await;
}

async fn whoever_was_erased_takes_no_place_and_passes_no_door(app: TestApp) {
    let gate = app.staff("gate").await;
    let (activity, organiser) = (app.activity(|a| a).await, app.staff("organiser").await);
    let zhang = registered(&app, "zhang", NAME, PHONE, ID).await;
    app.run_jobs().await;
    let pass = zhang.pass().await;
    ask(&zhang).await.ok(200);
    zhang.sign_up(&activity).await.problem(403, "person_erased");
    let proxy = json!({ "person_id": zhang.person(), "basis": "phone_call", "note": "本人来电" });
    organiser
        .post(&format!("/api/v1/activities/{}/proxy-signups", activity.id), proxy)
        .await
        .problem(422, "validation_failed");
    let refused = gate.scan(activity.session, &pass).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(refused.body["code"], "checkin_not_eligible", "{}", refused.text);
    let person = zhang.person();
    let there: i64 = app
        .read(move |c| {
            Ok(attendances::table.filter(attendances::person_id.eq(person)).count().get_result(c)?)
        })
        .await;
    assert_eq!(there, 0);
    app.run_jobs().await;
}

async fn places_and_erasures_at_once_leave_nobody_with_both(app: TestApp) {
    let times = [(TimeDelta::days(2), TimeDelta::days(2) + TimeDelta::hours(2))];
    let activity = app.activity(|a| a.sessions(&times)).await;
    let mut crowd = Vec::new();
    for number in 0..24 {
        crowd.push(app.worker(&format!("crowd-{number}")).await);
    }
    let acts = crowd.iter().map(|who| {
        let activity = &activity;
        async move { tokio::join!(who.sign_up(activity), ask(who)) }
    });
    let done = join_all(acts).await;
    let (mut placed, mut erased) = (0, 0);
    for (signed_up, asked) in &done {
        match (signed_up.status, asked.status) {
            (201, 409) => placed += 1,
            (_, 200) => {
                assert_ne!(signed_up.status, 201, "a place for whoever is gone");
                erased += 1;
            }
            other => panic!("{other:?}: {} {}", signed_up.text, asked.text),
        }
    }
    assert_eq!(placed + erased, crowd.len());
    let both: i64 = app
        .read(|c| {
            Ok(signups::table
                .inner_join(people::table)
                .filter(people::erased_at.is_not_null())
                .count()
                .get_result(c)?)
        })
        .await;
    assert_eq!(both, 0, "{placed} placed, {erased} erased");
    app.run_jobs().await;
}

async fn what_was_under_way_is_erased_later(app: TestApp) {
    let zhang = registered(&app, "zhang", NAME, PHONE, ID).await;
    app.run_jobs().await;
    ask(&zhang).await.ok(200);
    app.run_jobs().await;
    let (person, id, now) = (zhang.person(), app.ids().id(), db_time(app.now()));
    // A request that had begun before.
    app.write(move |conn| {
        let row = Notice {
            id,
            person_id: person,
            source: id.to_string(),
            kind: NoticeKind::SignupConfirmed,
            title: "迟到的消息".into(),
            body: String::new(),
            link: None,
            created_at: now,
            read_at: None,
        };
        diesel::insert_into(notices::table).values(&row).execute(conn)?;
        Ok(diesel::update(people::table.find(person)).set(people::name.eq(NAME)).execute(conn)?)
    })
    .await;
    app.run_jobs().await;
    assert_eq!(left(&app, &["迟到的消息", NAME]).await.len(), 2);
    app.advance(TimeDelta::minutes(16));
    app.run_jobs().await;
    assert_eq!(left(&app, &["迟到的消息", NAME]).await, []);
}
