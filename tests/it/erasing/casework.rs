//! The file of a case that has ended, with everything that one may hold.

use chrono::TimeDelta;
use diesel::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use unionhall::clock::{civil_day, db_time};
use unionhall::error::Result;
use unionhall::ids::{CaseId, LawyerId, LegalStationId, PersonId};
use unionhall::legal_aid::hands::model::LICENCE;
use unionhall::legal_aid::hands::turns::row_key;
use unionhall::legal_aid::model::{AidForm, Case, CaseState, Category, Facts as CaseFacts, Means, Side};
use unionhall::legal_aid::parties;
use unionhall::people::model::PHONE;
use unionhall::platform::db::Conn;
use unionhall::platform::db::schema::*;

use super::planting::{Life, Soil, file, hex, phone, sealed};

/// A case that ended, with everything that a file may hold; decided about, or given up before.
pub fn case(
    conn: &mut Conn,
    soil: &Soil,
    rng: &mut StdRng,
    tag: &str,
    life: &mut Life,
    decided: bool,
) -> Result<()> {
    let (id, at): (CaseId, _) = (soil.ids.id(), db_time(soil.now));
    let ended = db_time(soil.now + TimeDelta::hours(1));
    fn word(life: &mut Life, tag: &str, decided: bool) -> String {
        if decided { life.kept_word(tag) } else { life.word(tag) }
    }
    let facts = CaseFacts {
        employer: word(life, tag, decided),
        facts: word(life, tag, decided),
        wishes: word(life, tag, decided),
        declaration: "1".into(),
        ..CaseFacts::default()
    };
    let row = Case {
        id,
        number: None,
        person_id: life.who(),
        desk_id: soil.organisation,
        street_id: Some(soil.organisation),
        category: Category::LabourDispute,
        matter: None,
        form: AidForm::Mediation,
        facts_sealed: facts.seal(&soil.vault, id)?,
        event: None,
        event_on: Some(civil_day(soil.now)),
        limitation_on: None,
        urgent: false,
        means: Means::Declared,
        // Those that end with a paper are made by their acts alone.
        state: if decided { CaseState::Annulled } else { CaseState::Withdrawn },
        members: 1,
        received_at: at,
        decided_at: decided.then_some(at),
        ended_at: Some(ended),
        ground: None,
        version: 5,
    };
    diesel::insert_into(legal_cases::table).values(&row).execute(conn)?;
    parties::record_in_tx(conn, &soil.vault, id, Side::Employer, &facts.employer)?;
    let who = hex(&parties::index(&soil.vault, Side::Employer, &facts.employer));
    if decided {
        life.kept.push(who)
    } else {
        life.secrets.push(who)
    }
    let sealing = |life: &mut Life, field: &'static str, row: &[u8]| {
        let text = word(life, tag, decided);
        sealed(soil, field, row, &text)
    };
    let row_id = || soil.ids.bytes::<16>().to_vec();
    let message = row_id();
    diesel::insert_into(legal_messages::table)
        .values((
            legal_messages::id.eq(&message),
            legal_messages::case_id.eq(id),
            legal_messages::author_id.eq(life.who()),
            legal_messages::voice.eq("applicant"),
            legal_messages::text_sealed.eq(sealing(life, "legal_messages.text", &message)),
            legal_messages::sent_at.eq(at),
        ))
        .execute(conn)?;
    let event = row_id();
    diesel::insert_into(legal_events::table)
        .values((
            legal_events::id.eq(&event),
            legal_events::case_id.eq(id),
            legal_events::at.eq(at),
            legal_events::actor_id.eq(Some(soil.officer)),
            legal_events::act.eq("receive"),
            legal_events::state.eq("received"),
            legal_events::note_sealed.eq(Some(sealing(life, "legal_events.note", &event))),
        ))
        .execute(conn)?;
    let paper = row_id();
    let number = rng.next_u32();
    let serial = i64::from(number) + 1;
    diesel::insert_into(legal_documents::table)
        .values((
            legal_documents::id.eq(&paper),
            legal_documents::case_id.eq(id),
            legal_documents::kind.eq("receipt"),
            legal_documents::desk_id.eq(soil.organisation),
            legal_documents::year.eq(2025_i64),
            legal_documents::serial.eq(serial),
            legal_documents::number.eq(format!("测试〔2025〕{tag}-{serial}")),
            legal_documents::template.eq(1_i64),
            legal_documents::paper_sealed.eq(sealing(life, "legal_documents.paper", &paper)),
            legal_documents::issued_at.eq(at),
        ))
        .execute(conn)?;
    diesel::insert_into(legal_decisions::table)
        .values((
            legal_decisions::document_id.eq(&paper),
            legal_decisions::case_id.eq(id),
            legal_decisions::kind.eq("refuse"),
            legal_decisions::case_version.eq(1_i64),
            legal_decisions::reason_codes.eq("[\"outside\"]"),
            legal_decisions::reasons_sealed.eq(Some(sealing(life, "legal_decisions.reasons", &paper))),
            legal_decisions::appeal_notice.eq(Some("可以在收到本决定后向上一级提出异议。")),
            legal_decisions::decided_by.eq(soil.officer),
            legal_decisions::decided_at.eq(at),
        ))
        .execute(conn)?;
    let key = id.0.as_bytes().to_vec();
    diesel::insert_into(legal_supplements::table)
        .values((
            legal_supplements::case_id.eq(id),
            legal_supplements::document_id.eq(&paper),
            legal_supplements::missing_sealed.eq(sealing(life, "legal_supplements.missing", &key)),
            legal_supplements::given_by.eq(soil.officer),
            legal_supplements::given_at.eq(at),
        ))
        .execute(conn)?;
    let objection = row_id();
    diesel::insert_into(legal_objections::table)
        .values((
            legal_objections::id.eq(&objection),
            legal_objections::case_id.eq(id),
            legal_objections::case_version.eq(1_i64),
            legal_objections::against.eq("refused"),
            legal_objections::raised_by.eq(life.who()),
            legal_objections::decided_by.eq(soil.officer),
            legal_objections::text_sealed.eq(sealing(life, "legal_objections.text", &objection)),
            legal_objections::raised_at.eq(at),
            legal_objections::taken_by.eq(Some(soil.other)),
            legal_objections::taken_at.eq(Some(at)),
            legal_objections::outcome.eq(Some("dismiss")),
            legal_objections::answer_sealed.eq(Some(sealing(life, "legal_objections.answer", &objection))),
            legal_objections::document_id.eq(Some(paper.clone())),
            legal_objections::answered_at.eq(Some(at)),
            legal_objections::version.eq(2_i64),
        ))
        .execute(conn)?;
    diesel::insert_into(legal_reports::table)
        .values((
            legal_reports::case_id.eq(id),
            legal_reports::result.eq("settled"),
            legal_reports::recovered_fen.eq(100_i64),
            legal_reports::minutes.eq(60_i64),
            legal_reports::summary_sealed.eq(sealing(life, "legal_reports.summary", &key)),
            legal_reports::reported_by.eq(soil.officer),
            legal_reports::reported_at.eq(at),
            legal_reports::version.eq(1_i64),
        ))
        .execute(conn)?;
    diesel::insert_into(legal_return_visits::table)
        .values((
            legal_return_visits::case_id.eq(id),
            legal_return_visits::percent.eq(20_i64),
            legal_return_visits::due_on.eq(civil_day(soil.now)),
            legal_return_visits::visited_by.eq(Some(soil.other)),
            legal_return_visits::visited_at.eq(Some(at)),
            legal_return_visits::way.eq(Some("phone")),
            legal_return_visits::outcome.eq(Some("confirmed")),
            legal_return_visits::note_sealed.eq(Some(sealing(life, "legal_return_visits.note", &key))),
        ))
        .execute(conn)?;
    diesel::insert_into(legal_file_checks::table)
        .values((
            legal_file_checks::case_id.eq(id),
            legal_file_checks::present.eq("[]"),
            legal_file_checks::missing.eq("[]"),
            legal_file_checks::complete.eq(rng.random_bool(0.5)),
            legal_file_checks::note_sealed.eq(Some(sealing(life, "legal_file_checks.note", &key))),
            legal_file_checks::checked_by.eq(soil.other),
            legal_file_checks::checked_at.eq(at),
            legal_file_checks::version.eq(1_i64),
        ))
        .execute(conn)?;
    diesel::insert_into(legal_satisfactions::table)
        .values((
            legal_satisfactions::case_id.eq(id),
            legal_satisfactions::score.eq(5_i64),
            legal_satisfactions::text_sealed.eq(Some(sealing(life, "legal_satisfactions.text", &key))),
            legal_satisfactions::given_at.eq(at),
        ))
        .execute(conn)?;
    let glass = row_id();
    diesel::insert_into(legal_glass::table)
        .values((
            legal_glass::id.eq(&glass),
            legal_glass::case_id.eq(id),
            legal_glass::person_id.eq(soil.other),
            legal_glass::reason.eq("complaint"),
            legal_glass::text_sealed.eq(sealing(life, "legal_glass.text", &glass)),
            legal_glass::opened_at.eq(at),
            legal_glass::ends_at.eq(ended),
            legal_glass::ended_at.eq(Some(ended)),
            legal_glass::told_at.eq(Some(ended)),
        ))
        .execute(conn)?;
    let referral = row_id();
    diesel::insert_into(legal_referrals::table)
        .values((
            legal_referrals::id.eq(&referral),
            legal_referrals::case_id.eq(id),
            legal_referrals::destination.eq("court"),
            legal_referrals::office.eq("示例法院"),
            legal_referrals::fields.eq("[\"name\"]"),
            legal_referrals::reason_sealed.eq(sealing(life, "legal_referrals.reason", &referral)),
            legal_referrals::data_sealed.eq(sealing(life, "legal_referrals.data", &referral)),
            legal_referrals::state.eq("returned"),
            legal_referrals::proposed_by.eq(soil.officer),
            legal_referrals::proposed_at.eq(at),
            legal_referrals::answered_at.eq(Some(at)),
            legal_referrals::sent_by.eq(Some(soil.officer)),
            legal_referrals::sent_at.eq(Some(at)),
            legal_referrals::outcome_at.eq(Some(at)),
            legal_referrals::outcome_sealed.eq(Some(sealing(life, "legal_referrals.outcome", &referral))),
            legal_referrals::version.eq(4_i64),
        ))
        .execute(conn)?;
    let change = row_id();
    diesel::insert_into(legal_lawyer_changes::table)
        .values((
            legal_lawyer_changes::id.eq(&change),
            legal_lawyer_changes::case_id.eq(id),
            legal_lawyer_changes::lawyer_id.eq(soil.officer),
            legal_lawyer_changes::reason_sealed.eq(sealing(life, "legal_lawyer_changes.reason", &change)),
            legal_lawyer_changes::state.eq("refused"),
            legal_lawyer_changes::asked_at.eq(at),
            legal_lawyer_changes::due_at.eq(ended),
            legal_lawyer_changes::decided_by.eq(Some(soil.other)),
            legal_lawyer_changes::decided_at.eq(Some(at)),
            legal_lawyer_changes::answer_sealed.eq(Some(sealing(
                life,
                "legal_lawyer_changes.answer",
                &change,
            ))),
            legal_lawyer_changes::version.eq(2_i64),
        ))
        .execute(conn)?;
    for (place, known) in [(1_i64, true), (2, false)] {
        let member = row_id();
        let number = phone(rng);
        let index = soil.vault.blind_index(PHONE, &number);
        let number_sealed = sealed(soil, "legal_members.phone", &member, &number);
        if !known {
            let stand = if decided { &mut life.kept } else { &mut life.secrets };
            stand.extend([number, hex(&index)]);
        }
        diesel::insert_into(legal_members::table)
            .values((
                legal_members::id.eq(&member),
                legal_members::case_id.eq(id),
                legal_members::place.eq(place),
                legal_members::person_id.eq(known.then(|| life.who())),
                legal_members::name_sealed.eq(sealing(life, "legal_members.name", &member)),
                legal_members::phone_sealed.eq((!known).then_some(number_sealed)),
                legal_members::phone_index.eq((!known).then_some(index)),
                legal_members::amount_sealed.eq(Some(sealed(soil, "legal_members.amount", &member, "4200"))),
                legal_members::representative.eq(known),
                legal_members::state.eq(if known { "consented" } else { "named" }),
                legal_members::answered_at.eq(known.then_some(at)),
                legal_members::version.eq(1_i64),
            ))
            .execute(conn)?;
    }
    let (_, lawyer) = register(conn, soil, tag, soil.other, life.said())?;
    let row = row_key(id, 1, lawyer);
    diesel::insert_into(legal_turns::table)
        .values((
            legal_turns::case_id.eq(id),
            legal_turns::round.eq(1_i64),
            legal_turns::lawyer_id.eq(lawyer),
            legal_turns::place.eq(1_i64),
            legal_turns::recent.eq(0_i64),
            legal_turns::open.eq(0_i64),
            legal_turns::skipped.eq(Some("passed_over")),
            legal_turns::note_sealed.eq(Some(sealing(life, "legal_turns.note", &row))),
            legal_turns::at.eq(at),
        ))
        .execute(conn)?;
    if decided {
        file(conn, soil, tag, life, Some(("legal_case", id.0)))?;
        // Its name on the applicant's phone goes at once.
        let digest = life.kept.pop();
        let name = life.kept.pop();
        life.kept.extend(digest);
        life.secrets.extend(name);
    }
    Ok(())
}

