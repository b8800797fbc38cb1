//! What an import asks the database, and what it leaves there.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::columns::{CellFault, flag_of};
use super::drafts::{Draft, Plan, RowFaults, allocation_of, waiting_of};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{ActivityId, OrganisationId, PersonId, ProgrammeId, ResourceId};
use crate::offering::changing::Acting;
use crate::offering::clash::is_usable;
use crate::offering::input::ActivityInput;
use crate::offering::making::{self, Maker};
use crate::offering::model::Resource;
use crate::offering::resource_store;
use crate::org;
use crate::org::model::{Organisation, OrganisationKind};
use crate::platform::audit::Entry;
use crate::platform::db::Conn;
use crate::platform::db::schema::{imported_rows, organisations, programmes, resources};
use crate::platform::http::Contract;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = imported_rows)]
struct Imported {
    organisation_id: OrganisationId,
    row_key: String,
    digest: Vec<u8>,
    activity_id: ActivityId,
    imported_by: PersonId,
    imported_at: chrono::NaiveDateTime,
}

/// What became of an activity of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Created(ActivityId),
    /// It had been imported already.
    Unchanged(ActivityId),
    /// Something is wrong with it.
    Wrong,
}

/// What became of a sheet.
pub struct Done {
    /// By row key.
    pub outcomes: HashMap<String, Outcome>,
    /// What is wrong, by row.
    pub faults: RowFaults,
    /// For the audit.
    pub entries: Vec<Entry>,
}

/// A draft with its names looked up; without input where something that it needs could not be read.
struct Found<'a> {
    draft: &'a Draft,
    input: Option<ActivityInput>,
}

/// Makes everything that `plan` asks for and has not been made yet. The caller rolls it back where anything is wrong.
///
/// # Errors
/// None for what is wrong with rows: that is in the answer. 409 when another import of the same rows was faster.
pub fn import_in_tx(
    conn: &mut Conn,
    maker: &Maker<'_>,
    acting: &Acting,
    contract: &Contract,
    plan: &Plan,
) -> Result<Done> {
    let mut faults = plan.faults.clone();
    let names = Names::load(conn, plan)?;
    let mut found = Vec::new();
    for draft in &plan.drafts {
        let input = names.input(draft, maker, &mut faults);
        if let Some(input) = &input {
            let value = serde_json::to_value(input).map_err(Error::internal)?;
            for fault in contract.check_body("ActivityInput", &value) {
                draft.note(&fault, &mut faults);
            }
        }
        found.push(Found { draft, input });
    }
    // Everything that the sheet uses is locked at once and in one order, and before it is asked what was imported: who
    // waits here for another import of the same sheet finds what that one has made.
    let used: BTreeSet<ResourceId> = found
        .iter()
        .filter_map(|one| one.input.as_ref())
        .flat_map(|input| input.resource_ids.clone())
        .collect();
    resource_store::lock_in_tx(conn, &used.into_iter().collect::<Vec<_>>())?;
    let known = imported(conn, &found)?;
    let done = Done { outcomes: HashMap::new(), faults, entries: Vec::new() };
    let mut work = Work { maker, acting, known, rows: Vec::new(), done };
    for Found { draft, input } in &found {
        let fine = draft.rows.iter().all(|row| !work.done.faults.contains_key(row));
        let outcome = match input {
            Some(input) if fine => work.one_in_tx(conn, draft, input)?,
            _ => Outcome::Wrong,
        };
        work.done.outcomes.insert(draft.row_key.clone(), outcome);
    }
    let Work { mut rows, done, .. } = work;
    if done.faults.is_empty() {
        rows.sort_by(|a, b| (a.organisation_id, &a.row_key).cmp(&(b.organisation_id, &b.row_key)));
        let kept: Vec<String> = crate::insert_new!(
            conn, imported_rows::table, rows.as_slice(), imported_rows::row_key => |row: &Imported| row.row_key.clone()
        )?;
        if kept.len() < rows.len() {
            return Err(Error::new(Code::IdempotencyRunning));
        }
    }
    Ok(done)
}

/// What was imported earlier, by organisation and row key.
type Known = HashMap<(OrganisationId, String), (Vec<u8>, ActivityId)>;

fn imported(conn: &mut Conn, found: &[Found<'_>]) -> Result<Known> {
    let of: Vec<OrganisationId> =
        found.iter().filter_map(|one| one.input.as_ref()).map(|input| input.organisation_id).collect();
    let keys: Vec<&str> = found.iter().map(|one| one.draft.row_key.as_str()).collect();
    let rows: Vec<Imported> = imported_rows::table
        .filter(imported_rows::organisation_id.eq_any(of))
        .filter(imported_rows::row_key.eq_any(keys))
        .select(Imported::as_select())
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.organisation_id, row.row_key), (row.digest, row.activity_id)))
        .collect())
}

