//! The one error type that reaches a client, and the one table of its codes.
//!
//! Every failure is a problem document (RFC 9457) with a stable `code`, in Chinese or English by
//! `Accept-Language`. An [`Error`] carries what happened; `platform::http::problem` renders it, because
//! only the middleware knows the language and the request id. Causes of a 5xx are logged, never sent.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Simplified Chinese.
    pub zh: Cow<'static, str>,
    /// English.
    pub en: Cow<'static, str>,
}

impl Text {
    /// A text known at compile time or made at run time.
    pub fn new(zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $zh:literal, $en:literal;)*) => {
        /// Stable machine-readable codes. A code never changes its meaning or its status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, for documentation and tests.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The code's text, such as `signup_full`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)* }
            }

            /// The HTTP status of every problem with this code.
            pub fn status(self) -> StatusCode {
                let number: u16 = match self { $(Code::$variant => $status,)* };
                StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// What the code means, for people.
            pub fn title(self) -> Text {
                match self { $(Code::$variant => Text::new($zh, $en),)* }
            }
        }
    };
}

codes! {
    BadRequest = "bad_request", 400, "请求有误", "The request is malformed";
    JsonMalformed = "json_malformed", 400, "请求体不是合法的 JSON", "The body is not valid JSON";
    QueryInvalid = "query_invalid", 400, "查询参数有误", "A query parameter is wrong";
    CursorInvalid = "cursor_invalid", 400, "翻页游标无效，请从第一页重新开始", "The cursor is not valid; start again from the first page";
    HeaderInvalid = "header_invalid", 400, "请求头有误", "A request header is wrong";
    IdempotencyKeyMissing = "idempotency_key_missing", 400, "缺少 Idempotency-Key 请求头", "The Idempotency-Key header is missing";
    Unauthenticated = "unauthenticated", 401, "请先登录", "Please log in";
    TokenExpired = "token_expired", 401, "登录已过期，请刷新令牌", "The access token has expired; refresh it";
    RefreshInvalid = "refresh_invalid", 401, "刷新令牌无效，请重新登录", "The refresh token is not valid; log in again";
    RefreshReused = "refresh_reused", 401, "刷新令牌被重复使用，该登录已全部退出，请重新登录", "The refresh token was used twice; this login has been ended, log in again";
    WechatCodeInvalid = "wechat_code_invalid", 401, "微信登录凭证无效或已过期，请重新调用 wx.login", "The WeChat code is invalid, used or expired; call wx.login again";
    PersonDisabled = "person_disabled", 403, "该账号已停用", "This account is disabled";
    PersonErased = "person_erased", 403, "该账号的个人信息已删除；再次登录将建立新账号", "The personal data of this account was erased; logging in again makes a new account";
    Forbidden = "forbidden", 403, "没有权限", "You do not have the permission";
    WechatUserBlocked = "wechat_user_blocked", 403, "微信认为该用户存在风险，暂不能登录", "WeChat blocks this user as high-risk";
    ReviewNotYours = "review_not_yours", 403, "此环节不由您办理", "This stage is not yours to decide";
    ReviewRecused = "review_recused", 403, "您应当回避该申请", "You may not decide about this request";
    NotFound = "not_found", 404, "未找到", "Not found";
    FileLinkInvalid = "file_link_invalid", 404, "链接无效或已过期，请重新打开", "The link is not valid or has expired; open the file again";
    MethodNotAllowed = "method_not_allowed", 405, "不支持的请求方法", "The method is not supported here";
    NotAcceptable = "not_acceptable", 406, "无法提供所请求的格式", "The requested format is not available";
    RequestTimeout = "request_timeout", 408, "请求接收超时", "The request took too long to arrive";
    Conflict = "conflict", 409, "与当前状态冲突", "This conflicts with what is there";
    IdempotencyRunning = "idempotency_running", 409, "相同的请求正在处理，请稍后重试", "The same request is still running; try again shortly";
    StateForbids = "state_forbids", 409, "当前状态不允许此操作", "The current state forbids this";
    SignupFull = "signup_full", 409, "名额已满", "No places are left";
    SignupNotYetOpen = "signup_not_yet_open", 409, "报名尚未开始", "Sign-up is not open yet";
    SignupClosed = "signup_closed", 409, "报名已截止", "Sign-up is closed";
    SignupDuplicate = "signup_duplicate", 409, "您已报名，请勿重复报名", "You are already signed up";
    SignupNotDirect = "signup_not_direct", 409, "该活动以抽签分配名额，暂不能直接报名", "Places of this activity are given by a draw; one cannot sign up directly";
    SignupAttended = "signup_attended", 409, "已签到，不能取消报名", "Already checked in; the sign-up cannot be cancelled";
    SignupNotCovered = "signup_not_covered", 409, "没有分配给您所在单位或人群的名额", "No quota covers your employer or group";
    SignupClash = "signup_clash", 409, "与您已报名的其他活动时间冲突", "It overlaps another activity that you have a place in";
    SignupUnwaited = "signup_not_waiting", 409, "您不在候补名单中", "You are not on the waiting list";
    OfferOver = "offer_over", 409, "该候补名额已失效", "This offer is over";
    PartyInvalid = "party_invalid", 409, "同行码无效或同行人数已满", "The party's code is not valid, or the party is full";
    QuotaBelowUse = "quota_below_use", 409, "名额不能少于已使用和已保留的数量", "A quota cannot be less than what is used and held";
    ResourceClash = "resource_clash", 409, "场地或讲师在该时间已被占用", "A venue or a trainer is taken at that time";
    SecondOfficer = "second_officer_required", 409, "须由另一名工作人员批准", "Another officer must decide this";
    PeopleUnfinished = "people_unfinished", 409, "账号尚有未了事项，暂不能合并", "Something is unfinished, so these accounts cannot be merged yet";
    CheckinCalledOff = "checkin_called_off", 409, "活动或场次已取消或延期", "The activity or the session is cancelled or postponed";
    CheckinFull = "checkin_full", 409, "现场人数已达上限", "The room is full";
    PassInvalid = "pass_invalid", 409, "电子凭证无效，请让职工刷新后重试", "The pass is not valid; ask the worker to refresh it";
    CodeInvalid = "code_invalid", 409, "签到码不正确或已过期，请以现场最新的为准", "Not the session's code of this moment; look again at what is shown";
    CheckinNotEligible = "checkin_not_eligible", 409, "该职工不符合本活动的参加条件", "This person does not meet the activity's conditions";
    CheckinNotPresent = "checkin_not_present", 409, "该职工未在本场次签到", "This person is not checked in to this session";
    DeviceRevoked = "device_revoked", 403, "设备已停用，或未获授权用于本场次", "The device is revoked or has no such task at this session";
    BundleExpired = "bundle_expired", 409, "离线名单已过期，请联网更新", "The device's list has expired; fetch it anew";
    SignatureInvalid = "signature_invalid", 403, "设备签名不正确", "The device's signature is not valid";
    BundleTooLarge = "bundle_too_large", 409, "名单超过 0.6 MB，请分场次离线", "The list is larger than 0.6 MB";
    SheetOwn = "sheet_own", 403, "录入人不能核对自己录入的签到表", "Who typed a sheet does not check it";
    PassExpired = "pass_expired", 409, "电子凭证已过期，请让职工刷新后重试", "The pass has expired; ask the worker to refresh it";
    CheckinNotSignedUp = "checkin_not_signed_up", 409, "该职工未报名本场次", "This person has no sign-up for this session";
    CheckinNotOpen = "checkin_not_open", 409, "未到签到时间或签到已结束", "The door is not open at this time";
    HeadcountAboveVenue = "headcount_above_venue", 409, "人数超过场地容量，已登记为不予采用", "More people than the venue holds; recorded as refused";
    HeadcountImplausible = "headcount_implausible", 409, "人数与计数依据不符，已登记为不予采用", "The number does not follow from how it was counted; recorded as refused";
    HeadcountLive = "headcount_live", 409, "本场次已有人数登记", "This session has a headcount already";
    LegalConflict = "legal_conflict", 409, "该人员与本案有利益冲突，应当回避", "This person has to keep away from this case";
    FigureEarned = "figure_earned", 409, "该指标由签到、人数登记或案件计数，不能填报", "This target is counted from attendance or cases; nobody types it in";
    TargetUndivided = "target_undivided", 409, "该指标不分解到街道", "This target is not divided among the sub-districts";
    SessionFinalised = "session_finalised", 409, "场次已结算", "The session has been finalised";
    SessionMonthClosed = "session_month_closed", 409, "该月数据已关账，场次不能重新开启", "The figures of its month are closed; the session is not opened again";
    SessionNotBegun = "session_not_begun", 409, "场次尚未开始，不能结算", "The session has not begun; it cannot be finalised";
    ReviewLive = "review_live", 409, "已有一份申请正在办理", "A request about this is under review already";
    ReviewClaimed = "review_claimed", 409, "该申请正由其他人员办理", "Somebody else is working at this request";
    ReviewLeaveNeeded = "review_leave_needed", 409, "再次退回补正须经上级准许", "A second return needs the leave of a superior";
    ReviewAppealOver = "review_appeal_over", 409, "不能申诉", "This cannot be appealed against";
    FileHeld = "file_held", 409, "文件已附在某事项上，不能删除", "The file hangs on something and cannot be removed";
    FileUnusable = "file_unusable", 409, "文件不存在、不属于您或已被使用", "A file is not there, not yours, or used already";
    FileTooMany = "file_too_many", 409, "未使用的文件过多，请先提交或删除", "Too many files hang on nothing; submit or remove some first";
    DelegationTooMany = "delegation_too_many", 409, "有效委托过多，请先收回一些", "Too many delegations are in force or still to come; take some back first";
    PeriodOpenItems = "period_open_items", 409, "尚有未办结事项，不能结账", "Things are open; it cannot be closed";
    PeriodNotOver = "period_not_over", 409, "期间尚未结束，不能结账", "The period is not over; it cannot be closed";
    PeriodClosed = "period_closed", 409, "期间已结账", "The period is closed";
    PlanThere = "plan_there", 409, "该年度的工作要点已存在", "There is a plan for that year already";
    LegalReportMissing = "legal_report_missing", 409, "尚未提交结案报告，不能结案", "There is no report yet; the case is not closed without one";
    LegalFileUnchecked = "legal_file_unchecked", 409, "案卷尚未由另一名工作人员核对齐全", "Another officer has not found the file complete yet";
    ErasureHeld = "erasure_held", 409, "还有未办结的事项，暂不能删除个人信息", "Something is still running; personal data cannot be erased yet";
    UniqueTaken = "unique_taken", 409, "已被占用", "Already taken by another record";
    LegalNoticed = "legal_noticed", 409, "已一次性告知过需要补充的材料，不得再次要求补充", "What is missing was told once already; it is not told a second time";
    LegalObjected = "legal_objected", 409, "对该决定已提出过异议", "There was an objection to this decision already";
    MembersOnly = "signup_members_only", 409, "该活动仅限已认证的工会会员报名，请先在“我的会籍”中申请认证", "Only verified members of a union may sign up; claim your membership first";
    MembershipHeld = "membership_held", 409, "已是认证会员", "Already a verified member";
    PreconditionFailed = "precondition_failed", 412, "数据已被他人修改，请重新读取后再试", "Somebody changed this meanwhile; read it again";
    BodyTooLarge = "body_too_large", 413, "请求体过大", "The body is too large";
    UriTooLong = "uri_too_long", 414, "请求地址过长", "The address is too long";
    UnsupportedMediaType = "unsupported_media_type", 415, "不支持该类型的请求体", "The body is of a type that is not taken here";
    FileTypeRefused = "file_type_refused", 415, "不支持该类型的文件", "Files of this kind are not taken";
    FileBroken = "file_broken", 422, "文件不完整或已损坏", "The file is incomplete or damaged";
    FileMixed = "file_mixed", 422, "文件中夹带了其他内容", "The file carries something else inside";
    FilePixels = "file_pixels", 422, "图片尺寸过大", "The picture has too many pixels";
    ValidationFailed = "validation_failed", 422, "部分字段有误", "Some fields are wrong";
    IdempotencyMismatch = "idempotency_mismatch", 422, "该 Idempotency-Key 已用于另一请求", "This Idempotency-Key was used for another request";
    PreconditionRequired = "precondition_required", 428, "缺少 If-Match 请求头", "The If-Match header is missing";
    RateLimited = "rate_limited", 429, "请求过于频繁，请稍后再试", "Too many requests; try again later";
    Internal = "internal", 500, "服务器内部错误", "Internal server error";
    WechatUnavailable = "wechat_unavailable", 503, "微信服务暂不可用，请稍后再试", "WeChat is not available; try again later";
    StorageUnavailable = "storage_unavailable", 503, "数据库暂不可用，请稍后再试", "The database is not available; try again later";
    FileStoreUnavailable = "file_store_unavailable", 503, "文件存储暂不可用，请稍后再试", "The file store is not available; try again later";
    StorageFull = "storage_full", 503, "存储空间不足，未保存任何更改", "The disk is full; nothing was changed";
    Overloaded = "overloaded", 503, "服务繁忙，请稍后再试", "The server is busy; try again shortly";
    Stopping = "stopping", 503, "服务正在停止，请重试", "The server is stopping; try again";
}

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer into the body, or `/query/<name>`, `/path/<name>`, `/header/<name>`.
    pub pointer: String,
    /// A stable code such as `required`, `type`, `max_length`.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub detail: Text,
}

