//! Jobs: after their commit, once, in order, and never lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;
use unionhall::clock::db_time;
use unionhall::error::{Code, Error, Result};
use unionhall::ids::PersonId;
use unionhall::notify::jobs::Message;
use unionhall::notify::model::NoticeKind;
use unionhall::platform::audit::{self, Entry};
use unionhall::platform::db::schema::{audit_entries, jobs, notices};
use unionhall::platform::db::{Conn, Db, Engine};
use unionhall::platform::outbox::{Bell, Job, JobHandler, JobState, NewJob, Worker, enqueue_in_tx};

use crate::harness::{Test, TestApp, ground};

pub const TESTS: &[Test] = tests![
    a_job_is_seen_with_its_commit_and_not_before,
    a_job_of_a_transaction_that_failed_never_runs,
    two_workers_run_five_hundred_jobs_once_each,
    a_failing_job_backs_off_dies_and_is_revived,
    a_panic_is_a_failed_attempt_and_the_others_run,
    a_crashed_instances_job_is_taken_over_after_its_lease,
    an_instance_that_lost_its_lease_has_no_effect,
    after_a_stop_jobs_run_in_the_order_of_their_time,
    a_recurring_job_waits_once_and_comes_back,
    of_jobs_with_one_key_only_one_waits,
    a_recurring_job_that_fails_is_never_dead,
    a_job_that_takes_its_process_with_it_is_dead_in_the_end,
    of_jobs_that_share_a_transaction_one_that_fails_stops_no_other,
    messages_that_share_a_job_are_written_once_each,
    a_long_job_keeps_no_short_one_waiting,
];

const KIND: &str = "test.work";

type Effect = Box<dyn Fn(&mut Conn, &Job) -> Result<()> + Send + Sync>;

/// A handler that does what a test says.
struct Handler {
    every: Option<TimeDelta>,
    effect: Effect,
}

impl JobHandler for Handler {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn every(&self) -> Option<TimeDelta> {
        self.every
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        (self.effect)(conn, job)
    }
}

fn worker_on(app: &TestApp, db: Db, every: Option<TimeDelta>, effect: Effect) -> Worker {
    let clock = Arc::clone(&app.app().platform().clock);
    Worker::new(db, clock, app.ids().clone(), Bell::default(), 128, vec![Arc::new(Handler { every, effect })])
}

fn worker(app: &TestApp, effect: Effect) -> Worker {
    worker_on(app, app.db().clone(), None, effect)
}

/// An effect that stays: one entry of the audit chain a job, under its payload.
fn leave_a_trace(app: &TestApp) -> Effect {
    let clock = Arc::clone(&app.app().platform().clock);
    Box::new(move |conn, job| {
        audit::append_in_tx(conn, clock.now(), vec![Entry::system("test.effect", &job.payload)])
    })
}

/// What [`leave_a_trace`] left, in its order.
async fn traces(app: &TestApp) -> Vec<String> {
    app.read(|conn| {
        let query = audit_entries::table.filter(audit_entries::action.eq("test.effect"));
        Ok(query.order(audit_entries::seq).select(audit_entries::object).load(conn)?)
    })
    .await
}

fn work(number: usize, run_at: DateTime<Utc>) -> NewJob {
    NewJob { kind: KIND, payload: json!(number), run_at, dedupe_key: None }
}

async fn enqueue(app: &TestApp, new: Vec<NewJob>) {
    let (ids, now) = (app.ids().clone(), app.now());
    app.write(move |conn| enqueue_in_tx(conn, &ids, now, new)).await;
}

async fn all(app: &TestApp) -> Vec<Job> {
    app.read(|conn| Ok(jobs::table.order((jobs::run_at, jobs::id)).select(Job::as_select()).load(conn)?))
        .await
}

