//! Two migration trees and `db/schema` say the same, and the trees can be walked both ways.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use tempfile::TempDir;
use unionhall::platform::db::migrate::{self, MigrateError};
use unionhall::platform::db::schema::{audit_entries, ledger_lines};
use unionhall::platform::db::{Conn, Engine};

use crate::harness::{Test, TestApp, ground};

pub const TESTS: &[Test] = plain_tests![both_trees_are_written_alike];
pub const ON_EACH_ENGINE: &[Test] = tests![
    the_tables_are_what_the_schema_says,
    keys_and_indexes_are_those_of_sqlite,
    up_down_up_leaves_the_same_schema,
    down_works_on_a_full_database,
    a_newer_schema_is_refused,
    history_cannot_be_rewritten,
];

const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");

/// A column's type as `db/schema` names it, and whether it may be empty.
type Column = (String, String, bool);

#[derive(Debug, Default, PartialEq, Eq, Clone)]
struct Table {
    /// By their place.
    columns: Vec<Column>,
    primary_key: Vec<String>,
    /// `unique (a, b)`, `index name (a, b) where …`, `foreign (a) -> other`.
    rules: BTreeSet<String>,
}

type Schema = BTreeMap<String, Table>;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    flag: bool,
}

fn lines(conn: &mut Conn, query: &str) -> Vec<Line> {
    match conn {
        Conn::Sqlite(c) => diesel::sql_query(query).load(c),
        Conn::Postgres(c) => diesel::sql_query(query).load(c),
    }
    .unwrap_or_else(|error| panic!("{query}: {error}"))
}

