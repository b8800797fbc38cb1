//! The real binary: what it prints, what it refuses, and how it ends.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;
use unionhall::clock::Stopwatch;
use unionhall::platform::db::migrate;
use unionhall::platform::db::schema::people;
use unionhall::platform::wechat::simulator::openid_for;

use super::corruption::lift_triggers;
use super::durability::Site;
use crate::harness::{Test, TestApp, quiet_port};

const BINARY: &str = env!("CARGO_BIN_EXE_unionhall");

pub const PLAIN: &[Test] = plain_tests![
    every_command_explains_itself_with_an_example,
    faulty_seeds_are_named_by_file_line_and_field,
    the_document_is_the_committed_one,
    from_an_empty_folder_to_ready_and_a_clean_end,
    a_taken_address_is_named,
    the_demonstration_plays_against_its_own_server,
];
pub const TESTS: &[Test] = tests![
    the_demonstration_plays_against_a_running_server_more_than_once,
    migrate_says_what_is_missing_and_brings_it,
    seeding_twice_changes_nothing,
    staff_are_granted_revoked_and_listed,
    ledger_verify_says_by_its_exit_code_what_it_found,
    audit_verify_says_by_its_exit_code_what_it_found,
];

/// The binary in the folder `home`, with no settings but these.
pub fn unionhall(home: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("UNIONHALL__"))
    {
        command.env_remove(name);
    }
    command.current_dir(home).stdin(Stdio::null()).env("UNIONHALL__LOG__LEVEL", "error");
    for (name, value) in settings {
        command.env(format!("UNIONHALL__{name}"), value);
    }
    command
}

/// What a command printed and whether it was content.
pub struct Said {
    code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `unionhall <words>` to its end.
pub fn said(home: &Path, settings: &[(&str, &str)], words: &str) -> Said {
    let Output { status, stdout, stderr } =
        unionhall(home, settings).args(words.split_whitespace()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

impl Said {
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }
}

/// [`said`] on the database at `url`.
fn on(url: &str, words: &str) -> Said {
    let home = TempDir::new().unwrap();
    said(home.path(), &[("DATABASE__URL", url)], words)
}

fn every_command_explains_itself_with_an_example() {
    let home = TempDir::new().unwrap();
    let commands = [
        "",
        "serve",
        "migrate",
        "seed",
        "openapi",
        "check-config",
        "staff grant",
        "staff revoke",
        "staff list",
        "ledger verify",
        "audit verify",
        "vault rotate",
        "wechat-sim",
        "demo",
    ];
    for command in commands {
        let help = said(home.path(), &[], &format!("{command} --help")).ends(0);
        assert!(help.out.contains("Example:\n  unionhall"), "{command}: {}", help.out);
    }
    for group in ["staff", "ledger", "audit", "vault"] {
        said(home.path(), &[], &format!("{group} --help")).ends(0);
    }
    said(home.path(), &[], "dance").ends(2);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "help leaves nothing behind");
}

fn faulty_seeds_are_named_by_file_line_and_field() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("seeds");
    std::fs::create_dir(&folder).unwrap();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    said(home.path(), &[], "seed --folder seeds").ends(0);
    let targets = folder.join("targets-2025.csv");
    let text = std::fs::read_to_string(&targets).unwrap();
    let line = 1 + text.lines().position(|line| line.starts_with("07a,")).unwrap();
    std::fs::write(&targets, text.replace("at_least,200,,场次", "at_least,many,,场次")).unwrap();
    let faulty = said(home.path(), &[], "seed --folder seeds").ends(1);
    assert!(faulty.err.contains(&format!("targets-2025.csv:{line} field \"value\"")), "{}", faulty.err);
    assert!(faulty.err.contains("many"), "{}", faulty.err);
    let nowhere = said(home.path(), &[], "seed --folder nowhere").ends(1);
    assert!(!nowhere.err.is_empty() && !nowhere.err.contains("panicked"), "{}", nowhere.err);
}

