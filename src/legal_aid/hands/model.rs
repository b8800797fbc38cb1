//! Rows of stations, lawyers, turns, changes and referrals.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

use crate::error::{Error, Result};
use crate::ids::{CaseId, LawyerChangeId, LawyerId, LegalStationId, OrganisationId, PersonId, ReferralId};
use crate::legal_aid::model::Category;
use crate::platform::db::schema::{
    legal_lawyer_changes, legal_lawyer_clients, legal_lawyers, legal_referrals, legal_stations, legal_turns,
};
use crate::platform::vault::Field;

/// Where licence numbers are kept.
pub const LICENCE: Field = Field("legal_lawyers.licence");
/// Where lawyers' telephone numbers are kept.
pub const LAWYER_PHONE: Field = Field("legal_lawyers.phone");
/// Where it is kept why somebody was passed over.
pub const TURN_NOTE: Field = Field("legal_turns.note");
/// Where it is kept why another lawyer is asked for.
pub const CHANGE_REASON: Field = Field("legal_lawyer_changes.reason");
/// Where what was answered to it is kept.
pub const CHANGE_ANSWER: Field = Field("legal_lawyer_changes.answer");
/// Where it is kept why a case is referred.
pub const REFERRAL_REASON: Field = Field("legal_referrals.reason");
/// Where what is handed over is kept.
pub const REFERRAL_DATA: Field = Field("legal_referrals.data");
/// Where what came of it is kept.
pub const REFERRAL_OUTCOME: Field = Field("legal_referrals.outcome");

crate::text_enum! {
    /// Which of the three parts of item 11 a station is of, in the plan's order.
    pub enum StationKind {
        /// 区级工会法律服务中心
        Centre = "centre",
        /// 街道、社区法律服务站
        Community = "community",
        /// 企业、行业法律服务点
        Workplace = "workplace",
    }
}

impl StationKind {
    /// For people.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Centre => "区级中心",
            Self::Community => "街道（社区）站",
            Self::Workplace => "企业（行业）点",
        }
    }
}

/// A legal service station.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_stations, treat_none_as_default_value = false)]
pub struct LegalStation {
    /// Its id.
    pub id: LegalStationId,
    /// Of which part.
    pub kind: StationKind,
    /// Its name, once an organisation.
    pub name: String,
    /// Who keeps it, and reports it.
    pub organisation_id: OrganisationId,
    /// Where it is.
    pub address: String,
    /// Its own line.
    pub phone: Option<String>,
    /// When somebody is there.
    pub hours: Option<String>,
    /// Since when.
    pub opened_on: NaiveDate,
    /// Its last day.
    pub closed_on: Option<NaiveDate>,
    /// Counts changes.
    pub version: i64,
}

/// A lawyer who takes cases.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_lawyers, treat_none_as_default_value = false)]
pub struct Lawyer {
    /// Their id.
    pub id: LawyerId,
    /// Who.
    pub person_id: PersonId,
    /// At which station.
    pub station_id: LegalStationId,
    /// Their law firm.
    pub firm: String,
    /// Licence number.
    pub licence_sealed: String,
    /// To find it by.
    pub licence_index: Vec<u8>,
    /// Telephone number.
    pub phone_sealed: String,
    /// JSON: which classes of cases they take.
    pub kinds: String,
    /// How many open cases at most.
    pub capacity: i64,
    /// First day of duty.
    pub on_duty_from: NaiveDate,
    /// Last day of duty.
    pub on_duty_until: Option<NaiveDate>,
    /// When they were registered.
    pub registered_at: NaiveDateTime,
    /// Counts changes.
    pub version: i64,
}

impl Lawyer {
    /// Which classes of cases they take.
    pub fn categories(&self) -> Result<Vec<Category>> {
        serde_json::from_str(&self.kinds).map_err(Error::internal)
    }

    /// Whether they are on duty on `day`.
    pub fn is_on_duty(&self, day: NaiveDate) -> bool {
        self.on_duty_from <= day && self.on_duty_until.is_none_or(|last| day <= last)
    }
}

/// That a lawyer acts or acted for somebody outside legal aid.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_lawyer_clients)]
pub struct LawyerClient {
    /// Which lawyer.
    pub lawyer_id: LawyerId,
    /// Whose hash.
    pub who: Vec<u8>,
}

crate::text_enum! {
    /// Why a lawyer was passed over.
    pub enum SkipReason {
        /// 不在值班期
        OffDuty = "off_duty",
        /// 不办理该类案件
        OtherKind = "other_kind",
        /// 没有援助律师的权限
        NoRole = "no_role",
        /// 利益冲突，应当回避
        Conflict = "conflict",
        /// 本案的现任或者前任律师
        SameLawyer = "same_lawyer",
        /// 在办案件已达上限
        Full = "full",
        /// 由工作人员说明理由后跳过
        PassedOver = "passed_over",
    }
}

