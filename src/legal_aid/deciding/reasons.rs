//! The catalogue of reasons for which aid is refused, and how one may object. Each reason names what it rests on.

use crate::error::{Error, Fault, Result, Text};
use crate::legal_aid::model::Ground;

crate::text_enum! {
    /// Why aid is refused.
    pub enum RefusalReason {
        /// 不属于工会法律援助范围
        OutOfScope = "out_of_scope",
        /// 不属于本会受理范围，应当向其他机构申请
        OtherBody = "other_body",
        /// 经济状况不符合条件，且不属于免予核查的情形
        Means = "means",
        /// 同一事项已获得法律援助
        GivenAlready = "given_already",
        /// 申请人已就同一事项自行委托律师
        OtherCounsel = "other_counsel",
        /// 事实不清、没有证据，经一次性告知后仍无法核实
        NoFacts = "no_facts",
        /// 其他
        Other = "other",
    }
}

impl RefusalReason {
    /// As it stands in a decision.
    pub fn zh(self) -> &'static str {
        match self {
            Self::OutOfScope => "申请事项不属于工会法律援助的范围",
            Self::OtherBody => "申请事项不由本会受理，应当向其他机构提出",
            Self::Means => "申请人的经济状况不符合条件，且不属于免予核查经济状况的情形",
            Self::GivenAlready => "申请人就同一事项已经获得法律援助",
            Self::OtherCounsel => "申请人就同一事项已经自行委托律师或者其他代理人",
            Self::NoFacts => "一次性告知需要补充的材料后，申请所依据的事实仍然无法核实",
            Self::Other => "其他理由",
        }
    }

    /// What it rests on.
    pub fn basis(self) -> &'static str {
        match self {
            Self::OutOfScope | Self::OtherBody => "参照法律援助法第三十一条，总工发〔2008〕52号",
            Self::Means => "参照法律援助法第三十四条、第四十一条、第四十二条，总工发〔2008〕52号",
            Self::GivenAlready | Self::NoFacts => "参照法律援助法第四十三条",
            Self::OtherCounsel => "参照法律援助法第四十八条第一款第（六）项",
            Self::Other => "由作出决定的人员写明",
        }
    }
}

/// What a termination rests on.
pub fn ground_zh(ground: Ground) -> &'static str {
    match ground {
        Ground::Fraud => "（一）受援人以欺骗或者其他不正当手段获得法律援助",
        Ground::ConcealedFacts => "（二）受援人故意隐瞒与案件有关的重要事实或者提供虚假证据",
        Ground::UnlawfulUse => "（三）受援人利用法律援助从事违法活动",
        Ground::NoLongerEntitled => "（四）受援人的经济状况发生变化，不再符合法律援助条件",
        Ground::CaseEnded => "（五）案件终止审理或者已经被撤销",
        Ground::OtherCounsel => "（六）受援人自行委托律师或者其他代理人",
        Ground::Asked => "（七）受援人有正当理由要求终止法律援助",
        Ground::Other => "（八）法律法规规定的其他情形",
    }
}

/// What an applicant may do against a decision that takes aid from them, with the days in which they are answered.
pub fn appeal_notice(term: &str) -> String {
    format!(
        "对本决定有异议的，可以在“我的法律援助”中提出，也可以书面提出。由没有参与本决定的负责人审查，自收到异议之日起{term}内书面答复（参照法律援助法第四十九条）。"
    )
}

/// The reasons of a refusal as they stand in it: what the catalogue says, then the officer's words.
pub fn refusal_text(codes: &[RefusalReason], words: &str) -> String {
    let mut lines: Vec<String> =
        codes.iter().map(|code| format!("{}（{}）。", code.zh(), code.basis())).collect();
    lines.push(words.trim().to_owned());
    lines.join("\n")
}

/// Refuses reasons that are none: no code, one code twice, no words of the officer's own.
pub fn check(codes: &[RefusalReason], words: &str) -> Result<()> {
    let mut faults = Vec::new();
    if codes.is_empty() {
        let text = Text::new("至少选择一项理由", "name at least one reason");
        faults.push(Fault::new("/reasons", "required", text));
    }
    for (place, code) in codes.iter().enumerate() {
        if codes.iter().take(place).any(|before| before == code) {
            let text = Text::new("重复", "given twice");
            faults.push(Fault::new(format!("/reasons/{place}"), "duplicate", text));
        }
    }
    if words.trim().is_empty() {
        let text = Text::new("请写明理由", "say why in your own words");
        faults.push(Fault::new("/text", "required", text));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_it_rests_on_and_what_the_officer_says() {
        let text = refusal_text(
            &[RefusalReason::OutOfScope, RefusalReason::Means],
            " 申请人经营的公司不是用人单位。 ",
        );
        assert!(text.contains("范围") && text.contains("第四十二条"), "{text}");
        assert!(text.ends_with("申请人经营的公司不是用人单位。"), "{text}");
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn no_reason_and_one_reason_twice_are_none() {
        let words = "申请人经营的公司不是用人单位。";
        assert!(check(&[], words).is_err());
        assert!(check(&[RefusalReason::Other, RefusalReason::Other], words).is_err());
        assert!(check(&[RefusalReason::Other], " \u{3000}\n").is_err());
        assert!(check(&[RefusalReason::Other], words).is_ok());
    }

    #[test]
    fn every_ground_of_the_law_has_its_number() {
        let numbers = ["（一）", "（二）", "（三）", "（四）", "（五）", "（六）", "（七）", "（八）"];
        for (ground, number) in Ground::ALL.iter().zip(numbers) {
            assert!(ground_zh(*ground).starts_with(number), "{ground}");
        }
        assert_eq!(Ground::ALL.len(), numbers.len());
    }

    #[test]
    fn an_appeal_notice_says_the_days() {
        assert!(appeal_notice("5日").contains("5日内"));
        assert!(appeal_notice("5日").chars().count() >= 10);
    }
}
