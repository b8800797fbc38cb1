//! `demo`: a day of the union over real HTTP.
//!
//! Everything goes through the public API with simulated WeChat users, as the mini-program would do it: workers log in and rush
//! for a few places, and the waiting list moves up; an organiser makes an activity of each kind in every sub-district,
//! workers sign up and show their passes, staff scan them and finalise the sessions, and the planner reads what became of
//! the targets.

mod client;
mod own;
mod rush;
mod table;
pub mod year;

use chrono::TimeDelta;
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use self::client::{Session, Site, field, id, items};
use super::real_world;
use crate::app::StartError;
use crate::config::Config;

/// Workers at work at the same time.
const CROWD: usize = 24;
/// What is offered in every sub-district: topic, audience, title.
const OFFERS: [(&str, &str, &str); 3] = [
    ("skills", "new_employment", "骑手技能培训"),
    ("academic_upgrade", "all", "学历提升讲座"),
    ("legal_education", "all", "劳动法律讲堂"),
];

/// Failures of the demonstration, for people.
pub(super) type Outcome<T> = Result<T, String>;

/// Plays the whole year 2025 against an own temporary server.
pub(super) fn demo_year(config: &Config) -> Result<bool, StartError> {
    year::run(config)
}

/// Runs the demonstration against `url`, or against an own temporary server.
pub(super) fn demo(
    config: &Config,
    url: Option<String>,
    wechat_sim: String,
    workers: u32,
) -> Result<bool, StartError> {
    actix_web::rt::System::new().block_on(async move {
        let (site, own) = match url {
            Some(url) => (Site::new(url, wechat_sim), None),
            None => {
                let own = own::OwnServer::start(config)?;
                (Site::new(own.url(), own.wechat_sim()), Some(own))
            }
        };
        let outcome = play(&site.map_err(StartError::Other)?, workers, own.is_some()).await;
        if let Some(own) = own {
            own.stop().await;
        }
        outcome.map(|()| true).map_err(StartError::Other)
    })
}

struct Offer {
    activity: String,
    session: String,
    street: usize,
}

async fn play(site: &Site, workers: u32, own: bool) -> Outcome<()> {
    println!("  演示 / Demonstration: {workers} 名职工 workers, {}\n", site.url());
    let bar = bar(2 * u64::from(workers) + 66);
    bar.set_message("准备活动 / making activities");
    let streets = items(&site.anonymous().get("/api/v1/organisations?kind=sub_district&limit=100").await?);
    let programmes = items(&site.anonymous().get("/api/v1/programmes?limit=100").await?);
    let organiser = site.log_in("organiser").await?;
    let offers = make_offers(&organiser, &programmes, &streets, &bar).await?;
    let gates = gates(site, &streets).await?;

    bar.set_message("职工登录 / workers log in");
    let crowd: Vec<Session> = stream::iter(0..workers)
        .map(|number| arrive(site, number, &streets, &bar))
        .buffered(CROWD)
        .try_collect()
        .await?;

    bar.set_message("抢名额 / a rush");
    let (topic, audience) = rush::SCARCE;
    let street = streets.first().ok_or("there are no sub-districts")?;
    let rush = rush::play(&organiser, programme(&programmes, topic, audience)?, street, &crowd).await?;

    bar.set_message("报名和签到 / signing up and checking in");
    let figures: Vec<Figures> = stream::iter(crowd.iter().enumerate())
        .map(|(number, worker)| live(worker, number, &offers, &gates, &bar))
        .buffer_unordered(CROWD)
        .try_collect()
        .await?;

    bar.set_message("结算场次 / finalising sessions");
    for offer in &offers {
        let gate = gates.get(offer.street).ok_or("a sub-district has no staff")?;
        let path = format!("/api/v1/sessions/{}/finalisations", offer.session);
        gate.post(&path, &json!({})).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();

    rush.print();
    let planner = site.log_in("planner").await?;
    let progress = planner.get("/api/v1/plans/2025/progress").await?;
    table::print(&progress);
    let sum = figures.iter().fold(Figures::default(), |a, b| a.plus(b));
    println!(
        "\n  {workers} 名职工，报名 {} 次，签到 {} 人次，{} 场活动已结算 / {} sign-ups, {} check-ins, {} sessions finalised",
        sum.signups,
        sum.checkins,
        offers.len(),
        sum.signups,
        sum.checkins,
        offers.len()
    );
    if sum.delayed > 0 {
        println!(
            "  {} 次报名须推后：上次报名后未到场 / {} sign-ups must wait: who did not come last time signs up later",
            sum.delayed, sum.delayed
        );
    }
    look_next(site, own);
    Ok(())
}

fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // A template that cannot be read leaves the default, which is fine too.
    if let Ok(style) = ProgressStyle::with_template("  {bar:36.cyan/blue} {percent:>3}%  {msg}  {elapsed}") {
        bar.set_style(style);
    }
    bar
}

/// The programme about `topic` for `audience`.
fn programme<'a>(programmes: &'a [Value], topic: &str, audience: &str) -> Outcome<&'a Value> {
    programmes
        .iter()
        .find(|programme| field(programme, "topic") == topic && field(programme, "audience") == audience)
        .ok_or_else(|| format!("没有主题为 {topic} 的项目，请先载入演示数据 / no programme about {topic}: load the demonstration"))
}

