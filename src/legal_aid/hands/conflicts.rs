//! Who has to keep away from a case: found by keyed hashes over all cases, without opening another file.
//!
//! Every question is asked of every candidate, whatever the ones before it have found, and the answer is the kinds of what was found. So an
//! answer says nothing of the other case: neither which it is, nor how many there are, nor how it stands.

use std::collections::BTreeSet;

use diesel::dsl::exists;
use diesel::prelude::*;

use super::lawyers;
use crate::error::{Code, Error, Result};
use crate::ids::{CaseId, OrganisationId, PersonId};
use crate::legal_aid::model::{Case, Facts, Side};
use crate::legal_aid::parties;
use crate::org::model::Organisation;
use crate::platform::db::Conn;
use crate::platform::db::schema::{
    legal_lawyer_clients, legal_lawyers, legal_members, legal_parties, legal_team, organisations, people,
    review_ties,
};
use crate::platform::vault::Vault;

crate::text_enum! {
    /// Why somebody has to keep away from a case: the kind of reason, never another case.
    pub enum ConflictGround {
        /// 本人是申请人或者成员
        Own = "own",
        /// 在对方单位或者与申请人同一单位工作
        Workplace = "workplace",
        /// 已申报的近亲属或者利益关系
        Tie = "tie",
        /// 办理过对方提出的案件，或者办理过以本案申请人为对方的案件
        OtherSide = "other_side",
        /// 代理过对方单位
        Acted = "acted",
        /// 同一律师事务所的律师代理过对方单位
        Firm = "firm",
    }
}

impl ConflictGround {
    /// For people.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Own => "本人是申请人或者成员",
            Self::Workplace => "在对方单位或者与申请人同一单位工作",
            Self::Tie => "已申报的近亲属或者利益关系",
            Self::OtherSide => "办理过与本案利益相反的案件",
            Self::Acted => "代理过对方单位",
            Self::Firm => "同一律师事务所的律师代理过对方单位",
        }
    }
}

/// Sides of a case as they would stand in others.
struct Sides {
    /// The employer, as an employer.
    employer: Vec<Vec<u8>>,
    /// The employer, as somebody who asked for aid.
    employer_asking: Vec<Vec<u8>>,
    /// The applicant, as an employer: of a small business that goes by its owner's name.
    applicant_opposed: Vec<Vec<u8>>,
}

impl Sides {
    fn of(conn: &mut Conn, vault: &Vault, case: &Case) -> Result<Self> {
        let facts = Facts::open(vault, case)?;
        let texts: Vec<&str> =
            [Some(facts.employer.as_str()), facts.employer_code.as_deref()].into_iter().flatten().collect();
        let index =
            |side: Side| texts.iter().map(|text| parties::index(vault, side, text)).collect::<Vec<_>>();
        let mut applicant_opposed: Vec<Vec<u8>> = legal_parties::table
            .filter(legal_parties::case_id.eq(case.id))
            .filter(legal_parties::side.eq(Side::Applicant))
            .select(legal_parties::who)
            .load(conn)?;
        let name: Option<String> =
            people::table.find(case.person_id).select(people::name).first(conn).optional()?.flatten();
        applicant_opposed.extend(name.map(|name| parties::index(vault, Side::Employer, &name)));
        Ok(Self {
            employer: index(Side::Employer),
            employer_asking: index(Side::Applicant),
            applicant_opposed,
        })
    }
}

/// Why `candidate` has to keep away from `case`; nothing where they need not.
pub fn check(
    conn: &mut Conn,
    vault: &Vault,
    case: &Case,
    candidate: PersonId,
) -> Result<Vec<ConflictGround>> {
    let sides = Sides::of(conn, vault, case)?;
    let work = workplace(conn, candidate)?;
    let lawyer = lawyers::of_person(conn, candidate)?;
    let licence = lawyer.as_ref().map(|row| row.licence_index.clone()).unwrap_or_default();
    let found = [
        (ConflictGround::Own, is_own(conn, case, candidate)?),
        (ConflictGround::Workplace, works_there(conn, vault, case, &sides, work.as_ref())?),
        (ConflictGround::Tie, is_tied(conn, vault, case, &sides, candidate)?),
        (ConflictGround::OtherSide, on_the_other_side(conn, case.id, &sides, candidate, &licence)?),
        (ConflictGround::Acted, has_acted(conn, &sides, candidate)?),
        (ConflictGround::Firm, firm_has_acted(conn, &sides, candidate, lawyer.map(|row| row.firm))?),
    ];
    Ok(found.into_iter().filter(|(_, is_so)| *is_so).map(|(ground, _)| ground).collect())
}

