//! The life of activities and sessions: which change is possible when, by whom, under which condition, and what the
//! audit chain calls it. Every change of state goes through [`transition`] or [`session_transition`]. Pure.

use chrono::{DateTime, Utc};

use super::model::{Activity, ActivityState, Session, SessionState};
use crate::error::{Code, Error, Result};
use crate::platform::access::policy::{CatalogueManage, Permission, SessionFinalise};

crate::text_enum! {
    /// Where in its life an activity is, as people see it.
    pub enum Phase {
        /// 草稿: seen by its organisers only.
        Draft = "draft",
        /// 已发布: sign-up is not open yet.
        Published = "published",
        /// 报名中: sign-up is open.
        Open = "open",
        /// 报名截止: sign-up is over.
        Closed = "closed",
        /// 已分配: every request is decided; the places are given.
        Allocated = "allocated",
        /// 进行中: its first session has begun.
        Running = "running",
        /// 已结束: every session is finalised or cancelled.
        Finished = "finished",
        /// 已取消: it will not take place.
        Cancelled = "cancelled",
        /// 已延期: it has no dates for now.
        Postponed = "postponed",
    }
}

impl Phase {
    /// How the phase is kept: what the clock tells is not.
    pub fn kept(self) -> ActivityState {
        match self {
            Self::Draft => ActivityState::Draft,
            Self::Published | Self::Open | Self::Closed | Self::Running => ActivityState::Published,
            Self::Allocated => ActivityState::Allocated,
            Self::Finished => ActivityState::Finished,
            Self::Cancelled => ActivityState::Cancelled,
            Self::Postponed => ActivityState::Postponed,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Draft => "是草稿",
            Self::Published => "已发布、尚未开放报名",
            Self::Open => "正在报名",
            Self::Closed => "报名已截止",
            Self::Allocated => "名额已分配",
            Self::Running => "正在进行",
            Self::Finished => "已结束",
            Self::Cancelled => "已取消",
            Self::Postponed => "已延期",
        }
    }
}

/// The phase of `activity` at `now`. Of those who may sign up earlier than the others nothing is told here: it is open
/// when it is open for all.
pub fn phase(activity: &Activity, now: DateTime<Utc>) -> Phase {
    let begun = now >= activity.starts_at.and_utc();
    match activity.state {
        ActivityState::Draft => Phase::Draft,
        ActivityState::Finished => Phase::Finished,
        ActivityState::Cancelled => Phase::Cancelled,
        ActivityState::Postponed => Phase::Postponed,
        // Sign-up may stay open while it runs; whether it is, availability tells.
        ActivityState::Published | ActivityState::Allocated if begun => Phase::Running,
        ActivityState::Allocated => Phase::Allocated,
        ActivityState::Published if now < activity.signup_opens_at.and_utc() => Phase::Published,
        ActivityState::Published if now < activity.signup_closes_at.and_utc() => Phase::Open,
        ActivityState::Published => Phase::Closed,
    }
}

crate::text_enum! {
    /// What happens to an activity.
    pub enum Event {
        /// 发布.
        Publish = "publish",
        /// 开放报名.
        Open = "open",
        /// 截止报名.
        Close = "close",
        /// 完成分配.
        Allocate = "allocate",
        /// 开始.
        Start = "start",
        /// 结束.
        Finish = "finish",
        /// 取消.
        Cancel = "cancel",
        /// 延期.
        Postpone = "postpone",
        /// 改期.
        Reschedule = "reschedule",
        /// 重新开启.
        Reopen = "reopen",
    }
}

impl Event {
    fn words(self) -> &'static str {
        match self {
            Self::Publish => "发布",
            Self::Open => "开放报名",
            Self::Close => "截止报名",
            Self::Allocate => "完成分配",
            Self::Start => "开始",
            Self::Finish => "结束",
            Self::Cancel => "取消",
            Self::Postpone => "延期",
            Self::Reschedule => "改期",
            Self::Reopen => "重新开启",
        }
    }
}

