//! Settings as the real binary takes, shows and refuses them.

use tempfile::TempDir;

use super::cli::said;
use crate::harness::Test;

pub const PLAIN: &[Test] = plain_tests![
    a_good_configuration_is_shown_without_its_secrets,
    every_fault_of_a_configuration_is_told_at_once,
    production_refuses_what_is_unsafe,
    a_file_that_cannot_be_read_is_named,
];

fn a_good_configuration_is_shown_without_its_secrets() {
    let home = TempDir::new().unwrap();
    let url = ("DATABASE__URL", "postgres://someone:hunter2@db.example:5433/unionhall");
    let shown = said(home.path(), &[url], "check-config").ends(0);
    assert!(shown.out.contains("postgres://db.example:5433/unionhall"), "{}", shown.out);
    for secret in ["hunter2", "insecure-default-"] {
        assert!(!shown.out.contains(secret) && !shown.err.contains(secret), "{}", shown.out);
    }
    let defaults = said(home.path(), &[], "check-config --defaults").ends(0).out;
    let file = home.path().join("unionhall.toml");
    std::fs::write(&file, defaults).unwrap();
    said(home.path(), &[], "check-config").ends(0);
    // Defaults < file < environment.
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:7001\"\n").unwrap();
    assert!(said(home.path(), &[], "check-config").ends(0).out.contains("127.0.0.1:7001"));
    let over = [("SERVER__LISTEN", "127.0.0.1:7002")];
    assert!(said(home.path(), &over, "check-config").ends(0).out.contains("127.0.0.1:7002"));
}

fn every_fault_of_a_configuration_is_told_at_once() {
    let home = TempDir::new().unwrap();
    let settings = [
        ("SERVER__LISTEN", "nowhere"),
        ("DATABASE__URL", "mysql://root:hunter2@host/db"),
        ("DATABASE__POOL", "0"),
        ("CACHE__KIND", "file"),
        ("AUTH__SECRET", "hunter2"),
        ("AUTH__ACCESS_MINUTES", "0"),
        ("VAULT__KEY_ID", "Not A Key"),
    ];
    let refused = said(home.path(), &settings, "check-config").ends(1);
    for expected in [
        "server.listen",
        "database.url",
        "database.pool",
        "cache.kind",
        "auth.secret",
        "auth.access_minutes",
        "vault: ",
    ] {
        assert!(refused.err.contains(expected), "{expected} is not in {}", refused.err);
    }
    assert!(!refused.err.contains("hunter2"), "{}", refused.err);
    // Every command refuses, and none has made anything.
    for command in ["serve", "migrate", "seed", "ledger verify", "staff list", "vault rotate"] {
        said(home.path(), &settings, command).ends(1);
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

fn production_refuses_what_is_unsafe() {
    let home = TempDir::new().unwrap();
    let refused = said(home.path(), &[("SERVER__MODE", "production")], "serve").ends(1);
    for expected in [
        "auth.secret",
        "vault.secret",
        "vault.index_secret",
        "codes.cursor_secret",
        "codes.pass_secret",
        "codes.file_secret",
        "files.path",
        "wechat.secret",
        "wechat.simulator",
        "seed.demo",
        "database.url",
    ] {
        assert!(refused.err.contains(expected), "{expected} is not in {}", refused.err);
    }
    assert!(!refused.err.contains("insecure-default-"), "{}", refused.err);
    let secret = "0123456789abcdef0123456789abcdef-own";
    let settings = [
        ("SERVER__MODE", "production"),
        ("AUTH__SECRET", secret),
        ("VAULT__SECRET", secret),
        ("VAULT__INDEX_SECRET", secret),
        ("CODES__CURSOR_SECRET", secret),
        ("CODES__PASS_SECRET", secret),
        ("CODES__FILE_SECRET", secret),
        ("FILES__PATH", "/srv/unionhall/files"),
        ("WECHAT__SECRET", secret),
        ("WECHAT__SIMULATOR", "false"),
        ("SEED__DEMO", "false"),
        ("DATABASE__URL", "postgres://someone:hunter2@db.example/unionhall"),
    ];
    let fine = said(home.path(), &settings, "check-config").ends(0);
    assert!(!fine.out.contains(secret) && !fine.out.contains("hunter2"), "{}", fine.out);
}

fn a_file_that_cannot_be_read_is_named() {
    let home = TempDir::new().unwrap();
    let missing = said(home.path(), &[], "--config missing.toml check-config").ends(1);
    assert!(missing.err.contains("missing.toml"), "{}", missing.err);
    std::fs::write(home.path().join("unionhall.toml"), "[server]\nlisten_on = \"127.0.0.1:1\"\n").unwrap();
    let unknown = said(home.path(), &[], "check-config").ends(1);
    assert!(unknown.err.contains("listen_on"), "{}", unknown.err);
}
