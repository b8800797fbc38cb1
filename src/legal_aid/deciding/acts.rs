//! What a case's team does to it. Every act asks the table, issues its document, keeps its reasons, changes the case once, moves the clocks
//! and tells the applicant, in one transaction whose last thing is the audit chain.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::model::{Decision, DecisionKind, REASONS};
use super::reasons::{self, RefusalReason};
use super::supplements::{self, Wanted};
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::legal_aid::acting::act_in_tx;
use crate::legal_aid::hands::rota;
use crate::legal_aid::machine::{self, Act};
use crate::legal_aid::model::{Case, CaseState, ClockKind, Ground, TeamRole};
use crate::legal_aid::papers::issuing::{self, Office, Words};
use crate::legal_aid::papers::model::DocumentKind;
use crate::legal_aid::papers::{naming, store as documents};
use crate::legal_aid::{LegalTools, clocks, desk, team};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::people;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{legal_cases, legal_decisions};
use crate::policy;

/// Somebody of a team at work.
pub struct Acting<'a> {
    /// What acts are done with.
    pub tools: &'a LegalTools,
    /// Who.
    pub by: PersonId,
    /// When.
    pub now: DateTime<Utc>,
    /// What is written beside.
    pub beside: Beside,
}

/// A case as an act left it, with the act's document.
#[derive(Debug, Clone)]
pub struct Acted {
    /// The case.
    pub case: Case,
    /// The document.
    pub document: Option<CaseDocumentId>,
}

impl<'a> Acting<'a> {
    /// `by` at `now`.
    pub fn new(tools: &'a LegalTools, by: PersonId, now: DateTime<Utc>) -> Self {
        Self { tools, by, now, beside: Beside::default() }
    }

    /// Writes what stands beside; nothing is done after it.
    pub fn end_in_tx(self, conn: &mut Conn) -> Result<()> {
        self.beside.write_in_tx(conn, &self.tools.ids, self.now)
    }

    /// The case `id`, locked, for whoever leads it and has read `version` of it.
    ///
    /// # Errors
    /// 404 for whoever is not of its team, whether it is there or not; 403 for those of the team who do not lead it; 412 for another version.
    pub fn led_in_tx(&self, conn: &mut Conn, id: CaseId, version: i64) -> Result<Case> {
        self.locked_in_tx(conn, id, version, &[TeamRole::Handler, TeamRole::Deputy])
    }

    /// [`Self::led_in_tx`], for whoever handles it as one of `roles`.
    pub fn locked_in_tx(
        &self,
        conn: &mut Conn,
        id: CaseId,
        version: i64,
        roles: &[TeamRole],
    ) -> Result<Case> {
        let case = team::locked_in_tx(conn, self.by, id, self.now)?.case;
        let is_one = team::of(conn, id)?
            .iter()
            .any(|member| member.person_id == self.by && roles.contains(&member.role));
        if !is_one {
            return Err(Error::new(Code::Forbidden)
                .detail("此事由本案承办人办理", "This is for whoever leads the case"));
        }
        if case.version != version {
            let current = json!({ "id": case.id, "state": case.state, "version": case.version });
            return Err(Error::new(Code::PreconditionFailed).current(current));
        }
        Ok(case)
    }

    fn issue_in_tx(
        &self,
        conn: &mut Conn,
        kind: DocumentKind,
        case: &Case,
        words: Words,
    ) -> Result<CaseDocumentId> {
        let office = Office { vault: &self.tools.vault, ids: &self.tools.ids };
        issuing::issue_in_tx(conn, &office, kind, case, words, Some(self.by), self.now)
    }

    fn act_in_tx(
        &self,
        conn: &mut Conn,
        case: &Case,
        act: Act,
        note: Option<&str>,
        document: Option<CaseDocumentId>,
    ) -> Result<Case> {
        let (ids, vault) = (&self.tools.ids, &self.tools.vault);
        act_in_tx(conn, ids, vault, case, act, Some(self.by), note, document, self.now)
    }

    /// Tells the applicant; neither the employer nor what happened is in it.
    fn tell(&mut self, case: &Case, subject: &str, detail: impl Into<String>) {
        self.beside.messages.push(told(case, subject, detail));
    }

    fn note(&mut self, action: &'static str, case: CaseId, document: Option<CaseDocumentId>) {
        let entry = Entry::new(self.by, action, case);
        self.beside.entries.push(entry.detail(json!({ "document": document })));
    }
}