/// Who makes it happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Staff with this permission.
    Staff(&'static str),
    /// Time. Nothing is written.
    Clock,
    /// The system, as a consequence of something else.
    System,
}

/// What must be so besides the phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    None,
    /// It has sessions, and one of them is not over.
    SomethingToCome,
    /// Nobody waits for the shuffle, and nobody is asked about a place.
    EverybodyDecided,
    /// No session took place. What took place is not undone: sessions to come are cancelled one by one, and one that is
    /// said to be held by mistake is cancelled first.
    NothingHeld,
    /// Nobody is checked in at a session that is not finalised: their attendance has its day already.
    NobodyPresent,
    /// No session is left to be finalised, and one is.
    EverySessionOver,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Transition {
    /// What happens.
    pub event: Event,
    /// When it may.
    pub from: &'static [Phase],
    /// What it leads to.
    pub to: Phase,
    /// Who makes it happen.
    pub who: Who,
    /// What must be so besides.
    pub condition: Condition,
    /// What the audit chain calls it; nothing for what only the clock tells.
    pub audit: Option<&'static str>,
}

const ORGANISER: Who = Who::Staff(CatalogueManage::NAME);

/// Everything that can happen to an activity.
pub const TRANSITIONS: &[Transition] = {
    use Phase::{Allocated, Cancelled, Closed, Draft, Finished, Open, Postponed, Published, Running};
    &[
        Transition {
            event: Event::Publish,
            from: &[Draft],
            to: Published,
            who: ORGANISER,
            condition: Condition::SomethingToCome,
            audit: Some("activity.publish"),
        },
        Transition {
            event: Event::Open,
            from: &[Published],
            to: Open,
            who: Who::Clock,
            condition: Condition::None,
            audit: None,
        },
        Transition {
            event: Event::Close,
            from: &[Open],
            to: Closed,
            who: Who::Clock,
            condition: Condition::None,
            audit: None,
        },
        Transition {
            event: Event::Allocate,
            from: &[Closed],
            to: Allocated,
            who: ORGANISER,
            condition: Condition::EverybodyDecided,
            audit: Some("activity.allocate"),
        },
        Transition {
            event: Event::Start,
            from: &[Published, Open, Closed, Allocated],
            to: Running,
            who: Who::Clock,
            condition: Condition::None,
            audit: None,
        },
        Transition {
            event: Event::Finish,
            from: &[Running, Postponed],
            to: Finished,
            who: Who::System,
            condition: Condition::EverySessionOver,
            audit: Some("activity.finish"),
        },
        Transition {
            event: Event::Reopen,
            from: &[Finished],
            to: Running,
            who: Who::System,
            // That one of its sessions is opened again.
            condition: Condition::None,
            audit: Some("activity.reopen"),
        },
        Transition {
            event: Event::Cancel,
            from: &[Published, Open, Closed, Allocated, Running, Postponed],
            to: Cancelled,
            who: ORGANISER,
            condition: Condition::NothingHeld,
            audit: Some("activity.cancel"),
        },
        Transition {
            event: Event::Postpone,
            from: &[Published, Open, Closed, Allocated, Running],
            to: Postponed,
            who: ORGANISER,
            condition: Condition::NobodyPresent,
            audit: Some("activity.postpone"),
        },
        Transition {
            event: Event::Reschedule,
            from: &[Published, Open, Closed, Allocated, Running, Postponed],
            to: Published,
            who: ORGANISER,
            // Which of its sessions may move is asked of each by itself.
            condition: Condition::None,
            audit: Some("activity.reschedule"),
        },
    ]
};

/// What conditions are asked of.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The activity's sessions.
    pub sessions: &'a [Session],
    /// Sign-ups that wait for the shuffle or are asked about a place.
    pub undecided: i64,
}

/// The table's line for `event` in `phase`, if there is one.
pub fn line(event: Event, phase: Phase) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|line| line.event == event && line.from.contains(&phase))
}

