//! The life of activities and sessions, with everything that follows from a change.

pub mod acts;
pub mod counting;
pub mod doors;
pub mod refusals;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use unionhall::clock::db_time;
use unionhall::ids::{ActivityId, OfferId, PersonId, QuotaId, ResourceId, SessionId, SignupId};
use unionhall::offering::model::{AttendanceRole, Quota, QuotaKind};
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{
    activities, attendance_roles, attendances, audit_entries, bookings, jobs, ledger_lines, ledger_rollups,
    notices, offers, place_holds, quotas, resources, sessions, signups, waiting_moves,
};
use unionhall::signup::model::{Signup, SignupState};

use crate::harness::factory::Made;
use crate::harness::{Actor, Reply, TestApp};

const MANAGED: &str = "/api/v1/managed-activities";

/// Acts on an activity as `actor`: `cancellations`, `postponements`, `allocations`, …
async fn act(actor: &Actor, activity: ActivityId, what: &str, body: Value) -> Reply {
    actor.post(&format!("{MANAGED}/{activity}/{what}"), body).await
}

async fn cancel_session(actor: &Actor, session: SessionId) -> Reply {
    actor.post(&format!("/api/v1/sessions/{session}/cancellations"), because("台风")).await
}

fn because(reason: &str) -> Value {
    json!({ "reason": reason })
}

/// One session that runs, and one tomorrow.
fn two_sessions() -> [(TimeDelta, TimeDelta); 2] {
    let minutes = TimeDelta::minutes;
    [(minutes(-30), minutes(90)), (minutes(24 * 60), minutes(26 * 60))]
}

/// A sign-up written behind the application's back, with the counts that belong to it.
async fn sign_up_as(
    app: &TestApp,
    activity: ActivityId,
    person: PersonId,
    state: SignupState,
    role: AttendanceRole,
    quota: Option<QuotaId>,
) -> SignupId {
    let (id, now) = (app.ids().id(), db_time(app.now()));
    app.write(move |conn| {
        let number: i64 = signups::table.count().get_result(conn)?;
        let row = Signup {
            id,
            activity_id: activity,
            person_id: person,
            state,
            ended_because: None,
            number: number + 1,
            priority: 0,
            role,
            quota_id: quota,
            party_id: None,
            made_by: None,
            basis: None,
            created_at: now,
            cancelled_at: None,
            version: 1,
        };
        diesel::insert_into(signups::table).values(row).execute(conn)?;
        // As the registrar does: the next one is numbered after this.
        diesel::update(activities::table.find(activity))
            .set(activities::numbered.eq(number + 1))
            .execute(conn)?;
        let needs: bool =
            attendance_roles::table.find(role).select(attendance_roles::takes_place).first(conn)?;
        let by = |is: bool| i64::from(is && needs);
        count(conn, activity, quota, by(state.takes()), by(state.holds()))
    })
    .await;
    id
}

/// Counts places of the activity, of the quota and of all above it.
fn count(
    conn: &mut Conn,
    activity: ActivityId,
    quota: Option<QuotaId>,
    taken: i64,
    held: i64,
) -> unionhall::error::Result<()> {
    diesel::update(activities::table.find(activity))
        .set((activities::taken.eq(activities::taken + taken), activities::held.eq(activities::held + held)))
        .execute(conn)?;
    let mut next = quota;
    while let Some(id) = next {
        diesel::update(quotas::table.find(id))
            .set((quotas::taken.eq(quotas::taken + taken), quotas::held.eq(quotas::held + held)))
            .execute(conn)?;
        next = quotas::table.find(id).select(quotas::parent_id).first(conn)?;
    }
    Ok(())
}

/// An activity with two sessions, quotas, bookings, places kept for a union, and people in every state: `attended` at the
/// first session, `confirmed`, `offered`, `waiting`, `entered`, and a volunteer who takes no place.
struct Scene {
    activity: Made,
    organiser: Actor,
    people: Vec<Actor>,
}

const STATES: [SignupState; 6] = [
    SignupState::Attended,
    SignupState::Confirmed,
    SignupState::Offered,
    SignupState::Waiting,
    SignupState::Entered,
    SignupState::Confirmed,
];

