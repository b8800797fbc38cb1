//! What is asked of somebody who asks for legal aid, and what it is good to know before.

use actix_web::get;
use actix_web::web::Data;
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{AidForm, Category, ClaimEvent, Matter};
use super::papers::naming;
use super::rules::means::Exemption;
use super::{figures, routing};
use crate::clock::civil_day;
use crate::error::Result;
use crate::ids::OrganisationId;
use crate::platform::Platform;
use crate::platform::http::Reply;

/// A value that may be chosen, for people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalChoice {
    /// What is sent.
    #[schema(max_length = 40, example = "labour_dispute")]
    pub value: String,
    /// In Chinese.
    #[schema(max_length = 60, example = "劳动争议")]
    pub text: String,
}

impl LegalChoice {
    fn new(value: &str, text: &str) -> Self {
        Self { value: value.to_owned(), text: text.to_owned() }
    }
}

/// People whose means are not looked at (法律援助法 第四十二条).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalExemptionView {
    /// What is sent.
    pub value: Exemption,
    /// In Chinese.
    #[schema(max_length = 60, example = "申请支付劳动报酬的进城务工人员")]
    pub text: String,
    /// Papers any one of which shows it, where there is one at hand.
    #[schema(max_items = 8)]
    pub any_one_of: Vec<String>,
}

/// A desk that receives requests.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalDeskChoice {
    /// Which union.
    pub organisation_id: OrganisationId,
    /// Its name.
    #[schema(max_length = 120, example = "平湖街道总工会")]
    pub name: String,
}

/// What everybody declares whose means would else be looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalDeclarationView {
    /// Send it back with the request.
    pub version: NaiveDate,
    /// What is declared.
    #[schema(max_length = 1000)]
    pub text: String,
}

/// What is asked of somebody who asks for legal aid.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LegalFormView {
    /// What it may be about.
    #[schema(max_items = 10)]
    pub categories: Vec<LegalChoice>,
    /// Matters of article 31; chosen where one fits.
    #[schema(max_items = 12)]
    pub matters: Vec<LegalChoice>,
    /// In which form aid may be asked for.
    #[schema(max_items = 8)]
    pub forms: Vec<LegalChoice>,
    /// What a limitation runs from; its day is asked for with it.
    #[schema(max_items = 8)]
    pub events: Vec<LegalChoice>,
    /// Whose means are not looked at.
    #[schema(max_items = 12)]
    pub exemptions: Vec<LegalExemptionView>,
    /// What everybody else declares. No paper about means is asked for.
    pub declaration: LegalDeclarationView,
    /// Desks that may be named instead of the nearest, for instance because the employer knows somebody there.
    #[schema(max_items = 500)]
    pub desks: Vec<LegalDeskChoice>,
    /// In Chinese: what to have at hand, and what not to wait for.
    #[schema(max_items = 10)]
    pub hints: Vec<String>,
}

/// What it is good to know before one asks.
const HINTS: &[&str] = &[
    "填写用人单位名称和事情经过即可提交；暂时没有的材料以后可以补交，不影响先提出申请。",
    "不需要提供加盖公章的经济困难证明。",
    "请如实填写被辞退、离职、被欠薪或者受伤的日期，我们会据此提醒仲裁和工伤认定的期限；期限将届满的，先提供援助，后补材料。",
    "担心用人单位与受理机构人员相识的，可以选择其他受理机构。",
    "只有办理您案件的人员能看到您的申请内容。",
];

fn event_words(event: ClaimEvent) -> &'static str {
    match event {
        ClaimEvent::Dismissed => "被辞退（填写被辞退的日期）",
        ClaimEvent::Left => "已离职（填写离职的日期）",
        ClaimEvent::Unpaid => "在职但被拖欠劳动报酬（填写应当支付的日期）",
        ClaimEvent::Injured => "受伤（填写受伤的日期）",
        ClaimEvent::Other => "其他（填写您知道权利被侵害的日期）",
    }
}

/// Read what is asked for with a request for legal aid / 读取法律援助申请表
#[utoipa::path(
    tag = "me", operation_id = "legal_form_get", security(()),
    responses((status = 200, description = "The form", body = LegalFormView)),
)]
#[get("/api/v1/legal-aid-form")]
pub async fn legal_form_get(platform: Data<Platform>) -> Result<Reply<LegalFormView>> {
    let today = civil_day(platform.clock.now());
    let (declaration, desks) =
        platform.db.read(move |c| Ok((figures::declaration(c, today)?, routing::desks(c)?))).await?;
    let exemption = |one: &Exemption| LegalExemptionView {
        value: *one,
        text: one.words().to_owned(),
        any_one_of: one.papers().iter().map(|paper| (*paper).to_owned()).collect(),
    };
    let choice = |value: &'static str, text: &str| LegalChoice::new(value, text);
    Ok(Reply::new(LegalFormView {
        categories: Category::ALL.iter().map(|one| choice(one.as_str(), naming::category(*one))).collect(),
        matters: Matter::ALL.iter().map(|one| choice(one.as_str(), naming::matter(*one))).collect(),
        forms: AidForm::ALL.iter().map(|one| choice(one.as_str(), naming::form(*one))).collect(),
        events: ClaimEvent::ALL.iter().map(|one| choice(one.as_str(), event_words(*one))).collect(),
        exemptions: Exemption::ALL.iter().map(exemption).collect(),
        declaration: LegalDeclarationView { version: declaration.version, text: declaration.text },
        desks: desks
            .into_iter()
            .map(|desk| LegalDeskChoice { organisation_id: desk.id, name: desk.name })
            .collect(),
        hints: HINTS.iter().map(|hint| (*hint).to_owned()).collect(),
    }))
}
