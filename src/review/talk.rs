//! What applicant and desk say to each other about a request. Texts are sealed; no notice repeats them.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;

use super::content;
use super::deciding::{self, Desk, Officer};
use super::model::{MESSAGE_TEXT, Review, Side, Stage, StageState, TalkMessage};
use crate::clock::{civil_day, db_time};
use crate::content::checking::{self, Asked, Judge, Withheld};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{OrganisationId, PersonId, ReviewId, ReviewMessageId};
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::review_messages;
use crate::platform::vault::Vault;
use crate::{people, policy};

/// Messages of one person about one request in an hour at most.
pub const MESSAGES_AN_HOUR: i64 = 20;

/// The body for which an officer speaks: the nearest of theirs to a stage that is open, or to any.
pub(super) fn body_of(conn: &mut Conn, officer: &Officer, all: &[Stage]) -> Result<OrganisationId> {
    let open: Vec<Stage> = all.iter().filter(|stage| stage.state == StageState::Open).cloned().collect();
    for stages in [open.as_slice(), all] {
        let paths = deciding::paths(conn, stages)?;
        let reaches = |root: &str| paths.iter().any(|path| path.starts_with(root));
        let nearest =
            officer.rights.iter().filter(|right| reaches(&right.path)).max_by_key(|right| right.path.len());
        if let Some(right) = nearest {
            return Ok(right.organisation);
        }
    }
    Err(Error::not_found())
}

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub struct Author {
    /// Who.
    pub person: PersonId,
    /// For which body; none for the applicant.
    pub body: Option<OrganisationId>,
}

impl Author {
    fn side(self) -> Side {
        if self.body.is_some() { Side::Desk } else { Side::Applicant }
    }
}

/// Writes a message about a request that is locked and not decided yet, and has the other side told.
///
/// # Errors
/// `state_forbids` after the decision, `rate_limited` for more than [`MESSAGES_AN_HOUR`], `validation_failed` for a text that is
/// longer than the policy says.
pub fn write_in_tx(
    conn: &mut Conn,
    desk: &Desk,
    (review, all): (&Review, &[Stage]),
    author: Author,
    text: &str,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<TalkMessage> {
    if !review.state.is_live() {
        return Err(Error::new(Code::StateForbids)
            .detail("申请已办结，不能再留言", "The request is decided; no more messages are taken"));
    }
    let most = policy::store::number_on(conn, "review.message_max", civil_day(now))?;
    if text.chars().count() > usize::try_from(most).unwrap_or(0) {
        let text = Text::new(format!("不能超过{most}字"), format!("at most {most} characters"));
        return Err(Error::invalid(vec![Fault::new("/text", "max_length", text)]));
    }
    pace(conn, review.id, author.person, now)?;
    let id: ReviewMessageId = desk.ids.id();
    let message = TalkMessage {
        id,
        review_id: review.id,
        author_id: author.person,
        side: author.side(),
        body_id: author.body,
        text_sealed: desk.vault.seal(MESSAGE_TEXT, id.0.as_bytes(), text).map_err(Error::internal)?,
        sent_at: db_time(now),
        read_at: None,
    };
    diesel::insert_into(review_messages::table).values(&message).execute(conn)?;
    let judge = Judge::Organisation(author.body.or(review.employer_id));
    let asked =
        Asked { room: content::MESSAGE, row: id.0, field: content::TEXT, person: author.person, judge };
    desk.checks.ask_in_tx(conn, asked, now)?;
    beside.messages.extend(told(review, all, message.side, now));
    let detail = json!({ "message": id, "side": message.side });
    beside.entries.push(Entry::new(author.person, "review.message", review.id).detail(detail));
    Ok(message)
}

/// Refuses the next message of whoever has written too much within an hour. The lock of the review makes it exact.
fn pace(conn: &mut Conn, review: ReviewId, author: PersonId, now: DateTime<Utc>) -> Result<()> {
    let hour = TimeDelta::hours(1);
    let oldest: Option<chrono::NaiveDateTime> = review_messages::table
        .filter(review_messages::review_id.eq(review))
        .filter(review_messages::author_id.eq(author))
        .filter(review_messages::sent_at.gt(db_time(now - hour)))
        .order(review_messages::sent_at.desc())
        .offset(MESSAGES_AN_HOUR - 1)
        .limit(1)
        .select(review_messages::sent_at)
        .first(conn)
        .optional()?;
    let Some(oldest) = oldest else { return Ok(()) };
    let wait = (oldest.and_utc() + hour - now).to_std().unwrap_or_default();
    Err(Error::new(Code::RateLimited).retry_after(wait).detail(
        format!("每小时最多留言{MESSAGES_AN_HOUR}条"),
        format!("At most {MESSAGES_AN_HOUR} messages an hour about one request"),
    ))
}

/// Who is told of a message: the applicant; of the desk, whoever works at it now.
fn told(review: &Review, all: &[Stage], side: Side, now: DateTime<Utc>) -> Vec<Message> {
    if side == Side::Desk {
        return vec![deciding::message(review, NoticeKind::ReviewMessage, String::new())];
    }
    let mut working: Vec<PersonId> = all
        .iter()
        .filter(|stage| stage.state == StageState::Open)
        .filter(|stage| stage.claimed_until.is_none_or(|until| until.and_utc() > now))
        .filter_map(|stage| stage.claimed_by)
        .collect();
    working.sort();
    working.dedup();
    let to = |person| Message {
        person,
        kind: NoticeKind::ReviewMessage,
        subject: review.title.clone(),
        detail: String::new(),
        link: format!("/api/v1/reviews/{}", review.id),
    };
    working.into_iter().map(to).collect()
}

/// A message that was opened, with who wrote it as the reader may know them.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The message.
    pub message: TalkMessage,
    /// Who wrote it.
    pub author: String,
    /// What they wrote, or what stands in its place.
    pub text: String,
    /// Why it is not shown.
    pub withheld: Option<Withheld>,
}