impl Scene {
    /// Everything, with nobody checked in where `quiet`.
    async fn set(app: &TestApp, quiet: bool) -> Self {
        let (organiser, gate) = (app.staff("organiser").await, app.staff("gate").await);
        let activity =
            app.activity_by(&organiser, |a| a.sessions(&two_sessions()).programme("demo-skills-rider")).await;
        let (id, upper, leaf): (ActivityId, QuotaId, QuotaId) = (activity.id, app.ids().id(), app.ids().id());
        let quota = |id, parent_id, kind, capacity| Quota {
            id,
            activity_id: activity.id,
            parent_id,
            kind,
            organisation_id: None,
            audience: None,
            rank: 1,
            capacity,
            taken: 0,
            held: 0,
            version: 1,
        };
        let rows = [quota(upper, None, QuotaKind::Street, 10), quota(leaf, Some(upper), QuotaKind::Pool, 5)];
        app.write(move |conn| {
            for row in &rows {
                diesel::insert_into(quotas::table).values(row).execute(conn)?;
            }
            Ok(())
        })
        .await;
        let mut people = Vec::new();
        let mut ids = Vec::new();
        for (number, state) in STATES.into_iter().enumerate() {
            let person = app.worker(&format!("person-{number}")).await;
            let role = if number == 5 { AttendanceRole::Volunteer } else { AttendanceRole::Participant };
            let bound = state.takes() || state.holds();
            let state = if number == 0 { SignupState::Confirmed } else { state };
            let quota = (bound && number != 5).then_some(leaf);
            ids.push(sign_up_as(app, id, person.person(), state, role, quota).await);
            people.push(person);
        }
        if !quiet {
            gate.scan(activity.session, &people[0].pass().await).await.ok(200);
        }
        let (offered, waiting, who) = (ids[2], ids[3], organiser.person());
        let (offer, resource): (OfferId, ResourceId) = (app.ids().id(), app.ids().id());
        let (hold, moved): (SignupId, SignupId) = (app.ids().id(), app.ids().id());
        let (now, later) = (db_time(app.now()), db_time(app.now() + TimeDelta::hours(3)));
        let organisation = app.organisation("street-pinghu").await;
        let booked = activity.sessions.clone();
        app.write(move |conn| {
            diesel::insert_into(offers::table)
                .values((
                    offers::id.eq(offer),
                    offers::signup_id.eq(offered),
                    offers::activity_id.eq(id),
                    offers::kind.eq("waiting"),
                    offers::state.eq("open"),
                    offers::made_at.eq(now),
                    offers::expires_at.eq(later),
                ))
                .execute(conn)?;
            diesel::insert_into(waiting_moves::table)
                .values((
                    waiting_moves::id.eq(moved),
                    waiting_moves::signup_id.eq(waiting),
                    waiting_moves::activity_id.eq(id),
                    waiting_moves::priority.eq(5),
                    waiting_moves::reason.eq("other"),
                    waiting_moves::note.eq(""),
                    waiting_moves::state.eq("proposed"),
                    waiting_moves::proposed_by.eq(who),
                    waiting_moves::proposed_at.eq(now),
                ))
                .execute(conn)?;
            diesel::insert_into(place_holds::table)
                .values((
                    place_holds::id.eq(hold),
                    place_holds::activity_id.eq(id),
                    place_holds::organisation_id.eq(organisation),
                    place_holds::quota_id.eq(upper),
                    place_holds::places.eq(3),
                    place_holds::unnamed.eq(2),
                    place_holds::state.eq("open"),
                    place_holds::name_by.eq(later),
                    place_holds::made_by.eq(who),
                    place_holds::made_at.eq(now),
                    place_holds::version.eq(1),
                ))
                .execute(conn)?;
            count(conn, id, Some(upper), 0, 2)?;
            diesel::insert_into(resources::table)
                .values((
                    resources::id.eq(resource),
                    resources::kind.eq("venue"),
                    resources::organisation_id.eq(organisation),
                    resources::name.eq("示例大厅"),
                    resources::margin_minutes.eq(0),
                    resources::version.eq(1),
                    resources::created_at.eq(now),
                ))
                .execute(conn)?;
            for session in booked {
                let times = sessions::table.find(session).select((sessions::starts_at, sessions::ends_at));
                let (starts, ends): (chrono::NaiveDateTime, chrono::NaiveDateTime) = times.first(conn)?;
                diesel::insert_into(bookings::table)
                    .values((
                        bookings::resource_id.eq(resource),
                        bookings::session_id.eq(session),
                        bookings::starts_at.eq(starts),
                        bookings::ends_at.eq(ends),
                    ))
                    .execute(conn)?;
            }
            Ok(())
        })
        .await;
        app.run_jobs().await;
        let scene = Self { activity, organiser, people };
        assert_eq!(scene.counts(app).await, (2, 3), "two use a place, one is asked, two are kept");
        scene
    }

