//! Everything that stands in the database, read as whoever has its keys can read it.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::Text;
use secrecy::ExposeSecret;
use unionhall::platform::db::{Conn, Engine};
use unionhall::platform::vault::{ERASED, Field, Vault};

/// Every sealed column: the name that its texts are bound to, and the columns whose bytes they are bound to.
pub const SEALED: &[(&str, &str, &str, &[&str])] = &[
    ("fair_draws", "seed_sealed", "fair_draws.seed", &["activity_id"]),
    ("files", "name_sealed", "files.name", &["id"]),
    ("headcount_samples", "seed_sealed", "headcount_samples.seed", &["id"]),
    ("injuries", "facts_sealed", "injuries.facts", &["id"]),
    ("legal_cases", "facts_sealed", "legal_cases.facts", &["id"]),
    ("legal_consultations", "note_sealed", "legal_consultations.note", &["id"]),
    ("legal_decisions", "reasons_sealed", "legal_decisions.reasons", &["document_id"]),
    ("legal_documents", "paper_sealed", "legal_documents.paper", &["id"]),
    ("legal_events", "note_sealed", "legal_events.note", &["id"]),
    ("legal_file_checks", "note_sealed", "legal_file_checks.note", &["case_id"]),
    ("legal_glass", "text_sealed", "legal_glass.text", &["id"]),
    ("legal_lawyer_changes", "reason_sealed", "legal_lawyer_changes.reason", &["id"]),
    ("legal_lawyer_changes", "answer_sealed", "legal_lawyer_changes.answer", &["id"]),
    ("legal_lawyers", "licence_sealed", "legal_lawyers.licence", &["id"]),
    ("legal_lawyers", "phone_sealed", "legal_lawyers.phone", &["id"]),
    ("legal_members", "name_sealed", "legal_members.name", &["id"]),
    ("legal_members", "phone_sealed", "legal_members.phone", &["id"]),
    ("legal_members", "amount_sealed", "legal_members.amount", &["id"]),
    ("legal_messages", "text_sealed", "legal_messages.text", &["id"]),
    ("legal_objections", "text_sealed", "legal_objections.text", &["id"]),
    ("legal_objections", "answer_sealed", "legal_objections.answer", &["id"]),
    ("legal_referrals", "reason_sealed", "legal_referrals.reason", &["id"]),
    ("legal_referrals", "data_sealed", "legal_referrals.data", &["id"]),
    ("legal_referrals", "outcome_sealed", "legal_referrals.outcome", &["id"]),
    ("legal_reports", "summary_sealed", "legal_reports.summary", &["case_id"]),
    ("legal_return_visits", "note_sealed", "legal_return_visits.note", &["case_id"]),
    ("legal_satisfactions", "text_sealed", "legal_satisfactions.text", &["case_id"]),
    ("legal_supplements", "missing_sealed", "legal_supplements.missing", &["case_id"]),
    // Its round is a number of eight bytes.
    ("legal_turns", "note_sealed", "legal_turns.note", &["case_id", "round", "lawyer_id"]),
    ("penalties", "claim_sealed", "penalties.claim_sealed", &["id"]),
    ("people", "phone_sealed", "people.phone", &["id"]),
    ("people", "id_number_sealed", "people.id_number", &["id"]),
    ("review_events", "text_sealed", "review_events.text", &["id"]),
    ("review_messages", "text_sealed", "review_messages.text", &["id"]),
    ("reviews", "form_sealed", "reviews.form", &["id"]),
    ("wechat_identities", "session_key_sealed", "wechat_identities.session_key", &["openid"]),
];

/// Something that stands somewhere, in clear.
#[derive(Debug, Clone)]
pub struct Cell {
    /// `table.column`.
    pub place: String,
    /// Text; bytes in hexadecimal capitals.
    pub text: String,
}

/// The columns of text and of bytes of every table.
#[derive(Debug, Clone, Default)]
pub struct Shape(BTreeMap<String, Vec<(String, bool)>>);

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
}

#[derive(QueryableByName)]
struct Read {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Text)]
    value: String,
}