/// A message to the applicant about their request.
pub(in crate::legal_aid) fn told(case: &Case, subject: &str, detail: impl Into<String>) -> Message {
    Message {
        person: case.person_id,
        kind: NoticeKind::LegalStep,
        subject: subject.to_owned(),
        detail: detail.into(),
        link: format!("/api/v1/me/legal-requests/{}", case.id),
    }
}

/// A message to somebody of the staff about a case.
pub(in crate::legal_aid) fn asked(
    person: PersonId,
    case: CaseId,
    subject: &str,
    detail: impl Into<String>,
) -> Message {
    Message {
        person,
        kind: NoticeKind::LegalWork,
        subject: subject.to_owned(),
        detail: detail.into(),
        link: format!("/api/v1/legal-cases/{case}"),
    }
}

/// The last day of a clock that is due at 24:00 of it.
pub(in crate::legal_aid) fn last_day(due: Option<chrono::NaiveDateTime>) -> Option<NaiveDate> {
    due.map(|due| civil_day(due.and_utc() - TimeDelta::seconds(1)))
}

/// Keeps what was decided, with its reasons. Before the case changes: the database asks for it then.
struct Deciding<'a> {
    kind: DecisionKind,
    codes: Vec<&'static str>,
    reasons: Option<&'a str>,
    appeal_notice: Option<String>,
}

impl Deciding<'_> {
    fn keep_in_tx(
        self,
        conn: &mut Conn,
        acting: &Acting<'_>,
        case: &Case,
        document: CaseDocumentId,
    ) -> Result<()> {
        let vault = &acting.tools.vault;
        let seal = |text: &str| vault.seal(REASONS, document.0.as_bytes(), text).map_err(Error::internal);
        let row = Decision {
            document_id: document,
            case_id: case.id,
            kind: self.kind,
            case_version: case.version,
            reason_codes: serde_json::to_string(&self.codes).map_err(Error::internal)?,
            reasons_sealed: self.reasons.map(seal).transpose()?,
            appeal_notice: self.appeal_notice,
            decided_by: acting.by,
            decided_at: db_time(acting.now),
        };
        diesel::insert_into(legal_decisions::table).values(&row).execute(conn)?;
        Ok(())
    }
}

/// Says what is missing, once and all of it; the term for deciding stands meanwhile.
///
/// # Errors
/// `legal_noticed` for a second time; `state_forbids` where the request is not under examination.
pub fn notice_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    (id, version): (CaseId, i64),
    wanted: &Wanted,
) -> Result<Acted> {
    let case = acting.led_in_tx(conn, id, version)?;
    machine::transition(Act::Notice, case.state)?;
    if supplements::was_told(conn, id)? {
        return Err(Error::new(Code::LegalNoticed));
    }
    let (ids, now) = (&acting.tools.ids, acting.now);
    clocks::pause_in_tx(conn, id, ClockKind::Review, now)?;
    let clock = clocks::start_in_tx(conn, ids, id, ClockKind::Supplement, now)?;
    let words = Words {
        missing: wanted.items.clone(),
        reasons: wanted.note.clone(),
        due: last_day(clock.due_at),
        ..Words::default()
    };
    let due = words.due;
    let document = acting.issue_in_tx(conn, DocumentKind::SupplementNotice, &case, words)?;
    supplements::create_in_tx(conn, &acting.tools.vault, (id, document), wanted, acting.by, now)?;
    let case = acting.act_in_tx(conn, &case, Act::Notice, None, Some(document))?;
    let until = due.map(naming::day).unwrap_or_default();
    let detail =
        format!("请于{until}前（含当日）补充材料，需要补充的内容已一次性列明。逾期未补充的，视为撤回申请。");
    acting.tell(&case, "您的法律援助申请需要补充材料", detail);
    acting.note("legal_case.notice", id, Some(document));
    Ok(Acted { case, document: Some(document) })
}

/// Accepts a request: it becomes a case with a number, which counts, and somebody has to be assigned within the days of the law.
pub fn accept_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    (id, version): (CaseId, i64),
    reasons: Option<&str>,
) -> Result<Acted> {
    let case = acting.led_in_tx(conn, id, version)?;
    machine::transition(Act::Accept, case.state)?;
    let words = Words { reasons: reasons.map(str::to_owned), ..Words::default() };
    let document = acting.issue_in_tx(conn, DocumentKind::Acceptance, &case, words)?;
    let deciding = Deciding { kind: DecisionKind::Accept, codes: Vec::new(), reasons, appeal_notice: None };
    deciding.keep_in_tx(conn, acting, &case, document)?;
    let case = acting.act_in_tx(conn, &case, Act::Accept, None, Some(document))?;
    let case = begin_in_tx(conn, acting, case, document)?;
    acting.tell(&case, "您的法律援助申请已受理", "我们会尽快指派承办人员，并通知您。");
    acting.note("legal_case.accept", id, Some(document));
    Ok(Acted { case, document: Some(document) })
}

