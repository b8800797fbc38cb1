//! Making an activity: the one way, whether it was written by hand, copied, made from a template or imported.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::clash::{self, Slot};
use super::completion::CompletionRule;
use super::input::ActivityInput;
use super::model::{Activity, Programme, Resource, ResourceKind, Session, Wave};
use super::views::{ActivityDetail, ActivityView};
use super::{completion, resource_store, rules, store};
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, Ids, OrganisationId};
use crate::org;
use crate::org::model::{Organisation, OrganisationKind};
use crate::platform::access::Scope;
use crate::platform::db::Conn;

/// On whose behalf, and with what.
pub struct Maker<'a> {
    /// New ids.
    pub ids: &'a Ids,
    /// Where the caller makes activities.
    pub scope: &'a Scope,
    /// The present.
    pub now: DateTime<Utc>,
}

/// What was made.
pub struct Made {
    /// The activity.
    pub activity: Activity,
    /// Its programme.
    pub programme: Programme,
    /// Its sessions, in order.
    pub sessions: Vec<Session>,
    /// From which share somebody has completed it.
    pub completion: Option<CompletionRule>,
}

impl Made {
    /// As its organiser is answered.
    pub fn detail(self, now: DateTime<Utc>) -> ActivityDetail {
        ActivityDetail {
            activity: ActivityView::new(self.activity, &self.programme, now),
            programme: self.programme.into(),
            sessions: self.sessions.into_iter().map(Into::into).collect(),
            completion: self.completion,
        }
    }
}

/// Makes a draft with its sessions and bookings.
///
/// # Errors
/// 422 with everything that is wrong with `input`; 409 `resource_clash` with every session whose venue or trainer is taken.
pub fn activity_make_in_tx(
    conn: &mut Conn,
    maker: &Maker<'_>,
    id: ActivityId,
    input: &ActivityInput,
) -> Result<Made> {
    let mut faults = rules::check_times(input.signup_opens_at, input.signup_closes_at, &input.times());
    let kinds = wave_kinds(conn, &input.waves)?;
    faults.extend(rules::check_waves(&input.waves, input.signup_opens_at, |id| kinds.get(&id).copied()));
    let organiser = kept(organisation_in_scope(conn, input.organisation_id, maker.scope), &mut faults)?;
    let street = kept(venue_street(conn, input.street_id, organiser.as_ref()), &mut faults)?;
    let programme = kept(programme(conn, input), &mut faults)?;
    let locked = resource_store::lock_in_tx(conn, &input.resource_ids)?;
    let path = organiser.as_ref().map(|organiser| organiser.path.as_str()).unwrap_or_default();
    let usable = |path_of: &str| clash::is_usable(path_of, path, |path| maker.scope.covers(path));
    let mut wanted: Vec<&Resource> = Vec::new();
    for (place, id) in input.resource_ids.iter().enumerate() {
        match check_resource(&wanted, locked.get(id).filter(|(_, path)| usable(path))) {
            Ok(resource) => wanted.push(resource),
            Err((code, text)) => faults.push(Fault::new(format!("/resource_ids/{place}"), code, text)),
        }
    }
    let smallest = wanted
        .iter()
        .filter(|one| one.kind == ResourceKind::Venue)
        .filter_map(|one| Some((one.name.clone(), one.seats?)))
        .min_by_key(|(_, seats)| *seats);
    faults.extend(check_seats(input.capacity, smallest));
    let (Some(programme), Some(street), true) = (programme, street, faults.is_empty()) else {
        return Err(Error::invalid(faults));
    };
    let (activity, sessions) = input.rows(maker.ids, id, street, maker.now)?;
    let slots: Vec<Slot> = sessions
        .iter()
        .map(|(place, row)| Slot {
            place: *place,
            session: row.id,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
        })
        .collect();
    let taken = resource_store::clashes_find(conn, &wanted, &slots, &|path| maker.scope.covers(path))?;
    if !taken.is_empty() {
        return Err(Error::parameters(Code::ResourceClash, taken));
    }
    let sessions: Vec<Session> = sessions.into_iter().map(|(_, row)| row).collect();
    store::activity_create_in_tx(conn, &activity, &sessions)?;
    if let Some(rule) = input.completion {
        completion::rule_make_in_tx(conn, id, rule)?;
    }
    resource_store::bookings_make_in_tx(conn, &input.resource_ids, &slots)?;
    Ok(Made { activity, programme, sessions, completion: input.completion })
}