async fn make_offers(
    organiser: &Session,
    programmes: &[Value],
    streets: &[Value],
    bar: &ProgressBar,
) -> Outcome<Vec<Offer>> {
    let now = real_world().0.now();
    let mut offers = Vec::new();
    for (street, row) in streets.iter().enumerate() {
        for (topic, audience, title) in OFFERS {
            let programme = programme(programmes, topic, audience)?;
            let name = field(row, "short_name").as_str().unwrap_or_default();
            let input = json!({
                "programme_id": field(programme, "id"), "organisation_id": field(row, "id"), "title": format!("{title}（{name}）"),
                "summary": "由演示命令创建。", "venue": format!("{name}职工之家"), "address": format!("{name}街道示例路 1 号"),
                "capacity": 5000, "signup_opens_at": now - TimeDelta::minutes(5), "signup_closes_at": now + TimeDelta::hours(3),
                "sessions": [{ "starts_at": now - TimeDelta::minutes(1), "ends_at": now + TimeDelta::hours(3) }],
            });
            let made = publish(organiser, &input).await?;
            let activity = id(&made)?;
            let session =
                field(&made, "sessions").get(0).map(id).transpose()?.ok_or("the activity has no session")?;
            offers.push(Offer { activity, session, street });
            bar.inc(1);
        }
    }
    Ok(offers)
}

/// Makes an activity and publishes it.
async fn publish(organiser: &Session, input: &Value) -> Outcome<Value> {
    let made = organiser.post("/api/v1/activities", input).await?;
    let path = format!("/api/v1/managed-activities/{}/publications", id(&made)?);
    organiser.post(&path, &json!({})).await?;
    Ok(made)
}

/// One member of staff at the door of each sub-district, with the role over that sub-district alone.
async fn gates(site: &Site, streets: &[Value]) -> Outcome<Vec<Session>> {
    let admin = site.log_in("admin").await?;
    let mut gates = Vec::new();
    for street in streets {
        let user = format!("demo-gate-{}", field(street, "code").as_str().unwrap_or_default());
        let gate = site.log_in(&user).await?;
        let grant = json!({ "person_id": gate.person(), "role": "checkin_staff", "organisation_id": field(street, "id") });
        // There from an earlier demonstration, perhaps.
        admin.post_or("/api/v1/staff-grants", &grant, &["unique_taken"]).await?;
        gates.push(gate);
    }
    Ok(gates)
}

#[derive(Default)]
struct Figures {
    signups: u32,
    checkins: u32,
    /// Sign-ups that open later for this worker, who did not come in an earlier demonstration.
    delayed: u32,
}

impl Figures {
    fn plus(self, other: &Self) -> Self {
        Self {
            signups: self.signups + other.signups,
            checkins: self.checkins + other.checkins,
            delayed: self.delayed + other.delayed,
        }
    }
}

/// A worker logs in and says where they work: in each sub-district as many.
async fn arrive(site: &Site, number: u32, streets: &[Value], bar: &ProgressBar) -> Outcome<Session> {
    let place = number as usize % streets.len().max(1);
    let home = id(streets.get(place).ok_or("there are no sub-districts")?)?;
    let worker = site.log_in(&format!("demo-worker-{number:05}")).await?;
    let profile = json!({ "name": name(number), "workplace_id": home });
    worker.put("/api/v1/me", "/api/v1/me", &profile).await?;
    bar.inc(1);
    Ok(worker)
}

/// One worker's day: sign up, and, nine times in ten, come.
async fn live(
    worker: &Session,
    number: usize,
    offers: &[Offer],
    gates: &[Session],
    bar: &ProgressBar,
) -> Outcome<Figures> {
    let street = number % gates.len().max(1);
    let gate = gates.get(street).ok_or("a sub-district has no staff")?;
    let mut figures = Figures::default();
    for (place, offer) in offers.iter().filter(|offer| offer.street == street).enumerate() {
        // Two thirds of the offers each, differently spread.
        if (number + place) % 3 == 2 {
            continue;
        }
        let path = format!("/api/v1/activities/{}/signups", offer.activity);
        let signup = worker.post_or(&path, &json!({}), &["signup_not_yet_open"]).await?;
        if field(&signup, "code") == "signup_not_yet_open" {
            figures.delayed += 1;
            continue;
        }
        figures.signups += 1;
        if number % 10 == 7 {
            continue;
        }
        let pass = worker.get("/api/v1/me/pass").await?;
        let path = format!("/api/v1/sessions/{}/checkins", offer.session);
        gate.post(&path, &json!({ "pass": field(&pass, "code") })).await?;
        figures.checkins += 1;
    }
    bar.inc(1);
    Ok(figures)
}

fn name(number: u32) -> String {
    const FAMILY: [&str; 12] = ["张", "王", "李", "赵", "陈", "刘", "杨", "黄", "周", "吴", "徐", "孙"];
    const GIVEN: [&str; 9] = ["伟", "芳", "娜", "强", "敏", "静", "磊", "洋", "艳"];
    let pick = |list: &[&'static str], n: u32| {
        usize::try_from(n).ok().and_then(|n| list.get(n % list.len())).copied().unwrap_or_default()
    };
    format!("{}{}{}", pick(&FAMILY, number), pick(&GIVEN, number / 12), pick(&GIVEN, number / 108))
}

fn look_next(site: &Site, own: bool) {
    let url = site.url();
    if own {
        println!("  本次使用临时服务，已停止。 The temporary server has stopped. 接着试 / Try next:");
        println!("    unionhall                                     启动服务 / serve");
        println!("    unionhall demo --url http://127.0.0.1:8080    对着它演示 / play against it\n");
        return;
    }
    println!("  接着看 / Look next:");
    println!("    {url}/docs/                                   接口文档 / API reference");
    println!("    {url}/api/v1/activities?open_now=true         正在报名 / open now");
    println!(
        "    {url}/api/v1/plans/2025/progress              进度（需登录）/ progress (log in as planner)"
    );
    println!(
        "    unionhall ledger verify                       核对台账 / check every figure against its source\n"
    );
}
