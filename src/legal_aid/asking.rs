//! Asking for legal aid, and what an applicant does afterwards: supplying what is missing, adding evidence, giving it up. Each act is one
//! transaction, and the audit chain, which comes last, does not say who asked.

use chrono::{DateTime, Months, NaiveDate, Utc};
use serde_json::json;

use super::acting::act_in_tx;
use super::events::{self, Happened};
use super::machine::{self, Act};
use super::model::{AidForm, Case, CaseState, Category, ClaimEvent, ClockKind, Facts, Matter, Means, Side};
use super::papers::issuing::{self, Office, Words};
use super::papers::model::DocumentKind;
use super::rules::code::{self, CodeFault};
use super::rules::means::Exemption;
use super::rules::terms;
use super::{LegalTools, clocks, content, evidence, figures, own, parties, routing, store, team};
use crate::clock::{civil_day, db_time};
use crate::error::{Error, Fault, Result, Text};
use crate::ids::{CaseId, FileId, OrganisationId, PersonId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::org::model::Organisation;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::{org, people, policy};

/// How far back what a claim rests on may lie.
const LOOK_BACK: Months = Months::new(50 * 12);

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The id that the request is to have.
    pub id: CaseId,
    /// Who asks.
    pub person: PersonId,
    /// What it is about.
    pub category: Category,
    /// Which matter of article 31 it is.
    pub matter: Option<Matter>,
    /// In which form aid is wanted.
    pub form: AidForm,
    /// The employer's name.
    pub employer: String,
    /// Its code, as it was typed.
    pub employer_code: Option<String>,
    /// Why a code is genuine that its check sign does not fit.
    pub code_reason: Option<String>,
    /// What happened.
    pub facts: String,
    /// What is wanted.
    pub wishes: String,
    /// How much it is about.
    pub amount_fen: Option<i64>,
    /// What a limitation runs from.
    pub event: Option<ClaimEvent>,
    /// When that was.
    pub event_on: Option<NaiveDate>,
    /// Whether assets or evidence have to be secured at once.
    pub preservation: bool,
    /// Whose means are not looked at.
    pub exemption: Option<Exemption>,
    /// Which version of the declaration was agreed to.
    pub declaration: Option<NaiveDate>,
    /// Where papers reach the applicant.
    pub address: Option<String>,
    /// Another desk than the nearest.
    pub desk: Option<OrganisationId>,
    /// Files.
    pub evidence: Vec<FileId>,
}

/// What a request stands on, found before it is judged.
struct Grounds {
    today: NaiveDate,
    declaration: figures::Declaration,
    desks: Vec<Organisation>,
}

