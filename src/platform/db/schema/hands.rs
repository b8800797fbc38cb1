//! Hands of legal aid: stations, lawyers and their turns, changes of lawyer, referrals, and the workers of group cases.

use super::{legal_cases, organisations, people};

diesel::table! {
    legal_stations (id) {
        id -> Binary,
        kind -> Text,
        name -> Text,
        organisation_id -> Binary,
        address -> Text,
        phone -> Nullable<Text>,
        hours -> Nullable<Text>,
        opened_on -> Date,
        closed_on -> Nullable<Date>,
        version -> BigInt,
    }
}

diesel::table! {
    legal_lawyers (id) {
        id -> Binary,
        person_id -> Binary,
        station_id -> Binary,
        firm -> Text,
        licence_sealed -> Text,
        licence_index -> Binary,
        phone_sealed -> Text,
        kinds -> Text,
        capacity -> BigInt,
        on_duty_from -> Date,
        on_duty_until -> Nullable<Date>,
        registered_at -> Timestamp,
        version -> BigInt,
    }
}

diesel::table! {
    legal_lawyer_clients (lawyer_id, who) {
        lawyer_id -> Binary,
        who -> Binary,
    }
}

diesel::table! {
    legal_turns (case_id, round, lawyer_id) {
        case_id -> Binary,
        round -> BigInt,
        lawyer_id -> Binary,
        place -> BigInt,
        recent -> BigInt,
        open -> BigInt,
        skipped -> Nullable<Text>,
        note_sealed -> Nullable<Text>,
        at -> Timestamp,
    }
}

diesel::table! {
    legal_lawyer_changes (id) {
        id -> Binary,
        case_id -> Binary,
        lawyer_id -> Binary,
        reason_sealed -> Text,
        state -> Text,
        asked_at -> Timestamp,
        due_at -> Timestamp,
        decided_by -> Nullable<Binary>,
        decided_at -> Nullable<Timestamp>,
        answer_sealed -> Nullable<Text>,
        successor_id -> Nullable<Binary>,
        version -> BigInt,
    }
}

diesel::table! {
    legal_referrals (id) {
        id -> Binary,
        case_id -> Binary,
        destination -> Text,
        office -> Text,
        fields -> Text,
        reason_sealed -> Text,
        data_sealed -> Text,
        state -> Text,
        proposed_by -> Binary,
        proposed_at -> Timestamp,
        answered_at -> Nullable<Timestamp>,
        sent_by -> Nullable<Binary>,
        sent_at -> Nullable<Timestamp>,
        outcome_at -> Nullable<Timestamp>,
        outcome_sealed -> Nullable<Text>,
        version -> BigInt,
    }
}

diesel::table! {
    legal_members (id) {
        id -> Binary,
        case_id -> Binary,
        place -> BigInt,
        person_id -> Nullable<Binary>,
        name_sealed -> Text,
        phone_sealed -> Nullable<Text>,
        phone_index -> Nullable<Binary>,
        amount_sealed -> Nullable<Text>,
        representative -> Bool,
        state -> Text,
        answered_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::joinable!(legal_stations -> organisations (organisation_id));
diesel::joinable!(legal_lawyers -> legal_stations (station_id));
diesel::joinable!(legal_lawyers -> people (person_id));
diesel::joinable!(legal_lawyer_clients -> legal_lawyers (lawyer_id));
diesel::joinable!(legal_turns -> legal_lawyers (lawyer_id));
diesel::joinable!(legal_members -> legal_cases (case_id));

diesel::allow_tables_to_appear_in_same_query!(legal_stations, legal_lawyers);
diesel::allow_tables_to_appear_in_same_query!(legal_stations, organisations);
diesel::allow_tables_to_appear_in_same_query!(legal_lawyers, organisations);
diesel::allow_tables_to_appear_in_same_query!(legal_stations, people);
diesel::allow_tables_to_appear_in_same_query!(legal_lawyers, people);
diesel::allow_tables_to_appear_in_same_query!(legal_lawyer_clients, legal_lawyers);
diesel::allow_tables_to_appear_in_same_query!(legal_turns, legal_lawyers);
diesel::allow_tables_to_appear_in_same_query!(legal_members, legal_cases);
diesel::allow_tables_to_appear_in_same_query!(legal_members, people);