fn read_schema(conn: &mut Conn) -> Schema {
    let tables = match conn.engine() {
        Engine::Sqlite => {
            "SELECT name, '' AS kind, TRUE AS flag FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        }
        Engine::Postgres => {
            "SELECT tablename::text AS name, '' AS kind, TRUE AS flag FROM pg_tables WHERE schemaname = 'public'"
        }
    };
    lines(conn, tables)
        .into_iter()
        .filter(|table| !table.name.starts_with("__diesel"))
        .map(|table| {
            let read = match conn.engine() {
                Engine::Sqlite => read_sqlite(conn, &table.name),
                Engine::Postgres => read_postgres(conn, &table.name),
            };
            (table.name, read)
        })
        .collect()
}

fn type_name(engine_s: &str) -> String {
    match engine_s.to_lowercase().as_str() {
        "blob" | "bytea" => "Binary",
        "text" => "Text",
        "bigint" => "BigInt",
        "boolean" => "Bool",
        "date" => "Date",
        "timestamp" | "timestamp without time zone" => "Timestamp",
        other => panic!("a type that the design does not know: {other}"),
    }
    .to_owned()
}

fn read_sqlite(conn: &mut Conn, table: &str) -> Table {
    let mut read = Table::default();
    let columns = format!(
        "SELECT name, type AS kind, \"notnull\" = 0 AS flag FROM pragma_table_info('{table}') ORDER BY cid"
    );
    read.columns =
        lines(conn, &columns).into_iter().map(|line| (line.name, type_name(&line.kind), line.flag)).collect();
    let key = format!(
        "SELECT name, '' AS kind, TRUE AS flag FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk"
    );
    read.primary_key = lines(conn, &key).into_iter().map(|line| line.name).collect();
    let indexes = format!(
        "SELECT i.name AS name, coalesce(m.sql, '') AS kind, i.\"unique\" AS flag FROM pragma_index_list('{table}') i \
         LEFT JOIN sqlite_master m ON m.name = i.name WHERE i.origin <> 'pk'"
    );
    for index in lines(conn, &indexes) {
        let inside = format!(
            "SELECT coalesce(name, '') AS name, '' AS kind, TRUE AS flag FROM pragma_index_info('{}') ORDER BY seqno",
            index.name
        );
        let columns: Vec<String> = lines(conn, &inside).into_iter().map(|line| line.name).collect();
        let condition = index.kind.split_once(" WHERE ").map(|(_, condition)| condition);
        // SQLite makes names of its own for the indexes behind UNIQUE.
        let name = if index.name.starts_with("sqlite_") { "" } else { &index.name };
        read.rules.insert(rule(name, index.flag, &columns, condition));
    }
    let foreign = format!(
        "SELECT \"from\" AS name, \"table\" AS kind, TRUE AS flag FROM pragma_foreign_key_list('{table}')"
    );
    read.rules
        .extend(lines(conn, &foreign).iter().map(|line| format!("foreign ({}) -> {}", line.name, line.kind)));
    read
}

fn read_postgres(conn: &mut Conn, table: &str) -> Table {
    let mut read = Table::default();
    let columns = format!(
        "SELECT column_name::text AS name, data_type::text AS kind, is_nullable = 'YES' AS flag \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
    );
    read.columns =
        lines(conn, &columns).into_iter().map(|line| (line.name, type_name(&line.kind), line.flag)).collect();
    let indexes = format!(
        "SELECT c.relname::text AS name, (CASE WHEN i.indisprimary THEN 'key' \
         WHEN EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid) THEN 'constraint' \
         ELSE coalesce(pg_get_expr(i.indpred, i.indrelid), '') END) AS kind, i.indisunique AS flag \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = '{table}'::regclass"
    );
    for index in lines(conn, &indexes) {
        let inside = format!(
            "SELECT pg_get_indexdef('{0}'::regclass, n, TRUE) AS name, '' AS kind, TRUE AS flag \
             FROM generate_series(1, (SELECT indnatts FROM pg_index WHERE indexrelid = '{0}'::regclass)) n ORDER BY n",
            index.name
        );
        // An expression has no name on SQLite.
        let column = |name: String| if name.contains(' ') { String::new() } else { name };
        let columns: Vec<String> = lines(conn, &inside).into_iter().map(|line| column(line.name)).collect();
        match index.kind.as_str() {
            "key" => read.primary_key = columns,
            "constraint" => _ = read.rules.insert(rule("", index.flag, &columns, None)),
            "" => _ = read.rules.insert(rule(&index.name, index.flag, &columns, None)),
            condition => _ = read.rules.insert(rule(&index.name, index.flag, &columns, Some(condition))),
        }
    }
    let foreign = format!(
        "SELECT a.attname::text AS name, f.relname::text AS kind, TRUE AS flag FROM pg_constraint k \
         JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] \
         JOIN pg_class f ON f.oid = k.confrelid WHERE k.contype = 'f' AND k.conrelid = '{table}'::regclass"
    );
    read.rules
        .extend(lines(conn, &foreign).iter().map(|line| format!("foreign ({}) -> {}", line.name, line.kind)));
    read
}

/// One way of writing for both engines.
fn rule(name: &str, unique: bool, columns: &[String], condition: Option<&str>) -> String {
    let kind = if unique { "unique" } else { "index" };
    let plain = |c: &str| c.replace("::text", "").replace(['(', ')'], "");
    // PostgreSQL writes IN (…) in a way of its own.
    let condition =
        condition.map(|c| plain(c).replace("= ANY ARRAY[", "IN ").replace(']', "")).unwrap_or_default();
    format!("{kind} {name} ({}) {condition}", columns.join(", ")).trim().to_owned()
}

/// The tables as the files of `schema` say them.
fn written_schema() -> Schema {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/platform/db/schema");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let text: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let mut schema = Schema::new();
    for block in text.split("diesel::table! {").skip(1) {
        let (head, rest) = block.split_once('{').unwrap();
        let (name, key) = head.trim().trim_end_matches(')').split_once(" (").unwrap();
        let columns =
            rest.split_once('}').unwrap().0.lines().filter_map(|line| line.trim().split_once(" -> "));
        let table = Table {
            columns: columns
                .map(|(column, kind)| {
                    let kind = kind.trim_end_matches(',');
                    let inner = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
                    (column.to_owned(), inner.unwrap_or(kind).to_owned(), inner.is_some())
                })
                .collect(),
            primary_key: key.split(", ").map(ToOwned::to_owned).collect(),
            rules: BTreeSet::new(),
        };
        schema.insert(name.to_owned(), table);
    }
    assert!(schema.contains_key("people") && schema.len() > 20, "the schema is read wrongly: {schema:?}");
    schema
}

fn without_rules(schema: &Schema) -> Schema {
    let bare = |table: &Table| Table { rules: BTreeSet::new(), ..table.clone() };
    schema.iter().map(|(name, table)| (name.clone(), bare(table))).collect()
}

#[track_caller]
fn assert_same(found: &Schema, expected: &Schema) {
    let names = |schema: &Schema| schema.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "tables");
    for (name, table) in found {
        assert_eq!(table, &expected[name], "{name}");
    }
}

