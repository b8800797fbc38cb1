//! Group cases over HTTP: the applicant names the others, each of whom answers for themselves.
//!
//! Answers that are kept for repetitions hold numbers of people, never names, telephone numbers or amounts.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::groups::{self, Member, MemberState, Naming};
use super::hands::rota_api::read_entry;
use super::model::{Case, CaseState, Category, Facts};
use super::{LegalTools, own, team};
use crate::error::Result;
use crate::ids::{CaseId, CaseMemberId, PersonId};
use crate::notify::beside::Beside;
use crate::people;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::{LegalWork, OwnData};
use crate::platform::audit;
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, Idempotent, Reply, Stored};
use crate::platform::vault::{Vault, mask};

/// How many a group is of.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupView {
    /// Named, with the applicant.
    #[schema(minimum = 0, maximum = 1000)]
    pub named: i64,
    /// Of these, have agreed.
    #[schema(minimum = 0, maximum = 1000)]
    pub consented: i64,
    /// From how many on that have agreed it is a group case.
    #[schema(minimum = 1, maximum = 1000)]
    pub least: i64,
}

impl GroupView {
    fn of(members: &[Member], least: i64) -> Self {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let consented = members.iter().filter(|one| one.state == MemberState::Consented).count();
        Self { named: count(members.len()), consented: count(consented), least }
    }
}

/// A worker of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupMemberView {
    /// Their id.
    pub id: CaseMemberId,
    /// Their name, as the applicant wrote it.
    #[schema(max_length = 40, example = "李四")]
    pub name: String,
    /// Masked; absent for the applicant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20, example = "138****8000")]
    pub phone_masked: Option<String>,
    /// What they claim, in fen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub amount_fen: Option<i64>,
    /// Whether they represent the group.
    pub representative: bool,
    /// How it stands with their consent.
    pub state: MemberState,
    /// When they answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<DateTime<Utc>>,
}

/// The workers of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupMemberList {
    /// How many.
    #[serde(flatten)]
    pub group: GroupView,
    /// In the order in which they were named.
    #[schema(max_items = 201)]
    pub items: Vec<GroupMemberView>,
}

impl GroupMemberList {
    fn of(conn: &mut Conn, vault: &Vault, case: CaseId, now: DateTime<Utc>) -> Result<Self> {
        let members = groups::of_case(conn, case)?;
        let group = GroupView::of(&members, groups::bounds(conn, now)?.least);
        let view = |one: &Member| {
            Ok(GroupMemberView {
                id: one.id,
                name: one.name(vault)?,
                phone_masked: one.phone(vault)?.map(|phone| mask::phone(&phone)),
                amount_fen: one.amount(vault)?,
                representative: one.representative,
                state: one.state,
                answered_at: one.answered_at.map(|at| at.and_utc()),
            })
        };
        Ok(Self { group, items: members.iter().map(view).collect::<Result<_>>()? })
    }
}

/// A worker of a group, as the applicant names them.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "李四", "phone": "13800138000", "amount_fen": 860000, "representative": true}))]
pub struct GroupMemberInput {
    /// Their name.
    #[schema(min_length = 1, max_length = 40, pattern = r"^\S([^\x00]*\S)?$")]
    pub name: String,
    /// Their mobile number: whoever logs in with it answers.
    #[schema(min_length = 8, max_length = 24)]
    pub phone: String,
    /// What they claim, in fen, as far as the applicant knows; they may say otherwise.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub amount_fen: Option<i64>,
    /// Whether they represent the group.
    pub representative: bool,
}

/// The workers of a group beside the applicant.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"own_amount_fen": 860000, "members": [
    {"name": "李四", "phone": "13800138000", "amount_fen": 860000, "representative": true}]}))]
pub struct GroupInput {
    /// What the applicant claims for themselves, in fen.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub own_amount_fen: Option<i64>,
    /// The others; with the applicant ten at least, of whom three to five represent the group (劳动争议调解仲裁法 第七条).
    #[schema(min_items = 1, max_items = 200)]
    pub members: Vec<GroupMemberInput>,
}

/// Make one's request that of a group / 登记集体案件成员
///
/// Once, and before it is decided. Everybody who is named is asked, and counts once they have agreed under their own login.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_member_name", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = GroupInput,
    responses((status = 201, description = "How many they are", body = GroupView)),
)]
#[post("/api/v1/me/legal-requests/{id}/members")]
pub async fn my_legal_member_name(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    body: Idempotent<GroupInput>,
) -> Result<Stored> {
    let (person, now, id) = (guard.person(), platform.clock.now(), id.0);
    let (ids, vault, input) = (platform.ids.clone(), platform.vault.clone(), body.body);
    let applicant: (CaseMemberId, Option<i64>) = (platform.ids.id(), input.own_amount_fen);
    let name = |one: GroupMemberInput| Naming {
        id: platform.ids.id(),
        name: one.name,
        phone: one.phone,
        amount_fen: one.amount_fen,
        representative: one.representative,
    };
    let others: Vec<Naming> = input.members.into_iter().map(name).collect();
    let act = move |c: &mut Conn| {
        let case = own::locked_in_tx(c, person, id)?;
        let mut beside = Beside::default();
        let rows = groups::form_in_tx(c, &vault, &case, applicant, &others, now, &mut beside)?;
        let view = GroupView::of(&rows, groups::bounds(c, now)?.least);
        beside.write_in_tx(c, &ids, now)?;
        Stored::created(format!("/api/v1/me/legal-requests/{id}/members"), case.version, &view)
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}

/// List the workers of one's group / 查看集体案件成员
#[utoipa::path(
    tag = "me", operation_id = "my_legal_member_list", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request")),
    responses((status = 200, description = "The workers", body = GroupMemberList)),
)]
#[get("/api/v1/me/legal-requests/{id}/members")]
pub async fn my_legal_member_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
) -> Result<Reply<GroupMemberList>> {
    let (person, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let read = move |c: &mut Conn| {
        own::get(c, person, id)?;
        GroupMemberList::of(c, &vault, id, now)
    };
    Ok(Reply::new(platform.db.read(read).await?).secret())
}

/// List the workers of a group case / 查看案件成员
#[utoipa::path(
    tag = "legal", operation_id = "legal_member_list", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case")),
    responses((status = 200, description = "The workers", body = GroupMemberList)),
)]
#[get("/api/v1/legal-cases/{id}/members")]
pub async fn legal_member_list(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
) -> Result<Reply<GroupMemberList>> {
    let (actor, now, vault, id) = (guard.person(), platform.clock.now(), platform.vault.clone(), id.0);
    let read = move |c: &mut Conn| {
        team::admitted(c, actor, id, now)?;
        let list = GroupMemberList::of(c, &vault, id, now)?;
        audit::append_in_tx(c, now, vec![read_entry(actor, id, "members")])?;
        Ok(list)
    };
    Ok(Reply::new(platform.db.write(read).await?).secret())
}

