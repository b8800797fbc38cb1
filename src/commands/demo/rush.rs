//! A rush for a few places, and the waiting list that moves up when some of them are given back.
//!
//! What the server answers is held against what must come of it, person by person: never a place too many, nobody passed, and at the
//! end exactly the people whom the order says. A difference ends the demonstration with an error.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::client::{Session, field, id, items};
use super::{Outcome, publish, table};
use crate::clock::Stopwatch;
use crate::commands::real_world;

/// Topic and audience of the programme.
pub(super) const SCARCE: (&str, &str) = ("academic_upgrade", "all");
/// Places, where enough workers want them.
const PLACES: usize = 20;
/// Who asks at the same time: every connection takes a file descriptor here, and one of a server in this process.
const AT_ONCE: usize = 256;
/// How many give their place back.
const LEAVERS: usize = 4;
/// What somebody may be told who gets neither a place nor one on the list.
const REFUSALS: [&str; 3] = ["signup_full", "signup_not_covered", "signup_not_yet_open"];

/// Somebody's sign-up: whose, its number of arrival, and the quota at which they have a place or wait.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seat {
    worker: usize,
    id: String,
    number: i64,
    quota: String,
}

/// Who has a place and who waits, as it must be.
struct Room {
    activity: String,
    /// Quotas with their places, that for everybody last.
    quotas: Vec<(String, usize)>,
    confirmed: Vec<Seat>,
    waiting: Vec<Seat>,
}

/// What is shown.
pub(super) struct Rush {
    asked: usize,
    places: usize,
    street: String,
    of_street: usize,
    took: Duration,
    confirmed: usize,
    waiting: usize,
    refused: usize,
    /// With what codes.
    why: BTreeSet<String>,
    before: Vec<String>,
    steps: Vec<String>,
    after: Vec<String>,
}

