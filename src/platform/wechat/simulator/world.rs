//! What the simulated WeChat remembers. In memory only; `POST /sim/reset` forgets everything.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::SimulatorConfig;
use super::answer::Refusal;
use super::pushing::{Callback, Media};
use super::tokens::{Pool, Worth};

/// How long a login or phone code can be used.
const CODE_LIFE: TimeDelta = TimeDelta::minutes(5);
/// How many sent messages are kept for `GET /sim/messages`.
const MESSAGES_KEPT: usize = 1000;
/// How many pictures that were asked about are kept for `GET /sim/media`.
const MEDIA_KEPT: usize = 1000;
/// The first places of an openid are common to all users of an app.
const APP_MARK: usize = 6;

/// The openid of the simulated user called `user` under `appid`: 28 characters beginning with `o`, always
/// the same, so that a role can be granted before the user's first login.
pub fn openid_for(appid: &str, user: &str) -> String {
    format!("{}{}", app_mark(appid), digest(&["openid", appid, user], 22))
}

/// The telephone number that the simulated user called `user` hands over unless told otherwise: eleven
/// digits of the form `17000xxxxxx`, always the same. Two of a thousand users may well share one.
pub fn phone_for(user: &str) -> String {
    let number =
        Sha256::digest(user.as_bytes()).iter().take(7).fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    format!("17000{:06}", number % 1_000_000)
}

fn app_mark(appid: &str) -> String {
    format!("o{}", digest(&["app", appid], APP_MARK - 1))
}

/// The first `length` characters (43 at most) of the base64url of a hash over `parts`.
fn digest(parts: &[&str], length: usize) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(Sha256::digest(parts.join("\0").as_bytes()));
    text.truncate(length);
    text
}

/// A simulated user.
#[derive(Debug, Default)]
pub(super) struct User {
    /// The live session key and when it was made.
    pub(super) session: Option<(String, DateTime<Utc>)>,
    /// The last login, which `msg_sec_check` asks for.
    pub(super) seen: Option<DateTime<Utc>>,
}

/// A code handed to the simulated front end. `T` is what it stands for.
#[derive(Debug)]
struct Code<T> {
    stands_for: T,
    ends: DateTime<Utc>,
    used: bool,
}

/// A telephone number and its country prefix.
#[derive(Debug, Clone)]
pub(super) struct Phone {
    pub(super) openid: String,
    pub(super) number: String,
    pub(super) country: String,
}

/// A disturbance of the next `times` calls of `path`. Several at once: the delay, then the first of
/// `status`, `garbage`, `errcode`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    pub(super) path: String,
    #[serde(default = "one")]
    pub(super) times: u32,
    /// Refuse with this code, without doing anything.
    pub(super) errcode: Option<i64>,
    /// Do the work, then hold the answer back for so many milliseconds.
    pub(super) delay_ms: Option<u64>,
    /// Answer with this HTTP status and an HTML page, without doing anything.
    pub(super) status: Option<u16>,
    /// Answer with something that is not JSON, without doing anything.
    #[serde(default)]
    pub(super) garbage: bool,
}

fn one() -> u32 {
    1
}

/// Everything behind the simulator's paths.
pub(super) struct World {
    pub(super) config: SimulatorConfig,
    pub(super) users: HashMap<String, User>,
    login_codes: HashMap<String, Code<String>>,
    phone_codes: HashMap<String, Code<Phone>>,
    pub(super) plain: Pool,
    pub(super) stable: Pool,
    /// How many messages each (openid, template) may still get.
    pub(super) consents: HashMap<(String, String), u32>,
    /// What was sent, oldest first, with the openid in front.
    pub(super) messages: VecDeque<(String, Value)>,
    faults: Vec<Fault>,
    /// Words that are risky, and words that are doubtful, beside those that always are.
    pub(super) words: (Vec<String>, Vec<String>),
    /// How many texts were asked about.
    pub(super) texts: u64,
    /// Pictures that were asked about, oldest first.
    pub(super) media: VecDeque<Media>,
    /// Where pushes go.
    pub(super) callback: Option<Callback>,
}

impl World {
    pub(super) fn new(config: SimulatorConfig) -> Self {
        Self {
            callback: config.callback.clone(),
            words: Default::default(),
            texts: 0,
            media: VecDeque::new(),
            config,
            users: HashMap::new(),
            login_codes: HashMap::new(),
            phone_codes: HashMap::new(),
            plain: Pool::default(),
            stable: Pool::default(),
            consents: HashMap::new(),
            messages: VecDeque::new(),
            faults: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.config.clock.now()
    }

    /// A request id as WeChat makes them: the second in hexadecimal, and two random groups.
    pub(super) fn rid(&self) -> String {
        let second = u32::try_from(self.now().timestamp()).unwrap_or(0);
        let [a, b, c, d, e, f, g, h] = self.config.ids.bytes::<8>();
        format!("{second:08x}-{}-{}", hex::encode([a, b, c, d]), hex::encode([e, f, g, h]))
    }

    /// A fresh access token of the usual length.
    pub(super) fn new_token(&self) -> String {
        format!("90_{}", URL_SAFE_NO_PAD.encode(self.config.ids.bytes::<100>()))
    }

    fn new_code(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.config.ids.bytes::<24>())
    }