fn the_document_is_the_committed_one() {
    let home = TempDir::new().unwrap();
    let printed = said(home.path(), &[], "openapi").ends(0).out;
    let committed = include_str!("../../openapi.yaml");
    assert!(printed == committed, "openapi.yaml is old: cargo run -- openapi > openapi.yaml");
}

fn from_an_empty_folder_to_ready_and_a_clean_end() {
    let home = TempDir::new().unwrap();
    let (port, sim) = (quiet_port(), quiet_port());
    let (listen, sim_listen) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{sim}"));
    let settings = [
        ("SERVER__LISTEN", listen.as_str()),
        ("SERVER__METRICS_LISTEN", ""),
        ("WECHAT__SIMULATOR_LISTEN", &sim_listen),
    ];
    let waited = Stopwatch::start();
    let mut server =
        unionhall(home.path(), &settings).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        while waited.elapsed() < Duration::from_secs(30) {
            let asked = http.get(format!("http://{listen}/readyz")).send().await;
            if asked.is_ok_and(|reply| reply.status() == 200) {
                let took = waited.elapsed();
                let sim = http.get(format!("http://{sim_listen}/sim/login-code?user=zhang")).send().await;
                assert_eq!(sim.unwrap().status(), 200);
                let open = format!("http://{listen}/api/v1/activities?open_now=true");
                let page: serde_json::Value = http.get(open).send().await.unwrap().json().await.unwrap();
                assert!(!page["items"].as_array().unwrap().is_empty(), "something is open for sign-up");
                the_service_follows_a_moved_clock(&http, &listen, &sim_listen).await;
                return Some(took);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    });
    let asked = Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    assert!(asked.success());
    // Whatever happened, it does not outlive the test.
    let ended = (0..400).find_map(|_| {
        std::thread::sleep(Duration::from_millis(25));
        server.try_wait().unwrap()
    });
    let _already = server.kill();
    let output = server.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let ready = ready.unwrap_or_else(|| panic!("not ready after 30 s: {out}{err}"));
    println!("ready from an empty folder after {} ms", ready.as_millis());
    // Two seconds is the promise for a release build on a quiet machine; this is neither.
    assert!(ready < Duration::from_secs(10), "{ready:?}");
    let ended = ended.expect("it ends on SIGTERM");
    assert_eq!(ended.code(), Some(0), "{out}{err}");
    assert!(out.contains(&format!("http://{listen}/api/v1")) && out.contains("SIMULATED"), "{out}");
    assert!(home.path().join("data/unionhall.db").is_file());
    said(home.path(), &settings, "audit verify").ends(0);
}

/// A token outlives nothing that the simulated WeChat's clock was moved over: it is the clock of the whole process.
async fn the_service_follows_a_moved_clock(http: &reqwest::Client, listen: &str, sim: &str) {
    let asked = http.get(format!("http://{sim}/sim/login-code?user=li")).send().await.unwrap();
    let code: serde_json::Value = asked.json().await.unwrap();
    let login = http
        .post(format!("http://{listen}/api/v1/auth/wechat-logins"))
        .json(&serde_json::json!({ "code": code["code"] }));
    let login: serde_json::Value = login.send().await.unwrap().json().await.unwrap();
    let token = login["access_token"].as_str().unwrap();
    let me = async || {
        http.get(format!("http://{listen}/api/v1/me")).bearer_auth(token).send().await.unwrap().status()
    };
    assert_eq!(me().await, 200);
    let moved = http.post(format!("http://{sim}/sim/clock")).body(r#"{"hours":1}"#).send().await.unwrap();
    assert_eq!(moved.status(), 200);
    assert_eq!(me().await, 401);
}

fn a_taken_address_is_named() {
    let home = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = said(home.path(), &[("SERVER__LISTEN", &address)], "serve").ends(1);
    assert!(refused.err.contains(&format!("cannot listen on {address}")), "{}", refused.err);
}

fn the_demonstration_plays_against_its_own_server() {
    let home = TempDir::new().unwrap();
    let temporary = home.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let output =
        unionhall(home.path(), &[]).args(["demo", "--workers", "12"]).env("TMPDIR", &temporary).output();
    let output = output.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    // Of 12 workers four have a place, and somebody moves up for each of them who leaves; one refuses.
    assert!(out.contains("12 workers ask for 4 places at once, 1 of them for"), "{out}");
    for row in ["confirmed      4", "waiting        8", "refused        0"] {
        assert!(out.contains(row), "{row}: {out}");
    }
    assert_eq!(out.matches("号取消 cancels").count(), 4, "{out}");
    assert!(out.matches("号递补 moves up").count() >= 3, "{out}");
    assert_eq!(out.matches("号谢绝 refuses → ").count(), 1, "{out}");
    assert!(out.contains("Checked: no place too many, nobody passed"), "{out}");
    // Of 12 workers each leaves out one offer of three, and number 7 of ten does not come.
    assert!(out.contains("24 sign-ups, 22 check-ins, 33 sessions finalised"), "{out}");
    let row = out.lines().find(|line| line.trim_start().starts_with("07b ")).unwrap();
    assert!(row.contains('█') && row.contains("/ 10000"), "{row}");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "its database is gone with it");
}

