//! Logging in, staying logged in, logging out.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::EndReason;
use super::store::{self, Redeemed};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{FamilyId, PersonId};
use crate::people;
use crate::people::phone::{Phone, PhoneFault};
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::OwnData;
use crate::platform::audit::{self, Entry};
use crate::platform::http::limits::Limits;
use crate::platform::http::middleware::RequestInfo;
use crate::platform::http::{ApiJson, Reply};
use crate::platform::wechat::{Meaning, WechatClient, WechatError};

/// How logins work.
#[derive(Clone)]
pub struct LoginConfig {
    /// The mini-program.
    pub appid: String,
    /// How long a refresh token may lie unused.
    pub refresh_life: TimeDelta,
    /// How long a login lasts at most.
    pub family_life: TimeDelta,
}

/// A code from `wx.login`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "0a3kXg000Wn0"}))]
pub struct WechatLoginInput {
    /// Lives five minutes and is good once.
    #[schema(min_length = 1, max_length = 200)]
    pub code: String,
}

/// The tokens of a login.
#[derive(Serialize, ToSchema)]
pub struct TokensView {
    /// Goes into `Authorization: Bearer …`.
    #[schema(max_length = 2000)]
    pub access_token: String,
    /// Seconds until the access token expires.
    #[schema(minimum = 1, maximum = 86400)]
    pub expires_in: i64,
    /// Good once, at `/api/v1/auth/refreshes`.
    #[schema(max_length = 100)]
    pub refresh_token: String,
    /// Who is logged in.
    pub person_id: PersonId,
    /// Whether the person came for the first time.
    pub is_new: bool,
}

/// Log in with a WeChat code / 微信登录
#[utoipa::path(
    tag = "auth", operation_id = "wechat_login", security(()), request_body = WechatLoginInput,
    responses((status = 200, description = "Logged in", body = TokensView)),
)]
#[post("/api/v1/auth/wechat-logins")]
pub async fn wechat_login(
    platform: Data<Platform>,
    wechat: Data<WechatClient>,
    config: Data<LoginConfig>,
    limits: Data<Limits>,
    req: HttpRequest,
    body: ApiJson<WechatLoginInput>,
) -> Result<Reply<TokensView>> {
    limits.admit_login(&RequestInfo::of(&req).address).await?;
    let session = wechat.code_to_session(&body.0.code).await.map_err(wechat_refusal)?;
    let now = platform.clock.now();
    let family: FamilyId = platform.ids.id();
    let refresh = platform.ids.secret();
    let begin = || {
        let (ids, vault, config) = (platform.ids.clone(), platform.vault.clone(), config.get_ref().clone());
        let (session, refresh) = (session.clone(), refresh.clone());
        platform.db.write(move |c| {
            let person = store::person_of_wechat_in_tx(c, &ids, &config.appid, &session.openid, now)?;
            let row = people::store::get(c, person)?;
            if row.disabled_at.is_some() {
                return Err(Error::new(Code::PersonDisabled));
            }
            let is_new = store::note_login_in_tx(c, &vault, &config.appid, &session, now)?;
            store::family_create_in_tx(c, family, person, now, now + config.family_life)?;
            store::refresh_create_in_tx(c, family, &refresh, now, now + config.refresh_life)?;
            audit::append_in_tx(c, now, vec![Entry::new(person, "login.begin", family)])?;
            Ok((person, is_new))
        })
    };
    // Two first logins of one account at once: the later one finds the person the second time.
    let (person, is_new) = match begin().await {
        Err(error) if error.code() == Code::Conflict => begin().await?,
        other => other?,
    };
    metrics::counter!("unionhall_logins_total").increment(1);
    tokens(&platform, person, family, refresh, is_new)
}

fn tokens(
    platform: &Platform,
    person: PersonId,
    family: FamilyId,
    refresh_token: String,
    is_new: bool,
) -> Result<Reply<TokensView>> {
    let issuer = platform.access.tokens();
    Ok(Reply::new(TokensView {
        access_token: issuer.issue(person, family)?,
        expires_in: issuer.life().num_seconds(),
        refresh_token,
        person_id: person,
        is_new,
    })
    .secret())
}

/// What WeChat's refusal means for the person.
pub fn wechat_refusal(error: WechatError) -> Error {
    let code = match error.meaning() {
        Some(Meaning::UserBlocked) => Code::WechatUserBlocked,
        Some(Meaning::RateLimited) => Code::RateLimited,
        _ if error.is_users_fault() => Code::WechatCodeInvalid,
        _ => Code::WechatUnavailable,
    };
    let refusal = Error::new(code).cause(error);
    match code {
        Code::WechatUnavailable => refusal.retry_after(std::time::Duration::from_secs(2)),
        Code::RateLimited => refusal.retry_after(std::time::Duration::from_secs(60)),
        _ => refusal,
    }
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "2mPp0QfE0rVhJ8bqkq5Yc0fW4h1l5Yw7c2o9cJr3m1A"}))]
pub struct RefreshInput {
    /// The latest one that was given.
    #[schema(min_length = 20, max_length = 100)]
    pub refresh_token: String,
}

