//! Legal aid on paper: numbered documents, closing reports, return visits, satisfaction, file checks, subsidies.

diesel::table! {
    legal_numbers (desk_id, year, kind) {
        desk_id -> Binary,
        year -> BigInt,
        kind -> Text,
        last -> BigInt,
    }
}

diesel::table! {
    legal_documents (id) {
        id -> Binary,
        case_id -> Binary,
        kind -> Text,
        desk_id -> Binary,
        year -> BigInt,
        serial -> BigInt,
        number -> Text,
        template -> BigInt,
        paper_sealed -> Text,
        issued_by -> Nullable<Binary>,
        issued_at -> Timestamp,
        delivered_at -> Nullable<Timestamp>,
        delivery -> Nullable<Text>,
        delivered_by -> Nullable<Binary>,
        read_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    legal_reports (case_id) {
        case_id -> Binary,
        result -> Text,
        recovered_fen -> BigInt,
        minutes -> BigInt,
        summary_sealed -> Text,
        reported_by -> Binary,
        reported_at -> Timestamp,
        document_id -> Nullable<Binary>,
        closed_by -> Nullable<Binary>,
        version -> BigInt,
    }
}

diesel::table! {
    legal_return_visits (case_id) {
        case_id -> Binary,
        percent -> BigInt,
        due_on -> Date,
        visited_by -> Nullable<Binary>,
        visited_at -> Nullable<Timestamp>,
        way -> Nullable<Text>,
        outcome -> Nullable<Text>,
        note_sealed -> Nullable<Text>,
    }
}

diesel::table! {
    legal_satisfactions (case_id) {
        case_id -> Binary,
        score -> BigInt,
        text_sealed -> Nullable<Text>,
        given_at -> Timestamp,
    }
}

diesel::table! {
    legal_file_checks (case_id) {
        case_id -> Binary,
        present -> Text,
        missing -> Text,
        complete -> Bool,
        note_sealed -> Nullable<Text>,
        checked_by -> Binary,
        checked_at -> Timestamp,
        version -> BigInt,
    }
}

diesel::table! {
    legal_subsidies (case_id) {
        case_id -> Binary,
        person_id -> Binary,
        amount_fen -> BigInt,
        policy -> Text,
        policy_from -> Date,
        granted_by -> Binary,
        granted_at -> Timestamp,
    }
}
