//! Requests that go through a chain of bodies.

diesel::table! {
    review_chains (code, effective_from) {
        code -> Text,
        effective_from -> Date,
        kind -> Text,
        name -> Text,
        source -> Text,
        definition -> Text,
    }
}

diesel::table! {
    review_reasons (code) {
        code -> Text,
        kind -> Text,
        decision -> Text,
        text -> Text,
        basis -> Text,
    }
}

diesel::table! {
    reviews (id) {
        id -> Binary,
        kind -> Text,
        chain -> Text,
        chain_from -> Date,
        subject_id -> Binary,
        title -> Text,
        applicant_id -> Binary,
        employer_id -> Nullable<Binary>,
        amount_fen -> Nullable<BigInt>,
        state -> Text,
        step -> BigInt,
        form_sealed -> Text,
        missing -> Text,
        returns -> BigInt,
        supplement_due_at -> Nullable<Timestamp>,
        appeal_of -> Nullable<Binary>,
        root_id -> Binary,
        opened_at -> Timestamp,
        decided_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    review_stages (id) {
        id -> Binary,
        review_id -> Binary,
        root_id -> Binary,
        number -> BigInt,
        name -> Text,
        body_id -> Binary,
        rerouted_from -> Nullable<Binary>,
        employer_barred -> Bool,
        clock -> Text,
        state -> Text,
        skipped_because -> Nullable<Text>,
        applicant_id -> Binary,
        opened_at -> Nullable<Timestamp>,
        due_at -> Nullable<Timestamp>,
        amber_at -> Nullable<Timestamp>,
        trail -> Nullable<Text>,
        warned_at -> Nullable<Timestamp>,
        breached_at -> Nullable<Timestamp>,
        claimed_by -> Nullable<Binary>,
        claimed_until -> Nullable<Timestamp>,
        decided_by -> Nullable<Binary>,
        on_behalf_of -> Nullable<Binary>,
        decided_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    review_queue (organisation_id, stage_id) {
        organisation_id -> Binary,
        stage_id -> Binary,
        review_id -> Binary,
        own -> Bool,
        waits -> Text,
        kind -> Text,
        claimed_by -> Nullable<Binary>,
        amber_at -> Timestamp,
        due_at -> Timestamp,
    }
}

diesel::table! {
    review_pauses (review_id, from_at) {
        review_id -> Binary,
        from_at -> Timestamp,
        until_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    review_events (id) {
        id -> Binary,
        review_id -> Binary,
        number -> BigInt,
        stage_id -> Nullable<Binary>,
        kind -> Text,
        actor_id -> Nullable<Binary>,
        on_behalf_of -> Nullable<Binary>,
        reasons -> Text,
        text_sealed -> Nullable<Text>,
        at -> Timestamp,
    }
}

diesel::table! {
    review_leaves (id) {
        id -> Binary,
        review_id -> Binary,
        stage_id -> Binary,
        reason -> Text,
        state -> Text,
        asked_by -> Binary,
        asked_at -> Timestamp,
        decided_by -> Nullable<Binary>,
        decided_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    review_delegations (id) {
        id -> Binary,
        from_id -> Binary,
        to_id -> Binary,
        organisation_id -> Binary,
        reason -> Text,
        from_at -> Timestamp,
        until_at -> Timestamp,
        revoked_at -> Nullable<Timestamp>,
        made_at -> Timestamp,
    }
}

diesel::table! {
    review_recusals (review_id, person_id) {
        review_id -> Binary,
        person_id -> Binary,
        ground -> Text,
        made_at -> Timestamp,
    }
}

diesel::table! {
    review_ties (id) {
        id -> Binary,
        person_id -> Binary,
        kin_id -> Nullable<Binary>,
        organisation_id -> Nullable<Binary>,
        declared_at -> Timestamp,
        ended_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    review_messages (id) {
        id -> Binary,
        review_id -> Binary,
        author_id -> Binary,
        side -> Text,
        body_id -> Nullable<Binary>,
        text_sealed -> Text,
        sent_at -> Timestamp,
        read_at -> Nullable<Timestamp>,
    }
}
