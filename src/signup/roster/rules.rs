//! Pure rules of rosters: which rows can be read, and who they name.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::PersonId;
use crate::offering::model::Activity;
use crate::people::phone::Phone;
use crate::platform::vault::normalise;

crate::text_enum! {
    /// What became of a row of a roster.
    pub enum Verdict {
        /// 已提名，待本人确认: a place is kept until the worker has answered.
        Nominated = "nominated",
        /// 已报名.
        AlreadySignedUp = "already_signed_up",
        /// 未注册: none of the union's people has this phone number; they are to open the mini-program once.
        NotRegistered = "not_registered",
        /// 姓名不符.
        NameDiffers = "name_differs",
        /// 名额不足.
        Full = "full",
        /// 无对应名额: no quota is for them.
        NotCovered = "not_covered",
        /// 时间冲突: they have a place elsewhere at the same time.
        Clash = "clash",
        /// 非认证会员: the activity is for verified members only.
        NotMember = "not_member",
    }
}

impl Verdict {
    /// For people.
    pub fn text(self) -> Text {
        match self {
            Self::Nominated => Text::new("已提名，待本人确认", "nominated; the worker is asked"),
            Self::AlreadySignedUp => Text::new("已报名", "already signed up"),
            Self::NotRegistered => Text::new(
                "本单位职工中没有该手机号，请本人先打开小程序登记手机号和单位",
                "none of the union's people has this number; ask them to open the mini-program once",
            ),
            Self::NameDiffers => {
                Text::new("姓名与本人登记的不一致", "the name is not the one they registered")
            }
            Self::Full => Text::new("名额不足", "no place is left"),
            Self::NotCovered => Text::new("没有对应的名额", "no quota covers them"),
            Self::Clash => {
                Text::new("与其已报名的其他活动时间冲突", "they have a place elsewhere at that time")
            }
            Self::NotMember => Text::new(
                "该活动仅限已认证的工会会员，请本人先申请会籍认证",
                "the activity is for verified members; ask them to claim their membership first",
            ),
        }
    }

    /// The verdict that a refusal of a place comes to; none for what is wrong with the whole roster.
    pub fn of(refusal: &Error) -> Option<Self> {
        match refusal.code() {
            Code::SignupFull => Some(Self::Full),
            Code::SignupNotCovered => Some(Self::NotCovered),
            _ => None,
        }
    }

    /// It as a fault of the row at `place`, for a roster that is taken as a whole or not at all.
    pub fn fault(self, place: usize) -> Fault {
        Fault::new(format!("/rows/{place}"), self.as_str(), self.text())
    }
}

/// A row that could be read.
#[derive(Debug, Clone)]
pub struct Row {
    /// As the union writes it.
    pub name: String,
    /// By which the person is found.
    pub phone: Phone,
}