/// Plays the rush of the whole `crowd`.
pub(super) async fn play(
    organiser: &Session,
    programme: &Value,
    street: &Value,
    crowd: &[Session],
) -> Outcome<Rush> {
    let places = PLACES.min(crowd.len().div_ceil(3)).max(1);
    let of_street = places / 4;
    let (activity, quotas) = make(organiser, programme, street, places, of_street).await?;

    let clock = Stopwatch::start();
    let path = format!("/api/v1/activities/{activity}/signups");
    let answers: Vec<(usize, Value)> = stream::iter(crowd.iter().enumerate())
        .map(|(worker, session)| {
            let path = &path;
            async move { Ok::<_, String>((worker, session.post_or(path, &json!({}), &REFUSALS).await?)) }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let took = clock.elapsed();

    let mut room = Room { activity, quotas, confirmed: Vec::new(), waiting: Vec::new() };
    let (mut waiting, mut refused, mut why) = (Vec::new(), 0, BTreeSet::new());
    for (worker, answer) in &answers {
        match field(answer, "state").as_str() {
            Some("confirmed") => room.confirmed.push(seat(*worker, answer)?),
            Some("waiting") => waiting.push(seat(*worker, answer)?),
            Some(other) => return wrong(format!("报名状态 {other} / a sign-up is {other}")),
            None => {
                refused += 1;
                why.extend(field(answer, "code").as_str().map(ToOwned::to_owned));
            }
        }
    }
    room.confirmed.sort_by_key(|seat| seat.number);
    room.waiting = room.listed(organiser, &waiting).await?;
    room.check_order()?;

    let (confirmed, waiting) = (room.confirmed.len(), room.waiting.len());
    let before = room.shown(organiser).await?;
    let steps = room.move_up(crowd).await?;
    room.check_end(organiser).await?;
    let after = room.shown(organiser).await?;
    let street = field(street, "short_name").as_str().unwrap_or_default().to_owned();
    let asked = crowd.len();
    Ok(Rush {
        asked,
        places,
        street,
        of_street,
        took,
        confirmed,
        waiting,
        refused,
        why,
        before,
        steps,
        after,
    })
}

/// An activity in a week, with some places for one sub-district and the others for everybody; and its quotas.
async fn make(
    organiser: &Session,
    programme: &Value,
    street: &Value,
    places: usize,
    of_street: usize,
) -> Outcome<(String, Vec<(String, usize)>)> {
    let now = real_world().0.now();
    let name = field(street, "short_name").as_str().unwrap_or_default();
    let starts = now + TimeDelta::days(7);
    let input = json!({
        "programme_id": field(programme, "id"), "organisation_id": field(street, "id"), "title": format!("学历提升名师课（限 {places} 人）"),
        "summary": "由演示命令创建。", "venue": format!("{name}职工之家"), "address": format!("{name}街道示例路 1 号"),
        "capacity": places, "waiting_list": "strict",
        "signup_opens_at": now - TimeDelta::minutes(5), "signup_closes_at": now + TimeDelta::days(6),
        "sessions": [{ "starts_at": starts, "ends_at": starts + TimeDelta::hours(2) }],
    });
    let activity = id(&publish(organiser, &input).await?)?;
    let quotas = json!({ "quotas": [
        { "kind": "street", "organisation_id": field(street, "id"), "capacity": of_street },
        { "kind": "pool", "capacity": places - of_street },
    ] });
    let managed = format!("/api/v1/managed-activities/{activity}");
    let split = organiser.put(&managed, &format!("{managed}/quotas"), &quotas).await?;
    let ids: Vec<String> = items(&split).iter().map(id).collect::<Outcome<_>>()?;
    Ok((activity, ids.into_iter().zip([of_street, places - of_street]).collect()))
}

fn seat(worker: usize, signup: &Value) -> Outcome<Seat> {
    let quota = field(signup, "quota_id").as_str().unwrap_or_default().to_owned();
    Ok(Seat { worker, id: id(signup)?, number: field(signup, "number").as_i64().unwrap_or(0), quota })
}

fn wrong<T>(what: impl Into<String>) -> Outcome<T> {
    Err(format!("名额分配有误 / places were given wrongly: {}", what.into()))
}

impl Room {
    /// Whether somebody who waits could have a place of `quota`.
    fn could_use(&self, waits: &Seat, quota: &str) -> bool {
        waits.quota == quota || self.quotas.last().is_some_and(|(pool, _)| pool == quota)
    }

    /// Those who were `told` that they wait, in the order in which staff see them.
    async fn listed(&self, organiser: &Session, told: &[Seat]) -> Outcome<Vec<Seat>> {
        let list = organiser.list(&format!("/api/v1/activities/{}/waiting-list", self.activity)).await?;
        let told: HashMap<&str, &Seat> = told.iter().map(|seat| (seat.id.as_str(), seat)).collect();
        if list.len() != told.len() {
            return wrong(format!("候补名单 {} 人 / {} wait", list.len(), told.len()));
        }
        let of = |row: &Value| {
            let seat = field(row, "signup_id").as_str().and_then(|signup| told.get(signup).copied());
            seat.cloned().map_or_else(|| wrong(format!("候补名单 / on the waiting list: {row}")), Ok)
        };
        let standing = |row: &Value| {
            let number = |name: &str| field(row, name).as_i64().unwrap_or(0);
            (Reverse(number("priority")), number("number"))
        };
        if !list.is_sorted_by_key(standing) {
            return wrong("候补名单的次序 / the order of the waiting list");
        }
        list.iter().map(of).collect()
    }

    /// No quota is exceeded, none has free places beside people who wait for them, and nobody has a place for which somebody
    /// waits who came before.
    fn check_order(&self) -> Outcome<()> {
        for (quota, places) in &self.quotas {
            let used: Vec<&Seat> = self.confirmed.iter().filter(|seat| seat.quota == *quota).collect();
            let mut waiting = self.waiting.iter().filter(|seat| self.could_use(seat, quota));
            if used.len() > *places || (used.len() < *places && waiting.clone().next().is_some()) {
                return wrong(format!(
                    "{places} 个名额用了 {} 个 / {} of {places} places are used",
                    used.len(),
                    used.len()
                ));
            }
            let last = used.iter().map(|seat| seat.number).max().unwrap_or(0);
            if let Some(passed) = waiting.find(|seat| seat.number < last) {
                return wrong(format!("{} 号被越过 / {} was passed", passed.number, passed.number));
            }
        }
        Ok(())
    }

    /// Some give their place back, one after the other, and those whose turn it is answer.
    async fn move_up(&mut self, crowd: &[Session]) -> Outcome<Vec<String>> {
        let mut steps = Vec::new();
        let mut to_refuse = true;
        for turn in 0..LEAVERS.min(self.confirmed.len()) {
            let leaver = self.confirmed.remove(0);
            cancel(crowd, &leaver, "person").await?;
            let mut step = format!("{:>4} 号取消 cancels", leaver.number);
            // One of those who are asked refuses, where somebody stands behind them.
            let next = self.waiting.iter().filter(|seat| self.could_use(seat, &leaver.quota)).count();
            let mut refuses = to_refuse && turn > 0 && next > 1;
            to_refuse &= !refuses;
            while let Some(next) = self.waiting.iter().position(|seat| self.could_use(seat, &leaver.quota)) {
                let asked = self.waiting.remove(next);
                let session = session(crowd, &asked)?;
                let offered = session.get(&format!("/api/v1/signups/{}", asked.id)).await?;
                if field(&offered, "state") != "offered" {
                    return wrong(format!("应轮到 {} 号 / it is the turn of: {offered}", asked.number));
                }
                if refuses {
                    refuses = false;
                    cancel(crowd, &asked, "offer_refused").await?;
                    step += &format!(" → {} 号谢绝 refuses", asked.number);
                    continue;
                }
                let path = format!("/api/v1/signups/{}/acceptances", asked.id);
                let taken = session.post(&path, &json!({})).await?;
                if field(&taken, "state") != "confirmed" || field(&taken, "quota_id") != leaver.quota.as_str()
                {
                    return wrong(format!("递补 / moving up: {taken}"));
                }
                step += &format!(" → {} 号递补 moves up", asked.number);
                self.confirmed.push(seat(asked.worker, &taken)?);
                break;
            }
            steps.push(step);
        }
        Ok(steps)
    }

    /// Who has a place, who waits and what the quotas say is what must have come of it.
    async fn check_end(&self, organiser: &Session) -> Outcome<()> {
        let path = format!("/api/v1/activities/{}", self.activity);
        let roster = organiser.list(&format!("{path}/signups")).await?;
        let state = |wanted: &str| -> BTreeSet<&str> {
            let rows = roster.iter().filter(|row| field(row, "state") == wanted);
            rows.filter_map(|row| field(row, "signup_id").as_str()).collect()
        };
        fn ids(seats: &[Seat]) -> BTreeSet<&str> {
            seats.iter().map(|seat| seat.id.as_str()).collect()
        }
        if ids(&self.confirmed) != state("confirmed")
            || ids(&self.waiting) != state("waiting")
            || roster.len() != self.confirmed.len() + self.waiting.len()
        {
            return wrong("名单与答复不符 / the roster is not what people were told");
        }
        if self.listed(organiser, &self.waiting).await? != self.waiting {
            return wrong("候补名单的次序变了 / the order of the waiting list has changed");
        }
        for quota in items(&organiser.get(&format!("{path}/quotas")).await?) {
            let number = |name: &str| field(&quota, name).as_u64().and_then(|n| usize::try_from(n).ok());
            let rows =
                self.confirmed.iter().filter(|seat| field(&quota, "id") == seat.quota.as_str()).count();
            if (number("taken"), number("held")) != (Some(rows), Some(0)) || number("capacity") < Some(rows) {
                return wrong(format!("分配名额 / a quota: {quota}"));
            }
        }
        Ok(())
    }

    /// The head of the waiting list, for people.
    async fn shown(&self, organiser: &Session) -> Outcome<Vec<String>> {
        let path = format!("/api/v1/activities/{}/waiting-list?limit=8", self.activity);
        let page = items(&organiser.get(&path).await?);
        let row = |row: &Value| {
            let name = field(row, "name_masked").as_str().unwrap_or("—");
            format!("{:>5} 号 {name}", field(row, "number").as_i64().unwrap_or(0))
        };
        Ok(page.iter().map(row).collect())
    }
}

fn session<'a>(crowd: &'a [Session], seat: &Seat) -> Outcome<&'a Session> {
    crowd.get(seat.worker).ok_or_else(|| "nobody has this sign-up".to_owned())
}

