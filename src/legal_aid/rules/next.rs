//! Where a request stands, for whoever asked: what has happened, what comes next, by when, and whose turn it is.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::clock::civil_day;
use crate::legal_aid::machine::{self, Act};
use crate::legal_aid::model::{CaseState, ClockKind, LegalClock};
use crate::legal_aid::papers::naming;

crate::text_enum! {
    /// Whose turn it is.
    pub enum WhoseTurn {
        /// The applicant's.
        You = "you",
        /// The desk's.
        Desk = "desk",
        /// Nobody's.
        Nobody = "nobody",
    }
}

crate::text_enum! {
    /// What an applicant may do.
    pub enum OwnAct {
        /// 补充材料
        Supply = "supply",
        /// 补交证据
        AddEvidence = "add_evidence",
        /// 撤回
        Withdraw = "withdraw",
        /// 提出异议
        Object = "object",
    }
}

impl OwnAct {
    /// The act that it is.
    pub fn act(self) -> Act {
        match self {
            Self::Supply => Act::Supply,
            Self::AddEvidence => Act::AddEvidence,
            Self::Withdraw => Act::Withdraw,
            Self::Object => Act::Object,
        }
    }
}

/// What the applicant may do with a request in `state`.
pub fn may(state: CaseState) -> Vec<OwnAct> {
    OwnAct::ALL.iter().copied().filter(|own| machine::transition(own.act(), state).is_ok()).collect()
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// Whose turn it is.
    pub turn: WhoseTurn,
    /// The last day for it.
    pub by: Option<NaiveDate>,
    /// Whether that is over.
    pub late: bool,
    /// In Chinese.
    pub text: String,
}

/// What comes next of a request in `state`, whose `clocks` are not done with.
pub fn next(state: CaseState, clocks: &[LegalClock], now: DateTime<Utc>) -> Vec<Next> {
    let due = |kind: ClockKind| {
        let clock = clocks.iter().find(|clock| clock.kind == kind)?;
        let due = clock.due_at?.and_utc();
        Some((civil_day(due - TimeDelta::seconds(1)), due <= now))
    };
    let step = |turn: WhoseTurn, kind: ClockKind, before: &str, what: &str| match due(kind) {
        Some((day, true)) if turn == WhoseTurn::Desk => Next {
            turn,
            by: Some(day),
            late: true,
            text: format!(
                "{before}本应在{}前{what}，现已超过期限。您可以留言催办，也可以拨打职工维权热线12351反映。",
                naming::day(day)
            ),
        },
        Some((day, late)) => Next {
            turn,
            by: Some(day),
            late,
            text: format!("{before}最迟在{}前（含当日）{what}。", naming::day(day)),
        },
        None => Next { turn, by: None, late: false, text: format!("{before}{what}。") },
    };
    let plain = |turn: WhoseTurn, text: &str| Next { turn, by: None, late: false, text: text.to_owned() };
    let mut all = match state {
        CaseState::Received => {
            vec![step(
                WhoseTurn::Desk,
                ClockKind::Review,
                "受理机构",
                "审查您的申请，决定是否援助并书面告知您",
            )]
        }
        CaseState::Supplement => vec![
            step(
                WhoseTurn::You,
                ClockKind::Supplement,
                "请您",
                "补充通知书列明的材料，逾期未补充的视为撤回申请",
            ),
            plain(WhoseTurn::Desk, "您补充材料后，审查期限继续计算。等待补充的日子不计入审查期限。"),
        ],
        CaseState::Accepted => {
            vec![step(WhoseTurn::Desk, ClockKind::Assign, "受理机构", "指派承办人员并通知您")]
        }
        CaseState::Assigned => {
            vec![plain(WhoseTurn::Desk, "承办人员会与您联系并开始办理。您可以留言，也可以补交证据。")]
        }
        CaseState::Handling => vec![plain(
            WhoseTurn::Desk,
            "承办人员正在办理。您可以随时留言询问进展、补交证据；对承办律师不满意的，可以申请更换。",
        )],
        CaseState::Refused | CaseState::Terminated if due(ClockKind::Objection).is_some() => {
            vec![step(WhoseTurn::Desk, ClockKind::Objection, "您的异议正在复核，复核人", "书面答复您")]
        }
        CaseState::Refused | CaseState::Terminated => vec![plain(
            WhoseTurn::You,
            "决定书写明了理由。不同意的，可以按决定书写明的办法提出异议；同时请注意仲裁和诉讼的时效。",
        )],
        CaseState::Closed => {
            vec![plain(WhoseTurn::You, "案件已办结，请对承办情况作出评价。结案报告可以在文书中查看。")]
        }
        CaseState::Withdrawn => vec![plain(WhoseTurn::Nobody, "您已撤回。需要帮助时可以随时重新申请。")],
        CaseState::DeemedWithdrawn => {
            vec![plain(WhoseTurn::Nobody, "因逾期未补充材料，申请视为撤回。材料备齐后可以重新申请。")]
        }
        CaseState::Annulled => {
            vec![plain(WhoseTurn::Nobody, "受理决定已撤销，决定书写明了理由。情况变化后可以重新申请。")]
        }
    };
    if !state.is_over() && due(ClockKind::Papers).is_some() {
        all.insert(
            0,
            step(WhoseTurn::You, ClockKind::Papers, "因情况紧急已先行提供援助，请您", "补办手续、补充材料"),
        );
    }
    all
}

