//! Who may read a file: its owner, and whom the thing that it hangs on lets.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::json;
use unionhall::error::{Code, Result};
use unionhall::ids::{FileId, PersonId};
use unionhall::platform::access::Actor as Asking;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::audit_entries;
use unionhall::platform::files::{self, Holder};
use uuid::Uuid;

use super::{FILES, bytes, linked, samples, send, uploaded};
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![
    a_file_that_hangs_on_nothing_is_its_owner_s,
    what_a_file_hangs_on_says_who_may_read_it,
    a_link_opens_one_file_for_one_person_for_minutes,
    a_link_is_worth_what_its_person_may_now,
    a_file_is_attached_once_and_by_its_owner,
];

/// Something to hang files on, with those who may read them.
#[derive(Default)]
struct Folder(Mutex<Vec<(PersonId, Uuid)>>);

impl Folder {
    fn show(&self, person: PersonId, id: Uuid) {
        self.0.lock().unwrap().push((person, id));
    }
}

impl Holder for Folder {
    fn kind(&self) -> &'static str {
        "folder"
    }

    fn may_read(&self, _: &mut Conn, actor: &Asking, holder: Uuid) -> Result<bool> {
        Ok(self.0.lock().unwrap().contains(&(actor.person, holder)))
    }
}

fn folder(app: &TestApp) -> Arc<Folder> {
    let folder = Arc::new(Folder::default());
    app.app().files().holders().register(Arc::clone(&folder) as Arc<dyn Holder>);
    folder
}

fn id(path: &str) -> FileId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

pub async fn attach(
    app: &TestApp,
    owner: &Actor,
    list: &[FileId],
    kind: &'static str,
    to: Uuid,
) -> Result<()> {
    let (owner, list, now) = (owner.person(), list.to_vec(), app.now());
    app.db().write(move |c| files::attach_in_tx(c, owner, &list, kind, to, now)).await
}

/// What the audit says of a file: who did what.
async fn told(app: &TestApp, file: FileId) -> Vec<(Option<PersonId>, String, String)> {
    let of =
        audit_entries::table.filter(audit_entries::object.eq(file.to_string())).order(audit_entries::seq);
    app.read(move |c| {
        Ok(of.select((audit_entries::actor, audit_entries::action, audit_entries::detail)).load(c)?)
    })
    .await
}

async fn a_file_that_hangs_on_nothing_is_its_owner_s(app: TestApp) {
    let (zhang, li, admin) = (app.worker("zhang").await, app.worker("li").await, app.staff("admin").await);
    let path = uploaded(&zhang).await;
    for stranger in [&li, &admin] {
        stranger.get(&path).await.problem(404, "not_found");
        stranger.get(&format!("{path}/content")).await.problem(404, "not_found");
        stranger.post(&format!("{path}/links"), json!({})).await.problem(404, "not_found");
        stranger.delete(&path).await.problem(404, "not_found");
    }
    for nobody in [path.clone(), format!("{path}/content")] {
        app.anon().get(&nobody).await.problem(401, "unauthenticated");
    }
    zhang.get(&path).await.ok(200);
    for nothing in ["fil_01k5b8m3q2e9t8h6y1v7z4w0xn", "per_01k5b8m3q2e9t8h6y1v7z4w0xn", "..%2f..", "x"] {
        zhang.get(&format!("{FILES}/{nothing}")).await.problem(404, "not_found");
        zhang.get(&format!("{FILES}/{nothing}/content")).await.problem(404, "not_found");
    }
    // Whoever was refused is known, and so is whoever was not.
    bytes(&zhang, &format!("{path}/content")).await;
    let acts: Vec<_> = told(&app, id(&path)).await.into_iter().map(|(who, what, _)| (who, what)).collect();
    let by = |who: &Actor, what: &str| (Some(who.person()), what.to_owned());
    let refused = |who: &Actor| [by(who, "file.refuse"), by(who, "file.refuse")];
    let mut expected = vec![by(&zhang, "file.upload")];
    expected.extend(refused(&li).into_iter().chain(refused(&admin)));
    expected.push(by(&zhang, "file.read"));
    assert_eq!(acts, expected);
}

