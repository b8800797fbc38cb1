//! How documents name things, in Chinese.

use chrono::{Datelike, NaiveDate};

use super::model::DocumentKind;
use crate::legal_aid::model::{AidForm, Category, Ground, Matter};
use crate::policy::clock::{DayUnit, Term};

/// The class of a case.
pub fn category(category: Category) -> &'static str {
    match category {
        Category::LabourDispute => "劳动争议",
        Category::Rights => "因劳动权益涉及的职工人身权、民主权、财产权受到侵犯",
        Category::UnionWorker => "工会工作者因履行职责合法权益受到侵犯",
        Category::UnionBody => "工会组织合法权益受到侵犯",
        Category::Other => "其他需要提供法律援助的事项",
    }
}

/// The matter of a case.
pub fn matter(matter: Matter) -> &'static str {
    match matter {
        Matter::StateCompensation => "依法请求国家赔偿",
        Matter::SocialInsurance => "请求给予社会保险待遇或者社会救助",
        Matter::Pension => "请求发给抚恤金",
        Matter::Maintenance => "请求给付赡养费、抚养费、扶养费",
        Matter::LabourRelation => "请求确认劳动关系或者支付劳动报酬",
        Matter::CivilCapacity => "请求认定公民无民事行为能力或者限制民事行为能力",
        Matter::Injury => "请求工伤事故、交通事故、食品药品安全事故、医疗事故人身损害赔偿",
        Matter::Environment => "请求环境污染、生态破坏损害赔偿",
        Matter::Other => "法律、法规、规章规定的其他情形",
    }
}

/// The form of aid.
pub fn form(form: AidForm) -> &'static str {
    match form {
        AidForm::Consultation => "法律咨询",
        AidForm::Drafting => "代拟法律文书",
        AidForm::Mediation => "协商、调解",
        AidForm::Representation => "代理仲裁、诉讼",
    }
}

/// Why aid is terminated, with the number of the ground in the article.
pub fn ground(ground: Ground) -> &'static str {
    match ground {
        Ground::Fraud => "第（一）项：受援人以欺骗或者其他不正当手段获得法律援助",
        Ground::ConcealedFacts => "第（二）项：受援人故意隐瞒与案件有关的重要事实或者提供虚假证据",
        Ground::UnlawfulUse => "第（三）项：受援人利用法律援助从事违法活动",
        Ground::NoLongerEntitled => "第（四）项：受援人的经济状况发生变化，不再符合法律援助条件",
        Ground::CaseEnded => "第（五）项：案件终止审理或者已经被撤销",
        Ground::OtherCounsel => "第（六）项：受援人自行委托律师或者其他代理人",
        Ground::Asked => "第（七）项：受援人有正当理由要求终止法律援助",
        Ground::Other => "第（八）项：法律法规规定的其他情形",
    }
}

/// A document that another one is about, such as 《不予法律援助决定书》（平湖街道法援不〔2025〕1号）.
pub fn about(kind: DocumentKind, number: &str) -> String {
    let title = match kind {
        DocumentKind::Receipt => "法律援助申请收件回执",
        DocumentKind::SupplementNotice => "法律援助补充材料通知书",
        DocumentKind::Acceptance => "给予法律援助决定书",
        DocumentKind::Refusal => "不予法律援助决定书",
        DocumentKind::ProvisionalAid => "先行提供法律援助决定书",
        DocumentKind::Assignment => "法律援助指派通知书",
        DocumentKind::Termination => "终止法律援助决定书",
        DocumentKind::ObjectionAnswer => "法律援助异议答复书",
        DocumentKind::ClosingReport => "法律援助结案报告",
        DocumentKind::Annulment => "撤销给予法律援助决定书",
    };
    format!("《{title}》（{number}）")
}

/// What was decided about an objection.
pub fn decision(upheld: bool) -> &'static str {
    if upheld {
        "异议成立，撤销原决定，本会继续为你办理法律援助。"
    } else {
        "异议不成立，维持原决定。"
    }
}

/// A day, such as 2025年6月16日.
pub fn day(day: NaiveDate) -> String {
    format!("{}年{}月{}日", day.year(), day.month(), day.day())
}

/// A term, such as 7日.
pub fn term(term: Term) -> String {
    match term.unit {
        DayUnit::CalendarDays => format!("{}日", term.days),
        DayUnit::WorkingDays => format!("{}个工作日", term.days),
    }
}

/// Money, such as 12,345.60元.
pub fn money(fen: i64) -> String {
    let (yuan, rest) = (fen / 100, fen.unsigned_abs() % 100);
    let digits = yuan.unsigned_abs().to_string();
    let mut text = if fen < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text}.{rest:02}元")
}

/// A time that was spent, such as 3小时30分钟.
pub fn duration(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, rest) => format!("{rest}分钟"),
        (hours, 0) => format!("{hours}小时"),
        (hours, rest) => format!("{hours}小时{rest}分钟"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_to_the_fen() {
        for (fen, text) in [
            (0, "0.00元"),
            (5, "0.05元"),
            (100, "1.00元"),
            (1_234_560, "12,345.60元"),
            (100_000_000_099, "1,000,000,000.99元"),
        ] {
            assert_eq!(money(fen), text);
        }
    }

    #[test]
    fn times_and_days_are_written_as_people_say_them() {
        assert_eq!([duration(45), duration(120), duration(210)], ["45分钟", "2小时", "3小时30分钟"]);
        assert_eq!(day(NaiveDate::from_ymd_opt(2025, 6, 16).unwrap()), "2025年6月16日");
        assert_eq!([term(Term::calendar(7)), term(Term::working(3))], ["7日", "3个工作日"]);
    }
}
