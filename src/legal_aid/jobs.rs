//! What happens to cases when a time has come: teams are warned, terms that ran out are noted for ever, and what was not supplied is taken
//! as withdrawn.

use chrono::{NaiveDateTime, TimeDelta};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::deciding::acts::{asked, last_day, told};
use super::machine::Act;
use super::model::{Case, CaseState, ClockKind, LegalClock, TeamRole};
use super::papers::naming;
use super::{LegalTools, acting, clocks, desk, objections, store, team};
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::{CaseId, LegalClockId, PersonId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::access::Role;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_clocks;
use crate::platform::outbox::{self, Job, JobHandler, NewJob};

const DUE: &str = "legal.due";
/// Cases that one sweep leaves jobs for; the next takes the others.
const SWEPT: i64 = 1000;

#[derive(Serialize, Deserialize)]
struct OfCase {
    case: CaseId,
}

/// Looks every minute for cases whose time has come, and leaves a job for each.
pub struct Sweep(pub LegalTools);

impl JobHandler for Sweep {
    fn kind(&self) -> &'static str {
        "legal.sweep"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::minutes(1))
    }

    fn run_in_tx(&self, conn: &mut Conn, _: &Job) -> Result<()> {
        let now = self.0.clock.now();
        let at = db_time(now);
        let running = || legal_clocks::table.filter(legal_clocks::stopped_at.is_null()).limit(SWEPT);
        let mut due: Vec<CaseId> = running()
            .filter(legal_clocks::breached_at.is_null())
            .filter(legal_clocks::due_at.le(at))
            .select(legal_clocks::case_id)
            .load(conn)?;
        let amber: Vec<CaseId> = running()
            .filter(legal_clocks::warned_at.is_null())
            .filter(legal_clocks::due_at.gt(at))
            .filter(legal_clocks::amber_at.le(at))
            .select(legal_clocks::case_id)
            .load(conn)?;
        due.extend(amber);
        due.sort();
        due.dedup();
        let job = |case| NewJob {
            kind: DUE,
            payload: json!(OfCase { case }),
            run_at: now,
            dedupe_key: Some(format!("{DUE}/{case}")),
        };
        outbox::enqueue_in_tx(conn, &self.0.ids, now, due.into_iter().map(job).collect())
    }
}

/// Does for one case what its time has come for.
pub struct Due(pub LegalTools);

impl JobHandler for Due {
    fn kind(&self) -> &'static str {
        DUE
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        let of: OfCase = serde_json::from_str(&job.payload).map_err(Error::internal)?;
        let (tools, now) = (&self.0, self.0.clock.now());
        let at = db_time(now);
        let case = store::locked_in_tx(conn, of.case)?;
        let mut beside = Beside::default();
        for clock in clocks::running(conn, case.id)? {
            let come = |time: Option<NaiveDateTime>| time.is_some_and(|time| time <= at);
            if come(clock.due_at) {
                if clock.breached_at.is_none() {
                    breached_in_tx(conn, tools, (&case, &clock), at, &mut beside)?;
                }
            } else if clock.warned_at.is_none() && come(clock.amber_at) {
                warned_in_tx(conn, (&case, &clock), at, &mut beside)?;
            }
        }
        beside.write_in_tx(conn, &tools.ids, now)
    }
}

/// Few days are left.
fn warned_in_tx(
    conn: &mut Conn,
    (case, clock): (&Case, &LegalClock),
    at: NaiveDateTime,
    beside: &mut Beside,
) -> Result<()> {
    let unwarned = legal_clocks::table.find(clock.id).filter(legal_clocks::warned_at.is_null());
    if diesel::update(unwarned).set(legal_clocks::warned_at.eq(at)).execute(conn)? == 0 {
        return Ok(());
    }
    let day = last_day(clock.due_at).map(naming::day).unwrap_or_default();
    if let Some(what) = for_applicant(clock.kind) {
        beside.messages.push(told(case, what, format!("请于{day}前（含当日）办理。")));
    }
    let subject = format!("法律援助事项临近期限：{}", term_zh(clock.kind));
    beside.messages.extend(to_those_who_act(conn, case, clock, &subject, &format!("期限至{day}。"))?);
    Ok(())
}

