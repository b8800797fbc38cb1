//! Storage: transactions that hold or leave nothing, one writer that loses nothing, batches that fail one by one.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use futures_util::FutureExt;
use futures_util::future::join_all;
use unionhall::error::{Code, Error, Result};
use unionhall::ids::PersonId;
use unionhall::platform::db::schema::policies;
use unionhall::platform::db::{Batch, BatchHandler, Batcher, BatcherConfig, Conn, Db, Engine};
use unionhall::platform::http::extract::RequestKey;
use unionhall::platform::http::idempotency::{self, Use};
use uuid::Uuid;

use crate::harness::{Test, TestApp, ground};

pub const TESTS: &[Test] = tests![
    a_transaction_that_fails_or_panics_leaves_nothing,
    eight_threads_that_read_and_then_write_lose_nothing,
    sqlite_runs_as_it_must,
    a_batch_is_answered_in_order_after_its_commit,
    a_member_that_fails_fails_alone,
    a_handler_that_panics_answers_and_goes_on,
    a_full_queue_says_when_to_come_again,
    who_was_answered_together_is_waited_for,
    what_batches_read_is_parsed_once_and_planned_by_index,
    an_answer_is_not_given_before_the_commit,
];

/// Keeps a text under `key`; the policies have a key, a text, and nothing that refers to them.
fn keep(conn: &mut Conn, key: &str) -> Result<()> {
    diesel::insert_into(policies::table)
        .values((
            policies::policy_key.eq(key),
            policies::effective_from.eq(chrono::NaiveDate::from_ymd_opt(2025, 1, 1).unwrap()),
            policies::value.eq("0"),
            policies::unit.eq("test"),
            policies::source.eq("test"),
        ))
        .execute(conn)?;
    Ok(())
}

async fn kept(app: &TestApp) -> Vec<String> {
    app.read(|conn| {
        let query = policies::table.filter(policies::unit.eq("test")).order(policies::policy_key);
        Ok(query.select(policies::policy_key).load(conn)?)
    })
    .await
}

async fn a_transaction_that_fails_or_panics_leaves_nothing(app: TestApp) {
    let failed = app.db().write(|conn| {
        keep(conn, "failed")?;
        Err::<(), Error>(Error::new(Code::Conflict))
    });
    assert_eq!(failed.await.unwrap_err().code(), Code::Conflict);
    // As often as there are connections, and more: none stays behind in its transaction.
    for _ in 0..6 {
        let panicked = app.db().write(|conn| {
            keep(conn, "panicked")?;
            if kept_now(conn)? > 0 {
                panic!("a bug");
            }
            Ok(())
        });
        assert_eq!(panicked.await.unwrap_err().code(), Code::Internal);
    }
    let db = app.db().clone();
    let blocking = catch_unwind(AssertUnwindSafe(|| {
        db.write_blocking(|conn| -> Result<()> {
            keep(conn, "panicked")?;
            panic!("a bug");
        })
    }));
    assert!(blocking.is_err());
    assert!(kept(&app).await.is_empty());
    app.write(|conn| keep(conn, "good")).await;
    assert_eq!(kept(&app).await, ["good"]);
    // The engine's own refusal leaves nothing either, and the connection is good for more.
    let taken = app.db().write(|conn| {
        keep(conn, "before")?;
        keep(conn, "good")
    });
    assert_eq!(taken.await.unwrap_err().code(), Code::Internal);
    assert_eq!(kept(&app).await, ["good"]);
}

fn kept_now(conn: &mut Conn) -> Result<i64> {
    Ok(policies::table.filter(policies::unit.eq("test")).count().get_result(conn)?)
}