/// Exchange a refresh token for new tokens / 刷新令牌
///
/// The old token is used up. One that comes a second time ends the whole login: somebody has a copy.
#[utoipa::path(
    tag = "auth", operation_id = "token_refresh", security(()), request_body = RefreshInput,
    responses((status = 200, description = "New tokens", body = TokensView)),
)]
#[post("/api/v1/auth/refreshes")]
pub async fn token_refresh(
    platform: Data<Platform>,
    config: Data<LoginConfig>,
    body: ApiJson<RefreshInput>,
) -> Result<Reply<TokensView>> {
    let now = platform.clock.now();
    let next = platform.ids.secret();
    let (old, new, refresh_life) = (body.0.refresh_token, next.clone(), config.refresh_life);
    // A reuse must be committed, so it is an answer of the transaction and not its failure.
    let redeemed = platform
        .db
        .write(move |c| {
            let redeemed = store::redeem_in_tx(c, &old, now)?;
            match &redeemed {
                Redeemed::Good { family, family_until, .. } => {
                    store::refresh_create_in_tx(
                        c,
                        *family,
                        &new,
                        now,
                        (now + refresh_life).min(*family_until),
                    )?;
                }
                Redeemed::Reused { person, family } => {
                    let entry = Entry::system("login.refresh_reused", family)
                        .detail(serde_json::json!({ "person": person }));
                    audit::append_in_tx(c, now, vec![entry])?;
                }
                Redeemed::Invalid => {}
            }
            Ok(redeemed)
        })
        .await?;
    match redeemed {
        Redeemed::Good { person, family, .. } => tokens(&platform, person, family, next, false),
        Redeemed::Reused { .. } => {
            platform.access.forget();
            metrics::counter!("unionhall_refresh_reused_total").increment(1);
            Err(Error::new(Code::RefreshReused))
        }
        Redeemed::Invalid => Err(Error::new(Code::RefreshInvalid)),
    }
}

/// Which logins to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"everywhere": true}))]
pub struct LogoutInput {
    /// True for all devices; otherwise this one.
    #[serde(default)]
    pub everywhere: bool,
}

/// Log out, here or everywhere / 退出登录
#[utoipa::path(
    tag = "auth", operation_id = "logout", security(("bearer" = ["self"])), request_body = LogoutInput,
    responses((status = 204, description = "Logged out")),
)]
#[post("/api/v1/auth/logouts")]
pub async fn logout(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    body: ApiJson<LogoutInput>,
) -> Result<HttpResponse> {
    let (person, family, now) = (guard.person(), guard.actor().family, platform.clock.now());
    let everywhere = body.0.everywhere;
    platform
        .db
        .write(move |c| {
            if everywhere {
                store::end_all_in_tx(c, person, EndReason::LogoutEverywhere, now)?;
            } else {
                store::end_family_in_tx(c, family, EndReason::Logout, now)?;
            }
            let action = if everywhere { "login.end_all" } else { "login.end" };
            audit::append_in_tx(c, now, vec![Entry::new(person, action, family)])
        })
        .await?;
    platform.access.forget();
    Ok(HttpResponse::NoContent().finish())
}

/// What WeChat's refusal of a phone code means: not that the person must log in again.
fn phone_refusal(error: WechatError) -> Error {
    let refusal = wechat_refusal(error);
    if refusal.code() == Code::WechatCodeInvalid {
        let text = Text::new(
            "手机号凭证无效或已过期，请重新点击授权按钮",
            "the phone code is invalid, used or expired; press the button again",
        );
        return wrong_code("wechat_code", text);
    }
    refusal
}

fn wrong_code(code: &'static str, text: Text) -> Error {
    Error::invalid(vec![Fault::new("/code", code, text)])
}

/// A code from WeChat's phone-number button.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144"}))]
pub struct PhoneInput {
    /// Not the code of `wx.login`; lives five minutes and is good once.
    #[schema(min_length = 1, max_length = 200)]
    pub code: String,
}

/// The kept number.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhoneView {
    /// Masked.
    #[schema(max_length = 20, example = "138****5678")]
    pub phone_masked: String,
}

/// Keep the phone number that WeChat vouches for / 绑定微信手机号
#[utoipa::path(
    tag = "me", operation_id = "me_phone_set", security(("bearer" = ["self"])), request_body = PhoneInput,
    responses((status = 200, description = "The number, masked", body = PhoneView)),
)]
#[post("/api/v1/me/phones")]
pub async fn me_phone_set(
    platform: Data<Platform>,
    wechat: Data<WechatClient>,
    guard: Guard<OwnData>,
    body: ApiJson<PhoneInput>,
) -> Result<Reply<PhoneView>> {
    let found = wechat.phone_number(&body.0.code).await.map_err(phone_refusal)?;
    // Without its country code, a German mobile number looks like a Chinese one.
    let mainland = found.country_code == "86";
    let parsed = if mainland { Phone::parse(&found.number) } else { Err(PhoneFault::NotMobile) };
    let phone = parsed.map_err(|fault| wrong_code("phone", Text::new(fault.zh(), fault.en())))?;
    let (person, now, vault) = (guard.person(), platform.clock.now(), platform.vault.clone());
    let phone_masked = crate::platform::vault::mask::phone(phone.as_str());
    platform
        .db
        .write(move |c| {
            people::store::set_phone_in_tx(c, &vault, person, phone.as_str(), now)?;
            audit::append_in_tx(c, now, vec![Entry::new(person, "person.phone_set", person)])
        })
        .await?;
    Ok(Reply::new(PhoneView { phone_masked }))
}