async fn only(app: &TestApp) -> Job {
    let mut jobs = all(app).await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

async fn a_job_is_seen_with_its_commit_and_not_before(app: TestApp) {
    let doer = worker(&app, leave_a_trace(&app));
    let mut conn = app.db().connect().unwrap();
    conn.batch_execute(if app.engine() == Engine::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).unwrap();
    enqueue_in_tx(&mut conn, app.ids(), app.now(), vec![work(1, app.now())]).unwrap();
    assert!(all(&app).await.is_empty(), "nobody sees it yet");
    if app.engine() == Engine::Postgres {
        // On SQLite a claim waits for the writer to end.
        assert_eq!(doer.drain().unwrap(), 0);
    }
    conn.batch_execute("COMMIT").unwrap();
    assert_eq!(doer.drain().unwrap(), 1);
    assert_eq!(traces(&app).await, ["1"]);
    assert!(all(&app).await.is_empty(), "a job that is done is gone");
}

async fn a_job_of_a_transaction_that_failed_never_runs(app: TestApp) {
    let doer = worker(&app, leave_a_trace(&app));
    let (ids, now) = (app.ids().clone(), app.now());
    let failed = app.db().write(move |conn| {
        enqueue_in_tx(conn, &ids, now, vec![work(1, now)])?;
        Err::<(), Error>(Error::new(Code::Conflict))
    });
    assert_eq!(failed.await.unwrap_err().code(), Code::Conflict);
    assert_eq!(doer.drain().unwrap(), 0);
    assert!(traces(&app).await.is_empty());
}

async fn two_workers_run_five_hundred_jobs_once_each(app: TestApp) {
    enqueue(&app, (0..500).map(|number| work(number, app.now())).collect()).await;
    let start = Arc::new(Barrier::new(2));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            // Pools of its own, as another instance has.
            let doer = worker_on(&app, ground::open(&app.config().database.url), None, leave_a_trace(&app));
            let start = Arc::clone(&start);
            std::thread::spawn(move || {
                start.wait();
                doer.drain().unwrap()
            })
        })
        .collect();
    let done: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(done.iter().sum::<usize>(), 500, "{done:?}");
    let mut numbers: Vec<usize> = traces(&app).await.iter().map(|text| text.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    assert!(all(&app).await.is_empty());
}

async fn a_failing_job_backs_off_dies_and_is_revived(app: TestApp) {
    app.expect_failed_jobs();
    let healthy = Arc::new(AtomicBool::new(false));
    let (state, trace) = (Arc::clone(&healthy), leave_a_trace(&app));
    let doer = worker(
        &app,
        Box::new(move |conn, job| {
            // What it did before it failed must not stay.
            trace(conn, job)?;
            if state.load(Ordering::SeqCst) { Ok(()) } else { Err(Error::internal("the printer is on fire")) }
        }),
    );
    enqueue(&app, vec![work(7, app.now())]).await;
    for attempt in 1..=12 {
        assert_eq!(doer.drain().unwrap(), 1, "attempt {attempt}");
        let job = only(&app).await;
        assert_eq!(job.attempts, attempt);
        assert!(job.last_error.unwrap().contains("the printer is on fire"));
        assert_eq!((job.leased_by, job.leased_until), (None, None));
        if attempt == 12 {
            assert_eq!(job.state, JobState::Dead);
            break;
        }
        assert_eq!(job.state, JobState::Queued, "attempt {attempt}");
        let pause = TimeDelta::seconds(5 << (attempt - 1));
        assert_eq!(job.run_at, db_time(app.now() + pause), "attempt {attempt}");
        app.advance(pause - TimeDelta::microseconds(1));
        assert_eq!(doer.drain().unwrap(), 0, "attempt {attempt} came too early");
        app.advance(TimeDelta::microseconds(1));
    }
    app.advance(TimeDelta::days(400));
    assert_eq!(doer.drain().unwrap(), 0, "the dead wait for a person");
    assert!(traces(&app).await.is_empty());

    let admin = app.staff("admin").await;
    let dead = admin.get("/api/v1/dead-jobs").await.ok(200);
    let shown = &dead["items"][0];
    assert_eq!((&shown["kind"], &shown["attempts"]), (&json!(KIND), &json!(12)));
    assert!(shown["last_error"].as_str().unwrap().contains("the printer is on fire"));
    let path = format!("/api/v1/dead-jobs/{}/revivals", shown["id"].as_str().unwrap());
    app.worker("zhang").await.post(&path, json!({})).await.problem(403, "forbidden");
    admin.post(&path, json!({})).await.ok(200);
    assert_eq!(only(&app).await.attempts, 0);
    admin.post(&path, json!({})).await.problem(404, "not_found");
    healthy.store(true, Ordering::SeqCst);
    assert_eq!(doer.drain().unwrap(), 1);
    assert_eq!(traces(&app).await, ["7"]);
    assert_eq!(admin.get("/api/v1/dead-jobs").await.ok(200)["items"], json!([]));
}