async fn eight_threads_that_read_and_then_write_lose_nothing(app: TestApp) {
    app.write(|conn| keep(conn, "counter")).await;
    let start = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (db, start) = (ground::open(&app.config().database.url), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                for _ in 0..25 {
                    db.write_blocking(|conn| {
                        // On PostgreSQL a row that is read to be written is locked; on SQLite the transaction is the lock.
                        let query = policies::table.filter(policies::policy_key.eq("counter"));
                        let seen: Vec<String> = unionhall::load_locked!(conn, query.select(policies::value))?;
                        let next = seen[0].parse::<i64>().unwrap() + 1;
                        diesel::update(policies::table.filter(policies::policy_key.eq("counter")))
                            .set(policies::value.eq(next.to_string()))
                            .execute(conn)?;
                        Ok(())
                    })
                    .unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let query = policies::table.filter(policies::policy_key.eq("counter")).select(policies::value);
    let counted: String = app.read(move |conn| Ok(query.first(conn)?)).await;
    assert_eq!(counted, "200");
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    value: String,
}

fn pragma(conn: &mut Conn, name: &str) -> Result<i64> {
    let query = diesel::sql_query(format!("SELECT {name} AS value FROM pragma_{name}"));
    let Conn::Sqlite(conn) = conn else { panic!("not SQLite") };
    // The pragma of the busy handler calls its column "timeout".
    Ok(query.get_result::<Number>(conn)?.value)
}

async fn sqlite_runs_as_it_must(app: TestApp) {
    if app.engine() != Engine::Sqlite {
        return;
    }
    let settings = |conn: &mut Conn| -> Result<(i64, i64, i64, String)> {
        let synchronous = pragma(conn, "synchronous")?;
        let keys = pragma(conn, "foreign_keys")?;
        let only = pragma(conn, "query_only")?;
        let Conn::Sqlite(conn) = conn else { panic!("not SQLite") };
        let journal = diesel::sql_query("SELECT journal_mode AS value FROM pragma_journal_mode");
        Ok((synchronous, keys, only, journal.get_result::<Word>(conn)?.value))
    };
    // 2 is FULL.
    assert_eq!(app.write(settings).await, (2, 1, 0, "wal".into()), "the writer");
    assert_eq!(app.read(settings).await, (2, 1, 1, "wal".into()), "a reader");
    assert_eq!(
        settings(&mut app.db().connect().unwrap()).unwrap(),
        (2, 1, 0, "wal".into()),
        "one of its own"
    );
    let refused = app.db().read(|conn| keep(conn, "through a reader")).await.unwrap_err();
    assert_eq!(refused.code(), Code::StorageFull, "{refused}");
    let orphan = app.db().write(|conn| {
        Ok(conn.batch_execute(
            "INSERT INTO refresh_tokens (token_hash, family_id, issued_at, expires_at) \
             VALUES (x'00', x'00', '2025-01-01 00:00:00', '2025-01-01 00:00:00')",
        )?)
    });
    assert!(orphan.await.unwrap_err().to_string().contains("FOREIGN KEY"));
    assert!(kept(&app).await.is_empty());
}

/// Keeps each request's text and answers it with its length; does badly what the text says.
#[derive(Default)]
struct Clerk {
    sizes: Mutex<Vec<usize>>,
    panics: AtomicUsize,
    gate: Option<Mutex<mpsc::Receiver<()>>>,
    begun: Option<mpsc::Sender<()>>,
}

impl BatchHandler for Clerk {
    type Request = String;
    type Reply = usize;

    fn handle_in_tx(&self, conn: &mut Conn, batch: Batch<'_, String>) -> Result<Vec<Result<usize>>> {
        self.sizes.lock().unwrap().push(batch.len());
        if let Some(begun) = &self.begun {
            // The test may have stopped listening.
            let _heard = begun.send(());
        }
        if let Some(gate) = &self.gate {
            gate.lock().unwrap().recv().unwrap();
        }
        let mut replies = Vec::new();
        for text in batch {
            if text.starts_with("refuse") {
                replies.push(Err(Error::new(Code::SignupFull)));
                continue;
            }
            keep(conn, text)?;
            if text.starts_with("fail") {
                return Err(Error::internal("this one cannot be"));
            }
            if text.starts_with("panic") {
                self.panics.fetch_add(1, Ordering::SeqCst);
                panic!("a bug");
            }
            replies.push(Ok(text.len()));
        }
        Ok(replies)
    }
}

fn batcher(db: &Db, clerk: &Arc<Clerk>, config: BatcherConfig) -> Batcher<Clerk> {
    Batcher::start("clerk", db.clone(), Arc::clone(clerk), config).unwrap()
}

async fn a_batch_is_answered_in_order_after_its_commit(app: TestApp) {
    let clerk = Arc::new(Clerk::default());
    let batcher =
        batcher(app.db(), &clerk, BatcherConfig { batch: 16, queue: 400, ..BatcherConfig::default() });
    let texts: Vec<String> = (0..200).map(|n| format!("{n:03}{}", "x".repeat(n))).collect();
    let replies = join_all(texts.iter().map(|text| batcher.call(text.clone()))).await;
    for (number, reply) in replies.into_iter().enumerate() {
        assert_eq!(reply.unwrap(), number + 3, "everybody has their own answer");
    }
    assert_eq!(kept(&app).await, texts);
    let sizes = clerk.sizes.lock().unwrap().clone();
    assert!(sizes.iter().all(|size| *size <= 16), "{sizes:?}");
    assert!(sizes.len() < 100, "200 requests in {} commits are no batches", sizes.len());
}

async fn a_member_that_fails_fails_alone(app: TestApp) {
    let clerk = Arc::new(Clerk::default());
    let batcher = batcher(app.db(), &clerk, BatcherConfig::default());
    let texts: Vec<String> = (0..30)
        .map(|n| match n % 10 {
            3 => format!("fail {n:02}"),
            6 => format!("refuse {n:02}"),
            _ => format!("good {n:02}"),
        })
        .collect();
    let replies = join_all(texts.iter().map(|text| batcher.call(text.clone()))).await;
    for (text, reply) in texts.iter().zip(replies) {
        let code = reply.map_err(|error| error.code());
        match &text[..4] {
            "fail" => assert_eq!(code, Err(Code::Internal), "{text}"),
            "refu" => assert_eq!(code, Err(Code::SignupFull), "{text}"),
            _ => assert_eq!(code, Ok(text.len()), "{text}"),
        }
    }
    let good: HashSet<String> = texts.into_iter().filter(|text| text.starts_with("good")).collect();
    assert_eq!(kept(&app).await.into_iter().collect::<HashSet<_>>(), good, "each good one once");
}

async fn a_handler_that_panics_answers_and_goes_on(app: TestApp) {
    let clerk = Arc::new(Clerk::default());
    let batcher = batcher(app.db(), &clerk, BatcherConfig::default());
    let texts = ["one", "panic", "two"];
    let replies = join_all(texts.iter().map(|text| batcher.call((*text).to_owned()))).await;
    let codes: Vec<_> = replies.into_iter().map(|reply| reply.map_err(|error| error.code())).collect();
    assert_eq!(codes, [Ok(3), Err(Code::Internal), Ok(3)]);
    assert!(clerk.panics.load(Ordering::SeqCst) > 0);
    assert_eq!(batcher.call("three".into()).await.unwrap(), 5, "the thread lives");
    assert_eq!(kept(&app).await, ["one", "three", "two"]);
}

/// A clerk who waits in every batch for a word of the test, and says when a batch begins.
fn slow_clerk() -> (Arc<Clerk>, mpsc::Sender<()>, mpsc::Receiver<()>) {
    let ((go, gate), (begun, begins)) = (mpsc::channel(), mpsc::channel());
    let clerk = Clerk { gate: Some(Mutex::new(gate)), begun: Some(begun), ..Clerk::default() };
    (Arc::new(clerk), go, begins)
}

async fn a_full_queue_says_when_to_come_again(app: TestApp) {
    let (clerk, go, begins) = slow_clerk();
    let batcher = batcher(app.db(), &clerk, BatcherConfig { batch: 4, queue: 8, ..BatcherConfig::default() });
    let call = |text: String| {
        let batcher = batcher.clone();
        tokio::spawn(async move { batcher.call(text).await })
    };
    let mut waiting = vec![call("first".into())];
    tokio::task::yield_now().await;
    tokio::task::spawn_blocking(move || begins.recv_timeout(Duration::from_secs(10)).unwrap()).await.unwrap();
    // The first is at work; eight may wait.
    for number in 0..8 {
        waiting.push(call(format!("waits {number}")));
    }
    tokio::task::yield_now().await;
    for _ in 0..3 {
        let refused = batcher.call("too many".into()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        assert_eq!(refused.inner().retry_after, Some(Duration::from_secs(1)));
    }
    for _ in 0..9 {
        go.send(()).unwrap();
    }
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    let mut kept = kept(&app).await;
    kept.retain(|text| text == "too many");
    assert!(kept.is_empty());
    assert_eq!(*clerk.sizes.lock().unwrap(), [1, 4, 4]);
}

async fn who_was_answered_together_is_waited_for(app: TestApp) {
    let (clerk, go, begins) = slow_clerk();
    let linger = Duration::from_secs(60);
    let batcher = batcher(app.db(), &clerk, BatcherConfig { linger, ..BatcherConfig::default() });
    let call = |text: &'static str| {
        let batcher = batcher.clone();
        tokio::spawn(async move { batcher.call(text.into()).await.unwrap() })
    };
    let begins = Arc::new(Mutex::new(begins));
    let begun = |wait: Duration| {
        let begins = Arc::clone(&begins);
        async move {
            tokio::task::spawn_blocking(move || begins.lock().unwrap().recv_timeout(wait).is_ok())
                .await
                .unwrap()
        }
    };
    let long = Duration::from_secs(10);
    let first = call("first");
    assert!(begun(long).await);
    let two = [call("second"), call("third")];
    tokio::task::yield_now().await;
    for _ in 0..2 {
        go.send(()).unwrap();
    }
    assert!(begun(long).await);
    first.await.unwrap();
    for one in two {
        one.await.unwrap();
    }
    // Two were answered together: one who comes again is not taken alone.
    let again = call("second again");
    assert!(!begun(Duration::from_millis(50)).await);
    let other = call("third again");
    assert!(begun(long).await);
    go.send(()).unwrap();
    again.await.unwrap();
    other.await.unwrap();
    assert_eq!(*clerk.sizes.lock().unwrap(), [1, 2, 2]);
}

/// Looks for what nobody has done, and tells how that is kept and planned.
struct Looker;

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = BigInt)]
    kept: i64,
    #[diesel(sql_type = Text)]
    through_tables: String,
}