/// Refuses whoever has to keep away.
///
/// # Errors
/// `legal_conflict`, with the kinds of grounds.
pub fn require(conn: &mut Conn, vault: &Vault, case: &Case, candidate: PersonId) -> Result<()> {
    let grounds = check(conn, vault, case, candidate)?;
    if grounds.is_empty() { Ok(()) } else { Err(refused(&grounds)) }
}

/// The refusal of whoever has to keep away for `grounds`.
pub fn refused(grounds: &[ConflictGround]) -> Error {
    let zh: Vec<&str> = grounds.iter().map(|ground| ground.zh()).collect();
    let en: Vec<&str> = grounds.iter().map(|ground| ground.as_str()).collect();
    Error::new(Code::LegalConflict).detail(zh.join("；"), en.join(", "))
}

fn workplace(conn: &mut Conn, person: PersonId) -> Result<Option<Organisation>> {
    let found = people::table
        .inner_join(organisations::table)
        .filter(people::id.eq(person))
        .select(Organisation::as_select())
        .first(conn);
    Ok(found.optional()?)
}

/// Whether it is the candidate's own case.
fn is_own(conn: &mut Conn, case: &Case, candidate: PersonId) -> Result<bool> {
    let phone: Option<Vec<u8>> =
        people::table.find(candidate).select(people::phone_index).first(conn).optional()?.flatten();
    // Whoever is named by their number may not have answered yet.
    let member = legal_members::table
        .filter(legal_members::case_id.eq(case.id))
        .filter(legal_members::person_id.eq(candidate).or(legal_members::phone_index.eq(phone)));
    let is_member: bool = diesel::select(exists(member)).get_result(conn)?;
    Ok(is_member || case.person_id == candidate)
}

/// Whether somebody who works at `work` works for the employer, or where the applicant works.
fn works_there(
    conn: &mut Conn,
    vault: &Vault,
    case: &Case,
    sides: &Sides,
    work: Option<&Organisation>,
) -> Result<bool> {
    let applicants: Option<OrganisationId> =
        people::table.find(case.person_id).select(people::workplace_id).first(conn).optional()?.flatten();
    Ok(work.is_some_and(|work| applicants == Some(work.id) || is_employer(vault, sides, work)))
}

/// Whether an organisation is the employer, by the names that it goes by.
fn is_employer(vault: &Vault, sides: &Sides, one: &Organisation) -> bool {
    names(&one.name, &one.short_name)
        .iter()
        .any(|name| sides.employer.contains(&parties::index(vault, Side::Employer, name)))
}

/// The names under which an organisation may stand as an employer: its own, and that of whose union it is.
fn names<'a>(name: &'a str, short: &'a str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for one in [name.trim(), short.trim()] {
        found.insert(one);
        for ending in ["工会委员会", "工会联合会", "总工会", "工会"] {
            found.extend(one.strip_suffix(ending).map(str::trim).filter(|rest| !rest.is_empty()));
        }
    }
    found
}

