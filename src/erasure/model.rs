//! Rows of erasures, and of what is kept.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

use crate::ids::PersonId;
use crate::platform::db::schema::{erasure_kept, erasures};

crate::text_enum! {
    /// On whose word somebody was erased.
    pub enum ErasureWay {
        /// 本人申请
        Own = "own",
        /// 工作人员办理, with a reason
        Officer = "officer",
    }
}

crate::text_enum! {
    /// What stands in the way of an erasure.
    pub enum ErasureObstacle {
        /// 法律援助案件尚未办结
        LegalCase = "legal_case",
        /// 申请正在审核
        Review = "review",
        /// 报名的活动尚未结束
        Signup = "signup",
        /// 签到待裁定
        CheckinConflict = "checkin_conflict",
        /// 仍有工作人员权限
        StaffRole = "staff_role",
    }
}

crate::text_enum! {
    /// What was erased.
    pub enum ErasedKind {
        /// 姓名、手机号、身份证号、人群身份
        Profile = "profile",
        /// 微信标识和登录
        Logins = "logins",
        /// 消息
        Notices = "notices",
        /// 报名中的说明和申诉
        SignupTexts = "signup_texts",
        /// 请假说明
        Excuses = "excuses",
        /// 申请材料和留言
        ReviewFiles = "review_files",
        /// 会籍
        Memberships = "memberships",
        /// 工伤探视资料
        Injuries = "injuries",
        /// 法律援助资料
        LegalFiles = "legal_files",
        /// 上传的文件
        Files = "files",
        /// 内容检查记录
        ContentChecks = "content_checks",
        /// 为重复请求保留的应答
        Answers = "answers",
    }
}

crate::text_enum! {
    /// What the law keeps.
    pub enum KeptKind {
        /// 本人的法律援助案卷
        LegalCase = "legal_case",
        /// 他人集体案件案卷中的本人信息
        LegalMember = "legal_member",
    }
}

/// That somebody was erased.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = erasures, treat_none_as_default_value = false)]
pub struct Erasure {
    /// Who.
    pub person_id: PersonId,
    /// On whose word.
    pub way: ErasureWay,
    /// Who asked.
    pub asked_by: PersonId,
    /// When.
    pub erased_at: NaiveDateTime,
    /// JSON: how many rows of what.
    pub removed: String,
}

/// What is kept of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = erasure_kept, treat_none_as_default_value = false)]
pub struct ErasureKept {
    /// What.
    pub kind: KeptKind,
    /// Which row.
    pub row_id: Vec<u8>,
    /// Of whom.
    pub person_id: PersonId,
    /// Its last day.
    pub until_on: NaiveDate,
    /// The policy that says how long.
    pub policy: String,
    /// Which version of it.
    pub policy_from: NaiveDate,
    /// When it was erased in its turn.
    pub ended_at: Option<NaiveDateTime>,
}
