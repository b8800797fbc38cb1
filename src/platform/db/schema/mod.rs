//! The tables, as both migration trees make them; a contract test compares the three. One file a subject; here is what is joined with what.
//!
//! Types: BYTEA or BLOB is Binary, and a column without NOT NULL is Nullable.

mod catalogue;
mod content;
mod desk;
mod door;
mod erasing;
mod glass;
mod hands;
mod legal;
mod legal_desk;
mod legal_papers;
mod persons;
mod places;
mod planning;
mod platform;

pub use catalogue::*;
pub use content::*;
pub use desk::*;
pub use door::*;
pub use erasing::*;
pub use glass::*;
pub use hands::*;
pub use legal::*;
pub use legal_desk::*;
pub use legal_papers::*;
pub use persons::*;
pub use places::*;
pub use planning::*;
pub use platform::*;

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
diesel::joinable!(legal_cases -> people (person_id));

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

// Legal aid is joined with two tables of other rooms only.
diesel::allow_tables_to_appear_in_same_query!(legal_cases, people);
diesel::allow_tables_to_appear_in_same_query!(legal_cases, organisations);
diesel::allow_tables_to_appear_in_same_query!(legal_team, people);
