//! Rows of legal aid: cases, clocks, the team, events, parties.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ids::{CaseDocumentId, CaseEventId, CaseId, LegalClockId, OrganisationId, PersonId, TeamMemberId};
use crate::platform::db::schema::{
    legal_cases, legal_clocks, legal_events, legal_parties, legal_pauses, legal_team,
};
use crate::platform::vault::{Field, Vault};

/// Where what an applicant says is kept.
pub const FACTS: Field = Field("legal_cases.facts");
/// Where what an officer notes about an act is kept.
pub const NOTE: Field = Field("legal_events.note");
/// Sides of cases: what conflicts are found by.
pub const WHO: Field = Field("legal_parties.who");

crate::text_enum! {
    /// What it is about: the five classes of union legal aid (总工发〔2008〕52号).
    pub enum Category {
        /// 劳动争议
        LabourDispute = "labour_dispute",
        /// 因劳动权益涉及的职工人身权、民主权、财产权受到侵犯
        Rights = "rights",
        /// 工会工作者因履行职责合法权益受到侵犯
        UnionWorker = "union_worker",
        /// 工会组织合法权益受到侵犯
        UnionBody = "union_body",
        /// 其他需要提供法律援助的
        Other = "other",
    }
}

crate::text_enum! {
    /// Which matter of the list of 法律援助法 第三十一条 it is.
    pub enum Matter {
        /// 依法请求国家赔偿
        StateCompensation = "state_compensation",
        /// 请求给予社会保险待遇或者社会救助
        SocialInsurance = "social_insurance",
        /// 请求发给抚恤金
        Pension = "pension",
        /// 请求给付赡养费、抚养费、扶养费
        Maintenance = "maintenance",
        /// 请求确认劳动关系或者支付劳动报酬
        LabourRelation = "labour_relation",
        /// 请求认定公民无民事行为能力或者限制民事行为能力
        CivilCapacity = "civil_capacity",
        /// 请求工伤事故、交通事故、食品药品安全事故、医疗事故人身损害赔偿
        Injury = "injury",
        /// 请求环境污染、生态破坏损害赔偿
        Environment = "environment",
        /// 法律、法规、规章规定的其他情形
        Other = "other",
    }
}

crate::text_enum! {
    /// In which form aid is given (总工发〔2008〕52号).
    pub enum AidForm {
        /// 法律咨询
        Consultation = "consultation",
        /// 代书
        Drafting = "drafting",
        /// 协商、调解
        Mediation = "mediation",
        /// 代理仲裁、诉讼
        Representation = "representation",
    }
}

crate::text_enum! {
    /// What a limitation runs from.
    pub enum ClaimEvent {
        /// 被辞退
        Dismissed = "dismissed",
        /// 已离职
        Left = "left",
        /// 在职但被拖欠劳动报酬
        Unpaid = "unpaid",
        /// 受伤
        Injured = "injured",
        /// 其他
        Other = "other",
    }
}

crate::text_enum! {
    /// How it stands with the applicant's means (法律援助法 第四十一条、第四十二条).
    pub enum Means {
        /// No check: of a group that the law exempts.
        Exempt = "exempt",
        /// Declared by the applicant.
        Declared = "declared",
    }
}

crate::text_enum! {
    /// Where in its life a request or case is.
    pub enum CaseState {
        /// 待审查
        Received = "received",
        /// 待补充材料
        Supplement = "supplement",
        /// 决定不予援助
        Refused = "refused",
        /// 已受理，待指派
        Accepted = "accepted",
        /// 已指派
        Assigned = "assigned",
        /// 办理中
        Handling = "handling",
        /// 已结案
        Closed = "closed",
        /// 已终止
        Terminated = "terminated",
        /// 已撤回
        Withdrawn = "withdrawn",
        /// 逾期未补充，视为撤回
        DeemedWithdrawn = "deemed_withdrawn",
        /// 受理已撤销
        Annulled = "annulled",
    }
}

