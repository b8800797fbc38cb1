//! Legal aid's desk: decisions with their reasons, what is missing, objections.

use super::{legal_cases, organisations};

diesel::table! {
    legal_decisions (document_id) {
        document_id -> Binary,
        case_id -> Binary,
        kind -> Text,
        case_version -> BigInt,
        reason_codes -> Text,
        reasons_sealed -> Nullable<Text>,
        appeal_notice -> Nullable<Text>,
        decided_by -> Binary,
        decided_at -> Timestamp,
    }
}

diesel::table! {
    legal_supplements (case_id) {
        case_id -> Binary,
        document_id -> Binary,
        missing_sealed -> Text,
        given_by -> Binary,
        given_at -> Timestamp,
    }
}

diesel::table! {
    legal_objections (id) {
        id -> Binary,
        case_id -> Binary,
        case_version -> BigInt,
        against -> Text,
        raised_by -> Binary,
        decided_by -> Binary,
        text_sealed -> Text,
        raised_at -> Timestamp,
        taken_by -> Nullable<Binary>,
        taken_at -> Nullable<Timestamp>,
        outcome -> Nullable<Text>,
        answer_sealed -> Nullable<Text>,
        document_id -> Nullable<Binary>,
        answered_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::joinable!(legal_objections -> legal_cases (case_id));

diesel::allow_tables_to_appear_in_same_query!(legal_objections, legal_cases);
diesel::allow_tables_to_appear_in_same_query!(legal_objections, organisations);
