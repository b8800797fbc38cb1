//! A change of keys on a running installation, through the command that operators use.

use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;
use unionhall::platform::db::schema::{
    injuries, penalties, people, review_events, review_messages, reviews, wechat_identities,
};
use unionhall::platform::vault::{Cipher, KeyConfig};

use super::cli::unionhall;
use crate::harness::{Actor, Test, TestApp};

pub const TESTS: &[Test] = tests![keys_are_changed_while_serving_and_the_old_one_is_then_gone];

const NEW_SECRET: &str = "another-secret-of-the-vault-for-tests-0002";
const IDS: [&str; 3] = ["11010519491231002X", "440308199901101512", "440307199003071239"];

/// Every sealed text: phones, ID numbers, session keys, what is said against penalties, what the desk keeps, what hospitals say.
async fn sealed(app: &TestApp) -> Vec<String> {
    app.read(|conn| {
        let people: Vec<(Option<String>, Option<String>)> =
            people::table.select((people::phone_sealed, people::id_number_sealed)).load(conn)?;
        let keys: Vec<Option<String>> =
            wechat_identities::table.select(wechat_identities::session_key_sealed).load(conn)?;
        let claims: Vec<Option<String>> = penalties::table.select(penalties::claim_sealed).load(conn)?;
        let forms: Vec<String> = reviews::table.select(reviews::form_sealed).load(conn)?;
        let texts: Vec<Option<String>> =
            review_events::table.select(review_events::text_sealed).load(conn)?;
        let injuries: Vec<String> = injuries::table.select(injuries::facts_sealed).load(conn)?;
        let messages: Vec<String> = review_messages::table.select(review_messages::text_sealed).load(conn)?;
        Ok(people
            .into_iter()
            .flat_map(|(phone, id)| [phone, id])
            .chain(keys)
            .chain(claims)
            .chain(texts)
            .chain(forms.into_iter().chain(messages).chain(injuries).map(Some))
            .flatten()
            .collect())
    })
    .await
}

async fn register(person: &Actor, id_number: &str) -> crate::harness::Reply {
    let me = person.get("/api/v1/me").await;
    person.put("/api/v1/me", &me.etag(), json!({ "name": "张三丰", "id_number": id_number })).await
}

async fn keys_are_changed_while_serving_and_the_old_one_is_then_gone(app: TestApp) {
    let mut workers = Vec::new();
    for (number, id_number) in IDS.iter().enumerate() {
        let worker = app.worker(&format!("worker-{number}")).await;
        register(&worker, id_number).await.ok(200);
        let code =
            app.sim_get(&format!("/sim/phone-code?user=worker-{number}&phone=1380013800{number}")).await;
        worker.post("/api/v1/me/phones", json!({ "code": code["code"] })).await.ok(200);
        workers.push(worker);
    }
    let activity = app.activity(|a| a).await;
    let signup = workers[0].sign_up(&activity).await.ok(201)["id"].as_str().unwrap().parse().unwrap();
    let penalty = crate::penalties::given(&app, workers[0].person(), signup, false).await;
    let appeal = json!({ "ground": "illness", "text": "当日发热" });
    workers[0].post(&format!("/api/v1/penalties/{penalty}/appeals"), appeal).await.ok(200);
    let desk = app.staff("reviewer").await;
    let request = crate::reviews::steps::request_of(&app, workers[1].clone()).await;
    request.worker.post(&request.own("/messages"), json!({ "text": "请问要盖章吗" })).await.ok(201);
    let body = json!({ "decision": "reject", "reasons": ["not_eligible"], "text": "近年已参加" });
    request.decide(&desk, body).await.ok(200);
    let injury = crate::visits::injured(&app, "street-pinghu", "李四光", "13912345678").await;
    app.run_jobs().await;
    let before = sealed(&app).await;
    assert!(before.len() >= 10 && before.iter().all(|text| text.starts_with("v1.v1.")), "{}", before.len());

    let old = app.config().vault.clone();
    let home = TempDir::new().unwrap();
    let settings = format!(
        "[vault]\nkey_id = \"v2\"\ncipher = \"sm4-gcm\"\nsecret = \"{NEW_SECRET}\"\n\
         retired = [{{ id = \"v1\", cipher = \"aes-256-gcm\", secret = \"{}\" }}]\n",
        old.secret.expose_secret()
    );
    std::fs::write(home.path().join("unionhall.toml"), settings).unwrap();
    // The instances with the new settings come first: they open both and seal with the new key.
    let both = app
        .start_with(|config| {
            config.vault.key_id = "v2".into();
            config.vault.cipher = Cipher::Sm4Gcm;
            config.vault.secret = NEW_SECRET.to_owned().into();
            config.vault.retired =
                vec![KeyConfig { id: "v1".into(), cipher: old.cipher, secret: old.secret.clone() }];
        })
        .await;
    assert_eq!(workers[0].at(&both).get("/api/v1/me").await.ok(200)["phone_masked"], "138****8000");
    let url = app.config().database.url.expose_secret().to_owned();
    let rotate = || {
        let output =
            unionhall(home.path(), &[("DATABASE__URL", &url)]).args(["vault", "rotate"]).output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
        out.trim().rsplit(' ').next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(rotate(), before.len());
    let after = sealed(&app).await;
    assert!(after.len() == before.len() && after.iter().all(|text| text.starts_with("v1.v2.")), "{after:?}");
    assert_eq!(rotate(), 0, "nothing is left to do");

    // The old key may go now.
    let new = app
        .start_with(|config| {
            config.vault.key_id = "v2".into();
            config.vault.cipher = Cipher::Sm4Gcm;
            config.vault.secret = NEW_SECRET.to_owned().into();
        })
        .await;
    let admin = app.staff("admin").await.at(&new);
    for (number, worker) in workers.iter().enumerate() {
        let path = format!("/api/v1/people/{}/reveals", worker.person());
        for (field, value) in
            [("id_number", IDS[number].to_owned()), ("phone", format!("1380013800{number}"))]
        {
            let input = json!({ "field": field, "purpose": "核对资料" });
            assert_eq!(admin.post(&path, input).await.ok(200)["value"], value);
        }
    }
    let reviewer = app.staff("reviewer").await.at(&new);
    let file = reviewer.post(&format!("/api/v1/penalties/{penalty}/claim-reveals"), json!({})).await.ok(200);
    assert_eq!(file["text"], "当日发热");
    let desk = desk.at(&new);
    let file = desk.post(&request.at("/readings"), json!({})).await.ok(200);
    assert_eq!((&file["form"], &file["events"][1]["text"]), (&request.answers, &json!("近年已参加")));
    let talk = desk.get(&request.at("/messages")).await.ok(200);
    assert_eq!(talk["items"][0]["text"], "请问要盖章吗");
    let file = crate::visits::reveal(&app.staff("organiser").await.at(&new), &injury).await.ok(200);
    assert_eq!((&file["name"], &file["phone"]), (&json!("李四光"), &json!("13912345678")));
    // Values are found by their index as before: nobody else can take an ID number that is taken.
    let stranger = app.worker("stranger").await.at(&new);
    register(&stranger, IDS[1]).await.problem(409, "unique_taken");
    // An instance that still has the old key alone opens nothing: it must be started anew first.
    app.expect_5xx();
    workers[0].get("/api/v1/me").await.problem(500, "internal");
}
