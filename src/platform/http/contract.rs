//! Requests are checked against the OpenAPI document itself.
//!
//! Types carry their limits (`#[schema(max_length = 80)]`); the document is generated from them; and the
//! checks are compiled from the document. So a limit is written once, all wrong fields are found at once, and what the
//! document promises is what the server enforces.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value, json};

use super::routing::group;
use crate::error::{Fault, Text};

/// Texts without U+0000, which PostgreSQL cannot keep.
pub const NO_NUL: &str = r"^[^\x00]*$";
/// Instants that every part of the system can keep and compare: four-digit years around ours, no leap seconds.
pub const INSTANT: &str = r"^(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$";
/// Days of the same years.
pub const DAY: &str = r"^(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}$";

/// The document, compiled as it is used: most operations of most processes are never asked for, and a validator takes a hundred
/// kilobytes. Until then schemas are kept as texts, a tenth of what they take as trees.
pub struct Contract {
    components: HashMap<String, Box<str>>,
    bodies: HashMap<String, Check>,
    queries: HashMap<(String, String), QueryContract>,
    /// By the group of their paths, those with names before those with parameters.
    paths: HashMap<String, Vec<PathContract>>,
}

struct PathContract {
    pattern: Arc<str>,
    methods: Vec<String>,
}

struct QueryContract {
    types: HashMap<String, String>,
    check: Check,
    guarded: bool,
}

/// A schema, and its validator once it was asked for.
struct Check {
    schema: Box<str>,
    compiled: OnceLock<Result<Validator, ContractError>>,
}

/// Why the document cannot be compiled: a mistake of the code, which a test finds.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the OpenAPI document cannot be compiled: {0}")]
pub struct ContractError(String);

impl Check {
    fn new(schema: &Value) -> Self {
        Self { schema: schema.to_string().into(), compiled: OnceLock::new() }
    }

    fn validator(&self, components: &HashMap<String, Box<str>>) -> Result<&Validator, ContractError> {
        let compile = || {
            let mut root: Map<String, Value> = parse(&self.schema)?;
            // Only what it names: a validator keeps its whole document.
            let mut named = Map::new();
            for schema in root.values() {
                gather(schema, components, &mut named)?;
            }
            root.insert("components".into(), json!({ "schemas": named }));
            jsonschema::options()
                .should_validate_formats(true)
                .build(&Value::Object(root))
                .map_err(|error| ContractError(error.to_string()))
        };
        self.compiled.get_or_init(compile).as_ref().map_err(Clone::clone)
    }

    /// All faults of `value`. A schema that is none refuses everything, which `Contract::verify` keeps from happening.
    fn faults(&self, components: &HashMap<String, Box<str>>, value: &Value, prefix: &str) -> Vec<Fault> {
        match self.validator(components) {
            Ok(validator) => validator.iter_errors(value).flat_map(|e| faults(&e, prefix)).collect(),
            Err(error) => {
                tracing::error!(%error, "a schema of the contract");
                let detail = Text::new("无法检查该请求", "this request cannot be checked");
                vec![Fault::new(prefix, "uncheckable", detail)]
            }
        }
    }
}

