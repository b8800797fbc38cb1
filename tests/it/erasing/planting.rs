//! Lives: what a person leaves behind in every room, behind the application's back, and what of it is theirs alone.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::prelude::*;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;
use unionhall::attendance::model::{Excuse, ExcuseGround};
use unionhall::clock::{civil_day, db_time};
use unionhall::content::checking::{Asked, Checks, Judge};
use unionhall::error::Result;
use unionhall::ids::{
    ActivityId, Ids, InjuryId, MembershipId, OrganisationId, PersonId, ReviewId, SessionId, SignupId,
    SubjectId,
};
use unionhall::membership::model::{Membership, MembershipState};
use unionhall::notify::jobs::{Message, job};
use unionhall::notify::model::{Notice, NoticeKind};
use unionhall::people::model::{Audience, ID_NUMBER, PHONE, PersonAudience};
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::{self, *};
use unionhall::platform::http::Stored;
use unionhall::platform::http::extract::RequestKey;
use unionhall::platform::http::idempotency::{self, Use};
use unionhall::platform::outbox;
use unionhall::platform::vault::{Field, Vault};
use unionhall::platform::wechat::WechatSession;
use unionhall::review::chain::{Answers, ReviewKind};
use unionhall::review::model::{Review, ReviewState};
use unionhall::signup::model::{Signup, SignupState};
use unionhall::visits::model::{Facts, Injured, Injury, WHO};
use unionhall::{identity, people, signup};
use uuid::Uuid;

/// What lives are made on.
#[derive(Clone)]
pub struct Soil {
    pub ids: Ids,
    pub vault: Vault,
    pub now: DateTime<Utc>,
    pub activities: Vec<ActivityId>,
    pub session: SessionId,
    pub organisation: OrganisationId,
    pub officer: PersonId,
    pub other: PersonId,
}

/// Somebody's life.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// Who.
    pub person: Option<PersonId>,
    /// What nobody may read any more, wherever it stands: texts, and the bytes of keyed hashes in hexadecimal capitals.
    pub secrets: Vec<String>,
    /// What stands in the file of a case that the law keeps.
    pub kept: Vec<String>,
    /// What was planted.
    pub rooms: Vec<&'static str>,
    said: usize,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

impl Life {
    /// A text that stands nowhere else.
    pub(super) fn word(&mut self, tag: &str) -> String {
        self.said += 1;
        let text = format!("私隐{tag}之{}号", self.said);
        self.secrets.push(text.clone());
        text
    }

    pub(super) fn kept_word(&mut self, tag: &str) -> String {
        let text = self.word(tag);
        self.secrets.pop();
        self.kept.push(text.clone());
        text
    }

    pub(super) fn said(&self) -> usize {
        self.said
    }

    pub fn who(&self) -> PersonId {
        self.person.unwrap()
    }
}

/// All rooms in which a life may leave something.
pub const ROOMS: &[&str] = &[
    "profile",
    "login",
    "notices",
    "answers",
    "audience",
    "signups",
    "excuse",
    "request",
    "membership",
    "injury",
    "given up",
    "case",
    "loose file",
    "checks",
    "ties",
    "lawyer",
];

