//! A second officer for a case: who checks its file and asks on its return visit, where its team is too small for that.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::acts::{LEADS, held_in_tx};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseId, PersonId};
use crate::legal_aid::deciding::acts::asked;
use crate::legal_aid::hands::conflicts;
use crate::legal_aid::model::{Case, CaseState, TeamRole};
use crate::legal_aid::{LegalTools, desk, team};
use crate::notify::beside::Beside;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;

/// States in which a case has work for a second officer.
const STATES: &[CaseState] = &[
    CaseState::Accepted,
    CaseState::Assigned,
    CaseState::Handling,
    CaseState::Closed,
    CaseState::Terminated,
];

/// Brings an officer of the desk into the team, by whoever leads the case. From then on they know of it as the team does.
///
/// # Errors
/// `legal_conflict` for whoever has to keep away; `validation_failed` for who is no officer of the desk; `state_forbids` for whoever is of the
/// team already.
pub fn join_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    person: PersonId,
    id: CaseId,
    second: PersonId,
    now: DateTime<Utc>,
) -> Result<(Case, Beside)> {
    let case = held_in_tx(conn, person, id, LEADS, now)?;
    if !STATES.contains(&case.state) {
        return Err(Error::new(Code::StateForbids));
    }
    if desk::works_for(conn, second, case.desk_id)? != Some(TeamRole::Deputy) {
        let text = Text::new("不是本受理机构的法律援助人员", "is no officer of the desk");
        return Err(Error::invalid(vec![Fault::new("/person_id", "unfit", text)]));
    }
    if team::of(conn, id)?.iter().any(|one| one.person_id == second) {
        return Err(Error::new(Code::StateForbids).detail("已是本案工作人员", "Is of the team already"));
    }
    conflicts::require(conn, &tools.vault, &case, second)?;
    team::join_in_tx(conn, &tools.ids, id, second, TeamRole::Deputy, now)?;
    let entry = Entry::new(person, "legal_case.deputy", id).detail(json!({ "person": second }));
    let told = asked(second, id, "您已加入一件法律援助案件的办案组", "请打开查看。");
    Ok((case, Beside { messages: vec![told], entries: vec![entry], ..Beside::default() }))
}