impl Contract {
    /// Takes `document` in.
    pub fn new(document: &utoipa::openapi::OpenApi) -> Result<Self, ContractError> {
        let document = serde_json::to_value(document).map_err(|error| ContractError(error.to_string()))?;
        let mut bodies = HashMap::new();
        let mut queries = HashMap::new();
        let mut paths: HashMap<String, Vec<PathContract>> = HashMap::new();
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            let mut methods = Vec::new();
            for (method, operation) in item.as_object().into_iter().flatten() {
                methods.push(method.to_uppercase());
                if let Some(reference) = operation
                    .pointer("/requestBody/content/application~1json/schema/$ref")
                    .and_then(Value::as_str)
                {
                    let name = reference.rsplit('/').next().unwrap_or_default().to_owned();
                    bodies.entry(name).or_insert_with(|| Check::new(&json!({ "$ref": reference })));
                }
                let (types, schema) = query_schema(operation);
                queries.insert(
                    (method.to_uppercase(), path.clone()),
                    QueryContract { types, check: Check::new(&schema), guarded: is_guarded(operation) },
                );
            }
            methods.sort();
            let known = paths.entry(group(path).to_owned()).or_default();
            known.push(PathContract { pattern: path.as_str().into(), methods });
        }
        // A brace sorts behind every letter.
        paths.values_mut().for_each(|known| known.sort_by(|a, b| a.pattern.cmp(&b.pattern)));
        let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
        let components =
            schemas.into_iter().flatten().map(|(name, schema)| (name.clone(), schema.to_string().into()));
        let components = components.collect();
        Ok(Self { components, bodies, queries, paths })
    }

    /// Compiles everything.
    ///
    /// # Errors
    /// The first schema that cannot be compiled.
    pub fn verify(&self) -> Result<(), ContractError> {
        let queries = self.queries.values().map(|contract| &contract.check);
        self.bodies
            .values()
            .chain(queries)
            .try_for_each(|check| check.validator(&self.components).map(|_| ()))
    }

    /// All faults of a body of the type `name`.
    pub fn check_body(&self, name: &str, body: &Value) -> Vec<Fault> {
        let mut nuls = Vec::new();
        find_nuls(body, "", &mut nuls);
        match self.bodies.get(name) {
            _ if !nuls.is_empty() => nuls,
            Some(check) => {
                let mut wrong = check.faults(&self.components, body, "");
                // What is no instant at all is not also out of range.
                let unformatted: HashSet<String> =
                    wrong.iter().filter(|f| f.code == "format").map(|f| f.pointer.clone()).collect();
                wrong.retain(|fault| fault.code != "range" || !unformatted.contains(&fault.pointer));
                wrong
            }
            // Not reachable: a test asks for every body type that an operation takes.
            None => {
                vec![Fault::new("", "unknown_type", Text::new("未登记的请求类型", "unregistered body type"))]
            }
        }
    }

    /// Reads a query string into JSON by the types of the operation's parameters, or gives all faults.
    pub fn read_query(&self, method: &str, path: &str, query: &str) -> Result<Value, Vec<Fault>> {
        let Some(contract) = self.queries.get(&(method.to_owned(), path.to_owned())) else {
            return Ok(json!({}));
        };
        let mut object = Map::new();
        let mut wrong = Vec::new();
        if !is_utf8(query) {
            wrong.push(Fault::new("/query", "encoding", Text::new("须为 UTF-8", "must be UTF-8")));
        }
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = match contract.types.get(name.as_ref()).map(String::as_str) {
                Some("integer") => {
                    text.parse::<i64>().map_or_else(|_| Value::from(text.as_ref()), Value::from)
                }
                Some("boolean") => {
                    text.parse::<bool>().map_or_else(|_| Value::from(text.as_ref()), Value::from)
                }
                _ => Value::from(text.as_ref()),
            };
            if object.insert(name.to_string(), value).is_some() {
                let detail = Text::new("参数重复", "given twice");
                wrong.push(Fault::new(format!("/query/{}", escaped(&name)), "duplicate", detail));
            }
        }
        let object = Value::Object(object);
        find_nuls(&object, "/query", &mut wrong);
        wrong.extend(contract.check.faults(&self.components, &object, "/query"));
        if wrong.is_empty() { Ok(object) } else { Err(wrong) }
    }

    /// Whether the operation asks for a login.
    pub fn is_guarded(&self, method: &str, path: &str) -> bool {
        self.queries.get(&(method.to_owned(), path.to_owned())).is_some_and(|contract| contract.guarded)
    }

    /// The methods of the operations at `path`, or none when there is no such path.
    pub fn methods(&self, path: &str) -> Option<&[String]> {
        self.path(path).map(|known| known.methods.as_slice())
    }

    /// The pattern that `path` is one of, or none when there is no such path.
    pub fn pattern(&self, path: &str) -> Option<Arc<str>> {
        self.path(path).map(|known| Arc::clone(&known.pattern))
    }

    fn path(&self, path: &str) -> Option<&PathContract> {
        self.paths.get(group(path))?.iter().find(|known| matches(&known.pattern, path))
    }
}

