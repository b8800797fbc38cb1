//! The one list of operations. Each handler carries its path, its permission and its specification; the OpenAPI document
//! is made from this list, and a request that is not in it does not exist.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::platform::files;
use crate::{attendance, identity, notify, offering, ops, org, people, plan, signup};

/// Registers every operation.
pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg
        // Logging in
        .service(identity::api::wechat_login)
        .service(identity::api::token_refresh)
        .service(identity::api::logout)
        // Oneself
        .service(people::api::me_get)
        .service(people::api::me_update)
        .service(identity::api::me_phone_set)
        .service(attendance::api::my_pass)
        .service(signup::api::my_signup_list)
        .service(signup::api::my_activity_get)
        .service(signup::penalty::api::my_penalty_list)
        .service(notify::api::notice_list)
        .service(notify::api::notice_read)
        // The union tree
        .service(org::api::organisation_list)
        .service(org::api::organisation_get)
        // The catalogue
        .service(offering::api::topic_list)
        .service(offering::api::programme_list)
        .service(offering::api::programme_get)
        .service(offering::api::activity_list)
        .service(offering::api::activity_get)
        .service(offering::manage_api::programme_create)
        .service(offering::manage_api::activity_create)
        .service(offering::manage_api::managed_activity_list)
        .service(offering::manage_api::managed_activity_get)
        .service(offering::manage_api::managed_activity_update)
        .service(offering::lifecycle_api::activity_publish)
        .service(offering::lifecycle_api::activity_allocate)
        .service(offering::lifecycle_api::activity_postpone)
        .service(offering::lifecycle_api::activity_reschedule)
        .service(offering::lifecycle_api::activity_cancel)
        .service(offering::lifecycle_api::session_cancel)
        .service(offering::resource_api::resource_create)
        .service(offering::resource_api::resource_list)
        .service(offering::resource_api::resource_get)
        .service(offering::resource_api::resource_update)
        .service(offering::resource_api::booking_list)
        .service(offering::template_api::template_create)
        .service(offering::template_api::template_list)
        .service(offering::template_api::template_get)
        .service(offering::template_api::template_delete)
        .service(offering::template_api::template_use)
        .service(offering::template_api::activity_copy)
        .service(offering::imports::api::activity_import)
        // Sign-ups
        .service(signup::api::signup_create)
        .service(signup::api::signup_roster)
        .service(signup::api::signup_get)
        .service(signup::api::signup_cancel)
        .service(signup::api::signup_accept)
        .service(signup::waiting_api::party_create)
        .service(signup::waiting_api::party_join)
        .service(signup::waiting_api::party_get)
        .service(signup::waiting_api::waiting_list)
        .service(signup::waiting_api::waiting_move_create)
        .service(signup::waiting_api::waiting_move_get)
        .service(signup::waiting_api::waiting_move_decide)
        .service(signup::waiting_api::fair_draw_get)
        .service(signup::waiting_api::fair_draw_entries)
        // Quotas
        .service(signup::quota_api::quota_list)
        .service(signup::quota_api::quota_set)
        .service(signup::quota_api::quota_transfer_create)
        .service(signup::quota_api::quota_transfer_answer)
        .service(signup::quota_api::quota_move_list)
        .service(signup::penalty::api::penalty_appeal)
        .service(signup::penalty::staff_api::penalty_list)
        .service(signup::penalty::staff_api::penalty_claim_reveal)
        .service(signup::penalty::staff_api::penalty_decide)
        // Whom others sign up
        .service(signup::roster::api::roster_create)
        .service(signup::roster::holds_api::place_hold_list)
        .service(signup::roster::holds_api::place_hold_name)
        .service(signup::roster::holds_api::place_hold_release)
        .service(signup::roster::proxy_api::proxy_signup_create)
        // The door
        .service(attendance::api::checkin_create)
        .service(attendance::api::checkin_list)
        .service(attendance::api::session_finalise)
        // The plan
        .service(plan::api::plan_list)
        .service(plan::api::plan_get)
        .service(plan::api::plan_progress)
        .service(plan::api::target_line_list)
        .service(plan::milestones_api::milestone_list)
        .service(plan::milestones_api::milestone_get)
        .service(plan::milestones_api::milestone_update)
        // Staff, accounts, audit, jobs
        .service(identity::grants_api::grant_list)
        .service(identity::grants_api::grant_create)
        .service(identity::grants_api::grant_get)
        .service(identity::grants_api::grant_revoke)
        .service(people::api::person_reveal)
        .service(people::audiences::person_audience_list)
        .service(people::audiences::person_audience_record)
        .service(people::audiences::person_audience_remove)
        .service(identity::accounts_api::account_state_set)
        // Files
        .service(files::api::file_upload)
        .service(files::api::file_get)
        .service(files::api::file_content_get)
        .service(files::api::file_link_create)
        .service(files::api::file_link_open)
        .service(files::api::file_delete)
        .service(ops::audit_list)
        .service(ops::dead_job_list)
        .service(ops::dead_job_revive)
        .service(ops::healthz)
        .service(ops::readyz);
}