async fn a_panic_is_a_failed_attempt_and_the_others_run(app: TestApp) {
    app.expect_failed_jobs();
    let trace = leave_a_trace(&app);
    let doer = worker(
        &app,
        Box::new(move |conn, job| {
            trace(conn, job)?;
            assert_ne!(job.payload, "2", "a bug in a handler");
            Ok(())
        }),
    );
    enqueue(&app, (1..=3).map(|number| work(number, app.now())).collect()).await;
    assert_eq!(doer.drain().unwrap(), 3);
    let mut done = traces(&app).await;
    done.sort();
    assert_eq!(done, ["1", "3"]);
    let left = only(&app).await;
    assert_eq!((left.payload.as_str(), left.state, left.attempts), ("2", JobState::Queued, 1));
    assert_eq!(left.run_at, db_time(app.now() + TimeDelta::seconds(5)));
    // Not to be tried again by the look after the test.
    app.write(|conn| Ok(diesel::delete(jobs::table).execute(conn).map(drop)?)).await;
}

/// Makes every job look as if `instance` had claimed it.
async fn claim_for(app: &TestApp, instance: &'static str, until: DateTime<Utc>) {
    app.write(move |conn| {
        diesel::update(jobs::table)
            .set((
                jobs::state.eq(JobState::Running),
                jobs::attempts.eq(1),
                jobs::leased_by.eq(instance),
                jobs::leased_until.eq(db_time(until)),
            ))
            .execute(conn)?;
        Ok(())
    })
    .await;
}

async fn a_crashed_instances_job_is_taken_over_after_its_lease(app: TestApp) {
    let doer = worker(&app, leave_a_trace(&app));
    enqueue(&app, vec![work(1, app.now())]).await;
    claim_for(&app, "crashed", app.now() + TimeDelta::minutes(2)).await;
    assert_eq!(doer.drain().unwrap(), 0);
    app.advance(TimeDelta::minutes(2));
    assert_eq!(doer.drain().unwrap(), 0, "the lease lasts to its end");
    app.advance(TimeDelta::microseconds(1));
    assert_eq!(doer.drain().unwrap(), 1);
    assert_eq!(traces(&app).await, ["1"]);
    assert!(all(&app).await.is_empty());
}

async fn an_instance_that_lost_its_lease_has_no_effect(app: TestApp) {
    // Both jobs are claimed at once; while the first runs, the second is taken over by another instance.
    let until = db_time(app.now() + TimeDelta::minutes(9));
    let trace = leave_a_trace(&app);
    let doer = worker(
        &app,
        Box::new(move |conn, job| {
            let others = jobs::table.filter(jobs::id.ne(job.id));
            diesel::update(others)
                .set((jobs::leased_by.eq("another"), jobs::leased_until.eq(until)))
                .execute(conn)?;
            trace(conn, job)
        }),
    );
    let second = app.now() - TimeDelta::seconds(1);
    enqueue(&app, vec![work(1, second - TimeDelta::seconds(1)), work(2, second)]).await;
    doer.drain().unwrap();
    assert_eq!(traces(&app).await, ["1"]);
    let left = only(&app).await;
    assert_eq!((left.payload.as_str(), left.leased_by.as_deref()), ("2", Some("another")));
    assert_eq!((left.state, left.leased_until), (JobState::Running, Some(until)));
}

async fn after_a_stop_jobs_run_in_the_order_of_their_time(app: TestApp) {
    let log: Arc<Mutex<Vec<NaiveDateTime>>> = Arc::default();
    let kept = Arc::clone(&log);
    let doer = worker(
        &app,
        Box::new(move |_, job| {
            kept.lock().unwrap().push(job.run_at);
            Ok(())
        }),
    );
    // 100 jobs over four days, written in no order.
    let new = (0..100).map(|n| work(n, app.now() + TimeDelta::hours(((n * 37) % 100) as i64)));
    enqueue(&app, new.collect()).await;
    app.advance(TimeDelta::hours(49));
    assert_eq!(doer.drain().unwrap(), 50, "what is not due yet waits");
    app.advance(TimeDelta::days(9));
    assert_eq!(doer.drain().unwrap(), 50);
    let log = log.lock().unwrap();
    assert!(log.is_sorted(), "{log:?}");
    assert_eq!(log.len(), 100);
}

