//! Every column has a rule: what `docs/ERASURE.md` says of it is what the schema has and what the erasers do.

use std::collections::{BTreeMap, BTreeSet};

use super::scanning::SEALED;
use crate::contract::floors::sources;
use crate::harness::Test;

pub const TESTS: &[Test] = plain_tests![
    every_column_has_its_rule,
    what_is_to_be_erased_is_named_by_an_eraser,
    every_sealed_column_is_scanned_and_none_stays_without_a_word
];

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ERASURE.md"));

/// What the document says of a table.
#[derive(Debug, Default)]
struct Ruled {
    removed: bool,
    erased: BTreeSet<String>,
    stays: BTreeSet<String>,
    why: String,
}

fn rules() -> BTreeMap<String, Ruled> {
    let mut rules = BTreeMap::new();
    for line in DOCUMENT.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" |").map(str::trim).collect();
        let [table, erased, stays, why] = cells[..] else { panic!("four cells: {line}") };
        let names = |cell: &str| -> BTreeSet<String> {
            cell.split(", ")
                .filter(|name| !name.is_empty())
                .map(|name| name.trim_matches('`').to_owned())
                .collect()
        };
        let removed = erased == "the row";
        let erased = if removed { BTreeSet::new() } else { names(erased) };
        let ruled = Ruled { removed, erased, stays: names(stays), why: why.to_owned() };
        assert!(rules.insert(table.trim_matches('`').to_owned(), ruled).is_none(), "{table} twice");
    }
    assert!(rules.len() > 90, "the table is read wrongly");
    rules
}

/// The columns of text and of bytes, but for ids, as `db/schema` has them.
fn schema() -> BTreeMap<String, BTreeSet<String>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/platform/db/schema");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let text: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let mut schema = BTreeMap::new();
    for block in text.split("diesel::table! {").skip(1) {
        let (head, rest) = block.split_once('{').unwrap();
        let name = head.trim().split_once(" (").unwrap().0;
        let columns =
            rest.split_once('}').unwrap().0.lines().filter_map(|line| line.trim().split_once(" -> "));
        let is_id = |column: &str| {
            column == "id" || column == "reverses" || column.ends_with("_id") || column.ends_with("_by")
        };
        let looked_at = columns
            .filter(|(column, kind)| kind.contains("Text") || (kind.contains("Binary") && !is_id(column)));
        let columns: BTreeSet<String> = looked_at.map(|(column, _)| column.to_owned()).collect();
        if !columns.is_empty() {
            schema.insert(name.to_owned(), columns);
        }
    }
    schema
}

fn every_column_has_its_rule() {
    let (rules, schema) = (rules(), schema());
    let mut wrong = Vec::new();
    for (table, columns) in &schema {
        let Some(ruled) = rules.get(table) else {
            wrong.push(format!("{table}: what becomes of {columns:?}?"));
            continue;
        };
        if ruled.removed {
            continue;
        }
        let said: BTreeSet<String> = ruled.erased.union(&ruled.stays).cloned().collect();
        if said != *columns {
            wrong.push(format!("{table}: the document has {said:?}, the schema {columns:?}"));
        }
        if ruled.erased.intersection(&ruled.stays).next().is_some() {
            wrong.push(format!("{table}: erased and not"));
        }
        if ruled.why.is_empty() && !ruled.stays.is_empty() {
            wrong.push(format!("{table}: why does {:?} stay?", ruled.stays));
        }
    }
    for table in rules.keys().filter(|table| !schema.contains_key(*table)) {
        wrong.push(format!("{table}: there is no such table"));
    }
    assert!(wrong.is_empty(), "see docs/ERASURE.md:\n{}", wrong.join("\n"));
}

/// The code of all erasers, without white space.
fn erasers() -> String {
    let erases = |path: &std::path::Path| {
        let name = path.to_string_lossy();
        name.ends_with("erasing.rs") && !name.contains("schema")
            || name.ends_with("files/store.rs")
            || name.ends_with("idempotency.rs")
            || name.ends_with("outbox/mod.rs")
    };
    let texts = sources().into_iter().filter(|(path, _)| erases(path)).map(|(_, text)| text);
    texts.collect::<String>().chars().filter(|sign| !sign.is_whitespace()).collect()
}

fn what_is_to_be_erased_is_named_by_an_eraser() {
    let code = erasers();
    let mut wrong = Vec::new();
    for (table, ruled) in rules() {
        if ruled.removed && !code.contains(&format!("{table}::table")) {
            wrong.push(format!("{table}: nobody removes its rows"));
        }
        for column in &ruled.erased {
            let set = format!("{table}::{column}.eq(");
            let listed = format!("{table}.{column},");
            if !code.contains(&set) && !code.contains(&listed) {
                wrong.push(format!("{table}.{column}: nobody sets it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn every_sealed_column_is_scanned_and_none_stays_without_a_word() {
    let scanned: BTreeSet<(String, String)> =
        SEALED.iter().map(|(table, column, ..)| ((*table).to_owned(), (*column).to_owned())).collect();
    let sealed: BTreeSet<(String, String)> = schema()
        .into_iter()
        .flat_map(|(table, columns)| columns.into_iter().map(move |column| (table.clone(), column)))
        .filter(|(_, column)| column.ends_with("_sealed"))
        .collect();
    assert_eq!(scanned, sealed);
    // What is sealed is somebody's, but for these.
    let nobodys =
        ["fair_draws.seed_sealed", "headcount_samples.seed_sealed", "legal_consultations.note_sealed"];
    let rules = rules();
    let kept: Vec<String> = sealed
        .iter()
        .filter(|(table, column)| !rules[table].removed && rules[table].stays.contains(column))
        .map(|(table, column)| format!("{table}.{column}"))
        .collect();
    assert_eq!(kept, nobodys);
}