/// A term has run out: noted for ever, and told to those who act and to the leads; what was not supplied is taken as withdrawn.
fn breached_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    (case, clock): (&Case, &LegalClock),
    at: NaiveDateTime,
    beside: &mut Beside,
) -> Result<()> {
    if !breach_in_tx(conn, clock.id, at)? {
        return Ok(());
    }
    if clock.kind == ClockKind::Supplement && case.state == CaseState::Supplement {
        return lapse_in_tx(conn, tools, case, at, beside);
    }
    let detail = json!({ "term": clock.kind, "due_at": clock.due_at.map(|due| due.and_utc()) });
    beside.entries.push(Entry::system("legal_case.breach", case.id).detail(detail));
    if clock.kind == ClockKind::Papers {
        beside.messages.push(told(case, "补办材料的期限已过", "请尽快补交，或者在案件中留言说明困难。"));
    }
    let subject = format!("法律援助事项已逾期：{}", term_zh(clock.kind));
    let mut messages = to_those_who_act(conn, case, clock, &subject, "请立即办理。")?;
    let told: Vec<PersonId> = messages.iter().map(|message| message.person).collect();
    for lead in desk::holders(conn, case.desk_id, &[Role::LegalLead])? {
        if !told.contains(&lead) && lead != case.person_id {
            messages.push(nameless(lead, &subject, "请查看值班看板，必要时另行分派。"));
        }
    }
    beside.messages.extend(messages);
    Ok(())
}

fn breach_in_tx(conn: &mut Conn, id: LegalClockId, at: NaiveDateTime) -> Result<bool> {
    let kept = legal_clocks::table.find(id).filter(legal_clocks::breached_at.is_null());
    Ok(diesel::update(kept).set(legal_clocks::breached_at.eq(at)).execute(conn)? == 1)
}

/// What was missing was not supplied in time: the request counts as withdrawn (法律援助法 第四十三条).
fn lapse_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    case: &Case,
    at: NaiveDateTime,
    beside: &mut Beside,
) -> Result<()> {
    let now = at.and_utc();
    let after = acting::act_in_tx(conn, &tools.ids, &tools.vault, case, Act::Lapse, None, None, None, now)?;
    clocks::stop_all_in_tx(conn, case.id, now)?;
    let detail = "您未在期限内补充材料，申请视为撤回。您可以补齐材料后重新申请，请注意仲裁和诉讼的时效。";
    beside.messages.push(told(&after, "您的法律援助申请视为撤回", detail));
    for member in team::of(conn, case.id)? {
        let subject = "一件法律援助申请逾期未补充，视为撤回";
        beside.messages.push(asked(member.person_id, case.id, subject, ""));
    }
    beside.entries.push(Entry::system("legal_case.lapse", case.id));
    Ok(())
}

/// Whoever has to do something about a clock: the one who answers an objection, else whoever leads the case, else those who might.
fn to_those_who_act(
    conn: &mut Conn,
    case: &Case,
    clock: &LegalClock,
    subject: &str,
    detail: &str,
) -> Result<Vec<Message>> {
    let team = team::of(conn, case.id)?;
    let of_role = |role: TeamRole| team.iter().filter(move |member| member.role == role);
    if clock.kind == ClockKind::Objection {
        let all = objections::of(conn, case.id)?;
        let Some(open) = all.iter().find(|one| one.outcome.is_none()) else { return Ok(Vec::new()) };
        let whom = match open.taken_by {
            Some(person) => vec![person],
            None => objections::leads(conn, open, case.desk_id)?,
        };
        let link = format!("/api/v1/legal-objections/{}", open.id);
        return Ok(whom
            .into_iter()
            .map(|person| Message { link: link.clone(), ..nameless(person, subject, detail) })
            .collect());
    }
    let leads: Vec<PersonId> = of_role(TeamRole::Handler).map(|member| member.person_id).collect();
    if !leads.is_empty() {
        return Ok(leads.into_iter().map(|person| asked(person, case.id, subject, detail)).collect());
    }
    let mut officers = desk::holders(conn, case.desk_id, &[Role::LegalOfficer, Role::LegalLead])?;
    officers.retain(|person| *person != case.person_id);
    Ok(officers.into_iter().map(|person| nameless(person, subject, detail)).collect())
}

/// A message to somebody who does not know the case: it leads to the board, where no case can be told from another.
fn nameless(person: PersonId, subject: &str, detail: &str) -> Message {
    Message {
        person,
        kind: NoticeKind::LegalWork,
        subject: subject.to_owned(),
        detail: detail.to_owned(),
        link: "/api/v1/legal-desk/board".to_owned(),
    }
}

/// What an applicant is reminded of.
fn for_applicant(kind: ClockKind) -> Option<&'static str> {
    match kind {
        ClockKind::Supplement => Some("补充材料的期限将到"),
        ClockKind::Papers => Some("补办材料的期限将到"),
        ClockKind::Review | ClockKind::Assign | ClockKind::Objection => None,
    }
}

fn term_zh(kind: ClockKind) -> &'static str {
    match kind {
        ClockKind::Review => "审查",
        ClockKind::Assign => "指派",
        ClockKind::Supplement => "补充材料",
        ClockKind::Papers => "补办材料",
        ClockKind::Objection => "异议答复",
    }
}