impl Shape {
    /// Of the database as it is, without the tables in `but`.
    pub fn read(conn: &mut Conn, but: &[&str]) -> Self {
        let columns: Vec<Column> = match conn {
            Conn::Postgres(c) => diesel::sql_query(
                "SELECT table_name::text AS table, column_name::text AS name, upper(data_type::text) AS kind
                 FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
            )
            .load(c),
            Conn::Sqlite(c) => diesel::sql_query(
                "SELECT m.name AS \"table\", p.name AS name, p.type AS kind
                 FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' ORDER BY 1, 2",
            )
            .load(c),
        }
        .unwrap();
        let mut tables: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
        for column in columns {
            let bytes = matches!(column.kind.as_str(), "BLOB" | "BYTEA");
            let looked_at = bytes || column.kind == "TEXT";
            if looked_at && !column.table.starts_with("__diesel") && !but.contains(&column.table.as_str()) {
                tables.entry(column.table).or_default().push((column.name, bytes));
            }
        }
        Self(tables)
    }

    fn is_bytes(&self, table: &str, column: &str) -> bool {
        self.0[table].iter().any(|(name, bytes)| name == column && *bytes)
    }

    /// Everything that can be read: sealed texts are opened. One that does not open where it stands fails, and so does one that stands where none
    /// is expected: both would mean that this scan sees less than there is.
    pub fn cells(&self, conn: &mut Conn, vault: &Vault) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (table, columns) in &self.0 {
            let parts: Vec<String> = columns.iter().map(|(name, _)| self.query(conn, table, name)).collect();
            let query = parts.join(" UNION ALL ");
            let rows: Vec<Read> = match conn {
                Conn::Postgres(c) => diesel::sql_query(&query).load(c),
                Conn::Sqlite(c) => diesel::sql_query(&query).load(c),
            }
            .unwrap_or_else(|error| panic!("{query}: {error}"));
            for row in rows {
                let place = format!("{table}.{}", row.name);
                let text = opened(vault, table, &row);
                cells.push(Cell { place, text });
            }
        }
        cells
    }

    fn query(&self, conn: &Conn, table: &str, column: &str) -> String {
        let text = |name: &str| match (conn.engine(), self.is_bytes(table, name)) {
            (Engine::Sqlite, false) => format!("\"{name}\""),
            (Engine::Sqlite, true) => format!("hex(\"{name}\")"),
            (Engine::Postgres, false) => format!("\"{name}\""),
            (Engine::Postgres, true) => format!("upper(encode(\"{name}\", 'hex'))"),
        };
        let hex = |name: &str| match (conn.engine(), self.is_bytes(table, name)) {
            (Engine::Sqlite, _) => format!("hex(\"{name}\")"),
            (Engine::Postgres, true) => format!("upper(encode(\"{name}\", 'hex'))"),
            (Engine::Postgres, false) => format!("upper(encode(convert_to(\"{name}\", 'UTF8'), 'hex'))"),
        };
        let number = |name: &str| match conn.engine() {
            Engine::Sqlite => format!("printf('%016X', \"{name}\")"),
            Engine::Postgres => format!("lpad(upper(to_hex(\"{name}\")), 16, '0')"),
        };
        let part = |name: &&str| if *name == "round" { number(name) } else { hex(name) };
        let key = SEALED
            .iter()
            .find(|(of, name, ..)| *of == table && *name == column)
            .map_or("''".to_owned(), |(.., key)| key.iter().map(part).collect::<Vec<_>>().join(" || "));
        format!(
            "SELECT '{column}' AS name, {key} AS key, {} AS value FROM \"{table}\" WHERE \"{column}\" IS NOT NULL",
            text(column)
        )
    }
}

fn opened(vault: &Vault, table: &str, row: &Read) -> String {
    if !row.value.starts_with("v1.") || row.value.len() < 40 {
        return if row.value == ERASED { String::new() } else { row.value.clone() };
    }
    let known = SEALED.iter().find(|(of, name, ..)| *of == table && *name == row.name);
    let (.., field, _) = known.unwrap_or_else(|| panic!("{table}.{} holds a sealed text", row.name));
    let key = hex::decode(&row.key).unwrap();
    let plain = vault.open(Field(field), &key, &row.value);
    plain.unwrap_or_else(|error| panic!("{table}.{}: {error}", row.name)).expose_secret().to_owned()
}

/// Where any of `secrets` stands, with the secret.
pub fn holding(cells: &[Cell], secrets: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    // Most cells are codes, and shorter than any secret.
    let shortest = secrets.iter().map(String::len).min().unwrap_or(0);
    for cell in cells.iter().filter(|cell| cell.text.len() >= shortest) {
        for secret in secrets.iter().filter(|secret| cell.text.contains(secret.as_str())) {
            found.push((cell.place.clone(), secret.clone()));
        }
    }
    found.sort();
    found.dedup();
    found
}