/// Whether `path` is one of those that `pattern` stands for: `{…}` is any part that is not empty.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut parts, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(found)) if part == found || (part.starts_with('{') && !found.is_empty()) => {}
            _ => return false,
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ContractError> {
    serde_json::from_str(text).map_err(|error| ContractError(error.to_string()))
}

/// Gathers the schemas that `value` refers to, and those that they refer to.
fn gather(
    value: &Value,
    components: &HashMap<String, Box<str>>,
    named: &mut Map<String, Value>,
) -> Result<(), ContractError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| gather(item, components, named)),
        Value::Object(entries) => entries.values().try_for_each(|entry| gather(entry, components, named)),
        Value::String(text) => {
            if let Some(name) = text.strip_prefix("#/components/schemas/")
                && let Some(schema) = components.get(name)
                && !named.contains_key(name)
            {
                let schema: Value = parse(schema)?;
                named.insert(name.to_owned(), schema.clone());
                gather(&schema, components, named)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn is_guarded(operation: &Value) -> bool {
    let requirements = operation.get("security").and_then(Value::as_array);
    requirements.is_some_and(|all| all.iter().any(|one| one.get("bearer").is_some()))
}

/// Whether the percent-encoded bytes of `query` are UTF-8.
fn is_utf8(query: &str) -> bool {
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let coded = tail.get(..2).filter(|_| first == b'%').and_then(|two| hex::decode(two).ok());
        rest = if coded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
        bytes.extend(coded.unwrap_or_else(|| vec![first]));
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// A name inside a JSON Pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A fault for every text with U+0000. The patterns of the document say so too, but not of every field.
fn find_nuls(value: &Value, at: &str, found: &mut Vec<Fault>) {
    match value {
        Value::String(text) => found.extend(nul(text, at)),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                find_nuls(item, &format!("{at}/{place}"), found);
            }
        }
        Value::Object(entries) => {
            for (name, entry) in entries {
                let at = format!("{at}/{}", escaped(name));
                found.extend(nul(name, &at));
                find_nuls(entry, &at, found);
            }
        }
        _ => {}
    }
}

fn nul(text: &str, at: &str) -> Option<Fault> {
    let detail = Text::new("不能含有空字符 U+0000", "must not contain U+0000");
    text.contains('\0').then(|| Fault::new(at, "nul", detail))
}

fn query_schema(operation: &Value) -> (HashMap<String, String>, Value) {
    let mut types = HashMap::new();
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        if parameter.get("in").and_then(Value::as_str) != Some("query") {
            continue;
        }
        let Some(name) = parameter.get("name").and_then(Value::as_str) else { continue };
        let schema = parameter.get("schema").cloned().unwrap_or_else(|| json!({}));
        let kind = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().find_map(Value::as_str).unwrap_or("string"),
            Some(Value::String(kind)) => kind,
            _ => "string",
        };
        types.insert(name.to_owned(), kind.to_owned());
        if parameter.get("required") == Some(&Value::Bool(true)) {
            required.push(Value::from(name));
        }
        properties.insert(name.to_owned(), schema);
    }
    let schema = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    (types, schema)
}

