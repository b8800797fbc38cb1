//! Who was there: attendance, crowds, visits.

diesel::table! {
    completions (activity_id, person_id) {
        activity_id -> Binary,
        person_id -> Binary,
        completed_at -> Timestamp,
        taken_back_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    attendances (id) {
        id -> Binary,
        session_id -> Binary,
        person_id -> Binary,
        signup_id -> Nullable<Binary>,
        role -> Text,
        method -> Text,
        grade -> Text,
        checked_in_at -> Timestamp,
        checked_in_by -> Binary,
        left_at -> Nullable<Timestamp>,
        scan_id -> Nullable<Binary>,
        voided_at -> Nullable<Timestamp>,
        voided_because -> Nullable<Text>,
    }
}

diesel::table! {
    scans (id) {
        id -> Binary,
        session_id -> Binary,
        person_id -> Nullable<Binary>,
        operator_id -> Binary,
        device_id -> Nullable<Binary>,
        direction -> Text,
        method -> Text,
        outcome -> Text,
        happened_at -> Timestamp,
        received_at -> Timestamp,
        distance -> Nullable<Text>,
        code_hash -> Nullable<Binary>,
        refused -> Nullable<Text>,
        clock_off -> Bool,
        client_id -> Nullable<Binary>,
        client_seq -> Nullable<BigInt>,
        digest -> Nullable<Binary>,
    }
}

diesel::table! {
    devices (id) {
        id -> Binary,
        organisation_id -> Binary,
        name -> Text,
        enrolled_by -> Binary,
        enrolled_at -> Timestamp,
        revoked_by -> Nullable<Binary>,
        revoked_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    device_grants (device_id, session_id, role) {
        device_id -> Binary,
        session_id -> Binary,
        role -> Text,
        granted_by -> Binary,
        granted_at -> Timestamp,
        revoked_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    checkin_conflicts (id) {
        id -> Binary,
        session_id -> Binary,
        person_id -> Binary,
        scan_id -> Binary,
        reason -> Text,
        proposed -> Text,
        state -> Text,
        opened_at -> Timestamp,
        decided_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    sheets (id) {
        id -> Binary,
        session_id -> Binary,
        state -> Text,
        typed_by -> Binary,
        typed_at -> Timestamp,
        checked_by -> Nullable<Binary>,
        checked_at -> Nullable<Timestamp>,
        note -> Nullable<Text>,
        version -> BigInt,
    }
}

diesel::table! {
    sheet_lines (sheet_id, number) {
        sheet_id -> Binary,
        number -> BigInt,
        person_id -> Binary,
    }
}

diesel::table! {
    excuses (session_id, person_id) {
        session_id -> Binary,
        person_id -> Binary,
        ground -> Text,
        note -> Nullable<Text>,
        recorded_by -> Binary,
        recorded_at -> Timestamp,
    }
}

diesel::table! {
    fences (session_id) {
        session_id -> Binary,
        latitude -> BigInt,
        longitude -> BigInt,
        metres -> BigInt,
        set_by -> Binary,
    }
}

diesel::table! {
    headcounts (id) {
        id -> Binary,
        session_id -> Binary,
        number -> BigInt,
        standing -> BigInt,
        method -> Text,
        counter_before -> Nullable<BigInt>,
        counter_after -> Nullable<BigInt>,
        parcels -> Nullable<BigInt>,
        seats -> Nullable<BigInt>,
        share_percent -> Nullable<BigInt>,
        minutes -> BigInt,
        gates -> BigInt,
        state -> Text,
        refused_because -> Nullable<Text>,
        counted_by -> Binary,
        made_at -> Timestamp,
        decided_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    headcount_photos (file_id) {
        file_id -> Binary,
        headcount_id -> Binary,
        session_id -> Binary,
        sha256 -> Binary,
        looks -> Nullable<BigInt>,
        band_0 -> Nullable<BigInt>,
        band_1 -> Nullable<BigInt>,
        band_2 -> Nullable<BigInt>,
        band_3 -> Nullable<BigInt>,
    }
}

diesel::table! {
    headcount_flags (file_id, other_file_id) {
        file_id -> Binary,
        other_file_id -> Binary,
        headcount_id -> Binary,
        other_session_id -> Binary,
        kind -> Text,
        distance -> BigInt,
    }
}

diesel::table! {
    headcount_samples (id) {
        id -> Binary,
        organisation_id -> Binary,
        quarter_from -> Date,
        commitment -> Text,
        seed_sealed -> Text,
        made_by -> Binary,
        made_at -> Timestamp,
        drawn_by -> Nullable<Binary>,
        drawn_at -> Nullable<Timestamp>,
        seed -> Nullable<Text>,
        entries -> Nullable<BigInt>,
        chosen -> Nullable<BigInt>,
        digest -> Nullable<Text>,
    }
}

diesel::table! {
    headcount_sample_entries (sample_id, rank) {
        sample_id -> Binary,
        rank -> BigInt,
        headcount_id -> Binary,
    }
}

diesel::table! {
    headcount_findings (id) {
        id -> Binary,
        sample_id -> Binary,
        headcount_id -> Binary,
        found -> BigInt,
        note -> Text,
        state -> Text,
        made_by -> Binary,
        made_at -> Timestamp,
        decided_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    injured (who) {
        who -> Binary,
        person_id -> Binary,
    }
}

diesel::table! {
    injuries (id) {
        id -> Binary,
        person_id -> Binary,
        organisation_id -> Binary,
        injured_on -> Date,
        facts_sealed -> Text,
        employer_due_on -> Date,
        worker_due_on -> Date,
        applied_on -> Nullable<Date>,
        applied_by -> Nullable<Text>,
        employer_warned_at -> Nullable<Timestamp>,
        worker_warned_at -> Nullable<Timestamp>,
        imported_by -> Binary,
        imported_at -> Timestamp,
        version -> BigInt,
    }
}

diesel::table! {
    visit_days (organisation_id, topic, day, number) {
        organisation_id -> Binary,
        topic -> Text,
        day -> Date,
        number -> BigInt,
        session_id -> Binary,
    }
}

diesel::table! {
    visits (id) {
        id -> Binary,
        injury_id -> Binary,
        session_id -> Binary,
        form -> Text,
        visited_on -> Date,
        gift_kind -> Nullable<Text>,
        gift_text -> Nullable<Text>,
        gift_fen -> Nullable<BigInt>,
        told -> Text,
        recorded_by -> Binary,
        recorded_at -> Timestamp,
        undone_by -> Nullable<Binary>,
        undone_at -> Nullable<Timestamp>,
        undone_because -> Nullable<Text>,
        version -> BigInt,
    }
}
