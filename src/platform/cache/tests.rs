//! Memory, Redis and the pure model held against each other; Redis killed, stalled and brought back.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use chrono::{TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::clock::ManualClock;

const MINUTE: Duration = Duration::from_secs(60);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Utc.with_ymd_and_hms(2025, 6, 1, 0, 0, 0).unwrap()))
}

/// A private Redis on a socket in a directory of its own; ends with the value.
struct Server {
    directory: tempfile::TempDir,
    child: Child,
}

impl Server {
    /// `None`, with a note, where Redis is not installed; with `CI=true` that is a failure.
    fn start() -> Option<Server> {
        let directory = tempfile::tempdir().unwrap();
        match Self::spawn(directory.path().join("redis.sock")) {
            Ok(child) => Some(Server { directory, child }),
            Err(error) => {
                assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "redis-server is needed: {error}");
                eprintln!("note: redis-server cannot be started ({error}), so this test proves nothing");
                None
            }
        }
    }

    fn spawn(socket: PathBuf) -> std::io::Result<Child> {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()?;
        for _ in 0..500 {
            if UnixStream::connect(&socket).is_ok() {
                return Ok(child);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not listen");
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(self.socket()).unwrap();
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn cache(&self, clock: &Arc<ManualClock>) -> Cache {
        Cache::redis(&SecretString::from(self.url()), "t", clock.clone()).unwrap()
    }

    /// A command on a connection of its own.
    fn ask<T: ::redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = ::redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let mut cmd = ::redis::cmd(command[0]);
        cmd.arg(&command[1..]).query(&mut connection).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is logged on this thread while the guard lives.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn count(&self, level: &str) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains("redis") && line.contains(level)).count()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn dials(cache: &Cache) -> u64 {
    match &*cache.0 {
        Store::Redis(redis) => redis.dials(),
        Store::Memory(_) => panic!("not in Redis"),
    }
}

async fn values_end_with_their_time(cache: Cache, clock: &ManualClock) {
    let key = Key::record("profile", "per_1");
    assert_eq!(cache.get(&key).await, None);
    cache.put(&key, b"first", MINUTE).await;
    assert_eq!(cache.get(&key).await.as_deref(), Some(&b"first"[..]));
    clock.advance(TimeDelta::microseconds(59_999_999));
    assert!(cache.get(&key).await.is_some());
    clock.advance(TimeDelta::microseconds(1));
    assert_eq!(cache.get(&key).await, None);

    cache.put(&key, b"", Duration::MAX).await;
    assert_eq!(cache.get(&key).await.as_deref(), Some(&b""[..]));
    cache.delete(&key).await;
    assert_eq!(cache.get(&key).await, None);
    cache.put(&key, b"at once", Duration::ZERO).await;
    assert_eq!(cache.get(&key).await, None);
}

#[tokio::test]
async fn values_in_memory_end_with_their_time() {
    let clock = clock();
    values_end_with_their_time(Cache::memory(clock.clone()), &clock).await;
}

#[tokio::test]
async fn values_in_redis_end_with_their_time() {
    let Some(server) = Server::start() else { return };
    let clock = clock();
    values_end_with_their_time(server.cache(&clock), &clock).await;
}

#[test]
fn memory_is_bounded() {
    let store = memory::MemoryStore::bounded(clock(), 10_000, 50);
    let quota = Quota { limit: 1, period: MINUTE };
    for number in 0..1000 {
        store.put(&Key::record("x", &number.to_string()), &[0; 100], MINUTE);
        store.admit(&Key::rate("x", &number.to_string()), quota);
    }
    let (bytes, subjects) = store.sizes();
    assert!(bytes <= 10_000 && subjects <= 50, "{bytes} bytes, {subjects} subjects");
    assert!(!store.admit(&Key::rate("x", "999"), quota).allowed, "the latest are remembered");
}

#[test]
fn threads_together_get_no_more_than_the_limit() {
    let store = memory::MemoryStore::new(clock());
    let quota = Quota { limit: 100, period: MINUTE };
    let key = Key::rate("x", "one");
    let admitted: usize = std::thread::scope(|scope| {
        let run = || (0..50).filter(|_| store.admit(&key, quota).allowed).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 100);
}

/// Steps of a run: microseconds to move the clock by (also backwards) and the quota asked for.
fn runs() -> impl Strategy<Value = Vec<(i64, Quota)>> {
    let quota = (0u32..6, 1u64..20_000_000)
        .prop_map(|(limit, micros)| Quota { limit, period: Duration::from_micros(micros) });
    let step = prop_oneof![3 => Just(0i64), 5 => 0i64..4_000_000, 1 => -2_000_000i64..0];
    (quota.clone(), prop::collection::vec((step, prop::option::weighted(0.1, quota)), 1..60)).prop_map(
        |(usual, steps)| steps.into_iter().map(|(by, other)| (by, other.unwrap_or(usual))).collect(),
    )
}

/// Every answer of `cache` on a random run is the one of the pure model.
fn follows_the_model(cases: u32, cache: &Cache, clock: &ManualClock) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let subject = std::cell::Cell::new(0);
    let mut runner =
        TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..Default::default() });
    let result = runner.run(&runs(), |run| {
        subject.set(subject.get() + 1);
        let key = Key::rate("model", &subject.get().to_string());
        let mut tat = None;
        for (by, quota) in run {
            clock.advance(TimeDelta::microseconds(by));
            let (expected, kept) = gcra::decide(tat, clock_micros(clock), quota);
            if expected.allowed {
                tat = Some(kept);
            }
            prop_assert_eq!(runtime.block_on(cache.admit(&key, quota)), expected);
        }
        Ok(())
    });
    result.unwrap();
}

