//! Pure decisions about injuries and visits.

use chrono::{Days, Months, NaiveDate};

use super::model::{Applicant, TermOf, TermState, VisitForm};
use crate::clock::day_start;
use crate::error::{Error, Result};
use crate::ids::PersonId;
use crate::offering::model::AttendanceRole;
use crate::platform::vault::normalise;
use crate::policy::calendar::Calendar;
use crate::policy::clock::{self, DayUnit, Term};
use crate::policy::model::{Policy, PolicyUnit};

/// The topic of visits, as rules of counting name it.
const VISITS: &str = "injury_visit";
/// The topic of gifts that are brought without a visit.
const GIFTS: &str = "injury_gift";

/// How far back an injury on a list may lie.
pub const LOOK_BACK: Months = Months::new(120);

/// How long an application may take, as a policy says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Days.
    Days(Term),
    /// Months.
    Months(u32),
}

impl Length {
    /// What `policy` says.
    ///
    /// # Errors
    /// An internal error naming the policy where it is no length of time.
    pub fn of(policy: &Policy) -> Result<Self> {
        let wrong = || Error::internal(format!("the policy {} is no term", policy.policy_key));
        let number: u32 = policy.value.parse().map_err(|_| wrong())?;
        let days = |unit| Self::Days(Term { days: i64::from(number), unit });
        Ok(match policy.unit {
            PolicyUnit::CalendarDays => days(DayUnit::CalendarDays),
            PolicyUnit::WorkingDays => days(DayUnit::WorkingDays),
            PolicyUnit::Months => Self::Months(number),
            PolicyUnit::Years => Self::Months(number.saturating_mul(12)),
            _ => return Err(wrong()),
        })
    }
}

/// The last day of a term that began with an injury on `day`.
///
/// 民法典 第二百零二条: 按照年、月计算期间的，到期月的对应日为期间的最后一日；没有对应日的，月末日为期间的最后一日。Days as [`clock::due`]
/// counts them; either term ends on a working day (第二百零三条).
pub fn due_on(day: NaiveDate, length: Length, calendar: &Calendar) -> NaiveDate {
    match length {
        Length::Days(term) => clock::due(day_start(day), term, &[], calendar)
            .deadline()
            .map_or(day, |deadline| deadline.last_day),
        Length::Months(months) => {
            let last = day.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX);
            if calendar.is_working(last) { last } else { calendar.next_working(last) }
        }
    }
}

/// The last day on which a term with `days` left is amber already.
pub fn amber_until(today: NaiveDate, days: i64) -> NaiveDate {
    let days = u64::try_from(days).unwrap_or_default();
    today.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX)
}

/// How pressing a term is that ends with `due_on`; amber with `warn` days left.
pub fn term_state(due_on: NaiveDate, applied: bool, today: NaiveDate, warn: i64) -> TermState {
    if applied {
        TermState::Done
    } else if today > due_on {
        TermState::Breached
    } else if today == due_on {
        TermState::Red
    } else if due_on <= amber_until(today, warn) {
        TermState::Amber
    } else {
        TermState::Green
    }
}

/// Whom of those with a number a row means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// One who is known.
    Known(PersonId),
    /// Somebody new.
    New,
    /// The number is somebody's with another name.
    NameDiffers,
}

/// Whom a row with `name` means of those `with_number`, who stand in the order in which they came; `shared` says that the number
/// is several people's.
pub fn meant(name: &str, shared: bool, with_number: &[(PersonId, Option<String>)]) -> Meant {
    let named =
        |known: &Option<String>| known.as_ref().is_some_and(|known| *normalise(known) == *normalise(name));
    // Somebody may have two accounts with one number: it is the older that counts, always.
    if let Some((person, _)) = with_number.iter().find(|(_, known)| named(known)) {
        return Meant::Known(*person);
    }
    match with_number {
        [] => Meant::New,
        _ if shared => Meant::New,
        [(person, None)] => Meant::Known(*person),
        _ => Meant::NameDiffers,
    }
}

/// The topic under which what was done counts.
pub fn topic(form: VisitForm) -> &'static str {
    match form {
        VisitForm::Visit => VISITS,
        VisitForm::GiftOnly => GIFTS,
    }
}

