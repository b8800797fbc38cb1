//! Settings: defaults < file < environment, checked as a whole.

use std::net::IpAddr;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::platform::access::TokenKey;
use crate::platform::db::{DbTarget, Engine};
use crate::platform::http::limits::LimitConfig;
use crate::platform::vault::{Cipher, KeyConfig};

/// Every setting with its default, commented.
pub const DEFAULTS: &str = include_str!("config.default.toml");
const INSECURE: &str = "insecure-default-";
/// The same for the key of pushes, which has letters and digits only.
const INSECURE_KEY: &str = "insecureDefault";

/// How much is forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything in one process, to try and to develop.
    Embedded,
    /// Refuses all that is unsafe.
    Production,
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "each setting is explained in config.default.toml")]
        pub struct $name { $(pub $field: $type),* }
    };
}

section! { /// `[server]`
Server { mode: Mode, listen: String, metrics_listen: String, workers: usize, instances: u32, drain_seconds: u64,
         stop_seconds: u64, trusted_proxies: Vec<IpAddr>, cors_origins: Vec<String> } }
section! { /// `[log]`
Log { format: String, level: String } }
section! { /// `[database]`
Database { url: SecretString, pool: u32, wait_seconds: u64, batch: usize, queue: usize } }
section! { /// `[cache]`
CacheSettings { kind: String, url: SecretString, prefix: String, memory_ms: u64 } }
section! { /// `[vault]`
VaultSettings { key_id: String, cipher: Cipher, secret: SecretString, retired: Vec<KeyConfig>, index_secret: SecretString } }
section! { /// `[codes]`
Codes { cursor_secret: SecretString, pass_secret: SecretString, file_secret: SecretString } }
section! { /// `[files]`
FileSettings { kind: String, path: String, endpoint: String, region: String, bucket: String, access_key: SecretString,
               secret_key: SecretString, virtual_host: bool, uploads: usize, downloads: usize, upload_seconds: u64,
               link_seconds: i64 } }
section! { /// `[wechat]`
Wechat { simulator: bool, simulator_listen: String, base_url: String, appid: String, secret: SecretString,
         connect_ms: u64, timeout_ms: u64, content_check: bool, public_url: String, push_token: SecretString,
         push_aes_key: SecretString } }
section! { /// `[seed]`
Seed { at_start: bool, demo: bool } }

/// `[auth]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each setting is explained in config.default.toml")]
pub struct Auth {
    pub issuer: String,
    pub audience: String,
    pub access_minutes: i64,
    pub refresh_days: i64,
    pub login_days: i64,
    pub standing_memory_ms: u64,
    pub key_id: String,
    pub secret: SecretString,
    pub retired: Vec<TokenKey>,
}

/// All settings.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each setting is explained in config.default.toml")]
pub struct Config {
    pub server: Server,
    pub log: Log,
    pub database: Database,
    pub cache: CacheSettings,
    pub auth: Auth,
    pub vault: VaultSettings,
    pub codes: Codes,
    pub files: FileSettings,
    pub wechat: Wechat,
    pub limits: LimitConfig,
    pub seed: Seed,
}

