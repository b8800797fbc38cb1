//! Imports go down only, and no two rooms of a floor know each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::harness::Test;

pub const TESTS: &[Test] =
    plain_tests![imports_go_down_only, every_room_says_what_it_is, no_file_is_too_long];

/// Floors from the ground up. What is not here (`app`, `routes`, `seed`, `commands`, …) is the roof and may import all.
const FLOORS: &[&[&str]] = &[
    &["clock", "error"],
    &["ids"],
    &["platform"],
    &["policy"],
    &["ledger"],
    &["org"],
    &["content"],
    &["people"],
    &["identity", "notify", "offering"],
    &["review"],
    &["membership", "signup"],
    &["attendance", "legal_aid"],
    &["plan", "visits"],
];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

pub(super) fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(source_folder()).unwrap().to_owned(), text));
            }
        }
    }
    let mut found = Vec::new();
    collect(&source_folder(), &mut found);
    assert!(found.len() > 80, "only {} files are found", found.len());
    found
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The rooms that a text names after `crate::`, in single and in grouped imports.
fn imported(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for piece in text.split("crate::").skip(1) {
        match piece.strip_prefix('{') {
            Some(group) => {
                let group = group.split("};").next().unwrap_or_default();
                rooms.extend(group.split(',').map(|one| name(one.trim())));
            }
            None => rooms.push(name(piece)),
        }
    }
    rooms
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
}

fn imports_go_down_only() {
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        let room = path.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        let Some(own) = floor(&room) else { continue };
        // Unit tests may look at the whole house.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for other in imported(code) {
            let allowed = other == room || floor(&other).is_some_and(|other| other < own) || is_macro(&other);
            if !allowed {
                wrong.entry(path.display().to_string()).or_default().push(other);
            }
        }
    }
    assert!(wrong.is_empty(), "imports that do not go down: {wrong:#?}");
}

/// Macros are exported at the crate's root.
fn is_macro(name: &str) -> bool {
    [
        "id_type",
        "text_enum",
        "on_each",
        "insert_rows",
        "write_rows",
        "write_keyed",
        "insert_new",
        "load_locked",
        "load_pairs",
        "load_shared",
        "load_unclaimed",
    ]
    .contains(&name)
}

fn every_room_says_what_it_is() {
    for (path, text) in sources().into_iter().filter(|(path, _)| path.ends_with("mod.rs")) {
        assert!(text.starts_with("//! "), "{} does not open with what the room is", path.display());
    }
}

fn no_file_is_too_long() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines: split it by what it does", path.display());
    }
}