async fn a_recurring_job_waits_once_and_comes_back(app: TestApp) {
    let hour = TimeDelta::hours(1);
    let doers: Vec<Worker> =
        (0..2).map(|_| worker_on(&app, app.db().clone(), Some(hour), leave_a_trace(&app))).collect();
    for doer in doers.iter().chain(&doers) {
        doer.plant_recurring().unwrap();
    }
    assert_eq!(only(&app).await.dedupe_key.as_deref(), Some("recurring/test.work"));
    for run in 1..=3 {
        assert_eq!(doers[run % 2].drain().unwrap(), 1);
        assert_eq!(traces(&app).await.len(), run);
        assert_eq!(only(&app).await.run_at, db_time(app.now() + hour));
        doers[0].plant_recurring().unwrap();
        assert_eq!(doers[0].drain().unwrap(), 0);
        app.advance(hour);
    }
    // A day asleep is made up for by one run, not by 24.
    app.advance(TimeDelta::hours(24));
    assert_eq!(doers[0].drain().unwrap(), 1);
    assert_eq!(only(&app).await.run_at, db_time(app.now() + hour));
}

async fn of_jobs_with_one_key_only_one_waits(app: TestApp) {
    let doer = worker(&app, leave_a_trace(&app));
    let keyed = |number: usize| NewJob { dedupe_key: Some("one".into()), ..work(number, app.now()) };
    enqueue(&app, vec![keyed(1), keyed(2)]).await;
    enqueue(&app, vec![keyed(3)]).await;
    assert_eq!(doer.drain().unwrap(), 1);
    enqueue(&app, vec![keyed(4)]).await;
    assert_eq!(doer.drain().unwrap(), 1);
    assert_eq!(traces(&app).await, ["1", "4"]);
}

async fn a_recurring_job_that_fails_is_never_dead(app: TestApp) {
    app.expect_failed_jobs();
    let fail: Effect = Box::new(|_, _| Err(Error::internal("not today")));
    let doer = worker_on(&app, app.db().clone(), Some(TimeDelta::hours(1)), fail);
    doer.plant_recurring().unwrap();
    for attempt in 1..=15 {
        assert_eq!(doer.drain().unwrap(), 1);
        let job = only(&app).await;
        assert_eq!((job.attempts, job.state), (attempt, JobState::Queued));
        app.advance(job.run_at.and_utc() - app.now());
    }
    app.write(|conn| Ok(diesel::delete(jobs::table).execute(conn).map(drop)?)).await;
}

async fn a_job_that_takes_its_process_with_it_is_dead_in_the_end(app: TestApp) {
    app.expect_failed_jobs();
    let doer = worker(&app, leave_a_trace(&app));
    enqueue(&app, vec![work(1, app.now())]).await;
    claim_for(&app, "crashed", app.now() - TimeDelta::seconds(1)).await;
    // The twelfth process has died over it.
    app.write(|conn| Ok(diesel::update(jobs::table).set(jobs::attempts.eq(12)).execute(conn).map(drop)?))
        .await;
    assert_eq!(doer.drain().unwrap(), 1);
    assert_eq!(only(&app).await.state, JobState::Dead);
    assert!(traces(&app).await.is_empty());
}

/// A handler whose jobs share transactions; one payload fails.
struct Sharing(Handler);

impl JobHandler for Sharing {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn shares(&self) -> bool {
        true
    }

    fn run_in_tx(&self, conn: &mut Conn, job: &Job) -> Result<()> {
        self.0.run_in_tx(conn, job)?;
        if job.payload == "\"bad\"" { Err(Error::new(Code::Conflict)) } else { Ok(()) }
    }
}