/// An import at work.
struct Work<'a> {
    maker: &'a Maker<'a>,
    acting: &'a Acting,
    known: Known,
    rows: Vec<Imported>,
    done: Done,
}

impl Work<'_> {
    /// Makes one activity, unless it was made before.
    fn one_in_tx(&mut self, conn: &mut Conn, draft: &Draft, input: &ActivityInput) -> Result<Outcome> {
        let (maker, acting) = (self.maker, self.acting);
        let digest = digest(input, draft.publish);
        if let Some((before, id)) = self.known.get(&(input.organisation_id, draft.row_key.clone())) {
            if *before == digest {
                return Ok(Outcome::Unchanged(*id));
            }
            let text = Text::new(
                format!("该行号键已导入为 {id}，内容不同；请直接修改该活动，或换一个行号键"),
                format!("imported as {id} with other content; change that activity, or use another key"),
            );
            draft.note(&Fault::new("/row_key", "changed", text), &mut self.done.faults);
            return Ok(Outcome::Wrong);
        }
        let id: ActivityId = maker.ids.id();
        match making::activity_make_in_tx(conn, maker, id, input) {
            Ok(_) => {}
            Err(error) if matches!(error.code(), Code::ValidationFailed | Code::ResourceClash) => {
                for fault in &error.inner().faults {
                    draft.note(fault, &mut self.done.faults);
                }
                return Ok(Outcome::Wrong);
            }
            Err(error) => return Err(error),
        }
        self.done.entries.push(Entry::new(acting.actor, "activity.import", id));
        if draft.publish {
            match acting.published_in_tx(conn, id) {
                Ok(entries) => self.done.entries.extend(entries),
                Err(error) if error.code() == Code::StateForbids => {
                    let text = error.inner().detail.clone().unwrap_or_else(|| error.code().title());
                    let row = draft.rows.first().copied().unwrap_or_default();
                    let fault = CellFault::new("publish", error.code().as_str(), text);
                    self.done.faults.entry(row).or_default().push(fault);
                    return Ok(Outcome::Wrong);
                }
                Err(error) => return Err(error),
            }
        }
        self.rows.push(Imported {
            organisation_id: input.organisation_id,
            row_key: draft.row_key.clone(),
            digest,
            activity_id: id,
            imported_by: acting.actor,
            imported_at: db_time(maker.now),
        });
        Ok(Outcome::Created(id))
    }
}

/// What the rows of an activity come to, whatever their order and the language of their headers. New fields of
/// activities are no part of it, so that rows of before stay what they were.
fn digest(input: &ActivityInput, publish: bool) -> Vec<u8> {
    let mut sessions: Vec<(i64, i64)> = input
        .sessions
        .iter()
        .map(|one| (one.starts_at.timestamp_micros(), one.ends_at.timestamp_micros()))
        .collect();
    sessions.sort_unstable();
    let mut used = input.resource_ids.clone();
    used.sort_unstable();
    let window = (input.signup_opens_at.timestamp_micros(), input.signup_closes_at.timestamp_micros());
    let mut content = json!([
        1,
        input.programme_id,
        input.street_id,
        input.title,
        input.summary,
        input.venue,
        input.address,
        input.capacity,
        input.allocation,
        input.waiting_list,
        window,
        sessions,
        used,
        publish
    ]);
    // Sheets from before there was such a thing have the digest that they had.
    if let (Some(rule), Some(content)) = (input.completion, content.as_array_mut()) {
        content.push(json!(rule));
    }
    Sha256::digest(content.to_string()).to_vec()
}

/// What the names in a sheet may mean.
struct Names {
    organisations: HashMap<OrganisationId, Organisation>,
    programmes: Vec<(ProgrammeId, Option<String>, String, String)>,
    resources: Vec<(Resource, String)>,
}

impl Names {
    fn load(conn: &mut Conn, plan: &Plan) -> Result<Self> {
        let texts = |column| plan.drafts.iter().filter_map(move |draft| draft.text(column));
        let wanted: BTreeSet<&str> = texts("programme").collect();
        let ids: Vec<ProgrammeId> = wanted.iter().filter_map(|text| text.parse().ok()).collect();
        let programmes = programmes::table
            .inner_join(organisations::table)
            .filter(
                programmes::code
                    .eq_any(wanted.iter().copied())
                    .assume_not_null()
                    .or(programmes::name.eq_any(wanted.iter().copied()))
                    .or(programmes::id.eq_any(ids)),
            )
            .select((programmes::id, programmes::code, programmes::name, organisations::path))
            .load(conn)?;
        let wanted: BTreeSet<&str> = plan.drafts.iter().flat_map(Draft::resources).collect();
        let resources = resources::table
            .inner_join(organisations::table)
            .filter(resources::name.eq_any(wanted))
            .filter(resources::closed_at.is_null())
            .order(resources::id)
            .select((Resource::as_select(), organisations::path))
            .load(conn)?;
        Ok(Self { organisations: org::store::all(conn)?, programmes, resources })
    }

