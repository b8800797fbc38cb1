//! Tells workers once, a few days before a term for their application ends.

use chrono::TimeDelta;
use serde_json::json;

use super::model::TermOf;
use super::{finding, rules, store};
use crate::clock::{SharedClock, civil_day};
use crate::error::Result;
use crate::ids::Ids;
use crate::notify::beside::Beside;
use crate::notify::jobs::Message;
use crate::notify::model::NoticeKind;
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::outbox::{Job, JobHandler};
use crate::platform::vault::Vault;

/// Injuries that one run warns about, for each term; the next takes the others.
const SWEPT: i64 = 200;

/// Looks every hour for terms that are about to end.
pub struct Warn {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
    /// Whom messages go to is found by what the list says.
    pub vault: Vault,
}

impl JobHandler for Warn {
    fn kind(&self) -> &'static str {
        "injury.warn"
    }

    fn every(&self) -> Option<TimeDelta> {
        Some(TimeDelta::hours(1))
    }

    fn run_in_tx(&self, conn: &mut Conn, _: &Job) -> Result<()> {
        let now = self.clock.now();
        let today = civil_day(now);
        let until = rules::amber_until(today, store::warn_days(conn, today)?);
        let mut beside = Beside::default();
        for term in TermOf::ALL {
            for injury in store::unwarned(conn, *term, (today, until), SWEPT)? {
                if !store::warned_in_tx(conn, injury.id, *term, now)? {
                    continue;
                }
                let due_on = injury.due_on(*term);
                let (subject, detail) = rules::warning(*term, due_on);
                let message = |person| Message {
                    person,
                    kind: NoticeKind::InjuryDue,
                    subject: subject.to_owned(),
                    detail: detail.clone(),
                    link: "/api/v1/me/injuries".to_owned(),
                };
                beside
                    .messages
                    .extend(finding::reached(conn, &self.vault, &injury)?.into_iter().map(message));
                let detail = json!({ "term": term, "due_on": due_on });
                beside.entries.push(Entry::system("injury.warn", injury.id).detail(detail));
            }
        }
        beside.write_in_tx(conn, &self.ids, now)
    }
}
