//! What applicant and team of a case say to each other. Texts are sealed; no notice repeats them, and none says to anybody but the two sides
//! that there is a case.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;

use super::model::{Case, CaseState};
use super::{LegalTools, content, team};
use crate::clock::{civil_day, db_time};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseId, CaseMessageId, PersonId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_messages;
use crate::platform::vault::{Field, Vault, mask};
use crate::{people, policy};

/// Where what they say is kept.
const TEXT: Field = Field("legal_messages.text");
/// How long a message may be.
const LONGEST: &str = "legal_aid.message_max";
/// Messages of one person about one case in an hour at most.
pub const MESSAGES_AN_HOUR: i64 = 20;

crate::text_enum! {
    /// Who speaks.
    pub enum CaseVoice {
        /// 申请人一方
        Applicant = "applicant",
        /// 办案组
        Team = "team",
    }
}

/// A message about a case.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = legal_messages, treat_none_as_default_value = false)]
pub struct CaseMessage {
    /// Its id.
    pub id: CaseMessageId,
    /// About which case.
    pub case_id: CaseId,
    /// Who wrote it.
    pub author_id: PersonId,
    /// For which side.
    pub voice: CaseVoice,
    /// What they wrote.
    pub text_sealed: String,
    /// When.
    pub sent_at: NaiveDateTime,
    /// When the other side read it.
    pub read_at: Option<NaiveDateTime>,
}

/// Whether anything is still to be said about a case in `state`: a refusal and a termination may be objected to.
fn is_spoken_about(state: CaseState) -> bool {
    !matches!(
        state,
        CaseState::Closed | CaseState::Withdrawn | CaseState::DeemedWithdrawn | CaseState::Annulled
    )
}

/// Writes a message about a case that is locked, and has the other side told.
///
/// # Errors
/// `state_forbids` once the case is over, `rate_limited` for more than [`MESSAGES_AN_HOUR`], `validation_failed` for a text that is longer
/// than the policy says.
pub fn write_in_tx(
    conn: &mut Conn,
    tools: &LegalTools,
    case: &Case,
    (author, voice): (PersonId, CaseVoice),
    (id, text): (CaseMessageId, &str),
    now: DateTime<Utc>,
) -> Result<CaseMessage> {
    if !is_spoken_about(case.state) {
        return Err(Error::new(Code::StateForbids)
            .detail("该事项已办结，不能再留言", "The matter is over; no more messages are taken"));
    }
    let most = policy::store::number_on(conn, LONGEST, civil_day(now))?;
    if text.chars().count() > usize::try_from(most).unwrap_or(0) {
        let text = Text::new(format!("不能超过{most}字"), format!("at most {most} characters"));
        return Err(Error::invalid(vec![Fault::new("/text", "max_length", text)]));
    }
    pace(conn, case.id, author, now)?;
    let message = CaseMessage {
        id,
        case_id: case.id,
        author_id: author,
        voice,
        text_sealed: tools.vault.seal(TEXT, id.0.as_bytes(), text).map_err(Error::internal)?,
        sent_at: db_time(now),
        read_at: None,
    };
    diesel::insert_into(legal_messages::table).values(&message).execute(conn)?;
    content::message_in_tx(conn, tools, &message, now)?;
    let entry = match voice {
        // Who reads the audit chain must not learn who asked.
        CaseVoice::Applicant => Entry::system("legal_request.message", case.id),
        CaseVoice::Team => Entry::new(author, "legal_case.message", case.id),
    };
    let beside = Beside {
        messages: told(conn, case, voice)?,
        entries: vec![entry.detail(json!({ "message": id, "by": voice }))],
        ..Beside::default()
    };
    beside.write_in_tx(conn, &tools.ids, now)?;
    Ok(message)
}

/// Refuses the next message of whoever has written too much within an hour. The lock of the case makes it exact.
fn pace(conn: &mut Conn, case: CaseId, author: PersonId, now: DateTime<Utc>) -> Result<()> {
    let hour = TimeDelta::hours(1);
    let oldest: Option<NaiveDateTime> = legal_messages::table
        .filter(legal_messages::case_id.eq(case))
        .filter(legal_messages::author_id.eq(author))
        .filter(legal_messages::sent_at.gt(db_time(now - hour)))
        .order(legal_messages::sent_at.desc())
        .offset(MESSAGES_AN_HOUR - 1)
        .limit(1)
        .select(legal_messages::sent_at)
        .first(conn)
        .optional()?;
    let Some(oldest) = oldest else { return Ok(()) };
    let wait = (oldest.and_utc() + hour - now).to_std().unwrap_or_default();
    Err(Error::new(Code::RateLimited).retry_after(wait).detail(
        format!("每小时最多留言{MESSAGES_AN_HOUR}条"),
        format!("At most {MESSAGES_AN_HOUR} messages an hour about one case"),
    ))
}