    /// The activity that `draft` asks for, if all that it needs can be read. Names that mean nothing or too much are noted.
    fn input(&self, draft: &Draft, maker: &Maker<'_>, faults: &mut RowFaults) -> Option<ActivityInput> {
        let mut note = |pointer: &str, code: &'static str, zh: String, en: String| {
            draft.note(&Fault::new(pointer, code, Text::new(zh, en)), faults);
        };
        let organiser = draft.text("organisation").and_then(|text| {
            let own = |one: &&Organisation| maker.scope.covers(&one.path);
            match one(self.organisations_named(text).filter(own)) {
                Ok(found) => Some(found),
                Err(code) => {
                    let zh = format!("没有这个组织或名称不唯一，或不在您的权限范围内：{text}");
                    note(
                        "/organisation_id",
                        code,
                        zh,
                        format!("no such single organisation in your scope: {text}"),
                    );
                    None
                }
            }
        });
        let path = organiser.map(|organiser| organiser.path.as_str()).unwrap_or_default();
        let usable = |of: &str| is_usable(of, path, |path| maker.scope.covers(path));
        let programme = draft.text("programme").and_then(|text| match self.programme(text, usable) {
            Ok(found) => Some(found),
            Err(code) => {
                let zh = format!("没有这个项目或名称不唯一：{text}");
                note("/programme_id", code, zh, format!("no such single programme: {text}"));
                None
            }
        });
        let street = draft.text("street").and_then(|text| {
            let is_street = |one: &&Organisation| one.kind == OrganisationKind::SubDistrict;
            match one(self.organisations_named(text).filter(is_street)) {
                Ok(found) => Some(found.id),
                Err(code) => {
                    note(
                        "/street_id",
                        code,
                        format!("没有这个街道：{text}"),
                        format!("no such sub-district: {text}"),
                    );
                    None
                }
            }
        });
        let mut resource_ids = Vec::new();
        for name in draft.resources() {
            let named = self.resources.iter().filter(|(row, of)| row.name == name && usable(of));
            match one(named) {
                Ok((row, _)) => resource_ids.push(row.id),
                Err(code) => {
                    let zh = format!("没有可以使用的场地或讲师，或名称不唯一：{name}");
                    note(
                        "/resource_ids",
                        code,
                        zh,
                        format!("no such single venue or trainer that you may use: {name}"),
                    );
                }
            }
        }
        // An unknown name has been noted; the rest is looked at all the same.
        let nobody = Uuid::nil();
        Some(ActivityInput {
            programme_id: programme.unwrap_or(nobody.into()),
            organisation_id: organiser.map_or(nobody.into(), |organiser| organiser.id),
            street_id: street,
            title: draft.text("title")?.to_owned(),
            summary: draft.text("summary").unwrap_or_default().to_owned(),
            venue: draft.text("venue")?.to_owned(),
            address: draft.text("address").unwrap_or_default().to_owned(),
            allocation: draft.text("allocation").and_then(allocation_of),
            capacity: draft.number("capacity")?,
            overbook_percent: None,
            waiting_list: draft.text("waiting_list").and_then(waiting_of),
            own_clash: None,
            members_only: draft.text("members_only").and_then(flag_of),
            free_cancel_hours: None,
            fair_minutes: None,
            waves: Vec::new(),
            completion: draft.completion(),
            signup_opens_at: draft.instant("signup_opens_at")?,
            signup_closes_at: draft.instant("signup_closes_at")?,
            sessions: draft.all_sessions()?,
            resource_ids,
        })
    }

    /// By code, id, short name or name.
    fn organisations_named<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Organisation> {
        self.organisations.values().filter(move |one| {
            one.code == text || one.short_name == text || one.name == text || one.id.to_string() == text
        })
    }

    /// By id or code, whoever's it is, or by the name of one that is one's own or lies above.
    fn programme(&self, text: &str, usable: impl Fn(&str) -> bool) -> Result<ProgrammeId, &'static str> {
        let exact = self
            .programmes
            .iter()
            .filter(|(id, code, _, _)| code.as_deref() == Some(text) || id.to_string() == text);
        let named = self.programmes.iter().filter(|(_, _, name, path)| name == text && usable(path));
        one(exact).or_else(|_| one(named)).map(|found| found.0)
    }
}

/// The only one; else the code of what is wrong.
fn one<T>(mut found: impl Iterator<Item = T>) -> Result<T, &'static str> {
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err("unknown"),
        (Some(_), Some(_)) => Err("ambiguous"),
    }
}