/// Everything that is wrong with `ask`, and the employer's code as it is kept.
fn faults(ask: &Ask, grounds: &Grounds) -> (Vec<Fault>, Option<String>) {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, code: &'static str, zh: String, en: &'static str| {
        faults.push(Fault::new(pointer, code, Text::new(zh, en)));
    };
    let mut kept = None;
    if let Some(text) = &ask.employer_code {
        match code::check(text) {
            Ok(code) => kept = Some(code),
            Err(CodeFault::Check(_)) if ask.code_reason.is_some() => kept = Some(code::written(text)),
            Err(CodeFault::Check(right)) => fault(
                "/employer_code",
                "check_sign",
                format!(
                    "统一社会信用代码校验不符（末位应为{right}），请核对；确为早年发放、与证照一致的旧代码，请在“代码说明”中写明理由"
                ),
                "its check sign does not fit; of a genuine old code say why in code_reason",
            ),
            Err(CodeFault::Length) => fault(
                "/employer_code",
                "length",
                "统一社会信用代码应为18位；不知道的可以不填".to_owned(),
                "a unified social credit code has 18 signs; leave it out if you do not know it",
            ),
            Err(CodeFault::Sign(sign)) => fault(
                "/employer_code",
                "sign",
                format!("统一社会信用代码不含“{sign}”（不使用字母I、O、S、V、Z），请核对"),
                "a sign that no code has; letters I, O, S, V and Z are not used",
            ),
            Err(CodeFault::Division) => fault(
                "/employer_code",
                "division",
                "统一社会信用代码第3至8位应为数字，请核对".to_owned(),
                "the signs from the third to the eighth are digits",
            ),
        }
    }
    match (ask.event, ask.event_on) {
        (Some(_), None) => {
            fault("/event_on", "required", "请填写发生日期".to_owned(), "say when that was");
        }
        (None, Some(_)) => {
            fault("/event", "required", "请选择该日期发生的事项".to_owned(), "say what happened on that day");
        }
        (Some(_), Some(day)) if day > grounds.today => {
            fault("/event_on", "future", "日期不能晚于今天".to_owned(), "that day is still to come");
        }
        (Some(_), Some(day))
            if grounds.today.checked_sub_months(LOOK_BACK).is_some_and(|first| day < first) =>
        {
            fault("/event_on", "too_early", "日期过早，请核对".to_owned(), "that day is too long ago");
        }
        _ => {}
    }
    if ask.category == Category::UnionBody && ask.matter.is_some() {
        let zh = "工会组织的申请不适用法律援助法第三十一条所列事项，请不要选择";
        fault(
            "/matter",
            "unfit",
            zh.to_owned(),
            "the matters of article 31 are those of people, not of unions",
        );
    }
    match (ask.exemption, ask.declaration) {
        (Some(exemption), _) if !exemption.fits(ask.category, ask.matter) => fault(
            "/exemption",
            "unfit",
            format!("“{}”不适用于本申请事项，请改选或者改为个人承诺", exemption.words()),
            "this exemption is not for what is asked for; choose another one, or declare",
        ),
        (Some(_), _) => {}
        // A union has no family whose means could be looked at.
        (None, _) if ask.category == Category::UnionBody => {}
        (None, None) => fault(
            "/declaration_version",
            "required",
            "请阅读并同意个人承诺，或者选择免予核查的情形".to_owned(),
            "agree to the declaration, or say why means are not looked at",
        ),
        (None, Some(version)) if version != grounds.declaration.version => fault(
            "/declaration_version",
            "outdated",
            "承诺书已更新，请重新阅读并同意".to_owned(),
            "the declaration has changed; read it again",
        ),
        (None, Some(_)) => {}
    }
    if ask.desk.is_some_and(|desk| !grounds.desks.iter().any(|one| one.id == desk)) {
        fault(
            "/desk_id",
            "unfit",
            "该工会没有法律援助受理人员，请改选".to_owned(),
            "nobody receives requests there; choose another desk",
        );
    }
    if has_twice(&ask.evidence) {
        fault("/evidence", "twice", "同一文件重复".to_owned(), "a file is named twice");
    }
    (faults, kept)
}

fn has_twice(files: &[FileId]) -> bool {
    let mut sorted = files.to_vec();
    sorted.sort();
    sorted.windows(2).any(|pair| pair.first() == pair.last())
}