async fn the_tables_are_what_the_schema_says(app: TestApp) {
    let found = app.read(|conn| Ok(read_schema(conn))).await;
    assert_same(&without_rules(&found), &written_schema());
}

/// What PostgreSQL asks for once a statement, or holds anyway, and so has no key for (migration 31).
const WITHOUT_KEY: [(&str, &str); 5] = [
    ("attendances", "foreign (session_id) -> sessions"),
    ("attendances", "foreign (signup_id) -> signups"),
    ("scans", "foreign (session_id) -> sessions"),
    ("ledger_lines", "foreign (target_id) -> targets"),
    ("ledger_lines", "foreign (organisation_id) -> organisations"),
];

async fn keys_and_indexes_are_those_of_sqlite(app: TestApp) {
    let folder = TempDir::with_prefix("unionhall-").unwrap();
    let sqlite = ground::open(&format!("sqlite://{}/schema.db", folder.path().display()).into());
    migrate::up(&sqlite).unwrap();
    let mut expected = read_schema(&mut sqlite.connect().unwrap());
    if app.engine() == Engine::Postgres {
        for (table, rule) in WITHOUT_KEY {
            assert!(expected.get_mut(table).unwrap().rules.remove(rule), "{table}: {rule}");
        }
    }
    assert_eq!(expected["signups"].rules.len(), 8, "{:?}", expected["signups"].rules);
    assert_same(&app.read(|conn| Ok(read_schema(conn))).await, &expected);
}

async fn up_down_up_leaves_the_same_schema(app: TestApp) {
    let (db, _kept) = app.empty_database();
    let done = migrate::up(&db).unwrap();
    assert_eq!(done, migrate::steps(app.engine()).unwrap());
    assert_eq!(migrate::up(&db).unwrap(), Vec::<String>::new(), "a second time changes nothing");
    let mut conn = db.connect().unwrap();
    let first = read_schema(&mut conn);
    migrate::down_all_on(&mut conn).unwrap();
    assert_same(&read_schema(&mut conn), &Schema::new());
    if app.engine() == Engine::Postgres {
        let left = "SELECT proname::text AS name, '' AS kind, TRUE AS flag FROM pg_proc p \
                    JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public'";
        let left: Vec<String> = lines(&mut conn, left).into_iter().map(|line| line.name).collect();
        assert!(left.is_empty(), "functions are left: {left:?}");
    }
    assert_eq!(migrate::pending(&db).unwrap(), done);
    assert_eq!(migrate::up(&db).unwrap(), done);
    assert_same(&read_schema(&mut conn), &first);
}

async fn down_works_on_a_full_database(app: TestApp) {
    let copy = app.ground().seeded_database();
    let mut conn = ground::open(&copy.url).connect().unwrap();
    migrate::down_all_on(&mut conn).unwrap();
    assert_same(&read_schema(&mut conn), &Schema::new());
}

