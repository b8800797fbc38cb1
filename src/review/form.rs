//! What answers to a form look like in the OpenAPI document, and so what the server takes.

use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::chain::ANSWER_MAX;

/// Fields of a form at most.
pub const FIELDS_MAX: usize = 40;

/// Texts by the key of their field.
pub fn schema() -> Object {
    let answer = ObjectBuilder::new().schema_type(Type::String).max_length(Some(ANSWER_MAX));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(answer))
        .max_properties(Some(FIELDS_MAX))
        .description(Some("Answers, by the key of their field"))
        .build()
}