async fn cancel(crowd: &[Session], seat: &Seat, because: &str) -> Outcome<()> {
    let path = format!("/api/v1/signups/{}/cancellations", seat.id);
    let ended = session(crowd, seat)?.post(&path, &json!({})).await?;
    if field(&ended, "ended_because") == because {
        Ok(())
    } else {
        wrong(format!("取消 / a cancellation: {ended}"))
    }
}

impl Rush {
    pub(super) fn print(&self) {
        let Self { asked, places, street, of_street, .. } = self;
        let millis = self.took.as_millis().max(1);
        let rate = u128::try_from(*asked).unwrap_or(0) * 1000 / millis;
        println!("  抢名额：{asked} 人同时报名 {places} 个名额，其中 {of_street} 个留给{street}");
        println!(
            "  A rush: {asked} workers ask for {places} places at once, {of_street} of them for {street}\n"
        );
        println!("    已确认 confirmed {:>6}", self.confirmed);
        println!("    候补   waiting   {:>6}", self.waiting);
        let why: Vec<&str> = self.why.iter().map(String::as_str).collect();
        println!("    未成功 refused   {:>6}   {}", self.refused, why.join(", "));
        println!("    用时   took      {millis:>6} ms   {rate} 次/秒 a second\n");
        if self.waiting == 0 {
            return;
        }
        println!("  有人退出，候补依次递补 / Some give their place back, and the list moves up\n");
        for step in &self.steps {
            println!("    {step}");
        }
        println!("\n    {} {} 之后 after", table::pad("候补位次 place", 16), table::pad("之前 before", 24));
        for place in 0..self.before.len().max(self.after.len()) {
            let cell = |list: &[String]| list.get(place).cloned().unwrap_or_default();
            let rank = format!("{:>4}", place + 1);
            println!(
                "    {} {} {}",
                table::pad(&rank, 16),
                table::pad(&cell(&self.before), 24),
                cell(&self.after)
            );
        }
        println!("\n  已核对：名额未超，次序未乱 / Checked: no place too many, nobody passed\n");
    }
}
