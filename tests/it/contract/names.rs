//! Two types of one name are one schema of the document: the later one takes the other's place, and nothing says so. Bodies are then
//! held against the wrong type. So every type that stands in the document has a name of its own, over the whole house.

use std::collections::BTreeMap;

use super::floors::sources;
use crate::harness::Test;
use crate::harness::document::DOCUMENT;

pub const TESTS: &[Test] =
    plain_tests![every_schema_has_a_name_of_its_own, a_scan_finds_names_however_they_are_given];

/// The names under which the types of a source file stand in the document.
fn names(text: &str) -> Vec<String> {
    // Neither comments, which show examples, nor unit tests.
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut found: Vec<String> =
        code.match_indices("derive(").filter_map(|(at, _)| derived(&code, at)).collect();
    let after = |mark| code.split(mark).skip(1);
    found.extend(
        after("text_enum! {").filter_map(|rest| rest.split_once("pub enum ")).map(|(_, rest)| word(rest)),
    );
    found.extend(after(" ToSchema for ").chain(after("::ToSchema for ")).map(word));
    found.extend(
        after("id_type!(")
            .filter_map(|rest| rest.split_once(", \""))
            .filter_map(|(name, _)| name.split_whitespace().last())
            .map(word),
    );
    // What a macro makes is found where the macro is used.
    found.retain(|name| !name.is_empty());
    found
}

/// The name of the type that the `derive(` at `at` stands before, if it derives a schema.
fn derived(code: &str, at: usize) -> Option<String> {
    let (before, rest) = code.split_at(at);
    let list = rest.strip_prefix("derive(")?.split(')').next()?;
    if !list.split(',').any(|one| one.trim().rsplit("::").next() == Some("ToSchema")) {
        return None;
    }
    let declared = |line: &str| {
        let line = line.trim_start();
        let line = if line.starts_with("pub") { line.split_once(' ')?.1 } else { line };
        line.strip_prefix("struct ").or_else(|| line.strip_prefix("enum ")).map(word)
    };
    let name = rest.lines().find_map(declared)?;
    // Other attributes stand before it or behind it.
    let above = before.rsplit("\n\n").next().unwrap_or_default();
    let below = rest.lines().take_while(|line| declared(line).is_none()).collect::<String>();
    Some(renamed(&format!("{above}{below}")).unwrap_or(name))
}

/// What `#[schema(as = …)]` says.
fn renamed(attributes: &str) -> Option<String> {
    let (_, rest) = attributes.split_once("as = ")?;
    let name = rest.split([',', ')']).next()?;
    Some(name.trim().trim_matches('"').replace("::", "."))
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn every_schema_has_a_name_of_its_own() {
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        for name in names(&text) {
            known.entry(name).or_default().push(path.display().to_string());
        }
    }
    let twice: Vec<_> = known.iter().filter(|(_, at)| at.len() > 1).collect();
    assert!(twice.is_empty(), "types of one name, of which the document shows one: {twice:#?}");
    // The scan sees all that there is. Of generic types the document has one schema for each of their arguments.
    let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
    let unseen: Vec<_> =
        schemas.keys().filter(|name| !known.contains_key(name.split('_').next().unwrap())).collect();
    assert!(unseen.is_empty(), "the scan does not find where these come from: {unseen:?}");
}

fn a_scan_finds_names_however_they_are_given() {
    let text = r#"
/// #[derive(ToSchema)]
/// pub struct Shown {}

/// A.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct A {}

#[schema(as = other::B, example = json!({}))]
#[derive(utoipa::ToSchema)]
pub(super) enum Hidden { One }

#[schema(example = json!({"kind": "kin"}))]
#[derive(
    Debug,
    Serialize, ToSchema,
)]
struct C<T> { inner: Vec<T> }

#[derive(Debug)]
pub struct NoSchema;

crate::text_enum! {
    /// D.
    pub enum D { One = "one" }
}

impl utoipa::ToSchema for $name {}

impl ToSchema for E {
}

crate::id_type!(/// F.
    FId, "fff");

#[cfg(test)]
mod tests {
    #[derive(ToSchema)]
    struct Tested;
}
"#;
    let mut found = names(text);
    found.sort();
    assert_eq!(found, ["A", "C", "D", "E", "FId", "other.B"]);
}