fn clock_micros(clock: &ManualClock) -> i64 {
    use crate::clock::Clock;
    clock.now().timestamp_micros()
}

#[test]
fn memory_follows_the_model() {
    let clock = clock();
    follows_the_model(256, &Cache::memory(clock.clone()), &clock);
}

#[test]
fn redis_follows_the_model() {
    let Some(server) = Server::start() else { return };
    let clock = clock();
    let cache = server.cache(&clock);
    follows_the_model(64, &cache, &clock);
    assert_eq!(cache.health(), CacheHealth::RedisUp, "it was Redis that answered");
    assert_eq!(dials(&cache), 1);
}

#[tokio::test]
async fn two_instances_share_one_limit() {
    let Some(server) = Server::start() else { return };
    let clock = clock();
    let (here, there) = (server.cache(&clock), server.cache(&clock));
    let (key, quota) = (Key::rate("login", "203.0.113.7"), Quota { limit: 3, period: MINUTE });
    assert!(here.admit(&key, quota).await.allowed);
    assert!(there.admit(&key, quota).await.allowed);
    assert!(here.admit(&key, quota).await.allowed);
    assert!(!there.admit(&key, quota).await.allowed);
}

#[tokio::test]
async fn a_killed_redis_is_done_without_and_comes_back_by_itself() {
    let Some(mut server) = Server::start() else { return };
    let (clock, log) = (clock(), Log::default());
    let _guard = log.capture();
    let cache = server.cache(&clock);
    let (key, quota) = (Key::rate("login", "203.0.113.7"), Quota { limit: 3, period: MINUTE });
    let record = Key::record("profile", "per_1");
    for _ in 0..3 {
        assert!(cache.admit(&key, quota).await.allowed);
    }
    cache.put(&record, b"old", MINUTE).await;

    server.kill();
    assert_eq!(cache.get(&record).await, None);
    assert_eq!(cache.health(), CacheHealth::RedisDown);
    assert!(!cache.admit(&key, quota).await.allowed, "a limit reached in Redis stays reached");
    let other = Key::rate("login", "198.51.100.9");
    for round in 0..10 {
        assert_eq!(cache.admit(&other, quota).await.allowed, round < 3, "still limited");
        cache.put(&record, b"lost", MINUTE).await;
        cache.delete(&record).await;
    }
    assert_eq!(dials(&cache), 1, "while it rests nobody asks Redis");
    for _ in 0..3 {
        assert_eq!(cache.probe().await, CacheHealth::RedisDown);
    }
    assert_eq!((log.count("WARN"), log.count("INFO")), (1, 1), "said once");

    server.restart();
    clock.advance(TimeDelta::seconds(2));
    let mut answer = None;
    for _ in 0..1000 {
        cache.put(&record, b"new", MINUTE).await;
        answer = cache.get(&record).await;
        if answer.is_some() {
            break;
        }
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(answer.as_deref(), Some(&b"new"[..]), "came back without a probe");
    assert_eq!(cache.health(), CacheHealth::RedisUp);
    assert!(cache.admit(&other, quota).await.allowed, "the script was loaded anew");
    assert_eq!((log.count("WARN"), log.count("INFO")), (1, 2), "said once");
}

#[tokio::test]
async fn a_stalled_redis_costs_one_time_out() {
    let Some(server) = Server::start() else { return };
    let cache = server.cache(&clock());
    assert_eq!(cache.probe().await, CacheHealth::RedisUp);
    server.ask::<()>(&["CLIENT", "PAUSE", "60000", "ALL"]);
    let quota = Quota { limit: 1, period: MINUTE };
    let key = Key::rate("login", "203.0.113.7");
    let watch = crate::clock::Stopwatch::start();
    for round in 0..100 {
        assert_eq!(cache.admit(&key, quota).await.allowed, round == 0);
    }
    assert!(watch.elapsed() < 4 * link::RESPONSE, "{:?}", watch.elapsed());
    assert_eq!(cache.health(), CacheHealth::RedisDown);
    assert_eq!(dials(&cache), 1);
}

#[tokio::test]
async fn a_redis_that_refuses_writes_counts_as_away() {
    let Some(server) = Server::start() else { return };
    let (clock, log) = (clock(), Log::default());
    let _guard = log.capture();
    let cache = server.cache(&clock);
    assert_eq!(cache.probe().await, CacheHealth::RedisUp);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let quota = Quota { limit: 1, period: MINUTE };
    let key = Key::rate("login", "203.0.113.7");
    assert!(cache.admit(&key, quota).await.allowed);
    assert!(!cache.admit(&key, quota).await.allowed);
    assert_eq!(cache.probe().await, CacheHealth::RedisDown, "a PING would have been answered");
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(cache.probe().await, CacheHealth::RedisUp);
    assert_eq!((log.count("WARN"), log.count("INFO")), (1, 2));
}

#[tokio::test]
async fn a_server_out_of_reach_is_no_error() {
    let url = SecretString::from("redis://:hunter2@127.0.0.1:1/0");
    let log = Log::default();
    let _guard = log.capture();
    let cache = Cache::redis(&url, "t", clock()).unwrap();
    assert_eq!(cache.health(), CacheHealth::RedisDown);
    assert_eq!(log.count("WARN"), 0);
    let quota = Quota { limit: 1, period: MINUTE };
    assert!(cache.admit(&Key::rate("x", "y"), quota).await.allowed);
    assert!(!cache.admit(&Key::rate("x", "y"), quota).await.allowed);
    assert_eq!(cache.get(&Key::list("x", "y")).await, None);
    assert_eq!((log.count("WARN"), log.count("hunter2")), (1, 0));
}

#[test]
fn only_a_bad_url_is_an_error_and_it_keeps_the_secret() {
    for url in ["", "hunter2", "https://:hunter2@host", "redis://:hunter2@host/not-a-number"] {
        let error = Cache::redis(&SecretString::from(url), "t", clock()).err().unwrap();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    // Made outside of any runtime.
    assert!(Cache::redis(&SecretString::from("redis://:hunter2@host:6379/3"), "t", clock()).is_ok());
}

#[tokio::test]
async fn no_subject_is_readable_in_redis_and_every_key_ends() {
    let Some(server) = Server::start() else { return };
    let cache = server.cache(&clock());
    let subject = "canary-203.0.113.7";
    cache.admit(&Key::rate("login", subject), Quota { limit: 3, period: MINUTE }).await;
    cache.put(&Key::record("profile", subject), b"x", MINUTE).await;
    cache.put(&Key::list("activities", subject), b"x", MINUTE).await;
    cache.put(&Key::wechat_token("wx1"), b"x", MINUTE).await;
    let mut keys: Vec<String> = server.ask(&["KEYS", "*"]);
    keys.sort();
    assert_eq!(keys.len(), 5, "{keys:?}");
    for key in &keys {
        assert!(key.starts_with("t:") && !key.contains("canary"), "{key}");
        let ttl: i64 = server.ask(&["PTTL", key]);
        assert!(ttl > 0, "{key} never ends");
    }
}

#[test]
fn every_operation_can_move_between_threads() {
    fn is_send(_: impl Send) {}
    let cache = Cache::memory(clock());
    let key = Key::list("x", "y");
    is_send(cache.get(&key));
    is_send(cache.put(&key, b"x", MINUTE));
    is_send(cache.delete(&key));
    is_send(cache.admit(&key, Quota { limit: 1, period: MINUTE }));
    is_send(cache.probe());
}