/// Gives aid first, where waiting would cost the applicant a right: papers are brought afterwards (法律援助法 第四十四条).
///
/// # Errors
/// `validation_failed` for a request that is not urgent by its dates, where nothing says why it cannot wait.
pub fn provide_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    (id, version): (CaseId, i64),
    wanted: &Wanted,
) -> Result<Acted> {
    let case = acting.led_in_tx(conn, id, version)?;
    machine::transition(Act::Provisional, case.state)?;
    if !case.urgent && wanted.note.is_none() {
        let text = Text::new(
            "未标为紧急，请说明情况紧急的理由",
            "it is not urgent by its dates: say why it cannot wait",
        );
        return Err(Error::invalid(vec![Fault::new("/reasons", "required", text)]));
    }
    let (ids, now) = (&acting.tools.ids, acting.now);
    let clock = clocks::start_in_tx(conn, ids, id, ClockKind::Papers, now)?;
    let due = last_day(clock.due_at);
    let words =
        Words { missing: wanted.items.clone(), reasons: wanted.note.clone(), due, ..Words::default() };
    let document = acting.issue_in_tx(conn, DocumentKind::ProvisionalAid, &case, words)?;
    let reasons = wanted.note.as_deref();
    let deciding =
        Deciding { kind: DecisionKind::Provisional, codes: Vec::new(), reasons, appeal_notice: None };
    deciding.keep_in_tx(conn, acting, &case, document)?;
    let case = acting.act_in_tx(conn, &case, Act::Provisional, None, Some(document))?;
    let case = begin_in_tx(conn, acting, case, document)?;
    let until = due.map(naming::day).unwrap_or_default();
    let detail = format!("因情况紧急，先为您提供法律援助。请于{until}前（含当日）补办手续、补充材料。");
    acting.tell(&case, "先行为您提供法律援助", detail);
    acting.note("legal_case.provide", id, Some(document));
    Ok(Acted { case, document: Some(document) })
}

/// What follows from an acceptance, whichever way it came about: number, clocks, the count.
pub(in crate::legal_aid) fn begin_in_tx(
    conn: &mut Conn,
    acting: &Acting<'_>,
    case: Case,
    document: CaseDocumentId,
) -> Result<Case> {
    let (tools, now) = (acting.tools, acting.now);
    clocks::stop_in_tx(conn, case.id, ClockKind::Review, now)?;
    clocks::start_in_tx(conn, &tools.ids, case.id, ClockKind::Assign, now)?;
    let number = documents::get(conn, case.id, document)?.number;
    let unnumbered = legal_cases::table.find(case.id).filter(legal_cases::number.is_null());
    // Not a change that anybody overlooks: it comes with the act, and within its lock.
    if diesel::update(unnumbered).set(legal_cases::number.eq(&number)).execute(conn)? != 1 {
        return Err(Error::internal(format!("{} was accepted before", case.id)));
    }
    let case = Case { number: Some(number), ..case };
    tools.counting.accepted_in_tx(conn, &case, now)?;
    Ok(case)
}

/// The papers of a case in which aid came first are there.
///
/// # Errors
/// `state_forbids` where none are waited for.
pub fn papers_in_tx(conn: &mut Conn, acting: &mut Acting<'_>, (id, version): (CaseId, i64)) -> Result<Acted> {
    let case = acting.led_in_tx(conn, id, version)?;
    machine::transition(Act::Papers, case.state)?;
    if !clocks::running(conn, id)?.iter().any(|clock| clock.kind == ClockKind::Papers) {
        return Err(Error::new(Code::StateForbids).detail("本案没有待补的材料", "No papers are waited for"));
    }
    clocks::stop_in_tx(conn, id, ClockKind::Papers, acting.now)?;
    let case = acting.act_in_tx(conn, &case, Act::Papers, None, None)?;
    acting.tell(&case, "您补办的材料已齐全", "案件继续办理。");
    acting.note("legal_case.papers", id, None);
    Ok(Acted { case, document: None })
}