/// What `event` makes of `activity` at `now`, as it is kept.
///
/// # Errors
/// `state_forbids`, with a text that names the phase and what could be done instead.
pub fn transition(
    event: Event,
    activity: &Activity,
    facts: Facts<'_>,
    now: DateTime<Utc>,
) -> Result<ActivityState> {
    let phase = phase(activity, now);
    let line = line(event, phase).ok_or_else(|| refused(event, phase))?;
    check(line.condition, activity, facts, now)?;
    // What the clock tells changes nothing that is kept.
    Ok(if line.who == Who::Clock { activity.state } else { line.to.kept() })
}

fn refused(event: Event, phase: Phase) -> Error {
    let possible: Vec<Event> = TRANSITIONS
        .iter()
        .filter(|line| matches!(line.who, Who::Staff(_)) && line.from.contains(&phase))
        .map(|line| line.event)
        .collect();
    let list = |words: fn(Event) -> &'static str, between: &str| {
        possible.iter().map(|event| words(*event)).collect::<Vec<_>>().join(between)
    };
    let (could_zh, could_en) = if possible.is_empty() {
        ("已不能再变更".to_owned(), "Nothing can be done with it any more".to_owned())
    } else {
        let (zh, en) = (list(Event::words, "、"), list(Event::as_str, ", "));
        (format!("目前可以：{zh}"), format!("Possible now: {en}"))
    };
    Error::new(Code::StateForbids).detail(
        format!("活动{}，不能{}；{could_zh}", phase.words(), event.words()),
        format!("The activity is in the phase {phase}, which does not allow {event}. {could_en}"),
    )
}

fn check(condition: Condition, activity: &Activity, facts: Facts<'_>, now: DateTime<Utc>) -> Result<()> {
    let planned = |session: &&Session| session.state == SessionState::Planned;
    let refusal = match condition {
        Condition::SomethingToCome if facts.sessions.is_empty() => {
            Some(("请先添加场次", "Add a session first"))
        }
        Condition::SomethingToCome if activity.ends_at.and_utc() <= now => {
            Some(("所有场次都已结束", "All its sessions are over"))
        }
        Condition::EverybodyDecided if facts.undecided > 0 => Some((
            "还有人在等待审核、摇号或待确认名额，请等结果出来后再完成分配",
            "Somebody still waits for the desk or the shuffle, or has an open offer; allocate when that is decided",
        )),
        Condition::NothingHeld if facts.sessions.iter().any(|session| session.held == Some(true)) => Some((
            "已有场次举行过，不能整体取消；可以逐场取消其余场次，或先取消误结算的场次",
            "A session took place already. Cancel those to come one by one, or first the one finalised by mistake",
        )),
        Condition::NobodyPresent
            if facts.sessions.iter().filter(planned).any(|session| session.present > 0) =>
        {
            Some((
                "已有人在未结算的场次签到；请先结算或取消该场次",
                "Somebody is checked in at a session that is not finalised; finalise or cancel that session first",
            ))
        }
        Condition::EverySessionOver
            if facts.sessions.iter().any(|session| session.state == SessionState::Planned)
                || !facts.sessions.iter().any(|session| session.state == SessionState::Finalised) =>
        {
            Some(("还有场次未结算", "A session is still to be finalised"))
        }
        _ => None,
    };
    match refusal {
        Some((zh, en)) => Err(Error::new(Code::StateForbids).detail(zh, en)),
        None => Ok(()),
    }
}

crate::text_enum! {
    /// What happens to a session.
    pub enum SessionEvent {
        /// 结算.
        Finalise = "finalise",
        /// 取消.
        Cancel = "cancel",
        /// 作废: it was said to have taken place, and counts for nothing.
        Void = "void",
        /// 重新开启: what finalising did is taken back, and it is finalised anew.
        Reopen = "reopen",
    }
}

impl SessionEvent {
    /// How `session` is cancelled: one that is finalised is voided.
    pub fn ending(session: &Session) -> Self {
        if session.state == SessionState::Finalised { Self::Void } else { Self::Cancel }
    }
}

