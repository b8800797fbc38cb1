//! Rows of the inbox.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::ids::{NoticeId, PersonId};
use crate::platform::db::schema::notices;

crate::text_enum! {
    /// What a message is about.
    pub enum NoticeKind {
        /// 报名成功
        SignupConfirmed = "signup_confirmed",
        /// 报名已取消
        SignupCancelled = "signup_cancelled",
        /// 已进入候补
        WaitingJoined = "waiting_joined",
        /// 已参与摇号
        DrawEntered = "draw_entered",
        /// 候补名额待确认
        OfferMade = "offer_made",
        /// 候补名额已失效
        OfferExpired = "offer_expired",
        /// 候补结束，未获名额
        NoPlace = "no_place",
        /// 工会为您报名，待确认
        Nominated = "nominated",
        /// 工作人员代为报名
        SignupByStaff = "signup_by_staff",
        /// 活动取消
        ActivityCancelled = "activity_cancelled",
        /// 活动延期
        ActivityPostponed = "activity_postponed",
        /// 活动改期
        ActivityRescheduled = "activity_rescheduled",
        /// 场次取消
        SessionCancelled = "session_cancelled",
        /// 信用扣分
        PenaltyGiven = "penalty_given",
        /// 申诉结果
        PenaltyDecided = "penalty_decided",
        /// 会籍终止
        MembershipEnded = "membership_ended",
        /// 申请需要补正
        ReviewReturned = "review_returned",
        /// 申请已通过
        ReviewApproved = "review_approved",
        /// 申请未通过
        ReviewRejected = "review_rejected",
        /// 申请视为撤回
        ReviewLapsed = "review_lapsed",
        /// 申请有新消息
        ReviewMessage = "review_message",
        /// 工作人员：待办临近到期
        ReviewDue = "review_due",
        /// 工作人员：待办已逾期
        ReviewBreached = "review_breached",
        /// 工作人员：指派待办
        ReviewAssigned = "review_assigned",
        /// 工作人员：再次退回的批准结果
        ReviewLeaveDecided = "review_leave_decided",
        /// 工作人员：受托代为办理，或委托被收回
        ReviewDelegated = "review_delegated",
        /// 工伤认定申请期限将到
        InjuryDue = "injury_due",
        /// 法律援助进展
        LegalStep = "legal_step",
        /// 工作人员：法律援助待办
        LegalWork = "legal_work",
        /// 法律援助有新留言
        LegalMessage = "legal_message",
        /// 审计员：有人应急查阅法律援助案件
        LegalGlassOpened = "legal_glass_opened",
        /// 您的法律援助案件曾被应急查阅
        LegalGlassTold = "legal_glass_told",
        /// 账号已合并
        AccountsMerged = "accounts_merged",
        /// 账号已拆分
        AccountsParted = "accounts_parted",
    }
}

/// A message.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = notices, treat_none_as_default_value = false)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// To whom.
    pub person_id: PersonId,
    /// The job that wrote it.
    pub source: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// Chinese, for people.
    pub title: String,
    /// Chinese, for people.
    pub body: String,
    /// The resource it is about.
    pub link: Option<String>,
    /// When.
    pub created_at: NaiveDateTime,
    /// When it was read.
    pub read_at: Option<NaiveDateTime>,
}