/// A group in which one is named.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnGroupView {
    /// One's place in it.
    pub id: CaseMemberId,
    /// Who named one, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "张*丰")]
    pub applicant_masked: Option<String>,
    /// Against which employer.
    #[schema(max_length = 120)]
    pub employer: String,
    /// What it is about.
    pub category: Category,
    /// Where the case is.
    pub case_state: CaseState,
    /// What one claims, in fen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub amount_fen: Option<i64>,
    /// Whether one represents the group.
    pub representative: bool,
    /// What one has answered.
    pub state: MemberState,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<DateTime<Utc>>,
}

/// The groups in which one is named.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnGroupList {
    /// The latest first.
    #[schema(max_items = 100)]
    pub items: Vec<OwnGroupView>,
}

/// List the groups in which one is named / 查看我参加的集体案件
///
/// By oneself, or by the mobile number that WeChat vouches is one's own.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_group_list", security(("bearer" = ["self"])),
    responses((status = 200, description = "The groups", body = OwnGroupList)),
)]
#[get("/api/v1/me/legal-groups")]
pub async fn my_legal_group_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
) -> Result<Reply<OwnGroupList>> {
    let (person, vault) = (guard.person(), platform.vault.clone());
    let read = move |c: &mut Conn| {
        let rows = groups::of_person(c, person)?;
        let applicants: Vec<PersonId> = rows.iter().map(|(_, case)| case.person_id).collect();
        let names = people::store::names(c, &applicants)?;
        let view = |(member, case): &(Member, Case)| {
            Ok(OwnGroupView {
                id: member.id,
                applicant_masked: names.get(&case.person_id).map(|name| mask::name(name)),
                employer: Facts::open(&vault, case)?.employer,
                category: case.category,
                case_state: case.state,
                amount_fen: member.amount(&vault)?,
                representative: member.representative,
                state: member.state,
                answered_at: member.answered_at.map(|at| at.and_utc()),
            })
        };
        Ok(OwnGroupList { items: rows.iter().map(view).collect::<Result<_>>()? })
    };
    Ok(Reply::new(platform.db.read(read).await?).secret())
}

/// Whether one belongs to the group.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"agrees": true, "amount_fen": 910000}))]
pub struct GroupAnswerInput {
    /// Yes or no; either may be changed until the case has ended.
    pub agrees: bool,
    /// What one claims, in fen; left out, what the applicant wrote stays.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub amount_fen: Option<i64>,
}

/// What one has answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupAnswerView {
    /// One's place in the group.
    pub id: CaseMemberId,
    /// What one has answered.
    pub state: MemberState,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<DateTime<Utc>>,
}

/// Say whether one belongs to a group / 确认是否参加集体案件
#[utoipa::path(
    tag = "me", operation_id = "my_legal_group_answer", security(("bearer" = ["self"])),
    params(("id" = CaseMemberId, Path, description = "One's place in the group"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = GroupAnswerInput,
    responses((status = 200, description = "What one has answered", body = GroupAnswerView)),
)]
#[post("/api/v1/me/legal-groups/{id}/answers")]
pub async fn my_legal_group_answer(
    platform: Data<Platform>,
    tools: Data<LegalTools>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseMemberId>,
    body: Idempotent<GroupAnswerInput>,
) -> Result<Stored> {
    let (person, now, id) = (guard.person(), platform.clock.now(), id.0);
    let (ids, vault, counting) = (platform.ids.clone(), platform.vault.clone(), Arc::clone(&tools.counting));
    let GroupAnswerInput { agrees, amount_fen } = body.body;
    let act = move |c: &mut Conn| {
        let mut beside = Beside::default();
        let tools = (&vault, counting.as_ref());
        let answer = (agrees, amount_fen);
        let (member, _) = groups::answer_in_tx(c, tools, (person, id), answer, now, &mut beside)?;
        beside.write_in_tx(c, &ids, now)?;
        let answered_at = member.answered_at.map(|at| at.and_utc());
        Stored::done(member.version, &GroupAnswerView { id, state: member.state, answered_at })
    };
    let stored = platform.idempotency.run(person, body.key, act).await?;
    platform.jobs.ring();
    Ok(stored)
}