/// What must be so of a session besides its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionCondition {
    /// Nothing.
    None,
    /// It has begun.
    Begun,
    /// The activity has another session that is not cancelled; otherwise the activity is to be cancelled.
    AnotherRemains,
}

/// One line of the sessions' table.
#[derive(Debug, Clone, Copy)]
pub struct SessionTransition {
    /// What happens.
    pub event: SessionEvent,
    /// When it may.
    pub from: SessionState,
    /// What it leads to.
    pub to: SessionState,
    /// Phases of the activity that allow it.
    pub during: &'static [Phase],
    /// Who makes it happen.
    pub who: Who,
    /// What must be so besides.
    pub condition: SessionCondition,
    /// What the audit chain calls it.
    pub audit: &'static str,
}

/// Everything that can happen to a session by itself. With its activity it is cancelled too, and moved.
pub const SESSION_TRANSITIONS: &[SessionTransition] = {
    use Phase::{Allocated, Closed, Finished, Open, Postponed, Published, Running};
    &[
        SessionTransition {
            event: SessionEvent::Finalise,
            from: SessionState::Planned,
            to: SessionState::Finalised,
            during: &[Published, Open, Closed, Allocated, Running],
            who: Who::Staff(SessionFinalise::NAME),
            condition: SessionCondition::Begun,
            audit: "session.finalise",
        },
        SessionTransition {
            event: SessionEvent::Cancel,
            from: SessionState::Planned,
            to: SessionState::Cancelled,
            during: &[Published, Open, Closed, Allocated, Running, Postponed],
            who: ORGANISER,
            condition: SessionCondition::AnotherRemains,
            audit: "session.cancel",
        },
        SessionTransition {
            event: SessionEvent::Void,
            from: SessionState::Finalised,
            to: SessionState::Cancelled,
            during: &[Running, Postponed, Finished],
            who: ORGANISER,
            condition: SessionCondition::None,
            audit: "session.void",
        },
        SessionTransition {
            event: SessionEvent::Reopen,
            from: SessionState::Finalised,
            to: SessionState::Planned,
            during: &[Running, Finished],
            who: Who::Staff(SessionFinalise::NAME),
            // That the month of its figures is open is asked of the plan.
            condition: SessionCondition::None,
            audit: "session.reopen",
        },
    ]
};

/// What `event` makes of `session`, one of `sessions` of `activity`, at `now`.
///
/// # Errors
/// `session_finalised` for what is finalised, `session_not_begun` for what has not begun, `state_forbids` otherwise.
pub fn session_transition(
    event: SessionEvent,
    session: &Session,
    activity: &Activity,
    sessions: &[Session],
    now: DateTime<Utc>,
) -> Result<&'static SessionTransition> {
    let forbids = |zh: String, en: String| Err(Error::new(Code::StateForbids).detail(zh, en));
    let found = SESSION_TRANSITIONS.iter().find(|line| line.event == event && line.from == session.state);
    let Some(line) = found else {
        return match session.state {
            SessionState::Finalised => Err(Error::new(Code::SessionFinalised)),
            SessionState::Cancelled => forbids("场次已取消".into(), "The session is cancelled".into()),
            SessionState::Planned => forbids("场次尚未结算".into(), "The session is not finalised".into()),
        };
    };
    let phase = phase(activity, now);
    if !line.during.contains(&phase) {
        return forbids(
            format!("活动{}，不能变更场次", phase.words()),
            format!("The activity is in the phase {phase}, which does not allow to {event} a session"),
        );
    }
    match line.condition {
        SessionCondition::Begun if now < session.starts_at.and_utc() => {
            Err(Error::new(Code::SessionNotBegun))
        }
        SessionCondition::AnotherRemains
            if !sessions
                .iter()
                .any(|other| other.id != session.id && other.state != SessionState::Cancelled) =>
        {
            forbids(
                "这是最后一个场次，请取消整个活动".into(),
                "This is its last session; cancel the activity".into(),
            )
        }
        _ => Ok(line),
    }
}

#[cfg(test)]
mod tests;
