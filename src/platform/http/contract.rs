//! Requests are checked against the OpenAPI document itself.
//!
//! Types carry their limits (`#[schema(max_length = 80)]`); the document is generated from them; and the
//! checks are compiled from the document. So a limit is written once, all wrong fields are found at once, and what the
//! document promises is what the server enforces.

use std::collections::HashMap;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value, json};

use crate::error::{Fault, Text};

/// The compiled document.
pub struct Contract {
    bodies: HashMap<String, Validator>,
    queries: HashMap<(String, String), QueryContract>,
    paths: Vec<(actix_web::dev::ResourceDef, Vec<String>)>,
}

struct QueryContract {
    types: HashMap<String, String>,
    validator: Validator,
}

/// Why the document cannot be compiled: a mistake of the code, found at start and by the tests.
#[derive(Debug, thiserror::Error)]
#[error("the OpenAPI document cannot be compiled: {0}")]
pub struct ContractError(String);

impl Contract {
    /// Compiles `document`.
    pub fn compile(document: &utoipa::openapi::OpenApi) -> Result<Self, ContractError> {
        let fail = |e: &dyn std::fmt::Display| ContractError(e.to_string());
        let document = serde_json::to_value(document).map_err(|e| fail(&e))?;
        let components = document.get("components").cloned().unwrap_or_else(|| json!({}));
        let build = |schema: Value| {
            let mut root = schema.as_object().cloned().unwrap_or_default();
            root.insert("components".into(), components.clone());
            jsonschema::options()
                .should_validate_formats(true)
                .build(&Value::Object(root))
                .map_err(|e| fail(&e))
        };

        let mut bodies = HashMap::new();
        let mut queries = HashMap::new();
        let mut paths = Vec::new();
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            let mut methods = Vec::new();
            for (method, operation) in item.as_object().into_iter().flatten() {
                methods.push(method.to_uppercase());
                if let Some(reference) = operation
                    .pointer("/requestBody/content/application~1json/schema/$ref")
                    .and_then(Value::as_str)
                {
                    let name = reference.rsplit('/').next().unwrap_or_default().to_owned();
                    if !bodies.contains_key(&name) {
                        bodies.insert(name, build(json!({ "$ref": reference }))?);
                    }
                }
                let query = query_schema(operation);
                let validator = build(query.1)?;
                queries.insert(
                    (method.to_uppercase(), path.clone()),
                    QueryContract { types: query.0, validator },
                );
            }
            methods.sort();
            paths.push((actix_web::dev::ResourceDef::new(path.as_str()), methods));
        }
        Ok(Self { bodies, queries, paths })
    }

    /// All faults of a body of the type `name`.
    pub fn check_body(&self, name: &str, body: &Value) -> Vec<Fault> {
        match self.bodies.get(name) {
            Some(validator) => {
                let mut wrong: Vec<Fault> =
                    validator.iter_errors(body).flat_map(|e| faults(&e, "")).collect();
                wrong.extend(nuls(body, ""));
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
                wrong.push(Fault::new(format!("/query/{}", escape(&name)), "duplicate", detail));
            }
        }
        let object = Value::Object(object);
        wrong.extend(contract.validator.iter_errors(&object).flat_map(|e| faults(&e, "/query")));
        wrong.extend(nuls(&object, "/query"));
        if wrong.is_empty() { Ok(object) } else { Err(wrong) }
    }

    /// The methods of the operations at `path`, or none when there is no such path.
    pub fn methods(&self, path: &str) -> Option<&[String]> {
        self.paths.iter().find(|(resource, _)| resource.is_match(path)).map(|(_, methods)| methods.as_slice())
    }
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

/// Texts with U+0000, which JSON and addresses can say and PostgreSQL cannot keep.
fn nuls(value: &Value, at: &str) -> Vec<Fault> {
    match value {
        Value::String(text) if text.contains('\0') => {
            let detail = Text::new("不能含有空字符 U+0000", "must not contain U+0000");
            vec![Fault::new(at, "characters", detail)]
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(place, item)| nuls(item, &format!("{at}/{place}"))).collect()
        }
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, item)| nuls(item, &format!("{at}/{}", escape(name)))).collect()
        }
        _ => Vec::new(),
    }
}

/// A name as a step of a JSON pointer (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
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
                    format!("{at}/{}", escape(name)),
                    "unknown",
                    Text::new("没有这个字段", "there is no such field"),
                )
            })
            .collect(),
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
