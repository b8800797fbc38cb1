//! Legal aid: cases that others opened, what applicant and team say to each other, consultations.

use super::{legal_cases, organisations, people};

diesel::table! {
    legal_glass (id) {
        id -> Binary,
        case_id -> Binary,
        person_id -> Binary,
        reason -> Text,
        text_sealed -> Text,
        opened_at -> Timestamp,
        ends_at -> Timestamp,
        ended_at -> Nullable<Timestamp>,
        told_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    legal_messages (id) {
        id -> Binary,
        case_id -> Binary,
        author_id -> Binary,
        voice -> Text,
        text_sealed -> Text,
        sent_at -> Timestamp,
        read_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    legal_consultations (id) {
        id -> Binary,
        organisation_id -> Binary,
        held_on -> Date,
        way -> Text,
        category -> Text,
        quantity -> BigInt,
        note_sealed -> Nullable<Text>,
        recorded_by -> Binary,
        recorded_at -> Timestamp,
        undone_at -> Nullable<Timestamp>,
    }
}

diesel::joinable!(legal_glass -> legal_cases (case_id));
diesel::joinable!(legal_consultations -> organisations (organisation_id));

diesel::allow_tables_to_appear_in_same_query!(legal_glass, legal_cases);
diesel::allow_tables_to_appear_in_same_query!(legal_glass, organisations);
diesel::allow_tables_to_appear_in_same_query!(legal_glass, people);
diesel::allow_tables_to_appear_in_same_query!(legal_consultations, organisations);