/// Somebody is in the register of lawyers, once; gives the licence with which they are.
fn register(
    conn: &mut Conn,
    soil: &Soil,
    tag: &str,
    person: PersonId,
    number: usize,
) -> Result<(String, LawyerId)> {
    let known = legal_lawyers::table.filter(legal_lawyers::person_id.eq(person)).select(legal_lawyers::id);
    if let Some(id) = known.first::<LawyerId>(conn).optional()? {
        return Ok((String::new(), id));
    }
    let (station, id): (LegalStationId, LawyerId) = (soil.ids.id(), soil.ids.id());
    diesel::insert_into(legal_stations::table)
        .values((
            legal_stations::id.eq(station),
            legal_stations::kind.eq("community"),
            legal_stations::name.eq(format!("示例服务站{tag}{number}")),
            legal_stations::organisation_id.eq(soil.organisation),
            legal_stations::address.eq("示例路"),
            legal_stations::opened_on.eq(civil_day(soil.now)),
            legal_stations::version.eq(1_i64),
        ))
        .execute(conn)?;
    let licence = format!("14403{tag}执业证{number}");
    diesel::insert_into(legal_lawyers::table)
        .values((
            legal_lawyers::id.eq(id),
            legal_lawyers::person_id.eq(person),
            legal_lawyers::station_id.eq(station),
            legal_lawyers::firm.eq(format!("律所{licence}")),
            legal_lawyers::licence_sealed.eq(sealed(
                soil,
                "legal_lawyers.licence",
                id.0.as_bytes(),
                &licence,
            )),
            legal_lawyers::licence_index.eq(soil.vault.blind_index(LICENCE, &licence)),
            legal_lawyers::phone_sealed.eq(sealed(soil, "legal_lawyers.phone", id.0.as_bytes(), &licence)),
            legal_lawyers::kinds.eq("[]"),
            legal_lawyers::capacity.eq(5_i64),
            legal_lawyers::on_duty_from.eq(civil_day(soil.now)),
            legal_lawyers::registered_at.eq(db_time(soil.now)),
            legal_lawyers::version.eq(1_i64),
        ))
        .execute(conn)?;
    Ok((licence, id))
}

/// Somebody who was a lawyer, and for whom they acted.
pub fn lawyer(conn: &mut Conn, soil: &Soil, rng: &mut StdRng, tag: &str, life: &mut Life) -> Result<()> {
    let (licence, id) = register(conn, soil, tag, life.who(), life.said())?;
    let who = soil.vault.blind_index(LICENCE, &phone(rng));
    life.secrets.extend([hex(&soil.vault.blind_index(LICENCE, &licence)), licence, hex(&who)]);
    diesel::insert_into(legal_lawyer_clients::table)
        .values((legal_lawyer_clients::lawyer_id.eq(id), legal_lawyer_clients::who.eq(who)))
        .execute(conn)?;
    Ok(())
}
