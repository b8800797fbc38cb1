//! The work plan and its ledger.

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
        coverage -> Nullable<Text>,
        curve -> Nullable<Text>,
        min_good_percent -> Nullable<BigInt>,
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
        cause -> Text,
        restatement_id -> Nullable<Binary>,
    }
}

diesel::table! {
    held_corrections (id) {
        id -> Binary,
        plan_id -> Binary,
        month -> Date,
        kind -> Text,
        line_id -> Nullable<Binary>,
        target_id -> Binary,
        organisation_id -> Binary,
        day -> Date,
        quantity -> BigInt,
        dedup_key -> Text,
        source_kind -> Text,
        source_id -> Binary,
        activity_id -> Nullable<Binary>,
        grade -> Text,
        reason -> Nullable<Text>,
        cause -> Text,
        held_at -> Timestamp,
        state -> Text,
        settled_at -> Nullable<Timestamp>,
        restatement_id -> Nullable<Binary>,
    }
}

diesel::table! {
    plan_periods (plan_id, kind, starts_on) {
        plan_id -> Binary,
        kind -> Text,
        starts_on -> Date,
        state -> Text,
        proposed_by -> Nullable<Binary>,
        proposed_at -> Nullable<Timestamp>,
        closed_by -> Nullable<Binary>,
        closed_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    plan_street_months (plan_id, month, organisation_id) {
        plan_id -> Binary,
        month -> Date,
        organisation_id -> Binary,
        state -> Text,
        changed_by -> Binary,
        changed_at -> Timestamp,
        version -> BigInt,
    }
}

diesel::table! {
    restatements (id) {
        id -> Binary,
        plan_id -> Binary,
        month -> Date,
        state -> Text,
        reason -> Text,
        evidence -> Nullable<Text>,
        proposed_by -> Binary,
        proposed_at -> Timestamp,
        decided_by -> Nullable<Binary>,
        decided_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    ledger_rollups (target_id, organisation_id, month, grade) {
        target_id -> Binary,
        organisation_id -> Binary,
        month -> Date,
        grade -> Text,
        quantity -> BigInt,
        lines -> BigInt,
    }
}

diesel::table! {
    plan_exports (id) {
        id -> Binary,
        plan_id -> Binary,
        kind -> Text,
        format -> Text,
        organisation_id -> Binary,
        target_id -> Nullable<Binary>,
        as_of -> Timestamp,
        state -> Text,
        percent -> BigInt,
        sha256 -> Nullable<Binary>,
        bytes -> Nullable<BigInt>,
        vault_key -> Nullable<Text>,
        requested_by -> Binary,
        created_at -> Timestamp,
        ready_at -> Nullable<Timestamp>,
        expires_at -> Nullable<Timestamp>,
        erased_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    plan_reports (id) {
        id -> Binary,
        target_id -> Binary,
        organisation_id -> Binary,
        month -> Date,
        number -> BigInt,
        withdraws -> Bool,
        value -> Nullable<BigInt>,
        numerator -> Nullable<BigInt>,
        denominator -> Nullable<BigInt>,
        parts -> Text,
        note -> Text,
        state -> Text,
        made_by -> Binary,
        made_at -> Timestamp,
        decided_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    plan_report_units (report_id, organisation_id) {
        report_id -> Binary,
        organisation_id -> Binary,
    }
}

diesel::table! {
    plan_cascades (id) {
        id -> Binary,
        target_id -> Binary,
        number -> BigInt,
        reason -> Text,
        state -> Text,
        made_by -> Binary,
        made_at -> Timestamp,
        in_force_at -> Nullable<Timestamp>,
        replaced_at -> Nullable<Timestamp>,
        version -> BigInt,
    }
}

diesel::table! {
    plan_shares (cascade_id, organisation_id) {
        cascade_id -> Binary,
        organisation_id -> Binary,
        value -> BigInt,
        answer -> Nullable<Text>,
        reason -> Nullable<Text>,
        answered_by -> Nullable<Binary>,
        answered_at -> Nullable<Timestamp>,
    }
}