crate::text_enum! {
    /// Why legal aid was terminated (法律援助法 第四十八条第一款).
    pub enum TerminationGround {
        /// (一) 受援人以欺骗或者其他不正当手段获得法律援助
        Fraud = "fraud",
        /// (二) 受援人故意隐瞒与案件有关的重要事实或者提供虚假证据
        ConcealedFacts = "concealed_facts",
        /// (三) 受援人利用法律援助从事违法活动
        UnlawfulUse = "unlawful_use",
        /// (四) 受援人的经济状况发生变化，不再符合法律援助条件
        NoLongerEntitled = "no_longer_entitled",
        /// (五) 案件终止审理或者已经被撤销
        CaseEnded = "case_ended",
        /// (六) 受援人自行委托律师或者其他代理人
        OtherCounsel = "other_counsel",
        /// (七) 受援人有正当理由要求终止法律援助
        Asked = "asked",
        /// (八) 法律法规规定的其他情形
        Other = "other",
    }
}

crate::text_enum! {
    /// Which term of the law.
    pub enum ClockKind {
        /// To decide about a request: seven days (法律援助法 第四十三条).
        Review = "review",
        /// To assign somebody: three days from the decision (第四十三条).
        Assign = "assign",
        /// For the applicant to supply what is missing.
        Supplement = "supplement",
        /// For the applicant to bring papers after provisional aid (第四十四条).
        Papers = "papers",
        /// To answer an objection: five days (第四十九条).
        Objection = "objection",
    }
}

crate::text_enum! {
    /// As what somebody is of a team.
    pub enum TeamRole {
        /// 承办人: leads the case.
        Handler = "handler",
        /// 协办人
        Deputy = "deputy",
        /// 援助律师
        Lawyer = "lawyer",
        /// 异议复核人: answers an objection.
        Objection = "objection",
    }
}

crate::text_enum! {
    /// A side of a case.
    pub enum CaseSide {
        /// 申请人
        Applicant = "applicant",
        /// 用人单位
        Employer = "employer",
        /// 代理律师
        Lawyer = "lawyer",
    }
}

// In the document each type has a name of its own; in this room the short ones say enough.
pub use self::{CaseSide as Side, TerminationGround as Ground};

/// What an applicant says. Sealed as one text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The employer's name.
    pub employer: String,
    /// Its unified social credit code, in capitals; none where the applicant does not know it.
    pub employer_code: Option<String>,
    /// Why a code that its check sign does not fit is genuine all the same.
    pub code_reason: Option<String>,
    /// What happened.
    pub facts: String,
    /// What the applicant wants.
    pub wishes: String,
    /// How much it is about, in fen.
    pub amount_fen: Option<i64>,
    /// Which exemption from the check of means, by its code.
    pub exemption: Option<String>,
    /// The version of the declaration that was signed, and when.
    pub declaration: String,
    /// Where papers reach the applicant, if not in the mini-program.
    pub address: Option<String>,
}

impl Facts {
    /// Seals them for the case `id`.
    pub fn seal(&self, vault: &Vault, id: CaseId) -> Result<String> {
        let text = serde_json::to_string(self).map_err(Error::internal)?;
        vault.seal(FACTS, id.0.as_bytes(), &text).map_err(Error::internal)
    }

    /// Opens those of `case`.
    pub fn open(vault: &Vault, case: &Case) -> Result<Self> {
        let text = vault.open(FACTS, case.id.0.as_bytes(), &case.facts_sealed).map_err(Error::internal)?;
        match text.expose_secret() {
            // Erased, when its time was over.
            "" => Ok(Self::default()),
            text => serde_json::from_str(text).map_err(Error::internal),
        }
    }
}

