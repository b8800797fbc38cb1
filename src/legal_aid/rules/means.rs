//! Whose means are not looked at, and what everybody else declares (法律援助法 第四十一条、第四十二条).
//!
//! Nobody is asked for a stamped paper about being poor: either the law exempts somebody, which one paper of many shows, or their own word
//! is enough.

use crate::legal_aid::model::{Category, Matter};

crate::text_enum! {
    /// Whose means are not looked at (法律援助法 第四十二条).
    pub enum Exemption {
        /// 无固定生活来源的未成年人
        Minor = "minor",
        /// 无固定生活来源的老年人
        Elderly = "elderly",
        /// 无固定生活来源的残疾人
        Disabled = "disabled",
        /// 社会救助对象
        SocialRelief = "social_relief",
        /// 司法救助对象
        JudicialRelief = "judicial_relief",
        /// 优抚对象
        PreferentialCare = "preferential_care",
        /// 进城务工人员申请支付劳动报酬
        MigrantPay = "migrant_pay",
        /// 进城务工人员请求工伤事故人身损害赔偿
        MigrantInjury = "migrant_injury",
        /// 法律、法规、规章规定的其他人员
        OtherByLaw = "other_by_law",
    }
}

impl Exemption {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Minor => "无固定生活来源的未成年人",
            Self::Elderly => "无固定生活来源的老年人",
            Self::Disabled => "无固定生活来源的残疾人",
            Self::SocialRelief => "社会救助对象",
            Self::JudicialRelief => "司法救助对象",
            Self::PreferentialCare => "优抚对象",
            Self::MigrantPay => "申请支付劳动报酬的进城务工人员",
            Self::MigrantInjury => "请求工伤事故人身损害赔偿的进城务工人员",
            Self::OtherByLaw => "法律、法规、规章规定的其他人员",
        }
    }

    /// Papers any one of which shows it. Whoever has none says so, and the desk asks the authority that keeps it.
    pub fn papers(self) -> &'static [&'static str] {
        match self {
            Self::Minor => &["身份证", "户口簿"],
            Self::Elderly => &["身份证", "户口簿", "老年人优待证"],
            Self::Disabled => &["残疾人证", "残疾军人证"],
            Self::SocialRelief => &["最低生活保障证", "特困人员救助供养证", "临时救助决定书"],
            Self::JudicialRelief => &["司法救助决定书", "减免诉讼费用的决定书"],
            Self::PreferentialCare => &["优待证", "烈士遗属、因公牺牲军人遗属、病故军人遗属证明"],
            Self::MigrantPay | Self::MigrantInjury => {
                &["户口簿", "居住证", "劳动合同、工资条、工牌等任一能说明务工情况的材料"]
            }
            Self::OtherByLaw => &["相关证件或者证明"],
        }
    }

    /// Whether it exempts somebody who asks about this.
    pub fn fits(self, category: Category, matter: Option<Matter>) -> bool {
        match self {
            Self::MigrantPay => matter == Some(Matter::LabourRelation),
            Self::MigrantInjury => matter == Some(Matter::Injury),
            // A union is none of these people.
            _ => category != Category::UnionBody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrant_workers_are_exempt_for_pay_and_injuries_only() {
        let fits = |exemption: Exemption, matter| exemption.fits(Category::LabourDispute, matter);
        assert!(fits(Exemption::MigrantPay, Some(Matter::LabourRelation)));
        assert!(!fits(Exemption::MigrantPay, Some(Matter::Injury)));
        assert!(!fits(Exemption::MigrantPay, None));
        assert!(fits(Exemption::MigrantInjury, Some(Matter::Injury)));
        assert!(!fits(Exemption::MigrantInjury, Some(Matter::Environment)));
        assert!(fits(Exemption::SocialRelief, None));
        assert!(!Exemption::SocialRelief.fits(Category::UnionBody, None));
    }

    #[test]
    fn something_shows_each_and_nothing_is_a_proof_of_poverty() {
        for exemption in Exemption::ALL {
            assert!(!exemption.papers().is_empty());
            assert!(exemption.papers().iter().all(|paper| !paper.contains("经济困难证明")));
        }
    }
}