/// What a schema's complaint means for people.
fn faults(error: &jsonschema::ValidationError<'_>, prefix: &str) -> Vec<Fault> {
    let at = format!("{prefix}{}", error.instance_path());
    let one = |code, zh: String, en: String| vec![Fault::new(at.clone(), code, Text::new(zh, en))];
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![Fault::new(format!("{at}/{name}"), "required", Text::new("必填", "required"))]
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|name| {
                Fault::new(
                    format!("{at}/{}", escaped(name)),
                    "unknown",
                    Text::new("没有这个字段", "there is no such field"),
                )
            })
            .collect(),
        // A type without any field refuses each field with the schema `false`.
        ValidationErrorKind::FalseSchema => {
            one("unknown", "没有这个字段".into(), "there is no such field".into())
        }
        ValidationErrorKind::Type { .. } => one("type", "类型不对".into(), "wrong type".into()),
        ValidationErrorKind::MaxLength { limit } => {
            one("max_length", format!("最多 {limit} 个字"), format!("at most {limit} characters"))
        }
        ValidationErrorKind::MinLength { limit } => {
            one("min_length", format!("至少 {limit} 个字"), format!("at least {limit} characters"))
        }
        ValidationErrorKind::MaxItems { limit } => {
            one("max_items", format!("最多 {limit} 项"), format!("at most {limit} items"))
        }
        ValidationErrorKind::MinItems { limit } => {
            one("min_items", format!("至少 {limit} 项"), format!("at least {limit} items"))
        }
        ValidationErrorKind::Maximum { limit } => {
            one("maximum", format!("不能大于 {limit}"), format!("at most {limit}"))
        }
        ValidationErrorKind::Minimum { limit } => {
            one("minimum", format!("不能小于 {limit}"), format!("at least {limit}"))
        }
        ValidationErrorKind::Enum { options } => {
            let options = options
                .as_array()
                .map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
                .unwrap_or_default();
            one("enum", format!("只能是：{options}"), format!("must be one of: {options}"))
        }
        ValidationErrorKind::Format { format } => match format.as_str() {
            "date-time" => one(
                "format",
                "应为带时区的时间，如 2025-03-01T14:00:00+08:00".into(),
                "must be an instant with offset such as 2025-03-01T14:00:00+08:00".into(),
            ),
            "date" => {
                one("format", "应为日期，如 2025-03-01".into(), "must be a date such as 2025-03-01".into())
            }
            other => one("format", format!("格式应为 {other}"), format!("must have the format {other}")),
        },
        ValidationErrorKind::Pattern { pattern } if pattern == INSTANT || pattern == DAY => one(
            "range",
            "应在 1970 年到 2199 年之间，写法如 2025-03-01 或 2025-03-01T14:00:00+08:00".into(),
            "must lie in the years 1970 to 2199, written as 2025-03-01 or 2025-03-01T14:00:00+08:00".into(),
        ),
        ValidationErrorKind::Pattern { .. } => one("pattern", "格式不对".into(), "wrong format".into()),
        // An optional field is `oneOf [null, T]`: what T says is the answer.
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            let inner: Vec<Fault> = context
                .iter()
                .filter(|branch| !branch.iter().any(|e| matches!(e.kind(), ValidationErrorKind::Type { .. })))
                .flatten()
                .flat_map(|e| faults(e, prefix))
                .collect();
            if inner.is_empty() { one("type", "类型不对".into(), "wrong type".into()) } else { inner }
        }
        other => one("invalid", "不符合要求".into(), format!("does not satisfy {}", other.keyword())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        Contract::new(&crate::openapi::document()).unwrap()
    }

    fn codes(faults: &[Fault]) -> Vec<(&str, &str)> {
        faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect()
    }

    fn programme(name: &str) -> Value {
        json!({ "organisation_id": "org_01k5b8m3q2e9t8h6y1v7z4w0xn", "name": name, "summary": "", "kind": "training",
                "topic": "skills", "audience": "all" })
    }

    #[test]
    fn every_schema_can_be_compiled() {
        contract().verify().unwrap();
    }

    #[test]
    fn paths_are_found_part_by_part() {
        for (pattern, path, fits) in [
            ("/a/{id}", "/a/1", true),
            ("/a/{id}", "/a/", false),
            ("/a/{id}", "/a", false),
            ("/a/{id}", "/a/1/b", false),
            ("/a/{id}/b", "/a/1/b", true),
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/b/", false),
        ] {
            assert_eq!(matches(pattern, path), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn no_text_and_no_key_may_contain_nul() {
        let contract = contract();
        assert!(contract.check_body("ProgrammeInput", &programme("\u{1}\u{1F600}")).is_empty());
        let faults = contract.check_body("ProgrammeInput", &programme("a\0b"));
        assert_eq!(codes(&faults), [("/name", "nul")]);
        let faults = contract.check_body("ProgrammeInput", &json!({ "a/\0": [{ "~": "\0" }] }));
        assert_eq!(codes(&faults), [("/a~1\0", "nul"), ("/a~1\0/0/~0", "nul")]);
        for query in ["q=%00", "q=a%00b", "%00=1"] {
            let faults = contract.read_query("GET", "/api/v1/activities", query).unwrap_err();
            assert!(faults.iter().any(|fault| fault.code == "nul"), "{query}");
        }
    }

    #[test]
    fn a_query_is_utf8() {
        let contract = contract();
        let read = |query: &str| contract.read_query("GET", "/api/v1/activities", query);
        for query in ["q=%FF", "q=%C0%AF", "q=%ED%A0%80", "q=%E5%BC", "%FF=1"] {
            assert!(read(query).unwrap_err().iter().any(|fault| fault.code == "encoding"), "{query}");
        }
        for query in ["q=%E5%BC%A0", "q=%EF%BF%BD", "q=%", "q=%zz", "q=%2", "q=100%25", ""] {
            assert!(read(query).is_ok(), "{query}");
        }
    }

    #[test]
    fn instants_and_days_lie_in_the_years_that_both_engines_keep() {
        let contract = contract();
        let faults = |at: &str| {
            let body = json!({
                "title": "t", "summary": "", "venue": "v", "address": "", "capacity": 1,
                "signup_opens_at": at, "signup_closes_at": "2030-01-01T00:00:00Z",
            });
            contract.check_body("ActivityChangeInput", &body)
        };
        for at in [
            "1970-01-01T00:00:00Z",
            "2199-12-31T23:59:59.999999999-23:59",
            "2028-02-29T08:00:00+08:00",
            "2030-01-01T00:00:00.1Z",
        ] {
            assert!(faults(at).is_empty(), "{at}");
        }
        for at in [
            "1969-12-31T23:59:59Z",
            "2200-01-01T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "99999-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2025-02-30T00:00:00Z",
            "2030-06-30T23:59:60Z",
            "2030-01-01T00:00:00",
            "2030-01-01t00:00:00z",
            "2030-01-01T00:00:00Z\n",
        ] {
            assert_eq!(
                faults(at).first().map(|fault| fault.pointer.as_str()),
                Some("/signup_opens_at"),
                "{at}"
            );
        }
        let day = |day: &str| contract.read_query("GET", "/api/v1/activities", &format!("day={day}")).is_ok();
        assert!(day("1970-01-01") && day("2199-12-31") && day("2028-02-29"));
        assert!(!day("1969-12-31") && !day("2200-01-01") && !day("2025-02-29") && !day("12025-01-01"));
    }

    #[test]
    fn a_name_has_no_control_characters_and_no_space_around_it() {
        let contract = contract();
        let fine = |name: &str| contract.check_body("ProfileInput", &json!({ "name": name })).is_empty();
        assert!(fine("张") && fine("Anna Maria") && fine("买买提·艾力"));
        assert!(
            !fine("") && !fine(" a") && !fine("a ") && !fine("a\tb") && !fine("a\nb") && !fine("a\u{7f}")
        );
    }
}