/// Why the settings cannot be used: everything that is wrong, at once.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be used / 配置有误:\n{}", .0.iter().map(|fault| format!("  - {fault}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Reads defaults, then `file` (or ./unionhall.toml where there is one), then the environment.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut builder =
            config::Config::builder().add_source(config::File::from_str(DEFAULTS, config::FileFormat::Toml));
        builder = match file {
            Some(path) => builder.add_source(config::File::from(path).format(config::FileFormat::Toml)),
            None => builder.add_source(
                config::File::from(Path::new("unionhall.toml"))
                    .format(config::FileFormat::Toml)
                    .required(false),
            ),
        };
        let environment = config::Environment::with_prefix("UNIONHALL")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("server.trusted_proxies")
            .with_list_parse_key("server.cors_origins");
        let config: Config = builder
            .add_source(environment)
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(|error| ConfigError(vec![error.to_string()]))?;
        config.check()?;
        Ok(config)
    }

    /// The defaults alone; for tests, which then change what they need.
    pub fn defaults() -> Result<Self, ConfigError> {
        toml::from_str(DEFAULTS).map_err(|error| ConfigError(vec![error.to_string()]))
    }

    /// Every fault that the settings have together.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        self.check_values(&mut faults);
        if self.server.mode == Mode::Production {
            self.check_production(&mut faults);
        }
        if faults.is_empty() { Ok(()) } else { Err(ConfigError(faults)) }
    }

    fn secrets(&self) -> Vec<(&'static str, &SecretString)> {
        let mut secrets = vec![
            ("auth.secret", &self.auth.secret),
            ("vault.secret", &self.vault.secret),
            ("vault.index_secret", &self.vault.index_secret),
            ("codes.cursor_secret", &self.codes.cursor_secret),
            ("codes.pass_secret", &self.codes.pass_secret),
            ("codes.file_secret", &self.codes.file_secret),
        ];
        secrets.extend(self.auth.retired.iter().map(|key| ("auth.retired", &key.secret)));
        secrets.extend(self.vault.retired.iter().map(|key| ("vault.retired", &key.secret)));
        secrets
    }

    fn check_values(&self, faults: &mut Vec<String>) {
        let mut fault = |wrong: bool, text: &str| {
            if wrong {
                faults.push(text.to_owned());
            }
        };
        let address = |text: &str| text.parse::<std::net::SocketAddr>().is_err();
        fault(address(&self.server.listen), "server.listen must be an address such as 127.0.0.1:8080");
        fault(
            !self.server.metrics_listen.is_empty() && address(&self.server.metrics_listen),
            "server.metrics_listen must be an address such as 127.0.0.1:9090, or empty",
        );
        fault(self.server.instances == 0, "server.instances must be at least 1");
        fault(!matches!(self.log.format.as_str(), "text" | "json"), "log.format must be text or json");
        fault(
            self.log.level.parse::<tracing_subscriber::EnvFilter>().is_err(),
            "log.level must be a level such as info, or directives such as info,unionhall=debug",
        );
        fault(
            DbTarget::parse(&self.database.url).is_err(),
            "database.url must begin with sqlite:// or postgres://",
        );
        fault(!(1..=1000).contains(&self.database.pool), "database.pool must be 1 to 1000");
        fault(!(1..=60).contains(&self.database.wait_seconds), "database.wait_seconds must be 1 to 60");
        fault(!(1..=4096).contains(&self.database.batch), "database.batch must be 1 to 4096");
        fault(!(1..=100_000).contains(&self.database.queue), "database.queue must be 1 to 100000");
        fault(!matches!(self.cache.kind.as_str(), "memory" | "redis"), "cache.kind must be memory or redis");
        fault(
            self.cache.kind == "redis" && self.cache.url.expose_secret().is_empty(),
            "cache.url must be set, such as redis://127.0.0.1:6379/0, because cache.kind is redis",
        );
        fault(self.cache.memory_ms > 1000, "cache.memory_ms must be 0 to 1000");
        fault(
            self.server.instances > 1 && self.cache.kind == "memory",
            "cache.kind must be redis, because server.instances is more than one",
        );
        fault(!(1..=1440).contains(&self.auth.access_minutes), "auth.access_minutes must be 1 to 1440");
        fault(!(1..=365).contains(&self.auth.refresh_days), "auth.refresh_days must be 1 to 365");
        fault(
            !(self.auth.refresh_days..=3650).contains(&self.auth.login_days),
            "auth.login_days must be at least auth.refresh_days",
        );
        fault(self.wechat.appid.is_empty(), "wechat.appid must be set");
        fault(
            self.wechat.simulator && address(&self.wechat.simulator_listen),
            "wechat.simulator_listen must be an address such as 127.0.0.1:8090",
        );
        fault(
            !self.wechat.simulator && url::Url::parse(&self.wechat.base_url).is_err(),
            "wechat.base_url must be a URL",
        );
        for (name, secret) in self.secrets() {
            fault(secret.expose_secret().len() < 32, &format!("{name} must have at least 32 characters"));
        }
        self.files.check(&mut fault);
        self.wechat.check_content(&mut fault);
        let mut ids: Vec<&str> = self.auth.retired.iter().map(|key| key.id.as_str()).collect();
        ids.push(&self.auth.key_id);
        ids.sort_unstable();
        fault(
            ids.windows(2).any(|pair| pair.first() == pair.last()),
            "auth.retired must not repeat a key id",
        );
        if let Err(error) = self.keyring() {
            faults.push(format!("vault: {error}"));
        }
    }

    fn check_production(&self, faults: &mut Vec<String>) {
        for (name, secret) in self.secrets().into_iter().chain([("wechat.secret", &self.wechat.secret)]) {
            if secret.expose_secret().starts_with(INSECURE) {
                faults.push(format!(
                    "{name} still has its default, which is public: production mode needs your own (openssl rand -hex 32)"
                ));
            }
        }
        let mut fault = |wrong: bool, text: &str| {
            if wrong {
                faults.push(text.to_owned());
            }
        };
        fault(self.wechat.simulator, "wechat.simulator must be false in production mode");
        fault(
            !self.wechat.simulator && !self.wechat.base_url.starts_with("https://"),
            "wechat.base_url must begin with https:// in production mode",
        );
        self.wechat.check_content_in_production(&mut fault);
        fault(self.seed.demo, "seed.demo must be false in production mode");
        let sqlite =
            DbTarget::parse(&self.database.url).is_ok_and(|target| target.engine() == Engine::Sqlite);
        fault(sqlite, "database.url must be postgres:// in production mode");
        fault(
            self.files.is_local() && self.files.path.is_empty(),
            "files.path must be set in production mode, because files.kind is local: a folder that all instances share and that is backed up",
        );
        fault(
            !self.files.is_local() && !self.files.endpoint.starts_with("https://"),
            "files.endpoint must begin with https:// in production mode",
        );
    }

    /// The folder of contents, where they lie in one: beside the SQLite file unless it is set.
    pub fn files_folder(&self) -> std::path::PathBuf {
        if !self.files.path.is_empty() {
            return self.files.path.clone().into();
        }
        let target = DbTarget::parse(&self.database.url).ok();
        target.and_then(|target| target.folder()).unwrap_or_else(|| "data".into()).join("files")
    }

    /// The vault's keys.
    pub fn keyring(&self) -> Result<crate::platform::vault::Keyring, crate::platform::vault::KeyringError> {
        let active = KeyConfig {
            id: self.vault.key_id.clone(),
            cipher: self.vault.cipher,
            secret: self.vault.secret.clone(),
        };
        let keys = std::iter::once(active).chain(self.vault.retired.iter().cloned()).collect();
        crate::platform::vault::Keyring::new(keys, &self.vault.key_id, self.vault.index_secret.clone())
    }

    /// The keys of access tokens.
    pub fn token_keys(&self) -> Vec<TokenKey> {
        let active = TokenKey { id: self.auth.key_id.clone(), secret: self.auth.secret.clone() };
        std::iter::once(active).chain(self.auth.retired.iter().cloned()).collect()
    }

    /// The settings for people, without secrets.
    pub fn describe(&self) -> String {
        let target = DbTarget::parse(&self.database.url).map_or_else(|e| e.to_string(), |t| t.describe());
        [
            ("mode", format!("{:?}", self.server.mode).to_lowercase()),
            ("listen", self.server.listen.clone()),
            ("metrics", self.server.metrics_listen.clone()),
            ("instances", self.server.instances.to_string()),
            ("database", target),
            ("cache", self.cache.kind.clone()),
            ("wechat", if self.wechat.simulator { "simulator".into() } else { self.wechat.base_url.clone() }),
            ("appid", self.wechat.appid.clone()),
            (
                "content",
                if self.wechat.content_check { "checked by WeChat".into() } else { "not checked".into() },
            ),
            (
                "vault",
                format!(
                    "key {} of {}, {}",
                    self.vault.key_id,
                    self.vault.retired.len() + 1,
                    self.vault.cipher.name()
                ),
            ),
            (
                "files",
                if self.files.is_local() {
                    self.files_folder().display().to_string()
                } else {
                    format!("{} at {}", self.files.bucket, self.files.endpoint)
                },
            ),
            ("limits", format!("{:?}", self.limits)),
            ("seed", format!("at start {}, demonstration {}", self.seed.at_start, self.seed.demo)),
        ]
        .iter()
        .map(|(name, value)| format!("{name:>10}  {value}"))
        .collect::<Vec<_>>()
        .join("\n")
    }
}