async fn what_a_file_hangs_on_says_who_may_read_it(app: TestApp) {
    let folder = folder(&app);
    let (zhang, li, wang) = (app.worker("zhang").await, app.worker("li").await, app.worker("wang").await);
    let (path, other) = (uploaded(&zhang).await, uploaded(&zhang).await);
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    attach(&app, &zhang, &[id(&path)], "folder", one).await.unwrap();
    attach(&app, &zhang, &[id(&other)], "folder", two).await.unwrap();
    folder.show(li.person(), one);
    assert_eq!(li.get(&path).await.ok(200)["attached"], json!(true));
    assert_eq!(bytes(&li, &format!("{path}/content")).await.2, samples::png(2, 2));
    // The right to one thing is no right to another.
    li.get(&format!("{other}/content")).await.problem(404, "not_found");
    wang.get(&path).await.problem(404, "not_found");
    zhang.get(&path).await.ok(200);
    // What hangs on something stays, and neither its owner nor a reader removes it.
    zhang.delete(&path).await.problem(409, "file_held");
    li.delete(&path).await.problem(404, "not_found");
    app.app().worker().plant_recurring().unwrap();
    app.advance(TimeDelta::days(30));
    app.run_jobs().await;
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    zhang.get(&path).await.ok(200);
    // The right goes, and with it the access.
    folder.0.lock().unwrap().clear();
    li.get(&path).await.problem(404, "not_found");
    // A kind that nobody answers for is its owner's.
    let unknown = uploaded(&zhang).await;
    attach(&app, &zhang, &[id(&unknown)], "nothing", one).await.unwrap();
    li.get(&unknown).await.problem(404, "not_found");
    zhang.get(&unknown).await.ok(200);
}

async fn a_link_opens_one_file_for_one_person_for_minutes(app: TestApp) {
    let zhang = app.worker("zhang").await;
    let path = uploaded(&zhang).await;
    let link = linked(&zhang, &path).await;
    // Without any header.
    let (status, headers, content) = bytes(&app.anon(), &link).await;
    assert_eq!((status, content), (200, samples::png(2, 2)));
    assert_eq!(headers["content-type"], "image/png");
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("sandbox"));
    let read = told(&app, id(&path)).await.pop().unwrap();
    assert_eq!(read, (Some(zhang.person()), "file.read".into(), json!({ "by": "link" }).to_string()));
    // Every other text opens nothing, whatever sign was changed.
    let (folder, token) = link.rsplit_once('/').unwrap();
    for place in [0, 20, 40, 60, 80, 117] {
        let mut forged: Vec<char> = token.chars().collect();
        forged[place] = if forged[place] == 'A' { 'B' } else { 'A' };
        let forged: String = forged.into_iter().collect();
        app.anon().get(&format!("{folder}/{forged}")).await.problem(404, "file_link_invalid");
    }
    for other in [&token[..117], "x", "%00", "..%2f"] {
        app.anon().get(&format!("{folder}/{other}")).await.problem(404, "file_link_invalid");
    }
    let elsewhere = app.start_with(|config| config.codes.file_secret = "x".repeat(40).into()).await;
    elsewhere.anon().get(&link).await.problem(404, "file_link_invalid");
    // Five minutes, to the second.
    app.advance(TimeDelta::seconds(300));
    app.anon().get(&link).await.expect(200);
    app.advance(TimeDelta::seconds(1));
    app.anon().get(&link).await.problem(404, "file_link_invalid");
    let short = app.start_with(|config| config.files.link_seconds = 60).await;
    let link = linked(&zhang.at(&short), &path).await;
    app.advance(TimeDelta::seconds(61));
    app.anon().get(&link).await.problem(404, "file_link_invalid");
}