    /// Places used and kept, after a look whether they are those of the sign-ups, and those of every quota too.
    async fn counts(&self, app: &TestApp) -> (i64, i64) {
        let id = self.activity.id;
        app.read(move |conn| {
            let rows: Vec<Signup> =
                signups::table.filter(signups::activity_id.eq(id)).select(Signup::as_select()).load(conn)?;
            let nodes: Vec<Quota> =
                quotas::table.filter(quotas::activity_id.eq(id)).select(Quota::as_select()).load(conn)?;
            let kept: Vec<(Option<QuotaId>, i64)> = place_holds::table
                .filter(place_holds::activity_id.eq(id).and(place_holds::state.eq("open")))
                .select((place_holds::quota_id, place_holds::unnamed))
                .load(conn)?;
            let path = |quota: Option<QuotaId>| {
                let above = |id: &QuotaId| nodes.iter().find(|node| node.id == *id)?.parent_id;
                std::iter::successors(quota, above).collect::<Vec<_>>()
            };
            let rows: Vec<&Signup> =
                rows.iter().filter(|row| row.role == AttendanceRole::Participant).collect();
            let sum = |of: Option<QuotaId>| {
                let inside = |quota| of.is_none_or(|of| path(quota).contains(&of));
                let number = |wanted: fn(SignupState) -> bool| {
                    let rows = rows.iter().filter(|row| wanted(row.state) && inside(row.quota_id));
                    i64::try_from(rows.count()).unwrap()
                };
                let kept: i64 = kept.iter().filter(|(quota, _)| inside(*quota)).map(|(_, n)| n).sum();
                (number(SignupState::takes), number(SignupState::holds) + kept)
            };
            for node in &nodes {
                assert_eq!((node.taken, node.held), sum(Some(node.id)), "{:?}", node.kind);
            }
            let found: (i64, i64) =
                activities::table.find(id).select((activities::taken, activities::held)).first(conn)?;
            assert_eq!(found, sum(None));
            Ok(found)
        })
        .await
    }

    /// State and ending of each sign-up, in the order of [`STATES`].
    async fn signups(&self, app: &TestApp) -> Vec<String> {
        let id = self.activity.id;
        let rows: Vec<(String, Option<String>)> = app
            .read(move |conn| {
                let rows = signups::table.filter(signups::activity_id.eq(id)).order(signups::number);
                Ok(rows.select((signups::state, signups::ended_because)).load(conn)?)
            })
            .await;
        rows.into_iter()
            .map(|(state, why)| why.map_or(state.clone(), |why| format!("{state} {why}")))
            .collect()
    }

    /// States of the offer, of the kept places and of the proposed move.
    async fn others(&self, app: &TestApp) -> [String; 3] {
        app.read(|conn| {
            Ok([
                offers::table.select(offers::state).first(conn)?,
                place_holds::table.select(place_holds::state).first(conn)?,
                waiting_moves::table.select(waiting_moves::state).first(conn)?,
            ])
        })
        .await
    }

    async fn bookings(&self, app: &TestApp) -> Vec<chrono::NaiveDateTime> {
        app.read(|conn| {
            Ok(bookings::table.order(bookings::starts_at).select(bookings::starts_at).load(conn)?)
        })
        .await
    }

    /// The kinds of the messages that people have, with the newest text, person by person.
    async fn told(&self, app: &TestApp) -> Vec<(String, String)> {
        app.run_jobs().await;
        let people: Vec<PersonId> = self.people.iter().map(Actor::person).collect();
        app.read(move |conn| {
            let mut told = Vec::new();
            for person in people {
                let newest = notices::table.filter(notices::person_id.eq(person)).order(notices::id.desc());
                let newest: Option<(String, String)> =
                    newest.select((notices::kind, notices::body)).first(conn).optional()?;
                told.push(newest.unwrap_or_default());
            }
            Ok(told)
        })
        .await
    }

    async fn detail(&self) -> Value {
        self.organiser.get(&format!("{MANAGED}/{}", self.activity.id)).await.ok(200)
    }
}

/// Everything that an act could change, as text.
pub async fn everything(app: &TestApp) -> String {
    app.read(|conn| {
        macro_rules! all {
            ($($table:ident: $($column:ident),+;)*) => {{
                let mut all = String::new();
                $(
                    let rows = $table::table.order($table::id).select(($($table::$column,)+));
                    let mut rows: Vec<String> = rows
                        .load::<all!(@row $($column),+)>(conn)?
                        .into_iter()
                        .map(|row| format!("{row:?}"))
                        .collect();
                    rows.sort();
                    all.push_str(&format!("{}: {rows:?}\n", stringify!($table)));
                )*
                all
            }};
            (@row $a:ident, $b:ident, $c:ident) => { (String, i64, i64) };
            (@row $a:ident, $b:ident) => { (String, i64) };
            (@row $a:ident) => { (String,) };
        }
        let mut all = all! {
            activities: state, version, taken;
            sessions: state, version;
            signups: state, version;
            offers: state;
            place_holds: state, version;
            waiting_moves: state;
            jobs: state;
        };
        let counts: [i64; 6] = [
            quotas::table.filter(quotas::held.gt(0)).count().get_result(conn)?,
            bookings::table.count().get_result(conn)?,
            ledger_lines::table.count().get_result(conn)?,
            ledger_rollups::table.count().get_result(conn)?,
            attendances::table.count().get_result(conn)?,
            audit_entries::table.count().get_result(conn)?,
        ];
        all.push_str(&format!("{counts:?}"));
        Ok(all)
    })
    .await
}

/// The values of targets of the plan.
async fn values(app: &TestApp, codes: &str) -> Vec<i64> {
    let path = format!("/api/v1/plans/2025/progress?targets={codes}");
    let progress = app.staff("planner").await.get(&path).await.ok(200);
    progress["targets"].as_array().unwrap().iter().map(|target| target["value"].as_i64().unwrap()).collect()
}