/// As what somebody is present through visits that stand, of which each says whether there was a gift; none without any.
pub fn role(visits: &[(VisitForm, bool)]) -> Option<AttendanceRole> {
    let gift = |(form, gift): &(VisitForm, bool)| *form == VisitForm::Visit && *gift;
    match visits {
        [] => None,
        some if some.iter().any(gift) => Some(AttendanceRole::Gift),
        _ => Some(AttendanceRole::Participant),
    }
}

/// Codes and names of a policy's words, each written `code:name`.
pub fn told_topics(words: &str) -> Vec<(String, String)> {
    let pair = |word: &str| {
        let (code, name) = word.trim().split_once(':')?;
        Some((code.to_owned(), name.to_owned()))
    };
    words.split(';').filter_map(pair).collect()
}

/// What matters for the next step.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The last day of the employer's term.
    pub employer_due_on: NaiveDate,
    /// The last day of the worker's term.
    pub worker_due_on: NaiveDate,
    /// When recognition was applied for, and by whom.
    pub application: Option<(NaiveDate, Applicant)>,
    /// Days that the authority may take.
    pub decision_days: i64,
}

/// What happens next, for the worker: until when, and what.
pub fn next_steps(standing: Standing, today: NaiveDate) -> Vec<(Option<NaiveDate>, String)> {
    let Standing { employer_due_on, worker_due_on, application, decision_days } = standing;
    let (employer, worker) = (written(employer_due_on), written(worker_due_on));
    let mut steps = Vec::new();
    if let Some((on, by)) = application {
        let who = match by {
            Applicant::Employer => "用人单位",
            Applicant::Worker => "您本人或近亲属",
            Applicant::Union => "工会",
        };
        steps.push((
            None,
            format!(
                "{who}已于{}申请工伤认定。社会保险行政部门受理后，应在 {decision_days} 日内作出认定决定。",
                written(on)
            ),
        ));
        steps.push((None, "请保存好病历、诊断证明和缴费单据；伤情稳定后，可以申请劳动能力鉴定。".to_owned()));
    } else if today <= employer_due_on {
        steps.push((
            Some(employer_due_on),
            format!("请提醒用人单位在{employer}前（含当日）向社会保险行政部门申请工伤认定。"),
        ));
        steps.push((
            Some(worker_due_on),
            format!(
                "单位没有申请的，您本人、近亲属或工会可以在{worker}前（含当日）直接申请，不需要单位同意。"
            ),
        ));
    } else if today <= worker_due_on {
        steps.push((
            Some(worker_due_on),
            format!(
                "用人单位的申请期限（{employer}）已过。您本人、近亲属或工会可以在{worker}前（含当日）直接申请工伤认定，不需要单位同意。"
            ),
        ));
    } else {
        steps.push((
            None,
            format!(
                "申请期限（{worker}）已过。不属于您本人原因耽误的时间不计算在期限内，请尽快联系街道总工会或拨打 12351 咨询。"
            ),
        ));
    }
    steps.push((None, "需要帮助时，可以联系所在街道总工会，或拨打 12351 申请法律援助。".to_owned()));
    steps
}

/// What the worker is told when a term is about to end.
pub fn warning(term: TermOf, due_on: NaiveDate) -> (&'static str, String) {
    let due = written(due_on);
    match term {
        TermOf::Employer => (
            "用人单位的申请期限将到",
            format!("用人单位应在{due}前（含当日）申请工伤认定，请提醒单位尽快办理。"),
        ),
        TermOf::Worker => (
            "您本人的申请期限将到",
            format!("您本人、近亲属或工会应在{due}前（含当日）申请工伤认定，逾期可能影响待遇。"),
        ),
    }
}