/// Reads rows of names and phone numbers.
///
/// # Errors
/// All wrong numbers, and all rows that name somebody a second time (`duplicate_row`).
pub fn read(rows: Vec<(String, String)>) -> Result<Vec<Row>> {
    let mut faults = Vec::new();
    let mut read: Vec<Row> = Vec::with_capacity(rows.len());
    let mut first: HashMap<String, usize> = HashMap::new();
    for (place, (name, phone)) in rows.into_iter().enumerate() {
        let at = format!("/rows/{place}/phone");
        match Phone::parse(&phone) {
            Err(fault) => faults.push(Fault::new(at, "phone", Text::new(fault.zh(), fault.en()))),
            Ok(phone) => {
                if let Some(earlier) = first.get(phone.as_str()) {
                    let row = earlier + 1;
                    let text = Text::new(
                        format!("与第 {row} 行是同一人"),
                        format!("the same person as in row {row}"),
                    );
                    faults.push(Fault::new(at, "duplicate_row", text));
                } else {
                    first.insert(phone.as_str().to_owned(), place);
                }
                read.push(Row { name, phone });
            }
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(Error::invalid(faults)) }
}

/// Somebody who has the phone number of a row.
#[derive(Debug, Clone)]
pub struct Known {
    /// Who.
    pub person: PersonId,
    /// As they registered it.
    pub name: Option<String>,
    /// The path of their workplace.
    pub path: Option<String>,
    /// Whether nobody may act with their account.
    pub disabled: bool,
}

/// Whom a row of the union at `path` names. Of people who are not the union's nothing is said, not even that they are registered.
pub fn identify(name: &str, path: &str, known: &[Known]) -> std::result::Result<PersonId, Verdict> {
    let theirs: Vec<&Known> = known
        .iter()
        .filter(|one| !one.disabled && one.path.as_deref().is_some_and(|own| own.starts_with(path)))
        .collect();
    if theirs.is_empty() {
        return Err(Verdict::NotRegistered);
    }
    let wanted = normalise(name);
    let same = theirs.iter().find(|one| one.name.as_deref().is_some_and(|own| normalise(own) == wanted));
    same.map(|one| one.person).ok_or(Verdict::NameDiffers)
}

/// Places that are to be kept for people who are named later.
pub fn check_later(
    activity: &Activity,
    name_later: i64,
    name_by: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Option<(i64, DateTime<Utc>)>> {
    let fault = |code, zh, en| Err(Error::invalid(vec![Fault::new("/name_by", code, Text::new(zh, en))]));
    match (name_later, name_by) {
        (0, None) => Ok(None),
        (0, Some(_)) => fault("unused", "没有待提名的名额", "no places are to be named later"),
        (_, None) => fault("required", "请填写提交名单的期限", "say until when people are named"),
        (_, Some(by)) if by <= now => fault("past", "期限须晚于现在", "is not after now"),
        (_, Some(by)) if by > activity.signup_closes_at.and_utc() => {
            fault("too_late", "期限须不晚于报名截止", "is after sign-up closes")
        }
        (places, Some(by)) => Ok(Some((places, by))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const UNION: &str = "/longgang/street-pinghu/demo-enterprise-pinghu-1/";

    fn known(number: u128, name: &str, path: &str, disabled: bool) -> Known {
        let person = PersonId(Uuid::from_u128(number));
        Known { person, name: Some(name.into()), path: Some(path.into()), disabled }
    }

    #[test]
    fn everybody_else_is_as_if_unknown() {
        let nobody = identify("张三", UNION, &[]);
        assert_eq!(nobody, Err(Verdict::NotRegistered));
        for other in [
            known(1, "张三", "/longgang/street-pinghu/demo-enterprise-pinghu-2/", false),
            known(1, "张三", "/longgang/street-pinghu/", false),
            known(1, "张三", UNION, true),
            Known { path: None, ..known(1, "张三", UNION, false) },
        ] {
            assert_eq!(identify("张三", UNION, std::slice::from_ref(&other)), nobody, "{other:?}");
            // Nor does another name say that somebody is there.
            assert_eq!(identify("李四", UNION, &[other]), nobody);
        }
    }

    #[test]
    fn a_name_is_compared_as_it_is_read() {
        let zhang = [known(1, "张三", UNION, false)];
        assert_eq!(identify(" 张 三 ", UNION, &zhang), Ok(zhang[0].person));
        assert_eq!(identify("张四", UNION, &zhang), Err(Verdict::NameDiffers));
        let both = [known(1, "张三", UNION, false), known(2, "李四", UNION, false)];
        assert_eq!(identify("李四", UNION, &both), Ok(both[1].person));
        let nameless = Known { name: None, ..known(1, "", UNION, false) };
        assert_eq!(identify("", UNION, &[nameless]), Err(Verdict::NameDiffers));
    }

    #[test]
    fn every_wrong_row_is_named() {
        let row = |phone: &str| ("张三".to_owned(), phone.to_owned());
        let rows = vec![row("13800138000"), row("1380013800"), row("+86 138-0013-8000"), row("13800138001")];
        let error = read(rows).unwrap_err();
        let named: Vec<(&str, &str)> =
            error.inner().faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        assert_eq!(named, [("/rows/1/phone", "phone"), ("/rows/2/phone", "duplicate_row")]);
    }

    proptest! {
        #[test]
        fn a_roster_is_read_when_nobody_is_in_it_twice(last in prop::collection::vec(0_u32..12, 0..10)) {
            let rows: Vec<(String, String)> =
                last.iter().map(|n| ("张三".to_owned(), format!("138001380{n:02}"))).collect();
            let mut distinct = last.clone();
            distinct.sort_unstable();
            distinct.dedup();
            match read(rows) {
                Ok(read) => prop_assert_eq!((read.len(), distinct.len()), (last.len(), last.len())),
                Err(error) => prop_assert_eq!(error.inner().faults.len(), last.len() - distinct.len()),
            }
        }
    }
}
