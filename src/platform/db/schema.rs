//! The tables, as both migration trees make them; a contract test compares the three.
//!
//! Types: BYTEA or BLOB is Binary, and a column without NOT NULL is Nullable.

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
    plans (id) {
        id -> Binary,
        year -> BigInt,
        title -> Text,
        preamble -> Text,
        starts_on -> Date,
        ends_on -> Date,
        counts_from -> Date,
        counts_until -> Date,
    }
}

diesel::table! {
    plan_items (id) {
        id -> Binary,
        plan_id -> Binary,
        number -> BigInt,
        section -> Text,
        title -> Text,
        body -> Text,
        leads -> Text,
        participants -> Text,
    }
}

diesel::table! {
    targets (id) {
        id -> Binary,
        plan_id -> Binary,
        item_id -> Binary,
        code -> Text,
        clause -> Text,
        measure -> Text,
        comparator -> Text,
        value -> BigInt,
        upper -> Nullable<BigInt>,
        unit -> Text,
        each -> Nullable<Text>,
        period -> Text,
        counted_from -> Text,
        pair -> Nullable<Text>,
        parts -> Text,
        min_level -> Nullable<Text>,
        rotates -> Bool,
    }
}

diesel::table! {
    milestones (id) {
        id -> Binary,
        plan_id -> Binary,
        item_id -> Binary,
        code -> Text,
        name -> Text,
        due_on -> Date,
        done_at -> Nullable<Timestamp>,
        done_by -> Nullable<Binary>,
        evidence -> Nullable<Text>,
        version -> BigInt,
    }
}

diesel::table! {
    counting_rules (id) {
        id -> Binary,
        target_id -> Binary,
        programme_kind -> Text,
        topic -> Text,
        audience -> Text,
        role -> Text,
        attribution -> Text,
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
    ledger_lines (id) {
        id -> Binary,
        target_id -> Binary,
        organisation_id -> Binary,
        day -> Date,
        month -> Date,
        quantity -> BigInt,
        dedup_key -> Text,
        generation -> BigInt,
        is_reversal -> Bool,
        reverses -> Nullable<Binary>,
        source_kind -> Text,
        source_id -> Binary,
        activity_id -> Nullable<Binary>,
        grade -> Text,
        reason -> Nullable<Text>,
        recorded_at -> Timestamp,
    }
}

diesel::table! {
    ledger_rollups (target_id, organisation_id, month) {
        target_id -> Binary,
        organisation_id -> Binary,
        month -> Date,
        quantity -> BigInt,
        lines -> BigInt,
    }
}

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
        allocation -> Text,
        capacity -> BigInt,
        taken -> BigInt,
        signup_opens_at -> Timestamp,
        signup_closes_at -> Timestamp,
        starts_at -> Timestamp,
        ends_at -> Timestamp,
        version -> BigInt,
        created_at -> Timestamp,
        updated_at -> Timestamp,
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
        held -> Nullable<Bool>,
        present -> BigInt,
        finalised_at -> Nullable<Timestamp>,
        finalised_by -> Nullable<Binary>,
        version -> BigInt,
    }
}

diesel::table! {
    signups (id) {
        id -> Binary,
        activity_id -> Binary,
        person_id -> Binary,
        state -> Text,
        created_at -> Timestamp,
        cancelled_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    attendances (id) {
        id -> Binary,
        session_id -> Binary,
        person_id -> Binary,
        signup_id -> Binary,
        method -> Text,
        grade -> Text,
        checked_in_at -> Timestamp,
        checked_in_by -> Binary,
    }
}

diesel::table! {
    checkin_attempts (id) {
        id -> Binary,
        session_id -> Binary,
        person_id -> Nullable<Binary>,
        operator_id -> Binary,
        outcome -> Text,
        at -> Timestamp,
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

diesel::joinable!(people -> organisations (workplace_id));
diesel::joinable!(wechat_identities -> people (person_id));
diesel::joinable!(token_families -> people (person_id));
diesel::joinable!(refresh_tokens -> token_families (family_id));
diesel::joinable!(staff_grants -> organisations (organisation_id));
diesel::joinable!(plan_items -> plans (plan_id));
diesel::joinable!(targets -> plans (plan_id));
diesel::joinable!(targets -> plan_items (item_id));
diesel::joinable!(milestones -> plans (plan_id));
diesel::joinable!(milestones -> plan_items (item_id));
diesel::joinable!(milestones -> people (done_by));
diesel::joinable!(counting_rules -> targets (target_id));
diesel::joinable!(ledger_lines -> targets (target_id));
diesel::joinable!(ledger_lines -> organisations (organisation_id));
diesel::joinable!(ledger_rollups -> targets (target_id));
diesel::joinable!(ledger_rollups -> organisations (organisation_id));
diesel::joinable!(programmes -> organisations (organisation_id));
diesel::joinable!(programmes -> topics (topic));
diesel::joinable!(activities -> programmes (programme_id));
diesel::joinable!(sessions -> activities (activity_id));
diesel::joinable!(sessions -> people (finalised_by));
diesel::joinable!(signups -> activities (activity_id));
diesel::joinable!(signups -> people (person_id));
diesel::joinable!(attendances -> sessions (session_id));
diesel::joinable!(attendances -> signups (signup_id));
diesel::joinable!(checkin_attempts -> sessions (session_id));
diesel::joinable!(checkin_attempts -> people (operator_id));
diesel::joinable!(notices -> people (person_id));
diesel::allow_tables_to_appear_in_same_query!(
    idempotency_keys,
    jobs,
    audit_entries,
    audit_head,
    organisations,
    people,
    wechat_identities,
    token_families,
    refresh_tokens,
    staff_grants,
    plans,
    plan_items,
    targets,
    milestones,
    counting_rules,
    policies,
    ledger_lines,
    ledger_rollups,
    topics,
    programmes,
    activities,
    sessions,
    signups,
    attendances,
    checkin_attempts,
    notices,
);
