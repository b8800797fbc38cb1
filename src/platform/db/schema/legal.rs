//! Legal aid: requests and cases, their terms, and who knows of them.

diesel::table! {
    legal_cases (id) {
        id -> Binary,
        number -> Nullable<Text>,
        person_id -> Binary,
        desk_id -> Binary,
        street_id -> Nullable<Binary>,
        category -> Text,
        matter -> Nullable<Text>,
        form -> Text,
        facts_sealed -> Text,
        event -> Nullable<Text>,
        event_on -> Nullable<Date>,
        limitation_on -> Nullable<Date>,
        urgent -> Bool,
        means -> Text,
        state -> Text,
        members -> BigInt,
        received_at -> Timestamp,
        decided_at -> Nullable<Timestamp>,
        ended_at -> Nullable<Timestamp>,
        ground -> Nullable<Text>,
        version -> BigInt,
    }
}

diesel::table! {
    legal_clocks (id) {
        id -> Binary,
        case_id -> Binary,
        kind -> Text,
        term -> Text,
        started_at -> Timestamp,
        due_at -> Nullable<Timestamp>,
        amber_at -> Nullable<Timestamp>,
        trail -> Text,
        stopped_at -> Nullable<Timestamp>,
        warned_at -> Nullable<Timestamp>,
        breached_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    legal_pauses (clock_id, began_at) {
        clock_id -> Binary,
        began_at -> Timestamp,
        ended_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    legal_team (id) {
        id -> Binary,
        case_id -> Binary,
        person_id -> Binary,
        role -> Text,
        joined_at -> Timestamp,
        left_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    legal_events (id) {
        id -> Binary,
        case_id -> Binary,
        at -> Timestamp,
        actor_id -> Nullable<Binary>,
        act -> Text,
        state -> Text,
        document_id -> Nullable<Binary>,
        note_sealed -> Nullable<Text>,
    }
}

diesel::table! {
    legal_parties (case_id, side, who) {
        case_id -> Binary,
        side -> Text,
        who -> Binary,
    }
}

diesel::joinable!(legal_clocks -> legal_cases (case_id));
diesel::joinable!(legal_team -> legal_cases (case_id));
diesel::joinable!(legal_events -> legal_cases (case_id));
diesel::joinable!(legal_parties -> legal_cases (case_id));

diesel::allow_tables_to_appear_in_same_query!(
    legal_cases,
    legal_clocks,
    legal_pauses,
    legal_team,
    legal_events,
    legal_parties,
);