async fn the_demonstration_plays_against_a_running_server_more_than_once(app: TestApp) {
    // Served by another process: time stands still in this one.
    let (_, database) = app.empty_database();
    let site = Site::new(database.url.expose_secret());
    let server = site.start().await;
    let home = TempDir::new().unwrap();
    let words = ["demo", "--workers", "24", "--url", &site.url(), "--wechat-sim", &site.sim_url()];
    // Two did not come the first time though their sessions were held: they sign up later from then on.
    for (refused, late) in [("refused        0", false), ("refused        2   signup_not_yet_open", true)] {
        let Output { status, stdout, stderr } = unionhall(home.path(), &[]).args(words).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(0), "{out}{err}");
        assert!(out.contains(refused) && out.contains("Checked: no place too many"), "{out}");
        assert_eq!(out.contains("4 sign-ups must wait"), late, "{out}");
    }
    drop(server);
    site.verify();
}

async fn migrate_says_what_is_missing_and_brings_it(app: TestApp) {
    let (db, database) = app.empty_database();
    let url = database.url.expose_secret();
    let steps = migrate::steps(db.engine()).unwrap();
    let missing = on(url, "migrate --check").ends(1);
    for step in &steps {
        assert!(missing.out.contains(&format!("missing: {step}")), "{}", missing.out);
    }
    let applied = on(url, "migrate").ends(0);
    assert_eq!(applied.out.matches("applied: ").count(), steps.len(), "{}", applied.out);
    assert!(on(url, "migrate --check").ends(0).out.contains("up to date"));
    assert_eq!(on(url, "migrate").ends(0).out.matches("applied: ").count(), 0);
}

async fn seeding_twice_changes_nothing(app: TestApp) {
    let (_, database) = app.empty_database();
    let url = database.url.expose_secret();
    let first = on(url, "seed --no-demo").ends(0);
    assert!(first.out.contains(" 0 unchanged") && !first.out.contains(" 0 created"), "{}", first.out);
    let second = on(url, "seed --no-demo").ends(0);
    assert!(second.out.contains(" 0 created") && second.out.contains(" 0 changed"), "{}", second.out);
    let demo = on(url, "seed").ends(0);
    assert!(!demo.out.contains(" 0 created") && !demo.out.contains(" 0 unchanged"), "{}", demo.out);
}