/// Refuses aid, in writing: with reasons of the catalogue and in the officer's own words, and with how to object.
pub fn refuse_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    (id, version): (CaseId, i64),
    codes: &[RefusalReason],
    words: &str,
) -> Result<Acted> {
    let case = acting.led_in_tx(conn, id, version)?;
    machine::transition(Act::Refuse, case.state)?;
    reasons::check(codes, words)?;
    let text = reasons::refusal_text(codes, words);
    let said = Words { reasons: Some(text.clone()), ..Words::default() };
    let document = acting.issue_in_tx(conn, DocumentKind::Refusal, &case, said)?;
    let codes = codes.iter().map(|code| code.as_str()).collect();
    let appeal_notice = Some(notice_of_appeal(conn, acting.now)?);
    let deciding = Deciding { kind: DecisionKind::Refuse, codes, reasons: Some(&text), appeal_notice };
    deciding.keep_in_tx(conn, acting, &case, document)?;
    let case = acting.act_in_tx(conn, &case, Act::Refuse, None, Some(document))?;
    clocks::stop_all_in_tx(conn, id, acting.now)?;
    let detail = "决定书写明了理由和提出异议的办法。您也可以拨打12348免费咨询；请注意仲裁和诉讼的时效。";
    acting.tell(&case, "您的法律援助申请已有决定", detail);
    acting.note("legal_case.refuse", id, Some(document));
    Ok(Acted { case, document: Some(document) })
}

fn notice_of_appeal(conn: &mut Conn, now: DateTime<Utc>) -> Result<String> {
    let rule = policy::store::rule_on(conn, "legal_aid.objection_reply", civil_day(now))?;
    Ok(reasons::appeal_notice(&naming::term(rule.term)))
}

/// Terminates aid on one of the grounds of the law, in writing as a refusal.
pub fn terminate_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    (id, version): (CaseId, i64),
    ground: Ground,
    words: &str,
) -> Result<Acted> {
    let case = acting.led_in_tx(conn, id, version)?;
    machine::transition(Act::Terminate(ground), case.state)?;
    let text = words.trim();
    let said = Words { reasons: Some(text.to_owned()), ground: Some(ground), ..Words::default() };
    let document = acting.issue_in_tx(conn, DocumentKind::Termination, &case, said)?;
    let appeal_notice = Some(notice_of_appeal(conn, acting.now)?);
    let codes = vec![ground.as_str()];
    let deciding = Deciding { kind: DecisionKind::Terminate, codes, reasons: Some(text), appeal_notice };
    deciding.keep_in_tx(conn, acting, &case, document)?;
    let case = acting.act_in_tx(conn, &case, Act::Terminate(ground), None, Some(document))?;
    clocks::stop_all_in_tx(conn, id, acting.now)?;
    let detail = "决定书写明了理由和提出异议的办法。正在进行的仲裁、诉讼请按期参加。";
    acting.tell(&case, "您的法律援助已有终止决定", detail);
    acting.note("legal_case.terminate", id, Some(document));
    Ok(Acted { case, document: Some(document) })
}

/// Takes an acceptance back that should not have been: what it counted for is taken back too.
pub fn annul_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    (id, version): (CaseId, i64),
    words: &str,
) -> Result<Acted> {
    let case = acting.led_in_tx(conn, id, version)?;
    machine::transition(Act::Annul, case.state)?;
    let text = words.trim();
    let about = acceptance_of(conn, id)?;
    let said = Words { reasons: Some(text.to_owned()), about, ..Words::default() };
    let document = acting.issue_in_tx(conn, DocumentKind::Annulment, &case, said)?;
    let deciding =
        Deciding { kind: DecisionKind::Annul, codes: Vec::new(), reasons: Some(text), appeal_notice: None };
    deciding.keep_in_tx(conn, acting, &case, document)?;
    let case = acting.act_in_tx(conn, &case, Act::Annul, None, Some(document))?;
    clocks::stop_all_in_tx(conn, id, acting.now)?;
    acting.tools.counting.annulled_in_tx(conn, &case, acting.now)?;
    acting.tell(&case, "您的法律援助受理决定已撤销", "决定书写明了理由。您可以补充情况后重新申请。");
    acting.note("legal_case.annul", id, Some(document));
    Ok(Acted { case, document: Some(document) })
}