impl Fault {
    /// A fault of the field at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: Text) -> Self {
        Self { pointer: pointer.into(), code, detail }
    }
}

/// A failure with everything that its problem document needs. Boxed, so that `Result` stays small.
pub struct Error(Box<Inner>);

/// The content of an [`Error`].
#[derive(Debug)]
pub struct Inner {
    /// What happened.
    pub code: Code,
    /// This occurrence, for people.
    pub detail: Option<Text>,
    /// All wrong fields.
    pub faults: Vec<Fault>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// `Allow` of a 405.
    pub allow: Option<String>,
    /// What stands in place of what the caller read, of a 412.
    pub current: Option<serde_json::Value>,
    /// Logged, never sent.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything that can fail towards a client.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the kind `code`.
    pub fn new(code: Code) -> Self {
        Self(Box::new(Inner {
            code,
            detail: None,
            faults: Vec::new(),
            retry_after: None,
            allow: None,
            current: None,
            cause: None,
        }))
    }

    /// Adds what is particular to this occurrence.
    #[must_use]
    pub fn detail(mut self, zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(Text::new(zh, en));
        self
    }

    /// Adds a hint when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Adds the methods that are allowed.
    #[must_use]
    pub fn allow(mut self, methods: String) -> Self {
        self.0.allow = Some(methods);
        self
    }

