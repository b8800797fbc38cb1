//! The union tree, persons, their logins, roles and memberships, and what they are told.

diesel::table! {
    organisations (id) {
        id -> Binary,
        code -> Text,
        name -> Text,
        short_name -> Text,
        kind -> Text,
        parent_id -> Nullable<Binary>,
        path -> Text,
        street_id -> Nullable<Binary>,
        division_code -> Nullable<Text>,
        level -> Nullable<Text>,
        opened_on -> Date,
        closed_on -> Nullable<Date>,
        version -> BigInt,
    }
}

diesel::table! {
    people (id) {
        id -> Binary,
        name -> Nullable<Text>,
        phone_sealed -> Nullable<Text>,
        phone_index -> Nullable<Binary>,
        id_number_sealed -> Nullable<Text>,
        id_number_index -> Nullable<Binary>,
        workplace_id -> Nullable<Binary>,
        disabled_at -> Nullable<Timestamp>,
        version -> BigInt,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        erased_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    person_merges (id) {
        id -> Binary,
        kept_id -> Binary,
        merged_id -> Binary,
        state -> Text,
        reason -> Text,
        was_enabled -> Bool,
        proposed_by -> Binary,
        proposed_at -> Timestamp,
        decided_by -> Nullable<Binary>,
        decided_at -> Nullable<Timestamp>,
        parting_reason -> Nullable<Text>,
        parting_by -> Nullable<Binary>,
        parting_at -> Nullable<Timestamp>,
        parted_by -> Nullable<Binary>,
        parted_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    wechat_identities (appid, openid) {
        appid -> Text,
        openid -> Text,
        person_id -> Binary,
        unionid -> Nullable<Text>,
        session_key_sealed -> Nullable<Text>,
        created_at -> Timestamp,
        last_login_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    token_families (id) {
        id -> Binary,
        person_id -> Binary,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        ended_at -> Nullable<Timestamp>,
        ended_because -> Nullable<Text>,
    }
}

diesel::table! {
    refresh_tokens (token_hash) {
        token_hash -> Binary,
        family_id -> Binary,
        issued_at -> Timestamp,
        expires_at -> Timestamp,
        used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    staff_grants (id) {
        id -> Binary,
        person_id -> Binary,
        role -> Text,
        organisation_id -> Binary,
        granted_by -> Nullable<Binary>,
        granted_at -> Timestamp,
        revoked_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    notices (id) {
        id -> Binary,
        person_id -> Binary,
        source -> Text,
        kind -> Text,
        title -> Text,
        body -> Text,
        link -> Nullable<Text>,
        created_at -> Timestamp,
        read_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    person_audiences (person_id, audience) {
        person_id -> Binary,
        audience -> Text,
        basis -> Text,
        recorded_by -> Binary,
        recorded_at -> Timestamp,
    }
}

diesel::table! {
    memberships (id) {
        id -> Binary,
        person_id -> Binary,
        organisation_id -> Binary,
        state -> Text,
        since -> Nullable<Date>,
        claimed_at -> Timestamp,
        verified_at -> Nullable<Timestamp>,
        ended_at -> Nullable<Timestamp>,
        ended_because -> Nullable<Text>,
        version -> BigInt,
    }
}
