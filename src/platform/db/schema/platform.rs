//! What every room stands on: answers under keys, jobs, audit, files; figures of policy and the calendar.

diesel::table! {
    idempotency_keys (principal, idempotency_key) {
        principal -> Binary,
        idempotency_key -> Text,
        fingerprint -> Binary,
        status -> BigInt,
        location -> Nullable<Text>,
        etag -> Nullable<Text>,
        body -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    jobs (id) {
        id -> Binary,
        kind -> Text,
        payload -> Text,
        dedupe_key -> Nullable<Text>,
        state -> Text,
        run_at -> Timestamp,
        attempts -> BigInt,
        leased_by -> Nullable<Text>,
        leased_until -> Nullable<Timestamp>,
        last_error -> Nullable<Text>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    audit_entries (seq) {
        seq -> BigInt,
        at -> Timestamp,
        actor -> Nullable<Binary>,
        action -> Text,
        object -> Text,
        detail -> Text,
        previous_hash -> Binary,
        hash -> Binary,
    }
}

diesel::table! {
    audit_head (id) {
        id -> BigInt,
        seq -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    policies (policy_key, effective_from) {
        policy_key -> Text,
        effective_from -> Date,
        value -> Text,
        unit -> Text,
        source -> Text,
    }
}

diesel::table! {
    calendar_days (day) {
        day -> Date,
        kind -> Text,
        name -> Text,
        source -> Text,
    }
}

diesel::table! {
    calendar_years (year) {
        year -> BigInt,
        source -> Text,
    }
}

diesel::table! {
    files (id) {
        id -> Binary,
        owner_id -> Binary,
        class -> Text,
        media_type -> Text,
        bytes -> BigInt,
        width -> Nullable<BigInt>,
        height -> Nullable<BigInt>,
        sha256 -> Binary,
        name_sealed -> Nullable<Text>,
        storage_key -> Text,
        vault_key -> Text,
        state -> Text,
        holder_kind -> Nullable<Text>,
        holder_id -> Nullable<Binary>,
        created_at -> Timestamp,
        attached_at -> Nullable<Timestamp>,
        removed_at -> Nullable<Timestamp>,
        erased_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    file_prints (file_id) {
        file_id -> Binary,
        sha256 -> Binary,
        looks -> Nullable<BigInt>,
    }
}