/// Opens messages for `person` of `reader`'s side. Applicants are not told of officers by name. What the content check holds, only who wrote it
/// is shown.
pub fn open(
    conn: &mut Conn,
    vault: &Vault,
    (reader, person): (Side, PersonId),
    rows: Vec<TalkMessage>,
) -> Result<Vec<Opened>> {
    let authors: Vec<PersonId> = rows.iter().map(|row| row.author_id).collect();
    let bodies: Vec<OrganisationId> = rows.iter().filter_map(|row| row.body_id).collect();
    let named = match reader {
        Side::Applicant => HashMap::new(),
        Side::Desk => people::store::names(conn, &authors)?,
    };
    let bodies = crate::org::store::short_names(conn, &bodies)?;
    let ids: Vec<uuid::Uuid> = rows.iter().map(|row| row.id.0).collect();
    let kept_back = checking::withheld(conn, content::MESSAGE, &ids)?;
    let author = |row: &TalkMessage| match (reader, row.body_id) {
        (Side::Applicant, None) => "本人".to_owned(),
        (Side::Applicant, Some(body)) => {
            format!("{}经办人", bodies.get(&body).map(String::as_str).unwrap_or_default())
        }
        (Side::Desk, body) => named.get(&row.author_id).map_or_else(
            || if body.is_some() { "经办人".to_owned() } else { "申请人".to_owned() },
            |name| crate::platform::vault::mask::name(name),
        ),
    };
    let opened = |row: TalkMessage| -> Result<Opened> {
        let plain =
            vault.open(MESSAGE_TEXT, row.id.0.as_bytes(), &row.text_sealed).map_err(Error::internal)?;
        let why = kept_back.get(&(row.id.0, content::TEXT.to_owned())).copied();
        let withheld = why.filter(|_| row.author_id != person);
        let text = withheld.map_or_else(|| plain.expose_secret().to_owned(), |why| why.instead().to_owned());
        Ok(Opened { author: author(&row), text, withheld, message: row })
    };
    rows.into_iter().map(opened).collect()
}

/// The messages about a request after `after`, the oldest first. What the other side wrote, of the first `limit`, is read by that.
pub fn read_in_tx(
    conn: &mut Conn,
    review: ReviewId,
    reader: Side,
    after: Option<ReviewMessageId>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<TalkMessage>> {
    let mut query = review_messages::table
        .filter(review_messages::review_id.eq(review))
        .order(review_messages::id)
        .limit(limit + 1)
        .select(TalkMessage::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(review_messages::id.gt(after));
    }
    let mut rows: Vec<TalkMessage> = query.load(conn)?;
    let shown = usize::try_from(limit).unwrap_or(0);
    let fresh = |row: &TalkMessage| row.side != reader && row.read_at.is_none();
    let ids: Vec<ReviewMessageId> =
        rows.iter().take(shown).filter(|row| fresh(row)).map(|row| row.id).collect();
    if ids.is_empty() {
        return Ok(rows);
    }
    let unread = review_messages::table
        .filter(review_messages::id.eq_any(&ids))
        .filter(review_messages::read_at.is_null());
    diesel::update(unread).set(review_messages::read_at.eq(db_time(now))).execute(conn)?;
    for row in rows.iter_mut().filter(|row| ids.contains(&row.id)) {
        row.read_at = Some(db_time(now));
    }
    Ok(rows)
}

/// Messages after `after`, for the rotation of keys.
pub fn sealed_after(
    conn: &mut Conn,
    after: Option<ReviewMessageId>,
    limit: i64,
) -> Result<Vec<(ReviewMessageId, String)>> {
    let mut query = review_messages::table
        .order(review_messages::id)
        .limit(limit)
        .select((review_messages::id, review_messages::text_sealed))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(review_messages::id.gt(after));
    }
    Ok(query.load(conn)?)
}

/// Seals a message under the active key.
pub fn reseal_in_tx(conn: &mut Conn, vault: &Vault, id: ReviewMessageId, sealed: &str) -> Result<usize> {
    let Some(new) = vault.reseal(MESSAGE_TEXT, id.0.as_bytes(), sealed).map_err(Error::internal)? else {
        return Ok(0);
    };
    Ok(diesel::update(review_messages::table.find(id))
        .set(review_messages::text_sealed.eq(new))
        .execute(conn)?)
}