impl FileSettings {
    /// Whether contents lie in a folder.
    pub fn is_local(&self) -> bool {
        self.kind == "local"
    }

    fn check(&self, fault: &mut impl FnMut(bool, &str)) {
        fault(!matches!(self.kind.as_str(), "local" | "s3"), "files.kind must be local or s3");
        if self.kind == "s3" {
            fault(
                url::Url::parse(&self.endpoint).is_err(),
                "files.endpoint must be a URL, because files.kind is s3",
            );
            for (name, value) in [
                ("region", self.region.as_str()),
                ("bucket", self.bucket.as_str()),
                ("access_key", self.access_key.expose_secret()),
                ("secret_key", self.secret_key.expose_secret()),
            ] {
                fault(value.is_empty(), &format!("files.{name} must be set, because files.kind is s3"));
            }
        }
        fault(!(1..=1000).contains(&self.uploads), "files.uploads must be 1 to 1000");
        fault(!(1..=1000).contains(&self.downloads), "files.downloads must be 1 to 1000");
        fault(!(1..=300).contains(&self.upload_seconds), "files.upload_seconds must be 1 to 300");
        fault(!(1..=300).contains(&self.link_seconds), "files.link_seconds must be 1 to 300");
    }
}

impl Wechat {
    fn check_content(&self, fault: &mut impl FnMut(bool, &str)) {
        let wrong = crate::platform::wechat::push::PushKeys::new(
            self.appid.clone(),
            self.push_token.clone(),
            &self.push_aes_key,
        )
        .is_none();
        fault(
            wrong,
            "wechat.push_aes_key must be the 43 signs that WeChat's console shows, or empty for plain mode",
        );
        let token = self.push_token.expose_secret();
        let fits = (3..=32).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fault(!fits, "wechat.push_token must be 3 to 32 letters and digits, as in WeChat's console");
        let url = url::Url::parse(&self.public_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        fault(!url, "wechat.public_url must be a URL such as https://api.example");
    }

    fn check_content_in_production(&self, fault: &mut impl FnMut(bool, &str)) {
        if !self.content_check {
            return;
        }
        fault(
            self.push_token.expose_secret().starts_with(INSECURE_KEY),
            "wechat.push_token still has its default, which is public: production mode needs the one of WeChat's console, because wechat.content_check is true",
        );
        fault(
            self.push_aes_key.expose_secret().starts_with(INSECURE_KEY),
            "wechat.push_aes_key still has its default, which is public: production mode needs the one of WeChat's console, because wechat.content_check is true",
        );
        fault(
            self.push_aes_key.expose_secret().is_empty(),
            "wechat.push_aes_key must be set in production mode, because wechat.content_check is true: plain pushes can be made by whoever has seen one",
        );
        fault(
            !self.public_url.starts_with("https://"),
            "wechat.public_url must begin with https:// in production mode, because wechat.content_check is true: WeChat fetches pictures there",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_demands_the_keys_of_pushes_where_content_is_checked() {
        let mut config = Config::defaults().unwrap();
        config.server.mode = Mode::Production;
        let about = |config: &Config| -> Vec<String> {
            let faults = config.check().unwrap_err().0;
            let of_pushes =
                |fault: &String| fault.contains("wechat.push_") || fault.contains("wechat.public_url");
            faults.into_iter().filter(of_pushes).collect()
        };
        config.wechat.content_check = false;
        assert_eq!(about(&config), Vec::<String>::new());
        config.wechat.content_check = true;
        assert_eq!(about(&config).len(), 3, "{:#?}", about(&config));
        config.wechat.push_token = "AAAAA".to_owned().into();
        config.wechat.public_url = "https://api.example".into();
        config.wechat.push_aes_key = String::new().into();
        assert_eq!(about(&config).len(), 1, "plain mode is not enough");
        config.wechat.push_aes_key = "A".repeat(42).into();
        assert_eq!(about(&config).len(), 1);
        config.wechat.push_aes_key = "A".repeat(43).into();
        assert_eq!(about(&config), Vec::<String>::new());
    }

    #[test]
    fn the_defaults_are_fine_to_try_and_refused_in_production_with_every_reason() {
        let mut config = Config::defaults().unwrap();
        config.check().unwrap();
        config.server.mode = Mode::Production;
        config.server.instances = 3;
        let faults = config.check().unwrap_err().0;
        for expected in [
            "auth.secret",
            "vault.secret",
            "vault.index_secret",
            "codes.cursor_secret",
            "codes.pass_secret",
            "codes.file_secret",
            "wechat.secret",
            "wechat.simulator",
            "seed.demo",
            "database.url",
            "cache.kind",
            "files.path",
        ] {
            assert!(
                faults.iter().any(|fault| fault.starts_with(expected)),
                "{expected} is not in {faults:#?}"
            );
        }
    }

    #[test]
    fn contents_lie_beside_the_sqlite_file_or_where_it_is_said() {
        let mut config = Config::defaults().unwrap();
        for (url, path, folder) in [
            ("sqlite:///srv/unionhall.db", "", "/srv/files"),
            ("sqlite://unionhall.db", "", "files"),
            ("postgres://db.example/unionhall", "", "data/files"),
            ("sqlite:///srv/unionhall.db", "/mnt/files", "/mnt/files"),
        ] {
            (config.database.url, config.files.path) = (url.to_owned().into(), path.to_owned());
            assert_eq!(config.files_folder(), Path::new(folder), "{url}");
        }
        config.files.kind = "s3".into();
        let faults = config.check().unwrap_err().0;
        for expected in ["endpoint", "region", "bucket", "access_key", "secret_key"] {
            assert!(
                faults.iter().any(|fault| fault.starts_with(&format!("files.{expected}"))),
                "{faults:#?}"
            );
        }
    }

    #[test]
    fn every_wrong_value_is_named_at_once_and_no_secret_is_shown() {
        let mut config = Config::defaults().unwrap();
        config.server.listen = "nowhere".into();
        config.database.url = "mysql://root:hunter2@host/db".to_owned().into();
        config.cache.kind = "file".into();
        config.auth.secret = "hunter2".to_owned().into();
        let text = config.check().unwrap_err().to_string();
        for expected in ["server.listen", "database.url", "cache.kind", "auth.secret"] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
        assert!(!text.contains("hunter2"));
        assert!(!config.describe().contains("hunter2"));
    }
}