/// What happened, in the applicant's words; of what does not concern them, nothing.
pub fn happened(act: &str) -> Option<&'static str> {
    Some(match act {
        "ask" => "您提出了申请",
        "take" | "hand_out" => "承办人已接手您的申请",
        "notice" => "受理机构一次性告知了需要补充的材料",
        "supply" => "您补充了材料",
        "add_evidence" => "您补交了证据",
        "lapse" => "逾期未补充材料，申请视为撤回",
        "provisional" => "因情况紧急，受理机构决定先行提供援助",
        "papers" => "补办的材料已齐全",
        "accept" => "受理机构决定给予法律援助",
        "refuse" => "受理机构决定不予援助",
        "assign" => "已指派承办人员",
        "reassign" => "已更换承办人员",
        "start" => "承办人员开始办理",
        "terminate" => "法律援助已终止",
        "annul" => "受理决定已撤销",
        "object" => "您提出了异议",
        "uphold" => "异议成立，原决定已撤销",
        "dismiss" => "异议不成立，维持原决定",
        "close" => "案件已办结",
        "withdraw" => "您撤回了申请",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{day_start, db_time};

    fn clock(kind: ClockKind, last_day: Option<&str>) -> LegalClock {
        let due =
            last_day.map(|day| db_time(day_start(day.parse::<NaiveDate>().unwrap().succ_opt().unwrap())));
        LegalClock {
            id: uuid::Uuid::from_u128(1).into(),
            case_id: uuid::Uuid::from_u128(2).into(),
            kind,
            term: String::new(),
            started_at: db_time(DateTime::UNIX_EPOCH),
            due_at: due,
            amber_at: None,
            trail: String::new(),
            stopped_at: None,
            warned_at: None,
            breached_at: None,
        }
    }

    fn at(day: &str) -> DateTime<Utc> {
        day_start(day.parse().unwrap()) + TimeDelta::hours(10)
    }

    #[test]
    fn the_last_day_is_said_until_it_is_over() {
        let clocks = [clock(ClockKind::Review, Some("2025-06-23"))];
        let told = next(CaseState::Received, &clocks, at("2025-06-23"));
        assert_eq!((told.len(), told[0].turn, told[0].late), (1, WhoseTurn::Desk, false));
        assert_eq!(told[0].by, Some("2025-06-23".parse().unwrap()));
        assert!(told[0].text.contains("最迟在2025年6月23日前（含当日）"), "{}", told[0].text);
        let late = next(CaseState::Received, &clocks, at("2025-06-24"));
        assert!(late[0].late && late[0].text.contains("12351"), "{}", late[0].text);
    }

    #[test]
    fn whoever_owes_papers_is_told_first() {
        let clocks =
            [clock(ClockKind::Assign, Some("2025-06-19")), clock(ClockKind::Papers, Some("2025-06-26"))];
        let told = next(CaseState::Accepted, &clocks, at("2025-06-16"));
        assert_eq!(told.iter().map(|one| one.turn).collect::<Vec<_>>(), [WhoseTurn::You, WhoseTurn::Desk]);
        let standing = [clock(ClockKind::Review, None), clock(ClockKind::Supplement, Some("2025-07-01"))];
        let told = next(CaseState::Supplement, &standing, at("2025-06-16"));
        assert_eq!(told[0].by, Some("2025-07-01".parse().unwrap()));
        assert_eq!(told[0].turn, WhoseTurn::You);
    }

    #[test]
    fn something_is_said_of_every_state() {
        for state in CaseState::ALL {
            let told = next(*state, &[], at("2025-06-16"));
            assert!(!told.is_empty() && told.iter().all(|one| one.text.ends_with('。')), "{state}");
        }
    }

    #[test]
    fn one_may_what_the_table_allows() {
        assert_eq!(may(CaseState::Received), [OwnAct::AddEvidence, OwnAct::Withdraw]);
        assert_eq!(may(CaseState::Supplement), [OwnAct::Supply, OwnAct::AddEvidence, OwnAct::Withdraw]);
        assert_eq!(may(CaseState::Refused), [OwnAct::Object]);
        assert!(may(CaseState::Closed).is_empty());
    }

    #[test]
    fn every_act_is_told_in_words() {
        let tables =
            machine::TRANSITIONS.iter().map(|line| line.0).chain(machine::STAYS.iter().map(|line| line.0));
        for act in tables {
            assert!(happened(act).is_some(), "{act}");
        }
    }
}
