//! The shuffle of those who came in the first minutes.

use chrono::{DateTime, Utc};

use super::jobs::told;
use super::model::{Ending, Signup, SignupState};
use super::placing::{Ground, Placement};
use super::rules;
use super::store;
use crate::clock::db_time;
use crate::error::{Error, Result};
use crate::ids::SignupId;
use crate::notify::beside::Beside;
use crate::notify::model::NoticeKind;
use crate::offering::fair::{self, Drawn};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::vault::Vault;

/// Shuffles, if it is time and nobody has: places in the order of the draw, the others queue in that order. Whoever comes
/// later comes after all of them. The seed is published.
pub fn draw_in_tx(
    conn: &mut Conn,
    vault: &Vault,
    ground: &mut Ground,
    now: DateTime<Utc>,
    beside: &mut Beside,
) -> Result<()> {
    let Some(draw) = ground.due_draw(now).cloned() else { return Ok(()) };
    let activity = ground.activity.id;
    let seed = fair::seed(vault, &draw)?;
    let entered = store::in_state(conn, activity, SignupState::Entered)?;
    let ids: Vec<SignupId> = entered.iter().map(|row| row.id).collect();
    let order = rules::draw_order(&seed, &ids);
    let mut rows: std::collections::HashMap<SignupId, Signup> =
        entered.into_iter().map(|row| (row.id, row)).collect();
    let entries = i64::try_from(order.len()).unwrap_or(i64::MAX);
    let drawn = Drawn {
        seed,
        first_number: ground.activity.numbered + 1,
        entries,
        digest: rules::draw_digest(&order),
    };
    if !fair::drawn_in_tx(conn, activity, &drawn, now)? {
        return Err(Error::internal(format!("{activity} was drawn behind its lock")));
    }
    let people: Vec<_> = rows.values().map(|row| row.person_id).collect();
    ground.admit(conn, &people, now)?;
    for id in order {
        let Some(row) = rows.remove(&id) else { continue };
        let number = ground.next_number();
        let priority = ground.priority(row.person_id);
        let (state, leaf, kind) = match ground.place_drawn(conn, row.person_id)? {
            Some(Placement::Confirmed(leaf)) => {
                (SignupState::Confirmed, Some(leaf), NoticeKind::SignupConfirmed)
            }
            Some(Placement::Waiting(leaf)) => (SignupState::Waiting, Some(leaf), NoticeKind::WaitingJoined),
            Some(Placement::Entered | Placement::Applied) | None => {
                (SignupState::Cancelled, None, NoticeKind::NoPlace)
            }
        };
        let outcome = Signup {
            state,
            number,
            priority,
            quota_id: leaf.and_then(|leaf| ground.tree().quota(leaf)),
            ended_because: leaf.is_none().then_some(Ending::NoPlace),
            cancelled_at: leaf.is_none().then(|| db_time(now)),
            ..row.clone()
        };
        if !store::drawn_in_tx(conn, &outcome)? {
            return Err(Error::internal(format!("{id} changed behind the lock")));
        }
        beside.messages.push(told(&row, &ground.activity, kind));
    }
    ground.drawn();
    let detail = serde_json::json!({ "entries": entries, "digest": drawn.digest });
    beside.entries.push(Entry::system("activity.draw", activity).detail(detail));
    Ok(())
}
