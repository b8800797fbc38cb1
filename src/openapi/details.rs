//! What the types do not say: limits that hold for every text and instant of a request, headers of answers, and names
//! for the items of pages.

use std::collections::BTreeSet;

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{Array, ArrayItems, Object, SchemaFormat, SchemaType};
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, Schema, Type,
};

use crate::platform::http::contract::{DAY, INSTANT, NO_NUL};

/// Letters, digits and a few signs, as the extractor of the key checks.
const IDEMPOTENCY_KEY: &str = "^[A-Za-z0-9._:-]{8,100}$";
/// Base64url, as `platform::http::page` makes them.
const CURSOR: &str = "^[A-Za-z0-9_-]+$";
/// As `platform::http::reply` makes them.
const ETAG: &str = "^\"v[0-9]+-[0-9a-f]{16}\"$";

/// Puts the limits of every request into the document: into its parameters, and into what its bodies are made of.
pub(super) fn limit_requests(document: &mut OpenApi) {
    let mut names = Vec::new();
    let OpenApi { paths, components, .. } = document;
    let Some(components) = components else { return };
    for item in paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.parameters.iter_mut().flatten().for_each(limit_parameter);
            let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
            // A file has no fields and is always needed.
            let mut needed = body.content.keys().any(|media| media != "application/json");
            let contents = body.content.values_mut().filter_map(|content| match content {
                RefOr::T(content) => content.schema.as_mut(),
                RefOr::Ref(_) => None,
            });
            for schema in contents {
                limit(schema, &mut names);
                let known = names.last().and_then(|name| components.schemas.get(name));
                needed |= matches!(known, Some(RefOr::T(Schema::Object(body))) if !body.required.is_empty());
            }
            // An act that needs no field may come without a body.
            body.required = Some(if needed { Required::True } else { Required::False });
        }
    }
    let mut done = BTreeSet::new();
    while let Some(name) = names.pop() {
        if let Some(schema) = components.schemas.get_mut(&name).filter(|_| done.insert(name)) {
            limit(schema, &mut names);
        }
    }
}

fn limit_parameter(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(parameter) = parameter else { return };
    let pattern = match (&parameter.parameter_in, parameter.name.as_str()) {
        (ParameterIn::Header, "Idempotency-Key") => Some(IDEMPOTENCY_KEY),
        (ParameterIn::Header, "If-Match") => Some(ETAG),
        (ParameterIn::Query, "cursor") => Some(CURSOR),
        _ => None,
    };
    match (&mut parameter.schema, pattern) {
        (Some(RefOr::T(Schema::Object(text))), Some(pattern)) => text.pattern = Some(pattern.into()),
        // Ids have patterns of their own; nothing else is referred to by parameters.
        (Some(schema), None) => limit(schema, &mut Vec::new()),
        _ => {}
    }
}

/// Limits the texts inside `schema` and adds to `names` what it refers to.
fn limit(schema: &mut RefOr<Schema>, names: &mut Vec<String>) {
    match schema {
        RefOr::Ref(reference) => names.extend(reference.ref_location.rsplit('/').next().map(str::to_owned)),
        RefOr::T(Schema::Object(object)) => {
            limit_text(object);
            object.properties.values_mut().for_each(|property| limit(property, names));
        }
        RefOr::T(Schema::Array(Array { items: ArrayItems::RefOrSchema(items), .. })) => limit(items, names),
        RefOr::T(Schema::OneOf(any)) => any.items.iter_mut().for_each(|item| limit(item, names)),
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(|item| limit(item, names)),
        RefOr::T(Schema::AnyOf(any)) => any.items.iter_mut().for_each(|item| limit(item, names)),
        RefOr::T(_) => {}
    }
}

fn limit_text(object: &mut Object) {
    let is_text = match &object.schema_type {
        SchemaType::Type(kind) => *kind == Type::String,
        SchemaType::Array(kinds) => kinds.contains(&Type::String),
        SchemaType::AnyValue => false,
    };
    if !is_text || object.pattern.is_some() || object.enum_values.is_some() {
        return;
    }
    object.pattern = match object.format {
        Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)) => Some(INSTANT.into()),
        Some(SchemaFormat::KnownFormat(KnownFormat::Date)) => Some(DAY.into()),
        Some(_) => None,
        None => Some(NO_NUL.into()),
    };
}

/// Pages carry their items in full; where the item has a name, the name says it.
pub(super) fn name_page_items(document: &mut OpenApi) {
    let Some(components) = &mut document.components else { return };
    let names: BTreeSet<String> = components.schemas.keys().cloned().collect();
    for (page, schema) in &mut components.schemas {
        let item = page.strip_prefix("Page_").filter(|item| names.contains(*item));
        if let (Some(item), RefOr::T(Schema::Object(object))) = (item, schema)
            && let Some(RefOr::T(Schema::Array(items))) = object.properties.get_mut("items")
        {
            items.items = ArrayItems::RefOrSchema(Box::new(RefOr::Ref(Ref::from_schema_name(item))));
        }
    }
}

fn header(description: &str, schema: ObjectBuilder) -> Header {
    HeaderBuilder::new().schema(Some(schema.build())).description(Some(description)).build()
}

fn text(pattern: Option<&str>, longest: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(pattern).max_length(Some(longest))
}

fn etag() -> Header {
    header("Names this state of the resource", text(Some(ETAG), 100))
}

/// `Retry-After` in seconds.
pub(super) fn retry_after() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(86_400));
    header("Seconds to wait before trying again; on a 409 only while the same request runs", seconds)
}

/// `WWW-Authenticate`.
pub(super) fn challenge() -> Header {
    header("How to authenticate", text(None, 100))
}

/// A read that may be answered with "not modified".
pub(super) fn conditional(operation: &mut Operation) {
    if let Some(RefOr::T(found)) = operation.responses.responses.get_mut("200") {
        found.headers.insert("ETag".into(), etag().into());
    }
    let unchanged =
        ResponseBuilder::new().description("As `If-None-Match` names it").header("ETag", etag()).build();
    operation.responses.responses.insert("304".into(), RefOr::T(unchanged));
}

/// Headers of the answers to acts.
pub(super) fn answer_headers(operation: &mut Operation, idempotent: bool, conditional: bool) {
    for (code, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if !matches!(code.as_str(), "200" | "201" | "202") || !(idempotent || conditional) {
            continue;
        }
        response.headers.insert("ETag".into(), etag().into());
        if idempotent {
            let replayed = header("`true` when this answers a repetition", text(Some("^true$"), 4));
            response.headers.insert("Idempotency-Replayed".into(), replayed.into());
        }
        if matches!(code.as_str(), "201" | "202") {
            let location = header("Where the new resource is", text(Some("^/api/v1/"), 200));
            response.headers.insert("Location".into(), location.into());
        }
    }
}
