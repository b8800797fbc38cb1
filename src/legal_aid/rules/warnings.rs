//! What an applicant is told of the terms of the law, in plain words and each with its article.

use chrono::NaiveDate;

use super::terms::Limitation;
use crate::legal_aid::model::{Category, ClaimEvent, Matter};
use crate::legal_aid::papers::naming;

/// A figure of a policy, as it is said, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Such as 15日.
    pub said: String,
    /// The law and its article.
    pub source: String,
}

/// The figures that are said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// To ask for arbitration.
    pub limitation: Figure,
    /// To go to court about anything else.
    pub civil: Figure,
    /// Mediation.
    pub mediation: Figure,
    /// Whether the commission takes it.
    pub acceptance: Figure,
    /// Until the award.
    pub award: Figure,
    /// What may be added.
    pub award_extension: Figure,
    /// To go to court against an award.
    pub sue: Figure,
    /// The employer's, to apply for the recognition of an injury.
    pub injury_employer: Figure,
    /// The worker's.
    pub injury_worker: Figure,
    /// Until an injury is recognised or not.
    pub injury_decision: Figure,
}

/// What somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Which, for programs.
    pub code: &'static str,
    /// In Chinese.
    pub text: String,
    /// Where it stands.
    pub source: String,
    /// The last day for it.
    pub by: Option<NaiveDate>,
}

/// What a request is about.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Its class.
    pub category: Category,
    /// The matter of article 31.
    pub matter: Option<Matter>,
    /// What happened.
    pub event: Option<ClaimEvent>,
    /// How long there is left.
    pub limitation: Limitation,
}

/// What the applicant of a request should know today, the most pressing first.
pub fn warnings(about: About, figures: &Figures, today: NaiveDate) -> Vec<Warning> {
    let mut all: Vec<Warning> = limitation(about, figures, today).into_iter().collect();
    if about.event == Some(ClaimEvent::Injured) || about.matter == Some(Matter::Injury) {
        all.extend(injury(figures));
    }
    if about.category == Category::LabourDispute {
        all.extend(labour(figures));
    }
    all
}

fn limitation(about: About, figures: &Figures, today: NaiveDate) -> Option<Warning> {
    let is_labour = about.category == Category::LabourDispute
        || matches!(about.event, Some(ClaimEvent::Dismissed | ClaimEvent::Left | ClaimEvent::Unpaid));
    let is_injury = about.event == Some(ClaimEvent::Injured);
    let (figure, act) = match (is_injury, is_labour) {
        (true, _) => (&figures.injury_worker, "自行申请工伤认定"),
        (_, true) => (&figures.limitation, "申请劳动仲裁"),
        _ => (&figures.civil, "向人民法院起诉"),
    };
    let source = figure.source.clone();
    let said = &figure.said;
    Some(match about.limitation {
        Limitation::Unknown if !is_labour => return None,
        Limitation::Unknown => Warning {
            code: "limitation_unknown",
            text: format!(
                "{act}的时效为{said}，从您知道或者应当知道权利被侵害之日起算。请尽快告诉我们被辞退、离职或者被欠薪的日期，以免错过。"
            ),
            source,
            by: None,
        },
        Limitation::NotBegun => Warning {
            code: "limitation_not_begun",
            text: format!(
                "您仍在职期间，追讨被拖欠的劳动报酬，{act}的{said}时效还没有开始计算；一旦离职，请在离职之日起{said}内{act}。"
            ),
            source,
            by: None,
        },
        Limitation::Ends(day) if day < today => Warning {
            code: "limitation_over",
            text: format!(
                "{act}的{said}期限可能已在{}届满。如果这期间您向单位主张过权利、请求过有关部门处理，或者有不可抗力等正当理由，时效可能中断或者中止。请保留证据，尽快与受理机构联系。",
                naming::day(day)
            ),
            source,
            by: Some(day),
        },
        Limitation::Ends(day) => Warning {
            code: "limitation",
            text: format!(
                "请最迟在{}前（含当日）{act}。期限为{said}；申请法律援助不能代替{act}，请不要因等待错过期限。",
                naming::day(day)
            ),
            source,
            by: Some(day),
        },
    })
}

fn injury(figures: &Figures) -> Vec<Warning> {
    let Figures { injury_employer, injury_worker, injury_decision, .. } = figures;
    vec![
        Warning {
            code: "injury_application",
            text: format!(
                "用人单位应当自事故伤害发生之日起{}内申请工伤认定；单位不申请的，您本人、近亲属或者工会可以在{}内直接申请。",
                injury_employer.said, injury_worker.said
            ),
            source: injury_worker.source.clone(),
            by: None,
        },
        Warning {
            code: "injury_decision",
            text: format!("工伤认定申请受理后，应当在{}内作出认定决定。", injury_decision.said),
            source: injury_decision.source.clone(),
            by: None,
        },
    ]
}

