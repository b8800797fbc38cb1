//! `staff grant|revoke|list`.

use serde_json::json;

use super::real_world;
use crate::app::{self, StartError};
use crate::cli::{StaffCommand, Whom};
use crate::clock::db_time;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::identity::model::StaffGrant;
use crate::identity::store;
use crate::ids::{Ids, PersonId};
use crate::org;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::vault::mask;

fn person(
    conn: &mut Conn,
    config: &Config,
    ids: &Ids,
    whom: &Whom,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<PersonId> {
    match (&whom.person, &whom.openid) {
        (Some(person), _) => crate::people::store::get(conn, *person).map(|row| row.id),
        (None, Some(openid)) => store::person_of_wechat_in_tx(conn, ids, &config.wechat.appid, openid, now),
        (None, None) => Err(Error::not_found()),
    }
}

fn organisation(conn: &mut Conn, code: &str) -> Result<org::model::Organisation> {
    org::store::find_by_code(conn, code)?.ok_or_else(|| {
        Error::not_found().detail(
            format!("没有代码为 {code} 的组织"),
            format!("there is no organisation with the code {code}"),
        )
    })
}

pub(super) fn run(config: &Config, command: StaffCommand) -> Result<bool, StartError> {
    let db = app::open_database(config)?;
    app::migrate_database(&db)?;
    let (clock, ids) = real_world();
    let now = clock.now();
    match command {
        StaffCommand::Grant { whom, role, organisation: code } => {
            let new = db.write_blocking(|conn| {
                let organisation = organisation(conn, &code)?;
                let person = person(conn, config, &ids, &whom, now)?;
                let grant = StaffGrant {
                    id: ids.id(),
                    person_id: person,
                    role,
                    organisation_id: organisation.id,
                    granted_by: None,
                    granted_at: db_time(now),
                    revoked_at: None,
                };
                let Some(grant) = store::grant_in_tx(conn, grant)? else { return Ok(None) };
                let detail = json!({ "person": person, "role": role, "organisation": code });
                audit::append_in_tx(conn, now, vec![Entry::system("grant.create", grant.id).detail(detail)])?;
                Ok(Some(grant))
            })?;
            match new {
                Some(grant) => println!("已授权 / granted: {} {role} {code} ({})", grant.person_id, grant.id),
                None => println!("已有此授权 / the person has this role there already"),
            }
            Ok(true)
        }
        StaffCommand::Revoke { whom, role, organisation: code } => {
            let revoked = db.write_blocking(|conn| {
                let organisation = organisation(conn, &code)?;
                let found = match (&whom.person, &whom.openid) {
                    (Some(person), _) => Some(*person),
                    (None, Some(openid)) => store::person_of_wechat(conn, &config.wechat.appid, openid)?,
                    (None, None) => None,
                };
                let Some(person) = found else { return Ok(false) };
                let Some(id) = store::grant_find(conn, person, role, organisation.id)? else {
                    return Ok(false);
                };
                let detail = json!({ "person": person, "role": role, "organisation": code });
                let revoked = store::revoke_in_tx(conn, id, now)?;
                audit::append_in_tx(conn, now, vec![Entry::system("grant.revoke", id).detail(detail)])?;
                Ok(revoked)
            })?;
            println!("{}", if revoked { "已撤销 / revoked" } else { "没有此授权 / there is no such grant" });
            Ok(revoked)
        }
        StaffCommand::List => {
            let rows = db.read_blocking(|conn| store::grants(conn, vec!["/%".into()], None, None, 10_000))?;
            println!("{:<32} {:<14} {:<34} 组织 organisation", "人员 person", "角色 role", "grant");
            for (grant, organisation, name) in &rows {
                let shown = name.as_deref().map(mask::name).unwrap_or_default();
                println!(
                    "{:<32} {:<14} {:<34} {organisation} {shown}",
                    grant.person_id,
                    grant.role.as_str(),
                    grant.id
                );
            }
            println!("{} 项 / grants", rows.len());
            Ok(true)
        }
    }
}
