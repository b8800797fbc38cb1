//! The OpenAPI document as clients read it. Every answer that an actor gets is held against it: a status that is
//! not documented, a body that is not of the documented type, or a field that is not in it fails the test.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

/// Answers of an operation with one status that are held against the document, in one run of the suite.
const LOOKS: u32 = 200;

/// An operation of the document.
#[derive(Debug)]
pub struct Operation {
    /// Such as `signup_create`.
    pub id: String,
    /// In capitals.
    pub method: String,
    /// With its parameters in braces.
    pub path: String,
    /// The permission that it asks for; none when everybody may call it.
    pub permission: Option<String>,
    /// The name of its body's type.
    pub body: Option<String>,
    /// The whole operation.
    pub value: Value,
}

/// The document as JSON.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(unionhall::openapi::document()).unwrap());

/// Every operation, by path and method.
pub static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, value) in item.as_object().unwrap() {
            all.push(Operation::new(path, method, value));
        }
    }
    all
});

/// The component schemas, with a prohibition of fields that are not in them.
static STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut components = DOCUMENT["components"].clone();
    let parts = parts_of_others(&components);
    for (name, schema) in components["schemas"].as_object_mut().unwrap() {
        let schema = schema.as_object_mut().unwrap();
        if parts.contains(name.as_str()) || schema.contains_key("additionalProperties") {
            continue;
        }
        if schema.contains_key("allOf") {
            schema.insert("unevaluatedProperties".into(), Value::Bool(false));
        } else if schema.contains_key("properties") {
            schema.insert("additionalProperties".into(), Value::Bool(false));
        }
    }
    components
});

impl Operation {
    fn new(path: &str, method: &str, value: &Value) -> Self {
        let permission = value["security"].as_array().into_iter().flatten().find_map(|one| {
            let scopes = one.get("bearer")?.as_array().unwrap();
            assert_eq!(scopes.len(), 1, "{method} {path} names one permission");
            Some(scopes[0].as_str().unwrap().to_owned())
        });
        let body = value.pointer("/requestBody/content/application~1json/schema/$ref");
        Self {
            id: value["operationId"].as_str().unwrap().to_owned(),
            method: method.to_uppercase(),
            path: path.to_owned(),
            permission,
            body: body.map(|reference| reference.as_str().unwrap().rsplit('/').next().unwrap().to_owned()),
            value: value.clone(),
        }
    }

    /// Every documented status.
    pub fn statuses(&self) -> Vec<u16> {
        self.value["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect()
    }

    /// The status of success.
    pub fn success(&self) -> u16 {
        let good: Vec<u16> =
            self.statuses().into_iter().filter(|status| (200..300).contains(status)).collect();
        assert_eq!(good.len(), 1, "{} has one status of success", self.id);
        good[0]
    }

    /// Whether a header parameter of this name is documented.
    pub fn takes_header(&self, name: &str) -> bool {
        self.value["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|p| p["in"] == "header" && p["name"] == name)
    }

    /// The path with the documents' own examples in place of its parameters: well-formed, and of nothing.
    pub fn example_path(&self) -> String {
        let mut path = self.path.clone();
        for parameter in
            self.value["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "path")
        {
            let name = parameter["name"].as_str().unwrap();
            let schema = match parameter["schema"]["$ref"].as_str() {
                Some(reference) => DOCUMENT.pointer(&reference[1..]).unwrap(),
                None => &parameter["schema"],
            };
            let example = match name {
                "year" => "2025",
                "code" => "07a",
                "number" => "7",
                "period" => "03",
                _ => schema["examples"][0].as_str().unwrap(),
            };
            path = path.replace(&format!("{{{name}}}"), example);
        }
        assert!(!path.contains('{'), "{path}");
        path
    }

    fn is_at(&self, path: &str) -> bool {
        let (mut ours, mut theirs) = (self.path.split('/'), path.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(our), Some(their)) if our == their || (our.starts_with('{') && !their.is_empty()) => {}
                _ => return false,
            }
        }
    }
}

/// The operation that answers `method` at `path`.
pub fn find(method: &str, path: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.method == method && operation.is_at(path))
}

/// What an answer has that the document does not say.
pub fn contradiction(
    method: &str,
    path: &str,
    status: u16,
    media: Option<&str>,
    body: &Value,
) -> Option<String> {
    let operation = find(method, path)?;
    if enough(operation, status) {
        return None;
    }
    let responses = &operation.value["responses"];
    let Some(mut response) = responses.get(status.to_string()) else {
        return Some(format!("{} answers {status}, which is not documented", operation.id));
    };
    if let Some(reference) = response.get("$ref").and_then(Value::as_str) {
        response = DOCUMENT.pointer(&reference[1..])?;
    }
    let Some(content) = response.get("content").and_then(Value::as_object).filter(|c| !c.is_empty()) else {
        return media
            .map(|media| format!("{} answers {status} with {media}, documented without body", operation.id));
    };
    let essence = media.and_then(|media| media.split(';').next()).unwrap_or("nothing").trim();
    let Some(documented) = content.get(essence) else {
        return Some(format!("{} answers {status} as {essence}, which is not documented", operation.id));
    };
    if !essence.ends_with("json") {
        return None;
    }
    let validator = validator(documented.get("schema")?);
    let faults: Vec<String> =
        validator.iter_errors(body).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    let text = faults.join("; ");
    (!faults.is_empty())
        .then(|| format!("{} answers {status} with what is not documented: {text}", operation.id))
}

/// Whether so many answers of this kind were looked at that a crowd's need not be.
fn enough(operation: &Operation, status: u16) -> bool {
    static LOOKED_AT: LazyLock<Mutex<HashMap<(String, u16), u32>>> = LazyLock::new(Mutex::default);
    let mut looked_at = LOOKED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    let number = looked_at.entry((operation.id.clone(), status)).or_default();
    *number += 1;
    *number > LOOKS
}

/// Compiled once for each schema.
fn validator(schema: &Value) -> Arc<Validator> {
    static COMPILED: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let key = schema.to_string();
    if let Some(known) = COMPILED.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Arc::clone(known);
    }
    let root = json!({ "allOf": [schema], "unevaluatedProperties": false, "components": &*STRICT });
    let compiled = Arc::new(jsonschema::options().should_validate_formats(true).build(&root).unwrap());
    COMPILED.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&compiled));
    compiled
}

/// Schemas that others are put together from, and which therefore see the others' fields.
fn parts_of_others(value: &Value) -> HashSet<String> {
    let mut found = HashSet::new();
    match value {
        Value::Object(object) => {
            for part in object.get("allOf").and_then(Value::as_array).into_iter().flatten() {
                if let Some(reference) = part.get("$ref").and_then(Value::as_str) {
                    found.extend(reference.rsplit('/').next().map(ToOwned::to_owned));
                }
            }
            found.extend(object.values().flat_map(parts_of_others));
        }
        Value::Array(list) => found.extend(list.iter().flat_map(parts_of_others)),
        _ => {}
    }
    found
}
