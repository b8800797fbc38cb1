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
    completions (activity_id, person_id) {
        activity_id -> Binary,
        person_id -> Binary,
        completed_at -> Timestamp,
        taken_back_at -> Nullable<Timestamp>,
    }
}

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
    attendance_roles (code) {
        code -> Text,
        name -> Text,
        takes_place -> Bool,
        counts -> Bool,
        earns_hours -> Bool,
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
diesel::joinable!(held_corrections -> targets (target_id));
diesel::joinable!(plan_periods -> plans (plan_id));
diesel::joinable!(restatements -> plans (plan_id));
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
diesel::joinable!(scans -> sessions (session_id));
diesel::joinable!(devices -> organisations (organisation_id));
diesel::joinable!(device_grants -> devices (device_id));
diesel::joinable!(checkin_conflicts -> scans (scan_id));
diesel::joinable!(sheet_lines -> sheets (sheet_id));
diesel::joinable!(excuses -> sessions (session_id));
diesel::joinable!(completion_rules -> activities (activity_id));
diesel::joinable!(completions -> activities (activity_id));
diesel::joinable!(notices -> people (person_id));
diesel::joinable!(quotas -> activities (activity_id));
diesel::joinable!(quotas -> organisations (organisation_id));
diesel::joinable!(parties -> activities (activity_id));
diesel::joinable!(signups -> quotas (quota_id));
diesel::joinable!(signups -> parties (party_id));
diesel::joinable!(offers -> signups (signup_id));
diesel::joinable!(offers -> activities (activity_id));
diesel::joinable!(waiting_moves -> signups (signup_id));
diesel::joinable!(quota_moves -> activities (activity_id));
diesel::joinable!(quota_releases -> activities (activity_id));
diesel::joinable!(fair_draws -> activities (activity_id));
diesel::joinable!(place_holds -> activities (activity_id));
diesel::joinable!(place_holds -> organisations (organisation_id));
diesel::joinable!(penalties -> signups (signup_id));
diesel::joinable!(person_audiences -> people (person_id));
diesel::joinable!(resources -> organisations (organisation_id));
diesel::joinable!(bookings -> resources (resource_id));
diesel::joinable!(bookings -> sessions (session_id));
diesel::joinable!(activity_templates -> organisations (organisation_id));
diesel::joinable!(imported_rows -> activities (activity_id));
diesel::joinable!(reviews -> people (applicant_id));
diesel::joinable!(review_stages -> reviews (review_id));
diesel::joinable!(review_stages -> organisations (body_id));
diesel::joinable!(review_queue -> review_stages (stage_id));
diesel::joinable!(review_queue -> reviews (review_id));
diesel::joinable!(review_messages -> reviews (review_id));
diesel::joinable!(review_delegations -> organisations (organisation_id));
diesel::joinable!(memberships -> people (person_id));
diesel::joinable!(memberships -> organisations (organisation_id));
diesel::joinable!(files -> people (owner_id));
diesel::joinable!(headcounts -> sessions (session_id));
diesel::joinable!(injuries -> organisations (organisation_id));
diesel::joinable!(visits -> injuries (injury_id));
diesel::joinable!(visits -> sessions (session_id));
diesel::joinable!(plan_reports -> targets (target_id));
diesel::joinable!(plan_reports -> organisations (organisation_id));
diesel::joinable!(plan_report_units -> plan_reports (report_id));
diesel::joinable!(plan_cascades -> targets (target_id));
diesel::joinable!(plan_shares -> plan_cascades (cascade_id));

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
    held_corrections,
    plan_periods,
    plan_street_months,
    restatements,
    ledger_rollups,
    topics,
    programmes,
    activities,
    sessions,
    signups,
    attendances,
    scans,
    devices,
    device_grants,
    checkin_conflicts,
    sheets,
    sheet_lines,
    excuses,
    fences,
    completion_rules,
    completions,
    notices,
    attendance_roles,
    quotas,
    parties,
    offers,
    waiting_moves,
    quota_moves,
    quota_releases,
    fair_draws,
    place_holds,
    penalties,
    penalty_pauses,
    person_audiences,
    resources,
    bookings,
    activity_templates,
    imported_rows,
    review_chains,
    review_reasons,
    reviews,
    review_stages,
    review_queue,
    review_pauses,
    review_events,
    review_leaves,
    review_delegations,
    review_recusals,
    review_ties,
    review_messages,
    memberships,
    calendar_days,
    calendar_years,
    files,
    file_prints,
    headcounts,
    headcount_photos,
    headcount_flags,
    headcount_samples,
    headcount_sample_entries,
    headcount_findings,
    injured,
    injuries,
    visit_days,
    visits,
    plan_reports,
    plan_report_units,
    plan_cascades,
    plan_shares,
);