/// Asks for legal aid: keeps the request, issues its receipt, starts the term of the law, and tells the desk, without names.
///
/// # Errors
/// All wrong fields at once; `file_unusable` for evidence that is not the applicant's.
pub fn ask_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    ask: &Ask,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Case> {
    let today = civil_day(now);
    let declaration = figures::declaration(conn, today)?;
    let grounds = Grounds { today, declaration, desks: routing::desks(conn)? };
    let (faults, code) = faults(ask, &grounds);
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    let person = people::store::get(conn, ask.person)?;
    let workplace = person.workplace_id.map(|id| org::store::get(conn, id)).transpose()?;
    let named = ask.desk.and_then(|desk| grounds.desks.iter().find(|one| one.id == desk));
    let desk = named.or_else(|| routing::nearest(workplace.as_ref(), &grounds.desks));
    let desk = desk.ok_or_else(|| Error::internal("there is no desk for legal aid: no root organisation"))?;
    let case = row(conn, tools, ask, &grounds, (desk.id, workplace.and_then(|at| at.street_id)), code, now)?;
    store::insert_in_tx(conn, &case)?;
    evidence::attach_in_tx(conn, ask.person, &ask.evidence, case.id, now)?;
    record_parties_in_tx(conn, tools, &case, person.name.as_deref())?;
    let (ids, vault) = (&tools.ids, &tools.vault);
    let office = Office { vault, ids };
    let receipt =
        issuing::issue_in_tx(conn, &office, DocumentKind::Receipt, &case, Words::default(), None, now)?;
    let note = ask.preservation.then_some("申请人说明：需要立即申请财产保全、证据保全或者先予执行");
    let happened = Happened { act: Act::Ask, actor: Some(ask.person), note, document: Some(receipt) };
    events::record_in_tx(conn, ids, vault, &case, happened, now)?;
    content::request_in_tx(conn, tools, &case, &ask.evidence, now)?;
    clocks::start_in_tx(conn, ids, case.id, ClockKind::Review, now)?;
    let subject = if case.urgent {
        "有新的紧急法律援助申请待领取"
    } else {
        "有新的法律援助申请待领取"
    };
    let to_desk = |person| Message {
        person,
        kind: NoticeKind::LegalWork,
        subject: subject.to_owned(),
        detail: String::new(),
        link: "/api/v1/legal-desk".to_owned(),
    };
    // Whoever asks for themselves at their own desk takes it from nobody's hand, and hears nothing of it there.
    let officers = routing::officers(conn, desk.id)?;
    beside.messages.extend(officers.into_iter().filter(|one| *one != ask.person).map(to_desk));
    let detail = json!({ "desk": desk.id, "urgent": case.urgent, "document": receipt });
    beside.entries.push(Entry::system("legal_request.create", case.id).detail(detail));
    Ok(case)
}

fn row(
    conn: &mut Conn,
    tools: &LegalTools,
    ask: &Ask,
    grounds: &Grounds,
    (desk_id, street_id): (OrganisationId, Option<OrganisationId>),
    code: Option<String>,
    now: DateTime<Utc>,
) -> Result<Case> {
    let today = grounds.today;
    let limits = figures::limits(conn, today)?;
    let calendar = policy::store::calendar(conn)?;
    let limitation = terms::limitation(ask.event.zip(ask.event_on), ask.category, limits, &calendar);
    let hurried = terms::is_urgent(limitation, today, figures::urgent_below(conn, today)?);
    let is_exempt = ask.exemption.is_some() || ask.category == Category::UnionBody;
    let declaration = if is_exempt {
        String::new()
    } else {
        format!("{} {}", grounds.declaration.version, now.to_rfc3339())
    };
    let fits = ask.employer_code.as_ref().is_some_and(|text| code::check(text).is_ok());
    let facts = Facts {
        employer: ask.employer.trim().to_owned(),
        // Where the check sign fits, there is nothing to explain.
        code_reason: ask.code_reason.clone().filter(|_| code.is_some() && !fits),
        employer_code: code,
        facts: ask.facts.clone(),
        wishes: ask.wishes.clone(),
        amount_fen: ask.amount_fen,
        exemption: ask.exemption.map(|exemption| exemption.as_str().to_owned()),
        declaration,
        address: ask.address.clone(),
    };
    Ok(Case {
        id: ask.id,
        number: None,
        person_id: ask.person,
        desk_id,
        street_id,
        category: ask.category,
        matter: ask.matter,
        form: ask.form,
        facts_sealed: facts.seal(&tools.vault, ask.id)?,
        event: ask.event,
        event_on: ask.event_on,
        limitation_on: limitation.last_day(),
        urgent: hurried || ask.preservation,
        means: if is_exempt { Means::Exempt } else { Means::Declared },
        state: CaseState::Received,
        members: 1,
        received_at: db_time(now),
        decided_at: None,
        ended_at: None,
        ground: None,
        version: 1,
    })
}

/// Keeps who stands on which side, by name and by number, so that conflicts are found.
fn record_parties_in_tx(conn: &mut Conn, tools: &LegalTools, case: &Case, name: Option<&str>) -> Result<()> {
    let facts = Facts::open(&tools.vault, case)?;
    let vault = &tools.vault;
    parties::record_in_tx(conn, vault, case.id, Side::Applicant, &case.person_id.to_string())?;
    for name in name.into_iter().filter(|name| !name.trim().is_empty()) {
        parties::record_in_tx(conn, vault, case.id, Side::Applicant, name)?;
    }
    for text in std::iter::once(&facts.employer).chain(&facts.employer_code) {
        parties::record_in_tx(conn, vault, case.id, Side::Employer, text)?;
    }
    Ok(())
}