/// Whether the candidate has declared to be the applicant's kin, or to have an interest in the employer.
fn is_tied(conn: &mut Conn, vault: &Vault, case: &Case, sides: &Sides, candidate: PersonId) -> Result<bool> {
    let one_way = review_ties::person_id.eq(candidate).and(review_ties::kin_id.eq(case.person_id));
    let other_way = review_ties::person_id.eq(case.person_id).and(review_ties::kin_id.eq(candidate));
    let kin = review_ties::table.filter(review_ties::ended_at.is_null()).filter(one_way.or(other_way));
    let is_kin: bool = diesel::select(exists(kin)).get_result(conn)?;
    let interests: Vec<Organisation> = review_ties::table
        .inner_join(organisations::table.on(review_ties::organisation_id.eq(organisations::id.nullable())))
        .filter(review_ties::ended_at.is_null())
        .filter(review_ties::person_id.eq(candidate))
        .select(Organisation::as_select())
        .load(conn)?;
    Ok(is_kin | interests.iter().any(|one| is_employer(vault, sides, one)))
}

/// Whether the candidate is or was of the team of a case that this case's employer asked aid for, or that was about this case's applicant.
fn on_the_other_side(
    conn: &mut Conn,
    case: CaseId,
    sides: &Sides,
    candidate: PersonId,
    licence: &[u8],
) -> Result<bool> {
    let asking =
        legal_parties::side.eq(Side::Applicant).and(legal_parties::who.eq_any(sides.employer_asking.clone()));
    let opposed = legal_parties::side
        .eq(Side::Employer)
        .and(legal_parties::who.eq_any(sides.applicant_opposed.clone()));
    let others: Vec<CaseId> = legal_parties::table
        .filter(legal_parties::case_id.ne(case))
        .filter(asking.or(opposed))
        .select(legal_parties::case_id)
        .distinct()
        .load(conn)?;
    let in_team = legal_team::table
        .filter(legal_team::case_id.eq_any(&others))
        .filter(legal_team::person_id.eq(candidate));
    let is_in_team: bool = diesel::select(exists(in_team)).get_result(conn)?;
    // Under another account, the licence is still the same.
    let as_lawyer = legal_parties::table
        .filter(legal_parties::case_id.eq_any(&others))
        .filter(legal_parties::side.eq(Side::Lawyer))
        .filter(legal_parties::who.eq(licence));
    let is_lawyer: bool = diesel::select(exists(as_lawyer)).get_result(conn)?;
    Ok(is_in_team | is_lawyer)
}

/// Whether the candidate acts or acted for the employer outside legal aid.
fn has_acted(conn: &mut Conn, sides: &Sides, candidate: PersonId) -> Result<bool> {
    let acted = legal_lawyer_clients::table
        .inner_join(legal_lawyers::table)
        .filter(legal_lawyer_clients::who.eq_any(&sides.employer))
        .filter(legal_lawyers::person_id.eq(candidate));
    Ok(diesel::select(exists(acted)).get_result(conn)?)
}

/// Whether somebody else of the candidate's firm does.
fn firm_has_acted(conn: &mut Conn, sides: &Sides, candidate: PersonId, firm: Option<String>) -> Result<bool> {
    let acted = legal_lawyer_clients::table
        .inner_join(legal_lawyers::table)
        .filter(legal_lawyer_clients::who.eq_any(&sides.employer))
        .filter(legal_lawyers::person_id.ne(candidate))
        .filter(legal_lawyers::firm.eq(firm.unwrap_or_default()));
    Ok(diesel::select(exists(acted)).get_result(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_goes_by_its_enterprise_s_name() {
        let found = names("示例电子（深圳）有限公司工会委员会", "示例电子工会");
        for name in ["示例电子（深圳）有限公司", "示例电子", "示例电子工会"] {
            assert!(found.contains(name), "{name}: {found:?}");
        }
        assert_eq!(names("工会", "工会").into_iter().collect::<Vec<_>>(), ["工会"]);
    }

    #[test]
    fn a_refusal_is_made_of_kinds_alone() {
        let refusal = refused(&[ConflictGround::OtherSide]);
        let again = refused(&[ConflictGround::OtherSide]);
        assert_eq!(refusal.to_string(), again.to_string());
        assert_eq!(refusal.code(), Code::LegalConflict);
        for ground in ConflictGround::ALL {
            assert!(!ground.zh().is_empty());
            assert_eq!(refused(&[*ground]).inner().detail.as_ref().unwrap().en, ground.as_str());
        }
    }
}
