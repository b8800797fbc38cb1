//! The reference on PostgreSQL: what any of our acts is at the least, in pgbench.

use std::process::Command;

use crate::servers::Postgres;

/// The hot row and the insert that a sign-up is at the least, in pgbench.
pub struct Bare<'a> {
    postgres: &'a Postgres,
    url: String,
    script: tempfile::NamedTempFile,
}

impl<'a> Bare<'a> {
    /// Lays its tables into a database of their own.
    pub fn lay(postgres: &'a Postgres) -> Self {
        let url = postgres.create_template("bare").unwrap();
        let tables = "CREATE TABLE a (id BIGINT PRIMARY KEY, capacity BIGINT, taken BIGINT); \
                      INSERT INTO a VALUES (1, 1000000000, 0); \
                      CREATE TABLE s (a BIGINT REFERENCES a, p BIGINT, UNIQUE (a, p)); CREATE SEQUENCE q";
        let made = Command::new(postgres.program("psql")).args([&url, "-qc", tables]).status().unwrap();
        assert!(made.success());
        let script = tempfile::NamedTempFile::new().unwrap();
        let transaction = "BEGIN;\nUPDATE a SET taken = taken + 1 WHERE id = 1 AND taken < capacity;\n\
                           INSERT INTO s VALUES (1, nextval('q'));\nCOMMIT;\n";
        std::fs::write(script.path(), transaction).unwrap();
        Self { postgres, url, script }
    }

    /// Transactions a second with 1, 8 or 32 clients, whichever does most.
    pub fn best(&self, seconds: usize) -> f64 {
        let script = self.script.path().to_str().unwrap();
        let rate = |clients: &str| {
            let seconds = seconds.to_string();
            let arguments = ["-n", "-c", clients, "-j", "2", "-T", &seconds, "-f", script, &self.url];
            let output = Command::new(self.postgres.program("pgbench")).args(arguments).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let line =
                text.lines().find(|line| line.starts_with("tps")).unwrap_or_else(|| panic!("{output:?}"));
            line.split_whitespace().nth(2).unwrap().parse::<f64>().unwrap()
        };
        ["1", "8", "32"].map(rate).into_iter().fold(0.0, f64::max)
    }
}
