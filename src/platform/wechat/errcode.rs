//! What WeChat's error codes mean, and who can do something about each.
//!
//! Only the number decides. The text beside it (`errmsg`) changes between releases and carries a request id.

/// Who has to act before the same call can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhoActs {
    /// The person at the telephone: log in again, allow messages, rephrase.
    User,
    /// Whoever runs this service: its configuration, its templates, its standing with WeChat, its code.
    Operator,
    /// Nobody: the same call may succeed later.
    Nobody,
}

macro_rules! meanings {
    ($($(#[$doc:meta])* $name:ident: $who:ident, $english:literal, $chinese:literal;)*) => {
        /// What an error code means for this backend.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Meaning {
            $(#[doc = $english] $(#[$doc])* $name,)*
        }

        impl Meaning {
            /// Every meaning.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Who has to act.
            pub fn who_acts(self) -> WhoActs {
                match self { $(Self::$name => WhoActs::$who,)* }
            }

            /// One English sentence without a full stop, for logs and operators.
            pub fn english(self) -> &'static str {
                match self { $(Self::$name => $english,)* }
            }

            /// The same in Chinese, fit to be shown to people.
            pub fn chinese(self) -> &'static str {
                match self { $(Self::$name => $chinese,)* }
            }
        }
    };
}

meanings! {
    CodeInvalid: User, "the code is wrong, expired, or of another app", "登录凭证无效或已过期，请重试";
    CodeUsed: User, "the code has been used already", "登录凭证已被使用，请重试";
    UserBlocked: User, "WeChat judges this user high-risk and blocks the login", "该微信账号存在风险，微信已拦截登录";
    UserInactive: User, "the user has not opened the mini-program in the last two hours", "用户近两小时内未访问小程序，请打开小程序后重试";
    UserRefused: User, "the user has not agreed to this message, or every agreement is used up", "用户未订阅该消息，或订阅次数已用完";
    SessionStale: User, "the session key does not match any more; the user has to log in again", "登录会话已失效，请重新登录";
    ContentRisky: User, "the text contains what WeChat does not let through", "内容包含敏感信息，请修改后重试";

    Busy: Nobody, "WeChat is busy", "微信系统繁忙，请稍后重试";
    RateLimited: Nobody, "too many calls in a short time", "请求过于频繁，请稍后重试";
    QuotaExhausted: Nobody, "a quota of WeChat is used up for now", "微信接口调用次数已达上限，请稍后重试";
    SendInProgress: Nobody, "another message to the same user is being sent", "正在向该用户发送其他消息，请稍后重试";
    TokenInvalid: Nobody, "the access token is not valid or not the latest", "微信接口凭证无效，请稍后重试";
    TokenExpired: Nobody, "the access token has expired", "微信接口凭证已过期，请稍后重试";

    BadAppid: Operator, "the appid is wrong, or does not belong to the token or the code", "小程序 AppID 配置有误";
    BadSecret: Operator, "the app secret is wrong", "小程序密钥配置有误";
    SecretFrozen: Operator, "the app secret has been frozen in WeChat's console", "小程序密钥已被冻结";
    IpNotAllowed: Operator, "this server's address is not on the allow-list in WeChat's console", "服务器 IP 不在微信后台白名单中";
    AddressRetired: Operator, "the address called has been retired by WeChat", "所调用的微信服务器地址已停用";
    AwaitingAdmin: Operator, "the administrator of the mini-program has to confirm the call", "等待小程序管理员确认接口调用";
    AdminRefused: Operator, "the administrator of the mini-program refused the call", "小程序管理员已拒绝接口调用";
    AccountFrozen: Operator, "the mini-program is frozen or banned", "小程序账号已被冻结或封禁";
    NoPermission: Operator, "the mini-program may not use this function", "小程序没有该接口的权限";
    NotReleased: Operator, "the mini-program has no released version", "小程序尚未发布";
    PermanentQuotaExhausted: Operator, "a quota that never returns is used up", "微信永久额度已用完";
    MissingParameter: Operator, "the call lacks a parameter", "微信接口缺少参数";
    BadRequest: Operator, "the call is malformed", "微信接口请求有误";
    BadOpenid: Operator, "the openid is not one of this app", "用户标识不属于本小程序";
    TemplateInvalid: Operator, "the message template does not exist", "消息模板不存在";
    TemplateBanned: Operator, "the message template or the ability to send has been banned", "消息模板或订阅消息能力已被封禁";
    TemplateDataInvalid: Operator, "a value does not fit its place in the message template", "消息内容不符合模板要求";
    PageInvalid: Operator, "the page does not exist in the released version", "小程序页面不存在或未发布";
    SceneInvalid: Operator, "the scene is too long or has characters that are not allowed", "小程序码参数过长或含有非法字符";

    Unknown: Operator, "an error code that is not in the table", "微信返回未知错误";
}

