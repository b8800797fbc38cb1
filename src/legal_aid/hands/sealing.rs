//! A change of keys: what lawyers, turns, changes, referrals and members hold sealed, sealed again under the active key, while serving.

use diesel::prelude::*;

use super::model::{
    CHANGE_ANSWER, CHANGE_REASON, LAWYER_PHONE, LICENCE, REFERRAL_DATA, REFERRAL_OUTCOME, REFERRAL_REASON,
    TURN_NOTE, Turn,
};
use super::turns;
use crate::error::{Error, Result};
use crate::ids::{CaseMemberId, LawyerChangeId, LawyerId, ReferralId};
use crate::legal_aid::groups::{MEMBER_AMOUNT, MEMBER_NAME, MEMBER_PHONE};
use crate::platform::db::Db;
use crate::platform::db::schema::{
    legal_lawyer_changes, legal_lawyers, legal_members, legal_referrals, legal_turns,
};
use crate::platform::vault::{ERASED, Vault};

/// Rows in one transaction.
const PAGE: i64 = 200;

/// Seals one column of a table whose key is `id`, a page at a time, and gives how many texts were under another key.
macro_rules! column {
    ($at:expr, $table:ident, $column:ident, $field:expr, $id:ty) => {{
        let (db, vault, progress): (&Db, &Vault, &mut dyn FnMut()) = $at;
        let (mut done, mut after): (usize, Option<$id>) = (0, None);
        loop {
            let page: Vec<($id, Option<String>)> = db.read_blocking(|conn| {
                let mut rows = $table::table
                    .order($table::id)
                    .limit(PAGE)
                    .select(($table::id, $table::$column.nullable()))
                    .into_boxed();
                if let Some(after) = after {
                    rows = rows.filter($table::id.gt(after));
                }
                Ok(rows.load(conn)?)
            })?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            done += db.write_blocking(|conn| {
                let mut changed = 0;
                for (id, text) in &page {
                    let Some(old) = text else { continue };
                    let new = vault.reseal($field, id.0.as_bytes(), old).map_err(Error::internal)?;
                    if let Some(new) = new {
                        // Only if it still is what was read.
                        let same = $table::table.filter($table::id.eq(*id)).filter($table::$column.eq(old));
                        changed += diesel::update(same).set($table::$column.eq(new)).execute(conn)?;
                    }
                }
                Ok(changed)
            })?;
            progress();
        }
        done
    }};
}

/// Seals everything under the active key, and says how much was not.
pub fn rotate(db: &Db, vault: &Vault, mut progress: impl FnMut()) -> Result<usize> {
    let mut done = 0;
    done += column!((db, vault, &mut progress), legal_lawyers, licence_sealed, LICENCE, LawyerId);
    done += column!((db, vault, &mut progress), legal_lawyers, phone_sealed, LAWYER_PHONE, LawyerId);
    done += column!(
        (db, vault, &mut progress),
        legal_lawyer_changes,
        reason_sealed,
        CHANGE_REASON,
        LawyerChangeId
    );
    done += column!(
        (db, vault, &mut progress),
        legal_lawyer_changes,
        answer_sealed,
        CHANGE_ANSWER,
        LawyerChangeId
    );
    done += column!((db, vault, &mut progress), legal_referrals, reason_sealed, REFERRAL_REASON, ReferralId);
    done += column!((db, vault, &mut progress), legal_referrals, data_sealed, REFERRAL_DATA, ReferralId);
    done +=
        column!((db, vault, &mut progress), legal_referrals, outcome_sealed, REFERRAL_OUTCOME, ReferralId);
    done += column!((db, vault, &mut progress), legal_members, name_sealed, MEMBER_NAME, CaseMemberId);
    done += column!((db, vault, &mut progress), legal_members, phone_sealed, MEMBER_PHONE, CaseMemberId);
    done += column!((db, vault, &mut progress), legal_members, amount_sealed, MEMBER_AMOUNT, CaseMemberId);
    Ok(done + notes(db, vault, &mut progress)?)
}

/// Notes have a key of three columns, and are few: those under another key are asked for until there is none.
fn notes(db: &Db, vault: &Vault, progress: &mut dyn FnMut()) -> Result<usize> {
    let active = format!("{}%", vault.active_prefix());
    let mut done = 0;
    loop {
        let page: Vec<Turn> = db.read_blocking(|conn| {
            let rows = legal_turns::table
                .filter(legal_turns::note_sealed.not_like(&active))
                .filter(legal_turns::note_sealed.ne(ERASED))
                .limit(PAGE);
            Ok(rows.select(Turn::as_select()).load(conn)?)
        })?;
        if page.is_empty() {
            return Ok(done);
        }
        done += db.write_blocking(|conn| {
            for turn in &page {
                let Some(old) = &turn.note_sealed else { continue };
                let key = turns::row_key(turn.case_id, turn.round, turn.lawyer_id);
                if let Some(new) = vault.reseal(TURN_NOTE, &key, old).map_err(Error::internal)? {
                    diesel::update(legal_turns::table.find((turn.case_id, turn.round, turn.lawyer_id)))
                        .set(legal_turns::note_sealed.eq(new))
                        .execute(conn)?;
                }
            }
            Ok(page.len())
        })?;
        progress();
    }
}