/// Somebody new, with something in each of `rooms`. `tag` is a word of letters and digits that is in no other life.
pub fn life(
    conn: &mut Conn,
    soil: &Soil,
    rng: &mut StdRng,
    tag: &str,
    rooms: &[&'static str],
) -> Result<Life> {
    let person: PersonId = soil.ids.id();
    people::store::create_in_tx(conn, person, soil.now)?;
    let mut life = Life { person: Some(person), rooms: rooms.to_vec(), ..Life::default() };
    for room in rooms {
        match *room {
            "profile" => profile(conn, soil, rng, tag, &mut life)?,
            "login" => login(conn, soil, tag, &mut life)?,
            "notices" => inbox(conn, soil, tag, &mut life)?,
            "answers" => answers(conn, soil, tag, &mut life)?,
            "audience" => audience(conn, soil, tag, &mut life)?,
            "signups" => signups_of(conn, soil, tag, &mut life)?,
            "excuse" => excuse(conn, soil, tag, &mut life)?,
            "request" => request(conn, soil, tag, &mut life)?,
            "membership" => membership(conn, soil, person)?,
            "injury" => injury(conn, soil, rng, tag, &mut life)?,
            "given up" => super::casework::case(conn, soil, rng, tag, &mut life, false)?,
            "case" => super::casework::case(conn, soil, rng, tag, &mut life, true)?,
            "loose file" => {
                file(conn, soil, tag, &mut life, None)?;
            }
            "checks" => checks(conn, soil, person)?,
            "ties" => ties(conn, soil, person)?,
            "lawyer" => super::casework::lawyer(conn, soil, rng, tag, &mut life)?,
            other => panic!("no room {other}"),
        }
    }
    Ok(life)
}

pub(super) fn sealed(soil: &Soil, field: &'static str, row: &[u8], text: &str) -> String {
    soil.vault.seal(Field(field), row, text).unwrap()
}

pub(super) fn phone(rng: &mut StdRng) -> String {
    format!("139{:08}", rng.next_u32() % 100_000_000)
}

fn profile(conn: &mut Conn, soil: &Soil, rng: &mut StdRng, tag: &str, life: &mut Life) -> Result<()> {
    let (person, number) = (life.who(), phone(rng));
    let name = life.word(tag);
    let id_number = format!("44030719900{:07}", rng.next_u32() % 10_000_000);
    people::store::set_phone_in_tx(conn, &soil.vault, person, &number, soil.now)?;
    people::store::name_set_in_tx(conn, person, &name, soil.now)?;
    people::store::workplace_set_in_tx(conn, person, soil.organisation, soil.now)?;
    diesel::update(schema::people::table.find(person))
        .set((
            schema::people::id_number_sealed.eq(sealed(soil, ID_NUMBER.0, person.0.as_bytes(), &id_number)),
            schema::people::id_number_index.eq(soil.vault.blind_index(ID_NUMBER, &id_number)),
        ))
        .execute(conn)?;
    life.secrets.push(hex(&soil.vault.blind_index(PHONE, &number)));
    life.secrets.push(hex(&soil.vault.blind_index(ID_NUMBER, &id_number)));
    life.secrets.extend([number, id_number]);
    Ok(())
}

fn login(conn: &mut Conn, soil: &Soil, tag: &str, life: &mut Life) -> Result<()> {
    let (openid, unionid, key) = (format!("openid-{tag}"), format!("unionid-{tag}"), format!("key-{tag}"));
    diesel::insert_into(wechat_identities::table)
        .values((
            wechat_identities::appid.eq("wx-test"),
            wechat_identities::openid.eq(&openid),
            wechat_identities::person_id.eq(life.who()),
            wechat_identities::created_at.eq(db_time(soil.now)),
        ))
        .execute(conn)?;
    let session = WechatSession {
        openid: openid.clone(),
        session_key: key.clone().into(),
        unionid: Some(unionid.clone()),
    };
    assert!(identity::store::note_login_in_tx(conn, &soil.vault, "wx-test", &session, soil.now)?);
    let until = soil.now + TimeDelta::days(30);
    let (family, token) = (soil.ids.id(), format!("token-{tag}"));
    identity::store::family_create_in_tx(conn, family, life.who(), soil.now, until)?;
    identity::store::refresh_create_in_tx(conn, family, &token, soil.now, until)?;
    life.secrets.extend([openid, unionid, key, hex(&identity::store::token_hash(&token))]);
    Ok(())
}

fn inbox(conn: &mut Conn, soil: &Soil, tag: &str, life: &mut Life) -> Result<()> {
    let (written, to_come, among) = (life.word(tag), life.word(tag), life.word(tag));
    let id = soil.ids.id();
    let row = Notice {
        id,
        person_id: life.who(),
        source: id.to_string(),
        kind: NoticeKind::SignupConfirmed,
        title: "报名成功".into(),
        body: written,
        link: None,
        created_at: db_time(soil.now),
        read_at: None,
    };
    unionhall::notify::store::create_in_tx(conn, &[row])?;
    let message = |person, subject: &str| Message {
        person,
        kind: NoticeKind::SignupConfirmed,
        subject: subject.to_owned(),
        detail: String::new(),
        link: "/api/v1/me".into(),
    };
    let single = job(&message(life.who(), &to_come), soil.now);
    let mut many = unionhall::notify::jobs::jobs(
        &[message(life.who(), &among), message(soil.officer, "别人的消息")],
        soil.now,
    );
    many.push(single);
    outbox::enqueue_in_tx(conn, &soil.ids, soil.now, many)
}

fn answers(conn: &mut Conn, soil: &Soil, tag: &str, life: &mut Life) -> Result<()> {
    let said = life.word(tag);
    let request = RequestKey { key: format!("key-of-{tag}"), fingerprint: vec![1, 2, 3] };
    let one = Use { principal: life.who(), request };
    let stored = Stored::done(1, &json!({ "name": said }))?;
    idempotency::store_in_tx(conn, &[(&one, &stored)], soil.now)
}

fn audience(conn: &mut Conn, soil: &Soil, tag: &str, life: &mut Life) -> Result<()> {
    let row = PersonAudience {
        person_id: life.who(),
        audience: Audience::ModelWorker,
        basis: life.word(tag),
        recorded_by: soil.officer,
        recorded_at: db_time(soil.now),
    };
    people::store::audience_record_in_tx(conn, &row)
}

/// A sign-up that was given up, with a penalty and what was said against it, and a move in the queue.
fn signups_of(conn: &mut Conn, soil: &Soil, tag: &str, life: &mut Life) -> Result<()> {
    let (id, activity): (SignupId, ActivityId) = (soil.ids.id(), soil.activities[0]);
    let number: Option<i64> = signups::table
        .filter(signups::activity_id.eq(activity))
        .select(diesel::dsl::max(signups::number))
        .first(conn)?;
    let row =
        Signup::new(id, activity, life.who(), SignupState::Cancelled, number.unwrap_or(0) + 1, soil.now);
    diesel::insert_into(signups::table).values(&row).execute(conn)?;
    let (said, answered, noted) = (life.word(tag), life.word(tag), life.word(tag));
    let penalty = soil.ids.id();
    let (terms, pauses) =
        (signup::penalty::store::terms(conn, soil.now)?, signup::penalty::store::pauses(conn)?);
    let mut given = signup::penalty::model::Penalty::given(
        penalty,
        (life.who(), id),
        signup::penalty::model::PenaltyKind::LateCancel,
        signup::penalty::model::PenaltyState::Contested,
        &terms,
        &pauses,
        soil.now,
    );
    given.ground = Some(signup::penalty::model::Ground::Illness);
    given.claim_sealed = Some(sealed(soil, "penalties.claim_sealed", penalty.0.as_bytes(), &said));
    given.decision = Some(answered);
    diesel::insert_into(penalties::table).values(&given).execute(conn)?;
    diesel::insert_into(waiting_moves::table)
        .values((
            waiting_moves::id.eq(soil.ids.bytes::<16>().to_vec()),
            waiting_moves::signup_id.eq(id),
            waiting_moves::activity_id.eq(activity),
            waiting_moves::priority.eq(1_i64),
            waiting_moves::reason.eq("other"),
            waiting_moves::note.eq(noted),
            waiting_moves::state.eq("refused"),
            waiting_moves::proposed_by.eq(soil.officer),
            waiting_moves::proposed_at.eq(db_time(soil.now)),
            waiting_moves::decided_by.eq(Some(soil.other)),
            waiting_moves::decided_at.eq(Some(db_time(soil.now))),
        ))
        .execute(conn)?;
    Ok(())
}

fn excuse(conn: &mut Conn, soil: &Soil, tag: &str, life: &mut Life) -> Result<()> {
    let row = Excuse {
        session_id: soil.session,
        person_id: life.who(),
        ground: ExcuseGround::Illness,
        note: Some(life.word(tag)),
        recorded_by: soil.officer,
        recorded_at: db_time(soil.now),
    };
    diesel::insert_into(excuses::table).values(&row).execute(conn)?;
    Ok(())
}

/// A row of a file whose content lies nowhere.
pub(super) fn file(
    conn: &mut Conn,
    soil: &Soil,
    tag: &str,
    life: &mut Life,
    on: Option<(&str, Uuid)>,
) -> Result<Uuid> {
    let id = soil.ids.id::<unionhall::ids::FileId>();
    let name =
        if on.is_some_and(|(kind, _)| kind == "legal_case") { life.kept_word(tag) } else { life.word(tag) };
    let digest = soil.ids.bytes::<32>().to_vec();
    let stand =
        if on.is_some_and(|(kind, _)| kind == "legal_case") { &mut life.kept } else { &mut life.secrets };
    stand.push(hex(&digest));
    diesel::insert_into(files::table)
        .values((
            files::id.eq(id),
            files::owner_id.eq(life.who()),
            files::class.eq("evidence"),
            files::media_type.eq("image/png"),
            files::bytes.eq(10_i64),
            files::sha256.eq(digest),
            files::name_sealed.eq(Some(sealed(soil, "files.name", id.0.as_bytes(), &name))),
            files::storage_key.eq(id.to_string()),
            files::vault_key.eq(soil.vault.active_key().to_owned()),
            files::state.eq(if on.is_some() { "attached" } else { "uploaded" }),
            files::holder_kind.eq(on.map(|(kind, _)| kind.to_owned())),
            files::holder_id.eq(on.map(|(_, row)| row.as_bytes().to_vec())),
            files::created_at.eq(db_time(soil.now)),
        ))
        .execute(conn)?;
    Ok(id.0)
}

/// A request that was decided, with answers, words of both sides, a file, and a leave that an officer asked for.
fn request(conn: &mut Conn, soil: &Soil, tag: &str, life: &mut Life) -> Result<()> {
    let (id, at): (ReviewId, _) = (soil.ids.id(), db_time(soil.now));
    let mut answers = Answers::new();
    answers.insert("health".into(), life.word(tag));
    let form = serde_json::to_string(&answers).unwrap();
    let row = Review {
        id,
        kind: ReviewKind::Membership,
        chain: "membership".into(),
        chain_from: "2025-01-01".parse().unwrap(),
        subject_id: SubjectId(soil.ids.id::<MembershipId>().0),
        title: "会籍认证".into(),
        applicant_id: life.who(),
        employer_id: Some(soil.organisation),
        amount_fen: None,
        state: ReviewState::Rejected,
        step: 1,
        form_sealed: sealed(soil, "reviews.form", id.0.as_bytes(), &form),
        missing: "[]".into(),
        returns: 0,
        supplement_due_at: None,
        appeal_of: None,
        root_id: id,
        opened_at: at,
        decided_at: Some(at),
        version: 3,
    };
    diesel::insert_into(reviews::table).values(&row).execute(conn)?;
    for (author, side, body) in
        [(life.who(), "applicant", None), (soil.officer, "desk", Some(soil.organisation))]
    {
        let message = soil.ids.bytes::<16>().to_vec();
        let text = sealed(soil, "review_messages.text", &message, &life.word(tag));
        diesel::insert_into(review_messages::table)
            .values((
                review_messages::id.eq(message),
                review_messages::review_id.eq(id),
                review_messages::author_id.eq(author),
                review_messages::side.eq(side),
                review_messages::body_id.eq(body),
                review_messages::text_sealed.eq(text),
                review_messages::sent_at.eq(at),
            ))
            .execute(conn)?;
    }
    let event = soil.ids.bytes::<16>().to_vec();
    let text = sealed(soil, "review_events.text", &event, &life.word(tag));
    diesel::insert_into(review_events::table)
        .values((
            review_events::id.eq(event),
            review_events::review_id.eq(id),
            review_events::number.eq(1_i64),
            review_events::kind.eq("rejected"),
            review_events::actor_id.eq(Some(soil.officer)),
            review_events::reasons.eq("[]"),
            review_events::text_sealed.eq(Some(text)),
            review_events::at.eq(at),
        ))
        .execute(conn)?;
    file(conn, soil, tag, life, Some(("review", id.0)))?;
    Ok(())
}

fn membership(conn: &mut Conn, soil: &Soil, person: PersonId) -> Result<()> {
    let row = Membership {
        id: soil.ids.id(),
        person_id: person,
        organisation_id: soil.organisation,
        state: MembershipState::Verified,
        since: NaiveDate::from_ymd_opt(2021, 3, 1),
        claimed_at: db_time(soil.now),
        verified_at: Some(db_time(soil.now)),
        ended_at: None,
        ended_because: None,
        version: 1,
    };
    assert!(unionhall::membership::store::insert_in_tx(conn, &row)?);
    Ok(())
}

/// An injury from a hospital's list, and two visits, one of them taken back.
fn injury(conn: &mut Conn, soil: &Soil, rng: &mut StdRng, tag: &str, life: &mut Life) -> Result<()> {
    let (id, number): (InjuryId, String) = (soil.ids.id(), phone(rng));
    let day = civil_day(soil.now) - TimeDelta::days(10);
    let facts = Facts {
        name: life.word(tag),
        phone: number.clone(),
        employer: Some(life.word(tag)),
        hospital: life.word(tag),
        admitted_on: day,
        injury: life.word(tag),
    };
    let row = Injury {
        id,
        person_id: life.who(),
        organisation_id: soil.organisation,
        injured_on: day,
        facts_sealed: facts.seal(&soil.vault, id)?,
        employer_due_on: day + TimeDelta::days(30),
        worker_due_on: day + TimeDelta::days(365),
        applied_on: None,
        applied_by: None,
        employer_warned_at: None,
        worker_warned_at: None,
        imported_by: soil.officer,
        imported_at: db_time(soil.now),
        version: 1,
    };
    diesel::insert_into(injuries::table).values(&row).execute(conn)?;
    let who = soil.vault.blind_index(WHO, &format!("{number}/{}", facts.name));
    life.secrets.extend([hex(&who), number]);
    diesel::insert_into(injured::table).values(&Injured { who, person_id: life.who() }).execute(conn)?;
    for undone in [false, true] {
        let visit = soil.ids.id::<unionhall::ids::VisitId>();
        let at = undone.then_some(db_time(soil.now));
        diesel::insert_into(visits::table)
            .values((
                visits::id.eq(visit),
                visits::injury_id.eq(id),
                visits::session_id.eq(soil.session),
                visits::form.eq("visit"),
                visits::visited_on.eq(day),
                visits::gift_kind.eq(Some("goods")),
                visits::gift_text.eq(Some(life.word(tag))),
                visits::told.eq("[]"),
                visits::recorded_by.eq(soil.officer),
                visits::recorded_at.eq(db_time(soil.now)),
                visits::undone_by.eq(undone.then_some(soil.officer)),
                visits::undone_at.eq(at),
                visits::undone_because.eq(undone.then(|| life.word(tag))),
                visits::version.eq(1_i64),
            ))
            .execute(conn)?;
        // Whoever went there took it.
        let picture = file(conn, soil, tag, life, Some(("visit", visit.0)))?;
        diesel::update(files::table.find(unionhall::ids::FileId(picture)))
            .set(files::owner_id.eq(soil.officer))
            .execute(conn)?;
    }
    Ok(())
}

fn checks(conn: &mut Conn, soil: &Soil, person: PersonId) -> Result<()> {
    let checks = Checks::new(soil.ids.clone(), true);
    let judge = Judge::Organisation(Some(soil.organisation));
    let asked = Asked { room: "person.name", row: person.0, field: "name", person, judge };
    checks.ask_in_tx(conn, asked, soil.now)
}

fn ties(conn: &mut Conn, soil: &Soil, person: PersonId) -> Result<()> {
    for (one, other) in [(person, soil.officer), (soil.officer, person)] {
        diesel::insert_into(review_ties::table)
            .values((
                review_ties::id.eq(soil.ids.bytes::<16>().to_vec()),
                review_ties::person_id.eq(one),
                review_ties::kin_id.eq(Some(other)),
                review_ties::declared_at.eq(db_time(soil.now)),
            ))
            .execute(conn)?;
    }
    Ok(())
}