fn look(conn: &mut Conn) -> Result<Vec<String>> {
    let request = RequestKey { key: "nobody's".into(), fingerprint: vec![0; 32] };
    let one = Use { principal: PersonId(Uuid::nil()), request };
    assert!(idempotency::find_in_tx(conn, &[&one])?.is_empty());
    let Conn::Postgres(c) = conn else { return Ok(Vec::new()) };
    let settings: Vec<Setting> = diesel::sql_query(
        "SELECT count(*) AS kept, current_setting('enable_seqscan') AS through_tables \
         FROM pg_prepared_statements WHERE statement LIKE '%FROM idempotency_keys AS one%'",
    )
    .load(c)?;
    Ok(settings.iter().map(|one| format!("{} {}", one.kept, one.through_tables)).collect())
}

impl BatchHandler for Looker {
    type Request = ();
    type Reply = Vec<String>;

    fn handle_in_tx(&self, conn: &mut Conn, batch: Batch<'_, ()>) -> Result<Vec<Result<Vec<String>>>> {
        batch.iter().map(|()| Ok(look(conn))).collect()
    }
}

async fn what_batches_read_is_parsed_once_and_planned_by_index(app: TestApp) {
    let batcher =
        Batcher::start("looker", app.db().clone(), Arc::new(Looker), BatcherConfig::default()).unwrap();
    let expected = |text: &str| match app.engine() {
        Engine::Postgres => vec![text.to_owned()],
        Engine::Sqlite => Vec::new(),
    };
    for _ in 0..3 {
        assert_eq!(batcher.call(()).await.unwrap(), expected("1 off"), "its own connection keeps it");
    }
    for _ in 0..3 {
        let elsewhere = app.read(look).await;
        assert_eq!(
            elsewhere,
            expected("0 on"),
            "elsewhere it is planned anew, as large as the table is by then"
        );
    }
}

async fn an_answer_is_not_given_before_the_commit(app: TestApp) {
    let (clerk, go, begins) = slow_clerk();
    let batcher = batcher(app.db(), &clerk, BatcherConfig::default());
    let mut call = Box::pin(batcher.call("slow".into()));
    assert!(call.as_mut().now_or_never().is_none());
    tokio::task::spawn_blocking(move || begins.recv_timeout(Duration::from_secs(10)).unwrap()).await.unwrap();
    assert!(call.as_mut().now_or_never().is_none());
    assert!(kept(&app).await.is_empty());
    go.send(()).unwrap();
    assert_eq!(call.await.unwrap(), 4);
    assert_eq!(kept(&app).await, ["slow"]);
}