async fn of_jobs_that_share_a_transaction_one_that_fails_stops_no_other(app: TestApp) {
    app.expect_failed_jobs();
    let (now, ids) = (app.now(), app.ids().clone());
    app.write(move |conn| {
        let job =
            |payload: &str| NewJob { kind: KIND, payload: json!(payload), run_at: now, dedupe_key: None };
        enqueue_in_tx(conn, &ids, now, ["one", "bad", "two", "three"].map(job).into())
    })
    .await;
    let clock = Arc::clone(&app.app().platform().clock);
    let handler = Sharing(Handler { every: None, effect: leave_a_trace(&app) });
    let worker = Worker::new(
        app.db().clone(),
        clock,
        app.ids().clone(),
        Bell::default(),
        128,
        vec![Arc::new(handler)],
    );
    tokio::task::spawn_blocking(move || worker.drain()).await.unwrap().unwrap();
    let (traces, left) = app
        .read(|conn| {
            let traces = audit_entries::table.filter(audit_entries::action.eq("test.effect"));
            let traces: Vec<String> =
                traces.order(audit_entries::object).select(audit_entries::object).load(conn)?;
            let left = jobs::table.filter(jobs::kind.eq(KIND));
            let left: Vec<(String, i64)> = left.select((jobs::payload, jobs::attempts)).load(conn)?;
            Ok((traces, left))
        })
        .await;
    assert_eq!(traces, ["\"one\"", "\"three\"", "\"two\""]);
    assert_eq!(left, [("\"bad\"".to_owned(), 1)]);
}

async fn messages_that_share_a_job_are_written_once_each(app: TestApp) {
    let mine: Vec<PersonId> = (0..70).map(|_| app.ids().id()).collect();
    let (at, made) = (app.now(), mine.clone());
    app.write(move |conn| {
        made.iter().try_for_each(|id| unionhall::people::store::create_in_tx(conn, *id, at))
    })
    .await;
    let (now, ids, told) = (app.now(), app.ids().clone(), mine.clone());
    app.write(move |conn| {
        let message = |person| Message {
            person,
            kind: NoticeKind::SignupConfirmed,
            subject: "班".into(),
            detail: String::new(),
            link: "/".into(),
        };
        let messages: Vec<Message> = told.into_iter().map(message).collect();
        enqueue_in_tx(conn, &ids, now, unionhall::notify::jobs::jobs(&messages, now))
    })
    .await;
    let queued = app.read(|conn| {
        Ok(jobs::table.filter(jobs::kind.eq("notice.write")).count().get_result::<i64>(conn)?)
    });
    assert_eq!(queued.await, 2);
    app.run_jobs().await;
    let mut written: Vec<PersonId> = app
        .read(|conn| {
            Ok(notices::table.filter(notices::title.eq("报名成功")).select(notices::person_id).load(conn)?)
        })
        .await;
    let mut wanted = mine;
    written.sort();
    wanted.sort();
    assert_eq!(written, wanted);
}

/// Takes until it is told that something short is done.
struct Long(Mutex<mpsc::Receiver<()>>);

impl JobHandler for Long {
    fn kind(&self) -> &'static str {
        "test.long"
    }

    fn is_long(&self) -> bool {
        true
    }

    fn prepare(&self, _: &Db, _: &Job) -> Result<()> {
        let told = self.0.lock().unwrap().recv_timeout(Duration::from_secs(60));
        told.map_err(|_| Error::internal("nothing short was done meanwhile"))
    }

    fn run_in_tx(&self, conn: &mut Conn, _: &Job) -> Result<()> {
        audit::append_in_tx(conn, DateTime::<Utc>::UNIX_EPOCH, vec![Entry::system("test.effect", "long")])
    }
}

async fn a_long_job_keeps_no_short_one_waiting(app: TestApp) {
    let (tell, told) = mpsc::channel();
    let trace = leave_a_trace(&app);
    let effect: Effect = Box::new(move |conn, job| {
        trace(conn, job)?;
        tell.send(()).map_err(Error::internal)
    });
    let clock = Arc::clone(&app.app().platform().clock);
    let handlers: Vec<Arc<dyn JobHandler>> =
        vec![Arc::new(Handler { every: None, effect }), Arc::new(Long(Mutex::new(told)))];
    let doer = Worker::new(app.db().clone(), clock, app.ids().clone(), Bell::default(), 128, handlers);
    let long = NewJob { kind: "test.long", payload: json!(0), run_at: app.now(), dedupe_key: None };
    // The long one is claimed first, if they are claimed together.
    enqueue(&app, vec![long]).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(doer.run(stopped));
    enqueue(&app, vec![work(1, app.now())]).await;
    while !all(&app).await.is_empty() {
        tokio::task::yield_now().await;
    }
    stop.send(true).unwrap();
    running.await.unwrap();
    assert_eq!(traces(&app).await, ["1", "long"]);
}