/// A request for legal aid, and the case that it becomes once it is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_cases, treat_none_as_default_value = false)]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// The number of an accepted case.
    pub number: Option<String>,
    /// Who asked; of a group, the first of its representatives.
    pub person_id: PersonId,
    /// The body that decides about it.
    pub desk_id: OrganisationId,
    /// Where it counts.
    pub street_id: Option<OrganisationId>,
    /// What it is about.
    pub category: Category,
    /// Which matter of article 31 it is, if it is one.
    pub matter: Option<Matter>,
    /// In which form aid is asked for, and given.
    pub form: AidForm,
    /// [`Facts`].
    pub facts_sealed: String,
    /// What the limitation runs from.
    pub event: Option<ClaimEvent>,
    /// When that was.
    pub event_on: Option<NaiveDate>,
    /// The last day of the limitation.
    pub limitation_on: Option<NaiveDate>,
    /// Whether it cannot wait (法律援助法 第四十四条).
    pub urgent: bool,
    /// How it stands with the applicant's means.
    pub means: Means,
    /// Where in its life it is.
    pub state: CaseState,
    /// How many workers it is about.
    pub members: i64,
    /// When it came in.
    pub received_at: NaiveDateTime,
    /// When it was decided about.
    pub decided_at: Option<NaiveDateTime>,
    /// When it ended.
    pub ended_at: Option<NaiveDateTime>,
    /// Why it was terminated.
    pub ground: Option<Ground>,
    /// Counts changes.
    pub version: i64,
}

/// A term of the law that runs, ran or stands still.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_clocks, treat_none_as_default_value = false)]
pub struct LegalClock {
    /// Its id.
    pub id: LegalClockId,
    /// Of which case.
    pub case_id: CaseId,
    /// Which term.
    pub kind: ClockKind,
    /// The policy that says how long.
    pub term: String,
    /// What it runs from.
    pub started_at: NaiveDateTime,
    /// When it ends; none while it stands.
    pub due_at: Option<NaiveDateTime>,
    /// From when on it is amber.
    pub amber_at: Option<NaiveDateTime>,
    /// JSON: how that was reckoned.
    pub trail: String,
    /// When it was done with.
    pub stopped_at: Option<NaiveDateTime>,
    /// When its team was told that few days are left.
    pub warned_at: Option<NaiveDateTime>,
    /// When it ran out. Stays, whatever happens afterwards.
    pub breached_at: Option<NaiveDateTime>,
}

/// A time in which a clock stood.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_pauses, treat_none_as_default_value = false)]
pub struct LegalPause {
    /// Which clock.
    pub clock_id: LegalClockId,
    /// From when.
    pub began_at: NaiveDateTime,
    /// Until when; none while it stands.
    pub ended_at: Option<NaiveDateTime>,
}

/// That somebody knows of a case.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_team, treat_none_as_default_value = false)]
pub struct TeamMember {
    /// Its id.
    pub id: TeamMemberId,
    /// Of which case.
    pub case_id: CaseId,
    /// Who.
    pub person_id: PersonId,
    /// As what.
    pub role: TeamRole,
    /// Since when.
    pub joined_at: NaiveDateTime,
    /// Until when.
    pub left_at: Option<NaiveDateTime>,
}

/// Something that happened to a case. Never changed.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_events, treat_none_as_default_value = false)]
pub struct CaseEvent {
    /// Its id.
    pub id: CaseEventId,
    /// To which case.
    pub case_id: CaseId,
    /// When.
    pub at: NaiveDateTime,
    /// Who did it; none for what time has brought about.
    pub actor_id: Option<PersonId>,
    /// What, such as `accept`.
    pub act: String,
    /// What the case became.
    pub state: CaseState,
    /// The document that says so.
    pub document_id: Option<CaseDocumentId>,
    /// What was noted.
    pub note_sealed: Option<String>,
}

/// Who is a side of a case, by a keyed hash.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_parties, treat_none_as_default_value = false)]
pub struct Party {
    /// Of which case.
    pub case_id: CaseId,
    /// Which side.
    pub side: Side,
    /// Whose hash.
    pub who: Vec<u8>,
}