/// The document by which a case was accepted.
fn acceptance_of(conn: &mut Conn, id: CaseId) -> Result<Option<CaseDocumentId>> {
    let accepted = legal_decisions::table
        .filter(legal_decisions::case_id.eq(id))
        .filter(legal_decisions::kind.eq_any([DecisionKind::Accept, DecisionKind::Provisional]))
        .order(legal_decisions::case_version.desc())
        .select(legal_decisions::document_id);
    Ok(accepted.first(conn).optional()?)
}

/// Keeps that a case is accepted after all, by whoever answered an objection.
pub(in crate::legal_aid) fn accepted_after_all_in_tx(
    conn: &mut Conn,
    acting: &Acting<'_>,
    case: &Case,
    reasons: &str,
) -> Result<CaseDocumentId> {
    let words = Words { reasons: Some(reasons.to_owned()), ..Words::default() };
    let document = acting.issue_in_tx(conn, DocumentKind::Acceptance, case, words)?;
    let deciding = Deciding {
        kind: DecisionKind::Accept,
        codes: Vec::new(),
        reasons: Some(reasons),
        appeal_notice: None,
    };
    deciding.keep_in_tx(conn, acting, case, document)?;
    Ok(document)
}

/// Assigns somebody to a case: a lawyer, whose turn is kept, or an officer. Whoever has to keep away is refused.
///
/// # Errors
/// `legal_conflict`; `validation_failed` for somebody who works on no cases of this desk.
pub fn assign_in_tx(
    conn: &mut Conn,
    acting: &mut Acting<'_>,
    (id, version): (CaseId, i64),
    (person, note): (PersonId, Option<&str>),
) -> Result<Acted> {
    let case = acting.led_in_tx(conn, id, version)?;
    machine::transition(Act::Assign, case.state)?;
    let Some(role) = desk::works_for(conn, person, case.desk_id)? else {
        let text = Text::new(
            "该人员不是本受理机构的法律援助人员或者援助律师",
            "this person works on no cases of the desk",
        );
        return Err(Error::invalid(vec![Fault::new("/person_id", "unfit", text)]));
    };
    rota::choose_in_tx(conn, &acting.tools.vault, &case, person, note, acting.now)?;
    let is_of = team::of(conn, id)?.iter().any(|member| member.person_id == person);
    if !is_of {
        team::join_in_tx(conn, &acting.tools.ids, id, person, role, acting.now)?;
    }
    let name = people::store::names(conn, &[person])?.remove(&person);
    let assignee = name.unwrap_or_else(|| "本会承办人员".to_owned());
    let words = Words { assignee: Some(assignee), ..Words::default() };
    let document = acting.issue_in_tx(conn, DocumentKind::Assignment, &case, words)?;
    let case = acting.act_in_tx(conn, &case, Act::Assign, note, Some(document))?;
    clocks::stop_in_tx(conn, id, ClockKind::Assign, acting.now)?;
    acting.tell(&case, "您的法律援助案件已指派承办人员", "承办人员会尽快与您联系，您也可以在案件中留言。");
    if person != acting.by {
        acting.beside.messages.push(asked(person, id, "有新的法律援助案件指派给您", "请打开查看。"));
    }
    let entry = Entry::new(acting.by, "legal_case.assign", id);
    acting.beside.entries.push(entry.detail(json!({ "document": document, "to": person })));
    Ok(Acted { case, document: Some(document) })
}

/// The work begins.
pub fn start_in_tx(conn: &mut Conn, acting: &mut Acting<'_>, (id, version): (CaseId, i64)) -> Result<Acted> {
    let roles = [TeamRole::Handler, TeamRole::Deputy, TeamRole::Lawyer];
    let case = acting.locked_in_tx(conn, id, version, &roles)?;
    let case = acting.act_in_tx(conn, &case, Act::Start, None, None)?;
    acting.tell(&case, "您的法律援助案件已开始办理", "");
    acting.note("legal_case.start", id, None);
    Ok(Acted { case, document: None })
}

/// What the last decision about a case says that took aid from the applicant, as it stands now; none in any other state.
pub fn standing_refusal(conn: &mut Conn, case: &Case) -> Result<Option<Decision>> {
    let kind = match case.state {
        CaseState::Refused => DecisionKind::Refuse,
        CaseState::Terminated => DecisionKind::Terminate,
        _ => return Ok(None),
    };
    let decided = legal_decisions::table
        .filter(legal_decisions::case_id.eq(case.id))
        .filter(legal_decisions::kind.eq(kind))
        .order(legal_decisions::case_version.desc())
        .select(Decision::as_select());
    Ok(decided.first(conn).optional()?)
}