    /// The openid of the user called `name`, who exists from now on.
    pub(super) fn openid(&mut self, name: &str) -> String {
        let openid = openid_for(&self.config.appid, name);
        self.users.entry(openid.clone()).or_default();
        openid
    }

    /// Whether `openid` is one of this app, of a user seen since the last reset or not.
    pub(super) fn is_ours(&self, openid: &str) -> bool {
        openid.len() == 28 && openid.starts_with(&app_mark(&self.config.appid))
    }

    pub(super) fn issue_login_code(&mut self, openid: String) -> String {
        let code = self.new_code();
        let ends = self.now() + CODE_LIFE;
        self.login_codes.insert(code.clone(), Code { stands_for: openid, ends, used: false });
        code
    }

    pub(super) fn issue_phone_code(&mut self, phone: Phone) -> String {
        let code = self.new_code();
        let ends = self.now() + CODE_LIFE;
        self.phone_codes.insert(code.clone(), Code { stands_for: phone, ends, used: false });
        code
    }

    /// Uses up a login code.
    pub(super) fn spend_login_code(&mut self, code: &str) -> Result<String, Refusal> {
        let (now, reused) = (self.now(), self.config.reused_code_errcode);
        match self.login_codes.get_mut(code) {
            Some(code) if code.used => Err(reused.into()),
            Some(code) if code.ends > now => {
                code.used = true;
                Ok(code.stands_for.clone())
            }
            _ => Err(40029.into()),
        }
    }

    /// Uses up a phone code. Every failure is the same code here.
    pub(super) fn spend_phone_code(&mut self, code: &str) -> Option<Phone> {
        let now = self.now();
        let code = self.phone_codes.get_mut(code).filter(|code| !code.used && code.ends > now)?;
        code.used = true;
        Some(code.stands_for.clone())
    }

    /// Logs `openid` in: the same session key for quick logins, a new one otherwise.
    pub(super) fn log_in(&mut self, openid: &str) -> String {
        let now = self.now();
        let fresh = STANDARD.encode(self.config.ids.bytes::<16>());
        let period = TimeDelta::from_std(self.config.session_key_period).unwrap_or(TimeDelta::MAX);
        let user = self.users.entry(openid.to_owned()).or_default();
        user.seen = Some(now);
        let kept = user.session.take().filter(|(_, made)| now - *made < period);
        user.session.insert(kept.unwrap_or((fresh, now))).0.clone()
    }

    /// Refuses a token that neither pool takes for valid.
    pub(super) fn check_token(&self, token: Option<&str>) -> Result<(), Refusal> {
        let token = token.filter(|token| !token.is_empty()).ok_or(41001)?;
        let now = self.now();
        match [self.plain.worth(now, token), self.stable.worth(now, token)] {
            worth if worth.contains(&Worth::Valid) => Ok(()),
            worth if worth.contains(&Worth::Expired) => Err(42001.into()),
            _ => Err(40001.into()),
        }
    }

    pub(super) fn keep_message(&mut self, openid: String, message: Value) {
        if self.messages.len() >= MESSAGES_KEPT {
            self.messages.pop_front();
        }
        self.messages.push_back((openid, message));
    }

    pub(super) fn keep_media(&mut self, media: Media) {
        if self.media.len() >= MEDIA_KEPT {
            self.media.pop_front();
        }
        self.media.push_back(media);
    }

    pub(super) fn add_fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// The fault that strikes this call of `path`, if one does.
    pub(super) fn strike(&mut self, path: &str) -> Option<Fault> {
        let fault = self.faults.iter_mut().find(|fault| fault.path == path && fault.times > 0)?;
        fault.times -= 1;
        let struck = fault.clone();
        self.faults.retain(|fault| fault.times > 0);
        Some(struck)
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.config.clone());
    }
}

impl Fault {
    pub(super) fn delay(&self) -> Option<Duration> {
        self.delay_ms.map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openids_are_stable_and_apps_and_users_do_not_mix() {
        let openid = openid_for("wx0123456789abcdef", "李工");
        assert_eq!(openid, "oHR3RahwxQaFcPEYfThjWi8VwCYa", "seeds rely on it");
        assert_eq!(openid.len(), 28);
        assert_ne!(openid, openid_for("wx0123456789abcdef", "王工"));
        assert_ne!(openid.get(..6), openid_for("wxfedcba9876543210", "李工").get(..6));
    }

    #[test]
    fn default_numbers_have_the_mainland_shape() {
        let number = phone_for("李工");
        assert!(number.len() == 11 && number.starts_with("17000"));
        assert_eq!(number, phone_for("李工"));
        assert_ne!(number, phone_for("王工"));
    }
}