fn written(day: NaiveDate) -> String {
    day.format("%Y年%-m月%-d日").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::calendar::DayKind;
    use uuid::Uuid;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn calendar() -> Calendar {
        let off = (1..=8).map(|number| (day(&format!("2025-10-0{number}")), DayKind::Holiday));
        Calendar::new(off, [2025, 2026])
    }

    #[test]
    fn terms_end_on_working_days() {
        let thirty = Length::Days(Term::calendar(30));
        let year = Length::Months(12);
        for (injured, employer, worker) in [
            // The day of the injury does not count.
            ("2025-06-16", "2025-07-16", "2026-06-16"),
            // A Saturday; a Sunday.
            ("2025-06-19", "2025-07-21", "2026-06-19"),
            ("2025-06-20", "2025-07-21", "2026-06-22"),
            // A holiday.
            ("2025-09-01", "2025-10-09", "2026-09-01"),
            // No such day next year.
            ("2024-02-29", "2024-04-01", "2025-02-28"),
        ] {
            let found = (due_on(day(injured), thirty, &calendar()), due_on(day(injured), year, &calendar()));
            assert_eq!(found, (day(employer), day(worker)), "{injured}");
        }
    }

    #[test]
    fn a_term_is_amber_from_the_seventh_day_before_its_last() {
        let due = day("2025-07-16");
        for (today, state) in [
            ("2025-07-08", TermState::Green),
            ("2025-07-09", TermState::Amber),
            ("2025-07-15", TermState::Amber),
            ("2025-07-16", TermState::Red),
            ("2025-07-17", TermState::Breached),
        ] {
            assert_eq!(term_state(due, false, day(today), 7), state, "{today}");
            assert_eq!(term_state(due, true, day(today), 7), TermState::Done);
        }
        assert_eq!(term_state(due, false, day("2025-07-15"), -3), TermState::Green);
    }

    #[test]
    fn a_row_means_the_oldest_of_its_name() {
        let person = |number| PersonId(Uuid::from_u128(number));
        let known = |number, name: &str| (person(number), Some(name.to_owned()));
        let (li, zhang, zhang_again) = (known(1, "李四"), known(2, "张 三"), known(3, "张三"));
        let nameless = (person(4), None);
        assert_eq!(meant("张三", false, &[]), Meant::New);
        assert_eq!(meant("张三", false, &[li.clone(), zhang, zhang_again]), Meant::Known(person(2)));
        assert_eq!(meant("张三", false, std::slice::from_ref(&nameless)), Meant::Known(person(4)));
        assert_eq!(meant("张三", true, std::slice::from_ref(&nameless)), Meant::New);
        assert_eq!(meant("张三", false, std::slice::from_ref(&li)), Meant::NameDiffers);
        assert_eq!(meant("张三", true, std::slice::from_ref(&li)), Meant::New);
        assert_eq!(meant("张三", false, &[li, nameless]), Meant::NameDiffers);
    }

    #[test]
    fn one_gift_makes_it_a_visit_with_a_gift() {
        use VisitForm::{GiftOnly, Visit};
        assert_eq!(role(&[]), None);
        assert_eq!(role(&[(Visit, false)]), Some(AttendanceRole::Participant));
        assert_eq!(role(&[(Visit, false), (Visit, true)]), Some(AttendanceRole::Gift));
        // Under its own topic everybody counts, whatever their role.
        assert_eq!(role(&[(GiftOnly, true)]), Some(AttendanceRole::Participant));
    }

    #[test]
    fn the_next_step_is_whose_term_still_runs() {
        let standing = Standing {
            employer_due_on: day("2025-07-16"),
            worker_due_on: day("2026-06-16"),
            application: None,
            decision_days: 60,
        };
        let first = |standing, today| next_steps(standing, day(today)).remove(0);
        let (by, text) = first(standing, "2025-07-16");
        assert_eq!(by, Some(day("2025-07-16")));
        assert!(text.contains("用人单位在2025年7月16日前"), "{text}");
        let (by, text) = first(standing, "2025-07-17");
        assert_eq!(by, Some(day("2026-06-16")));
        assert!(text.contains("2025年7月16日）已过"), "{text}");
        assert_eq!(first(standing, "2026-06-17").0, None);
        let applied = Standing { application: Some((day("2025-07-01"), Applicant::Union)), ..standing };
        let (by, text) = first(applied, "2026-06-17");
        assert_eq!(by, None);
        assert!(text.contains("工会已于2025年7月1日") && text.contains("60 日内"), "{text}");
    }

    #[test]
    fn what_may_be_told_is_read_from_the_policy() {
        let topics = told_topics("rights:权利; apply:流程;broken");
        assert_eq!(topics, [("rights".into(), "权利".into()), ("apply".into(), "流程".into())]);
    }
}
