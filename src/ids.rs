//! Identifiers and randomness, both injected.
//!
//! An id is a UUIDv7 (16 bytes in the database) shown as a TypeID: a prefix of at most three letters,
//! an underscore and 26 characters of Crockford base32, such as `act_01k5b8m3q2e9t8h6y1v7z4w0xn`.
//! Thirty characters at most, so that one fits into the `scene` of a WeChat code (32 visible characters).

use std::sync::{Arc, Mutex, PoisonError};

use rand::{Rng, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use crate::clock::SharedClock;

/// A source of random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `into` with random bytes.
    fn fill(&self, into: &mut [u8]);
}

/// The operating system's generator, through the thread's own cryptographic generator.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's randomness")]
    fn fill(&self, into: &mut [u8]) {
        rand::rng().fill_bytes(into);
    }
}

/// A repeatable generator for tests.
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// The generator that `seed` determines.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, into: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(into);
    }
}

/// Makes ids and secrets from an injected clock and an injected source of randomness.
#[derive(Clone)]
pub struct Ids {
    clock: SharedClock,
    entropy: Arc<dyn Entropy>,
}

impl Ids {
    /// Ids stamped by `clock` and filled from `entropy`.
    pub fn new(clock: SharedClock, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// A new identifier of any kind: time-ordered to the millisecond.
    pub fn id<T: From<Uuid>>(&self) -> T {
        let millis = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or(0);
        let random = self.bytes::<10>();
        T::from(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A secret of 256 random bits as 43 characters of base64url.
    pub fn secret(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }
}

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind: expected `{expected}_` and 26 characters")]
pub struct IdError {
    /// The prefix of the kind that was asked for.
    pub expected: &'static str,
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The TypeID form of `uuid` under `prefix`.
pub fn typeid(prefix: &str, uuid: Uuid) -> String {
    let value = uuid.as_u128();
    let mut text = String::with_capacity(prefix.len() + 27);
    text.push_str(prefix);
    text.push('_');
    for place in (0..26).rev() {
        let digit = usize::try_from((value >> (place * 5)) & 31).unwrap_or(0);
        text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
    }
    text
}

/// Reads a TypeID of the kind `prefix`; only the canonical lower-case form is taken.
pub fn parse_typeid(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let error = IdError { expected: prefix };
    let body = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(error)?;
    // 26 digits carry 130 bits: the first may use three only.
    if body.len() != 26 || body.as_bytes().first().is_none_or(|first| *first > b'7') {
        return Err(error);
    }
    body.bytes()
        .try_fold(0u128, |value, byte| {
            let digit = ALPHABET.iter().position(|candidate| *candidate == byte)?;
            Some((value << 5) | u128::try_from(digit).ok()?)
        })
        .map(Uuid::from_u128)
        .ok_or(error)
}

/// Defines an id type: a newtype over a UUID that the database keeps as 16 bytes and JSON as a TypeID.
#[macro_export]
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Binary)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// The prefix of this kind's text form.
            pub const PREFIX: &'static str = $prefix;
        }

        impl From<uuid::Uuid> for $name {
            fn from(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::ids::typeid($prefix, self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ids::IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::ids::parse_typeid($prefix, text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<DB> diesel::serialize::ToSql<diesel::sql_types::Binary, DB> for $name
        where
            DB: diesel::backend::Backend,
            [u8]: diesel::serialize::ToSql<diesel::sql_types::Binary, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                <[u8] as diesel::serialize::ToSql<diesel::sql_types::Binary, DB>>::to_sql(self.0.as_bytes(), out)
            }
        }

        impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Binary, DB> for $name
        where
            DB: diesel::backend::Backend,
            Vec<u8>: diesel::deserialize::FromSql<diesel::sql_types::Binary, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                let bytes = <Vec<u8> as diesel::deserialize::FromSql<diesel::sql_types::Binary, DB>>::from_sql(bytes)?;
                Ok(Self(uuid::Uuid::from_slice(&bytes)?))
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$")))
                    .min_length(Some($prefix.len() + 27))
                    .max_length(Some($prefix.len() + 27))
                    .examples([serde_json::json!(concat!($prefix, "_01k5b8m3q2e9t8h6y1v7z4w0xn"))])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }
    };
}

/// Every kind of id, in one place, so that no two prefixes collide.
mod kinds {
    crate::id_type!(/// A node of the union tree.
        OrganisationId, "org");
    crate::id_type!(/// A human.
        PersonId, "per");
    crate::id_type!(/// That two accounts are one human.
        PersonMergeId, "pmg");
    crate::id_type!(/// A login on one device: all tokens that descend from it.
        FamilyId, "fam");
    crate::id_type!(/// A role over a subtree.
        GrantId, "grt");
    crate::id_type!(/// A year's work plan.
        PlanId, "pln");
    crate::id_type!(/// One of the plan's items.
        PlanItemId, "itm");
    crate::id_type!(/// A number that the plan must reach.
        TargetId, "tgt");
    crate::id_type!(/// A promise of the plan without a number.
        MilestoneId, "mls");
    crate::id_type!(/// A rule by which activities count for a target.
        CountingRuleId, "rul");
    crate::id_type!(/// A version of a figure that a unit reports.
        PlanReportId, "rep");
    crate::id_type!(/// How a target is divided among the sub-districts.
        CascadeId, "csc");
    crate::id_type!(/// One signed quantity in the ledger.
        LedgerLineId, "lin");
    crate::id_type!(/// What waits for a restatement of a closed month.
        HeldCorrectionId, "hcr");
    crate::id_type!(/// Why, and by whom, a closed month is restated.
        RestatementId, "rst");
    crate::id_type!(/// A standing offer.
        ProgrammeId, "prg");
    crate::id_type!(/// Something to sign up for.
        ActivityId, "act");
    crate::id_type!(/// One dated meeting.
        SessionId, "ses");
    crate::id_type!(/// A person's request for a place.
        SignupId, "sgn");
    crate::id_type!(/// One person present at one session.
        AttendanceId, "att");
    crate::id_type!(/// One scan at the door.
        ScanId, "scn");
    crate::id_type!(/// A phone that scans without a signal.
        DeviceId, "dev");
    crate::id_type!(/// What a device could not decide.
        ConflictId, "cfl");
    crate::id_type!(/// A signed sheet of paper.
        SheetId, "sht");
    crate::id_type!(/// Places on a node of an activity's tree.
        QuotaId, "quo");
    crate::id_type!(/// Places that go from one quota to another.
        QuotaMoveId, "qmv");
    crate::id_type!(/// A place that is kept for one person for a time.
        OfferId, "ofr");
    crate::id_type!(/// People who wait together.
        PartyId, "pty");
    crate::id_type!(/// A change of the order of a waiting list.
        WaitingMoveId, "wmv");
    crate::id_type!(/// Places that a union keeps for people whom it will name later.
        PlaceHoldId, "phd");
    crate::id_type!(/// What a late cancellation or a no-show weighs.
        PenaltyId, "pen");
    crate::id_type!(/// A room or a trainer.
        ResourceId, "res");
    crate::id_type!(/// An activity as a pattern.
        TemplateId, "tpl");
    crate::id_type!(/// A request that goes through a chain of bodies.
        ReviewId, "rev");
    crate::id_type!(/// What a review is about: the id of a sign-up or of a membership.
        SubjectId, "sub");
    crate::id_type!(/// One body's part in a review.
        StageId, "stg");
    crate::id_type!(/// Something that happened to a review.
        ReviewEventId, "rve");
    crate::id_type!(/// A leave to return a request a second time.
        LeaveId, "lea");
    crate::id_type!(/// That somebody decides in another's stead.
        DelegationId, "dlg");
    crate::id_type!(/// Kin, or an interest in an enterprise.
        TieId, "tie");
    crate::id_type!(/// What applicant and desk say to each other.
        ReviewMessageId, "rvm");
    crate::id_type!(/// That somebody is, was, or says to be a member of a union.
        MembershipId, "mbs");
    crate::id_type!(/// A work injury of one person on one day.
        InjuryId, "inj");
    crate::id_type!(/// A visit to somebody who was injured at work.
        VisitId, "vis");
    crate::id_type!(/// A file that somebody uploaded.
        FileId, "fil");
    crate::id_type!(/// A crowd that was counted.
        HeadcountId, "hct");
    crate::id_type!(/// Which headcounts of a street and a quarter are audited.
        HeadcountSampleId, "hsm");
    crate::id_type!(/// What an auditor found of a headcount.
        FindingId, "fnd");
    crate::id_type!(/// A report that was asked for.
        PlanExportId, "rpt");
    crate::id_type!(/// A request for legal aid, and the case that it becomes.
        CaseId, "cas");
    crate::id_type!(/// A term of the law that runs for a case.
        LegalClockId, "lck");
    crate::id_type!(/// That somebody is of the team of a case.
        TeamMemberId, "ltm");
    crate::id_type!(/// Something that happened to a case.
        CaseEventId, "cev");
    crate::id_type!(/// A document of a case.
        CaseDocumentId, "doc");
    crate::id_type!(/// An objection to what was decided about legal aid.
        ObjectionId, "obj");
    crate::id_type!(/// A lawyer who takes cases of legal aid.
        LawyerId, "law");
    crate::id_type!(/// A legal service station.
        LegalStationId, "lst");
    crate::id_type!(/// A worker of a group case.
        CaseMemberId, "cmb");
    crate::id_type!(/// That a case was referred elsewhere.
        ReferralId, "ref");
    crate::id_type!(/// That somebody asks for another lawyer.
        LawyerChangeId, "lcg");
    crate::id_type!(/// What applicant and team of a case say to each other.
        CaseMessageId, "cmg");
    crate::id_type!(/// A consultation without a case.
        ConsultationId, "cns");
    crate::id_type!(/// That somebody opened a case that is not theirs.
        GlassId, "gls");
    crate::id_type!(/// A text or picture that is checked for what must not be shown.
        ContentCheckId, "cck");
    crate::id_type!(/// A message in the inbox.
        NoticeId, "ntc");
    crate::id_type!(/// Work that follows a commit.
        JobId, "job");
}
pub use kinds::*;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_uuid_survives_its_text(value: u128) {
            let uuid = Uuid::from_u128(value);
            let text = typeid("act", uuid);
            prop_assert_eq!(text.len(), 30);
            prop_assert_eq!(parse_typeid("act", &text), Ok(uuid));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse_typeid("act", &text);
        }
    }

    #[test]
    fn another_kind_upper_case_and_overflow_are_refused() {
        for text in [
            "per_01k5b8m3q2e9t8h6y1v7z4w0xn",
            "act_01K5B8M3Q2E9T8H6Y1V7Z4W0XN",
            "act_81k5b8m3q2e9t8h6y1v7z4w0xn",
            "act_",
            "",
        ] {
            assert!(parse_typeid("act", text).is_err(), "{text}");
        }
    }
}
