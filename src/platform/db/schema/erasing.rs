//! Whose personal data was erased, and what the law keeps of it.

diesel::table! {
    erasures (person_id) {
        person_id -> Binary,
        way -> Text,
        asked_by -> Binary,
        erased_at -> Timestamp,
        removed -> Text,
    }
}

diesel::table! {
    erasure_kept (kind, row_id) {
        kind -> Text,
        row_id -> Binary,
        person_id -> Binary,
        until_on -> Date,
        policy -> Text,
        policy_from -> Date,
        ended_at -> Nullable<Timestamp>,
    }
}
