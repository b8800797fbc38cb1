//! What people wrote or uploaded, and what the content check says of it.

use super::organisations;

diesel::table! {
    content_checks (id) {
        id -> Binary,
        kind -> Text,
        room -> Text,
        row_id -> Binary,
        field -> Text,
        person_id -> Binary,
        organisation_id -> Nullable<Binary>,
        case_id -> Nullable<Binary>,
        state -> Text,
        label -> Nullable<BigInt>,
        trace_id -> Nullable<Text>,
        asked_at -> Timestamp,
        decided_by -> Nullable<Binary>,
        decided_at -> Nullable<Timestamp>,
        reason -> Nullable<Text>,
        version -> BigInt,
    }
}

diesel::joinable!(content_checks -> organisations (organisation_id));

diesel::allow_tables_to_appear_in_same_query!(content_checks, organisations);
