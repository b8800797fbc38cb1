//! A database that cannot be opened: the message says what to do, and never the password.

use std::path::Path;

use diesel::connection::SimpleConnection;
use tempfile::TempDir;
use unionhall::platform::db::migrate::{self, MigrateError};
use unionhall::platform::db::{Db, DbTarget, OpenError, PoolConfig};

use crate::harness::{Test, TestApp};

pub const PLAIN: &[Test] = plain_tests![
    another_scheme_is_named,
    a_postgres_out_of_reach_is_named_without_its_password,
    a_password_with_special_signs_is_not_shown_in_part,
    a_missing_folder_is_made,
    a_folder_that_cannot_be_made_is_named,
    a_read_only_file_is_named,
];
pub const TESTS: &[Test] = tests![the_schema_comes_up_once, a_newer_schema_is_left_alone];

fn open(url: &str) -> Result<Db, OpenError> {
    Db::open(DbTarget::parse(&url.to_owned().into())?, PoolConfig::default())
}

fn refusal(url: &str) -> String {
    match open(url).and_then(|db| db.connect()) {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => format!("{error} {error:?}"),
    }
}

fn another_scheme_is_named() {
    for url in ["mysql://root:hunter2@host/db", "host/hunter2", "sqlite://", "sqlite:data.db", ""] {
        let text = refusal(url);
        assert!(text.contains("must begin with sqlite:// or postgres://"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

fn a_postgres_out_of_reach_is_named_without_its_password() {
    // Port 1 is reserved and nobody listens there.
    let text = refusal("postgres://someone:hunter2@127.0.0.1:1/things?connect_timeout=2");
    assert!(text.contains("cannot reach the database postgres://127.0.0.1:1/things"), "{text}");
    assert!(text.contains("Is the server running"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

fn a_password_with_special_signs_is_not_shown_in_part() {
    // What follows such a sign is taken for the port or the name of the database.
    for url in [
        "postgres://localhost:hunter2/secret@127.0.0.1:1/db",
        "postgres://localhost:1/hunter2@127.0.0.1:1/db",
    ] {
        let text = refusal(url);
        assert!(!text.contains("hunter2") && !text.contains("secret"), "{text}");
        assert!(text.contains("%2F"), "{text}");
        let shown = DbTarget::parse(&url.to_owned().into()).unwrap();
        assert!(!format!("{shown:?} {}", shown.describe()).contains("hunter2"), "{shown:?}");
    }
}

fn sqlite(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

fn a_missing_folder_is_made() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("a/b/c/unionhall.db");
    let db = open(&sqlite(&file)).unwrap();
    assert_eq!(migrate::up(&db).unwrap(), migrate::steps(db.engine()).unwrap());
    assert!(file.is_file());
}

fn a_folder_that_cannot_be_made_is_named() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let text = refusal(&sqlite(&file.join("unionhall.db")));
    assert!(text.contains("cannot create the folder") && text.contains("a-file"), "{text}");
}

fn a_read_only_file_is_named() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("unionhall.db");
    std::fs::write(&file, "").unwrap();
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file, permissions).unwrap();
    let text = refusal(&sqlite(&file));
    assert!(text.contains("unionhall.db is read-only: make it writable"), "{text}");
}

async fn the_schema_comes_up_once(app: TestApp) {
    let (db, _keep) = app.empty_database();
    let steps = migrate::steps(db.engine()).unwrap();
    assert_eq!(migrate::pending(&db).unwrap(), steps);
    assert_eq!(migrate::up(&db).unwrap(), steps);
    assert!(migrate::pending(&db).unwrap().is_empty());
    assert!(migrate::up(&db).unwrap().is_empty());
}

async fn a_newer_schema_is_left_alone(app: TestApp) {
    let (db, _keep) = app.empty_database();
    migrate::up(&db).unwrap();
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    db.connect().unwrap().batch_execute(newer).unwrap();
    for refused in [migrate::up(&db).unwrap_err(), migrate::pending(&db).unwrap_err()] {
        let text = refused.to_string();
        assert!(matches!(refused, MigrateError::Newer { .. }), "{text}");
        assert!(text.contains("99990101000000") && text.contains("start the newer binary"), "{text}");
    }
}
