//! What is offered.

diesel::table! {
    topics (code) {
        code -> Text,
        name -> Text,
    }
}

diesel::table! {
    programmes (id) {
        id -> Binary,
        code -> Nullable<Text>,
        organisation_id -> Binary,
        name -> Text,
        summary -> Text,
        kind -> Text,
        topic -> Text,
        audience -> Text,
        version -> BigInt,
        created_at -> Timestamp,
    }
}

diesel::table! {
    activities (id) {
        id -> Binary,
        code -> Nullable<Text>,
        programme_id -> Binary,
        organisation_id -> Binary,
        street_id -> Nullable<Binary>,
        title -> Text,
        summary -> Text,
        venue -> Text,
        address -> Text,
        state -> Text,
        state_reason -> Nullable<Text>,
        allocation -> Text,
        capacity -> BigInt,
        bookable -> BigInt,
        taken -> BigInt,
        held -> BigInt,
        numbered -> BigInt,
        split -> Bool,
        waiting_list -> Text,
        own_clash -> Text,
        free_cancel_hours -> Nullable<BigInt>,
        fair_minutes -> BigInt,
        waves -> Text,
        signup_opens_at -> Timestamp,
        signup_closes_at -> Timestamp,
        starts_at -> Timestamp,
        ends_at -> Timestamp,
        moved_at -> Nullable<Timestamp>,
        version -> BigInt,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        members_only -> Bool,
    }
}

diesel::table! {
    sessions (id) {
        id -> Binary,
        activity_id -> Binary,
        number -> BigInt,
        starts_at -> Timestamp,
        ends_at -> Timestamp,
        state -> Text,
        state_reason -> Nullable<Text>,
        held -> Nullable<Bool>,
        present -> BigInt,
        finalised_at -> Nullable<Timestamp>,
        finalised_by -> Nullable<Binary>,
        version -> BigInt,
        reopened_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    completion_rules (activity_id) {
        activity_id -> Binary,
        share_of -> Text,
        percent -> BigInt,
    }
}

diesel::table! {
    attendance_roles (code) {
        code -> Text,
        name -> Text,
        takes_place -> Bool,
        counts -> Bool,
        earns_hours -> Bool,
    }
}

diesel::table! {
    resources (id) {
        id -> Binary,
        kind -> Text,
        organisation_id -> Binary,
        name -> Text,
        seats -> Nullable<BigInt>,
        margin_minutes -> BigInt,
        closed_at -> Nullable<Timestamp>,
        version -> BigInt,
        created_at -> Timestamp,
    }
}

diesel::table! {
    bookings (resource_id, session_id) {
        resource_id -> Binary,
        session_id -> Binary,
        starts_at -> Timestamp,
        ends_at -> Timestamp,
    }
}

diesel::table! {
    activity_templates (id) {
        id -> Binary,
        organisation_id -> Binary,
        name -> Text,
        body -> Text,
        made_by -> Binary,
        version -> BigInt,
        created_at -> Timestamp,
    }
}

diesel::table! {
    imported_rows (organisation_id, row_key) {
        organisation_id -> Binary,
        row_key -> Text,
        digest -> Binary,
        activity_id -> Binary,
        imported_by -> Binary,
        imported_at -> Timestamp,
    }
}
