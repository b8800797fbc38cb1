//! The OpenAPI document is what is committed, and says all that there is to say.

use std::collections::HashSet;

use serde_json::{Value, json};
use unionhall::error::Code;
use unionhall::platform::access::policy::POLICY;
use unionhall::platform::http::Contract;

use crate::harness::Test;
use crate::harness::document::{DOCUMENT, OPERATIONS, Operation};

pub const TESTS: &[Test] = plain_tests![
    the_committed_document_is_the_code_s,
    every_body_type_is_in_the_contract,
    every_operation_documents_its_refusals,
    every_operation_says_who_may_call_it,
    every_operation_is_explained_and_named_once,
    every_body_has_an_example_that_is_valid,
    every_code_has_its_text,
];

fn the_committed_document_is_the_code_s() {
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml")).unwrap();
    let made = unionhall::openapi::yaml().unwrap();
    if committed != made {
        let line = committed.lines().zip(made.lines()).take_while(|(a, b)| a == b).count() + 1;
        panic!(
            "openapi.yaml is not what the code says, from line {line} on. Look at the change, and if it is meant: \
             cargo run -- openapi > openapi.yaml"
        );
    }
}

fn every_body_type_is_in_the_contract() {
    let contract = Contract::new(&unionhall::openapi::document()).unwrap();
    for operation in OPERATIONS.iter() {
        let content = operation.value.pointer("/requestBody/content").and_then(Value::as_object);
        // What takes no JSON takes files.
        if content.is_none_or(|content| !content.contains_key("application/json")) {
            continue;
        }
        let name = operation.body.as_ref();
        let name = name.unwrap_or_else(|| panic!("the body of {} has no named type", operation.id));
        let faults = contract.check_body(name, &json!({ "no such field": 1 }));
        let codes: Vec<&str> = faults.iter().map(|fault| fault.code).collect();
        assert!(!codes.contains(&"unknown_type"), "{name} of {} is not in the contract", operation.id);
        assert!(codes.contains(&"unknown"), "{name} of {} takes any field: {codes:?}", operation.id);
    }
}

/// The statuses that an operation of this shape can refuse with.
fn refusals(operation: &Operation) -> Vec<u16> {
    let mut statuses = vec![429, 500, 503];
    if operation.path.starts_with("/api/") {
        statuses.push(400);
    }
    if operation.permission.is_some() {
        statuses.extend([401, 403]);
    }
    if operation.path.contains('{') {
        statuses.push(404);
    }
    if operation.value.get("requestBody").is_some() {
        statuses.extend([413, 415, 422]);
    }
    if operation.method == "GET" && operation.path.starts_with("/api/") {
        statuses.push(304);
    }
    if operation.takes_header("Idempotency-Key") {
        statuses.extend([409, 422]);
    }
    if operation.takes_header("If-Match") {
        statuses.extend([412, 428]);
    }
    statuses
}

fn every_operation_documents_its_refusals() {
    let mut missing = Vec::new();
    for operation in OPERATIONS.iter() {
        let documented = operation.statuses();
        for status in refusals(operation) {
            if !documented.contains(&status) {
                missing.push(format!("{} can answer {status}", operation.id));
            }
        }
        assert!((200..300).contains(&operation.success()));
    }
    assert!(missing.is_empty(), "not documented:\n{}", missing.join("\n"));
    // Every problem response is of the one problem type.
    for (name, response) in DOCUMENT["components"]["responses"].as_object().unwrap() {
        let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/Problem", "{name}");
    }
}

fn every_operation_says_who_may_call_it() {
    for operation in OPERATIONS.iter() {
        let security = &operation.value["security"];
        match &operation.permission {
            Some(permission) => assert!(
                POLICY.iter().any(|(known, _)| known == permission),
                "{} asks for {permission}, which no policy knows",
                operation.id
            ),
            None => {
                assert_eq!(security, &json!([{}]), "{} must say that everybody may call it", operation.id)
            }
        }
    }
    for (permission, _) in POLICY {
        let used = OPERATIONS.iter().any(|operation| operation.permission.as_deref() == Some(permission));
        assert!(used, "no operation asks for {permission}");
    }
}

fn every_operation_is_explained_and_named_once() {
    let tags: HashSet<&str> =
        DOCUMENT["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut names = HashSet::new();
    for operation in OPERATIONS.iter() {
        assert!(names.insert(&operation.id), "{} twice", operation.id);
        let summary = operation.value["summary"].as_str().unwrap_or_default();
        assert!(summary.contains(" / "), "{} is not summed up in English and Chinese", operation.id);
        for tag in operation.value["tags"].as_array().unwrap() {
            assert!(tags.contains(tag.as_str().unwrap()), "{} has the unknown tag {tag}", operation.id);
        }
    }
}

fn every_body_has_an_example_that_is_valid() {
    let contract = Contract::new(&unionhall::openapi::document()).unwrap();
    for operation in OPERATIONS.iter() {
        let Some(name) = &operation.body else { continue };
        let example = &DOCUMENT["components"]["schemas"][name]["example"];
        assert_ne!(example, &Value::Null, "{name} has no example");
        let faults = contract.check_body(name, example);
        assert!(faults.is_empty(), "the example of {name} is not valid: {faults:?}");
    }
}

fn every_code_has_its_text() {
    let (mut codes, mut chinese, mut english) = (HashSet::new(), HashSet::new(), HashSet::new());
    for code in Code::ALL {
        let (name, title) = (code.as_str(), code.title());
        assert!(codes.insert(name), "{name} twice");
        assert!(chinese.insert(title.zh.clone()), "the Chinese text of {name} is another's");
        assert!(english.insert(title.en.clone()), "the English text of {name} is another's");
        assert!(title.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{name} in Chinese");
        assert!(title.en.is_ascii() && title.en.len() > 5, "{name} in English");
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(plain), "{name} is no plain word");
        // Where nothing is documented about a status, no operation can answer with the code.
        let documented =
            DOCUMENT["components"]["responses"].get(format!("Problem{}", code.status().as_u16()));
        let of_the_framework = [404, 405, 406, 408, 414].contains(&code.status().as_u16());
        assert!(documented.is_some() || of_the_framework, "no response is documented for {name}");
    }
}