async fn a_link_is_worth_what_its_person_may_now(app: TestApp) {
    let folder = folder(&app);
    let (zhang, li, admin) = (app.worker("zhang").await, app.worker("li").await, app.staff("admin").await);
    let (path, case) = (uploaded(&zhang).await, Uuid::from_u128(7));
    attach(&app, &zhang, &[id(&path)], "folder", case).await.unwrap();
    folder.show(li.person(), case);
    let (own, shown) = (linked(&zhang, &path).await, linked(&li, &path).await);
    let nobody = app.anon();
    nobody.get(&own).await.expect(200);
    nobody.get(&shown).await.expect(200);
    // The reader's right goes.
    folder.0.lock().unwrap().clear();
    nobody.get(&shown).await.problem(404, "file_link_invalid");
    folder.show(li.person(), case);
    nobody.get(&shown).await.expect(200);
    // The reader's account is disabled.
    let state = |disabled: bool| json!({ "disabled": disabled, "reason": "离职" });
    let account = format!("/api/v1/people/{}/account-states", li.person());
    admin.post(&account, state(true)).await.ok(200);
    nobody.get(&shown).await.problem(404, "file_link_invalid");
    // The owner logs out.
    zhang.post("/api/v1/auth/logouts", json!({})).await.expect(204);
    nobody.get(&own).await.problem(404, "file_link_invalid");
    // The file goes.
    let zhang = app.worker("zhang").await;
    let loose = uploaded(&zhang).await;
    let link = linked(&zhang, &loose).await;
    zhang.delete(&loose).await.expect(204);
    nobody.get(&link).await.problem(404, "file_link_invalid");
    app.run_jobs().await;
}

async fn a_file_is_attached_once_and_by_its_owner(app: TestApp) {
    let (zhang, li) = (app.worker("zhang").await, app.worker("li").await);
    let to = Uuid::from_u128(9);
    let mut mine = Vec::new();
    for number in 1..=3 {
        let made = send(&zhang, "evidence", "a.pdf", &samples::pdf(&number.to_string())).await.ok(201);
        mine.push(made["id"].as_str().unwrap().parse::<FileId>().unwrap());
        app.advance(TimeDelta::seconds(1));
    }
    let theirs = id(&uploaded(&li).await);
    let gone = id(&uploaded(&zhang).await);
    zhang.delete(&format!("{FILES}/{gone}")).await.expect(204);
    let nothing: FileId = "fil_01k5b8m3q2e9t8h6y1v7z4w0xn".parse().unwrap();
    for wrong in [vec![mine[0], theirs], vec![mine[0], gone], vec![mine[0], nothing], vec![mine[0], mine[0]]]
    {
        let refused = attach(&app, &zhang, &wrong, "folder", to).await.unwrap_err();
        assert_eq!(refused.code(), Code::FileUnusable, "{wrong:?}");
    }
    let hang = |app: TestApp| async move {
        app.read(move |c| Ok(files::of(c, "folder", to)?.iter().map(|file| file.id).collect::<Vec<_>>()))
            .await
    };
    assert_eq!(hang(app.clone()).await, [], "of a refused list none is attached");
    attach(&app, &zhang, &[mine[1], mine[0]], "folder", to).await.unwrap();
    attach(&app, &zhang, &[], "folder", to).await.unwrap();
    assert_eq!(hang(app.clone()).await, [mine[0], mine[1]], "in the order of arrival");
    let again = attach(&app, &zhang, &[mine[1], mine[2]], "folder", Uuid::from_u128(10)).await.unwrap_err();
    assert_eq!(again.code(), Code::FileUnusable);
    // Two things ask for the same file at once: one gets it.
    let (one, two) = (Uuid::from_u128(11), Uuid::from_u128(12));
    let (first, second) = futures_util::future::join(
        attach(&app, &zhang, &mine[2..], "folder", one),
        attach(&app, &zhang, &mine[2..], "folder", two),
    )
    .await;
    assert!(first.is_ok() != second.is_ok());
    app.run_jobs().await;
}