/// What was found; none, with its faults added to `faults`, where fields were wrong.
fn kept<T>(found: Result<T>, faults: &mut Vec<Fault>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == Code::ValidationFailed => {
            faults.extend(error.inner().faults.iter().cloned());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The organisation, if it is in `scope`: one that one may not know of does not exist.
pub fn organisation_in_scope(conn: &mut Conn, id: OrganisationId, scope: &Scope) -> Result<Organisation> {
    let unknown = || {
        let text = Text::new("没有这个组织，或不在您的权限范围内", "no such organisation in your scope");
        Error::invalid(vec![Fault::new("/organisation_id", "unknown", text)])
    };
    match org::store::get(conn, id) {
        Ok(row) if scope.covers(&row.path) => Ok(row),
        Ok(_) => Err(unknown()),
        Err(error) if error.code() == Code::NotFound => Err(unknown()),
        Err(error) => Err(error),
    }
}

fn programme(conn: &mut Conn, input: &ActivityInput) -> Result<Programme> {
    store::programme_get(conn, input.programme_id).map_err(|error| match error.code() {
        Code::NotFound => Error::invalid(vec![Fault::new(
            "/programme_id",
            "unknown",
            Text::new("没有这个项目", "no such programme"),
        )]),
        _ => error,
    })
}

/// The sub-district of the venue: the one that is named, or the organiser's.
fn venue_street(
    conn: &mut Conn,
    named: Option<OrganisationId>,
    organiser: Option<&Organisation>,
) -> Result<Option<OrganisationId>> {
    let Some(named) = named else {
        return Ok(organiser.and_then(|organiser| organiser.street_id));
    };
    match org::store::get(conn, named) {
        Ok(row) if row.street_id == Some(row.id) => Ok(Some(row.id)),
        Err(error) if error.code() != Code::NotFound => Err(error),
        _ => {
            let text = Text::new("不是街道总工会", "not a sub-district");
            Err(Error::invalid(vec![Fault::new("/street_id", "unknown", text)]))
        }
    }
}

/// What the organisations that waves name are.
pub fn wave_kinds(conn: &mut Conn, waves: &[Wave]) -> Result<HashMap<OrganisationId, OrganisationKind>> {
    let mut kinds = HashMap::new();
    for id in waves.iter().filter_map(|wave| wave.organisation_id) {
        match org::store::get(conn, id) {
            Ok(row) => _ = kinds.insert(id, row.kind),
            Err(error) if error.code() == Code::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(kinds)
}

/// The fault of a capacity that the smallest venue does not hold.
pub fn check_seats(capacity: i64, smallest: Option<(String, i64)>) -> Option<Fault> {
    let (name, seats) = smallest.filter(|(_, seats)| *seats < capacity)?;
    let text = Text::new(
        format!("场地“{name}”只容纳 {seats} 人"),
        format!("the venue \"{name}\" holds {seats} people"),
    );
    Some(Fault::new("/capacity", "seats", text))
}

fn check_resource<'a>(
    before: &[&Resource],
    found: Option<&'a (Resource, String)>,
) -> std::result::Result<&'a Resource, (&'static str, Text)> {
    let Some((resource, _)) = found else {
        return Err((
            "unknown",
            Text::new("没有这个场地或讲师，或不能使用", "no such venue or trainer that you may use"),
        ));
    };
    if resource.closed_at.is_some() {
        return Err(("closed", Text::new("已停用", "it is closed")));
    }
    if before.iter().any(|one| one.id == resource.id) {
        return Err(("duplicate", Text::new("重复", "given twice")));
    }
    Ok(resource)
}
