//! Who has a place, who waits for one.

diesel::table! {
    signups (id) {
        id -> Binary,
        activity_id -> Binary,
        person_id -> Binary,
        state -> Text,
        ended_because -> Nullable<Text>,
        number -> BigInt,
        priority -> BigInt,
        role -> Text,
        quota_id -> Nullable<Binary>,
        party_id -> Nullable<Binary>,
        made_by -> Nullable<Binary>,
        basis -> Nullable<Text>,
        created_at -> Timestamp,
        cancelled_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    quotas (id) {
        id -> Binary,
        activity_id -> Binary,
        parent_id -> Nullable<Binary>,
        kind -> Text,
        organisation_id -> Nullable<Binary>,
        audience -> Nullable<Text>,
        rank -> BigInt,
        capacity -> BigInt,
        taken -> BigInt,
        held -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    parties (id) {
        id -> Binary,
        activity_id -> Binary,
        code -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    offers (id) {
        id -> Binary,
        signup_id -> Binary,
        activity_id -> Binary,
        kind -> Text,
        state -> Text,
        made_at -> Timestamp,
        expires_at -> Timestamp,
        decided_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    waiting_moves (id) {
        id -> Binary,
        signup_id -> Binary,
        activity_id -> Binary,
        priority -> BigInt,
        reason -> Text,
        note -> Text,
        state -> Text,
        proposed_by -> Binary,
        proposed_at -> Timestamp,
        decided_by -> Nullable<Binary>,
        decided_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    quota_moves (id) {
        id -> Binary,
        activity_id -> Binary,
        from_id -> Binary,
        to_id -> Binary,
        kind -> Text,
        places -> BigInt,
        state -> Text,
        reason -> Text,
        made_by -> Nullable<Binary>,
        made_at -> Timestamp,
        decided_by -> Nullable<Binary>,
        decided_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    quota_releases (activity_id) {
        activity_id -> Binary,
        release_at -> Timestamp,
        release_to -> Text,
        released_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    fair_draws (activity_id) {
        activity_id -> Binary,
        commitment -> Text,
        seed_sealed -> Text,
        drawn_at -> Nullable<Timestamp>,
        seed -> Nullable<Text>,
        first_number -> Nullable<BigInt>,
        entries -> Nullable<BigInt>,
        digest -> Nullable<Text>,
    }
}

diesel::table! {
    place_holds (id) {
        id -> Binary,
        activity_id -> Binary,
        organisation_id -> Binary,
        quota_id -> Nullable<Binary>,
        places -> BigInt,
        unnamed -> BigInt,
        state -> Text,
        name_by -> Timestamp,
        made_by -> Binary,
        made_at -> Timestamp,
        version -> BigInt,
    }
}

diesel::table! {
    penalties (id) {
        id -> Binary,
        person_id -> Binary,
        signup_id -> Binary,
        kind -> Text,
        weight -> BigInt,
        state -> Text,
        given_at -> Timestamp,
        expires_at -> Timestamp,
        ground -> Nullable<Text>,
        claim_sealed -> Nullable<Text>,
        claimed_at -> Nullable<Timestamp>,
        decided_by -> Nullable<Binary>,
        decided_at -> Nullable<Timestamp>,
        decision -> Nullable<Text>,
        version -> BigInt,
        set_aside_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    penalty_pauses (from_day) {
        from_day -> Date,
        until_day -> Date,
        reason -> Text,
        source -> Text,
    }
}