/// The applicant supplies what was missing: the desk's term runs on.
///
/// # Errors
/// 404 for another's request; `state_forbids` where nothing is waited for; as [`evidence::attach_in_tx`].
pub fn supply_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    (person, id): (PersonId, CaseId),
    (text, files): (&str, &[FileId]),
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Case> {
    let case = own::locked_in_tx(conn, person, id)?;
    machine::transition(Act::Supply, case.state)?;
    evidence::attach_in_tx(conn, person, files, id, now)?;
    let case = done_in_tx(conn, tools, (&case, person), Act::Supply, Some(text), now)?;
    content::act_in_tx(conn, tools, (id, person), (Some(text), files), now)?;
    clocks::stop_in_tx(conn, id, ClockKind::Supplement, now)?;
    clocks::resume_in_tx(conn, id, ClockKind::Review, now)?;
    tell_team_in_tx(conn, &case, "申请人已补充材料，审查期限继续计算", beside)?;
    let detail = json!({ "files": files.len() });
    beside.entries.push(Entry::system("legal_request.supply", id).detail(detail));
    Ok(case)
}

/// The applicant adds evidence.
///
/// # Errors
/// 404 for another's request; `state_forbids` after its end; as [`evidence::attach_in_tx`].
pub fn add_evidence_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    (person, id): (PersonId, CaseId),
    (note, files): (Option<&str>, &[FileId]),
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Case> {
    let case = own::locked_in_tx(conn, person, id)?;
    machine::transition(Act::AddEvidence, case.state)?;
    evidence::attach_in_tx(conn, person, files, id, now)?;
    let case = done_in_tx(conn, tools, (&case, person), Act::AddEvidence, note, now)?;
    content::act_in_tx(conn, tools, (id, person), (note, files), now)?;
    tell_team_in_tx(conn, &case, "申请人补交了证据", beside)?;
    let detail = json!({ "files": files.len() });
    beside.entries.push(Entry::system("legal_request.add_evidence", id).detail(detail));
    Ok(case)
}

/// The applicant gives it up.
///
/// # Errors
/// 404 for another's request; `state_forbids` after its end.
pub fn withdraw_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    (person, id): (PersonId, CaseId),
    reason: Option<&str>,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<Case> {
    let case = own::locked_in_tx(conn, person, id)?;
    let case = done_in_tx(conn, tools, (&case, person), Act::Withdraw, reason, now)?;
    content::act_in_tx(conn, tools, (id, person), (reason, &[]), now)?;
    clocks::stop_all_in_tx(conn, id, now)?;
    tell_team_in_tx(conn, &case, "申请人已撤回法律援助申请", beside)?;
    beside.entries.push(Entry::system("legal_request.withdraw", id));
    Ok(case)
}

fn done_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    (case, person): (&Case, PersonId),
    act: Act,
    note: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Case> {
    act_in_tx(conn, &tools.ids, &tools.vault, case, act, Some(person), note, None, now)
}