/// One row a code; where the documentation gives a code another meaning at one endpoint, see [`AT_ENDPOINT`].
const TABLE: &[(i64, Meaning)] = &[
    (-1, Meaning::Busy),
    (40001, Meaning::TokenInvalid),
    (40002, Meaning::BadRequest),
    (40003, Meaning::BadOpenid),
    (40004, Meaning::BadRequest),
    (40013, Meaning::BadAppid),
    (40014, Meaning::TokenInvalid),
    (40029, Meaning::CodeInvalid),
    (40037, Meaning::TemplateInvalid),
    (40066, Meaning::PageInvalid),
    (40097, Meaning::BadRequest),
    (40125, Meaning::BadSecret),
    (40129, Meaning::SceneInvalid),
    (40159, Meaning::PageInvalid),
    (40163, Meaning::CodeUsed),
    (40164, Meaning::IpNotAllowed),
    (40165, Meaning::PageInvalid),
    (40169, Meaning::SceneInvalid),
    (40212, Meaning::BadRequest),
    (40225, Meaning::BadRequest),
    (40226, Meaning::UserBlocked),
    (40243, Meaning::SecretFrozen),
    (41001, Meaning::MissingParameter),
    (41002, Meaning::MissingParameter),
    (41004, Meaning::MissingParameter),
    (41008, Meaning::MissingParameter),
    (41030, Meaning::PageInvalid),
    (42001, Meaning::TokenExpired),
    (43002, Meaning::BadRequest),
    (43101, Meaning::UserRefused),
    (43104, Meaning::NoPermission),
    (43107, Meaning::TemplateBanned),
    (43108, Meaning::SendInProgress),
    (44002, Meaning::BadRequest),
    (44990, Meaning::RateLimited),
    (44991, Meaning::RateLimited),
    (44993, Meaning::QuotaExhausted),
    (45009, Meaning::QuotaExhausted),
    (45011, Meaning::RateLimited),
    (45029, Meaning::PermanentQuotaExhausted),
    (45047, Meaning::RateLimited),
    (45168, Meaning::ContentRisky),
    (47001, Meaning::BadRequest),
    (47003, Meaning::TemplateDataInvalid),
    (48006, Meaning::QuotaExhausted),
    (48017, Meaning::AddressRetired),
    (50004, Meaning::NoPermission),
    (50007, Meaning::AccountFrozen),
    (61010, Meaning::UserInactive),
    (76001, Meaning::BadRequest),
    (76002, Meaning::BadRequest),
    (76003, Meaning::BadRequest),
    (76004, Meaning::BadRequest),
    (76022, Meaning::BadRequest),
    (85079, Meaning::NotReleased),
    (85088, Meaning::NoPermission),
    (85096, Meaning::BadRequest),
    (85400, Meaning::PermanentQuotaExhausted),
    (85401, Meaning::BadRequest),
    (85402, Meaning::BadRequest),
    (85406, Meaning::QuotaExhausted),
    (85407, Meaning::NoPermission),
    (85408, Meaning::AccountFrozen),
    (87007, Meaning::SessionStale),
    (87008, Meaning::BadRequest),
    (87009, Meaning::SessionStale),
    (87014, Meaning::ContentRisky),
    (87020, Meaning::BadRequest),
    (89503, Meaning::AwaitingAdmin),
    (89506, Meaning::AdminRefused),
    (89507, Meaning::AdminRefused),
];

/// Codes that mean something else at one endpoint.
const AT_ENDPOINT: &[(&str, i64, Meaning)] = &[
    ("/cgi-bin/token", 40001, Meaning::BadSecret),
    ("/cgi-bin/stable_token", 40001, Meaning::BadSecret),
    ("/wxa/getwxacodeunlimit", 45009, Meaning::RateLimited),
    ("/wxa/msg_sec_check", 43104, Meaning::BadOpenid),
    ("/wxa/media_check_async", 43104, Meaning::BadOpenid),
    ("/wxa/generate_urllink", 40002, Meaning::NoPermission),
    ("/wxa/generate_urllink", 40013, Meaning::AccountFrozen),
];

/// What `errcode` means when `endpoint` (its path, such as `/sns/jscode2session`) answers it.
pub fn meaning(endpoint: &str, errcode: i64) -> Meaning {
    let special = AT_ENDPOINT.iter().find(|(path, code, _)| *path == endpoint && *code == errcode);
    if let Some((_, _, meaning)) = special {
        return *meaning;
    }
    TABLE.iter().find(|(code, _)| *code == errcode).map_or(Meaning::Unknown, |(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_and_has_no_code_twice() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn every_meaning_but_unknown_is_reached_by_a_code_and_has_both_texts() {
        for meaning in Meaning::ALL {
            assert!(!meaning.english().ends_with('.') && meaning.english().is_ascii(), "{meaning:?}");
            assert!(meaning.chinese().chars().any(|char| char > '\u{4e00}'), "{meaning:?}");
            let reached = TABLE.iter().any(|(_, reached)| reached == meaning);
            assert_eq!(reached, *meaning != Meaning::Unknown, "{meaning:?}");
        }
    }

    #[test]
    fn the_endpoint_decides_where_a_code_has_two_meanings() {
        assert_eq!(meaning("/cgi-bin/stable_token", 40001), Meaning::BadSecret);
        assert_eq!(meaning("/wxa/getuserphonenumber", 40001), Meaning::TokenInvalid);
        assert_eq!(meaning("/sns/jscode2session", 40029).who_acts(), WhoActs::User);
        assert_eq!(meaning("/sns/jscode2session", 40164).who_acts(), WhoActs::Operator);
        assert_eq!(meaning("/sns/jscode2session", -1).who_acts(), WhoActs::Nobody);
        assert_eq!(meaning("/sns/jscode2session", 31337), Meaning::Unknown);
    }
}
