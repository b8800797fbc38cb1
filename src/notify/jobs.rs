//! The job that writes a message.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::model::{Notice, NoticeKind};
use super::store;
use crate::clock::{SharedClock, db_time};
use crate::error::{Error, Result};
use crate::ids::{Ids, PersonId};
use crate::people::erasing;
use crate::platform::db::Conn;
use crate::platform::outbox::{Job, JobHandler, NewJob};

/// What to tell whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// To whom.
    pub person: PersonId,
    /// What about.
    pub kind: NoticeKind,
    /// The title of the activity it is about.
    pub subject: String,
    /// What the text must say besides, in Chinese: a time, a reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The resource it is about.
    pub link: String,
}

pub(super) const KIND: &str = "notice.write";

/// Messages in one job at most.
const MESSAGES: usize = 64;

/// What a job has to write.
#[derive(Deserialize)]
#[serde(untagged)]
enum Payload {
    Many { messages: Vec<Message> },
    One(Message),
}

/// The job that will write `message`.
pub fn job(message: &Message, now: DateTime<Utc>) -> NewJob {
    NewJob { kind: KIND, payload: json!(message), run_at: now, dedupe_key: None }
}

/// The jobs that will write `messages`: many in a job, since a job costs as much as a message.
pub fn jobs(messages: &[Message], now: DateTime<Utc>) -> Vec<NewJob> {
    let job = |messages: &[Message]| match messages {
        [one] => job(one, now),
        many => NewJob { kind: KIND, payload: json!({ "messages": many }), run_at: now, dedupe_key: None },
    };
    messages.chunks(MESSAGES).map(job).collect()
}

/// Writes messages.
pub struct NoticeWriter {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
}

impl JobHandler for NoticeWriter {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        let notices = to_people(conn, self.notices(job)?)?;
        store::create_in_tx(conn, &notices)
    }

    fn shares(&self) -> bool {
        true
    }

    fn run_all_in_tx(&self, conn: &mut Conn, jobs: &[Job]) -> Result<()> {
        let mut notices = Vec::new();
        for job in jobs {
            notices.append(&mut self.notices(job)?);
        }
        // A message that is there already fails the whole, and each job is then run alone.
        let notices = to_people(conn, notices)?;
        store::create_all_in_tx(conn, &notices)
    }
}

impl NoticeWriter {
    fn notices(&self, job: &Job) -> Result<Vec<Notice>> {
        Ok(match serde_json::from_str(&job.payload).map_err(Error::internal)? {
            Payload::One(message) => vec![self.notice(job.id.to_string(), message)],
            Payload::Many { messages } => (1..)
                .zip(messages)
                .map(|(number, message)| self.notice(format!("{}/{number}", job.id), message))
                .collect(),
        })
    }

    fn notice(&self, source: String, message: Message) -> Notice {
        let (title, body) = text(&message);
        Notice {
            id: self.ids.id(),
            person_id: message.person,
            source,
            kind: message.kind,
            title,
            body,
            link: Some(message.link),
            created_at: db_time(self.clock.now()),
            read_at: None,
        }
    }
}

/// Without those to people who were erased meanwhile.
fn to_people(conn: &mut Conn, mut notices: Vec<Notice>) -> Result<Vec<Notice>> {
    let people: Vec<PersonId> = notices.iter().map(|notice| notice.person_id).collect();
    let erased = erasing::erased(conn, &people)?;
    notices.retain(|notice| !erased.contains_key(&notice.person_id));
    Ok(notices)
}

/// What is left of a job's payload without its messages to `people`; nothing where that is nothing.
pub(super) fn without(payload: &str, people: &[PersonId]) -> Result<Option<String>> {
    let mut left = match serde_json::from_str(payload).map_err(Error::internal)? {
        Payload::One(message) => vec![message],
        Payload::Many { messages } => messages,
    };
    left.retain(|message| !people.contains(&message.person));
    Ok((!left.is_empty()).then(|| json!({ "messages": left }).to_string()))
}