/// Who is told of a message: the applicant, or those who are of the team now. Whoever takes the case later finds it there.
fn told(conn: &mut Conn, case: &Case, voice: CaseVoice) -> Result<Vec<Message>> {
    let (whom, link) = match voice {
        CaseVoice::Team => (vec![case.person_id], format!("/api/v1/me/legal-requests/{}", case.id)),
        CaseVoice::Applicant => {
            let team = team::of(conn, case.id)?;
            let mut whom: Vec<PersonId> = team
                .iter()
                .filter(|member| member.left_at.is_none())
                .map(|member| member.person_id)
                .collect();
            whom.sort();
            whom.dedup();
            (whom, format!("/api/v1/legal-cases/{}", case.id))
        }
    };
    let to = |person| Message {
        person,
        kind: NoticeKind::LegalMessage,
        subject: String::new(),
        detail: String::new(),
        link: link.clone(),
    };
    Ok(whom.into_iter().map(to).collect())
}

/// A message that was opened, with who wrote it as the reader may know them.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The message.
    pub message: CaseMessage,
    /// Who wrote it.
    pub author: String,
    /// What they wrote.
    pub text: String,
}

/// Opens messages for `reader` of a side. The applicant's side is not told of officers by name.
pub fn open(
    conn: &mut Conn,
    vault: &Vault,
    (reader, voice): (PersonId, CaseVoice),
    rows: Vec<CaseMessage>,
) -> Result<Vec<Opened>> {
    let authors: Vec<PersonId> = rows.iter().map(|row| row.author_id).collect();
    let named = match voice {
        CaseVoice::Applicant => HashMap::new(),
        CaseVoice::Team => people::store::names(conn, &authors)?,
    };
    let author = |row: &CaseMessage| match (voice, row.voice) {
        (CaseVoice::Applicant, CaseVoice::Applicant) if row.author_id == reader => "本人".to_owned(),
        (CaseVoice::Applicant, CaseVoice::Applicant) => "同案职工".to_owned(),
        (CaseVoice::Applicant, CaseVoice::Team) => "承办人".to_owned(),
        (CaseVoice::Team, side) => named.get(&row.author_id).map_or_else(
            || if side == CaseVoice::Team { "承办人".to_owned() } else { "申请人".to_owned() },
            |name| mask::name(name),
        ),
    };
    let opened = |row: CaseMessage| -> Result<Opened> {
        Ok(Opened { author: author(&row), text: text_of(vault, &row)?, message: row })
    };
    rows.into_iter().map(opened).collect()
}

/// What a message says.
pub(super) fn text_of(vault: &Vault, row: &CaseMessage) -> Result<String> {
    let plain = vault.open(TEXT, row.id.0.as_bytes(), &row.text_sealed).map_err(Error::internal)?;
    Ok(plain.expose_secret().to_owned())
}

/// The messages about a case after `after`, the oldest first.
pub fn list(
    conn: &mut Conn,
    case: CaseId,
    after: Option<CaseMessageId>,
    limit: i64,
) -> Result<Vec<CaseMessage>> {
    let mut query = legal_messages::table
        .filter(legal_messages::case_id.eq(case))
        .order(legal_messages::id)
        .limit(limit + 1)
        .select(CaseMessage::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(legal_messages::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// What the other side wrote, of the first `limit` of `rows`, is read by that.
pub fn read_in_tx(
    conn: &mut Conn,
    reader: CaseVoice,
    rows: &mut [CaseMessage],
    limit: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    let shown = usize::try_from(limit).unwrap_or(0);
    let fresh = |row: &&mut CaseMessage| row.voice != reader && row.read_at.is_none();
    let fresh: Vec<&mut CaseMessage> = rows.iter_mut().take(shown).filter(fresh).collect();
    let ids: Vec<CaseMessageId> = fresh.iter().map(|row| row.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let unread = legal_messages::table
        .filter(legal_messages::id.eq_any(&ids))
        .filter(legal_messages::read_at.is_null());
    diesel::update(unread).set(legal_messages::read_at.eq(db_time(now))).execute(conn)?;
    for row in fresh {
        row.read_at = Some(db_time(now));
    }
    Ok(())
}

/// Messages after `after`, for the rotation of keys.
pub fn sealed_after(
    conn: &mut Conn,
    after: Option<CaseMessageId>,
    limit: i64,
) -> Result<Vec<(CaseMessageId, String)>> {
    let mut query = legal_messages::table
        .order(legal_messages::id)
        .limit(limit)
        .select((legal_messages::id, legal_messages::text_sealed))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(legal_messages::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Seals a message under the active key.
pub fn reseal_in_tx(conn: &mut Conn, vault: &Vault, id: CaseMessageId, sealed: &str) -> Result<usize> {
    let Some(new) = vault.reseal(TEXT, id.0.as_bytes(), sealed).map_err(Error::internal)? else {
        return Ok(0);
    };
    Ok(diesel::update(legal_messages::table.find(id))
        .set(legal_messages::text_sealed.eq(new))
        .execute(conn)?)
}