async fn staff_are_granted_revoked_and_listed(app: TestApp) {
    let url = app.config().database.url.expose_secret().to_owned();
    let listed = |holder: &str| on(&url, "staff list").ends(0).out.matches(holder).count();
    // Before the first login, by openid.
    let openid = openid_for(&app.config().wechat.appid, "newcomer");
    let right = format!("--openid {openid} --role checkin_staff --organisation street-buji");
    on(&url, &format!("staff grant {right}")).ends(0);
    let again = on(&url, &format!("staff grant {right}")).ends(0);
    assert!(again.out.contains("has this role there already"), "{}", again.out);
    let newcomer = app.worker("newcomer").await;
    let me = newcomer.person().to_string();
    assert_eq!(listed(&me), 1);
    let street = app.organisation("street-buji").await;
    let roles = json!([{ "role": "checkin_staff", "organisation_id": street }]);
    assert_eq!(newcomer.get("/api/v1/me").await.ok(200)["roles"], roles);
    // By person, over another subtree.
    on(&url, &format!("staff grant --person {me} --role auditor --organisation longgang")).ends(0);
    newcomer.get("/api/v1/audit-entries").await.ok(200);
    on(&url, &format!("staff revoke --person {me} --role auditor --organisation longgang")).ends(0);
    newcomer.get("/api/v1/audit-entries").await.problem(403, "forbidden");
    on(&url, &format!("staff revoke {right}")).ends(0);
    let gone = on(&url, &format!("staff revoke {right}")).ends(1);
    assert!(gone.out.contains("no such grant"), "{}", gone.out);
    assert_eq!(listed(&me), 0);
    assert_eq!(newcomer.get("/api/v1/me").await.ok(200)["roles"], json!([]));

    let number = || app.read(|conn| Ok(people::table.count().get_result::<i64>(conn)?));
    let before = number().await;
    let nowhere = on(&url, "staff grant --openid nobody --role auditor --organisation atlantis").ends(1);
    assert!(nowhere.err.contains("no organisation with the code atlantis"), "{}", nowhere.err);
    on(&url, "staff revoke --openid nobody --role auditor --organisation longgang").ends(1);
    assert_eq!(number().await, before, "a refusal makes nobody");
    on(&url, "staff grant --openid nobody --role emperor --organisation longgang").ends(2);
    on(&url, "staff grant --role auditor --organisation longgang").ends(2);
    let stranger = "per_01k5b8m3q2e9t8h6y1v7z4w0xn";
    let unknown =
        on(&url, &format!("staff grant --person {stranger} --role auditor --organisation longgang"));
    assert!(unknown.ends(1).err.contains("not_found"));
}

async fn ledger_verify_says_by_its_exit_code_what_it_found(app: TestApp) {
    let url = app.config().database.url.expose_secret().to_owned();
    let (zhang, gate) = (app.worker("zhang").await, app.staff("gate").await);
    let activity = app.activity(|a| a).await;
    zhang.sign_up(&activity).await.ok(201);
    gate.scan(activity.session, &zhang.pass().await).await.ok(200);
    app.run_jobs().await;
    let fine = on(&url, "ledger verify").ends(0);
    assert!(fine.out.contains("1 lines, 0 differences"), "{}", fine.out);
    app.expect_differences();
    app.write(|conn| Ok(conn.batch_execute("UPDATE ledger_rollups SET quantity = 9")?)).await;
    let wrong = on(&url, "ledger verify").ends(1);
    assert!(wrong.out.contains("1 lines, 1 differences") && wrong.out.contains("says 9"), "{}", wrong.out);
}

async fn audit_verify_says_by_its_exit_code_what_it_found(app: TestApp) {
    let url = app.config().database.url.expose_secret().to_owned();
    app.activity(|a| a).await;
    assert!(on(&url, "audit verify").ends(0).out.contains("the chain is whole"));
    app.expect_differences();
    app.write(|conn| {
        lift_triggers(conn)?;
        Ok(conn.batch_execute("UPDATE audit_entries SET detail = '\"x\"' WHERE seq = 1")?)
    })
    .await;
    let broken = on(&url, "audit verify").ends(1);
    assert!(broken.out.contains("entry 1 does not fit: it was changed"), "{}", broken.out);
}
