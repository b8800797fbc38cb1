//! Chains as data: which bodies a request goes through, and what the applicant is asked for. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Fault, Result, Text};
use crate::ids::OrganisationId;
use crate::org::model::{Organisation, OrganisationKind};

crate::text_enum! {
    /// What reviews are about.
    pub enum ReviewKind {
        /// 活动报名.
        Signup = "signup",
        /// 会籍认证.
        Membership = "membership",
        /// 离线签到冲突.
        CheckinConflict = "checkin_conflict",
        /// 人数登记.
        Headcount = "headcount",
        /// 人数核减.
        HeadcountAudit = "headcount_audit",
        /// 指标上报.
        PlanReport = "plan_report",
    }
}

crate::text_enum! {
    /// Which body decides a step.
    pub enum StepLevel {
        /// 所在单位工会: the applicant's enterprise or industry union.
        Unit = "unit",
        /// 街道总工会.
        Street = "street",
        /// 区总工会.
        District = "district",
        /// 牵头部室: the departments that the step names, all of which must sign.
        Departments = "departments",
        /// 条目牵头部室: the lead departments of the plan item that the request is about, all of which must sign.
        Leads = "leads",
    }
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// For people, such as `街道复核`.
    pub name: String,
    /// Who decides.
    pub level: StepLevel,
    /// Codes of the departments that sign together.
    #[serde(default)]
    pub departments: Vec<String>,
    /// Only for amounts from this on, in fen.
    #[serde(default)]
    pub from_fen: Option<i64>,
    /// The policy key of its term, such as `review.stage.street`.
    pub clock: String,
    /// Whether the applicant's colleagues do not decide it.
    #[serde(default)]
    pub employer_barred: bool,
}

crate::text_enum! {
    /// What a field of a form takes.
    pub enum FieldKind {
        /// A text.
        Text = "text",
        /// One of the choices.
        Choice = "choice",
        /// A civil day, `2025-06-30`.
        Day = "day",
        /// Money in fen: the amount that steps ask for.
        Amount = "amount",
        /// `yes`: a declaration that the applicant makes.
        Declaration = "declaration",
        /// Uploaded files.
        Files = "files",
    }
}

/// One thing that the applicant is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FormField {
    /// Names it, such as `health`.
    #[schema(max_length = 40, example = "health")]
    pub key: String,
    /// For people.
    #[schema(max_length = 120, example = "身体状况适合疗休养")]
    pub label: String,
    /// What it takes.
    pub kind: FieldKind,
    /// Whether a request without it is not taken.
    #[serde(default)]
    pub required: bool,
    /// What a choice takes.
    #[serde(default)]
    #[schema(max_items = 40)]
    pub choices: Vec<String>,
}

/// A chain, as the seeds say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// In their order.
    pub steps: Vec<Step>,
    /// What is asked for.
    #[serde(default)]
    pub form: Vec<FormField>,
}

impl Definition {
    /// What is wrong with it, for whoever wrote it.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.steps.is_empty() {
            faults.push("a chain needs a step".to_owned());
        }
        for step in &self.steps {
            if (step.level == StepLevel::Departments) == step.departments.is_empty() {
                faults.push(format!("the step {:?}: departments are named where they decide", step.name));
            }
            if step.from_fen.is_some_and(|from| from < 0) {
                faults.push(format!("the step {:?}: from_fen below zero", step.name));
            }
        }
        if self.steps.iter().all(|step| step.from_fen.is_some()) {
            faults.push("some step must be for every amount".to_owned());
        }
        // A supplement that names another amount plans the steps to come anew, from the amount alone.
        let led = self.steps.iter().any(|step| step.level == StepLevel::Leads);
        if led && self.form.iter().any(|field| field.kind == FieldKind::Amount) {
            faults.push("lead departments and an amount do not stand in one chain".to_owned());
        }
        let mut keys: Vec<&str> = self.form.iter().map(|field| field.key.as_str()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|two| two.first() == two.last()) {
            faults.push("a field stands twice in the form".to_owned());
        }
        for field in &self.form {
            if (field.kind == FieldKind::Choice) == field.choices.is_empty() {
                faults.push(format!("the field {:?}: choices are given where one is chosen", field.key));
            }
        }
        faults
    }
}