/// Tells the team of a case what its applicant has done; neither who that is nor what it is about.
fn tell_team_in_tx(conn: &mut Conn, case: &Case, subject: &str, beside: &mut Beside) -> Result<()> {
    let to = |person| Message {
        person,
        kind: NoticeKind::LegalWork,
        subject: subject.to_owned(),
        detail: String::new(),
        link: format!("/api/v1/legal-cases/{}", case.id),
    };
    beside.messages.extend(team::of(conn, case.id)?.into_iter().map(|member| to(member.person_id)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::model::OrganisationKind;

    fn ask() -> Ask {
        Ask {
            id: uuid::Uuid::from_u128(1).into(),
            person: uuid::Uuid::from_u128(2).into(),
            category: Category::LabourDispute,
            matter: Some(Matter::LabourRelation),
            form: AidForm::Representation,
            employer: "龙岗示例电子厂".into(),
            employer_code: None,
            code_reason: None,
            facts: "拖欠三个月工资".into(),
            wishes: "支付工资".into(),
            amount_fen: None,
            event: None,
            event_on: None,
            preservation: false,
            exemption: Some(Exemption::MigrantPay),
            declaration: None,
            address: None,
            desk: None,
            evidence: Vec::new(),
        }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn grounds() -> Grounds {
        let desk = Organisation {
            id: uuid::Uuid::from_u128(7).into(),
            code: "d".into(),
            name: "d".into(),
            short_name: "d".into(),
            kind: OrganisationKind::District,
            parent_id: None,
            path: "/d/".into(),
            street_id: None,
            division_code: None,
            level: None,
            opened_on: NaiveDate::default(),
            closed_on: None,
            version: 1,
        };
        let declaration = figures::Declaration { version: day("2025-01-01"), text: "本人承诺".into() };
        Grounds { today: day("2025-06-16"), declaration, desks: vec![desk] }
    }

    fn wrong(ask: &Ask) -> Vec<(String, &'static str)> {
        let (faults, _) = faults(ask, &grounds());
        faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn nothing_is_wrong_with_the_least_that_is_asked() {
        assert!(wrong(&ask()).is_empty());
        let declared = Ask { exemption: None, declaration: Some(day("2025-01-01")), ..ask() };
        assert!(wrong(&declared).is_empty());
        let union = Ask { category: Category::UnionBody, matter: None, exemption: None, ..ask() };
        assert!(wrong(&union).is_empty());
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let file: FileId = uuid::Uuid::from_u128(5).into();
        let bad = Ask {
            employer_code: Some("91350100M000100Y44".into()),
            event: Some(ClaimEvent::Dismissed),
            event_on: Some(day("2025-06-17")),
            matter: Some(Matter::Injury),
            desk: Some(uuid::Uuid::from_u128(8).into()),
            evidence: vec![file, file],
            ..ask()
        };
        let expected = [
            ("/employer_code", "check_sign"),
            ("/event_on", "future"),
            ("/exemption", "unfit"),
            ("/desk_id", "unfit"),
            ("/evidence", "twice"),
        ];
        assert_eq!(wrong(&bad), expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn an_old_code_is_kept_with_its_reason_and_nothing_else_is() {
        let reason = Some("与营业执照一致，二〇一五年前发放".to_owned());
        let old =
            Ask { employer_code: Some("91350100M000100Y44".into()), code_reason: reason.clone(), ..ask() };
        let (faults, kept) = faults(&old, &grounds());
        assert!(faults.is_empty());
        assert_eq!(kept.as_deref(), Some("91350100M000100Y44"));
        let short = Ask { employer_code: Some("91350100M000100Y".into()), code_reason: reason, ..ask() };
        assert_eq!(wrong(&short), [("/employer_code".to_owned(), "length")]);
    }

    #[test]
    fn whoever_is_not_exempt_declares_by_the_text_of_today() {
        let silent = Ask { exemption: None, ..ask() };
        assert_eq!(wrong(&silent), [("/declaration_version".to_owned(), "required")]);
        let old = Ask { exemption: None, declaration: Some(day("2024-01-01")), ..ask() };
        assert_eq!(wrong(&old), [("/declaration_version".to_owned(), "outdated")]);
    }

    #[test]
    fn a_day_and_what_happened_on_it_go_together() {
        let dayless = Ask { event: Some(ClaimEvent::Left), ..ask() };
        assert_eq!(wrong(&dayless), [("/event_on".to_owned(), "required")]);
        let nameless = Ask { event_on: Some(day("2025-06-01")), ..ask() };
        assert_eq!(wrong(&nameless), [("/event".to_owned(), "required")]);
        let ancient = Ask { event: Some(ClaimEvent::Left), event_on: Some(day("1970-01-01")), ..ask() };
        assert_eq!(wrong(&ancient), [("/event_on".to_owned(), "too_early")]);
    }
}