async fn a_newer_schema_is_refused(app: TestApp) {
    let copy = app.ground().seeded_database();
    let db = ground::open(&copy.url);
    db.write_blocking(|conn| {
        diesel::sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
            .execute(conn)?;
        Ok(())
    })
    .unwrap();
    for refusal in [migrate::up(&db).unwrap_err(), migrate::pending(&db).unwrap_err()] {
        assert!(
            matches!(&refusal, MigrateError::Newer { found, .. } if found == "99990101000000"),
            "{refusal}"
        );
        let text = refusal.to_string();
        assert!(text.contains("newer") && text.contains("请使用新版程序"), "{text}");
    }
}

async fn history_cannot_be_rewritten(app: TestApp) {
    let organiser = app.staff("organiser").await;
    let activity = app.activity_by(&organiser, |a| a).await;
    let (worker, gate) = (app.worker("zhang").await, app.staff("gate").await);
    worker.sign_up(&activity).await.ok(201);
    gate.scan(activity.session, &worker.pass().await).await.ok(200);
    app.run_jobs().await;
    for (what, statement) in [
        ("audit entries", "UPDATE audit_entries SET action = 'nothing' WHERE seq = 1"),
        ("audit entries", "DELETE FROM audit_entries WHERE seq = 1"),
        ("ledger lines", "UPDATE ledger_lines SET quantity = 1000"),
        ("ledger lines", "DELETE FROM ledger_lines"),
    ] {
        let outcome = app.db().write(move |conn| Ok(diesel::sql_query(statement).execute(conn)?)).await;
        let refusal = format!("{:?}", outcome.expect_err(statement));
        assert!(refusal.contains(&format!("{what} are append-only")), "{statement}: {refusal}");
    }
    let (entries, lines): (i64, i64) = app
        .read(|conn| {
            Ok((audit_entries::table.count().first(conn)?, ledger_lines::table.count().first(conn)?))
        })
        .await;
    assert!(entries > 0 && lines > 0, "there was something to rewrite: {entries} entries, {lines} lines");
}

/// What one tree says, without what only one engine has: triggers, functions, keys that are given up, and the words for bytes.
fn common_text(engine: &str, step: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("{MIGRATIONS}/{engine}/{step}/up.sql")).unwrap();
    let text = text.replace("BLOB", "BYTEA").replace("X'00", "'\\x00");
    let mut common = Vec::new();
    let mut skipping = None;
    for line in text.lines() {
        if skipping.is_none() {
            skipping = match line {
                _ if line.starts_with("CREATE FUNCTION") => Some("LANGUAGE plpgsql;"),
                // SQLite has no roles.
                _ if line.starts_with("REVOKE") || line.starts_with("GRANT") => Some(";"),
                // SQLite cannot give one up.
                _ if line.contains(" DROP CONSTRAINT ") => Some(";"),
                _ if line.starts_with("CREATE TRIGGER") => {
                    Some(if engine == "sqlite" { "END;" } else { ";" })
                }
                _ => None,
            };
        }
        match skipping {
            Some(end) if line.ends_with(end) => skipping = None,
            Some(_) => {}
            None => common.push(line.to_owned()),
        }
    }
    common
}

fn both_trees_are_written_alike() {
    let steps = migrate::steps(Engine::Sqlite).unwrap();
    assert_eq!(steps, migrate::steps(Engine::Postgres).unwrap());
    let folders = |engine: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(format!("{MIGRATIONS}/{engine}")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(folders("sqlite"), folders("postgres"));
    assert_eq!(folders("sqlite").len(), steps.len());
    // Tables, checks, references and defaults are the same to the letter.
    for step in folders("sqlite") {
        let (sqlite, postgres) = (common_text("sqlite", &step), common_text("postgres", &step));
        for (number, (ours, theirs)) in sqlite.iter().zip(&postgres).enumerate() {
            assert_eq!(ours, theirs, "{step}, statement line {}", number + 1);
        }
        assert_eq!(sqlite.len(), postgres.len(), "{step}");
    }
}