/// The bodies above an applicant, from the data of the day.
#[derive(Debug, Clone, Default)]
pub struct Bodies {
    /// The applicant's enterprise union, industry union or directly managed union.
    pub unit: Option<Organisation>,
    /// The sub-district.
    pub street: Option<Organisation>,
    /// The district federation.
    pub district: Option<Organisation>,
    /// Departments by code.
    pub departments: BTreeMap<String, OrganisationId>,
    /// Codes of the departments that lead what the request is about.
    pub leads: Vec<String>,
}

impl Bodies {
    /// The bodies above somebody who works at `workplace`, out of all organisations.
    pub fn of(workplace: Option<&Organisation>, all: &[Organisation]) -> Self {
        let at = |path: &str| all.iter().find(|one| one.path == path).cloned();
        let unit = workplace.filter(|one| is_unit(one.kind));
        let street = workplace.and_then(|one| one.street_id);
        Self {
            unit: unit.cloned(),
            street: street.and_then(|id| all.iter().find(|one| one.id == id).cloned()),
            district: all.iter().find(|one| one.parent_id.is_none()).and_then(|root| at(&root.path)),
            departments: all
                .iter()
                .filter(|one| one.kind == OrganisationKind::Department)
                .map(|one| (one.code.clone(), one.id))
                .collect(),
            leads: Vec::new(),
        }
    }

    fn body(&self, level: StepLevel) -> Option<OrganisationId> {
        let found = match level {
            StepLevel::Unit => self.unit.as_ref(),
            StepLevel::Street => self.street.as_ref(),
            StepLevel::District => self.district.as_ref(),
            StepLevel::Departments | StepLevel::Leads => None,
        };
        found.map(|one| one.id)
    }
}

fn is_unit(kind: OrganisationKind) -> bool {
    matches!(
        kind,
        OrganisationKind::EnterpriseUnion | OrganisationKind::IndustryUnion | OrganisationKind::DirectUnion
    )
}

crate::text_enum! {
    /// Why a step is left out.
    pub enum Skipped {
        /// The amount is below what the step is for.
        Amount = "amount",
        /// The applicant has no such body above them.
        NoBody = "no_body",
        /// The same body decides a later step: it decides once.
        SameBody = "same_body",
    }
}

/// One stage of a request: a body of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// From 1; bodies with the same number sign together.
    pub number: i64,
    /// The step.
    pub step: Step,
    /// Who decides.
    pub body: Option<OrganisationId>,
    /// Why not, of a step that is left out.
    pub skipped: Option<Skipped>,
}

/// The stages of a request over `amount`.
///
/// # Errors
/// An internal error where there is no district: the union tree is not loaded.
pub fn plan(definition: &Definition, bodies: &Bodies, amount: Option<i64>) -> Result<Vec<Planned>> {
    let mut planned: Vec<Planned> = Vec::new();
    for (number, step) in (1..).zip(&definition.steps) {
        let of =
            |body: Option<OrganisationId>, skipped| Planned { number, step: step.clone(), body, skipped };
        if step.from_fen.is_some_and(|from| amount.unwrap_or(0) < from) {
            planned.push(of(bodies.body(step.level), Some(Skipped::Amount)));
        } else if matches!(step.level, StepLevel::Departments | StepLevel::Leads) {
            let led = step.level == StepLevel::Leads;
            for code in if led { &bodies.leads } else { &step.departments } {
                let id = bodies.departments.get(code).copied();
                planned.push(of(id, id.is_none().then_some(Skipped::NoBody)));
            }
            if led && bodies.leads.is_empty() {
                planned.push(of(None, Some(Skipped::NoBody)));
            }
        } else {
            let id = bodies.body(step.level);
            planned.push(of(id, id.is_none().then_some(Skipped::NoBody)));
        }
    }
    // A body that comes again decides the later step only.
    let last: Vec<(i64, OrganisationId)> = planned
        .iter()
        .filter(|one| one.skipped.is_none())
        .filter_map(|one| Some((one.number, one.body?)))
        .collect();
    for one in &mut planned {
        let again =
            one.body.is_some_and(|body| last.iter().any(|(number, id)| *number > one.number && *id == body));
        if one.skipped.is_none() && again {
            one.skipped = Some(Skipped::SameBody);
        }
    }
    // Somebody always decides: of whoever has no body above them, the district does what is left.
    if planned.iter().all(|one| one.skipped.is_some()) {
        let district = bodies.body(StepLevel::District);
        let last = planned.iter_mut().rfind(|one| one.skipped == Some(Skipped::NoBody));
        match last.zip(district) {
            Some((one, district)) => (one.body, one.skipped) = (Some(district), None),
            None => return Err(Error::internal("a request that nobody decides")),
        }
    }
    Ok(planned)
}