fn text(message: &Message) -> (String, String) {
    let (subject, detail) = (&message.subject, &message.detail);
    let (title, body) = match message.kind {
        NoticeKind::SignupConfirmed => (
            "报名成功",
            format!(
                "您已成功报名“{subject}”。请按时参加，到场出示电子凭证签到。不能参加时请尽早取消，把名额留给工友。"
            ),
        ),
        NoticeKind::SignupCancelled => ("报名已取消", format!("您已取消“{subject}”的报名。")),
        NoticeKind::WaitingJoined => {
            ("已进入候补", format!("“{subject}”名额已满，您已进入候补。{detail}有名额时会通知您确认。"))
        }
        NoticeKind::DrawEntered => {
            ("已参与摇号", format!("您已参与“{subject}”的开放时段摇号，先后不影响结果。{detail}"))
        }
        NoticeKind::OfferMade => {
            ("候补名额待确认", format!("“{subject}”有名额为您保留。{detail}逾期未确认，名额将给下一位。"))
        }
        NoticeKind::OfferExpired => (
            "候补名额已失效",
            format!("您未在期限内确认“{subject}”的名额，名额已给下一位。您可以重新报名候补。"),
        ),
        NoticeKind::NoPlace => ("候补结束", format!("很抱歉，“{subject}”的候补已结束，未能为您安排名额。")),
        NoticeKind::Nominated => (
            "工会为您报名，请确认",
            format!("您所在的工会为您报名了“{subject}”。{detail}不参加可以直接放弃，不影响您今后报名。"),
        ),
        NoticeKind::SignupByStaff => (
            "工作人员已为您报名",
            format!("工作人员按您的委托为您报名了“{subject}”。{detail}如非本人意愿，可随时取消。"),
        ),
        NoticeKind::ActivityCancelled => {
            ("活动取消", format!("“{subject}”已取消。{detail}给您带来不便，敬请谅解。"))
        }
        NoticeKind::ActivityPostponed => {
            ("活动延期", format!("“{subject}”延期举行，您的报名保留。{detail}新时间确定后会通知您。"))
        }
        NoticeKind::ActivityRescheduled => ("活动改期", format!("“{subject}”已改期。{detail}")),
        NoticeKind::SessionCancelled => ("场次取消", format!("“{subject}”的一个场次已取消。{detail}")),
        NoticeKind::PenaltyGiven => ("信用提醒", format!("“{subject}”：{detail}如有特殊原因，可以申诉。")),
        NoticeKind::PenaltyDecided => ("申诉结果", format!("关于“{subject}”的申诉：{detail}")),
        NoticeKind::MembershipEnded => {
            ("会籍终止", format!("您在“{subject}”的会籍已终止。{detail}如有疑问，请联系工会。"))
        }
        NoticeKind::ReviewReturned => ("申请需要补正", format!("您的申请“{subject}”需要补正。{detail}")),
        NoticeKind::ReviewApproved => ("申请已通过", format!("您的申请“{subject}”已通过。{detail}")),
        NoticeKind::ReviewRejected => ("申请未通过", format!("很抱歉，您的申请“{subject}”未通过。{detail}")),
        NoticeKind::ReviewLapsed => {
            ("申请视为撤回", format!("您未在期限内补正“{subject}”的材料，该申请视为撤回。您可以重新申请。"))
        }
        NoticeKind::ReviewMessage => ("申请有新消息", format!("“{subject}”有一条新消息，请打开查看。")),
        NoticeKind::ReviewDue => ("待办临近到期", format!("“{subject}”临近办理期限，请尽快办理。{detail}")),
        NoticeKind::ReviewBreached => {
            ("待办已逾期", format!("“{subject}”已超过办理期限，上级可代为办理。{detail}"))
        }
        NoticeKind::ReviewAssigned => ("新的待办", format!("“{subject}”已指派给您办理。{detail}")),
        NoticeKind::InjuryDue => {
            ("工伤认定申请期限将到", format!("{subject}。{detail}下一步怎么做，请打开“我的工伤”查看。"))
        }
        NoticeKind::LegalMessage => {
            ("法律援助有新留言", "您的一件法律援助事项有新留言，请打开查看。".to_owned())
        }
        NoticeKind::LegalGlassOpened => (
            "有人应急查阅法律援助案件",
            format!("有人应急查阅了“{subject}”受理的一件案件。{detail}请核对是否必要。"),
        ),
        NoticeKind::LegalGlassTold => (
            "您的法律援助案件曾被应急查阅",
            format!(
                "{detail}，办案组以外的一名工作人员依规定程序查阅过您的案件。事由：{subject}。如有疑问，请留言或向工会反映。"
            ),
        ),
        NoticeKind::ReviewLeaveDecided => ("再次退回的批准结果", format!("“{subject}”：{detail}")),
        // They say nothing of the employer or of what happened: a phone lies open on tables.
        NoticeKind::LegalStep => ("法律援助进展", format!("{subject}。{detail}")),
        NoticeKind::LegalWork => ("法律援助待办", format!("{subject}。{detail}")),
        NoticeKind::AccountsMerged => (
            "账号已合并",
            "经两名工作人员核实，您的另一个账号已并入本账号，您可用原来的微信登录。如有疑问，请联系工会。"
                .to_owned(),
        ),
        NoticeKind::AccountsParted => (
            "账号已拆分",
            "经两名工作人员核实，此前合并的账号已拆分，各自使用。如有疑问，请联系工会。".to_owned(),
        ),
        NoticeKind::ReviewDelegated => ("代为办理", format!("“{subject}”：{detail}")),
    };
    (title.to_owned(), body)
}