    /// Adds what stands in place of what the caller read.
    #[must_use]
    pub fn current(mut self, current: serde_json::Value) -> Self {
        self.0.current = Some(current);
        self
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// An internal error: a 500 whose cause is logged and never sent.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Code::Internal).cause(cause)
    }

    /// What the caller may not know of, and what is not there.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    /// All wrong fields of a body.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let mut error = Self::new(Code::ValidationFailed);
        error.0.faults = faults;
        error
    }

    /// A wrong query, path or header parameter.
    pub fn parameter(code: Code, fault: Fault) -> Self {
        Self::parameters(code, vec![fault])
    }

    /// All wrong query, path or header parameters.
    pub fn parameters(code: Code, faults: Vec<Fault>) -> Self {
        let mut error = Self::new(code);
        error.0.faults = faults;
        error
    }

    /// Whether another transaction was faster, so that the same act tried again may find another answer.
    pub fn lost_a_race(&self) -> bool {
        matches!(self.0.code, Code::IdempotencyRunning | Code::Overloaded)
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The content.
    pub fn inner(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.as_str())?;
        if let Some(detail) = &self.0.detail {
            write!(f, ": {}", detail.en)?;
        }
        for fault in &self.0.faults {
            write!(f, "; {} {}", fault.pointer, fault.detail.en)?;
        }
        if let Some(cause) = &self.0.cause {
            write!(f, " ({cause})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_have_real_statuses() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} twice", code.as_str());
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{}", code.as_str());
            if *code != Code::Internal {
                assert_ne!(code.status(), StatusCode::INTERNAL_SERVER_ERROR, "{}", code.as_str());
            }
        }
    }
}