/// Answers to a form, by field.
pub type Answers = BTreeMap<String, String>;

/// Characters of one answer at most.
pub const ANSWER_MAX: usize = 1000;

/// What is wrong with `answers`. With `only`, those fields are asked for, and nothing else is taken.
///
/// # Errors
/// All wrong fields at once.
pub fn check(form: &[FormField], answers: &Answers, only: Option<&[String]>) -> Result<()> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, code: &'static str, zh: String, en: String| {
        faults.push(Fault::new(format!("/form/{key}"), code, Text::new(zh, en)));
    };
    let asked = |key: &str| only.is_none_or(|only| only.iter().any(|one| one == key));
    for key in answers.keys() {
        if !form.iter().any(|field| &field.key == key) || !asked(key) {
            fault(key, "unknown", "此处不收集该项".into(), "this is not asked for here".into());
        }
    }
    for field in form.iter().filter(|field| asked(&field.key)) {
        let answer = answers.get(&field.key).map(|text| text.trim()).unwrap_or_default();
        if answer.is_empty() {
            if field.required || only.is_some() {
                fault(
                    &field.key,
                    "required",
                    format!("请填写：{}", field.label),
                    format!("missing: {}", field.label),
                );
            }
        } else if let Some((code, zh, en)) = wrong(field, answer) {
            fault(&field.key, code, zh, en);
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

fn wrong(field: &FormField, answer: &str) -> Option<(&'static str, String, String)> {
    if answer.chars().count() > ANSWER_MAX {
        return Some((
            "max_length",
            format!("最多 {ANSWER_MAX} 个字"),
            format!("at most {ANSWER_MAX} characters"),
        ));
    }
    let fine = match field.kind {
        FieldKind::Text => true,
        FieldKind::Files => file_names(answer).is_some(),
        FieldKind::Choice => field.choices.iter().any(|choice| choice == answer),
        FieldKind::Day => answer.parse::<chrono::NaiveDate>().is_ok() && answer.len() == 10,
        FieldKind::Amount => answer.parse::<i64>().is_ok_and(|fen| (0..=10_000_000_000).contains(&fen)),
        FieldKind::Declaration => answer == "yes",
    };
    if fine {
        return None;
    }
    let (code, zh, en) = match field.kind {
        FieldKind::Choice => {
            ("enum", format!("应为：{}", field.choices.join("、")), "must be one of the choices")
        }
        FieldKind::Day => ("format", "应为日期，如 2025-06-30".into(), "must be a day such as 2025-06-30"),
        FieldKind::Amount => ("format", "应为金额（分）".into(), "must be an amount in fen"),
        FieldKind::Files => {
            ("format", "应为已上传文件的编号，以逗号分隔".into(), "must be ids of uploaded files")
        }
        _ => ("enum", "请勾选声明（yes）".into(), "must be `yes`"),
    };
    Some((code, zh, en.to_owned()))
}

/// The amount that `answers` name, in fen.
pub fn amount(form: &[FormField], answers: &Answers) -> Option<i64> {
    let field = form.iter().find(|field| field.kind == FieldKind::Amount)?;
    answers.get(&field.key)?.trim().parse().ok()
}

/// Files under one field at most.
pub const FILES_MAX: usize = 9;

/// The files that an answer names; none where it is no list of ids.
pub fn file_names(answer: &str) -> Option<Vec<uuid::Uuid>> {
    let ids: Vec<uuid::Uuid> = answer
        .split(',')
        .map(|piece| crate::ids::parse_typeid("fil", piece.trim()).ok())
        .collect::<Option<_>>()?;
    (ids.len() <= FILES_MAX).then_some(ids)
}

/// All files that `answers` name, each once.
pub fn files(form: &[FormField], answers: &Answers) -> Vec<uuid::Uuid> {
    let mut all: Vec<uuid::Uuid> = form
        .iter()
        .filter(|field| field.kind == FieldKind::Files)
        .filter_map(|field| answers.get(&field.key))
        .filter_map(|answer| file_names(answer))
        .flatten()
        .collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests;