fn labour(figures: &Figures) -> Vec<Warning> {
    let Figures { mediation, acceptance, award, award_extension, sue, .. } = figures;
    vec![
        Warning {
            code: "mediation",
            text: format!(
                "申请调解的，调解组织自收到申请之日起{}内未达成调解协议的，您可以直接申请仲裁。",
                mediation.said
            ),
            source: mediation.source.clone(),
            by: None,
        },
        Warning {
            code: "acceptance",
            text: format!(
                "仲裁委员会收到仲裁申请之日起{}内决定是否受理；不予受理或者逾期未作出决定的，您可以就该事项向人民法院起诉。",
                acceptance.said
            ),
            source: acceptance.source.clone(),
            by: None,
        },
        Warning {
            code: "award",
            text: format!(
                "仲裁庭应当自受理仲裁申请之日起{}内裁决，案情复杂的可以延长，但不超过{}；逾期未裁决的，您可以起诉。",
                award.said, award_extension.said
            ),
            source: award.source.clone(),
            by: None,
        },
        Warning {
            code: "sue",
            text: format!(
                "对仲裁裁决不服的，请自收到裁决书之日起{}内向人民法院起诉；期满不起诉的，裁决书发生法律效力。",
                sue.said
            ),
            source: sue.source.clone(),
            by: None,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(said: &str, source: &str) -> Figure {
        Figure { said: said.into(), source: source.into() }
    }

    fn figures() -> Figures {
        Figures {
            limitation: figure("1年", "第二十七条"),
            civil: figure("3年", "第一百八十八条"),
            mediation: figure("15日", "第十四条"),
            acceptance: figure("5日", "第二十九条"),
            award: figure("45日", "第四十三条"),
            award_extension: figure("15日", "第四十三条"),
            sue: figure("15日", "第五十条"),
            injury_employer: figure("30日", "第十七条"),
            injury_worker: figure("1年", "第十七条"),
            injury_decision: figure("60日", "第二十条"),
        }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn told(category: Category, event: Option<ClaimEvent>, limitation: Limitation) -> Vec<Warning> {
        let about = About { category, matter: None, event, limitation };
        warnings(about, &figures(), day("2025-06-16"))
    }

    fn codes(told: &[Warning]) -> Vec<&str> {
        told.iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn whoever_was_dismissed_hears_the_last_day_and_what_follows() {
        let ends = Limitation::Ends(day("2025-06-20"));
        let all = told(Category::LabourDispute, Some(ClaimEvent::Dismissed), ends);
        assert_eq!(codes(&all), ["limitation", "mediation", "acceptance", "award", "sue"]);
        assert!(all[0].text.contains("2025年6月20日前（含当日）申请劳动仲裁"), "{}", all[0].text);
        assert_eq!((all[0].source.as_str(), all[0].by), ("第二十七条", Some(day("2025-06-20"))));
        let last =
            told(Category::LabourDispute, Some(ClaimEvent::Dismissed), Limitation::Ends(day("2025-06-16")));
        assert_eq!(last[0].code, "limitation");
        let over =
            told(Category::LabourDispute, Some(ClaimEvent::Dismissed), Limitation::Ends(day("2025-06-15")));
        assert_eq!(over[0].code, "limitation_over");
        assert!(over[0].text.contains("中断或者中止"));
    }

    #[test]
    fn whoever_is_employed_and_unpaid_hears_that_it_has_not_begun() {
        let all = told(Category::LabourDispute, Some(ClaimEvent::Unpaid), Limitation::NotBegun);
        assert_eq!(all[0].code, "limitation_not_begun");
        assert!(all[0].text.contains("离职之日起1年内"), "{}", all[0].text);
        assert_eq!(all[0].by, None);
    }

    #[test]
    fn the_injured_hear_both_terms() {
        let all = told(Category::Rights, Some(ClaimEvent::Injured), Limitation::Ends(day("2026-05-06")));
        assert_eq!(codes(&all), ["limitation", "injury_application", "injury_decision"]);
        assert!(all[0].text.contains("自行申请工伤认定"));
        assert!(all[1].text.contains("30日") && all[1].text.contains("1年"));
    }

    #[test]
    fn what_is_no_labour_dispute_has_no_arbitration() {
        assert!(told(Category::Other, None, Limitation::Unknown).is_empty());
        let all = told(Category::Rights, Some(ClaimEvent::Other), Limitation::Ends(day("2028-01-03")));
        assert_eq!(codes(&all), ["limitation"]);
        assert!(all[0].text.contains("向人民法院起诉"));
        assert_eq!(codes(&told(Category::LabourDispute, None, Limitation::Unknown))[0], "limitation_unknown");
    }
}
