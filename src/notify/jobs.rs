//! The job that writes a message.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::model::{Notice, NoticeKind};
use super::store;
use crate::clock::{SharedClock, db_time};
use crate::error::{Error, Result};
use crate::ids::{Ids, PersonId};
use crate::platform::db::Conn;
use crate::platform::outbox::{Job, JobHandler, NewJob};

/// What to tell whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// To whom.
    pub person: PersonId,
    /// What about.
    pub kind: NoticeKind,
    /// The title of the activity it is about.
    pub subject: String,
    /// The resource it is about.
    pub link: String,
}

const KIND: &str = "notice.write";

/// The job that will write `message`.
pub fn job(message: &Message, now: DateTime<Utc>) -> NewJob {
    NewJob { kind: KIND, payload: json!(message), run_at: now, dedupe_key: None }
}

/// Writes messages.
pub struct NoticeWriter {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
}

impl JobHandler for NoticeWriter {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        let message: Message = serde_json::from_str(&job.payload).map_err(Error::internal)?;
        let (title, body) = text(&message);
        let notice = Notice {
            id: self.ids.id(),
            person_id: message.person,
            source: job.id.to_string(),
            kind: message.kind,
            title,
            body,
            link: Some(message.link),
            created_at: db_time(self.clock.now()),
            read_at: None,
        };
        store::create_in_tx(conn, notice)
    }
}

fn text(message: &Message) -> (String, String) {
    let subject = &message.subject;
    match message.kind {
        NoticeKind::SignupConfirmed => (
            "报名成功".into(),
            format!(
                "您已成功报名“{subject}”。请按时参加，到场出示电子凭证签到。不能参加时请尽早取消，把名额留给工友。"
            ),
        ),
        NoticeKind::SignupCancelled => ("报名已取消".into(), format!("您已取消“{subject}”的报名。")),
    }
}