impl SkipReason {
    /// For people.
    pub fn zh(self) -> &'static str {
        match self {
            Self::OffDuty => "不在值班期",
            Self::OtherKind => "不办理该类案件",
            Self::NoRole => "没有援助律师的权限",
            Self::Conflict => "应当回避",
            Self::SameLawyer => "本案的现任或者前任律师",
            Self::Full => "在办案件已达上限",
            Self::PassedOver => "由工作人员说明理由后跳过",
        }
    }

    /// The same in English.
    pub fn en(self) -> &'static str {
        match self {
            Self::OffDuty => "This lawyer is not on duty",
            Self::OtherKind => "This lawyer does not take cases of this kind",
            Self::NoRole => "This person does not have the role of a legal-aid lawyer",
            Self::Conflict => "This lawyer has to keep away",
            Self::SameLawyer => "This lawyer has or had the case already",
            Self::Full => "This lawyer has as many open cases as they take",
            Self::PassedOver => "Passed over by an officer, who said why",
        }
    }
}

/// In which place a lawyer was looked at for a case, and why they were passed over. Never changed.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_turns, treat_none_as_default_value = false)]
pub struct Turn {
    /// For which case.
    pub case_id: CaseId,
    /// Which time somebody was looked for.
    pub round: i64,
    /// Whom.
    pub lawyer_id: LawyerId,
    /// In which place, from 1.
    pub place: i64,
    /// Cases taken lately.
    pub recent: i64,
    /// Open cases.
    pub open: i64,
    /// Why they were passed over; none where they were suggested.
    pub skipped: Option<SkipReason>,
    /// Why an officer passed them over.
    pub note_sealed: Option<String>,
    /// When.
    pub at: NaiveDateTime,
}

crate::text_enum! {
    /// What became of a wish for another lawyer.
    pub enum ChangeState {
        /// 待决定
        Asked = "asked",
        /// 已更换
        Granted = "granted",
        /// 不予更换
        Refused = "refused",
        /// 已撤回
        Withdrawn = "withdrawn",
    }
}

/// That somebody asks for another lawyer.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_lawyer_changes, treat_none_as_default_value = false)]
pub struct LawyerChange {
    /// Its id.
    pub id: LawyerChangeId,
    /// Of which case.
    pub case_id: CaseId,
    /// Whom they no longer want.
    pub lawyer_id: PersonId,
    /// Why.
    pub reason_sealed: String,
    /// What became of it.
    pub state: ChangeState,
    /// When it was asked.
    pub asked_at: NaiveDateTime,
    /// Until when it is decided.
    pub due_at: NaiveDateTime,
    /// Who decided.
    pub decided_by: Option<PersonId>,
    /// When it was decided, or withdrawn.
    pub decided_at: Option<NaiveDateTime>,
    /// What was answered.
    pub answer_sealed: Option<String>,
    /// Who came in their place.
    pub successor_id: Option<PersonId>,
    /// Counts changes.
    pub version: i64,
}

crate::text_enum! {
    /// Where a case is referred to.
    pub enum Destination {
        /// 法律援助处
        AidOffice = "aid_office",
        /// 12348公共法律服务热线
        Hotline = "hotline",
        /// 劳动人事争议仲裁院
        Arbitration = "arbitration",
        /// 人民法院
        Court = "court",
        /// 劳动监察
        Inspection = "inspection",
    }
}

crate::text_enum! {
    /// Where in its life a referral is.
    pub enum ReferralState {
        /// 待申请人同意
        Proposed = "proposed",
        /// 申请人已同意
        Consented = "consented",
        /// 申请人不同意
        Declined = "declined",
        /// 已移送
        Sent = "sent",
        /// 对方已接收
        Accepted = "accepted",
        /// 对方不接收
        Rejected = "rejected",
        /// 对方退回
        Returned = "returned",
    }
}

/// That a case is referred elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_referrals, treat_none_as_default_value = false)]
pub struct Referral {
    /// Its id.
    pub id: ReferralId,
    /// Which case.
    pub case_id: CaseId,
    /// To what.
    pub destination: Destination,
    /// To which one.
    pub office: String,
    /// JSON: the names of what is handed over.
    pub fields: String,
    /// Why.
    pub reason_sealed: String,
    /// What is handed over, as it was when it was proposed.
    pub data_sealed: String,
    /// Where in its life it is.
    pub state: ReferralState,
    /// By whom.
    pub proposed_by: PersonId,
    /// When.
    pub proposed_at: NaiveDateTime,
    /// When the applicant said yes or no, at last.
    pub answered_at: Option<NaiveDateTime>,
    /// Who handed it over.
    pub sent_by: Option<PersonId>,
    /// When.
    pub sent_at: Option<NaiveDateTime>,
    /// When it was known what came of it.
    pub outcome_at: Option<NaiveDateTime>,
    /// What was said of it.
    pub outcome_sealed: Option<String>,
    /// Counts changes.
    pub version: i64,
}
